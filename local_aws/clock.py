"""The one clock of the local AWS: states, lag, propagation and token buckets all read it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Wall time that tests can move forward instead of sleeping."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds since the epoch, plus what the clock was moved forward."""
        return time.time() + self._ahead

    def today(self) -> datetime:
        """The same as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    @property
    def ahead(self) -> float:
        """By how many seconds the clock was moved forward."""
        return self._ahead

    def set_back(self) -> None:
        """Makes it wall time again. Only for an empty account: what is there would come from the future."""
        self._ahead = 0.0

    def advance(self, seconds: float) -> None:
        """Moves the clock forward, never back. Raises ValueError for negative seconds."""
        if seconds < 0:
            raise ValueError("the clock only runs forward")
        self._ahead += seconds
