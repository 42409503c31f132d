"""What may not be read stops only what needs it: the rest is done, and a note says what is not known."""

from __future__ import annotations

from typing import Any

import pytest

import local_aws
from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.setting_cases import image, key_pair
from tests.support.specs import PROBE, having

# What only a launch needs, and what merely tells early what EC2 would refuse.
FOR_LAUNCHES = (
    "iam:GetPolicy",
    "ssm:GetParameter",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeSubnets",
)
ADVISORY = (
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeKeyPairs",
)


def deny(cloud: Cloud, *operations: str) -> None:
    """From now on nobody may call these."""
    cloud.break_with(
        *(
            local_aws.error(operation, "UnauthorizedOperation", "You may not.", status=403)
            for operation in operations
        )
    )


@pytest.fixture
def spec(cloud: Cloud) -> dict[str, Any]:
    return having(PROBE, fleets__worker__key_name=key_pair(cloud))


def test_status_needs_nothing_that_only_a_launch_needs(
    program: Program, cloud: Cloud, spec: dict[str, Any]
) -> None:
    assert program.apply(spec).code == 0
    cloud.ec2.terminate_instances(InstanceIds=cloud.ids("probe")[:1])
    absent = having(spec, fleets__other={**spec["fleets"]["worker"], "image": {"ssm": "/not/there"}})
    deny(cloud, *FOR_LAUNCHES)
    cloud.forget_calls()
    told = program.status(absent)
    assert told["fleet/worker"]["state"] == "1 of 2"
    assert told["fleet/other"]["state"] == "0 of 2"
    assert {record.operation for record in cloud.calls() if record.error} == set()


def test_a_plan_with_nothing_to_launch_needs_nothing_that_only_a_launch_needs(
    program: Program, cloud: Cloud, spec: dict[str, Any]
) -> None:
    assert program.apply(spec).code == 0
    deny(cloud, *FOR_LAUNCHES)
    plan = program.plan(spec)
    assert (plan.code, plan.changes) == (0, [])
    (note,) = plan.data["notes"]
    assert (
        "whether there is a newer image is not known: ssm:GetParameter: UnauthorizedOperation"
        in note["message"]
    )


@pytest.mark.parametrize("shown", ["all", "a part of a launch"])
def test_destroy_needs_nothing_that_only_a_launch_needs(
    shown: str, program: Program, cloud: Cloud, spec: dict[str, Any]
) -> None:
    assert program.apply(spec).code == 0
    if shown == "a part of a launch":
        for instance in cloud.ids("probe"):
            cloud.ec2.create_tags(Resources=[instance], Tags=[{"Key": "provisioner:asked", "Value": "3"}])
    deny(cloud, *FOR_LAUNCHES)
    plan = program.plan(spec, "--destroy")
    assert (plan.code, plan.data["refusals"]) == (0, [])
    if shown == "all":
        assert program.destroy(spec).code == 0
        assert cloud.ids() == []


def test_what_would_only_tell_early_is_left_to_ec2(
    program: Program, cloud: Cloud, spec: dict[str, Any]
) -> None:
    by_id = having(spec, fleets__worker__image=image(cloud, 0))
    deny(cloud, *ADVISORY)
    plan = program.plan(by_id)
    assert (plan.code, plan.data["refusals"]) == (0, [])
    told = " ".join(note["message"] for note in plan.data["notes"])
    for what in ("image ami-", "where there is t3.micro", "key pair me"):
        assert what in told
    assert "was not checked" in told
    assert program.apply(by_id).code == 0
    assert len(cloud.ids("probe")) == 2


# How endpoints say that they have no such operation: EC2 and IAM, services that talk in JSON, emulators.
UNSUPPORTED = (("InvalidAction", 400), ("UnknownOperationException", 404), ("InternalFailure", 501))
ONLY_ADVISE = (
    *ADVISORY,
    "ec2:DescribeVpcs",
    "ec2:DescribeVolumes",
    "iam:GetPolicy",
    "iam:ListPolicies",
    "iam:GetAccountSummary",
    "pricing:GetProducts",
    "servicequotas:GetServiceQuota",
)


@pytest.mark.parametrize(("code", "status"), UNSUPPORTED)
@pytest.mark.sampled
def test_what_only_advises_is_a_note_where_an_endpoint_has_it_not(
    code: str, status: int, program: Program, cloud: Cloud, spec: dict[str, Any]
) -> None:
    fields = {"image": image(cloud, 0), "tenancy": "default"}
    by_id = having(spec, **{f"fleets__worker__{name}": value for name, value in fields.items()})
    cloud.break_with(
        *(local_aws.error(operation, code, "not here", status=status) for operation in ONLY_ADVISE)
    )
    cloud.forget_calls()
    plan = program.plan(by_id)
    assert (plan.code, plan.data["refusals"]) == (0, [])
    told = [note["message"] for note in plan.data["notes"] if "was not checked" in note["message"]]
    for what in (
        "image ami-",
        "where there is t3.micro",
        "key pair me",
        "the tenancy of the VPC",
        "quotas of vCPUs",
    ):
        assert len([note for note in told if what in note]) == 1, told
    # Whoever does not have it is not asked again.
    assert cloud.operations().count("DescribeInstanceTypeOfferings") == 1
    assert program.status(by_id)["fleet/worker"]["state"] == "0 of 2"


def test_who_may_not_read_groups_is_told_so_and_can_have_all_else(
    program: Program, cloud: Cloud, spec: dict[str, Any]
) -> None:
    assert program.apply(spec).code == 0
    deny(cloud, "ec2:DescribeSecurityGroups")
    plan = program.plan(spec)
    assert (plan.code, plan.changes) == (0, [])
    (note,) = plan.data["notes"]
    assert "whether security groups are left was not read" in note["message"]
    of_its_own = program.plan_or_error(having(spec, security_groups__ssh={}))
    assert of_its_own.code == 1
    assert "ec2:DescribeSecurityGroups" in of_its_own.words
