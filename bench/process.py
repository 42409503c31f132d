"""Runs one command to its end: seconds, CPU, memory, exit code. Linux only: memory is read from /proc."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOW_OFTEN_S = 0.05
# Adding up shared pages fairly costs the kernel some milliseconds for a large process.
HOW_OFTEN_TREE_S = 0.25


@dataclass(frozen=True)
class Ran:
    """One run. `cpu_s` and `peak_mb` are of the process and all that it started."""

    seconds: float
    cpu_s: float
    peak_mb: float
    code: int
    output: str

    @property
    def last_lines(self) -> str:
        return " | ".join([text.strip() for text in self.output.splitlines() if text.strip()][-3:])


def run(command: Sequence[str], env: Mapping[str, str], folder: Path, timeout_s: float = 1200.0) -> Ran:
    """Runs a command with nothing but `env` and the search path; past `timeout_s` it is killed."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(env),
            start_new_session=True,
        )
        watch = _Memory(process.pid)
        killer = threading.Timer(timeout_s, os.killpg, (process.pid, signal.SIGKILL))
        killer.start()
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        peak_kb = watch.end()
        output.seek(0)
        text = output.read().decode(errors="replace")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Ran(seconds, cpu_s, peak_kb / 1024, process.returncode, text)


class _Memory(threading.Thread):
    """Watches a process and its descendants: the first one's own peak, and what all hold at a time.

    Not ru_maxrss: a child inherits there what its parent, this program, had.
    """

    def __init__(self, leader: int) -> None:
        super().__init__(daemon=True)
        self._leader = leader
        self._over = threading.Event()
        self._peak_kb = 0

    def run(self) -> None:
        tree_at = time.monotonic() + HOW_OFTEN_TREE_S
        while not self._over.wait(HOW_OFTEN_S):
            self._peak_kb = max(self._peak_kb, peak_kb(self._leader))
            if time.monotonic() >= tree_at:
                held = sum(_field(pid, "smaps_rollup", "Pss:") for pid in _with_descendants(self._leader))
                self._peak_kb = max(self._peak_kb, held)
                tree_at = time.monotonic() + HOW_OFTEN_TREE_S

    def end(self) -> int:
        self._over.set()
        self.join()
        return self._peak_kb


def peak_kb(pid: int) -> int:
    """The most memory that a process had so far; 0 when it is gone."""
    return _field(pid, "status", "VmHWM:")


def _with_descendants(leader: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                # After the name in parentheses: state, parent.
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [leader]
    for pid in found:  # grows while it is walked
        found += children.get(pid, ())
    return found


def _field(pid: int, file: str, name: str) -> int:
    try:
        for text in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if text.startswith(name):
                return int(text.split()[1])
    except OSError:
        pass
    return 0
