"""A drain with streams of HTTP/2 under way."""

import concurrent.futures
import time

from net import until
from peers import Origin, answer
from test_http2 import SERVICES
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
