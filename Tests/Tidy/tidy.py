#!/usr/bin/env python3
"""Style as a test: reads the sources and says where they leave the rules of the house.

    Tests/Tidy/tidy.py [--no-format] [ROOT]

Checks which module imports which, calls that are banned (with the reason beside each), the length of files and
functions, that every file says what it is for, that no file names somebody's home directory, and `swift format lint`.
Prints one `path:line: message` per problem and exits 1 if there is any. Needs Python 3.9 and nothing else.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, NamedTuple


class Problem(NamedTuple):
    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


# MARK: - The rules

# What each module may import, lowest first; an import points only at an earlier row. Everybody may import Bytes.
MODULES = {
    "Bytes": [],
    "OS": ["CLinux"],
    "Loop": ["OS", "CLinux"],  # CLinux for the layout of an epoll event
    "TLS": ["COpenSSL"],
    "HTTP": ["CNghttp2", "CCodecs"],
    "DNS": [],
    "Policy": [],
    "DLP": ["CPCRE2", "CCodecs", "COpenSSL", "CLinux"],  # CLinux for its SIMD masks, OpenSSL for keyed fingerprints
    "Upstream": ["OS", "Loop", "TLS", "DNS", "Policy"],
    "Record": ["OS"],
    "Config": ["Policy", "DLP", "TLS", "HTTP", "Record", "Yams", "CLinux"],  # CLinux for inotify
    "Gateway": ["OS", "Loop", "TLS", "HTTP", "DNS", "Policy", "DLP", "Upstream", "Record", "Config", "CLinux"],
    "weir": [
        "OS", "Loop", "TLS", "HTTP", "DNS", "Policy", "DLP", "Upstream", "Record", "Config", "Gateway", "ArgumentParser",
    ],
}

# They are values fed bytes: they hold no descriptor, clock or loop, and so can be tested and fuzzed as they are.
PURE = ["HTTP", "DNS", "Policy", "DLP", "TLS"]

# Part of the toolchain, free to all.
SYSTEM = ["Glibc", "Synchronization", "Swift"]

# They start more slowly, bring locks and threads of their own, and are kept off the data path.
FOUNDATION = ["Foundation", "FoundationEssentials"]
FOUNDATION_IN = ["Config", "weir"]


class Ban(NamedTuple):
    pattern: str
    reason: str
    # Modules in which it is allowed.
    besides: tuple = ()


BANS = [
    Ban(r"\btry!", "a failure must be handled, not trap"),
    Ban(r"\bas!", "a cast that fails must be handled, not trap"),
    Ban(r"\bfatalError\s*\(", "what the program guarantees is a `precondition` with a sentence; the rest is an error"),
    Ban(r"\b(?:debugPrint|print|dump)\s*\(", "only commands write to stdout; diagnostics go to the log", ("weir",)),
    Ban(r"\bThread\.sleep\b", "nobody sleeps: deadlines belong to the loop's timers"),
    # OS wraps the call for the loop, which lets events gather.
    Ban(r"(?<![.\w])(?:u|nano)?sleep\s*\(", "nobody sleeps: deadlines belong to the loop's timers", ("OS",)),
    Ban(r"\bClock\.sleep\b", "nobody sleeps: deadlines belong to the loop's timers", ("Loop",)),
    Ban(r"\bDispatch(?:Queue|Group|Semaphore)\b", "threads are the loops' and the control thread's, made in one place"),
    Ban(r"\bNS(?:Lock|RecursiveLock|Condition)\b", "use `Guarded`, which ThreadSanitizer follows and Foundation does not own"),
    Ban(r"\b(?:TODO|FIXME|XXX)\b", "unfinished work belongs into an issue"),
]
# The last one is about comments; the others are about code.
BANS_IN_COMMENTS = [BANS[-1]]

FILE_LINES_MAX = {"Sources": 400, "Tests": 800}
FUNCTION_LINES_MAX = {"Sources": 80, "Tests": 160}

# Files and functions (`path` or `path:name`) that are longer, with their length: a ratchet that only goes down. An
# entry that is no longer needed, or no longer as high, must be taken out or lowered.
LONGER: dict = {}

HOME = re.compile(r"/(?:home|Users)/[A-Za-z0-9_.-]+/|/roo[t]/")


# MARK: - Reading Swift

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<string>(?P<hashes>\#*)\"\"\".*?\"\"\"(?P=hashes)"""
    r"""|(?P<raw>\#+)"[^\n]*?"(?P=raw)"""
    r"""|"(?:\\\((?:[^()\n]|\((?:[^()\n]|\([^()\n]*\))*\))*\)|\\[^(\n]|[^"\\\n])*")""",
    re.DOTALL | re.VERBOSE,
)


def blank(text: str) -> str:
    """The text with all but its line breaks overwritten, so that offsets and line numbers stay."""
    return re.sub(r"[^\n]", " ", text)


def code_of(source: str) -> str:
    """The source without comments and without the contents of strings."""
    return TOKEN.sub(lambda match: blank(match.group()), source)


