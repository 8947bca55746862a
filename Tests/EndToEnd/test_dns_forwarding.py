"""Between the gateway and its resolver: what is forged, late, twice or garbled there harms nobody here."""

import struct
import time

import pytest

from dnspeers import TEXT, plain, soa
from dnswire import QR, RA, TC, Client, Message, all_at_once, ask, framed, header, name, query, read_message, record
from dnswire import address as packed
from gateway import dns, service
from net import ATTACKER, ORIGIN_V6, OTHER, PLAIN, RESOLVER, SCRIPTED, SCRIPTED_TWO


@pytest.fixture(scope="module")
def gateway(shared):
    return shared(service(), dns=dns(SCRIPTED))


# Forgery


def test_questions_cannot_be_guessed(world, scripted):
    """Random id, port and letters, RFC 5452 and 0x20. One by one: those that come together may share a port."""
    names = [f"guess{index}.origin.example" for index in range(150)]
    for what in names:
        assert all_at_once(world, [query(what)])[0].addresses == [PLAIN]
    asked = scripted.asked
    assert {one.name for one in asked} == set(names)
    assert len({one.id for one in asked}) > len(asked) * 0.9
    assert len({one.peer[1] for one in asked}) >= 24
    assert sum(one.spelt != one.spelt.lower() for one in asked) > len(asked) * 0.9
    assert len({one.spelt.partition(".")[2] for one in asked}) > len(asked) * 0.5, "letters differ each time"
    ids = sorted(one.id for one in asked)
    assert max(ids) - min(ids) > 30_000


def forged_id(scripted, asked):
    for offset in range(1, 200):
        asked.send(asked.addresses(ATTACKER, id=(asked.id + offset) & 0xFFFF))


def forged_question(scripted, asked):
    asked.send(asked.addresses(ATTACKER, wire=name("elsewhere.example") + b"\0\1\0\1"))
    asked.send(asked.addresses(ATTACKER, wire=name(asked.spelt) + b"\0\x10\0\1"))
    asked.send(asked.addresses(ATTACKER, wire=name(asked.spelt) + b"\0\1\0\3"))


def forged_port(scripted, asked):
    scripted.spoof(asked, asked.addresses(ATTACKER), port=5353)


def forged_address(scripted, asked):
    scripted.spoof(asked, asked.addresses(ATTACKER), port=53, at=SCRIPTED_TWO)


def forged_header(scripted, asked):
    asked.send(header(asked.id, QR | RA, (0, 1, 0, 0)) + record(asked.spelt, "A", packed(ATTACKER)))
    asked.send(asked.addresses(ATTACKER)[:2] + struct.pack("!H", RA) + asked.addresses(ATTACKER)[4:])


@pytest.mark.parametrize("forge", [forged_id, forged_question, forged_port, forged_address, forged_header])
def test_forged_answers_are_not_taken(world, scripted, forge):
    def script(asked):
        if asked.kind != "A" or asked.tcp:
            return plain(asked)
        forge(scripted, asked)
        asked.send(asked.addresses(PLAIN, ORIGIN_V6), after=0.2)
    scripted.script = script
    what = f"{forge.__name__.replace('_', '-')}.example"
    assert ask(world, what, timeout=6).addresses == [PLAIN]
    assert ask(world, what).addresses == [PLAIN], "nor kept"


def test_other_letters_are_asked_again_by_tcp(world, scripted):
    def script(asked):
        if asked.tcp:
            asked.send(asked.addresses(PLAIN))
        else:
            asked.send(asked.addresses(ATTACKER, wire=name(asked.spelt.swapcase()) + asked.wire[-4:]))
    scripted.script = script
    assert ask(world, "letters-of-some-length.example", timeout=6).addresses == [PLAIN]


def test_a_resolver_that_folds_letters_is_lived_with(world, scripted):
    """Some do, by UDP and by TCP alike; the name must resolve."""
    scripted.script = lambda asked: asked.send(asked.addresses(PLAIN, wire=name(asked.name) + asked.wire[-4:]))
    assert ask(world, "folded-to-lower-case.example", timeout=6).addresses == [PLAIN]


def test_what_was_not_asked_is_not_believed(world, scripted):
    """Records beside the answer's own chain: out of bailiwick, and no part of the cache, RFC 5452 and 2181."""
    def script(asked):
        if asked.name != "bailiwick.example":
            return plain(asked)
        beside = [record("www.bank.example", "A", packed(ATTACKER), 3600),
                  record("example", "NS", name("ns.attacker.example"), 3600)]
        asked.send(asked.reply([record(b"\xc0\x0c", "A", packed(OTHER)), beside[0]], authority=[beside[1]], extra=beside))
    scripted.script = script
    answer = ask(world, "bailiwick.example")
    assert answer.addresses == [OTHER] and len(answer.answers) == 1
    assert b"bank" not in answer.data
    assert ask(world, "www.bank.example").addresses == [PLAIN], "asked for itself"
    assert scripted.of("www.bank.example")


