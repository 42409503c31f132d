"""DescribeInstances: pages and filters."""

from __future__ import annotations

from typing import Any

import pytest

from .helpers import ids, launch, launch_one, make_profile, refused, seen, where


@pytest.mark.correction("page-by-instance")
def test_a_page_has_as_many_instances_as_asked_for(ec2: Any, image: str) -> None:
    launch(ec2, image, 7)
    launch(ec2, image, 5)
    pages = list(ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}))
    sizes = [sum(len(item["Instances"]) for item in page["Reservations"]) for page in pages]
    assert sizes == [5, 5, 2]
    found = [item["InstanceId"] for page in pages for r in page["Reservations"] for item in r["Instances"]]
    assert len(set(found)) == 12


@pytest.mark.correction("page-without-size")
def test_without_a_page_size_everything_is_shown(ec2: Any, image: str) -> None:
    for _ in range(101):
        launch_one(ec2, image)
    answer = ec2.describe_instances()
    assert len(answer["Reservations"]) == 101
    assert "NextToken" not in answer


@pytest.mark.correction("page-size-least")
def test_a_page_has_five_instances_at_least(ec2: Any) -> None:
    with refused("InvalidParameterValue"):
        ec2.describe_instances(MaxResults=4)


def test_a_page_size_above_a_thousand_counts_as_a_thousand(ec2: Any) -> None:
    assert seen(ec2, MaxResults=5000) == []


def test_a_page_size_does_not_go_with_ids(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    with refused("InvalidParameterCombination"):
        ec2.describe_instances(InstanceIds=[instance], MaxResults=5)


@pytest.mark.correction("page-token")
def test_a_token_that_is_none_is_refused(ec2: Any) -> None:
    with refused("InvalidNextToken"):
        ec2.describe_instances(MaxResults=5, NextToken="nonsense")


@pytest.mark.correction("filter-profile-arn")
def test_instances_are_found_by_profile_with_wildcards(ec2: Any, iam: Any, image: str) -> None:
    profile = make_profile(iam, Path="/provisioner/dev/")
    wanted = launch_one(ec2, image, IamInstanceProfile={"Name": "worker"})
    launch_one(ec2, image)
    assert ids(seen(ec2, Filters=where("iam-instance-profile.arn", profile["Arn"]))) == [wanted]
    pattern = "arn:aws:iam::123456789012:instance-profile/provisioner/dev/*"
    assert ids(seen(ec2, Filters=where("iam-instance-profile.arn", pattern))) == [wanted]
    assert seen(ec2, Filters=where("iam-instance-profile.arn", "arn:aws:iam::*/other/*")) == []


@pytest.mark.correction("filter-wildcards")
def test_wildcards_work_in_every_filter_and_can_be_escaped(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    assert ids(seen(ec2, Filters=where("instance-type", "t?.mic*"))) == [instance]
    assert seen(ec2, Filters=where("instance-type", "t3.\\*")) == []


@pytest.mark.correction("filter-unknown")
def test_an_unknown_filter_is_refused(ec2: Any) -> None:
    with refused("InvalidParameterValue"):
        ec2.describe_instances(Filters=where("colour", "red"))


@pytest.mark.correction("filter-more")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tenancy", "default"),
        ("monitoring-state", "disabled"),
        ("metadata-options.http-tokens", "optional"),
        ("block-device-mapping.status", "attached"),
        ("instance-state-code", "16"),
        ("reservation-id", "r-*"),
    ],
)
def test_filters_beyond_those_that_moto_has(ec2: Any, image: str, name: str, value: str) -> None:
    instance = launch_one(ec2, image)
    assert ids(seen(ec2, Filters=where(name, value))) == [instance]


def test_filters_must_all_match_and_values_are_alternatives(ec2: Any, image: str) -> None:
    def tags(**pairs: str) -> list[dict[str, Any]]:
        return [
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": pairs[key]} for key in pairs]},
        ]

    first = launch_one(ec2, image, TagSpecifications=tags(env="dev", fleet="a"))
    second = launch_one(ec2, image, TagSpecifications=tags(env="dev", fleet="b"))
    third = launch_one(ec2, image, TagSpecifications=tags(env="prod", fleet="a"))
    both = where("tag:env", "dev") + where("tag:fleet", "a")
    assert ids(seen(ec2, Filters=both)) == [first]
    assert ids(seen(ec2, Filters=where("tag:env", "dev", "prod"))) == [first, second, third]
    assert ids(seen(ec2, Filters=where("tag:env", "DEV"))) == []
    assert ids(seen(ec2, Filters=where("instance-id", first, third))) == [first, third]
    assert ids(seen(ec2, Filters=where("tag-key", "fleet") + where("tag:env", "p*"))) == [third]
    ec2.terminate_instances(InstanceIds=[first])
    assert ids(seen(ec2, Filters=where("instance-state-name", "terminated"))) == [first]


@pytest.mark.same_on_moto
def test_status_shows_running_instances_unless_all_are_asked_for(ec2: Any, image: str) -> None:
    running, stopped = ids(launch(ec2, image, 2))
    ec2.stop_instances(InstanceIds=[stopped])
    statuses = ec2.describe_instance_status()["InstanceStatuses"]
    assert ids(statuses) == [running]
    assert statuses[0]["InstanceStatus"]["Status"] == "ok"
    assert len(ec2.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]) == 2


@pytest.mark.same_on_moto
def test_what_surrounds_instances_can_be_looked_up(ec2: Any, image: str) -> None:
    subnets = ec2.describe_subnets(Filters=where("default-for-az", "true"))["Subnets"]
    assert len({item["AvailabilityZone"] for item in subnets}) == len(subnets) >= 3
    ec2.create_tags(Resources=[subnets[0]["SubnetId"]], Tags=[{"Key": "tier", "Value": "batch"}])
    (tagged,) = ec2.describe_subnets(Filters=where("tag:tier", "batch"))["Subnets"]
    assert tagged["SubnetId"] == subnets[0]["SubnetId"]
    groups = ec2.describe_security_groups(Filters=where("group-name", "default"))["SecurityGroups"]
    assert [group["GroupName"] for group in groups] == ["default"]
    (found,) = ec2.describe_images(ImageIds=[image])["Images"]
    assert found["RootDeviceName"] == "/dev/xvda"
    named = ec2.describe_images(Owners=["amazon"], Filters=where("name", found["Name"][:20] + "*"))["Images"]
    assert image in [item["ImageId"] for item in named]
