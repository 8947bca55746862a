"""A denied number in a document, an archive or a form does not get past Protect, and the record says where it was."""

import gzip
import io
import json
import subprocess
import tarfile
import time
import zipfile
import zlib
from email.message import EmailMessage

import pytest

from gateway import SSN_SENSOR, body_of
from net import POD_OTHER
from peers import Origin
from wire import read_all, read_response, request, send

NUMBER = b"295109912611193"
# Two documents of the same look; one has the number.
TEXT = b"<w:t>" + b"lorem ipsum, " * 40 + b" nir %s and more</w:t>"

CONFIG = SSN_SENSOR + """
services:
  - name: myapp.default
    mode: protect
    uninspectable: alert
    sensors: {nir: deny}
    rules: [{to: any, action: allow}]
  - name: other.default
    mode: protect
    uninspectable: deny
    sensors: {nir: deny}
    rules: [{to: any, action: allow}]
"""


def document(number=NUMBER, method=zipfile.ZIP_DEFLATED, streamed=False):
    """A zip file as a word processor writes it, or as it comes out of a pipe."""
    out = io.BytesIO()

    class Pipe(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            out.write(data)
            return len(data)

    with zipfile.ZipFile(Pipe() if streamed else out, "w", method) as file:
        file.writestr("[Content_Types].xml", "<Types/>" * 60)
        file.writestr("word/document.xml", TEXT % number)
    return out.getvalue()


def archive(name, content, form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as file:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        file.addfile(info, io.BytesIO(content))
    return out.getvalue()


def pdf(text, packed=True):
    content = b"BT /F1 12 Tf 72 720 Td [(nir %s) -10 (%s)] TJ 0 -14 Td (and more) Tj ET" % (text[:5], text[5:])
    data = zlib.compress(content) if packed else content
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d%s>>\nstream\n%s\nendstream" % (len(data), b"/Filter/FlateDecode" if packed else b"", data),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body = b"%PDF-1.4\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % (n, o) for n, o in enumerate(objects, 1))
    return body + b"trailer\n<</Root 1 0 R/Size 6>>\nstartxref\n0\n%%EOF\n"


def mail(content):
    message = EmailMessage()
    message["subject"] = "numbers"
    message.set_content("see the file")
    message.add_attachment(content, maintype="application", subtype="zip", filename="numbers.zip")
    return message.as_bytes().split(b"\n\n", 1)[1], message.get_boundary()


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(CONFIG)


def denied(gateway, problem):
    """The record of an exchange, by what its client was told."""
    told = json.loads(problem)
    assert told["reason"] == "finding"
    return gateway.sessions(id=told["event"])[-1]


def chain(session):
    """How the finding was packed."""
    return session["findings"][0]["decoded"]


def upload(world, tmp_path, name, content, *words, source=None):
    path = tmp_path / name
    path.write_bytes(content)
    options = {"source": source} if source else {}
    answer = world.curl("-F", f"file=@{path}", *words, "http://origin.example:8080/upload", **options)
    return body_of(answer)


@pytest.mark.parametrize("name, content, inner", [
    ("report.docx", document(), ["zip:word/document.xml"]),
    ("stored.zip", document(method=zipfile.ZIP_STORED), ["zip:word/document.xml"]),
    ("piped.zip", document(streamed=True), ["zip:word/document.xml"]),
    ("piped-stored.zip", document(method=zipfile.ZIP_STORED, streamed=True), ["zip:word/document.xml"]),
    ("dump.tar", archive("var/dump.sql", TEXT % NUMBER), ["tar:var/dump.sql"]),
    ("dump.tar.gz", gzip.compress(archive("d" * 110 + ".sql", TEXT % NUMBER, tarfile.GNU_FORMAT)),
     ["gzip", "tar:" + "d" * 110 + ".sql"]),
    ("letter.pdf", pdf(NUMBER), ["pdf"]),
    ("plain.pdf", pdf(NUMBER, packed=False), ["pdf"]),
    ("plain.txt", TEXT % NUMBER, []),
    ("documents.zip", archive("report.docx", document()), ["tar:report.docx", "zip:word/document.xml"]),
])
def test_an_upload_with_a_number_is_denied(world, gateway, origin, tmp_path, name, content, inner):
    status, problem = upload(world, tmp_path, name, content)
    assert status == 403
    assert origin.received == b"", "the origin was contacted"
    session = denied(gateway, problem)
    assert chain(session) == [f"multipart:file={name}", *inner]
    assert not session.get("bytes_before_verdict")


@pytest.mark.parametrize("content", [
    document(b"295109912611194"[:-1] + b"x"), archive("a", b"text"), gzip.compress(b"text"), pdf(b"2951099"),
], ids=["zip", "tar", "gzip", "pdf"])
def test_an_upload_without_one_goes_through(world, gateway, origin, tmp_path, content):
    assert upload(world, tmp_path, "clean", content)[0] == 200
    assert content in origin.received


def test_bodies_that_are_containers_themselves(world, gateway, origin):
    for fields, body, expected in [
        ([], document(), ["zip:word/document.xml"]),
        (["content-encoding: gzip"], gzip.compress(document()), ["gzip", "zip:word/document.xml"]),
    ]:
        sock = send(world, request("POST", fields=fields, body=body))
        assert read_response(sock)[0] == 403
        assert chain(gateway.session_of(sock)) == expected
    assert origin.received == b""


def test_a_mail_with_an_attachment(world, gateway, origin):
    body, boundary = mail(document())
    sock = send(world, request("POST", fields=[f'content-type: multipart/mixed; boundary="{boundary}"'], body=body))
    assert read_response(sock)[0] == 403
    assert chain(gateway.session_of(sock)) == ["multipart:numbers.zip", "base64", "zip:word/document.xml"]
    assert origin.received == b""


def test_what_had_left_of_a_longer_one_is_told(world, gateway):
    """Beyond `hold` a container streams; the exchange ends where the number is met, and the record says how much had left."""
    out = io.BytesIO()
    noise = bytes((i * 2654435761 >> 7) & 0xff for i in range(400_000))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("noise", noise, zipfile.ZIP_STORED)
        file.writestr("secret", TEXT % NUMBER)
        file.writestr("more", noise, zipfile.ZIP_STORED)
    with Origin(world, 8080) as origin:
        sock = send(world, request("POST", body=out.getvalue()), timeout=8)
        read_all(sock)
        time.sleep(0.2)
        assert origin.requests == 0
        assert len(origin.received) < 402_000
    session = gateway.session_of(sock)
    assert 0 < session["bytes_before_verdict"] < 402_000
    assert chain(session) == ["zip:secret"]


@pytest.mark.parametrize("content, reason", [
    (b"Salted__" + b"\x99" * 400, "encrypted"),
    (b"7z\xbc\xaf\x27\x1c" + b"\x99" * 400, "undecodable"),
    (b"-----BEGIN PGP MESSAGE-----\n\nhQEMA" + b"A" * 300, "encrypted"),
    (pdf(b"1").replace(b"/Size", b"/Encrypt 9 0 R/Size"), "encrypted"),
], ids=["openssl", "7z", "pgp", "pdf"])
def test_what_is_closed_takes_the_uninspectable_action(world, gateway, origin, tmp_path, content, reason):
    assert upload(world, tmp_path, "closed", content)[0] == 200
    assert gateway.sessions(service="myapp.default", uninspectable=reason)[-1]["action"] == "alert"
    before = len(origin.received)
    assert upload(world, tmp_path, "closed", content, source=POD_OTHER)[0] == 403
    assert gateway.sessions(service="other.default", uninspectable=reason)[-1]["action"] == "deny"
    assert len(origin.received) == before, "the origin was contacted"


def test_a_zip_with_a_password(world, gateway, origin, tmp_path):
    (tmp_path / "secret.txt").write_bytes(TEXT % NUMBER)
    done = subprocess.run(["zip", "-q", "-P", "pass", "-j", str(tmp_path / "x.zip"), str(tmp_path / "secret.txt")],
                          check=False, capture_output=True)
    if done.returncode:
        pytest.skip("zip is not there")
    body = (tmp_path / "x.zip").read_bytes()
    assert upload(world, tmp_path, "x.zip", body, source=POD_OTHER)[0] == 403
    assert gateway.sessions(service="other.default", uninspectable="encrypted")[-1]["action"] == "deny"


def test_a_bomb_is_cut_off(world, gateway, origin, tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(50_000_000))
    status, _ = upload(world, tmp_path, "bomb.zip", out.getvalue(), source=POD_OTHER)
    assert status == 403
    assert gateway.sessions(service="other.default", uninspectable="decompression_bomb")
