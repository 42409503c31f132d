"""What to do about members that differ from the spec: settings, profile, tags and names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from provisioner.kinds.base import World
from provisioner.kinds.binding import WantedProfile, bound_wrong, wanted_at
from provisioner.kinds.fleet.desired import Fleet
from provisioner.kinds.fleet.launch import name_call
from provisioner.kinds.fleet.live import RECORDED, live_steps, recorded_steps
from provisioner.kinds.fleet.members import indexes
from provisioner.kinds.fleet.seen import SeenFleet, scope_of
from provisioner.kinds.fleet.settings import SETTINGS, How, Setting, differs, shown
from provisioner.kinds.iam import tag_list
from provisioner.kinds.instances import MOST_IDS, Instance, bind, chunks, group_by, release
from provisioner.model import Action, Address, Call, Change, FieldChange, Step, Together
from provisioner.naming import ASKED_TAG, INDEX_TAG, LAUNCH_TAG, compared_tags

# What a fleet's changes are counted in.
UNIT = "instance"
NOT_BY_RESTART = "needs a restart of these members, which this version does not do"
NOT_BY_REPLACEMENT = "needs other members in their place, which this version does not do"


def corrections(
    address: Address, fleet: Fleet, seen: SeenFleet, staying: Sequence[Instance], world: World
) -> Iterator[Change]:
    """The changes of members that stay; each difference once, with all members that have it."""
    yield from _settings(address, fleet, seen, staying)
    yield from _recorded(address, fleet, staying)
    yield from _profile(address, fleet, seen, staying, world)
    yield from _tags(address, fleet, staying, world)
    yield from _names(address, fleet, staying)


def wanted_profile(fleet: Fleet, world: World) -> WantedProfile | None:
    """The profile that members are to be bound to, if any."""
    return wanted_at(fleet.profile, world) if fleet.profile else None


def _change(
    address: Address,
    members: Sequence[Instance],
    reason: str,
    fields: tuple[FieldChange, ...],
    steps: tuple[Step, ...] = (),
    action: Action = Action.UPDATE,
    deferred: str | None = None,
) -> Change:
    ids = tuple(member.id for member in members)
    return Change(address, action, reason, fields, ids, len(ids), steps, deferred, unit=UNIT)


def _on(members: Sequence[Instance]) -> str:
    return "1 member" if len(members) == 1 else f"{len(members)} members"


def _field(setting: Setting, fleet: Fleet, member: Instance) -> FieldChange:
    return FieldChange(setting.path, shown(setting.actual(member)), shown(setting.wanted(fleet)))


def _settings(
    address: Address, fleet: Fleet, seen: SeenFleet, staying: Sequence[Instance]
) -> Iterator[Change]:
    """One change for each setting and value that members have instead."""
    for setting in SETTINGS:
        if setting.path in RECORDED:
            continue
        wrong = [member for member in staying if differs(setting, fleet, member)]
        for members in group_by(wrong, setting.actual):
            reason = f"{setting.path} differs on {_on(members)}"
            fields = (_field(setting, fleet, members[0]),)
            if setting.how is How.LIVE:
                groups = seen.surroundings.groups
                steps = live_steps(setting.path, fleet, members, groups, setting.wanted(fleet))
                yield _change(address, members, reason, fields, steps)
            else:
                is_restart = setting.how is How.RESTART
                yield _change(
                    address,
                    members,
                    f"{reason}: {setting.why}",
                    fields,
                    action=Action.UPDATE if is_restart else Action.REPLACE,
                    deferred=NOT_BY_RESTART if is_restart else NOT_BY_REPLACEMENT,
                )


def _recorded(address: Address, fleet: Fleet, staying: Sequence[Instance]) -> Iterator[Change]:
    """One change for all live settings that only the launch record shows, as it is written as a whole."""
    recorded = [setting for setting in SETTINGS if setting.path in RECORDED]

    def wrong(member: Instance) -> list[Setting]:
        return [setting for setting in recorded if differs(setting, fleet, member)]

    for members in group_by([each for each in staying if wrong(each)], lambda each: _paths(wrong(each))):
        differing = wrong(members[0])
        reason = f"{', '.join(_paths(differing))} {'differs' if len(differing) == 1 else 'differ'}"
        yield _change(
            address,
            members,
            f"{reason} on {_on(members)}",
            tuple(_field(setting, fleet, members[0]) for setting in differing),
            recorded_steps(fleet, members, _paths(differing)),
        )


def _paths(settings: Sequence[Setting]) -> list[str]:
    return [setting.path for setting in settings]


def _profile(
    address: Address, fleet: Fleet, seen: SeenFleet, staying: Sequence[Instance], world: World
) -> Iterator[Change]:
    wanted = wanted_profile(fleet, world)
    for members in group_by(bound_wrong(wanted, staying), lambda each: each.profile):
        before = members[0].profile
        names = (before.name if before else None, wanted.name if wanted else None)
        yield _change(
            address,
            members,
            _binding_reason(wanted, members),
            (FieldChange("instance_profile", *names),),
            _binding_steps(wanted, members, seen, world),
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
    binding = members[0].profile
    if wanted is None:
        return f"{_on(members)} with an instance profile, and none is wanted"
    if binding is None:
        return f"no instance profile on {_on(members)}"
    if binding.arn == wanted.arn:
        return f"{_on(members)} bound to a profile of that name that was deleted"
    return f"another instance profile on {_on(members)}"


def _tags(address: Address, fleet: Fleet, staying: Sequence[Instance], world: World) -> Iterator[Change]:
    """One change for all members whose tags differ in the same way, names apart."""
    kept_apart = {LAUNCH_TAG, ASKED_TAG, INDEX_TAG, "Name"}
    wanted = dict(fleet.tags)

    def wrong(member: Instance) -> tuple[FieldChange, ...]:
        tags = compared_tags(member.tags or {}, wanted, world.environment.ignore_tags)
        has = {key: value for key, value in tags.items() if key not in kept_apart}
        return tuple(
            FieldChange(f"tags.{key}", has.get(key), wanted.get(key))
            for key in sorted(wanted.keys() | has.keys())
            if has.get(key) != wanted.get(key)
        )

    for members in group_by([each for each in staying if wrong(each)], wrong):
        fields = wrong(members[0])
        yield _change(address, members, f"tags differ on {_on(members)}", fields, _tag_steps(members, fields))


def _names(address: Address, fleet: Fleet, staying: Sequence[Instance]) -> Iterator[Change]:
    numbers = indexes(staying) if fleet.is_indexed else {}

    def wanted(member: Instance) -> tuple[str, str | None]:
        number = numbers.get(member.id, 0)
        return fleet.member_name(number), str(number) if number else member.tag(INDEX_TAG)

    wrong = [each for each in staying if (each.tag("Name"), each.tag(INDEX_TAG)) != wanted(each)]
    if wrong:
        before: set[Any] = {each.tag("Name") for each in wrong}
        field = FieldChange("name", before.pop() if len(before) == 1 else "various", fleet.name)
        steps: tuple[Step, ...] = (
            (Together(tuple(name_call(fleet, each.id, numbers[each.id]) for each in wrong)),)
            if fleet.is_indexed
            else _tag_steps(wrong, (FieldChange("tags.Name", None, fleet.name),))
        )
        yield _change(address, wrong, f"name differs on {_on(wrong)}", (field,), steps)


def _tag_steps(members: Sequence[Instance], fields: Sequence[FieldChange]) -> tuple[Step, ...]:
    changed = {field.path.removeprefix("tags."): field.after for field in fields}
    put = {key: value for key, value in changed.items() if value is not None}
    removed = [{"Key": key} for key in sorted(changed.keys() - put.keys())]
    steps: list[Step] = []
    for part in chunks([member.id for member in members], MOST_IDS):
        if put:
            steps.append(Call("ec2", "CreateTags", {"Resources": list(part), "Tags": tag_list(put)}))
        if removed:
            steps.append(Call("ec2", "DeleteTags", {"Resources": list(part), "Tags": removed}))
    return tuple(steps)
