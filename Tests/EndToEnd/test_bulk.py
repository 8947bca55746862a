"""Big bodies up and down, read by sensors, with the gateway's memory flat."""

import hashlib
import os
import threading
import time

import pytest

from gateway import SSN_SENSOR, body_of
from net import ORIGIN, POD, until
from peers import Origin, answer
from test_tls import ca, identities, outside  # noqa: F401
from tlspeers import over_tls

CONFIG = SSN_SENSOR + """
services:
  - {name: myapp.default, mode: protect, sensors: {nir: deny}, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: discover}
"""


class Peak:
    """The most memory seen while a block runs."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.start = self.most = gateway.resident()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self.done.wait(0.05):
            self.most = max(self.most, self.gateway.resident())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    @property
    def growth(self):
        return self.most - self.start


@pytest.fixture(scope="module")
def gateway(shared, outside):  # noqa: F811
    return shared(CONFIG + f'tls: {{trust: "{outside.certificate}"}}\n')


@pytest.fixture(params=[64, pytest.param(1024, marks=pytest.mark.long)], ids=["64 MiB", "1 GiB"])
def big(request, nginx):
    """A sparse file of zeros costs no disk and travels like any other."""
    path = os.path.join(nginx.root, f"big{request.param}")
    with open(path, "wb") as file:
        file.truncate(request.param << 20)
    yield path, request.param << 20
    os.unlink(path)


@pytest.mark.parametrize("source", [POD, "10.244.0.9"])
def test_download(world, gateway, resolver, big, source):
    path, size = big
    with Peak(gateway) as peak:
        asked = world.run("pods", [
            "curl", "-sS", "--interface", source, "-o", "/dev/null", "-w", "%{http_code} %{size_download}",
            f"http://origin.example/{os.path.basename(path)}"], timeout=180)
    assert asked.stdout == f"200 {size}", asked.stderr
    assert peak.growth < 16_000, f"resident memory grew by {peak.growth} KiB"


def swallow(conversation):
    """Reads one whole body of any size, and says how long it was."""
    head, _, rest = conversation.read_until(b"\r\n\r\n") and conversation.received.partition(b"\r\n\r\n")
    got, chunked = len(rest), b"transfer-encoding: chunked" in head.lower()
    length = None if chunked else int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    if b"100-continue" in head:
        conversation.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    last = rest
    while not last.endswith(b"0\r\n\r\n") if chunked else got < length:
        data = conversation.socket.recv(1 << 20)
        if not data:
            return
        got += len(data)
        last = (last + data)[-64:]
    conversation.send(answer(b"%d" % got))
    conversation.read()


@pytest.mark.parametrize("coding", ["length", "chunked"])
@pytest.mark.parametrize("source", [POD, "10.244.0.9"])
def test_upload(world, gateway, resolver, big, source, coding):
    path, size = big
    chunked = ["-H", "transfer-encoding: chunked"] if coding == "chunked" else []
    with Peak(gateway) as peak, Origin(world, 8080, handler=swallow, timeout=120):
        asked = world.run("pods", [
            "curl", "-sS", "--interface", source, "-T", path, *chunked, "-w", " %{http_code} %{size_upload}",
            "http://origin.example:8080/upload"], timeout=180)
    received, status, _ = asked.stdout.split()
    assert status == "200", asked.stderr
    assert int(received) == size if coding == "length" else int(received) > size
    assert peak.growth < 16_000, f"resident memory grew by {peak.growth} KiB"


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("source", [POD, "10.244.0.9"])
def test_up_over_tls(world, gateway, resolver, big, outside, identities, source, version):  # noqa: F811
    path, size = big
    server = over_tls(outside.server(identities["origin.example"]), swallow)
    with Peak(gateway) as peak, Origin(world, 8443, handler=server, timeout=120):
        asked = world.run("pods", [
            "curl", "-sS", version, "--cacert", ca(gateway), "--interface", source, "-T", path, "-w", " %{http_code}",
            "https://origin.example:8443/upload"], timeout=180)
    received, status = asked.stdout.split()
    assert status == "200", asked.stderr
    assert int(received) == size
    assert peak.growth < 16_000, f"resident memory grew by {peak.growth} KiB"


@pytest.fixture
def nghttpd(world, nginx, outside, identities):  # noqa: F811
    """A server of HTTP/2 alone, which answers when it has all of a request, with a file."""
    stem = identities["origin.example"]
    server = world.start("outside", ["nghttpd", "-d", nginx.root, "443", stem + ".key", stem + ".pem"])
    until(lambda: world.run("outside", "ss -ltn | grep -q :443").returncode == 0, what="nghttpd")
    yield server
    server.terminate()
    server.wait()


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("source", [POD, "10.244.0.9"])
def test_http2_on_both_sides(world, gateway, resolver, big, nghttpd, source, direction):
    path, size = big
    url = "https://origin.example/" + (os.path.basename(path) if direction == "down" else "1k")
    with Peak(gateway) as peak:
        asked = world.run("pods", [
            "curl", "-sS", "--http2", "--cacert", ca(gateway), "--interface", source, "-o", "/dev/null",
            *(["-T", path] if direction == "up" else []), "-w", "%{http_code} %{http_version} %{size_download} %{size_upload}", url],
            timeout=180)
    status, version, down, up = asked.stdout.split()
    assert (status, version) == ("200", "2") and int(down if direction == "down" else up) == size, asked.stdout
    assert peak.growth < 16_000, f"resident memory grew by {peak.growth} KiB"


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_down_over_tls(world, gateway, resolver, big, outside, identities, version):  # noqa: F811
    _, size = big

    def pour(conversation):
        conversation.read_request()
        conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        block = bytes(1 << 20)
        for _ in range(size >> 20):
            conversation.socket.sendall(block)

    server = over_tls(outside.server(identities["origin.example"]), pour)
    with Peak(gateway) as peak, Origin(world, 8443, handler=server, timeout=120):
        asked = world.run("pods", [
            "curl", "-sS", version, "--cacert", ca(gateway), "-o", "/dev/null", "-w", "%{http_code} %{size_download}",
            "https://origin.example:8443/"], timeout=180)
    assert asked.stdout == f"200 {size}", asked.stderr
    assert peak.growth < 16_000, f"resident memory grew by {peak.growth} KiB"


def test_a_slow_reader_costs_no_memory(world, gateway, resolver, big):
    path, size = big
    with Peak(gateway) as peak:
        slow = world.connect(ORIGIN, 80)
        slow.sendall(b"GET /%s HTTP/1.1\r\nhost: origin.example\r\n\r\n" % os.path.basename(path).encode())
        assert body_of(world.curl("http://origin.example/1k", "-o", "/dev/null"))[0] == 200
        for _ in range(20):
            slow.recv(1000)
            time.sleep(0.05)
        slow.close()
    assert peak.growth < 16_000


def test_what_arrives_is_what_was_sent(world, gateway, resolver, nginx, tmp_path):
    data = os.urandom(7_654_321)
    nginx.put("random", data)
    target = tmp_path / "got"
    world.curl("-o", str(target), "http://origin.example/random")
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(data).digest()
