"""gRPC: messages read one by one, calls that flow, and a denial that a real client understands."""

import time

import pytest

from gateway import SSN_SENSOR
from grpcpeers import Server, calls, frames, message, unpack
from http2peer import Client
from net import ORIGIN, POD, POD_DH157, POD_OTHER, until
from test_tls import NUMBER, ca, connect, identities, outside  # noqa: F401
from tlspeers import client

CONFIG = SSN_SENSOR + r"""
  - name: both-ways
    direction: both
    rules:
      - {name: word, patterns: [{regex: 'TOPSECRET-\d{4}', context: [body]}]}
  - name: badge
    direction: both
    rules:
      - {name: number, patterns: [{regex: 'BADGE-\d{4}', context: [body]}]}
services:
  - name: myapp.default
    mode: protect
    sensors: {nir: deny, both-ways: deny, badge: redact}
    rules: [{to: any, action: allow}]
  - {name: dh157.default, mode: monitor, sensors: {nir: deny, both-ways: deny}, rules: [{to: any, action: allow}]}
  - name: other.default
    mode: protect
    uninspectable: deny
    sensors: {nir: deny}
    rules: [{to: origin.example, applications: [gRPC], action: allow}]
"""
FIELDS = [("content-type", "application/grpc"), ("te", "trailers")]


@pytest.fixture(scope="module")
def gateway(shared, outside):  # noqa: F811
    return shared(CONFIG + f'tls: {{trust: "{outside.certificate}"}}\nlimits: {{body_grace: 2s, response_timeout: 3s}}\n')


class Way:
    def __init__(self, world, gateway, server, secure):
        self.world, self.gateway, self.server, self.secure = world, gateway, server, secure
        self.scheme = "https" if secure else "http"
        self.host = "origin.example" if secure else "origin.example:8080"

    def client(self, source=POD):
        if self.secure:
            tls = connect(self.world, self.gateway, "origin.example", source=source,
                          context=client(ca(self.gateway), alpn=["h2"]))
            return Client(tls)
        return Client(self.world.connect(ORIGIN, 8080, source=source))

    def call(self, peer, path, body=None, end=True, fields=(), **options):
        return peer.request(path, "POST", host=self.host, scheme=self.scheme, fields=[*FIELDS, *fields], body=body, end=end,
                            **options)

    def real(self, script, trusting=True):
        port = 443 if self.secure else 8080
        return calls(self.world, script, port, self.secure, ca(self.gateway) if trusting else None)


@pytest.fixture(scope="module", params=["h2c", "tls"])
def way(request, world, gateway, outside, identities, tmp_path_factory):  # noqa: F811
    secure = request.param == "tls"
    stem = identities["origin.example"] if secure else None
    with Server(world, 443 if secure else 8080, tmp_path_factory.mktemp("grpc"), stem) as server:
        yield Way(world, gateway, server, secure)


@pytest.fixture(autouse=True)
def _clean(way, resolver):
    way.server.forget()


def denied(answer):
    status = answer.trailers.get("grpc-status") or answer.fields.get("grpc-status")
    said = answer.trailers.get("grpc-message") or answer.fields.get("grpc-message")
    assert (answer.status, status) == (200, "7"), vars(answer)
    assert "sensor" in said
    return said


def test_the_story_over_grpc(way, gateway):
    lines = way.real(f"""
        print(unary(b"hello").decode())
        told(lambda: unary(b'nir {NUMBER.decode()}'))
        print(unary(b"hello again").decode())
    """)
    assert lines[0] == "got hello" and lines[2] == "got hello again"
    assert lines[1].startswith("PERMISSION_DENIED A sensor of this service denies")
    assert b"nir" not in way.server.received
    identity = lines[1].rpartition("event ")[2].rstrip(")")
    session = gateway.sessions(path="/test/Unary", action="deny", id=identity)[0]
    assert session["application"] == "gRPC" and session["status"] == 200
    assert session["findings"][0]["decoded"] == ["grpc"]


def test_streaming_calls_do_not_stall(way):
    """Also where a message ends like the beginning of a number, and where the server is the first to speak."""
    lines = way.real("""
        import queue
        for name in ("Both", "Greeting"):
            todo = queue.Queue()
            call = channel.stream_stream("/test/" + name)(iter(todo.get, None))
            if name == "Greeting":
                print(next(call).decode())
            start = time.monotonic()
            for turn in range(10):
                todo.put(b"%d 295" % turn)
                assert next(call) == b"got %d 295" % turn
            print(time.monotonic() - start < 2)
            todo.put(None)
            print(list(call), call.code().name)
        print([each.decode() for each in channel.unary_stream("/test/Server")(b"x")])
        print(channel.stream_unary("/test/Client")(iter([b"a", b"", b"c"])).decode())
    """)
    assert lines == ["True", "[] OK", "welcome", "True", "[] OK", str([f"{turn} of x" for turn in range(5)]), "got 3"]


