"""What AWS bills by the hour, as values: instances that run, volumes that are there, public IPv4 addresses.

Not in it: traffic, requests, credits of burstable types, CloudWatch, hosts, taxes, and what lowers a bill
(Savings Plans, reservations, free tiers, agreements).
"""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.lazy_dataclass import dataclass

ON_DEMAND, SPOT = "on_demand", "spot"
# What the price of a gp3 volume includes, in IOPS and MiB/s. https://aws.amazon.com/ebs/pricing/
INCLUDED_IOPS = {"gp3": 3000}
INCLUDED_THROUGHPUT = {"gp3": 125}
PAID_IOPS = ("gp3", "io1", "io2")
# What RunInstances is billed as for Linux without a licence: the operation of an image's billing.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/billing-info-fields.html
LINUX = "RunInstances"
WINDOWS = "RunInstances:0002"


@dataclass(frozen=True, order=True)
class InstanceUse:
    """An instance that runs. `operation` is the usage operation of its image: what its system costs.

    `zone` matters for Spot; empty: not known yet.
    """

    type: str
    market: str = ON_DEMAND
    operation: str = LINUX
    tenancy: str = "default"
    zone: str = ""

    def __str__(self) -> str:
        market = "Spot" if self.market == SPOT else self.market.replace("_", " ")
        tenancy = "" if self.tenancy == "default" else f", {self.tenancy}"
        system = "" if self.operation == LINUX else f", {SYSTEMS.get(self.operation, self.operation)}"
        return f"{self.type} {market}{system}{tenancy}"


@dataclass(frozen=True, order=True)
class VolumeUse:
    """A volume, whether its instance runs or not. None: not known; of IOPS and MiB/s: what the type has."""

    type: str | None
    size_gb: int | None
    iops: int | None = None
    throughput: int | None = None

    def __str__(self) -> str:
        size = "volume of unknown size" if self.size_gb is None else f"{self.size_gb:,} GiB"
        more = f", {self.iops:,} IOPS" if self.iops else ""
        more += f", {self.throughput:,} MiB/s" if self.throughput else ""
        return f"{size}{f' {self.type}' if self.type else ''}{more}"


def volume_use(
    type_: str | None, size_gb: int | None, iops: int | None = None, throughput: int | None = None
) -> VolumeUse:
    """A volume, without the IOPS and MiB/s that its type has anyway and that cost nothing more."""
    is_more = (iops or 0) > INCLUDED_IOPS.get(type_ or "", 0) and type_ in PAID_IOPS
    is_faster = (throughput or 0) > INCLUDED_THROUGHPUT.get(type_ or "", 0) and type_ == "gp3"
    return VolumeUse(type_, size_gb, iops if is_more else None, throughput if is_faster else None)


@dataclass(frozen=True)
class ImageFacts:
    """What of an image says what its instances cost: its root volume in GiB and by type, and its usage
    operation. None: not known."""

    root_gb: int | None = None
    root_type: str | None = None
    operation: str | None = None


@dataclass(frozen=True, order=True)
class AddressUse:
    """A public IPv4 address, in use or not.

    https://aws.amazon.com/vpc/pricing/
    """

    def __str__(self) -> str:
        return "public IPv4 address"


Use = InstanceUse | VolumeUse | AddressUse
# How many of each.
Uses = Mapping[Use, int]

SYSTEMS = {
    WINDOWS: "Windows",
    "RunInstances:0010": "RHEL",
    "RunInstances:1010": "RHEL with HA",
    "RunInstances:000g": "SUSE",
    "RunInstances:0g00": "Ubuntu Pro",
    "RunInstances:0800": "Windows (own licence)",
    "RunInstances:0004": "SQL Server Standard",
    "RunInstances:0006": "Windows with SQL Server Standard",
    "RunInstances:0100": "SQL Server Enterprise",
    "RunInstances:0102": "Windows with SQL Server Enterprise",
    "RunInstances:0200": "SQL Server Web",
    "RunInstances:0202": "Windows with SQL Server Web",
}
