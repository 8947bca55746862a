"""What records show of a match besides the masked match, and that nothing shows the match itself."""

import json
import subprocess

import pytest

from gateway import SSN_SENSOR, WEIR
from net import POD_DH157
from wire import read_response, request, send

NUMBER = b"295109912611193"
CARD = b"4111111111111111"
BODY = (b'{"name": "Jean Dupont", "account": 4242, "password": "correct horse", "nir": "' + NUMBER
        + b'", "card": "' + CARD + b'", "note": "thank you"}')

CONFIG = SSN_SENSOR + """
evidence: {context: 64, seal_to: %s}
services:
  - name: myapp.default
    mode: monitor
    sensors: {nir: alert, credit-card: alert}
    rules: [{to: any, action: allow}]
  - name: dh157.default
    mode: protect
    sensors: {nir: deny}
    rules: [{to: any, action: allow}]
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keys")
    private, public = directory / "private.pem", directory / "public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "X25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    private.chmod(0o600)
    return private, public


@pytest.fixture(scope="module")
def gateway(shared, keys):
    return shared(CONFIG % keys[1])


def post(world, body, cut=None, **options):
    """The body is sent in pieces of `cut` bytes, if it is."""
    data = request("POST", "/x", body=body)
    pieces = [data[at:at + cut] for at in range(0, len(data), cut)] if cut else [data]
    sock = send(world, data, pieces=pieces, pause=0.005 if cut else 0, **options)
    status = read_response(sock)[0]
    return sock, status


def unseal(key, *words, text=None):
    return subprocess.run(
        [WEIR, "unseal", "--key", key, *words], input=text, capture_output=True, text=True, timeout=30)


def test_a_record_shows_what_stood_around_a_match(world, gateway, origin):
    for cut in [None, 1, 13]:
        sock, status = post(world, BODY, cut=cut)
        assert status == 200
        session = gateway.session_of(sock)
        sock.close()
        nir, card = session["findings"]
        assert nir["excerpt"] == (
            ' ******", "account": ****, "password": "******* *****", "nir": "2*************3", '
            '"card": "****************", "note": "thank you"}')
        assert card["excerpt"] == (
            '"password": "******* *****", "nir": "***************", "card": "4**************1", "note": "thank you"}')
        assert nir["raw_offset"] == nir["offset"] == BODY.index(NUMBER) and nir["length"] == len(NUMBER)
        assert len(nir["version"]) == 8 and nir["confidence"] == "high"


def test_who_has_the_key_reads_the_match_and_nobody_else(world, gateway, origin, keys, tmp_path):
    sock, _ = post(world, BODY)
    session = gateway.session_of(sock)
    events = gateway.events(id=session["id"], count=2)
    sock.close()
    line = json.dumps(session, separators=(",", ":"))
    assert unseal(keys[0], text=line).stdout == f"{NUMBER.decode()}\n{CARD.decode()}\n"
    opened = unseal(keys[0], "--json", text=line)
    assert [json.loads(line) for line in opened.stdout.splitlines()] == [
        {"sensor": "nir", "rule": "nir", "match": NUMBER.decode()},
        {"sensor": "credit-card", "rule": "card", "match": CARD.decode()}]
    sealed = tmp_path / "sealed"
    sealed.write_text("\n".join(event["finding"]["sealed"] for event in events) + "\n")
    assert unseal(keys[0], sealed).stdout.split() == [NUMBER.decode(), CARD.decode()]
    # What is opened is no business of other keys, nor of those who can read another's key.
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "X25519", "-out", other], check=True)
    other.chmod(0o600)
    done = unseal(other, text=line)
    assert (done.returncode, done.stdout) == (1, "") and "another key" in done.stderr
    other.chmod(0o644)
    assert "expected mode 0600" in unseal(other, text=line).stderr
    assert unseal(keys[0], text=line.replace('"sealed":"A', '"sealed":"B')).returncode == 1
    assert unseal("/not/there", text=line).returncode == 2


def test_a_denied_match_has_its_evidence_too(world, gateway, origin, keys):
    sock, status = post(world, BODY, source=POD_DH157)
    assert status == 403
    finding, = gateway.session_of(sock)["findings"]
    sock.close()
    assert finding["excerpt"].startswith(' ******", "account": ****, "password": "******* *****", "nir": "2*************3"')
    assert unseal(keys[0], text=finding["sealed"]).stdout == NUMBER.decode() + "\n"


def test_the_match_stands_nowhere_in_the_clear(gateway):
    for name in ["sessions", "events"]:
        with open(f"{gateway.directory}/records/{name}.jsonl", "rb") as file:
            text = file.read()
        assert b"excerpt" in text
        for secret in [NUMBER, CARD, b"correct", b"horse", b"4242"]:
            assert secret not in text
    assert NUMBER not in gateway.log().encode() and CARD not in gateway.log().encode()