def test_a_real_client_is_known(way, gateway):
    """Messages of every size come through, and the record says what was spoken and by whom."""
    assert way.real("""
        for size in (0, 1, 16383, 16384, 65535, 1_000_000):
            assert unary(b"x" * size, timeout=10) == b"got " + b"x" * size
        print("done")
    """) == ["done"]

    def recorded():
        sessions = gateway.sessions(path="/test/Unary", action="allow", application="gRPC")
        return [one for one in sessions if ("tls" in one) == way.secure and one["bytes_in"] > 1_000_000]
    sessions = until(recorded, what="the record of the largest")
    if way.secure:
        tls = sessions[-1]["tls"]
        assert (tls["handling"], tls["sni"], tls["alpn"]) == ("intercepted", "origin.example", "h2")
        assert tls["version"] == tls["upstream_version"] == "1.3" and tls["ja4"].startswith("t13d"), tls


def test_a_real_client_that_is_told_of_no_authority(way):
    if way.secure:
        assert way.real('told(lambda: unary(b"x", timeout=5))', trusting=False)[0].startswith("UNAVAILABLE")
        assert way.server.received == b""


def test_what_a_server_says_of_a_failure(way):
    lines = way.real("""
        failing = channel.unary_unary("/test/Failing")
        told(lambda: failing(b"one", timeout=10))
        try:
            failing.with_call(b"two", timeout=10)
        except grpc.RpcError as error:
            print(dict(error.trailing_metadata())["x-told"])
        told(lambda: channel.unary_unary("/test/Nothing")(b"", timeout=10))
    """)
    assert lines[:2] == ["FAILED_PRECONDITION not today: one", "to the end"] and lines[2].startswith("UNIMPLEMENTED")


def test_many_calls_of_one_connection(way):
    """And one that is given up half way, of which the others take no notice."""
    assert way.real("""
        some = channel.unary_stream("/test/Server")
        half = some(b"%s times 100000" % (b"x" * 1000), timeout=30)
        assert next(half).startswith(b"0 of x")
        futures = [unary.future(b"%d" % turn, timeout=30) for turn in range(300)]
        half.cancel()
        assert [future.result() for future in futures] == [b"got %d" % turn for turn in range(300)]
        assert list(some(b"y times 500", timeout=30)) == [b"%d of y" % turn for turn in range(500)]
        print("done")
    """) == ["done"]


def test_a_call_may_be_silent(way):
    """For longer than a body may, and than a server may take to answer."""
    lines = way.real("""
        def say():
            yield b"one"
            time.sleep(5)
            yield b"two"
            time.sleep(1)
        print([each.decode() for each in both(say())])
    """)
    assert lines == [str(["got one", "got two"])]


def test_a_stream_is_ended_in_its_trailers(way, gateway):
    lines = way.real(f"""
        def say():
            yield b"one"
            time.sleep(0.3)
            yield b"nir {NUMBER.decode()}"
            time.sleep(5)
        call = both(say())
        print(next(call).decode())
        told(lambda: next(call))
    """)
    assert lines[0] == "got one"
    assert lines[1].startswith("PERMISSION_DENIED A sensor of this service denies")
    assert b"nir" not in way.server.received


def test_compressed_by_a_real_client(way):
    lines = way.real(f"""
        print(unary(b"hello" * 100, compression=grpc.Compression.Gzip) == b"got " + b"hello" * 100)
        for coding in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            told(lambda: unary(b'nir {NUMBER.decode()} ' * 9, compression=coding))
    """)
    assert lines[0] == "True"
    assert [line.split()[0] for line in lines[1:]] == ["PERMISSION_DENIED"] * 2
    assert b"nir" not in way.server.received


def test_every_cut_into_frames(way):
    body = message(b"nir=" + NUMBER + b"&x")
    packed = message(b"nir=" + NUMBER + b"&x", "gzip")
    peer = way.client()
    for whole, fields in ((body, ()), (packed, [("grpc-encoding", "gzip")])):
        for cut in range(1, len(whole)):
            stream = way.call(peer, "/test/Unary", end=False, fields=fields)
            peer.send(stream, whole[:cut], end=False)
            peer.send(stream, whole[cut:])
            denied(peer.answer(stream))
    assert b"nir" not in way.server.received and way.server.received.strip() == b""


@pytest.mark.parametrize("piece", [1, 2, 7])
def test_every_piece_of_the_connection(way, piece):
    """As segments, and as TLS records: frames of HTTP/2 and messages begin and end anywhere in them."""
    peer = way.client()
    stream = way.call(peer, "/test/Unary", message(b"nir=" + NUMBER + b"&x"), piece=piece)
    denied(peer.answer(stream))
    assert way.server.received.strip() == b""


