"""Signals that are heard at once, whatever the main thread is at."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

# How long the end waits for what the last signal still causes.
_MAX_S_TO_END = 1.0


@contextmanager
def heard(
    numbers: Collection[int],
    tell: Callable[[int], None],
    ignored: Callable[[], Collection[int]] = lambda: (),
) -> Iterator[None]:
    """Calls `tell` with each of these signals, as `hear` does, until the end. `ignored` says then which of
    them are to be ignored from then on."""
    end = hear(numbers, tell)
    try:
        yield
    finally:
        end(ignored)


def hear(
    numbers: Collection[int], tell: Callable[[int], None]
) -> Callable[[Callable[[], Collection[int]]], None]:
    """Calls `tell` with each of these signals from now on, in a thread of its own. Returns what ends that,
    which is given what says then which of them are to be ignored from then on.

    For the main thread. Python runs a handler there, between two of its steps. A main thread that waits for a
    lock is not always woken, and the signal would be heard when the wait is over, which may be minutes later.
    A wakeup descriptor is written to when the signal arrives.
    https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def listen() -> None:
        # Signals that others have a handler for are told here as well.
        while number := os.read(reading, 1)[0]:
            if number in numbers:
                tell(number)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    descriptor = signal.set_wakeup_fd(writing)
    handlers = {number: signal.signal(number, lambda *_: None) for number in numbers}

    def end(ignored: Callable[[], Collection[int]]) -> None:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_IGN if number in ignored() else handler)
        signal.set_wakeup_fd(descriptor)
        os.write(writing, b"\0")
        listener.join(_MAX_S_TO_END)
        # The last one may have been told only now.
        for number in ignored():
            signal.signal(number, signal.SIG_IGN)
        os.close(writing)
        if not listener.is_alive():
            os.close(reading)

    return end
