"""Security groups: by id and by name, and on members that somebody has given a second network interface."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cloud import Cloud, where
from tests.support.program import Program
from tests.support.setting_cases import BARE, FLEET, group, group_ids
from tests.support.specs import having


def fleet(*groups: str, **fields: Any) -> dict[str, Any]:
    return having(BARE, fleets__worker__security_groups=list(groups), **fields)


@pytest.mark.parametrize("public", [None, True], ids=["in the subnet", "in an interface"])
@pytest.mark.sampled
def test_one_group_by_id_and_by_name_is_one(program: Program, cloud: Cloud, public: bool | None) -> None:
    (name,) = group(cloud, "other")
    (identifier,) = group_ids(cloud, [name])
    address = {} if public is None else {"fleets__worker__associate_public_ip": public}
    spec = fleet(identifier, name, **address)
    assert program.apply(spec).code == 0
    for same in (
        spec,
        fleet(name, identifier, **address),
        fleet(name, **address),
        fleet(identifier, **address),
    ):
        assert program.plan(same).told == set()
    both = fleet(identifier, name, "default", **address)
    assert program.plan(both).told == {(FLEET, "update", "security_groups")}
    assert program.apply(both).code == 0
    assert program.plan(both).told == set()


def test_a_second_interface_keeps_its_groups_and_the_first_gets_those_of_the_spec(
    program: Program, cloud: Cloud
) -> None:
    group(cloud, "other")
    group(cloud, "theirs")
    assert program.apply(fleet("default")).code == 0
    odd, plain = cloud.ids("probe")
    subnet = cloud.instance(odd)["SubnetId"]
    second = cloud.ec2.create_network_interface(SubnetId=subnet, Groups=group_ids(cloud, ["theirs"]))
    name = second["NetworkInterface"]["NetworkInterfaceId"]
    cloud.ec2.attach_network_interface(NetworkInterfaceId=name, InstanceId=odd, DeviceIndex=1)
    assert program.plan(fleet("default")).told == set()

    spec = fleet("other")
    planned = program.plan(spec)
    assert planned.told == {(FLEET, "update", "security_groups")}
    assert planned.calls == {"ModifyInstanceAttribute": 1, "ModifyNetworkInterfaceAttribute": 1}
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert program.plan(spec).told == set()

    def groups(instance: str) -> dict[int, list[str]]:
        shown = cloud.instance(instance)["NetworkInterfaces"]
        return {
            interface["Attachment"]["DeviceIndex"]: [one["GroupName"] for one in interface["Groups"]]
            for interface in shown
        }

    assert groups(odd) == {0: ["other"], 1: ["theirs"]}
    assert groups(plain) == {0: ["other"]}


def test_the_default_group_of_another_vpc_is_another(program: Program, cloud: Cloud) -> None:
    vpc = cloud.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    found = cloud.ec2.describe_security_groups(Filters=where("vpc-id", vpc))["SecurityGroups"]
    assert [security_group["GroupName"] for security_group in found] == ["default"]
    ran = program.plan(fleet("default", found[0]["GroupId"]))
    assert ran.code != 0
    assert found[0]["GroupId"] in ran.words