def comments_of(source: str) -> str:
    """The source with nothing but its comments."""
    kept, at = [], 0
    for match in TOKEN.finditer(source):
        if match.group("comment") is not None:
            kept.append(blank(source[at : match.start()]))
            kept.append(match.group())
            at = match.end()
    return "".join(kept) + blank(source[at:])


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


IMPORT = re.compile(
    r"^[ \t]*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?import\s+"
    r"(?:(?:struct|class|enum|func|protocol|typealias|var|let)\s+)?(\w+)",
    re.MULTILINE,
)
FUNCTION = re.compile(r"\b(?:func\s+([^\s(<]+)|(init)\b[?!]?\s*(?=[(<])|(deinit)\b|(subscript)\b)")
BODILESS = re.compile(r"\b(?:func|init|deinit|subscript|var|let|case|struct|class|enum|protocol|extension)\b|[;}]")


def functions(code: str) -> Iterator[tuple]:
    """Each function with a body, as its name, its first line and its number of lines."""
    for match in FUNCTION.finditer(code):
        # `self.init(…)` and `.init(…)` are calls.
        if code[: match.start()].rstrip().endswith("."):
            continue
        body = body_start(code, match.end())
        if body is None:
            continue
        depth, at = 0, body
        while at < len(code):
            depth += {"{": 1, "}": -1}.get(code[at], 0)
            if depth == 0:
                break
            at += 1
        first, last = line_of(code, match.start()), line_of(code, at)
        yield next(name for name in match.groups() if name), first, last - first + 1


def body_start(code: str, at: int):
    """Where the body begins, or nothing for a requirement of a protocol."""
    depth = 0
    while at < len(code):
        if code[at] in "([":
            depth += 1
        elif code[at] in ")]":
            depth -= 1
            if depth < 0:
                return None
        elif depth == 0:
            if code[at] == "{":
                return at
            if BODILESS.match(code, at) and not code[at - 1].isalnum():
                return None
        at += 1
    return None


# MARK: - Checks

def check_imports(path: str, module: str, code: str, arrows: dict) -> Iterator[Problem]:
    if module not in MODULES:
        yield Problem(path, 1, f"module {module} is not in the table of modules: say what it may import")
        return
    allowed = ["Bytes", *MODULES[module], *SYSTEM]
    for match in IMPORT.finditer(code):
        name, line = match.group(1), line_of(code, match.start(1))
        if name == module:
            yield Problem(path, line, f"{module} imports itself")
        elif name in FOUNDATION:
            if module not in FOUNDATION_IN:
                yield Problem(path, line, f"{name} may be imported by {' and '.join(FOUNDATION_IN)} only")
        elif module in PURE and name in ("OS", "Loop"):
            yield Problem(path, line, f"{module} is pure: it never sees a descriptor, a clock or a loop, so not {name}")
        elif name not in allowed:
            yield Problem(path, line, f"{module} may import {', '.join(allowed)}; not {name}")
        elif module in arrows and name not in SYSTEM and name not in arrows[module][1]:
            # It would build, or not, by the order in which the modules happen to be built.
            yield Problem(path, line, f"{name} is not among the dependencies of {module} in Package.swift")


def check_bans(path: str, module: str, code: str, comments: str) -> Iterator[Problem]:
    for ban in BANS:
        if module in ban.besides:
            continue
        text = comments if ban in BANS_IN_COMMENTS else code
        for match in re.finditer(ban.pattern, text):
            # A file may have a function of its own by that name.
            name = re.match(r"\w*", match.group()).group()
            if name and re.search(rf"\bfunc\s+{name}\b", code):
                continue
            yield Problem(path, line_of(text, match.start()), f"`{match.group().strip()}`: {ban.reason}")


def check_unchecked(path: str, code: str, source: str) -> Iterator[Problem]:
    """Who goes past the compiler says why that is sound."""
    lines = source.splitlines()
    for match in re.finditer(r"@unchecked\s+Sendable|\bnonisolated\(unsafe\)", code):
        line = line_of(code, match.start())
        above = "\n".join(text for text in lines[max(0, line - 16) : line] if "//" in text)
        if "//" not in above:
            yield Problem(path, line, f"`{match.group()}` needs a comment above it that says why it is sound")


def check_lengths(root: str, path: str, code: str, used: set) -> Iterator[Problem]:
    def excess(key: str, line: int, count: int, most: int, what: str) -> Iterator[Problem]:
        if key in LONGER:
            used.add(key)
            if count <= most:
                yield Problem(path, line, f"{what} has shrunk to {count} lines: take `{key}` out of the ratchet")
                return
            most = LONGER[key]
            if count < most:
                yield Problem(path, line, f"{what} has shrunk to {count} lines: lower `{key}` in the ratchet")
        if count > most:
            yield Problem(path, line, f"{what} has {count} lines, {most} are the most: find the idea that splits it")

    yield from excess(path, 1, code.count("\n"), FILE_LINES_MAX[root], "the file")
    for name, line, count in functions(code):
        yield from excess(f"{path}:{name}", line, count, FUNCTION_LINES_MAX[root], f"`{name}`")


