"""Who was told what: connections without a name are judged by the names their pod asked for, and by nobody else's."""

import csv
import io
import json
import socket
import threading
import time

import pytest

from dnswire import Client, ask
from gateway import body_of, dns, service
from net import ATTACKER, CANARY, ORIGIN, ORIGIN_V6, PLAIN, POD, POD_DH157, POD_OTHER, POD_V6, POOL, RESOLVER, SECOND, UNBOUND
from peers import Origin, echo, tls_client, tls_server
from wire import read_response, request, send

RULES = """[{to: canarytokens.com, action: allow}, {to: "*.turn.example", action: allow}, {to: canary.example, action: deny},
            {to: short.example, action: allow}, {to: origin.example, action: allow}, {to: both.example, action: allow},
            {to: plain.example, action: allow}]"""
CONFIG = """
tls: {inspect: false}
services:
  - {name: myapp.default, mode: protect, rules: %s}
  - {name: other.default, mode: protect, rules: %s}
  - {name: dh157.default, mode: monitor, rules: []}
""" % (RULES, RULES)


def reaches(world, address, port, source=POD, data=b"\0\1\2\3"):
    """Whether bytes without a name come through to an address and back."""
    try:
        with world.connect(address, port, source=source, timeout=5) as sock:
            sock.sendall(data)
            return sock.recv(len(data)) == data
    except ConnectionResetError:
        return False


def test_the_story(world, weir, unbound, nginx):
    """A pod resolves canarytokens.com and posts to it: the report has a row of its DNS and a row of its HTTP."""
    gateway = weir(service(name="dh157.default", mode="monitor", rules="[]"), dns=dns())
    assert body_of(world.curl("-d", "name=Jeanne", "http://canarytokens.com/stuff/collect")) == (200, "collected\n")
    assert ask(world, "canarytokens.com", source=POD_DH157).addresses == [CANARY]
    assert body_of(world.curl("--resolve", f"canarytokens.com:80:{CANARY}", "-d", "name=Jeanne",
                              "http://canarytokens.com/stuff/collect", source=POD_DH157)) == (200, "collected\n")
    asked = gateway.dns_sessions("canarytokens.com", type="A", service="myapp.default")[0]
    assert asked["pod"] == "myapp-7d9c"
    assert asked["destination"] == f"{RESOLVER}:53" and "fqdn" not in asked
    assert asked["dns"] == {"name": "canarytokens.com", "type": "A", "rcode": "NOERROR", "answers": [CANARY],
                            "resolver": f"{UNBOUND}:53", "cached": False}
    gateway.sessions(2, application="HTTP", fqdn="canarytokens.com")

    table = gateway.command("report", "-c", gateway.path).stdout
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if ".default" in line]
    count = str(len(gateway.dns_sessions("canarytokens.com", service="myapp.default")))
    assert ["myapp.default", "1", "Discover", RESOLVER, "", count, "DNS", "Allow"] in rows, table
    assert ["myapp.default", "1", "Discover", CANARY, "canarytokens.com", "1", "HTTP", "Allow"] in rows, table
    assert ["dh157.default", "1", "Monitor", RESOLVER, "", "1", "DNS", "Alert"] in rows, table
    assert ["dh157.default", "1", "Monitor", CANARY, "canarytokens.com", "1", "HTTP", "Alert"] in rows, table
    assert len(rows) == 4
    lines = list(csv.DictReader(io.StringIO(gateway.command("report", "--format", "csv", "-c", gateway.path).stdout)))
    assert len(lines) == 4 and sum("DNS" in line.values() for line in lines) == 2
    assert "DNS" in json.dumps(json.loads(gateway.command("report", "--format", "json", "-c", gateway.path).stdout))


# Names without a name


@pytest.fixture
def told(world, weir, unbound):
    return weir(CONFIG, dns=dns())


def test_tls_without_a_name(world, told, certificate):
    """Attributed to the name the pod asked for and judged by it; another pod, that never asked, has no name there."""
    with Origin(world, 8443, CANARY, handler=tls_server(certificate)) as origin:
        with pytest.raises(OSError):
            tls_client(world.connect(CANARY, 8443), None)
        assert origin.conversations == [], "it has not asked yet"
        assert ask(world, "canarytokens.com").addresses == [CANARY]
        with tls_client(world.connect(CANARY, 8443), None) as tls:
            tls.sendall(b"through")
            assert tls.recv(100) == b"through"
        with pytest.raises(OSError):
            tls_client(world.connect(CANARY, 8443, source=POD_OTHER), None)
        assert len(origin.conversations) == 1
    session = told.sessions(application="TLS", fqdn="canarytokens.com")[0]
    assert (session["named_by"], session["action"], session["service"]) == ("dns", "allow", "myapp.default")
    assert "threat" not in session, "a covered name is no TLS without one"
    other = told.sessions(service="other.default", destination=f"{CANARY}:8443")[0]
    assert other["action"] == "deny" and "fqdn" not in other


