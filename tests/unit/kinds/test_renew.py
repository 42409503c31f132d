"""What a plan shows of settings of which members have a digest only: words."""

from __future__ import annotations

from typing import Any

from tests.support.build import FLEET, environment, fleet_of, member, observed_fleet, planned

PLAIN = {"count": 1, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
VOLUMES: list[dict[str, Any]] = [
    {"device": "/dev/sdf", "size_gb": 5, "encrypted": True},
    {"device": "/dev/sdg", "size_gb": 1},
]


def test_volumes_are_told_in_words() -> None:
    before = environment(fleets={"web": PLAIN | {"volumes": VOLUMES[1:]}})
    after = environment(fleets={"web": PLAIN | {"volumes": VOLUMES}})
    observed = observed_fleet([member(0, fleet_of(before))])
    (change,) = planned(after, {FLEET: observed}).changes
    (field,) = change.fields
    assert (field.path, field.before) == ("volumes", "as launched")
    assert field.after == (
        "/dev/sdf, size_gb 5, type gp3, encrypted true",
        "/dev/sdg, size_gb 1, type gp3",
    )
