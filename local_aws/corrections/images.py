"""Images: whose they are, how long they are offered, and root volumes as launches make them.

EC2 API Reference, DescribeImages, RegisterImage, CopyImage, EnableImageDeprecation, DeregisterImage; User
Guide, "Deprecate an Amazon EC2 AMI"; "Error codes": InvalidAMIID.NotFound, InvalidAMIName.Duplicate,
AuthFailure. moto shows 15 GB of magnetic disk that stays after termination, passes over missing ids if any
other is found, forgets most of what is registered, and knows no deprecation.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.parse import default_timestamp_parser
from moto.ec2.models.amis import Ami
from moto.ec2.utils import format_timestamp, random_ami_id

from local_aws.call import AwsError, Call
from local_aws.corrections.filters import IMAGE_PATHS, view_filter
from local_aws.corrections.paging import page
from local_aws.corrections.registry import check, handler
from local_aws.corrections.volumes import image_devices
from local_aws.world import ImageSettings, Region, World

AMAZON = "137112412989"
_OWN_ONLY = (
    "ec2:DeregisterImage",
    "ec2:DisableImage",
    "ec2:DisableImageDeprecation",
    "ec2:EnableImage",
    "ec2:EnableImageDeprecation",
    "ec2:ModifyImageAttribute",
)
_MAKING = ("ec2:RegisterImage", "ec2:CopyImage", "ec2:CreateImage")


@handler("ec2:DescribeImages")
def describe(world: World, call: Call) -> dict[str, Any]:
    """Images by id, owner, user and filters; those of others that are deprecated by id or on demand only."""
    region, params = world.region(call.region), call.params
    amis = region.backend.amis
    wanted = dict.fromkeys(params.get("ImageIds") or [])
    if malformed := [item for item in wanted if not item.startswith("ami-")]:
        raise AwsError("InvalidAMIID.Malformed", f'Invalid id: "{malformed[0]}" (expecting "ami-...")')
    if missing := [item for item in wanted if item not in amis]:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{', '.join(missing)}]' does not exist")
    passes = view_filter(params.get("Filters") or [], IMAGE_PATHS)
    now = world.clock.today()
    found = []
    for image in [amis[item] for item in wanted] or list(amis.values()):
        at = region.deprecations.get(image.id)
        outdated = at is not None and at <= now and image.owner_id != world.account
        if outdated and not wanted and not params.get("IncludeDeprecated"):
            continue
        if _is_of(world, image, params):
            view = _view(region, image, at)
            if passes(view):
                found.append(view)
    rows, token = page(found, params, ids_given=bool(wanted))
    return {"Images": rows, "NextToken": token}


@check(*_OWN_ONLY)
def own(world: World, call: Call) -> None:
    """The image exists, and is the caller's."""
    image_id = call.params.get("ImageId") or ""
    image = world.region(call.region).backend.amis.get(image_id)
    if image is None:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    if image.owner_id != world.account:
        raise AwsError("AuthFailure", f"Not authorized for image:{image_id}", 403)


@check(*_MAKING)
def new_name(world: World, call: Call) -> None:
    """Names are unique among one's own images."""
    name = call.params.get("Name")
    for image in world.region(call.region).backend.amis.values():
        if image.owner_id == world.account and image.name == name:
            text = f"AMI name {name} is already in use by AMI {image.id}"
            raise AwsError("InvalidAMIName.Duplicate", text)


@handler(*_MAKING)
def make(world: World, call: Call) -> dict[str, Any]:
    """A new image of one's own, with all that it was given or has from its source."""
    region, params = world.region(call.region), call.params
    image_id: str = call.moto().result["ImageId"]
    image = region.backend.amis[image_id]
    image.creation_date = world.clock.today()
    image.image_location = f"{world.account}/{image.name}"
    if call.operation == "RegisterImage":
        image.architecture = params.get("Architecture") or "i386"
        image.virtualization_type = params.get("VirtualizationType") or "paravirtual"
        image.root_device_name = params.get("RootDeviceName") or image.root_device_name
        image.boot_mode = params.get("BootMode")
        devices = tuple(item for item in params.get("BlockDeviceMappings") or [] if "Ebs" in item)
        region.image_settings[image_id] = ImageSettings(bool(params.get("EnaSupport")), devices)
    elif call.operation == "CopyImage":
        source = world.region(params["SourceRegion"]).backend.amis[params["SourceImageId"]]
        image.root_device_name = source.root_device_name
        image.boot_mode = boot_mode_of(world.region(params["SourceRegion"]), source)
        settings = world.region(params["SourceRegion"]).image_settings_of(params["SourceImageId"])
        region.image_settings[image_id] = settings
    else:
        image.root_device_name = image.instance.root_device_name
        parent = region.backend.amis.get(image.instance.image_id)
        image.boot_mode = boot_mode_of(region, parent) if parent else None
        region.image_settings[image_id] = ImageSettings(bool(image.instance.ena_support))
    for spec in params.get("TagSpecifications") or []:
        if spec.get("ResourceType") == "image":
            image.add_tags({tag["Key"]: tag["Value"] for tag in spec.get("Tags") or []})
    return {"ImageId": image_id}


