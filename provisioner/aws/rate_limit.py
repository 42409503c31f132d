"""AWS's request limits, kept on this side, so that no call is sent that would be refused for its rate.

EC2 has a token bucket for each action, refilled every second, and for some actions one whose tokens are
instances: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html. IAM publishes no rates;
what is assumed here matters only to those who change dozens of roles at once. Where others draw on the same
buckets AWS refuses all the same, and the call is sent again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from provisioner.lazy_dataclass import dataclass


class Rate(NamedTuple):
    """How many tokens a bucket holds, and how many come back per second."""

    size: float
    per_second: float


READING = ("Describe", "Get", "List")
EC2_READING = Rate(100, 20)
EC2_WRITING = Rate(50, 5)
IAM_READING = Rate(60, 20)
IAM_WRITING = Rate(30, 10)
EC2: Mapping[str, Rate] = {
    "RunInstances": Rate(5, 2),
    "StartInstances": Rate(5, 2),
    "TerminateInstances": Rate(100, 5),
    "AssociateIamInstanceProfile": Rate(100, 5),
    "DisassociateIamInstanceProfile": Rate(100, 5),
    "ModifyInstanceMetadataOptions": Rate(100, 5),
    "CreateTags": Rate(100, 10),
    "DeleteTags": Rate(100, 10),
}
EC2_INSTANCES: Mapping[str, Rate] = {
    "RunInstances": Rate(1000, 2),
    "StartInstances": Rate(1000, 2),
    "TerminateInstances": Rate(1000, 20),
    "StopInstances": Rate(1000, 20),
}
# AWS's clock may be slower than this one.
MARGIN = 0.95
# Requests do not arrive as evenly as they are sent: each may take so much longer than the next.
JITTER_S = 0.2


@dataclass
class _Bucket:
    """`at` is the moment up to which the refill is counted, which may still be to come."""

    rate: Rate
    tokens: float
    at: float

    def seconds_short(self, now: float, count: float) -> float:
        """How many seconds until so many tokens are there; none are taken."""
        per_second = self.rate.per_second * MARGIN
        there = min(self.rate.size, self.tokens + max(now - self.at, 0.0) * per_second)
        return 0.0 if there >= count else max(self.at - now, 0.0) + (count - there) / per_second

    def reserve(self, now: float, count: float) -> float:
        """Take tokens, also some that are still to come: how many seconds until all of them are there."""
        refilled = self.tokens + max(now - self.at, 0.0) * self.rate.per_second * MARGIN
        before = min(self.rate.size, refilled)
        self.at = max(self.at, now)
        if before > self.rate.size - self.rate.per_second * JITTER_S:
            # AWS's bucket may be full until the request arrives, and then refills no earlier.
            self.at = now + JITTER_S
        self.tokens = before - count
        if self.tokens >= 0:
            return 0.0
        return self.at - now - self.tokens / (self.rate.per_second * MARGIN)

    def give_back(self, count: float) -> None:
        """Tokens that were reserved are there again."""
        self.tokens = min(self.rate.size, self.tokens + count)


class RateLimit:
    """The buckets of one connection, full at first. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def take(self, service: str, operation: str, params: Mapping[str, Any]) -> float:
        """0 for a call that may be sent now, and counts as sent; else for how long asking is of no use."""
        with self._lock:
            now = self._clock()
            costs = [
                (self._bucket((service, operation, kind), rate, now), count)
                for kind, rate, count in _costs(service, operation, params)
            ]
            short = max((bucket.seconds_short(now, count) for bucket, count in costs), default=0.0)
            if not short:
                for bucket, count in costs:
                    bucket.reserve(now, count)
        return short

    def seconds_until(self, service: str, operation: str, params: Mapping[str, Any]) -> float:
        """How long to wait before sending a call, which counts as sent then."""
        with self._lock:
            now = self._clock()
            waits = [
                self._bucket((service, operation, kind), rate, now).reserve(now, count)
                for kind, rate, count in _costs(service, operation, params)
            ]
        return max(waits, default=0.0)

    def give_back(self, operation: str, params: Mapping[str, Any]) -> None:
        """A call of EC2 that counts as sent was refused: it has cost a request, and no instances."""
        with self._lock:
            now = self._clock()
            for kind, rate, count in _costs("ec2", operation, params):
                if kind == "instances":
                    self._bucket(("ec2", operation, kind), rate, now).give_back(count)

    def _bucket(self, key: tuple[str, str, str], rate: Rate, now: float) -> _Bucket:
        if key not in self._buckets:
            self._buckets[key] = _Bucket(rate, rate.size, now)
        return self._buckets[key]


def _costs(service: str, operation: str, params: Mapping[str, Any]) -> list[tuple[str, Rate, float]]:
    """Which buckets a call draws on, and how many tokens it takes from each."""
    is_reading = operation.startswith(READING)
    if service == "iam":
        return [("requests", IAM_READING if is_reading else IAM_WRITING, 1)]
    if service != "ec2":
        return []
    rate = EC2_READING if is_reading else EC2.get(operation, EC2_WRITING)
    costs: list[tuple[str, Rate, float]] = [("requests", rate, 1)]
    # A dry run is of no instances.
    if operation in EC2_INSTANCES and not params.get("DryRun"):
        instances = params.get("MaxCount") or len(params.get("InstanceIds", ()))
        costs.append(("instances", EC2_INSTANCES[operation], instances))
    return costs
