"""A VPC whose tenancy is dedicated: members launch there, and are as the spec says, which says nothing of it.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html: only dedicated and host instances
are launched in such a VPC, and those that say nothing are dedicated.
"""

from __future__ import annotations

from typing import Any

from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.setting_cases import BARE
from tests.support.specs import having


def dedicated_subnet(cloud: Cloud) -> str:
    vpc = cloud.ec2.create_vpc(CidrBlock="10.7.0.0/16", InstanceTenancy="dedicated")["Vpc"]["VpcId"]
    made = cloud.ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24", AvailabilityZone="us-east-1a")
    return str(made["Subnet"]["SubnetId"])


def test_a_fleet_that_says_nothing_of_tenancy_runs_in_a_dedicated_vpc(program: Program, cloud: Cloud) -> None:
    where: dict[str, Any] = {
        "fleets__worker__subnets": [dedicated_subnet(cloud)],
        "fleets__worker__instance_type": "m5.large",
    }
    spec = having(BARE, **where)
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert {member["Placement"]["Tenancy"] for member in cloud.live("probe")} == {"dedicated"}
    assert program.plan(spec).told == set()
    assert program.plan(having(spec, fleets__worker__tenancy="dedicated")).told == set()
    cloud.forget_calls()
    refused = program.apply(having(spec, fleets__worker__tenancy="default"))
    assert refused.code == 1
    assert "is dedicated, so no instance there can have `tenancy: default`" in refused.words
    assert cloud.writes() == []
    assert len(cloud.ids("probe")) == 2
