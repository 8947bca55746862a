"""What is taken out of answers: inward and private addresses, keys of hidden names, QUIC; and what DNSSEC then still says."""

import pytest

from dnspeers import ECH, Scripted
from dnswire import AD, CD, RD, ask, record
from dnswire import address as packed
from gateway import dns
from net import GATEWAY_OUT, GATEWAY_PODS, ORIGIN, ORIGIN_V6, PLAIN, POD, POD_DH157, POD_OTHER, PRIVATE, RESOLVER, SCRIPTED

CONFIG = """
services:
  - {name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: discover, rules: []}
  - name: other.default
    mode: protect
    rules: [{to: 10.77.0.5, action: allow}, {to: 127.0.0.1, action: allow}, {to: any, action: allow}]
tls: {inspect: true, passthrough: ["*.passed.example", "service.example"]}
"""


@pytest.fixture(scope="module")
def gateway(shared, unbound):
    return shared(CONFIG, dns=dns(zones=[{"suffix": "scripted.example", "resolvers": [f"{SCRIPTED}:53"]}]))


# Addresses


@pytest.mark.parametrize("what,kind,address", [
    ("rebound.example", "A", PRIVATE), ("rebound6.example", "AAAA", "fd00:10:77::5"), ("chained.rebound.example", "A", PRIVATE),
    ("mixed.example", "A", PRIVATE),
])
def test_private_addresses_of_public_names_are_rebinding(world, gateway, what, kind, address):
    for tcp in (False, True):
        answer = ask(world, what, kind, tcp=tcp)
        assert address not in answer.addresses
    event = gateway.dns_events(what, threat="rebinding", service="myapp.default")[-1]
    assert event["action"] == "deny" and address not in event["dns"].get("answers", [])
    # Discover reports it and lets it by.
    assert address in ask(world, what, kind, source=POD_DH157).addresses
    event = gateway.dns_events(what, threat="rebinding", service="dh157.default")[-1]
    assert (event["action"], event["would"]) == ("alert", "deny")
    # One answer in the cache, and to each its own.
    assert address not in ask(world, what, kind).addresses
    assert address in ask(world, what, kind, source=POD_DH157).addresses


def test_a_rule_may_name_the_private_address(world, gateway):
    assert ask(world, "rebound.example", source=POD_OTHER).addresses == [PRIVATE]
    assert gateway.dns_sessions("rebound.example", service="other.default")[-1]["action"] == "allow"


def test_internal_names_may_have_private_addresses(world, gateway):
    for source in (POD, POD_DH157):
        assert ask(world, "inside.default.svc.cluster.local", source=source).addresses == [PRIVATE]
    assert not [e for e in gateway.lines("events") if e.get("dns", {}).get("name", "").endswith("cluster.local") and "threat" in e]


@pytest.mark.parametrize("source", [POD, POD_DH157])
@pytest.mark.parametrize("what,kind,address", [
    ("loopback.example", "A", "127.0.0.1"), ("loopback6.example", "AAAA", "::1"), ("metadata.example", "A", "169.254.169.254"),
    ("mapped.example", "AAAA", "::ffff:169.254.169.254"), ("unspecified.example", "A", "0.0.0.0"),
    ("partly.example", "A", "127.0.0.1"),
])
def test_inward_addresses_are_told_to_nobody(world, gateway, source, what, kind, address):
    assert address not in ask(world, what, kind, source=source).addresses
    event = gateway.dns_events(what, threat="inward_address")[-1]
    assert event["action"] == "deny", "in every mode"


def test_unless_a_rule_names_the_address(world, gateway):
    assert ask(world, "loopback.example", source=POD_OTHER).addresses == ["127.0.0.1"]
    assert ask(world, "metadata.example", source=POD_OTHER).addresses == []


@pytest.mark.parametrize("address", [GATEWAY_OUT, GATEWAY_PODS, "100.100.100.200", "255.255.255.255", "224.0.0.251",
                                     "64:ff9b::7f00:1", "fe80::1", "fd00:ec2::254", "2002:7f00:1::", "::"])
def test_no_notation_gets_past(world, gateway, address):
    kind = "AAAA" if ":" in address else "A"
    what = f"{packed(address).hex()}.scripted.example"
    with Scripted(world, lambda asked: asked.send(asked.reply([record(b"\xc0\x0c", kind, packed(address))]))):
        for source in (POD, POD_DH157):
            assert ask(world, what, kind, source=source).addresses == []
    assert {event["threat"] for event in gateway.dns_events(what, 2)} <= {"inward_address", "gateway_loop"}


