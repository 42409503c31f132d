"""What the program asks of AWS, call by call, and how its fleet fares meanwhile."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.cloud import Cloud, is_reading

INSTANCE = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
THING = re.compile(rf"{INSTANCE.pattern}|eni-[0-9a-f]+")
DISRUPTIVE = {"StopInstances", "StartInstances", "TerminateInstances", "RunInstances"}


class Witness:
    """Notes each call that writes, and after each looks at the members of one fleet.

    `healthy` and `live` are how many of them ran, or were there at all, after each call.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget what was seen so far."""
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.healthy: list[int] = []
        self.live: list[int] = []

    @property
    def operations(self) -> Counter[str]:
        """How often each operation that writes was called."""
        return Counter(operation for operation, _ in self.calls)

    @property
    def named(self) -> set[str]:
        """The ids of all instances that a call that writes names, by themselves or by an interface."""
        named = {thing for _, params in self.calls for thing in _ids_in(params, THING)}
        owners = {
            interface["NetworkInterfaceId"]: member["InstanceId"]
            for member in self._cloud.live("probe", "worker")
            for interface in member["NetworkInterfaces"]
        }
        return {owners.get(thing, thing) for thing in named}

    def ids(self, operation: str) -> list[set[str]]:
        """The instances that each call of one operation named."""
        return [set(_ids_in(params, INSTANCE)) for called, params in self.calls if called == operation]

    def note(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        """A call is about to be sent."""
        if not is_reading(model.name):
            self.calls.append((model.name, params))

    def look(self, model: Any, **_: Any) -> None:
        """A call was answered."""
        if is_reading(model.name):
            return
        # Only one at a time, so that each pair of numbers is of one moment.
        with self._lock:
            states = [member["State"]["Name"] for member in self._cloud.live("probe", "worker")]
            self.live.append(len(states))
            self.healthy.append(states.count("running"))


def _ids_in(value: Any, pattern: re.Pattern[str]) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _ids_in(inner, pattern)
    elif isinstance(value, str) and pattern.fullmatch(value):
        yield value
