"""What comparing a fleet needs beyond its members: associations, images, subnets, security groups, health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from provisioner.denial import in_short
from provisioner.errors import AwsError
from provisioner.kinds.base import Reader, World
from provisioner.kinds.fleet.conditions import tag_differences
from provisioner.kinds.fleet.observed import ObservedFleet, Prerequisites, Problem
from provisioner.kinds.fleet.parse import with_references
from provisioner.kinds.fleet.placement import to_replace
from provisioner.kinds.fleet.read.addresses import with_room
from provisioner.kinds.fleet.read.images import image_to_launch, with_image
from provisioner.kinds.fleet.read.launch_fit import tag_problems
from provisioner.kinds.fleet.read.prerequisites import Intent, observe_prerequisites
from provisioner.kinds.fleet.read.quotas import QuotaLookup
from provisioner.kinds.fleet.read.types import types_of
from provisioner.kinds.fleet.readiness.members import not_ready
from provisioner.kinds.fleet.settings.differences import differing, differs
from provisioner.kinds.fleet.settings.launch_tag import last_of_same_source, read_record, write_record
from provisioner.kinds.fleet.settings.setting import NOT_COMPARED, How, merged
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.settings.user_data import USER_DATA, with_user_data
from provisioner.kinds.fleet.settings.volume_drift import drift_in_words, may_differ
from provisioner.kinds.fleet.spec import RUNNING, Fleet
from provisioner.kinds.fleet.volumes.attached import attached_volumes, with_details
from provisioner.kinds.fleet.volumes.changes import goes_otherwise
from provisioner.kinds.instance_profile.binding import bound_wrong, find_associations, wanted_at
from provisioner.kinds.instance_profile.observed import ObservedProfile
from provisioner.kinds.instances import Instance, find_unhealthy
from provisioner.kinds.key_pair.observed import ObservedKeyPair
from provisioner.kinds.security_group.observed import ObservedGroup
from provisioner.kinds.shared_reads import SharedReads
from provisioner.model import Address
from provisioner.naming import LAUNCH_TAG
from provisioner.retry import is_withheld


def observe_details(reader: Reader, world: World) -> Mapping[Address, ObservedFleet]:
    """All fleets once more, each with what it takes to compare it. Raises AwsError."""
    if world.looking:
        return world.observed_of(ObservedFleet)
    reader = SharedReads.over(reader)
    fleets_of_spec, there = world.environment.of(Fleet), world.observed_of(ObservedFleet)
    written = {at: with_references(fleet, world) for at, fleet in fleets_of_spec.items()}
    fleets = {at: there.get(at) or ObservedFleet() for at in sorted(written.keys() | there.keys())}
    wrong = {at: _bound_wrong(written.get(at), observed, world) for at, observed in fleets.items()}
    fleets_to_be = {} if world.destroying else written
    quotas = QuotaLookup(reader, fleets_to_be, there, world.identity.account_id)
    rebound = [member.id for members in wrong.values() for member in members if member.profile]
    associations = find_associations(reader, rebound)
    # One after the other each fleet's calls would add up.
    details_of = reader.parallel(
        *(
            lambda at=at, observed=observed: _details_of(
                reader, written.get(at), observed, wrong[at], associations, world
            )
            for at, observed in fleets.items()
        )
    )
    details = dict(zip(fleets, details_of, strict=True))
    if world.destroying:
        return details
    with_images = {at: with_image(fleet, details[at]) for at, fleet in written.items()}
    return quotas.told(with_room(with_images, details))


def _bound_to(members: Iterable[Instance], world: World) -> frozenset[Address]:
    """The environment's own profiles that members are bound to."""
    arns = {member.profile.arn for member in members if member.profile}
    profiles = world.observed_of(ObservedProfile)
    return frozenset(
        at
        for at, profile in profiles.items()
        if profile.arn in arns and profile.is_owned_by(world.environment)
    )


