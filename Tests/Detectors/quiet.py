#!/usr/bin/python3
"""What all sensors together find in text that should have nothing to find.

    WEIR=path/to/weir Tests/Detectors/quiet.py [--long] [--seed N] [--all]

Half of the text is what a Debian machine has: documentation, sources and headers of its packages, in an order that a hash of the
path makes. The other half is made from the seed: telemetry as JSON, logs, tables of UUIDs, floats, hashes and timestamps, base64 and
hexadecimal. 20 MB; 100 MB with --long. Prints the findings per MB and each finding of high confidence with what stands there; those
that are what they say (packages ship private keys for their tests) are told apart by TRUE, with the reason. Exits 1 if there is more than
one false finding of high confidence in 10 MB. --all prints those of medium confidence too.
"""

import argparse
import base64
import collections
import datetime
import gzip
import hashlib
import json
import os
import random
import re
import sys
import tempfile
import uuid

import scan

# Findings that are right, though nobody's: detector, where, what stands there, and why.
TRUE = [
    ("cif-es", r"^/", "A62634068", "the number of a company that issues certificates, in the names of its authorities"),
    (".*private-key", r"^/", "PRIVATE KEY", "a key that a package ships for its tests or examples"),
    ("basic-auth-url", r"^/", "not-re%40l|he%2F%2Fo|apt:debian", "a password of documentation"),
    ("netrc", r"^/", "bobwillknow|command-option-gpg", "passwords of documentation"),
    ("jwt", r"python3-jwt", "eyJ", "a token of documentation"),
    ("shadow-hash", "openssl-passwd", "UYCIxa628", "a hash of documentation"),
    ("wireguard-key", r"systemd\.netdev", "EEGlnEPYJV", "a key of documentation"),
]

# Class: where it is from, and its share in percent.
REAL = {
    "documentation": (["/usr/share/doc", "/usr/share/info", "/usr/share/common-licenses"], 18),
    "manuals": (["/usr/share/man"], 7),
    "Python": (["/usr/lib/python3", "/usr/lib/python3.11", "/usr/lib/python3.13"], 13),
    "C and C++": (["/usr/include"], 7),
    "Perl": (["/usr/share/perl", "/usr/share/perl5"], 5),
}


def text(path):
    """What a file says, or None where it is not text."""
    try:
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
            data = file.read(4_000_000)
        if b"\0" in data:
            return None
        data.decode()
        return data
    except (OSError, EOFError, UnicodeDecodeError):
        return None


