"""Clients resolve through the gateway as if it were the resolver they asked: each of them, by each of the ways there are."""

import socket
import sys
import threading
import time

import pytest

from dnspeers import TEXT
from dnswire import RD, Message, ask, exchange, framed, header, name, opt, query, read_message, silent, udp
from gateway import body_of, dns
from net import GATEWAY_PODS, ORIGIN, ORIGIN_V6, POD, POD_DH157, POD_V6, RESOLVER, RESOLVER_V6, UNBOUND, until

CONFIG = """
services:
  - {name: myapp.default, mode: protect, rules: [{to: any, action: allow}]}
  - {name: dh157.default, mode: protect, rules: [{to: any, action: allow}]}
"""


@pytest.fixture(scope="module")
def gateway(shared, unbound):
    return shared(CONFIG, dns=dns())


# Clients


@pytest.mark.parametrize("words", [
    [], ["+tcp"], ["+noedns"], ["+tcp", "+noedns"], ["+bufsize=4096"], ["+dnssec"], ["+nocookie"], ["+subnet=198.51.100.0/24"],
    ["+norecurse", "+recurse"], ["+keepopen", "+tcp"],
], ids=" ".join)
def test_dig(world, gateway, words):
    # dig says so when an answer comes from another address than the one it asked.
    done = world.run("pods", ["dig", "-b", POD, "+tries=1", "+time=3", f"@{RESOLVER}", "www.origin.example", *words])
    assert "status: NOERROR" in done.stdout, done.stdout
    assert f"{ORIGIN}\n" in done.stdout and f"SERVER: {RESOLVER}#53" in done.stdout
    assert "unexpected source" not in done.stdout + done.stderr
    assert ("OPT PSEUDOSECTION" in done.stdout) == ("+noedns" not in words), "an OPT is answered where one was asked"


@pytest.mark.parametrize("words", [
    [f"@{RESOLVER}", "-b", POD], [f"@{RESOLVER}", "-b", POD, "+tcp"], [f"@{RESOLVER}", "-b", POD, "+edns"],
    [f"@{RESOLVER}", "-b", POD, "+noedns"], [f"@{RESOLVER}", "-b", POD, "+ednsopt=10:0102030405060708"],
    [f"@{RESOLVER_V6}", "-b", POD_V6], [f"@{RESOLVER_V6}", "-b", POD_V6, "+tcp"], [f"@{RESOLVER_V6}", "-b", POD_V6, "+edns"],
], ids=lambda words: " ".join(words[:1] + words[3:]))
def test_kdig(world, gateway, words):
    done = world.run("pods", ["kdig", "+retry=0", "+time=3", *words, "both.example", "A", "both.example", "AAAA"])
    assert done.stdout.count("status: NOERROR") == 2, done.stdout + done.stderr
    assert ORIGIN in done.stdout and ORIGIN_V6 in done.stdout
    assert "WARNING" not in done.stdout + done.stderr


NAMESERVER = f"nameserver {RESOLVER}\n"
RESOLV = {
    "plain": NAMESERVER,
    "edns0": NAMESERVER + "options edns0\n",
    "trust-ad": NAMESERVER + "options edns0 trust-ad\n",
    "use-vc": NAMESERVER + "options use-vc\n",
    "single-request": NAMESERVER + "options single-request\n",
    "IPv6": f"nameserver {RESOLVER_V6}\n",
    "the gateway itself": f"nameserver {GATEWAY_PODS}\n",
    "ndots:5": NAMESERVER + "search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n",
}


@pytest.mark.parametrize("resolv", RESOLV.values(), ids=RESOLV.keys())
def test_glibc(world, gateway, resolv):
    """getaddrinfo of getent and of Python, A and AAAA from one socket at once."""
    path = world.resolv_conf(resolv)
    started = time.monotonic()
    done = world.run("pods", ["getent", "ahosts", "both.example"], resolv=path)
    assert {line.split()[0] for line in done.stdout.splitlines()} == {ORIGIN, ORIGIN_V6}, done.stderr
    script = ("import socket\n"
              "print(sorted({i[4][0] for i in socket.getaddrinfo('both.example', 80)}))\n"
              "print(socket.gethostbyname('www.origin.example'))\n"
              "try: socket.getaddrinfo('nothing.example', 80)\n"
              "except socket.gaierror as error: print(error.errno)\n")
    done = world.run("pods", [sys.executable, "-c", script], resolv=path)
    assert done.stdout.splitlines() == [str(sorted([ORIGIN, ORIGIN_V6])), ORIGIN, str(socket.EAI_NONAME)], done.stderr
    assert time.monotonic() - started < 4, "a question was lost and asked again"


