"""Calls of many changes that differ only in the instances that they name, sent as one.

TerminateInstances takes a thousand ids, and five calls a second once its bucket is empty:
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html. An instance that may not be
terminated fails the whole call, though others are terminated all the same. So who is refused with others
asks alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from provisioner.errors import AwsError

# The parameter that has the ids, by operation, and how many ids one call takes.
JOINT = {"TerminateInstances": "InstanceIds"}
MAX_IDS = 1000
# For how long the first waits for the others.
LINGER_S = 0.2

Send = Callable[..., dict[str, Any]]


class JointCalls:
    """Sends calls for many threads. `expected` is how many of each operation are about to be sent."""

    def __init__(self, send: Send, expected: Mapping[str, int]) -> None:
        self._send = send
        self._expected = expected
        self._lock = threading.Lock()
        self._open: dict[str, _Batch] = {}

    def send(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a call, or to one that others have joined. Raises what sending it raises."""
        name = JOINT.get(operation)
        if name is None or params.keys() != {name} or self._expected.get(operation, 0) < 2:
            return self._send(service, operation, **params)
        ids = list(params[name])
        with self._lock:
            batch = self._open.get(operation)
            is_first = batch is None or len(batch.ids) + len(ids) > MAX_IDS
            if batch is None or is_first:
                batch = self._open[operation] = _Batch()
            batch.ids += ids
            batch.joined += 1
            if batch.joined >= self._expected[operation]:
                batch.is_full.set()
        if is_first:
            batch.is_full.wait(LINGER_S)
            with self._lock:
                if self._open.get(operation) is batch:
                    del self._open[operation]
            try:
                batch.answer.set_result(self._send(service, operation, **{name: batch.ids}))
            except BaseException as error:  # noqa: BLE001  whoever waits has to hear of it, whatever it is
                batch.answer.set_exception(error)
        try:
            return batch.answer.result()
        except AwsError:
            if batch.joined == 1:
                raise
        return self._send(service, operation, **params)


class _Batch:
    def __init__(self) -> None:
        self.ids: list[str] = []
        self.joined = 0
        self.is_full = threading.Event()
        self.answer: Future[dict[str, Any]] = Future()
