"""What is encoded within a body may not leave either, in any of the ways in which text is encoded."""

import base64
import gzip
import json
import quopri

import brotli
import pytest
import zstandard

from peers import Origin
from test_http2 import open_h2
from test_tls import identities, outside  # noqa: F401
from tlspeers import over_tls
from wire import read_response, request, send

CARD = "4111111111111111"
CONFIG = """
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


CODINGS = {"identity": bytes, "gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.compress}


@pytest.fixture(scope="module")
def gateway(shared, outside):  # noqa: F811
    return shared(CONFIG + f'tls: {{trust: "{outside.certificate}"}}\n')


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", ENCODED)
def test_it_does_not_leave(world, gateway, origin, name, coding):
    body = CODINGS[coding](b'{"a": "' + ENCODED[name] + b'"}')
    fields = [] if coding == "identity" else [f"content-encoding: {coding}"]
    data = request("POST", "/", fields=fields, body=body)
    for cut in (len(data) - len(body) // 2, len(data) - 3):
        sock = send(world, data, pieces=[data[:cut], data[cut:]])
        status, _, problem, _ = read_response(sock)
        sock.close()
        assert status == 403 and json.loads(problem)["reason"] == "finding"
        assert origin.received == b""


def test_it_does_not_leave_over_http2(world, gateway, resolver, outside, identities):  # noqa: F811
    """Whatever frames and records it is cut into; what has nothing in it goes through as it is."""
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]))) as origin:
        peer = open_h2(world, gateway)
        for name, encoded in ENCODED.items():
            body = b'{"a": "' + encoded + b'"}'
            for cut in (len(body) // 3, len(body) // 2, len(body) - 4):
                stream = peer.request("/cut", "POST", end=False)
                peer.send(stream, body[:cut], end=False)
                peer.send(stream, body[cut:])
                assert peer.answer(stream).status == 403, (name, cut)
        for piece in (1, 7):
            stream = peer.request("/piece", "POST", body=b"x " + ENCODED["base64 in base64"] + b" y", piece=piece)
            assert peer.answer(stream).status == 403, piece
        assert origin.requests == 0
        clean = json.dumps({"text": "nothing\nin \"it\" \u00e9 &amp; " * 50, "data": base64.b64encode(bytes(200)).decode()})
        assert peer.answer(peer.request("/clean", "POST", body=clean.encode())).status == 200
        assert clean.encode() in origin.received
        peer.close()
