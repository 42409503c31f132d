"""What to do about members that differ from the spec, while they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from provisioner.kinds.base import World
from provisioner.kinds.fleet.conditions import (
    SettingsAgree,
    VolumesGo,
)
from provisioner.kinds.fleet.diff.change import Phase, until_settings_shown, until_shown, update
from provisioner.kinds.fleet.diff.fields import setting_field
from provisioner.kinds.fleet.diff.tag_changes import name_changes, tag_changes
from provisioner.kinds.fleet.observed import ObservedFleet, scope_of
from provisioner.kinds.fleet.placement import on_members, verb
from provisioner.kinds.fleet.settings.differences import differing
from provisioner.kinds.fleet.settings.launch_tag import (
    fitted,
    is_protected,
    read_record,
    stays_protected,
    write_record,
)
from provisioner.kinds.fleet.settings.setting import How, Setting, change_steps
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.spec import SPOT, Fleet
from provisioner.kinds.fleet.volumes.changes import goes_steps, goes_wrong
from provisioner.kinds.instance_profile.binding import WantedProfile, bind, bound_wrong, release, wanted_at
from provisioner.kinds.instances import MAX_IDS, Instance, chunks, group_by, until_stable
from provisioner.kinds.tags import (
    tag_list,
)
from provisioner.model import (
    Address,
    Call,
    Change,
    FieldChange,
    Step,
)
from provisioner.naming import LAUNCH_TAG

SHOWS_TAGS = "metadata.instance_tags"

Differences = Mapping[str, tuple[Setting, ...]]


def corrections(
    address: Address, fleet: Fleet, observed: ObservedFleet, staying: Sequence[Instance], world: World
) -> Iterator[Change]:
    """The changes of members that stay; each difference once, with all members that have it."""
    differences = differing(fleet, staying, How.LIVE)
    settings = list(_settings(address, fleet, observed, staying, differences, world))
    tags = [
        *tag_changes(address, fleet, observed, staying, world),
        *name_changes(address, fleet, observed, staying, world),
    ]
    shows = [change for change in settings if SHOWS_TAGS in (field.path for field in change.fields)]
    if shows and fleet.instance_tags == "enabled":
        settings = [change for change in settings if change not in shows]
        tags += [replace(change, phase=Phase.TAGS_AND_METADATA) for change in shows]
    elif shows:
        tags = [replace(change, phase=Phase.TAGS_AND_METADATA) for change in tags]
    yield from settings
    yield from _keeping(address, fleet, staying, world)
    yield from _profile(address, fleet, observed, staying, world)
    yield from tags


def unprotected(
    address: Address, fleet: Fleet, observed: ObservedFleet, going: Sequence[Instance], world: World
) -> Iterator[Change]:
    """The changes that let members be terminated whose protection the spec takes away."""
    freed = [member for member in going if is_protected(member) and not stays_protected(member, fleet)]
    differences = {
        name: tuple(setting for setting in settings if setting.protects)
        for name, settings in differing(fleet, freed, How.LIVE).items()
    }
    yield from _settings(address, fleet, observed, freed, differences, world)


def wanted_profile(fleet: Fleet, world: World) -> WantedProfile | None:
    """The profile that members are to be bound to, if any."""
    return wanted_at(fleet.profile, world) if fleet.profile else None


def _settings(
    address: Address,
    fleet: Fleet,
    observed: ObservedFleet,
    staying: Sequence[Instance],
    differences: Differences,
    world: World,
) -> Iterator[Change]:
    """One change for all settings that are changed together, and the values that members have instead."""
    # Most members differ in nothing, and there are many of them.
    staying = [member for member in staying if member.id in differences]
    for group in dict.fromkeys(setting.group for setting in SETTINGS):
        wrong = {
            member.id: [
                setting
                for setting in differences[member.id]
                if setting.group == group and (setting.on_spot or member.market != SPOT)
            ]
            for member in staying
        }
        for members in group_by([member for member in staying if wrong[member.id]], _values(wrong)):
            yield _setting_change(address, fleet, observed, members, wrong[members[0].id], world)


def _values(wrong: Mapping[str, Sequence[Setting]]) -> Callable[[Instance], list[Any]]:
    """What members have of the settings that are wrong on them."""
    return lambda member: [(setting.path, setting.observed(member)) for setting in wrong[member.id]]


def _setting_change(
    address: Address,
    fleet: Fleet,
    observed: ObservedFleet,
    members: Sequence[Instance],
    settings: Sequence[Setting],
    world: World,
) -> Change:
    paths = tuple(setting.path for setting in settings)
    named = ", ".join(paths)
    whys = "; ".join(dict.fromkeys(setting.why for setting in settings))
    changed = {member.id: words_after(settings, fleet, member) for member in members}
    records = {
        member.id: fitted({**read_record(member), **changed[member.id]})
        for member in members
        if changed[member.id]
    }
    words = {name: {word: record[word] for word in changed[name]} for name, record in records.items()}
    agree = SettingsAgree(fleet, dict.fromkeys(changed, paths), words)
    return update(
        address,
        members,
        f"{named} {verb(named)} on {on_members(members)}: {whys}",
        tuple(setting_field(setting, fleet, members[:1]) for setting in settings),
        (
            *until_stable(members, (scope_of(world.environment.name),)),
            *change_steps(settings, members, fleet, observed.prerequisites.groups),
            *_remembering_steps(records),
            until_settings_shown(members, world, agree),
        ),
    )


def _remembering_steps(records: Mapping[str, Mapping[str, str]]) -> tuple[Step, ...]:
    """The steps that write down what DescribeInstances does not show, once it was changed.

    In this order a crash in between leads to the same change once more, never to a record that is wrong. All
    of a member's record is written at once, so that two changes of it cannot undo each other.
    """
    members: dict[str, list[str]] = {}
    for name, record in records.items():
        members.setdefault(write_record(record), []).append(name)
    return tuple(
        Call("ec2", "CreateTags", {"Resources": list(part), "Tags": tag_list({LAUNCH_TAG: text})})
        for text, those in members.items()
        for part in chunks(those, MAX_IDS)
    )


def words_after(settings: Sequence[Setting], fleet: Fleet, member: Instance) -> dict[str, str]:
    """The words of a member's launch tag that are other ones once these settings were changed."""
    words = {setting.remembered.word: setting.remembered for setting in settings if setting.remembered}
    texts = {
        name: word.after(fleet, member) if word.after else word.text(fleet) for name, word in words.items()
    }
    return {name: text for name, text in texts.items() if text is not None}