def test_musl_asks_for_both_at_once(world, gateway):
    """A and AAAA back to back from one socket to every nameserver; answers are told apart by id and by where they are from."""
    servers = [RESOLVER, "203.0.113.53", GATEWAY_PODS]
    for _ in range(20):
        with udp(world, connect=False) as sock:
            for server in servers:
                sock.sendto(query("both.example", "A", id=1, edns=None), (server, 53))
                sock.sendto(query("both.example", "AAAA", id=2, edns=None), (server, 53))
            got = {}
            while len(got) < 2 * len(servers):
                data, (server, port) = sock.recvfrom(65535)
                answer = Message(data)
                assert port == 53
                got[server, answer.id] = answer.addresses
        assert got == {(server, id): [address] for server in servers for id, address in ((1, ORIGIN), (2, ORIGIN_V6))}


def test_curl(world, gateway, nginx):
    assert body_of(world.curl("http://www.origin.example/1k", "-o", "/dev/null"))[0] == 200
    assert body_of(world.curl("-6", "http://both.example/1k", "-o", "/dev/null", source=POD_V6))[0] == 200
    session = gateway.sessions(application="HTTP", fqdn="www.origin.example")[0]
    assert session["destination"] == f"{ORIGIN}:80"


# What is asked and what is answered

QUESTIONS = [
    ("origin.example", "A"), ("www.origin.example", "A"), ("www.origin.example", "CNAME"), ("six.example", "AAAA"),
    ("many.example", "A"), ("canary.example", "A"), ("chain0.example", "A"), ("below.tree.example", "A"), ("mail.example", "MX"),
    ("_sip._tcp.example", "SRV"), ("certificate.example", "CAA"), ("odd.example", 65280), ("text.example", "TXT"),
    ("alias.example", "HTTPS"), ("example", "SOA"), ("example", "NS"), ("4.3.2.1.in-addr.arpa", "PTR"),
    ("nodata.example", "A"), ("nothing.example", "A"), ("nothing.at.all", "A"), ("signed.example", "DNSKEY"),
]


def told(one):
    """Letters in names are anybody's."""
    return one.text if one.type in ("TXT", "CAA") else one.text.lower()


@pytest.mark.parametrize("tcp", [False, True], ids=["UDP", "TCP"])
@pytest.mark.parametrize("what,kind", QUESTIONS)
def test_the_answer_is_the_resolvers(world, gateway, what, kind, tcp):
    want = ask(world, what, kind, at=UNBOUND, role="outside")
    got = ask(world, what, kind, tcp=tcp)
    assert got.rcode == want.rcode
    assert {(one.name.lower(), one.type, told(one)) for one in got.answers} == {
        (one.name.lower(), one.type, told(one)) for one in want.answers}
    # A CNAME comes before what it leads to: stub resolvers read in order.
    owners = [one.name.lower() for one in got.answers]
    assert not owners or owners[0] in (what.lower(), "tree.example")
    if want.authority:
        assert [one.type for one in got.authority] == ["SOA"], "a negative answer is kept by its SOA, RFC 2308"


def test_letters_and_id_are_the_clients_own(world, gateway):
    for spelt in ("oRiGiN.eXaMpLe", "ORIGIN.EXAMPLE", "origin.example"):
        for id in (0, 1, 0xFFFF):
            assert ask(world, spelt, id=id).addresses == [ORIGIN]


