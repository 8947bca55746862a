"""The HTTPS rows of the load test: wrk over TLS in the pods, nginx and HAProxy beside Weir, and an nginx over TLS outside.

All three take TLS off, and put it on again towards the origin, whose certificate they verify by chain and name. The
certificates are ECDSA P-256; OpenSSL is the same.
"""

import pathlib

from measure import Subject, version
from net import ORIGIN
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
    server origin {origin}:443 pool-max-conn 256 ssl verify required ca-file {trust} sni str(origin.example) verifyhost origin.example
"""


def origin(bench):
    """What stands outside: the files of the other rows, over TLS."""
    authority = Authority(bench.work / "outside")
    bench.tls = authority
    bench.stem = authority.sign("origin.example")
    bench.work.joinpath("outside.pem").write_text(pathlib.Path(authority.certificate).read_text())
    path = bench.work / "tls-origin.conf"
    path.write_text(NGINX.format(
        work=bench.work, name="tlsorigin", stem=bench.stem,
        rest=f"open_file_cache max=10; server {{ listen {ORIGIN}:443 ssl backlog=4096; root {bench.work}/www; }}"))
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
    (work / "tls-haproxy.cfg").write_text(HAPROXY.format(both=both, origin=ORIGIN, trust=work / "outside.pem"))
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

    def __init__(self, name, closes):
        self.name = name
        self.fields = {"Connection": "close"} if closes else {}

    def drive(self, bench, subject, seconds):
        return bench.drive(subject, self, seconds)


WORKS = [TLSWork("HTTPS GET 1 KiB", closes=False), TLSWork("HTTPS GET 1 KiB, new connections", closes=True)]
