"""The user's own records, documents and planted values: found in what leaves, and nothing that only looks like them is."""

import gzip
import json
import os
import random
import shutil
import subprocess
import time

import pytest

from dnswire import BLOCKED, ask
from gateway import WEIR, dns
from net import POD_DH157
from peers import Origin
from wire import read_all, read_response, request, send

CONF = os.path.join(os.path.dirname(__file__), "../../conf")
CUSTOMER, STRANGER = b"2 95 10 99 126 111 93", b"1 45 08 18 496 706 37"
BAIT = "Bait-7f3a91c2d4"
RECORDS = """nir,name,mail
295109912611193,"Müller, Jean-Élie",jean@corp.example
253072A07300443,O'Neill,jane.doe@corp.example
"""
CONFIG = """
include: [own-data.yaml]
services:
  - {name: dh157.default, mode: monitor, rules: [{to: any, action: allow}]}
"""


def edm(directory, text, *more, key="edm.key", check=True):
    words = ["--column", "nir=alnum", "--column", "name=name", "--column", "mail=email", "--key", key,
             "-o", "people.edm", *more]
    return subprocess.run([WEIR, "edm", "build", *words, "-"], cwd=directory, input=text, capture_output=True,
                          text=True, timeout=60, check=check)


def prose(seed, words):
    rng = random.Random(seed)
    return "".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(2, 10)))
                   + (".\n" if n % 12 == 11 else " ") for n in range(words))


PAPER, OTHER_PAPER = prose(1, 3000), prose(2, 3000)


def fingerprint(directory, *more, key="edm.key", check=True):
    return subprocess.run([WEIR, "fingerprint", "build", "--key", key, "-o", "papers.fpr", *more, "papers"],
                          cwd=directory, capture_output=True, text=True, timeout=60, check=check)


def furnish(directory):
    """What conf/own-data.yaml names, and itself."""
    os.makedirs(os.path.join(directory, "papers"), exist_ok=True)
    with open(os.path.join(directory, "papers", "contract.txt"), "w", encoding="ascii") as file:
        file.write(PAPER)
    fingerprint(directory)
    shutil.copy(os.path.join(CONF, "own-data.yaml"), directory)
    with open(os.path.join(directory, "db-bait.txt"), "w", encoding="ascii") as file:
        file.write(BAIT + "\n")
    edm(directory, RECORDS)


@pytest.fixture(scope="module")
def gateway(shared, tmp_path_factory):
    directory = tmp_path_factory.mktemp("own")
    furnish(directory)
    return shared(CONFIG.replace("own-data.yaml", f"{directory}/own-data.yaml"))


def post(world, body, path="/", fields=(), **options):
    sock = send(world, request("POST", path, fields=list(fields), body=body), **options)
    status, _, problem, _ = read_response(sock)
    return sock, status, problem


def finding(event):
    return event["finding"]


@pytest.mark.parametrize("body, rule", [
    (b'{"nir":"' + CUSTOMER + b'"}', "number"), (b"x=295109912611193&y=1", "number"),
    (b"253072a07300443", "number"), ("write to jean elie müller".encode() + b" or JANE.DOE@corp.example", None),
    ("O’Neill <jane.doe@corp.example>".encode(), "person"), (STRANGER, None), (b"O'Neill, jean@corp.example", None),
    (b"295109912611194 5295109912611193", None),
])
def test_values_of_the_file_are_denied_and_others_are_not(world, gateway, origin, body, rule):
    sock, status, _ = post(world, body)
    if rule is None:
        assert status == 200 and body in bytes(origin.received)
        return
    assert status == 403 and origin.received == b""
    event = gateway.event_of(sock)
    assert (finding(event)["sensor"], finding(event)["rule"]) == ("customers", rule)
    assert body.decode() not in json.dumps(event)


def test_every_cut_of_the_segments(world, gateway, origin):
    body = b"nir=" + CUSTOMER + b"&end=1"
    data = request("POST", body=body)
    head = len(data) - len(body)
    for cut in range(0, len(body), 3):
        sock = send(world, b"", pieces=[data[:head + cut], data[head + cut:]], pause=0.001)
        assert read_response(sock)[0] == 403, f"cut at {cut}"
        sock.close()
    assert origin.received == b""


def test_a_row_beyond_what_is_held(world, gateway, origin):
    """Half of a row may have left; of the value that completes it nothing does."""
    mail = b"jane.doe@corp.example"
    body = b"a" * 200_000 + b" O'Neill " + b"b" * 100 + b" <" + mail + b"> " + b"c" * 1000
    sock = send(world, request("POST", body=body), timeout=8)
    read_all(sock)
    time.sleep(0.2)
    sent = bytes(origin.received)
    assert origin.requests == 0
    assert mail not in sent and b"jane" not in sent and b"ccc" not in sent
    session = gateway.session_of(sock)
    assert session["action"] == "deny" and 0 < session["bytes_before_verdict"] <= 200_000 + 111
    assert session["findings"][0]["rule"] == "person"


