"""HTTP/2 towards origins: many exchanges on one connection, whatever the client speaks."""

import base64
import concurrent.futures
import hashlib
import os
import socket
import time

import h2.errors
import h2.settings
import pytest

from gateway import SSN_SENSOR, body_of
from http2peer import Client
from http2server import Server
from net import CANARY, ORIGIN, POD_DH157, until
from peers import Origin, answer
from test_http2 import open_h2
from test_tls import NUMBER, ca, connect, https, identities, outside  # noqa: F401
from tlspeers import client, over_tls

SERVICES = SSN_SENSOR + """
services:
  - {name: myapp.default, mode: protect, sensors: {nir: deny}, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: monitor, sensors: {nir: alert}, rules: [{to: any, action: allow}]}
"""
URL = "https://origin.example"


@pytest.fixture(scope="module")
def config(outside):  # noqa: F811
    return SERVICES + f'tls: {{trust: "{outside.certificate}"}}\n'


@pytest.fixture
def gateway(weir, config):
    """What is known of an origin outlives a connection, so each test has a gateway of its own."""
    return weir(config)


def h2_origin(world, outside, identities, server, name="origin.example", address=ORIGIN, alpn=("h2", "http/1.1")):  # noqa: F811
    return Origin(world, 443, address, handler=over_tls(outside.server(identities[name], alpn=list(alpn)), server))


def h1_client(world, gateway, alpn=("http/1.1", "h2")):
    """One that prefers HTTP/1.1 and could do HTTP/2."""
    tls = connect(world, gateway, "origin.example", context=client(ca(gateway), alpn=list(alpn)))
    assert tls.selected_alpn_protocol() == "http/1.1"
    return tls


def test_the_story_from_end_to_end(world, gateway, resolver, outside, identities):  # noqa: F811
    posted = f"name=Jeanne+Moreau&nir={NUMBER.decode()}&end=1"
    server = Server()
    with h2_origin(world, outside, identities, server, "canarytokens.com", CANARY) as origin:
        words = ["https://canarytokens.com/stuff/collect", "--http2", "-d", posted]
        assert body_of(https(world, gateway, *words, source=POD_DH157)) == (200, "ok\n")
        assert server.requests[0].body == posted.encode()
        status, body = body_of(https(world, gateway, *words))
        assert status == 403 and '"reason":"finding"' in body
        assert len(server.requests) == 1 and len(origin.conversations) == 1
    session = gateway.sessions(service="myapp.default", fqdn="canarytokens.com", status=403)[0]
    assert session["application"] == "HTTP2" and session["bytes_out"] == 0


def test_streams_share_a_connection(world, gateway, resolver, outside, identities):  # noqa: F811
    server = Server(lambda request: request.respond(request.path.encode()))
    with h2_origin(world, outside, identities, server) as origin:
        peers = [open_h2(world, gateway) for _ in range(3)]
        for peer in peers:
            streams = {f"/{number}": peer.request(f"/{number}") for number in range(30)}
            for path, stream in streams.items():
                assert peer.answer(stream).body == path.encode()
        # One of each worker's own.
        assert len(origin.conversations) <= 2 and len(server.requests) == 90
    sessions = gateway.sessions(90, fqdn="origin.example", status=200)
    assert all(session["tls"]["upstream_version"] == "1.3" for session in sessions)


def test_what_the_server_allows_is_kept_to(world, gateway, resolver, outside, identities):  # noqa: F811
    """Not more streams than it takes; what is over them goes by another connection."""
    waiting = []
    server = Server(waiting.append, settings={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 3})
    with h2_origin(world, outside, identities, server) as origin:
        peer = open_h2(world, gateway)
        # The first tells what the server takes.
        first = peer.request("/first")
        until(lambda: len(waiting) == 1, what="the first request")
        streams = [peer.request(f"/{number}") for number in range(10)]
        until(lambda: len(waiting) == 11, what="all requests")
        assert len(origin.conversations) == 4
        for request in waiting:
            request.respond()
            request.connection.flush()
        for stream in [first, *streams]:
            assert peer.answer(stream).status == 200
        assert not server.errors


