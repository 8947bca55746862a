#!/usr/bin/env python3
"""Plants each mistake in a small repository and expects `tidy.py` to find it, and nothing else."""

import tempfile
import unittest
from pathlib import Path

import tidy

OPENING = "/// What this is for.\n"


class TidyTest(unittest.TestCase):
    def problems(self, files: dict) -> list:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
            return tidy.tidy(root, formats=False)

    def expect(self, path: str, text: str, *expected: tuple) -> None:
        """Each expectation is a line and a part of the message."""
        found = self.problems({path: text})
        self.assertEqual([problem.line for problem in found], [line for line, _ in expected], found)
        for problem, (_, part) in zip(found, expected):
            self.assertIn(part, problem.message)

    def test_imports(self):
        self.expect("Sources/HTTP/A.swift", "import Bytes\nimport CNghttp2\nimport Glibc\n\n" + OPENING)
        self.expect("Sources/HTTP/A.swift", "import Loop\n" + OPENING, (1, "HTTP is pure"))
        self.expect("Sources/Policy/A.swift", "import Bytes\n@preconcurrency import DLP\n" + OPENING, (2, "not DLP"))
        self.expect("Sources/Loop/A.swift", "public import struct TLS.Name\n" + OPENING, (1, "not TLS"))
        self.expect("Sources/DNS/A.swift", "import Foundation\n" + OPENING, (1, "Foundation may be imported by Config"))
        self.expect("Sources/Config/A.swift", "import Foundation\nimport Yams\n" + OPENING)
        self.expect("Sources/Novel/A.swift", OPENING, (1, "not in the table"))
        self.expect("Sources/OS/A.swift", "// import Gateway\n" + OPENING + 'let a = """\nimport Gateway\n"""\n')

    def test_package(self):
        package = """
            module("HTTP", ["Bytes", "OS"]),
            module(
                "Config", ["Bytes", "Policy", .product(name: "Yams", package: "Yams")]),
            .executableTarget(name: "weir", dependencies: ["Gateway"], swiftSettings: house),
            """
        sources = {
            "Sources/Config/A.swift": "import Policy\nimport DLP\nimport Yams\nimport Glibc\n" + OPENING,
            "Sources/weir/A.swift": "import Gateway\nimport Bytes\n" + OPENING,
        }
        found = self.problems({"Package.swift": package, **sources})
        self.assertEqual(
            [str(problem) for problem in found],
            [
                "Package.swift:2: HTTP may not depend on OS",
                "Sources/Config/A.swift:2: DLP is not among the dependencies of Config in Package.swift",
                "Sources/weir/A.swift:2: Bytes is not among the dependencies of weir in Package.swift",
            ])

    def test_bans(self):
        for call in ["try! f()", "x as! Int", 'fatalError("x")', "print(1)", "usleep(3)", "Thread.sleep(1)", "sleep(1)", "NSLock()"]:
            self.expect("Sources/Loop/A.swift", OPENING + f"let a = {call}\n", (2, ":"))
        for call in ["// try! f()", '"try! f()"', "a.sleep(1)", "blueprint(1)", "func print(_ a: Int) {}; print(1)",
                     'm("\\(f("x")) try!")']:
            self.expect("Sources/OS/A.swift", OPENING + f"{call}\n")
        self.expect("Sources/weir/A.swift", OPENING + "print(1)\n")
        self.expect("Sources/OS/A.swift", OPENING + "// TO" + "DO: later\n", (2, "issue"))
        self.expect("Sources/OS/A.swift", "\n" * 20 + OPENING)

    def test_unchecked(self):
        text = "\n" * 20 + "final class A: @unchecked Sendable {}\n"
        self.expect("Sources/OS/A.swift", OPENING + text, (22, "says why"))
        self.expect("Sources/OS/A.swift", OPENING + "/// Sound, as one thread writes.\nfinal class A: @unchecked Sendable {}\n")

    def test_lengths(self):
        self.expect("Sources/OS/A.swift", OPENING + "\n" * 399)
        self.expect("Sources/OS/A.swift", OPENING + "\n" * 400, (1, "401 lines"))
        for head in ["func f() {", "init(a: Int = { 1 }()) {", "deinit {", "func f<T>(_ a: T) -> [Int]\nwhere T: P {"]:
            lines = head.count("\n") + 2
            self.expect("Sources/OS/A.swift", OPENING + head + "\n" * (80 - lines) + "\n}\n")
            self.expect("Sources/OS/A.swift", OPENING + head + "\n" * (81 - lines) + "\n}\n", (2, "81 lines"))
        protocol = "protocol P {\n    func f()\n    init()\n}\nstruct S {" + "\n" * 100 + "}\n"
        self.expect("Sources/OS/A.swift", OPENING + protocol)

    def test_ratchet(self):
        path = "Sources/OS/A.swift"
        try:
            tidy.LONGER[path] = 410
            self.expect(path, OPENING + "\n" * 409)
            self.expect(path, OPENING + "\n" * 410, (1, "411 lines"))
            self.expect(path, OPENING + "\n" * 405, (1, "lower"))
            self.expect(path, OPENING, (1, "take"))
            self.expect("Sources/OS/B.swift", OPENING, (1, "is gone"))
        finally:
            tidy.LONGER.clear()

    def test_opening(self):
        self.expect("Sources/OS/A.swift", "import Bytes\n\nlet a = 1\n", (3, "what it is for"))
        self.expect("Sources/OS/A.swift", "extension B {\n    /// What this is for.\n}\n")
        self.expect("Sources/OS/A.swift", "extension B {\n    let a = 1\n}\n", (2, "what it is for"))

    def test_homes(self):
        for directory in ["/home/" + "somebody/x", "/ro" + "ot/.cache", "/Users/" + "somebody/x"]:
            self.expect("README.md", f"see {directory}\n", (1, "one machine"))
        self.expect("README.md", "see https://example.com/users/home and ~/x\n")


if __name__ == "__main__":
    unittest.main()
