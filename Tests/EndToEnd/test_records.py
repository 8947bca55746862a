"""No record is lost and no torn line trips a reader: a full disk, a kill, rotation, a drain."""

import json
import os
import signal
import subprocess
import threading
import time

import pytest

from gateway import body_of
from net import until
from peers import Origin, answer, echo
from wire import read_all, read_response, request, send

ALLOW = "services: [{name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}]\n"


def ask(world, path="/1k", host="origin.example"):
    return body_of(world.curl(f"http://{host}{path}", "-o", "/dev/null"))[0]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MiB under `records`."""
    folder = tmp_path / "records"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_blocks_new_work_and_loses_nothing(world, small_disk, weir, nginx):
    gateway = weir(ALLOW)
    gateway.stop()
    gateway.place(gateway.text(ALLOW).replace("keep: 8", "keep: 8, queue: 1MiB"))
    gateway.start()
    assert ask(world) == 200
    gateway.sessions(1)
    ballast = small_disk / "ballast"
    with open(ballast, "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)
    before = nginx.log().count("GET /full ")
    nginx.put("full", b"x")
    world.run("pods", ["wrk", "-t1", "-c16", "-d4s", "http://origin.example/full"], timeout=30)
    said = gateway.admin("/metrics")[1]
    assert body_of(world.curl("http://origin.example/full", timeout=1))[0] != 200, f"new work must wait\n{said}\n{gateway.log()}"
    assert gateway.admin("/readyz")[0] == 503
    assert gateway.admin("/healthz")[0] == 200
    assert gateway.metric("weir_records_blocked") == 1
    os.unlink(ballast)
    until(lambda: gateway.admin("/readyz")[0] == 200, timeout=10, what="readyz")
    until(lambda: ask(world) == 200, timeout=10, what="new work")
    assert gateway.metric("weir_records_blocked") == 0
    served = nginx.log().count("GET /full ") - before
    assert served > 100
    time.sleep(0.5)
    assert len(gateway.sessions(served, path="/full", timeout=10)) >= served, "what the origin served is recorded"


def test_kill_9_leaves_no_torn_line(world, weir, nginx):
    gateway = weir(ALLOW)
    for _ in range(5):
        wrk = subprocess.Popen(
            world.command("pods", ["wrk", "-t1", "-c16", "-d2s", "http://origin.example/1k"]),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.7)
        gateway.kill()
        wrk.wait()
        gateway.start()
        assert ask(world, "/after") == 404
    gateway.sessions(5, path="/after")
    table = gateway.command("report", "-c", gateway.path).stdout
    assert "origin.example" in table
    with open(os.path.join(gateway.directory, "records", "sessions.jsonl"), "rb") as file:
        lines = file.read().split(b"\n")
    assert lines[-1] == b""
    whole = [json.loads(line) for line in lines[:-1] if line]
    assert len({line["id"] for line in whole}) == len(whole)


def test_what_was_answered_is_on_disk_soon(world, weir, nginx):
    gateway = weir(ALLOW)
    assert ask(world) == 200
    gateway.sessions(1, timeout=1)
    gateway.kill()
    assert len(gateway.lines("sessions")) == 1


def test_usr1_reopens_what_logrotate_moved(world, weir, nginx):
    gateway = weir(ALLOW)
    ask(world, "/before")
    gateway.sessions(path="/before")
    path = os.path.join(gateway.directory, "records", "sessions.jsonl")
    os.rename(path, path + ".moved")
    gateway.process.send_signal(signal.SIGUSR1)
    until(lambda: os.path.exists(path), what="a new file")
    ask(world, "/after")
    gateway.sessions(path="/after")
    with open(path + ".moved") as file:
        assert [json.loads(line)["path"] for line in file] == ["/before"]


def test_files_rotate_and_old_ones_go(world, weir, nginx):
    gateway = weir(ALLOW)
    gateway.place(gateway.text(ALLOW).replace("rotate: 256MiB, keep: 8", "rotate: 64KiB, keep: 3"))
    gateway.stop()
    gateway.start()
    world.run("pods", ["wrk", "-t1", "-c8", "-d2s", "http://origin.example/1k"])
    folder = os.path.join(gateway.directory, "records")
    time.sleep(0.5)
    files = [name for name in os.listdir(folder) if name.startswith("sessions")]
    assert 2 <= len(files) <= 4
    for name in files:
        with open(os.path.join(folder, name)) as file:
            for line in file:
                json.loads(line)
        assert os.path.getsize(os.path.join(folder, name)) < 256 * 1024


def test_term_drains(world, weir):
    gateway = weir(ALLOW)
    go = threading.Event()

    def handler(conversation):
        while conversation.read_request():
            conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")
            go.wait(10)
            conversation.send(b"67890")
    with Origin(world, 8080, handler=handler):
        busy, idle = send(world, request()), send(world, b"")
        time.sleep(0.3)
        gateway.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises((OSError, AssertionError)):
            sock = send(world, request(), timeout=1)
            assert sock.recv(100), "new connections are refused"
        go.set()
        assert read_response(busy)[2] == b"1234567890"
        assert read_all(idle)[1] in ("end", "reset")
        assert gateway.process.wait(10) == 0
    assert len(gateway.lines("sessions")) >= 1


def test_term_does_not_wait_for_ever(world, weir):
    gateway = weir(ALLOW + "limits: {drain_timeout: 1s}\n")
    with Origin(world, 8080, handler=lambda c: (c.read_request(), time.sleep(20))):
        send(world, request())
        time.sleep(0.2)
        start = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(10) == 0
        assert time.monotonic() - start < 5


def test_a_record_tells_time_and_bytes_and_not_the_query(world, weir):
    gateway = weir(ALLOW)
    with Origin(world, 8080, handler=lambda c: (c.read_request(), time.sleep(0.3), c.send(answer()), c.read())):
        read_response(send(world, request("POST", "/p?token=secret-in-the-query", body=b"123")))
    session = gateway.sessions(path="/p")[0]
    assert session["kind"] == "session"
    assert session["duration_us"] >= 300_000
    assert session["bytes_out"] >= 3
    assert session["time"].endswith("Z") and "T" in session["time"]
    assert "secret-in-the-query" not in json.dumps(session)


@pytest.mark.long
def test_an_open_line_after_a_minute(world, weir):
    gateway = weir(ALLOW)

    with Origin(world, 7000, handler=echo):
        sock = send(world, b"\x00\x01", port=7000)
        until(lambda: [line for line in gateway.lines("sessions") if line["kind"] == "open"], timeout=75, what="the line")
        sock.close()
    ids = [line["id"] for line in gateway.lines("sessions")]
    until(lambda: len(gateway.lines("sessions")) == 2)
    assert gateway.lines("sessions")[1]["id"] == ids[0]


def test_metrics_are_metrics(world, weir, nginx):
    gateway = weir(ALLOW)
    ask(world)
    gateway.sessions(1)
    text = gateway.admin("/metrics")[1]
    for name in ("weir_sessions_total", "weir_bytes_total", "weir_connections", "weir_config_generation",
                 "weir_records_queued", "weir_build_info", "weir_upstream_connect_seconds_bucket"):
        assert f"\n{name}" in "\n" + text, name
        assert f"# TYPE {name.removesuffix('_bucket')} " in text
    assert "origin.example" not in text and "93.184" not in text
    assert gateway.metric("weir_sessions_total") >= 1


def test_the_admin_address_is_read_only(world, weir):
    gateway = weir(ALLOW)
    assert gateway.admin("/healthz")[0] == 200
    assert gateway.admin("/reload", "POST")[0] in (403, 404, 405)
    assert gateway.admin("/nothing")[0] == 404
    mode = os.stat(os.path.join(gateway.directory, "state", "admin.sock")).st_mode & 0o777
    assert mode == 0o600
