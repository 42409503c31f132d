"""What of a fleet is paid for, before a plan and after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from provisioner.costs.fleet_uses import Known, likely_uses, plan_uses, uses_of_member
from provisioner.costs.uses import AddressUse, ImageFacts, InstanceUse, Use, VolumeUse
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.instances import Device, Instance
from provisioner.kinds.volumes import ObservedVolume
from provisioner.model import Environment
from tests.support.build import AROUND, FLEET, SUBNETS, environment, fleet_of, member, planned, world

IMAGE = "ami-00000000000000001"
PLAIN: dict[str, Any] = {"count": 2, "image": IMAGE, "instance_type": "t3.micro"}
KNOWN = replace(AROUND, root_gb=8, root_type="gp3")
MICRO, LARGE, ROOT, ADDRESS = (
    InstanceUse("t3.micro"),
    InstanceUse("t3.large"),
    VolumeUse("gp3", 8),
    AddressUse(),
)


def spec(**fleet: Any) -> Environment:
    return environment(fleets={"web": PLAIN | fleet})


def alive(desired: Environment, number: int, **differing: Any) -> Instance:
    """A member with its root volume."""
    devices = {"/dev/xvda": Device(f"vol-{number}", True)} | differing.pop("devices", {})
    root = {"root_device": "/dev/xvda", "devices": devices}
    return member(number, fleet_of(desired), **root | differing)


def on_disk(number: int, size_gb: int, type_: str = "gp3", **more: Any) -> ObservedVolume:
    plain = ObservedVolume(
        f"vol-{number}", "us-east-1a", "in-use", size_gb, type_, 3000, 125, False, None, None, None, True, {}
    )
    return replace(plain, **more)


def uses(
    desired: Environment, members: Iterable[Instance] = (), destroying: bool = False, **more: Any
) -> tuple[Counter[Use], Counter[Use]]:
    """Before and after, each without zones."""
    observed = {FLEET: ObservedFleet(members=tuple(members), prerequisites=more.pop("around", KNOWN), **more)}
    made = planned(desired, observed, destroying)
    assert not made.refusals, made.refusals
    before, after = plan_uses(made, world(desired, observed, destroying), {})[FLEET]
    return _without_zones(before), _without_zones(after)


def _without_zones(uses: Any) -> Counter[Use]:
    found: Counter[Use] = Counter()
    for use, count in uses.items():
        found[replace(use, zone="") if isinstance(use, InstanceUse) else use] += count
    return found


PUBLIC = replace(KNOWN, subnets=tuple(replace(subnet, is_public=True) for subnet in SUBNETS))
HALF_PUBLIC = replace(KNOWN, subnets=(replace(SUBNETS[0], is_public=True), SUBNETS[1]))
MORE = {"volumes": [{"device": "/dev/sdf", "size_gb": 100, "type": "gp3", "iops": 4000}]}


@pytest.mark.parametrize(
    ("situation", "fleet", "around", "after"),
    [
        ("nothing said", {}, KNOWN, {MICRO: 2, ROOT: 2}),
        ("an image of which nothing is known", {}, AROUND, {MICRO: 2, VolumeUse(None, None): 2}),
        (
            "a larger root volume",
            {"root_volume": {"size_gb": 20}},
            KNOWN,
            {MICRO: 2, VolumeUse("gp3", 20): 2},
        ),
        (
            "a root volume of another type",
            {"root_volume": {"type": "gp2"}},
            KNOWN,
            {MICRO: 2, VolumeUse("gp2", 8): 2},
        ),
        ("a second volume", MORE, KNOWN, {MICRO: 2, ROOT: 2, VolumeUse("gp3", 100, 4000): 2}),
        ("subnets that give addresses", {}, PUBLIC, {MICRO: 2, ROOT: 2, ADDRESS: 2}),
        ("one of two subnets that does", {}, HALF_PUBLIC, {MICRO: 2, ROOT: 2, ADDRESS: 1}),
        ("addresses wanted", {"associate_public_ip": True}, KNOWN, {MICRO: 2, ROOT: 2, ADDRESS: 2}),
        ("no addresses wanted", {"associate_public_ip": False}, PUBLIC, {MICRO: 2, ROOT: 2}),
        ("launched and stopped", {"power": "stopped"}, PUBLIC, {ROOT: 2}),
        (
            "the first of several types",
            {"instance_type": ["t3.large", "t3.micro"]},
            KNOWN,
            {LARGE: 2, ROOT: 2},
        ),
        ("spot", {"market": "spot"}, KNOWN, {InstanceUse("t3.micro", "spot"): 2, ROOT: 2}),
        (
            "dedicated",
            {"tenancy": "dedicated"},
            KNOWN,
            {InstanceUse("t3.micro", tenancy="dedicated"): 2, ROOT: 2},
        ),
        (
            "an image of Windows",
            {},
            replace(KNOWN, operation="RunInstances:0002"),
            {InstanceUse("t3.micro", operation="RunInstances:0002"): 2, ROOT: 2},
        ),
    ],
)
def test_new_members(situation: str, fleet: dict[str, Any], around: Any, after: dict[Use, int]) -> None:
    assert uses(spec(**fleet), around=around) == (Counter(), Counter(after))


SPEC = spec()
ONE, TWO, THREE = (alive(SPEC, number) for number in (1, 2, 3))
STOPPED = alive(SPEC, 2, state="stopped")
WITH_ADDRESS = alive(SPEC, 2, public_ip="198.51.100.7")
KEPT = alive(SPEC, 3, devices={"/dev/sdf": Device("vol-33", False, on_disk(33, 50))})


@pytest.mark.parametrize(
    ("situation", "desired", "members", "before", "after"),
    [
        (
            "nothing changes",
            SPEC,
            [ONE, WITH_ADDRESS],
            {MICRO: 2, ROOT: 2, ADDRESS: 1},
            {MICRO: 2, ROOT: 2, ADDRESS: 1},
        ),
        ("one is missing", SPEC, [ONE], {MICRO: 1, ROOT: 1}, {MICRO: 2, ROOT: 2}),
        ("one is too many", SPEC, [ONE, TWO, THREE], {MICRO: 3, ROOT: 3}, {MICRO: 2, ROOT: 2}),
        (
            "another type",
            spec(instance_type="t3.large"),
            [ONE, TWO],
            {MICRO: 2, ROOT: 2},
            {LARGE: 2, ROOT: 2},
        ),
        (
            "another image",
            spec(image="ami-00000000000000002"),
            [ONE, TWO],
            {MICRO: 2, ROOT: 2},
            {MICRO: 2, ROOT: 2},
        ),
        ("parked", spec(power="stopped"), [ONE, WITH_ADDRESS], {MICRO: 2, ROOT: 2, ADDRESS: 1}, {ROOT: 2}),
        ("a stopped one is started", SPEC, [ONE, STOPPED], {MICRO: 1, ROOT: 2}, {MICRO: 2, ROOT: 2}),
        (
            "a stopped one gets another type",
            spec(instance_type="t3.large", power="stopped"),
            [STOPPED, replace(STOPPED, id="i-9")],
            {ROOT: 2},
            {ROOT: 2},
        ),
    ],
)
def test_members_that_are_there(
    situation: str,
    desired: Environment,
    members: list[Instance],
    before: dict[Use, int],
    after: dict[Use, int],
) -> None:
    assert uses(desired, members) == (Counter(before), Counter(after))


def test_what_is_destroyed_costs_nothing_but_for_volumes_that_stay() -> None:
    before, after = uses(SPEC, [ONE, KEPT], destroying=True)
    assert before == Counter({MICRO: 2, ROOT: 2, VolumeUse("gp3", 50): 1})
    assert after == Counter({VolumeUse("gp3", 50): 1})


def test_volumes_on_no_member_are_paid_for() -> None:
    before, after = uses(SPEC, [ONE, TWO], left_volumes=(on_disk(9, 30, "gp2"),))
    assert before[VolumeUse("gp2", 30)] == after[VolumeUse("gp2", 30)] == 1


def test_a_volume_that_grows() -> None:
    desired = spec(root_volume={"size_gb": 20})
    members = [
        alive(desired, number, devices={"/dev/xvda": Device(f"vol-{number}", True, on_disk(number, 8))})
        for number in (1, 2)
    ]
    # Where new ones would get an address, too, as these are not launched.
    for around in (KNOWN, PUBLIC):
        before, after = uses(desired, members, around=around)
        assert before == Counter({MICRO: 2, ROOT: 2})
        assert after == Counter({MICRO: 2, VolumeUse("gp3", 20): 2})


@pytest.mark.parametrize(
    ("situation", "instance", "known", "expected"),
    [
        (
            "read",
            ONE,
            Known(observed=ObservedFleet(volumes={ONE.id: (on_disk(1, 30),)})),
            VolumeUse("gp3", 30),
        ),
        (
            "in the spec",
            ONE,
            Known(fleet_of(spec(root_volume={"size_gb": 40, "type": "gp2"}))),
            VolumeUse("gp2", 40),
        ),
        (
            "launched so",
            alive(spec(root_volume={"size_gb": 60, "type": "gp3"}), 1),
            Known(),
            VolumeUse("gp3", 60),
        ),
        ("of the image", ONE, Known(images={IMAGE: ImageFacts(8, "gp3")}), ROOT),
        ("of another image", ONE, Known(images={"ami-2": ImageFacts(8, "gp3")}), VolumeUse(None, None)),
    ],
)
def test_where_the_root_volume_of_a_member_is_known_from(
    situation: str, instance: Instance, known: Known, expected: VolumeUse
) -> None:
    assert [use for use in uses_of_member(instance, known) if isinstance(use, VolumeUse)] == [expected]


@pytest.mark.parametrize(
    ("situation", "differing", "expected"),
    [
        ("stopping", {"state": "stopping"}, []),
        ("terminated", {"state": "terminated", "devices": {}}, []),
        ("pending", {"state": "pending"}, [MICRO]),
        (
            "stopped, with an Elastic IP",
            {"state": "stopped", "has_elastic_ip": True, "public_ip": "198.51.100.7"},
            [ADDRESS],
        ),
        ("Spot", {"market": "spot"}, [InstanceUse("t3.micro", "spot")]),
        (
            "by its billing",
            {"described": {"UsageOperation": "RunInstances:0010"}},
            [InstanceUse("t3.micro", operation="RunInstances:0010")],
        ),
        (
            "by its platform",
            {"described": {"Platform": "windows"}},
            [InstanceUse("t3.micro", operation="RunInstances:0002")],
        ),
    ],
)
def test_what_of_an_instance_is_billed(
    situation: str, differing: dict[str, Any], expected: list[Use]
) -> None:
    found = _without_zones(Counter(uses_of_member(member(1, fleet_of(SPEC), **differing))))
    assert found == Counter(expected)


def test_what_is_asked_before_anything_is_read() -> None:
    desired = environment(
        fleets={
            "web": PLAIN
            | {"instance_type": ["t3.large", "t3.micro"], "market": "spot", "fallback": "on_demand"},
            "win": PLAIN
            | {"image": {"ssm": "/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base"}},
        }
    )
    assert likely_uses(desired) == [
        InstanceUse("t3.large", "spot"),
        InstanceUse("t3.micro", "spot"),
        LARGE,
        MICRO,
        InstanceUse("t3.micro", operation="RunInstances:0002"),
    ]
