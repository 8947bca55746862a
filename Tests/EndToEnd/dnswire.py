"""DNS messages as bytes: written as a test wants them, right or wrong, and read as a client reads them."""

import base64
import random
import select
import socket
import struct
import time

from net import POD, POD_V6, RESOLVER

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
         "DNAME": 39, "OPT": 41, "DS": 43, "RRSIG": 46, "DNSKEY": 48, "SVCB": 64, "HTTPS": 65, "IXFR": 251, "AXFR": 252,
         "ANY": 255, "CAA": 257}
NUMBERS = {number: text for text, number in TYPES.items()}
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 16: "BADVERS"}

QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
BLOCKED = 15  # RFC 8914, 4.16
STALE = 3


def number(kind):
    return kind if isinstance(kind, int) else TYPES[kind]


def name(text):
    """A name on the wire; bytes are taken as one label each, whatever is in them."""
    labels = text if isinstance(text, (list, tuple)) else [part for part in text.rstrip(".").split(".") if part]
    parts = [part if isinstance(part, bytes) else part.encode("latin-1") for part in labels]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def header(id, flags, counts=(1, 0, 0, 0)):
    return struct.pack("!HHHHHH", id, flags, *counts)


def opt(payload=1232, do=False, options=(), version=0, upper=0):
    """The OPT record of a question."""
    data = b"".join(struct.pack("!HH", code, len(value)) + value for code, value in options)
    return b"\0" + struct.pack("!HHBBHH", 41, payload, upper, version, 0x8000 if do else 0, len(data)) + data


def query(what, kind="A", id=None, flags=RD, edns=1232, do=False, options=(), version=0, cls=1):
    """One question. `edns` is the payload size, or None for none at all."""
    id = random.randrange(65536) if id is None else id
    extra = b"" if edns is None else opt(edns, do, options, version)
    return header(id, flags, (1, 0, 0, 1 if extra else 0)) + name(what) + struct.pack("!HH", number(kind), cls) + extra


def record(owner, kind, data, ttl=60, cls=1):
    """One record for a made-up answer; an owner of bytes is taken as it is, `b"\\xc0\\x0c"` being the question's name."""
    owner = owner if isinstance(owner, bytes) else name(owner)
    return owner + struct.pack("!HHIH", number(kind), cls, ttl, len(data)) + data


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


class Record:
    def __init__(self, owner, kind, cls, ttl, data, text):
        self.name, self.type, self.cls, self.ttl, self.data, self.text = owner, kind, cls, ttl, data, text

    def __repr__(self):
        return f"{self.name} {self.ttl} {self.type} {self.text}"


class Message:
    """A message, read to its last byte: what does not parse is an error of whoever sent it."""

    def __init__(self, data):
        self.data = data
        self.id, self.flags, *counts = struct.unpack("!HHHHHH", data[:12])
        self.edns, self.options, self.do, upper = None, {}, False, 0
        at, self.questions = 12, []
        for _ in range(counts[0]):
            owner, at = self._name(at)
            kind, cls = struct.unpack("!HH", data[at:at + 4])
            at += 4
            self.questions.append((owner, NUMBERS.get(kind, kind), cls))
        self.sections = []
        for count in counts[1:]:
            section = []
            for _ in range(count):
                one, at = self._record(at)
                if one.type == "OPT":
                    self.edns, self.do, upper = one.cls, bool(one.ttl & 0x8000), one.ttl >> 24
                    self.options = dict(self._options(one.data))
                else:
                    section.append(one)
            self.sections.append(section)
        if at != len(data):
            raise ValueError(f"{len(data) - at} bytes after the last record")
        self.rcode = CODES.get(self.flags & 15 | upper << 4, str(self.flags & 15 | upper << 4))

    @property
    def answers(self):
        return self.sections[0]

    @property
    def authority(self):
        return self.sections[1]

    @property
    def question(self):
        return self.questions[0][0] if self.questions else None

    @property
    def kind(self):
        return self.questions[0][1] if self.questions else None

    @property
    def addresses(self):
        return [one.text for one in self.answers if one.type in ("A", "AAAA")]

    @property
    def truncated(self):
        return bool(self.flags & TC)

    @property
    def authentic(self):
        return bool(self.flags & AD)

    @property
    def ede(self):
        """The Extended DNS Error, RFC 8914, or None."""
        value = self.options.get(15)
        return struct.unpack("!H", value[:2])[0] if value else None

    def of(self, kind):
        return [one for one in self.answers if one.type == kind]

    def _name(self, at):
        labels, end, jumps = [], None, 0
        while size := self.data[at]:
            if size >= 0xC0:
                end = end or at + 2
                at = struct.unpack("!H", self.data[at:at + 2])[0] & 0x3FFF
                jumps += 1
                if jumps > 64:
                    raise ValueError("a loop of names")
                continue
            labels.append(self.data[at + 1:at + 1 + size].decode("latin-1"))
            at += 1 + size
        return ".".join(labels), end or at + 1

    def _record(self, at):
        owner, at = self._name(at)
        kind, cls, ttl, size = struct.unpack("!HHIH", self.data[at:at + 10])
        at += 10
        data = self.data[at:at + size]
        if len(data) != size:
            raise ValueError("a record past the end")
        kind = NUMBERS.get(kind, kind)
        return Record(owner, kind, cls, ttl, data, self._text(kind, at, data)), at + size

    def _text(self, kind, at, data):
        if kind == "A":
            return socket.inet_ntop(socket.AF_INET, data)
        if kind == "AAAA":
            return socket.inet_ntop(socket.AF_INET6, data)
        if kind in ("CNAME", "NS", "PTR", "DNAME"):
            return self._name(at)[0]
        if kind == "MX":
            return f"{struct.unpack('!H', data[:2])[0]} {self._name(at + 2)[0]}"
        if kind == "SOA":
            server, at = self._name(at)
            mailbox, at = self._name(at)
            return " ".join([server, mailbox, *map(str, struct.unpack("!IIIII", self.data[at:at + 20]))])
        if kind == "SRV":
            return " ".join([*map(str, struct.unpack("!HHH", data[:6])), self._name(at + 6)[0]])
        if kind == "TXT":
            parts, place = [], 0
            while place < len(data):
                parts.append(data[place + 1:place + 1 + data[place]])
                place += 1 + data[place]
            return b"".join(parts).decode("latin-1")
        if kind in ("HTTPS", "SVCB"):
            return service(data)
        return data.hex()

    @staticmethod
    def _options(data):
        while data:
            code, size = struct.unpack("!HH", data[:4])
            yield code, data[4:4 + size]
            data = data[4 + size:]


