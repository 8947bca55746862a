"""One record for each transaction, whatever became of it, and none is lost."""

import json
import os
import signal
import subprocess
import threading
import time

import pytest

from dnswire import Client, ask, exchange, framed, header, many, name, query, read_message
from gateway import dns, service
from net import CANARY, GATEWAY_PODS, ORIGIN, ORIGIN_V6, POD, POD_DH157, RESOLVER, UNBOUND, until

CONFIG = service(more="  - {name: dh157.default, mode: protect, rules: []}")


def test_what_a_record_says(world, weir, unbound):
    gateway = weir(CONFIG, dns=dns())
    asked = query("both.example", "AAAA")
    answer = exchange(world, asked)
    line, = gateway.dns_sessions("both.example")
    assert line["kind"] == "session" and line["application"] == "DNS"
    assert (line["service"], line["pod"], line["mode"]) == ("myapp.default", "myapp-7d9c", "protect")
    assert line["client"].startswith(POD + ":") and line["destination"] == f"{RESOLVER}:53"
    assert "fqdn" not in line and "host" not in line and "path" not in line
    assert (line["action"], line["would"], line["listener"]) == ("allow", "allow", "dns")
    assert (line["bytes_out"], line["bytes_in"]) == (len(asked), len(answer.data))
    assert line["dns"] == {"name": "both.example", "type": "AAAA", "rcode": "NOERROR", "answers": [ORIGIN_V6],
                           "resolver": f"{UNBOUND}:53", "cached": False}
    assert line["duration_us"] > 0 and line["time"].endswith("Z")
    assert not gateway.lines("events")


def test_one_record_for_each_question(world, weir, unbound):
    gateway = weir(CONFIG, dns=dns())
    with Client(world) as client:
        for _ in range(25):
            client.ask("origin.example")
        for what, kind in (("six.example", "A"), ("nothing.example", "A"), ("odd.example", 65280), ("mail.example", "MX"),
                           ("text.example", "TXT"), ("www.origin.example", "A"), ("loop1.example", "A")):
            client.ask(what, kind)
    ask(world, "attacker.example", source=POD_DH157)
    ask(world, "origin.example", tcp=True)
    ask(world, "origin.example", at=GATEWAY_PODS)
    lines = gateway.sessions(35, application="DNS")
    time.sleep(0.3)
    assert len(gateway.lines("sessions")) == 35, "TCP connections of DNS have no record of their own, and nothing is `open`"
    assert len({line["id"] for line in lines}) == 35
    told = {(line["dns"]["name"], line["dns"]["type"]): line["dns"] for line in lines}
    assert told["six.example", "A"]["answers"] == [] and told["six.example", "A"]["rcode"] == "NOERROR"
    assert told["nothing.example", "A"]["rcode"] == "NXDOMAIN"
    assert told["loop1.example", "A"]["rcode"] == "SERVFAIL"
    assert told["attacker.example", "A"]["rcode"] == "NXDOMAIN" and "resolver" not in told["attacker.example", "A"]
    assert ("odd.example", "TYPE65280") in told and ("mail.example", "MX") in told
    assert ORIGIN in told["www.origin.example", "A"]["answers"]
    assert len([line for line in lines if line["dns"]["name"] == "origin.example" and line["dns"]["cached"]]) >= 23
    assert len(gateway.lines("events")) == 1


def test_letters_and_odd_bytes(world, weir, unbound):
    gateway = weir(CONFIG, dns=dns())
    message = header(7, 0x0100) + name([b"a\0b", b'quo"te', b"back\\slash", b"dot.dot", b"\xff\xfe", b"example"]) + b"\0\1\0\1"
    exchange(world, message)
    ask(world, "MiXeD.Example")
    lines = gateway.sessions(2, application="DNS")
    odd = next(line["dns"]["name"] for line in lines if "mixed" not in line["dns"]["name"].lower())
    assert odd.endswith(".example") and r"a\000b" in odd and r"\255\254" in odd and r"dot\.dot" in odd


def test_equal_questions_may_share_a_record(world, weir, unbound):
    gateway = weir(CONFIG, dns=dns(aggregate="1s"))
    with Client(world) as client:
        for _ in range(50):
            client.ask("origin.example")
        client.ask("origin.example", "AAAA")
        client.ask("other.example")
    for _ in range(3):
        ask(world, "attacker.example", source=POD_DH157)
    denied = gateway.dns_sessions("attacker.example", 3)
    assert len(denied) == 3, "what is denied is told each time"

    def shared():
        return gateway.dns_sessions("origin.example", 0, type="A")
    until(lambda: sum(line.get("count", 1) for line in shared()) == 50, timeout=4, what="a count of 50")
    assert len(shared()) <= 6
    assert len(gateway.dns_sessions("origin.example", type="AAAA")) == 1


