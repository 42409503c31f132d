"""Images, from registration to deregistration, and the public parameters that name them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import local_aws
from local_aws import LocalAws, advance
from local_aws.errors import LocalAwsError
from tests.integration.local_aws.helpers import AL2023, launch, launch_one, one, refused, where


def register(ec2: Any, name: str = "base", **more: Any) -> str:
    """Registers an image of one's own and returns its id."""
    standard = {"Architecture": "x86_64", "VirtualizationType": "hvm", "EnaSupport": True}
    request = {"Name": name, **standard, "RootDeviceName": "/dev/xvda", **more}
    return str(ec2.register_image(**request)["ImageId"])


def shown(ec2: Any, **request: Any) -> list[str]:
    """Ids of the images that DescribeImages shows."""
    return [item["ImageId"] for item in ec2.describe_images(**request)["Images"]]


def clock(ec2: Any) -> datetime:
    """What the local AWS takes for now, to the minute; earlier tests have moved it forward."""
    made = register(ec2, "clock")
    created = ec2.describe_images(ImageIds=[made])["Images"][0]["CreationDate"]
    ec2.deregister_image(ImageId=made)
    return datetime.fromisoformat(created).replace(second=0)


@pytest.mark.correction("image-registered")
def test_a_registered_image_shows_what_it_was_given(local: LocalAws, ec2: Any) -> None:
    before = clock(ec2)
    advance(local, 3600)
    tags = [{"Key": "env", "Value": "dev"}]
    made = register(ec2, Architecture="arm64", TagSpecifications=[{"ResourceType": "image", "Tags": tags}])
    (found,) = ec2.describe_images(Owners=["self"])["Images"]
    assert found["ImageId"] == made
    assert (found["Name"], found["State"], found["Architecture"]) == ("base", "available", "arm64")
    assert (found["RootDeviceName"], found["VirtualizationType"]) == ("/dev/xvda", "hvm")
    assert (found["OwnerId"], found["Public"], found["Tags"]) == ("123456789012", False, tags)
    created = datetime.fromisoformat(found["CreationDate"])
    assert timedelta(hours=1) <= created - before < timedelta(minutes=63)
    assert "DeprecationTime" not in found
    assert one(ec2, launch_one(ec2, made, InstanceType="t4g.micro"))["ImageId"] == made


@pytest.mark.correction("image-boot-mode")
def test_images_boot_as_their_kind_does(local: LocalAws, ec2: Any, image: str) -> None:
    own = register(ec2, "own", BootMode="legacy-bios")
    copied = ec2.copy_image(Name="copy", SourceImageId=own, SourceRegion="us-east-1")["ImageId"]
    made = ec2.create_image(Name="made", InstanceId=launch_one(ec2, image))["ImageId"]
    expected = {
        image: "uefi-preferred",
        local_aws.add_image(local, "somebodys"): None,
        local_aws.add_image(local, "for-arm", architecture="arm64"): "uefi",
        register(ec2, "plain"): None,
        own: "legacy-bios",
        copied: "legacy-bios",
        made: "uefi-preferred",
    }
    found = ec2.describe_images(ImageIds=list(expected))["Images"]
    assert {row["ImageId"]: row.get("BootMode") for row in found} == expected


@pytest.mark.correction("image-copied")
def test_a_copy_is_as_its_source(ec2: Any, image: str) -> None:
    copied = ec2.copy_image(SourceImageId=image, SourceRegion="us-east-1", Name="copy")["ImageId"]
    before, after = (ec2.describe_images(ImageIds=[item])["Images"][0] for item in (image, copied))
    for name in ("Architecture", "RootDeviceName", "VirtualizationType"):
        assert after[name] == before[name]
    assert (after["OwnerId"], after["Name"]) == ("123456789012", "copy")


@pytest.mark.correction("image-name")
def test_the_name_of_an_image_is_taken_once(ec2: Any, image: str) -> None:
    made = register(ec2)
    with refused("InvalidAMIName.Duplicate") as no:
        register(ec2)
    assert made in no.message
    with refused("InvalidAMIName.Duplicate"):
        ec2.copy_image(SourceImageId=image, SourceRegion="us-east-1", Name="base")
    ec2.deregister_image(ImageId=made)
    register(ec2)


@pytest.mark.correction("image-filters")
def test_images_are_found_by_owner_and_filters(ec2: Any, image: str) -> None:
    made = register(ec2, "base-1", Architecture="arm64", Description="for courses")
    other = register(ec2, "base-2")
    assert shown(ec2, Filters=where("name", "base-?")) == [made, other]
    assert shown(ec2, Owners=["123456789012"], Filters=where("architecture", "x86_64")) == [other]
    assert shown(ec2, Owners=["self"], Filters=where("description", "for *")) == [made]
    assert shown(ec2, Owners=["self"], Filters=where("root-device-name", "/dev/xvd*")) == [made, other]
    today = where("creation-date", f"{clock(ec2):%Y-%m-}*")
    assert shown(ec2, Owners=["self"], Filters=today) == [made, other]
    amazons = shown(ec2, Owners=["amazon"])
    assert image in amazons
    assert not {made, other} & set(amazons)
    with refused("InvalidParameterValue"):
        ec2.describe_images(Filters=where("colour", "red"))


