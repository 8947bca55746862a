"""A kept connection: what was found out for one exchange holds for the next of the same name, and not a moment longer."""

import time

import pytest

from net import ORIGIN, PLAIN, SECOND, until
from peers import Origin
from wire import read_response, request, send

RULES = '[{to: "*.example", ports: [80], action: allow}, {to: cold.test, action: deny}]'
CONFIG = """
sensors: [{name: word, rules: [{name: secret, patterns: [{regex: 'SECRET-[0-9]{4}', context: [url, header]}]}]}]
services: [{name: myapp.default, mode: %s, sensors: {word: deny}, rules: %s}]
"""


def ask(sock, host="plain.example", path="/"):
    sock.sendall(request(host=host, path=path))
    return read_response(sock)[0]


@pytest.fixture
def origin(world, resolver):
    with Origin(world, 80, PLAIN) as origin:
        yield origin


def test_the_name_is_asked_for_again_when_its_answer_has_expired(world, weir, resolver, origin):
    gateway = weir(CONFIG % ("protect", RULES))
    resolver.ttl = 1
    try:
        with Origin(world, 80, SECOND) as second:
            resolver.names["moving.example"] = [PLAIN]
            sock = send(world, request(host="moving.example", path="/first"), address=ORIGIN, port=80)
            assert read_response(sock)[0] == 200
            resolver.names["moving.example"] = [SECOND]
            time.sleep(1.3)
            assert ask(sock, "moving.example", "/second") == 200
            assert b"/second" in second.received and b"/second" not in origin.received
    finally:
        resolver.ttl = 5
    lines = until(lambda: len(found := gateway.sessions(fqdn="moving.example")) == 2 and found, what="two records")
    assert [line["dialed"] for line in lines] == [f"{PLAIN}:80", f"{SECOND}:80"]


def test_each_name_on_it_is_judged(world, weir, resolver, origin):
    gateway = weir(CONFIG % ("protect", RULES))
    resolver.names["cold.test"] = resolver.names["warm.test"] = [PLAIN]
    sock = send(world, request(host="plain.example"), address=PLAIN, port=80)
    assert read_response(sock)[0] == 200
    statuses = [ask(sock, host) for host in ["plain.example", "cold.test", "PLAIN.example.", "warm.test", "plain.example"]]
    assert statuses == [200, 403, 200, 403, 200]
    lines = until(lambda: len(found := gateway.sessions()) == 6 and found, what="six records")
    rules = [line["rule"] for line in lines]
    assert rules == ["myapp.default/0"] * 2 + ["myapp.default/1", "myapp.default/0", None, "myapp.default/0"]


def test_the_next_exchange_on_it_takes_a_new_configuration(world, weir, resolver, origin):
    gateway = weir(CONFIG % ("protect", RULES))
    sock = send(world, request(host="plain.example"), address=PLAIN, port=80)
    assert read_response(sock)[0] == 200 and ask(sock) == 200
    gateway.write(CONFIG % ("protect", "[]"))
    until(lambda: ask(sock) == 403, what="the rule to be gone")
    gateway.write(CONFIG % ("monitor", "[]"))
    until(lambda: ask(sock) == 200, what="the mode to change")
    line = until(lambda: (found := gateway.sessions(mode="monitor")) and found[-1], what="the record")
    assert (line["action"], line["rule"], line["reason"]) == ("alert", None, "violation")


def test_records_differ_in_what_differs(world, weir, resolver, origin):
    gateway = weir(CONFIG % ("monitor", RULES))
    sock = send(world, request(host="plain.example", path="/a?token=1"), address=PLAIN, port=80)
    assert read_response(sock)[0] == 200
    for path in ["/b", "/SECRET-1234", "/c\\x", "/d"]:
        assert ask(sock, path=path) in (200, 400)
        if "\\" in path:
            sock = send(world, request(host="plain.example", path="/e"), address=PLAIN, port=80)
            assert read_response(sock)[0] == 200
    lines = until(lambda: len(found := gateway.sessions()) == 6 and found, what="six records")
    by_path = {line["path"]: line for line in lines if line.get("path")}
    own = {"id", "time", "duration_us", "path", "client", "bytes_out", "bytes_inspected"}
    plain = [{key: value for key, value in by_path[path].items() if key not in own} for path in ["/a", "/b", "/d", "/e"]]
    assert all(line == plain[0] for line in plain)
    assert list(by_path["/a"]) == list(by_path["/b"]), "the fields keep their order"
    assert plain[0]["findings"] == [] and plain[0]["action"] == "allow" and plain[0]["listener"] == "egress"
    masked = next(line for path, line in by_path.items() if "*" in path)
    assert masked["action"] == "alert" and masked["findings"][0]["sensor"] == "word"
