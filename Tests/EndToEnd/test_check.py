"""`weir check --examples`: detectors, shipped ones and one's own, against their own vectors; and how one's own are made."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from gateway import WEIR

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "conf" / "own-detectors.yaml"


def weir(*words, **options):
    return subprocess.run([WEIR, *map(str, words)], capture_output=True, text=True, timeout=60, **options)


def test_the_shipped_detectors_find_what_they_must_and_nothing_else():
    files = sorted((ROOT / "conf" / "detectors").glob("*.yaml"))
    done = weir("check", "--examples", *files)
    assert (done.returncode, done.stderr) == (0, "")
    held = re.findall(r"detectors: (\d+), (\d+) examples hold", done.stdout)
    assert len(held) == len(files)
    assert sum(int(detectors) for detectors, _ in held) >= 300
    assert sum(int(examples) for _, examples in held) >= 1000


def test_examples_that_do_not_hold_are_told_by_their_lines(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text("""\
detectors:
  - name: staff
    patterns: ['S[0-9]{4}']
    confidence: low
    context_words: [staff]
    examples:
      positive:
        - staff S1234
        - S1234
      negative: ['S1234', [staff, ' S1234']]
  - name: ssn                     # in the place of the shipped one
    patterns: ['X[0-9]+']
    examples:
      positive: [536-90-4399]
include: [more.yaml]
""")
    (tmp_path / "more.yaml").write_text("detectors:\n  - {name: x, patterns: [x], examples: {negative: [x]}}\n")
    assert weir("check", file).returncode == 0
    done = weir("check", "--examples", file)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"{tmp_path}/more.yaml:2:52: examples.negative: x finds 1 bytes at byte 0",
        f"{file}:9:11: examples.positive: staff finds nothing in it",
        f"{file}:10:27: examples.negative: staff finds 5 bytes at byte 6",
        f"{file}:14:18: examples.positive: ssn finds nothing in it",
    ]


@pytest.mark.parametrize("regex", [r"\w{1,9}@x", "(?i)[a-z.]{1,9}@[a-z]{2}", "[^x]{3}[^y]{2}"])
def test_costly_expressions_are_told(tmp_path, regex):
    file = tmp_path / "costly.yaml"
    file.write_text(f"sensors: [{{name: s, rules: [{{name: r, patterns: [{{regex: '{regex}'}}]}}]}}]\n")
    done = weir("check", file)
    assert done.returncode == 0
    assert done.stderr == (
        f"warning: {file}:1:58: regex: costly, nearly every byte could begin a match; "
        "expected something rarer within its first bytes\n")


@pytest.mark.parametrize("regex", [r"\b\w{1,9}@example", "secret-[a-z]{4}", r"[0-9]{4}", ".{3}secret", "^[a-z]{1,9}@"])
def test_others_are_not(tmp_path, regex):
    file = tmp_path / "cheap.yaml"
    file.write_text(f"sensors: [{{name: s, rules: [{{name: r, patterns: [{{regex: '{regex}'}}]}}]}}]\n")
    done = weir("check", file)
    assert (done.returncode, done.stderr) == (0, "")


# One's own detectors, as the README shows them.

def test_the_example_of_the_readme_is_the_file_and_holds():
    section = (ROOT / "README.md").read_text().split("### Detectors and ready sensors")[1]
    shown = re.search(r"```yaml\n(.*?)```", section, re.DOTALL).group(1)
    assert yaml.safe_load(shown) == yaml.safe_load(OWN.read_text())
    done = weir("check", "--examples", OWN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "detectors: 1, 6 examples hold" in done.stdout


@pytest.mark.parametrize("sensor, text, found", [
    ("staff", "staff: S1234566", ["8: staff/staff-number: S******6"]),
    ("staff", "staff: S1234567", []),
    ("staff", "staff: S0000000 S99991234", []),
    ("staff", "order S1234566", []),
    ("staff-number", "employeeNo=S1234566", ["12: staff-number/staff-number: S******6"]),
    ("pii-us", "staff S1234566, ssn 536-90-4399", [
        "7: pii-us/staff-number: S******6", "21: pii-us/ssn: 5*********9"]),
    ("many-cards", " ".join(["4111111111111111"] * 9 + ["5555555555554444"] * 9), []),
    ("many-cards", "4111111111111111 5555555555554444 378282246310005 2223003122003222 30121690374838 " * 2, ["1: "]),
    ("sure-secrets", "sk_test_4eC39HqLyjWDarjtT1zdp7dc", []),
])
def test_own_detectors_and_sensors(sensor, text, found):
    done = weir("scan", "-c", OWN, "--sensor", sensor, "-", input=text)
    lines = done.stdout.splitlines()
    assert len(lines) == len(found)
    for line, start in zip(lines, found):
        assert line.startswith("-:1:" + start)
    assert done.returncode == bool(found)