def _launched_with(members: Iterable[Instance], world: World) -> frozenset[Address]:
    """The environment's own key pairs that members were launched with."""
    names = {member.key_name for member in members}
    key_pairs = world.observed_of(ObservedKeyPair)
    return frozenset(
        at for at, found in key_pairs.items() if found.name in names and found.is_of(world.environment.name)
    )


def _grouped_in(members: Iterable[Instance], world: World) -> frozenset[Address]:
    """The environment's own security groups that members have."""
    ids = {id_ for member in members for id_ in member.groups or ()}
    groups = world.observed_of(ObservedGroup)
    return frozenset(at for at, found in groups.items() if found.group and found.group.id in ids)


def _bound_wrong(fleet: Fleet | None, observed: ObservedFleet, world: World) -> list[Instance]:
    if fleet is None or world.destroying:
        return []
    return bound_wrong(wanted_at(fleet.profile, world) if fleet.profile else None, observed.members)


def _details_of(
    reader: Reader,
    desired: Fleet | None,
    observed: ObservedFleet,
    wrong: Iterable[Instance],
    associations: Mapping[str, str],
    world: World,
) -> ObservedFleet:
    members = observed.members
    uses = _bound_to(members, world) | _launched_with(members, world) | _grouped_in(members, world)
    observed = replace(observed, uses=uses)
    if desired and world.deep:
        observed = replace(observed, members=_as_they_are(reader, desired, observed.members))
    if desired and not world.destroying:
        observed = _looked_up(reader, desired, observed)
    if desired is None or (world.destroying and not observed.partly_observed):
        return observed
    fleet = with_image(desired, observed)
    if world.destroying:
        return replace(observed, prerequisites=_for_asking_again(reader, fleet, observed, world))
    observed = _with_volumes(reader, fleet, observed, world)
    missing = len(observed.members) < fleet.count or bool(observed.partly_observed)
    launching = missing or bool(to_replace(fleet, observed))
    prerequisites, problems, unchecked = _observe_prerequisites(reader, fleet, observed, launching, world)
    if not launching and fleet.rebalance:
        # Whom to move is known only now.
        launching = bool(to_replace(fleet, replace(observed, prerequisites=prerequisites)))
        if launching:
            prerequisites, problems, unchecked = _observe_prerequisites(
                reader, fleet, observed, launching, world
            )
    tags = tag_problems(fleet, observed.members, world.environment.ignore_tags)
    problems = tuple(sorted({*problems, *_image_problems(desired, observed, launching), *tags}))
    ours = {member.id: associations[member.id] for member in wrong if member.id in associations}
    unchecked = (*observed.unchecked, *unchecked)
    observed = replace(
        observed, prerequisites=prerequisites, problems=problems, unchecked=unchecked, associations=ours
    )
    restarting = differing(fleet, observed.members, How.RESTART)
    going = restarting or to_replace(fleet, observed) or len(observed.members) > fleet.count
    if fleet.update.healthy != RUNNING and fleet.power == "running" and going:
        running = [member.id for member in observed.members if member.state == "running"]
        others = {member.id for member in observed.members} - set(running)
        others |= {member.id for member in not_ready(fleet, observed.members)}
        observed = replace(observed, unhealthy=find_unhealthy(reader, running) | others)
    return observed


def _as_they_are(reader: Reader, fleet: Fleet, members: Sequence[Instance]) -> tuple[Instance, ...]:
    """The members with a launch record that says what is true now, but for volumes, which are read apart.

    What neither the spec nor the launch tag says is not read. Raises AwsError.
    """

    def true(member: Instance) -> Instance:
        record = dict(read_record(member))
        for setting in SETTINGS:
            word = setting.remembered
            if word and word.read and (word.text(fleet) is not None or word.word in record):
                if word is USER_DATA:
                    member = with_user_data(reader, member)
                value = word.read(reader, member)
                record |= {} if value is None else {word.word: value}
        return replace(member, tags={**(member.tags or {}), LAUNCH_TAG: write_record(record)})

    return tuple(reader.parallel(*(lambda member=member: true(member) for member in members)))


