"""WebSocket as bytes: frames made and read, the handshake of an origin, and a pod's end over each way to the gateway."""

import base64
import hashlib
import struct
import zlib

import h2.exceptions

from http2peer import Client
from net import ORIGIN, until

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x37\xfa\x21\x3d"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(payload, opcode=TEXT, fin=True, rsv=0, mask=None):
    head = bytes([(0x80 if fin else 0) | rsv | opcode])
    masked = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([masked | len(payload)])
    elif len(payload) < 65536:
        head += struct.pack("!BH", masked | 126, len(payload))
    else:
        head += struct.pack("!BQ", masked | 127, len(payload))
    if mask:
        head += mask
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return head + payload


def sent(payload, **options):
    """A frame of a client."""
    return frame(payload, mask=MASK, **options)


def fragments(payload, size, **options):
    """A message of a client in frames of `size` bytes."""
    parts = [payload[at:at + size] for at in range(0, len(payload), size)]
    options.setdefault("opcode", TEXT)
    frames = []
    for at, part in enumerate(parts):
        frames.append(sent(part, fin=at == len(parts) - 1, **options))
        options.update(opcode=0, rsv=0)
    return frames


class Deflate:
    """permessage-deflate of one direction."""

    def __init__(self, takeover=True):
        self.takeover = takeover
        self.packer = None

    def pack(self, payload):
        if not self.packer or not self.takeover:
            self.packer = zlib.compressobj(wbits=-15)
        data = self.packer.compress(payload) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        return data[:-4]


def unframe(data):
    """The whole frames at the front: [(opcode, fin, rsv, payload)] and the rest."""
    frames = []
    while len(data) >= 2:
        count, at = data[1] & 0x7f, 2
        if count == 126:
            count, at = struct.unpack("!H", data[2:4].ljust(2, b"\xff"))[0], 4
        elif count == 127:
            count, at = struct.unpack("!Q", data[2:10].ljust(8, b"\xff"))[0], 10
        mask = data[at:at + 4] if data[1] & 0x80 else b"\0\0\0\0"
        at += 4 if data[1] & 0x80 else 0
        if len(data) < at + count:
            break
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data[at:at + count]))
        frames.append((data[0] & 0xf, data[0] >> 7, data[0] & 0x70, payload))
        data = data[at + count:]
    return frames, data


def accept(conversation, extensions=b""):
    """An origin's side of the handshake."""
    head, _ = conversation.read_request()
    lines = {line.partition(b":")[0].lower(): line.partition(b":")[2].strip() for line in head.split(b"\r\n")}
    digest = base64.b64encode(hashlib.sha1(lines[b"sec-websocket-key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    agreed = b"sec-websocket-extensions: " + extensions + b"\r\n" if extensions else b""
    conversation.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n" + agreed
                      + b"sec-websocket-accept: " + digest + b"\r\n\r\n")
    conversation.start = len(conversation.received)


class Server:
    """What an origin's handler does, and what it got: `frames` are those that came whole."""

    def __init__(self, extensions=b"", says=()):
        self.extensions = extensions
        self.says = says
        self.data = b""

    def __call__(self, conversation):
        accept(conversation, self.extensions)
        for piece in self.says:
            conversation.send(piece)
        while data := conversation.read():
            self.data += data
            frames, _ = unframe(data)
            for opcode, _, rsv, payload in frames:
                if opcode == PING:
                    conversation.send(frame(payload, PONG))
                if opcode == TEXT and not rsv and payload.startswith(b"echo"):
                    conversation.send(frame(payload))

    @property
    def content(self):
        """Everything that came, unmasked as far as its frames are whole, and what is left of the last."""
        frames, rest = unframe(self.data)
        return b"".join(payload for *_, payload in frames), rest


class Peer:
    """A pod's WebSocket over a socket, plain or TLS."""

    def __init__(self, sock, extensions="", path="/ws", host="origin.example"):
        self.sock = sock
        agreed = f"sec-websocket-extensions: {extensions}\r\n" if extensions else ""
        self.sock.sendall(f"GET {path} HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                          f"sec-websocket-key: {KEY.decode()}\r\nsec-websocket-version: 13\r\n{agreed}\r\n".encode())
        self.data = b""
        self.ended = False
        while b"\r\n\r\n" not in self.data and self.read():
            pass
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        self.status = int(head.split()[1]) if head else 0

    def read(self):
        try:
            data = self.sock.recv(65536)
        except OSError:
            data = b""
        self.ended = self.ended or not data
        self.data += data
        return not self.ended

    def send(self, *pieces):
        for piece in pieces:
            try:
                self.sock.sendall(piece)
            except OSError:
                return  # closed on us: what was said is in what it sent

    def frame(self):
        """The next frame, or None at the end: (opcode, payload)."""
        while True:
            frames, rest = unframe(self.data)
            if frames:
                opcode, _, _, payload = frames[0]
                self.data = self.data[len(self.data) - len(rest) - sum(len(frame(f[3])) for f in frames[1:]):]
                return opcode, payload
            if self.ended or not self.read():
                if not unframe(self.data)[0]:
                    return None

    def closed(self):
        """Reads to the end: the status and reason of the Close frame, or None where there was none."""
        while got := self.frame():
            if got[0] == CLOSE:
                return struct.unpack("!H", got[1][:2])[0], got[1][2:].decode()
        return None

    def close(self):
        self.sock.close()


class StreamPeer(Peer):
    """The same as a stream of HTTP/2 (RFC 8441)."""

    def __init__(self, tls, extensions="", path="/ws"):
        self.client = Client(tls, strict=False)
        until(lambda: self.client.h2.remote_settings.enable_connect_protocol or self.client.read(), what="settings")
        fields = [(":protocol", "websocket"), ("sec-websocket-version", "13")]
        if extensions:
            fields.append(("sec-websocket-extensions", extensions))
        self.stream = self.client.request(path, "CONNECT", fields=fields, end=False)
        self.answer = self.client.answers[self.stream]
        until(lambda: self.answer.status or not self.client.read(), what="an answer")
        self.status = 101 if self.answer.status == 200 else self.answer.status
        self.data = b""
        self.taken = 0
        self.ended = False

    def read(self):
        while len(self.answer.body) == self.taken:
            if self.answer.ended or self.answer.reset is not None or not self.client.read():
                self.ended = True
                return False
        self.data += self.answer.body[self.taken:]
        self.taken = len(self.answer.body)
        return True

    def send(self, *pieces):
        for piece in pieces:
            if self.answer.ended or self.answer.reset is not None or self.client.ended:
                return
            try:
                self.client.send(self.stream, piece, end=False)
            except (OSError, h2.exceptions.StreamClosedError):
                return

    def close(self):
        self.client.close()


def plain(world, gateway, source, **options):
    return Peer(world.connect(ORIGIN, 8080, source=source), host="origin.example:8080", **options)