SERVICE_KEYS = {0: "mandatory", 1: "alpn", 2: "no-default-alpn", 3: "port", 4: "ipv4hint", 5: "ech", 6: "ipv6hint"}


def service(data):
    """The parameters of an HTTPS or SVCB record, RFC 9460, as text: `1 . alpn=h2,h3 ipv4hint=1.2.3.4`."""
    priority, at, labels = struct.unpack("!H", data[:2])[0], 2, []
    while size := data[at]:
        labels.append(data[at + 1:at + 1 + size].decode("latin-1"))
        at += 1 + size
    at += 1
    words = [str(priority), ".".join(labels) or "."]
    while at < len(data):
        key, size = struct.unpack("!HH", data[at:at + 4])
        value, at = data[at + 4:at + 4 + size], at + 4 + size
        label = SERVICE_KEYS.get(key, f"key{key}")
        if key == 0:
            value = [SERVICE_KEYS.get(one, f"key{one}") for one, in struct.iter_unpack("!H", value)]
        elif key == 1:
            found, place = [], 0
            while place < len(value):
                found.append(value[place + 1:place + 1 + value[place]].decode("latin-1"))
                place += 1 + value[place]
            value = found
        elif key in (4, 6):
            size, family = (4, socket.AF_INET) if key == 4 else (16, socket.AF_INET6)
            value = [socket.inet_ntop(family, value[i:i + size]) for i in range(0, len(value), size)]
        elif key == 3:
            value = [str(struct.unpack("!H", value)[0])]
        else:
            value = [base64.b64encode(value).decode()] if value else []
        words.append(f"{label}={','.join(value)}" if value else label)
    return " ".join(words)


# Asking


def udp(world, at=RESOLVER, source=POD, port=53, timeout=3.0, connect=True, role="pods"):
    """A socket of a pod for questions. Connected, it takes answers from no address but the one that was asked."""
    family = socket.AF_INET6 if ":" in at else socket.AF_INET
    with world.inside(role):
        sock = socket.socket(family, socket.SOCK_DGRAM)
    if ":" in at and source == POD:
        source = POD_V6
    sock.settimeout(timeout)
    if role == "pods":
        sock.bind((source, 0))
    if connect:
        sock.connect((at, port))
    return sock


def framed(data):
    """With the two bytes of length that TCP wants."""
    return struct.pack("!H", len(data)) + data


def read_message(sock):
    """One message from a TCP connection, or None at its end."""
    size = _exactly(sock, 2)
    if size is None:
        return None
    data = _exactly(sock, struct.unpack("!H", size)[0])
    if data is None:
        raise ConnectionError("ended within a message")
    return Message(data)


