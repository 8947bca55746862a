#!/usr/bin/python3
"""Writes conf/detectors/*.yaml into Sources/DLP/Detectors/ShippedDetectors.swift, without the vectors.

    Tests/Detectors/embed.py [ROOT]

So a binary far from its configuration has the detectors too. DetectorFileTests says when it must be run. Needs PyYAML.
"""

import sys
from pathlib import Path

import yaml

# The order of the files is that of the ready sensors in messages.
FILES = ["cards", "pii-us", "pii-fr", "pii-eu", "pii-world", "contact", "secrets", "keys"]

HEAD = '''\
/// The shipped detectors: conf/detectors/*.yaml without the vectors, so that a binary far from its configuration has them.
/// Made by Tests/Detectors/embed.py; a test holds the two equal.
enum ShippedDetectors {
    /// One detector a line: name, description, sensors, edges, validator, confidence, words, home domains, allowed values, patterns.
    private static let text = #"""
'''

TAIL = '''\
        """#

    static let all: [DetectorSpec] = text.split(separator: "\\n").compactMap { parse($0) }

    private static func parse(_ line: Substring) -> DetectorSpec? {
        let fields = parts(line, " ¦ ")
        guard fields.count == 10, let edges = DetectorSpec.Edges(rawValue: String(fields[3])),
            let confidence = Confidence.allCases.first(where: { $0.label == fields[5] })
        else { return nil }
        let context = parts(fields[6], "; ")
        var words: WordsSpec?
        if context.count == 3, let within = Int(context[0]),
            let raises = Confidence.allCases.first(where: { $0.label == context[1] })
        {
            words = WordsSpec(words: list(context[2], ", "), within: within, raises: raises)
        }
        return DetectorSpec(
            name: String(fields[0]), description: String(fields[1]), sensors: list(fields[2], ", "), edges: edges,
            patterns: list(fields[9], " ;; "), validator: fields[4] == "-" ? nil : String(fields[4]),
            confidence: confidence, context: words, homeDomains: list(fields[7], ", "), allow: list(fields[8], " ;; "))
    }

    /// `-` is an empty list.
    private static func list(_ field: Substring, _ separator: StaticString) -> [String] {
        field == "-" ? [] : parts(field, separator).map(String.init)
    }

    private static func parts(_ text: Substring, _ separator: StaticString) -> [Substring] {
        var parts: [Substring] = []
        var from = text.startIndex
        var at = from
        let length = separator.utf8CodeUnitCount
        let bytes = UnsafeBufferPointer(start: separator.utf8Start, count: length)
        while at < text.endIndex {
            if text.utf8[at...].starts(with: bytes) {
                parts.append(text[from..<at])
                at = text.utf8.index(at, offsetBy: length)
                from = at
            } else {
                at = text.utf8.index(after: at)
            }
        }
        return parts + [text[from...]]
    }
}
'''


def joined(items, separator):
    items = list(items)
    assert all(separator not in item for item in items), items
    return separator.join(items) or "-"


def line(detector):
    words = "-"
    if "context_words" in detector:
        within, raised = detector.get("context_within", 40), detector.get("context_confidence", "high")
        words = f"{within}; {raised}; " + joined(detector["context_words"], ", ")
    fields = [
        detector["name"], detector["description"], joined(detector.get("sensors", []), ", "), detector.get("edges", "token"),
        detector.get("validator", "-"), detector.get("confidence", "high"), words,
        joined(detector.get("home_domains", []), ", "), joined(detector.get("allow", []), " ;; "),
        joined(detector["patterns"], " ;; "),
    ]
    return "        " + joined(fields, " ¦ ") + "\n"


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
    lines = []
    for name in FILES:
        with open(root / "conf" / "detectors" / f"{name}.yaml", encoding="utf-8") as file:
            lines += [line(detector) for detector in yaml.safe_load(file)["detectors"]]
    target = root / "Sources" / "DLP" / "Detectors" / "ShippedDetectors.swift"
    target.write_text(HEAD + "".join(lines) + TAIL, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
