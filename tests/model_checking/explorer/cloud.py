"""EC2 as far as launches go, as values: tokens, members, and what describing shows of them.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from provisioner.kinds.tags import (
    tag_list,
)
from provisioner.naming import ASKED_TAG

HIDDEN, LIVE, DEAD, VANISHED = "hidden", "live", "dead", "vanished"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)


class Machine(NamedTuple):
    """One instance: what it is, and what describing shows, which may be behind."""

    is_alive: bool
    shown: str

    @property
    def is_settled(self) -> bool:
        return self.shown in ((LIVE,) if self.is_alive else (DEAD, VANISHED))


class Launched(NamedTuple):
    """What EC2 remembers of a token in a zone. No machines: the launch failed for want of capacity."""

    token: str
    zone: str
    subnet: str
    asked: int
    machines: tuple[Machine, ...]
    is_old: bool = False
    # What the tag on its machines says of how many were asked for; 0: as many as were.
    noted: int = 0

    def id(self, index: int) -> str:
        """A name that does not depend on the order in which things happened."""
        return _name(self.token, self.asked, index)

    def sight(self, index: int, state: str) -> Sight:
        """How one of its machines is shown."""
        return Sight(self.id(index), state, self.is_old, self.noted or self.asked)


class Sight(NamedTuple):
    """An instance as it is shown: its id and state, whether it is old, and how many its launch asked for."""

    id: str
    state: str
    is_old: bool
    asked: int


class Answer(NamedTuple):
    """What a call gave: instances, or an error's code."""

    ids: tuple[Sight, ...] = ()
    error: str = ""
    is_launch: bool = False


# All launches that were ever made, in the order of their tokens.
Cloud = tuple[Launched, ...]

# What is the same of an instance in every state: the launch that made it, by id.
FACTS: dict[str, tuple[Launched, dict[str, Any]]] = {}


@cache
def _name(token: str, asked: int, index: int) -> str:
    return f"i-{hashlib.sha256(f'{token} {asked}'.encode()).hexdigest()[:6]}{index}"


@cache
def every(cloud: Cloud) -> tuple[tuple[int, int, Machine], ...]:
    """All machines with the indexes of their launch and their place in it."""
    return tuple(
        (at, index, machine)
        for at, launched in enumerate(cloud)
        for index, machine in enumerate(launched.machines)
    )


@cache
def unsettled(cloud: Cloud) -> tuple[tuple[int, int, Machine], ...]:
    """Those of which describing does not show the truth yet."""
    return tuple(indexed for indexed in every(cloud) if not indexed[2].is_settled)


@cache
def alive(cloud: Cloud) -> int:
    """How many members live, shown or not."""
    return sum(machine.is_alive for _, _, machine in every(cloud))


def changed(cloud: Cloud, at: int, index: int, machine: Machine) -> Cloud:
    """The cloud with one machine changed."""
    launched = cloud[at]
    machines = (*launched.machines[:index], machine, *launched.machines[index + 1 :])
    return (*cloud[:at], launched._replace(machines=machines), *cloud[at + 1 :])


def terminated(cloud: Cloud, ids: frozenset[str]) -> Cloud:
    """The cloud in which these have died; describing does not show it yet."""
    for at, index, machine in every(cloud):
        if machine.is_alive and cloud[at].id(index) in ids:
            cloud = changed(cloud, at, index, machine._replace(is_alive=False))
    return cloud


def settled(cloud: Cloud) -> Cloud:
    """The cloud in which describing shows everything."""
    for at, index, machine in every(cloud):
        if not machine.is_settled:
            cloud = changed(cloud, at, index, machine._replace(shown=LIVE if machine.is_alive else DEAD))
    return cloud


def noted(cloud: Cloud, ids: frozenset[str], asked: int) -> Cloud:
    """The cloud in which the launches of these carry another number of how many were asked for."""
    return tuple(
        launched._replace(noted=asked)
        if any(launched.id(index) in ids for index in range(len(launched.machines)))
        else launched
        for launched in cloud
    )


