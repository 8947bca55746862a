"""New configuration while the gateway works: by each of the ways in, or not at all."""

import os
import re
import signal
import threading
import time

import pytest

from gateway import body_of
from net import CANARY, ORIGIN, until
from peers import Origin, answer, echo
from wire import read_all, read_response, request, send

ALLOW = "services: [{name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}]\n"
DENY = "services: [{name: myapp.default, mode: protect, rules: []}]\n"


def status(world):
    return body_of(world.curl("http://origin.example/1k", "-o", "/dev/null"))[0]


def by_signal(gateway, config):
    gateway.write(config)
    gateway.process.send_signal(signal.SIGHUP)


def by_command(gateway, config):
    gateway.write(config)
    gateway.command("reload", "-c", gateway.path)


@pytest.mark.parametrize("way", [by_signal, by_command, lambda g, c: g.replace(c), lambda g, c: g.write(c)],
                         ids=["SIGHUP", "weir reload", "rename over", "write in place"])
def test_the_next_exchange_takes_the_new_one(world, weir, nginx, way):
    gateway = weir(ALLOW)
    assert status(world) == 200
    way(gateway, DENY)
    until(lambda: status(world) == 403, what="the new configuration")
    way(gateway, ALLOW)
    until(lambda: status(world) == 200, what="the first again")


def test_a_symlink_swap_as_kubernetes_does_it(world, weir, nginx):
    gateway = weir(ALLOW)
    folder = gateway.directory
    for name, config in (("v1", ALLOW), ("v2", DENY)):
        os.mkdir(os.path.join(folder, name))
        with open(os.path.join(folder, name, "weir.yaml"), "w") as file:
            file.write(gateway.text(config).replace("state/", folder + "/state/")
                       .replace("directory: state}", f"directory: {folder}/state}}")
                       .replace("directory: records", f"directory: {folder}/records"))
    os.symlink("v1", os.path.join(folder, "data"))
    gateway.stop()
    os.unlink(gateway.path)
    os.symlink("data/weir.yaml", gateway.path)
    gateway.start()
    assert status(world) == 200
    os.symlink("v2", os.path.join(folder, "data.new"))
    os.rename(os.path.join(folder, "data.new"), os.path.join(folder, "data"))
    until(lambda: status(world) == 403, what="the swapped configuration")


def test_an_included_file_counts(world, weir, nginx, tmp_path):
    folder = tmp_path / "services.d"
    folder.mkdir()
    (folder / "a.yaml").write_text(ALLOW)
    gateway = weir('include: ["services.d/*.yaml"]\n')
    assert status(world) == 200
    (folder / "a.yaml").write_text(DENY)
    gateway.command("reload", "-c", gateway.path)
    until(lambda: status(world) == 403, what="the new file")
    (folder / "a.tmp").write_text(ALLOW)
    (folder / "a.tmp").rename(folder / "a.yaml")
    until(lambda: status(world) == 200, what="the changed file")


@pytest.mark.parametrize("bad", ["services: [{name: a.b, mode: bold}]\n", "{{{{", "colour: red\n", ""],
                         ids=["wrong value", "no YAML", "unknown key", "empty"])
def test_a_file_with_errors_changes_nothing(world, weir, nginx, bad):
    gateway = weir(DENY)
    before = gateway.generation()
    gateway.place(bad if bad == "" else gateway.text(bad))
    asked = gateway.command("reload", "--socket", "state/admin.sock", check=False)
    assert asked.returncode != 0
    assert "weir.yaml" in asked.stderr + asked.stdout
    time.sleep(0.3)
    assert status(world) == 403, "the old snapshot stays"
    assert gateway.generation() == before
    assert "weir.yaml" in gateway.command("status", "--socket", "state/admin.sock", check=False).stdout
    assert any("weir_reloads_total" in name and value >= 1 and not re.search("ok|success", name)
               for name, value in gateway.metrics().items())
    gateway.reload(ALLOW)
    assert status(world) == 200


def test_what_needs_a_restart_says_so(world, weir, nginx):
    gateway = weir(ALLOW)
    gateway.place(gateway.text(ALLOW).replace("workers: 2", "workers: 1"))
    asked = gateway.command("reload", "--socket", "state/admin.sock", check=False)
    assert asked.returncode != 0 and "restart" in (asked.stderr + asked.stdout)
    gateway.place(gateway.text(ALLOW).replace("0.0.0.0:15001", "0.0.0.0:15009"))
    asked = gateway.command("reload", "--socket", "state/admin.sock", check=False)
    assert asked.returncode != 0 and "restart" in (asked.stderr + asked.stdout)
    assert status(world) == 200


def test_an_exchange_under_way_finishes_under_its_own(world, weir):
    gateway = weir(ALLOW)
    go = threading.Event()

    def handler(conversation):
        while conversation.read_request():
            conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")
            go.wait(10)
            conversation.send(b"67890")
    with Origin(world, 8080, handler=handler):
        sock = send(world, request())
        time.sleep(0.3)
        gateway.reload(DENY)
        go.set()
        got, _, body, rest = read_response(sock)
        assert (got, body) == (200, b"1234567890")
        sock.sendall(request())
        assert read_response(sock, rest)[0] == 403, "the next one on the same connection takes the new one"


def test_a_tunnel_is_judged_again(world, weir):
    gateway = weir(ALLOW)
    with Origin(world, 7000, handler=echo) as origin, Origin(world, 7000, CANARY, handler=echo):
        cut = send(world, b"\x00\x01", port=7000)
        kept = send(world, b"\x00\x01", port=7000, address=CANARY)
        assert cut.recv(10) == b"\x00\x01" and kept.recv(10) == b"\x00\x01"
        gateway.reload(ALLOW + "# the same again\n")
        cut.sendall(b"still")
        assert cut.recv(10) == b"still"
        gateway.reload("services: [{name: myapp.default, mode: protect, rules: "
                       f"[{{to: {ORIGIN}, action: deny}}, {{to: any, action: allow}}]}}]\n")
        assert read_all(cut)[1] in ("end", "reset")
        kept.sendall(b"alive")
        assert kept.recv(10) == b"alive"
        assert origin.conversations


def test_questions_to_the_admin_api_close_no_tunnel(world, weir):
    """Each loop has a descriptor table of its own: the number of an admin connection is that of a tunnel in another."""
    gateway = weir(ALLOW)
    with Origin(world, 7000, handler=echo):
        tunnels = [send(world, b"\x00\x01", port=7000) for _ in range(12)]
        for tunnel in tunnels:
            assert tunnel.recv(10) == b"\x00\x01"
        for turn in range(500):
            assert gateway.admin("/metrics" if turn % 2 else "/status")[0] == 200
        for tunnel in tunnels:
            tunnel.sendall(b"still")
            assert tunnel.recv(10) == b"still"


def test_a_held_request_survives_a_reload(world, weir):
    gateway = weir(ALLOW)
    with Origin(world, 8080, handler=lambda c: (c.read_request(), c.send(answer(b"done")))):
        sock = send(world, request("POST", fields=["content-length: 6"]) + b"abc")
        time.sleep(0.1)
        gateway.reload(DENY)
        sock.sendall(b"def")
        assert read_response(sock)[0] == 200
