"""What a deployer has to be allowed for fleets.

What changes of settings send is asked of the rows of the table themselves, with members made up for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from provisioner.kinds.fleet.call_rules import quota_for
from provisioner.kinds.fleet.settings.differences import how_for
from provisioner.kinds.fleet.settings.setting import NOT_COMPARED, How, Setting, Target
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.settings.volume_modifications import MODIFY_VOLUME
from provisioner.kinds.fleet.spec import CLOUD_INIT, ROOT_VOLUME, RUNNING, SPOT, VOLUMES, Fleet
from provisioner.kinds.fleet.volumes.changes import SET_WHETHER_VOLUMES_GO
from provisioner.kinds.instances import Instance
from provisioner.model import Call
from provisioner.naming import ENVIRONMENT_TAG, GROUP_TAG
from provisioner.rights import (
    OWN_REQUEST,
    Conditions,
    Place,
    Purpose,
    Statement,
    actions,
    named_and_none_of,
    pass_roles,
    read_ec2,
    together,
)

BIND = ("AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation")
SPOT_SERVICE = "spot.amazonaws.com"
GROUPS_EVERYWHERE = 5
OWNER_ALIASES = ("amazon", "aws-marketplace")
# Whoever else's parameters there are below /aws/service, these hold images of Amazon's own.
_OF_AMAZON = re.compile(r"/aws/service/(ami|ecs|eks|bottlerocket|freertos)[a-z-]*/")


def fleet_permissions(fleets: Sequence[Fleet], place: Place, purpose: Purpose) -> Iterator[Statement]:
    """The statements for the fleets of a spec."""
    yield read_ec2(place, "DescribeInstances")
    if purpose is not Purpose.APPLY:
        # Status and destroy tell what volumes are on no member.
        yield read_ec2(place, "DescribeVolumes")
        yield Statement("ReadPrices", "to say what a plan costs", ("pricing:GetProducts",))
    if purpose is not Purpose.APPLY and any(SPOT in fleet.markets for fleet in fleets):
        yield read_ec2(place, "DescribeSpotPriceHistory")
    if not fleets:
        return
    match purpose:
        case Purpose.PLAN:
            yield from _read(fleets, place)
        case Purpose.APPLY:
            yield from _launch(fleets, place)
            yield from _change(fleets, place)
        case Purpose.DESTROY:
            keeping = any(not volume.delete_on_termination for fleet in fleets for volume in fleet.volumes)
            yield _instances(place, "TerminateInstances", *([SET_WHETHER_VOLUMES_GO] if keeping else []))


# --- reading


def _read(fleets: Sequence[Fleet], place: Place) -> Iterator[Statement]:
    reads = {"DescribeImages", "DescribeInstanceTypeOfferings", "DescribeInstanceTypes"}
    reads |= {"DescribeSubnets"}
    reads |= {"DescribeKeyPairs"} if any(fleet.key_name for fleet in fleets) else set()
    reads |= {"DescribeSecurityGroups"} if any(fleet.security_groups for fleet in fleets) else set()
    reads |= {"DescribeVpcs"} if any(fleet.tenancy == "default" for fleet in fleets) else set()
    many = any(len(fleet.security_groups) > GROUPS_EVERYWHERE for fleet in fleets)
    reads |= {"DescribeAccountAttributes"} if many else set()
    healthy = any(fleet.update.healthy != RUNNING for fleet in fleets)
    reads |= {"DescribeInstanceStatus"} if healthy else set()
    reads |= {"DescribeInstanceCreditSpecifications"} if _says(fleets, "credit_specification") else set()
    # Also of a fleet without a profile: somebody may give its members one.
    reads |= {"DescribeIamInstanceProfileAssociations"}
    reads |= {"DescribeVolumesModifications"} if _modifies_volumes(fleets) else set()
    yield read_ec2(place, *sorted(reads))
    yield Statement(
        "ReadInstances",
        "to read user data and protection of instances of the environment, which only this shows",
        ("ec2:DescribeInstanceAttribute",),
        place.ec2("instance"),
        place.owned,
    )
    if any(quota_for(fleet) for fleet in fleets):
        why = "to say before a launch that a quota of vCPUs does not allow it"
        yield Statement("ReadQuotas", why, ("servicequotas:GetServiceQuota",))
    parameters = sorted({fleet.image.ssm for fleet in fleets if fleet.image.ssm})
    if parameters:
        yield Statement(
            "ReadParameters",
            "to look up images that the spec gives by a parameter",
            ("ssm:GetParameter",),
            tuple(_parameter(place, name) for name in parameters),
        )


def _parameter(place: Place, name: str) -> str:
    """The ARN of a parameter; those of AWS have no account."""
    path = name.split(":")[0].lstrip("/")
    account = "" if path.startswith("aws/") else place.account_id
    return f"arn:{place.partition}:ssm:{place.region}:{account}:parameter/{path}"


# --- launching


def _launch(fleets: Sequence[Fleet], place: Place) -> Iterator[Statement]:
    yield Statement(
        "LaunchInstances",
        "to launch instances and volumes that carry the environment's tag",
        ("ec2:RunInstances",),
        (*place.ec2("instance"), *place.ec2("volume")),
        place.named_so,
    )
    yield Statement(
        "TagAtLaunch",
        "to give them their tags within the launch",
        ("ec2:CreateTags",),
        (*place.ec2("instance"), *place.ec2("volume")),
        together(place.named_so, {"StringEquals": {"ec2:CreateAction": "RunInstances"}}),
    )
    yield Statement(
        "UseAtLaunch",
        "to launch with the subnets, keys and images that the spec names",
        ("ec2:RunInstances",),
        tuple(_used(fleets, place)),
    )
    yield from _groups("UseGroups", "to launch with", "RunInstances", fleets, place)
    for fleet in fleets:
        if fleet.where.tags:
            tags = {f"aws:ResourceTag/{key}": value for key, value in sorted(fleet.where.tags.items())}
            why = "to launch into the subnets that have the tags which the spec says"
            run = ("ec2:RunInstances",)
            yield Statement("UseTaggedSubnets", why, run, place.ec2("subnet"), {"StringEquals": tags})
    owners = sorted({owner for fleet in fleets for owner in _owners(fleet, place)})
    if owners:
        yield Statement(
            "UseImagesOfOwners",
            "to launch images of the owners that the spec names",
            ("ec2:RunInstances",),
            place.ec2("image"),
            {"StringEquals": {"ec2:Owner": owners}},
        )
    if any(fleet.profile for fleet in fleets):
        yield pass_roles(place)
    if any(SPOT in fleet.markets for fleet in fleets):
        yield Statement(
            "StartUsingSpot",
            "the first Spot Instance of an account makes the service-linked role of Spot",
            ("iam:CreateServiceLinkedRole",),
            place.iam("role", f"aws-service-role/{SPOT_SERVICE}/*"),
            {"StringEquals": {"iam:AWSServiceName": SPOT_SERVICE}},
        )


def _used(fleets: Sequence[Fleet], place: Place) -> Iterator[str]:
    """What a launch uses and does not make, as narrow as the spec tells it."""
    yield from place.ec2("network-interface")
    if any(not fleet.where.subnets and not fleet.where.tags for fleet in fleets):
        yield from place.ec2("subnet")
    elif named := [subnet for fleet in fleets for subnet in fleet.where.subnets]:
        yield from place.ec2("subnet", *named)
    if keys := [fleet.key_name for fleet in fleets if fleet.key_name]:
        yield from place.ec2("key-pair", *keys)
    if placements := _placement_groups(fleets):
        yield from place.ec2("placement-group", *placements)
    if reservations := _reservations(fleets):
        yield from place.ec2("capacity-reservation", *reservations)
    yield from dict.fromkeys(value for value in _said_reservations(fleets) if value.startswith("arn:"))
    if any(fleet.image.id is None and not _owners(fleet, place) for fleet in fleets):
        yield from place.ec2("image")
    elif images := [fleet.image.id for fleet in fleets if fleet.image.id]:
        yield from place.ec2("image", *images)


def _owners(fleet: Fleet, place: Place) -> Sequence[str]:
    """Whose image a fleet has, as EC2's condition key may have it; nobody: it is given by id, or not known.

    The key has the alias of those who have one, which are Amazon, its verified partners and the Marketplace:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html
    """
    owner = fleet.image.owner
    if owner in ("self", place.account_id):
        return (place.account_id,)
    if owner:
        return (owner, *OWNER_ALIASES) if owner.isdecimal() else (owner,)
    return ("amazon",) if fleet.image.ssm and _OF_AMAZON.match(fleet.image.ssm) else ()


def _groups(
    sid: str, what_for: str, operation: str, fleets: Sequence[Fleet], place: Place
) -> Iterator[Statement]:
    """What is done with security groups: given by id, or the spec's own by their tag, or else any."""
    action = actions("ec2", operation)
    others = [group for fleet in fleets for group in fleet.other_groups]
    by_name = [group for group in others if not group.startswith("sg-")]
    if by_name or not all(fleet.security_groups for fleet in fleets):
        why = f"{what_for} security groups by name, or the default one, whose ids only EC2 knows"
        yield Statement(sid, why, action, place.ec2("security-group"))
        return
    if others:
        why = f"{what_for} the security groups that the spec names"
        yield Statement(sid, why, action, place.ec2("security-group", *others))
    if any(fleet.own_groups for fleet in fleets):
        why, ours = f"{what_for} security groups of the environment", place.owned_as(GROUP_TAG)
        yield Statement(f"{sid}OfTheSpec", why, action, place.ec2("security-group"), ours)


