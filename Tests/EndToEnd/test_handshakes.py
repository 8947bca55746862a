"""Clients that do TLS badly: cut off, too much at once, more than was asked for, or not ours to please."""

import os
import socket
import ssl
import struct

import pytest

from gateway import body_of, endpoint
from net import ORIGIN, POD, until
from peers import Origin
from tlspeers import Authority, client, over_tls
from wire import read_all, read_response, request

SERVICES = "services: [{name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}]\n"


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("handshakes"))


@pytest.fixture(scope="module")
def stem(outside):
    return outside.sign("origin.example")


@pytest.fixture(scope="module")
def gateway(shared, outside):
    return shared(SERVICES + f'tls: {{trust: "{outside.certificate}"}}\n')


@pytest.fixture
def origin(world, gateway, resolver, outside, stem):
    with Origin(world, 443, handler=over_tls(outside.server(stem))) as origin:
        yield origin


def ca(gateway):
    return os.path.join(gateway.directory, "state/ca.pem")


def serves(world, gateway):
    """Somebody else is served as before."""
    return body_of(world.curl("--cacert", ca(gateway), "https://origin.example/", source=POD)) == (200, "ok\n")


class Client:
    """TLS whose bytes pass through our hands."""

    def __init__(self, world, gateway, **options):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = client(ca(gateway), **options)
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="origin.example")
        self.socket = world.connect(ORIGIN, 443)

    def flight(self):
        """What it says next, given what it has heard; nothing of it is sent."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def hear(self):
        data = self.socket.recv(65536)
        assert data
        self.incoming.write(data)

    def handshake(self):
        while True:
            data = self.flight()
            if data:
                self.socket.sendall(data)
            if self.tls.version() and self.finished():
                return
            self.hear()

    def finished(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_handshake_that_ends_at_every_byte(world, gateway, origin, version, how):
    """Nothing is left of it, and others are served. (Before the ClientHello is whole it is TCP like any other.)"""
    assert serves(world, gateway)
    before = gateway.descriptors()
    second, cut, longest = False, 0, 1
    while cut < longest:
        peer = Client(world, gateway, minimum_version=version, maximum_version=version)
        data = peer.flight()
        if second:
            peer.socket.sendall(data)
            while not (data := peer.flight()):
                peer.hear()
        longest = len(data)
        peer.socket.sendall(data[:cut])
        if how == "reset":
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.socket.close()
        cut += 1
        if cut == longest and not second:
            second, cut, longest = True, 0, 1
    assert origin.requests == 1
    why = {session["tls"].get("why") for session in gateway.sessions(longest, application="TLS")}
    assert "the peer closed the connection in the handshake" in why or how == "reset", why
    assert serves(world, gateway)
    # Of hundreds, what may stay is a connection to the origin and a pipe or two for the next tunnel.
    until(lambda: gateway.descriptors() <= before + 12, what="the end of the connections")


@pytest.mark.parametrize("first", [b"\x16\x03\x01\x40\x01", b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x00"],
                         ids=["16385", "65535", "0"])
def test_a_first_record_that_no_record_may_be(world, gateway, origin, first):
    sock = world.connect(ORIGIN, 443)
    sock.sendall(first + b"\x01\x00\xff\xfc" + b"a" * 1000)
    assert read_all(sock)[1] in ("end", "reset")
    assert not origin.conversations
    assert gateway.sessions(threat="malformed_tls")[0]["action"] == "deny"
    assert serves(world, gateway)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("when", ["within the handshake", "after it"])
def test_a_record_that_is_too_long(world, gateway, origin, version, when):
    """2^14 and what encryption may add is the most (RFC 8446 section 5.2, RFC 5246 section 6.2.3)."""
    peer = Client(world, gateway, minimum_version=version, maximum_version=version)
    if when == "after it":
        peer.handshake()
        kind = b"\x17"
    else:
        peer.socket.sendall(peer.flight())
        peer.hear()
        kind = b"\x16"
    peer.socket.sendall(kind + b"\x03\x03" + struct.pack(">H", (1 << 14) + 2049) + b"a" * 500)
    data, how = read_all(peer.socket)
    assert how in ("end", "reset")
    assert not origin.conversations
    assert serves(world, gateway)


def test_who_wants_to_begin_again(world, gateway, origin):
    """No other handshake within a session of TLS 1.2; the session is none the worse, if the client goes on with it."""
    script = ("(sleep 0.5; echo R; sleep 1) | timeout 10 openssl s_client -tls1_2 -connect %s:443 -bind %s:0 "
              "-servername origin.example -CAfile %s -verify_return_error 2>&1" % (ORIGIN, POD, ca(gateway)))
    done = world.run("pods", script)
    assert "RENEGOTIATING" in done.stdout and "no renegotiation" in done.stdout, done.stdout
    assert done.stdout.count("Cipher is ECDHE") == 1
    assert not origin.received
    assert serves(world, gateway)


def test_garbage_after_a_handshake(world, gateway, origin):
    peer = Client(world, gateway)
    peer.handshake()
    peer.socket.sendall(b"GET / HTTP/1.1\r\nhost: origin.example\r\n\r\n" * 100)
    assert read_all(peer.socket)[1] in ("end", "reset")
    assert not origin.received
    assert serves(world, gateway)


def test_a_request_in_one_piece_with_the_handshake(world, gateway, origin):
    """What comes right behind the last byte of it is not lost."""
    peer = Client(world, gateway)
    peer.socket.sendall(peer.flight())
    while not (data := peer.flight()):
        peer.hear()
    peer.tls.write(request(host="origin.example"))
    peer.socket.sendall(data + peer.outgoing.read())

    class Inside:
        def recv(self, count):
            while True:
                try:
                    return peer.tls.read(count)
                except ssl.SSLWantReadError:
                    peer.hear()

    assert read_response(Inside())[0] == 200


@pytest.mark.parametrize("alert, words", [
    (42, "bad certificate (42)"), (45, "certificate expired (45)"), (46, "certificate unknown (46)"),
    (48, "unknown CA (48)"),
])
def test_the_alert_of_a_client_that_does_not_trust_us(world, gateway, origin, alert, words):
    """In TLS 1.2 a client says it in the clear, so that it can be any."""
    peer = Client(world, gateway, maximum_version=ssl.TLSVersion.TLSv1_2)
    peer.socket.sendall(peer.flight())
    peer.hear()
    peer.socket.sendall(b"\x15\x03\x03\x00\x02\x02" + bytes([alert]))
    assert read_all(peer.socket)[1] in ("end", "reset")
    # Of one port there may be others: this file has made many connections.
    session = until(lambda: [one for one in gateway.sessions(client=endpoint(peer.socket))
                             if one["tls"].get("alert") == words], what="the record")[-1]
    assert session["tls"]["handling"] == "refused" and session["tls"]["why"] == "untrusted_authority"
    assert not origin.conversations
