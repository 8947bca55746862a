"""Attacks by HTTP/2: each is refused, written down as the threat that it is, and reaches no origin; others are served on."""

import socket

import pytest

from gateway import endpoint
from http2frames import (
    ACK, CALM, CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, PREFACE, PRIORITY_UPDATE, PROBE, PROTOCOL,
    SETTINGS, Peer, block, data, frame, get, goaway, headers, post, priority, pseudo, raw, reset, setting, text, window)
from http2server import Server
from net import ORIGIN, POD, POD_DH157, until
from peers import Origin, answer
from test_tls import ca, connect, identities, outside  # noqa: F401
from tlspeers import client, over_tls

PORT = 8080

SERVICES = """
services:
  - {name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: discover, rules: []}
"""


@pytest.fixture(scope="module")
def gateway(shared, outside):  # noqa: F811
    return shared(SERVICES + f'tls: {{trust: "{outside.certificate}"}}\n')


@pytest.fixture(scope="module")
def server(world):
    """An origin of HTTP/2 in the clear, and what it was asked."""
    server = Server(lambda request: request.respond(b"a" * (1 << 20) if request.path == "/big" else b"ok\n"))
    with Origin(world, PORT, handler=server, timeout=60):
        yield server


@pytest.fixture(scope="module")
def origin(world, outside, identities):  # noqa: F811
    """An origin of HTTP/1.1 behind TLS: what would have been smuggled is text there."""
    def handler(conversation):
        while request := conversation.read_request():
            conversation.send(answer(b"", b"426 Upgrade Required") if b" /refused " in request[0] else answer())

    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]), handler), timeout=60) as origin:
        yield origin


def clear(world, source=POD):
    return Peer(world.connect(ORIGIN, PORT, source=source, timeout=5))


def secured(world, gateway, **options):
    tls = connect(world, gateway, "origin.example", context=client(ca(gateway), alpn=["h2"]), timeout=5, **options)
    return Peer(tls)


def streams(first, count, make):
    return b"".join(make(first + 2 * number) for number in range(count))


# Floods and bombs. Each goes well beyond its bound (`HTTP2Limits`), and ends the connection.

CONTROL, RESETS, ENDLESS, BOMB = (
    "http2_control_flood", "http2_rapid_reset", "http2_continuation_flood", "http2_header_bomb")

# An entry of 4 KB in the table, and how often it is taken from there.
KEPT = b"\x40" + text("x-bomb") + text("a" * 4000)
OPEN = frame(HEADERS, END_STREAM, 1, block(*pseudo()))