def _placement_groups(fleets: Sequence[Fleet]) -> list[str]:
    said = (fleet.says("placement_group") for fleet in fleets)
    return [str(name) for name in said if name]


def _reservations(fleets: Sequence[Fleet]) -> list[str]:
    return [value for value in _said_reservations(fleets) if value.startswith("cr-")]


def _said_reservations(fleets: Sequence[Fleet]) -> list[str]:
    """Reservations by id, groups of them by ARN, and preferences."""
    said = (fleet.says("capacity_reservation") for fleet in fleets)
    return [str(value) for value in said if value]


# --- changing


def _change(fleets: Sequence[Fleet], place: Place) -> Iterator[Statement]:
    calls = [call for fleet in fleets for call in _calls_of_settings(fleet)]
    on_interfaces = sorted({call.operation for call in calls if "NetworkInterfaceId" in call.params})
    on_instances = {call.operation for call in calls} - set(on_interfaces)
    on_instances |= {SET_WHETHER_VOLUMES_GO} if any(map(_sets_whether_volumes_go, fleets)) else set()
    power = ("StartInstances", "StopInstances") if any(map(_stops, fleets)) else ()
    yield _instances(place, "TerminateInstances", *power, *sorted(on_instances))
    if _modifies_volumes(fleets):
        yield Statement(
            "ModifyVolumes",
            "to change volumes that carry the environment's tag",
            actions("ec2", MODIFY_VOLUME),
            place.ec2("volume"),
            place.owned,
        )
    changed = sorted({call.operation for call in calls if "Groups" in call.params})
    with_groups = [fleet for fleet in fleets if fleet.security_groups]
    for operation in changed:
        yield from _groups("ChangeGroups", "to give instances", operation, with_groups, place)
    if on_interfaces:
        yield Statement(
            "ChangeInterfaces",
            "to change network interfaces, which carry no tag",
            actions("ec2", *on_interfaces),
            place.ec2("network-interface"),
            _in_subnets(fleets, place),
        )
    if placements := _placement_groups(fleets):
        why = "to move instances into the placement group of the spec"
        action = ("ec2:ModifyInstancePlacement",)
        yield Statement("UsePlacementGroup", why, action, place.ec2("placement-group", *placements))
    if reservations := _reservations(fleets):
        why = "to move instances into the Capacity Reservation of the spec"
        action = ("ec2:ModifyInstanceCapacityReservationAttributes",)
        yield Statement("UseReservation", why, action, place.ec2("capacity-reservation", *reservations))
    if any(fleet.ready == CLOUD_INIT for fleet in fleets):
        yield Statement(
            "ReadConsoles",
            "to learn from the console of instances of the environment whether user data has finished",
            ("ec2:GetConsoleOutput",),
            place.ec2("instance"),
            place.owned,
        )
    if any(fleet.profile for fleet in fleets):
        ours = place.profile_of_ours("ec2:NewInstanceProfile")
        why = "to give instances of the environment the profile of their fleet"
        whom = place.ec2("instance")
        yield Statement("BindInstances", why, actions("ec2", *BIND), whom, together(place.owned, ours))
        yield pass_roles(place)
    yield _instances(place, "DisassociateIamInstanceProfile")
    yield Statement(
        "TagInstances",
        "to correct tags of what carries the environment's tag, and to give it to no other environment",
        ("ec2:CreateTags",),
        (*place.ec2("instance"), *place.ec2("volume")),
        together(place.owned, {"StringEqualsIfExists": {OWN_REQUEST: place.environment}}),
    )
    yield Statement(
        "UntagInstances",
        "to take tags off, but never the environment's own",
        ("ec2:DeleteTags",),
        (*place.ec2("instance"), *place.ec2("volume")),
        together(place.owned, named_and_none_of(ENVIRONMENT_TAG)),
    )


