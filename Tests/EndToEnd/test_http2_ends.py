"""How connections of HTTP/2 end: by a drain with streams under way, and by themselves."""

import concurrent.futures
import time

from net import until
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
