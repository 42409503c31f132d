"""What one thing costs by the hour, and what several do."""

from __future__ import annotations

from decimal import Decimal

import pytest

from provisioner.costs.cost import Cost, CostLine, cost_of, merged
from provisioner.costs.prices import Prices, keys_of
from provisioner.costs.uses import AddressUse, InstanceUse, Use, Uses, VolumeUse

PRICES = Prices(
    {
        "instance/t3.large/RunInstances/default": Decimal("0.0832"),
        "instance/t3.large/RunInstances/dedicated": Decimal("0.0915"),
        "instance/t3.large/RunInstances:0002/default": Decimal("0.1108"),
        "instance/x9.large/RunInstances/default": None,
        "spot/t3.large/RunInstances/us-east-1a": Decimal("0.0250"),
        "spot/t3.large/RunInstances/": Decimal("0.0312"),
        "volume/gp2/gb": Decimal("0.10"),
        "volume/gp3/gb": Decimal("0.08"),
        "volume/gp3/iops": Decimal("0.005"),
        "volume/gp3/mibps": Decimal("0.04"),
        "volume/io1/gb": Decimal("0.125"),
        "volume/io1/iops": Decimal("0.065"),
        "volume/io2/gb": Decimal("0.125"),
        "volume/io2/iops": Decimal("0.065"),
        "volume/io2/iops.tier2": Decimal("0.0455"),
        "volume/io2/iops.tier3": Decimal("0.032"),
    }
)


@pytest.mark.parametrize(
    ("use", "hourly"),
    [
        (InstanceUse("t3.large"), "0.0832"),
        (InstanceUse("t3.large", tenancy="dedicated"), "0.0915"),
        (InstanceUse("t3.large", operation="RunInstances:0002"), "0.1108"),
        (InstanceUse("t3.large", "spot", zone="us-east-1a"), "0.0250"),
        (InstanceUse("t3.large", "spot", zone="us-east-1b"), "0.0312"),
        (InstanceUse("t3.large", "spot"), "0.0312"),
        (AddressUse(), "0.005"),
    ],
)
def test_an_hour_is_exact(use: Use, hourly: str) -> None:
    assert PRICES.hourly(use) == Decimal(hourly)


@pytest.mark.parametrize(
    ("use", "monthly"),
    [
        (VolumeUse("gp2", 100, iops=300), "10.00"),
        (VolumeUse("gp3", 100), "8.00"),
        # What the price of a gp3 volume includes costs nothing more.
        (VolumeUse("gp3", 100, 3000, 125), "8.00"),
        (VolumeUse("gp3", 100, 4000, 225), "17.00"),
        (VolumeUse("io1", 100, 1000), "77.500"),
        (VolumeUse("io2", 100, 32_000), "2092.500"),
        (VolumeUse("io2", 100, 100_000), "4700.500"),
    ],
)
def test_a_month_of_a_volume_is_730_hours(use: VolumeUse, monthly: str) -> None:
    hourly = PRICES.hourly(use)
    assert hourly is not None
    assert (hourly * 730).quantize(Decimal("0.000001")) == Decimal(monthly)


@pytest.mark.parametrize(
    "use",
    [
        InstanceUse("m7i.large"),
        InstanceUse("x9.large"),
        InstanceUse("t3.large", tenancy="host"),
        InstanceUse("t3.large", operation="RunInstances:0010"),
        InstanceUse("m7i.large", "spot"),
        VolumeUse("st1", 100),
        VolumeUse("gp3", None),
        VolumeUse(None, 8),
    ],
)
def test_what_has_no_known_price_is_unknown_and_not_zero(use: Use) -> None:
    assert PRICES.hourly(use) is None
    assert cost_of({use: 2}, PRICES).unknown == (f"2 × {use}",)


def test_the_prices_that_a_thing_takes_are_the_ones_it_is_asked_by() -> None:
    assert keys_of(VolumeUse("io2", 8, 40_000)) == [
        "volume/io2/gb",
        "volume/io2/iops",
        "volume/io2/iops.tier2",
    ]
    assert keys_of(InstanceUse("t3.large", "spot", zone="us-east-1a")) == ["spot/t3.large/RunInstances/"]


def test_fifty_servers() -> None:
    uses: Uses = {InstanceUse("t3.large"): 50, VolumeUse("gp3", 73): 50, AddressUse(): 50}
    cost = cost_of(uses, PRICES)
    assert cost == Cost(
        (
            CostLine("t3.large on demand", 50, Decimal("4.1600")),
            CostLine("73 GiB gp3", 50, Decimal("0.4")),
            CostLine("public IPv4 address", 50, Decimal("0.250")),
        )
    )
    assert cost.hourly == Decimal("4.81")


def test_spot_instances_of_all_zones_are_one_line() -> None:
    uses: Uses = {InstanceUse("t3.large", "spot", zone=f"us-east-1{zone}"): 2 for zone in "ab"}
    assert cost_of(uses, PRICES).lines == (CostLine("t3.large Spot", 4, Decimal("0.1124")),)


def test_a_sum_with_an_unknown_part_is_of_what_is_known_and_says_so() -> None:
    cost = merged(
        [cost_of({InstanceUse("t3.large"): 1}, PRICES), cost_of({InstanceUse("m7i.large"): 3}, PRICES)]
    )
    assert (cost.hourly, cost.unknown) == (Decimal("0.0832"), ("3 × m7i.large on demand",))
    twice = merged(
        [cost_of({InstanceUse("t3.large"): 1}, PRICES), cost_of({InstanceUse("t3.large"): 1}, Prices())]
    )
    assert twice.unknown == ("2 × t3.large on demand",)
