"""`weir scan`: the sensors over files, as grep would."""

import gzip
import json
import os
import pty
import re
import subprocess
import threading
import time

import pytest

from gateway import WEIR

CARD = "4111111111111111"
MASKED = "4**************1"


def scan(*words, **options):
    options.setdefault("timeout", 60)
    return subprocess.run([WEIR, "scan", *words], capture_output=True, text=True, errors="surrogateescape", **options)


def found(*words, **options):
    """The paths in which something was found."""
    return [json.loads(line)["path"] for line in scan("--json", *words, **options).stdout.splitlines()]


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
        f"{tree}/a.txt:1:6: credit-card/card: 4**************1 (offset 5)",
        f"{tree}/below/b.gz: ssn-fr/nir: 2*************3 (offset 4, gzip)",
    ]


def test_json_names_what_it_went_through(tree):
    done = scan("--json", "--stats", "--jobs", "3", "--chunk", "2", "--sensor", "ssn-fr", tree)
    assert done.returncode == 1
    finding, = map(json.loads, done.stdout.splitlines())
    assert finding["path"] == f"{tree}/below/b.gz" and finding["decoded"] == ["gzip"] and finding["length"] == 15
    assert json.loads(done.stderr)["files"] == 3


def test_nothing_found_is_exit_0(tree):
    done = scan(tree / "clean")
    assert (done.returncode, done.stdout) == (0, "")


def test_standard_input():
    assert scan("-", input="x 4111111111111111").stdout == f"-:1:3: credit-card/card: {MASKED} (offset 2)\n"


def test_an_expression_of_the_command_line(tree):
    done = scan("-e", "no[a-z]{5}", "-e", "her", tree / "clean")
    assert done.stdout.splitlines() == [
        f"{tree}/clean:1:1: regex/1: n*****g (offset 0)", f"{tree}/clean:1:9: regex/2: *** (offset 8)",
        f"{tree}/clean:1:36: regex/2: *** (offset 35)"]
    assert "regex" in scan("-e", "(", tree).stderr


@pytest.mark.parametrize("words, said", [
    (["/not/there"], "/not/there: No such file or directory"),
    (["--sensor", "nope", "/"], "expected one of credit-card, cards, ssn-us"),
    (["--jobs", "65", "/"], "--jobs: expected 0-64"),
    (["--max-file-size", "10", "/"], "max-file-size"),
    ([], "Missing expected argument"),
])
def test_errors_say_what_was_expected(words, said):
    done = scan(*words)
    assert done.returncode not in (0, 1)
    assert said in done.stderr


def write(root, **files):
    for path, text in files.items():
        path = root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def relative(root, *words, **options):
    return [os.path.relpath(path, root) for path in found(*words, root, **options)]


def test_ignore_files_leave_out_what_they_name(tmp_path):
    names = ["a.log", "keep.log", "build/x", "src/build/x", "src/a.tmp", "src/in/a.tmp", "src/in/kept.tmp", "z"]
    for name in names:
        write(tmp_path, **{name: CARD})
    write(tmp_path, **{
        ".gitignore": "*.log\n!keep.log\n/build/\n", ".ignore": "z\n", "src/.weirignore": "*.tmp\n",
        "src/in/.weirignore": "!kept.tmp\n"})
    (tmp_path / ".git").mkdir()
    write(tmp_path, **{".git/config": CARD})
    assert relative(tmp_path) == ["keep.log", "src/build/x", "src/in/kept.tmp"]
    assert sorted(relative(tmp_path, "--no-ignore")) == sorted(names + [".git/config"])
    stats = json.loads(scan("--stats", tmp_path).stderr)
    assert stats["ignored"] == 6, "a.log, build, .git, z, src/a.tmp, src/in/a.tmp"
    # Rules of the directories above count for one that is named, too; and what is named itself is read.
    assert relative(tmp_path / "src") == ["build/x", "in/kept.tmp"]
    assert found(tmp_path / "a.log") == [f"{tmp_path}/a.log"]


def test_rules_of_git_hold_in_a_repository(tmp_path):
    write(tmp_path, **{".gitignore": "a\n", "a": CARD, "sub/a": CARD})
    assert relative(tmp_path) == ["a", "sub/a"]
    (tmp_path / ".git" / "info").mkdir(parents=True)
    assert relative(tmp_path) == []
    write(tmp_path, **{".gitignore": "", ".git/info/exclude": "/a\n"})
    assert relative(tmp_path) == ["sub/a"]
    # A repository within has rules of its own.
    (tmp_path / "sub" / ".git").mkdir()
    write(tmp_path, **{".gitignore": "a\n"})
    assert relative(tmp_path) == ["sub/a"]


