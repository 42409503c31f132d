"""Capacity Reservations: made, shown, cancelled, and launched into.

EC2 API Reference, CreateCapacityReservation, DescribeCapacityReservations, CancelCapacityReservation,
ModifyInstanceCapacityReservationAttributes
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateCapacityReservation.html); "Error codes":
InvalidCapacityReservationId.NotFound and .Malformed, ReservationCapacityExceeded. What is reserved takes no
room away from others here, and instances that name none are not counted in open ones. moto has none.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections import spot, states
from local_aws.corrections.registry import check, handler
from local_aws.world import Member, Region, World

PREFERENCES = ("open", "none", "capacity-reservations-only")


@handler("ec2:CreateCapacityReservation")
def create(world: World, call: Call) -> dict[str, Any]:
    """A reservation of some instances of a type in a zone."""
    region, params = world.region(call.region), call.params
    made = {
        "CapacityReservationId": f"cr-{secrets.token_hex(8)}0",
        "OwnerId": world.account,
        "InstanceType": params.get("InstanceType"),
        "InstancePlatform": params.get("InstancePlatform"),
        "AvailabilityZone": params.get("AvailabilityZone"),
        "Tenancy": params.get("Tenancy") or "default",
        "TotalInstanceCount": int(params.get("InstanceCount") or 0),
        "State": "active",
        "InstanceMatchCriteria": params.get("InstanceMatchCriteria") or "open",
        "CreateDate": world.clock.today(),
    }
    region.capacity_reservations[str(made["CapacityReservationId"])] = made
    return {"CapacityReservation": _view(region, made)}


@handler("ec2:DescribeCapacityReservations")
def describe(world: World, call: Call) -> dict[str, Any]:
    """All reservations, or those that are named."""
    region = world.region(call.region)
    wanted = call.params.get("CapacityReservationIds") or list(region.capacity_reservations)
    return {"CapacityReservations": [_view(region, find(region, item)) for item in wanted]}


@handler("ec2:CancelCapacityReservation")
def cancel(world: World, call: Call) -> dict[str, Any]:
    """The reservation is cancelled; its instances go on."""
    found = find(world.region(call.region), call.params.get("CapacityReservationId") or "")
    found["State"] = "cancelled"
    return {"Return": True}


def check_launch(region: Region, params: dict[str, Any], zone: str) -> None:
    """Raises an AwsError unless what a launch targets exists, is of its type and zone, and has room."""
    asked = params.get("CapacityReservationSpecification") or {}
    reservation = _targeted(region, asked)
    if asked and spot.market(params) == "spot":
        raise AwsError("InvalidParameterCombination", "Spot Instances do not run in Capacity Reservations.")
    if reservation is not None:
        kind = params.get("InstanceType") or "m1.small"
        _check_match(reservation, kind, zone)
        if _free(region, reservation) < int(params.get("MinCount") or 1):
            raise _exceeded(reservation)


@check("ec2:ModifyInstanceCapacityReservationAttributes")
def may_modify(world: World, call: Call) -> None:
    """The instance is stopped, and what it is to target exists and matches."""
    region = world.region(call.region)
    (member,) = states.find(region, [call.params.get("InstanceId") or ""])
    reservation = _targeted(region, call.params.get("CapacityReservationSpecification") or {})
    if member.state != "stopped":
        raise AwsError("IncorrectInstanceState", f"The instance '{member.id}' is not in the 'stopped' state.")
    if reservation is not None:
        _check_match(reservation, str(member.instance.instance_type), member.zone)


@handler("ec2:ModifyInstanceCapacityReservationAttributes")
def modify(world: World, call: Call) -> dict[str, Any]:
    """Another target or preference in place of what was."""
    (member,) = states.find(world.region(call.region), [call.params["InstanceId"]])
    asked = call.params.get("CapacityReservationSpecification") or {}
    member.launch = {**member.launch, "CapacityReservationSpecification": asked}
    return {"Return": True}


def granted(region: Region, params: dict[str, Any], count: int) -> int:
    """How many of those wanted fit into the reservation that a launch targets, if it targets one."""
    reservation = _targeted(region, params.get("CapacityReservationSpecification") or {})
    return count if reservation is None else min(count, _free(region, reservation))


def find(region: Region, named: str) -> dict[str, Any]:
    """The reservation of an id. Raises InvalidCapacityReservationId.NotFound or .Malformed."""
    if not re.fullmatch(r"cr-[0-9a-f]{8,17}", named):
        raise AwsError("InvalidCapacityReservationId.Malformed", f'Invalid id: "{named}"')
    if named not in region.capacity_reservations:
        text = f"The Capacity Reservation ID '{named}' does not exist."
        raise AwsError("InvalidCapacityReservationId.NotFound", text)
    return region.capacity_reservations[named]


def _targeted(region: Region, asked: dict[str, Any]) -> dict[str, Any] | None:
    wanted = asked.get("CapacityReservationTarget") or {}
    preference = asked.get("CapacityReservationPreference")
    if preference not in (None, *PREFERENCES):
        text = f"Value ({preference}) for parameter capacityReservationPreference is invalid."
        raise AwsError("InvalidParameterValue", text)
    if wanted and preference in ("open", "none"):
        text = "A Capacity Reservation target and the preference open or none cannot be specified together."
        raise AwsError("InvalidParameterCombination", text)
    named = wanted.get("CapacityReservationId")
    return find(region, named) if named else None


def _check_match(reservation: dict[str, Any], kind: str, zone: str) -> None:
    own = (reservation["InstanceType"], reservation["AvailabilityZone"])
    if reservation["State"] != "active" or own[0] != kind or (zone and own[1] != zone):
        named = reservation["CapacityReservationId"]
        text = f"The attributes of the instance do not match those of the Capacity Reservation '{named}'."
        raise AwsError("InvalidParameterValue", text)


def _free(region: Region, reservation: dict[str, Any]) -> int:
    return int(reservation["TotalInstanceCount"]) - len(_inside(region, reservation))


def _inside(region: Region, reservation: dict[str, Any]) -> list[Member]:
    named = reservation["CapacityReservationId"]
    return [
        member
        for member in region.members.values()
        if member.state in ("pending", "running", "stopping") and target_of(member) == named
    ]


def target_of(member: Member) -> str | None:
    """The id of the reservation that an instance targets."""
    asked = member.launch.get("CapacityReservationSpecification") or {}
    named: str | None = (asked.get("CapacityReservationTarget") or {}).get("CapacityReservationId")
    return named


def _view(region: Region, reservation: dict[str, Any]) -> dict[str, Any]:
    return {**reservation, "AvailableInstanceCount": _free(region, reservation)}


def _exceeded(reservation: dict[str, Any]) -> AwsError:
    named = reservation["CapacityReservationId"]
    text = f"The Capacity Reservation '{named}' does not have sufficient available capacity for this request."
    return AwsError("ReservationCapacityExceeded", text)
