"""Request rates, when throttling is switched on.

EC2 Developer Guide, "Request throttling for the Amazon EC2 API": a token bucket per action, and for launches
one whose tokens are instances; `RequestLimitExceeded`, HTTP 503. IAM publishes no rates: those below are
assumptions, the error (`Throttling`, HTTP 400, "Rate exceeded") is as observed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import check
from local_aws.world import World

Rate = tuple[float, float]
"""How many tokens a bucket holds, and how many come back per second."""

_MUTATING: Rate = (50, 5)
_READING: Rate = (100, 20)
_READING_ALL: Rate = (50, 10)
_EC2: dict[str, Rate] = {
    "RunInstances": (5, 2),
    "StartInstances": (5, 2),
    "TerminateInstances": (100, 5),
    "AssociateIamInstanceProfile": (100, 5),
    "DisassociateIamInstanceProfile": (100, 5),
    "CreateTags": (100, 10),
    "DeleteTags": (100, 10),
    "CreateLaunchTemplateVersion": (100, 5),
    "ModifyLaunchTemplate": (100, 5),
    "ModifyInstanceMetadataOptions": (100, 5),
    "CreateNetworkInterface": (100, 5),
    "CreateVolume": (100, 5),
    "ModifyNetworkInterfaceAttribute": (100, 5),
}
_DEAR_WITHOUT_PAGES = {
    "DescribeInstances",
    "DescribeInstanceStatus",
    "DescribeVolumes",
    "DescribeSecurityGroups",
    "DescribeNetworkInterfaces",
    "DescribeSnapshots",
    "DescribeSpotInstanceRequests",
}
_INSTANCES: dict[str, Rate] = {
    "RunInstances": (1000, 2),
    "StartInstances": (1000, 2),
    "TerminateInstances": (1000, 20),
    "StopInstances": (1000, 20),
}
_IAM_READING: Rate = (60, 20)
_IAM_MUTATING: Rate = (30, 10)
_STS: Rate = (600, 600)
_SSM: Rate = (40, 40)


@dataclass
class Bucket:
    """A token bucket, full at first."""

    size: float
    per_second: float
    tokens: float
    at: float

    def take(self, now: float, count: float) -> bool:
        """Takes tokens if there are as many by now; else takes none and says False."""
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        if self.tokens < count:
            return False
        self.tokens -= count
        return True


def charge_request(world: World, call: Call) -> None:
    """One token of the action's bucket. Raises the service's throttling error if there is none."""
    if not world.faults.throttle:
        return
    kind, rate = _bucket(call)
    if not _take(world, f"{call.service}|{call.region}|{call.operation}|{kind}", rate, 1):
        raise _throttled(call.service)


def charge_instances(world: World, call: Call, count: int) -> None:
    """As many tokens of the action's resource bucket as instances. Raises RequestLimitExceeded."""
    rate = _INSTANCES.get(call.operation)
    if (
        world.faults.throttle
        and rate
        and not _take(world, f"{call.region}|{call.operation}|instances", rate, count)
    ):
        raise _throttled("ec2")


@check("ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances")
def instances_named(world: World, call: Call) -> None:
    """Calls on instances by id cost as many tokens as ids."""
    if not call.params.get("DryRun"):
        charge_instances(world, call, len(call.params.get("InstanceIds") or []))


def _bucket(call: Call) -> tuple[str, Rate]:
    if call.service == "sts":
        return "", _STS
    if call.service == "ssm":
        return "", _SSM
    if call.service == "iam":
        return "", _IAM_READING if call.is_read else _IAM_MUTATING
    if not call.is_read:
        return "", _EC2.get(call.operation, _MUTATING)
    narrowed: Any = call.params.get("Filters") or call.params.get("MaxResults") or _ids(call)
    if call.operation in _DEAR_WITHOUT_PAGES and not narrowed:
        return "all", _READING_ALL
    return "", _READING


def _ids(call: Call) -> bool:
    return any(name.endswith("Ids") and value for name, value in call.params.items())


def _take(world: World, key: str, rate: Rate, count: float) -> bool:
    now = world.clock.now()
    bucket = world.buckets.get(key)
    if bucket is None:
        bucket = world.buckets[key] = Bucket(rate[0], rate[1], rate[0], now)
    return bool(bucket.take(now, count))


def _throttled(service: str) -> AwsError:
    if service == "ec2":
        return AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)
    code = {"ssm": "ThrottlingException", "tagging": "ThrottledException"}.get(service, "Throttling")
    return AwsError(code, "Rate exceeded", 400)