@handler("ec2:DeregisterImage")
def deregister(world: World, call: Call) -> dict[str, Any]:
    """Nothing launches from the image any more; what did, stays."""
    remove(world, call.region, call.params["ImageId"])
    return {"Return": True}


@check("ec2:EnableImageDeprecation")
def later(world: World, call: Call) -> None:
    """The date is not in the past, nor more than ten years ahead."""
    now, at = world.clock.today(), _time(call.params.get("DeprecateAt"))
    if not now - timedelta(minutes=1) <= at <= now + timedelta(days=3653):
        raise AwsError("InvalidParameterValue", f"The specified value for deprecateAt ({at}) is not valid.")


@handler("ec2:EnableImageDeprecation")
def enable_deprecation(world: World, call: Call) -> dict[str, Any]:
    """Sets the date, to the minute."""
    deprecate(world, call.region, call.params["ImageId"], _time(call.params["DeprecateAt"]))
    return {"Return": True}


@handler("ec2:DisableImageDeprecation")
def disable_deprecation(world: World, call: Call) -> dict[str, Any]:
    """Removes the date."""
    world.region(call.region).deprecations.pop(call.params["ImageId"], None)
    return {"Return": True}


def add(world: World, region_name: str, name: str, owner: str, architecture: str, created: datetime) -> str:
    """Adds a public image of `self`, `amazon` or an account, and returns its id."""
    backend = world.region(region_name).backend
    image_id = str(random_ami_id())
    backend.amis[image_id] = Ami(
        backend,
        image_id,
        name=name,
        description=name,
        owner_id={"self": world.account, "amazon": AMAZON}.get(owner, owner),
        owner_alias="amazon" if owner == "amazon" else None,
        public=True,
        virtualization_type="hvm",
        architecture=architecture,
        creation_date=created,
        image_location=f"{owner}/{name}",
        hypervisor="xen",
        root_device_type="ebs",
        root_device_name="/dev/xvda",
    )
    return image_id


def deprecate(world: World, region_name: str, image_id: str, at: datetime) -> None:
    """Sets the date on which anyone's image is deprecated. Raises AwsError if there is no such image."""
    region = world.region(region_name)
    _find(region, image_id)
    region.deprecations[image_id] = (at + timedelta(seconds=30)).replace(second=0, microsecond=0)


def remove(world: World, region_name: str, image_id: str) -> None:
    """Removes anyone's image. Raises AwsError if there is no such image."""
    region = world.region(region_name)
    _find(region, image_id)
    del region.backend.amis[image_id]
    region.deprecations.pop(image_id, None)


def _find(region: Region, image_id: str) -> Any:
    if image_id not in region.backend.amis:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    return region.backend.amis[image_id]


def _time(value: Any) -> datetime:
    """A time of a call. moto reads them into UTC without saying so."""
    if value is None:
        raise AwsError("MissingParameter", "The request must contain the parameter DeprecateAt")
    at: datetime = default_timestamp_parser(value) if isinstance(value, str) else value
    return at.replace(tzinfo=UTC)


def _is_of(world: World, image: Any, params: dict[str, Any]) -> bool:
    """Whether the image has one of the owners that are asked for, and one of the users."""
    owners, users = params.get("Owners") or [], params.get("ExecutableUsers") or []
    names = {image.owner_id, image.owner_alias, "self" if image.owner_id == world.account else None}
    if owners and not names & set(owners):
        return False
    shared = {item.get("UserId") or item.get("Group") for item in image.launch_permissions}
    if world.account in shared:
        shared.add("self")
    return not users or bool(shared & set(users))


def boot_mode_of(region: Region, image: Any) -> str | None:
    """As it was registered with; of public images what their kind has, and no parameter at all is common.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-boot.html; moto says uefi of all of them.
    """
    if image.id in region.image_settings:
        return image.boot_mode  # type: ignore[no-any-return]
    if image.architecture == "arm64":
        return "uefi"
    return "uefi-preferred" if (image.name or "").startswith("al2023") else None


def _view(region: Region, image: Any, deprecated: datetime | None) -> dict[str, Any]:
    disks = [
        {"DeviceName": name, "Ebs": {"SnapshotId": image.ebs_snapshot.id, **disk}}
        for name, disk in image_devices(region, image).items()
    ]
    return {
        "Architecture": image.architecture,
        "BlockDeviceMappings": disks,
        "BootMode": boot_mode_of(region, image),
        "CreationDate": format_timestamp(image.creation_date),
        "DeprecationTime": format_timestamp(deprecated) if deprecated else None,
        "Description": image.description,
        "EnaSupport": region.image_settings_of(image.id).ena,
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
