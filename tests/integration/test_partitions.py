"""The main job in AWS China, AWS GovCloud (US) and the European Sovereign Cloud."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.specs import PROBE, having

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

ACCOUNT = "123456789012"
# Region -> its partition, and what EC2 is called there in a trust policy.
REGIONS = {
    "cn-northwest-1": ("aws-cn", "ec2.amazonaws.com.cn"),
    "us-gov-west-1": ("aws-us-gov", "ec2.amazonaws.com"),
    "eusc-de-east-1": ("aws-eusc", "ec2.amazonaws.com"),
}


def spec_of(region: str, partition: str) -> dict[str, Any]:
    """Something in every field, in another region, with ARNs of its partition."""
    spec = having(PROBE, region=region, fleets__worker__count=5)
    spec["attachments"] = {"box": {"instance_profile": "worker", "instances": ["i-0123456789abcdef0"]}}
    spec["roles"]["reader"] = {
        "managed_policies": [f"arn:{partition}:iam::aws:policy/AmazonS3ReadOnlyAccess"],
        "trust": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {
                        "AWS": f"arn:{partition}:iam::{ACCOUNT}:role/provisioner/probe/probe-worker"
                    },
                    "Action": "sts:AssumeRole",
                }
            ],
        },
    }
    changed: dict[str, Any] = json.loads(json.dumps(spec).replace("arn:aws:", f"arn:{partition}:"))
    return changed


@pytest.mark.parametrize("region", REGIONS)
def test_the_main_job_is_done_in_every_partition(region: str, program: Program, cloud: Cloud) -> None:
    partition, principal = REGIONS[region]
    there = Cloud(cloud.server, region)
    there.stranger()
    spec = spec_of(region, partition)
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert len(there.live("probe", "worker")) == 5
    assert {association["IamInstanceProfile"]["Arn"] for association in there.associations()} == {
        f"arn:{partition}:iam::{ACCOUNT}:instance-profile/provisioner/probe/probe-worker"
    }
    role = there.iam.get_role(RoleName="probe-worker")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": principal}
    attached = there.iam.list_attached_role_policies(RoleName="probe-worker")["AttachedPolicies"]
    assert {policy["PolicyArn"] for policy in attached} == {
        f"arn:{partition}:iam::aws:policy/{name}"
        for name in ("AmazonS3ReadOnlyAccess", "AmazonSSMManagedInstanceCore")
    }

    there.forget_calls()
    planned = program.plan(spec, "--detailed-exitcode", "--deep")
    assert planned.code == 0, planned.said
    assert there.writes() == []

    assert program.apply(having(spec, fleets__worker__count=3)).code == 0
    assert len(there.live("probe", "worker")) == 3

    destroyed = program.destroy(spec)
    assert destroyed.code == 0, destroyed.said
    assert there.live("probe") == []
    assert there.roles() == there.profiles() == []
