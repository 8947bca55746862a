"""Expressions and texts that somebody means harm with, or has not thought about, as `weir check` and `weir scan` answer them."""

import json
import random
import re
import subprocess
import time

import pytest

from gateway import WEIR


def weir(*words, **options):
    return subprocess.run([WEIR, *map(str, words)], capture_output=True, timeout=120, **options)


@pytest.mark.parametrize("regex, said", [
    ("(?=secret)", "can match nothing but the empty string, expected one that takes what it looks for"),
    (r"^\b$", "can match nothing but the empty string, expected one that takes what it looks for"),
    ("(?<=(?<=a{2100})b{2100})c", "looks back 4200 bytes, expected less than limits.match_bytes (4096)"),
    ("(" * 300 + "a" + ")" * 300, "nests too deeply, expected at most 250 parentheses at byte 250"),
    ("a{65536}", "number too big in {} quantifier at byte 7"),
])
def test_what_could_find_nothing_is_an_error_at_its_line(tmp_path, regex, said):
    file = tmp_path / "bad.yaml"
    file.write_text(f"sensors:\n  - name: s\n    rules:\n      - name: r\n        patterns:\n          - regex: '{regex}'\n")
    done = weir("check", file, text=True)
    assert done.returncode == 1
    assert done.stderr == f"{file}:6:20: regex: {said}\n"


@pytest.mark.parametrize("regex, byte", [
    ("(x+x+)+y", "x"), ("(a+)+$", "a"), ("(?<=(?<=(?<=a)a)a)(a|aa)+b", "a"), ("(?i)(A|a)+B", "a"), (r"([^,]*)*!", "a"),
    (r"(?<!(?<!x)y)(x|xx)+\p{L}y", "x"),
])
def test_a_catastrophic_expression_gives_up_and_the_rest_is_read(tmp_path, regex, byte):
    """A hundred times the bytes cost no more than so much more: the work of a pattern is bounded for each of them."""
    file = tmp_path / "hostile"
    for count in (50_000, 5_000_000):
        file.write_text(byte * count + "z TOPSECRET-1234 ")
        start = time.monotonic()
        done = weir("scan", "-e", regex, "-e", r"TOPSECRET-\d{4}", file, text=True)
        assert time.monotonic() - start < 20, "without a bound it takes for ever"
        assert done.returncode == 1
        assert done.stdout == f"{file}:1:{count + 3}: regex/2: T************4 (offset {count + 2})\n"
        assert "not all of it was read: pattern_overrun" in done.stderr


def test_bytes_that_are_no_text_are_read_and_told_as_text(tmp_path):
    body = b"\xff\xfe\xfa(\xc3 \xe9\xc9 key\xff=S\xc3\xa9cret\x80 \xed\xa0\x80 K\xc0\xaf1\n"
    (tmp_path / "bytes").write_bytes(body)
    expressions = [r"(?i)sé", r"\p{Lu}cret", r"[^\x00-\x7f]{3}", r"(?i)KEY\xff", r"(?<=k)\P{L}", r"\p{L}+\x80"]
    done = weir("scan", "--json", *(word for one in expressions for word in ("-e", one)), tmp_path / "bytes")
    found = [json.loads(line) for line in done.stdout.decode().splitlines()]
    # Bytes beyond ASCII have no other case, and to \p they are the characters of Latin-1.
    assert sorted((one["rule"], one["offset"], one["length"]) for one in found) == [
        ("1", 14, 3), ("3", 0, 3), ("3", 23, 3), ("4", 9, 4), ("6", 17, 5)]


def expression(rng, index):
    def letters(count):
        return "".join(rng.choices("abcdefgh", k=count))
    return [
        rf"\b{letters(5)}-[0-9]{{4}}\b", rf"{letters(4)}_[0-9a-f]{{6}}", rf"(?i){letters(5)}",
        rf"\b{rng.randrange(1000, 10000)}[ -]?[0-9]{{3}}\b", rf'{letters(3)}[=:]"[^"]{{2,8}}"',
        rf"(?<![a-z])[{letters(2)}]{{3}}{rng.randrange(100)}",
    ][index % 6]


def test_ten_thousand_patterns_in_one_sensor(tmp_path):
    rng = random.Random(37)
    regexes = [expression(rng, index) for index in range(10_000)]
    rules = [{"name": str(index), "patterns": [{"regex": regex}]} for index, regex in enumerate(regexes)]
    file = tmp_path / "many.json"
    file.write_text(json.dumps({"sensors": [{"name": "s", "rules": rules}]}))
    start = time.monotonic()
    done = weir("check", file, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - start < 20
    text = ""
    while len(text) < 30_000:
        # Letters and digits often enough those of a pattern, and then what could follow them.
        text += rng.choice([re.sub(r"\(.*?\)|[^a-h0-9]", "", rng.choice(regexes)), "".join(rng.choices("abcdefgh", k=5))])
        text += rng.choice(["-0123 ", "_0a1f23", '="aa"', ':"x1" ', " ", " 7120-123 "])
    (tmp_path / "text").write_text(text)
    done = weir("scan", "-c", file, "--sensor", "s", "--json", tmp_path / "text", text=True)
    found = sorted((int(one["rule"]), one["offset"], one["length"]) for one in map(json.loads, done.stdout.splitlines()))
    expected = [(index, match.start(), len(match.group()))
                for index, regex in enumerate(regexes) for match in re.finditer(regex, text, re.ASCII)]
    assert len(expected) > 500
    assert found == expected
