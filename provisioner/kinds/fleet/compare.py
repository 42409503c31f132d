"""What to do so that a fleet is as the spec says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from provisioner.kinds.base import World
from provisioner.kinds.binding import WantedProfile, bound_wrong, wanted_at
from provisioner.kinds.fleet.desired import Fleet
from provisioner.kinds.fleet.launch import ScaleOut, launches, name_call, settle
from provisioner.kinds.fleet.live import live_steps
from provisioner.kinds.fleet.members import indexes, spread, victims
from provisioner.kinds.fleet.seen import SeenFleet, Subnet, scope_of
from provisioner.kinds.fleet.settings import (
    SETTINGS,
    How,
    Setting,
    differs,
    is_protected,
    shown,
)
from provisioner.kinds.iam import tag_list
from provisioner.kinds.instances import MOST_IDS, Instance, bind, chunks, group_by, release
from provisioner.model import (
    Action,
    Address,
    Call,
    Change,
    FieldChange,
    Findings,
    Refusal,
    Step,
    Together,
    Until,
    Wait,
)
from provisioner.naming import ASKED_TAG, INDEX_TAG, LAUNCH_TAG, without_ignored


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
        *(_settings(address, fleet, seen, staying, world)),
        *(_profile(address, fleet, seen, staying, world)),
        *(_tags(address, fleet, staying, world)),
        *([_scale_out(address, fleet, seen, -surplus, world)] if surplus < 0 else ()),
        *([_scale_in(address, fleet, going, seen, world)] if going else ()),
    )
    return Findings(changes=changes)


def _scale_out(address: Address, fleet: Fleet, seen: SeenFleet, count: int, world: World) -> Change:
    shares = spread(count, seen.surroundings.subnets, seen.members)
    profile = _wanted(fleet, world)
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
    return Change(address, Action.CREATE, reason, fields=fields, size=count, steps=(step,))


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
    return Change(address, action, reason, fields, ids, size, (step,), whole=whole)


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
    return Change(address, Action.DELETE, reason, fields=fields, instances=ids, size=len(ids), steps=steps)


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


def _settings(
    address: Address, fleet: Fleet, seen: SeenFleet, staying: Sequence[Instance], world: World
) -> Iterator[Change]:
    """One change a setting and a value that members have instead."""
    for setting in SETTINGS:
        wrong = [member for member in staying if differs(setting, fleet, member)]
        for members in group_by(wrong, setting.actual):
            yield _setting(address, fleet, seen, setting, members, world)


def _setting(
    address: Address,
    fleet: Fleet,
    seen: SeenFleet,
    setting: Setting,
    members: Sequence[Instance],
    world: World,
) -> Change:
    before, after = setting.actual(members[0]), setting.wanted(fleet)
    fields = (FieldChange(setting.path, shown(before), shown(after)),)
    ids = tuple(member.id for member in members)
    common: dict[str, Any] = {"fields": fields, "instances": ids, "size": len(ids)}
    count = _members(len(ids))
    if setting.how is How.LIVE:
        steps = live_steps(setting.path, fleet, members, seen.surroundings.groups, after)
        return Change(address, Action.UPDATE, f"{setting.path} differs on {count}", steps=steps, **common)
    if setting.how is How.RESTART:
        return Change(
            address,
            Action.UPDATE,
            f"{setting.path} differs on {count}: {setting.why}",
            deferred="needs a restart of these members, which this version does not do",
            **common,
        )
    return Change(
        address,
        Action.REPLACE,
        f"{setting.path} differs on {count}: {setting.why}",
        deferred="needs other members in their place, which this version does not do; "
        "terminate them and apply to get there",
        **common,
    )


def _wanted(fleet: Fleet, world: World) -> WantedProfile | None:
    return wanted_at(fleet.profile, world) if fleet.profile else None


def _profile(
    address: Address, fleet: Fleet, seen: SeenFleet, staying: Sequence[Instance], world: World
) -> Iterator[Change]:
    wanted = _wanted(fleet, world)
    for members in group_by(bound_wrong(wanted, staying), lambda each: each.profile):
        before = members[0].profile
        ids = tuple(member.id for member in members)
        yield Change(
            address,
            Action.UPDATE,
            _binding_reason(wanted, members),
            fields=(
                FieldChange(
                    "instance_profile",
                    before.name if before else None,
                    wanted.name if wanted else None,
                ),
            ),
            instances=ids,
            size=len(ids),
            steps=_binding_steps(wanted, members, seen, world),
        )


def _binding_steps(
    wanted: WantedProfile | None, members: Sequence[Instance], seen: SeenFleet, world: World
) -> tuple[Step, ...]:
    scopes = (scope_of(world.environment.name),)
    associations = {each.id: seen.associations[each.id] for each in members if each.id in seen.associations}
    if wanted is None:
        return release(members, associations, scopes)
    return bind(members, wanted.name, wanted.arn, associations, scopes)


def _binding_reason(wanted: WantedProfile | None, members: Sequence[Instance]) -> str:
    count = _members(len(members))
    binding = members[0].profile
    if wanted is None:
        return f"{count} have an instance profile and should have none"
    if binding is None:
        return f"no instance profile on {count}"
    if binding.arn == wanted.arn:
        return f"{count} bound to a profile of that name that was deleted"
    return f"another instance profile on {count}"


def _tags(address: Address, fleet: Fleet, staying: Sequence[Instance], world: World) -> Iterator[Change]:
    """One change for all members whose tags differ in the same way, names apart."""
    unmanaged = {LAUNCH_TAG, ASKED_TAG, INDEX_TAG, "Name"}
    wanted = dict(fleet.tags)

    def wrong(member: Instance) -> tuple[FieldChange, ...]:
        tags = without_ignored(member.tags or {}, world.environment.ignore_tags)
        has = {key: value for key, value in tags.items() if key not in unmanaged}
        return tuple(
            FieldChange(f"tags.{key}", has.get(key), wanted.get(key))
            for key in sorted(wanted.keys() | has.keys())
            if has.get(key) != wanted.get(key)
        )

    for members in group_by([each for each in staying if wrong(each)], wrong):
        fields = wrong(members[0])
        ids = tuple(member.id for member in members)
        yield Change(
            address,
            Action.UPDATE,
            f"tags differ on {_members(len(ids))}",
            fields=fields,
            instances=ids,
            size=len(ids),
            steps=_tag_steps(ids, fields),
        )
    yield from _names(address, fleet, staying)


def _names(address: Address, fleet: Fleet, staying: Sequence[Instance]) -> Iterator[Change]:
    numbers = indexes(staying) if fleet.is_indexed else {}

    def wanted(member: Instance) -> tuple[str, str | None]:
        number = numbers.get(member.id, 0)
        return fleet.member_name(number), str(number) if number else member.tag(INDEX_TAG)

    wrong = [each for each in staying if (each.tag("Name"), each.tag(INDEX_TAG)) != wanted(each)]
    if not wrong:
        return
    ids = tuple(member.id for member in wrong)
    steps: tuple[Step, ...] = (
        (Together(tuple(name_call(fleet, each.id, numbers[each.id]) for each in wrong)),)
        if fleet.is_indexed
        else _tag_steps(ids, (FieldChange("tags.Name", None, fleet.name),))
    )
    before = {each.tag("Name") for each in wrong}
    yield Change(
        address,
        Action.UPDATE,
        f"name differs on {_members(len(ids))}",
        fields=(FieldChange("name", before.pop() if len(before) == 1 else "various", fleet.name),),
        instances=ids,
        size=len(ids),
        steps=steps,
    )


def _tag_steps(ids: Sequence[str], fields: Sequence[FieldChange]) -> tuple[Step, ...]:
    changed = {field.path.removeprefix("tags."): field.after for field in fields}
    put = {key: value for key, value in changed.items() if value is not None}
    removed = [{"Key": key} for key in sorted(changed.keys() - put.keys())]
    steps: list[Step] = []
    for part in chunks(ids, MOST_IDS):
        if put:
            steps.append(Call("ec2", "CreateTags", {"Resources": list(part), "Tags": tag_list(put)}))
        if removed:
            steps.append(Call("ec2", "DeleteTags", {"Resources": list(part), "Tags": removed}))
    return tuple(steps)


def _members(count: int) -> str:
    return "1 member" if count == 1 else f"{count} members"
