"""Names and addresses: the name decides, our own answer is dialled, and the gateway is no way in."""

import pytest

from net import CANARY, GATEWAY_OUT, OTHER, PLAIN, PRIVATE, SECOND, Wiretap, until
from peers import Origin
from wire import read_response, request, send

CONFIG = """
services:
  - {name: myapp.default, mode: protect, rules: [{to: "*.example", action: allow}, {to: canarytokens.com, action: allow},
                                                 {to: "*.local", action: allow}, {to: 91.198.174.0/24, action: allow}]}
  - {name: dh157.default, mode: discover, rules: []}
"""


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(CONFIG)


def test_a_name_for_another_address_dials_our_answer(world, gateway, resolver):
    with Origin(world, 80, OTHER) as other, Origin(world, 80, SECOND) as second:
        sock = send(world, request(host="other.example", path="/stolen"), address=SECOND, port=80)
        assert read_response(sock)[0] == 200
        assert b"/stolen" in other.received and second.received == b""
    session = gateway.sessions(path="/stolen")[0]
    assert session["destination"] == f"{SECOND}:80"
    assert session["dialed"] == f"{OTHER}:80"
    assert session["fqdn"] == "other.example"


def test_the_host_of_an_allowed_name_opens_no_other_address(world, gateway, resolver):
    """The client's address is denied by no rule, but it is not the name's: CVE-2009-0801."""
    resolver.names["good.example"] = [PLAIN]
    with Origin(world, 80, "10.77.0.5") as inside, Wiretap(world) as tap:
        sock = send(world, request(host="good.example"), address=PRIVATE, port=80)
        status = read_response(sock)[0]
        assert inside.received == b""
    assert not tap.between(PRIVATE)
    assert status in (200, 403, 502)


INWARD = [
    "169.254.169.254", "127.0.0.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "0.0.0.0", "[::1]", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]",
    "224.0.0.1", "255.255.255.255", GATEWAY_OUT, "localhost", "100.100.100.200", "[fd00:ec2::254]",
]


@pytest.mark.parametrize("host", INWARD)
@pytest.mark.parametrize("source", ["10.244.0.17", "10.244.0.9"])
def test_inward_addresses_are_refused_in_every_mode(world, gateway, resolver, host, source):
    resolver.names["localhost"] = ["127.0.0.1"]
    with Wiretap(world) as tap, Origin(world, 80, SECOND) as second:
        sock = send(world, request(host=host), address=SECOND, port=80, source=source)
        assert read_response(sock)[0] in (400, 403)
        assert second.received == b""
    assert not [p for p in tap.packets() if p[0] == "tcp"]
    event = gateway.event_of(sock)
    assert event["action"] == "deny"
    assert event["threat"] in ("inward_address", "gateway_loop", "malformed_http")


@pytest.mark.parametrize("host", ["plain.example:0", "plain.example:99999", "plain.example:x", "[::1", "a..b",
                                  "-", "ex ample", "a" * 300 + ".example", "[fe80::1%25eth0]"])
def test_hosts_that_are_no_hosts_are_refused(world, gateway, resolver, host):
    with Origin(world, 80, PLAIN) as origin:
        sock = send(world, request(host=host), address=PLAIN, port=80)
        assert read_response(sock)[0] in (400, 403, 502)
        assert origin.received == b""


def test_one_name_whatever_its_spelling(world, gateway, resolver, nginx):
    for host in ("CANARYTOKENS.com", "canarytokens.com.", "canarytokens.com:80"):
        sock = send(world, request(host=host, path="/1k"), address=CANARY, port=80)
        assert read_response(sock)[0] == 200
    sessions = gateway.sessions(3, fqdn="canarytokens.com", path="/1k")
    assert {s["fqdn"] for s in sessions} == {"canarytokens.com"}


def test_a_public_name_with_a_private_address_is_rebinding(world, gateway, resolver):
    with Origin(world, 80, PRIVATE) as inside:
        sock = send(world, request(host="rebound.example"), address=PRIVATE, port=80)
        assert read_response(sock)[0] == 403
        assert inside.received == b""
        event = gateway.event_of(sock)
        assert (event["threat"], event["action"]) == ("rebinding", "deny")
        # Discover reports it and lets it by.
        sock = send(world, request(host="rebound.example"), address=PRIVATE, port=80, source="10.244.0.9")
        assert read_response(sock)[0] == 200
    event = gateway.event_of(sock)
    assert (event["threat"], event["action"], event["would"]) == ("rebinding", "alert", "deny")


def test_one_inward_answer_among_good_ones_refuses_the_name(world, gateway, resolver):
    resolver.names["mixed.example"] = [PLAIN, "127.0.0.1"]
    with Origin(world, 80, PLAIN) as origin:
        sock = send(world, request(host="mixed.example"), address=PLAIN, port=80)
        assert read_response(sock)[0] == 403
        assert origin.received == b""


def test_a_name_that_changes_between_check_and_dial_is_pinned(world, gateway, resolver):
    answers = iter([[PLAIN]] * 2 + [["127.0.0.1"]] * 1000)
    resolver.names["turning.example"] = lambda: next(answers)
    resolver.ttl = 0
    try:
        with Origin(world, 80, PLAIN) as origin:
            seen = []

            def refused():
                seen.append(read_response(send(world, request(host="turning.example"), address=PLAIN, port=80))[0])
                return seen[-1] == 403
            until(refused, what="the name to be inward")
            assert all(c.peer[0] == GATEWAY_OUT for c in origin.conversations)
    finally:
        resolver.ttl = 5
    assert set(seen) == {200, 403}


def test_an_internal_name_may_have_a_private_address(world, gateway, resolver):
    with Origin(world, 80, PRIVATE) as inside:
        sock = send(world, request(host="inside.cluster.local"), address=PRIVATE, port=80)
        assert read_response(sock)[0] == 200
        assert inside.requests == 1


def test_no_name_is_judged_by_its_address(world, gateway, resolver):
    with Origin(world, 80, SECOND) as second, Origin(world, 80, OTHER) as other:
        assert read_response(send(world, request(host=SECOND), address=SECOND, port=80))[0] == 200
        assert read_response(send(world, request(host=OTHER), address=OTHER, port=80))[0] == 403
        assert second.requests == 1 and other.received == b""
