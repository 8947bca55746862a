"""A small internet in network namespaces: pods, the gateway's host, and everything outside.

    pods ns                    gateway ns                        outside ns
    10.244.0.17  eth0 ──────── pods  10.244.0.1
    fd00:244::17               uplink 81.2.69.1  ─────────────── uplink 81.2.69.2, and on lo every outside address

The links are routed veths, no bridge. Sockets of the test process itself are opened inside a namespace with
`with world.inside("outside"):`, which moves only the calling thread and only for the block: a socket stays in the
namespace in which it was made.
"""

import contextlib
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

POD = "10.244.0.17"  # myapp
POD_DH157 = "10.244.0.9"
POD_OTHER = "10.244.0.30"
POD_UNKNOWN = "10.244.0.99"
POD_V6 = "fd00:244::17"
GATEWAY_PODS = "10.244.0.1"
GATEWAY_PODS_V6 = "fd00:244::1"
GATEWAY_OUT = "81.2.69.1"
OUT = "81.2.69.2"

CANARY = "52.18.63.80"
ATTACKER = "45.33.32.156"
ORIGIN = "93.184.215.14"
OTHER = "151.101.1.6"
PLAIN = "198.35.26.96"  # these two have no server but what a test starts
SECOND = "91.198.174.192"
PRIVATE = "10.77.0.5"  # a private address behind a public name
RESOLVER = "9.9.9.9"  # whom the pods ask
RESOLVER_V6 = "2620:fe::fe"
UNBOUND = "149.112.112.112"  # whom the gateway asks where it answers the pods' DNS
UNBOUND_V6 = "2620:fe::9"
SCRIPTED = "84.200.69.80"
SCRIPTED_TWO = "84.200.70.40"
KUBE_DNS = "10.96.0.10"
POOL = "185.199.108"  # each of its 256 addresses is outside; they have no server but what a test starts on 0.0.0.0
ORIGIN_V6 = "2606:2800:21f:cb07::14"

