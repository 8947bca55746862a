"""What a denied match may not do: leave, in whole or in part, however it is cut or wrapped."""

import gzip
import json
import random
import time
import zlib

import brotli
import pytest
import zstandard

from gateway import SSN_SENSOR
from net import POD_DH157, POD_OTHER
from peers import Origin, unchunk
from wire import read_all, read_response, request, send

NUMBER = b"295109912611193"
CARD = b"4111111111111111"

CONFIG = SSN_SENSOR + r"""
  - name: slow
    rules:
      - {name: catastrophic, patterns: [{regex: '(x+x+)+y', context: [body]}]}
  - name: both-ways
    direction: both
    rules:
      - {name: word, patterns: [{regex: 'TOPSECRET-\d{4}', context: [body]}]}
  - name: pair
    rules:
      - name: both-words
        patterns:
          - {regex: 'alpha-\d{4}', context: [body]}
          - {regex: 'omega-\d{4}', context: [body]}
      - name: without
        patterns:
          - {regex: 'draft-\d{4}', context: [body]}
          - {regex: 'released', context: [body], negated: true}
services:
  - name: myapp.default
    mode: protect
    sensors: {nir: deny, credit-card: deny, both-ways: deny, pair: deny}
    rules: [{to: any, action: allow}]
  - name: dh157.default
    mode: protect
    sensors: {nir: redact, slow: deny, both-ways: deny}
    rules: [{to: any, action: allow}]
  - name: other.default
    mode: protect
    uninspectable: deny
    sensors: {slow: deny, ssn-fr: deny, ssn-us: deny}
    rules: [{to: any, action: allow}]
"""


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(CONFIG)


def post(world, body, fields=(), source=None, path="/", pieces=None, **options):
    data = request("POST", path, fields=list(fields), body=body)
    return send(world, data, pieces=pieces, source=source, **options)


def denied(world, origin, body, fields=(), **options):
    sock = post(world, body, fields, **options)
    status, _, problem, _ = read_response(sock)
    sock.close()
    assert status == 403
    assert json.loads(problem)["reason"] == "finding"
    assert origin.received == b"", "the origin was contacted"


def test_every_cut_of_the_segments(world, gateway, origin):
    body = b"name=x&nir=" + NUMBER + b"&end=1"
    head = request("POST", body=body)[:-len(body)]
    for cut in range(len(body) + 1):
        sock = send(world, b"", pieces=[head + body[:cut], body[cut:]], pause=0.001)
        assert read_response(sock)[0] == 403, f"cut at {cut}"
        sock.close()
    assert origin.received == b""


def test_one_byte_a_segment(world, gateway, origin):
    data = request("POST", body=b"name=x&nir=" + NUMBER + b"&end=1")
    denied_sock = send(world, b"", pieces=[data[i:i + 1] for i in range(len(data))], pause=0.0005)
    assert read_response(denied_sock)[0] == 403
    assert origin.received == b""


def test_every_cut_of_the_chunks(world, gateway, origin):
    body = b"nir=" + NUMBER + b"&end=1"
    head = request("POST", fields=["transfer-encoding: chunked"])
    for cut in range(1, len(body)):
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:cut], body[cut:])) + b"0\r\n\r\n"
        sock = send(world, head + chunks)
        assert read_response(sock)[0] == 403, f"cut at {cut}"
        sock.close()
    single = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    assert read_response(send(world, head + single))[0] == 403
    assert origin.received == b""


def test_expect_of_a_held_body_gets_its_100_from_weir(world, gateway, origin):
    sock = send(world, request("POST", fields=["expect: 100-continue", "content-length: 19"]))
    assert read_response(sock)[0] == 100
    sock.sendall(b"nir=" + NUMBER)
    assert read_response(sock)[0] == 403
    assert origin.conversations == [], "the origin was never contacted"
    sock = send(world, request("POST", fields=["expect: 100-continue", "content-length: 5"]))
    assert read_response(sock)[0] == 100
    sock.sendall(b"clean")
    assert read_response(sock)[0] == 200
    assert b"100-continue" not in origin.received


