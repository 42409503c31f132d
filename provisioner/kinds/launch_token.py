"""The ClientToken of a launch: what it is made of, and which instances it shows to be ours.

EC2 shows the token on every instance, and nobody can write it afterwards. Tags can be written by whoever may
CreateTags, so a tag alone makes nobody a member:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache

from provisioner.kinds.base import World
from provisioner.kinds.instances import Instance
from provisioner.lazy_dataclass import dataclass

# owner-place-epoch-choice-number; EC2 takes 64 characters, which leaves 12 for the number.
_TOKEN = re.compile(r"([0-9a-f]{20})-([0-9a-f]{12})-([0-9a-f]{8})-([0-9a-f]{8})-([0-9]{1,9})", re.ASCII)
# Somebody else's launch with a token of ours may have any number; ours go up one by one.
MAX_NUMBER = 10**8
# What tokens were before: one digest of everything, which can only be recognised by who knows all of it.
_EARLIER_TOKEN = re.compile(r"([0-9a-f]{40})-[0-9a-f]{8}-[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True)
class Slot:
    """Where launches are numbered: one subnet of a fleet."""

    environment: str
    fleet: str
    zone: str
    subnet: str


def launch_token(slot: Slot, epoch: str, choice: str, number: int) -> str:
    """The ClientToken of a launch, at most 64 ASCII characters.

    `epoch` is the profile's id, new after destroy and apply, or empty; `choice` the instance type and market.
    How many are asked for is not part of it: two who ask for different numbers must not both get them.
    """
    return f"{_prefix(slot, epoch)}-{_digest(choice)[:8]}-{number}"


def number_in(token: str | None, slot: Slot, epoch: str) -> int | None:
    """The number of a launch in this place and epoch; None for every other token."""
    parts = _TOKEN.fullmatch(token or "")
    is_here = parts and "-".join(parts.groups()[:3]) == _prefix(slot, epoch)
    # The next number has to be one that can be recognised as well.
    return int(parts[5]) if parts and is_here and int(parts[5]) < MAX_NUMBER else None


class Launches:
    """Which fleet of an environment launched an instance; `fleets` are the keys that come into question."""

    def __init__(self, environment: str, fleets: Iterable[str]) -> None:
        self._environment = environment
        self._fleets = {_owner(environment, fleet): fleet for fleet in fleets}

    def fleet_of(self, instance: Instance) -> str | None:
        """The fleet whose launch made the instance where it is; None: no launch of this environment did."""
        parts = _TOKEN.fullmatch(instance.token or "")
        if not parts:
            return self._earlier_fleet_of(instance)
        fleet = self._fleets.get(parts[1])
        # A terminated instance has no subnet any more.
        is_here = not instance.subnet or parts[2] == _place(instance.zone, instance.subnet)
        return fleet if is_here else None

    def _earlier_fleet_of(self, instance: Instance) -> str | None:
        if not is_earlier(instance):
            return None
        epochs = {"", instance.profile.id if instance.profile else ""}
        place = (instance.zone, instance.subnet or "")
        return next(
            (
                fleet
                for fleet in self._fleets.values()
                for epoch in epochs
                if _digest(self._environment, fleet, epoch, *place)[:40] == (instance.token or "")[:40]
            ),
            None,
        )


def launches_of(world: World) -> Launches:
    """The launches of all fleets that are in the spec or were observed."""
    every = (*world.environment.resources, *world.observation.resources)
    return Launches(world.environment.name, (at.key for at in every if at.kind == "fleet"))


def is_earlier(instance: Instance) -> bool:
    """Whether the token has the earlier form: it can be recognised only while its profile is what it was."""
    return _EARLIER_TOKEN.fullmatch(instance.token or "") is not None


def _prefix(slot: Slot, epoch: str) -> str:
    place = _place(slot.zone, slot.subnet)
    return f"{_owner(slot.environment, slot.fleet)}-{place}-{_digest(epoch)[:8]}"


def _owner(environment: str, fleet: str) -> str:
    return _digest(environment, fleet)[:20]


@lru_cache(maxsize=1024)
def _place(zone: str, subnet: str) -> str:
    return _digest(zone, subnet)[:12]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
