"""Killing a run at one of its requests: as `kill -9` does, without a chance to clean up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import StrEnum

from tests.faults.runs import Nursery, Running
from tests.faults.wire import Cut, Reply, Request, Send, Wire

At = Callable[[Request], bool]


def at(operation: str, nth: int = 1) -> At:
    """Whether a request is the first, or another one, of an operation."""
    return lambda request: (request.operation, request.nth) == (operation, nth)


def at_number(number: int) -> At:
    """Whether a request is the first, or another one, of the whole run."""
    return lambda request: request.number == number


def at_write(number: int) -> At:
    """Whether a request is the first, or another one, of those that are to change something."""
    return lambda request: not request.is_reading and request.writes == number


class Side(StrEnum):
    """Where along its way a request is when its sender dies."""

    BEFORE = "before it is sent"
    AFTER = "executed, reply not read"


class Killing:
    """Kills the run at the first request that `at` says yes to; nothing that it sends later arrives."""

    def __init__(self, side: Side, at: At) -> None:
        self._side = side
        self._at = at
        self._lock = threading.Lock()
        self.victim: Future[Running] = Future()
        self.killed_at: Request | None = None

    def __call__(self, request: Request, send: Send) -> Reply:
        if self.killed_at:
            raise Cut
        if self._side is Side.BEFORE and self._at(request):
            self._kill(request)
        reply = send()
        if self._side is Side.AFTER and self._at(request):
            self._kill(request)
        return reply

    def _kill(self, request: Request) -> None:
        with self._lock:
            if not self.killed_at:
                self.killed_at = request
                self.victim.result().signal(signal.SIGKILL)
        raise Cut


def run_and_kill(nursery: Nursery, wire: Wire, side: Side, at: At, *args: str) -> Request | None:
    """Runs the program and kills it; says at which request, or None: it ended, well, before any was hit."""
    killing = Killing(side, at)
    wire.put(killing)
    running = nursery.start(*args)
    killing.victim.set_result(running)
    ran = running.end()
    wire.put()
    assert ran.code == (-signal.SIGKILL if killing.killed_at else 0), ran.said
    return killing.killed_at
