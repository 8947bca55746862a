"""Modes × verdicts as a user meets them, learning, and what `explain`, `rules` and `check` say of it."""

import glob
import os

import pytest

from gateway import SSN_SENSOR, WEIR, body_of
from net import ATTACKER, CANARY, ORIGIN, ORIGIN_V6, POD_DH157, POD_OTHER, POD_UNKNOWN, POD_V6, until

NUMBER = "295109912611193"

RULES = {
    "allows": "[{to: origin.example, action: allow}]",
    "covers nothing": "[{to: elsewhere.example, action: allow}]",
    "denies": "[{to: origin.example, action: deny}, {to: any, action: allow}]",
}


def config(mode, rules, sensors="{}"):
    return SSN_SENSOR + f"""
services:
  - name: myapp.default
    mode: {mode}
    sensors: {sensors}
    rules: {rules}
"""


@pytest.mark.parametrize("mode,verdict,status,action,would", [
    ("discover", "allows", 200, "allow", "allow"),
    ("discover", "covers nothing", 200, "allow", "deny"),
    ("discover", "denies", 200, "alert", "deny"),
    ("monitor", "allows", 200, "allow", "allow"),
    ("monitor", "covers nothing", 200, "alert", "deny"),
    ("monitor", "denies", 200, "alert", "deny"),
    ("protect", "allows", 200, "allow", "allow"),
    ("protect", "covers nothing", 403, "deny", "deny"),
    ("protect", "denies", 403, "deny", "deny"),
])
def test_rules(world, weir, nginx, mode, verdict, status, action, would):
    gateway = weir(config(mode, RULES[verdict]))
    before = nginx.log()
    assert body_of(world.curl("http://origin.example/1k"))[0] == status
    session = gateway.sessions(host="origin.example")[0]
    assert (session["action"], session["would"]) == (action, would)
    if action == "deny":
        assert nginx.log() == before, "the outside host was contacted"
        assert session["reason"] == ("rule" if verdict == "denies" else "violation")
        gateway.events(id=session["id"])


@pytest.mark.parametrize("mode,sensor,status,action,would", [
    ("discover", "alert", 200, "alert", "alert"),
    ("discover", "deny", 200, "alert", "deny"),
    ("discover", "redact", 200, "alert", "redact"),
    ("monitor", "deny", 200, "alert", "deny"),
    ("protect", "alert", 200, "alert", "alert"),
    ("protect", "redact", 200, "redact", "redact"),
    ("protect", "deny", 403, "deny", "deny"),
])
def test_sensors(world, weir, nginx, mode, sensor, status, action, would):
    gateway = weir(config(mode, RULES["allows"], "{nir: %s}" % sensor))
    asked = world.curl("-d", f"nir={NUMBER}", "http://origin.example/stuff/x")
    assert body_of(asked)[0] == status
    session = gateway.sessions(host="origin.example")[0]
    assert (session["action"], session["would"], session["reason"]) == (action, would, "finding")
    last = nginx.log().splitlines()[-1] if status == 200 else ""
    assert (NUMBER in last) == (action == "alert")
    if action == "redact":
        assert "nir=" + "*" * 15 in last


def test_each_exchange_is_judged_by_its_own_service(world, weir, nginx):
    gateway = weir("""
services:
  - {name: myapp.default, mode: protect, rules: [{to: "*.origin.example", action: allow}]}
  - {name: dh157.default, mode: monitor, rules: []}
  - {name: unknown, mode: protect, rules: []}
""")
    assert body_of(world.curl("http://www.origin.example/1k"))[0] == 200
    assert body_of(world.curl("http://origin.example/1k"))[0] == 403, "*.suffix is not the suffix itself"
    assert body_of(world.curl("http://origin.example/1k", source=POD_DH157))[0] == 200
    assert body_of(world.curl("http://origin.example/1k", source=POD_OTHER))[0] == 200
    assert body_of(world.curl("http://origin.example/1k", source=POD_UNKNOWN))[0] == 403
    assert {s["service"] for s in gateway.sessions(5)} == {
        "myapp.default", "dh157.default", "other.default", "unknown"}


