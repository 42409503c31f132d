"""A record of the calls that the local AWS has answered."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEPT = 100_000


@dataclass(frozen=True)
class CallRecord:
    """One call. `status` is the HTTP status, 0 where the connection was dropped; `error` the AWS error code,
    or `drop_request` or `drop_reply`, or empty; `started` in seconds since the epoch."""

    number: int
    service: str
    operation: str
    region: str
    digest: str
    status: int
    error: str
    duration_ms: float
    started: float
    dry_run: bool = False
    account: str = ""


def digest(params: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that are equal for equal parameters, whatever their order."""
    text = json.dumps(params, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Record:
    """Calls in the order in which they were answered; the oldest are forgotten beyond `KEPT`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[CallRecord] = []
        self._number = 0

    def add(self, **values: Any) -> None:
        """Appends a call, given by the fields of CallRecord without its number."""
        with self._lock:
            self._number += 1
            self._calls.append(CallRecord(number=self._number, **values))
            if len(self._calls) > KEPT:
                del self._calls[: KEPT // 10]

    def calls(self) -> list[CallRecord]:
        """All calls kept, oldest first."""
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        """Forgets all calls and starts numbering from 1."""
        with self._lock:
            self._calls.clear()
            self._number = 0
