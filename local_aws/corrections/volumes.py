"""Volumes: as images and launches make them, described, and after their instance.

EC2 API Reference, EbsBlockDevice, CreateVolume, DetachVolume, DescribeVolumes
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html); User Guide, "Block device
mappings", "Preserve data when an instance is terminated"; EBS User Guide, "Amazon EBS volume types" (st1 and
sc1 do not boot), "Amazon EBS encryption: by default". A KMS key that is not there shows after the launch:
"Troubleshoot launch issues: instance terminates immediately", Client.InternalError. moto takes the mappings
of the call or one volume of 8 GB, any size and type, and fails at a detachment that names the volume only.
Their changes are in `volume_modifications`.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections import paging, volume_modifications
from local_aws.corrections.filters import VOLUME_PATHS, view_filter
from local_aws.corrections.registry import check, handler
from local_aws.corrections.volume_limits import check_limits
from local_aws.world import Member, Region, World

Devices = dict[str, dict[str, Any]]
"""Volumes by device, as `Ebs` of a block device mapping says it."""

ROOT_SIZE_GB = 8
_STANDARD = {"VolumeType": "gp3", "DeleteOnTermination": True}
AWS_ALIAS = "alias/aws/ebs"
_NOT_BOOTABLE = ("st1", "sc1")


def image_devices(region: Region, image: Any) -> Devices:
    """The volumes of an image by device: its root, with what it was registered with, and the others."""
    devices: Devices = {image.root_device_name: {**_STANDARD, "VolumeSize": ROOT_SIZE_GB, "Encrypted": False}}
    for mapping in region.image_settings_of(image.id).devices:
        disk = mapping["Ebs"]
        of_snapshot = _size_of_snapshot(region, disk)
        sized = {"VolumeSize": of_snapshot} if of_snapshot else {}
        devices[mapping["DeviceName"]] = {
            **devices.get(mapping["DeviceName"], {**_STANDARD, "Encrypted": False}),
            **sized,
            **disk,
        }
    return devices


def launch_devices(region: Region, params: dict[str, Any]) -> Devices:
    """The volumes that a launch makes, by device: the image's, changed and extended by the mappings given."""
    devices = image_devices(region, region.backend.amis[params["ImageId"]])
    for mapping in deepcopy(params.get("BlockDeviceMappings") or []):
        name = mapping["DeviceName"]
        if "NoDevice" in mapping:
            devices.pop(name, None)
        elif "Ebs" in mapping:
            devices[name] = {**devices.get(name, _STANDARD), **mapping["Ebs"]}
    for disk in devices.values():
        if "VolumeSize" not in disk and (size := _size_of_snapshot(region, disk)):
            disk["VolumeSize"] = size
        if region.backend.ebs_encryption_by_default:
            disk["Encrypted"] = True
    return devices


def moto_mappings(devices: Devices) -> list[dict[str, Any]]:
    """The devices as moto takes them: io1 and io2 become what they are in `complete`, with their IOPS."""
    return [
        {
            "DeviceName": name,
            "Ebs": {key: disk[key] for key in disk if key not in ("VolumeType", "SnapshotId")},
        }
        for name, disk in devices.items()
    ]


def complete(world: World, region: Region, member: Member, devices: Devices) -> None:
    """Gives the volumes of a new instance what moto leaves out, and notes a key that there is not."""
    for name, disk in devices.items():
        device = member.instance.block_device_mapping[name]
        volume = region.backend.get_volume(device.volume_id)
        volume.volume_type = disk.get("VolumeType") or volume.volume_type
        volume.iops = disk.get("Iops") or (3000 if volume.volume_type == "gp3" else None)
        volume.throughput = disk.get("Throughput") or (125 if volume.volume_type == "gp3" else None)
        volume.snapshot_id = disk.get("SnapshotId")
        if not _key_exists(world, region, disk.get("KmsKeyId")):
            member.launch_error = "Client.InternalError: Client error on launch"


def check_devices(region: Region, params: dict[str, Any]) -> None:
    """Raises an AwsError for a device given twice, or a volume that its type or snapshot does not allow.

    The image has to be one that exists.
    """
    image = region.backend.amis[params["ImageId"]]
    given = params.get("BlockDeviceMappings") or []
    names = [mapping.get("DeviceName") for mapping in given]
    for name in names:
        if names.count(name) > 1:
            text = f"The device '{name}' is used in more than one block-device mapping"
            raise AwsError("InvalidBlockDeviceMapping", text)
    of_image = image_devices(region, image)
    devices = launch_devices(region, params)
    for name in [name for name in names if name in devices]:
        disk = devices[name]
        if disk.get("SnapshotId") not in (None, "", *region.backend.snapshots):
            text = f"The snapshot '{disk['SnapshotId']}' does not exist."
            raise AwsError("InvalidSnapshot.NotFound", text)
        if "VolumeSize" not in disk:
            raise AwsError("MissingParameter", "The request must contain the parameter size or snapshotId")
        least = of_image.get(name, {}).get("VolumeSize") or _size_of_snapshot(region, disk) or 1
        if disk["VolumeSize"] < least:
            snapshot = disk.get("SnapshotId") or image.ebs_snapshot.id
            text = f"Volume of size {disk['VolumeSize']}GB is smaller than snapshot '{snapshot}'"
            raise AwsError("InvalidBlockDeviceMapping", f"{text}, expect size >= {least}GB")
        if name == image.root_device_name and disk["VolumeType"] in _NOT_BOOTABLE:
            text = f"The volume type {disk['VolumeType']} is not supported for the root device '{name}'"
            raise AwsError("InvalidBlockDeviceMapping", text)
        check_limits(disk["VolumeType"], disk["VolumeSize"], disk.get("Iops"), disk.get("Throughput"))
        if disk.get("KmsKeyId") and not disk.get("Encrypted"):
            text = "The parameter KmsKeyId requires the parameter Encrypted to be set."
            raise AwsError("InvalidParameterDependency", text)


