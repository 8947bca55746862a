"""What the evidence of the detectors shares: `weir scan --json` over texts, and what it found in which of them."""

import bisect
import json
import os
import subprocess
import tempfile

# Words count in the bytes before a match, 256 at most: texts stand further apart than that, so none speaks for the next.
GAP = "\n" * 300


class Finding:
    """One finding, its `start` and `end` in bytes of its text."""

    def __init__(self, line, start):
        self.sensor, self.rule, self.confidence = line["sensor"], line["rule"], line["confidence"]
        self.start, self.end = start, start + line["length"]
        self.match, self.decoded = line["match"], line["decoded"]

    def __repr__(self):
        return f"{self.rule} ({self.confidence}) {self.start}-{self.end}"


def weir():
    """The binary that is tested."""
    path = os.environ.get("WEIR")
    if not path:
        raise OSError("WEIR must be the path of a weir binary")
    return path


def lines(paths, sensors=(), config=None, jobs=1):
    """The objects that `weir scan` prints for files and directories."""
    words = [weir(), "scan", "--json", "--jobs", str(jobs)]
    for sensor in sensors:
        words += ["--sensor", sensor]
    if config:
        words += ["-c", config]
    done = subprocess.run([*words, *paths], capture_output=True, check=False, timeout=3600)
    if done.returncode > 1:
        raise OSError(done.stderr.decode(errors="replace"))
    return [json.loads(line) for line in done.stdout.splitlines()]


def findings(texts, sensors=(), config=None, gap=GAP):
    """For each text, what was found in it."""
    offsets, found = [], []
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "texts")
        with open(path, "wb") as file:
            offset = 0
            for text in texts:
                data = text.encode() + gap.encode()
                file.write(data)
                offsets.append(offset)
                found.append([])
                offset += len(data)
        for line in lines([path], sensors, config):
            at = bisect.bisect_right(offsets, line["raw_offset"]) - 1
            found[at].append(Finding(line, line["raw_offset"] - offsets[at]))
    return found