def _instances(place: Place, *operations: str) -> Statement:
    why = "to change and terminate instances that carry the environment's tag"
    return Statement("Instances", why, actions("ec2", *operations), place.ec2("instance"), place.owned)


def _in_subnets(fleets: Sequence[Fleet], place: Place) -> Conditions:
    named = [subnet for fleet in fleets for subnet in fleet.where.subnets]
    if any(not fleet.where.subnets for fleet in fleets):
        return {}
    return {"ArnEquals": {"ec2:Subnet": list(place.ec2("subnet", *named))}}


def _calls_of_settings(fleet: Fleet) -> Iterator[Call]:
    """Every call that may be sent so that a member has the fleet's values, whatever it has."""
    for setting in SETTINGS:
        desired = setting.desired(fleet)
        is_of_volume = setting.section in (ROOT_VOLUME, VOLUMES)
        if desired is NOT_COMPARED or setting.change is None or is_of_volume or fleet.ignores(setting.path):
            continue
        if _is_changed(setting, fleet):
            for member in _members(desired):
                yield from setting.change(Target(fleet, member, desired, _same_names(fleet)))


def _is_changed(setting: Setting, fleet: Fleet) -> bool:
    """Whether members that are there get the value by a call, and not by being replaced."""
    if fleet.markets == (SPOT,) and not setting.on_spot:
        return False
    return how_for(setting, fleet) in (How.LIVE, How.RESTART)


