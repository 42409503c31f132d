"""Placement groups: made, shown, deleted, and named by launches.

EC2 API Reference, CreatePlacementGroup, DescribePlacementGroups, DeletePlacementGroup
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreatePlacementGroup.html); "Error codes":
InvalidPlacementGroup.Unknown, .Duplicate, .InUse. What a strategy means for capacity is not modelled. moto
has no placement groups, and launches into any.
"""

from __future__ import annotations

import secrets
from typing import Any

from local_aws.call import AwsError, Call
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


def find(region: Region, name: str) -> dict[str, Any]:
    """The group of a name. Raises InvalidPlacementGroup.Unknown."""
    if name not in region.placement_groups:
        raise AwsError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
    return region.placement_groups[name]
