"""testssl.sh on the listener: what a security team runs first against whatever speaks TLS for them."""

import json
import os
import shutil
import time

import pytest

from gateway import service
from net import ORIGIN
from test_clients_tls import web  # noqa: F401
from test_tls import ca, outside  # noqa: F401

GRAVE = ("MEDIUM", "HIGH", "CRITICAL", "WARN", "FATAL")

# Findings of a grave severity that are as they must be, with the reason.
ACCEPTED = {
    "cert_expirationStatus": "a certificate is minted for a week, since there is no way to take it back",
    "cert_notAfter": "the same finding, with the date",
    "cert_revocation": "nobody but this gateway has its key, and a client that is behind it could ask no one else",
    "sessionresumption_ticket": "its openssl(1) may leave before a ticket of TLS 1.3 has come; test_tls.py holds what tickets do",
    "engine_problem": "of testssl.sh itself, whose openssl(1) knows no GOST",
}

# They take about half a minute; `--headers` would look at the origin, and the rest speaks to others than the listener.
CHECKS = ["--protocols", "--grease", "--std", "--pfs", "--server-preference", "--server-defaults", "--vulnerable", "--cipher-per-proto"]


@pytest.fixture
def findings(world, weir, resolver, web, outside, tmp_path):  # noqa: F811
    """What testssl.sh finds, by its own names."""
    if not shutil.which("testssl"):
        pytest.skip("testssl.sh is not installed")
    gateway = weir(service() + f'tls: {{trust: "{outside.certificate}"}}\n')
    path = tmp_path / "findings.json"
    began = time.monotonic()
    done = world.run("pods", [
        "testssl", "--quiet", "--warnings", "batch", "--color", "0", "--nodns", "none", "--ip", ORIGIN, "--add-ca", ca(gateway),
        "--connect-timeout", "5", "--openssl-timeout", "10", "--jsonfile", str(path), *CHECKS, "https://origin.example"],
        timeout=400, cwd=tmp_path, env=dict(os.environ, TERM="dumb"))
    print(f"{time.monotonic() - began:.0f} s")
    assert path.exists(), done.stdout + done.stderr
    yield json.loads(path.read_text())
    assert gateway.admin("/readyz")[0] == 200


def test_nothing_of_medium_severity(findings):
    grave = [one for one in findings if one["severity"] in GRAVE and one["id"] not in ACCEPTED]
    assert grave == []
    # It saw what is there, to its end.
    told = {one["id"]: one["finding"] for one in findings}
    assert told["cert_chain_of_trust"].startswith("passed") and told["cert_trust"].startswith("Ok via SAN")
    assert [told[version].startswith("offered") for version in ("TLS1_2", "TLS1_3")] == [True, True]
    assert [told[version] for version in ("SSLv2", "SSLv3", "TLS1", "TLS1_1")] == ["not offered"] * 4
    assert {"heartbleed", "ROBOT", "LUCKY13", "RC4"} <= told.keys()
