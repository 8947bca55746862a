"""Questions without end: one pod's are limited and another's are answered as before, and new names do not grow the gateway."""

import re
import subprocess
import threading
import time

import pytest

from dnspeers import Scripted
from dnswire import Client, query, udp
from gateway import dns, service
from net import GATEWAY_PODS, ORIGIN, POD, POD_DH157, POD_OTHER, RESOLVER, SCRIPTED, until

ALLOW = """
services:
  - {name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: protect, rules: [{to: any, action: allow}]}
  - {name: other.default, mode: protect, rules: [{to: any, action: allow}]}
"""


def dnsperf(world, path, source=POD, at=RESOLVER, seconds=3, rate=None, wait=True, options=()):
    words = ["dnsperf", "-s", at, "-a", source, "-d", str(path), "-l", str(seconds), "-c", "4", "-T", "1", "-t", "1",
             *(["-Q", str(rate)] if rate else []), *options]
    process = subprocess.Popen(world.command("pods", words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return outcome(process) if wait else process


def outcome(process):
    """What dnsperf counted: {"sent": …, "completed": …, "lost": …, "NOERROR": …}."""
    said = process.communicate(timeout=120)[0]
    counts = {key.lower(): int(value) for key, value in re.findall(r"Queries (sent|completed|lost):\s+(\d+)", said)}
    assert "sent" in counts, said
    counts.update({code: int(value) for code, value in re.findall(r"([A-Z]{5,9}) (\d+) \(", said)})
    return counts


class Watch:
    """Asks for one name all the time, as a well-behaved pod does, and keeps how long each answer took (None: none came)."""

    def __init__(self, world, source=POD_DH157, what="origin.example", pause=0.02):
        self.client, self.what, self.pause = Client(world, source=source, timeout=1.0), what, pause
        self.took, self.running = [], True
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while self.running:
            try:
                answer, took = self.client.timed(self.what)
                self.took.append(took if answer.addresses else None)
            except TimeoutError:
                self.took.append(None)
            time.sleep(self.pause)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()

    def good(self):
        """All answered, and nearly all within 50 ms; the machine has pauses of its own."""
        assert len(self.took) > 20 and None not in self.took, f"{self.took.count(None)} of {len(self.took)} unanswered"
        late = [took for took in self.took if took > 0.05]
        assert len(late) <= len(self.took) * 0.05, f"{len(late)} of {len(self.took)} late: {sorted(late)[-5:]}"
        return True


def test_a_flood_of_one_pod_is_limited(world, weir, unbound, tmp_path):
    gateway = weir(ALLOW + "limits: {dns_queries_per_client: 200}\n", dns=dns())
    names = tmp_path / "names"
    names.write_text("".join(f"n{index}.turn.example A\n" for index in range(1, 255)))
    with Watch(world) as watch:
        time.sleep(0.5)
        counts = dnsperf(world, names, seconds=3)
        time.sleep(0.2)
    assert watch.good()
    # The rate, a burst as large, and a second's grace for the edges.
    assert 150 <= counts.get("NOERROR", 0) <= 200 * 3 + 200 + 200, counts
    event = gateway.events(threat="dns_flood")[0]
    assert event["service"] == "myapp.default" and event["action"] == "deny"
    assert {event["service"] for event in gateway.lines("events")} == {"myapp.default"}
    assert len(gateway.lines("events")) < counts["sent"] / 2, "a flood is no flood of events"
    time.sleep(1)
    with Client(world) as client:
        assert client.ask("origin.example").addresses == [ORIGIN], "it is over when it is over"


def test_a_flood_by_tcp_is_limited_too(world, weir, unbound, tmp_path):
    gateway = weir(ALLOW + "limits: {dns_queries_per_client: 200}\n", dns=dns())
    names = tmp_path / "names"
    names.write_text("origin.example A\n")
    with Watch(world) as watch:
        process = dnsperf(world, names, seconds=3, wait=False, options=["-m", "tcp"])
        time.sleep(3.5)
        process.kill()
        process.communicate()
    assert watch.good()
    assert gateway.events(threat="dns_flood")[0]["service"] == "myapp.default"
    answered = len(gateway.dns_sessions("origin.example", service="myapp.default", action="allow"))
    assert answered <= 1000, answered


def test_a_flood_of_slow_names_keeps_no_other_waiting(world, weir):
    """Questions that nobody answers fill what may be in flight; what is in the cache is answered, and memory is bounded."""
    gateway = weir(ALLOW + "limits: {dns_queries_per_client: 100000, dns_inflight: 256}\n", dns=dns(SCRIPTED))
    with Scripted(world, lambda asked: asked.send(asked.addresses(ORIGIN)) if asked.name == "origin.example" else None):
        with Watch(world) as watch:
            time.sleep(0.5)
            before = gateway.resident()
            with udp(world) as sock:
                sock.setblocking(False)
                for index in range(20_000):
                    try:
                        sock.send(query(f"slow{index}.d{index % 977}.bulk"))
                    except BlockingIOError:
                        time.sleep(0.001)
                    if index % 500 == 0:
                        time.sleep(0.02)
            time.sleep(1)
        assert watch.good()
        assert gateway.resident() - before < 40_000


def names_of_a_flood(path, count):
    """Distinct names over thousands of registered domains, so that each domain is an ordinary one."""
    with open(path, "w") as file:
        for index in range(count):
            file.write(f"n{index:x}.d{index % 20011}.bulk A\n")


# The bound is the two caches, the memory of names and the sketches, over what it takes to run at all.
@pytest.mark.parametrize("count,seconds", [(60_000, 4), pytest.param(1_000_000, 60, marks=pytest.mark.long)])
def test_ever_new_names_keep_memory_within_its_bound(world, weir, unbound, tmp_path, count, seconds):
    gateway = weir(ALLOW + "limits: {dns_queries_per_client: 1000000, dns_cache: 8MiB, dns_memory: 65536}\n", dns=dns())
    names = tmp_path / "names"
    names_of_a_flood(names, count)
    with Client(world, source=POD_OTHER) as client:
        client.ask("origin.example")
    time.sleep(0.5)
    before = gateway.resident()
    with Watch(world, source=POD_OTHER) as watch:
        counts = dnsperf(world, names, seconds=seconds + 30, rate=count // seconds, options=["-n", "1"])
    assert counts["sent"] == count
    assert counts["completed"] > count * 0.99, counts
    grown = gateway.resident() - before
    assert grown < 2 * 8 * 1024 * 1.25 + 24_000, f"{grown} KiB more"
    assert gateway.metric("weir_dns_cache_entries") < 200_000
    assert watch.good()
    assert not [event for event in gateway.lines("events") if "threat" in event][:3]


def test_what_is_hot_survives_ever_new_names(world, weir, tmp_path):
    """A name that is asked all the time stays in a small cache while others pass through it."""
    weir(ALLOW + "limits: {dns_queries_per_client: 1000000, dns_cache: 1MiB}\n", dns=dns(SCRIPTED))
    with Scripted(world, lambda asked: asked.send(asked.addresses(ORIGIN, ttl=3600))) as scripted:
        with Watch(world, what="hot.example", pause=0.002) as watch, Client(world) as client:
            for index in range(8000):
                client.ask(f"n{index}.d{index % 997}.bulk")
        assert watch.good()
        assert len(scripted.of("hot.example")) <= 3


def test_connections_of_one_client_are_bounded(world, weir, unbound):
    weir(service() + "limits: {connections_per_client: 50}\n", dns=dns())
    socks = []
    try:
        for _ in range(80):
            try:
                socks.append(world.connect(GATEWAY_PODS, 53, timeout=1))
            except OSError:
                break
        with Client(world) as client:
            assert client.ask("origin.example").addresses == [ORIGIN]
        with Client(world, source=POD_DH157) as client:
            assert client.ask("origin.example").addresses == [ORIGIN]
    finally:
        for sock in socks:
            sock.close()
    until(lambda: world.connect(GATEWAY_PODS, 53, timeout=1).close() is None, what="a connection")