# Late and twice


def test_a_late_answer_is_an_answer(world, scripted):
    scripted.script = lambda asked: asked.send(asked.addresses(PLAIN), after=0.5)
    started = time.monotonic()
    assert ask(world, "late.example", timeout=6).addresses == [PLAIN]
    assert time.monotonic() - started > 0.4


def test_an_answer_that_nobody_waits_for_any_more(world, scripted):
    """It comes after the question was given up or answered otherwise, and must not be taken for the answer to another."""
    def script(asked):
        if asked.name == "given-up.example" and len(scripted.of(asked.name)) == 1:
            for after in (1.5, 1.7, 1.9):
                asked.send(asked.addresses(ATTACKER), after=after)
        else:
            asked.send(asked.addresses(PLAIN))
    scripted.script = script
    started = time.monotonic()
    assert ask(world, "given-up.example", timeout=8).addresses in ([PLAIN], [ATTACKER])
    index = 0
    while time.monotonic() - started < 2.5:
        assert ask(world, f"meanwhile{index}.example").addresses == [PLAIN]
        index += 1
        time.sleep(0.005)


def test_twice_is_once(world, scripted):
    def script(asked):
        for address in (PLAIN, ATTACKER, OTHER):
            asked.send(asked.addresses(address))
    scripted.script = script
    with Client(world) as client:
        assert client.ask("twice.example").addresses == [PLAIN]
        assert client.quiet(0.3)
    with Client(world) as client:
        first = client.ask("twice.example").addresses
        assert client.ask("twice.example").addresses == first


# Truncation, EDNS, errors


def test_truncated_answers_are_asked_by_tcp(world, scripted):
    large = [record(b"\xc0\x0c", "TXT", bytes([len(text)]) + text.encode()) for text in TEXT]

    def script(asked):
        asked.send(asked.reply(large) if asked.tcp else asked.reply(large[:2], flags=TC))
    scripted.script = script
    assert len(ask(world, "cut-short.example", "TXT", tcp=True).of("TXT")) == len(TEXT)
    assert any(one.tcp for one in scripted.of("cut-short.example"))


def test_many_truncated_answers_share_a_connection(world, scripted):
    """RFC 7766: pipelined on one connection, not one for each."""
    def script(asked):
        asked.send(asked.addresses(PLAIN) if asked.tcp else asked.reply(flags=TC), after=0.05 * asked.tcp)
    scripted.script = script
    names = [f"pipelined{index}.example" for index in range(60)]
    assert all(answer.addresses == [PLAIN] for answer in all_at_once(world, [query(what) for what in names]))
    by_tcp = [one for one in scripted.asked if one.tcp]
    assert {one.name for one in by_tcp} == set(names)
    assert len({one.peer for one in by_tcp}) <= 6


def test_a_tcp_connection_that_closes_under_a_question(world, scripted):
    def script(asked):
        if not asked.tcp:
            return asked.send(asked.reply(flags=TC))
        if len([one for one in scripted.of(asked.name) if one.tcp]) == 1:
            return asked.close()
        asked.send(asked.addresses(PLAIN))
    scripted.script = script
    assert ask(world, "closed-under.example", timeout=8).addresses == [PLAIN]


def test_a_resolver_that_knows_no_edns(world, scripted):
    def script(asked):
        if asked.message.edns is not None:
            asked.send(header(asked.id, QR | RA | 1, (0, 0, 0, 0)))
        else:
            asked.send(asked.addresses(PLAIN))
    scripted.script = script
    assert ask(world, "old-resolver.example", timeout=6).addresses == [PLAIN]
    assert ask(world, "old-resolver-too.example", edns=None, timeout=6).addresses == [PLAIN]


@pytest.mark.parametrize("rcode,text", [(2, "SERVFAIL"), (5, "REFUSED"), (4, "NOTIMP"), (3, "NXDOMAIN")])
def test_errors_are_told(world, gateway, scripted, rcode, text):
    scripted.script = lambda asked: asked.send(asked.reply(rcode=rcode))
    what = f"error{rcode}.example"
    got = ask(world, what, timeout=8).rcode
    assert got == text or (text != "NXDOMAIN" and got == "SERVFAIL")
    assert gateway.dns_sessions(what)[0]["dns"]["rcode"] == got
    scripted.script = plain
    if text != "NXDOMAIN":
        time.sleep(2.1)
        assert ask(world, what, timeout=8).addresses == [PLAIN], "a failure is not kept for long"


# Garbage


