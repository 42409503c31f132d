"""Instance profiles: each holds one role, and is what an instance is bound to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from provisioner.kinds import service_rules
from provisioner.kinds.base import Entry, Kind, Path, Reader, World, both
from provisioner.kinds.iam import (
    by_address,
    name_in,
    same_names,
)
from provisioner.kinds.instance_profile.call_rules import RULES
from provisioner.kinds.instance_profile.compare import compare_profile, is_swapped
from provisioner.kinds.instance_profile.observed import NOBODY, ObservedProfile
from provisioner.kinds.instance_profile.read import find_profiles
from provisioner.kinds.instance_profile.spec import InstanceProfile, parse_profile
from provisioner.kinds.instance_profile.users import find_foreign_users, find_users
from provisioner.kinds.keep import is_kept
from provisioner.kinds.regions import NOWHERE, find_users_elsewhere
from provisioner.model import Address, Environment, Findings
from provisioner.naming import ATTACHED_TAG
from provisioner.retry import merged
from provisioner.rights import Place, Purpose, Statement


class InstanceProfileKind(Kind[InstanceProfile, ObservedProfile]):
    name = "instance_profile"
    section = "instance_profiles"
    is_of_iam = True
    call_rules = merged((service_rules.IAM, service_rules.INSTANCES, RULES))

    def parse(self, key: str, raw: Mapping[str, Any], entry: Entry) -> InstanceProfile:
        return parse_profile(key, raw, entry)

    def check(self, entries: Mapping[Address, InstanceProfile]) -> Iterable[tuple[Address, Path, str]]:
        return same_names(entries)

    def observe(
        self, reader: Reader, environment: Environment, launching: bool
    ) -> Mapping[Address, ObservedProfile]:
        desired = environment.of(InstanceProfile)
        found = find_profiles(reader, environment, desired)
        return by_address(self.name, found, desired, environment.name)

    def observe_details(self, reader: Reader, world: World) -> Mapping[Address, ObservedProfile]:
        observed = world.observed_of(ObservedProfile)
        if world.looking:
            return observed
        leaving = {
            at: thing
            for at, thing in observed.items()
            if world.desired(at) is None and thing.is_owned_by(world.environment)
        }
        now = datetime.now(UTC)
        swapped = {at: thing for at, thing in observed.items() if is_swapped(at, thing, world, now)}
        unmarked = [thing.arn for thing in leaving.values() if ATTACHED_TAG not in thing.tags]
        # Where the former role stays for now, the mark has to say it to whoever takes it out within the hour.
        asked = leaving | swapped
        foreign_users, elsewhere = both(
            reader,
            lambda: find_foreign_users(reader, unmarked, world),
            lambda: find_users_elsewhere(reader, [thing.arn for thing in asked.values()], world.environment),
        )
        users = find_users(reader, swapped, elsewhere, world)
        roles = {at: thing for at, thing in world.observation.resources.items() if at.kind == "role"}
        named = {at: name_in(role.arn) for at, role in roles.items() if role.arn}
        return {
            at: replace(
                thing,
                role_addresses=frozenset(role for role, name in named.items() if name in thing.roles),
                users=users.get(at, NOBODY),
                foreign_users=tuple(foreign_users.get(thing.arn, ())),
                elsewhere=elsewhere if at in asked else NOWHERE,
            )
            for at, thing in observed.items()
        }

    def compare(
        self,
        address: Address,
        desired: InstanceProfile | None,
        observed: ObservedProfile | None,
        world: World,
    ) -> Findings:
        return compare_profile(address, desired, observed, world)

    def permissions(self, environment: Environment, place: Place, purpose: Purpose) -> Iterable[Statement]:
        from provisioner.kinds.instance_profile.permissions import profile_permissions

        return profile_permissions(tuple(environment.of(InstanceProfile).values()), place, purpose)

    def describe(
        self, desired: InstanceProfile, observed: ObservedProfile | None, world: World
    ) -> Mapping[str, Any]:
        return {"name": desired.name, "role": desired.role.key, "tags": desired.tags, "keep": desired.keep}

    def status(
        self,
        address: Address,
        desired: InstanceProfile | None,
        observed: ObservedProfile | None,
        world: World,
    ) -> Mapping[str, Any]:
        if observed is None:
            return {"state": "absent"}
        return {
            "state": "there",
            "name": observed.name,
            "arn": observed.arn,
            "kept": is_kept(observed.tags),
            "role": ", ".join(observed.roles) or None,
        }