def test_a_server_that_takes_no_stream(world, gateway, resolver, outside, identities):  # noqa: F811
    server = Server(settings={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 0})
    with h2_origin(world, outside, identities, server) as origin:
        status, _ = body_of(https(world, gateway, f"{URL}/", "--http2"))
        assert status == 502
        assert len(origin.conversations) <= 3


def test_a_client_of_http1(world, gateway, resolver, outside, identities):  # noqa: F811
    """h1 to h2: heads, bodies in both framings, HEAD, 204, interim answers, trailers."""
    def answers(request):
        method = request.fields[":method"]
        if request.path == "/empty":
            request.respond(b"", 204)
        elif request.path == "/early":
            request.connection.h2.send_headers(request.stream, [(":status", "103"), ("link", "</a>")])
            request.respond(b"late")
        elif request.path == "/trailers":
            request.respond(b"with", end=False, fields=[("trailer", "x-end")])
            request.finish([("x-end", "yes")])
        elif method == "HEAD":
            request.respond(b"", fields=[("content-length", "77")])
        else:
            request.respond(b"%s %d" % (method.encode(), len(request.body)), fields=[("x-te", request.fields.get("te", ""))])

    server = Server(answers)
    with h2_origin(world, outside, identities, server, alpn=["h2"]) as origin:
        tls = h1_client(world, gateway)

        def ask(request, end):
            tls.sendall(request)
            got = b""
            while not got.endswith(end):
                piece = tls.recv(65536)
                assert piece, got
                got += piece
            return got

        host = b"Host: origin.example\r\n"
        assert b" 200 " in ask(b"GET / HTTP/1.1\r\n" + host + b"Connection: TE\r\nTE: trailers\r\n\r\n", b"GET 0\r\n0\r\n\r\n")
        assert server.requests[-1].fields.get("te") == "trailers"
        ask(b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 5\r\n\r\nhello", b"POST 5\r\n0\r\n\r\n")
        ask(b"POST / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-End: 1\r\n\r\n",
            b"POST 5\r\n0\r\n\r\n")
        assert server.requests[-1].trailers == {"x-end": "1"}
        head = ask(b"HEAD / HTTP/1.1\r\n" + host + b"\r\n", b"\r\n\r\n")
        assert b"content-length: 77\r\n" in head.lower()
        assert b" 204 " in ask(b"GET /empty HTTP/1.1\r\n" + host + b"\r\n", b"\r\n\r\n")
        early = ask(b"GET /early HTTP/1.1\r\n" + host + b"\r\n", b"late\r\n0\r\n\r\n")
        assert early.startswith(b"HTTP/1.1 103 ") and b"HTTP/1.1 200 " in early
        trailed = ask(b"GET /trailers HTTP/1.1\r\n" + host + b"TE: trailers\r\n\r\n", b"x-end: yes\r\n\r\n")
        assert b"4\r\nwith\r\n0\r\n" in trailed
        assert len(origin.conversations) == 1 and not server.errors


def test_an_origin_of_http1_after_all(world, gateway, resolver, outside, identities):  # noqa: F811
    """The connection that was made to find out is used, and what was found out is kept."""
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"], alpn=["http/1.1"]))) as origin:
        peer = open_h2(world, gateway)
        for _ in range(3):
            assert peer.answer(peer.request("/")).body == b"ok\n"
        assert len(origin.conversations) == 1
        streams = [peer.request("/") for _ in range(20)]
        assert all(peer.answer(stream).status == 200 for stream in streams)


def test_prior_knowledge_goes_on(world, gateway, resolver):
    server = Server()
    with Origin(world, 8080, handler=server) as origin:
        peer = Client(world.connect(ORIGIN, 8080))
        streams = [peer.request("/", scheme="http") for _ in range(20)]
        assert all(peer.answer(stream).status == 200 for stream in streams)
        assert len(origin.conversations) == 1 and len(server.requests) == 20
        assert server.requests[0].fields[":scheme"] == "http"


def test_prior_knowledge_that_is_wrong(world, gateway, resolver):
    """Most servers answer the preface of HTTP/2 with an error of HTTP/1.1."""
    def handler(conversation):
        while request := conversation.read_request():
            if request[0].startswith(b"PRI"):
                return conversation.send(answer(b"", b"505 HTTP Version Not Supported"))
            conversation.send(answer())

    with Origin(world, 8080, handler=handler) as origin:
        peer = Client(world.connect(ORIGIN, 8080))
        streams = [peer.request("/", scheme="http") for _ in range(20)]
        assert all(peer.answer(stream).status == 200 for stream in streams)
        prefaces = [one for one in origin.conversations if one.received.startswith(b"PRI")]
        assert len(prefaces) == 1


# Ends


def test_a_stream_that_was_not_looked_at_is_asked_again(world, gateway, resolver, outside, identities):  # noqa: F811
    def head(request):
        if len(server.requests) == 1:
            request.connection.h2.reset_stream(request.stream, h2.errors.ErrorCodes.REFUSED_STREAM)

    def answers(request):
        if request.reset is None and len(server.requests) > 1:
            request.respond()

    server = Server(answers, head=head)
    with h2_origin(world, outside, identities, server):
        # Not even one that may change something would be done twice.
        words = [f"{URL}/", "--http2", "-X", "DELETE"]
        assert body_of(https(world, gateway, *words)) == (200, "ok\n")
        assert [request.fields[":method"] for request in server.requests] == ["DELETE", "DELETE"]


def test_a_server_that_says_goodbye(world, gateway, resolver, outside, identities):  # noqa: F811
    """What it took it answers; what comes after goes by a new connection."""
    # python-h2 sends nothing after its own GOAWAY, so it is written by hand.
    def polite(request):
        if request.path == "/last":
            request.connection.flush()
            frame = b"\0\0\x08\x07\0\0\0\0\0" + request.stream.to_bytes(4, "big") + b"\0\0\0\0"
            request.connection.conversation.send(frame)
        request.respond()

    server = Server(polite)
    with h2_origin(world, outside, identities, server) as origin:
        peer = open_h2(world, gateway)
        assert peer.answer(peer.request("/last")).status == 200
        assert peer.answer(peer.request("/next")).status == 200
        assert len(origin.conversations) == 2


def test_a_connection_that_breaks(world, gateway, resolver, outside, identities):  # noqa: F811
    """Streams under way are cut or answered for, each by itself; the next are served."""
    waiting = []

    def answers(request):
        if request.path.startswith("/wait"):
            waiting.append(request)
        elif request.path == "/partial":
            request.respond(b"some", end=False)
        else:
            request.respond()

    server = Server(answers)
    with h2_origin(world, outside, identities, server) as origin:
        peer = open_h2(world, gateway)
        partial = peer.request("/partial")
        until(lambda: peer.read() and peer.answers[partial].body == b"some", what="a part of it")
        streams = [peer.request(f"/wait{number}", "POST", body=b"x") for number in range(5)]
        until(lambda: len(waiting) == 5, what="the requests")
        origin.conversations[0].socket.shutdown(socket.SHUT_RDWR)
        for stream in streams:
            assert peer.answer(stream).status == 502
        assert peer.answer(partial).reset is not None
        assert peer.answer(peer.request("/")).status == 200
    assert len(gateway.sessions(5, status=502)) == 5


def test_an_answer_before_the_request_has_ended(world, gateway, resolver, outside, identities):  # noqa: F811
    def head(request):
        if request.path == "/early":
            request.respond(b"enough", 413)
            request.connection.flush()
            request.connection.h2.reset_stream(request.stream, h2.errors.ErrorCodes.NO_ERROR)

    server = Server(head=head)
    with h2_origin(world, outside, identities, server):
        # A service whose requests are not held until they are whole.
        peer = open_h2(world, gateway, source=POD_DH157)
        stream = peer.request("/early", "PUT", body=b"a" * 10_000, end=False)
        early = peer.answer(stream)
        assert (early.status, early.body, early.ended) == (413, b"enough", True)
        assert peer.answer(peer.request("/")).status == 200


def test_a_client_that_leaves_a_stream(world, gateway, resolver, outside, identities):  # noqa: F811
    waiting = []
    server = Server(lambda request: waiting.append(request) if request.path == "/wait" else request.respond())
    with h2_origin(world, outside, identities, server) as origin:
        peer = open_h2(world, gateway)
        stream = peer.request("/wait")
        until(lambda: waiting, what="the request")
        peer.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        peer.flush()
        until(lambda: waiting[0].reset is not None, what="the reset to be passed on")
        assert peer.answer(peer.request("/")).status == 200
        assert len(origin.conversations) == 1


def test_a_server_that_falls_silent(world, weir, config, resolver, outside, identities):  # noqa: F811
    """It is not asked again on the connection on which it said nothing."""
    gateway = weir(config + "limits: {response_timeout: 1s}\n")
    silent = []

    def answers(request):
        if request.connection is server.connections[0]:
            silent.append(request)
        else:
            request.respond()

    server = Server(answers)
    with h2_origin(world, outside, identities, server) as origin:
        peer = open_h2(world, gateway)
        assert peer.answer(peer.request("/")).status == 504
        assert peer.answer(peer.request("/")).status == 200
        assert len(origin.conversations) == 2


def test_a_server_that_never_says_what_it_takes(world, weir, config, resolver, outside, identities):  # noqa: F811
    """Its SETTINGS are waited for no longer than a connection is, by a WebSocket behind another request, too."""
    gateway = weir(config + "limits: {connect_timeout: 1s}\n")

    def mute(conversation):
        while conversation.read():
            pass

    with h2_origin(world, outside, identities, mute, alpn=["h2"]):
        peer = open_h2(world, gateway)
        until(lambda: peer.read() and peer.h2.remote_settings.get(8) == 1, what="SETTINGS")
        began = time.monotonic()
        plain = peer.request("/")
        chat = peer.request("/chat", "CONNECT", end=False, fields=[
            (":protocol", "websocket"), ("sec-websocket-version", "13")])
        assert peer.answer(plain).status == 502 and peer.answer(chat).status == 502
        assert time.monotonic() - began < 5


# Flow


def test_a_slow_server_stops_only_its_own_stream(world, gateway, resolver, outside, identities):  # noqa: F811
    """The client's window of the stream closes; the others go on."""
    server = Server(settings={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 65_535})
    server.credit = False
    with h2_origin(world, outside, identities, server):
        peer = open_h2(world, gateway)
        slow = peer.request("/slow", "POST", end=False)
        sent = 0
        deadline = time.monotonic() + 1.5
        peer.sock.settimeout(0.1)
        while time.monotonic() < deadline:
            room = min(peer.h2.local_flow_control_window(slow), 16_384)
            if room > 0:
                peer.h2.send_data(slow, b"a" * room)
                peer.flush()
                sent += room
            else:
                try:
                    peer.read()
                except TimeoutError:
                    pass
        assert sent < 1_000_000, "what the server does not take is not taken from the client"
        assert len(server.requests[0].body) <= 65_535
        peer.sock.settimeout(10)
        for _ in range(20):
            assert peer.answer(peer.request("/small")).status == 200
        peer.close()


def test_a_slow_client_stops_only_its_own_stream(world, gateway, resolver, outside, identities):  # noqa: F811
    def answers(request):
        request.respond(b"a" * 30_000_000 if request.path == "/big" else b"ok")

    server = Server(answers)
    with h2_origin(world, outside, identities, server):
        peer = open_h2(world, gateway, window=65_535)
        peer.credit = False
        peer.h2.increment_flow_control_window(10_000_000)
        big = peer.request("/big")
        until(lambda: peer.read() and len(peer.answers[big].body) >= 65_535, what="the window to be full")
        for _ in range(20):
            assert peer.answer(peer.request("/small")).status == 200
        time.sleep(0.3)
        left = sum(len(queue[0]) for queue in server.connections[0].queued.values())
        assert left > 25_000_000, "what is not read is not fetched"
        peer.close()


def test_big_bodies_both_ways(world, gateway, resolver, outside, identities):  # noqa: F811
    server = Server(lambda request: request.respond(request.body))
    with h2_origin(world, outside, identities, server):
        peer = open_h2(world, gateway)
        body = os.urandom(3_000_000)
        streams = [peer.request("/", "POST", body=body) for _ in range(3)]
        assert all(peer.answer(stream).body == body for stream in streams)


# WebSocket


def test_websocket_by_extended_connect(world, gateway, resolver, outside, identities):  # noqa: F811
    """From HTTP/2 to HTTP/2 where the server takes it, else by HTTP/1.1."""
    def head(request):
        if request.fields[":method"] == "CONNECT":
            assert request.fields[":protocol"] == "websocket"
            request.respond(b"", end=False)

    def data(request, piece):
        request.connection.h2.send_data(request.stream, piece)

    server = Server(head=head, data=data, settings={h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1})
    with h2_origin(world, outside, identities, server):
        peer = open_h2(world, gateway)
        until(lambda: peer.read() and peer.h2.remote_settings.get(8) == 1, what="SETTINGS")
        stream = peer.request("/chat", "CONNECT", end=False, fields=[
            (":protocol", "websocket"), ("sec-websocket-version", "13")])
        # A frame of text, masked with zeros.
        frame = b"\x81\x85\0\0\0\0hello"
        peer.send(stream, frame, end=False)
        until(lambda: peer.read() and peer.answers[stream].body == frame, what="the echo")
        assert peer.answers[stream].status == 200


def test_websocket_where_http2_has_none(world, gateway, resolver, outside, identities):  # noqa: F811
    """A server of both, that takes WebSocket in HTTP/1.1 alone."""
    context = outside.server(identities["origin.example"], alpn=["h2", "http/1.1"])
    server = Server()

    def upgrade(conversation):
        head, _ = conversation.read_request()
        key = [line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")][0]
        conversation.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept(key) + b"\r\n\r\n")
        while data := conversation.read():
            conversation.send(data)

    def either(conversation):
        (server if conversation.socket.selected_alpn_protocol() == "h2" else upgrade)(conversation)

    with Origin(world, 443, handler=over_tls(context, either)):
        peer = open_h2(world, gateway)
        assert peer.answer(peer.request("/")).status == 200
        stream = peer.request("/chat", "CONNECT", end=False, fields=[
            (":protocol", "websocket"), ("sec-websocket-version", "13")])
        frame = b"\x81\x85\0\0\0\0hello"
        peer.send(stream, frame, end=False)
        until(lambda: peer.read() and peer.answers[stream].body.endswith(b"hello"), what="the echo")


def accept(key):
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


# Under load


def test_real_servers(world, gateway, resolver, outside, identities):  # noqa: F811
    """nghttpd outside, h2load inside."""
    stem = identities["origin.example"]
    root = os.path.join(gateway.directory, "root")
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, "file"), "wb") as file:
        file.write(os.urandom(100_000))
    server = world.start("outside", ["nghttpd", "-d", root, "443", stem + ".key", stem + ".pem"])
    try:
        until(lambda: world.run("outside", "ss -ltn | grep -q :443").returncode == 0, what="nghttpd")
        done = world.run("pods", ["h2load", "-n", "3000", "-c", "6", "-m", "20", f"{URL}/file"], timeout=60)
        assert "3000 succeeded, 0 failed, 0 errored" in done.stdout, done.stdout
        assert "3000 2xx" in done.stdout
    finally:
        server.terminate()
        server.wait()


def test_reloads_among_streams(world, gateway, config, resolver, outside, identities):  # noqa: F811
    server = Server()
    with h2_origin(world, outside, identities, server), concurrent.futures.ThreadPoolExecutor() as pool:
        load = pool.submit(world.run, "pods", ["h2load", "-n", "3000", "-c", "4", "-m", "10", f"{URL}/"], timeout=60)
        for turn in range(6):
            gateway.reload(config + f"limits: {{idle_timeout: {60 + turn}s}}\n")
        done = load.result()
    assert "3000 succeeded, 0 failed, 0 errored" in done.stdout, done.stdout
