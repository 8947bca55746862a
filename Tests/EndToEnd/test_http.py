"""HTTP/1.1 as RFC 9110 and 9112 have it, both sides real sockets, the origin keeping every byte."""

import socket
import threading
import time

import pytest

from net import ORIGIN, until
from peers import Origin, answer, unchunk
from wire import read_all, read_response, request, send, write

ALLOW = "services: [{name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}]\n"


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(ALLOW)


def test_the_request_is_written_anew_and_nothing_is_added(world, origin):
    fields = ["User-Agent: x", "X-Odd:  spaced \t", "Accept: */*", "x-twice: a", "x-twice: b"]
    read_response(send(world, request(path="/a%20b?c=d&e", fields=fields)))
    lines = origin.received.split(b"\r\n\r\n")[0].split(b"\r\n")
    assert lines[0] == b"GET /a%20b?c=d&e HTTP/1.1"
    sent = [tuple(part.strip() for part in line.split(b":", 1)) for line in lines[1:]]
    assert [(name.lower(), value) for name, value in sent] == [
        (b"host", b"origin.example:8080"), (b"user-agent", b"x"), (b"x-odd", b"spaced"), (b"accept", b"*/*"),
        (b"x-twice", b"a"), (b"x-twice", b"b")]


def test_hop_by_hop_fields_stay_on_their_hop(world, origin):
    fields = ["Connection: close, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "TE: trailers", "Proxy-Connection: x",
              "Proxy-Authorization: Basic eA==", "Upgrade: h2c", "HTTP2-Settings: AAA", "X-End: 2"]
    read_all(send(world, request(fields=fields)))
    head = origin.received.lower()
    assert b"x-end: 2" in head
    for name in (b"x-hop", b"keep-alive:", b"proxy-connection", b"proxy-authorization", b"upgrade", b"http2-settings"):
        assert name not in head


def test_absolute_form_is_judged_and_sent_in_origin_form(world, origin):
    sock = send(world, b"GET http://origin.example:8080/x HTTP/1.1\r\nhost: origin.example:8080\r\n\r\n")
    assert read_response(sock)[0] == 200
    assert origin.received.startswith(b"GET /x HTTP/1.1\r\n")


def test_a_kept_connection_carries_many_requests(world, origin):
    sock = send(world, b"")
    for index in range(50):
        sock.sendall(request(path=f"/{index}"))
        assert read_response(sock)[0] == 200
    assert origin.requests == 50
    assert len(origin.conversations) == 1, "the connection to the origin is reused"


def test_pipelined_requests_are_answered_in_order(world, gateway):
    def echo(conversation):
        while got := conversation.read_request():
            conversation.send(answer(got[0].split()[1] + got[1]))
    with Origin(world, 8080, handler=echo):
        parts = [request("POST" if i % 3 == 0 else "GET", f"/{i}", body=b"b" * i if i % 3 == 0 else None)
                 for i in range(40)]
        sock, rest = send(world, b"".join(parts)), b""
        for i in range(40):
            status, _, body, rest = read_response(sock, rest)
            assert (status, body) == (200, b"/%d" % i + (b"b" * i if i % 3 == 0 else b""))


def test_pipelined_requests_cut_anywhere(world, gateway):
    def echo(conversation):
        while got := conversation.read_request():
            conversation.send(answer(got[0].split()[1]))
    data = request(path="/first", body=b"12345", method="PUT") + request(path="/second")
    with Origin(world, 8080, handler=echo):
        for cut in range(1, len(data), 3):
            sock = send(world, b"", pieces=[data[:cut], data[cut:]], pause=0.002)
            status, _, body, rest = read_response(sock)
            assert (status, body) == (200, b"/first")
            assert read_response(sock, rest)[2] == b"/second"
            sock.close()


@pytest.mark.parametrize("chunks", [[b"hello"], [b"a"] * 30, [b"x" * 70000, b"y"]])
def test_chunked_requests_with_trailers(world, origin, chunks):
    body = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\nX-Sum: 1\r\n\r\n"
    head = request("POST", fields=["transfer-encoding: chunked", "trailer: x-sum"])
    assert read_response(send(world, head + body))[0] == 200
    head, _, rest = origin.received.partition(b"\r\n\r\n")
    payload = unchunk(rest) if b"chunked" in head.lower() else rest
    assert payload == b"".join(chunks)
    assert b";ext" not in rest, "chunk extensions end at this hop"


def test_a_chunked_response_with_trailers(world, gateway):
    def handler(conversation):
        conversation.read_request()
        conversation.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n")
        for _ in range(5):
            conversation.send(b"3\r\nabc\r\n")
            time.sleep(0.02)
        conversation.send(b"0\r\nx-sum: 9\r\n\r\n")
        conversation.read()
    with Origin(world, 8080, handler=handler):
        sock = send(world, request(fields=["te: trailers"]))
        assert read_response(sock)[2] == b"abc" * 5


