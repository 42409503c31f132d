"""Work that ends in time, whatever it waits for: a name server, a connection, an answer byte by byte."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

_here = threading.local()


class TooLate(Exception):
    """Not done within its seconds. Whoever does it was told to give up, and nobody waits for it any more."""


def run_within(
    seconds: float,
    work: Callable[[], T],
    notice_after: float | None = None,
    notice: Callable[[], None] = lambda: None,
    once_begun: float | None = None,
) -> T:
    """What `work` returns or raises; TooLate after so many seconds, or after `once_begun` in all where it has
    said by then that an answer has begun.

    It runs in a thread of its own: neither a socket nor a resolver has a limit for all that it does together.
    `notice` is called once if `notice_after` seconds have passed before it is done or an answer has begun.
    """
    done: Future[T] = Future()
    given_up, begun = threading.Event(), threading.Event()
    ends = time.monotonic() + (once_begun or seconds)

    def run() -> None:
        _here.given_up, _here.begun = given_up, begun
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  whoever waits has to hear of it, whatever it is
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=run, daemon=True).start()
    try:
        if notice_after is not None and notice_after < seconds and not _is_over(done, notice_after):
            seconds -= notice_after
            if not begun.is_set():
                notice()
        if not _is_over(done, seconds) and not (
            begun.is_set() and _is_over(done, max(0.0, ends - time.monotonic()))
        ):
            raise TooLate
    finally:
        given_up.set()
    return done.result()


def say_begun() -> None:
    """What this thread waits for has begun to come."""
    begun: threading.Event | None = getattr(_here, "begun", None)
    if begun is not None:
        begun.set()


def has_given_up() -> bool:
    """Whether nobody waits any more for what this thread does."""
    given_up: threading.Event | None = getattr(_here, "given_up", None)
    return given_up is not None and given_up.is_set()


def _is_over(done: Future[T], seconds: float) -> bool:
    try:
        done.exception(seconds)
    except TimeoutError:
        return False
    return True
