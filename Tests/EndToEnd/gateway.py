"""Weir itself in the gateway's namespace: configuration text in, records and answers out."""

import glob
import json
import os
import re
import signal
import socket
import time

from net import RESOLVER, UNBOUND, until

WEIR = os.environ.get("WEIR") or os.path.join(os.path.dirname(__file__), "../../.build/release/weir")

LISTENERS = """
listeners:
  - {name: egress, address: "0.0.0.0:15001", intercept: tproxy}
  - {name: egress6, address: "[::]:15006", intercept: tproxy}
  - {name: explicit, address: "10.244.0.1:3128", intercept: explicit}
"""

BASE = """
admin: {address: "127.0.0.1:15000", socket: state/admin.sock}
log: {level: info, format: text}
workers: 2
state: {directory: state}
records: {directory: records, rotate: 256MiB, keep: 8}
identity:
  pods:
    - {service: myapp.default, pod: myapp-7d9c, addresses: [10.244.0.17, "fd00:244::17"]}
    - {service: dh157.default, pod: dh157, addresses: [10.244.0.9]}
    - {service: other.default, pod: other, addresses: [10.244.0.30]}
"""

CAPTURE = """
capture: {from: [pods], ports: {tcp: all}, exclude: ["%s"]%s}
""" % (RESOLVER, "%s")

DNS = '{resolvers: ["9.9.9.9:53"], internal: [cluster.local]}'

# Where the pods' DNS goes through the gateway: whatever resolver they ask, and one that is the gateway's own.
DNS_LISTENERS = LISTENERS + """
  - {name: dns, address: "0.0.0.0:15053", intercept: tproxy, protocol: dns}
  - {name: dns6, address: "[::]:15056", intercept: tproxy, protocol: dns}
  - {name: resolver, address: "10.244.0.1:53", intercept: explicit, protocol: dns}
"""
DNS_CAPTURE = """
capture: {from: [pods], ports: {tcp: all, udp: [53]}}
"""

SSN_SENSOR = r"""
sensors:
  - name: nir
    rules:
      - name: nir
        patterns:
          - {regex: '\b[12]\d{2}(0[1-9]|1[0-2]|20|21|22|23|24|25|26|27|28|29|30|31|32)\d{2}\d{3}\d{3}\d{2}\b',
             context: [url, header, body, packet]}
"""


