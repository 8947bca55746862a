"""Names are judged as any destination is: by the service's rules and mode, and what is blocked is never asked of anybody."""

import time

import pytest

from dnswire import BLOCKED, RD, ask, exchange, header, name, query, questions
from gateway import dns
from net import ATTACKER, ORIGIN, PLAIN, POD, POD_DH157, POD_OTHER, POD_UNKNOWN, UNBOUND, Wiretap

CONFIG = """
services:
  - name: myapp.default
    mode: protect
    rules:
      - {to: attacker.example, action: deny}
      - {to: origin.example, ports: [443], applications: [TLS], action: allow}
      - {to: "*.origin.example", action: allow}
      - {to: example, action: allow}
  - name: dh157.default
    mode: monitor
    rules:
      - {to: attacker.example, action: deny}
      - {to: origin.example, action: allow}
  - name: other.default
    mode: protect
    rules:
      - {to: "list:encrypted-dns", action: deny}
      - {to: "list:ours", action: deny}
      - {to: any, action: allow}
lists:
  - {name: ours, entries: ["second.example", "*.second.example", "%s/32"]}
""" % PLAIN


@pytest.fixture(scope="module")
def gateway(shared, unbound):
    return shared(CONFIG, dns=dns())


@pytest.fixture
def tap(world, gateway):
    with Wiretap(world) as tap:
        yield tap


SERVICES = {POD: "myapp.default", POD_DH157: "dh157.default"}


def reached(tap, what):
    """Whether the resolver, or anybody outside, saw a question for this name."""
    time.sleep(0.15)
    return what.lower() in [asked for asked, _ in questions(tap.packets())] or name(what).lower() in tap.payload().lower()


@pytest.mark.parametrize("tcp", [False, True], ids=["UDP", "TCP"])
@pytest.mark.parametrize("source,what,action,would,reason", [
    (POD, "origin.example", "allow", "allow", None),  # a rule about a name covers the question, whatever its ports
    (POD, "www.origin.example", "allow", "allow", None),
    (POD, "other.example", "deny", "deny", "violation"),
    (POD, "attacker.example", "deny", "deny", "rule"),
    (POD, "nothing.other.example", "deny", "deny", "violation"),
    (POD_DH157, "origin.example", "allow", "allow", None),
    (POD_DH157, "other.example", "alert", "deny", "violation"),
    (POD_DH157, "attacker.example", "alert", "deny", "rule"),
])
def test_modes_and_verdicts(world, gateway, tap, source, what, action, would, reason, tcp):
    answer = ask(world, what, source=source, tcp=tcp)
    if action == "deny":
        assert (answer.rcode, answer.answers, answer.ede) == ("NXDOMAIN", [], BLOCKED)
        assert not reached(tap, what), "the question of a blocked name left"
    else:
        assert answer.rcode == "NOERROR" and answer.addresses and answer.ede is None
    # Records of two workers are in no order: this service's is picked, and there is one of each kind or more.
    session = gateway.dns_sessions(what, action=action, service=SERVICES[source])[-1]
    assert session["would"] == would and session.get("reason") == reason
    assert session["client"].startswith(source + ":")
    if action == "deny":
        assert session["dns"]["rcode"] == "NXDOMAIN" and "resolver" not in session["dns"]
    if reason:
        assert gateway.dns_events(what, id=session["id"])[0]["action"] == action


def test_the_blocked_error_needs_edns(world, gateway):
    answer = ask(world, "attacker.example", edns=None)
    assert answer.rcode == "NXDOMAIN" and answer.edns is None and answer.ede is None
    done = world.run("pods", ["kdig", "-b", POD, "@9.9.9.9", "+edns", "attacker.example"])
    assert "NXDOMAIN" in done.stdout and "EDE" in done.stdout and "Blocked" in done.stdout


@pytest.mark.parametrize("kind", ["A", "AAAA", "TXT", "MX", "HTTPS", "CNAME", "SRV", "NS", 65280])
def test_every_type_of_question_is_judged(world, gateway, tap, kind):
    assert ask(world, "attacker.example", kind).rcode == "NXDOMAIN"
    assert not reached(tap, "attacker.example")


@pytest.mark.parametrize("what", ["ATTACKER.example", "aTTackeR.eXample", "attacker.EXAMPLE"])
def test_a_name_is_one_name_whatever_its_letters(world, gateway, tap, what):
    assert ask(world, what).rcode == "NXDOMAIN"
    assert gateway.dns_sessions("attacker.example")[-1]["action"] == "deny"
    assert not reached(tap, "attacker.example")