def test_in_a_streamed_body_no_byte_of_the_match_leaves(world, gateway):
    """Longer than `hold`: what comes before flows on, the match does not, and the origin cannot take it for whole."""
    body = b"a" * 300_000 + b" nir=" + NUMBER + b" " + b"b" * 100_000
    with Origin(world, 8080) as origin:
        sock = post(world, body, timeout=8)
        read_all(sock)
        time.sleep(0.2)
        assert origin.requests == 0
        assert NUMBER[:1] not in origin.received.split(b"\r\n\r\n", 1)[-1]
        assert len(origin.received) < 310_000
    session = gateway.sessions(action="deny", reason="finding")[-1]
    assert session.get("bytes_before_verdict", 0) <= 300_100


def test_random_cuts_of_a_streamed_body(world, gateway):
    rng = random.Random(7)
    for _ in range(8):
        at = rng.randrange(70_000, 200_000)
        body = b"a" * at + b" " + NUMBER + b" " + b"b" * 70_000
        data, pieces = request("POST", body=body), []
        while data:
            size = rng.choice([1, 7, 1000, 16384, 40000])
            pieces.append(data[:size])
            data = data[size:]
        with Origin(world, 8080) as origin:
            read_all(send(world, b"", pieces=pieces, timeout=8))
            payload = origin.received.split(b"\r\n\r\n", 1)[-1]
            assert origin.requests == 0 and payload.strip(b"a ") == b""


def test_clean_bodies_arrive_as_they_were(world, gateway):
    rng = random.Random(3)
    for size in (0, 1, 65535, 65536, 65537, 500_000):
        body = rng.randbytes(size)
        with Origin(world, 8080) as origin:
            assert read_response(post(world, body))[0] == 200
            assert origin.received.endswith(body) and origin.requests == 1


def multi_member(body):
    return gzip.compress(body[:9]) + gzip.compress(body[9:])


def stored_brotli(body):
    """One meta-block that is stored as it is (RFC 7932 section 9.2), and an empty one that ends it."""
    header = 1 << 20 | (len(body) - 1) << 4
    return header.to_bytes(3, "little") + body + b"\x03"


def raw_zstd(body):
    """A frame of one raw block (RFC 8878 section 3.1.1)."""
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(body)]) + (len(body) << 3 | 1).to_bytes(3, "little") + body


CODINGS = {
    "br": (b"br", brotli.compress),
    "zstd": (b"zstd", zstandard.compress),
    "br, stored": (b"br", stored_brotli),
    "zstd, raw block": (b"zstd", raw_zstd),
    "several zstd frames": (b"zstd", lambda body: zstandard.compress(body[:9]) + zstandard.compress(body[9:])),
    "br in zstd": (b"br, zstd", lambda body: zstandard.compress(brotli.compress(body))),
    "zstd in br": (b"zstd, br", lambda body: brotli.compress(zstandard.compress(body))),
    "zstd in br in gzip": (b"zstd, br, gzip", lambda body: gzip.compress(brotli.compress(zstandard.compress(body)))),
    "zstd that says gzip": (b"gzip", zstandard.compress),
    "gzip that says br": (b"br", gzip.compress),
    "gzip that says nothing": (b"identity", gzip.compress),
    "zstd that says nothing": (b"identity", zstandard.compress),
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"x-gzip", gzip.compress),
    "several gzip members": (b"gzip", multi_member),
    "deflate, zlib": (b"deflate", zlib.compress),
    "deflate, raw": (b"deflate", lambda body: zlib.compress(body, wbits=-15)),
    "gzip twice": (b"gzip, gzip", lambda body: gzip.compress(gzip.compress(body))),
}


@pytest.mark.parametrize("case", CODINGS)
def test_coded_bodies_are_read(world, gateway, origin, case):
    coding, encode = CODINGS[case]
    denied(world, origin, encode(b"name=x&nir=" + NUMBER + b"&end"), ["content-encoding: " + coding.decode()])
    finding = gateway.sessions(action="deny")[-1]["findings"][0]
    assert finding["match"] == "2*************3"


@pytest.mark.parametrize("case", ["gzip", "br", "zstd", "br, stored", "zstd, raw block"])
def test_every_cut_of_a_coded_body(world, gateway, origin, case):
    coding, encode = CODINGS[case]
    body = encode(b"name=x&nir=" + NUMBER + b"&end=1")
    head = request("POST", fields=["content-encoding: " + coding.decode()], body=body)[:-len(body)]
    for cut in range(1, len(body), 2):
        sock = send(world, b"", pieces=[head + body[:cut], body[cut:]], pause=0.001)
        assert read_response(sock)[0] == 403, f"cut at {cut}"
        sock.close()
    assert origin.received == b""


