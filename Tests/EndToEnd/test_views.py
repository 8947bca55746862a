"""What is encoded within a body may not leave either, in any of the ways in which text is encoded."""

import base64
import gzip
import json
import quopri

import pytest

from wire import read_response, request, send

CARD = "4111111111111111"
CONFIG = """
limits: {view_depth: 2}
services:
  - name: myapp.default
    mode: protect
    sensors: {credit-card: deny}
    rules: [{to: any, action: allow}]
"""
TEXT = f"pan: {CARD};"
ENCODED = {
    "base64": base64.b64encode(TEXT.encode()),
    "base64 in lines": base64.encodebytes(TEXT.encode() * 8),
    "base64url": base64.urlsafe_b64encode(TEXT.encode()).rstrip(b"="),
    "hex": TEXT.encode().hex().encode(),
    "utf-16": TEXT.encode("utf-16"),
    "utf-32": TEXT.encode("utf-32-be"),
    "percent": "".join(f"%{byte:02x}" for byte in TEXT.encode()).encode(),
    "json": "".join(f"\\u{byte:04x}" for byte in TEXT.encode()).encode(),
    "entity": "".join(f"&#{byte};" for byte in TEXT.encode()).encode(),
    "quoted-printable": quopri.encodestring(b"=" + b" " * 60 + TEXT.encode()),
    "base64 in base64": base64.b64encode(base64.b64encode(TEXT.encode())),
}


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(CONFIG)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("name", ENCODED)
def test_it_does_not_leave(world, gateway, origin, name, coding):
    body = b'{"a": "' + ENCODED[name] + b'"}'
    fields = []
    if coding == "gzip":
        body, fields = gzip.compress(body), ["content-encoding: gzip"]
    data = request("POST", "/", fields=fields, body=body)
    for cut in (len(data) - len(body) // 2, len(data) - 3):
        sock = send(world, data, pieces=[data[:cut], data[cut:]])
        status, _, problem, _ = read_response(sock)
        sock.close()
        assert status == 403 and json.loads(problem)["reason"] == "finding"
        assert origin.received == b""
