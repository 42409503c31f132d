"""A clock that runs ahead of the machine's, by all that was not waited for.

Run as a program it is the fork server with such a clock: what takes `time.monotonic` for its clock when it is
imported has to be imported after it was replaced.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, tzinfo

_real = time.monotonic
_seconds = [0.0]


def monotonic() -> float:
    """Seconds, as `time.monotonic` has them, and those that were not waited for."""
    return _real() + _seconds[0]


def run_ahead(seconds: float) -> None:
    """So many seconds are not waited for."""
    _seconds[0] += seconds


class Datetime(datetime):
    """What the calendar says with them."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Datetime:
        return super().now(tz) + timedelta(seconds=_seconds[0])


def main() -> None:
    """The fork server."""
    time.monotonic = monotonic
    from tests.faults.fork_server import main as fork_server

    fork_server()


if __name__ == "__main__":
    # By its own name, so that there is one clock.
    from tests.faults.ahead import main as ahead

    ahead()