@pytest.mark.parametrize("address", [RESOLVER, "8.8.8.8", "203.0.113.53", RESOLVER_V6, "2001:4860:4860::8888", GATEWAY_PODS])
def test_answers_come_from_the_address_that_was_asked(world, gateway, address):
    """A resolver that is not there at all answers too: the socket of `ask` is connected and takes nothing from others."""
    assert ask(world, "origin.example", at=address).addresses == [ORIGIN]
    assert ask(world, "origin.example", at=address, tcp=True).addresses == [ORIGIN]
    target = f"[{address}]:53" if ":" in address else f"{address}:53"
    session = gateway.dns_sessions("origin.example", destination=target)[-1]
    assert session["service"] == "myapp.default" and session["dns"]["rcode"] == "NOERROR"
    assert session["listener"] == ("resolver" if address == GATEWAY_PODS else "dns6" if ":" in address else "dns")


@pytest.mark.parametrize("payload", [None, 0, 512, 1232, 4096, 65535])
def test_large_answers_are_truncated_to_what_the_client_takes(world, gateway, payload):
    answer = ask(world, "large.example", "TXT", edns=payload)
    assert len(answer.data) <= max(payload or 512, 512)
    if len(answer.of("TXT")) < len(TEXT):
        assert answer.truncated and not answer.answers
    assert ask(world, "large.example", "TXT", edns=payload, tcp=True).truncated is False


def test_large_answers_come_whole_by_tcp(world, gateway):
    answer = ask(world, "large.example", "TXT", tcp=True)
    assert sorted(one.text for one in answer.of("TXT")) == sorted(TEXT)
    done = world.run("pods", ["dig", "-b", POD, f"@{RESOLVER}", "+short", "+tries=1", "large.example", "TXT"])
    assert len(done.stdout.splitlines()) == len(TEXT)


def test_edns(world, gateway):
    assert ask(world, "origin.example", edns=None).edns is None
    answer = ask(world, "origin.example", do=True)
    assert answer.edns >= 512 and answer.do, "DO is mirrored, RFC 3225"
    assert not ask(world, "origin.example").do
    answer = ask(world, "origin.example", version=1)
    assert answer.rcode == "BADVERS" and not answer.answers
    cookie, unknown = (10, b"12345678"), (65001, b"anything")
    assert ask(world, "origin.example", options=[cookie, unknown]).addresses == [ORIGIN]


# TCP


@pytest.mark.parametrize("together", [True, False], ids=["one write", "one by one"])
def test_pipelined_questions(world, gateway, together):
    """RFC 7766: many on one connection, answered in any order, each once."""
    asked = {id: f"n{id}.turn.example" for id in range(1, 101)}
    messages = [framed(query(what, id=id)) for id, what in asked.items()]
    with world.connect(RESOLVER, 53) as sock:
        if together:
            sock.sendall(b"".join(messages))
        else:
            threading.Thread(target=lambda: [sock.sendall(one) for one in messages], daemon=True).start()
        got = [read_message(sock) for _ in asked]
        assert {one.id: one.question for one in got} == asked
        assert all(one.addresses == [f"185.199.108.{one.id}"] for one in got)
        sock.shutdown(socket.SHUT_WR)
        assert read_message(sock) is None, "the end of the client is answered by ours"


def test_the_answers_to_a_half_closed_connection_still_come(world, gateway):
    with world.connect(RESOLVER, 53) as sock:
        sock.sendall(b"".join(framed(query(f"n{id}.turn.example", id=id)) for id in range(1, 20)))
        sock.shutdown(socket.SHUT_WR)
        got = []
        while (one := read_message(sock)) is not None:
            got.append(one.id)
    assert sorted(got) == list(range(1, 20))


def test_every_cut(world, gateway):
    data = framed(query("www.origin.example")) + framed(query("origin.example", edns=None))
    for cut in range(1, len(data)):
        with world.connect(RESOLVER, 53) as sock:
            sock.sendall(data[:cut])
            time.sleep(0.001)
            sock.sendall(data[cut:])
            assert {read_message(sock).question for _ in "12"} == {"www.origin.example", "origin.example"}, f"cut at {cut}"
    with world.connect(RESOLVER, 53) as sock:
        for byte in data:
            sock.sendall(bytes([byte]))
        assert {read_message(sock).question for _ in "12"} == {"www.origin.example", "origin.example"}