@pytest.mark.parametrize("method,response,status", [
    ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", 200),
    ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204),
    ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 55\r\netag: \"x\"\r\n\r\n", 304),
    ("HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 200),
])
def test_responses_without_a_body(world, gateway, method, response, status):
    def handler(conversation):
        while got := conversation.read_request():
            conversation.send(answer(b"next") if got[0].startswith(b"GET /next") else response)
    with Origin(world, 8080, handler=handler):
        sock = send(world, request(method))
        got, fields, _, rest = read_response(sock, head_only=True)
        assert got == status and rest == b""
        if b"content-length" in response:
            assert fields["content-length"] in response.decode()
        sock.sendall(request(path="/next"))
        assert read_response(sock, rest)[2] == b"next"


def test_expect_is_relayed_when_nothing_is_held(world, gateway):
    def handler(conversation):
        conversation.answers_expect = False
        conversation.read_until(b"\r\n\r\n")
        time.sleep(0.2)
        assert conversation.received.endswith(b"\r\n\r\n"), "the body came before its 100"
        conversation.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        conversation.read_until(b"body!")
        conversation.send(answer(b"got it"))
        conversation.read()
    with Origin(world, 8080, handler=handler) as origin:
        sock = send(world, request("POST", fields=["expect: 100-continue", "content-length: 5"]))
        assert read_response(sock)[0] == 100
        sock.sendall(b"body!")
        assert read_response(sock)[2] == b"got it"
        assert b"100-continue" in origin.received


def test_a_refusal_instead_of_100_reaches_the_client(world, gateway):
    def handler(conversation):
        conversation.answers_expect = False
        conversation.read_until(b"\r\n\r\n")
        conversation.send(b"HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    with Origin(world, 8080, handler=handler):
        sock = send(world, request("POST", fields=["expect: 100-continue", "content-length: 5"]))
        assert read_response(sock)[0] == 417


def test_other_interim_responses_pass(world, gateway):
    def handler(conversation):
        conversation.read_request()
        conversation.send(b"HTTP/1.1 103 Early Hints\r\nlink: </s.css>; rel=preload\r\n\r\n")
        conversation.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        conversation.send(answer(b"final"))
        conversation.read()
    with Origin(world, 8080, handler=handler):
        sock, rest, seen = send(world, request()), b"", []
        while True:
            status, _, body, rest = read_response(sock, rest)
            seen.append(status)
            if status >= 200:
                break
        assert seen[-1] == 200 and body == b"final" and 103 in seen


def test_http_1_0_closes_and_keeps(world, origin):
    data, how = read_all(send(world, request(version="1.0")))
    assert data.startswith(b"HTTP/1.") and data.endswith(b"ok\n") and how == "end"
    sock = send(world, request(version="1.0", fields=["connection: keep-alive"]))
    status, fields, _, _ = read_response(sock)
    assert status == 200
    if fields.get("connection", "").lower() == "keep-alive":
        sock.sendall(request(version="1.0"))
        assert read_response(sock)[0] == 200


def test_a_1_0_client_gets_no_chunks(world, gateway):
    def handler(conversation):
        conversation.read_request()
        conversation.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        conversation.read()
    with Origin(world, 8080, handler=handler):
        data, how = read_all(send(world, request(version="1.0")))
        head, _, body = data.partition(b"\r\n\r\n")
        assert b"chunked" not in head.lower() and body == b"hello" and how == "end"


def test_a_response_delimited_by_the_end(world, gateway):
    def handler(conversation):
        conversation.read_request()
        conversation.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"z" * 100000)
    with Origin(world, 8080, handler=handler):
        status, _, body, _ = read_response(send(world, request(fields=["connection: close"])))
        assert (status, body) == (200, b"z" * 100000)


def test_a_truncated_response_is_not_passed_as_whole(world, gateway):
    def handler(conversation):
        conversation.read_request()
        conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this")
    with Origin(world, 8080, handler=handler):
        data, how = read_all(send(world, request()))
        assert data.endswith(b"only this") or how == "reset"
        assert how in ("end", "reset")


def test_an_early_response_reaches_the_client_while_it_is_sending(world, gateway):
    def handler(conversation):
        conversation.read_until(b"\r\n\r\n")
        conversation.send(answer(b"too big", b"413 Content Too Large", b"connection: close\r\n"))
        time.sleep(1)
    with Origin(world, 8080, handler=handler):
        sock = send(world, request("POST", fields=["content-length: 50000000"]))
        sender = threading.Thread(target=write, args=(sock, [b"x" * 65536] * 700), daemon=True)
        sender.start()
        status, _, body, _ = read_response(sock)
        assert (status, body) == (413, b"too big")
        sock.close()
        sender.join(5)


