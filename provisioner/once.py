"""What many threads ask for is made once, and whoever comes meanwhile waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Once:
    """Remembers what was made for each key. An error is remembered as well, and raised to all who ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[Hashable, Future[Any]] = {}

    def __len__(self) -> int:
        """How many keys were asked for."""
        return len(self._made)

    def clear(self) -> None:
        """Forget all of it."""
        self._made.clear()

    def __call__(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made for the key, made now by the first who asks. Raises what `make` raises."""
        with self._lock:
            first = key not in self._made
            made: Future[T] = self._made.setdefault(key, Future())
        if first:
            try:
                made.set_result(make())
            except BaseException as error:  # noqa: BLE001  whoever waits has to hear of it, whatever it is
                made.set_exception(error)
        return made.result()