# HTTPS and SVCB


def test_hidden_names_and_quic_are_taken_out(world, gateway):
    for tcp in (False, True):
        front, = ask(world, "front.example", "HTTPS", tcp=tcp).of("HTTPS")
        assert front.text == f"1 . alpn=h2 ipv4hint={ORIGIN} ipv6hint={ORIGIN_V6}"
    # A record that has nothing left but QUIC is no use; the one beside it is.
    assert [one.text for one in ask(world, "quic.example", "HTTPS").of("HTTPS")] == ["2 origin.example alpn=h2"]
    # `mandatory` names what went: the client could not use the record, RFC 9460 section 8.
    assert [one.text for one in ask(world, "bound.example", "HTTPS").of("HTTPS")] == ["2 . alpn=h2"]
    assert [one.text for one in ask(world, "alias.example", "HTTPS").of("HTTPS")] == ["0 origin.example"]
    assert ECH not in ask(world, "front.example", "HTTPS", edns=4096, do=True).data.decode("latin-1")


def test_a_client_reads_what_is_left(world, gateway):
    for client in ("dig", "kdig"):
        done = world.run("pods", [client, "-b", POD, f"@{RESOLVER}", "front.example", "HTTPS"])
        assert "alpn=" in done.stdout and "h3" not in done.stdout and "ech=" not in done.stdout, done.stdout
        assert "NOERROR" in done.stdout and "malformed" not in (done.stdout + done.stderr).lower()


def test_what_passes_through_keeps_them(world, gateway):
    service, = ask(world, "service.example", "SVCB").of("SVCB")
    assert f"ech={ECH}" in service.text and "port=8443" in service.text


def test_hints_are_addresses(world, gateway):
    hinted, = ask(world, "hinted.example", "HTTPS").of("HTTPS")
    assert hinted.text == f"1 . alpn=h2 ipv4hint={ORIGIN}"
    assert gateway.dns_events("hinted.example", threat="rebinding")[-1]["action"] == "deny"
    hinted, = ask(world, "hinted.example", "HTTPS", source=POD_DH157).of("HTTPS")
    assert PRIVATE in hinted.text


# DNSSEC


def test_an_answer_that_is_not_altered_is_still_signed(world, gateway, unbound):
    answer = ask(world, "www.signed.example", do=True)
    assert answer.authentic and len(answer.of("RRSIG")) == 1 and answer.addresses == [ORIGIN]
    assert ask(world, "www.signed.example", flags=RD | AD).authentic
    assert not ask(world, "www.signed.example").authentic, "AD is for who asks for it, RFC 6840 section 5.7"
    assert not ask(world, "www.signed.example").of("RRSIG")
    assert ask(world, "www.signed.example", do=True, flags=RD | CD).of("RRSIG")
    for what in ("www.signed.example", "alias.signed.example"):
        done = world.run("pods", ["delv", "-b", POD, f"@{RESOLVER}", "-a", unbound.anchors, "+root=signed.example", what])
        assert "fully validated" in done.stdout, done.stdout + done.stderr


def test_no_such_name_is_proven(world, gateway):
    answer = ask(world, "nothing.signed.example", do=True)
    assert answer.rcode == "NXDOMAIN" and answer.authentic
    assert "RRSIG" in [one.type for one in answer.authority]


@pytest.mark.parametrize("what,kind", [("mixed.signed.example", "A"), ("front.signed.example", "HTTPS")])
def test_an_altered_answer_claims_nothing(world, gateway, what, kind):
    for flags in (RD, RD | AD, RD | CD):
        answer = ask(world, what, kind, do=True, flags=flags)
        assert answer.answers and not answer.authentic and not answer.of("RRSIG")
    assert PRIVATE not in answer.addresses
    if kind == "A":
        assert answer.addresses == [PLAIN]
        answer = ask(world, what, kind, do=True, source=POD_DH157)
        assert answer.authentic and answer.of("RRSIG"), "whom nothing was taken from has it whole"


def test_a_bit_of_the_client_is_no_key_to_anothers_cache(world, gateway):
    """With and without DO and CD are different answers, whichever was asked first."""
    for do, flags in ((True, RD), (False, RD), (True, RD | CD), (False, RD | CD)) * 3:
        answer = ask(world, "signed.example", do=do, flags=flags)
        assert bool(answer.of("RRSIG")) == do and answer.addresses == [ORIGIN]