def test_raw_tcp(world, told):
    with Origin(world, 7000, CANARY, handler=echo):
        assert not reaches(world, CANARY, 7000)
        ask(world, "canarytokens.com", tcp=True)
        assert reaches(world, CANARY, 7000)
        assert not reaches(world, CANARY, 7000, POD_OTHER)
        ask(world, "canarytokens.com", source=POD_OTHER)
        assert reaches(world, CANARY, 7000, POD_OTHER)
        assert reaches(world, CANARY, 7000, POD_DH157), "Monitor alerts"
    session = told.sessions(service="myapp.default", application="TCP", action="allow")[0]
    assert (session["fqdn"], session["named_by"]) == ("canarytokens.com", "dns")
    assert "fqdn" not in told.sessions(service="dh157.default", application="TCP")[0]


def test_the_name_that_was_asked_is_kept_through_cnames(world, told):
    with Origin(world, 7000, ORIGIN, handler=echo):
        assert ask(world, "chain0.example", source=POD_DH157).addresses == [ORIGIN]
        assert reaches(world, ORIGIN, 7000, POD_DH157)
    session = told.sessions(service="dh157.default", application="TCP")[0]
    assert session["fqdn"] == "chain0.example" and session["action"] == "alert"


def test_several_names_of_one_address_the_strictest_counts(world, told):
    with Origin(world, 7000, CANARY, handler=echo):
        ask(world, "canarytokens.com")
        assert reaches(world, CANARY, 7000)
        # canary.example is denied, so it is never told; Monitor tells it.
        assert ask(world, "canary.example").rcode == "NXDOMAIN"
        assert reaches(world, CANARY, 7000), "what was blocked was not told"
        told.reload(CONFIG.replace("{to: canary.example, action: deny}", "{to: canary.example, action: allow}"))
        assert ask(world, "canary.example").addresses == [CANARY]
        assert reaches(world, CANARY, 7000)
        told.reload(CONFIG)
        assert not reaches(world, CANARY, 7000), "one of its two names is denied now"


def test_it_survives_a_reload(world, told):
    with Origin(world, 7000, CANARY, handler=echo):
        ask(world, "canarytokens.com")
        for index in range(3):
            told.reload(CONFIG + f"# {index}\n")
            assert reaches(world, CANARY, 7000)


def test_a_short_time_is_kept_longer(world, told):
    """Clients pool addresses: what had two seconds to live is still good for a minute."""
    with Origin(world, 7000, PLAIN, handler=echo):
        assert ask(world, "short.example").addresses == [PLAIN]
        time.sleep(3)
        assert reaches(world, PLAIN, 7000)


def test_ipv6(world, told):
    """A pod asks by IPv4 and connects by IPv6: it is the same pod."""
    with Origin(world, 7000, ORIGIN_V6, handler=echo):
        assert not reaches(world, ORIGIN_V6, 7000, POD_V6)
        assert ask(world, "both.example", "AAAA", at="2620:fe::fe").addresses == [ORIGIN_V6]
        assert reaches(world, ORIGIN_V6, 7000, POD_V6)
    assert told.sessions(destination=f"[{ORIGIN_V6}]:7000", action="allow")[0]["fqdn"] == "both.example"


def test_a_pod_is_one_by_ipv4_and_ipv6(world, told):
    """The usual dual-stack pod: an IPv4 resolver, and connections by IPv6."""
    with Origin(world, 7000, ORIGIN_V6, handler=echo):
        assert ask(world, "both.example", "AAAA", source=POD).addresses == [ORIGIN_V6]
        assert reaches(world, ORIGIN_V6, 7000, POD_V6)


def test_hints_of_https_records_are_told_too(world, told):
    with Origin(world, 7000, ORIGIN, handler=echo):
        told.reload(CONFIG.replace("{to: short.example, action: allow}", "{to: front.example, action: allow}"))
        assert ask(world, "front.example", "HTTPS").of("HTTPS")
        assert reaches(world, ORIGIN, 7000)


