"""Real clients whose TLS is read, each given the authority in the way that the README says, and in no other."""

import os
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest

import published
from gateway import SSN_SENSOR
from net import ORIGIN, until
from peers import Nginx, Origin
from test_tls import NUMBER, outside  # noqa: F401
from tlspeers import over_tls

CONFIG = SSN_SENSOR + """
services:
  - name: myapp.default
    mode: protect
    sensors: {nir: deny}
    rules: [{to: origin.example, ports: [443, 8443], applications: [HTTP, HTTP2], action: allow}]
"""
PROGRAMS = os.path.join(os.path.dirname(__file__), "clients")
SYSTEM = "/etc/ssl/certs/ca-certificates.crt"


class Client(NamedTuple):
    """What asks for a URL, and posts a body that follows it, and prints status, version of HTTP and length of what came."""

    words: list
    version: str
    # `{ca}` is the authority alone, `{bundle}` the system's authorities and it, `{java}` a store of Java with it.
    environment: dict
    before_body: list = []
    # A program that is too large to be installed for a test alone.
    needs: str = ""


CURL = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{http_version} %{size_download}\n"]
PYTHON = [sys.executable, os.path.join(PROGRAMS, "client.py")]
NODE = ["node", os.path.join(PROGRAMS, "client.mjs")]
CLIENTS = {
    "curl": Client(CURL, "2", {"CURL_CA_BUNDLE": "{bundle}"}, ["-d"]),
    "curl in HTTP/1.1": Client([*CURL, "--http1.1"], "1.1", {"CURL_CA_BUNDLE": "{bundle}"}, ["-d"]),
    "requests": Client([*PYTHON, "requests"], "1.1", {"REQUESTS_CA_BUNDLE": "{bundle}"}),
    "httpx": Client([*PYTHON, "httpx"], "1.1", {"SSL_CERT_FILE": "{bundle}"}),
    # It offers HTTP/2 last, and is spoken to in what it prefers.
    "httpx with HTTP/2": Client([*PYTHON, "httpx2"], "1.1", {"SSL_CERT_FILE": "{bundle}"}),
    "urllib": Client([*PYTHON, "urllib"], "1.1", {"SSL_CERT_FILE": "{bundle}"}),
    "node https": Client([*NODE, "https"], "1.1", {"NODE_EXTRA_CA_CERTS": "{ca}"}, needs="node"),
    "node http2": Client([*NODE, "http2"], "2", {"NODE_EXTRA_CA_CERTS": "{ca}"}, needs="node"),
    "node fetch": Client([*NODE, "fetch"], "1.1", {"NODE_EXTRA_CA_CERTS": "{ca}"}, needs="node"),
    "java": Client(["java", os.path.join(PROGRAMS, "Client.java")], "2",
                   {"JAVA_TOOL_OPTIONS": "-Djavax.net.ssl.trustStore={java}"}, needs="javac"),
    "go": Client(["{go}"], "2", {"SSL_CERT_FILE": "{bundle}"}, needs="go"),
}


@pytest.fixture(scope="module")
def web(world, outside, tmp_path_factory):  # noqa: F811
    """An nginx that is origin.example, over TLS."""
    nginx = Nginx(world, str(tmp_path_factory.mktemp("web")), outside.sign("origin.example", stem="web"))
    yield nginx
    nginx.close()


@pytest.fixture(scope="module")
def gateway(shared, outside, web):  # noqa: F811
    return shared(CONFIG + f'tls: {{trust: "{outside.certificate}"}}\n')


@pytest.fixture(scope="module")
def files(gateway, tmp_path_factory):
    """What clients are given: the paths that stand for the names in `Client`."""
    folder = tmp_path_factory.mktemp("given")
    ca, bundle = folder / "weir-ca.pem", folder / "bundle.pem"
    ca.write_text(gateway.command("ca", "export", "-c", gateway.path).stdout)
    bundle.write_text((open(SYSTEM).read() if os.path.exists(SYSTEM) else "") + ca.read_text())
    return {"ca": str(ca), "bundle": str(bundle), "java": _java(folder, ca), "go": _go(folder)}


