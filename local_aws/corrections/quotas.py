"""How many vCPUs an account may run, by market and by family of types; in all zones of a region together.

https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html and "Error codes":
VcpuLimitExceeded on demand, MaxSpotInstanceCountExceeded for Spot. RunInstances launches as many as the quota
leaves room for, and fails if that is fewer than MinCount. moto has no such quotas.

Service Quotas API Reference, GetServiceQuota
(https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html): what is switched
on here, and otherwise so much that nobody runs into it.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import handler
from local_aws.settings import Quota
from local_aws.world import Region, World

UNLIMITED = 1_000_000
# The name, the market and the beginnings of the families of each quota; none: of all others.
_SPOT, _ON_DEMAND = "All {} Spot Instance Requests", "Running On-Demand {} instances"
_STANDARD = "Standard (A, C, D, H, I, M, R, T, Z)"
CODES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "L-1216C47A": (_ON_DEMAND.format(_STANDARD), "on-demand", ()),
    "L-6E869C2A": (_ON_DEMAND.format("DL"), "on-demand", ("dl",)),
    "L-74FC7D96": (_ON_DEMAND.format("F"), "on-demand", ("f",)),
    "L-DB2E81BA": (_ON_DEMAND.format("G and VT"), "on-demand", ("g", "vt")),
    "L-F7808C92": (_ON_DEMAND.format("HPC"), "on-demand", ("hpc",)),
    "L-43DA4232": (_ON_DEMAND.format("High Memory"), "on-demand", ("u",)),
    "L-1945791B": (_ON_DEMAND.format("Inf"), "on-demand", ("inf",)),
    "L-417A185B": (_ON_DEMAND.format("P"), "on-demand", ("p",)),
    "L-2C3B7624": (_ON_DEMAND.format("Trn"), "on-demand", ("trn",)),
    "L-7295265B": (_ON_DEMAND.format("X"), "on-demand", ("x",)),
    "L-34B43A08": (_SPOT.format(_STANDARD), "spot", ()),
    "L-85EED4F7": (_SPOT.format("DL"), "spot", ("dl",)),
    "L-88CF9481": (_SPOT.format("F"), "spot", ("f",)),
    "L-3819A6DF": (_SPOT.format("G and VT"), "spot", ("g", "vt")),
    "L-B5D1601B": (_SPOT.format("Inf"), "spot", ("inf",)),
    "L-6B0D517C": (_SPOT.format("Trn"), "spot", ("trn",)),
    "L-E3A00192": (_SPOT.format("X"), "spot", ("x",)),
}
_OTHERS = tuple(start for _, market, starts in CODES.values() if market == "on-demand" for start in starts)


@handler("servicequotas:GetServiceQuota")
def quota(world: World, call: Call) -> Any:
    """One quota of EC2 on vCPUs, as it applies to the account in the region."""
    service, code = call.params.get("ServiceCode"), call.params.get("QuotaCode")
    if service != "ec2" or code not in CODES:
        raise AwsError(
            "NoSuchResourceException", "The request failed because the specified quota does not exist."
        )
    name, market, starts = CODES[code]
    values = [one.vcpus for one in world.faults.quotas if one.market == market and _is_of(one, starts)]
    return {
        "Quota": {
            "ServiceCode": "ec2",
            "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
            "QuotaCode": code,
            "QuotaName": name,
            "Value": float(min(values, default=UNLIMITED)),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }
    }


def _is_of(quota: Quota, starts: tuple[str, ...]) -> bool:
    """Whether what is switched on limits families of this quota."""
    if not quota.families:
        return True
    if starts:
        return any(family.startswith(starts) for family in quota.families)
    return not all(family.startswith(_OTHERS) for family in quota.families)


def allowed(world: World, region: Region, type_: str, market: str, least: int, most: int) -> int:
    """How many of `most` more instances the quotas allow. Raises the quota's error if fewer than `least`."""
    for quota in world.faults.quotas:
        if _covers(quota, type_, market):
            most = min(most, max(0, (quota.vcpus - _used(region, quota)) // _vcpus(type_)))
            if most < least:
                raise _exceeded(quota, market)
    return most


def _used(region: Region, quota: Quota) -> int:
    """The vCPUs of all that runs under a quota; stopped instances do not count."""
    running = [member for member in region.members.values() if member.state in ("pending", "running")]
    types = [(str(member.instance.instance_type), member.market) for member in running]
    return sum(_vcpus(type_) for type_, market in types if _covers(quota, type_, market))


def _covers(quota: Quota, type_: str, market: str) -> bool:
    family = type_.partition(".")[0]
    return quota.market == market and (not quota.families or family.startswith(quota.families))


def _vcpus(type_: str) -> int:
    return int(INSTANCE_TYPES[type_]["VCpuInfo"]["DefaultVCpus"])


def _exceeded(quota: Quota, market: str) -> AwsError:
    if market == "spot":
        return AwsError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    return AwsError(
        "VcpuLimitExceeded",
        f"You have requested more vCPU capacity than your current vCPU limit of {quota.vcpus} allows for the "
        "instance bucket that the specified instance type belongs to. Please visit "
        "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
    )
