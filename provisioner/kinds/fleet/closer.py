"""What comparing a fleet needs beyond its members: associations, images, subnets, security groups, health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader, World
from provisioner.kinds.binding import bound_wrong, wanted_at
from provisioner.kinds.fleet.correct import tag_differences
from provisioner.kinds.fleet.deep import as_they_are
from provisioner.kinds.fleet.desired import Fleet
from provisioner.kinds.fleet.found_volumes import FoundVolume, attached_volumes
from provisioner.kinds.fleet.images import image_to_launch, with_image
from provisioner.kinds.fleet.launch_fit import unfit_tags
from provisioner.kinds.fleet.look_around import Need, look_around
from provisioner.kinds.fleet.record import of_same_source
from provisioner.kinds.fleet.renew import to_replace
from provisioner.kinds.fleet.seen import SeenFleet, Surroundings
from provisioner.kinds.fleet.settings import SETTINGS, How, differing, differs
from provisioner.kinds.fleet.volume_drift import as_shown
from provisioner.kinds.instances import Instance, find_associations, find_unhealthy
from provisioner.model import Address, Seen
from provisioner.retry import DENIED_CODES

# Settings that the launch record has of volumes.
OF_VOLUMES = ("root_volume", "volumes")


def look_closer(reader: Reader, world: World) -> Mapping[Address, Seen]:
    """All fleets once more, each with what it takes to compare it. Raises AwsError."""
    if world.looking:
        return world.seen_of("fleet")
    addresses = {at for at in (*world.environment.resources, *world.observed.resources) if at.kind == "fleet"}
    wrong = {at: _bound_wrong(at, world) for at in addresses}
    rebound = [each.id for members in wrong.values() for each in members if each.profile]
    associations = find_associations(reader, rebound)
    ordered = sorted(addresses)
    # One after the other each fleet's calls would add up.
    closer = reader.together(
        *(lambda at=at: _closer(reader, at, wrong[at], associations, world) for at in ordered)
    )
    return dict(zip(ordered, closer, strict=True))


def _bound_to(members: Iterable[Instance], world: World) -> frozenset[Address]:
    """The environment's own profiles that members are bound to."""
    arns = {each.profile.arn for each in members if each.profile}
    profiles = world.seen_of("instance_profile")
    return frozenset(
        at
        for at, profile in profiles.items()
        if profile.arn in arns and profile.is_owned_by(world.environment)
    )


def _bound_wrong(address: Address, world: World) -> list[Instance]:
    fleet: Fleet | None = world.desired(address)
    seen: SeenFleet = world.seen(address) or SeenFleet()
    if fleet is None:
        return []
    return bound_wrong(wanted_at(fleet.profile, world) if fleet.profile else None, seen.members)


def _closer(
    reader: Reader,
    address: Address,
    wrong: Iterable[Instance],
    associations: Mapping[str, str],
    world: World,
) -> SeenFleet:
    wanted: Any = world.environment.resources.get(address)
    seen: SeenFleet = world.seen(address) or SeenFleet()
    seen = replace(seen, uses=_bound_to(seen.members, world))
    if wanted and world.deep:
        seen = replace(seen, members=as_they_are(reader, seen.members))
    if wanted is None or (world.destroying and not seen.partly_seen):
        return seen
    fleet = with_image(wanted, seen)
    if world.destroying:
        return replace(seen, surroundings=_for_asking_again(reader, fleet, seen))
    seen = _with_volumes(reader, fleet, seen, world)
    missing = len(seen.members) < fleet.count or bool(seen.partly_seen)
    launching = missing or bool(to_replace(fleet, seen))
    around, trouble, unchecked = _look_around(reader, fleet, seen, launching)
    if not launching and fleet.rebalance:
        # Whom to move is known only now.
        launching = bool(to_replace(fleet, replace(seen, surroundings=around)))
        if launching:
            around, trouble, unchecked = _look_around(reader, fleet, seen, launching)
    tags = unfit_tags(fleet, seen.members, world.environment.ignore_tags)
    trouble = tuple(sorted({*trouble, *_image_trouble(wanted, seen, launching), *tags}))
    ours = {each.id: associations[each.id] for each in wrong if each.id in associations}
    unchecked = (*seen.unchecked, *unchecked)
    seen = replace(seen, surroundings=around, trouble=trouble, unchecked=unchecked, associations=ours)
    restarting = differing(fleet, seen.members, How.RESTART)
    going = restarting or to_replace(fleet, seen) or len(seen.members) > fleet.count
    if fleet.update.healthy == "status_ok" and fleet.power == "running" and going:
        running = [member.id for member in seen.members if member.state == "running"]
        others = {member.id for member in seen.members} - set(running)
        seen = replace(seen, unhealthy=find_unhealthy(reader, running) | others)
    return seen


