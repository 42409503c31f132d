"""IAM roles: trust, policies, boundary, session duration and tags, each corrected wherever it differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from provisioner.kinds import service_rules
from provisioner.kinds.base import Entry, Kind, Path, Reader, World, both
from provisioner.kinds.iam import (
    Standing,
    by_address,
    leave_to_others,
    same_names,
    standing,
    why_untagged_is_kept,
)
from provisioner.kinds.instance_profile.compare import why_kept
from provisioner.kinds.instance_profile.observed import ObservedProfile
from provisioner.kinds.instance_profile.role_swap import is_awaited, kept_for, who_may_have
from provisioner.kinds.keep import is_kept, kept_unsaid, refuse_kept, with_keep
from provisioner.kinds.role.call_rules import RULES
from provisioner.kinds.role.observed import FoundRole, ObservedRole, find_roles
from provisioner.kinds.role.spec import Role, parse_role
from provisioner.kinds.tags import (
    too_many_tags,
)
from provisioner.model import Address, Environment, Findings, Note, Refusal
from provisioner.naming import iam_path
from provisioner.retry import merged
from provisioner.rights import Place, Purpose, Statement


class RoleKind(Kind[Role, ObservedRole]):
    name = "role"
    section = "roles"
    is_of_iam = True
    call_rules = merged((service_rules.IAM, RULES))

    def parse(self, key: str, raw: Mapping[str, Any], entry: Entry) -> Role:
        return parse_role(key, raw, entry)

    def check(self, entries: Mapping[Address, Role]) -> Iterable[tuple[Address, Path, str]]:
        return same_names(entries)

    def observe(
        self, reader: Reader, environment: Environment, launching: bool
    ) -> Mapping[Address, ObservedRole]:
        desired = environment.of(Role)
        found = find_roles(reader, environment.name, [role.name for role in desired.values()])
        placed = by_address(self.name, found, desired, environment.name)
        return {at: ObservedRole(role) for at, role in placed.items()}

    def observe_details(self, reader: Reader, world: World) -> Mapping[Address, ObservedRole]:
        observed = dict(world.observed_of(ObservedRole))
        if world.looking:
            return observed
        # What only a plan needs: reading a spec takes less time than importing the rest.
        from provisioner.kinds.role.policies import look_closer_at_policies
        from provisioner.kinds.role.principals import look_up_principals

        closer, trusted = both(
            reader,
            lambda: look_closer_at_policies(reader, world),
            lambda: look_up_principals(reader, world),
        )
        return (
            observed
            | closer
            | {
                at: replace(closer[at], absent=some.absent, unchecked=some.unchecked)
                for at, some in trusted.items()
            }
        )

    def compare(
        self, address: Address, desired: Role | None, observed: ObservedRole | None, world: World
    ) -> Findings:
        # What only a plan needs: reading a spec takes less time than importing the rest.
        from provisioner.kinds.role.compare import create_role, update_role
        from provisioner.kinds.role.policies import refuse_policies, with_own_policies
        from provisioner.kinds.role.trust import Trusts

        role, observed = desired, observed or ObservedRole()
        found = observed.role
        if found:
            taken = (found.name, found.path, found.tags)
            theirs = leave_to_others(address, "role", *taken, world.environment, is_wanted=role is not None)
            if theirs is not None:
                return theirs
        if role and observed.unknown:
            return Findings(refusals=tuple(_refuse_policies(address, observed.unknown, world)))
        if role is None:
            return _leaving(address, found, world) if found else Findings()
        role = with_own_policies(role, observed.own)
        trusts = Trusts(world)
        ignored = with_keep(world.environment.ignore_tags, role.keep)
        refusals = (
            *trusts.refusals(address, role),
            *_refuse_principals(address, observed),
            *refuse_policies(address, role, observed, trusts, world),
            *too_many_tags(address, role.tags, found.tags if found else {}, ignored),
        )
        if refusals:
            return Findings(refusals=refusals)
        partition = world.identity.partition
        notes = tuple(
            Note(address, f"trust: whether {written} exists was not checked: {why}")
            for written, why in observed.unchecked.items()
        )
        if found is None:
            return Findings(changes=tuple(create_role(address, role, partition, trusts)), notes=notes)
        changes = tuple(update_role(address, role, found, partition, ignored, trusts))
        return Findings(changes=changes, notes=(*kept_unsaid(address, role.keep, found.tags), *notes))

    def permissions(self, environment: Environment, place: Place, purpose: Purpose) -> Iterable[Statement]:
        from provisioner.kinds.role.permissions import role_permissions

        return role_permissions(tuple(environment.of(Role).values()), place, purpose)

    def describe(self, desired: Role, observed: ObservedRole | None, world: World) -> Mapping[str, Any]:
        # What only a plan needs: reading a spec takes less time than importing the rest.
        from provisioner.kinds.role.policies import with_own_policies

        role = with_own_policies(desired, observed.own if observed else {})
        partition = world.identity.partition
        return {
            "name": role.name,
            "path": role.path,
            "description": role.description,
            "trust": role.trust,
            "managed_policies": tuple(sorted(role.managed_arns(partition))),
            "inline_policies": role.inline_policies,
            "permissions_boundary": role.boundary_arn(partition),
            "max_session_duration": role.max_session_duration,
            "tags": role.tags,
            "keep": role.keep,
        }

    def status(
        self, address: Address, desired: Role | None, observed: ObservedRole | None, world: World
    ) -> Mapping[str, Any]:
        found = observed.role if observed else None
        if found is None:
            return {"state": "absent"}
        return {
            "state": "there",
            "name": found.name,
            "arn": found.arn,
            "kept": is_kept(found.tags),
            "managed_policies": sorted(found.managed_policies),
            "inline_policies": sorted(found.inline_policies),
        }


def _refuse_principals(address: Address, observed: ObservedRole) -> Iterator[Refusal]:
    for message, hint in observed.absent.values():
        yield Refusal(address, f"trust: {message}", hint, exit_code=1)


def _refuse_policies(address: Address, unknown: Mapping[str, str], world: World) -> Iterator[Refusal]:
    """A refusal for each policy that does not exist, at the first of the roles that name it."""
    for arn, hint in unknown.items():
        naming = sorted(
            at for at, observed in world.observed_of(ObservedRole).items() if arn in observed.unknown
        )
        if naming[0] == address:
            others = f"; {', '.join(map(str, naming[1:]))} too" if naming[1:] else ""
            whose = "" if arn.startswith("arn:") else ", neither of AWS nor of this account"
            message = f"iam GetPolicy: there is no managed policy {arn}{whose}{others}"
            yield Refusal(address, message, hint, exit_code=1)


def _leaving(address: Address, found: FoundRole, world: World) -> Findings:
    from provisioner.kinds.role.compare import delete_role
    from provisioner.kinds.role.trust import Trusts

    if is_kept(found.tags):
        message = f"role {found.name} would be deleted, and is kept"
        return Findings(refusals=(refuse_kept(address, message, world),))
    reason = "will be destroyed" if world.destroying else "no longer in the spec"
    if is_awaited(found.name, world):
        reason += "; deleted once no instance can have its credentials"
    change = delete_role(address, found, reason, Trusts(world))
    kept = _why_kept(found, world)
    if kept:
        return Findings(changes=(replace(change, steps=(), deferred=kept),))
    return Findings(changes=(replace(change, needs=change.needs | who_may_have(found.name, world)),))


def _why_kept(found: FoundRole, world: World) -> str | None:
    """Why a role that is to go stays, and what to do about it; None: nothing stands in the way."""
    if standing(found.path, found.tags, world.environment) is Standing.UNTAGGED:
        return why_untagged_is_kept("role")
    foreign = _foreign_profiles(found, world)
    if foreign:
        return (
            f"it is in instance profile {', '.join(foreign)}, which is not of this environment; take it out "
            "there, then do this again"
        )
    for at, profile in world.observed_of(ObservedProfile).items():
        if found.name in profile.roles and not world.desired(at) and why_kept(profile, world):
            return f"it is in instance profile {profile.name}, which stays"
    return kept_for(found.name, world)


def _foreign_profiles(found: FoundRole, world: World) -> list[str]:
    """The profiles that hold the role and are not ours, by name.

    One under our path that was not seen itself was deleted a moment ago: IAM's answers need not agree.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
    """
    environment = world.environment
    observed = {profile.name: profile for profile in world.observed_of(ObservedProfile).values()}
    return sorted(
        name
        for name, path in found.profiles.items()
        if not (
            observed[name].is_owned_by(environment)
            if name in observed
            else path.startswith(iam_path(environment.name))
        )
    )
