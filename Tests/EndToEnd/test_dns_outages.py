"""Resolvers that are down, slow or of the client's own choice, and those that are spoken to by TLS."""

import time

import pytest

from dnspeers import Scripted, plain
from dnswire import STALE, Client, ask, query, questions
from gateway import dns, service
from net import OTHER, PLAIN, POD_DH157, RESOLVER, SCRIPTED, SCRIPTED_TWO, UNBOUND, Wiretap, until
from wire import read_all


def never(asked):
    pass


def failing(asked):
    asked.send(asked.reply(rcode=2))


def second(asked):
    asked.send(asked.addresses(OTHER))


def test_a_resolver_that_never_answers(world, weir):
    gateway = weir(service(), dns=dns(SCRIPTED))
    with Scripted(world, lambda asked: plain(asked) if "well" in asked.name else never(asked)) as scripted:
        with Client(world, timeout=15) as client:
            client.socket.send(query("never.example"))
            for index in range(20):
                assert ask(world, f"well{index}.example", timeout=1).addresses == [PLAIN], "others are served meanwhile"
            answer = client.ask("never.example")
            assert answer.rcode == "SERVFAIL"
        assert 2 <= len(scripted.of("never.example")) <= 12, "asked again, and not for ever"
    session = gateway.dns_sessions("never.example", rcode="SERVFAIL")[0]
    assert session["action"] == "allow"
    # Back again, it is asked again.
    with Scripted(world):
        until(lambda: ask(world, "back.example", timeout=8).addresses == [PLAIN], timeout=15, what="a name")


@pytest.mark.parametrize("first", [never, failing, None], ids=["mute", "SERVFAIL", "closed"])
def test_the_next_resolver_is_asked(world, weir, first):
    """One that fails is put aside, so that only the first questions are slow, and is taken back when it works again."""
    weir(service(), dns=dns(SCRIPTED, SCRIPTED_TWO))
    with Scripted(world, second, at=SCRIPTED_TWO):
        bad = Scripted(world, first) if first else None
        try:
            for index in range(12):
                assert ask(world, f"early{index}.example", timeout=8).addresses == [OTHER]
            took = []
            for index in range(20):
                started = time.monotonic()
                assert ask(world, f"later{index}.example", timeout=8).addresses == [OTHER]
                took.append(time.monotonic() - started)
            assert sorted(took)[15] < 0.1, f"the bad resolver is still waited for: {took}"
        finally:
            if bad:
                bad.close()
    with Scripted(world):
        until(lambda: ask(world, f"again{time.monotonic()}.example", timeout=8).addresses == [PLAIN], timeout=30,
              what="the first to be asked again")


def test_all_resolvers_fail(world, weir):
    weir(service(), dns=dns(SCRIPTED, SCRIPTED_TWO))
    with Scripted(world, failing), Scripted(world, failing, at=SCRIPTED_TWO):
        started = time.monotonic()
        assert ask(world, "nowhere.example", timeout=8).rcode == "SERVFAIL"
        assert time.monotonic() - started < 3


# Stale answers, RFC 8767


@pytest.mark.parametrize("how", ["stopped", "mute"])
def test_stale_answers_while_the_resolver_is_down(world, weir, unbound, how):
    gateway = weir(service(), dns=dns(serve_stale="1d"))
    with Client(world, timeout=4) as client:
        assert client.ask("short.example").addresses == [PLAIN]
        with getattr(unbound, how)():
            time.sleep(2.3)
            answer, took = client.timed("short.example")
            assert answer.addresses == [PLAIN] and answer.answers[0].ttl <= 30
            assert answer.ede in (None, STALE)
            assert took < 2.5, "RFC 8767 section 5: the client's patience is 1.8 s"
            _, took = client.timed("short.example")
            assert took < 2.5
            assert client.ask("short.example", "A", edns=None).addresses == [PLAIN]
        stale = gateway.dns_sessions("short.example", cached="stale")[0]
        assert stale["dns"]["answers"] == [PLAIN]
        until(lambda: client.ask("short.example").answers[0].ttl <= 2, timeout=20, what="a fresh answer")


def test_without_serve_stale_there_is_none(world, weir, unbound):
    weir(service(), dns=dns(serve_stale="0s"))
    with Client(world, timeout=15) as client:
        assert client.ask("short.example").addresses == [PLAIN]
        with unbound.stopped():
            time.sleep(2.3)
            assert client.ask("short.example").rcode == "SERVFAIL"


