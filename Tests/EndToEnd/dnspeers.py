"""Resolvers outside: a real unbound with zones of its own, and one whose answers a test writes byte by byte."""

import base64
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time

from dnswire import AA, QR, RA, RD, Message, address, header, name, opt, record
from net import (CANARY, ATTACKER, ORIGIN, ORIGIN_V6, OTHER, PLAIN, POOL, PRIVATE, SCRIPTED, SECOND, UNBOUND, UNBOUND_V6,
                 sh, until)

ECH = base64.b64encode(b"\x00\x45\xfe\x0d\x00\x41" + bytes(range(0x41))).decode()
TEXT = [f"{index:03d}" + "abcdefghij" * 20 for index in range(20)]  # 4 KiB of TXT
LONG_CHAIN = 8

SOA = "@ 300 IN SOA ns.example. admin.example. 1 3600 600 86400 {negative}\n@ 300 IN NS ns.example.\n"

ZONES = {
    # What is in no other zone does not exist: unbound asks nobody.
    ".": "",
    "canarytokens.com": f"@ 60 A {CANARY}\n* 60 A {CANARY}\n",
    "bulk": f"* 300 A {PLAIN}\n* 300 TXT ok\n",
    "spamhaus.org": "",
    "in-addr.arpa": "* 300 PTR host.example.\n",
    "cluster.local": f"inside.default.svc 5 A {PRIVATE}\n",
    "example": f"""
ns 60 A {UNBOUND}
origin 60 A {ORIGIN}
www.origin 60 CNAME origin
attacker 60 A {ATTACKER}
other 60 A {OTHER}
plain 60 A {PLAIN}
second 60 A {SECOND}
six 60 AAAA {ORIGIN_V6}
both 60 A {ORIGIN}
both 60 AAAA {ORIGIN_V6}
short 2 A {PLAIN}
zero 0 A {PLAIN}
many 60 A {PLAIN}
many 60 A {SECOND}
many 60 A {OTHER}
canary 60 CNAME canarytokens.com.
loop1 60 CNAME loop2
loop2 60 CNAME loop1
tree 60 DNAME origin.example.
below.origin 60 A {ORIGIN}
nodata 60 TXT "an owner without an address"
rebound 60 A {PRIVATE}
rebound6 60 AAAA fd00:10:77::5
chained.rebound 60 CNAME rebound
mixed 60 A {PLAIN}
mixed 60 A {PRIVATE}
loopback 60 A 127.0.0.1
loopback6 60 AAAA ::1
mapped 60 AAAA ::ffff:169.254.169.254
metadata 60 A 169.254.169.254
unspecified 60 A 0.0.0.0
partly 60 A {PLAIN}
partly 60 A 127.0.0.1
mail 60 MX 10 mx1.mail
mail 60 MX 20 mx2.mail
mx1.mail 60 A {PLAIN}
mx2.mail 60 A {SECOND}
_sip._tcp 60 SRV 1 2 5060 origin
certificate 60 CAA 0 issue "ca.example"
odd 60 TYPE65280 \\# 4 01020304
text 60 TXT "v=spf1 -all"
front 60 HTTPS 1 . alpn="h2,h3" ipv4hint={ORIGIN} ipv6hint={ORIGIN_V6} ech="{ECH}"
front 60 A {ORIGIN}
service 60 SVCB 1 origin.example. alpn="h2,h3,h3-29" port=8443 ech="{ECH}"
alias 60 HTTPS 0 origin.example.
quic 60 HTTPS 1 . alpn="h3" no-default-alpn
quic 60 HTTPS 2 origin.example. alpn="h2"
bound 60 HTTPS 1 . mandatory="ech" ech="{ECH}"
bound 60 HTTPS 2 . alpn="h2"
hinted 60 HTTPS 1 . alpn="h2" ipv4hint={ORIGIN},{PRIVATE}
""" + "".join(f'large 60 TXT "{text}"\n' for text in TEXT)
        + "".join(f"chain{index} 60 CNAME chain{index + 1}\n" for index in range(LONG_CHAIN))
        + f"chain{LONG_CHAIN} 60 A {ORIGIN}\n"
        + "".join(f"n{index}.turn 60 A {POOL}.{index}\n" for index in range(1, 255)),
}

