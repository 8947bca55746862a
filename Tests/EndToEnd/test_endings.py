"""Exchanges that end in the middle of something: nothing leaks, nothing crashes, nothing grows."""

import re
import socket
import struct
import time
import zlib

import pytest

from gateway import SSN_SENSOR
from net import POD_DH157, POD_OTHER, PLAIN
from peers import Origin
from wire import read_all, read_response, request, send

NUMBER = b"295109912611193"
CONFIG = SSN_SENSOR + r"""
  - name: heads
    rules:
      - {name: word, patterns: [{regex: 'HEADSECRET', context: [header]}]}
  - name: both-ways
    direction: both
    rules:
      - {name: word, patterns: [{regex: 'TOPSECRET-\d{4}', context: [body]}]}
services:
  - name: myapp.default
    mode: protect
    sensors: {nir: deny, both-ways: deny}
    rules: [{to: any, action: allow}]
  - name: dh157.default
    mode: protect
    sensors: {nir: redact}
    rules: [{to: any, action: allow}]
  - name: other.default
    mode: protect
    sensors: {heads: deny}
    rules: [{to: "origin.example", action: allow}]
"""


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(CONFIG)


def alive(gateway):
    assert gateway.process.poll() is None, gateway.log()[-2000:]


def test_redact_streamed(world, gateway):
    body = b"a" * 200_000 + b" " + NUMBER + b" " + b"b" * 100_000
    head = request("POST", body=body)[:-len(body)]
    with Origin(world, 8080) as origin:
        sock = send(world, b"", pieces=[head + body[:150_000], body[150_000:]], pause=0.3, source=POD_DH157)
        assert read_response(sock)[0] == 200
        assert NUMBER not in origin.received
        assert origin.received.split(b"\r\n\r\n", 1)[1] == body.replace(NUMBER, b"*" * 15)


def test_unasked(world, gateway, resolver):
    resolver.names["x.attacker.example"] = [PLAIN]
    sock = send(world, request(host="x.attacker.example"), address=PLAIN, port=80, source=POD_OTHER)
    assert read_response(sock)[0] == 403
    assert not [q for q in resolver.questions if "attacker" in q[0]]


def test_trailer_header_sensor(world, gateway):
    with Origin(world, 8080) as origin:
        data = request("POST", host="origin.example", fields=["transfer-encoding: chunked"])
        data += b"3\r\nabc\r\n0\r\nX-T: HEADSECRET\r\n\r\n"
        sock = send(world, data, source=POD_OTHER)
        assert read_response(sock)[0] == 403
        time.sleep(0.2)
        assert b"HEADSECRET" not in origin.received


def test_origin_resets_midway(world, gateway):
    def handler(c):
        n = 0
        while n < 100_000:
            d = c.socket.recv(65536)
            if not d:
                return
            n += len(d)
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    body = b"2951099126111 " * 150_000
    with Origin(world, 8080, handler=handler):
        for _ in range(40):
            sock = send(world, request("POST", body=body), timeout=5)
            read_all(sock)
            sock.close()
    alive(gateway)
    assert gateway.admin("/readyz")[0] == 200


def test_client_resets_midway(world, gateway):
    def handler(c):
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\n\r\n")
        for _ in range(300):
            c.socket.sendall(b"TOPSECRET-123 " * 5000)
    with Origin(world, 8080, handler=handler):
        for i in range(40):
            sock = send(world, request())
            sock.recv(100_000)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
    time.sleep(0.3)
    alive(gateway)


def rss(gateway):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{gateway.process.pid}/status").read())[1])


def test_pipelined_denies(world, gateway):
    before = rss(gateway)
    sock = send(world, b"", source=POD_OTHER, timeout=3)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one = request(host="nowhere.example") * 500
    try:
        for _ in range(600):
            sock.sendall(one)
    except OSError:
        pass
    grown = rss(gateway) - before
    sock.close()
    assert grown < 30_000, grown


def test_empty_blocks(world, gateway):
    c = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = c.compress(b"a" * 100 + b" 2951099126111") + c.flush(zlib.Z_SYNC_FLUSH)
    blocks = b"\0\0\0\xff\xff" * 200_000
    before = rss(gateway)
    with Origin(world, 8080):
        sock = send(world, request("POST", fields=["content-encoding: gzip", "content-length: 500000000"]) + start, timeout=5)
        try:
            for _ in range(40):
                sock.sendall(blocks)
        except OSError:
            pass
        grown = rss(gateway) - before
        data, _ = read_all(sock)
    assert grown < 20_000, (data[:300], grown)


def test_late_bytes(world, gateway):
    with Origin(world, 8080, handler=lambda c: (c.read(), c.send(b"hi\n"))):
        sock = send(world, b"", source=POD_DH157, timeout=4)
        time.sleep(0.6)
        sock.sendall(b"\x00\x01")
        assert sock.recv(100) == b"hi\n"


def test_a_client_that_connects_early_may_still_name_what_is_allowed(world, gateway):
    with Origin(world, 8080):
        sock = send(world, b"", source=POD_OTHER)
        time.sleep(1)
        sock.sendall(request())
        assert read_response(sock)[0] == 200
