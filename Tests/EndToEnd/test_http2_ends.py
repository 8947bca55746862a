"""How connections of HTTP/2 end: by a drain with streams under way, and by themselves."""

import concurrent.futures
import time

from http2frames import CONTINUATION, END_STREAM, HEADERS, PING, Peer, block, data, frame, post, pseudo
from net import ORIGIN, until
from peers import Origin, answer
from test_http2 import SERVICES, open_h2
from test_tls import https, identities, outside  # noqa: F401
from tlspeers import over_tls


def test_a_drain_lets_streams_finish(world, weir, resolver, outside, identities):  # noqa: F811
    begun = []

    def handler(conversation):
        while conversation.read_request():
            begun.append(1)
            time.sleep(0.7)
            conversation.send(answer(b"done"))

    gateway = weir(SERVICES + f'tls: {{trust: "{outside.certificate}"}}\n')
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]), handler)):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            words = ["--http2", "--parallel", "--parallel-immediate", "-v", "https://origin.example/two", "-o", "/dev/null"]
            waiting = pool.submit(https, world, gateway, "https://origin.example/one", *words)
            until(lambda: len(begun) == 2, what="the requests to come")
            gateway.process.terminate()
            done = waiting.result()
        assert done.returncode == 0 and done.stderr.count("< HTTP/2 200") == 2, done.stderr
        assert gateway.process.wait(20) == 0


def test_a_response_that_nobody_takes(world, weir, resolver, outside, identities):  # noqa: F811
    """A client that gives no window and says no more does not keep its connection for ever."""
    more = f'tls: {{trust: "{outside.certificate}"}}\nlimits: {{write_timeout: 1s, idle_timeout: 1s}}\n'
    gateway = weir(SERVICES + more)
    with Origin(world, 443, handler=over_tls(outside.server(identities["origin.example"]))):
        peer = open_h2(world, gateway, window=0)
        peer.credit = False
        stream = peer.request("/")
        until(lambda: peer.answers[stream].status or not peer.read(), what="a head")
        began = time.time()
        while peer.read():
            pass
        assert time.time() - began < 6


def test_clients_that_take_their_time(world, weir, resolver):
    """A little now and then is not enough to keep a connection or a stream: heads and content have their time."""
    half = frame(HEADERS, END_STREAM, 1, block(*pseudo()))
    pings = frame(PING, 0, 0, b"12345678")
    slow = {
        "nothing": (b"", b""), "pings": (b"", pings), "half a head": (half, b""), "half a head, by and by": (half, b"by"),
        "half a frame": (half[:20], b""), "no content": (post(), b""), "no content but pings": (post(), pings),
        "content by bytes": (post(), data(b"a", end=False)),
    }
    gateway = weir(SERVICES + "limits: {head_timeout: 1s, body_grace: 1s, body_min_rate: 1KiB, idle_timeout: 1s, linger_timeout: 1s}\n")
    with Origin(world, 8080) as origin:
        peers = {}
        for name, (first, _) in slow.items():
            peers[name] = Peer(world.connect(ORIGIN, 8080, timeout=0.05))
            peers[name].send(first)
        began, left = time.monotonic(), dict(peers)
        while left and time.monotonic() < began + 8:
            for name, peer in list(left.items()):
                more = slow[name][1]
                peer.send(frame(CONTINUATION, 0, 1, block(("x", "1"))) if more == b"by" else more)
                peer.until(lambda: False)
                if peer.ended or 1 in peer.over:
                    del left[name]
        assert not left
        assert origin.requests == 0
        asked = [peer for name, peer in peers.items() if slow[name][0] == post()]
        assert [peer.status(1) for peer in asked] == ["408"] * 3
    assert len(gateway.events(3, threat="slow_request")) == 3