@pytest.mark.parametrize("data", [b"\0", b"\0\0", b"\0\x05hello", b"\xff\xff" + b"x" * 100, framed(query("origin.example"))[:-1]],
                         ids=["half a length", "no bytes", "no header", "a promise unkept", "all but the last byte"])
def test_a_connection_that_ends_badly_harms_nobody(world, gateway, data):
    with world.connect(RESOLVER, 53) as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1000):
                pass
        except OSError:
            pass  # cut off at once
    assert ask(world, "origin.example", tcp=True).addresses == [ORIGIN]


def test_idle_connections_do_not_keep_others_out(world, gateway):
    idle = [world.connect(RESOLVER, 53) for _ in range(200)]
    try:
        for sock in idle[::20]:
            sock.sendall(b"\0")
        started = time.monotonic()
        assert ask(world, "origin.example", tcp=True).addresses == [ORIGIN]
        assert ask(world, "origin.example", source=POD_DH157).addresses == [ORIGIN]
        assert time.monotonic() - started < 1
    finally:
        for sock in idle:
            sock.close()


# What is no question


def test_what_is_answered_by_an_error(world, gateway):
    two = header(7, RD, (2, 0, 0, 0)) + (name("origin.example") + b"\0\1\0\1") * 2
    none = header(7, RD, (0, 0, 0, 0))
    two_opts = header(7, RD, (1, 0, 0, 2)) + name("origin.example") + b"\0\1\0\1" + opt() * 2
    trailing = query("origin.example", edns=None) + b"left over"
    cut = query("origin.example", edns=None)[:-3]
    loop = header(7, RD) + b"\xc0\x0c\0\1\0\1"
    for message in (two, none, two_opts, trailing, cut, loop):
        assert exchange(world, message).rcode == "FORMERR", message
        assert exchange(world, message, tcp=True).rcode == "FORMERR", message
    for opcode in (1, 2, 4, 5, 6):
        message = query("origin.example", flags=RD | opcode << 11)
        assert exchange(world, message).rcode in ("NOTIMP", "REFUSED", "FORMERR")
    assert ask(world, "origin.example").addresses == [ORIGIN]


def test_what_is_not_answered_at_all(world, gateway):
    """Answering what is itself an answer would let two servers talk for ever."""
    for message in (b"", b"\0", b"x" * 11, header(7, 0x8180) + name("origin.example") + b"\0\1\0\1"):
        with udp(world, timeout=0.3) as sock:
            sock.send(message)
            with pytest.raises(TimeoutError):
                sock.recv(1000)
    assert ask(world, "origin.example").addresses == [ORIGIN]


def test_every_bit_of_a_question_may_be_wrong(world, gateway):
    """Nothing falls over, and what is answered parses. Its id comes back."""
    good = query("www.origin.example", id=0x1234)
    with udp(world, timeout=0.5) as sock:
        for bit in range(16, len(good) * 8):
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << bit % 8
            sock.send(bytes(bad))
        deadline, got = time.monotonic() + 1.5, 0
        while time.monotonic() < deadline and got < len(good) * 8:
            try:
                answer = Message(sock.recv(65535))
            except TimeoutError:
                break
            assert answer.id == 0x1234
            got += 1
    assert got > 50
    assert ask(world, "origin.example").addresses == [ORIGIN]


def test_both_workers_answer(world, gateway):
    """The kernel spreads clients over the workers by their port; none of them is deaf."""
    for _ in range(60):
        assert ask(world, "origin.example", timeout=1).addresses == [ORIGIN]
        assert ask(world, "origin.example", tcp=True, timeout=1).addresses == [ORIGIN]


def test_captured_dns_never_leaves_past_the_gateway(world, gateway, unbound):
    """A dead gateway answers nothing, and no question goes on to the resolver that was asked."""
    gateway.sessions(application="DNS")
    gateway.kill()
    try:
        assert silent(world, "origin.example", timeout=0.5)
    finally:
        gateway.start()
    until(lambda: ask(world, "origin.example").addresses == [ORIGIN], what="names again")
