"""What to do so that a fleet is as the spec says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from provisioner.kinds.base import World
from provisioner.kinds.fleet.correct import UNIT, corrections, wanted_profile
from provisioner.kinds.fleet.desired import Fleet
from provisioner.kinds.fleet.launch import ScaleOut, launches, settle
from provisioner.kinds.fleet.members import spread, victims
from provisioner.kinds.fleet.seen import SeenFleet, Subnet, scope_of
from provisioner.kinds.fleet.settings import is_protected, read_record
from provisioner.kinds.instances import MOST_IDS, Instance, chunks
from provisioner.model import (
    Action,
    Address,
    Call,
    Change,
    FieldChange,
    Findings,
    Note,
    Refusal,
    Step,
    Until,
    Wait,
)
from provisioner.naming import LAUNCH_TAG


def compare_fleet(address: Address, fleet: Fleet | None, seen: SeenFleet, world: World) -> Findings:
    """The changes of one fleet: members launched, terminated and corrected."""
    if fleet is None:
        return _leaving(address, seen, world)
    if seen.trouble:
        return Findings(refusals=tuple(_refuse_trouble(address, text) for text in seen.trouble))
    surplus = len(seen.members) - fleet.count
    if surplus < 0 and seen.partly_seen:
        return Findings(changes=(_settle(address, seen, world),))
    going = victims(seen.members, surplus, fleet) if surplus > 0 else ()
    if surplus > len(going):
        return Findings(refusals=(_refuse_protected(address, seen.members, surplus),))
    gone = {member.id for member in going}
    staying = tuple(member for member in seen.members if member.id not in gone)
    changes = (
        *corrections(address, fleet, seen, staying, world),
        *([_scale_out(address, fleet, seen, -surplus, world)] if surplus < 0 else ()),
        *([_scale_in(address, fleet, going, seen, world)] if going else ()),
    )
    return Findings(changes=changes, notes=tuple(_notes(address, staying)))


def _notes(address: Address, staying: Sequence[Instance]) -> Iterator[Note]:
    stopped = [member.id for member in staying if member.is_stopped]
    if stopped:
        yield Note(address, f"{', '.join(stopped)} stopped: counted as a member, and left stopped")
    unrecorded = [member.id for member in staying if not read_record(member)]
    if unrecorded:
        yield Note(
            address,
            f"{', '.join(unrecorded)} without the tag {LAUNCH_TAG}: what EC2 does not show of a member (user "
            "data, volumes, termination protection) is not compared; replace it to have that again",
        )


def _scale_out(address: Address, fleet: Fleet, seen: SeenFleet, count: int, world: World) -> Change:
    shares = spread(count, seen.surroundings.subnets, seen.members)
    profile = wanted_profile(fleet, world)
    started = launches(
        fleet,
        world.environment.name,
        profile.name if profile else None,
        profile.id if profile else "",
        seen.surroundings,
        shares,
        (*seen.members, *seen.gone),
    )
    step = ScaleOut(started, fleet, world.environment.name, seen.members)
    types = shown_types(fleet)
    fields = (
        FieldChange("count", len(seen.members), fleet.count),
        FieldChange("instance_type", None, types),
        FieldChange("image", None, seen.surroundings.image),
        *([FieldChange("instance_profile", None, profile.name)] if profile else ()),
        FieldChange("spread", None, _spread_text(shares)),
    )
    reason = f"launch {count}" + (f", {len(seen.members)} are there" if seen.members else "")
    return Change(address, Action.CREATE, reason, fields=fields, size=count, unit=UNIT, steps=(step,))


def _spread_text(shares: Mapping[Subnet, int]) -> str:
    """How many members go where: `10 each in us-east-1a, b; 9 in c`; by subnet where a zone has several."""
    by_zone = len({subnet.zone for subnet in shares}) == len(shares)
    places: dict[int, list[str]] = {}
    for subnet, share in shares.items():
        places.setdefault(share, []).append(subnet.zone if by_zone else subnet.id)
    text = "; ".join(
        f"{share}{' each' if len(where) > 1 else ''} in {', '.join(where)}"
        for share, where in sorted(places.items(), reverse=True)
    )
    # The region is said once, with the first zone.
    first = text.index(" in ") + len(" in ")
    region = next(iter(shares)).zone.rstrip("abcdefghijklmnopqrstuvwxyz")
    return text[:first] + region + text[first:].replace(region, "") if by_zone else text


def shown_types(fleet: Fleet) -> str:
    """The instance types as a plan shows them."""
    return ", else ".join(fleet.instance_types)


def _settle(address: Address, seen: SeenFleet, world: World) -> Change:
    """The change that comes before any other while a launch is seen in part."""
    fleet: Fleet | None = world.environment.resources.get(address)  # type: ignore[assignment]
    profile: Any = world.environment.resources[fleet.profile] if fleet and fleet.profile else None
    step = settle(fleet, profile.name if profile else None, seen.surroundings, seen.partly_seen)
    count = fleet.count if fleet and not world.destroying else 0
    fields = (FieldChange("count", len(seen.members), count),)
    reason = f"{step.unseen} members of a recent launch are not shown by EC2 yet; asking again first"
    action = Action.CREATE if count > len(seen.members) else Action.DELETE
    size = abs(count - len(seen.members))
    ids = () if action is Action.CREATE else tuple(each.id for each in seen.members)
    whole = action is Action.DELETE
    return Change(address, action, reason, fields, ids, size, (step,), whole=whole, unit=UNIT)


def _scale_in(
    address: Address, fleet: Fleet, going: Sequence[Instance], seen: SeenFleet, world: World
) -> Change:
    fields = (FieldChange("count", len(seen.members), fleet.count),)
    reason = f"terminate {len(going)}: wrong settings first, then not running, fullest zone, newest"
    return _terminate(address, going, reason, fields, world)


def _terminate(
    address: Address, going: Sequence[Instance], reason: str, fields: tuple[FieldChange, ...], world: World
) -> Change:
    ids = tuple(member.id for member in going)
    steps: tuple[Step, ...] = (
        *(Call("ec2", "TerminateInstances", {"InstanceIds": list(part)}) for part in chunks(ids, MOST_IDS)),
        Wait(ids, Until.TERMINATED, (scope_of(world.environment.name),)),
    )
    return Change(
        address,
        Action.DELETE,
        reason,
        fields=fields,
        instances=ids,
        size=len(ids),
        unit=UNIT,
        steps=steps,
    )


def _leaving(address: Address, seen: SeenFleet, world: World) -> Findings:
    if not seen.members:
        return Findings()
    if seen.partly_seen:
        return Findings(changes=(_settle(address, seen, world),))
    if any(is_protected(member) for member in seen.members):
        return Findings(refusals=(_refuse_protected(address, seen.members, len(seen.members)),))
    reason = "destroying" if world.destroying else "no longer in the spec"
    change = _terminate(address, seen.members, reason, (), world)
    return Findings(changes=(replace(change, whole=True),))


def _refuse_protected(address: Address, members: Sequence[Instance], surplus: int) -> Refusal:
    protected = [member.id for member in members if is_protected(member)]
    return Refusal(
        address,
        f"{surplus} of {len(members)} members would have to go, and {', '.join(protected)} "
        f"{'is' if len(protected) == 1 else 'are'} under termination protection",
        "set `termination_protection: false` and apply that first",
    )


def _refuse_trouble(address: Address, text: str) -> Refusal:
    message, _, hint = text.partition("; ")
    return Refusal(address, message, hint or "correct the spec, or make what it names", exit_code=1)