@check("ec2:CreateVolume")
def new_volume_fits(world: World, call: Call) -> None:
    """A size that the type allows."""
    params = call.params
    size = params.get("Size") or _size_of_snapshot(world.region(call.region), params)
    if size:
        check_limits(params.get("VolumeType") or "gp2", size, params.get("Iops"), params.get("Throughput"))


@handler("ec2:CreateVolume")
def create(world: World, call: Call) -> Any:
    """Encrypted, where that is the default."""
    by_default = world.region(call.region).backend.ebs_encryption_by_default
    return call.moto(**({"Encrypted": True} if by_default else {}))


@check("ec2:DetachVolume")
def may_detach(world: World, call: Call) -> None:
    """The volume is attached, where the call says it is, and is not what a running instance runs from."""
    params, region = call.params, world.region(call.region)
    volume = region.backend.get_volume(params["VolumeId"])
    if volume.attachment is None:
        raise AwsError("IncorrectState", f"Volume '{volume.id}' is in the '{volume.status}' state.")
    instance, device = volume.attachment.instance, volume.attachment.device
    if (params.get("InstanceId") or instance.id, params.get("Device") or device) != (instance.id, device):
        text = f"The volume '{volume.id}' is not attached to instance '{params.get('InstanceId')}' as device"
        raise AwsError("InvalidAttachment.NotFound", f"{text} '{params.get('Device') or device}'.")
    if device == instance.root_device_name and instance.state != "stopped":
        text = f"Unable to detach root volume '{device}' from instance '{instance.id}'"
        raise AwsError("OperationNotPermitted", text)


@handler("ec2:DetachVolume")
def detach(world: World, call: Call) -> Any:
    """From the instance that it is attached to, named or not."""
    volume = world.region(call.region).backend.get_volume(call.params["VolumeId"])
    return call.moto(InstanceId=volume.attachment.instance.id, Device=volume.attachment.device)


@handler("ec2:DescribeVolumes")
def describe(world: World, call: Call) -> dict[str, Any]:
    """Volumes by id and filters, with what becomes of them when their instance terminates."""
    region, params = world.region(call.region), call.params
    volume_modifications.bring_up_to_date(world, region)
    wanted = params.get("VolumeIds") or []
    passes = view_filter(params.get("Filters") or [], VOLUME_PATHS)
    for volume_id in wanted:
        if volume_id not in region.backend.volumes:
            raise AwsError("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")
    volumes = [region.backend.volumes[item] for item in wanted] or region.backend.volumes.values()
    found = [view for view in map(_view, volumes) if passes(view)]
    rows, token = paging.page(found, params, ids_given=bool(wanted))
    return {"Volumes": rows, "NextToken": token}


def _view(volume: Any) -> dict[str, Any]:
    return {
        "VolumeId": volume.id,
        "Size": volume.size,
        "VolumeType": volume.volume_type,
        "Iops": volume.iops,
        "Throughput": volume.throughput,
        "Encrypted": bool(volume.encrypted),
        "KmsKeyId": volume.kms_key_id,
        "SnapshotId": volume.snapshot_id or "",
        "AvailabilityZone": volume.availability_zone,
        "CreateTime": volume.create_time,
        "State": volume.status,
        "MultiAttachEnabled": bool(volume.multi_attach_enabled),
        "Attachments": list(_attachments(volume)),
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in volume.get_tags()] or None,
    }


def _attachments(volume: Any) -> Iterator[dict[str, Any]]:
    for attachment in volume.attachments:
        device = attachment.instance.block_device_mapping.get(attachment.device)
        yield {
            "VolumeId": volume.id,
            "InstanceId": attachment.instance.id,
            "Device": attachment.device,
            "State": attachment.status,
            "AttachTime": attachment.attach_time,
            "DeleteOnTermination": bool(device and device.delete_on_termination),
        }


def _size_of_snapshot(region: Region, disk: dict[str, Any]) -> int | None:
    snapshot = region.backend.snapshots.get(disk.get("SnapshotId") or "")
    return int(snapshot.volume.size) if snapshot is not None else None


def _key_exists(world: World, region: Region, named: str | None) -> bool:
    """Whether a KMS key id, alias, or ARN of either is one of the region.

    There is no KMS here: all key ids are taken as existing, and the aliases of AWS or that were switched on.
    """
    if not named:
        return True
    own = f"arn:{world.partition}:kms:{region.name}:{world.account}:"
    if named.startswith("arn:") and not named.startswith(own):
        return False
    name = named.removeprefix(own)
    return not name.startswith("alias/") or name in (AWS_ALIAS, *world.faults.kms_aliases)