def test_a_drain_loses_nothing(world, weir, unbound):
    gateway = weir(CONFIG, dns=dns(aggregate="30s"))
    for _ in range(10):
        ask(world, "origin.example")
    gateway.stop()
    assert sum(line.get("count", 1) for line in gateway.lines("sessions")) == 10


def test_metrics(world, weir, unbound):
    gateway = weir(CONFIG, dns=dns())
    for _ in range(4):
        ask(world, "origin.example")
    ask(world, "nothing.example")
    ask(world, "attacker.example", source=POD_DH157)
    gateway.sessions(6, application="DNS")
    text = gateway.admin("/metrics")[1]
    for one in ("weir_dns_queries_total", "weir_dns_cache_entries"):
        assert f"\n{one}" in text and f"# TYPE {one} " in text
    counted = {key: value for key, value in gateway.metrics().items() if key.startswith("weir_dns_queries_total")}
    assert sum(counted.values()) == 6

    def count(action, rcode):
        return sum(value for key, value in counted.items() if f'action="{action}"' in key and f'rcode="{rcode}"' in key)
    assert (count("allow", "NOERROR"), count("allow", "NXDOMAIN"), count("deny", "NXDOMAIN")) == (4, 1, 1)
    assert gateway.metric("weir_dns_cache_entries") >= 2
    assert gateway.metric("weir_sessions_total") >= 6
    assert "origin.example" not in text and RESOLVER not in text and UNBOUND not in text


def test_the_report_groups_by_resolver(world, weir, unbound):
    gateway = weir("", dns=dns())
    for what in ("origin.example", "canarytokens.com", "nothing.example"):
        ask(world, what)
        ask(world, what, at="8.8.8.8")
    gateway.sessions(6, application="DNS")
    table = gateway.command("report", "-c", gateway.path).stdout
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "myapp.default" in line]
    assert sorted(rows) == [
        ["myapp.default", "1", "Discover", address, "", "3", "DNS", "Allow"] for address in ("8.8.8.8", RESOLVER)]


# A full disk


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_leaves_no_question_unrecorded(world, small_disk, weir, unbound):
    """While records cannot be written, questions wait or go unanswered; of those that were answered none is missing."""
    gateway = weir(CONFIG, dns=dns())
    gateway.stop()
    text = gateway.text(CONFIG + "limits: {dns_queries_per_client: 100000}\n")
    gateway.place(text.replace("keep: 8", "keep: 8, queue: 1MiB"))
    gateway.start()
    assert ask(world, "origin.example").addresses == [ORIGIN]
    ballast = small_disk / "ballast"
    with open(ballast, "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)
    names = [(f"n{index}.d{index % 301}.bulk", "A") for index in range(6000)]
    answers = many(world, names, rate=3000, window=500, timeout=2)
    answered = {what for (what, _), answer in zip(names, answers) if answer is not None}
    assert 1 < len(answered) < len(names), f"{len(answered)} answered of {len(names)}: nothing waited"
    assert gateway.admin("/readyz")[0] == 503 and gateway.admin("/healthz")[0] == 200
    assert gateway.metric("weir_records_blocked") == 1
    os.unlink(ballast)
    until(lambda: gateway.admin("/readyz")[0] == 200, timeout=10, what="readyz")
    until(lambda: ask(world, "origin.example").addresses == [ORIGIN], timeout=10, what="new work")
    time.sleep(0.5)
    recorded = {line["dns"]["name"] for line in gateway.lines("sessions")}
    assert not answered - recorded, "answered and not recorded"


def test_kill_9_leaves_no_torn_line(world, weir, unbound):
    gateway = weir(CONFIG + "limits: {dns_queries_per_client: 100000}\n", dns=dns())
    names = [(f"n{index}.d{index % 301}.bulk", "A") for index in range(3000)]
    thread = threading.Thread(target=lambda: many(world, names, rate=3000, timeout=1))
    thread.start()
    time.sleep(0.5)
    gateway.kill()
    thread.join()
    gateway.start()
    ask(world, "origin.example")
    gateway.dns_sessions("origin.example")
    with open(os.path.join(gateway.directory, "records", "sessions.jsonl"), "rb") as file:
        lines = [json.loads(line) for line in file.read().split(b"\n") if line.strip()]
    assert len({line["id"] for line in lines}) == len(lines) > 100
    assert "DNS" in gateway.command("report", "-c", gateway.path).stdout


def test_a_question_under_way_at_a_drain_is_answered(world, weir, unbound):
    gateway = weir(CONFIG, dns=dns())
    with world.connect(RESOLVER, 53) as sock:
        with unbound.mute():
            sock.sendall(framed(query("canarytokens.com")))
            time.sleep(0.2)
            gateway.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        assert read_message(sock).addresses == [CANARY]
    assert gateway.process.wait(10) == 0
    assert gateway.dns_sessions("canarytokens.com")
