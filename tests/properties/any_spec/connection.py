"""What the program gets in place of a connection: time that jumps, and a record of all that was sent."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from provisioner.model import Identity


class Time(threading.Event):
    """A stop event for which waiting takes no time: what is waited for is now."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._turn = threading.Lock()

    def wait(self, timeout: float | None = None) -> bool:
        with self._turn:
            self.now += timeout or 0.0
        return self.is_set()

    def __call__(self) -> float:
        return self.now


Execute = Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]]


class Connection:
    """What the program gets as its AWS for one run: a Writer, which writes where it `may_write`."""

    def __init__(self, execute: Execute, may_write: bool = True) -> None:
        self._execute = execute
        self._may_write = may_write
        self._lock = threading.Lock()
        self._answers: list[tuple[str, dict[str, Any]]] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []

    @property
    def writes(self) -> list[str]:
        """The operations sent that write."""
        return [operation for operation, _ in self.sent if not is_reading(operation)]

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        assert is_reading(operation), f"{operation} while only reading is allowed"
        return self._do(service, operation, params)

    def send(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        assert self._may_write, f"{operation} while only reading is allowed"
        return self._do(service, operation, params)

    def _do(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.sent.append((operation, copy.deepcopy(dict(params))))
        answer = dict(self._execute(service, operation, params))
        if not is_reading(operation):
            with self._lock:
                self._answers.append((operation, answer))
        return answer

    def to_the_end(self) -> Connection:
        return self

    def in_region(self, region: str) -> Connection:
        """Other regions are empty; what is asked of them is not what these tests are about."""
        return Connection(lambda service, operation, params: {"Reservations": []}, may_write=False)

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        yield from self.call(service, operation, **params)[key]

    def answers(self, operation: str) -> list[dict[str, Any]]:
        with self._lock:
            return [answer for name, answer in self._answers if name == operation]

    def parallel(self, *reads: Callable[[], Any]) -> list[Any]:
        return [read() for read in reads]

    def now(self) -> datetime:
        return datetime.now(UTC)

    def identity(self) -> Identity:
        answer = self.call("sts", "GetCallerIdentity")
        return Identity.of_arn(answer["Arn"])


def is_reading(operation: str) -> bool:
    """Whether an operation only reads."""
    return operation.startswith(("Describe", "Get", "List"))