SIGNED = f"""$TTL 60
@ IN SOA ns.example. admin.example. 1 3600 600 86400 30
@ IN NS ns.example.
@ IN A {ORIGIN}
www IN A {ORIGIN}
alias IN CNAME www
rebound IN A {PRIVATE}
mixed IN A {PLAIN}
mixed IN A {PRIVATE}
front IN HTTPS 1 . alpn="h2,h3" ech="{ECH}"
"""

UNBOUND_CONF = """
server:
    directory: ""
    chroot: ""
    username: ""
    pidfile: "{d}/unbound.pid"
    use-syslog: no
    logfile: ""
    verbosity: 0
    do-daemonize: no
    num-threads: 1
    interface: {v4}@53
    interface: {v6}@53
    interface: {v4}@853
    tls-service-key: "{d}/key.pem"
    tls-service-pem: "{d}/cert.pem"
    access-control: 0.0.0.0/0 allow
    access-control: ::/0 allow
    do-not-query-localhost: no
    qname-minimisation: no
    module-config: "validator iterator"
    trust-anchor-file: "{d}/anchor"
    max-udp-size: 4096
    infra-host-ttl: 1
    # Those of the private ranges would answer before our own zone does.
    unblock-lan-zones: yes
    insecure-lan-zones: yes
{zones}
"""


class Unbound:
    """A real recursive resolver outside, at `UNBOUND` and `UNBOUND_V6`, with DNS over TLS at port 853.

    Its zones are its own, so that it asks nobody: it validates, chases CNAMEs over zones, caches and truncates all the
    same. Names below `tunnel.example` and `socks.example` it asks of the tunnels' servers, where a test runs them.
    """

    # Ports of 127.0.0.1 outside.
    IODINE, DNS2TCP = 5301, 5302

    def __init__(self, world, directory):
        self.world, self.directory = world, directory
        self.process = None
        zones = []
        for zone, text in ZONES.items():
            self._zone(zones, zone, "$TTL 60\n" + SOA.format(negative=30) + text)
        path = self._sign("signed.example", SIGNED)
        zones.append(self._auth("signed.example", path))
        for zone, port in (("tunnel.example", self.IODINE), ("socks.example", self.DNS2TCP)):
            zones.append(f'stub-zone:\n    name: "{zone}"\n    stub-addr: 127.0.0.1@{port}\n')
        self.certificate = os.path.join(directory, "cert.pem")
        sh(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=resolver.example", "-addext", "subjectAltName=DNS:resolver.example",
            "-keyout", os.path.join(directory, "key.pem"), "-out", self.certificate])
        with open(os.path.join(directory, "unbound.conf"), "w") as file:
            file.write(UNBOUND_CONF.format(d=directory, v4=UNBOUND, v6=UNBOUND_V6, zones="\n".join(zones)))
        self.start()

    def _zone(self, zones, zone, text):
        path = os.path.join(self.directory, zone.replace(".", "_") + ".zone")
        with open(path, "w") as file:
            file.write(text)
        zones.append(self._auth(zone, path))

    @staticmethod
    def _auth(zone, path):
        return (f'auth-zone:\n    name: "{zone}"\n    zonefile: "{path}"\n    for-upstream: yes\n    for-downstream: no\n'
                "    fallback-enabled: no\n")

    def _sign(self, zone, text):
        path = os.path.join(self.directory, "signed.zone")
        keys = []
        for words in ([], ["-f", "KSK"]):
            keys.append(sh(["dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-K", self.directory, *words, zone]).stdout.strip())
        included = ""
        for key in keys:
            with open(os.path.join(self.directory, key + ".key")) as file:
                included += file.read()
        with open(path, "w") as file:
            file.write(text + included)
        anchor = next(line for line in included.splitlines() if " 257 " in line)
        with open(os.path.join(self.directory, "anchor"), "w") as file:
            file.write(anchor + "\n")
        self.world.anchor = os.path.join(self.directory, "anchor")
        self.anchors = os.path.join(self.directory, "bind.keys")  # the same, as delv reads it
        with open(self.anchors, "w") as file:
            key = "".join(anchor.split(" 257 3 13 ")[1].split())
            file.write(f'trust-anchors {{ {zone}. static-key 257 3 13 "{key}"; }};\n')
        sh(["dnssec-signzone", "-o", zone, "-K", self.directory, "-f", path + ".signed", path], cwd=self.directory)
        return path + ".signed"

    def start(self):
        conf = os.path.join(self.directory, "unbound.conf")
        with open(os.path.join(self.directory, "stderr"), "ab") as errors:
            self.process = self.world.start("outside", ["unbound", "-d", "-c", conf], stdout=errors, stderr=errors)
        until(self._answers, timeout=15, what="unbound to answer")

    def _answers(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.directory, "stderr"), errors="replace") as file:
                raise RuntimeError(f"unbound exited with {self.process.returncode}\n{file.read()[-3000:]}")
        from dnswire import ask
        try:
            return ask(self.world, "origin.example", at=UNBOUND, role="outside", timeout=0.5).addresses == [ORIGIN]
        except OSError:
            return False

    def stop(self):
        """Gone: its port refuses. It starts again with an empty cache."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    close = stop

    @contextlib.contextmanager
    def stopped(self):
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def mute(self):
        """There, and silent: what is sent to it is lost."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)
            until(self._answers, timeout=15, what="unbound to answer again")


