"""What the account does not have: what is wrong and what to do are told apart, whatever names say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from provisioner.errors import AwsError
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.fleet.read.images import newest_image
from provisioner.kinds.fleet.read.prerequisites import Intent, observe_prerequisites
from provisioner.model import Identity
from tests.support.build import FLEET, environment, fleet_of, planned

IMAGE = "ami-00000000000000001"
SUBNET = {"SubnetId": "subnet-0000000000000000a", "AvailabilityZone": "us-east-1a", "VpcId": "vpc-1"}
ANSWERS: dict[str, dict[str, Any]] = {
    "DescribeSubnets": {"Subnets": [SUBNET]},
    "DescribeInstanceTypeOfferings": {
        "InstanceTypeOfferings": [{"InstanceType": "t3.micro", "Location": "us-east-1a"}]
    },
    "DescribeImages": {
        "Images": [{"ImageId": IMAGE, "Architecture": "x86_64", "RootDeviceName": "/dev/xvda"}]
    },
    "DescribeKeyPairs": {"KeyPairs": [{"KeyName": "c; d"}]},
    "DescribeSecurityGroups": {"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "c; d"}]},
}


class Account:
    """Has what `ANSWERS` say, but for what is `absent`, by operation: a list that is empty, or an error."""

    def __init__(self, absent: dict[str, Any]) -> None:
        self.absent = absent

    def now(self) -> datetime:
        return datetime.now(UTC)

    def identity(self) -> Identity:
        raise AssertionError("nobody asks here whose it is")

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        named = "KeyNames" in params or operation != "DescribeKeyPairs"
        answer = self.absent.get(operation, ANSWERS[operation]) if named else ANSWERS[operation]
        if isinstance(answer, AwsError):
            raise answer
        found: dict[str, Any] = answer
        return found

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        yield from self.call(service, operation, **params)[key]

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def parallel(self, *reads: Any) -> list[Any]:
        return [read() for read in reads]

    def in_region(self, region: str) -> Account:
        return self


def refused(operation: str, code: str, text: str = "no") -> dict[str, Any]:
    return {operation: AwsError("ec2", operation, code, text, 400)}


KEY = refused("DescribeKeyPairs", "InvalidKeyPair.NotFound")
LOOKUP = {"image": {"owner": "self", "name": "a; b"}}

# Fields of the fleet, what the account has not, what is wrong, and what to do.
MISSING: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "a key pair": (
        {"key_name": "zzz"},
        KEY,
        "there is no key pair zzz in this region",
        "there are c; d; check `key_name:`",
    ),
    "a key pair with a semicolon": (
        {"key_name": "a; b"},
        KEY,
        "there is no key pair a; b in this region",
        "there are c; d; check `key_name:`",
    ),
    "a security group with a semicolon": (
        {"security_groups": ["a; b"]},
        {},
        "there is no security group a; b in vpc-1",
        "there are c; d; check `security_groups:`",
    ),
    "subnets with a tag with a semicolon": (
        {"subnets": {"tags": {"tier": "a; b"}}},
        {"DescribeSubnets": {"Subnets": []}},
        "no subnet has the tags tier=a; b",
        "check `subnets:`",
    ),
    "an image with a semicolon": (
        LOOKUP,
        {"DescribeImages": {"Images": []}},
        "self has no image named a; b",
        "check `image:`",
    ),
    "what AWS says with a semicolon": (
        {"security_groups": ["web"]},
        refused("DescribeSecurityGroups", "InvalidVpcID.NotFound", "no such VPC; it is gone"),
        "ec2 DescribeSecurityGroups: no such VPC; it is gone (InvalidVpcID.NotFound)",
        "correct the spec, or make what it names",
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_is_wrong_and_what_to_do_are_told_apart(case: str) -> None:
    fields, absent, message, hint = MISSING[case]
    plain = {"count": 1, "image": IMAGE, "instance_type": "t3.micro"}
    desired = environment(fleets={"web": plain | fields})
    fleet, account = fleet_of(desired), Account(absent)
    observed = ObservedFleet(newest=newest_image(account, fleet.image))
    types = fleet.instance_types
    launching = Intent(launching=True, placing=False, resizing=False, regrouping=False, types=types)
    _, problems, _ = observe_prerequisites(account, fleet, observed, fleet.image.id or "", launching)
    lacking = ObservedFleet(problems=(*observed.newest.problems, *problems))
    (refusal,) = planned(desired, {FLEET: lacking}).refusals
    assert (refusal.message, refusal.hint) == (message, hint)
