"""Attributes of instances, metadata options, monitoring, tags."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.local_aws.helpers import launch, launch_one, one, refused


@pytest.mark.correction("modify-stopped-only")
@pytest.mark.parametrize(
    "change",
    [{"InstanceType": {"Value": "t3.small"}}, {"EbsOptimized": {"Value": True}}],
    ids=["type", "ebs"],
)
def test_some_attributes_change_on_stopped_instances_only(ec2: Any, image: str, change: Any) -> None:
    instance = launch_one(ec2, image)
    with refused("IncorrectInstanceState"):
        ec2.modify_instance_attribute(InstanceId=instance, **change)
    ec2.stop_instances(InstanceIds=[instance])
    ec2.modify_instance_attribute(InstanceId=instance, **change)


@pytest.mark.correction("modify-type-known")
def test_an_instance_becomes_only_of_a_type_that_exists(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    ec2.stop_instances(InstanceIds=[instance])
    with refused("InvalidInstanceAttributeValue"):
        ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t3.mediun"})
    ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t3.medium"})


@pytest.mark.correction("modify-type-fits")
def test_an_instance_becomes_of_a_type_of_its_architecture_only(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    ec2.stop_instances(InstanceIds=[instance])
    with refused("InvalidInstanceAttributeValue") as no:
        ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t4g.micro"})
    assert "The architecture 'arm64' of the specified instance type does not match" in no.message
    ec2.start_instances(InstanceIds=[instance])
    assert (one(ec2, instance)["InstanceType"], one(ec2, instance)["State"]["Name"]) == (
        "t3.micro",
        "running",
    )


@pytest.mark.correction("start-type-fits")
def test_an_instance_starts_where_its_type_is_offered_and_with_what_it_needs(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, Placement={"AvailabilityZone": "us-east-1a"})

    def change(**to: Any) -> None:
        ec2.modify_instance_attribute(InstanceId=instance, **to)

    ec2.stop_instances(InstanceIds=[instance])
    change(InstanceType={"Value": "p3dn.24xlarge"})
    with refused("Unsupported") as no:
        ec2.start_instances(InstanceIds=[instance])
    assert "is not supported in your requested Availability Zone (us-east-1a)" in no.message
    change(InstanceType={"Value": "t3.micro"})
    change(EnaSupport={"Value": False})
    with refused("InvalidParameterCombination") as no:
        ec2.start_instances(InstanceIds=[instance])
    assert "ENA" in no.message
    assert one(ec2, instance)["State"]["Name"] == "stopped"
    change(EnaSupport={"Value": True})
    ec2.start_instances(InstanceIds=[instance])
    assert one(ec2, instance)["State"]["Name"] == "running"


@pytest.mark.correction("user-data-encoded-once")
def test_user_data_changes_on_stopped_instances_and_is_encoded_once(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    ec2.stop_instances(InstanceIds=[instance])
    ec2.modify_instance_attribute(InstanceId=instance, UserData={"Value": b"abc"})
    data = ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")["UserData"]
    assert data == {"Value": "YWJj"}


@pytest.mark.correction("shutdown-behaviour")
def test_the_shutdown_behaviour_changes_and_the_groups_stay(ec2: Any, image: str) -> None:
    group = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    instance = launch_one(ec2, image, SecurityGroupIds=[group])
    ec2.modify_instance_attribute(
        InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "terminate"}
    )
    shown = ec2.describe_instance_attribute(
        InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior"
    )
    assert shown["InstanceInitiatedShutdownBehavior"] == {"Value": "terminate"}
    assert [item["GroupId"] for item in one(ec2, instance)["SecurityGroups"]] == [group]


@pytest.mark.correction("groups-replaced")
def test_new_groups_replace_the_old_ones_everywhere(ec2: Any, image: str) -> None:
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    instance = launch_one(ec2, image)
    ec2.modify_instance_attribute(InstanceId=instance, Groups=[group])
    found = one(ec2, instance)
    assert [item["GroupId"] for item in found["SecurityGroups"]] == [group]
    assert [item["GroupId"] for item in found["NetworkInterfaces"][0]["Groups"]] == [group]
    (interface,) = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [item["GroupId"] for item in interface["Groups"]] == [group]
    attribute = ec2.describe_instance_attribute(InstanceId=instance, Attribute="groupSet")
    assert [item["GroupId"] for item in attribute["Groups"]] == [group]


@pytest.mark.correction("unknown-group-modify")
def test_an_unknown_group_is_refused(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    with refused("InvalidGroup.NotFound"):
        ec2.modify_instance_attribute(InstanceId=instance, Groups=["sg-0123456789abcdef0"])


@pytest.mark.correction("one-attribute")
def test_one_attribute_per_call(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    with refused("InvalidParameterCombination"):
        ec2.modify_instance_attribute(
            InstanceId=instance, SourceDestCheck={"Value": False}, DisableApiStop={"Value": True}
        )


def test_protection_against_stopping(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, DisableApiStop=True)
    with refused("OperationNotPermitted"):
        ec2.stop_instances(InstanceIds=[instance])
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiStop={"Value": False})
    ec2.stop_instances(InstanceIds=[instance])


def test_an_unknown_attribute_is_refused(ec2: Any, image: str) -> None:
    with refused("InvalidParameterValue"):
        ec2.describe_instance_attribute(InstanceId=launch_one(ec2, image), Attribute="enaSupport")


@pytest.mark.correction("metadata-merge")
def test_metadata_options_that_are_not_given_stay(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, MetadataOptions={"HttpPutResponseHopLimit": 3})
    answer = ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="required")
    assert answer["InstanceMetadataOptions"]["State"] == "pending"
    options = one(ec2, instance)["MetadataOptions"]
    assert options["State"] == "applied"
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 3)
    assert options["HttpEndpoint"] == "enabled"


@pytest.mark.correction("monitoring")
def test_monitoring_is_switched_on_and_off(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    (row,) = ec2.monitor_instances(InstanceIds=[instance])["InstanceMonitorings"]
    assert row["Monitoring"]["State"] == "pending"
    assert one(ec2, instance)["Monitoring"]["State"] == "enabled"
    ec2.unmonitor_instances(InstanceIds=[instance])
    assert one(ec2, instance)["Monitoring"]["State"] == "disabled"


@pytest.mark.correction("tags-aws")
def test_keys_that_begin_with_aws_are_reserved(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    tag = [{"Key": "aws:mine", "Value": "x"}]
    with refused("InvalidParameterValue"):
        ec2.create_tags(Resources=[instance], Tags=tag)


@pytest.mark.correction("tags-aws-launch")
def test_keys_that_begin_with_aws_are_reserved_at_launch(ec2: Any, image: str) -> None:
    with refused("InvalidParameterValue"):
        launch(
            ec2,
            image,
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "aws:mine", "Value": "x"}]}],
        )


@pytest.mark.correction("tags-resources")
def test_a_thousand_resources_at_most(ec2: Any, image: str) -> None:
    many = [f"i-{number:017x}" for number in range(1001)]
    with refused("RequestResourceCountExceeded"):
        ec2.create_tags(Resources=many, Tags=[{"Key": "a", "Value": "b"}])


@pytest.mark.correction("tags-unknown-instance")
def test_an_unknown_instance_cannot_be_tagged(ec2: Any) -> None:
    with refused("InvalidInstanceID.NotFound"):
        ec2.create_tags(Resources=["i-00000000000000000"], Tags=[{"Key": "a", "Value": "b"}])


@pytest.mark.correction("tags-lengths")
def test_keys_have_128_characters_and_values_256(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "k" * 128, "Value": "v" * 256}])
    for key, value in (("k" * 129, "v"), ("k", "v" * 257)):
        with refused("InvalidParameterValue"):
            ec2.create_tags(Resources=[instance], Tags=[{"Key": key, "Value": value}])


def test_fifty_tags_at_most_together_with_those_there_are(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    ec2.create_tags(Resources=[instance], Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "k7", "Value": "changed"}])
    with refused("TagLimitExceeded"):
        ec2.create_tags(Resources=[instance], Tags=[{"Key": "k50", "Value": ""}])


@pytest.mark.correction("tags-duplicate")
def test_a_key_is_given_once(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    with refused("InvalidParameterValue"):
        ec2.create_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}])


@pytest.mark.correction("tags-delete-all")
def test_without_tags_delete_removes_all(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "other"}])
    assert len(one(ec2, instance)["Tags"]) == 2
    ec2.delete_tags(Resources=[instance])
    assert "Tags" not in one(ec2, instance)