def _exactly(sock, count):
    data = b""
    while len(data) < count:
        chunk = sock.recv(count - len(data))
        if not chunk:
            if data:
                raise ConnectionError(f"ended within a message: {data!r}")
            return None
        data += chunk
    return data


def exchange(world, message, at=RESOLVER, source=POD, tcp=False, timeout=3.0, port=53, role="pods"):
    """Sends bytes and returns the answer, which must have their id; a silence is a TimeoutError."""
    if tcp:
        with world.connect(at, port, source=source, timeout=timeout, role=role) as sock:
            sock.sendall(framed(message))
            answer = read_message(sock)
            if answer is None:
                raise ConnectionError("closed without an answer")
    else:
        with udp(world, at, source, port, timeout, role=role) as sock:
            sock.send(message)
            answer = Message(sock.recv(65535))
    assert answer.id == struct.unpack("!H", message[:2])[0], "an answer to another question"
    assert answer.flags & QR
    return answer


def ask(world, what, kind="A", at=RESOLVER, source=POD, tcp=False, timeout=3.0, port=53, role="pods", **options):
    """One question from a pod, and its answer: the question must come back letter for letter."""
    message = query(what, kind, **options)
    answer = exchange(world, message, at, source, tcp, timeout, port, role)
    end = 12 + len(name(what)) + 4
    assert answer.data[12:end] == message[12:end], f"asked {message[12:end]!r}, answered {answer.data[12:end]!r}"
    return answer


class Client:
    """One socket of a pod for many questions: they all come to one worker, and so to one cache."""

    def __init__(self, world, at=RESOLVER, source=POD, timeout=3.0):
        self.socket = udp(world, at, source, timeout=timeout)

    def ask(self, what, kind="A", **options):
        message = query(what, kind, **options)
        self.socket.send(message)
        while True:
            answer = Message(self.socket.recv(65535))
            if answer.data[:2] == message[:2]:
                return answer

    def timed(self, what, kind="A", **options):
        """The answer, and the seconds it took."""
        started = time.monotonic()
        return self.ask(what, kind, **options), time.monotonic() - started

    def quiet(self, seconds):
        """That nothing more comes."""
        self.socket.settimeout(seconds)
        try:
            raise AssertionError(f"unasked for: {Message(self.socket.recv(65535)).answers}")
        except TimeoutError:
            return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def all_at_once(world, messages, timeout=5.0, at=RESOLVER, source=POD):
    """Each message from a socket of its own, all before the first answer: the answers, None where none came."""
    socks = [udp(world, at, source) for _ in messages]
    for sock, message in zip(socks, messages):
        sock.send(message)
    answers, deadline = [], time.monotonic() + timeout
    for sock in socks:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            answers.append(Message(sock.recv(65535)))
        except TimeoutError:
            answers.append(None)
        sock.close()
    return answers


def many(world, names, at=RESOLVER, source=POD, rate=None, window=64, socks=4, timeout=3.0):
    """Asks for all (name, type) at a rate, with so many under way at most: the answers in order, None where none came."""
    sockets = [udp(world, at, source) for _ in range(socks)]
    for sock in sockets:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    answers, open_, sent, started = [None] * len(names), {}, 0, time.monotonic()
    last = started
    try:
        while sent < len(names) or open_:
            now = time.monotonic()
            if now - last > timeout:
                break
            while sent < len(names) and len(open_) < window and (rate is None or sent < (now - started) * rate):
                which = sent % socks
                key = which, sent // socks % 65536
                sockets[which].send(query(*names[sent], id=key[1]))
                open_[key] = sent
                sent += 1
                last = now
            ready, _, _ = select.select(sockets, [], [], 0.002)
            for sock in ready:
                answer = Message(sock.recv(65535))
                index = open_.pop((sockets.index(sock), answer.id), None)
                if index is not None:
                    answers[index] = answer
                    last = now
            # What is lost is lost: it must not keep the window full.
            if len(open_) >= window and not ready and now - last > 1:
                open_.clear()
                last = now
    finally:
        for sock in sockets:
            sock.close()
    return answers


def silent(world, what, kind="A", timeout=1.0, **options):
    """That nobody answers."""
    try:
        answer = ask(world, what, kind, timeout=timeout, **options)
    except (TimeoutError, ConnectionError):
        return True
    raise AssertionError(f"{what} was answered: {answer.rcode} {answer.answers}")


def questions(packets, to=None, port=53):
    """(name in lower case, type) of each question that a `Wiretap` saw go to a resolver, by UDP."""
    found = []
    for protocol, _, target, _, target_port, payload in packets:
        if protocol == "udp" and target_port == port and to in (None, target):
            try:
                message = Message(payload)
            except (ValueError, IndexError, struct.error):
                continue
            if message.questions:
                found.append((message.question.lower(), message.kind))
    return found