def check_opening(path: str, source: str) -> Iterator[Problem]:
    """After its imports a file says what it is for.

    An extension of another file's type may say it on its first member, and a command says it in its `abstract`.
    """
    if re.search(r"\bCommandConfiguration\(\s*abstract:", source):
        return
    for number, line in enumerate(source.splitlines(), 1):
        if not line.strip() or IMPORT.match(line) or line.startswith(("#if", "extension ")):
            continue
        if not line.lstrip().startswith("//"):
            yield Problem(path, number, "a file opens with a sentence that says what it is for, after its imports")
        return


def package_arrows(root: Path) -> dict:
    """What Package.swift lets each module depend on, with the line where it says so."""
    manifest = root / "Package.swift"
    if not manifest.exists():
        return {}
    text = manifest.read_text(encoding="utf-8")
    arrows = {}
    declared = re.compile(
        r'\b(?:module\(\s*|executableTarget\(\s*name:\s*)"(\w+)",\s*(?:dependencies:\s*)?\[(.*?)\]', re.DOTALL)
    for match in declared.finditer(text):
        # Other programs than the product, such as fuzz targets, may depend on what they test.
        if match.group().startswith("executableTarget") and match.group(1) not in MODULES:
            continue
        listed = re.sub(r'\.product\(name:\s*("\w+")[^)]*\)', r"\1", match.group(2))
        arrows[match.group(1)] = (line_of(text, match.start()), re.findall(r'"(\w+)"', listed))
    return arrows


def check_package(arrows: dict) -> Iterator[Problem]:
    """The arrows of the package are those of the table."""
    for name, (line, dependencies) in arrows.items():
        if name not in MODULES:
            yield Problem("Package.swift", line, f"module {name} is not in the table of modules")
            continue
        for dependency in dependencies:
            if dependency != "Bytes" and dependency not in MODULES[name]:
                yield Problem("Package.swift", line, f"{name} may not depend on {dependency}")


def check_homes(root: Path) -> Iterator[Problem]:
    """What is checked in works in every clone."""
    for path in tracked(root):
        try:
            text = (root / path).read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        for match in HOME.finditer(text):
            yield Problem(path, line_of(text, match.start()), f"`{match.group()}` is a directory of one machine only")


def tracked(root: Path) -> list:
    """The files that are, or are about to be, in the repository; without git, all."""
    answer = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=False)
    if answer.returncode == 0:
        return [path for path in answer.stdout.split("\0") if path and (root / path).is_file()]
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


def check_format(root: Path) -> Iterator[Problem]:
    targets = [name for name in ("Package.swift", "Sources", "Tests") if (root / name).exists()]
    try:
        answer = subprocess.run(
            ["swift", "format", "lint", "--strict", "--parallel", "--recursive", *targets],
            cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        yield Problem(".", 0, "`swift` was not found: install a toolchain, or skip its formatter with --no-format")
        return
    found = False
    for match in re.finditer(r"^(.+?):(\d+):\d+: (?:error|warning): (.*)$", answer.stdout + answer.stderr, re.MULTILINE):
        found = True
        path = Path(match.group(1))
        shown = path.relative_to(root) if path.is_relative_to(root) else path
        yield Problem(str(shown), int(match.group(2)), match.group(3))
    if answer.returncode != 0 and not found:
        yield Problem(".", 0, f"swift format lint failed: {answer.stderr.strip()}")


# MARK: - All of it

def tidy(root: Path, formats: bool = True) -> list:
    """Every problem in the repository at `root`, by path and line."""
    problems, used, arrows = [], set(), package_arrows(root)
    for path in sorted(tracked(root)):
        parts = Path(path).parts
        if not path.endswith(".swift") or parts[0] not in FILE_LINES_MAX:
            continue
        source = (root / path).read_text(encoding="utf-8")
        code, comments = code_of(source), comments_of(source)
        problems += check_lengths(parts[0], path, code, used)
        if parts[0] == "Sources" and len(parts) > 2:
            problems += check_imports(path, parts[1], code, arrows)
            problems += check_bans(path, parts[1], code, comments)
            problems += check_unchecked(path, code, source)
            problems += check_opening(path, source)
    for key in sorted(LONGER.keys() - used):
        problems.append(Problem(key.split(":")[0], 1, f"`{key}` is gone: take it out of the ratchet"))
    problems += check_package(arrows)
    problems += check_homes(root)
    if formats:
        problems += check_format(root)
    return sorted(problems)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", nargs="?", default=Path(__file__).resolve().parents[2], type=Path)
    parser.add_argument("--no-format", action="store_true", help="leave out swift format lint")
    options = parser.parse_args()
    problems = tidy(options.root.resolve(), not options.no_format)
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problems", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