def test_stale_ends_too(world, weir, unbound):
    weir(service(), dns=dns(serve_stale="1s"))
    with Client(world, timeout=15) as client:
        assert client.ask("short.example").addresses == [PLAIN]
        with unbound.stopped():
            time.sleep(3.4)
            assert client.ask("short.example").rcode == "SERVFAIL"


# The client's own resolver


def test_original_keeps_the_resolver_that_was_asked(world, weir):
    """Its answers are nobody else's: neither shared between resolvers nor remembered."""
    gateway = weir(service(rules='[{to: "*.example", action: allow}]'), dns=dns("original"))
    with Scripted(world, plain) as one, Scripted(world, second, at=SCRIPTED_TWO) as two:
        for tcp in (False, True):
            assert ask(world, "mine.example", at=SCRIPTED, tcp=tcp).addresses == [PLAIN]
            assert ask(world, "mine.example", at=SCRIPTED_TWO, tcp=tcp).addresses == [OTHER]
        with Client(world, at=SCRIPTED) as client:
            for _ in range(3):
                assert client.ask("mine.example").addresses == [PLAIN]
        assert one.asked and two.asked
    session = gateway.dns_sessions("mine.example", resolver=f"{SCRIPTED_TWO}:53")[0]
    assert session["destination"] == f"{SCRIPTED_TWO}:53"
    sock = world.connect(PLAIN, 7000)
    try:
        sock.sendall(b"\0\1\2\3")
        data, how = read_all(sock)
    except ConnectionResetError:
        data, how = b"", "reset"
    assert (data, how) == (b"", "reset"), "a resolver of the client's choice names no address"
    denied = gateway.sessions(destination=f"{PLAIN}:7000")[0]
    assert denied["action"] == "deny" and "fqdn" not in denied


# By TLS, RFC 7858


def tls(unbound):
    return service(more=f'tls: {{trust: "{unbound.certificate}"}}')


def test_dns_over_tls(world, weir, unbound):
    gateway = weir(tls(unbound), dns=dns(f"tls://{UNBOUND}:853#resolver.example"))
    with Wiretap(world) as tap:
        assert ask(world, "www.origin.example", timeout=8).addresses
        assert ask(world, "large.example", "TXT", tcp=True, timeout=8).of("TXT")
        for index in range(1, 40):
            assert ask(world, f"n{index}.turn.example", timeout=8).addresses
    assert not questions(tap.packets()) and b"origin" not in tap.payload()
    hellos = [payload for *_, port, payload in tap.between(UNBOUND) if port == 853 and payload[:1] + payload[5:6] == b"\x16\1"]
    assert 1 <= len(hellos) <= 4, "one connection a worker, kept"
    assert gateway.dns_sessions("www.origin.example")[0]["dns"]["resolver"] == f"{UNBOUND}:853"


@pytest.mark.parametrize("name", ["other.example", "origin.example"])
def test_a_resolver_that_cannot_prove_its_name_is_told_nothing(world, weir, unbound, name):
    weir(tls(unbound), dns=dns(f"tls://{UNBOUND}:853#{name}"))
    with Wiretap(world) as tap:
        assert ask(world, "www.origin.example", timeout=15).rcode == "SERVFAIL"
    assert b"www" not in tap.payload() and not questions(tap.packets())


def test_a_resolver_whose_authority_nobody_trusts_is_told_nothing(world, weir, unbound):
    weir(service(), dns=dns(f"tls://{UNBOUND}:853#resolver.example"))
    assert ask(world, "www.origin.example", timeout=15).rcode == "SERVFAIL"


def test_resolv_conf_when_no_resolver_is_named(world, weir, unbound, resolver):
    """Those of the gateway's own /etc/resolv.conf: it is bound over, for that process."""
    path = world.resolv_conf(f"nameserver {UNBOUND}\n")
    prefix = ["unshare", "-m", "sh", "-c", f'mount --bind {path} /etc/resolv.conf; exec "$@"', "sh"]
    gateway = weir(service(), dns='{"resolvers": []}', prefix=prefix)
    assert ask(world, "origin.example", source=POD_DH157).addresses
    assert gateway.dns_sessions("origin.example")[0]["dns"]["resolver"] == f"{UNBOUND}:53"
    assert gateway.dns_sessions("origin.example")[0]["destination"] == f"{RESOLVER}:53"
