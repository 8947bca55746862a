"""The HTTPS rows of the load test: clients over TLS in the pods, nginx and HAProxy beside Weir, and an nginx over TLS outside.

All take TLS off, and put it on again towards the origin, whose certificate they verify by chain and name. The certificates
are ECDSA P-256; OpenSSL is the same. In the row of what is passed through nobody takes it off.
"""

import pathlib
import re

from measure import Subject, version
from net import GATEWAY_PODS, ORIGIN
from tlspeers import Authority

HERE = pathlib.Path(__file__).resolve().parent

NGINX = """
user root; daemon off; worker_processes 1; pid {work}/{name}.pid; error_log {work}/{name}.log;
events {{ worker_connections 15000; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_timeout 3600; keepalive_requests 100000000;
    client_body_temp_path {work}/{name}1; proxy_temp_path {work}/{name}2; fastcgi_temp_path {work}/{name}3;
    uwsgi_temp_path {work}/{name}4; scgi_temp_path {work}/{name}5;
    ssl_certificate {stem}.pem; ssl_certificate_key {stem}.key; ssl_protocols TLSv1.2 TLSv1.3;
    {rest}
}}
"""

HAPROXY = """
global
    nbthread 1
    maxconn 15000
    no strict-limits
    tune.bufsize 131072
defaults
    mode http
    timeout client 1h
    timeout server 1h
    timeout connect 5s
    timeout http-keep-alive 1h
    http-reuse always
frontend front
    bind :9103 backlog 4096 ssl crt {both}
    default_backend back
backend back
    server origin {origin}:443 pool-max-conn 256 {secure}
frontend front2
    bind :9104 backlog 4096 ssl crt {both} alpn h2
    default_backend back2
backend back2
    server origin {origin}:443 pool-max-conn 256 alpn h2 {secure}
listen through
    mode tcp
    option splice-request
    option splice-response
    bind :9105
    server origin {origin}:443
"""
SECURE = "ssl verify required ca-file {trust} sni str(origin.example) verifyhost origin.example"
BIG = 1 << 30


def origin(bench):
    """What stands outside: the files of the other rows, over TLS."""
    authority = Authority(bench.work / "outside")
    bench.tls = authority
    bench.stem = authority.sign("origin.example")
    bench.work.joinpath("outside.pem").write_text(pathlib.Path(authority.certificate).read_text())
    path = bench.work / "tls-origin.conf"
    path.write_text(NGINX.format(
        work=bench.work, name="tlsorigin", stem=bench.stem,
        rest=f"open_file_cache max=10; server {{ listen {ORIGIN}:443 ssl http2 backlog=4096; root {bench.work}/www; }}"))
    with open(bench.work / "www/1g", "wb") as file:
        file.truncate(BIG)
    bench.start("outside", ["nginx", "-p", bench.work, "-c", path])
    bench.listening(ORIGIN, 443, "outside")


def subjects(bench, names):
    work = bench.work
    rest = f"""
    upstream origin {{ server {ORIGIN}:443; keepalive 128; keepalive_requests 100000000; }}
    server {{ listen 9102 ssl backlog=4096;
              location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host origin.example;
                            proxy_ssl_verify on; proxy_ssl_trusted_certificate {work}/outside.pem; proxy_ssl_server_name on;
                            proxy_ssl_name origin.example; proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_pass https://origin; }} }}
"""
    (work / "tls-nginx.conf").write_text(NGINX.format(work=work, name="tlsnginx", stem=bench.stem, rest=rest))
    stem = pathlib.Path(bench.stem)
    both = work / "both.pem"
    both.write_text(stem.with_name(stem.name + ".pem").read_text() + stem.with_name(stem.name + ".key").read_text())
    (work / "tls-haproxy.cfg").write_text(HAPROXY.format(
        both=both, origin=ORIGIN, secure=SECURE.format(trust=work / "outside.pem")))
    subjects = [Subject("nginx", ["nginx", "-p", work, "-c", work / "tls-nginx.conf"], 9102, version("nginx", "-v")),
                Subject("HAProxy", ["haproxy", "-db", "-f", work / "tls-haproxy.cfg"], 9103, version("haproxy", "-v"))]
    if bench.weir:
        subjects.append(Subject("Weir transparent", ["weir", "run", "-c"], 443, version(bench.weir, "--version"),
                                meant=("origin.example", 443), ready=3128))
    return bench.chosen(subjects, names)


class TLSWork:
    unit, latency = "request", "p99 ms"
    config = HERE / "weir-tls.yaml"
    method, path, body, scheme = "GET", "1k", None, "https"
    peers = ("nginx", "HAProxy")

    def __init__(self, name, closes):
        self.name = name
        self.fields = {"Connection": "close"} if closes else {}

    def drive(self, bench, subject, seconds):
        return bench.drive(subject, self, seconds)


class HTTP2Work:
    """HTTP/2 on both sides, ten streams at a time on each of 16 connections. nginx has none towards origins."""

    unit, latency = "request", "mean ms"
    config = HERE / "weir-tls.yaml"
    name = "HTTP/2 GET 1 KiB"
    peers = ("HAProxy",)

    def drive(self, bench, subject, seconds):
        to = [] if subject.transparent else [f"--connect-to={GATEWAY_PODS}:9104"]
        done, cost = bench.measured(
            subject, ["h2load", "-c16", "-m10", "-t1", f"-D{seconds}", *to, "https://origin.example/1k"], seconds)
        good = re.search(r"(\d+) done, (\d+) succeeded, 0 failed, 0 errored", done.stdout)
        if good is None or f"{good.group(1)} 2xx" not in done.stdout or "protocol: h2\n" not in done.stdout:
            raise SystemExit(f"{subject.name}, {self.name}: errors\n{done.stdout}{done.stderr}")
        count = int(good.group(1))
        mean, unit = re.search(r"time for request:.*?([\d.]+)(us|ms|s)\s+[\d.]+(?:us|ms|s)\s+[\d.]+%", done.stdout).groups()
        return cost.each(count, rate=count / seconds, latency=float(mean) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit])


class PassWork:
    """1 GiB of TLS that is passed through unread."""

    unit, latency = "MiB", "s"
    config = HERE / "weir-pass.yaml"
    name = "TLS passed through, 1 GiB"
    peers = ("HAProxy",)

    def drive(self, bench, subject, seconds):
        to = [] if subject.transparent else ["--connect-to", f"origin.example:443:{GATEWAY_PODS}:9105"]
        done, cost = bench.measured(subject, [
            "curl", "-sk", "--http1.1", "-o", "/dev/null", "-w", "%{http_code} %{size_download} %{time_total}", *to,
            "https://origin.example/1g"], 60)
        status, size, took = done.stdout.split()
        if (status, int(size)) != ("200", BIG):
            raise SystemExit(f"{subject.name}, {self.name}: {done.stdout} {done.stderr}")
        return cost.each(BIG >> 20, rate=(BIG >> 20) / float(took), latency=float(took))


WORKS = [TLSWork("HTTPS GET 1 KiB", closes=False), TLSWork("HTTPS GET 1 KiB, new connections", closes=True), HTTP2Work(),
         PassWork()]
