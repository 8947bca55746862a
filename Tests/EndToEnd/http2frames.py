"""Frames and header blocks of HTTP/2 as bytes, good ones and others, and a client that is driven by them."""

import ssl
import struct

import hpack

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
PRIORITY_UPDATE = 0x10
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 0x20
NONE, PROTOCOL, INTERNAL, FLOW, TIMEOUT, CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION = range(10)
CALM = 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# The payload of a PING whose answer tells that the connection lives.
PROBE = b"is alive"


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value):
    value = value.encode("latin-1") if isinstance(value, str) else value
    if len(value) < 127:
        return bytes([len(value)]) + value
    rest, out = len(value) - 127, b"\x7f"
    while rest >= 128:
        out += bytes([rest & 127 | 128])
        rest >>= 7
    return out + bytes([rest]) + value


def block(*fields):
    """Literals that no table keeps (RFC 7541 section 6.2.2)."""
    return b"".join(b"\0" + text(name) + text(value) for name, value in fields)


def pseudo(method="GET", path="/", scheme="http", authority="origin.example", without=()):
    fields = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
    return [field for field in fields if field[0] not in without]


def headers(fields, stream=1, flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, flags, stream, block(*fields))


def get(stream=1, *more, **options):
    return headers([*pseudo(**options), *more], stream)


def post(stream=1, *more, **options):
    """The head of a request whose content follows."""
    return headers([*pseudo("POST", **options), *more], stream, END_HEADERS)


def data(content=b"hello", stream=1, end=True, flags=0):
    return frame(DATA, flags | (END_STREAM if end else 0), stream, content)


def setting(number, value):
    return frame(SETTINGS, 0, 0, struct.pack(">HI", number, value))


def window(count, stream=0):
    return frame(WINDOW, 0, stream, struct.pack(">I", count))


def reset(stream=1, code=CANCEL):
    return frame(RST, 0, stream, struct.pack(">I", code))


def goaway(code=NONE, stream=0):
    return frame(GOAWAY, 0, stream, struct.pack(">II", 0, code))


def priority(stream, on=0, weight=15):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", on, weight))


def raw(head, stream=1, flags=END_HEADERS | END_STREAM):
    """A header block by its bytes."""
    return frame(HEADERS, flags, stream, head)


def cut(fields, *places, stream=1):
    """HEADERS and CONTINUATION: one block in pieces."""
    whole = block(*fields)
    pieces = [whole[at:to] for at, to in zip((0, *places), (*places, len(whole)))]
    out = frame(HEADERS, END_STREAM, stream, pieces[0])
    for piece in pieces[1:-1]:
        out += frame(CONTINUATION, 0, stream, piece)
    return out + frame(CONTINUATION, END_HEADERS, stream, pieces[-1])


# What comes


class Peer:
    """One connection, driven frame by frame; all that came is kept."""

    def __init__(self, sock, first=PREFACE + frame(SETTINGS)):
        self.sock = sock
        self.frames, self.rest, self.ended = [], b"", False
        self.decoder = hpack.Decoder()
        self.heads, self.bodies, self.over = {}, {}, set()
        self.send(first)

    def send(self, octets):
        try:
            self.sock.sendall(octets)
        except OSError:
            pass

    def read(self):
        try:
            got = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            got = b""
        self.ended = not got
        self.rest += got
        while len(self.rest) >= 9 and len(self.rest) >= 9 + int.from_bytes(self.rest[:3], "big"):
            length = int.from_bytes(self.rest[:3], "big")
            kind, flags, stream = self.rest[3], self.rest[4], int.from_bytes(self.rest[5:9], "big")
            payload, self.rest = self.rest[9:9 + length], self.rest[9 + length:]
            self.frames.append((kind, flags, stream, payload))
            if kind == HEADERS:
                self.heads.setdefault(stream, []).append(dict(self.decoder.decode(payload)))
            elif kind == DATA:
                self.bodies[stream] = self.bodies.get(stream, b"") + payload
            if kind in (HEADERS, DATA) and flags & END_STREAM or kind == RST:
                self.over.add(stream)

    def until(self, is_there):
        try:
            while not is_there() and not self.ended:
                self.read()
        except TimeoutError:
            pass
        return is_there()

    @property
    def is_alive(self):
        """`PROBE` was answered."""
        return any(one[0] == PING and one[1] == ACK and one[3] == PROBE for one in self.frames)

    @property
    def goodbye(self):
        """The code of the last GOAWAY that names an error."""
        codes = [struct.unpack(">I", one[3][4:8])[0] for one in self.frames if one[0] == GOAWAY]
        return codes[-1] if codes else None

    def code(self, stream):
        codes = [struct.unpack(">I", one[3])[0] for one in self.frames if one[0] == RST and one[2] == stream]
        return codes[0] if codes else None

    def status(self, stream):
        return self.heads.get(stream, [{}])[-1].get(":status")

    def close(self):
        self.sock.close()
