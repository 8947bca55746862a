"""Real clients against real servers: curl, wrk, Python, git, apt and pip, each through the gateway."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

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
    source, bare = tmp_path / "source", os.path.join(nginx.root, "repo.git")
    environment = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b.c",
                       GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@b.c")

    def git(*words, where=source):
        subprocess.run(["git", *words], cwd=where, check=True, capture_output=True, env=environment)
    source.mkdir()
    git("init", "-q", "-b", "main")
    for index in range(30):
        (source / f"file{index}").write_bytes(os.urandom(20_000))
        git("add", ".")
        git("commit", "-q", "-m", f"number {index}")
    shutil.rmtree(bare, ignore_errors=True)
    git("clone", "-q", "--bare", str(source), bare, where=tmp_path)
    git("update-server-info", where=bare)
    done = world.run("pods", ["git", "clone", "-q", "http://origin.example/repo.git", str(tmp_path / "clone")],
                     timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clone" / "file29").read_bytes() == (source / "file29").read_bytes()
    clean(gateway)


def test_pip(world, gateway, resolver, nginx, tmp_path):
    name = "weirwheel-1.0-py3-none-any.whl"
    wheel = tmp_path / name
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("weirwheel.py", "VALUE = 42\n")
        archive.writestr("weirwheel-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: weirwheel\nVersion: 1.0\n")
        archive.writestr("weirwheel-1.0.dist-info/WHEEL",
                         "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("weirwheel-1.0.dist-info/RECORD", "")
    nginx.put(f"simple/weirwheel/{name}", wheel.read_bytes())
    nginx.put("simple/weirwheel/index.html", f'<html><body><a href="{name}">{name}</a></body></html>'.encode())
    done = world.run("pods", [
        sys.executable, "-m", "pip", "--isolated", "install", "-q", "--disable-pip-version-check", "--no-deps",
        "--no-cache-dir", "--index-url", "http://origin.example/simple/", "--trusted-host", "origin.example",
        "--target", str(tmp_path / "site"), "weirwheel"], timeout=60,
        env={k: v for k, v in os.environ.items() if not k.lower().startswith(("pip_", "http", "all_proxy"))})
    if "No module named pip" in done.stderr:
        pytest.skip("pip is not installed")
    assert done.returncode == 0, done.stderr
    assert "42" in (tmp_path / "site" / "weirwheel.py").read_text()
    clean(gateway)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None or shutil.which("apt-get") is None, reason="not a Debian")
def test_apt(world, gateway, resolver, nginx, tmp_path):
    package = tmp_path / "package"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN/control").write_text(
        "Package: weir-hello\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: hello\n")
    (package / "usr/share/weir-hello").mkdir(parents=True)
    (package / "usr/share/weir-hello/data").write_bytes(os.urandom(500_000))
    deb = tmp_path / "weir-hello_1.0_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", package, deb], check=True, capture_output=True)
    data = deb.read_bytes()
    nginx.put("debian/weir-hello_1.0_all.deb", data)
    nginx.put("debian/Packages", (
        "Package: weir-hello\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: hello\n"
        f"Filename: ./weir-hello_1.0_all.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n").encode())
    state = tmp_path / "apt"
    for folder in ("lists/partial", "archives/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d"):
        (state / folder).mkdir(parents=True)
    (state / "status").write_text("")
    (state / "sources.list").write_text("deb [trusted=yes] http://origin.example/debian ./\n")
    (state / "apt.conf").write_text(
        f'Dir::State "{state}"; Dir::State::status "{state}/status"; Dir::State::lists "{state}/lists";\n'
        f'Dir::Cache "{state}"; Dir::Etc "{state}/etc"; Dir::Etc::sourcelist "{state}/sources.list";\n'
        f'Dir::Etc::sourceparts "-"; APT::Sandbox::User ""; Acquire::Languages "none";\n')
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment["APT_CONFIG"] = str(state / "apt.conf")
    for words in (["update"], ["download", "weir-hello"]):
        done = world.run("pods", ["apt-get", *words], timeout=60, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.glob("weir-hello_1.0*.deb"))[0].read_bytes() == data
    clean(gateway)


def test_each_of_them_was_recorded(world, gateway, resolver, nginx):
    paths = {s.get("path") for s in gateway.lines("sessions")}
    assert "/1k" in paths
    assert all(s["client"].startswith(POD + ":") for s in gateway.lines("sessions"))
