"""The quotas that types count against, and what is said when they are used up."""

from __future__ import annotations

import pytest

from provisioner.errors import AwsError
from provisioner.kinds.fleet.call_rules import STANDARD, quota_of, way_out, what_was_said
from provisioner.kinds.fleet.spec import SPOT, CapacityOption

ON_DEMAND, BY_SPOT = "Running On-Demand {} instances", "All {} Spot Instance Requests"

# https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
FAMILIES = {
    "t3.micro": STANDARD,
    "m7g.large": STANDARD,
    "im4gn.large": STANDARD,
    "is4gen.large": STANDARD,
    "d3en.xlarge": STANDARD,
    "h1.2xlarge": STANDARD,
    "z1d.large": STANDARD,
    "c7gn.medium": STANDARD,
    "dl1.24xlarge": "DL",
    "f1.2xlarge": "F",
    "g5.xlarge": "G and VT",
    "gr6.4xlarge": "G and VT",
    "vt1.3xlarge": "G and VT",
    "hpc7g.4xlarge": "HPC",
    "inf2.xlarge": "Inf",
    "p5.48xlarge": "P",
    "trn1.2xlarge": "Trn",
    "u-6tb1.metal": "High Memory",
    "x2gd.medium": "X",
}


@pytest.mark.parametrize("type_", FAMILIES)
def test_a_type_counts_against_the_quota_of_its_family_and_market(type_: str) -> None:
    assert quota_of(CapacityOption(type_)) == ON_DEMAND.format(FAMILIES[type_])
    assert quota_of(CapacityOption(type_, SPOT)) == BY_SPOT.format(FAMILIES[type_])


def refused(code: str, text: str) -> AwsError:
    return AwsError("ec2", "RunInstances", code, text)


ROOM = refused("InsufficientInstanceCapacity", "There is no Spot capacity.")
VCPUS = refused("VcpuLimitExceeded", "You have requested more.")
SPOTS = refused("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
T3, T3_SPOT, G5 = CapacityOption("t3.micro"), CapacityOption("t3.micro", SPOT), CapacityOption("g5.xlarge")
T3_SMALL = CapacityOption("t3.small")

SAID = {
    "no room": ({T3: ROOM}, "EC2 said: There is no Spot capacity", "later"),
    "one quota": (
        {T3: VCPUS},
        "EC2 said: You have requested more",
        f'this is a quota of the account, for all zones: ask for more of "{quota_of(T3)}" in Service Quotas '
        "(Amazon EC2), or ask for less here",
    ),
    "two quotas": (
        {T3_SPOT: SPOTS, G5: VCPUS},
        "EC2 said of t3.micro (spot): Max spot instance count exceeded (MaxSpotInstanceCountExceeded); "
        "of g5.xlarge: You have requested more (VcpuLimitExceeded)",
        f'these are quotas of the account, for all zones: ask for more of "{quota_of(T3_SPOT)}" and '
        f'"{quota_of(G5)}" in Service Quotas (Amazon EC2), or ask for less here',
    ),
    "a quota of two types, and another": (
        {T3: VCPUS, T3_SPOT: SPOTS, T3_SMALL: VCPUS},
        "EC2 said of t3.micro, t3.small: You have requested more (VcpuLimitExceeded); "
        "of t3.micro (spot): Max spot instance count exceeded (MaxSpotInstanceCountExceeded)",
        f'these are quotas of the account, for all zones: ask for more of "{quota_of(T3)}" and '
        f'"{quota_of(T3_SPOT)}" in Service Quotas (Amazon EC2), or ask for less here',
    ),
    "no room, and a quota": (
        {T3_SPOT: ROOM, T3: VCPUS},
        "EC2 said of t3.micro (spot): There is no Spot capacity (InsufficientInstanceCapacity); "
        "of t3.micro: You have requested more (VcpuLimitExceeded)",
        f'this is a quota of the account, for all zones: ask for more of "{quota_of(T3)}" in Service Quotas '
        "(Amazon EC2), or ask for less here; later",
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_each_refusal_is_told_with_its_way_out(case: str) -> None:
    errors, text, hint = SAID[case]
    assert what_was_said(errors) == text
    assert way_out(errors, "later") == hint
