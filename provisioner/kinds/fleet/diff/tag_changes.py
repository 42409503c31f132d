"""What to do about tags and names of members, and tags of their volumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from provisioner.kinds.base import World
from provisioner.kinds.fleet.conditions import NameAgrees, TagsAgree, tag_differences
from provisioner.kinds.fleet.diff.change import until_shown, update
from provisioner.kinds.fleet.launching.scale_out import name_call, number_call
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.fleet.placement import indexes, on_members
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.fleet.volumes.changes import tag_fields
from provisioner.kinds.fleet.volumes.changes import tag_steps as volume_steps
from provisioner.kinds.instances import MAX_IDS, Instance, chunks, group_by
from provisioner.kinds.tags import (
    is_crowded,
    tag_list,
)
from provisioner.kinds.volumes import ObservedVolume
from provisioner.model import Address, Call, Change, FieldChange, Parallel, Step
from provisioner.naming import NAME_TAG, is_ignored


def tag_changes(
    address: Address, fleet: Fleet, observed: ObservedFleet, staying: Sequence[Instance], world: World
) -> Iterator[Change]:
    """One change for all members whose tags differ in the same way, and their volumes."""

    differences = {
        member.id: tag_differences(fleet, member, world.environment.ignore_tags) for member in staying
    }

    def wrong(member: Instance) -> tuple[FieldChange, ...]:
        return differences[member.id]

    def volumes(members: Sequence[Instance]) -> list[ObservedVolume]:
        every = [volume for member in members for volume in observed.volumes.get(member.id, ())]
        return [volume for volume in every if volume.is_of(world.environment.name, fleet.key)]

    for members in group_by([member for member in staying if wrong(member)], wrong):
        fields = wrong(members[0])
        removed = [field.path.removeprefix("tags.") for field in fields if field.after is None]
        on_volumes = volume_steps(fleet, volumes(members), removed)
        also = " and their volumes" if on_volumes else ""
        # The volumes first: that they are still to be done shows on the members.
        steps = (
            *on_volumes,
            *tag_steps(members, fields),
            until_shown(members, world, TagsAgree(fleet, world.environment.ignore_tags)),
        )
        yield update(address, members, f"tags differ on {on_members(members)}{also}", fields, steps)
    with_volumes = [member for member in staying if member.id in observed.volumes and not wrong(member)]
    alone = [member for member in with_volumes if tag_fields(fleet, volumes([member]))]
    for members in group_by(alone, lambda member: tag_fields(fleet, volumes([member]))):
        reason = f"tags differ on volumes of {on_members(members)}"
        fields = tag_fields(fleet, volumes(members))
        yield update(address, members, reason, fields, volume_steps(fleet, volumes(members), ()))


def name_changes(
    address: Address, fleet: Fleet, observed: ObservedFleet, staying: Sequence[Instance], world: World
) -> Iterator[Change]:
    """One change for all members that have another name than theirs, or no number."""
    # What members that are about to go are called is not free before they are gone.
    numbers = indexes(observed.members) if fleet.is_indexed else {}
    # Then the name is given at launch, and whatever others make of it is left alone.
    is_left_alone = is_ignored(NAME_TAG, world.environment.ignore_tags)

    condition = NameAgrees(fleet, numbers, is_left_alone)
    wrong = [member for member in staying if not condition.holds(member)]
    if wrong:
        before: set[Any] = {member.tag(NAME_TAG) for member in wrong}
        field = FieldChange("name", before.pop() if len(before) == 1 else "various", fleet.name)
        steps: tuple[Step, ...] = tag_steps(wrong, (FieldChange("tags.Name", None, fleet.name),))
        if fleet.is_indexed:
            numbered = {member.id: numbers[member.id] for member in wrong}
            call = number_call if is_left_alone else name_call
            steps = (Parallel(tuple(call(fleet, name, index) for name, index in numbered.items())),)
        shown = until_shown(wrong, world, condition)
        yield update(address, wrong, f"name differs on {on_members(wrong)}", (field,), (*steps, shown))


def tag_steps(members: Sequence[Instance], fields: Sequence[FieldChange]) -> tuple[Step, ...]:
    """The steps that give members the tags that fields say, and take off those that go."""
    changed = {field.path.removeprefix("tags."): field.after for field in fields}
    put = {key: value for key, value in changed.items() if value is not None}
    removed = [{"Key": key} for key in sorted(changed.keys() - put.keys())]
    steps: list[Step] = []
    for part in chunks([member.id for member in members], MAX_IDS):
        if put:
            steps.append(Call("ec2", "CreateTags", {"Resources": list(part), "Tags": tag_list(put)}))
        if removed:
            steps.append(Call("ec2", "DeleteTags", {"Resources": list(part), "Tags": removed}))
    # Setting first leaves no moment without a tag, as long as there is room for old and new ones.
    has_no_room = any(is_crowded(put, member.tags or {}) for member in members)
    return tuple(reversed(steps) if has_no_room else steps)
