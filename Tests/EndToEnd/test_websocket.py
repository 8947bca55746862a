"""WebSocket: messages read in both directions, however they are framed, compressed and cut."""

import os
import time

import pytest

from gateway import SSN_SENSOR
from net import POD, POD_DH157, POD_OTHER, until
from peers import Origin
from test_tls import NUMBER, ca, connect, identities, outside  # noqa: F401
from tlspeers import client, over_tls
from websocket import CLOSE, PING, PONG, TEXT, Deflate, Server, StreamPeer, Peer, fragments, frame, plain, sent

CONFIG = SSN_SENSOR + r"""
  - name: both-ways
    direction: both
    rules:
      - {name: word, patterns: [{regex: 'TOPSECRET-\d{4}', context: [body]}]}
  - name: badge
    direction: both
    rules:
      - {name: number, patterns: [{regex: 'BADGE-\d{4}', context: [body]}]}
services:
  - name: myapp.default
    mode: protect
    sensors: {nir: deny, both-ways: deny, badge: redact}
    rules: [{to: any, action: allow}]
  - {name: dh157.default, mode: monitor, sensors: {nir: deny, both-ways: deny}, rules: [{to: any, action: allow}]}
  - name: other.default
    mode: protect
    uninspectable: deny
    sensors: {nir: deny}
    rules: [{to: origin.example, applications: [WebSocket], action: allow}]
"""
DEFLATE = "permessage-deflate; client_no_context_takeover"


@pytest.fixture(scope="module")
def gateway(shared, outside):  # noqa: F811
    return shared(CONFIG + f'tls: {{trust: "{outside.certificate}"}}\n')


class Way:
    """One way of a pod to an origin: over plain HTTP/1.1, over TLS, as a stream of HTTP/2."""

    def __init__(self, name, world, gateway, outside, identities):  # noqa: F811
        self.name, self.world, self.gateway = name, world, gateway
        self.tls = outside.server(identities["origin.example"])

    def origin(self, server):
        if self.name == "plain":
            return Origin(self.world, 8080, handler=server)
        return Origin(self.world, 443, handler=over_tls(self.tls, server))

    def peer(self, source=POD, **options):
        if self.name == "plain":
            return plain(self.world, self.gateway, source, **options)
        alpn = ["h2"] if self.name == "http2" else ["http/1.1"]
        tls = connect(self.world, self.gateway, "origin.example", source=source, context=client(ca(self.gateway), alpn=alpn))
        return StreamPeer(tls, **options) if self.name == "http2" else Peer(tls, **options)


@pytest.fixture(params=["plain", "tls", "http2"])
def way(request, world, gateway, resolver, outside, identities):  # noqa: F811
    return Way(request.param, world, gateway, outside, identities)


@pytest.fixture
def straight(world, gateway, resolver, outside, identities):  # noqa: F811
    return Way("plain", world, gateway, outside, identities)


def clean(server, *digits):
    """What the outside got has nothing of the number, not even of a frame that it got in part."""
    content, rest = server.content
    assert NUMBER not in content and all(part not in content for part in digits)
    assert len(rest) < 20, rest


def test_the_story_over_websocket(way, gateway):
    server = Server()
    with way.origin(server):
        peer = way.peer(path=f"/story/{way.name}")
        assert peer.status == 101
        peer.send(sent(b"echo hello"))
        assert peer.frame() == (TEXT, b"echo hello")
        peer.send(sent(b'{"name": "Jeanne", "nir": "' + NUMBER + b'"}'))
        status, reason = peer.closed()
        assert status == 1008 and "sensor" in reason
        peer.close()
        clean(server, b"nir")
    session = gateway.sessions(path=f"/story/{way.name}", action="deny")[-1]
    assert session["application"] == "WebSocket" and session["status"] == 101 and not session["uninspectable"]
    assert session["id"] in reason
    finding = session["findings"][0]
    assert finding["decoded"] == ["websocket"] and finding["match"] == "2*************3"