def aged(cloud: Cloud) -> Cloud:
    """The cloud when ten minutes have passed."""
    return tuple(launched._replace(is_old=True) for launched in cloud)


@cache
def described(cloud: Cloud, token: str | None = None) -> tuple[Sight, ...]:
    """What DescribeInstances shows: all, or those of one token."""
    return tuple(
        cloud[at].sight(index, machine.shown)
        for at, index, machine in every(cloud)
        if machine.shown in (LIVE, DEAD) and token in (None, cloud[at].token)
    )


def run_instances(
    cloud: Cloud, params: dict[str, Any], room: int, forgets_failures: bool
) -> tuple[Cloud, tuple[Answer, ...], bool]:
    """RunInstances where there is room for `room`: the cloud, the possible answers, whether it was a launch.

    A token stands for one launch in its zone for good, and with other parameters it is refused. Once all its
    instances are gone, users have seen them answered as well as refused. The documentation does not say
    whether a launch that failed for want of capacity uses its token up.
    """
    token, asked = params["ClientToken"], params["MaxCount"]
    zone, subnet = params["Placement"]["AvailabilityZone"], params["SubnetId"]
    before = next((launch for launch in cloud if (launch.token, launch.zone) == (token, zone)), None)
    if before:
        terminated = before.machines and not any(machine.is_alive for machine in before.machines)
        used_up = (Answer(error="IdempotentInstanceTerminated"),) if terminated else ()
        if (before.asked, before.subnet) != (asked, subnet):
            return cloud, (Answer(error="IdempotentParameterMismatch"), *used_up), False
        if before.machines:
            return cloud, (_replayed(before), *used_up), False
    if not room:
        refused = (Answer(error="InsufficientInstanceCapacity"),)
        return (cloud if forgets_failures else _with(cloud, params, ())), refused, True
    after = _with(cloud, params, (Machine(True, HIDDEN),) * min(asked, room))
    launched = next(launch for launch in after if (launch.token, launch.zone) == (token, zone))
    return after, (_replayed(launched),), True


def _with(cloud: Cloud, params: dict[str, Any], machines: tuple[Machine, ...]) -> Cloud:
    token, zone = params["ClientToken"], params["Placement"]["AvailabilityZone"]
    launched = Launched(token, zone, params["SubnetId"], params["MaxCount"], machines)
    for index in range(len(machines)):
        FACTS.setdefault(launched.id(index), (launched, params))
    others = (launch for launch in cloud if (launch.token, launch.zone) != (token, zone))
    return tuple(sorted([*others, launched]))


def _replayed(launched: Launched) -> Answer:
    return Answer(
        tuple(
            launched.sight(index, LIVE if machine.is_alive else DEAD)
            for index, machine in enumerate(launched.machines)
        ),
        is_launch=True,
    )


@cache
def raw_instance(name: str, state: str, is_old: bool, asked: int) -> dict[str, Any]:
    """An instance as boto3 would hand it over."""
    launched, params = FACTS[name]
    tags = {tag["Key"]: tag["Value"] for tag in params["TagSpecifications"][0]["Tags"]}
    lives = state == LIVE
    return {
        "InstanceId": name,
        "State": {"Name": "running" if lives else "terminated"},
        "Placement": {"AvailabilityZone": launched.zone, "Tenancy": "default"},
        "InstanceType": params["InstanceType"],
        "ImageId": params["ImageId"],
        "LaunchTime": LONG_AGO if is_old else NOW,
        "ClientToken": launched.token,
        "MetadataOptions": params["MetadataOptions"],
        "Tags": tag_list(tags | {ASKED_TAG: str(asked)}),
        **({"SubnetId": launched.subnet, "VpcId": "vpc-1", "SecurityGroups": []} if lives else {}),
    }
