"""Prices, and what one of each thing costs by the hour. Amounts are exact decimals, in one currency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from decimal import Decimal

from provisioner.costs.uses import (
    INCLUDED_IOPS,
    INCLUDED_THROUGHPUT,
    SPOT,
    AddressUse,
    InstanceUse,
    Use,
    VolumeUse,
)
from provisioner.lazy_dataclass import dataclass

# AWS bills volumes by the second of a month that has as many as it has; its calculator takes this many hours.
# https://docs.aws.amazon.com/pricing-calculator/latest/userguide/pricing-assumptions.html
HOURS_A_MONTH = 730
# What AWS asks for a public IPv4 address, in every region but those of China and GovCloud.
# https://aws.amazon.com/vpc/pricing/
ADDRESS_USD = Decimal("0.005")
# Up to how many IOPS of an io2 volume each price holds. https://aws.amazon.com/ebs/pricing/
IO2_TIERS = ((32_000, "iops"), (64_000, "iops.tier2"), (None, "iops.tier3"))
# What a Spot price is listed for. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SpotPrice.html
SPOT_PRODUCTS = {
    "RunInstances": "Linux/UNIX",
    "RunInstances:0002": "Windows",
    "RunInstances:0010": "Red Hat Enterprise Linux",
    "RunInstances:000g": "SUSE Linux",
}


def instance_key(type_: str, operation: str, tenancy: str) -> str:
    """Under what the price of an hour of an instance on demand is kept."""
    return f"instance/{type_}/{operation}/{tenancy}"


def spot_key(type_: str, operation: str, zone: str = "") -> str:
    """Under what the Spot price of an hour is kept; without a zone: the highest of the region."""
    return f"spot/{type_}/{operation}/{zone}"


def volume_key(type_: str, what: str) -> str:
    """Under what a month of `gb`, `iops` (`iops.tier2`) or `mibps` of a volume type is kept."""
    return f"volume/{type_}/{what}"


@dataclass(frozen=True)
class Prices:
    """Amounts by key, as the functions above make them; None: AWS has no such price. What is not in it is not
    known. `made_up`: they are the local AWS's. `reason` says why some are not known."""

    amounts: Mapping[str, Decimal | None] = field(default_factory=dict)
    currency: str = "USD"
    made_up: bool = False
    address: Decimal | None = ADDRESS_USD
    reason: str | None = None

    def hourly(self, use: Use) -> Decimal | None:
        """What one of them costs by the hour; None: not known, which is not nothing."""
        match use:
            case InstanceUse():
                return self._instance(use)
            case VolumeUse():
                return self._volume(use)
            case AddressUse():
                return self.address

    def _instance(self, use: InstanceUse) -> Decimal | None:
        if use.market != SPOT:
            return self.amounts.get(instance_key(use.type, use.operation, use.tenancy))
        there = self.amounts.get(spot_key(use.type, use.operation, use.zone))
        return self.amounts.get(spot_key(use.type, use.operation)) if there is None else there

    def _volume(self, use: VolumeUse) -> Decimal | None:
        if use.type is None or use.size_gb is None:
            return None
        total = Decimal(0)
        for what, amount in _parts(use.type, use.size_gb, use.iops, use.throughput):
            price = self.amounts.get(volume_key(use.type, what))
            if price is None:
                return None
            total += price * amount
        return total / HOURS_A_MONTH


def keys_of(use: Use) -> list[str]:
    """The keys of all prices that one thing takes."""
    match use:
        case InstanceUse(market="spot"):
            return [spot_key(use.type, use.operation)]
        case InstanceUse():
            return [instance_key(use.type, use.operation, use.tenancy)]
        case VolumeUse(type=str(type_), size_gb=int(size)):
            return [volume_key(type_, what) for what, _ in _parts(type_, size, use.iops, use.throughput)]
        case _:
            return []


def _parts(type_: str, size_gb: int, iops: int | None, throughput: int | None) -> Iterator[tuple[str, int]]:
    """What of a volume is paid for, and how much of it."""
    yield "gb", size_gb
    extra = max((iops or 0) - INCLUDED_IOPS.get(type_, 0), 0)
    if type_ == "io2":
        below = 0
        for end, what in IO2_TIERS:
            part = (extra if end is None else min(extra, end)) - below
            if part > 0:
                yield what, part
                below += part
    elif extra and type_ in ("gp3", "io1"):
        yield "iops", extra
    fast = max((throughput or 0) - INCLUDED_THROUGHPUT.get(type_, 0), 0)
    if fast and type_ == "gp3":
        yield "mibps", fast