def test_monitor_lets_it_through_and_says_so(way, gateway):
    server = Server(DEFLATE.encode())
    with way.origin(server):
        peer = way.peer(source=POD_DH157, path=f"/watched/{way.name}", extensions=DEFLATE)
        peer.send(sent(b"echo nir=" + NUMBER), sent(Deflate().pack(b"nir=" + NUMBER), rsv=0x40))
        assert peer.frame() == (TEXT, b"echo nir=" + NUMBER)
        peer.send(sent(b"\x03\xe8bye", opcode=CLOSE))
        until(lambda: server.content[0].endswith(b"bye"), what="the end")
        peer.close()
    session = gateway.sessions(path=f"/watched/{way.name}")[-1]
    assert session["action"] == "alert" and session["would"] == "deny" and not session["uninspectable"]
    assert [finding["decoded"] for finding in session["findings"]] == [["websocket"], ["websocket", "deflate"]]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_every_size_of_fragment(way, size):
    server = Server(DEFLATE.encode())
    text = b"name=x&nir=" + NUMBER + b"&end=1"
    with way.origin(server):
        for pieces in (fragments(text, size), fragments(Deflate().pack(text), size, rsv=0x40)):
            peer = way.peer(extensions=DEFLATE)
            peer.send(*pieces)
            assert peer.closed()[0] == 1008
            peer.close()
        clean(server, b"nir")


def test_every_cut_of_the_bytes(way):
    """At every frame boundary and within every frame, as segments, TLS records and frames of HTTP/2."""
    server = Server(DEFLATE.encode())
    text = b"nir=" + NUMBER + b"&x"
    data = sent(text[:9], fin=False) + sent(b"p", opcode=PING) + sent(text[9:], opcode=0)
    packed = sent(b"clean") + b"".join(fragments(Deflate().pack(text), 11, rsv=0x40))
    with way.origin(server):
        for whole in (data, packed):
            for cut in range(1, len(whole), 1 if way.name == "plain" else 3):
                peer = way.peer(extensions=DEFLATE)
                peer.send(whole[:cut])
                time.sleep(0.002)
                peer.send(whole[cut:])
                assert peer.closed()[0] == 1008, cut
                peer.close()
        clean(server, b"nir")


def test_a_byte_at_a_time(way):
    server = Server()
    with way.origin(server):
        peer = way.peer()
        peer.send(*[bytes([byte]) for byte in sent(b"echo clean")])
        assert peer.frame() == (TEXT, b"echo clean")
        peer.send(*[bytes([byte]) for byte in sent(b"nir=" + NUMBER + b"&x")])
        assert peer.closed()[0] == 1008
        clean(server, b"nir")
        clean(server, b"nir")


def test_a_number_in_two_messages(way):
    """The first has left when the second comes: that one does not leave."""
    for cut in range(1, len(NUMBER)):
        server = Server()
        with way.origin(server):
            peer = way.peer()
            peer.send(sent(NUMBER[:cut]), sent(NUMBER[cut:]), sent(b"end"))
            assert peer.closed()[0] == 1008, cut
            peer.close()
        content, rest = server.content
        assert len(content) <= cut and len(rest) < 20


def test_what_is_redacted_is_so_in_place(way, gateway):
    """Under the mask of each frame; the rest of the message and what follows come as they were sent."""
    text, hidden = b"my BADGE-1234 is {BADGE-5678}", b"my ********** is {**********}"
    server = Server(DEFLATE.encode())
    with way.origin(server):
        peer = way.peer(path=f"/redacted/{way.name}", extensions=DEFLATE)
        for mask in (b"\0\0\0\0", b"\x01\x02\x03\x04", b"\xff\xee\x00\x2a"):
            peer.send(frame(text, mask=mask))
        peer.send(*[bytes([byte]) for byte in frame(text, mask=b"\x09\x08\x07\x06")])
        for size in range(1, 20, 3):
            peer.send(*[frame(text[at:at + size], opcode=0 if at else TEXT, fin=at + size >= len(text),
                              mask=bytes([at, size, 77, at ^ 0x55])) for at in range(0, len(text), size)])
        until(lambda: server.content == (hidden * 11, b""), what="the messages")
        peer.send(sent(Deflate().pack(text), rsv=0x40))
        assert peer.closed()[0] == 1008, "what is compressed cannot be overwritten"
        peer.close()
        assert server.content[0] == hidden * 11
    session = gateway.sessions(path=f"/redacted/{way.name}")[-1]
    assert session["uninspectable"] == "redact_impossible" and session["action"] == "deny"
    assert {finding["action"] for finding in session["findings"]} == {"redact"}


def test_a_redacted_answer(way):
    """Frames of an origin have no mask."""
    with way.origin(Server(says=[frame(b"say BADGE-1234, and"), frame(b"BADGE-123"), frame(b"4")])):
        peer = way.peer()
        assert peer.frame() == (TEXT, b"say **********, and")
        # The beginning of a match may have left before its end shows what it is.
        assert peer.frame()[1] in (b"BADGE-123", b"*********")
        assert peer.frame() == (TEXT, b"*")
        peer.close()


