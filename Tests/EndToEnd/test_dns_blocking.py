"""What a blocked client is told, and how a service that nobody has written rules for comes by them."""

import pytest

from dnswire import BLOCKED, ask, framed, query, read_message
from gateway import dns, service
from net import CANARY, ORIGIN, RESOLVER, until
from test_modes import learned_rule

ALLOW = service()
ELSEWHERE = service(rules="[{to: other.example, action: allow}]")
DENY = service(rules="[{to: attacker.example, action: deny}, {to: any, action: allow}]")


@pytest.mark.parametrize("said,rcode,v4,v6", [
    ("nxdomain", "NXDOMAIN", [], []), ("refused", "REFUSED", [], []),
    ("203.0.113.99", "NOERROR", ["203.0.113.99"], []), ("2001:db8::99", "NOERROR", [], ["2001:db8::99"]),
])
def test_block_answer(world, weir, unbound, said, rcode, v4, v6):
    gateway = weir(DENY, dns=dns(block_answer=said, block_ttl="10s"))
    for kind, addresses in (("A", v4), ("AAAA", v6), ("TXT", [])):
        answer = ask(world, "attacker.example", kind)
        assert (answer.rcode, answer.addresses, answer.ede) == (rcode, addresses, BLOCKED), kind
        assert all(one.ttl == 10 for one in answer.answers)
    assert gateway.dns_sessions("attacker.example", 3, action="deny")[0]["dns"]["rcode"] == rcode
    assert ask(world, "origin.example").addresses == [ORIGIN]


def test_a_reload_takes_effect_at_the_next_question(world, weir, unbound):
    gateway = weir(ALLOW, dns=dns())
    assert ask(world, "origin.example").addresses == [ORIGIN]
    with world.connect(RESOLVER, 53) as sock:
        sock.sendall(framed(query("origin.example")))
        assert read_message(sock).addresses == [ORIGIN]
        gateway.reload(ELSEWHERE)
        assert ask(world, "origin.example").rcode == "NXDOMAIN", "an answer in the cache is no leave to give it"
        sock.sendall(framed(query("origin.example")))
        assert read_message(sock).rcode == "NXDOMAIN"
    gateway.dns = dns(block_answer="refused")
    gateway.reload(ELSEWHERE)
    assert ask(world, "origin.example").rcode == "REFUSED"


# Learning


def test_discover_learns_names_and_no_noise(world, weir, unbound):
    gateway = weir("", dns=dns())
    noise = ["nothing.example", "origin.example.default.svc.cluster.local", "wpad.at.all"]
    for what in noise + ["canarytokens.com"]:
        ask(world, what)
    learned = until(lambda: learned_rule(gateway, "canarytokens.com"), timeout=10, what="a learned rule")
    assert "allow" in learned
    first = gateway.dns_sessions("canarytokens.com")[0]
    assert (first["mode"], first["action"], first["would"]) == ("discover", "allow", "deny")
    ask(world, "canarytokens.com")
    assert gateway.dns_sessions("canarytokens.com", 2)[-1]["would"] == "allow", "it is learned now"
    for what in noise:
        assert gateway.dns_sessions(what)[0]["dns"]["rcode"] == "NXDOMAIN"
        assert learned_rule(gateway, what) is None, "a name that does not exist was learned"
    gateway.reload(service(rules="[]"))
    assert ask(world, "canarytokens.com").addresses == [CANARY]
    assert ask(world, "attacker.example").rcode == "NXDOMAIN"


def test_what_a_threat_asked_for_is_not_learned(world, weir, unbound):
    gateway = weir("", dns=dns())
    ask(world, "loopback.example")
    ask(world, "rebound.example")
    gateway.dns_events("rebound.example", threat="rebinding")
    gateway.stop()
    assert learned_rule(gateway, "loopback.example") is None and learned_rule(gateway, "rebound.example") is None