@pytest.mark.parametrize("case", ["gzip", "br", "zstd", "br in zstd"])
def test_a_clean_coded_body_arrives_as_it_was(world, gateway, origin, case):
    coding, encode = CODINGS[case]
    body = encode(random.Random(1).randbytes(400_000))
    assert read_response(post(world, body, ["content-encoding: " + coding.decode()]))[0] == 200
    assert origin.received.endswith(body)


@pytest.mark.parametrize("case", ["gzip", "br", "zstd", "zstd in br"])
def test_in_a_streamed_coded_body_no_byte_of_the_match_leaves(world, gateway, case):
    """Longer than `hold`: what comes before flows on; what the origin got has nothing of the match, nor is it a whole body."""
    coding, encode = CODINGS[case]
    noise = bytes(byte | 0x80 for byte in random.Random(4).randbytes(400_000))
    body = encode(noise + b" nir=" + NUMBER + b" " + noise)
    with Origin(world, 8080) as origin:
        read_all(post(world, body, ["content-encoding: " + coding.decode()], timeout=8))
        time.sleep(0.2)
        assert origin.requests == 0
        sent = origin.received.split(b"\r\n\r\n", 1)[-1]
        assert body.startswith(sent) and 0 < len(sent) < len(encode(noise))
        assert NUMBER[:4] not in sent
    assert gateway.sessions(action="deny", reason="finding")


def test_redact_keeps_length_and_hides_everything(world, gateway):
    body = b"first " + NUMBER + b" then " + NUMBER + b" end"
    with Origin(world, 8080) as origin:
        assert read_response(post(world, body, source=POD_DH157))[0] == 200
        assert origin.received.endswith(body.replace(NUMBER, b"*" * 15))
    session = gateway.sessions(action="redact", service="dh157.default")[-1]
    assert len(session["findings"]) == 2


def test_redact_in_chunks_and_over_every_cut(world, gateway):
    body = b"x " + NUMBER + b" y"
    head = request("POST", fields=["transfer-encoding: chunked"])
    for cut in range(1, len(body)):
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:cut], body[cut:])) + b"0\r\n\r\n"
        with Origin(world, 8080) as origin:
            assert read_response(send(world, head + chunks, source=POD_DH157))[0] == 200
            sent_head, _, rest = origin.received.partition(b"\r\n\r\n")
            payload = unchunk(rest) if b"chunked" in sent_head.lower() else rest
            assert payload == b"x " + b"*" * 15 + b" y", f"cut at {cut}"


def test_redact_of_a_json_number(world, gateway):
    with Origin(world, 8080) as origin:
        body = b'{"nir": ' + NUMBER + b', "text": "' + NUMBER + b'"}'
        post(world, body, ["content-type: application/json"], source=POD_DH157)
        time.sleep(0.3)
        sent = origin.received.split(b"\r\n\r\n", 1)[1]
        assert sent == b'{"nir": ' + b"0" * 15 + b', "text": "' + b"*" * 15 + b'"}'


def test_redact_under_gzip_is_a_denial(world, gateway, origin):
    sock = post(world, gzip.compress(b"nir " + NUMBER), ["content-encoding: gzip"], source=POD_DH157)
    assert read_response(sock)[0] == 403
    assert origin.received == b""


@pytest.mark.parametrize("data", [
    request(path="/q?nir=" + NUMBER.decode()),
    request(path="/" + NUMBER.decode() + "/x"),
    request(fields=["x-note: nir " + NUMBER.decode()]),
    request(fields=["cookie: a=b; nir=" + NUMBER.decode()]),
    request("POST", fields=["transfer-encoding: chunked", "trailer: x-note"])
    + b"2\r\nok\r\n0\r\nx-note: " + NUMBER + b"\r\n\r\n",
], ids=["query", "path", "header", "cookie", "trailer"])
def test_urls_headers_and_trailers_are_read(world, gateway, origin, data):
    status, _, body, _ = read_response(send(world, data))
    assert status == 403
    assert NUMBER not in body and NUMBER not in origin.received
    assert NUMBER.decode() not in json.dumps(gateway.lines("sessions") + gateway.lines("events"))


def test_a_shipped_sensor(world, gateway, origin):
    denied(world, origin, b"card=" + CARD)
    for clean in (b"card=4111111111111112", b"22.378386247999998", b"order=536904399"):
        assert read_response(post(world, clean))[0] == 200


