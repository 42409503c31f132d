"""Settings where one thing goes with another: credits with the type, interfaces with their instance."""

from __future__ import annotations

from typing import Any

import pytest

import local_aws
from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.setting_cases import BARE, with_ipv6
from tests.support.specs import having

# Each starts a program or several.
pytestmark = pytest.mark.long

UNREADABLE = local_aws.denied("ec2:DescribeInstanceCreditSpecifications")


def one(**fields: Any) -> dict[str, Any]:
    """A fleet of one member."""
    return having(
        BARE, **{f"fleets__worker__{name}": value for name, value in ({"count": 1} | fields).items()}
    )


def credits_of(cloud: Cloud) -> set[str]:
    rows = cloud.ec2.describe_instance_credit_specifications(InstanceIds=cloud.ids("probe"))
    return {row["CpuCredits"] for row in rows["InstanceCreditSpecifications"]}


@pytest.mark.parametrize("wanted", ["standard", "unlimited"])
@pytest.mark.parametrize("launched_as", ["m5.large", "t2.micro"])
def test_a_burstable_type_comes_with_its_credits(
    launched_as: str, wanted: str, program: Program, cloud: Cloud
) -> None:
    assert program.apply(one(instance_type=launched_as)).code == 0
    spec = one(instance_type="t3.micro", credit_specification=wanted)
    ran = program.apply(spec)
    assert ran.code == 0, ran.said
    assert credits_of(cloud) == {wanted}
    assert program.plan(spec).told == set()


def test_credits_that_may_not_be_read_are_told_and_do_not_keep_from_destroying(
    program: Program, cloud: Cloud
) -> None:
    spec = one(credit_specification="standard")
    assert program.apply(spec).code == 0
    cloud.break_with(UNREADABLE)
    planned = program.plan(spec)
    assert planned.told == set()
    assert "credit_specification was not read, and is left as it is" in planned.words
    ran = program.destroy(spec)
    assert ran.code == 0, ran.said
    assert not cloud.live("probe")


def test_the_check_is_that_of_the_first_of_several_interfaces(program: Program, cloud: Cloud) -> None:
    assert program.apply(one()).code == 0
    (member,) = cloud.live("probe")
    second = cloud.ec2.create_network_interface(SubnetId=member["SubnetId"])["NetworkInterface"]
    cloud.ec2.attach_network_interface(
        DeviceIndex=1, InstanceId=member["InstanceId"], NetworkInterfaceId=second["NetworkInterfaceId"]
    )
    spec = one(source_dest_check=False)
    ran = program.apply(spec)
    assert ran.code == 0, ran.said
    (member,) = cloud.live("probe")
    checks = {
        interface["Attachment"]["DeviceIndex"]: interface["SourceDestCheck"]
        for interface in member["NetworkInterfaces"]
    }
    assert (member["SourceDestCheck"], checks) == (False, {0: False, 1: True})
    assert program.plan(spec).told == set()


@pytest.mark.parametrize("lost", [local_aws.drop_reply, local_aws.drop_request])
def test_addresses_whose_giving_was_not_answered_are_counted_first(
    lost: Any, program: Program, cloud: Cloud
) -> None:
    assert program.apply(one(instance_type="m5.xlarge", ipv6_address_count=with_ipv6(cloud, 1))).code == 0
    cloud.break_with(lost("ec2:AssignIpv6Addresses", nth=1))
    spec = one(instance_type="m5.xlarge", ipv6_address_count=5)
    ran = program.apply(spec)
    assert ran.code == 0, ran.said
    (member,) = cloud.live("probe")
    assert len(member["NetworkInterfaces"][0]["Ipv6Addresses"]) == 5
    assert program.plan(spec).told == set()


def test_what_is_refused_after_a_launch_is_told_with_what_was_launched(
    program: Program, cloud: Cloud
) -> None:
    spec = one(source_dest_check=False)
    cloud.break_with(local_aws.error("ModifyInstanceAttribute", "InvalidParameterValue", "no", status=400))
    ran = program.apply(spec)
    assert ran.code == 1
    assert "1 was launched, and stays; apply again to give them the rest" in ran.words
    cloud.mend()
    assert program.apply(spec).code == 0
    assert len(cloud.live("probe")) == 1
    assert program.plan(spec).told == set()
