"""What a program costs while it is driven: its processor time and memory, from /proc."""

import os
import pathlib
import re
import shutil
import subprocess

from net import GATEWAY_PODS

TICK = os.sysconf("SC_CLK_TCK")


class Subject:
    """One program that forwards, and where it is addressed: a port of the gateway, or the place its clients mean to reach."""

    def __init__(self, name, command, port, version, meant=None, explicit=False, ready=None):
        self.name, self.command, self.port, self.version = name, command, port, version
        self.meant, self.explicit = meant, explicit
        self.ready = ready or port  # it listens there when it has started
        self.process = None

    @property
    def transparent(self):
        return self.meant is not None

    @property
    def target(self):
        return self.meant or (GATEWAY_PODS, self.port)


def descendants(pid):
    """The process and all below it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry))
    found, queue = [], [pid]
    while queue:
        each = queue.pop()
        found.append(each)
        queue += children.get(each, [])
    return found


def cpu_ticks(pid):
    """utime + stime of the process and of all below it."""
    total = 0
    for each in descendants(pid):
        try:
            with open(f"/proc/{each}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total


def resident(pid):
    """KiB resident, of the process and of all below it."""
    total = 0
    for each in descendants(pid):
        try:
            with open(f"/proc/{each}/status") as file:
                total += int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
        except (OSError, AttributeError):
            continue
    return total


def machine_ticks():
    with open("/proc/stat") as file:
        fields = [int(value) for value in file.readline().split()[1:9]]
    return sum(fields) - fields[3] - fields[4]


class Cost:
    """`with Cost(process) as cost:` and then what one of so many requests cost."""

    def __init__(self, process):
        self.pid = process.pid

    def __enter__(self):
        self.machine, self.start = machine_ticks(), cpu_ticks(self.pid)
        return self

    def __exit__(self, *_):
        self.used, self.busy = cpu_ticks(self.pid) - self.start, machine_ticks() - self.machine

    def each(self, count, **more):
        return {"cpu": self.used * 1e6 / TICK / count, "machine": self.busy * 1e6 / TICK / count,
                "rss": resident(self.pid) / 1024, **more}


def version(program, option):
    if shutil.which(program) is None:
        return None
    done = subprocess.run([program, option], capture_output=True, text=True)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].replace(str(program), pathlib.Path(program).name).split(" - ")[0].strip() if lines else program