def test_names_that_only_look_allowed(world, gateway, tap):
    for what in ("origin.example.attacker.example", "xorigin.example", "origin.examples", "origin.example.com", "example.origin"):
        assert ask(world, what).rcode == "NXDOMAIN"
    # Dots and zeros within labels are no ends of labels.
    for labels in ([b"www.origin", b"example"], [b"x", b"other.example\0", b"example"], [b"attacker\0", b"example"],
                   [b"a\xffb", b"other", b"example"]):
        message = header(7, RD) + name(labels) + b"\0\1\0\1"
        assert exchange(world, message).rcode in ("NXDOMAIN", "FORMERR", "REFUSED"), labels
    assert not questions(tap.packets(), UNBOUND)


def test_each_service_by_its_own_rules(world, gateway):
    for source, rcode in ((POD, "NXDOMAIN"), (POD_DH157, "NOERROR"), (POD_OTHER, "NOERROR"), (POD_UNKNOWN, "NOERROR")):
        assert ask(world, "plain.example", source=source).rcode == rcode
    assert {s["service"] for s in gateway.dns_sessions("plain.example", 4)} == {
        "myapp.default", "dh157.default", "other.default", "unknown"}


# Lists


@pytest.mark.parametrize("what", ["dns.google", "cloudflare-dns.com", "mozilla.cloudflare-dns.com", "dns.quad9.net",
                                  "doh.opendns.com", "dns.adguard-dns.com", "dns.nextdns.io"])
def test_known_encrypted_resolvers_are_a_list(world, gateway, tap, what):
    assert ask(world, what, source=POD_OTHER).rcode == "NXDOMAIN"
    assert not reached(tap, what)
    assert gateway.dns_sessions(what, reason="rule")[-1]["action"] == "deny"


@pytest.mark.parametrize("address,port", [("1.1.1.1", 443), ("8.8.8.8", 853), ("9.9.9.9", 853)])
def test_and_so_are_their_addresses(world, gateway, address, port):
    with Wiretap(world) as tap:
        sock = world.connect(address, port, source=POD_OTHER)
        try:
            sock.sendall(b"\x16\x03\x01")
            sock.shutdown(1)
            assert sock.recv(100) == b""
        except ConnectionResetError:
            pass
        finally:
            sock.close()
    assert not [packet for packet in tap.between(address) if packet[0] == "tcp"]


def test_a_list_of_ones_own(world, gateway):
    assert ask(world, "second.example", source=POD_OTHER).rcode == "NXDOMAIN"
    assert ask(world, "x.second.example", source=POD_OTHER).rcode == "NXDOMAIN"
    assert ask(world, "origin.example", source=POD_OTHER).addresses == [ORIGIN]


# Abuses of the protocol

ABUSES = [("AXFR", "dns_zone_transfer", True), ("IXFR", "dns_zone_transfer", True), ("AXFR", "dns_zone_transfer", False),
          ("ANY", "dns_any", False), ("ANY", "dns_any", True), ("NULL", "dns_null", False), ("NULL", "dns_null", True)]


@pytest.mark.parametrize("kind,threat,tcp", ABUSES)
def test_abuses_in_protect(world, gateway, tap, kind, threat, tcp):
    answer = ask(world, "example", kind, tcp=tcp)
    assert not answer.answers and answer.rcode in ("NXDOMAIN", "REFUSED", "NOTIMP")
    assert not questions(tap.packets(), UNBOUND), "it was asked on"
    event = gateway.dns_events("example", threat=threat, type=kind)[-1]
    assert (event["kind"], event["action"], event["reason"]) == ("threat", "deny", "threat")


@pytest.mark.parametrize("kind,threat,tcp", ABUSES)
def test_abuses_outside_protect(world, gateway, kind, threat, tcp):
    try:
        ask(world, "example", kind, tcp=tcp, source=POD_DH157)
    except (TimeoutError, ConnectionError):
        pass  # nobody outside gives a zone away; how they say so is theirs
    event = gateway.dns_events("example", threat=threat, type=kind, service="dh157.default")[-1]
    assert (event["action"], event["would"]) == ("alert", "deny")


def test_dig_axfr(world, gateway):
    done = world.run("pods", ["dig", "-b", POD, "@9.9.9.9", "+tries=1", "+time=3", "example", "AXFR"])
    assert "Transfer failed" in done.stdout and ATTACKER not in done.stdout


@pytest.mark.parametrize("source", [POD, POD_DH157, POD_UNKNOWN])
def test_malformed_messages_are_refused_in_every_mode(world, gateway, tap, source):
    before = len(gateway.events(0, threat="dns_malformed", timeout=0))
    good = query("origin.example", edns=None)
    for message in (good + b"trailing", good[:-1], header(7, RD, (3, 0, 0, 0)) + good[12:], header(7, RD) + b"\xc0\x0c\0\1\0\1",
                    header(7, RD) + b"\x40" + b"x" * 64 + b"\0\0\1\0\1"):
        exchange(world, message, source=source)
    events = gateway.events(before + 5, threat="dns_malformed")[before:]
    assert all(event["action"] == "deny" and event["application"] == "DNS" for event in events)
    assert {event["client"].rpartition(":")[0] for event in events} == {source}
    assert not questions(tap.packets(), UNBOUND)