def test_hidden_files_are_read_unless_they_are_not_wanted(tmp_path):
    write(tmp_path, **{".env": CARD, ".aws/credentials": CARD, "a": CARD})
    assert relative(tmp_path) == [".aws/credentials", ".env", "a"]
    assert relative(tmp_path, "--hidden") == [".aws/credentials", ".env", "a"]
    assert relative(tmp_path, "--no-hidden") == ["a"]


def test_binary_files_are_read_without_lines(tmp_path):
    (tmp_path / "b").write_bytes(b"\0\xff\n" + CARD.encode() + b"\0")
    assert scan(tmp_path).stdout == f"{tmp_path}/b: credit-card/card: {MASKED} (offset 3)\n"


def test_larger_files_are_left_out_if_asked(tmp_path):
    write(tmp_path, small=CARD, large=CARD + " " * 1024)
    done = scan("--max-file-size", "1KiB", "--stats", "--json", tmp_path)
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [f"{tmp_path}/small"]
    assert json.loads(done.stderr)["skipped"] == {"too_large": 1}


def test_links_are_followed_if_asked_and_loops_are_told(tmp_path):
    write(tmp_path, **{"tree/a": CARD, "outside/b": CARD})
    (tmp_path / "tree" / "loop").symlink_to("..")
    (tmp_path / "tree" / "out").symlink_to("../outside")
    (tmp_path / "tree" / "self").symlink_to("self")
    (tmp_path / "tree" / "nothing").symlink_to("nowhere")
    assert found(tmp_path / "tree") == [f"{tmp_path}/tree/a"]
    done = scan("-L", "--json", tmp_path / "tree")
    assert done.returncode == 2
    assert f"{tmp_path}/tree/loop/tree: leads back to a directory above it" in done.stderr
    paths = {json.loads(line)["path"] for line in done.stdout.splitlines()}
    assert {f"{tmp_path}/tree/a", f"{tmp_path}/tree/out/b"} <= paths
    # What is named is followed.
    assert found(tmp_path / "tree" / "out") == [f"{tmp_path}/tree/out/b"]


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), reason="root reads everything")
def test_what_cannot_be_read_is_told_and_the_rest_is_read(tmp_path):
    write(tmp_path, **{"a": CARD, "closed/b": CARD, "locked": CARD})
    (tmp_path / "closed").chmod(0)
    (tmp_path / "locked").chmod(0)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    for path in [tmp_path, *tmp_path.parents]:
        if as_nobody and path != path.parent:
            path.chmod(path.stat().st_mode | 0o55)
    done = subprocess.run([*as_nobody, WEIR, "scan", str(tmp_path)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stdout == f"{tmp_path}/a:1:1: credit-card/card: {MASKED} (offset 0)\n"
    assert f"{tmp_path}/closed: Permission denied" in done.stderr
    assert f"{tmp_path}/locked: Permission denied" in done.stderr


def test_names_that_are_no_text(tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff\n\x1b[2J"
    with open(name, "w") as file:
        file.write(CARD)
    done = scan(tmp_path)
    assert done.stdout == f"{tmp_path}/\ufffd\\u{{a}}\\u{{1b}}[2J:1:1: credit-card/card: {MASKED} (offset 0)\n"
    finding = json.loads(scan("--json", tmp_path).stdout)
    assert bytes.fromhex(finding["path_hex"]) == name
    assert scan(name).returncode == 1


def test_a_fifo_that_is_named_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(f"\n {CARD}"))
    writer.start()
    assert scan(pipe).stdout == f"{pipe}:2:2: credit-card/card: {MASKED} (offset 2)\n"
    writer.join()


def test_files_that_come_and_go_and_grow_are_no_error(tmp_path):
    write(tmp_path, **{f"{n}/f": CARD + "\n" for n in range(200)})
    stop = threading.Event()

    def disturb():
        n = 0
        while not stop.is_set():
            n = (n + 1) % 200
            path = tmp_path / str(n) / "f"
            path.unlink(missing_ok=True)
            path.write_text(f"{CARD}\n" * (n + 1))

    other = threading.Thread(target=disturb)
    other.start()
    try:
        for _ in range(5):
            done = scan(tmp_path)
            assert done.returncode == 1, done.stderr
            assert done.stderr == ""
    finally:
        stop.set()
        other.join()


def test_a_file_that_grows_without_end_comes_to_an_end(tmp_path):
    path = tmp_path / "log"
    path.write_text("x" * (1 << 20))
    grower = subprocess.Popen(["sh", "-c", f"while :; do head -c 1000000 /dev/zero >> {path}; done"])
    try:
        assert scan("-e", "nothing like it", path, timeout=30).returncode == 0
    finally:
        grower.kill()
        grower.wait()


def test_results_have_one_order_however_many_read(tmp_path):
    for n in range(300):
        write(tmp_path, **{f"{n % 7}/{n}": f"{CARD}\n" * (n % 5) + " " * (n * 97)})
    (tmp_path / "3" / "large").write_bytes(b"\n" * (5 << 20) + CARD.encode())
    one = scan("--jobs", "1", tmp_path).stdout
    assert one.count("\n") == 601 and f"3/large:{(5 << 20) + 1}:1:" in one
    for jobs in ["2", "7", "0"]:
        assert scan("--jobs", jobs, tmp_path).stdout == one
    # By name, directory by directory.
    paths = [line.split(":")[0] for line in one.splitlines()]
    assert paths == sorted(paths, key=lambda path: path.split("/"))


def test_a_full_disk_is_an_error(tree):
    with open("/dev/full", "w") as full:
        done = subprocess.run([WEIR, "scan", tree], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 2
    assert "standard output" in done.stderr


# MARK: On a terminal

def on_terminal(words, environment, stdout=True):
    """What a terminal is shown: standard error, and standard output if asked."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [WEIR, "scan", "--sensor", "credit-card", *words], stdout=slave if stdout else subprocess.DEVNULL, stderr=slave,
        env={"PATH": os.environ["PATH"], **environment})
    os.close(slave)
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    child.wait(timeout=10)
    os.close(master)
    return shown.decode()


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    root = tmp_path_factory.mktemp("big")
    for n in range(8):
        (root / str(n)).write_bytes((b"lorem ipsum dolor sit amet 1234 5678\n" * 1000) * 30)
    (root / "9").write_text(CARD)
    return root


def test_colours_and_a_bar_are_for_terminals(big):
    shown = on_terminal([big], {"TERM": "xterm"})
    assert f"\x1b[31m{MASKED}\x1b[0m" in shown
    assert re.search(r"\r\x1b\[K\[\x1b\[32m#*-*\x1b\[0m\] +\d+% +\d+/9 files +\d+ MB/s +\d+:\d\d left", shown)
    # Taken away before a finding is told, and at the end.
    assert shown.rstrip().endswith("(offset 0)") or shown.endswith("\x1b[K")


def test_no_color_is_honoured(big):
    shown = on_terminal([big], {"TERM": "xterm", "NO_COLOR": "1"})
    assert not re.search(r"\x1b\[\d+m", shown)
    assert re.search(r"\[#*-*\] +\d+%", shown)


def test_elsewhere_there_is_neither(big):
    done = scan("--sensor", "credit-card", big)
    assert done.stderr == "" and "\x1b" not in done.stdout
    assert "\x1b" not in on_terminal([big], {"TERM": "dumb"})


# MARK: SARIF, baselines, evidence

SECRETS = ["4111111111111111", "295109912611193", "AKIAZQ3DRSTUVWXY2345"]


@pytest.fixture
def leaky(tmp_path):
    root = tmp_path / "tree"
    write(root, **{
        "é b.txt": f"name: Jean\n\n  card: {SECRETS[0]}, nir {SECRETS[1]}\n",
        "src/key.py": f"AWS_ACCESS_KEY_ID = '{SECRETS[2]}'\n", "clean": "nothing\n"})
    (root / "b.gz").write_bytes(gzip.compress(f"card {SECRETS[0]}".encode()))
    return root


def test_sarif_is_a_document_that_other_tools_read(leaky, tmp_path):
    done = scan("--sarif", "--key", tmp_path / "key", "--write-baseline", tmp_path / "base", ".", cwd=leaky)
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["version"] == "2.1.0" and document["$schema"].endswith("sarif-2.1.0.json")
    run, = document["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) > 250
    assert all(rule["shortDescription"]["text"] for rule in rules)
    results = run["results"]
    assert len(results) == 4
    for result in results:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note") and result["message"]["text"]
        assert re.fullmatch("[0-9a-f]{32}", result["partialFingerprints"]["weirMatch/v1"])
    places = {(r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], r["ruleId"]):
              r["locations"][0]["physicalLocation"]["region"] for r in results}
    assert places["%C3%A9%20b.txt", "credit-card/card"] == {
        "startLine": 3, "startColumn": 9, "endLine": 3, "endColumn": 25, "byteOffset": 20, "byteLength": 16}
    assert places["b.gz", "credit-card/card"] == {"byteOffset": 0}
    assert run["invocations"] == [{"executionSuccessful": True, "exitCode": 0, "toolExecutionNotifications": []}]


def test_sarif_of_nothing_and_of_errors(leaky):
    done = scan("--sarif", leaky / "clean", leaky / "gone")
    assert done.returncode == 2
    run, = json.loads(done.stdout)["runs"]
    assert run["results"] == []
    told, = run["invocations"]
    assert told["executionSuccessful"] is False and told["exitCode"] == 2
    assert told["toolExecutionNotifications"][0]["message"]["text"].endswith("gone: No such file or directory")
    # Fingerprints of a key that nobody keeps would only seem to say something.
    assert "partialFingerprints" not in scan("--sarif", leaky).stdout


def test_a_baseline_keeps_quiet_about_what_is_known(leaky, tmp_path):
    key, base = tmp_path / "key", leaky / "base.txt"
    done = scan("--key", key, "--write-baseline", base, leaky)
    assert done.returncode == 0 and done.stdout.count("\n") == 4
    assert "4 findings are known from now on" in done.stderr
    assert key.stat().st_mode & 0o777 == 0o600
    # Known wherever it stands in the file, from wherever it is scanned.
    path = leaky / "src" / "key.py"
    path.write_text("\n\n# moved\n" + path.read_text())
    done = scan("--key", key, "--baseline", base, leaky)
    assert (done.returncode, done.stdout) == (0, "")
    assert scan("--key", key, "--baseline", "../base.txt", "..", cwd=leaky / "src").returncode == 0
    # A new value is new, and a known one in another file.
    write(leaky, new=f"card {SECRETS[0]}")
    path.write_text(path.read_text() + "nir 253072A07300443\n")
    done = scan("--key", key, "--baseline", base, leaky)
    assert done.returncode == 1
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [f"{leaky}/new:1:6", f"{path}:5:5"]
    # Renewed, it has both.
    assert scan("--key", key, "--baseline", base, "--write-baseline", base, leaky).returncode == 0
    assert scan("--key", key, "--baseline", base, leaky).returncode == 0


def test_a_baseline_of_another_key_is_an_error(leaky, tmp_path):
    base = tmp_path / "base"
    assert scan("--key", tmp_path / "a", "--write-baseline", base, leaky).returncode == 0
    assert scan("--key", tmp_path / "b", "--write-baseline", tmp_path / "other", leaky).returncode == 0
    done = scan("--key", tmp_path / "b", "--baseline", base, leaky)
    assert done.returncode == 2 and "was made with another key" in done.stderr
    for words, said in [
        (["--baseline", base], "a baseline needs a key that stays"),
        (["--key", tmp_path / "c", "--baseline", base], "there is no such key"),
        (["--key", tmp_path / "a", "--baseline", leaky / "clean"], "expected a baseline"),
        (["--key", tmp_path / "a", "--baseline", tmp_path / "none"], "No such file"),
        (["--key", tmp_path / "a", "--write-baseline", "/not/there"], "No such file"),
        (["--key", leaky / "clean", "--write-baseline", base], "expected mode 0600"),
    ]:
        done = scan(*words, leaky)
        assert done.returncode == 2 and said in done.stderr, words


def test_json_shows_what_stands_around_a_match(leaky):
    finding, = map(json.loads, scan("--json", "--sensor", "credit-card", leaky / "é b.txt").stdout.splitlines())
    assert finding["excerpt"] == "name: Jean    card: 4**************1, nir *************** "
    assert (finding["line"], finding["column"]) == (3, 9) and re.fullmatch("[0-9a-f]{8}", finding["version"])
    assert "excerpt" not in scan("--json", "--context", "0", leaky).stdout


def test_no_match_is_told_in_the_clear(leaky, tmp_path):
    base = tmp_path / "base"
    told = ""
    for words in [[], ["--json", "--context", "256"], ["--sarif"], ["--stats"]]:
        done = scan("--key", tmp_path / "key", "--write-baseline", base, *words, leaky)
        told += done.stdout + done.stderr + base.read_text()
    for secret in SECRETS:
        assert secret not in told and secret[1:9] not in told and secret[-8:-1] not in told
