"""One table: all that is known of each setting of a fleet's members, a row for each.

How it is launched, compared, changed and remembered, why, and which AWS document says so: whatever is about a
setting iterates over these rows. The order is that in which stopped members are changed, what EC2 may refuse
first, and that of the words in the launch tag.
"""

from __future__ import annotations

import base64
import operator
from collections.abc import Mapping
from typing import Any, NamedTuple

from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.remembered import (
    DIGEST,
    OTHER,
    Remembered,
    attribute,
    image_source,
    root_record,
    switch,
    user_data_record,
    volumes_record,
)
from provisioner.kinds.fleet.setting import (
    NOT_COMPARED,
    How,
    Launching,
    NotCompared,
    Setting,
    Target,
    modify,
    modify_attribute,
    or_any,
    part,
    recorded,
    said,
)
from provisioner.kinds.fleet.spec import SPOT, Fleet, Volume
from provisioner.kinds.instances import Instance
from provisioner.model import Call

EC2_API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference"
EC2_GUIDE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide"

MARKET = "InstanceMarketOptions"
# What a launch says of its network interface, wherever RunInstances takes it: see params.py.
INTERFACE = "NetworkInterface"
# Volumes by device, which RunInstances takes as a list.
DEVICES = "BlockDeviceMappings"

_SHUTDOWN_PARAMETER = "InstanceInitiatedShutdownBehavior"
_METADATA = "metadata options change while the instance runs"
_METADATA_SOURCE = f"{EC2_API}/API_ModifyInstanceMetadataOptions.html"


class ImageIs(NamedTuple):
    """Which image, and where it came from; None: that does not matter, or is not known."""

    id: str
    source: str | None


def _image_desired(fleet: Fleet) -> ImageIs | NotCompared:
    if fleet.image.id:
        return ImageIs(fleet.image.id, None)
    return ImageIs(fleet.image.pinned, image_source(fleet.image)) if fleet.image.pinned else NOT_COMPARED


def _same_image(desired: ImageIs, observed: ImageIs) -> bool:
    is_kept = desired.source is not None and observed.source in (None, desired.source)
    return desired.id == observed.id or is_kept


def _says_no_less(desired: str, observed: str) -> bool:
    return set(desired.split(",")) <= set(observed.split(","))


def _same_groups(desired: tuple[str, ...], observed: Mapping[str, str]) -> bool:
    """Whether the groups are those that the spec gives, each by id, by name, or by both."""
    ids = {name: group for group, name in observed.items()} | {group: group for group in observed}
    return {ids.get(group) for group in desired} == set(observed)


def _regroup(to: Target) -> tuple[Call, ...]:
    """The call that gives a member's primary network interface its groups.

    Where an instance has several interfaces, the groups are to be changed by the interface:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
    """
    groups = {"Groups": to.fleet.group_ids(to.groups)}
    if len(to.member.interfaces) > 1:
        interface = {"NetworkInterfaceId": to.member.interfaces[0]}
        return (Call("ec2", "ModifyNetworkInterfaceAttribute", interface | groups),)
    return modify(to, "ModifyInstanceAttribute", **groups)


def _launch_groups(fleet: Fleet, to: Launching) -> Mapping[str, Any]:
    groups = fleet.group_ids(to.prerequisites.groups)
    return part(f"{INTERFACE}.Groups", groups) if groups else {}


def _monitor(to: Target) -> tuple[Call, ...]:
    operation = "MonitorInstances" if to.value else "UnmonitorInstances"
    return (Call("ec2", operation, {"InstanceIds": [to.member.id]}),)


def _read_user_data(reader: Reader, instance: Instance) -> str:
    return user_data_record(base64.b64decode(attribute(reader, instance, "userData") or ""))


def _read_shutdown(reader: Reader, instance: Instance) -> str:
    value: str = attribute(reader, instance, "instanceInitiatedShutdownBehavior")
    return value


def _read_public_ip(_: Reader, instance: Instance) -> str | None:
    """Whether it was given an address at launch. Nothing tells of one that is down, or has one of its own."""
    if instance.state != "running" or instance.has_elastic_ip or _PUBLIC_IP.of(instance) == "subnet":
        return None
    return "yes" if instance.public_ip else "no"


def _spot(fleet: Fleet) -> dict[str, Any]:
    """A one-time request, ended by what it got: a reclaimed member is terminated, and apply replaces it."""
    options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    price = {"MaxPrice": fleet.max_price} if fleet.max_price else {}
    return {"MarketType": "spot", "SpotOptions": {**options, **price}}


def _root_device(fleet: Fleet, to: Launching) -> Mapping[str, Any]:
    # What becomes of the root volume is said also where nothing else is: an image may have it stay.
    device = to.prerequisites.root_device
    return part(f"{DEVICES}.{device}", _ebs(fleet.root_volume or Volume())) if device else {}