def test_context_taken_over(straight):
    """What a message refers to was said in an earlier one."""
    server = Server(b"permessage-deflate")
    deflate = Deflate()
    with straight.origin(server):
        peer = straight.peer(extensions="permessage-deflate")
        half = deflate.pack(b"2951099 and more of the same")
        number = deflate.pack(b"nir=" + b"2951099" + NUMBER[7:] + b" and more of the same")
        peer.send(sent(half, rsv=0x40), sent(number, rsv=0x40))
        assert peer.closed()[0] == 1008
        content, rest = server.content
        assert content in (b"", half) and len(rest) < 20


def test_messages_flow_both_ways_without_delay(way):
    server = Server(says=[frame(b"welcome"), frame(b"x" * 70_000, 2), frame(b"to", fin=False), frame(b"gether", 0)])
    with way.origin(server):
        peer = way.peer()
        assert peer.frame() == (TEXT, b"welcome")
        assert peer.frame() == (2, b"x" * 70_000)
        assert peer.frame() == (TEXT, b"to") and peer.frame() == (0, b"gether")
        start = time.monotonic()
        for turn in range(20):
            # Ends like the beginning of a number, and may go all the same: the message is over.
            peer.send(sent(b"echo %d 295" % turn))
            assert peer.frame() == (TEXT, b"echo %d 295" % turn)
        assert time.monotonic() - start < 2
        peer.send(sent(b"still there?", opcode=PING))
        assert peer.frame() == (PONG, b"still there?")
        peer.close()


def test_what_an_open_message_holds_does_not_hold_for_ever(straight):
    """Fragments that wait for the next one go after a silence; a part of a frame is of no use and waits."""
    server = Server()
    with straight.origin(server):
        peer = straight.peer()
        peer.send(sent(b"first part, ", fin=False))
        until(lambda: server.content[0] == b"first part, ", what="the fragment")
        last = sent(b"and the last", opcode=0)
        peer.send(last[:10])
        time.sleep(0.5)
        assert server.content == (b"first part, ", b"")
        peer.send(last[10:])
        until(lambda: server.content[0] == b"first part, and the last", what="the message")
        peer.close()


def test_a_large_message(way, gateway):
    server = Server()
    text = b"z" * 3_000_000
    with way.origin(server):
        peer = way.peer()
        peer.send(sent(text))
        until(lambda: len(server.data) >= len(text) + 14, timeout=20, what="the message")
        peer.send(sent(text + b" " + NUMBER + b" end"))
        peer.closed()
        peer.close()
        until(lambda: gateway.sessions(action="deny", application="WebSocket"), what="the record")
        content, rest = server.content
        assert content == text
        left = bytes(byte ^ b"\x37\xfa\x21\x3d"[at % 4] for at, byte in enumerate(rest[14:]))
        assert left.strip() == b"z" * len(left.strip())


def test_responses_are_read(way, gateway):
    says = [frame(b"hello"), frame(b"the word is TOPSECRET-1234")]
    for pieces in (says, [byte.to_bytes(1) for byte in b"".join(says)]):
        server = Server(says=pieces)
        with way.origin(server):
            peer = way.peer(path="/down")
            # What came with the word may stay behind with it.
            first = peer.frame()
            assert first[0] == CLOSE or first == (TEXT, b"hello") and peer.frame()[0] == CLOSE
            assert b"TOPSECRET" not in peer.data
            peer.close()
    assert gateway.sessions(path="/down", action="deny", count=2)


def test_compressed_responses_are_read(straight):
    deflate = Deflate()
    says = [frame(deflate.pack(b"hello TOPSECRET-"), rsv=0x40), frame(deflate.pack(b"hello TOPSECRET-1234"), rsv=0x40)]
    with straight.origin(Server(b"permessage-deflate", says)):
        peer = straight.peer(extensions="permessage-deflate")
        assert peer.closed()[0] == 1008


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_control_frames_carry_nothing_out(straight, opcode):
    server = Server()
    payload = (b"\x03\xe8" if opcode == CLOSE else b"") + b"nir " + NUMBER
    with straight.origin(server):
        peer = straight.peer()
        peer.send(sent(payload, opcode=opcode))
        assert peer.closed()[0] == 1008
        clean(server, b"nir")


@pytest.mark.parametrize("bad", [
    frame(b"not masked"), sent(b"x", rsv=0x20), sent(b"x", rsv=0x40), sent(b"x", opcode=3), sent(b"x", opcode=0),
    sent(b"x" * 126, opcode=PING), sent(b"x", opcode=PING, fin=False), sent(b"\x03\xed", opcode=CLOSE),
    sent(b"x", fin=False) + sent(b"y")], ids=range(9))
