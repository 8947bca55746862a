"""What is answered without asking anybody: the cache and its times, hosts of the configuration; and which resolver is asked."""

import time

import pytest

from dnspeers import Scripted, soa
from dnswire import Client, ask, record
from gateway import dns, service
from net import KUBE_DNS, OTHER, PLAIN, POD_DH157, PRIVATE, SCRIPTED, SCRIPTED_TWO, SECOND, until

ZONES = [{"suffix": "cluster.local", "resolvers": [f"{KUBE_DNS}:53"]},
         {"suffix": "special.cluster.local", "resolvers": [f"{SCRIPTED_TWO}:53"]}]
HOSTS = [{"name": "db.internal", "addresses": ["10.0.0.5", "10.0.0.6"]}, {"name": "six.internal", "addresses": ["fd00::6"]},
         {"name": "pinned.example", "addresses": [SECOND]}]


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(service(), dns=dns(SCRIPTED, zones=ZONES, hosts=HOSTS))


def script(**options):
    """Answers `PLAIN` with these times, or a negative answer with this authority."""
    def answer(asked):
        if "rcode" in options or "authority" in options:
            asked.send(asked.reply(**options))
        else:
            asked.send(asked.addresses(PLAIN, **options))
    return answer


# Times


def test_times_run_down(world, gateway, scripted):
    scripted.script = script(ttl=60)
    with Client(world) as client:
        assert client.ask("ageing.example").answers[0].ttl == 60
        time.sleep(2.2)
        answer = client.ask("ageing.example")
        assert answer.addresses == [PLAIN] and 56 <= answer.answers[0].ttl <= 58
    assert len(scripted.of("ageing.example")) == 1
    first, second = gateway.dns_sessions("ageing.example", 2)
    assert (first["dns"]["cached"], first["dns"]["resolver"]) == (False, f"{SCRIPTED}:53")
    assert second["dns"]["cached"] is True and "resolver" not in second["dns"]
    assert first["dns"]["answers"] == second["dns"]["answers"] == [PLAIN]


def test_one_answer_for_all_pods_and_all_letters(world, scripted):
    scripted.script = script(ttl=60)
    for index in range(12):
        what = "Shared.Example" if index % 2 else "shared.example"
        assert ask(world, what, source=POD_DH157 if index % 3 else "10.244.0.17", tcp=index % 4 == 0).addresses == [PLAIN]
    assert 1 <= len(scripted.of("shared.example")) <= 2, "one for each worker at most"


def test_an_answer_of_no_time_is_not_kept(world, scripted):
    scripted.script = script(ttl=0)
    with Client(world) as client:
        for _ in range(3):
            assert client.ask("momentary.example").answers[0].ttl == 0
    assert len(scripted.of("momentary.example")) == 3


def test_an_answer_lives_as_long_as_its_shortest_record(world, scripted):
    def chain(asked):
        over = record("over." + asked.name, "A", b"\1\2\3\4", 1)
        asked.send(asked.reply([record(b"\xc0\x0c", "CNAME", b"\x04over\xc0\x0c", 3600), over]))
    scripted.script = chain
    with Client(world) as client:
        assert client.ask("chained.example").addresses == ["1.2.3.4"]
        time.sleep(1.3)
        client.ask("chained.example")
    assert len(scripted.of("chained.example")) == 2


@pytest.mark.parametrize("rcode,kind", [(3, "A"), (0, "AAAA")], ids=["NXDOMAIN", "NODATA"])
def test_negative_answers_are_kept_by_their_soa(world, scripted, rcode, kind):
    """RFC 2308: the lesser of the SOA's own time and its last field; without a SOA not at all."""
    cases = {"long": ([soa("example", negative=30)], 1), "minimum": ([soa("example", negative=1, ttl=3600)], 2),
             "ttl": ([soa("example", negative=3600, ttl=1)], 2), "none": ([], 2)}
    scripted.script = lambda asked: asked.send(asked.reply(rcode=rcode, authority=cases[asked.name.partition("-")[0]][0]))
    names = {label: f"{label}-{rcode}.example" for label in cases}
    with Client(world) as client:
        for pause in (1.3, 0):
            for what in names.values():
                answer = client.ask(what, kind)
                assert (answer.flags & 15, answer.addresses) == (rcode, [])
            time.sleep(pause)
    assert {label: len(scripted.of(what)) for label, what in names.items()} == {
        label: asked for label, (_, asked) in cases.items()}


def test_nothing_is_not_everything(world, scripted):
    """NODATA for one type says nothing of another; NXDOMAIN does of all, RFC 2308 section 5."""
    scripted.script = lambda asked: asked.send(
        asked.addresses(PLAIN) if asked.kind == "A" else asked.reply(authority=[soa("example")]))
    with Client(world) as client:
        assert client.ask("half.example", "AAAA").addresses == []
        assert client.ask("half.example", "A").addresses == [PLAIN]