def test_rules_by_address_port_and_application(world, weir, nginx):
    weir(f"""
services:
  - name: myapp.default
    mode: protect
    rules:
      - {{to: {CANARY}/32, action: deny}}
      - {{to: {ATTACKER}, ports: [81], action: allow}}
      - {{to: {ORIGIN}, applications: [HTTP], action: allow}}
""")
    assert body_of(world.curl("http://canarytokens.com/"))[0] == 403
    assert body_of(world.curl("http://attacker.example/"))[0] == 403
    assert body_of(world.curl("http://origin.example/"))[0] == 200


def learned_rule(gateway, name):
    """The line of `weir rules --learned` about a name, or nothing."""
    printed = gateway.command("rules", "--learned", "-c", gateway.path).stdout
    return next((line for line in printed.splitlines() if name in line), None)


def test_learning_survives_a_restart_and_protects(world, weir, nginx):
    gateway = weir("")
    assert body_of(world.curl("http://canarytokens.com/"))[0] == 200
    assert gateway.sessions(fqdn="canarytokens.com")[0]["would"] == "deny"
    learned = until(lambda: learned_rule(gateway, "canarytokens.com"), timeout=10, what="a learned rule")
    assert "80" in learned and "HTTP" in learned and "allow" in learned
    assert body_of(world.curl("http://canarytokens.com/"))[0] == 200
    assert gateway.sessions(2, fqdn="canarytokens.com")[-1]["would"] == "allow", "it is learned now"
    gateway.stop()
    gateway.write("services: [{name: myapp.default, mode: protect, rules: []}]\n")
    gateway.start()
    assert learned_rule(gateway, "canarytokens.com")
    assert body_of(world.curl("http://canarytokens.com/"))[0] == 200
    assert body_of(world.curl("http://attacker.example/"))[0] == 403


def test_a_state_file_cut_in_half_is_told_and_survived(world, weir, nginx):
    gateway = weir("")
    for host in ("origin.example", "canarytokens.com"):
        assert body_of(world.curl(f"http://{host}/"))[0] == 200
    gateway.sessions(2)
    gateway.stop()
    files = glob.glob(os.path.join(gateway.directory, "state", "learned*"))
    assert files
    for path in files:
        os.truncate(path, os.path.getsize(path) // 2)
    gateway.start()
    assert "learned" in gateway.log()
    assert body_of(world.curl("http://canarytokens.com/"))[0] == 200


def test_what_failed_is_not_learned(world, weir, resolver, nginx):
    gateway = weir("")
    resolver.names["closed.example"] = [ORIGIN]
    assert body_of(world.curl("http://closed.example:8999/"))[0] in (502, 503, 504)
    gateway.sessions(1)
    gateway.stop()
    assert learned_rule(gateway, "closed.example") is None


def test_explain_says_what_run_does(world, weir, nginx):
    gateway = weir(config("protect", RULES["denies"]))
    words = ["explain", "-c", gateway.path, "--service", "myapp.default"]
    denied = gateway.command(*words, "http://origin.example/", check=False).stdout
    assert "deny" in denied and "origin.example" in denied
    assert "allow" in gateway.command(*words, "http://other.example/", check=False).stdout


def test_check_tells_every_error_with_its_place(world, weir, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("""listeners:
  - {name: egress, address: "0.0.0.0:99999", intercept: tproxy}
workers: many
services:
  - {name: a.b, mode: strict, rules: []}
  - {name: a.b, rules: [{to: "10.0.0.0/99", action: allow}]}
sensors:
  - {name: bad, rules: [{name: r, patterns: [{regex: '(', context: [body]}]}]}
colour: blue
""")
    asked = world.run("gateway", [WEIR, "check", str(path)])
    assert asked.returncode == 1
    said = asked.stderr + asked.stdout
    for line in (2, 3, 5, 6, 8, 9):
        assert f"bad.yaml:{line}:" in said, f"line {line} is missing in:\n{said}"


def test_v6_literals_and_names(world, weir, nginx):
    gateway = weir("""
services:
  - {name: myapp.default, mode: protect, rules: [{to: six.example, action: allow}, {to: "2606:2800::/32", action: allow}]}
""")
    assert body_of(world.curl("-6", "http://six.example/1k", "-o", "/dev/null", source=POD_V6))[0] == 200
    assert body_of(world.curl("-g", f"http://[{ORIGIN_V6}]/", source=POD_V6))[0] == 200
    session = gateway.sessions(fqdn="six.example")[0]
    assert session["destination"] == f"[{ORIGIN_V6}]:80"
    assert session["service"] == "myapp.default"