def test_what_is_no_frame_is_not_clean(straight, gateway, bad):
    server = Server()
    with straight.origin(server):
        peer = straight.peer(source=POD_OTHER, path="/bad")
        peer.send(bad)
        assert peer.closed()[0] == 1002
        clean(server)
        peer.close()
        # Where that is to be told alone it is told, and what follows is read as it is.
        peer = straight.peer(path="/odd")
        peer.send(bad)
        time.sleep(0.02)
        peer.send(b" nir=" + NUMBER + b" ")
        peer.closed()
        clean(server)
    assert gateway.sessions(path="/bad", action="deny")[-1]["uninspectable"] == "undecodable"
    assert gateway.sessions(path="/odd")[-1]["uninspectable"] == "undecodable"


@pytest.mark.parametrize("start", [b"", b"\x82\xfe\x00\x05", b"\x82\xff\x80"], ids=["text", "short", "long"])
def test_what_is_no_frame_is_read_from_its_first_byte(straight, gateway, start):
    server = Server()
    cuts = sorted({0, 1, len(start), len(start) + 3})
    with straight.origin(server):
        for cut in cuts:
            peer = straight.peer(path=f"/raw/{len(start)}")
            data = start + b" " * bool(start) + NUMBER + b" "
            peer.send(data[:cut])
            time.sleep(0.02)
            peer.send(data[cut:])
            peer.closed()
            peer.close()
            assert NUMBER not in server.data
    for session in gateway.sessions(path=f"/raw/{len(start)}", action="deny", count=len(cuts)):
        assert session["uninspectable"] == "undecodable" and len(session["findings"]) == 1


def test_an_extension_that_nobody_knows(straight, gateway):
    with straight.origin(Server(b"x-secret")):
        peer = straight.peer(source=POD_OTHER, extensions="x-secret", path="/unknown")
        assert peer.status == 403
        peer = straight.peer(extensions="x-secret", path="/unknown")
        assert peer.status == 101
        peer.close()
    assert gateway.sessions(path="/unknown", count=2)[-1]["uninspectable"] == "tunnel"


def test_bombs(straight, gateway):
    server = Server(DEFLATE.encode())
    bomb = Deflate().pack(b"0" * 4_000_000)
    with straight.origin(server):
        peer = straight.peer(source=POD_OTHER, extensions=DEFLATE, path="/bomb")
        peer.send(*fragments(bomb, 1000, rsv=0x40))
        assert peer.closed()[0] == 1008
    assert gateway.sessions(path="/bomb", action="deny")[-1]["uninspectable"] == "decompression_bomb"


def test_blocks_without_content_are_not_held_for_ever(straight, gateway):
    """Empty blocks of deflate hold nothing back that could be told apart from a tail: there is an end to them."""
    server = Server(DEFLATE.encode())
    with straight.origin(server):
        peer = straight.peer(extensions=DEFLATE, path="/empty")
        head = Deflate().pack(b"nir=2951099")
        peer.send(sent(head + b"\x00\x00\xff\xff" + b"\x00\x00\x00\xff\xff" * 100_000, rsv=0x40, fin=False))
        peer.closed()
        assert len(server.data) < 20
    assert gateway.sessions(path="/empty")[-1]["action"] == "deny"


def test_rules_speak_of_websocket(straight, gateway):
    with straight.origin(Server()):
        assert straight.peer(source=POD_OTHER).status == 101
        done = straight.world.curl("http://origin.example:8080/", source=POD_OTHER)
        assert done.stdout.endswith("403")


def test_a_reset_where_no_close_can_stand(straight):
    """The client is in the middle of a frame: nothing can be said to it."""
    with straight.origin(Server(says=[frame(b"y" * 200_000)[:150_000]])):
        peer = straight.peer(source=POD_OTHER)
        until(lambda: len(peer.data) > 100_000 or not peer.read(), what="the front of the frame")
        peer.send(sent(NUMBER))
        assert peer.closed() is None


def test_many_at_once(straight, gateway):
    before = gateway.descriptors()
    with straight.origin(Server()):
        peers = [straight.peer() for _ in range(50)]
        for at, peer in enumerate(peers):
            peer.send(sent(b"echo %d" % at + b"!" * os.urandom(1)[0]))
        for at, peer in enumerate(peers):
            assert peer.frame()[1].rstrip(b"!") == b"echo %d" % at
            peer.close()
    until(lambda: gateway.descriptors() <= before + 4, what="the end of all")