def _java(folder, ca):
    if not shutil.which("javac"):
        return ""
    done = subprocess.run(["java", "-XshowSettings:properties", "-version"], check=True, capture_output=True, text=True)
    home = re.search(r"java\.home = (.*)", done.stderr).group(1)
    store = folder / "weir.jks"
    shutil.copyfile(os.path.join(home, "lib/security/cacerts"), store)
    subprocess.run(["keytool", "-importcert", "-keystore", store, "-storepass", "changeit", "-noprompt", "-alias", "weir", "-file", ca],
                   check=True, capture_output=True)
    return str(store)


def _go(folder):
    if not shutil.which("go"):
        return ""
    program = folder / "client"
    environment = dict(published.ENVIRONMENT, GOCACHE=str(folder / "cache"), GO111MODULE="off", GOFLAGS="")
    # Without cgo Go asks the resolver itself, and nothing of C is built.
    environment["CGO_ENABLED"] = "0"
    subprocess.run(["go", "build", "-o", program, "client.go"], cwd=PROGRAMS, check=True, capture_output=True, env=environment)
    return str(program)


@pytest.fixture(params=CLIENTS, ids=lambda name: name.replace(" ", "-"))
def client(request, files):
    """A client as words and environment; skipped where it is not there."""
    client = CLIENTS[request.param]
    if client.needs and not shutil.which(client.needs):
        pytest.skip(f"{client.needs} is not installed")
    if PYTHON[1] in client.words:
        pytest.importorskip(client.words[-1].rstrip("2"))
    return client._replace(
        words=[word.format(**files) if word == "{go}" else word for word in client.words],
        environment={name: value.format(**files) for name, value in client.environment.items()})


def ask(world, client, path, *body, environment=None):
    given = client.environment if environment is None else environment
    return world.run("pods", [*client.words, f"https://origin.example{path}", *(client.before_body if body else []), *body],
                     env={**published.ENVIRONMENT, **given})


def path_of(request):
    return "/from/" + re.sub(r"\W+", "-", request.node.callspec.id)


def test_a_client_is_read(world, gateway, resolver, web, client, request):
    path = path_of(request)
    web.put(path[1:], b"x" * 100_000)
    done = ask(world, client, path)
    assert done.stdout.split() == ["200", client.version, "100000"], done.stdout + done.stderr
    session = gateway.sessions(service="myapp.default", path=path, status=200)[0]
    assert session["action"] == "allow" and session["fqdn"] == "origin.example"
    assert session["application"] == ("HTTP2" if client.version == "2" else "HTTP")
    tls = session["tls"]
    assert tls["handling"] == "intercepted" and tls["sni"] == "origin.example"
    assert tls["version"] == "1.3" and tls["upstream_version"] == "1.3"
    # A name, and what it offers first: HTTP/2, HTTP/1.1, or nothing.
    assert re.fullmatch(r"t13d\d{4}(h2|h1|00)_[0-9a-f]{12}_[0-9a-f]{12}", tls["ja4"]), tls
    assert tls.get("alpn") == ("h2" if client.version == "2" else "http/1.1" if "h1_" in tls["ja4"] or "h2_" in tls["ja4"] else None)


def test_a_number_is_stopped(world, gateway, resolver, web, client, request):
    path = path_of(request).replace("/from/", "/stuff/")
    done = ask(world, client, path, "name=Jeanne&nir=295109912611193&end=1")
    assert done.stdout.split()[:2] == ["403", client.version], done.stdout + done.stderr
    session = gateway.sessions(service="myapp.default", path=path, status=403)[0]
    assert session["action"] == "deny" and session["reason"] == "finding" and session["tls"]["handling"] == "intercepted"
    log = web.log()
    assert NUMBER.decode() not in log and path not in log
    # What carries none goes through, and is logged there.
    done = ask(world, client, path, "name=Jeanne&end=1")
    assert done.stdout.split()[:2] == ["200", client.version], done.stdout + done.stderr
    assert f"POST {path} " in web.log()


def test_a_client_that_is_given_nothing_refuses(world, gateway, resolver, web, client, request):
    path = path_of(request).replace("/from/", "/untrusting/")
    done = ask(world, client, path, environment={})
    assert done.returncode != 0 and not re.match(r"[1-5]\d\d\b", done.stdout), done.stdout
    assert path not in web.log()