def real(roots, size):
    """Paths and texts of files below the roots, until there are so many bytes."""
    paths = [os.path.join(folder, name) for root in roots for folder, _, names in os.walk(root) for name in names]
    paths = [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
    for path in sorted(paths, key=lambda path: hashlib.sha256(path.encode()).digest()):
        if size <= 0:
            return
        data = text(path)
        if data:
            data = data[:size]
            size -= len(data)
            yield path, data


class Made:
    """Text of which every byte comes from the seed."""

    WORDS = ("alpha beta gamma delta queue worker shard replica ingest router gateway payment session token cache index metric trace span "
             "card account user order invoice customer phone mobile passport routing bank provider patient tax vat security").split()
    HOSTS = ["web-01", "web-02", "db-7f9c4d", "cache.internal", "10.2.3.4", "ip-172-31-4-9", "edge-fra1", "2001:db8::17"]

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.time = datetime.datetime(2026, 3, 2, 10, 11, 12)

    def hexadecimal(self, length):
        return "%0*x" % (length, self.random.getrandbits(4 * length))

    def uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def number(self):
        r = self.random
        return r.choice([
            lambda: r.random(), lambda: r.uniform(-1e6, 1e6), lambda: r.gauss(0, 1) * 10 ** r.randint(-12, 12), lambda: r.randint(0, 99),
            lambda: r.getrandbits(64), lambda: r.getrandbits(32), lambda: r.randint(10 ** 8, 10 ** 9 - 1),
            lambda: r.randint(10 ** 15, 10 ** 16 - 1), lambda: self.clock().timestamp(),
            lambda: int(self.clock().timestamp() * 1000), lambda: int(self.clock().timestamp() * 10 ** 6),
            lambda: int(self.clock().timestamp()) * 10 ** 9 + r.randint(0, 10 ** 9),
        ])()

    def clock(self):
        self.time += datetime.timedelta(milliseconds=self.random.randint(0, 2500))
        return self.time

    def word(self):
        return self.random.choice(self.WORDS)

    def telemetry(self):
        """OpenTelemetry's spans, metrics of nested maps, events of analytics."""
        r = self.random
        kind = r.randrange(3)
        if kind == 0:
            start = int(self.clock().timestamp()) * 10 ** 9 + r.randint(0, 10 ** 9)
            item = {
                "traceId": self.hexadecimal(32), "spanId": self.hexadecimal(16), "parentSpanId": self.hexadecimal(16),
                "name": f"{self.word()}.{self.word()}", "startTimeUnixNano": str(start),
                "endTimeUnixNano": str(start + r.randint(1, 10 ** 9)),
                "attributes": [{"key": f"{self.word()}.id", "value": {"intValue": str(self.number())}} for _ in range(4)]}
        elif kind == 1:
            item = {f"{self.word()}_{self.word()}": self.number() for _ in range(8)}
            item["labels"] = {"host": r.choice(self.HOSTS), "pod": f"{self.word()}-{self.hexadecimal(10)}-{self.hexadecimal(5)}"}
        else:
            item = {
                "event": self.word(), "ts": self.clock().isoformat() + "Z", "session_id": self.uuid(), "device": self.hexadecimal(40),
                "geo": [round(r.uniform(-90, 90), 6), round(r.uniform(-180, 180), 14)], "order_id": r.randint(10 ** 11, 10 ** 12),
                "etag": f'W/"{self.hexadecimal(32)}"', "values": [r.gauss(0, 100) for _ in range(6)]}
        return json.dumps(item) + "\n"

    def log(self):
        r, at = self.random, self.clock()
        return r.choice([
            lambda: f'{r.choice(self.HOSTS)} - - [{at:%d/%b/%Y:%H:%M:%S +0000}] "GET /{self.word()}/{r.getrandbits(r.randint(8, 60))}'
                    f'?page={r.randint(1, 99)}&sid={self.hexadecimal(32)} HTTP/1.1" {r.choice([200, 404])} {r.randint(100, 99999)} "-" '
                    f'"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{r.randint(80, 140)}.0.{r.randint(1000, 9999)}.99"',
            lambda: f'{at.isoformat()}Z level=info msg="{self.word()} {self.word()} done" trace={self.hexadecimal(32)} '
                    f"id={r.getrandbits(63)} took={r.random() * 100:.6f}ms {self.word()}={r.randint(0, 10 ** 9)}",
            lambda: f"{at:%b %d %H:%M:%S} {r.choice(self.HOSTS)} kernel: [{r.uniform(1, 1e6):.6f}] {self.word()}: "
                    f"addr 0x{self.hexadecimal(16)} pid {r.randint(1, 4194304)} seq {r.getrandbits(32)}",
            lambda: f"{at:%Y-%m-%d %H:%M:%S,%f} [{self.word()}-{r.randint(1, 64)}] DEBUG c.e.{self.word().title()}Service - {self.word()} "
                    f"{r.randint(10 ** 8, 10 ** 9 - 1)} -> {self.uuid()} ({r.getrandbits(48)} bytes, sha256:{self.hexadecimal(64)})",
        ])() + "\n"

    def table(self):
        r = self.random
        return r.choice([
            lambda: ",".join(repr(r.uniform(-1000, 1000)) for _ in range(8)), lambda: ",".join(self.uuid() for _ in range(3)),
            lambda: "\t".join(str(r.getrandbits(r.choice([30, 34, 40, 47, 50, 53, 60, 63]))) for _ in range(6)),
            lambda: f"{self.hexadecimal(40)} {self.hexadecimal(64)} {self.hexadecimal(32)}",
            lambda: ";".join(str(int(self.clock().timestamp() * 10 ** r.choice([0, 3, 6]))) for _ in range(5)),
            lambda: f"{self.clock():%Y-%m-%d} {r.randint(1, 99)}.{r.randint(0, 99)}.{r.randint(0, 9999)}-{r.randint(1, 9)} "
                    f"{r.getrandbits(28):07x} {r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(0, 255)}",
        ])() + "\n"

    def blob(self):
        data = self.random.randbytes(self.random.randint(30, 900))
        return self.random.choice([
            lambda: base64.encodebytes(data).decode(), lambda: base64.urlsafe_b64encode(data).decode().rstrip("=") + "\n",
            lambda: data.hex() + "\n", lambda: base64.b32encode(data).decode() + "\n", lambda: base64.b85encode(data).decode() + "\n",
        ])()

    def fill(self, path, line, size):
        with open(path, "w", encoding="ascii") as file:
            while size > 0:
                written = line()
                file.write(written)
                size -= len(written)


MADE = {
    "telemetry": (Made.telemetry, 20), "logs": (Made.log, 14), "tables of numbers": (Made.table, 8), "base64, hexadecimal": (Made.blob, 8),
}


def build(directory, megabytes, seed):
    """Writes the corpus. Where each of its files is from, by path: class and origin."""
    origins = {}
    for name, (roots, share) in REAL.items():
        folder = os.path.join(directory, name)
        os.mkdir(folder)
        for index, (path, data) in enumerate(real(roots, megabytes * share * 10_000)):
            copy = os.path.join(folder, f"{index:06}")
            with open(copy, "wb") as file:
                file.write(data)
            origins[copy] = (name, path)
    for name, (line, share) in MADE.items():
        path, made = os.path.join(directory, name), Made(f"{seed} {name}")
        made.fill(path, lambda line=line, made=made: line(made), megabytes * share * 10_000)
        origins[path] = (name, name)
    return origins


def around(path, line):
    """What stands there, with a little before it."""
    with open(path, "rb") as file:
        file.seek(max(line["raw_offset"] - 40, 0))
        return file.read(min(line["length"], 100) + 48).decode(errors="replace")


def reason(rule, origin, there):
    for rules, where, what, why in TRUE:
        if re.fullmatch(rules, rule) and re.search(where, origin) and re.search(what, there):
            return why
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="100 MB")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="print findings of medium confidence too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        origins = build(directory, 100 if options.long else 20, options.seed)
        sizes, counts, false = collections.Counter(), collections.Counter(), 0
        for path, (name, _) in origins.items():
            sizes[name] += os.path.getsize(path)
        # A finding of two sensors is one.
        found = {(line["path"], line["raw_offset"], line["rule"]): line for line in scan.lines([directory], jobs=os.cpu_count() or 1)}
        for line in found.values():
            name, origin = origins[line["path"]]
            there = around(line["path"], line)
            why = reason(line["rule"], origin, there)
            counts[name, "true" if why else line["confidence"]] += 1
            if line["confidence"] == "high" or options.all:
                print(f"{line['rule']} ({line['confidence']}) {origin}:{line['offset']}: {why or 'FALSE'}: {there!r}")
                false += line["confidence"] == "high" and not why
        total = sum(sizes.values()) / 1e6
        print("\n| text | MB | high, false | of 10 MB | high, true | medium, of 10 MB |\n|---|--:|--:|--:|--:|--:|")
        for name, size in [*sizes.items(), ("all", sum(sizes.values()))]:
            high, true, medium = (sum(n for (of, kind), n in counts.items() if kind == wanted and name in (of, "all"))
                                  for wanted in ("high", "true", "medium"))
            per = 1e7 / size if size else 0
            print(f"| {name} | {size / 1e6:.1f} | {high} | {high * per:.2f} | {true} | {medium * per:.1f} |")
        return 1 if false > total / 10 else 0


if __name__ == "__main__":
    sys.exit(main())