def _members(desired: Any) -> Iterator[Instance]:
    """Members that have less than what is desired, and more."""
    wanted = desired if isinstance(desired, int) and not isinstance(desired, bool) else 0
    for number in (0, wanted + 1):
        addresses = [{"Ipv6Address": f"2001:db8::{index}"} for index in range(number)]
        interface = {"NetworkInterfaceId": "eni-0", "Ipv6Addresses": addresses}
        described = {"NetworkInterfaces": [interface]}
        yield Instance("i-0", "running", "", "", "", "", interfaces=("eni-0",), described=described)


def _same_names(fleet: Fleet) -> dict[str, str]:
    return {group: group for group in fleet.security_groups}


def _stops(fleet: Fleet) -> bool:
    """Whether members may be stopped and started: Spot instances of a fleet cannot be."""
    return fleet.markets != (SPOT,)


def _sets_whether_volumes_go(fleet: Fleet) -> bool:
    """Whether members, also Spot Instances, may be told to keep volumes or not; whatever is ignored, before
    they go."""
    return any(
        not volume.delete_on_termination
        or not fleet.ignores(f"{VOLUMES}.{volume.device}.delete_on_termination")
        for volume in fleet.volumes
    )


def _modifies_volumes(fleets: Sequence[Fleet]) -> bool:
    return any(
        setting.desired(fleet) is not NOT_COMPARED and not fleet.ignores(setting.path)
        for fleet in fleets
        for setting in SETTINGS
        if setting.section in (ROOT_VOLUME, VOLUMES)
    )


def _says(fleets: Sequence[Fleet], path: str) -> bool:
    return any(fleet.says(path) is not None for fleet in fleets)
