"""Fixtures: one world for the session, one gateway for each test or file that wants its own configuration."""

import os
import shutil
import subprocess

import pytest

from dnspeers import Scripted, StandIn, Unbound, plain
from gateway import LISTENERS, WEIR, Weir
from net import ATTACKER, CANARY, ORIGIN, ORIGIN_V6, OTHER, PLAIN, PRIVATE, SECOND, World
from peers import Nginx, Origin, Resolver

NAMES = {
    "canarytokens.com": [CANARY],
    "attacker.example": [ATTACKER],
    "origin.example": [ORIGIN],
    "www.origin.example": [ORIGIN],
    "other.example": [OTHER],
    "plain.example": [PLAIN],
    "second.example": [SECOND],
    "six.example": [ORIGIN_V6],
    "both.example": [ORIGIN, ORIGIN_V6],
    "inside.cluster.local": [PRIVATE],
    "rebound.example": [PRIVATE],
}


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also run the big transfers and long storms")
    parser.addoption("--straight", action="store_true",
                     help="DNS tests with unbound in the gateway's place, each up to its first look at a record")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes or gigabytes; runs with --long")
    if not os.access(WEIR, os.X_OK) and not config.getoption("--straight"):
        raise pytest.UsageError(f"{WEIR} is not there: swift build -c release, or name a binary in WEIR")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="needs --long")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.exit("network namespaces need root: run Tests/run, or unshare -Urnm", 2)
    world = World(str(tmp_path_factory.mktemp("world")))
    yield world
    world.close()


@pytest.fixture(scope="session")
def _resolver(world):
    resolver = Resolver(world, NAMES)
    yield resolver
    resolver.close()


@pytest.fixture
def resolver(_resolver):
    """The resolver, with the names as they are at the start of every test."""
    _resolver.names = dict(NAMES)
    _resolver.questions = []
    yield _resolver
    _resolver.names = dict(NAMES)


@pytest.fixture(scope="session")
def nginx(world, tmp_path_factory):
    return Nginx(world, str(tmp_path_factory.mktemp("nginx")))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A folder with `cert.pem` and `key.pem` of origin.example, signed by themselves."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=origin.example", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def unbound(world, tmp_path_factory):
    unbound = Unbound(world, str(tmp_path_factory.mktemp("unbound")))
    yield unbound
    unbound.close()


_everything = []


def _make(world, directory, straight):
    running = []
    stand_ins = []

    def make(config, listeners=LISTENERS, capture="", wait=True, prefix=(), dns=None):
        for old in running:
            old.stop()
        if straight:
            if dns is None:
                pytest.skip("needs a gateway")
            while stand_ins:
                stand_ins.pop().stop()
            stand_ins.append(StandIn(world, directory, dns))
            return stand_ins[0]
        # Two gateways would share their ports: a file uses `shared` or `weir`, not both at once.
        assert not [other for other in _everything if other.process.poll() is None]
        weir = Weir(world, directory, config, listeners, capture, wait, prefix, dns)
        running.append(weir)
        _everything.append(weir)
        return weir

    yield make
    for stand_in in stand_ins:
        stand_in.stop()
    try:
        for weir in running:
            weir.stop()
    finally:
        for weir in running:
            if weir.process.poll() is None:
                weir.kill()
        world.run("gateway", "nft delete table inet weir; ip rule del pref 15001; ip -6 rule del pref 15001")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def weir(world, resolver, tmp_path, request):
    """Starts a gateway: `weir(config)`; it is drained and its log looked through at the end of the test.

    With `dns=dns(…)` it takes the pods' DNS too.
    """
    yield from _make(world, tmp_path, request.config.getoption("--straight"))


@pytest.fixture(scope="module")
def shared(world, _resolver, tmp_path_factory, request):
    """The same for a whole file of tests that can share one configuration."""
    yield from _make(world, tmp_path_factory.mktemp("shared"), request.config.getoption("--straight"))


@pytest.fixture
def origin(world, gateway):
    """The origin behind a file's gateway, which keeps what it received."""
    with Origin(world, 8080) as origin:
        yield origin


@pytest.fixture(scope="module")
def _scripted(world):
    with Scripted(world) as scripted:
        yield scripted


@pytest.fixture
def scripted(_scripted, gateway):
    """The resolver that a file's gateway asks; each test writes its script and asks for names of its own."""
    _scripted.asked = []
    yield _scripted
    _scripted.script = plain