def _launch_shutdown(fleet: Fleet, _: Launching) -> Mapping[str, Any]:
    """Nothing of `stop`: EC2 does that by itself, and an image without volumes takes neither."""
    return {} if fleet.shutdown_behavior == "stop" else part(_SHUTDOWN_PARAMETER, fleet.shutdown_behavior)


def _ebs(volume: Volume) -> dict[str, Any]:
    said = {
        "VolumeSize": volume.size_gb,
        "VolumeType": volume.type,
        "Iops": volume.iops,
        "Throughput": volume.throughput,
        "Encrypted": volume.encrypted,
        "KmsKeyId": volume.kms_key_id,
        "DeleteOnTermination": volume.delete_on_termination,
    }
    return {name: value for name, value in said.items() if value is not None}


_USER_DATA = Remembered("user_data", DIGEST, lambda fleet: user_data_record(fleet.user_data), _read_user_data)
_SHUTDOWN = Remembered("shutdown", "stop|terminate", lambda fleet: fleet.shutdown_behavior, _read_shutdown)
_ROOT_VOLUME = Remembered(
    "root_volume", r"none|[a-z_]+:[\w.-]+(,[a-z_]+:[\w.-]+)*", lambda fleet: root_record(fleet.root_volume)
)
_VOLUMES = Remembered("volumes", f"{DIGEST}|{OTHER}", volumes_record)
_PUBLIC_IP = Remembered(
    "public_ip",
    "subnet|yes|no",
    lambda fleet: {None: "subnet", True: "yes", False: "no"}[fleet.associate_public_ip],
    _read_public_ip,
)
_IMAGE = Remembered("image", "id|[0-9a-f]{12}", lambda fleet: image_source(fleet.image))

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "metadata.http_tokens",
        How.LIVE,
        _METADATA,
        _METADATA_SOURCE,
        lambda fleet: fleet.http_tokens,
        lambda instance: instance.http_tokens,
        launch=lambda fleet, _: part("MetadataOptions.HttpTokens", fleet.http_tokens),
        change=lambda to: modify(to, "ModifyInstanceMetadataOptions", HttpTokens=to.value),
    ),
    Setting(
        "metadata.http_endpoint",
        How.LIVE,
        _METADATA,
        _METADATA_SOURCE,
        lambda fleet: fleet.http_endpoint,
        lambda instance: instance.http_endpoint,
        launch=lambda fleet, _: part("MetadataOptions.HttpEndpoint", fleet.http_endpoint),
        change=lambda to: modify(to, "ModifyInstanceMetadataOptions", HttpEndpoint=to.value),
    ),
    Setting(
        "metadata.hop_limit",
        How.LIVE,
        _METADATA,
        _METADATA_SOURCE,
        lambda fleet: fleet.hop_limit,
        lambda instance: instance.hop_limit,
        launch=lambda fleet, _: part("MetadataOptions.HttpPutResponseHopLimit", fleet.hop_limit),
        change=lambda to: modify(to, "ModifyInstanceMetadataOptions", HttpPutResponseHopLimit=to.value),
    ),
    Setting(
        "metadata.instance_tags",
        How.LIVE,
        _METADATA,
        _METADATA_SOURCE,
        lambda fleet: fleet.instance_tags,
        lambda instance: instance.instance_tags,
        launch=lambda fleet, _: part("MetadataOptions.InstanceMetadataTags", fleet.instance_tags),
        change=lambda to: modify(to, "ModifyInstanceMetadataOptions", InstanceMetadataTags=to.value),
    ),
    Setting(
        "monitoring",
        How.LIVE,
        "detailed monitoring is switched while the instance runs",
        f"{EC2_API}/API_MonitorInstances.html",
        lambda fleet: fleet.monitoring,
        lambda instance: instance.monitoring,
        launch=lambda fleet, _: part("Monitoring.Enabled", fleet.monitoring),
        change=_monitor,
    ),
    Setting(
        "instance_type",
        How.RESTART,
        "the type can only be changed while the instance is stopped",
        f"{EC2_GUIDE}/ec2-instance-resize.html",
        lambda fleet: fleet.instance_types,
        lambda instance: instance.type,
        operator.contains,
        # Each launch says its own.
        launch=lambda fleet, _: {},
        change=lambda to: modify_attribute(to, "InstanceType", to.fleet.instance_types[0]),
    ),
    Setting(
        "ebs_optimized",
        How.RESTART,
        "EBS optimisation can only be changed while the instance is stopped",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        lambda fleet: or_any(fleet.ebs_optimized),
        lambda instance: instance.ebs_optimized,
        launch=lambda fleet, _: said("EbsOptimized", fleet.ebs_optimized),
        change=lambda to: modify_attribute(to, "EbsOptimized", to.value),
    ),
    Setting(
        "user_data",
        How.REPLACE,
        "user data runs at the first boot, so only a new instance acts on it",
        f"{EC2_GUIDE}/user-data.html",
        **recorded(_USER_DATA),
        launch=lambda fleet, _: said("UserData", fleet.user_data or None),
        change=lambda to: modify_attribute(to, "UserData", to.fleet.user_data),
    ),
    Setting(
        "termination_protection",
        How.LIVE,
        "termination protection is switched while the instance runs",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        **recorded(switch("protection", lambda fleet: fleet.termination_protection, "disableApiTermination")),
        launch=lambda fleet, _: said("DisableApiTermination", fleet.termination_protection or None),
        change=lambda to: modify_attribute(to, "DisableApiTermination", to.value == "on"),
        protects=True,
        on_spot=False,
    ),
    Setting(
        "shutdown_behavior",
        How.LIVE,
        "shutdown behaviour is switched while the instance runs",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        **recorded(_SHUTDOWN),
        launch=_launch_shutdown,
        change=lambda to: modify_attribute(to, _SHUTDOWN_PARAMETER, to.value),
        on_spot=False,
    ),
    Setting(
        "security_groups",
        How.LIVE,
        "the groups of a network interface change while the instance runs",
        f"{EC2_API}/API_ModifyInstanceAttribute.html",
        lambda fleet: tuple(sorted(fleet.security_groups)) or NOT_COMPARED,
        lambda instance: instance.groups or {},
        _same_groups,
        launch=_launch_groups,
        change=_regroup,
    ),
    Setting(
        "market",
        How.REPLACE,
        "the market is chosen at launch",
        f"{EC2_GUIDE}/how-spot-instances-work.html",
        lambda fleet: fleet.markets,
        lambda instance: instance.market,
        operator.contains,
        launch=lambda fleet, _: said(MARKET, _spot(fleet) if fleet.market == SPOT else None),
    ),
    Setting(
        "key_name",
        How.REPLACE,
        "the key pair is fixed at launch",
        f"{EC2_GUIDE}/ec2-key-pairs.html",
        lambda fleet: fleet.key_name,
        lambda instance: instance.key_name,
        launch=lambda fleet, _: said("KeyName", fleet.key_name),
    ),
    Setting(
        "subnets",
        How.REPLACE,
        "the subnet is fixed at launch",
        f"{EC2_API}/API_RunInstances.html",
        lambda fleet: fleet.where.subnets or NOT_COMPARED,
        lambda instance: instance.subnet,
        operator.contains,
        launch=lambda _, to: part(f"{INTERFACE}.SubnetId", to.subnet.id),
    ),
    Setting(
        "availability_zones",
        How.REPLACE,
        "the zone is fixed at launch",
        f"{EC2_API}/API_RunInstances.html",
        lambda fleet: fleet.where.zones or NOT_COMPARED,
        lambda instance: instance.zone,
        operator.contains,
        # Said beside the subnet, because a token is zonal only where one of them is given openly.
        launch=lambda _, to: part("Placement.AvailabilityZone", to.subnet.zone),
    ),
    Setting(
        "tenancy",
        How.REPLACE,
        "tenancy is fixed at launch, but for moves between dedicated and host",
        f"{EC2_API}/API_ModifyInstancePlacement.html",
        lambda fleet: or_any(fleet.tenancy),
        lambda instance: instance.tenancy,
        launch=lambda fleet, _: said("Placement.Tenancy", fleet.tenancy),
    ),
    Setting(
        "root_volume",
        How.REPLACE,
        "the root volume is made at launch",
        f"{EC2_API}/API_RunInstances.html",
        **recorded(_ROOT_VOLUME, lambda fleet: fleet.root_volume),
        agree=_says_no_less,
        launch=_root_device,
    ),
    Setting(
        "volumes",
        How.REPLACE,
        "volumes are made at launch",
        f"{EC2_API}/API_RunInstances.html",
        **recorded(_VOLUMES, lambda fleet: fleet.volumes),
        launch=lambda fleet, _: part(DEVICES, {str(volume.device): _ebs(volume) for volume in fleet.volumes}),
    ),
    Setting(
        "associate_public_ip",
        How.REPLACE,
        "the public address is given at launch",
        f"{EC2_API}/API_RunInstances.html",
        **recorded(_PUBLIC_IP, lambda fleet: fleet.associate_public_ip is not None),
        launch=lambda fleet, _: said(f"{INTERFACE}.AssociatePublicIpAddress", fleet.associate_public_ip),
    ),
    Setting(
        "image",
        How.REPLACE,
        "the image is fixed at launch",
        f"{EC2_API}/API_RunInstances.html",
        _image_desired,
        lambda instance: ImageIs(instance.image, _IMAGE.of(instance)),
        _same_image,
        launch=lambda _, to: {"ImageId": to.prerequisites.image},
        remembered=_IMAGE,
    ),
)
