"""Exceptions from whom the gateway trusts, and certificates that were taken back."""

import os

import pytest

from gateway import body_of
from net import ORIGIN, PLAIN, POD, POD_DH157, POD_OTHER
from peers import Origin
from tlspeers import Authority, fingerprints, over_tls, self_signed

SERVICES = """
services:
  - {name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: monitor, rules: [{to: any, action: allow}]}
  - {name: other.default, mode: discover}
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="module")
def alone(outside):
    return self_signed(outside.path("alone"), "plain.example")


def config(outside, pins=None, more=""):
    pins = [f"{{name: '{name}', sha256: {list(prints)}}}" for name, *prints in pins or []]
    return SERVICES + f'tls: {{trust: "{outside.certificate}", pins: [{", ".join(pins)}]{more}}}\n'


def get(world, gateway, name, path="/x", source=POD):
    authority = os.path.join(gateway.directory, "state/ca.pem")
    return body_of(world.curl("--cacert", authority, f"https://{name}{path}", source=source))


def test_a_pinned_certificate_that_nobody_vouches_for(world, weir, outside, alone):
    whole, key = fingerprints(alone)
    gateway = weir(config(outside, [("plain.example", whole)]))
    with Origin(world, 443, PLAIN, handler=over_tls(outside.server(alone))) as origin:
        for _ in range(3):
            assert get(world, gateway, "plain.example") == (200, "ok\n")
        assert origin.requests == 3
        gateway.reload(config(outside, [("*.example", key)]))
        assert get(world, gateway, "plain.example", "/by-key") == (200, "ok\n")
    sessions = gateway.sessions(4, fqdn="plain.example", status=200)
    assert all(session["tls"]["pinned"] is True for session in sessions)
    assert {session["tls"]["fingerprint"] for session in sessions} == {whole.replace(":", "").lower()}
    assert not any("threat" in session for session in sessions)


@pytest.mark.parametrize("source", [POD, POD_DH157, POD_OTHER], ids=["protect", "monitor", "discover"])
def test_another_certificate_than_the_pinned_one(world, weir, outside, alone, source):
    """Though its authority is trusted; and the name does not pass unread from then on, in no mode."""
    gateway = weir(config(outside, [("origin.example", *fingerprints(alone))]))
    stem = outside.sign("origin.example", stem="replaced")
    with Origin(world, 443, ORIGIN, handler=over_tls(outside.server(stem))) as origin:
        for turn in range(2):
            status, body = get(world, gateway, "origin.example", f"/{turn}", source=source)
            assert status == 502 and "tls.pins" in body, body
        assert not origin.received
    for session in gateway.sessions(2, fqdn="origin.example", status=502):
        assert session["threat"] == "untrusted_upstream" and session["tls"]["handling"] == "intercepted"
        assert session["tls"]["why"] == "the certificate is none of those that tls.pins has for this name"
        assert session["tls"]["fingerprint"] == fingerprints(stem)[0].replace(":", "").lower()
        assert "pinned" not in session["tls"]


def test_a_reload_adds_a_pin_and_takes_it_away(world, weir, outside, alone):
    gateway = weir(config(outside))
    with Origin(world, 443, PLAIN, handler=over_tls(outside.server(alone))):
        status, body = get(world, gateway, "plain.example")
        assert status == 502 and "self-signed" in body
        gateway.reload(config(outside, [("plain.example", fingerprints(alone)[0])]))
        assert get(world, gateway, "plain.example") == (200, "ok\n")
        # A connection that was kept is not used again, and no ticket of it.
        gateway.reload(config(outside))
        status, body = get(world, gateway, "plain.example")
        assert status == 502 and "self-signed" in body


def test_a_certificate_that_was_taken_back(world, weir, outside):
    stem = outside.sign("origin.example", stem="taken-back")
    lists = f', revocation: ["{outside.revoke()}"]'
    gateway = weir(config(outside, more=lists))
    with Origin(world, 443, handler=over_tls(outside.server(stem))) as origin:
        assert get(world, gateway, "origin.example") == (200, "ok\n")
        before = gateway.generation()
        outside.revoke(stem)
        # The configuration is the same, and the file that it names is not.
        gateway.reload(config(outside, more=lists))
        assert gateway.generation() > before
        origin.forget()
        for source in [POD, POD_DH157, POD_DH157]:
            status, body = get(world, gateway, "origin.example", "/revoked", source=source)
            assert status == 502 and "revoked" in body, body
        assert not origin.received
    for session in gateway.sessions(3, path="/revoked", status=502):
        assert session["threat"] == "untrusted_upstream"
        assert session["tls"]["why"] == "the certificate or one above it has been revoked"


def test_what_check_says_of_it(world, weir, outside, tmp_path):
    gateway = weir(config(outside))
    for more, words in [
        (', revocation: ["/nonexistent.crl"]', "tls.revocation: /nonexistent.crl: No such file or directory"),
        (f', revocation: ["{outside.certificate}"]', "no X509 CRL in it"),
    ]:
        gateway.write(config(outside, more=more))
        done = gateway.command("check", gateway.path, check=False)
        assert done.returncode == 1 and words in done.stderr, done
    gateway.write(config(outside, [("origin.example", "12:34")]))
    done = gateway.command("check", gateway.path, check=False)
    assert done.returncode == 1 and "sha256: expected a SHA-256 of 64 hexadecimal digits" in done.stderr
    gateway.write(config(outside))


def test_no_key_is_written_anywhere(world, weir, outside):
    """Nor is it in a file that others may read, whatever goes wrong."""
    gateway = weir(config(outside))
    stem = outside.sign("origin.example", stem="keyless")
    with Origin(world, 443, handler=over_tls(outside.server(stem))):
        assert get(world, gateway, "origin.example") == (200, "ok\n")
    gateway.sessions(fqdn="origin.example")
    key = os.path.join(gateway.directory, "state/ca.key")
    with open(key) as file:
        pem = file.read()
    # Behind the second line stands the public key alone, which the certificate has, too.
    lines = [line.encode() for line in pem.splitlines()[1:3]]
    # Cut short it is no key, and the message says what is wrong without saying what is there.
    gateway.stop()
    with open(key, "w") as file:
        file.write(pem[:len(pem) // 2])
    done = gateway.command("check", gateway.path, check=False)
    assert done.returncode == 1 and "no private key in it that can be read" in done.stderr
    assert not any(line.decode() in done.stderr + done.stdout for line in lines)
    for folder, _, names in os.walk(gateway.directory):
        for name in names:
            path = os.path.join(folder, name)
            if path != key and os.path.isfile(path):
                with open(path, "rb") as file:
                    content = file.read()
                assert b"PRIVATE KEY" not in content and not any(line in content for line in lines), path
