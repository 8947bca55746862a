"""Real clients against real servers: curl, wrk, Python, git, apt and pip, each through the gateway."""

import os
import re
import shutil
import sys

import pytest

import published
from gateway import SSN_SENSOR, body_of
from net import POD, until

CONFIG = SSN_SENSOR + """
services:
  - name: myapp.default
    mode: protect
    sensors: {nir: deny, credit-card: deny, ssn-us: alert}
    rules: [{to: origin.example, ports: [80], applications: [HTTP], action: allow}]
"""


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(CONFIG)


def clean(gateway):
    """No request was denied and nothing was found that is not there."""
    assert [s for s in gateway.lines("sessions") if s["application"] == "HTTP" and s["action"] != "allow"] == []


def test_curl(world, gateway, resolver, nginx):
    for words in (["-I"], ["--http1.0"], ["-H", "expect: 100-continue", "-d", "x" * 5000],
                  ["--compressed"], ["-r", "10-20"], ["-F", "file=@/etc/hostname"], ["-X", "OPTIONS"]):
        status, _ = body_of(world.curl(*words, "http://origin.example/" + ("sink" if "-F" in words or "-d" in words else "1k")))
        assert status in (200, 206, 405), words
    clean(gateway)


def test_wrk(world, gateway, resolver, nginx):
    done = world.run("pods", ["wrk", "-t1", "-c32", "-d3s", "http://origin.example/1k"], timeout=20)
    assert "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
    total = int(re.search(r"(\d+) requests in", done.stdout).group(1))
    assert total > 100
    until(lambda: gateway.count(b'"/1k"') >= total, timeout=10, what=f"records of {total} requests")
    clean(gateway)


@pytest.mark.parametrize("module", ["urllib", "requests"])
def test_python(world, gateway, resolver, nginx, module):
    if module == "requests":
        pytest.importorskip("requests")
        script = """
import requests
with requests.Session() as session:
    for i in range(20):
        assert session.get('http://origin.example/64k').content == b'0123456789abcdef' * 4096
    assert session.post('http://origin.example/sink', json={'a': list(range(1000))}).text == 'collected\\n'
    assert session.post('http://origin.example/sink', data=(b'x' * 1000 for _ in range(100))).status_code == 200
    assert session.head('http://origin.example/1k').headers['content-length'] == '1024'
"""
    else:
        script = """
import urllib.request
assert len(urllib.request.urlopen('http://origin.example/64k').read()) == 65536
assert urllib.request.urlopen('http://origin.example/sink', data=b'a' * 100000).read() == b'collected\\n'
"""
    done = world.run("pods", [sys.executable, "-c", script], timeout=30)
    assert done.returncode == 0, done.stderr
    clean(gateway)


def test_git(world, gateway, resolver, nginx, tmp_path):
    source, clone = published.repository(nginx.root, tmp_path), tmp_path / "clone"
    done = world.run("pods", ["git", "clone", "-q", "http://origin.example/repo.git", str(clone)], env=published.ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    with open(os.path.join(source, "file29"), "rb") as file:
        assert (clone / "file29").read_bytes() == file.read()
    clean(gateway)


def test_pip(world, gateway, resolver, nginx, tmp_path):
    published.wheel(nginx.root)
    words = published.pip("http://origin.example/simple/", tmp_path / "site")
    done = world.run("pods", [*words, "--trusted-host", "origin.example"], env=published.ENVIRONMENT)
    if "No module named pip" in done.stderr:
        pytest.skip("pip is not installed")
    assert done.returncode == 0, done.stderr
    assert "42" in (tmp_path / "site" / "weirwheel.py").read_text()
    clean(gateway)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None or shutil.which("apt-get") is None, reason="not a Debian")
def test_apt(world, gateway, resolver, nginx, tmp_path):
    data = published.archive(nginx.root, tmp_path)
    environment = published.apt("http://origin.example/debian", tmp_path)
    for words in (["update"], ["download", "weir-hello"]):
        done = world.run("pods", ["apt-get", *words], env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.glob("weir-hello_1.0*.deb"))[0].read_bytes() == data
    clean(gateway)


def test_each_of_them_was_recorded(world, gateway, resolver, nginx):
    paths = {s.get("path") for s in gateway.lines("sessions")}
    assert "/1k" in paths
    assert all(s["client"].startswith(POD + ":") for s in gateway.lines("sessions"))
