"""How many vCPUs an account may run, by market and by family of types; in all zones of a region together.

https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html and "Error codes":
VcpuLimitExceeded on demand, MaxSpotInstanceCountExceeded for Spot. RunInstances launches as many as the quota
leaves room for, and fails if that is fewer than MinCount. moto has no such quotas.
"""

from __future__ import annotations

from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_aws.call import AwsError
from local_aws.settings import Quota
from local_aws.world import Region, World


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