def _with_volumes(reader: Reader, fleet: Fleet, seen: SeenFleet, world: World) -> SeenFleet:
    """The fleet with the volumes of those members that may need another setting or other tags of volumes."""
    replaced = differing(fleet, seen.members, How.REPLACE)
    ids = [
        each.id
        for each in seen.members
        if world.deep
        or any(setting.path in OF_VOLUMES for setting in replaced.get(each.id, ()))
        or tag_differences(fleet, each, world.environment.ignore_tags)
    ]
    if not ids:
        return seen
    volumes: Mapping[str, tuple[FoundVolume, ...]] = {}
    try:
        volumes = attached_volumes(reader, ids)
    except AwsError as error:
        if error.code not in DENIED_CODES:
            raise
        told = f"the volumes of members were not read, and are left as they are: ec2 {error.operation}"
        seen = replace(seen, unchecked=(*seen.unchecked, f"{told}: {error.code}"))
    shown, drift = as_shown(fleet, [each for each in seen.members if each.id in ids], volumes)
    by_id = {each.id: each for each in shown}
    members = tuple(by_id.get(each.id, each) for each in seen.members)
    return replace(seen, members=members, volumes=volumes, drift=drift)


def _for_asking_again(reader: Reader, fleet: Fleet, seen: SeenFleet) -> Surroundings:
    """What it takes to ask again for a launch that is to be destroyed; nothing, if that cannot be read."""
    try:
        return _look_around(reader, fleet, seen, launching=True)[0]
    except AwsError:
        return Surroundings()


def _look_around(
    reader: Reader, fleet: Fleet, seen: SeenFleet, launching: bool
) -> tuple[Surroundings, tuple[str, ...], tuple[str, ...]]:
    groups = next(setting for setting in SETTINGS if setting.path == "security_groups")
    restarted = differing(fleet, seen.members, How.RESTART)
    resizing = {name for name, settings in restarted.items() if "instance_type" in (s.path for s in settings)}
    replaced = {each.id for each in to_replace(fleet, seen)}
    need = Need(
        launching=launching,
        placing=fleet.rebalance,
        resizing=bool(resizing),
        regrouping=any(differs(groups, fleet, member) for member in seen.members),
        resized=tuple(each for each in seen.members if each.id in resizing - replaced),
    )
    return look_around(reader, fleet, seen, image_to_launch(fleet, seen), need)


def _image_trouble(wanted: Fleet, seen: SeenFleet, launching: bool) -> tuple[str, ...]:
    """Why the image is not known that is to be launched, or to be compared with that of the members.

    An image that a mere note would tell of may be unknown. Raises AwsError if AWS did not say.
    """
    if wanted.image.id:
        is_needed = launching
    elif wanted.image.update == "pin" and of_same_source(wanted, seen.members):
        is_needed = False
    else:
        is_needed = launching or bool(seen.members)
    error = seen.newest.error
    if error and is_needed and not (wanted.image.id and error.code in DENIED_CODES):
        raise error
    return seen.newest.trouble if is_needed else ()