def test_a_number_in_two_messages(way):
    for cut in range(1, len(NUMBER)):
        way.server.forget()
        peer = way.client()
        stream = way.call(peer, "/test/Both", message(NUMBER[:cut]) + message(NUMBER[cut:]), end=False)
        denied(peer.answer(stream))
        assert NUMBER[cut:] not in way.server.received.splitlines(), cut
        peer.close()


def test_what_is_redacted_is_so_in_place(way, gateway):
    peer = way.client()
    body = message(b"my BADGE-1234, and") + message(b"clean") + message(b"BADGE-5678")
    for size in (len(body), 11, 1):
        stream = way.call(peer, "/test/Both", end=False)
        for at in range(0, len(body), size):
            peer.send(stream, body[at:at + size], end=at + size >= len(body))
        answer = peer.answer(stream)
        assert unpack(answer.body) == ([b"got my **********, and", b"got clean", b"got **********"], b""), size
        assert answer.trailers["grpc-status"] == "0"
    assert b"BADGE" not in way.server.received


def test_messages_across_frames_come_through(way):
    peer = way.client()
    body = b"".join(message(b"%d" % at * at) for at in range(1, 60))
    stream = way.call(peer, "/test/Both", end=False)
    for at in range(0, len(body), 11):
        peer.send(stream, body[at:at + 11], end=at + 11 >= len(body))
    answer = peer.answer(stream)
    assert unpack(answer.body) == ([b"got " + b"%d" % at * at for at in range(1, 60)], b"")
    assert answer.trailers["grpc-status"] == "0"


def test_a_large_message(way):
    peer = way.client()
    stream = way.call(peer, "/test/Unary", message(b"z" * 2_000_000))
    assert frames(peer, stream) == [b"got " + b"z" * 2_000_000]
    stream = way.call(peer, "/test/Unary", message(b"z" * 2_000_000 + b" " + NUMBER + b" "))
    denied(peer.answer(stream))
    assert NUMBER not in way.server.received


def test_monitor_lets_it_through(way, gateway):
    peer = way.client(POD_DH157)
    stream = way.call(peer, "/test/Unary", message(b"nir=" + NUMBER, "gzip"), fields=[("grpc-encoding", "gzip")])
    assert frames(peer, stream) == [b"got nir=" + NUMBER]
    session = gateway.sessions(path="/test/Unary", service="dh157.default")[-1]
    assert session["action"] == "alert" and session["findings"][0]["decoded"] == ["grpc", "gzip"]


def test_responses_are_read(way):
    lines = way.real("""
        told(lambda: unary(b"TOPSECRET-123"))
        call = both(iter([b"fine", b"TOPSECRET-", b"1234"]))
        told(lambda: list(call))
    """)
    assert lines == [lines[0]] and lines[0].startswith("PERMISSION_DENIED")


@pytest.mark.parametrize("body, fields, outcome", [
    (b"\x02\0\0\0\x01x", (), "undecodable"),
    (message(b"xyz")[:-1], (), "truncated"),
    (message(b"x", "gzip"), (), "unknown_coding"),
    (message(b"x", "gzip"), [("grpc-encoding", "snappy")], "unknown_coding"),
    (b"\1\0\0\0\2no", [("grpc-encoding", "gzip")], "undecodable"),
    (message(b"0" * 4_000_000, "gzip"), [("grpc-encoding", "gzip")], "decompression_bomb"),
], ids=range(6))
def test_what_cannot_be_read(way, gateway, body, fields, outcome):
    peer = way.client(POD_OTHER)
    answer = peer.answer(way.call(peer, "/test/Unary", body, fields=fields))
    assert answer.fields["grpc-status"] == "7" and answer.status == 200
    assert gateway.sessions(service="other.default", uninspectable=outcome, action="deny")
    assert b"x" not in way.server.received


def test_faults_are_told_as_grpc(world, gateway, way):
    peer = Client(world.connect(ORIGIN, 8081))
    stream = peer.request("/test/Unary", "POST", host="origin.example:8081", scheme="http", fields=FIELDS, body=message(b"x"))
    answer = peer.answer(stream)
    assert answer.status == 200 and answer.fields["grpc-status"] == "14"


def test_rules_speak_of_grpc(way):
    peer = way.client(POD_OTHER)
    assert frames(peer, way.call(peer, "/test/Unary", message(b"x"))) == [b"got x"]
    other = peer.request("/", host=way.host, scheme=way.scheme)
    assert peer.answer(other).status == 403


def test_an_end_without_a_verdict_is_none(way):
    """A client that goes away in the middle of a message has sent none."""
    peer = way.client()
    stream = way.call(peer, "/test/Both", message(b"one") + message(b"the second")[:9], end=False)
    assert frames(peer, stream) == [b"got one"]
    peer.close()
    time.sleep(0.3)
    assert way.server.received == b"one\n"
