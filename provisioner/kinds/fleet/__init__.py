"""Fleets: interchangeable EC2 instances of one make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from provisioner.kinds.base import Entry, Path, Reader, World
from provisioner.kinds.binding import bound_wrong, wanted_at
from provisioner.kinds.fleet.compare import compare_fleet
from provisioner.kinds.fleet.desired import Fleet, parse_fleet
from provisioner.kinds.fleet.seen import STRAYS, SeenFleet, find_fleets, look_around
from provisioner.kinds.fleet.settings import SETTINGS, differs
from provisioner.kinds.instances import Instance, find_associations
from provisioner.model import Address, Desired, Environment, Findings, Note, Refusal, Seen
from provisioner.naming import FLEET_TAG


class FleetKind:
    name = "fleet"
    section = "fleets"

    def parse(self, key: str, raw: Mapping[str, Any], entry: Entry) -> Fleet:
        return parse_fleet(key, raw, entry)

    def check(self, resources: Mapping[Address, Desired]) -> Iterable[tuple[Address, Path, str]]:
        return ()

    def observe(self, reader: Reader, environment: Environment) -> Mapping[Address, Seen]:
        fleets = find_fleets(reader, environment.name, datetime.now(UTC))
        return {Address(self.name, key): seen for key, seen in fleets.items()}

    def look_closer(self, reader: Reader, world: World) -> Mapping[Address, Seen]:
        addresses = {
            at for at in (*world.environment.resources, *world.observed.resources) if at.kind == self.name
        }
        wrong = {at: _bound_wrong(at, world) for at in addresses}
        rebound = [each.id for members in wrong.values() for each in members if each.profile]
        associations = find_associations(reader, rebound)
        return {at: _closer(reader, at, wrong[at], associations, world) for at in sorted(addresses)}

    def compare(self, address: Address, world: World) -> Findings:
        seen: SeenFleet = world.seen(address) or SeenFleet()
        if address.key == STRAYS:
            return _strays(address, seen, world.destroying)
        return compare_fleet(address, world.desired(address), seen, world)

    def status(self, address: Address, world: World) -> Mapping[str, Any]:
        fleet: Fleet | None = world.environment.resources.get(address)  # type: ignore[assignment]
        seen: SeenFleet = world.seen(address) or SeenFleet()
        wanted = fleet.count if fleet else 0
        return {
            "state": f"{len(seen.members)} of {wanted}",
            "members": [each.summary() for each in seen.members],
        }


def _bound_to(members: Iterable[Instance], world: World) -> frozenset[Address]:
    """The environment's own profiles that members are bound to."""
    arns = {each.profile.arn for each in members if each.profile}
    profiles = world.seen_of("instance_profile")
    return frozenset(
        at
        for at, profile in profiles.items()
        if profile.arn in arns and profile.is_owned_by(world.environment.name)
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
    fleet: Any = world.environment.resources.get(address)
    seen: SeenFleet = world.seen(address) or SeenFleet()
    seen = replace(seen, uses=_bound_to(seen.members, world))
    if fleet is None or (world.destroying and not seen.partly_seen):
        return seen
    launching = len(seen.members) < fleet.count or bool(seen.partly_seen)
    groups = next(setting for setting in SETTINGS if setting.path == "security_groups")
    regrouping = any(differs(groups, fleet, member) for member in seen.members)
    surroundings, trouble = look_around(reader, fleet, seen, launching, regrouping)
    ours = {each.id: associations[each.id] for each in wrong if each.id in associations}
    return replace(seen, surroundings=surroundings, trouble=trouble, associations=ours)


def _strays(address: Address, seen: SeenFleet, destroying: bool) -> Findings:
    if not seen.members:
        return Findings()
    ids = ", ".join(member.id for member in seen.members)
    message = f"{ids} of this environment without the tag {FLEET_TAG}"
    if destroying:
        hint = "put the tag back, or terminate by hand what nobody needs"
        return Findings(refusals=(Refusal(address, message, hint),))
    return Findings(notes=(Note(address, f"{message}; left alone"),))