def test_search_domains_are_answered_fast(world, gateway, scripted):
    """ndots:5 asks for three names that do not exist before the one that does, twice, each time."""
    scripted.script = lambda asked: asked.send(asked.addresses(PLAIN), after=0.02)
    with Scripted(world, lambda asked: asked.send(asked.reply(rcode=3, authority=[soa("cluster.local", 30)]), after=0.02),
                  at=KUBE_DNS) as cluster, Client(world) as client:
        names = [f"api.example.{suffix}cluster.local" for suffix in ("default.svc.", "svc.", "")]
        took = []
        for _ in range(20):
            started = time.monotonic()
            for what in names:
                for kind in ("A", "AAAA"):
                    assert client.ask(what, kind).rcode == "NXDOMAIN"
            took.append(time.monotonic() - started)
        assert len(cluster.asked) <= 6
        assert sorted(took)[10] < 0.02


def test_hot_names_are_asked_again_before_they_go(world, scripted):
    """Who asks all the time never waits for the resolver, however slow it is; who asks once causes no questions."""
    scripted.script = lambda asked: asked.send(asked.addresses(PLAIN, ttl=4), after=0.25)
    with Client(world) as client:
        client.ask("cold.example")
        slow, started = [], time.monotonic()
        while time.monotonic() - started < 5.5:
            answer, took = client.timed("hot.example")
            assert answer.addresses == [PLAIN] and answer.answers[0].ttl <= 4
            slow += [took] if took > 0.15 else []
            time.sleep(0.01)
    assert len(slow) <= 1, f"after the first, answers took {slow}"
    assert 2 <= len(scripted.of("hot.example")) <= 4 and len(scripted.of("cold.example")) == 1


def test_the_count_of_the_cache_is_a_metric(world, gateway, scripted):
    before = gateway.metric("weir_dns_cache_entries")
    scripted.script = script(ttl=600)
    for index in range(50):
        ask(world, f"counted{index}.example")
    until(lambda: 45 <= gateway.metric("weir_dns_cache_entries") - before <= 110, what="50 entries more")


# Hosts and zones


def test_hosts_of_the_configuration(world, gateway, scripted):
    answer = ask(world, "db.internal")
    assert sorted(answer.addresses) == ["10.0.0.5", "10.0.0.6"]
    assert ask(world, "DB.internal.", tcp=True).rcode == "NOERROR"
    assert ask(world, "six.internal", "AAAA").addresses == ["fd00::6"]
    for what, kind in (("db.internal", "AAAA"), ("db.internal", "TXT"), ("six.internal", "A")):
        answer = ask(world, what, kind)
        assert (answer.rcode, answer.answers) == ("NOERROR", []), "the name is there"
    assert ask(world, "pinned.example").addresses == [SECOND]
    assert not [what for what in scripted.names() if what.endswith("internal") or what == "pinned.example"], "nobody is asked"
    session = gateway.dns_sessions("db.internal", type="A")[0]
    assert "resolver" not in session["dns"] and session["action"] == "allow" and "threat" not in session


def test_each_suffix_has_its_resolvers(world, gateway, scripted):
    with Scripted(world, lambda asked: asked.send(asked.addresses(PRIVATE)), at=KUBE_DNS) as cluster, \
            Scripted(world, lambda asked: asked.send(asked.addresses(OTHER)), at=SCRIPTED_TWO) as special:
        for what, address in (("a.cluster.local", PRIVATE), ("cluster.local", PRIVATE), ("x.special.cluster.local", OTHER),
                              ("special.cluster.local", OTHER), ("xspecial.cluster.local", PRIVATE), ("xcluster.local", PLAIN),
                              ("cluster.local.example", PLAIN), ("B.Cluster.LOCAL", PRIVATE)):
            assert ask(world, what).addresses == [address], what
        assert set(cluster.names()) == {"a.cluster.local", "cluster.local", "xspecial.cluster.local", "b.cluster.local"}
        assert set(special.names()) == {"x.special.cluster.local", "special.cluster.local"}
    assert not [what for what in scripted.names() if what.endswith(".cluster.local")], "names of the inside went outside"
    assert gateway.dns_sessions("a.cluster.local")[0]["dns"]["resolver"] == f"{KUBE_DNS}:53"
    assert "threat" not in gateway.dns_sessions("a.cluster.local")[0]


def test_when_the_resolvers_of_a_suffix_are_down_nobody_else_is_asked(world, scripted):
    assert ask(world, "gone.cluster.local", timeout=10).rcode == "SERVFAIL"
    assert "gone.cluster.local" not in scripted.names()
