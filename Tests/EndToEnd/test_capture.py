"""`weir nft`: what is sent to the gateway, and that nothing leaves past it."""

import socket

import pytest

from gateway import body_of
from net import ATTACKER, CANARY, GATEWAY_PODS, ORIGIN, ORIGIN_V6, POD, POD_OTHER, POD_V6, RESOLVER, Wiretap
from wire import read_all, send


def beyond(tap):
    """Packets that crossed the wire to the outside, without the chatter of IPv6 links and what is excluded."""
    return [p for p in tap.packets() if not p[1].startswith("fe80") and p[1] != "::" and RESOLVER not in p[1:3]]


def udp(world, address, port, source=POD):
    with world.inside("pods"):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((source, 0))
    sock.sendto(b"secret", (address, port))
    sock.close()


def test_traffic_is_captured_whatever_its_port(world, weir, nginx):
    gateway = weir("")
    with Wiretap(world) as tap:
        assert body_of(world.curl("http://canarytokens.com/")) == (200, "hello\n")
        assert body_of(world.curl(f"http://{CANARY}:8123/"))[0] == 502
    assert not [p for p in beyond(tap) if p[1] == POD or p[2] == POD], "a packet left from the pod's own address"
    gateway.sessions(fqdn="canarytokens.com")


def test_a_dead_gateway_lets_nothing_out(world, weir, nginx):
    gateway = weir("")
    assert body_of(world.curl("http://canarytokens.com/"))[0] == 200
    open_connection = world.connect(ORIGIN, 80)
    gateway.kill()
    with Wiretap(world) as tap:
        assert world.curl(f"http://{CANARY}/", timeout=3).returncode != 0
        assert world.curl("-g", f"http://[{ORIGIN_V6}]/", source=POD_V6, timeout=3).returncode != 0
        try:
            open_connection.sendall(b"GET / HTTP/1.1\r\nhost: origin.example\r\n\r\n")
        except OSError:
            pass
        udp(world, ATTACKER, 443)
    assert [p for p in beyond(tap) if p[1] in (POD, POD_V6)] == []
    gateway.start()
    assert body_of(world.curl("http://canarytokens.com/"))[0] == 200


def test_fail_open_lets_tcp_by_while_the_gateway_is_dead(world, weir, nginx):
    gateway = weir("", capture=", fail: open")
    assert body_of(world.curl("http://canarytokens.com/"))[0] == 200
    gateway.sessions(fqdn="canarytokens.com")
    gateway.kill()
    with Wiretap(world) as tap:
        assert body_of(world.curl(f"http://{CANARY}/")) == (200, "hello\n")
        udp(world, ATTACKER, 443)
    assert any(p[0] == "tcp" and p[1] == POD for p in tap.packets())
    assert not any(p[0] == "udp" and p[4] == 443 for p in tap.packets()), "QUIC must not pass, open or closed"


def test_what_cannot_be_read_does_not_leave(world, weir, nginx):
    weir("")
    with Wiretap(world) as tap:
        udp(world, ATTACKER, 443)
        udp(world, ATTACKER, 9999)
        assert world.run("pods", f"ping -c1 -W1 -I {POD} {ATTACKER}").returncode != 0
        world.run("pods", f"ping -c1 -W1 -I {POD_V6} {ORIGIN_V6}")
    assert beyond(tap) == []


def test_what_is_listed_passes_by(world, weir, nginx):
    weir("", capture=', allow: ["udp/123", "icmp"]')
    with Wiretap(world) as tap:
        udp(world, ATTACKER, 123)
        udp(world, ATTACKER, 9999)
        udp(world, ATTACKER, 443)
        assert world.run("pods", f"ping -c1 -W1 -I {POD} {ATTACKER}").returncode == 0
    assert {p[4] for p in tap.packets() if p[0] == "udp" and p[1] == POD and p[2] != RESOLVER} == {123}


def test_removal_takes_everything_back(world, weir, nginx):
    gateway = weir("")
    assert "table inet weir" in world.run("gateway", "nft list tables").stdout
    gateway.nft("--remove")
    assert "weir" not in world.run("gateway", "nft list tables").stdout
    assert "15001" not in world.run("gateway", "ip rule; ip -6 rule; ip route show table 15001").stdout
    assert body_of(world.curl("http://canarytokens.com/"))[0] == 200, "the pod reaches the outside directly again"
    gateway.nft("--apply")
    gateway.nft("--apply")
    assert world.run("gateway", "ip rule").stdout.count("15001") >= 1
    assert world.run("gateway", "ip rule").stdout.count("fwmark") == 1


def test_printed_rules_are_rules(world, weir):
    gateway = weir("", capture=', allow: ["udp/123", "icmp"]')
    checked = world.run("gateway", ["nft", "-c", "-f", "-"], input=gateway.nft().stdout)
    assert checked.returncode == 0, checked.stderr


def test_the_gateways_own_listener_is_refused_as_a_loop(world, weir, nginx):
    gateway = weir("")
    try:
        sock = send(world, b"GET / HTTP/1.1\r\nhost: origin.example\r\n\r\n", address=GATEWAY_PODS, port=15001)
        assert b"hello" not in read_all(sock)[0]
    except ConnectionResetError:
        pass  # refused before the connect returned
    gateway.events(threat="gateway_loop")
    assert gateway.descriptors() < 60


@pytest.mark.parametrize("authority", [f"{GATEWAY_PODS}:15001", f"{GATEWAY_PODS}:3128", "127.0.0.1:15000"])
def test_a_loop_through_the_explicit_listener_is_refused(world, weir, authority):
    gateway = weir("")
    asked = world.curl("-x", f"http://{GATEWAY_PODS}:3128", f"http://{authority}/")
    assert body_of(asked)[0] in (403, 502, 508)
    assert not gateway.sessions(status=200, timeout=0.3, count=0)


def test_answers_find_their_way_with_the_clients_own_address(world, weir, nginx):
    gateway = weir("", listeners="""
listeners:
  - {name: egress, address: "0.0.0.0:15001", intercept: tproxy, source: client}
""")
    with Wiretap(world) as tap:
        for source in (POD, POD_OTHER):
            assert body_of(world.curl("http://origin.example/64k", "-o", "/dev/null", source=source))[0] == 200
    seen = {p[1] for p in tap.packets() if p[0] == "tcp" and p[2] == ORIGIN}
    assert seen == {POD, POD_OTHER}
    gateway.sessions(2)


def test_a_configuration_without_capture_is_told_so(world, weir):
    gateway = weir("", capture=None)
    asked = gateway.command("nft", "-c", gateway.path, check=False)
    assert asked.returncode != 0
    assert "capture" in asked.stderr


def test_other_ports_stay_closed_when_ports_are_listed(world, weir, nginx):
    gateway = weir("", capture=None)
    gateway.capture = 'capture: {from: [pods], ports: {tcp: [80]}, exclude: ["%s"]}\n' % RESOLVER
    gateway.write("")
    gateway.nft("--apply")
    with Wiretap(world) as tap:
        assert world.curl(f"http://{CANARY}:8443/", timeout=2).returncode != 0
        assert body_of(world.curl("http://canarytokens.com/"))[0] == 200
    assert not [p for p in tap.packets() if p[4] == 8443]
