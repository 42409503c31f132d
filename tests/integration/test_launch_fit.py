"""What EC2 would refuse half-way is refused by the plan, and nothing is made."""

from __future__ import annotations

from typing import Any

import pytest

import local_aws
from tests.support.cloud import Cloud, where
from tests.support.instance_types import instance_types
from tests.support.program import Program
from tests.support.setting_cases import image
from tests.support.specs import PROBE, having

ARM = {"ssm": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"}


def refused(program: Program, cloud: Cloud, **fields: Any) -> str:
    """What is said of a fleet with these fields, of which nothing is made."""
    applied = program.apply(
        having(PROBE, **{f"fleets__worker__{name}": value for name, value in fields.items()})
    )
    assert applied.code == 1, applied.said
    assert cloud.writes() == []
    return applied.words


def test_an_image_of_another_architecture(program: Program, cloud: Cloud) -> None:
    assert "t3.micro is x86_64, and image ami-" in refused(program, cloud, image=ARM)


def test_a_type_of_another_architecture_in_a_list(program: Program, cloud: Cloud) -> None:
    said = refused(program, cloud, instance_type=["t3.micro", "t4g.micro"])
    assert "t4g.micro is arm64, and image ami-" in said


def test_a_type_of_another_architecture_behind_more_types_than_a_page_shows(
    program: Program, cloud: Cloud
) -> None:
    others = (
        name
        for name, shown in instance_types().items()
        if shown["ProcessorInfo"]["SupportedArchitectures"] == ["x86_64"]
        and name.startswith(("c5", "m5", "r5"))
    )
    types = sorted(others)[:101]
    assert len(types) == 101
    types.append("x2gd.medium")
    fleets = {
        f"f{start}": {**PROBE["fleets"]["worker"], "instance_type": types[start : start + 10]}
        for start in range(0, len(types), 10)
    }
    said = program.plan_or_error({**PROBE, "fleets": fleets}).words
    assert "x2gd.medium is arm64, and image ami-" in said


def test_the_root_device_again(program: Program, cloud: Cloud) -> None:
    newest = cloud.ec2.describe_images(Filters=where("name", "al2023-ami-2*"))["Images"][0]
    said = refused(program, cloud, volumes=[{"device": newest["RootDeviceName"], "size_gb": 8}])
    assert "is the root device of image ami-" in said


def test_more_security_groups_than_a_network_interface_takes(program: Program, cloud: Cloud) -> None:
    vpc = cloud.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    names = [f"group{number}" for number in range(6)]
    for name in names:
        cloud.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)
    cloud.forget_calls()
    said = refused(program, cloud, security_groups=names)
    assert "6 security groups, and this account takes 5 on a network interface" in said


def test_a_type_of_another_architecture_for_members_that_run(program: Program, cloud: Cloud) -> None:
    assert program.apply(PROBE).code == 0
    cloud.forget_calls()
    assert "t4g.micro is arm64, and i-" in refused(program, cloud, instance_type="t4g.micro")


def test_members_are_replaced_by_another_architecture_when_the_image_changes_too(
    program: Program, cloud: Cloud
) -> None:
    assert program.apply(PROBE).code == 0
    changed = having(PROBE, fleets__worker__image=ARM, fleets__worker__instance_type="t4g.micro")
    applied = program.apply(changed)
    assert applied.code == 0, applied.said
    assert {member["InstanceType"] for member in cloud.live()} == {"t4g.micro"}


@pytest.mark.parametrize("kind", ["instance", "role"])
def test_more_tags_than_fit_with_those_of_others(kind: str, program: Program, cloud: Cloud) -> None:
    spec = having(PROBE, ignore_tags=["theirs:*"])
    assert program.apply(spec).code == 0
    theirs = [{"Key": f"theirs:{number}", "Value": "x"} for number in range(40)]
    if kind == "instance":
        cloud.ec2.create_tags(Resources=cloud.ids()[:1], Tags=theirs)
    else:
        cloud.iam.tag_role(RoleName=cloud.roles()[0], Tags=theirs)
    cloud.forget_calls()
    section = "fleets" if kind == "instance" else "roles"
    tags = {f"mine{number}": "x" for number in range(10)}
    applied = program.apply(having(spec, **{f"{section}__worker__tags": tags}))
    assert applied.code == 1, applied.said
    assert "40 of them of others and ignored" in applied.words
    assert cloud.writes() == []


def test_more_members_than_a_subnet_has_addresses(program: Program, cloud: Cloud) -> None:
    vpc = cloud.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = cloud.ec2.create_subnet(VpcId=vpc, CidrBlock="172.31.240.0/28", AvailabilityZone="us-east-1a")
    subnet = made["Subnet"]["SubnetId"]
    fits = having(PROBE, fleets__worker__subnets=[subnet], fleets__worker__count=11)
    cloud.forget_calls()
    said = refused(program, cloud, subnets=[subnet], count=12)
    assert f"12 addresses more needed in {subnet}, and 11 free" in said
    assert program.apply(fits).code == 0
    assert program.plan(fits).changes == []
    other = {"image": image(cloud, 1), "update": {"order": "launch_first"}}
    replaced = program.plan_or_error(having(fits, **{f"fleets__worker__{key}": other[key] for key in other}))
    assert f"1 address more needed in {subnet}, 1 of them while members are replaced" in replaced.words


def test_a_quota_that_is_too_low_is_warned_of_before_anything_is_made(program: Program, cloud: Cloud) -> None:
    cloud.break_with(quotas=(local_aws.Quota(3),))
    plan = program.plan(having(PROBE, fleets__worker__count=2))
    (warning,) = [note["message"] for note in plan.data["notes"] if "vCPUs" in note["message"]]
    assert warning.startswith('4 vCPUs are needed of the quota "Running On-Demand Standard')
    assert "this account has 3 (L-1216C47A)" in warning
    assert plan.data["refusals"] == []


def test_types_are_described_once_for_all_fleets(program: Program, cloud: Cloud) -> None:
    other = {**PROBE["fleets"]["worker"], "instance_type": "t3.small", "image": ARM}
    ran = program.plan_or_error(having(PROBE, fleets__worker__image=ARM, fleets__other=other))
    assert "t3.micro is x86_64" in ran.words
    assert "t3.small is x86_64" in ran.words
    assert cloud.operations().count("DescribeInstanceTypes") == 1
