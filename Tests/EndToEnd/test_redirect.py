"""The third way in: NAT's REDIRECT, where TPROXY is not to be had."""

from gateway import body_of
from net import CANARY, ORIGIN, POD_V6

ALLOW = """
services:
  - name: myapp.default
    mode: protect
    rules: [{to: attacker.example, action: deny}, {to: any, action: allow}]
"""


def test_redirect(world, weir, nginx):
    gateway = weir(ALLOW, listeners="""
listeners:
  - {name: redirect, address: "0.0.0.0:15002", intercept: redirect}
""")
    assert body_of(world.curl("http://canarytokens.com/")) == (200, "hello\n")
    assert body_of(world.curl(f"http://{ORIGIN}/")) == (200, "hello\n")
    assert body_of(world.curl("http://attacker.example/"))[0] == 403
    session = gateway.sessions(listener="redirect", fqdn="canarytokens.com")[0]
    assert session["destination"] == f"{CANARY}:80"


def test_redirect_over_ipv6(world, weir, nginx):
    gateway = weir(ALLOW, listeners="""
listeners:
  - {name: redirect, address: "[::]:15002", intercept: redirect}
""")
    assert body_of(world.curl("-6", "http://six.example/", source=POD_V6)) == (200, "hello\n")
    assert gateway.sessions(listener="redirect", fqdn="six.example")
