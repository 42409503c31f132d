"""Equal questions are asked once: what fleets of one environment, or many environments, have in common.

Only within one look at AWS: whoever looks again asks anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from provisioner.kinds.base import Keeping, Reader, Sharing
from provisioner.model import Identity
from provisioner.naming import IAM_ROOT, iam_path
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

    def forget(self, name: str) -> None:
        if isinstance(self._reader, Keeping):
            self._reader.forget(name)

    def parallel(self, *reads: Callable[[], T]) -> list[T]:
        return self._reader.parallel(*reads)

    def in_region(self, region: str) -> Reader:
        return self._once(f"region {region}", lambda: SharedReads(self._reader.in_region(region)))


class Listing:
    """What IAM lists, found by name and by the path of an environment: each of hundreds of environments would
    otherwise go through what all of them have.

    Raises what `name` and `path` raise for an item that has none.
    """

    def __init__(self, items: Iterable[Any], name: Callable[[Any], str], path: Callable[[Any], str]) -> None:
        self._items = tuple(items)
        self._by_name: dict[str, list[int]] = {}
        self._by_path: dict[str, list[int]] = {}
        for number, item in enumerate(self._items):
            self._by_name.setdefault(name(item).lower(), []).append(number)
            self._by_path.setdefault(environment_path(path(item)), []).append(number)

    @staticmethod
    def shared(
        reader: Reader,
        operation: str,
        key: str,
        name: Callable[[Any], str],
        path: Callable[[Any], str],
        **params: Any,
    ) -> Listing:
        """The listing of an operation, put in order once for all who share the reader. Raises AwsError."""

        def read() -> Listing:
            return Listing(reader.pages("iam", operation, key, **params), name, path)

        return reader.share(f"listing {operation}", read) if isinstance(reader, Sharing) else read()

    def of(self, environment: str, names: Iterable[str]) -> list[Any]:
        """What is under the path of an environment, and what has some names in small letters, as listed."""
        found = set(self._by_path.get(iam_path(environment), ()))
        found.update(number for name in names for number in self._by_name.get(name, ()))
        return [self._items[number] for number in sorted(found)]


def environment_path(path: str) -> str:
    """The path of the environment that a path of IAM is under; empty where it is under none."""
    if not path.startswith(IAM_ROOT):
        return ""
    name, end, _ = path.removeprefix(IAM_ROOT).partition("/")
    return iam_path(name) if end else ""


def question(*asked: Any) -> str:
    """A text that is the same for the same question, whatever the order of its parameters."""
    return json.dumps(asked, sort_keys=True, default=repr)