def test_what_was_taken_out_was_not_told(world, told):
    with Origin(world, 7000, PLAIN, handler=echo):
        told.reload(CONFIG.replace("{to: short.example, action: allow}", "{to: mixed.example, action: allow}"))
        assert ask(world, "mixed.example").addresses in ([], [PLAIN])
        with Origin(world, 7000, "10.77.0.5", handler=echo) as inside:
            assert not reaches(world, "10.77.0.5", 7000)
            assert inside.conversations == []


# Two workers


@pytest.mark.parametrize("rounds", [250, pytest.param(5000, marks=pytest.mark.long)])
def test_the_answer_of_one_worker_opens_the_connection_of_another(world, told, rounds):
    """At once: the memory is written before the answer leaves. Each address is told for the first time, to one pod."""
    with EchoEverywhere(world, 7000):
        denied = []
        for index in range(rounds):
            number = index % 254 + 1
            if index % 254 == 0 and index:
                told.stop()  # it forgets, and leaves no record behind
                told.start()
            with Client(world) as client:
                address, = client.ask(f"n{number}.turn.example").addresses
            if not reaches(world, address, 7000):
                denied.append(address)
        assert denied == []
        assert not reaches(world, f"{POOL}.1", 7000, POD_OTHER), "who never asked is not let by"
    sessions = told.sessions(rounds, application="TCP", action="allow", timeout=10)
    names = {session["fqdn"] for session in sessions}
    assert len(names) >= min(rounds, 254) - 4


class EchoEverywhere:
    """An echo at a port of every address outside."""

    def __init__(self, world, port):
        with world.inside("outside"):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("0.0.0.0", port))
        self.socket.listen(512)

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(5)
                try:
                    sock.sendall(sock.recv(100))
                except OSError:
                    continue

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


# Names for another address


@pytest.mark.parametrize("source,status", [(POD, 403), (POD_DH157, 200)])
def test_the_host_of_an_allowed_name_at_an_attackers_address(world, weir, unbound, source, status):
    """CVE-2009-0801. The pod was told the address for another name, so this is no rotating CDN."""
    gateway = weir("""
services:
  - {name: myapp.default, mode: protect, rules: [{to: plain.example, action: allow}, {to: attacker.example, action: allow}]}
  - {name: dh157.default, mode: monitor, rules: [{to: plain.example, action: allow}, {to: attacker.example, action: allow}]}
""", dns=dns())
    assert ask(world, "attacker.example", source=source).addresses == [ATTACKER]
    with Origin(world, 8080, ATTACKER) as attacker, Origin(world, 8080, PLAIN) as origin:
        sock = send(world, request(host="plain.example:8080", path="/spoofed"), address=ATTACKER, port=8080, source=source)
        assert read_response(sock)[0] == status
        assert attacker.received == b"", "only the address that Weir itself resolved is reached"
        assert (b"/spoofed" in origin.received) == (status == 200)
    event = gateway.events(threat="host_ip_mismatch")[0]
    assert event["action"] == ("deny" if status == 403 else "alert") and event["would"] == "deny"
    session = gateway.sessions(path="/spoofed")[0]
    assert session["destination"] == f"{ATTACKER}:8080" and session["fqdn"] == "plain.example"
    if status == 200:
        assert session["dialed"] == f"{PLAIN}:8080"


def test_a_mere_difference_is_no_threat(world, told):
    """The pod has the address from elsewhere: a resolver of its own, or a CDN that turns."""
    with Origin(world, 8080, PLAIN) as origin, Origin(world, 8080, SECOND) as second:
        sock = send(world, request(host="plain.example:8080", path="/turned"), address=SECOND, port=8080)
        assert read_response(sock)[0] == 200
        assert b"/turned" in origin.received and second.received == b""
    session = told.sessions(path="/turned")[0]
    assert "threat" not in session and session["action"] == "allow"
    assert not told.events(0, timeout=0, threat="host_ip_mismatch")


def test_a_name_that_was_told_opens_the_address_it_was_told_for(world, told):
    """Weir's own answer may have moved on: what it told this client stays good."""
    assert ask(world, "plain.example").addresses == [PLAIN]
    with Origin(world, 8080, PLAIN) as origin:
        sock = send(world, request(host="plain.example:8080"), address=PLAIN, port=8080)
        assert read_response(sock)[0] == 200 and origin.requests == 1
        sock.close()
    assert told.sessions(fqdn="plain.example")[0]["named_by"] == "host"
