"""Placement groups: made, shown, deleted, named by launches, and moved to.

EC2 API Reference, CreatePlacementGroup, DescribePlacementGroups, DeletePlacementGroup
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreatePlacementGroup.html),
ModifyInstancePlacement (tenancy and group of stopped instances; no way from a host to another tenancy);
"Error codes": InvalidPlacementGroup.Unknown, .Duplicate, .InUse. User Guide, "Placement strategies": which
types have which strategy (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-strategies.html).
What a strategy means for capacity is not modelled. moto has no placement groups, and launches into any.
"""

from __future__ import annotations

import secrets
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_aws.call import AwsError, Call
from local_aws.corrections import states
from local_aws.corrections.registry import check, handler
from local_aws.world import Region, World


@handler("ec2:CreatePlacementGroup")
def create(world: World, call: Call) -> dict[str, Any]:
    """A group under a name that is free."""
    region, name = world.region(call.region), call.params.get("GroupName") or ""
    if name in region.placement_groups:
        text = f"The placement group '{name}' already exists."
        raise AwsError("InvalidPlacementGroup.Duplicate", text)
    strategy = call.params.get("Strategy") or "cluster"
    region.placement_groups[name] = {
        "GroupName": name,
        "GroupId": f"pg-{secrets.token_hex(8)}0",
        "State": "available",
        "Strategy": strategy,
    }
    return {"PlacementGroup": region.placement_groups[name]}


@handler("ec2:DescribePlacementGroups")
def describe(world: World, call: Call) -> dict[str, Any]:
    """All groups, or those that are named."""
    region = world.region(call.region)
    wanted = call.params.get("GroupNames") or list(region.placement_groups)
    return {"PlacementGroups": [find(region, name) for name in wanted]}


@check("ec2:DeletePlacementGroup")
def is_empty(world: World, call: Call) -> None:
    """Nobody is in the group."""
    region, name = world.region(call.region), call.params.get("GroupName") or ""
    find(region, name)
    if any(member.is_live and member.group_name == name for member in region.members.values()):
        text = f"The placement group '{name}' is in use and may not be deleted."
        raise AwsError("InvalidPlacementGroup.InUse", text)


@handler("ec2:DeletePlacementGroup")
def delete(world: World, call: Call) -> dict[str, Any]:
    """The group is gone."""
    del world.region(call.region).placement_groups[call.params["GroupName"]]
    return {}


@check("ec2:ModifyInstancePlacement")
def may_move(world: World, call: Call) -> None:
    """The instance is stopped, and can be where it is to go."""
    region, params = world.region(call.region), call.params
    (member,) = states.find(region, [params.get("InstanceId") or ""])
    if not any(name in params for name in ("GroupName", "GroupId", "Tenancy", "HostId", "Affinity")):
        text = "At least one attribute for affinity, host ID, tenancy, or placement group must be specified."
        raise AwsError("InvalidParameterCombination", text)
    if member.state != "stopped":
        raise AwsError("IncorrectInstanceState", f"The instance '{member.id}' is not in the 'stopped' state.")
    if params.get("GroupName"):
        check_strategy(find(region, params["GroupName"]), str(member.instance.instance_type))
    if "Tenancy" in params and member.tenancy == "host" and params["Tenancy"] != "host":
        raise AwsError("InvalidRequest", "The tenancy of an instance cannot be changed from host.")


@handler("ec2:ModifyInstancePlacement")
def move(world: World, call: Call) -> dict[str, Any]:
    """Into another group or tenancy; an empty name takes the instance out of its group."""
    (member,) = states.find(world.region(call.region), [call.params["InstanceId"]])
    if "GroupName" in call.params:
        member.group_name = call.params["GroupName"] or ""
    member.tenancy = call.params.get("Tenancy") or member.tenancy
    return {"Return": True}


def check_strategy(group: dict[str, Any], kind: str) -> None:
    """Raises InvalidParameterCombination for a type that a group's strategy does not take."""
    about: dict[str, Any] = INSTANCE_TYPES.get(kind) or {}
    strategies = (about.get("PlacementGroupInfo") or {}).get("SupportedStrategies")
    if strategies is not None and group["Strategy"] not in strategies:
        strategy = group["Strategy"].capitalize()
        text = f"{strategy} placement groups may not be used with instances of type '{kind}'."
        raise AwsError("InvalidParameterCombination", text)


def find(region: Region, name: str) -> dict[str, Any]:
    """The group of a name. Raises InvalidPlacementGroup.Unknown."""
    if name not in region.placement_groups:
        raise AwsError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
    return region.placement_groups[name]
