"""`weir ca`: the authority that clients must trust, as an operator handles it."""

import os
import re
import stat
import subprocess

import pytest

from gateway import WEIR


@pytest.fixture
def ca(tmp_path):
    """Runs `weir ca` over a configuration of its own, whose authority is in `state`."""
    path = tmp_path / "weir.yaml"
    path.write_text('listeners: [{name: explicit, address: "127.0.0.1:3128", intercept: explicit}]\n')

    def run(*words):
        return subprocess.run([WEIR, "ca", *words, "-c", path], capture_output=True, text=True, timeout=30)

    return run


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_it_is_made_once_and_shown(ca, tmp_path):
    made = ca("make")
    assert (made.returncode, made.stderr) == (0, "")
    state = tmp_path / "state"
    assert [mode(state), mode(state / "ca.key"), mode(state / "ca.pem")] == [0o700, 0o600, 0o644]
    shown = ca()
    assert (shown.returncode, shown.stdout) == (0, made.stdout) and ca("show").stdout == made.stdout
    assert re.fullmatch(
        r"subject      CN=Weir egress authority [0-9a-f]{8},O=Weir\n"
        r"valid        \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ to \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\n"
        r"sha256       [0-9a-f]{64}\n"
        r"certificate  .*state/ca\.pem\nkey          .*state/ca\.key\n", made.stdout)
    again = ca("make")
    assert (again.returncode, again.stdout) == (0, made.stdout) and "state/ca.pem: is there already" in again.stderr


def test_what_is_exported_is_what_clients_must_trust(ca, tmp_path):
    ca("make")
    exported = ca("export")
    assert (exported.returncode, exported.stderr) == (0, "")
    assert exported.stdout == (tmp_path / "state" / "ca.pem").read_text()
    done = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=exported.stdout, capture_output=True, text=True, check=True)
    fingerprint = done.stdout.strip().split("=")[1].replace(":", "").lower()
    assert f"sha256       {fingerprint}\n" in ca().stdout


def test_the_root_of_a_chain_is_what_is_exported(ca, tmp_path):
    state = tmp_path / "state"
    state.mkdir()

    def request(name, *words):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
             "-addext", "keyUsage=critical,keyCertSign", "-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem", *words],
            check=True, capture_output=True)

    request("Root")
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Middle", "-keyout", state / "ca.key",
         "-out", tmp_path / "request"], check=True, capture_output=True)
    (tmp_path / "extensions").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    subprocess.run(
        ["openssl", "x509", "-req", "-in", tmp_path / "request", "-CA", tmp_path / "Root.pem", "-CAkey", tmp_path / "Root.key",
         "-set_serial", "2", "-extfile", tmp_path / "extensions", "-out", tmp_path / "Middle.pem"], check=True, capture_output=True)
    root = (tmp_path / "Root.pem").read_text()
    (state / "ca.pem").write_text((tmp_path / "Middle.pem").read_text() + root)
    (state / "ca.key").chmod(0o600)
    assert ca("export").stdout == root
    assert ca().stdout.startswith("subject      CN=Middle\n") and "root         CN=Root\n" in ca().stdout


def test_rotation_keeps_the_old_one(ca, tmp_path):
    ca("make")
    state = tmp_path / "state"
    old = {name: (state / name).read_text() for name in ("ca.pem", "ca.key")}
    rotated = ca("rotate")
    assert rotated.returncode == 0 and rotated.stdout == ca().stdout
    assert len(list(state.iterdir())) == 4
    for name, text in old.items():
        aside, = state.glob(f"{name}.*")
        assert re.fullmatch(r"\d{14}", aside.suffix[1:]) and aside.read_text() == text and str(aside) in rotated.stderr
        assert mode(aside) == mode(state / name) and (state / name).read_text() != text


def test_what_is_wrong_is_said(ca, tmp_path):
    for word in ("show", "export", "rotate"):
        done = ca(word)
        assert (done.returncode, done.stdout) == (2, "") and "`weir ca make` makes" in done.stderr
    ca("make")
    key = tmp_path / "state" / "ca.key"
    key.chmod(0o644)
    done = ca()
    assert done.returncode == 2 and f"chmod 600 {key}" in done.stderr
    key.unlink()
    for word in ("show", "make"):
        done = ca(word)
        assert done.returncode == 2 and "ca.key: not there" in done.stderr and "`weir ca rotate`" in done.stderr
    assert ca("rotate").returncode == 0 and ca().returncode == 0
