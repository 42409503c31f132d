"""A plan beside boto3 alone, in turn: importing, the time to the first byte that is sent, and all of it."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.compare import say
from bench.contenders import APPLY, PLAN, Contender, contender
from bench.process import run
from bench.world import Bench

# What each of them has imported when it has something to send.
IMPORTS = {
    "ours": "import provisioner.cli.app, provisioner.kinds, provisioner.spec, provisioner.aws.client",
    "floor": "import boto3, botocore.config",
}
# Python takes long to end with so much imported, which is no part of it.
AND_NO_MORE = "; import os; os._exit(0)"
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Paired:
    """One thing that was measured of both, `pairs` times in turn: medians, and those of the pairs' ratios."""

    what: str
    pairs: int
    ours_s: float
    floor_s: float
    ours_cpu_s: float
    floor_cpu_s: float
    ratio: float
    cpu_ratio: float


Measured = tuple[float, float]


def measure(bench: Bench, members: int, pairs: int) -> list[Paired]:
    """Applies, and measures all three, `pairs` times. Raises RuntimeError where something fails."""
    ours, floor = (contender(name, bench.url, members, bench.folder) for name in ("ours", "floor"))
    applied = run(ours.steps[APPLY], ours.env, ours.folder)
    if applied.code:
        raise RuntimeError(f"apply: exit code {applied.code}: {applied.last_lines}")
    with socket.create_server(("127.0.0.1", 0)) as ear:
        ear.settimeout(TIMEOUT_S)
        # To an address where nobody answers, as all that counts is when something comes.
        address = f"http://127.0.0.1:{ear.getsockname()[1]}"
        heard = {name: contender(name, address, members, bench.folder) for name in IMPORTS}
        ways: Mapping[str, Callable[[Contender], Measured]] = {
            "import": lambda tool: _whole((sys.executable, "-c", IMPORTS[tool.name] + AND_NO_MORE), tool),
            "first byte sent": lambda tool: _to_first_byte(heard[tool.name], ear),
            "whole plan": lambda tool: _whole(tool.steps[PLAN], tool),
        }
        return [_paired(what, way, ours, floor, pairs) for what, way in ways.items()]


def _paired(
    what: str, way: Callable[[Contender], Measured], ours: Contender, floor: Contender, pairs: int
) -> Paired:
    runs = [(way(ours), way(floor)) for _ in range(pairs + 1)][1:]  # the first one only warms up
    mine, bare = ([pair[side] for pair in runs] for side in (0, 1))
    found = Paired(
        what,
        pairs,
        *(statistics.median(run[part] for run in side) for part in (0, 1) for side in (mine, bare)),
        *(statistics.median(one[part] / other[part] for one, other in runs) for part in (0, 1)),
    )
    say(f"startup: {what}: {found.ratio:.2f} of boto3 alone, CPU {found.cpu_ratio:.2f}")
    return found


def _whole(command: Sequence[str], tool: Contender) -> Measured:
    ran = run(command, tool.env, tool.folder)
    if ran.code:
        raise RuntimeError(f"{tool.name}: exit code {ran.code}: {ran.last_lines}")
    return ran.seconds, ran.cpu_s


def _to_first_byte(tool: Contender, ear: socket.socket) -> Measured:
    """Until something is sent; then it is killed, and has used what it has used."""
    began = time.perf_counter()
    process = _started(tool.steps[PLAN], tool.env, tool.folder)
    try:
        connection, _ = ear.accept()
        with connection:
            connection.settimeout(TIMEOUT_S)
            connection.recv(1)
        seconds = time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    _forget_others(ear)
    return seconds, usage.ru_utime + usage.ru_stime


def _started(command: Sequence[str], env: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, cwd=folder, env=dict(env))


def _forget_others(ear: socket.socket) -> None:
    """Connections that were made beside the first one."""
    ear.settimeout(0.0)
    try:
        while True:
            ear.accept()[0].close()
    except BlockingIOError:
        ear.settimeout(TIMEOUT_S)