def _profile(
    address: Address, fleet: Fleet, observed: ObservedFleet, staying: Sequence[Instance], world: World
) -> Iterator[Change]:
    desired = wanted_profile(fleet, world)
    for members in group_by(bound_wrong(desired, staying), lambda member: member.profile):
        before = members[0].profile
        names = (before.name if before else None, desired.name if desired else None)
        yield update(
            address,
            members,
            _binding_reason(desired, members),
            (FieldChange("instance_profile", *names),),
            _binding_steps(desired, members, observed, world),
        )


def _binding_steps(
    desired: WantedProfile | None, members: Sequence[Instance], observed: ObservedFleet, world: World
) -> tuple[Step, ...]:
    scopes = (scope_of(world.environment.name),)
    associations = {
        member.id: observed.associations[member.id]
        for member in members
        if member.id in observed.associations
    }
    if desired is None:
        return release(members, associations, scopes)
    return bind(members, desired.name, desired.arn, associations, scopes)


def _binding_reason(desired: WantedProfile | None, members: Sequence[Instance]) -> str:
    binding = members[0].profile
    if desired is None:
        return f"{on_members(members)} with an instance profile, and none is wanted"
    if binding is None:
        return f"no instance profile on {on_members(members)}"
    if binding.arn == desired.arn:
        return f"{on_members(members)} bound to a profile of that name that was deleted"
    return f"another instance profile on {on_members(members)}"


def _keeping(address: Address, fleet: Fleet, staying: Sequence[Instance], world: World) -> Iterator[Change]:
    """One change for all members whose volumes stay or go in the same way, and not as the spec says."""
    if not fleet.volumes:
        return
    wrong = {member.id: fields for member in staying if (fields := goes_wrong(fleet, member))}
    for members in group_by(
        [member for member in staying if member.id in wrong], lambda member: wrong[member.id]
    ):
        fields = wrong[members[0].id]
        steps = (
            *until_stable(members, (scope_of(world.environment.name),)),
            *goes_steps([member.id for member in members], fields),
            until_shown(members, world, VolumesGo(fields)),
        )
        reason = f"what volumes do when the instance goes differs on {on_members(members)}"
        yield update(address, members, reason, fields, steps)
