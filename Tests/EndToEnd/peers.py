"""What stands outside: an origin that keeps every byte it gets, a resolver whose answers tests change, nginx."""

import contextlib
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

from net import ATTACKER, CANARY, ORIGIN, ORIGIN_V6, RESOLVER, until


class Conversation:
    """One accepted connection of an `Origin`."""

    def __init__(self, sock, peer):
        self.socket = sock
        self.peer = peer
        self.received = b""
        self.ended = False  # the peer closed in order
        self.reset = False
        self.requests = 0

    def read(self, count=65536):
        try:
            data = self.socket.recv(count)
        except (ConnectionResetError, TimeoutError, OSError):
            self.reset = True
            return b""
        if not data:
            self.ended = True
        self.received += data
        return data

    def read_until(self, mark, start=0):
        while mark not in self.received[start:]:
            if not self.read():
                return False
        return True

    def read_request(self):
        """Reads one whole request and returns (head, body), or None at the end."""
        start = getattr(self, "_start", 0)
        if not self.read_until(b"\r\n\r\n", start):
            return None
        end = self.received.index(b"\r\n\r\n", start) + 4
        head = self.received[start:end]
        fields = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            fields[name.strip().lower()] = value.strip()
        if b"expect" in fields and fields[b"expect"].lower() == b"100-continue" and self.answers_expect:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if b"chunked" in fields.get(b"transfer-encoding", b""):
            while not self._chunked_end(end):
                if not self.read():
                    return None
            stop = self._chunked_end(end)
        else:
            stop = end + int(fields.get(b"content-length", b"0"))
            while len(self.received) < stop:
                if not self.read():
                    return None
        self._start = stop
        self.requests += 1
        return head, self.received[end:stop]

    answers_expect = True

    def _chunked_end(self, at):
        while True:
            line = self.received.find(b"\r\n", at)
            if line < 0:
                return None
            size = int(self.received[at:line].split(b";")[0], 16)
            if size == 0:
                done = self.received.find(b"\r\n\r\n", line)
                return done + 4 if done >= 0 else None
            at = line + 2 + size + 2
            if at > len(self.received):
                return None

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            self.reset = True


def unchunk(body):
    """The payload of a chunked body."""
    out, at = b"", 0
    while True:
        line = body.index(b"\r\n", at)
        size = int(body[at:line].split(b";")[0], 16)
        if size == 0:
            return out
        out += body[line + 2:line + 2 + size]
        at = line + 2 + size + 2


def echo(conversation):
    while data := conversation.read():
        conversation.send(data)


def tls_server(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    def handler(conversation):
        with context.wrap_socket(conversation.socket, server_side=True) as tls:
            while data := tls.recv(65536):
                tls.sendall(data)
    return handler


def tls_client(sock, name):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname=name)


def answer(body=b"ok\n", status=b"200 OK", fields=b""):
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n%s\r\n%s" % (status, len(body), fields, body)


def serve(conversation):
    """Answers every request with `ok`."""
    while conversation.read_request():
        conversation.send(answer())