STAND_IN_CONF = """
server:
    directory: ""
    chroot: ""
    username: ""
    pidfile: "{d}/stand-in.pid"
    use-syslog: no
    do-daemonize: no
    num-threads: 1
    interface: 10.244.0.1@5353
    interface: fd00:244::1@5353
    access-control: 0.0.0.0/0 allow
    access-control: ::/0 allow
    qname-minimisation: no
    use-caps-for-id: yes
    incoming-num-tcp: 1000
    module-config: "validator iterator"
    {anchor}
    serve-expired: {stale}
    serve-expired-client-timeout: 1500
    prefetch: yes
    unblock-lan-zones: yes
    insecure-lan-zones: yes
{zones}
"""

STAND_IN_RULES = """
table inet straight {
    chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        iifname pods meta nfproto ipv4 meta l4proto { tcp, udp } th dport 53 dnat ip to 10.244.0.1:5353
        iifname pods meta nfproto ipv6 meta l4proto { tcp, udp } th dport 53 dnat ip6 to [fd00:244::1]:5353
    }
}
"""


class StandIn:
    """In the gateway's place, for `--straight`: unbound with the same resolvers, zones and hosts.

    It forwards, caches, coalesces and is not easily fooled, but judges nothing and records nothing: at the first look at a
    record a test is skipped. What fails before is mostly the test's own fault, or needs a policy.
    """

    def __init__(self, world, directory, section):
        self.world = world
        section = json.loads(section)
        zones = [self._forward(".", section["resolvers"])]
        zones += [self._forward(zone["suffix"], zone["resolvers"]) for zone in section.get("zones", [])]
        hosts = [f'    local-data: "{host["name"]}. {"AAAA" if ":" in address else "A"} {address}"'
                 for host in section.get("hosts", []) for address in host["addresses"]]
        anchor = getattr(world, "anchor", None)
        path = os.path.join(str(directory), "stand-in.conf")
        with open(path, "w") as file:
            file.write(STAND_IN_CONF.format(
                d=directory, stale="yes" if "serve_stale" in section else "no", zones="\n".join(hosts + zones),
                anchor=f'trust-anchor-file: "{anchor}"' if anchor else ""))
        self.process = world.start("gateway", ["unbound", "-d", "-c", path])
        world.run("gateway", ["nft", "-f", "-"], input=STAND_IN_RULES, check=True)
        from dnswire import ask
        until(lambda: self._up(ask), timeout=10, what="the stand-in")

    @staticmethod
    def _forward(suffix, resolvers):
        tls = any(one.startswith("tls://") for one in resolvers)
        addresses = [one.removeprefix("tls://").partition("#")[0].rpartition(":") for one in resolvers]
        return (f'forward-zone:\n    name: "{suffix}"\n    forward-tls-upstream: {"yes" if tls else "no"}\n'
                + "".join(f"    forward-addr: {address}@{port}\n" for address, _, port in addresses))

    def _up(self, ask):
        try:
            return ask(self.world, "localhost", at="10.244.0.1", timeout=0.3)
        except OSError:
            return False

    def stop(self):
        self.world.run("gateway", "nft delete table inet straight")
        self.process.terminate()
        self.process.wait(10)

    def __getattr__(self, name):
        import pytest
        pytest.skip(f"without a gateway there is no `{name}`")


# A resolver that does as it is told


