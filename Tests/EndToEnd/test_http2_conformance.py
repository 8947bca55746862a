"""HTTP/2 as the RFCs have it, frame by frame: what is an error of the connection, what of the stream, and what is none.

Each case sends frames behind a preface and SETTINGS, and a PING at its end: the answer to that tells that the connection lives.
All are sent in the clear, by prior knowledge, and over TLS.
"""

import os
import shutil
import struct

import hpack
import pytest

from http2frames import (
    ACK, CALM, CLOSED, COMPRESSION, CONTINUATION, END_HEADERS, END_STREAM, FLOW, GOAWAY, HEADERS, PADDED, PING, PREFACE,
    PRIORITIZED, PRIORITY, PRIORITY_UPDATE, PROBE, PROTOCOL, PUSH, REFUSED, RST, SETTINGS, SIZE, WINDOW, Peer, block, cut, data,
    frame, get, goaway, headers, post, priority, pseudo, raw, reset, setting, text, window)
from http2server import Server
from net import ORIGIN
from peers import Origin
from test_tls import ca, identities, outside  # noqa: F401
from test_tls import connect as handshake
from tlspeers import client, over_tls

PORT = 8080

CONFIG = """
services:
  - {name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}
"""


@pytest.fixture(scope="module")
def gateway(shared, outside):  # noqa: F811
    return shared(CONFIG + f'tls: {{trust: "{outside.certificate}"}}\n')


@pytest.fixture(scope="module")
def server(world, outside, identities):  # noqa: F811
    """Answers with the length of the content; what it must never see is looked for at the end."""
    def head(request):
        if request.path == "/early":
            request.respond(b"enough")

    def answers(request):
        if request.path != "/early":
            request.respond(b"" if request.fields[":method"] == "HEAD" else b"%d bytes" % len(request.body))

    server = Server(answers, head=head)
    secured = over_tls(outside.server(identities["origin.example"], alpn=["h2"]), server)
    with Origin(world, PORT, handler=server, timeout=60), Origin(world, 443, handler=secured, timeout=60):
        yield server


def connect(world, *first):
    return Peer(world.connect(ORIGIN, PORT, timeout=2), *first)


def secure(world, gateway, *first):
    """The same over TLS, by ALPN."""
    context = client(ca(gateway), alpn=["h2"])
    return Peer(handshake(world, gateway, "origin.example", timeout=2, context=context), *first)


class Connection:
    """An error of the connection: GOAWAY with one of these codes, and the end."""

    def __init__(self, *codes):
        self.codes = codes

    def check(self, peer):
        peer.until(lambda: peer.ended)
        assert peer.goodbye in self.codes, (peer.goodbye, peer.frames)


class Left:
    """The end of the connection, with or without a word."""

    def check(self, peer):
        assert peer.until(lambda: peer.ended)


class Stream:
    """An error of the stream; the RFC lets any be taken for one of the connection (RFC 9113 section 5.4.2)."""

    def __init__(self, *codes, stream=1):
        self.codes, self.stream = codes, stream

    def check(self, peer):
        peer.until(lambda: peer.code(self.stream) is not None or peer.ended)
        code = peer.code(self.stream)
        if code is None:
            assert peer.goodbye in self.codes, (peer.goodbye, peer.frames)
        else:
            assert code in self.codes, peer.frames
            assert peer.until(lambda: peer.is_alive), "the connection goes on"


class Answer:
    """The stream is answered, and the connection goes on."""

    def __init__(self, status="200", stream=1, body=None):
        self.status, self.stream, self.body = status, stream, body

    def check(self, peer):
        assert peer.until(lambda: self.stream in peer.over), peer.frames
        assert peer.status(self.stream) == self.status, peer.frames
        assert self.body is None or peer.bodies.get(self.stream) == self.body, peer.bodies
        assert peer.until(lambda: peer.is_alive), peer.frames


class Nothing:
    """Taken without a word."""

    def check(self, peer):
        assert peer.until(lambda: peer.is_alive), peer.frames
        assert not [one for one in peer.frames if one[0] in (RST, GOAWAY)], peer.frames


class Either:
    def __init__(self, *kinds):
        self.kinds = kinds

    def check(self, peer):
        failures = []
        for kind in self.kinds:
            try:
                return kind.check(peer)
            except AssertionError as failure:
                failures.append(failure)
        raise failures[-1]


GONE = Stream(CLOSED, PROTOCOL)
MALFORMED = Stream(PROTOCOL)
INDEXED = b"\x82\x86\x84"  # GET, http, / of the static table
AUTHORITY = b"\x01" + text("origin.example")
GOOD = INDEXED + AUTHORITY
HUFFMAN = hpack.Encoder().encode([*pseudo(), ("user-agent", "weir"), ("x-some", "words & more = {}")], huffman=True)

