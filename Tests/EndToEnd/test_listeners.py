"""The other way in: an HTTP proxy that clients know of, and CONNECT."""

import pytest

from gateway import body_of
from net import ATTACKER, CANARY, GATEWAY_PODS, POD_V6
from peers import Origin
from wire import read_all, read_response, send

PROXY = f"http://{GATEWAY_PODS}:3128"
ALLOW = """
services:
  - name: myapp.default
    mode: protect
    rules: [{to: attacker.example, action: deny}, {to: any, action: allow}]
"""


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(ALLOW)


def test_absolute_form(world, gateway, resolver, nginx):
    assert body_of(world.curl("-x", PROXY, "http://canarytokens.com/")) == (200, "hello\n")
    session = gateway.sessions(listener="explicit", fqdn="canarytokens.com")[0]
    assert (session["service"], session["application"], session["status"]) == ("myapp.default", "HTTP", 200)
    assert session.get("dialed", session.get("destination")) == f"{CANARY}:80"


def test_absolute_form_denied(world, gateway, resolver, nginx):
    before = nginx.log()
    assert body_of(world.curl("-x", PROXY, "http://attacker.example/"))[0] == 403
    assert nginx.log() == before


def test_connect_then_http_inside_is_judged_as_http(world, gateway, resolver, nginx):
    assert body_of(world.curl("-p", "-x", PROXY, "http://canarytokens.com/")) == (200, "hello\n")
    assert gateway.sessions(listener="explicit", method="GET", fqdn="canarytokens.com")


def test_connect_denied(world, gateway, resolver, nginx):
    asked = world.curl("-p", "-x", PROXY, "http://attacker.example/")
    assert asked.returncode != 0 or body_of(asked)[0] == 403


def test_connect_to_something_that_is_not_http(world, gateway, resolver):
    def handler(conversation):
        conversation.send(b"220 ready\r\n")
        while data := conversation.read():
            conversation.send(data)
    with Origin(world, 2525, handler=handler):
        sock = send(world, b"CONNECT origin.example:2525 HTTP/1.1\r\nhost: origin.example:2525\r\n\r\n",
                    address=GATEWAY_PODS, port=3128)
        status, _, _, rest = read_response(sock, head_only=True)
        assert status == 200
        while b"220 ready\r\n" not in rest:
            rest += sock.recv(100)
        sock.sendall(b"EHLO x\r\n")
        assert sock.recv(100) == b"EHLO x\r\n"


@pytest.mark.parametrize("target", ["127.0.0.1:15000", "169.254.169.254:80", f"{GATEWAY_PODS}:3128", "[::1]:80", "0:80"])
def test_connect_inward_is_refused(world, gateway, resolver, target):
    sock = send(world, f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n".encode(),
                address=GATEWAY_PODS, port=3128)
    assert read_response(sock)[0] in (400, 403, 502)


@pytest.mark.parametrize("data", [
    b"CONNECT / HTTP/1.1\r\nhost: x\r\n\r\n", b"CONNECT origin.example HTTP/1.1\r\nhost: origin.example\r\n\r\n",
    b"GET /relative HTTP/1.1\r\nhost: \r\n\r\n", b"GET ftp://origin.example/ HTTP/1.1\r\nhost: origin.example\r\n\r\n",
])
def test_what_a_proxy_cannot_serve_is_refused(world, gateway, resolver, data):
    answer, how = read_all(send(world, data, address=GATEWAY_PODS, port=3128, timeout=5))
    assert how != "timeout" and answer.split(b" ")[1][:1] in (b"4", b"5")


def test_host_and_absolute_form_may_not_differ(world, gateway, resolver, nginx):
    sock = send(world, b"GET http://canarytokens.com/ HTTP/1.1\r\nhost: attacker.example\r\n\r\n",
                address=GATEWAY_PODS, port=3128)
    status = read_response(sock)[0]
    # RFC 9112 section 3.2.2: the authority of the target replaces Host; refusing the difference is lawful too.
    assert status in (200, 400)
    if status == 200:
        assert "attacker" not in nginx.log().splitlines()[-1]


def test_all_listeners_serve_together(world, gateway, resolver, nginx):
    assert body_of(world.curl("http://canarytokens.com/"))[0] == 200
    assert body_of(world.curl("-6", "http://six.example/", source=POD_V6))[0] == 200
    assert body_of(world.curl("-x", PROXY, f"http://{ATTACKER}/"))[0] in (200, 403)
    for listener in ("egress", "egress6", "explicit"):
        gateway.sessions(listener=listener)
