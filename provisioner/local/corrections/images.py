"""DescribeImages: root volumes as launches make them, and no silence about ids that are not there.

EC2 API Reference, DescribeImages; "Error codes": InvalidAMIID.NotFound. moto shows 15 GB of magnetic disk
that stays after termination, and passes over missing ids if any other is found.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.utils import format_timestamp

from provisioner.local.call import AwsError, Call
from provisioner.local.corrections.launch_checks import ROOT_SIZE_GB
from provisioner.local.corrections.paging import page
from provisioner.local.corrections.registry import handler
from provisioner.local.world import World


@handler("ec2:DescribeImages")
def describe(world: World, call: Call) -> dict[str, Any]:
    """Images by id, owner and filters, as moto selects them."""
    amis = world.region(call.region).backend.amis
    missing = [
        item for item in call.params.get("ImageIds") or [] if item.startswith("ami-") and item not in amis
    ]
    if missing:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{', '.join(missing)}]' does not exist")
    rows, token = page(list(call.moto().result["Images"]), call.params, ids_given=False)
    return {"Images": [_view(item) for item in rows], "NextToken": token}


def _view(image: Any) -> dict[str, Any]:
    root = {
        "SnapshotId": image.ebs_snapshot.id,
        "VolumeSize": ROOT_SIZE_GB,
        "DeleteOnTermination": True,
        "VolumeType": "gp3",
        "Encrypted": False,
    }
    return {
        "Architecture": image.architecture,
        "BlockDeviceMappings": [{"DeviceName": image.root_device_name, "Ebs": root}],
        "BootMode": image.boot_mode,
        "CreationDate": format_timestamp(image.creation_date),
        "Description": image.description,
        "EnaSupport": True,
        "Hypervisor": image.hypervisor or "xen",
        "ImageId": image.id,
        "ImageLocation": image.image_location,
        "ImageOwnerAlias": image.owner_alias,
        "ImageType": image.image_type,
        "Name": image.name,
        "OwnerId": image.owner_id,
        "Platform": image.platform,
        "Public": image.is_public,
        "RootDeviceName": image.root_device_name,
        "RootDeviceType": "ebs",
        "State": image.state,
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in image.get_tags()] or None,
        "VirtualizationType": image.virtualization_type,
    }