@pytest.mark.correction("image-deprecated")
def test_an_image_can_be_deprecated_by_its_owner(local: LocalAws, ec2: Any, image: str) -> None:
    made = register(ec2)
    at = clock(ec2) + timedelta(hours=2)
    ec2.enable_image_deprecation(ImageId=made, DeprecateAt=at)
    (found,) = ec2.describe_images(ImageIds=[made])["Images"]
    assert datetime.fromisoformat(found["DeprecationTime"]) == at
    advance(local, 3 * 3600)
    assert shown(ec2, Owners=["self"]) == [made]
    launch(ec2, made)
    with refused("InvalidParameterValue"):
        ec2.enable_image_deprecation(ImageId=made, DeprecateAt=at)
    ec2.disable_image_deprecation(ImageId=made)
    assert "DeprecationTime" not in ec2.describe_images(ImageIds=[made])["Images"][0]
    with refused("AuthFailure"):
        ec2.enable_image_deprecation(ImageId=image, DeprecateAt=at + timedelta(hours=9))


def test_others_deprecated_images_are_shown_by_id_or_on_demand(local: LocalAws, ec2: Any) -> None:
    old = local_aws.add_image(local, "course-1", created=datetime(2024, 5, 1, tzinfo=UTC))
    new = local_aws.add_image(local, "course-2", architecture="arm64")
    mine = local_aws.add_image(local, "course-3", owner="self")
    theirs = local_aws.add_image(local, "course-4", owner="111122223333")
    named = {"Filters": where("name", "course-*")}
    assert shown(ec2, **named) == [old, new, mine, theirs]
    assert shown(ec2, Owners=["amazon"], **named) == [old, new]
    assert shown(ec2, Owners=["self", "111122223333"], **named) == [mine, theirs]
    local_aws.deprecate_image(local, old, datetime(2024, 6, 1, tzinfo=UTC))
    local_aws.deprecate_image(local, mine, datetime(2024, 6, 1, tzinfo=UTC))
    local_aws.deprecate_image(local, new, clock(ec2) + timedelta(hours=24))
    assert shown(ec2, **named) == [new, mine, theirs]
    assert shown(ec2, IncludeDeprecated=True, **named) == [old, new, mine, theirs]
    (found,) = ec2.describe_images(ImageIds=[old])["Images"]
    assert found["CreationDate"] == "2024-05-01T00:00:00.000Z"
    assert found["DeprecationTime"] == "2024-06-01T00:00:00.000Z"
    launch(ec2, old)
    local_aws.control(local, "reset", {})
    assert shown(ec2, **named) == []


@pytest.mark.correction("image-deregistered")
def test_nothing_launches_from_a_deregistered_image(local: LocalAws, ec2: Any, image: str) -> None:
    made = register(ec2)
    instance = launch_one(ec2, made)
    ec2.deregister_image(ImageId=made)
    assert shown(ec2, Owners=["self"]) == []
    with refused("InvalidAMIID.NotFound"):
        ec2.describe_images(ImageIds=[made])
    with refused("InvalidAMIID.NotFound"):
        launch(ec2, made)
    ec2.stop_instances(InstanceIds=[instance])
    ec2.start_instances(InstanceIds=[instance])
    assert one(ec2, instance)["ImageId"] == made
    with refused("AuthFailure"):
        ec2.deregister_image(ImageId=image)
    local_aws.remove_image(local, image)
    with refused("InvalidAMIID.NotFound"):
        launch(ec2, image)
    with pytest.raises(LocalAwsError, match="does not exist"):
        local_aws.remove_image(local, image)


@pytest.mark.correction("image-unavailable")
def test_nothing_launches_from_a_disabled_image(ec2: Any) -> None:
    made = register(ec2)
    ec2.disable_image(ImageId=made)
    with refused("InvalidAMIID.Unavailable"):
        launch(ec2, made)
    ec2.enable_image(ImageId=made)
    launch(ec2, made)


def test_a_public_parameter_moves_on(local: LocalAws, clients: dict[str, Any], image: str) -> None:
    ssm = clients["ssm"]
    newer = local_aws.add_image(local, "al2023-newer")
    before = ssm.get_parameter(Name=AL2023)["Parameter"]
    local_aws.set_parameter(local, AL2023, newer)
    after = ssm.get_parameter(Name=AL2023)["Parameter"]
    assert (before["Value"], after["Value"]) == (image, newer)
    assert after["Version"] == before["Version"] + 1
    assert after["ARN"] == before["ARN"]
    unheard = "/aws/service/canonical/ubuntu/server/99.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
    local_aws.set_parameter(local, unheard, "ami-0123456789abcdef0")
    both = ssm.get_parameters(Names=[AL2023, unheard, "/aws/service/nothing"])
    assert {item["Value"] for item in both["Parameters"]} == {newer, "ami-0123456789abcdef0"}
    assert both["InvalidParameters"] == ["/aws/service/nothing"]
    local_aws.control(local, "reset", {})
    assert ssm.get_parameter(Name=AL2023)["Parameter"]["Value"] == image