class Weir:
    """One run of the gateway. Its files are under `directory`; `stop` drains it and looks for what must not be."""

    def __init__(self, world, directory, config, listeners=LISTENERS, capture="", wait=True, prefix=(), dns=None):
        self.world = world
        self.directory = str(directory)
        self.path = os.path.join(self.directory, "weir.yaml")
        self.listeners = listeners
        self.capture = CAPTURE % capture if capture is not None else ""
        self.dns = dns or DNS
        if dns:
            self.listeners, self.capture = DNS_LISTENERS, DNS_CAPTURE
        self.process = None
        self.prefix = list(prefix)
        self.errors = os.path.join(self.directory, "stderr")
        self.write(config)
        self.start(wait)
        if capture is not None:
            self.nft("--apply")

    # Configuration

    def text(self, config):
        return self.listeners + BASE + f"dns: {self.dns}\n" + self.capture + config

    def write(self, config):
        """Writes the file in place, whole."""
        with open(self.path, "w") as file:
            file.write(self.text(config))

    def replace(self, config):
        """Renames a new file over the old one, as editors do."""
        self.place(self.text(config))

    def place(self, text):
        with open(self.path + ".new", "w") as file:
            file.write(text)
        os.rename(self.path + ".new", self.path)

    def command(self, *words, check=True, **options):
        return self.world.run("gateway", [WEIR, *words], check=check, cwd=self.directory, **options)

    def nft(self, *words):
        return self.command("nft", *words, "-c", self.path)

    def reload(self, config):
        """New configuration, through `weir reload`, in force when this returns."""
        before = self.generation()
        self.replace(config)
        self.command("reload", "-c", self.path)
        until(lambda: self.generation() > before, what="a new generation")

    # Life

    def start(self, wait=True):
        with open(self.errors, "ab") as errors:
            self.process = self.world.start(
                "gateway", self.prefix + [WEIR, "run", "-c", self.path],
                cwd=self.directory, stdout=errors, stderr=errors)
        if wait:
            until(self.ready, timeout=20, what=f"readyz\n{self.log()}")

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"weir exited with {self.process.returncode}\n{self.log()}")
        try:
            return self.admin("/readyz")[0] == 200
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=40):
        """SIGTERM, and the end it asks for: exit 0 within the drain timeout."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(timeout)
            assert code == 0, f"weir exited with {code}\n{self.log()}"
        self.check()

    def check(self):
        log = self.log()
        assert not re.search(r"Fatal error|Sanitizer|Crash|Backtrace", log), log[-6000:]

    def log(self):
        with open(self.errors, errors="replace") as file:
            return file.read()

    # What it says

    def admin(self, path, method="GET"):
        """An answer of the admin address: (status, text)."""
        with self.world.inside("gateway"):
            sock = socket.create_connection(("127.0.0.1", 15000), timeout=5)
        with sock:
            sock.sendall(f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
            data = b""
            while chunk := sock.recv(65536):
                data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head.lower():
            from peers import unchunk
            body = unchunk(body)
        return int(head.split()[1]), body.decode()

    def metrics(self):
        """`name{labels}` to number."""
        values = {}
        for line in self.admin("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    def metric(self, name):
        """The sum over all labels."""
        return sum(value for key, value in self.metrics().items() if key.partition("{")[0] == name)

    def generation(self):
        return self.metric("weir_config_generation")

    def lines(self, name):
        path = os.path.join(self.directory, "records", name + ".jsonl")
        try:
            with open(path) as file:
                # The last may be under way: a reader sees a write across pages in parts.
                return [json.loads(line) for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def count(self, text=b""):
        """Lines of all session files that hold a text, without reading them as JSON: there may be a million."""
        total = 0
        for path in glob.glob(os.path.join(self.directory, "records", "sessions*")):
            with open(path, "rb") as file:
                total += sum(1 for line in file if text in line)
        return total

    def sessions(self, count=1, timeout=5.0, **fields):
        """The session records that have these fields; waits until there are `count`."""
        return self._records("sessions", count, timeout, fields)

    def events(self, count=1, timeout=5.0, **fields):
        return self._records("events", count, timeout, fields)

    def dns_sessions(self, name, count=1, timeout=5.0, **fields):
        """The records of DNS transactions about a name; `type`, `rcode`, `cached` and such are looked for in `dns`."""
        return self._records("sessions", count, timeout, {"application": "DNS"}, _dns(name, fields))

    def dns_events(self, name, count=1, timeout=5.0, **fields):
        return self._records("events", count, timeout, {"application": "DNS"}, _dns(name, fields))

    def event_of(self, sock, timeout=5.0):
        """The last event of the connection behind a socket of the pod: others may still be on their way to the file."""
        return self.events(1, timeout, client=endpoint(sock))[-1]

    def session_of(self, sock, timeout=5.0):
        return self.sessions(1, timeout, client=endpoint(sock))[-1]

    def _records(self, name, count, timeout, fields, also=lambda line: True):
        def matching():
            return [line for line in self.lines(name) if line.get("kind") != "open" and _has(line, fields) and also(line)]
        deadline = time.monotonic() + timeout
        while len(found := matching()) < count:
            if time.monotonic() > deadline:
                seen = "\n".join(json.dumps(line) for line in self.lines(name)[-8:])
                raise AssertionError(f"{len(found)} of {count} {name} with {fields}; the last:\n{seen}\n{self.log()[-2000:]}")
            time.sleep(0.05)
        return found

    def resident(self):
        """Resident memory in KiB."""
        with open(f"/proc/{self.pid()}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def descriptors(self):
        """Open descriptors of all threads: each worker has a table of its own."""
        tasks = f"/proc/{self.pid()}/task"
        return sum(len(os.listdir(f"{tasks}/{task}/fd")) for task in os.listdir(tasks))

    def pid(self):
        # nsenter execs in place, so the process started is Weir.
        return self.process.pid


def _has(line, fields):
    return all(line.get(key) == value for key, value in fields.items())


DNS_FIELDS = ("type", "rcode", "answers", "resolver", "cached")


def _dns(name, fields):
    def matches(line):
        told = line.get("dns") or {}
        return told.get("name", "").lower() == name.lower() and all(
            (told if key in DNS_FIELDS else line).get(key) == value for key, value in fields.items())
    return matches


def dns(*resolvers, **more):
    """A `dns` section that asks these resolvers (unbound when none is named): `dns(serve_stale="1d")`."""
    section = {"resolvers": [one if ":" in one or one == "original" else f"{one}:53" for one in resolvers or (UNBOUND,)],
               "internal": ["cluster.local"], **more}
    return json.dumps(section)


def endpoint(sock):
    """The pod's end of a connection, as records write it."""
    address, port = sock.getsockname()[:2]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def body_of(response):
    """Splits curl's output into (status, body)."""
    body, _, status = response.stdout.rpartition("\n")
    return int(status or 0), body


def service(name="myapp.default", mode="protect", rules="[{to: any, action: allow}]", more=""):
    return f"""
services:
  - name: {name}
    mode: {mode}
    rules: {rules}
{more}
"""