class Asked:
    """One question to a `Scripted`, with the means to answer it well or badly."""

    def __init__(self, data, peer, tcp, send):
        self.data, self.peer, self.tcp, self._send = data, peer, tcp, send
        self.message = Message(data)
        self.id = self.message.id
        self.name = self.message.question.lower()
        self.spelt = self.message.question
        self.kind = self.message.kind
        self.at = time.monotonic()
        self.wire = data[12:12 + len(name(self.spelt)) + 4]

    def reply(self, records=(), rcode=0, id=None, flags=0, wire=None, authority=(), extra=(), edns=1232):
        """An answer as bytes. `wire` is the question in place of the one asked."""
        flags = QR | RA | (self.message.flags & RD) | flags | rcode
        extra = list(extra) + ([opt(edns)] if edns and self.message.edns is not None else [])
        counts = (1, len(records), len(authority), len(extra))
        return header(self.id if id is None else id, flags, counts) + (self.wire if wire is None else wire) + b"".join(
            [*records, *authority, *extra])

    def addresses(self, *texts, ttl=60, **options):
        """An answer with these addresses, as far as they are of the type asked."""
        kind = {"A": 4, "AAAA": 16}.get(self.kind)
        found = [record(b"\xc0\x0c", self.kind, address(text), ttl) for text in texts if len(address(text)) == kind]
        return self.reply(found, **options)

    def close(self):
        """Ends the TCP connection under the question."""
        self._send(None)

    def send(self, data, after=0.0):
        """Sends an answer, now or later; several may be sent."""
        if after:
            threading.Timer(after, self._send, [data]).start()
        else:
            self._send(data)


def soa(zone, negative=60, ttl=60):
    data = name("ns." + zone) + name("admin." + zone) + struct.pack("!IIIII", 1, 3600, 600, 86400, negative)
    return record(zone, "SOA", data, ttl)


def nothing(asked):
    """No name is there, says who must know."""
    asked.send(asked.reply(rcode=3, flags=AA, authority=[soa(asked.name.partition(".")[2])]))


def plain(asked):
    """Every name has one address."""
    asked.send(asked.addresses(PLAIN, ORIGIN_V6))


class Scripted:
    """A resolver whose `script` is called with each `Asked`, in a thread of the test process."""

    def __init__(self, world, script=plain, at=SCRIPTED, port=53):
        self.world, self.script, self.address = world, script, at
        self.asked = []
        with world.inside("outside"):
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.udp.bind((at, port))
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((at, port))
        self.tcp.listen(64)
        self.open = True
        self.threads = [threading.Thread(target=each, daemon=True) for each in (self._serve_udp, self._serve_tcp)]
        for thread in self.threads:
            thread.start()

    def names(self):
        return [asked.name for asked in self.asked]

    def of(self, what, kind=None):
        """The questions about one name."""
        return [asked for asked in list(self.asked) if asked.name == what and kind in (None, asked.kind)]

    def _take(self, data, peer, tcp, send):
        def sent(reply):
            with contextlib.suppress(OSError):  # the asker may be gone by now
                send(reply)
        try:
            asked = Asked(data, peer, tcp, sent)
        except (ValueError, IndexError, struct.error):
            return
        self.asked.append(asked)
        self.script(asked)

    def _serve_udp(self):
        while True:
            try:
                data, peer = self.udp.recvfrom(65535)
            except OSError:
                return
            if not self.open:
                return
            self._take(data, peer, False, lambda reply, peer=peer: self.udp.sendto(reply, peer))

    def _serve_tcp(self):
        while True:
            try:
                sock, peer = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(sock, peer), daemon=True).start()

    def _converse(self, sock, peer):
        with sock:
            sock.settimeout(10)
            data = b""
            while True:
                while len(data) >= 2 and len(data) >= 2 + (size := struct.unpack("!H", data[:2])[0]):
                    self._take(data[2:2 + size], peer, True, lambda reply: self._send_tcp(sock, reply))
                    data = data[2 + size:]
                try:
                    chunk = sock.recv(65536)
                except OSError:
                    return
                if not chunk:
                    return
                data += chunk

    @staticmethod
    def _send_tcp(sock, reply):
        if reply is None:
            sock.shutdown(socket.SHUT_RDWR)
        else:
            sock.sendall(struct.pack("!H", len(reply)) + reply)

    def spoof(self, asked, data, port=5353, at=None):
        """An answer from another port or another address than the one asked."""
        with self.world.inside("outside"):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            sock.bind((at or self.address, port))
            sock.sendto(data, asked.peer)

    def close(self):
        self.open = False
        with contextlib.suppress(OSError):
            self.udp.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.tcp.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:  # whoever still reads keeps the port taken
            thread.join(5)
        self.udp.close()
        self.tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
