"""Equal questions are asked once: what fleets of one environment, or many environments, have in common.

Only within one look at AWS: whoever looks again asks anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from provisioner.kinds.base import Keeping, Reader
from provisioner.model import Identity
from provisioner.once import Once

T = TypeVar("T")


class SharedReads(Reader):
    """A reader that remembers its answers, and lets whoever asks the same meanwhile wait for them.

    Answers belong to all that have asked, so nobody may change them. An error is an answer too.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._once = Once()

    @staticmethod
    def over(reader: Reader) -> SharedReads:
        """A reader that remembers: the one that is given, if it does."""
        return reader if isinstance(reader, SharedReads) else SharedReads(reader)

    def share(self, key: str, make: Callable[[], T]) -> T:
        """What is not read, and is made once for all who share what is: by whoever asks for it first."""
        return self._once(f"shared {key}", make)

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        key = question(service, operation, "", params)
        return self._once(key, lambda: self._reader.call(service, operation, **params))

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        def read() -> tuple[Any, ...]:
            return tuple(self._reader.pages(service, operation, key, **params))

        yield from self._once(question(service, operation, key, params), read)

    def identity(self) -> Identity:
        return self._once("identity", self._reader.identity)

    def now(self) -> datetime:
        return self._reader.now()

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return self._reader.answers(operation)

    def kept(self, name: str) -> Mapping[str, float]:
        return self._reader.kept(name) if isinstance(self._reader, Keeping) else {}

    def keep(self, name: str, numbers: Mapping[str, float]) -> None:
        if isinstance(self._reader, Keeping):
            self._reader.keep(name, numbers)

    def parallel(self, *reads: Callable[[], T]) -> list[T]:
        return self._reader.parallel(*reads)

    def in_region(self, region: str) -> Reader:
        return self._once(f"region {region}", lambda: SharedReads(self._reader.in_region(region)))


def question(*asked: Any) -> str:
    """A text that is the same for the same question, whatever the order of its parameters."""
    return json.dumps(asked, sort_keys=True, default=repr)