def _looked_up(reader: Reader, fleet: Fleet, observed: ObservedFleet) -> ObservedFleet:
    """The fleet with what DescribeInstances does not show of members, of settings that the spec says.

    What may not be read is told, and left as it is.
    """
    found: list[Mapping[str, Mapping[str, Any]]] = []
    for setting in SETTINGS:
        if not setting.look_up or not observed.members or setting.desired(fleet) is NOT_COMPARED:
            continue
        try:
            found.append(setting.look_up(reader, observed.members))
        except AwsError as error:
            if not is_withheld(error):
                raise
            text = f"{setting.path} was not read, and is left as it is: {in_short(error)}"
            observed = replace(observed, unchecked=(*observed.unchecked, text))
    if not found:
        return observed
    members = tuple(
        replace(member, described=merged([member.described, *(of.get(member.id, {}) for of in found)]))
        for member in observed.members
    )
    return replace(observed, members=members)


def _with_volumes(reader: Reader, fleet: Fleet, observed: ObservedFleet, world: World) -> ObservedFleet:
    """The fleet with the volumes of those members that may need another setting or other tags of volumes."""
    ids = [
        member.id
        for member in observed.members
        if world.deep
        or may_differ(fleet, member)
        or goes_otherwise(fleet, member)
        or tag_differences(fleet, member, world.environment.ignore_tags)
    ]
    if not ids:
        return observed
    try:
        volumes = attached_volumes(reader, ids)
    except AwsError as error:
        if not is_withheld(error):
            raise
        text = f"the volumes of members were not read, and are left as they are: {in_short(error)}"
        return replace(observed, unchecked=(*observed.unchecked, text))
    members = tuple(with_details(member, volumes.get(member.id, ())) for member in observed.members)
    return replace(observed, members=members, volumes=volumes, drift=tuple(drift_in_words(fleet, members)))


def _for_asking_again(reader: Reader, fleet: Fleet, observed: ObservedFleet, world: World) -> Prerequisites:
    """What it takes to ask again for a launch that is to be destroyed; nothing, if that cannot be read."""
    try:
        return _observe_prerequisites(reader, fleet, observed, True, world)[0]
    except AwsError:
        return Prerequisites()


def _observe_prerequisites(
    reader: Reader, fleet: Fleet, observed: ObservedFleet, launching: bool, world: World
) -> tuple[Prerequisites, tuple[Problem, ...], tuple[str, ...]]:
    groups = next(setting for setting in SETTINGS if setting.path == "security_groups")
    restarted = differing(fleet, observed.members, How.RESTART)
    resizing = {name for name, settings in restarted.items() if "instance_type" in (s.path for s in settings)}
    replaced = {member.id for member in to_replace(fleet, observed)}
    intent = Intent(
        launching=launching,
        placing=fleet.rebalance,
        resizing=bool(resizing),
        regrouping=any(differs(groups, fleet, member) for member in observed.members),
        types=types_of(world.environment.of(Fleet).values()),
        resized=tuple(member for member in observed.members if member.id in resizing - replaced),
        replacing=bool(replaced),
    )
    return observe_prerequisites(reader, fleet, observed, image_to_launch(fleet, observed), intent)


def _image_problems(desired: Fleet, observed: ObservedFleet, launching: bool) -> tuple[Problem, ...]:
    """Why the image is not known that is to be launched, or to be compared with that of the members.

    An image that a mere note would tell of may be unknown. Raises AwsError if AWS did not say.
    """
    if desired.image.id:
        is_needed = launching
    elif desired.image.update == "pin" and last_of_same_source(desired, observed.members):
        is_needed = False
    else:
        is_needed = launching or bool(observed.members)
    error = observed.newest.error
    if error and is_needed and not (desired.image.id and is_withheld(error)):
        raise error
    return observed.newest.problems if is_needed else ()
