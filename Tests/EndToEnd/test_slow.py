"""Peers that are slow, silent or too many: each is cut by its own deadline, and nobody else notices."""

import socket
import threading
import time

import pytest

from net import until
from peers import Origin, answer
from wire import read_all, read_response, request, send, write

CONFIG = """
services: [{name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}]
limits:
  head_timeout: 1s
  body_grace: 1s
  body_min_rate: 1KiB
  idle_timeout: 1500ms
  tunnel_idle_timeout: 2s
  response_timeout: 2s
  write_timeout: 2s
  connect_timeout: 1s
  linger_timeout: 1s
  connections_per_client: 64
  detect_timeout: 300ms
"""


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(CONFIG)


def ends_within(sock, low, high):
    start = time.monotonic()
    sock.settimeout(high + 2)
    data, how = read_all(sock)
    took = time.monotonic() - start
    assert how != "timeout"
    assert low <= took <= high, f"ended after {took:.1f} s"
    return data


def test_a_slow_head_is_cut(world, gateway):
    """Slowloris: a byte now and then does not extend the deadline of the head."""
    with Origin(world, 8080) as origin:
        sock = send(world, b"GET / HTTP/1.1\r\nhost: origin.example:8080\r\n")
        threading.Thread(target=write, args=(sock, [b"x-a: b\r\n"] * 40, 0.1), daemon=True).start()
        data = ends_within(sock, 0.5, 3)
        assert data == b"" or data.startswith(b"HTTP/1.1 408")
        assert origin.conversations == []
    assert gateway.event_of(sock)["threat"] == "slow_request"


def test_a_slow_body_is_cut(world, gateway):
    with Origin(world, 8080) as origin:
        sock = send(world, request("POST", fields=["content-length: 100000"]))
        threading.Thread(target=write, args=(sock, [b"x"] * 80, 0.1), daemon=True).start()
        ends_within(sock, 0.5, 6)
        until(lambda: not origin.conversations or origin.conversations[0].ended or origin.conversations[0].reset)
        assert origin.requests == 0
    assert gateway.event_of(sock)["threat"] == "slow_request"


def test_a_slow_chunked_body_is_cut(world, gateway):
    with Origin(world, 8080) as origin:
        sock = send(world, request("POST", fields=["transfer-encoding: chunked"]))
        threading.Thread(target=write, args=(sock, [b"1\r\nx\r\n"] * 80, 0.1), daemon=True).start()
        ends_within(sock, 0.5, 6)
        assert origin.requests == 0


def test_an_idle_connection_is_closed_in_order(world, gateway):
    with Origin(world, 8080):
        sock = send(world, request())
        assert read_response(sock)[0] == 200
        assert ends_within(sock, 0.5, 4) == b""


def test_a_tunnel_on_which_nothing_moves_is_closed(world, gateway):
    with Origin(world, 8080, handler=lambda c: c.read()):
        ends_within(send(world, b""), 1, 8)


def test_an_origin_that_never_answers_is_a_504(world, gateway):
    with Origin(world, 8080, handler=lambda c: (c.read_request(), time.sleep(10))):
        assert read_response(send(world, request()))[0] == 504


def test_an_address_that_drops_packets_is_a_504(world, gateway):
    hole = "table ip hole { chain input { type filter hook input priority 0; tcp dport 8081 drop; }; }"
    world.run("outside", ["nft", hole], check=True)
    try:
        start = time.monotonic()
        assert read_response(send(world, request(host="origin.example:8081"), port=8081))[0] in (502, 504)
        assert time.monotonic() - start < 5
    finally:
        world.run("outside", ["nft", "delete table ip hole"])


def test_a_client_that_does_not_read_is_cut(world, gateway):
    def handler(conversation):
        conversation.read_request()
        conversation.send(answer(b"z" * 50_000_000))
    with Origin(world, 8080, handler=handler) as origin:
        with world.inside("pods"):
            sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(15)
        sock.bind(("10.244.0.17", 0))
        sock.connect((origin.address, 8080))
        sock.sendall(request())
        until(lambda: origin.conversations and origin.conversations[0].reset, timeout=10, what="the origin let go")
        sock.close()


def test_one_client_may_not_take_every_connection(world, gateway):
    with Origin(world, 8080, handler=lambda c: c.read()):
        socks = []
        try:
            for _ in range(90):
                try:
                    sock = send(world, b"GET ", timeout=2, source="10.244.0.30")
                except OSError:
                    continue
                socks.append(sock)
            time.sleep(0.3)
            open_now = 0
            for sock in socks:
                sock.settimeout(0.01)
                try:
                    if sock.recv(1):
                        open_now += 1
                except TimeoutError:
                    open_now += 1
                except OSError:
                    pass
            assert open_now <= 64
        finally:
            for sock in socks:
                sock.close()
    with Origin(world, 8080):
        assert read_response(send(world, request()))[0] == 200, "another client is served"


def test_nobody_else_waits(world, gateway):
    """While slow heads are open, a brisk client is served at once."""
    with Origin(world, 8080):
        slow = [send(world, b"GET / HT", source="10.244.0.30") for _ in range(40)]
        start = time.monotonic()
        for _ in range(50):
            assert read_response(send(world, request()))[0] == 200
        assert time.monotonic() - start < 3
        for sock in slow:
            sock.close()


def test_the_counts_come_back_to_nothing(world, gateway):
    until(lambda: gateway.metric("weir_connections") <= 64 + 2, timeout=10, what="idle connections to close")
    before = gateway.descriptors()
    with Origin(world, 8080):
        for _ in range(100):
            sock = send(world, request(fields=["connection: close"]))
            read_all(sock)
            sock.close()
    until(lambda: gateway.descriptors() <= before + 8, timeout=5, what="descriptors to be given back")
