"""What RunInstances refuses before anything is launched, also as a dry run.

EC2 API Reference, RunInstances and "Error codes for the Amazon EC2 API". moto checks image, type and key only
when told to by its environment, and none of the rest.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_aws.call import AwsError, Call
from local_aws.corrections import (
    hibernation,
    images,
    ipv6,
    key_pairs,
    launch,
    options,
    placement,
    profiles,
    reservations,
    security_groups,
    tokens,
    volumes,
)
from local_aws.corrections import interfaces as network_interfaces
from local_aws.corrections.attributes import check_user_data
from local_aws.corrections.fit import Machine, check_offered, check_type
from local_aws.corrections.registry import check
from local_aws.world import Region, World


@check("ec2:RunInstances")
def template(world: World, call: Call) -> None:
    """What a launch template says counts as said by the call, unless the call says otherwise."""
    if named := call.params.get("LaunchTemplate"):
        data = world.region(call.region).backend._get_template_from_args(named).data
        call.params = {**data, **call.params}


@check("ec2:RunInstances")
def counts(world: World, call: Call) -> None:
    """At least one, and no more at least than at most."""
    for name in ("MinCount", "MaxCount"):
        if int(call.params.get(name) or 0) < 1:
            text = f"Value ({call.params.get(name)}) for parameter {name[0].lower()}{name[1:]} is invalid."
            raise AwsError("InvalidParameterValue", text)
    if int(call.params["MinCount"]) > int(call.params["MaxCount"]):
        raise AwsError("InvalidParameterValue", "minCount may not be greater than maxCount")
    token = call.params.get("ClientToken") or ""
    if len(token) > tokens.MAX_LENGTH or not token.isascii():
        raise AwsError("InvalidParameterValue", f"Value ({token}) for parameter clientToken is invalid.")


@check("ec2:RunInstances")
def image(world: World, call: Call) -> None:
    """The image exists."""
    image_id = call.params.get("ImageId")
    if not image_id:
        raise AwsError("MissingParameter", "The request must contain the parameter ImageId")
    if not re.fullmatch(r"ami-[0-9a-f]{8,17}", image_id):
        raise AwsError("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
    found = world.region(call.region).backend.amis.get(image_id)
    if found is None:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    if found.state != "available":
        raise AwsError("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is not available")


@check("ec2:RunInstances")
def instance_type(world: World, call: Call) -> None:
    """The type exists, is offered in the zone, and is one that the image runs on."""
    region = world.region(call.region)
    kind = call.params.get("InstanceType") or "m1.small"
    if kind not in INSTANCE_TYPES:
        raise AwsError("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
    zone = launch.named_zone(region, call.params)
    zones = [item.name for item in region.backend.describe_availability_zones()]
    if zone and zone not in zones:
        raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
    if zone:
        check_offered(region, kind, zone)
    image = region.backend.amis[call.params["ImageId"]]
    optimized = bool(call.params.get("EbsOptimized"))
    ena = region.image_settings_of(image.id).ena
    boots = images.boot_mode_of(region, image)
    check_type(Machine(image.architecture, image.virtualization_type, ena, optimized, boots), kind)


@check("ec2:RunInstances")
def placement_group(world: World, call: Call) -> None:
    """The placement group exists."""
    if name := _placement(call).get("GroupName"):
        group = placement.find(world.region(call.region), name)
        placement.check_strategy(group, call.params.get("InstanceType") or "m1.small")


@check("ec2:RunInstances")
def tenancy(world: World, call: Call) -> None:
    """In a VPC whose tenancy is dedicated nothing runs on shared hardware.

    EC2 User Guide, "Dedicated Instances: tenancy of a VPC"
    (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/dedicated-instance.html); the code is not documented.
    """
    vpc = launch.vpc_of(world.region(call.region), call.params)
    if vpc.instance_tenancy == "dedicated" and _placement(call).get("Tenancy") == "default":
        text = "The tenancy 'default' is not supported in a VPC whose instance tenancy is 'dedicated'."
        raise AwsError("InvalidParameterValue", text)


@check("ec2:RunInstances")
def key_and_user_data(world: World, call: Call) -> None:
    """The key pair exists; user data is base64 of at most 16 KB; the shutdown behaviour is one of two."""
    key = call.params.get("KeyName")
    if key:
        key_pairs.check_known(world, world.region(call.region), key)
    if data := call.params.get("UserData"):
        try:
            raw = base64.b64decode(data, validate=True)
        except (ValueError, binascii.Error):
            text = "Invalid BASE64 encoding of user data."
            raise AwsError("InvalidUserData.Malformed", text) from None
        check_user_data(raw)
    behaviour = call.params.get("InstanceInitiatedShutdownBehavior")
    if behaviour not in (None, "stop", "terminate"):
        text = f"Value ({behaviour}) for parameter instanceInitiatedShutdownBehavior is invalid."
        raise AwsError("InvalidParameterValue", text)


@check("ec2:RunInstances")
def network(world: World, call: Call) -> None:
    """Subnet and groups exist, in one VPC, and are not given both by themselves and in an interface."""
    region = world.region(call.region)
    params = call.params
    groups = list(params.get("SecurityGroupIds") or [])
    if interfaces := params.get("NetworkInterfaces"):
        if params.get("SubnetId"):
            raise _both("subnet ID")
        if groups or params.get("SecurityGroups"):
            raise _both("security groups")
        groups = [group for item in interfaces for group in item.get("Groups") or []]
    subnet_id = launch.subnet_of(params)
    network_interfaces.check_launch(region, params)
    vpc = launch.vpc_of(region, params).id
    for group_id in groups:
        security_groups.check_known(world, region, group_id)
        _check_group(region, group_id, vpc, subnet_id)
    for name in params.get("SecurityGroups") or []:
        if region.backend.get_security_group_by_name_or_id(name, vpc) is None:
            raise AwsError(
                "InvalidGroup.NotFound", f"The security group '{name}' does not exist in VPC '{vpc}'"
            )
    if not subnet_id and not launch.default_zones(region):
        raise AwsError(
            "MissingInput", f"No subnets found for the default VPC '{vpc}'. Please specify a subnet."
        )


@check("ec2:RunInstances")
def profile(world: World, call: Call) -> None:
    """The instance profile is one that EC2 knows, with a role."""
    profiles.resolve(world, call.params.get("IamInstanceProfile"))


@check("ec2:RunInstances")
def devices(world: World, call: Call) -> None:
    """Volumes that can be made."""
    volumes.check_devices(world.region(call.region), call.params)


@check("ec2:RunInstances")
def options_fit(world: World, call: Call) -> None:
    """Credits, CPU options, hibernation, enclaves, reservations and IPv6 addresses that there can be."""
    region = world.region(call.region)
    options.check_launch(call.params)
    hibernation.check_launch(region, call.params)
    reservations.check_launch(region, call.params, launch.named_zone(region, call.params))
    named = launch.subnet_of(call.params)
    ipv6.check_launch(region.backend.get_subnet(named) if named else None, call.params)


def _placement(call: Call) -> dict[str, Any]:
    return call.params.get("Placement") or {}


def _check_group(region: Region, group_id: str, vpc: str, subnet_id: str) -> None:
    group = region.backend.get_security_group_from_id(group_id)
    if group is None:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
    if group.vpc_id != vpc:
        text = f"Security group {group_id} and subnet {subnet_id or 'default'} belong to different networks."
        raise AwsError("InvalidParameter", text)


def _both(what: str) -> AwsError:
    text = f"Network interfaces and an instance-level {what} may not be specified on the same request"
    return AwsError("InvalidParameterCombination", text)
