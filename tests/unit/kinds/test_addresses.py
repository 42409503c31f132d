"""Subnets that have too few free addresses for what is launched there, before anything is launched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from provisioner.kinds.fleet.observed import ObservedFleet, Subnet
from provisioner.kinds.fleet.placement import on_members
from provisioner.kinds.fleet.read.addresses import with_room
from provisioner.kinds.fleet.read.images import with_image
from provisioner.kinds.fleet.spec import Fleet
from provisioner.model import Address
from tests.support.build import AROUND, SUBNETS, environment, member

A, B = (subnet.id for subnet in SUBNETS)
LARGER = "name more or larger subnets, or ask for less"
TERMINATE_FIRST = {"update": {"order": "terminate_first"}}


class Case(NamedTuple):
    """Fleets of the spec, how many members each has, free addresses by subnet; what is wrong, what is said.

    `outdated`: the members have another instance type, so that they are replaced.
    """

    fleets: Mapping[str, dict[str, Any]]
    there: Mapping[str, int]
    free: Mapping[str, int | None]
    problems: Mapping[str, str] = {}
    advice: Mapping[str, str] = {}
    outdated: bool = False


def more(subnet: str, free: int, share: int) -> str:
    are = "1 address" if free == 1 else f"{free} addresses"
    return f"{subnet} has {are} free for {on_members(range(share))} more; those without go into other subnets"


CASES = {
    "as many as are free": Case({"web": {"count": 6}}, {}, {A: 3, B: 3}),
    "one too many": Case(
        {"web": {"count": 7}},
        {},
        {A: 3, B: 3},
        {"web": f"7 addresses more needed in {A}, {B}, and 6 free; {LARGER}"},
    ),
    "those that are there have theirs": Case({"web": {"count": 7}}, {"web": 2}, {A: 3, B: 3}),
    "a full subnet, and room in the other": Case(
        {"web": {"count": 6}}, {}, {A: 1, B: 9}, advice={"web": more(A, 1, 3)}
    ),
    "nothing to launch": Case({"web": {"count": 2}}, {"web": 2}, {A: 0, B: 0}),
    "fewer than there are": Case({"web": {"count": 1}}, {"web": 2}, {A: 0, B: 0}),
    "EC2 does not say": Case({"web": {"count": 60}}, {}, {A: None, B: 3}),
    "two fleets that fit by themselves": Case(
        {"web": {"count": 4}, "db": {"count": 3}},
        {},
        {A: 3, B: 3},
        {
            "web": f"7 addresses more needed in {A}, {B}, 1 other fleet included, and 6 free; {LARGER}",
            "db": f"7 addresses more needed in {A}, {B}, 1 other fleet included, and 6 free; {LARGER}",
        },
    ),
    "one that may give back as many": Case(
        {"web": {"count": 6}, "db": {"count": 1}},
        {"db": 3},
        {A: 2, B: 2},
        advice={
            "web": f"6 addresses more needed in {A}, {B}, and 4 free until other fleets have fewer members; "
            "if that is too late, apply again"
        },
    ),
    "one that goes from the spec, and gives back": Case({"web": {"count": 6}}, {"old": 2}, {A: 3, B: 3}),
    "members that are replaced, and room for one more": Case(
        {"web": {"count": 2}}, {"web": 2}, {A: 1, B: 0}, outdated=True
    ),
    "members that are replaced, and no room": Case(
        {"web": {"count": 2}},
        {"web": 2},
        {A: 0, B: 0},
        {
            "web": f"1 address more needed in {A}, {B}, 1 of them while members are replaced, and 0 free; "
            f"{LARGER}; or write `update: {{order: terminate_first}}`"
        },
        outdated=True,
    ),
    "members that go before others come": Case(
        {"web": {"count": 2, **TERMINATE_FIRST}}, {"web": 2}, {A: 0, B: 0}, outdated=True
    ),
    "a member too many, which makes room for the first": Case(
        {"web": {"count": 1}}, {"web": 2}, {A: 0, B: 0}, outdated=True
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_room_for_addresses(name: str) -> None:
    case = CASES[name]
    spec = environment(
        fleets={
            key: {"image": "ami-00000000000000001", "instance_type": "t3.micro", **fields}
            for key, fields in case.fleets.items()
        }
    )
    subnets = tuple(replace(subnet, free=case.free[subnet.id]) for subnet in SUBNETS)
    observed: dict[Address, ObservedFleet] = {}
    fleets = spec.of(Fleet)
    for key in {*case.fleets, *case.there}:
        fleet = fleets.get(Address("fleet", key)) or next(iter(fleets.values()))
        type_ = {"image": "ami-00000000000000009"} if case.outdated else {}
        members = tuple(member(number, fleet, **type_) for number in range(case.there.get(key, 0)))
        launches = key in case.fleets and (len(members) < fleet.count or case.outdated)
        around = replace(AROUND, subnets=subnets if launches else ())
        observed[Address("fleet", key)] = ObservedFleet(members, prerequisites=around)
    pinned = {at: with_image(fleet, observed[at]) for at, fleet in fleets.items()}
    told = with_room(pinned, observed)
    assert {at.key: "; ".join(map(str, one.problems)) for at, one in told.items() if one.problems} == {
        **case.problems
    }
    assert {at.key: "; ".join(one.advice) for at, one in told.items() if one.advice} == {**case.advice}


def test_how_full_a_subnet_is_makes_no_other_subnet_of_it() -> None:
    subnet = Subnet(A, "us-east-1a", "vpc-1", free=3)
    assert {subnet: 1}[replace(subnet, free=2)] == 1
