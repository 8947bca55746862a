"""What HTTP/2 has been broken with: each ends the connection, is recorded as a threat, and harms no one else."""

import struct

import pytest

from net import ORIGIN, until
from test_http2_conformance import (  # noqa: F401
    CALM, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PORT, PREFACE, PROBE, SETTINGS, Answer, Peer,
    block, frame, gateway, get, headers, post, priority, pseudo, reset, server, setting, text, window)

# A field of 4000 bytes that the table keeps, and many references to it.
BOMB = b"\x82\x86\x84\x01" + text("origin.example") + b"\x40" + text("x") + text("a" * 4000) + b"\xbe" * 200

FLOODS = {
    "rapid-reset": (
        b"".join(get(1 + 2 * number) + reset(1 + 2 * number) for number in range(400)), "http2_rapid_reset"),
    # What makes the server reset the streams itself (CVE-2025-8671).
    "resets-made-by-windows": (
        b"".join(post(1 + 2 * number) + window((1 << 31) - 1, 1 + 2 * number) for number in range(400)), "http2_rapid_reset"),
    "resets-made-by-malformed-requests": (
        b"".join(headers([("x", "1")], 1 + 2 * number) for number in range(400)), "http2_rapid_reset"),
    "continuations-without-end": (
        frame(HEADERS, END_STREAM, 1, block(*pseudo()))
        + b"".join(frame(CONTINUATION, 0, 1, block(("x", str(number)))) for number in range(100)),
        "http2_continuation_flood"),
    "empty-continuations": (
        frame(HEADERS, END_STREAM, 1, block(*pseudo())) + frame(CONTINUATION, 0, 1) * 10_000, "http2_continuation_flood"),
    "heads-that-unpack": (frame(HEADERS, END_HEADERS | END_STREAM, 1, BOMB), "http2_header_bomb"),
    "fields-without-end": (headers([*pseudo(), *[("a", "1")] * 1000]), "http2_header_bomb"),
    "cookies-without-end": (headers([*pseudo(), *[("cookie", "a")] * 1000]), "http2_header_bomb"),
    "pings": (frame(PING, 0, 0, b"12345678") * 20_000, "http2_control_flood"),
    "settings": (setting(4, 70_000) * 20_000, "http2_control_flood"),
    "empty-data": (post() + frame(DATA, 0, 1) * 20_000, "http2_control_flood"),
    "padding-alone": (post() + frame(DATA, 8, 1, b"\x05" + b"\0" * 5) * 20_000, "http2_control_flood"),
    "priorities": (b"".join(priority(1 + 2 * (number % 1000)) for number in range(20_000)), "http2_control_flood"),
    "windows": (window(1) * 20_000, "http2_control_flood"),
    "windows-of-a-stream": (post() + window(1, 1) * 20_000, "http2_control_flood"),
    "unknown-frames": (frame(0xee, 0, 0, b"x") * 20_000, "http2_control_flood"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods(world, gateway, resolver, server, name):  # noqa: F811
    bytes, threat = FLOODS[name]
    before = len([one for one in gateway.lines("events") if one.get("threat") == threat])
    other = Peer(world)
    peer = Peer(world)
    at = 0
    while at < len(bytes) and not peer.ended:
        peer.send(bytes[at:at + 16_384])
        at += 16_384
    assert peer.until(lambda: peer.ended or peer.goodbye == CALM)
    assert peer.goodbye in (CALM, None), peer.goodbye
    until(lambda: len([one for one in gateway.lines("events") if one.get("threat") == threat]) > before, what=threat)
    # Who does no such thing is not disturbed.
    other.send(get() + frame(PING, 0, 0, PROBE))
    Answer().check(other)
    for one in (peer, other):
        one.close()


def test_a_peer_that_does_not_read(world, gateway, resolver, server):  # noqa: F811
    """Answers to PING pile up, bounded."""
    sock = world.connect(ORIGIN, PORT, timeout=5)
    sock.setsockopt(1, 8, 2048)  # SO_RCVBUF
    before = gateway.resident()
    sock.sendall(PREFACE + frame(SETTINGS))
    try:
        for _ in range(200):
            sock.sendall(frame(PING, 0, 0, struct.pack(">Q", 1)) * 1000)
    except (OSError, TimeoutError):
        pass
    assert gateway.resident() - before < 8 * 1024
    sock.close()


def test_windows_of_nothing(world, gateway, resolver, server):  # noqa: F811
    """Many answers that the peer never takes: they are not fetched, and the connection ends by itself."""
    peer = Peer(world, PREFACE + setting(4, 0))
    peer.send(b"".join(get(1 + 2 * number) for number in range(100)) + frame(PING, 0, 0, PROBE))
    assert peer.until(lambda: len(peer.heads) == 100)
    assert not peer.bodies
    peer.close()