def test_the_shipped_french_and_us_sensors(world, gateway, origin):
    for number in (b"295109912611193", b"2 53 07 2A 073 004 43", b"145081849670637"):
        assert read_response(post(world, b"nir " + number, source=POD_OTHER))[0] == 403, number
    assert read_response(post(world, b"ssn 536-90-4399", source=POD_OTHER))[0] == 403
    assert read_response(post(world, b"ssn 078-05-1120", source=POD_OTHER))[0] == 200
    assert read_response(post(world, b"nir 295109912611194", source=POD_OTHER))[0] == 200, "the key is wrong"


def test_patterns_of_a_rule_are_anded_and_may_be_negated(world, gateway, origin):
    assert read_response(post(world, b"alpha-1234"))[0] == 200
    assert read_response(post(world, b"omega-1234"))[0] == 200
    assert read_response(post(world, b"alpha-1234 omega-1234"))[0] == 403
    assert read_response(post(world, b"draft-1234 released"))[0] == 200
    assert read_response(post(world, b"draft-1234 secret"))[0] == 403


def test_responses_are_read_when_the_sensor_says_both(world, gateway):
    def handler(conversation):
        while conversation.read_request():
            body = b"a" * 100 + b" TOPSECRET-1234 " + b"b" * 100
            conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
    with Origin(world, 8080, handler=handler):
        data, how = read_all(send(world, request(), timeout=5))
        assert b"TOPSECRET" not in data and b"1234" not in data
        assert how in ("end", "reset")
    gateway.events(kind="finding", action="deny")


def test_a_decompression_bomb_is_an_outcome_not_a_pass(world, gateway, origin):
    bomb = gzip.compress(b"0" * 60_000_000)
    before = gateway.resident()
    sock = post(world, bomb, ["content-encoding: gzip"], source=POD_OTHER)
    assert read_response(sock)[0] == 403
    assert origin.requests == 0
    assert gateway.resident() - before < 64_000
    gateway.events(threat="decompression_bomb")


def test_what_cannot_be_decoded_is_never_silently_clean(world, gateway, origin):
    for body, coding in ((b"this is not gzip at all", "gzip"), (gzip.compress(random.Random(2).randbytes(100))[:60], "gzip"),
                         (b"this is not zstd at all", "zstd"), (brotli.compress(b"this was brotli")[:-2], "br"),
                         (b"anything", "unheard-of")):
        sock = post(world, body, [f"content-encoding: {coding}"], source=POD_OTHER)
        assert read_response(sock)[0] == 403, body
        assert origin.received == b""
        assert gateway.session_of(sock)["uninspectable"]
    for body, coding in ((b"this is not gzip at all", "gzip"), (gzip.compress(b"nir=" + NUMBER), "deflate")):
        sock = post(world, body, [f"content-encoding: {coding}"])
        if read_response(sock)[0] == 200:
            session = gateway.session_of(sock)
            assert session["uninspectable"] and session["action"] == "alert", "alert lets it by and says so"


def test_a_pattern_that_backtracks_for_ever_is_an_outcome(world, gateway, origin):
    start = time.monotonic()
    sock = post(world, b"x" * 3000 + b"z", source=POD_OTHER, timeout=30)
    assert read_response(sock)[0] == 403
    assert time.monotonic() - start < 5
    session = gateway.session_of(sock)
    assert (session["action"], session["uninspectable"]) == ("deny", "pattern_overrun")
    start = time.monotonic()
    assert read_response(post(world, b"ok"))[0] == 200
    assert time.monotonic() - start < 1


def test_where_a_pattern_gave_up_the_stream_goes_on_and_others_read_it(world, gateway):
    hostile = b"x" * 400_000
    with Origin(world, 8080) as origin:
        sock = post(world, hostile, source=POD_DH157, timeout=30)
        assert read_response(sock)[0] == 200
        assert origin.received.endswith(hostile)
        session = gateway.session_of(sock)
        assert (session["action"], session["uninspectable"]) == ("alert", "pattern_overrun")
    with Origin(world, 8080) as origin:
        sock = post(world, hostile + b" TOPSECRET-1234 " + hostile, source=POD_DH157, timeout=30)
        read_all(sock)
        assert origin.requests == 0 and b"TOPSECRET" not in origin.received
        session = gateway.session_of(sock)
        assert (session["action"], session["uninspectable"]) == ("deny", "pattern_overrun")
        assert [finding["sensor"] for finding in session["findings"]] == ["both-ways"]
