"""Runs of the program whose pauses pass at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from local_aws import LocalAws
from tests.support.forks import TELLING, Forks, Running
from tests.support.program import Ran

__all__ = ["TELLING", "Nursery", "Running"]


class Nursery(Forks):
    """Starts runs by forking the fork server. A context manager; threads may share it.

    `clock` is the local AWS whose clock runs ahead while the program pauses.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], clock: LocalAws) -> None:
        super().__init__(folder, environment, f"{__package__}.ahead")
        self._clock = clock

    def start(self, *args: str | Path, in_real_time: bool = False) -> Running:
        """Starts the program with these arguments; its pauses pass at once, or `in_real_time`."""
        clock = None if in_real_time else (self._clock.port, self._clock.token)
        return self.fork(args, clock=clock)

    def run(self, *args: str | Path) -> Ran:
        """The same, and waits for its end."""
        return self.start(*args).end()