FLOODS = {
    # CVE-2019-9512, 9515, 9518, 9513 and their kin: frames without content.
    "pings": (frame(PING, 0, 0, PROBE) * 3000, CONTROL),
    "answers to pings that nobody sent": (frame(PING, ACK, 0, PROBE) * 3000, CONTROL),
    "settings": (frame(SETTINGS) * 3000, CONTROL),
    "many entries in one": (frame(SETTINGS, 0, 0, b"\xaa\xaa\0\0\0\1" * 100), CONTROL),
    "settings that change the window": (setting(4, 1) * 1500 + setting(4, 70_000) * 1500, CONTROL),
    "windows of the connection": (window(1) * 3000, CONTROL),
    "windows of a stream": (post() + window(1, 1) * 3000, CONTROL),
    "empty content": (post() + data(b"", end=False) * 3000, CONTROL),
    "content that is padding": (post() + data(b"\x03\0\0\0", end=False, flags=PADDED) * 3000, CONTROL),
    "priorities": (priority(3, on=1) * 3000, CONTROL),
    "updates of priorities": (frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=1") * 3000, CONTROL),
    "unknown frames": (frame(0xee) * 3000, CONTROL),
    # With a stream open, or the first would be the end.
    "goodbyes": (post() + goaway() * 3000, CONTROL),
    "resets of a stream that has gone": (post() + reset() * 3000, RESETS),
    # CVE-2023-44487.
    "rapid reset": (streams(1, 400, lambda stream: post(stream) + reset(stream)), RESETS),
    "rapid reset of whole requests": (streams(1, 400, lambda stream: get(stream) + reset(stream)), RESETS),
    # CVE-2025-8671: it is we who reset. Other provocations (an increment of nothing, content behind the end) are taken for
    # errors of the connection and so work once.
    "made to reset by windows that overflow": (
        streams(1, 400, lambda stream: post(stream) + window((1 << 31) - 1, stream)), RESETS),
    "made to reset by a second head": (
        streams(1, 400, lambda stream: post(stream) + headers([("x", "1")], stream, END_HEADERS)), RESETS),
    "made to reset by a length that is none": (
        streams(1, 400, lambda stream: post(stream, ("content-length", "1")) + data(b"ab", stream)), RESETS),
    "made to reset by bad heads": (streams(1, 400, lambda stream: get(stream, ("X", "1"))), RESETS),
    # VU#421644.
    "a head without end": (OPEN + frame(CONTINUATION, 0, 1, block(("x", "1"))) * 2000, ENDLESS),
    "a head without end and content": (OPEN + frame(CONTINUATION, 0, 1) * 2000, ENDLESS),
    "trailers without end": (
        post() + frame(HEADERS, END_STREAM, 1, block(("x", "1"))) + frame(CONTINUATION, 0, 1, block(("x", "1"))) * 2000, ENDLESS),
    # CVE-2016-1544.
    "one entry many times": (raw(block(*pseudo()) + KEPT + b"\xbe" * 10_000), BOMB),
    "one entry many times in trailers": (post() + raw(KEPT + b"\xbe" * 10_000), BOMB),
    "small fields": (raw(block(*pseudo()) + block(("x", "")) * 2000), BOMB),
    "crumbs of cookies": (raw(block(*pseudo()) + block(("cookie", "a")) * 1000), BOMB),
    "a head of many frames": (
        OPEN + b"".join(frame(CONTINUATION, 0, 1, block(("x", "a" * 16_000))) for _ in range(5)), BOMB),
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods_end_the_connection(world, gateway, resolver, server, name):
    flood, threat = FLOODS[name]
    peer, other = clear(world), clear(world)
    before = len(server.requests)
    peer.send(flood)
    assert peer.until(lambda: peer.ended), "the connection ends"
    assert peer.goodbye == CALM
    # Streams that were malformed have events of their own.
    event = gateway.events(client=endpoint(peer.sock), threat=threat)[0]
    assert (event["action"], event["application"]) == ("deny", "HTTP2")
    reached = server.requests[before:]
    # Whole requests that come before the bound is reached are requests like any other.
    assert not [request for request in reached if request.ended and threat != RESETS] and len(reached) <= 200
    for one in (other, clear(world)):
        one.send(get())
        assert one.until(lambda: 1 in one.over) and one.status(1) == "200"
        one.close()
    peer.close()


def test_a_flood_is_refused_where_nothing_else_is(world, gateway, resolver, server):
    """Floods are no question of policy: the mode does not matter."""
    peer = clear(world, POD_DH157)
    peer.send(FLOODS["pings"][0])
    assert peer.until(lambda: peer.ended) and peer.goodbye == CALM
    event = gateway.event_of(peer.sock)
    assert (event["threat"], event["action"], event["mode"]) == (CONTROL, "deny", "discover")


def test_what_busy_clients_do_is_no_flood(world, gateway, resolver, server):
    """Hundreds of requests, each with a priority, a window and a PING, one in three of them taken back."""
    peer = clear(world)
    for number in range(200):
        stream = 1 + 2 * number
        peer.send(post(stream) + priority(stream) + window(1000, stream) + frame(PING, 0, 0, b"12345678"))
        if number % 3 == 0:
            peer.send(reset(stream))
        else:
            peer.send(data(b"hello", stream))
            assert peer.until(lambda: stream in peer.over) and peer.status(stream) == "200", stream
    assert peer.goodbye is None


# Two readings of one request (RFC 9113 section 10.3). The origin speaks HTTP/1.1, so that all would be text there.

LINES = "a\r\n\r\nGET /hidden HTTP/1.1\r\nhost: origin.example\r\nx: "


def smuggled(*more, method="GET", path="/smuggled", scheme="https", **options):
    return headers([*pseudo(method, path, scheme, **options), *more])


def posted(*more, body=b"", **options):
    fields = [*pseudo("POST", options.pop("path", "/smuggled"), options.pop("scheme", "https"), **options), *more]
    return headers(fields, 1, END_HEADERS) + (data(body) if body is not None else b"")


HIDDEN = b"GET /hidden HTTP/1.1\r\nhost: origin.example\r\n\r\n"
SMUGGLING, MALFORMED = "request_smuggling", "malformed_http"
# What the library finds before us is told as malformed.
AMBIGUOUS, BAD, EITHER = (SMUGGLING,), (MALFORMED,), (SMUGGLING, MALFORMED)

SMUGGLED = {
    "lines in a value": (smuggled(("x", LINES)), AMBIGUOUS),
    "CR in a value": (smuggled(("x", "a\rtransfer-encoding: chunked")), AMBIGUOUS),
    "LF in a value": (smuggled(("x", "a\ntransfer-encoding: chunked")), AMBIGUOUS),
    "NUL in a value": (smuggled(("x", "a\0b")), AMBIGUOUS),
    "another control in a value": (smuggled(("x", "a\x0bb")), BAD),
    "lines in a cookie": (smuggled(("cookie", LINES)), AMBIGUOUS),
    "lines in a name": (smuggled(("x: a\r\ntransfer-encoding", "chunked")), BAD),
    "a colon in a name": (smuggled(("transfer-encoding: chunked\r\nx", "a")), BAD),
    "a colon at the end of a name": (smuggled(("content-length:", "5")), BAD),
    "a space at the end of a name": (smuggled(("transfer-encoding ", "chunked")), BAD),
    "a name that is none": (smuggled(("", "a")), BAD),
    "a name in upper case": (smuggled(("Transfer-Encoding", "chunked")), BAD),
    "an underscore of another kind": (smuggled(("x\xad", "a")), BAD),
    "space before a value": (smuggled(("x", " a")), BAD),
    "space behind a value": (smuggled(("x", "a\t")), BAD),
    "transfer-encoding": (posted(("transfer-encoding", "chunked"), body=b"0\r\n\r\n" + HIDDEN), EITHER),
    "transfer-encoding with a length": (
        posted(("content-length", "5"), ("transfer-encoding", "chunked"), body=b"0\r\n\r\n"), EITHER),
    "a length and no content": (smuggled(("content-length", "50"), method="POST"), BAD),
    "more content than the length": (posted(("content-length", "0"), body=HIDDEN), AMBIGUOUS),
    "less content than the length": (posted(("content-length", "500"), body=HIDDEN), AMBIGUOUS),
    "two lengths": (posted(("content-length", "5"), ("content-length", "6"), body=b"hello"), EITHER),
    "a list of lengths": (posted(("content-length", "5, 5"), body=b"hello"), EITHER),
    "a signed length": (posted(("content-length", "+5"), body=b"hello"), EITHER),
    "a hexadecimal length": (posted(("content-length", "0x5"), body=b"hello"), EITHER),
    "an empty length": (posted(("content-length", ""), body=b"hello"), EITHER),
    "a length beyond all": (posted(("content-length", "18446744073709551621"), body=b"hello"), EITHER),
    "lines in a length": (posted(("content-length", "5\r\nx: y"), body=b"hello"), AMBIGUOUS),
    "connection": (smuggled(("connection", "transfer-encoding")), BAD),
    "upgrade": (smuggled(("upgrade", "websocket"), ("connection", "upgrade")), BAD),
    "upgrade to HTTP/2 again": (smuggled(("upgrade", "h2c")), BAD),
    "keep-alive": (smuggled(("keep-alive", "timeout=5")), BAD),
    "proxy-connection": (smuggled(("proxy-connection", "keep-alive")), BAD),
    "te": (smuggled(("te", "chunked")), BAD),
    "two hosts": (smuggled(("host", "origin.example"), ("host", "other.example")), EITHER),
    "another host": (smuggled(("host", "attacker.example")), AMBIGUOUS),
    "two authorities": (headers([(":authority", "attacker.example"), *pseudo(path="/smuggled", scheme="https")]), BAD),
    "no host at all": (smuggled(without=[":authority"]), BAD),
    "lines in the authority": (smuggled(authority="origin.example\r\nx: y"), BAD),
    "a space in the authority": (smuggled(authority="origin.example x"), BAD),
    "a path in the authority": (smuggled(authority="origin.example/hidden"), BAD),
    "a user in the authority": (smuggled(authority="attacker.example@origin.example"), BAD),
    "a list in the authority": (smuggled(authority="origin.example, attacker.example"), BAD),
    "lines in the path": (smuggled(path="/smuggled HTTP/1.1\r\nhost: origin.example\r\n\r\nGET /hidden"), BAD),
    "a space in the path": (smuggled(path="/smuggled HTTP/1.1"), BAD),
    "a tab in the path": (smuggled(path="/smuggled\t"), BAD),
    "a NUL in the path": (smuggled(path="/smuggled\0"), BAD),
    "a fragment in the path": (smuggled(path="/smuggled#hidden"), BAD),
    "bytes beyond ASCII in the path": (smuggled(path="/smuggled\xff"), BAD),
    "a whole URL as path": (smuggled(path="https://attacker.example/smuggled"), BAD),
    "a path without a slash": (smuggled(path="smuggled"), BAD),
    "an authority as path": (smuggled(path="@attacker.example/smuggled"), BAD),
    "an empty path": (smuggled(path=""), BAD),
    "an asterisk": (smuggled(path="*"), BAD),
    "two paths": (headers([(":path", "/hidden"), *pseudo(path="/smuggled", scheme="https")]), BAD),
    "a scheme with a URL in it": (smuggled(scheme="https://attacker.example/?"), BAD),
    "lines in the scheme": (smuggled(scheme="https\r\nx: y"), BAD),
    "another scheme": (smuggled(scheme="file"), BAD),
    "an empty scheme": (smuggled(scheme=""), BAD),
    "lines in the method": (smuggled(method="GET /hidden HTTP/1.1\r\nx:"), BAD),
    "a space in the method": (smuggled(method="GET /hidden"), BAD),
    "an empty method": (smuggled(method=""), BAD),
    "a pseudo-field behind others": (
        headers([*pseudo(path="/smuggled", scheme="https"), ("x", "y"), (":path", "/hidden")]), BAD),
    "an unknown pseudo-field": (headers([*pseudo(path="/smuggled", scheme="https"), (":x", "y")]), BAD),
    "a status": (headers([*pseudo(path="/smuggled", scheme="https"), (":status", "200")]), BAD),
    "lines in trailers": (
        posted(body=None) + data(b"a", end=False) + headers([("x", LINES)]), AMBIGUOUS),
    "transfer-encoding in trailers": (
        posted(body=None) + data(b"a", end=False) + headers([("transfer-encoding", "chunked")]), EITHER),
    "a path in trailers": (posted(body=None) + data(b"a", end=False) + headers([(":path", "/hidden")]), BAD),
    "trailers that do not end": (
        posted(body=None) + data(b"a", end=False) + headers([("x", "y")], 1, END_HEADERS), BAD),
    "WebSocket where there is no CONNECT": (smuggled((":protocol", "websocket")), BAD),
    "another protocol than WebSocket": (
        headers([*pseudo("CONNECT", "/smuggled", "https"), (":protocol", "h2c")], 1, END_HEADERS), BAD),
    "lines in the protocol": (
        headers([*pseudo("CONNECT", "/smuggled", "https"), (":protocol", "websocket\r\nx: y")], 1, END_HEADERS), BAD),
    "WebSocket with a length": (
        headers([*pseudo("CONNECT", "/smuggled", "https"), (":protocol", "websocket"), ("content-length", "5")], 1,
                END_HEADERS), BAD),
    "lines in the host of CONNECT": (
        headers([(":method", "CONNECT"), (":authority", "origin.example:443\r\nx: y")], 1, END_HEADERS), BAD),
    "CONNECT with a path": (headers(pseudo("CONNECT", "/smuggled", "https"), 1, END_HEADERS), BAD),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_there_are_no_two_readings(world, gateway, resolver, origin, name):
    attack, threats = SMUGGLED[name]
    before = origin.requests
    peer = secured(world, gateway)
    peer.send(attack)
    assert peer.until(lambda: 1 in peer.over), peer.frames
    assert peer.code(1) == PROTOCOL, peer.frames
    event = gateway.event_of(peer.sock)
    assert event["threat"] in threats and (event["action"], event["application"]) == ("deny", "HTTP2")
    # It was one stream's alone, and the next request is what it says.
    peer.send(headers(pseudo(path="/after", scheme="https"), 3))
    assert peer.until(lambda: 3 in peer.over) and peer.status(3) == "200", peer.frames
    peer.close()
    assert origin.requests == before + 1 and origin.conversations[-1].received.endswith(b"\r\n\r\n")
    assert b"smuggled" not in origin.received and b"hidden" not in origin.received


def test_content_that_breaks_off_is_not_taken_for_whole(world, gateway, resolver, origin):
    """The head has gone on by the time the content turns out to be less than was said."""
    before = origin.requests
    peer = secured(world, gateway)
    peer.send(posted(("content-length", "500"), path="/cut", body=None) + data(b"some", end=False))
    until(lambda: b"some" in origin.received, what="content at the origin")
    conversation = next(one for one in origin.conversations if b"/cut" in one.received)
    peer.send(data(HIDDEN))
    assert peer.until(lambda: 1 in peer.over) and peer.code(1) == PROTOCOL
    event = gateway.event_of(peer.sock)
    assert (event["threat"], event["action"], event["path"]) == (SMUGGLING, "deny", "/cut")
    until(lambda: conversation.ended or conversation.reset, what="the origin to be left")
    peer.send(headers(pseudo(path="/after", scheme="https"), 3))
    assert peer.until(lambda: 3 in peer.over) and peer.status(3) == "200"
    assert origin.requests == before + 1, "the request that broke off is none"


def test_two_readings_are_refused_where_nothing_else_is(world, gateway, resolver, origin):
    peer = secured(world, gateway, source=POD_DH157)
    peer.send(SMUGGLED["lines in a value"][0])
    assert peer.until(lambda: 1 in peer.over) and peer.code(1) == PROTOCOL
    event = gateway.event_of(peer.sock)
    assert (event["threat"], event["action"], event["mode"]) == (SMUGGLING, "deny", "discover")
    assert b"hidden" not in origin.received


@pytest.mark.parametrize("path", ["/refused", "/answered"])
def test_a_websocket_that_is_refused_opens_no_tunnel(world, gateway, resolver, origin, path):
    """What a client says ahead of the answer, or behind a refusal, is no request to the origin."""
    fields = [*pseudo("CONNECT", path, "https"), (":protocol", "websocket"), ("sec-websocket-version", "13")]
    peer = secured(world, gateway)
    peer.send(headers(fields, 1, END_HEADERS) + data(HIDDEN, end=False))
    assert peer.until(lambda: peer.status(1) or peer.code(1) is not None), peer.frames
    assert peer.status(1) != "200"
    peer.send(data(HIDDEN) + headers(pseudo(path="/after", scheme="https"), 3))
    assert peer.until(lambda: 3 in peer.over) and peer.status(3) == "200", peer.frames
    assert b"hidden" not in origin.received


def test_the_key_of_a_websocket_is_not_the_clients(world, gateway, resolver, origin):
    fields = [*pseudo("CONNECT", "/keyed", "https"), (":protocol", "websocket"), ("sec-websocket-key", "bm90IG91cnM=")]
    peer = secured(world, gateway)
    peer.send(headers(fields, 1, END_HEADERS))
    assert peer.until(lambda: 1 in peer.over), peer.frames
    assert b"/keyed" in origin.received and b"bm90IG91cnM=" not in origin.received


# Answers that nobody reads (CVE-2019-9511, CVE-2019-9512, CVE-2019-9517).


def test_answers_to_pings_that_are_not_read(world, gateway, resolver, server):
    before = gateway.resident()
    peer = clear(world)
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    peer.send(frame(PING, 0, 0, PROBE) * 200_000)
    assert gateway.resident() - before < 8 * 1024
    peer.close()


# 100 answers of 1 MiB: what of them is held is bounded by windows and buffers.
HELD_KIB = 48 * 1024


def test_many_streams_without_a_window(world, gateway, resolver, server):
    before = gateway.resident()
    peer = Peer(world.connect(ORIGIN, PORT, timeout=5), PREFACE + setting(4, 0))
    peer.send(streams(1, 100, lambda stream: get(stream, path="/big")))
    assert peer.until(lambda: len(peer.heads) == 100)
    # A byte for each, again and again, is not to cost a frame's overhead of memory.
    peer.send(b"".join(window(1, 1 + 2 * number) for number in range(100)) * 5)
    other = clear(world)
    other.send(get())
    assert other.until(lambda: 1 in other.over) and other.status(1) == "200"
    assert gateway.resident() - before < HELD_KIB
    assert all(len(body) <= 5 for body in peer.bodies.values())
    peer.close()


def test_many_streams_on_a_socket_that_is_not_read(world, gateway, resolver, server):
    before, asked = gateway.resident(), len(server.requests)
    peer = Peer(world.connect(ORIGIN, PORT, timeout=5), PREFACE + setting(4, (1 << 31) - 1))
    peer.send(window((1 << 31) - 1 - 65_535) + streams(1, 100, lambda stream: get(stream, path="/big")))
    until(lambda: len(server.requests) == asked + 100, what="all requests at the origin")
    other = clear(world)
    for stream in range(1, 41, 2):
        other.send(get(stream))
        assert other.until(lambda: stream in other.over) and other.status(stream) == "200"
    assert gateway.resident() - before < HELD_KIB
    # Whoever reads after all has it all.
    assert peer.until(lambda: len(peer.over) == 100)
    assert {len(body) for body in peer.bodies.values()} == {1 << 20}