def answers_to_nothing(asked):
    """Answers that no resolver should give: cut, looping, counting what is not there, over-long."""
    good = asked.addresses(PLAIN)
    start = 12 + len(asked.wire)
    flags = struct.pack("!H", QR | RA)
    counts = struct.pack("!HHHH", 1, 1, 0, 0)
    head = good[:2] + flags + counts + asked.wire
    loop = struct.pack("!H", 0xC000 | start)
    return {
        "cut-in-the-record": good[:start + 9],
        "no-record": head,
        "too-many-records": good[:2] + flags + struct.pack("!HHHH", 1, 0xFFFF, 0, 0) + good[12:],
        "looping-name": head + loop + b"\0\1\0\1\0\0\0\x3c\0\4" + packed(PLAIN),
        "pointer-ahead": head + b"\xc0\xff" + b"\0\1\0\1\0\0\0\x3c\0\4" + packed(PLAIN),
        "looping-cname": head + b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\2" + struct.pack("!H", 0xC000 | start + 12),
        "long-data": head + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\xff\xff" + packed(PLAIN),
        "short-address": head + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\3" + packed(PLAIN)[:3],
        "wide-address": head + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\5" + packed(PLAIN) + b"\0",
        "cname-to-itself": asked.reply([record(b"\xc0\x0c", "CNAME", b"\xc0\x0c")]),
        "reserved-label": head + b"\x80\0\0\1\0\1\0\0\0\x3c\0\4" + packed(PLAIN),
        "two-questions": good[:2] + flags + struct.pack("!HHHH", 2, 1, 0, 0) + asked.wire * 2 + good[start:],
        "empty-txt": asked.reply([record(b"\xc0\x0c", "A", b"")]),
    }


GARBAGE = ["cut-in-the-record", "no-record", "too-many-records", "looping-name", "pointer-ahead", "looping-cname", "long-data",
           "short-address", "wide-address", "cname-to-itself", "reserved-label", "two-questions", "empty-txt"]


@pytest.mark.parametrize("which", GARBAGE)
def test_garbage_is_not_passed_on(world, gateway, scripted, which):
    """What the client gets parses, and holds no address that was not well told."""
    scripted.script = lambda asked: asked.send(answers_to_nothing(asked)[which])
    try:
        answer = ask(world, f"{which}.example", timeout=8)
        assert answer.rcode in ("SERVFAIL", "NOERROR", "NXDOMAIN") and answer.addresses == []
    except TimeoutError:
        pytest.fail("nobody was told anything")
    scripted.script = plain
    assert ask(world, f"after-{which}.example").addresses == [PLAIN]


def test_endless_bytes_by_tcp(world, scripted):
    """Half a message of the largest length, and no more: the question ends in time, others are served meanwhile."""
    def script(asked):
        if asked.name != "half.example":
            return plain(asked)
        asked.send(b"\0" * 65000 if asked.tcp else asked.reply(flags=TC))
    scripted.script = script
    with Client(world, timeout=12) as client:
        client.socket.send(query("half.example"))
        assert ask(world, "whole.example", timeout=1).addresses == [PLAIN]
        assert Message(client.socket.recv(65535)).rcode == "SERVFAIL"


# Equal questions


def test_equal_questions_are_asked_once(world, scripted):
    scripted.script = lambda asked: asked.send(asked.addresses(PLAIN), after=0.3)
    messages = [query("coalesced.example", id=id) for id in range(50)]
    answers = all_at_once(world, messages)
    assert [answer.id for answer in answers] == list(range(50)) and all(answer.addresses == [PLAIN] for answer in answers)
    assert 1 <= len(scripted.of("coalesced.example")) <= 2, "one for each worker at most"
    spelt = ["COALESCED2.example", "coalesced2.EXAMPLE", "Coalesced2.Example"] * 10
    for what, answer in zip(spelt, all_at_once(world, [query(what) for what in spelt])):
        assert answer.addresses == [PLAIN] and answer.question == what, "to each his own letters"
    assert len(scripted.of("coalesced2.example")) <= 2


def test_a_slow_name_holds_no_other_up(world, scripted):
    def script(asked):
        asked.send(asked.addresses(PLAIN), after=0.6 if asked.name.startswith("slow") else 0)
    scripted.script = script
    with world.connect(RESOLVER, 53) as sock:
        names = ["slow.example", "fast.example", "quick.example"]
        sock.sendall(b"".join(framed(query(what, id=id)) for id, what in enumerate(names)))
        assert [read_message(sock).id for _ in range(3)][-1] == 0, "RFC 7766, section 7: answers as they come"
    assert ask(world, "fast.example", timeout=0.4).addresses == [PLAIN]


def test_negative_answers_carry_their_authority(world, scripted):
    scripted.script = lambda asked: asked.send(asked.reply(rcode=3, authority=[soa("example", 30)]))
    answer = ask(world, "negative.example")
    assert answer.rcode == "NXDOMAIN" and [one.type for one in answer.authority] == ["SOA"]
