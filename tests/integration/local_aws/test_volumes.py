"""Volumes: limits by type, what images and launches make of them, and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws import Faults, LocalAws, advance, set_faults
from tests.integration.local_aws.helpers import launch, launch_one, one, refused, seen, where

ROOT = "/dev/xvda"
DATA = "/dev/sdf"
REGISTERED: dict[str, Any] = {
    "RootDeviceName": ROOT,
    "Architecture": "x86_64",
    "VirtualizationType": "hvm",
    "EnaSupport": True,
}


def disk(device: str = DATA, **ebs: Any) -> dict[str, Any]:
    return {"DeviceName": device, "Ebs": ebs}


def volumes_of(ec2: Any, instance: str) -> dict[str, dict[str, Any]]:
    """The volumes of an instance by device."""
    found = ec2.describe_volumes(Filters=where("attachment.instance-id", instance))["Volumes"]
    return {volume["Attachments"][0]["Device"]: volume for volume in found}


NOT_TAKEN = {
    "twice": ([disk(VolumeSize=8), disk(VolumeSize=9)], "InvalidBlockDeviceMapping"),
    "the root twice": ([disk(ROOT, VolumeSize=8), disk(ROOT, VolumeSize=9)], "InvalidBlockDeviceMapping"),
    "a type that does not boot": (
        [disk(ROOT, VolumeSize=500, VolumeType="st1")],
        "InvalidBlockDeviceMapping",
    ),
    "st1 too small": ([disk(VolumeSize=124, VolumeType="st1")], "InvalidParameterValue"),
    "sc1 too large": ([disk(VolumeSize=16385, VolumeType="sc1")], "InvalidParameterValue"),
    "gp2 too large": ([disk(VolumeSize=16385, VolumeType="gp2")], "InvalidParameterValue"),
    "gp3 too large": ([disk(VolumeSize=65537, VolumeType="gp3")], "InvalidParameterValue"),
    "standard too large": ([disk(VolumeSize=1025, VolumeType="standard")], "InvalidParameterValue"),
    "io1 too small": ([disk(VolumeSize=3, VolumeType="io1", Iops=100)], "InvalidParameterValue"),
    "io2 without IOPS": ([disk(VolumeSize=100, VolumeType="io2")], "MissingParameter"),
    "io1 of too many IOPS for its size": (
        [disk(VolumeSize=10, VolumeType="io1", Iops=501)],
        "InvalidParameterValue",
    ),
    "io2 of too many IOPS": (
        [disk(VolumeSize=4000, VolumeType="io2", Iops=256001)],
        "InvalidParameterValue",
    ),
    "gp3 of too few IOPS": ([disk(VolumeSize=10, VolumeType="gp3", Iops=2999)], "InvalidParameterValue"),
    "gp3 of too many IOPS for its size": (
        [disk(VolumeSize=7, VolumeType="gp3", Iops=3501)],
        "InvalidParameterValue",
    ),
    "gp3 of too little throughput": (
        [disk(VolumeSize=10, VolumeType="gp3", Throughput=124)],
        "InvalidParameterValue",
    ),
    "gp3 of too much throughput for its IOPS": (
        [disk(VolumeSize=10, VolumeType="gp3", Throughput=751)],
        "InvalidParameterValue",
    ),
    "gp2 with IOPS": ([disk(VolumeSize=10, VolumeType="gp2", Iops=3000)], "InvalidParameterCombination"),
    "io2 with throughput": (
        [disk(VolumeSize=10, VolumeType="io2", Iops=100, Throughput=125)],
        "InvalidParameterCombination",
    ),
    "an unknown type": ([disk(VolumeSize=10, VolumeType="gp9")], "InvalidParameterValue"),
    "a key without encryption": ([disk(VolumeSize=10, KmsKeyId="alias/x")], "InvalidParameterDependency"),
    "an unknown snapshot": ([disk(SnapshotId="snap-0123456789abcdef0")], "InvalidSnapshot.NotFound"),
}


@pytest.mark.correction("volume-limits")
@pytest.mark.parametrize("case", NOT_TAKEN)
def test_volumes_have_limits_by_type(ec2: Any, image: str, case: str) -> None:
    mappings, code = NOT_TAKEN[case]
    with refused(code):
        launch(ec2, image, BlockDeviceMappings=mappings, DryRun=True)
    assert seen(ec2) == []


@pytest.mark.same_on_moto
def test_a_new_volume_says_how_large_it_is(ec2: Any, image: str) -> None:
    with refused("MissingParameter"):
        launch(ec2, image, BlockDeviceMappings=[disk(VolumeType="gp3")])


@pytest.mark.correction("volume-types")
def test_volumes_of_every_type_are_launched_as_asked_for(ec2: Any, image: str) -> None:
    wanted = {
        ROOT: {"VolumeType": "gp3", "VolumeSize": 160, "Iops": 80000, "Throughput": 2000},
        "/dev/sdf": {"VolumeType": "gp2", "VolumeSize": 1},
        "/dev/sdg": {"VolumeType": "io1", "VolumeSize": 4, "Iops": 200},
        "/dev/sdh": {"VolumeType": "io2", "VolumeSize": 65536, "Iops": 256000},
        "/dev/sdi": {"VolumeType": "st1", "VolumeSize": 125},
        "/dev/sdj": {"VolumeType": "standard", "VolumeSize": 1024},
        "/dev/sdk": {"VolumeType": "gp3", "VolumeSize": 1},
    }
    mappings = [disk(device, **ebs) for device, ebs in wanted.items()]
    found = volumes_of(ec2, launch_one(ec2, image, BlockDeviceMappings=mappings))
    for device, ebs in wanted.items():
        shown = found[device]
        assert (shown["VolumeType"], shown["Size"]) == (ebs["VolumeType"], ebs["VolumeSize"])
        assert shown.get("Iops") == ebs.get("Iops", 3000 if ebs["VolumeType"] == "gp3" else None)
    assert found["/dev/sdk"]["Throughput"] == 125
    assert all(item["Attachments"][0]["DeleteOnTermination"] for item in found.values())


@pytest.mark.correction("image-devices")
def test_a_launch_makes_the_volumes_of_the_image_as_it_was_registered(ec2: Any) -> None:
    mappings = [disk(ROOT, VolumeSize=20, DeleteOnTermination=False), disk(VolumeSize=30, VolumeType="gp3")]
    image = ec2.register_image(Name="kept", BlockDeviceMappings=mappings, **REGISTERED)["ImageId"]
    (shown,) = ec2.describe_images(ImageIds=[image])["Images"]
    kept = {item["DeviceName"]: item["Ebs"] for item in shown["BlockDeviceMappings"]}
    assert (kept[ROOT]["VolumeSize"], kept[ROOT]["DeleteOnTermination"]) == (20, False)
    assert kept[DATA]["VolumeSize"] == 30
    found = volumes_of(ec2, launch_one(ec2, image))
    assert {device: volume["Size"] for device, volume in found.items()} == {ROOT: 20, DATA: 30}
    assert found[ROOT]["Attachments"][0]["DeleteOnTermination"] is False
    changed = [disk(ROOT, DeleteOnTermination=True), {"DeviceName": DATA, "NoDevice": ""}]
    found = volumes_of(ec2, launch_one(ec2, image, BlockDeviceMappings=changed))
    assert list(found) == [ROOT]
    assert found[ROOT]["Attachments"][0]["DeleteOnTermination"] is True
    with refused("InvalidBlockDeviceMapping"):
        launch(ec2, image, BlockDeviceMappings=[disk(ROOT, VolumeSize=19)])


@pytest.mark.correction("volume-stays")
def test_a_volume_that_is_not_deleted_outlives_its_instance_and_is_found_by_its_tags(ec2: Any) -> None:
    stays = [disk(ROOT, DeleteOnTermination=False)]
    image = ec2.register_image(Name="kept", BlockDeviceMappings=stays, **REGISTERED)["ImageId"]
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "fleet", "Value": "web"}]}]
    instance = launch_one(ec2, image, BlockDeviceMappings=[disk(VolumeSize=5)], TagSpecifications=tags)
    ec2.terminate_instances(InstanceIds=[instance])
    (left,) = ec2.describe_volumes(Filters=where("tag:fleet", "w*") + where("status", "available"))["Volumes"]
    assert (left["State"], left["Attachments"]) == ("available", [])
    ec2.create_tags(Resources=[left["VolumeId"]], Tags=[{"Key": "fleet", "Value": "other"}])
    assert ec2.describe_volumes(Filters=where("tag:fleet", "web"))["Volumes"] == []
    assert ec2.describe_volumes(Filters=where("tag-key", "fleet"))["Volumes"][0]["Size"] == 8
    ec2.delete_volume(VolumeId=left["VolumeId"])
    with refused("InvalidVolume.NotFound"):
        ec2.create_tags(Resources=[left["VolumeId"]], Tags=[{"Key": "fleet", "Value": "web"}])
    with refused("InvalidVolume.NotFound"):
        ec2.describe_volumes(VolumeIds=[left["VolumeId"]])


@pytest.mark.correction("volume-pages")
def test_volumes_come_page_by_page(ec2: Any, image: str) -> None:
    launch(ec2, image, 7)
    first = ec2.describe_volumes(MaxResults=5)
    rest = ec2.describe_volumes(MaxResults=5, NextToken=first["NextToken"])
    assert (len(first["Volumes"]), len(rest["Volumes"])) == (5, 2)
    with refused("InvalidParameterValue"):
        ec2.describe_volumes(Filters=where("colour", "red"))


@pytest.mark.correction("volume-grows")
def test_a_volume_grows_only(ec2: Any, image: str) -> None:
    volume = volumes_of(ec2, launch_one(ec2, image))[ROOT]["VolumeId"]
    ec2.modify_volume(VolumeId=volume, Size=20)
    for change, code in (
        ({"Size": 19}, "InvalidParameterValue"),
        ({"VolumeType": "st1"}, "InvalidParameterValue"),
        ({"VolumeType": "sc1", "Size": 200}, "InvalidParameterValue"),
        ({"VolumeType": "io1"}, "InvalidParameterValue"),
        ({"VolumeType": "gp2", "Iops": 3000}, "InvalidParameterCombination"),
        ({"VolumeType": "io2", "Throughput": 200}, "InvalidParameterCombination"),
        ({"Iops": 2999}, "InvalidParameterValue"),
        ({"Throughput": 751}, "InvalidParameterValue"),
        ({"Size": 65537}, "InvalidParameterValue"),
        ({}, "InvalidParameterValue"),
    ):
        with refused(code):
            ec2.modify_volume(VolumeId=volume, **change)
    with refused("InvalidVolume.NotFound"):
        ec2.modify_volume(VolumeId="vol-0123456789abcdef0", Size=20)
    (shown,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    assert (shown["Size"], shown["VolumeType"]) == (20, "gp3")


@pytest.mark.correction("volume-type-defaults")
def test_another_type_brings_its_own_performance(ec2: Any, image: str) -> None:
    """What is not given stays with the type, and is the new type's own with another."""
    sized = [disk(ROOT, VolumeType="gp3", VolumeSize=100, Iops=4000, Throughput=500)]
    volume = volumes_of(ec2, launch_one(ec2, image, BlockDeviceMappings=sized))[ROOT]["VolumeId"]

    def shown() -> tuple[Any, ...]:
        (found,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        return found["VolumeType"], found["Size"], found.get("Iops"), found.get("Throughput")

    for change, expected in (
        ({"Size": 120}, ("gp3", 120, 4000, 500)),
        ({"VolumeType": "io2"}, ("io2", 120, 3000, None)),
        ({"VolumeType": "gp2"}, ("gp2", 120, None, None)),
        ({"VolumeType": "gp3", "Throughput": 250}, ("gp3", 120, 3000, 250)),
    ):
        ec2.modify_volume(VolumeId=volume, **change)
        assert shown() == expected


@pytest.mark.correction("volume-modifying")
def test_a_modification_goes_through_its_states(local: LocalAws, ec2: Any, image: str) -> None:
    """On a running instance; the size is there with `optimizing`."""
    set_faults(local, Faults(modify_s=10, optimize_s=100))
    instance = launch_one(ec2, image)
    volume = volumes_of(ec2, instance)[ROOT]["VolumeId"]

    def shown() -> tuple[str, int]:
        (modification,) = ec2.describe_volumes_modifications(VolumeIds=[volume])["VolumesModifications"]
        (found,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        return modification["ModificationState"], found["Size"]

    begun = ec2.modify_volume(VolumeId=volume, Size=20)["VolumeModification"]
    assert (begun["ModificationState"], begun["OriginalSize"], begun["TargetSize"]) == ("modifying", 8, 20)
    assert shown() == ("modifying", 8)
    advance(local, 11)
    assert shown() == ("optimizing", 20)
    with refused("IncorrectModificationState"):
        ec2.modify_volume(VolumeId=volume, Size=30)
    assert one(ec2, instance)["State"]["Name"] == "running"
    advance(local, 100)
    assert shown() == ("completed", 20)
    set_faults(local, Faults(modification_failure_share=1.0))
    ec2.modify_volume(VolumeId=volume, Size=30)
    assert shown() == ("failed", 20)
    set_faults(local, Faults())
    ec2.modify_volume(VolumeId=volume, Size=30)
    assert shown() == ("completed", 30)


@pytest.mark.correction("volume-rate")
def test_a_volume_is_modified_four_times_a_day(local: LocalAws, ec2: Any, image: str) -> None:
    volume = volumes_of(ec2, launch_one(ec2, image))[ROOT]["VolumeId"]
    for size in (10, 11, 12, 13):
        ec2.modify_volume(VolumeId=volume, Size=size)
        advance(local, 3600)
    with refused("VolumeModificationRateExceeded"):
        ec2.modify_volume(VolumeId=volume, Size=14)
    advance(local, 20 * 3600)
    ec2.modify_volume(VolumeId=volume, Size=14)
    with refused("VolumeModificationRateExceeded"):
        ec2.modify_volume(VolumeId=volume, Size=15)


@pytest.mark.correction("volume-modifications")
def test_the_last_modification_of_each_volume_is_described(ec2: Any, image: str) -> None:
    first, second, third = (
        volumes_of(ec2, item["InstanceId"])[ROOT]["VolumeId"] for item in launch(ec2, image, 3)
    )
    for volume, size in ((first, 10), (first, 11), (second, 12)):
        ec2.modify_volume(VolumeId=volume, Size=size)

    def shown(**params: Any) -> dict[str, int]:
        rows = ec2.describe_volumes_modifications(**params)["VolumesModifications"]
        return {row["VolumeId"]: row["TargetSize"] for row in rows}

    assert shown() == {first: 11, second: 12}
    assert shown(Filters=where("volume-id", first, third)) == {first: 11}
    assert shown(Filters=where("modification-state", "completed") + where("target-size", "12")) == {
        second: 12
    }
    with refused("InvalidVolumeModification.NotFound"):
        shown(VolumeIds=[third])
    with refused("InvalidVolume.NotFound"):
        shown(VolumeIds=["vol-0123456789abcdef0"])
    with refused("InvalidParameterValue"):
        shown(Filters=where("colour", "red"))


@pytest.mark.correction("volume-encryption")
def test_volumes_are_encrypted_where_that_is_the_default(ec2: Any, image: str) -> None:
    plain = launch_one(ec2, image)
    ec2.enable_ebs_encryption_by_default()
    mappings = [disk(VolumeSize=5, Encrypted=False)]
    encrypted = launch_one(ec2, image, BlockDeviceMappings=mappings)
    made = ec2.create_volume(AvailabilityZone="us-east-1a", Size=5)["VolumeId"]
    assert [item["Encrypted"] for item in volumes_of(ec2, plain).values()] == [False]
    assert [item["Encrypted"] for item in volumes_of(ec2, encrypted).values()] == [True, True]
    assert ec2.describe_volumes(VolumeIds=[made])["Volumes"][0]["Encrypted"] is True


@pytest.mark.correction("volume-key")
def test_an_instance_with_an_unknown_key_terminates_instead_of_running(
    local: LocalAws, ec2: Any, image: str
) -> None:
    set_faults(local, Faults(boot_s=10, kms_aliases=("alias/disks",)))
    here = "arn:aws:kms:us-east-1:123456789012"
    expected = {
        "alias/aws/ebs": "running",
        "alias/disks": "running",
        f"{here}:alias/disks": "running",
        f"{here}:key/00000000-0000-0000-0000-000000000000": "running",
        "alias/nothing": "terminated",
        f"{here}:alias/nothing": "terminated",
        f"{here.replace('us-east-1', 'eu-west-1')}:alias/disks": "terminated",
        f"{here.replace('arn:aws:', 'arn:aws-cn:')}:alias/disks": "terminated",
    }
    instances = {
        named: launch_one(
            ec2, image, BlockDeviceMappings=[disk(VolumeSize=5, Encrypted=True, KmsKeyId=named)]
        )
        for named in expected
    }
    assert {one(ec2, item)["State"]["Name"] for item in instances.values()} == {"pending"}
    advance(local, 11)
    shown = {named: one(ec2, instance) for named, instance in instances.items()}
    assert {named: item["State"]["Name"] for named, item in shown.items()} == expected
    assert shown["alias/nothing"]["StateReason"] == {
        "Code": "Client.InternalError",
        "Message": "Client.InternalError: Client error on launch",
    }


@pytest.mark.correction("volume-detach")
def test_a_volume_is_detached_by_its_id(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, BlockDeviceMappings=[disk(VolumeSize=5)])
    volumes = {device: volume["VolumeId"] for device, volume in volumes_of(ec2, instance).items()}
    with refused("OperationNotPermitted"):
        ec2.detach_volume(VolumeId=volumes[ROOT])
    for elsewhere in ({"InstanceId": launch_one(ec2, image)}, {"Device": "/dev/sdz"}):
        with refused("InvalidAttachment.NotFound"):
            ec2.detach_volume(VolumeId=volumes[DATA], **elsewhere)
    detached = ec2.detach_volume(VolumeId=volumes[DATA])
    assert (detached["InstanceId"], detached["Device"]) == (instance, DATA)
    assert list(volumes_of(ec2, instance)) == [ROOT]
    with refused("IncorrectState"):
        ec2.detach_volume(VolumeId=volumes[DATA])
    with refused("InvalidVolume.NotFound"):
        ec2.detach_volume(VolumeId="vol-0123456789abcdef0")
    ec2.stop_instances(InstanceIds=[instance])
    assert ec2.detach_volume(VolumeId=volumes[ROOT])["Device"] == ROOT