CASES = {
    # RFC 9113 section 3.4
    "3.4-settings-are-first": (None, PREFACE + frame(PING, 0, 0, PROBE), Connection(PROTOCOL)),
    "3.4-a-request-is-not-first": (None, PREFACE + get(), Connection(PROTOCOL)),
    "3.4-preface-that-goes-wrong": (None, b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + frame(SETTINGS), Left()),
    "3.4-settings-with-the-preface": (setting(4, 70_000) + get(), Answer()),
    # Section 4.1
    "4.1-unknown-type": (frame(0xee, 0, 0, b"x" * 8), Nothing()),
    "4.1-unknown-type-on-a-stream": (get() + frame(0xee, 0xff, 1, b"x"), Answer()),
    "4.1-unknown-flags": (frame(PING, 0xfe, 0, b"12345678"), Nothing()),
    "4.1-reserved-bit-of-the-stream": (frame(PING, 0, 1 << 31, b"12345678"), Nothing()),
    "4.1-reserved-bit-of-a-request": (frame(HEADERS, END_HEADERS | END_STREAM, 1 << 31 | 1, block(*pseudo())), Answer()),
    # Section 4.2
    "4.2-largest-data": (post() + data(b"a" * 16_384), Answer(body=b"16384 bytes")),
    "4.2-largest-headers": (
        headers([*pseudo(), ("x", "a" * (16_384 - len(block(*pseudo(), ("x", "a" * 16_000))) + 16_000))]), Answer()),
    "4.2-data-too-large": (post() + data(b"a" * 16_385), Stream(SIZE)),
    "4.2-headers-too-large": (headers([*pseudo(), ("x", "a" * 16_400)]), Connection(SIZE)),
    "4.2-settings-too-large": (frame(SETTINGS, 0, 0, struct.pack(">HI", 0xaaaa, 0) * 2731), Connection(SIZE)),
    "4.2-unknown-type-too-large": (frame(0xee, 0, 0, b"a" * 16_385), Connection(SIZE)),
    "4.2-ping-too-short": (frame(PING, 0, 0, b"1234567"), Connection(SIZE)),
    "4.2-ping-too-long": (frame(PING, 0, 0, b"123456789"), Connection(SIZE)),
    "4.2-ping-empty": (frame(PING), Connection(SIZE)),
    "4.2-reset-too-short": (get() + frame(RST, 0, 1, b"\0\0\0"), Connection(SIZE)),
    "4.2-reset-too-long": (get() + frame(RST, 0, 1, b"\0" * 5), Connection(SIZE)),
    "4.2-priority-too-short": (frame(PRIORITY, 0, 1, b"\0" * 4), Stream(SIZE)),
    "4.2-priority-too-long": (frame(PRIORITY, 0, 1, b"\0" * 6), Stream(SIZE)),
    "4.2-goaway-too-short": (frame(GOAWAY, 0, 0, b"\0" * 7), Connection(SIZE)),
    "4.2-window-too-short": (frame(WINDOW, 0, 0, b"\0\0\1"), Connection(SIZE)),
    "4.2-window-too-long": (frame(WINDOW, 0, 0, b"\0\0\0\1\0"), Connection(SIZE)),
    "4.2-settings-of-half-an-entry": (frame(SETTINGS, 0, 0, b"\0\3\0"), Connection(SIZE)),
    "4.2-headers-shorter-than-their-priority": (frame(HEADERS, END_HEADERS | PRIORITIZED, 1, b"\0\0"), Connection(SIZE, PROTOCOL)),
    # Section 4.3
    "4.3-block-that-cannot-be-read": (raw(b"\xff\xff\xff\xff\xff\xff\xff\xff"), Connection(COMPRESSION)),
    "4.3-priority-within-a-block": (raw(GOOD, flags=END_STREAM) + priority(3), Connection(PROTOCOL)),
    "4.3-headers-of-another-within-a-block": (raw(GOOD, flags=END_STREAM) + get(3), Connection(PROTOCOL)),
    "4.3-data-within-a-block": (raw(GOOD, flags=0) + data(), Connection(PROTOCOL)),
    "4.3-ping-within-a-block": (raw(GOOD, flags=END_STREAM) + frame(PING, 0, 0, PROBE), Connection(PROTOCOL)),
    "4.3-settings-within-a-block": (raw(GOOD, flags=END_STREAM) + frame(SETTINGS), Connection(PROTOCOL)),
    "4.3-tables-of-streams-that-are-refused-go-on": (
        raw(INDEXED + b"\x41" + text("origin.example") + b"\x40" + text("Upper") + text("1"))
        + raw(INDEXED + b"\xbf", 3), Answer(stream=3)),
    # Section 5.1
    "5.1-idle-data": (data(), Connection(PROTOCOL, CLOSED)),
    "5.1-idle-reset": (reset(), Connection(PROTOCOL)),
    "5.1-idle-window": (window(1, 1), Connection(PROTOCOL)),
    "5.1-idle-continuation": (frame(CONTINUATION, END_HEADERS, 1, GOOD), Connection(PROTOCOL)),
    "5.1-idle-priority": (priority(1) + get(3), Answer(stream=3)),
    "5.1-half-closed-data": (get() + data(), GONE),
    "5.1-half-closed-headers": (get() + get(), GONE),
    "5.1-half-closed-continuation": (get() + frame(CONTINUATION, END_HEADERS, 1, GOOD), Connection(PROTOCOL)),
    "5.1-half-closed-window": (get() + window(10, 1), Answer()),
    "5.1-half-closed-priority": (get() + priority(1), Answer()),
    "5.1-half-closed-reset": (get() + reset() + get(3), Answer(stream=3)),
    # What comes for a stream that has closed may be an error, and may be left alone.
    "5.1-reset-data": (post() + reset() + data(), Either(Nothing(), GONE)),
    "5.1-reset-headers": (post() + reset() + headers([("x", "1")]), Either(Nothing(), GONE)),
    "5.1-reset-continuation": (post() + reset() + frame(CONTINUATION, END_HEADERS, 1, b""), Connection(PROTOCOL, CLOSED)),
    "5.1-reset-window": (post() + reset() + window(10, 1) + get(3), Answer(stream=3)),
    "5.1-reset-priority": (post() + reset() + priority(1) + get(3), Answer(stream=3)),
    "5.1-reset-twice": (post() + reset() + reset() + get(3), Answer(stream=3)),
    # Section 5.1.1
    "5.1.1-even-stream": (get(2), Connection(PROTOCOL)),
    "5.1.1-stream-zero": (get(0), Connection(PROTOCOL)),
    # The higher one has closed it.
    "5.1.1-lower-than-before": (get(5) + get(3), Either(Answer(stream=5), Connection(PROTOCOL, CLOSED))),
    "5.1.1-streams-may-be-left-out": (get(101), Answer(stream=101)),
    "5.1.1-the-highest-stream": (get((1 << 31) - 1), Answer(stream=(1 << 31) - 1)),
    # Section 5.1.2
    "5.1.2-more-streams-than-allowed": (
        b"".join(post(1 + 2 * number) for number in range(129)), Stream(REFUSED, PROTOCOL, stream=257)),
    "5.1.2-as-many-as-allowed": (
        b"".join(post(1 + 2 * number) for number in range(128)) + b"".join(data(b"", 1 + 2 * number) for number in range(128)),
        Answer(stream=255)),
    "5.1.2-those-that-ended-make-room": (
        b"".join(post(1 + 2 * number) for number in range(128)) + reset(1) + get(257), Answer(stream=257)),
    # Section 5.3, which RFC 9113 keeps for its frames alone
    "5.3-priority-on-itself": (priority(1, on=1) + get(3), Either(Answer(stream=3), MALFORMED)),
    "5.3-headers-on-themselves": (
        frame(HEADERS, END_HEADERS | END_STREAM | PRIORITIZED, 1, struct.pack(">IB", 1, 1) + GOOD),
        Either(Answer(), MALFORMED)),
    "5.3-a-tree-of-streams": (priority(3, on=1) + priority(5, on=1 << 31 | 3, weight=255) + get(7), Answer(stream=7)),
    # Section 5.5
    "5.5-extension-within-a-block": (raw(GOOD, flags=END_STREAM) + frame(0xee, 0, 1, b"x"), Connection(PROTOCOL)),
    "5.5-extension-between-data": (
        post() + data(end=False) + frame(0xee, 0, 1, b"x") + data(), Answer(body=b"10 bytes")),
    "5.5-unknown-setting": (setting(0xaaaa, 1) + get(), Answer()),
    # Section 6.1
    "6.1-data-on-stream-zero": (data(stream=0), Connection(PROTOCOL)),
    "6.1-padded": (post() + data(b"\x05hello" + b"\0" * 5, flags=PADDED), Answer(body=b"5 bytes")),
    "6.1-nothing-but-padding": (post() + data(b"\x05" + b"\0" * 5, flags=PADDED), Answer(body=b"0 bytes")),
    "6.1-more-padding-than-frame": (post() + data(b"\x06hello", flags=PADDED), Connection(PROTOCOL)),
    "6.1-padding-of-all-and-one": (post() + data(b"\x01", flags=PADDED), Connection(PROTOCOL)),
    "6.1-no-room-for-the-padding": (post() + data(b"", flags=PADDED), Connection(PROTOCOL, SIZE)),
    "6.1-empty-data-ends": (post() + data(end=False) + data(b""), Answer(body=b"5 bytes")),
    # Section 6.2
    "6.2-headers-on-stream-zero": (get(0), Connection(PROTOCOL)),
    "6.2-padded": (raw(b"\x08" + GOOD + b"\0" * 8, flags=END_HEADERS | END_STREAM | PADDED), Answer()),
    "6.2-more-padding-than-frame": (raw(b"\xff" + GOOD, flags=END_HEADERS | END_STREAM | PADDED), Connection(PROTOCOL)),
    "6.2-padded-with-priority": (
        raw(b"\x04" + struct.pack(">IB", 0, 9) + GOOD + b"\0" * 4, flags=END_HEADERS | END_STREAM | PADDED | PRIORITIZED),
        Answer()),
    "6.2-with-priority": (
        raw(struct.pack(">IB", 1 << 31, 255) + GOOD, flags=END_HEADERS | END_STREAM | PRIORITIZED), Answer()),
    "6.2-nothing-but-padding": (raw(b"\x03\0\0\0", flags=END_HEADERS | END_STREAM | PADDED), MALFORMED),
    "6.2-no-room-for-the-padding": (raw(b"", flags=END_HEADERS | END_STREAM | PADDED), Connection(SIZE, PROTOCOL)),
    # Section 6.3
    "6.3-priority-on-stream-zero": (priority(0), Connection(PROTOCOL)),
    # Section 6.4
    "6.4-reset-on-stream-zero": (reset(0), Connection(PROTOCOL)),
    "6.4-reset-of-an-idle-stream": (get() + reset(9), Connection(PROTOCOL)),
    # Section 6.5
    "6.5-answer-with-content": (frame(SETTINGS, ACK, 0, b"\0" * 6), Connection(SIZE)),
    "6.5-settings-on-a-stream": (frame(SETTINGS, 0, 1), Connection(PROTOCOL)),
    "6.5-answer-on-a-stream": (frame(SETTINGS, ACK, 1), Connection(PROTOCOL)),
    "6.5-empty": (frame(SETTINGS) + get(), Answer()),
    "6.5-the-same-twice": (
        frame(SETTINGS, 0, 0, struct.pack(">HIHI", 4, 10, 4, 70_000)) + get(), Answer()),
    "6.5.2-push-that-is-no-truth": (setting(2, 2), Connection(PROTOCOL)),
    "6.5.2-push-off": (setting(2, 0) + get(), Answer()),
    "6.5.2-window-too-large": (setting(4, 1 << 31), Connection(FLOW)),
    "6.5.2-largest-window": (setting(4, (1 << 31) - 1) + get(), Answer()),
    "6.5.2-frames-too-small": (setting(5, 16_383), Connection(PROTOCOL)),
    "6.5.2-frames-too-large": (setting(5, 1 << 24), Connection(PROTOCOL)),
    "6.5.2-largest-frames": (setting(5, (1 << 24) - 1) + get(), Answer()),
    "6.5.2-no-table": (setting(1, 0) + get() + get(3), Answer(stream=3)),
    "6.5.2-lists-of-heads": (setting(6, 100) + get(), Answer()),
    "6.5.2-no-streams-of-the-server": (setting(3, 0) + get(), Answer()),
    # Section 6.6
    "6.6-push-by-a-client": (frame(PUSH, END_HEADERS, 1, struct.pack(">I", 2) + GOOD), Connection(PROTOCOL)),
    "6.6-push-on-an-open-stream": (post() + frame(PUSH, END_HEADERS, 1, struct.pack(">I", 2) + GOOD), Connection(PROTOCOL)),
    # Section 6.7
    "6.7-ping-on-a-stream": (frame(PING, 0, 1, b"12345678"), Connection(PROTOCOL)),
    "6.7-answer-to-nothing": (frame(PING, ACK, 0, b"12345678"), Nothing()),
    "6.7-among-content": (post() + data(end=False) + frame(PING, 0, 0, b"12345678") + data(), Answer(body=b"10 bytes")),
    # Section 6.8
    "6.8-goaway-on-a-stream": (goaway(stream=1), Connection(PROTOCOL)),
    "6.8-what-was-asked-before-is-answered": (get() + goaway(), Answer()),
    "6.8-with-words": (get() + frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0) + b"so long"), Answer()),
    # Section 6.9
    "6.9-no-increment": (window(0), Connection(PROTOCOL)),
    "6.9-no-increment-of-a-stream": (post() + window(0, 1), MALFORMED),
    "6.9-reserved-bit": (window(1 << 31 | 10) + get(), Answer()),
    "6.9.1-window-overflows": (window((1 << 31) - 1), Connection(FLOW)),
    "6.9.1-window-of-a-stream-overflows": (post() + window((1 << 31) - 1, 1), Stream(FLOW)),
    "6.9.1-window-overflows-by-steps": (window(1 << 30) + window(1 << 30), Connection(FLOW)),
    # By the RFC the connection ends; the library ends the streams whose windows overflow, and no other.
    "6.9.2-settings-make-a-window-overflow": (
        post() + window((1 << 31) - 1 - 65_535, 1) + setting(4, 65_536), Stream(FLOW)),
    "6.9-data-beyond-the-window": (
        post() + b"".join(data(b"a" * 16_384, end=False) for _ in range(1100)), Stream(FLOW)),
    # Section 6.10
    "6.10-one": (cut(pseudo(), 10), Answer()),
    "6.10-many": (cut(pseudo(), *range(8, 64, 8)), Answer()),
    "6.10-empty-headers": (frame(HEADERS, END_STREAM, 1) + frame(CONTINUATION, END_HEADERS, 1, GOOD), Answer()),
    "6.10-an-empty-one": (
        raw(GOOD, flags=END_STREAM) + frame(CONTINUATION, 0, 1) + frame(CONTINUATION, END_HEADERS, 1), Answer()),
    "6.10-behind-the-end": (post() + frame(CONTINUATION, END_HEADERS, 1, b""), Connection(PROTOCOL)),
    "6.10-behind-data": (post() + data(end=False) + frame(CONTINUATION, END_HEADERS, 1, b""), Connection(PROTOCOL)),
    "6.10-on-stream-zero": (raw(GOOD, flags=END_STREAM) + frame(CONTINUATION, END_HEADERS, 0, b""), Connection(PROTOCOL)),
    "6.10-of-another-stream": (raw(GOOD, flags=END_STREAM) + frame(CONTINUATION, END_HEADERS, 3, b""), Connection(PROTOCOL)),
    "6.10-too-large": (
        raw(GOOD, flags=END_STREAM) + frame(CONTINUATION, END_HEADERS, 1, block(("x", "a" * 16_400))), Connection(SIZE)),
    "6.10-without-end": (
        raw(GOOD, flags=END_STREAM) + frame(CONTINUATION, 0, 1, block(("x", "1"))) * 50, Connection(CALM)),
    # Section 7
    "7-unknown-code-of-a-reset": (post() + reset(1, 0xeeee) + get(3), Answer(stream=3)),
    "7-unknown-code-of-goaway": (get() + goaway(0xeeee), Answer()),
    # Section 8.1
    "8.1-get": (get(), Answer(body=b"0 bytes")),
    "8.1-head": (get(method="HEAD"), Answer()),
    "8.1-options": (get(method="OPTIONS", path="*"), Answer()),
    "8.1-a-method-of-its-own": (get(method="BREW"), Answer()),
    "8.1-content": (post() + data(), Answer(body=b"5 bytes")),
    "8.1-no-content-after-all": (post() + data(b""), Answer(body=b"0 bytes")),
    "8.1-content-in-many-frames": (
        post() + b"".join(data(b"ab", end=False) for _ in range(50)) + data(b""), Answer(body=b"100 bytes")),
    "8.1-content-with-get": (headers(pseudo(), 1, END_HEADERS) + data(), Answer(body=b"5 bytes")),
    "8.1-trailers": (post() + data(end=False) + headers([("x-end", "1")]), Answer(body=b"5 bytes")),
    "8.1-trailers-alone": (post() + headers([("x-end", "1")]), Answer(body=b"0 bytes")),
    "8.1-continue-is-expected": (post(1, ("expect", "100-continue")) + data(), Answer(body=b"5 bytes")),
    "8.1-trailers-in-pieces": (
        post() + data(end=False) + frame(HEADERS, END_STREAM, 1, block(("x", "1")))
        + frame(CONTINUATION, END_HEADERS, 1, block(("y", "2"))), Answer(body=b"5 bytes")),
    "8.1-content-behind-trailers": (post() + data(end=False) + headers([("x", "1")]) + data(), GONE),
    "8.1-streams-mixed": (
        post(1) + post(3) + data(stream=1, end=False) + data(stream=3, end=False) + data(b"!", 3) + data(b"!!", 1),
        Answer(body=b"7 bytes")),
    "8.1-second-head-without-end": (post() + headers([("x", "1")], 1, END_HEADERS), MALFORMED),
    "8.1-pseudo-field-in-trailers": (post() + data(end=False) + headers([(":method", "GET")]), MALFORMED),
    "8.1-path-in-trailers": (post() + data(end=False) + headers([("x", "1"), (":path", "/")]), MALFORMED),
    "8.1.1-less-than-its-length": (post(1, ("content-length", "6")) + data(), MALFORMED),
    "8.1.1-more-than-its-length": (post(1, ("content-length", "4")) + data(), MALFORMED),
    "8.1.1-more-in-two-frames": (post(1, ("content-length", "6")) + data(end=False) + data(), MALFORMED),
    "8.1.1-length-without-content": (get(1, ("content-length", "5")), MALFORMED),
    "8.1.1-length-of-nothing": (get(1, ("content-length", "0")), Answer()),
    "8.1.1-less-before-trailers": (post(1, ("content-length", "6")) + data(end=False) + headers([("x", "1")]), MALFORMED),
    "8.1.1-two-lengths": (post(1, ("content-length", "5"), ("content-length", "5")) + data(), MALFORMED),
    "8.1.1-length-that-is-none": (post(1, ("content-length", "+5")) + data(), MALFORMED),
    "8.1.1-lengths-in-one": (post(1, ("content-length", "5, 5")) + data(), MALFORMED),
    "8.1.1-its-very-length": (post(1, ("content-length", "5")) + data(), Answer(body=b"5 bytes")),
    # Section 8.2
    "8.2-upper-case": (get(1, ("X-Upper", "1")), MALFORMED),
    "8.2-name-without-characters": (get(1, ("", "1")), MALFORMED),
    "8.2.1-space-in-a-name": (get(1, ("x y", "1")), MALFORMED),
    "8.2.1-colon-in-a-name": (get(1, ("x:y", "1")), MALFORMED),
    "8.2.1-control-in-a-name": (get(1, ("x\x01y", "1")), MALFORMED),
    "8.2.1-name-beyond-ascii": (get(1, ("x\xe4", "1")), MALFORMED),
    "8.2.1-delete-in-a-name": (get(1, ("x\x7f", "1")), MALFORMED),
    "8.2.1-line-in-a-name": (get(1, ("x\r\ny", "1")), MALFORMED),
    "8.2.1-nul-in-a-value": (get(1, ("x", "a\0b")), MALFORMED),
    "8.2.1-cr-in-a-value": (get(1, ("x", "a\rb")), MALFORMED),
    "8.2.1-lf-in-a-value": (get(1, ("x", "a\nb")), MALFORMED),
    "8.2.1-lines-in-a-value": (get(1, ("x", "a\r\nhost: other.example")), MALFORMED),
    "8.2.1-space-before-a-value": (get(1, ("x", " a")), MALFORMED),
    "8.2.1-tab-behind-a-value": (get(1, ("x", "a\t")), MALFORMED),
    "8.2.1-value-beyond-ascii": (get(1, ("x", "\xe4")), Answer()),
    "8.2.1-empty-value": (get(1, ("x", "")), Answer()),
    "8.2.2-connection": (get(1, ("connection", "close")), MALFORMED),
    "8.2.2-keep-alive": (get(1, ("keep-alive", "5")), MALFORMED),
    "8.2.2-proxy-connection": (get(1, ("proxy-connection", "close")), MALFORMED),
    "8.2.2-transfer-encoding": (post(1, ("transfer-encoding", "chunked")) + data(), MALFORMED),
    "8.2.2-upgrade": (get(1, ("upgrade", "websocket")), MALFORMED),
    "8.2.2-te-of-another-kind": (get(1, ("te", "gzip")), MALFORMED),
    "8.2.2-te-trailers": (get(1, ("te", "trailers")), Answer()),
    "8.2.3-cookies-in-crumbs": (get(1, ("cookie", "a=1"), ("cookie", "b=2")), Answer()),
    # Section 8.3
    "8.3-unknown-pseudo-field": (get(1, (":other", "1")), MALFORMED),
    "8.3-pseudo-field-behind-others": (headers([("x", "1"), *pseudo()]), MALFORMED),
    "8.3-path-behind-others": (headers([*pseudo(without=[":path"]), ("x", "1"), (":path", "/")]), MALFORMED),
    "8.3-status-in-a-request": (headers([*pseudo(), (":status", "200")]), MALFORMED),
    "8.3.1-no-method": (get(without=[":method"]), MALFORMED),
    "8.3.1-no-scheme": (get(without=[":scheme"]), MALFORMED),
    "8.3.1-no-path": (get(without=[":path"]), MALFORMED),
    "8.3.1-no-authority": (get(without=[":authority"]), MALFORMED),
    "8.3.1-host-in-its-place": (get(1, ("host", "origin.example"), without=[":authority"]), Answer()),
    "8.3.1-the-same-host-beside": (get(1, ("host", "origin.example")), Answer()),
    "8.3.1-another-host-beside": (get(1, ("host", "other.example")), MALFORMED),
    "8.3.1-two-methods": (headers([(":method", "GET"), *pseudo()]), MALFORMED),
    "8.3.1-two-schemes": (headers([(":scheme", "http"), *pseudo()]), MALFORMED),
    "8.3.1-two-paths": (headers([(":path", "/"), *pseudo()]), MALFORMED),
    "8.3.1-two-authorities": (headers([(":authority", "origin.example"), *pseudo()]), MALFORMED),
    "8.3.1-two-hosts": (get(1, ("host", "origin.example"), ("host", "origin.example")), MALFORMED),
    "8.3.1-empty-path": (get(path=""), MALFORMED),
    "8.3.1-empty-method": (get(method=""), MALFORMED),
    "8.3.1-path-without-slash": (get(path="index"), MALFORMED),
    "8.3.1-whole-url-as-path": (get(path="http://other.example/"), MALFORMED),
    "8.3.1-space-in-the-path": (get(path="/a b"), MALFORMED),
    "8.3.1-line-in-the-path": (get(path="/ HTTP/1.1\r\nhost: other.example\r\nx: "), MALFORMED),
    "8.3.1-line-in-the-method": (get(method="GET / HTTP/1.1\r\nx:"), MALFORMED),
    "8.3.1-line-in-the-authority": (get(authority="origin.example\r\nx: 1"), MALFORMED),
    "8.3.1-user-in-the-authority": (get(authority="me@origin.example"), MALFORMED),
    "8.3.1-asterisk-with-get": (get(path="*"), MALFORMED),
    "8.3.1-another-scheme": (get(scheme="ftp"), MALFORMED),
    # Section 8.5
    "8.5-connect-with-path": (headers(pseudo("CONNECT", without=[":scheme"]), 1, END_HEADERS), MALFORMED),
    "8.5-connect-with-scheme": (headers(pseudo("CONNECT", without=[":path"]), 1, END_HEADERS), MALFORMED),
    "8.5-connect-without-authority": (headers([(":method", "CONNECT")], 1, END_HEADERS), MALFORMED),
    "8.5-connect-without-port": (
        headers([(":method", "CONNECT"), (":authority", "origin.example")], 1, END_HEADERS), MALFORMED),
    "8.5-connect-to-port-zero": (
        headers([(":method", "CONNECT"), (":authority", "origin.example:0")], 1, END_HEADERS), MALFORMED),
    "8.5-connect-that-has-ended": (headers([(":method", "CONNECT"), (":authority", "origin.example:1")]), MALFORMED),
    "8.5-connect-with-a-length": (
        headers([(":method", "CONNECT"), (":authority", "origin.example:1"), ("content-length", "5")], 1, END_HEADERS),
        MALFORMED),
    # Section 8.6: HTTP/2 has no Upgrade, and so no way back.
    "8.6-upgrade": (get(1, ("connection", "upgrade"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABk")), MALFORMED),
    # RFC 8441
    "rfc8441-4-protocol-without-connect": (headers([*pseudo(), (":protocol", "websocket")]), MALFORMED),
    "rfc8441-4-connect-without-path": (
        headers([*pseudo("CONNECT", without=[":path"]), (":protocol", "websocket")], 1, END_HEADERS), MALFORMED),
    "rfc8441-4-two-protocols": (
        headers([*pseudo("CONNECT"), (":protocol", "websocket"), (":protocol", "websocket")], 1, END_HEADERS), MALFORMED),
    "rfc8441-4-connect-without-scheme": (
        headers([*pseudo("CONNECT", without=[":scheme"]), (":protocol", "websocket")], 1, END_HEADERS), MALFORMED),
    "rfc8441-4-connect-without-authority": (
        headers([*pseudo("CONNECT", without=[":authority"]), (":protocol", "websocket")], 1, END_HEADERS), MALFORMED),
    "rfc8441-4-protocol-behind-others": (
        headers([*pseudo("CONNECT"), ("x", "1"), (":protocol", "websocket")], 1, END_HEADERS), MALFORMED),
    "rfc8441-4-an-empty-protocol": (headers([*pseudo("CONNECT"), (":protocol", "")], 1, END_HEADERS), MALFORMED),
    "rfc8441-4-a-protocol-that-nobody-knows": (
        headers([*pseudo("CONNECT"), (":protocol", "connect-udp")], 1, END_HEADERS), MALFORMED),
    "rfc8441-5-a-socket-that-has-ended": (headers([*pseudo("CONNECT"), (":protocol", "websocket")]), MALFORMED),
    "rfc8441-3-setting-of-the-client": (setting(8, 1) + get(), Answer()),
    "rfc8441-3-setting-that-is-no-truth": (setting(8, 2), Connection(PROTOCOL)),
    # RFC 9218
    "rfc9218-7.1-update": (frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", 1) + b"u=1") + get(), Answer()),
    "rfc9218-7.1-update-on-a-stream": (
        get() + frame(PRIORITY_UPDATE, 0, 1, struct.pack(">I", 1) + b"u=1"), Connection(PROTOCOL)),
    # Updates are not acted on, and so are frames of an extension that is not known (RFC 9113 section 5.5).
    "rfc9218-7.1-update-without-a-stream": (frame(PRIORITY_UPDATE, 0, 0, b"\0\0"), Either(Nothing(), Connection(SIZE))),
    "rfc9218-7.1-update-of-stream-zero": (
        frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", 0) + b"u=1"), Either(Nothing(), Connection(PROTOCOL))),
    "rfc9218-7.1-update-that-cannot-be-read": (
        frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", 1) + b"\xff=") + get(), Answer()),
    "rfc9218-2.1-setting-that-is-no-truth": (setting(9, 2), Either(Nothing(), Connection(PROTOCOL))),
    "rfc9218-5-field": (get(1, ("priority", "u=0, i")), Answer()),
    # RFC 7541
    "rfc7541-6.1-index-zero": (raw(b"\x80"), Connection(COMPRESSION)),
    "rfc7541-2.3.3-index-beyond-the-table": (raw(GOOD + b"\xbe"), Connection(COMPRESSION)),
    "rfc7541-2.3.3-name-beyond-the-table": (raw(GOOD + b"\x7e" + text("1")), Connection(COMPRESSION)),
    "rfc7541-2.3.2-what-was-kept": (
        raw(INDEXED + b"\x41" + text("origin.example")) + raw(INDEXED + b"\xbe", 3), Answer(stream=3)),
    "rfc7541-6.2.3-never-kept": (raw(GOOD + b"\x10" + text("x") + text("1")), Answer()),
    "rfc7541-4.2-table-beyond-the-setting": (raw(b"\x3f\xe2\x1f" + GOOD), Connection(COMPRESSION)),
    "rfc7541-4.2-table-of-the-setting": (raw(b"\x3f\xe1\x1f" + GOOD), Answer()),
    "rfc7541-4.2-no-table": (raw(b"\x20" + GOOD), Answer()),
    "rfc7541-4.2-two-sizes": (raw(b"\x20\x3f\xe1\x1f" + GOOD), Answer()),
    "rfc7541-4.2-size-behind-a-field": (raw(GOOD + b"\x20"), Connection(COMPRESSION)),
    "rfc7541-4.3-what-was-evicted": (
        raw(INDEXED + b"\x41" + text("origin.example")) + raw(b"\x20" + INDEXED + b"\xbe", 3), Connection(COMPRESSION)),
    "rfc7541-5.1-number-without-end": (raw(GOOD + b"\x7f" + b"\xff" * 12 + b"\x01"), Connection(COMPRESSION)),
    "rfc7541-5.1-number-cut": (raw(GOOD + b"\x7f\xff"), Connection(COMPRESSION)),
    "rfc7541-5.2-value-cut": (raw(GOOD + b"\0" + text("x") + b"\x05ab"), Connection(COMPRESSION)),
    "rfc7541-5.2-name-cut": (raw(GOOD + b"\0\x05ab"), Connection(COMPRESSION)),
    "rfc7541-5.2-field-without-value": (raw(GOOD + b"\0" + text("x")), Connection(COMPRESSION)),
    "rfc7541-5.2-huffman": (raw(INDEXED + b"\x01" + b"\x8b" + b"\x3d\x86\x98\xd5\x7f"), Connection(COMPRESSION)),
    "rfc7541-5.2-huffman-well-said": (raw(HUFFMAN), Answer()),
    "rfc7541-5.2-huffman-without-an-octet": (raw(GOOD + b"\0" + text("x") + b"\x81\xff"), Connection(COMPRESSION)),
    "rfc7541-4.1-larger-than-the-table": (
        raw(INDEXED + b"\x41" + text("origin.example") + b"\x40" + text("x") + text("a" * 5000)) + raw(INDEXED + b"\xbe", 3),
        Connection(COMPRESSION)),
    "rfc7541-4.2-size-in-trailers": (post() + data(end=False) + raw(b"\x20" + block(("x", "1"))), Answer(body=b"5 bytes")),
    "rfc7541-4.2-size-in-a-continuation": (
        raw(INDEXED, flags=END_STREAM) + frame(CONTINUATION, END_HEADERS, 1, b"\x20" + AUTHORITY), Connection(COMPRESSION)),
    "rfc7541-4.2-size-of-all-bits": (raw(b"\x3f" + b"\xff" * 9 + b"\x01" + GOOD), Connection(COMPRESSION)),
    "rfc7541-5.1-length-without-end": (raw(GOOD + b"\0" + text("x") + b"\x7f" + b"\xff" * 12), Connection(COMPRESSION)),
    "rfc7541-5.1-number-of-many-zeros": (raw(b"\x3f" + b"\x80" * 20 + b"\0" + GOOD), Connection(COMPRESSION)),
    "rfc7541-6.2.1-index-of-a-name-without-value": (raw(GOOD + b"\x44"), Connection(COMPRESSION)),
    "rfc7541-5.2-huffman-padded-with-zeros": (raw(GOOD + b"\0" + text("x") + b"\x81\x00"), Connection(COMPRESSION)),
    "rfc7541-5.2-huffman-padded-too-long": (raw(GOOD + b"\0" + text("x") + b"\x82\x1f\xff"), Connection(COMPRESSION)),
    "rfc7541-5.2-huffman-with-its-end": (raw(GOOD + b"\0" + text("x") + b"\x84\xff\xff\xff\xff"), Connection(COMPRESSION)),
    "rfc7541-8.1-empty-block": (raw(b""), MALFORMED),
}


def test_there_are_many():
    assert len(CASES) >= 140


@pytest.mark.parametrize("how", ["clear", "tls"])
@pytest.mark.parametrize("name", CASES)
def test_case(world, gateway, resolver, server, name, how):
    case = CASES[name]
    first = case[1:2] if len(case) == 3 else ()
    peer = connect(world, *first) if how == "clear" else secure(world, gateway, *first)
    if not first:
        peer.send(case[0] + frame(PING, 0, 0, PROBE))
    try:
        case[-1].check(peer)
    finally:
        peer.close()
    assert not server.errors, "what goes on is as it must be"


# Streams that have closed (RFC 9113 section 5.1): what is still on its way then is left alone or an error, and never a request.

def answered(peer):
    peer.send(get())
    return peer.until(lambda: 1 in peer.over and peer.status(1) == "200")


def taken_back(peer):
    peer.send(post() + reset() + frame(PING, 0, 0, b"12345678"))
    return peer.until(lambda: any(one[0] == PING for one in peer.frames))


def refused(peer):
    peer.send(post(1, ("X", "1")))
    return peer.until(lambda: peer.code(1) is not None)


def answered_early(peer):
    """Before the request has ended: the rest of it is not wanted."""
    peer.send(post(1, path="/early"))
    return peer.until(lambda: 1 in peer.over and peer.code(1) is not None)


LATE = {
    "data": (data(b"late", end=False), Either(Nothing(), GONE)),
    "the-end": (data(b"late"), Either(Nothing(), GONE)),
    "nothing-but-the-end": (data(b""), Either(Nothing(), GONE)),
    "padded-data": (data(b"\x01a\0", flags=PADDED), Either(Nothing(), GONE)),
    "trailers": (headers([("x", "1")]), Either(Nothing(), GONE)),
    "another-head": (get(), Either(Nothing(), GONE)),
    "priority": (priority(1), Nothing()),
    "reset": (reset(), Nothing()),
    "window": (window(10, 1), Nothing()),
    "window-of-nothing": (window(0, 1), Either(Nothing(), MALFORMED)),
    "window-that-overflows": (window((1 << 31) - 1, 1), Either(Nothing(), Stream(FLOW))),
    "continuation": (frame(CONTINUATION, END_HEADERS, 1, GOOD), Connection(PROTOCOL, CLOSED)),
    "push": (frame(PUSH, END_HEADERS, 1, struct.pack(">I", 2) + GOOD), Connection(PROTOCOL)),
    "unknown": (frame(0xee, 0xff, 1, b"x"), Nothing()),
}


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("close", [answered, taken_back, refused, answered_early])
def test_late_frames(world, gateway, resolver, server, close, late):
    frames, outcome = LATE[late]
    peer = connect(world)
    assert close(peer), peer.frames
    before = len(server.requests)
    peer.frames.clear()
    peer.send(frames + frame(PING, 0, 0, PROBE))
    outcome.check(peer)
    if not peer.ended and peer.goodbye is None:
        peer.send(get(3))
        assert peer.until(lambda: 3 in peer.over) and peer.status(3) == "200", peer.frames
        before += 1
    peer.close()
    assert len(server.requests) == before


def test_connections_after_all_that(world, gateway, resolver, server):
    peer = connect(world)
    peer.send(get() + frame(PING, 0, 0, PROBE))
    Answer(body=b"0 bytes").check(peer)
    seen = [request for request in server.requests if request.fields.get("host") or "other" in str(request.fields)]
    assert not seen


# Windows (RFC 9113 section 6.9)


def test_a_window_of_one_byte(world, gateway, resolver, server):
    peer = connect(world, PREFACE + setting(4, 1))
    peer.send(get())
    assert peer.until(lambda: len(peer.bodies.get(1, b"")) == 1)
    for count in range(2, 8):
        peer.send(window(1, 1))
        assert peer.until(lambda: len(peer.bodies[1]) == count)
    assert peer.bodies[1] == b"0 bytes" and peer.until(lambda: 1 in peer.over)


def test_a_window_that_settings_open(world, gateway, resolver, server):
    peer = connect(world, PREFACE + setting(4, 0))
    peer.send(get() + frame(PING, 0, 0, PROBE))
    assert peer.until(lambda: peer.status(1) == "200")
    peer.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        while True:
            peer.read()
    assert 1 not in peer.bodies
    peer.sock.settimeout(5)
    peer.send(setting(4, 3))
    assert peer.until(lambda: peer.bodies.get(1) == b"0 b")
    # Below nothing: what is given first fills the hole.
    peer.send(setting(4, 0) + window(3, 1) + frame(PING, 0, 0, b"12345678"))
    assert peer.until(lambda: any(one[0] == PING and one[3] == b"12345678" for one in peer.frames))
    assert peer.bodies[1] == b"0 b"
    peer.send(window(4, 1))
    assert peer.until(lambda: 1 in peer.over) and peer.bodies[1] == b"0 bytes"


def test_answers_to_settings_and_pings(world, gateway, resolver, server):
    peer = connect(world)
    peer.send(frame(PING, 0, 0, b"\0\1\2\3\4\5\6\7") + setting(4, 100_000) + frame(PING, 0, 0, PROBE))
    assert peer.until(lambda: peer.is_alive)
    kinds = [(one[0], one[1], one[3]) for one in peer.frames if one[0] in (PING, SETTINGS) and one[1] & ACK]
    assert (PING, ACK, b"\0\1\2\3\4\5\6\7") in kinds and kinds.count((SETTINGS, ACK, b"")) == 2
    assert peer.frames[0][0] == SETTINGS and not peer.frames[0][1] & ACK, "SETTINGS are the server's preface"


def test_a_preface_byte_by_byte(world, gateway, resolver, server):
    peer = connect(world, b"")
    for byte in PREFACE + setting(4, 70_000) + get() + frame(PING, 0, 0, PROBE):
        peer.send(bytes([byte]))
    Answer(body=b"0 bytes").check(peer)


def test_what_the_server_says_of_itself(world, gateway, resolver, server):
    """SETTINGS that tell its bounds, in order to be kept to (RFC 9113 section 6.5.2, RFC 8441, RFC 9218)."""
    peer = connect(world)
    assert peer.until(lambda: peer.frames)
    told = dict(struct.iter_unpack(">HI", peer.frames[0][3]))
    assert told[3] == 128 and told[5] == 16_384 and told[6] == 65_536 and told[8] == 1 and told[9] == 1


# Clients of others


def test_nghttp(world, gateway, resolver, server, tmp_path):
    """Heads in pieces, padding, trailers, what is expected, priorities of both kinds, small windows and tables."""
    content = tmp_path / "content"
    content.write_bytes(b"a" * 100_000)
    url = f"http://origin.example:{PORT}/"
    for words in (
        ["--continuation"], ["--padding=200"], ["--no-dep"], ["--no-rfc7540-pri"], ["-p", "9"], ["-w", "10", "-W", "10"],
        ["-c", "0", "-c", "100"], ["-m", "20"], ["-d", str(content)], ["-d", str(content), "--no-content-length", "--padding=255"],
        ["-d", str(content), "--trailer=x-end: 1", "--continuation"], ["-d", str(content), "--expect-continue"],
    ):
        done = world.run("pods", ["nghttp", "-v", *words, url], check=False, timeout=20)
        body = f"{100_000 if '-d' in words else 0} bytes"
        assert ":status: 200" in done.stdout and body in done.stdout, (words, done.stdout[-3000:])
        assert "recv RST_STREAM" not in done.stdout and "recv GOAWAY" not in done.stdout, (words, done.stdout[-3000:])


def test_h2load(world, gateway, resolver, server):
    url = f"http://origin.example:{PORT}/"
    done = world.run("pods", ["h2load", "-n", "200", "-c", "4", "-m", "100", url], timeout=30)
    assert "200 succeeded, 0 failed, 0 errored" in done.stdout, done.stdout


def test_varnishtest(world, gateway, resolver, server):
    if not shutil.which("varnishtest"):
        pytest.skip("needs varnishtest")
    script = os.path.join(os.path.dirname(__file__), "http2.vtc")
    done = world.run("pods", ["varnishtest", "-v", "-t", "20", f"-Dgateway={ORIGIN}:{PORT}", script], check=False)
    assert done.returncode == 0, done.stdout[-6000:]
