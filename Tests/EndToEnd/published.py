"""What an origin publishes for git, pip and apt: put into the folder that an nginx serves."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile

from peers import answer

# Nothing of the machine's own configuration, and no proxy of its environment, is to have a part in a test.
_OTHERS = re.compile(r".*_proxy|.*_ca_bundle|pip_.*|ssl_cert.*|git_ssl.*|grpc_.*|node_.*|java_tool_options", re.IGNORECASE)
ENVIRONMENT = {name: value for name, value in os.environ.items() if not _OTHERS.fullmatch(name)}
ENVIRONMENT.update(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0", PIP_CONFIG_FILE="/dev/null")


def repository(root, folder):
    """A repository with 30 commits at `/repo.git`, over git's dumb protocol: the folder of its work tree."""
    source, bare = os.path.join(folder, "source"), os.path.join(root, "repo.git")
    environment = dict(ENVIRONMENT, GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b.c", GIT_COMMITTER_NAME="a",
                       GIT_COMMITTER_EMAIL="a@b.c")

    def git(*words, where=source):
        subprocess.run(["git", *words], cwd=where, check=True, capture_output=True, env=environment)
    os.makedirs(source)
    git("init", "-q", "-b", "main")
    for index in range(30):
        with open(os.path.join(source, f"file{index}"), "wb") as file:
            file.write(os.urandom(20_000))
        git("add", ".")
        git("commit", "-q", "-m", f"number {index}")
    shutil.rmtree(bare, ignore_errors=True)
    git("clone", "-q", "--bare", source, bare, where=folder)
    git("update-server-info", where=bare)
    return source


def smart(root):
    """A handler of `Origin` that has git-http-backend answer for the repositories below a folder, as CGI (RFC 3875)."""
    def handler(conversation):
        while asked := conversation.read_request():
            head, body = asked
            first, *lines = head.decode().split("\r\n")
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            path, _, query = first.split()[1].partition("?")
            done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env={
                **ENVIRONMENT, "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "a",
                "REQUEST_METHOD": first.split()[0], "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_LENGTH": str(len(body)),
                "CONTENT_TYPE": fields.get("content-type", ""), "HTTP_CONTENT_ENCODING": fields.get("content-encoding", ""),
                "GIT_PROTOCOL": fields.get("git-protocol", "")})
            said, _, content = done.stdout.partition(b"\r\n\r\n")
            status = re.search(rb"^Status: (.*?)\r?$", said, re.MULTILINE)
            kind = re.search(rb"^Content-Type: (.*?)\r?$", said, re.MULTILINE)
            conversation.send(answer(content, status[1] if status else b"200 OK", b"content-type: %s\r\n" % kind[1] if kind else b""))
    return handler


def wheel(root):
    """The package `weirwheel` in an index at `/simple/`."""
    folder = os.path.join(root, "simple/weirwheel")
    os.makedirs(folder, exist_ok=True)
    name = "weirwheel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        archive.writestr("weirwheel.py", "VALUE = 42\n")
        archive.writestr("weirwheel-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: weirwheel\nVersion: 1.0\n")
        archive.writestr("weirwheel-1.0.dist-info/WHEEL",
                         "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("weirwheel-1.0.dist-info/RECORD", "")
    with open(os.path.join(folder, "index.html"), "w") as file:
        file.write(f'<html><body><a href="{name}">{name}</a></body></html>')


def pip(url, target):
    """The words that install `weirwheel` from the index at a URL."""
    return [sys.executable, "-m", "pip", "install", "-vv", "--disable-pip-version-check", "--no-deps", "--no-cache-dir",
            "--retries", "0", "--index-url", url, "--target", str(target), "weirwheel"]


def archive(root, folder):
    """The package `weir-hello` of half a megabyte in a flat archive at `/debian`: the bytes of its file."""
    about = "Package: weir-hello\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: hello\n"
    package = os.path.join(folder, "package")
    os.makedirs(os.path.join(package, "DEBIAN"))
    with open(os.path.join(package, "DEBIAN/control"), "w") as file:
        file.write(about)
    os.makedirs(os.path.join(package, "usr/share/weir-hello"))
    with open(os.path.join(package, "usr/share/weir-hello/data"), "wb") as file:
        file.write(os.urandom(500_000))
    name = "weir-hello_1.0_all.deb"
    os.makedirs(os.path.join(root, "debian"), exist_ok=True)
    deb = os.path.join(root, "debian", name)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", package, deb], check=True, capture_output=True)
    with open(deb, "rb") as file:
        data = file.read()
    with open(os.path.join(root, "debian/Packages"), "w") as file:
        file.write(about + f"Filename: ./{name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n")
    return data


def apt(url, folder, *lines):
    """The environment of an apt-get whose only archive is the one at a URL, with these lines in its configuration."""
    state = os.path.join(folder, "apt")
    for name in ("lists/partial", "archives/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d"):
        os.makedirs(os.path.join(state, name))
    path = os.path.join(state, "apt.conf")
    texts = {
        os.path.join(state, "status"): "",
        os.path.join(state, "sources.list"): f"deb [trusted=yes] {url} ./\n",
        path: f'Dir::State "{state}"; Dir::State::status "{state}/status"; Dir::State::lists "{state}/lists";\n'
              f'Dir::Cache "{state}"; Dir::Etc "{state}/etc"; Dir::Etc::sourcelist "{state}/sources.list";\n'
              f'Dir::Etc::sourceparts "-"; APT::Sandbox::User ""; Acquire::Languages "none"; Acquire::Retries "0";\n'
              + "".join(line + "\n" for line in lines),
    }
    for name, text in texts.items():
        with open(name, "w") as file:
            file.write(text)
    return dict(ENVIRONMENT, APT_CONFIG=path)
