"""Runs of the program as forks of a process that has imported it; they can be watched and signalled."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support.program import ROOT, Ran

TIMEOUT_S = 90.0
# Makes a run say on stderr where each of its threads is, if it has been asked to.
TELLING = signal.SIGUSR1


@dataclass(frozen=True)
class Running:
    """One run of the program."""

    pid: int
    folder: Path
    code: Future[int] = field(default_factory=Future)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self) -> Ran:
        """What it left behind, once it has ended. Nobody may ever get to see a traceback.

        One that does not end is killed, after it has said where each of its threads is.
        """
        try:
            code = self.code.result(TIMEOUT_S)
        except TimeoutError:
            self.signal(TELLING)
            time.sleep(1)
            self.signal(signal.SIGKILL)
            said = "".join((self.folder / name).read_text() for name in ("out", "err"))
            raise AssertionError(f"still running after {TIMEOUT_S:g} s\n{said}") from None
        out, err = ((self.folder / name).read_text() for name in ("out", "err"))
        assert "Traceback" not in err, err
        assert "Warning" not in err, err
        return Ran(code, out, err)


class Forks:
    """Starts runs by forking the fork server. A context manager; threads may share it."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], server: str = "tests.support.fork_server"
    ) -> None:
        self.environment = dict(environment)
        self._folder = folder
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._started: Future[int] = Future()
        self._ended: dict[int, Future[int]] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", server],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        assert self._process.wait(TIMEOUT_S) == 0
        assert self._process.stdout
        self._process.stdout.close()

    def fork(self, args: Sequence[str | Path], stdin: str = "", **more: Any) -> Running:
        """Starts the program with these arguments; `more` is for the fork server to know."""
        assert self._process.stdin
        with self._lock:
            folder = self._folder / f"run-{next(self._numbers)}"
            folder.mkdir()
            if stdin:
                (folder / "in").write_text(stdin)
            order = {"args": [str(argument) for argument in args], "folder": str(folder), **more}
            self._started = Future()
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            pid = self._started.result(TIMEOUT_S)
            return Running(pid, folder, self._ended[pid])

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            event: dict[str, Any] = json.loads(line)
            if "started" in event:
                self._ended[event["started"]] = Future()
                self._started.set_result(event["started"])
            else:
                self._ended[event["ended"]].set_result(event["code"])