@pytest.mark.parametrize("body, is_found", [
    (PAPER, True), ("Dear all,\n" + PAPER[5000:12_000].upper().replace("\n", "\r\n\r\n"), True), (PAPER[:3000], False),
    (OTHER_PAPER, False),
])
def test_a_document_is_known_whole_and_in_part(world, gateway, origin, body, is_found):
    sock, status, _ = post(world, body.encode())
    if not is_found:
        assert status == 200
        return
    assert status == 403 and origin.received == b""
    told = finding(gateway.event_of(sock))
    assert (told["sensor"], told["rule"], told["match"]) == ("papers", "part", "papers/contract.txt")


def test_a_document_in_an_upload_and_compressed(world, gateway, origin):
    form = (b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n' + PAPER.encode() + b"\r\n--b--\r\n")
    for body, fields in ((form, ["Content-Type: multipart/form-data; boundary=b"]),
                         (gzip.compress(PAPER.encode()), ["Content-Encoding: gzip"])):
        assert post(world, body, fields=fields)[1] == 403
    assert origin.received == b""


def test_a_document_beyond_what_is_held(world, gateway, origin):
    """What came before it was known may have left, and nothing after."""
    body = OTHER_PAPER.encode() * 12 + PAPER.encode()
    sock = send(world, request("POST", body=body), timeout=8)
    read_all(sock)
    time.sleep(0.2)
    sent = bytes(origin.received)
    assert origin.requests == 0 and PAPER[len(PAPER) // 2:][:200].encode() not in sent
    session = gateway.session_of(sock)
    assert session["action"] == "deny"
    assert 0 < session["bytes_before_verdict"] <= len(body) - len(PAPER) // 2


@pytest.mark.parametrize("place", ["url", "coded url", "header", "body", "lower case"])
def test_a_planted_value_is_a_threat_wherever_it_is(world, gateway, origin, place):
    path, fields, body = "/", [], b"nothing"
    if place == "url":
        path = f"/x?key={BAIT}"
    elif place == "coded url":
        path = "/x?key=" + "".join(f"%{byte:02x}" for byte in BAIT.encode())
    elif place == "header":
        fields = [f"X-Key: Bearer {BAIT}"]
    else:
        body = b"a" * 100 + (BAIT if place == "body" else BAIT.lower()).encode()
    sock, status, problem = post(world, body, path, fields)
    assert status == 403 and json.loads(problem)["reason"] == "threat" and origin.received == b""
    events = gateway.events(2, client=":".join(map(str, sock.getsockname())))
    assert [event["kind"] for event in events] == ["threat", "finding"]
    assert events[0]["threat"] == "honeytoken" and events[0]["action"] == "deny"
    assert finding(events[1])["sensor"] == "honeytokens" and finding(events[1])["rule"] == "db-bait"
    assert set(finding(events[1])["match"]) == {"*"}


def test_in_monitor_it_goes_through_and_is_told(world, gateway, origin):
    sock, status, _ = post(world, BAIT.encode(), source=POD_DH157)
    assert status == 200
    event = gateway.event_of(sock)
    assert (event["threat"], event["action"], event["would"]) == ("honeytoken", "alert", "deny")


def test_the_value_is_in_no_record_and_no_log(gateway):
    for folder, _, names in os.walk(gateway.directory):
        for name in (name for name in names if os.path.isfile(os.path.join(folder, name))):
            with open(os.path.join(folder, name), "rb") as file:
                assert BAIT.lower().encode() not in file.read().lower(), name


# Gateways of their own: those above share one.


def test_in_a_name_that_is_asked_for(world, shared, unbound, tmp_path):
    furnish(tmp_path)
    gateway = shared(CONFIG.replace("own-data.yaml", f"{tmp_path}/own-data.yaml"), dns=dns())
    name = f"{BAIT.lower()}.exfil.example"
    assert ask(world, name).ede == BLOCKED
    coded = BAIT.encode().hex() + ".exfil.example"
    assert ask(world, coded).ede == BLOCKED
    told = gateway.events(2, kind="threat", threat="honeytoken", action="deny")
    assert not any(BAIT.lower() in json.dumps(event).lower() for event in told)


def test_a_new_index_is_taken_up_and_a_bad_one_changes_nothing(world, shared, tmp_path):
    furnish(tmp_path)
    config = CONFIG.replace("own-data.yaml", f"{tmp_path}/own-data.yaml")
    gateway = shared(config)
    with Origin(world, 8080):
        assert [post(world, body)[1] for body in (CUSTOMER, STRANGER)] == [403, 200]
        edm(tmp_path, RECORDS + STRANGER.decode() + ",Third,third@corp.example\n")
        assert post(world, STRANGER)[1] == 200, "taken up before it was told to"
        gateway.reload(config)
        assert [post(world, body)[1] for body in (CUSTOMER, STRANGER)] == [403, 403]
        for harm, message in (("other key", "was built with another key"), ("cut", "is truncated"),
                              ("gone", "No such file")):
            if harm == "other key":
                edm(tmp_path, RECORDS, key="other.key")
            elif harm == "cut":
                # A copy: what is mapped must not change.
                whole = (tmp_path / "people.edm").read_bytes()
                (tmp_path / "cut.edm").write_bytes(whole[:-100])
                edm(tmp_path, RECORDS)
                whole = (tmp_path / "people.edm").read_bytes()
                (tmp_path / "cut.edm").write_bytes(whole[:-100])
                os.rename(tmp_path / "cut.edm", tmp_path / "people.edm")
            else:
                os.unlink(tmp_path / "people.edm")
            done = gateway.command("reload", "-c", gateway.path, check=False)
            assert done.returncode != 0 and message in done.stderr + done.stdout, harm
            assert "own-data.yaml:11:" in done.stderr + done.stdout, harm
            assert [post(world, body)[1] for body in (CUSTOMER, STRANGER)] == [403, 403], harm


def test_weir_check_says_what_is_wrong(tmp_path):
    furnish(tmp_path)
    path = tmp_path / "weir.yaml"
    path.write_text(CONFIG)

    def check():
        return subprocess.run([WEIR, "check", path], capture_output=True, text=True, timeout=30)

    assert check().returncode == 0, check().stderr
    (tmp_path / "db-bait.txt").write_text("short\n")
    text = (tmp_path / "own-data.yaml").read_text().replace("columns: [nir]", "columns: [number]")
    (tmp_path / "own-data.yaml").write_text(text)
    done = check()
    assert done.returncode == 1
    assert "value_file: expected a value of 8 to 1024 bytes" in done.stderr and "short" not in done.stderr
    assert "no column called number, expected one of nir, name, mail" in done.stderr


def test_a_bad_file_of_fingerprints_changes_nothing(world, shared, tmp_path):
    furnish(tmp_path)
    gateway = shared(CONFIG.replace("own-data.yaml", f"{tmp_path}/own-data.yaml"))
    with Origin(world, 8080):
        for harm, message in (("other key", "was built with another key"), ("cut", "is truncated"),
                              ("foreign", "expected one of weir fingerprint build"), ("gone", "No such file")):
            if harm == "other key":
                fingerprint(tmp_path, key="other.key")
            elif harm == "cut":
                fingerprint(tmp_path)
                # A copy: what is mapped must not change.
                (tmp_path / "cut.fpr").write_bytes((tmp_path / "papers.fpr").read_bytes()[:-100])
                os.rename(tmp_path / "cut.fpr", tmp_path / "papers.fpr")
            elif harm == "foreign":
                shutil.copy(tmp_path / "people.edm", tmp_path / "copy.fpr")
                os.rename(tmp_path / "copy.fpr", tmp_path / "papers.fpr")
            else:
                os.unlink(tmp_path / "papers.fpr")
            done = gateway.command("reload", "-c", gateway.path, check=False)
            assert done.returncode != 0 and message in done.stderr + done.stdout, harm
            assert post(world, PAPER.encode())[1] == 403, harm


def test_weir_scan_knows_documents(tmp_path):
    furnish(tmp_path)
    (tmp_path / "a.txt").write_text(OTHER_PAPER + PAPER)
    done = subprocess.run([WEIR, "scan", "-c", "own-data.yaml", "--sensor", "papers", "a.txt", "papers.fpr"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done.stderr
    assert [line.split(": ")[1] for line in done.stdout.splitlines()] == ["papers/part"]


def test_documents_that_cannot_be_known_again(tmp_path):
    furnish(tmp_path)
    (tmp_path / "papers" / "note.txt").write_text("call me back")
    assert "1 left out: too short to be known again" in fingerprint(tmp_path).stdout
    os.unlink(tmp_path / "papers" / "contract.txt")
    done = fingerprint(tmp_path, check=False)
    assert done.returncode == 2 and "expected a document of at least 95 letters" in done.stderr


def test_weir_scan_knows_them(tmp_path):
    furnish(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"x " + CUSTOMER + b" y " + STRANGER + f" {BAIT}".encode())
    done = subprocess.run([WEIR, "scan", "-c", "own-data.yaml", "--sensor", "customers", "--sensor", "honeytokens",
                           "a.txt"], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done.stderr
    assert [line.split(": ")[1] for line in done.stdout.splitlines()] == ["customers/number", "honeytokens/db-bait"]


@pytest.mark.parametrize("text, place", [
    ('nir,name,mail\n1,"a\n', "-:2:3: expected the quoted field to end"),
    ("nir,name,mail\n1,a,b\n1,a\n", "-:3:1: expected 3 fields"), ("nir,name\n1,2\n", "-:1:1: expected a column called mail"),
])
def test_the_build_says_what_is_wrong_and_where(tmp_path, text, place):
    done = edm(tmp_path, text, check=False)
    assert done.returncode == 2 and place in done.stderr and not (tmp_path / "people.edm").exists()