class Origin:
    """A server of threads of the test process, in the namespace outside. `handler` gets each `Conversation`."""

    def __init__(self, world, port, address=ORIGIN, handler=serve, timeout=20):
        with world.inside("outside"):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.socket.listen(512)
        self.address, self.port = address, port
        self.handler = handler
        self.timeout = timeout
        self.conversations = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                sock, peer = self.socket.accept()
            except OSError:
                return
            sock.settimeout(self.timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conversation = Conversation(sock, peer)
            self.conversations.append(conversation)
            threading.Thread(target=self._converse, args=(conversation,), daemon=True).start()

    def _converse(self, conversation):
        try:
            self.handler(conversation)
        except OSError:
            conversation.reset = True
        finally:
            conversation.socket.close()

    @property
    def received(self):
        return b"".join(conversation.received for conversation in self.conversations)

    @property
    def requests(self):
        return sum(conversation.requests for conversation in self.conversations)

    def forget(self):
        self.conversations = []

    def close(self):
        # shutdown wakes the accept; close alone would not.
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        for conversation in self.conversations:
            try:
                conversation.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Resolver:
    """Answers A and AAAA from `names`, which tests change as they go; a callable is asked each time."""

    def __init__(self, world, names, address=RESOLVER):
        self.names = dict(names)
        self.questions = []
        self.ttl = 5
        with world.inside("outside"):
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.udp.bind((address, 53))
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((address, 53))
        self.tcp.listen(64)
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    def _serve_udp(self):
        while True:
            try:
                query, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            reply = self.reply(query)
            if reply:
                with contextlib.suppress(OSError):  # the asker's way back may be gone by now
                    self.udp.sendto(reply, peer)

    def _serve_tcp(self):
        while True:
            try:
                sock, _ = self.tcp.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(5)
                try:
                    size = struct.unpack("!H", sock.recv(2))[0]
                    reply = self.reply(sock.recv(size))
                    sock.sendall(struct.pack("!H", len(reply)) + reply)
                except (OSError, struct.error):
                    continue

    def reply(self, query):
        labels, at = [], 12
        try:
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
                at += 1 + query[at]
            kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        except (IndexError, struct.error):
            return None
        name = ".".join(labels).lower()
        self.questions.append((name, kind))
        question = query[12:at + 5]
        addresses = self.names.get(name)
        if callable(addresses):
            addresses = addresses()
        if addresses is None:
            return query[:2] + b"\x81\x83" + struct.pack("!HHHH", 1, 0, 0, 0) + question
        records = []
        for address in addresses:
            family, number = (socket.AF_INET6, 28) if ":" in address else (socket.AF_INET, 1)
            if number == kind:
                data = socket.inet_pton(family, address)
                records.append(b"\xc0\x0c" + struct.pack("!HHIH", number, 1, self.ttl, len(data)) + data)
        return query[:2] + b"\x81\x80" + struct.pack("!HHHH", 1, len(records), 0, 0) + question + b"".join(records)

    def close(self):
        self.udp.close()
        try:
            self.tcp.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.tcp.close()


NGINX = """
user root;
worker_processes 1;
pid {d}/nginx.pid;
error_log {d}/error.log;
daemon off;
events {{ worker_connections 4096; }}
http {{
    log_format all '$remote_addr $host "$request" $status $request_length "$request_body"';
    access_log {d}/access.log all;
    client_max_body_size 0;
    client_body_temp_path {d}/bodies;
    proxy_temp_path {d}/proxy;
    fastcgi_temp_path {d}/fastcgi;
    uwsgi_temp_path {d}/uwsgi;
    scgi_temp_path {d}/scgi;
    keepalive_requests 1000000;
    types {{ text/html html; text/plain txt; }}
    default_type application/octet-stream;
    server {{
        listen {addresses};
        {more}
        root {d}/www;
        autoindex on;
        # Bodies are logged, so that a test can look for what must not be there.
        location /stuff/ {{ client_body_buffer_size 1m; proxy_pass http://unix:{d}/sink.sock; }}
        location /sink {{ client_body_buffer_size 1m; proxy_pass http://unix:{d}/sink.sock; proxy_request_buffering off;
                          proxy_http_version 1.1; }}
    }}
    server {{ listen unix:{d}/sink.sock; access_log off; location / {{ return 200 "collected\\n"; }} }}
}}
"""


class Nginx:
    """Everything outside that is a plain web server: canarytokens.com, the attacker's host and the origin.

    With the stem of a certificate it is the origin over TLS instead, in HTTP/1.1 and HTTP/2."""

    def __init__(self, world, directory, stem=None):
        self.directory = directory
        self.root = os.path.join(directory, "www")
        os.makedirs(self.root, exist_ok=True)
        with open(os.path.join(self.root, "index.html"), "w") as file:
            file.write("hello\n")
        for name, size in (("1k", 1024), ("64k", 65536)):
            with open(os.path.join(self.root, name), "wb") as file:
                file.write((b"0123456789abcdef" * (size // 16)))
        listen, more = [f"{CANARY}:80", f"{ATTACKER}:80", f"{ORIGIN}:80", f"[{ORIGIN_V6}]:80"], ""
        if stem:
            listen = [f"{ORIGIN}:443 ssl http2"]
            more = f"ssl_certificate {stem}.pem; ssl_certificate_key {stem}.key; ssl_protocols TLSv1.2 TLSv1.3;"
        path = os.path.join(directory, "nginx.conf")
        with open(path, "w") as file:
            file.write(NGINX.format(d=directory, addresses=";\n        listen ".join(listen), more=more))
        self.process = world.start(
            "outside", ["nginx", "-p", directory, "-c", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until(self._listening(world, 443 if stem else 80), what="nginx to listen")

    def _listening(self, world, port):
        def listening():
            if self.process.poll() is not None:
                raise RuntimeError(self.process.stderr.read().decode())
            try:
                world.connect(ORIGIN, port, role="outside").close()
                return True
            except OSError:
                return False
        return listening

    def log(self):
        time.sleep(0.05)
        with open(os.path.join(self.directory, "access.log")) as file:
            return file.read()

    def put(self, name, data):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def close(self):
        self.process.terminate()
        self.process.wait(10)
