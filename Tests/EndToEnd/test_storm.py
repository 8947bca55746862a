"""Configuration changing faster than anyone would change it, under load: no request fails, nothing leaks."""

import re
import subprocess
import time

import pytest

from gateway import SSN_SENSOR
from net import until


def config(index):
    return SSN_SENSOR + f"""
services:
  - name: myapp.default
    mode: {("protect", "monitor")[index % 2]}
    sensors: {{nir: {("deny", "alert")[index % 2]}, credit-card: alert}}
    rules: [{{to: "host{index}.example", action: allow}}, {{to: any, action: allow}}]
"""


BROKEN = ["services: [{name: a, mode: loud}]\n", "{{{", "sensors: [{name: x, rules: [{name: y, patterns: [{regex: '('}]}]}]\n"]


def storm(world, gateway, reloads, seconds):
    wrk = subprocess.Popen(
        world.command("pods", ["wrk", "-t1", "-c32", f"-d{seconds + 2}s", "http://origin.example/1k"]),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(1)
    start = time.monotonic()
    for index in range(reloads):
        if index % 3 == 2:
            gateway.place(gateway.text(BROKEN[index // 3 % 3]))
        else:
            gateway.replace(config(index))
        gateway.command("reload", "--socket", "state/admin.sock", check=False)
        time.sleep(max(0, start + seconds * (index + 1) / reloads - time.monotonic()))
    try:
        said = wrk.communicate(timeout=30)[0]
    except subprocess.TimeoutExpired:
        # wrk never stops when it never got an answer.
        wrk.kill()
        raise AssertionError(f"no answer to wrk\n{gateway.admin('/status')[1]}\n{gateway.log()[-3000:]}") from None
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    return int(re.search(r"(\d+) requests in", said).group(1))


@pytest.mark.parametrize("reloads,seconds", [(100, 10), pytest.param(1000, 100, marks=pytest.mark.long)])
def test_a_storm_of_reloads(world, weir, nginx, reloads, seconds):
    gateway = weir(config(0))
    storm(world, gateway, 10, 2)
    time.sleep(0.5)
    before, descriptors = gateway.resident(), gateway.descriptors()
    generation = gateway.generation()
    recorded = gateway.count()
    total = storm(world, gateway, reloads, seconds)
    assert gateway.generation() > generation + reloads / 3
    until(lambda: gateway.count() >= recorded + total, timeout=10, what=f"records of {total} requests")
    time.sleep(1)
    assert gateway.resident() - before < 24_000, "old snapshots stay"
    assert gateway.descriptors() <= descriptors + 40