PODS = [POD, POD_DH157, POD_OTHER, POD_UNKNOWN]
OUTSIDE = [CANARY, ATTACKER, ORIGIN, OTHER, PLAIN, SECOND, PRIVATE, RESOLVER, UNBOUND, SCRIPTED, SCRIPTED_TWO, KUBE_DNS]
OUTSIDE_V6 = [ORIGIN_V6, UNBOUND_V6]

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def sh(command, check=True, **options):
    """Runs a shell command; its output is in the message when it fails."""
    done = subprocess.run(command, shell=isinstance(command, str), capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{command!r} exited with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def until(condition, timeout=5.0, what="condition"):
    """Waits until `condition()` is true, and returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.02)


class World:
    """The three namespaces. Their names carry the process id, so that sessions do not meet."""

    def __init__(self, directory):
        self.directory = directory
        tag = f"weir{os.getpid()}"
        self.names = {"pods": f"{tag}p", "gateway": f"{tag}g", "outside": f"{tag}o"}
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.handles = {}
        self.processes = []
        self.resolv = self.resolv_conf(f"nameserver {RESOLVER}\noptions timeout:1 attempts:2\n")
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self):
        p, g, o = self.names["pods"], self.names["gateway"], self.names["outside"]
        for name in self.names.values():
            sh(f"ip netns add {name}")
            sh(f"ip -n {name} link set lo up")
            sh(f"ip netns exec {name} sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0")
        for role, name in self.names.items():
            self.handles[role] = os.open(f"/run/netns/{name}", os.O_RDONLY)
        lines = [
            f"ip link add eth0 netns {p} type veth peer name pods netns {g}",
            f"ip link add uplink netns {g} type veth peer name uplink netns {o}",
            f"ip -n {g} addr add {GATEWAY_PODS}/24 dev pods",
            f"ip -n {g} addr add {GATEWAY_PODS_V6}/64 dev pods nodad",
            f"ip -n {g} addr add {GATEWAY_OUT}/30 dev uplink",
            f"ip -n {g} addr add fd00:81::1/64 dev uplink nodad",
            f"ip -n {o} addr add {OUT}/30 dev uplink",
            f"ip -n {o} addr add fd00:81::2/64 dev uplink nodad",
            f"ip -n {p} link set eth0 up",
            f"ip -n {g} link set pods up",
            f"ip -n {g} link set uplink up",
            f"ip -n {o} link set uplink up",
        ]
        lines += [f"ip -n {p} addr add {pod}/24 dev eth0" for pod in PODS]
        lines += [f"ip -n {p} addr add {POD_V6}/64 dev eth0 nodad"]
        lines += [f"ip -n {o} addr add {address}/32 dev lo" for address in OUTSIDE]
        lines += [f"ip -n {o} addr add {address}/128 dev lo nodad" for address in OUTSIDE_V6]
        lines += [
            f"ip -n {o} route add local {POOL}.0/24 dev lo",
            f"ip -n {p} route add default via {GATEWAY_PODS}",
            f"ip -n {p} -6 route add default via {GATEWAY_PODS_V6}",
            f"ip -n {g} route add default via {OUT}",
            f"ip -n {g} -6 route add default via fd00:81::2",
            f"ip -n {o} route add 10.244.0.0/24 via {GATEWAY_OUT}",
            f"ip -n {o} -6 route add fd00:244::/64 via fd00:81::1",
            f"ip netns exec {g} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
        ]
        # Many short connections from few addresses: the ports of one are not to run out.
        for name in (p, g, o):
            lines.append(f"ip netns exec {name} sysctl -qw net.ipv4.ip_local_port_range='1024 65000'")
            # Where the gateway and the load test's programs listen.
            lines.append(f"ip netns exec {name} sysctl -qw net.ipv4.ip_local_reserved_ports=3128,5300,9000-9099,15000-15099")
            lines.append(f"ip netns exec {name} sysctl -qw net.core.somaxconn=4096")
        for line in lines:
            sh(line)

    def close(self):
        # A namespace lives as long as a process in it; workers may outlive the master that was started here.
        for kind in (signal.SIGTERM, signal.SIGKILL):
            alive = [pid for name in self.names.values() for pid in self._inside(name)]
            for pid in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, kind)
            deadline = time.monotonic() + 3
            while alive and time.monotonic() < deadline:
                for process in self.processes:
                    process.poll()
                alive = [pid for pid in alive if os.path.exists(f"/proc/{pid}")]
                time.sleep(0.02)
        for handle in self.handles.values():
            os.close(handle)
        self.handles = {}
        for name in self.names.values():
            sh(f"ip netns del {name}", check=False)

    @staticmethod
    def _inside(name):
        return [int(pid) for pid in sh(f"ip netns pids {name}", check=False).stdout.split()]

    @contextlib.contextmanager
    def inside(self, role):
        """Runs the block of this thread in a namespace."""
        if _libc.setns(self.handles[role], _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            _libc.setns(self.home, _CLONE_NEWNET)

    def resolv_conf(self, text):
        """A file with this text, for `command` and `run`."""
        handle, path = tempfile.mkstemp(dir=self.directory, prefix="resolv", suffix=".conf")
        with open(handle, "w") as file:
            file.write(text)
        os.chmod(path, 0o644)
        return path

    def command(self, role, words, resolv=None):
        """The words that run a command in a namespace, with the pods' resolver or the one of a file."""
        resolv = resolv or self.resolv
        script = 'mount --bind "$0" /etc/resolv.conf 2>/dev/null; exec "$@"'
        enter = ["nsenter", f"--net=/run/netns/{self.names[role]}"]
        if role == "gateway":
            return enter + words
        return enter + ["unshare", "-m", "sh", "-c", script, resolv] + words

    def run(self, role, words, check=False, timeout=60, resolv=None, **options):
        """Runs a command to its end and returns it, with text output."""
        if isinstance(words, str):
            words = ["sh", "-c", words]
        options.setdefault("text", True)
        done = subprocess.run(
            self.command(role, words, resolv), capture_output=True, timeout=timeout, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{words} exited with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, role, words, **options):
        """Starts a command that runs until the world ends, or is stopped."""
        process = subprocess.Popen(self.command(role, words), **options)
        self.processes.append(process)
        return process

    def connect(self, address, port, role="pods", source=POD, timeout=10.0):
        """A TCP connection from a namespace."""
        with self.inside(role):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
        if ":" in address and source == POD:
            source = POD_V6
        try:
            sock.settimeout(timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if role == "pods":
                sock.bind((source, 0))
            sock.connect((address, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def curl(self, *words, source=POD, timeout=20):
        """curl in the pod: `-s`, the body on stdout and, as last line of it, the status."""
        return self.run(
            "pods",
            ["curl", "-sS", "--interface", source, "--max-time", str(timeout), "-w", "\n%{http_code}", *words],
            timeout=timeout + 5)


class Wiretap:
    """Every frame that crosses an interface, kept in memory."""

    def __init__(self, world, role="outside", interface="uplink"):
        with world.inside(role):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
            self.socket.bind((interface, 0))
        self.socket.settimeout(0.05)
        self.frames = []
        self.running = True
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while self.running:
            try:
                self.frames.append(self.socket.recv(262144))
            except TimeoutError:
                continue

    def packets(self):
        """(protocol, source, destination, source port, destination port, payload) of each IP packet."""
        return [packet for packet in map(_packet, list(self.frames)) if packet]

    def between(self, address):
        return [packet for packet in self.packets() if address in packet[1:3]]

    def payload(self):
        return b"\n".join(packet[5] for packet in self.packets())

    def clear(self):
        self.frames = []

    def close(self):
        time.sleep(0.1)
        self.running = False
        self.thread.join()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _packet(frame):
    kind = struct.unpack("!H", frame[12:14])[0]
    if kind == 0x0800:
        header = (frame[14] & 15) * 4
        protocol = frame[23]
        source = socket.inet_ntop(socket.AF_INET, frame[26:30])
        target = socket.inet_ntop(socket.AF_INET, frame[30:34])
        rest = frame[14 + header:]
    elif kind == 0x86DD:
        protocol = frame[20]
        source = socket.inet_ntop(socket.AF_INET6, frame[22:38])
        target = socket.inet_ntop(socket.AF_INET6, frame[38:54])
        rest = frame[54:]
    else:
        return None
    if protocol == 6 and len(rest) >= 20:
        ports = struct.unpack("!HH", rest[:4])
        return ("tcp", source, target, *ports, rest[(rest[12] >> 4) * 4:])
    if protocol == 17 and len(rest) >= 8:
        ports = struct.unpack("!HH", rest[:4])
        return ("udp", source, target, *ports, rest[8:])
    return ({1: "icmp", 58: "icmp6"}.get(protocol, str(protocol)), source, target, 0, 0, rest)


class Tcpdump:
    """tcpdump into a file, as a security team would run it."""

    def __init__(self, world, path, role="outside", interface="any"):
        self.path = str(path)
        words = ["tcpdump", "-Z", "root", "-i", interface, "-s", "0", "-U", "--immediate-mode", "-w", self.path]
        with open("/proc/self/setgroups") as file:
            if file.read().strip() == "deny":
                words = [sys.executable, os.path.join(os.path.dirname(__file__), "pcap.py"), self.path, interface]
        self.process = world.start(role, words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for line in self.process.stderr:
            if b"listening on" in line:
                break

    def stop(self):
        time.sleep(0.3)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        self.process.stderr.close()
        with open(self.path, "rb") as file:
            return file.read()
