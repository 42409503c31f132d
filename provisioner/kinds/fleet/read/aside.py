"""Reads that only tell early what AWS would refuse: begun beside all others, and hardly waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")

# How long what only advises may hold a plan up once everything else is there: a plan takes a second.
GRACE_S = 0.015
TOO_LATE = "AWS has not answered in time"


class Aside(Generic[T]):
    """A read under way in the background."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._done: Future[T] = Future()
        threading.Thread(target=self._run, args=(read,), daemon=True).start()

    def result(self, seconds: float | None) -> T:
        """What it gave, or raised, waited for so long at most; None: as long as it takes.

        Raises TimeoutError when it is late.
        """
        return self._done.result(seconds)

    def _run(self, read: Callable[[], T]) -> None:
        try:
            self._done.set_result(read())
        except BaseException as error:  # noqa: BLE001  whoever waits hears of it, whatever it is
            self._done.set_exception(error)
