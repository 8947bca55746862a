"""gRPC without protoc: a real server of grpcio that takes bytes as they are, calls of a real client, and messages by hand."""

import contextlib
import gzip
import struct
import subprocess
import sys
import textwrap
from concurrent import futures

import grpc

import published
from net import until


def message(payload, coding=None):
    packed = gzip.compress(payload) if coding == "gzip" else payload
    return struct.pack("!BI", 1 if coding else 0, len(packed)) + packed


def unpack(body):
    """The messages of a body, and what is left."""
    messages = []
    while len(body) >= 5:
        count = struct.unpack("!I", body[1:5])[0]
        if len(body) < 5 + count:
            break
        messages.append(body[5:5 + count])
        body = body[5 + count:]
    return messages, body


class Handler(grpc.GenericRpcHandler):
    """Answers what it is sent; keeps it in a file, which the test reads."""

    def __init__(self, log):
        self.log = log

    def got(self, payload):
        with open(self.log, "ab") as file:
            file.write(payload + b"\n")
        return payload

    def service(self, details):
        if details.method == "/test/Unary":
            return grpc.unary_unary_rpc_method_handler(lambda payload, _: b"got " + self.got(payload))
        if details.method == "/test/Client":
            return grpc.stream_unary_rpc_method_handler(
                lambda payloads, _: b"got %d" % sum(1 for payload in payloads if self.got(payload) is not None))
        if details.method == "/test/Server":
            return grpc.unary_stream_rpc_method_handler(self.count)
        if details.method == "/test/Greeting":
            return grpc.stream_stream_rpc_method_handler(self.greet)
        if details.method == "/test/Both":
            return grpc.stream_stream_rpc_method_handler(
                lambda payloads, _: (b"got " + self.got(payload) for payload in payloads))
        if details.method == "/test/Failing":
            return grpc.unary_unary_rpc_method_handler(self.fail)
        return None

    def count(self, payload, _):
        """As many answers as the end of what is asked says, and five if it says nothing."""
        asked, _, turns = payload.partition(b" times ")
        for turn in range(int(turns or 5)):
            yield b"%d of %s" % (turn, self.got(asked))

    def fail(self, payload, context):
        context.set_trailing_metadata((("x-told", "to the end"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: " + self.got(payload).decode())

    def greet(self, payloads, _):
        yield b"welcome"
        for payload in payloads:
            yield b"got " + self.got(payload)


def serve(address, log, key="", certificate=""):
    """What the process of `Server` runs."""
    server = grpc.server(futures.ThreadPoolExecutor(16), handlers=(Handler(log),))
    if key:
        with open(key, "rb") as one, open(certificate, "rb") as other:
            server.add_secure_port(address, grpc.ssl_server_credentials([(one.read(), other.read())]))
    else:
        server.add_insecure_port(address)
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


class Server:
    """A process of its own, in the namespace outside: grpcio makes its sockets in threads of its own."""

    def __init__(self, world, port, folder, stem=None, address="93.184.215.14"):
        self.log = str(folder / f"grpc-{port}.log")
        self.forget()
        words = [f"{address}:{port}", self.log, *([stem + ".key", stem + ".pem"] if stem else [])]
        self.process = world.start("outside", [sys.executable, __file__, "serve", *words], stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"

    @property
    def received(self):
        with open(self.log, "rb") as file:
            return file.read()

    def forget(self):
        open(self.log, "wb").close()

    def close(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


CALLS = """
import grpc, sys, threading, time
target, secure = sys.argv[1:3]
options = [("grpc.enable_http_proxy", 0)]
if secure:
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
else:
    channel = grpc.insecure_channel(target, options)
def told(call):
    try:
        call()
    except grpc.RpcError as error:
        print(error.code().name, error.details())
unary = channel.unary_unary("/test/Unary")
both = channel.stream_stream("/test/Both")
"""


def calls(world, script, port, secure=False, authority=None):
    """Runs a script with a channel in the pod's namespace, which is told of the authority by the variable for it; answers the
    lines that it prints."""
    trust = {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": authority} if authority else {}
    words = [sys.executable, "-c", CALLS + textwrap.dedent(script), f"origin.example:{port}", "secure" if secure else ""]
    done = world.run("pods", words, timeout=40, env={**published.ENVIRONMENT, **trust})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def frames(client, stream, *, at=0):
    """The messages that came on a stream of `http2peer.Client`, of which there are more than `at`."""
    answer = client.answers[stream]
    until(lambda: len(unpack(answer.body)[0]) > at or answer.ended or answer.reset is not None or not client.read(),
          what="a message")
    return unpack(answer.body)[0]


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        serve(*sys.argv[2:])