@pytest.fixture
def tool(request, world, files, web, tmp_path):
    """git, pip or apt with what it fetches: runs it towards a path of the origin with these variables."""
    name = request.param
    missing = [one for one in {"git": ["git"], "pip": [], "apt": ["apt-get", "dpkg-deb"]}[name] if not shutil.which(one)]
    if missing or name == "pip" and subprocess.run([sys.executable, "-m", "pip"], capture_output=True).returncode != 0:
        pytest.skip(f"{name} is not installed")
    root = f"{name}-{os.path.basename(tmp_path)}"
    target = tmp_path / "target"
    given = {"git": {"GIT_SSL_CAINFO": files["bundle"]}, "pip": {"PIP_CERT": files["bundle"]}, "apt": {}}[name]

    def run(path, trusting=True):
        url = f"https://origin.example/{root}{path}"
        environment = {**published.ENVIRONMENT, **(given if trusting else {})}
        if name == "git":
            words = ["git", "clone", "-q", f"{url}/repo.git", str(target)]
        elif name == "pip":
            words = published.pip(f"{url}/simple/", target)
        else:
            lines = [f'Acquire::https::CAInfo "{files["bundle"]}";'] if trusting else []
            environment = published.apt(f"{url}/debian", str(target), *lines)
            words = ["sh", "-c", 'apt-get -o APT::Update::Error-Mode=any update && apt-get download weir-hello']
        done = world.run("pods", words, env=environment, cwd=tmp_path)
        return done

    def whole():
        if name == "git":
            with open(os.path.join(source, "file29"), "rb") as file:
                return (target / "file29").read_bytes() == file.read()
        if name == "pip":
            return "42" in (target / "weirwheel.py").read_text()
        return list(tmp_path.glob("weir-hello_1.0*.deb"))[0].read_bytes() == data

    folder = os.path.join(web.root, root)
    if name == "git":
        source = published.repository(folder, tmp_path)
    elif name == "pip":
        published.wheel(folder)
    else:
        data = published.archive(folder, tmp_path)
    run.root, run.whole = root, whole
    return run


TOOLS = pytest.mark.parametrize("tool", ["git", "pip", "apt"], indirect=True)


@TOOLS
def test_a_tool_fetches(gateway, resolver, tool):
    done = tool("")
    assert done.returncode == 0, done.stdout + done.stderr
    assert tool.whole()

    def recorded():
        sessions = [session for session in gateway.lines("sessions") if session.get("path", "").startswith("/" + tool.root)]
        return sessions if len(sessions) >= 2 else None
    sessions = until(recorded, what="records")
    assert {session["action"] for session in sessions} == {"allow"}
    assert {(session["tls"]["handling"], session["tls"]["sni"]) for session in sessions} == {("intercepted", "origin.example")}


@TOOLS
def test_a_tool_is_stopped(gateway, resolver, web, tool):
    done = tool(f"/{NUMBER.decode()}")
    assert done.returncode != 0 and "403" in done.stdout + done.stderr, done.stdout + done.stderr
    assert NUMBER.decode() not in web.log()
    assert NUMBER.decode() not in str(gateway.lines("sessions"))


@TOOLS
def test_a_tool_that_is_given_nothing_refuses(resolver, web, tool):
    done = tool("", trusting=False)
    assert done.returncode != 0 and "certificate" in (done.stdout + done.stderr).lower(), done.stdout + done.stderr
    assert tool.root not in web.log()


def test_a_push_is_stopped(world, gateway, resolver, outside, files, tmp_path):  # noqa: F811
    """git's smart protocol: what is pushed is read, and a branch by the name of the number is never heard of."""
    published.repository(tmp_path, tmp_path)
    bare, clone = str(tmp_path / "repo.git"), str(tmp_path / "clone")
    subprocess.run(["git", "-C", bare, "config", "http.receivepack", "true"], check=True)

    def git(*words):
        return world.run("pods", ["git", *words], env={**published.ENVIRONMENT, "GIT_SSL_CAINFO": files["bundle"]})

    server = over_tls(outside.server(outside.sign("origin.example", stem="smart")), published.smart(tmp_path))
    with Origin(world, 8443, handler=server) as origin:
        done = git("clone", "-q", "https://origin.example:8443/repo.git", clone)
        assert done.returncode == 0, done.stderr
        done = git("-C", clone, "push", "-q", "origin", "HEAD:refs/heads/fine")
        assert done.returncode == 0, done.stderr
        done = git("-C", clone, "push", "-q", "origin", f"HEAD:refs/heads/{NUMBER.decode()}")
        assert done.returncode != 0 and "403" in done.stderr, done.stderr
        assert NUMBER not in origin.received and b"refs/heads/fine" in origin.received
    branches = subprocess.run(["git", "-C", bare, "branch", "--format", "%(refname:short)"], capture_output=True, text=True)
    assert branches.stdout.split() == ["fine", "main"]
    session = gateway.sessions(path="/repo.git/git-receive-pack", status=403)[0]
    assert session["reason"] == "finding" and session["tls"]["handling"] == "intercepted"


