"""What is there costs by the hour, and has cost since it was launched."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from provisioner.costs.prices import Prices
from provisioner.costs.status_cost import status_cost, uses_in
from provisioner.costs.uses import InstanceUse
from provisioner.kinds.fleet.observed import FOREIGN, ObservedFleet
from provisioner.model import Address
from tests.support.build import FLEET, environment, fleet_of, member, world

SPEC = environment(
    fleets={"web": {"count": 2, "image": "ami-00000000000000001", "instance_type": "t3.micro"}}
)
PRICES = Prices({"instance/t3.micro/RunInstances/default": Decimal("0.5")})
EIGHT, TEN, NOON = "2026-01-01T08:00:00Z", "2026-01-01T10:00:00Z", datetime(2026, 1, 1, 12, tzinfo=UTC)


def cost(prices: Prices = PRICES, **differing: Any) -> tuple[Decimal, Decimal, bool]:
    """By the hour, since launch, and whether that is only the least, of one member."""
    one = member(1, fleet_of(SPEC), **{"launched": EIGHT, "started": EIGHT} | differing)
    at = world(SPEC, {FLEET: ObservedFleet(members=(one,))})._replace(now=NOON)
    found = status_cost(at, prices)
    return found.cost.hourly, found.since_launch, found.is_least


@pytest.mark.parametrize(
    ("situation", "differing", "expected"),
    [
        ("it has run since its launch", {}, ("0.5", "2", False)),
        ("it was stopped and started since", {"started": TEN}, ("0.5", "1", True)),
        ("it is stopped", {"state": "stopped"}, ("0", "0", True)),
        ("with an address", {"public_ip": "198.51.100.7"}, ("0.505", "2.02", False)),
        ("it has no known price", {"type": "x9.large"}, ("0", "0", True)),
        ("nobody says when it was launched", {"launched": "", "started": ""}, ("0.5", "0", True)),
        (
            "its clock is ahead",
            {"launched": "2026-01-01T13:00:00Z", "started": "2026-01-01T13:00:00Z"},
            ("0.5", "0", False),
        ),
    ],
)
def test_a_member(situation: str, differing: dict[str, Any], expected: tuple[str, str, bool]) -> None:
    hourly, since, is_least = expected
    assert cost(**differing) == (Decimal(hourly), Decimal(since), is_least)


def test_each_member_has_its_price_and_foreign_instances_none() -> None:
    fleet = fleet_of(SPEC)
    foreign = replace(member(9, fleet), type="t3.large")
    there = {
        FLEET: ObservedFleet(members=(member(1, fleet), member(2, fleet, type="x9.large"))),
        Address("fleet", FOREIGN): ObservedFleet(foreign=(foreign,)),
    }
    at = world(SPEC, there)
    assert {use.type for use in uses_in(at) if isinstance(use, InstanceUse)} == {"t3.micro", "x9.large"}
    assert status_cost(at, PRICES).members == {"i-01": Decimal("0.5"), "i-02": None}
