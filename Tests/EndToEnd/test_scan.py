"""`weir scan`: the sensors over files, as grep would."""

import gzip
import json
import os
import subprocess

import pytest

from gateway import WEIR


def scan(*words, **options):
    return subprocess.run([WEIR, "scan", *map(str, words)], capture_output=True, text=True, timeout=30, **options)


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "a.txt").write_text("card 4111111111111111 ok\n")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "b.gz").write_bytes(gzip.compress(b"nir 295109912611193.\n"))
    (tmp_path / "clean").write_text("nothing here, 4111111111111112 neither\n")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def test_a_directory_is_read_with_all_below_it(tree):
    done = scan(tree)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{tree}/a.txt:5: credit-card/card: 4**************1",
        f"{tree}/below/b.gz:4: ssn-fr/nir: 2*************3 (gzip)",
    ]


def test_json_names_what_it_went_through(tree):
    done = scan("--json", "--stats", "--jobs", 3, "--chunk", 2, "--sensor", "ssn-fr", tree)
    assert done.returncode == 1
    finding, = map(json.loads, done.stdout.splitlines())
    assert finding["path"] == f"{tree}/below/b.gz" and finding["decoded"] == ["gzip"] and finding["length"] == 15
    assert sum(json.loads(line)["files"] for line in done.stderr.splitlines()) == 3


def test_nothing_found_is_exit_0(tree):
    done = scan(tree / "clean")
    assert (done.returncode, done.stdout) == (0, "")


def test_standard_input(tree):
    assert scan("-", input="x 4111111111111111").stdout == "-:2: credit-card/card: 4**************1\n"


@pytest.mark.parametrize("words, said", [
    (["/not/there"], "/not/there: No such file or directory"),
    (["--sensor", "nope", "/"], "expected one of credit-card, cards, ssn-us"),
    (["--jobs", "0", "/"], "--jobs: expected 1-64"),
    ([], "Missing expected argument"),
])
def test_errors_say_what_was_expected(words, said):
    done = scan(*words)
    assert done.returncode not in (0, 1)
    assert said in done.stderr