@pytest.mark.skipif(shutil.which("update-ca-certificates") is None, reason="not a Debian")
@pytest.mark.parametrize("words", [
    [*CURL, "https://origin.example/1k"],
    ["wget", "-nv", "-O-", "https://origin.example/1k"],
    ["git", "ls-remote", "https://origin.example/repo.git"],
    ["/usr/bin/python3", os.path.join(PROGRAMS, "client.py"), "urllib", "https://origin.example/1k"],
    ["openssl", "s_client", "-brief", "-verify_return_error", "-verify_hostname", "origin.example", "-connect", "origin.example:443"],
], ids=lambda words: words[0].rpartition("/")[2])
def test_the_whole_system_trusts_it(world, gateway, resolver, web, files, tmp_path, words):
    """`update-ca-certificates` with folders of the test's own, which lie over /etc/ssl/certs where the client is."""
    if not shutil.which(words[0]):
        pytest.skip(f"{words[0]} is not installed")
    published.repository(web.root, tmp_path)
    local, certificates = tmp_path / "local", tmp_path / "certs"
    for folder in (local, certificates, tmp_path / "hooks"):
        folder.mkdir()
    shutil.copyfile(files["ca"], local / "weir.crt")
    done = subprocess.run(
        ["update-ca-certificates", "--localcertsdir", local, "--etccertsdir", certificates, "--hooksdir", tmp_path / "hooks"],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    over = 'mount --bind "$0" /etc/ssl/certs && exec "$@"'
    done = world.run("pods", ["sh", "-c", over, str(certificates), *words], env=published.ENVIRONMENT, input="")
    assert done.returncode == 0, done.stderr
    without = world.run("pods", words, env=published.ENVIRONMENT, input="")
    assert without.returncode != 0


def test_the_chain_as_it_is_served(world, gateway, resolver, web, files, tmp_path):
    """As strict as OpenSSL can be, which is what Java and Go ask for, and more."""
    done = world.run("pods", [
        "openssl", "s_client", "-connect", f"{ORIGIN}:443", "-servername", "origin.example", "-showcerts", "-CAfile", files["ca"],
        "-verify_return_error", "-verify_hostname", "origin.example", "-x509_strict", "-purpose", "sslserver"], input="")
    assert done.returncode == 0 and "Verify return code: 0 (ok)" in done.stdout, done.stdout + done.stderr
    served = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", done.stdout, re.DOTALL)
    leaf, rest = tmp_path / "leaf.pem", tmp_path / "rest.pem"
    leaf.write_text(served[0])
    rest.write_text("".join(served[1:]))
    # The root is what clients have: it does not travel with every handshake.
    untrusted = ["-untrusted", rest] if served[1:] else []
    words = ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-policy_check", "-purpose", "sslserver", "-auth_level", "2",
             "-verify_hostname", "origin.example", *untrusted, "-CAfile", files["ca"]]
    done = subprocess.run([*words, leaf], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([*words, "-verify_hostname", "www.origin.example", leaf], capture_output=True, text=True)
    assert done.returncode != 0


def test_each_client_is_known_by_its_fingerprint(gateway):
    """Programs on TLS stacks of their own have fingerprints of their own."""
    told = {session["path"]: session["tls"]["ja4"] for session in gateway.lines("sessions") if "path" in session}
    names = ["curl", "requests", *(name for name, tool in (("java", "javac"), ("go", "go"), ("node-http2", "node")) if shutil.which(tool))]
    marks = [told[f"/from/{name}"] for name in names if f"/from/{name}" in told]
    assert len(marks) == len(set(marks)) >= 2, told
