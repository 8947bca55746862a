"""What is ambiguous is refused: 400, a threat event, and not one byte at the origin, in every mode."""

import re

import pytest

from peers import Origin
from wire import read_all, read_response, request, send

HEAD = b"POST /smuggled HTTP/1.1\r\nhost: origin.example:8080\r\n"
TAIL = b"GET /hidden HTTP/1.1\r\nhost: origin.example:8080\r\n\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"

CASES = {
    "content-length and transfer-encoding":
        HEAD + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + TAIL,
    "two content-lengths": HEAD + b"content-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
    "a list of content-lengths": HEAD + b"content-length: 4, 5\r\n\r\nabcde",
    "a negative content-length": HEAD + b"content-length: -1\r\n\r\n",
    "a signed content-length": HEAD + b"content-length: +4\r\n\r\nabcd",
    "a hexadecimal content-length": HEAD + b"content-length: 0x4\r\n\r\nabcd",
    "a content-length that overflows": HEAD + b"content-length: 99999999999999999999999999\r\n\r\n",
    "an empty content-length": HEAD + b"content-length:\r\n\r\n",
    "transfer-encoding that does not end in chunked": HEAD + b"transfer-encoding: chunked, identity\r\n\r\n" + TAIL,
    "transfer-encoding chunked twice": HEAD + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two transfer-encodings": HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n0\r\n\r\n",
    "an unknown transfer-encoding": HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding in HTTP/1.0": HEAD.replace(b"1.1", b"1.0") + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": HEAD + b"x-a: 1\r\n folded: 2\r\ncontent-length: 0\r\n\r\n",
    "a space before the colon": HEAD + b"content-length : 4\r\n\r\nabcd",
    "a bare LF in the head": HEAD + b"x: y\ncontent-length: 0\r\n\r\n",
    "a bare CR in a value": HEAD + b"x: y\rz: w\r\ncontent-length: 0\r\n\r\n",
    "a NUL in a value": HEAD + b"x: a\0b\r\ncontent-length: 0\r\n\r\n",
    "a NUL in the target": b"GET /a\0b HTTP/1.1\r\nhost: origin.example:8080\r\n\r\n",
    "a control character in a name": HEAD + b"x\x01y: 1\r\n\r\n",
    "an empty field name": HEAD + b": 1\r\n\r\n",
    "a field without a colon": HEAD + b"nonsense\r\n\r\n",
    "a space before the first field": b"GET / HTTP/1.1\r\n host: origin.example:8080\r\n\r\n",
    "two hosts": HEAD + b"host: other.example\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a host with userinfo": b"GET / HTTP/1.1\r\nhost: u:p@origin.example:8080\r\n\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nhost: origin.example:8080/x\r\n\r\n",
    "a host list": b"GET / HTTP/1.1\r\nhost: origin.example, other.example\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nhost: origin.example:8080\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/1.2 with garbage": b"GET / HTTP/1.1x\r\nhost: origin.example:8080\r\n\r\n",
    "HTTP/2.0 in a request line": b"GET / HTTP/2.0\r\nhost: origin.example:8080\r\n\r\n",
    "a chunk size with a sign": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with an underscore": CHUNKED + b"1_0\r\n" + b"h" * 16 + b"\r\n0\r\n\r\n",
    "a chunk size with a space": CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n",
    "an empty chunk size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "a chunk size that overflows": CHUNKED + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "a chunk line ended by LF": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "a chunk extension with a bare CR": CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "a chunk extension with a newline": CHUNKED + b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n",
    "a chunk without its CRLF": CHUNKED + b"5\r\nhello0\r\n\r\n",
    "a trailer that is no field": CHUNKED + b"0\r\nnonsense\r\n\r\n",
    "a trailer with content-length": CHUNKED + b"0\r\ncontent-length: 5\r\n\r\n",
}


@pytest.fixture(scope="module")
def gateway(shared):
    return shared("""
services:
  - {name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: discover, rules: []}
""")


def refused(world, data, source=None):
    """(answer, how it ended, socket) of a request that must not reach the origin."""
    with Origin(world, 8080) as origin:
        sock = send(world, data, source=source, timeout=4, end=True)
        answer, how = read_all(sock)
        assert b"/hidden" not in origin.received
        # A body that is being streamed may be found broken late; what the origin then has is visibly cut short.
        assert origin.requests == 0, f"the origin got {origin.received!r}"
        if not data.startswith(CHUNKED):
            assert origin.received == b""
    return answer, how, sock


@pytest.mark.parametrize("case", CASES)
def test_is_refused(world, gateway, case):
    answer, how, sock = refused(world, CASES[case])
    assert how in ("end", "reset")
    assert answer.split(b" ")[1] in (b"400", b"505"), answer[:200]
    assert len(re.findall(rb"HTTP/1\.1 \d\d\d ", answer)) == 1, "the connection goes no further"
    event = gateway.event_of(sock)
    assert event["threat"] in ("request_smuggling", "malformed_http")
    assert event["action"] == "deny"


def test_in_discover_too(world, gateway):
    answer, _, sock = refused(world, CASES["content-length and transfer-encoding"], "10.244.0.9")
    assert answer.startswith(b"HTTP/1.1 400")
    event = gateway.event_of(sock)
    assert (event["threat"], event["mode"], event["service"]) == ("request_smuggling", "discover", "dh157.default")


def test_the_second_of_two_pipelined_is_refused_after_the_first_is_answered(world, gateway):
    with Origin(world, 8080) as origin:
        sock = send(world, request(path="/good") + CASES["two content-lengths"])
        status, _, _, rest = read_response(sock)
        assert status == 200
        assert read_response(sock, rest)[0] == 400
        assert origin.requests == 1 and b"smuggled" not in origin.received


@pytest.mark.parametrize("field,status", [
    (b"x-long: " + b"a" * 70_000, b"431"),
    (b"\r\n".join(b"x-%d: y" % index for index in range(2000)), b"431"),
])
def test_floods_of_fields_are_refused(world, gateway, field, status):
    answer, how, sock = refused(world, HEAD + field + b"\r\n\r\n")
    assert answer.split(b" ")[1] == status
    assert gateway.event_of(sock)["threat"] == "header_flood"


def test_an_identical_repeated_content_length_does_not_pass_twice(world, gateway):
    """RFC 9112 section 6.3 lets a recipient take the one value or refuse; both written anew are unambiguous."""
    with Origin(world, 8080) as origin:
        answer = read_response(send(world, HEAD + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc"))
        if answer[0] == 200:
            assert origin.received.lower().count(b"content-length") == 1
        else:
            assert answer[0] == 400 and origin.requests == 0


def test_odd_but_lawful_requests_pass(world, gateway):
    with Origin(world, 8080):
        for data in (
            b"\r\n" + request(),  # an empty line before the request line, RFC 9112 section 2.2
            request(fields=["x-empty:", "x-obs: caf\xe9"]),
            request("PATCH", body=b""),
            request("OPTIONS", "*"),
            request(host="ORIGIN.example.:8080"),
            CHUNKED + b"005\r\nhello\r\n000\r\n\r\n",
            CHUNKED + b"5;name=value;q=\"x;y\"\r\nhello\r\n0\r\n\r\n",
        ):
            assert read_response(send(world, data))[0] == 200, data
