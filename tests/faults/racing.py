"""Two runs at once: what is between them and the local AWS, and what it has seen."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter

from tests.faults.wire import Reply, Request, Send

INSTANCE = re.compile(rb"<instanceId>(i-[0-9a-f]+)</instanceId>")
MAX_DELAY_S = 0.03


class Ledger:
    """Every birth and every death of an instance in the order in which they happen; launches and
    terminations pass one by one, so that it is exact and not a sample."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fleets: dict[str, str] = {}
        self._live: set[str] = set()
        self.most: Counter[str] = Counter()

    def __call__(self, request: Request, send: Send) -> Reply:
        if request.operation not in ("RunInstances", "TerminateInstances"):
            return send()
        with self._lock:
            reply = send()
            if " 200 " not in reply.head.partition("\r\n")[0]:
                return reply
            instances = {found.decode() for found in INSTANCE.findall(reply.body)}
            if request.operation == "TerminateInstances":
                self._live -= instances
            else:
                self._born(instances, request)
            return reply

    @property
    def live(self) -> set[str]:
        """The instances that were launched and not terminated."""
        return set(self._live)

    def count(self, fleet: str, instances: set[str]) -> None:
        """Takes in members that were there before."""
        self._fleets |= dict.fromkeys(instances, fleet)
        self._live |= instances
        self.most[fleet] = max(self.most[fleet], len(instances))

    def _born(self, instances: set[str], request: Request) -> None:
        # A token that is sent again gives the same instances again, also those that have died since.
        new = instances - self._fleets.keys()
        fleet = _fleet_of(request)
        self._fleets |= dict.fromkeys(new, fleet)
        self._live |= new
        number = sum(self._fleets[instance] == fleet for instance in self._live)
        self.most[fleet] = max(self.most[fleet], number)


def _fleet_of(request: Request) -> str:
    key = next(name for name, value in request.params.items() if value == "provisioner:fleet")
    return request.params[key.removesuffix("Key") + "Value"]


class Dawdling:
    """Holds each request up for a moment that a seed decides."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def __call__(self, request: Request, send: Send) -> Reply:
        chance = random.Random(f"{self._seed}|{request.number}|{request.operation}")
        time.sleep(chance.random() ** 2 * MAX_DELAY_S)
        reply = send()
        time.sleep(chance.random() ** 2 * MAX_DELAY_S)
        return reply
