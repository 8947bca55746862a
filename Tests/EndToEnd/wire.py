"""Raw bytes to the gateway from the pod, and readers of what comes back."""

import socket
import time

from net import ORIGIN


def send(world, data, address=ORIGIN, port=8080, pieces=None, pause=0.0, timeout=10.0, source=None, end=False):
    """Sends bytes from the pod, whole or piece by piece, and returns the socket."""
    options = {"source": source} if source else {}
    sock = world.connect(address, port, timeout=timeout, **options)
    write(sock, pieces or [data], pause)
    if end:
        sock.shutdown(socket.SHUT_WR)
    return sock


def write(sock, pieces, pause=0.0):
    """One write per piece; a peer that closes in between is for the reader to see."""
    try:
        for piece in pieces:
            sock.sendall(piece)
            if pause:
                time.sleep(pause)
    except OSError:
        pass


def read_all(sock):
    """Everything until the end; (bytes, how it ended)."""
    data = b""
    while True:
        try:
            chunk = sock.recv(262144)
        except ConnectionResetError:
            return data, "reset"
        except TimeoutError:
            return data, "timeout"
        if not chunk:
            return data, "end"
        data += chunk


def read_response(sock, data=b"", head_only=False):
    """One response: (status, fields, body, bytes read beyond it)."""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            raise ConnectionError(f"ended within a head: {data!r}")
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split()[1])
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    if head_only or status // 100 == 1 or status in (204, 304):
        return status, fields, b"", rest
    if "content-length" in fields:
        length = int(fields["content-length"])
        while len(rest) < length:
            chunk = sock.recv(65536)
            if not chunk:
                raise ConnectionError(f"ended within a body, {len(rest)} of {length}")
            rest += chunk
        return status, fields, rest[:length], rest[length:]
    if "chunked" in fields.get("transfer-encoding", ""):
        body = b""
        while True:
            while b"\r\n" not in rest:
                rest += _more(sock)
            line, _, rest = rest.partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                trailer = b"\r\n" + rest
                while b"\r\n\r\n" not in trailer:
                    trailer += _more(sock)
                return status, fields, body, trailer.partition(b"\r\n\r\n")[2]
            while len(rest) < size + 2:
                rest += _more(sock)
            body += rest[:size]
            rest = rest[size + 2:]
    body, _ = read_all(sock)
    return status, fields, rest + body, b""


def _more(sock):
    chunk = sock.recv(65536)
    if not chunk:
        raise ConnectionError("ended within a chunked body")
    return chunk


def request(method="GET", path="/", host="origin.example:8080", fields=(), body=None, version="1.1"):
    """A well-formed request as bytes."""
    lines = [f"{method} {path} HTTP/{version}", f"host: {host}", *fields]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")