def test_an_upgrade_becomes_a_tunnel(world, gateway):
    def handler(conversation):
        conversation.read_until(b"\r\n\r\n")
        conversation.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\nhello ")
        while data := conversation.read():
            conversation.send(data.upper())
    with Origin(world, 8080, handler=handler) as origin:
        sock = send(world, request(fields=["connection: upgrade", "upgrade: echo"]))
        status, fields, _, rest = read_response(sock)
        assert status == 101 and fields["upgrade"] == "echo"
        sock.sendall(b"ping")
        while b"PING" not in rest:
            rest += sock.recv(100)
        assert rest == b"hello PING"
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock)[1] in ("end", "reset")
        assert b"upgrade: echo" in origin.received.lower()


def test_h2c_upgrade_is_dropped_and_http_1_goes_on(world, origin):
    fields = ["connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"]
    assert read_response(send(world, request(fields=fields)))[0] == 200
    assert b"h2c" not in origin.received


def test_a_half_closed_client_gets_its_answer(world, gateway):
    def handler(conversation):
        conversation.read_request()
        time.sleep(0.3)
        conversation.send(answer(b"late"))
        conversation.read()
    with Origin(world, 8080, handler=handler):
        data, how = read_all(send(world, request(), end=True))
        assert data.endswith(b"late") and how == "end"


def test_a_stale_pooled_connection_is_retried(world, gateway):
    def handler(conversation):
        conversation.read_request()
        conversation.send(answer(b"one"))
        # Closed without a word while it sits in the pool, right when the next request is on its way.
        if len(origin.conversations) < 4:
            conversation.read_until(b"GET /2")
            conversation.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return
        while conversation.read_request():
            conversation.send(answer(b"again"))
    with Origin(world, 8080, handler=handler) as origin:
        sock = send(world, request(path="/1"))
        assert read_response(sock)[2] == b"one"
        sock.sendall(request(path="/2"))
        assert read_response(sock)[0] == 200, "a GET may be sent once more"


def test_a_post_is_not_sent_twice(world, gateway):
    def handler(conversation):
        if conversation.read_request():
            conversation.send(answer(b"one"))
        conversation.read_request()
        conversation.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with Origin(world, 8080, handler=handler) as origin:
        sock = send(world, request(path="/1"))
        assert read_response(sock)[2] == b"one"
        sock.sendall(request("POST", "/2", body=b"x"))
        assert read_response(sock)[0] == 502
        assert origin.received.count(b"POST /2") == 1


@pytest.mark.parametrize("port", [8999])
def test_an_origin_that_refuses_is_a_502(world, gateway, port):
    sock = send(world, request(host=f"origin.example:{port}"), port=port)
    assert read_response(sock)[0] in (502, 503)


def test_a_name_that_does_not_exist_is_a_502(world, gateway):
    assert read_response(send(world, request(host="nowhere.example:8080")))[0] in (502, 503, 504)


def test_a_response_that_is_not_http_is_a_502(world, gateway):
    def handler(conversation):
        conversation.read_request()
        conversation.send(b"SSH-2.0-nonsense\r\n\r\n\r\n")
    with Origin(world, 8080, handler=handler):
        assert read_response(send(world, request()))[0] == 502


def test_a_response_that_smuggles_is_a_502(world, gateway):
    def handler(conversation):
        conversation.read_request()
        conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 9\r\n\r\nabc")
    with Origin(world, 8080, handler=handler):
        assert read_response(send(world, request()))[0] == 502


def test_a_client_that_leaves_frees_its_origin(world, gateway):
    gone = threading.Event()

    def handler(conversation):
        conversation.read_until(b"\r\n\r\n")
        while conversation.read():
            pass
        gone.set()
    with Origin(world, 8080, handler=handler):
        sock = send(world, request("POST", fields=["content-length: 1000000"]) + b"x" * 100000)
        time.sleep(0.2)
        sock.close()
        assert gone.wait(5)


def test_back_pressure_reaches_the_sender(world, gateway):
    def handler(conversation):
        conversation.read_until(b"\r\n\r\n")
        time.sleep(30)
    with Origin(world, 8080, handler=handler):
        before = gateway.resident()
        sock = send(world, request("POST", fields=["content-length: 500000000"]))
        sock.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 200_000_000:
                sent += sock.send(b"x" * 65536)
        assert sent < 64_000_000
        assert gateway.resident() - before < 16_000
        sock.close()


def test_records_hold_every_exchange_of_a_connection(world, gateway, origin):
    sock, before = send(world, b""), len(gateway.lines("sessions"))
    for index in range(7):
        sock.sendall(request(path=f"/rec{index}"))
        read_response(sock)
    until(lambda: len(gateway.lines("sessions")) >= before + 7, what="seven records")
    last = gateway.lines("sessions")[-7:]
    assert [line["path"] for line in last] == [f"/rec{index}" for index in range(7)]
    assert all(line["destination"] == f"{ORIGIN}:8080" for line in last)
    assert len({line["id"] for line in last}) == 7
