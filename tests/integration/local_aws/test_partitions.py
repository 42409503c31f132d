"""Regions outside of the partition `aws`, and those that moto has nothing of."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local_aws import LocalAws
from tests.integration.local_aws.helpers import AL2023, POLICY, TRUST, launch, make_role, one, refused, where

ACCOUNT = "123456789012"
# Region -> its partition; the last has one that it shares with others, and is new.
REGIONS = {
    "cn-north-1": "aws-cn",
    "us-gov-west-1": "aws-us-gov",
    "us-iso-east-1": "aws-iso",
    "eusc-de-east-1": "aws-eusc",
    "mx-central-1": "aws",
}


def client(local: LocalAws, service: str, region: str) -> Any:
    """A client of a region that does not retry."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=region,
        endpoint_url=local.endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.correction("region-stock")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.sampled
def test_every_region_has_images_types_and_a_default_network(local: LocalAws, region: str) -> None:
    ssm, ec2 = client(local, "ssm", region), client(local, "ec2", region)
    image = ssm.get_parameter(Name=AL2023)["Parameter"]["Value"]
    (shown,) = ec2.describe_images(ImageIds=[image], Owners=["amazon"])["Images"]
    assert (shown["Architecture"], shown["RootDeviceName"]) == ("x86_64", "/dev/xvda")
    offered = ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=where("instance-type", "t3.micro")
    )["InstanceTypeOfferings"]
    zones = {item["ZoneName"] for item in ec2.describe_availability_zones()["AvailabilityZones"]}
    assert len(zones) > 1
    assert {item["Location"] for item in offered} == zones
    (instance,) = launch(ec2, image)
    assert one(ec2, instance["InstanceId"])["Placement"]["AvailabilityZone"] in zones


@pytest.mark.correction("partition-iam")
@pytest.mark.parametrize(("region", "partition"), REGIONS.items())
def test_each_partition_has_an_iam_of_its_own(local: LocalAws, region: str, partition: str) -> None:
    iam, sts = client(local, "iam", region), client(local, "sts", region)
    here = f"arn:{partition}:iam::"
    assert sts.get_caller_identity()["Arn"].startswith(f"arn:{partition}:")
    assert make_role(iam)["Arn"] == f"{here}{ACCOUNT}:role/worker"
    iam.attach_role_policy(RoleName="worker", PolicyArn=f"{here}aws:policy/AmazonS3ReadOnlyAccess")
    own = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    assert own == f"{here}{ACCOUNT}:policy/p"
    iam.attach_role_policy(RoleName="worker", PolicyArn=own)
    iam.create_instance_profile(InstanceProfileName="worker")
    iam.add_role_to_instance_profile(InstanceProfileName="worker", RoleName="worker")
    ec2 = client(local, "ec2", region)
    image = client(local, "ssm", region).get_parameter(Name=AL2023)["Parameter"]["Value"]
    profile = f"{here}{ACCOUNT}:instance-profile/worker"
    (instance,) = launch(ec2, image, IamInstanceProfile={"Arn": profile})
    assert instance["IamInstanceProfile"]["Arn"] == profile
    elsewhere = client(local, "iam", "us-east-1" if partition != "aws" else "cn-north-1")
    with refused("NoSuchEntity"):
        elsewhere.get_role(RoleName="worker")


@pytest.mark.correction("partition-arns")
@pytest.mark.parametrize(("region", "partition"), [item for item in REGIONS.items() if item[1] != "aws"])
def test_arns_of_another_partition_are_refused(local: LocalAws, region: str, partition: str) -> None:
    iam, ec2 = client(local, "iam", region), client(local, "ec2", region)
    make_role(iam)
    with refused("ValidationError"):
        iam.attach_role_policy(RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")

    def allows(resource: str) -> str:
        statement = {"Effect": "Allow", "Action": "s3:*", "Resource": resource}
        return json.dumps({"Version": "2012-10-17", "Statement": statement})

    with refused("MalformedPolicyDocument") as no:
        iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=allows("arn:aws:s3:::b/*"))
    assert no.message == 'Partition "aws" is not valid for resource "arn:aws:s3:::b/*".'
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=allows(f"arn:{partition}:s3:::b/*"))
    trusts = json.loads(TRUST)
    trusts["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    with refused("MalformedPolicyDocument"):
        iam.update_assume_role_policy(RoleName="worker", PolicyDocument=json.dumps(trusts))
    image = client(local, "ssm", region).get_parameter(Name=AL2023)["Parameter"]["Value"]
    with refused("InvalidParameterValue"):
        launch(ec2, image, IamInstanceProfile={"Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/worker"})


@pytest.mark.correction("principal-china")
def test_names_of_services_that_end_in_cn_are_of_china(local: LocalAws) -> None:
    trust = TRUST.replace("ec2.amazonaws.com", "ec2.amazonaws.com.cn")
    client(local, "iam", "cn-north-1").create_role(RoleName="worker", AssumeRolePolicyDocument=trust)
    with refused("MalformedPolicyDocument") as no:
        client(local, "iam", "us-east-1").create_role(RoleName="worker", AssumeRolePolicyDocument=trust)
    assert no.message == 'Invalid principal in policy: "SERVICE":"ec2.amazonaws.com.cn"'
