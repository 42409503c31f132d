"""DescribeInstances and DescribeInstanceStatus: pages, filters, status checks."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws import Faults, LocalAws, advance, set_faults, set_status
from local_aws.errors import LocalAwsError
from tests.integration.local_aws.helpers import ids, launch, launch_one, make_profile, refused, seen, where


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


@pytest.mark.correction("filter-values")
def test_the_filters_of_a_call_have_two_hundred_values_at_most(ec2: Any) -> None:
    # The message: https://github.com/gjbae1212/gossm/issues/47.
    live = where("instance-state-name", "pending", "running")
    named = [f"i-{number:017}" for number in range(199)]
    assert seen(ec2, Filters=[*where("instance-id", *named[1:]), *live]) == []
    for describe in (ec2.describe_instances, ec2.describe_volumes):
        with refused("FilterLimitExceeded"):
            describe(Filters=[*where("instance-id", *named), *live])


@pytest.mark.correction("pages-of-a-hundred")
def test_types_come_a_hundred_a_page(ec2: Any) -> None:
    first = ec2.describe_instance_types()
    names = [shown["InstanceType"] for shown in first["InstanceTypes"]]
    second = ec2.describe_instance_types(NextToken=first["NextToken"])["InstanceTypes"]
    assert (len(names), len(second), len({*names, *(shown["InstanceType"] for shown in second)})) == (
        100,
        100,
        200,
    )
    assert "NextToken" not in ec2.describe_instance_types(InstanceTypes=names)
    for wrong in ({"MaxResults": 101}, {"InstanceTypes": [*names, second[0]["InstanceType"]]}):
        with refused("InvalidParameterValue"):
            ec2.describe_instance_types(**wrong)
    lists = [
        ec2.create_managed_prefix_list(PrefixListName=f"l{number}", MaxEntries=1, AddressFamily="IPv4")
        for number in range(2)
    ]
    ids = [{"Name": "prefix-list-id", "Values": [made["PrefixList"]["PrefixListId"] for made in lists]}]
    page = ec2.describe_managed_prefix_lists(Filters=ids, MaxResults=1)
    assert len(page["PrefixLists"]) == 1
    assert (
        len(ec2.describe_managed_prefix_lists(Filters=ids, NextToken=page["NextToken"])["PrefixLists"]) == 1
    )


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


def statuses(ec2: Any, **request: Any) -> list[tuple[str, str]]:
    """Instance and system status of each instance, in order."""
    rows = ec2.describe_instance_status(**request)["InstanceStatuses"]
    return [(row["InstanceStatus"]["Status"], row["SystemStatus"]["Status"]) for row in rows]


@pytest.mark.correction("status-initializing")
def test_status_checks_take_their_time_after_every_start(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(boot_s=10, status_s=60))
    instance = launch_one(ec2, image)
    assert statuses(ec2) == []
    assert statuses(ec2, IncludeAllInstances=True) == [("not-applicable", "not-applicable")]
    for _ in range(2):
        advance(local, 11)
        assert statuses(ec2) == [("initializing", "initializing")]
        advance(local, 58)
        assert statuses(ec2) == [("initializing", "initializing")]
        advance(local, 2)
        assert statuses(ec2) == [("ok", "ok")]
        ec2.stop_instances(InstanceIds=[instance])
        ec2.start_instances(InstanceIds=[instance])
    # Nobody looked while it booted: the time since then counts all the same.
    advance(local, 71)
    assert statuses(ec2) == [("ok", "ok")]


def test_an_instance_is_impaired_until_it_is_started_on_other_hardware(
    local: LocalAws, ec2: Any, image: str
) -> None:
    sick, healthy = ids(launch(ec2, image, 2))
    set_status(local, sick, "impaired")
    assert statuses(ec2) == [("impaired", "impaired"), ("ok", "ok")]
    (row,) = ec2.describe_instance_status(InstanceIds=[sick])["InstanceStatuses"]
    (detail,) = row["InstanceStatus"]["Details"]
    assert (detail["Name"], detail["Status"]) == ("reachability", "failed")
    assert "ImpairedSince" in detail
    ec2.stop_instances(InstanceIds=[sick])
    ec2.start_instances(InstanceIds=[sick])
    assert statuses(ec2) == [("ok", "ok"), ("ok", "ok")]
    set_status(local, healthy, "impaired")
    set_status(local, healthy, "ok")
    assert statuses(ec2) == [("ok", "ok"), ("ok", "ok")]
    with pytest.raises(LocalAwsError, match="there is no instance"):
        set_status(local, "i-00000000000000000", "impaired")
    with pytest.raises(LocalAwsError, match="no such status"):
        set_status(local, sick, "sick")
    ec2.stop_instances(InstanceIds=[sick])
    with pytest.raises(LocalAwsError, match="is stopped"):
        set_status(local, sick, "impaired")


def test_a_share_of_new_instances_becomes_impaired(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(status_s=60, impaired_share=0.5, seed=1))
    launch(ec2, image, 40)
    assert set(statuses(ec2)) == {("initializing", "initializing")}
    advance(local, 61)
    found = statuses(ec2)
    assert set(found) == {("ok", "ok"), ("impaired", "impaired")}
    assert 8 < found.count(("impaired", "impaired")) < 32
    assert statuses(ec2) == found


@pytest.mark.correction("status-filters")
def test_statuses_are_filtered_by_what_they_say(local: LocalAws, ec2: Any, image: str) -> None:
    first, second, third = ids(launch(ec2, image, 3))
    ec2.stop_instances(InstanceIds=[third])

    def found(name: str, *values: str, **more: Any) -> list[str]:
        return ids(ec2.describe_instance_status(Filters=where(name, *values), **more)["InstanceStatuses"])

    assert found("instance-status.status", "ok") == [first, second]
    assert found("instance-status.status", "impaired", "initializing") == []
    assert found("system-status.reachability", "failed") == []
    assert found("system-status.status", "not-*", IncludeAllInstances=True) == [third]
    assert found("instance-state-name", "stopped", IncludeAllInstances=True) == [third]
    with refused("InvalidParameterValue"):
        found("tag:env", "dev")


@pytest.mark.correction("status-pages")
def test_statuses_come_page_by_page_or_of_a_hundred_ids_at_most(ec2: Any, image: str) -> None:
    made = ids(launch(ec2, image, 101))
    pages = list(ec2.get_paginator("describe_instance_status").paginate(PaginationConfig={"PageSize": 50}))
    assert [len(page["InstanceStatuses"]) for page in pages] == [50, 50, 1]
    assert len(ec2.describe_instance_status(InstanceIds=made[:100])["InstanceStatuses"]) == 100
    with refused("RequestResourceCountExceeded"):
        ec2.describe_instance_status(InstanceIds=made)
    with refused("InvalidParameterCombination"):
        ec2.describe_instance_status(InstanceIds=made[:1], MaxResults=50)


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


@pytest.mark.correction("regions")
def test_regions_are_those_that_are_switched_on(ec2: Any) -> None:
    shown = {region["RegionName"]: region["OptInStatus"] for region in ec2.describe_regions()["Regions"]}
    assert len(shown) == 17
    assert set(shown.values()) == {"opt-in-not-required"}
    assert {"us-east-1", "eu-north-1", "sa-east-1"} <= shown.keys()
    every = {region["RegionName"] for region in ec2.describe_regions(AllRegions=True)["Regions"]}
    assert shown.keys() < every
    assert "ap-east-1" in every
    assert "cn-north-1" not in every
    named = ec2.describe_regions(RegionNames=["eu-west-1"])["Regions"]
    assert [region["RegionName"] for region in named] == ["eu-west-1"]


@pytest.mark.correction("filter-of-moto")
def test_subnets_are_found_by_tags_that_look_like_wildcards(ec2: Any) -> None:
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
    tiers = {"blue*": subnets[0], "blue1": subnets[1], "b[l]ue": subnets[2]}
    for tier, subnet in tiers.items():
        ec2.create_tags(Resources=[subnet], Tags=[{"Key": "tier", "Value": tier}])

    def found(value: str) -> list[str]:
        by_tier = where("tag:tier", value)
        return sorted(subnet["SubnetId"] for subnet in ec2.describe_subnets(Filters=by_tier)["Subnets"])

    assert found("blue*") == sorted([tiers["blue*"], tiers["blue1"]])
    assert found(r"blue\*") == [tiers["blue*"]]
    assert found("b[l]ue") == [tiers["b[l]ue"]]
