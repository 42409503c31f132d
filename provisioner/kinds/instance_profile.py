"""Instance profiles: each holds one role, and is what an instance is bound to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from provisioner.errors import AwsError
from provisioner.kinds.base import Entry, Path, Reader, World
from provisioner.kinds.iam import (
    IsStillThe,
    Standing,
    as_tags,
    by_address,
    is_crowded,
    parse_tags,
    refuse_elsewhere,
    refuse_foreign,
    same_names,
    standing,
    tag_calls,
    tag_changes,
    tag_list,
    text,
    too_many_tags,
    why_untagged_is_kept,
)
from provisioner.kinds.instances import find_bound, named
from provisioner.kinds.launch_token import launches_of
from provisioner.kinds.profile_calls import RULES
from provisioner.kinds.regions import NOWHERE, Elsewhere, find_users_elsewhere
from provisioner.kinds.swap import (
    NOBODY,
    Exchange,
    Users,
    end,
    find_users,
    is_pending,
    is_unfinished,
    mark,
    profiles_asked_for,
    reassociation,
)
from provisioner.model import (
    Action,
    Address,
    Call,
    Change,
    Desired,
    Environment,
    FieldChange,
    Findings,
    Observed,
    Step,
)
from provisioner.naming import ATTACHED_TAG, ENVIRONMENT_TAG, SWAPPED_TAG, default_name, iam_path

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MAX_NAME = 128


@dataclass(frozen=True)
class InstanceProfile:
    """An instance profile as a spec asks for it; `role` is the role's address."""

    name: str
    path: str
    role: Address
    tags: Mapping[str, str]

    @property
    def uses(self) -> frozenset[Address]:
        return frozenset({self.role})


@dataclass(frozen=True)
class ObservedProfile:
    """An instance profile that exists; `roles` are names, none or one.

    `users` may have the credentials of a former role; only looked for when it is exchanged, or was a moment
    ago. `foreign_users` are instances bound to it that are not the environment's, looked for when it is to
    go. `elsewhere` says what is bound to it in other regions, when it is to go or its role is.
    """

    name: str
    arn: str
    id: str
    path: str
    roles: tuple[str, ...]
    tags: Mapping[str, str]
    role_addresses: frozenset[Address] = frozenset()
    foreign_users: tuple[str, ...] = ()
    users: Users = NOBODY
    elsewhere: Elsewhere = NOWHERE

    @property
    def uses(self) -> frozenset[Address]:
        return self.role_addresses

    def is_owned_by(self, environment: Environment) -> bool:
        """Whether the environment may change it."""
        return standing(self.path, self.tags, environment) in (Standing.OURS, Standing.UNTAGGED)


class InstanceProfileKind:
    name = "instance_profile"
    section = "instance_profiles"
    is_of_iam = True
    call_rules = RULES
    explanations: Mapping[str, tuple[str, str]] = {}

    def parse(self, key: str, raw: Mapping[str, Any], entry: Entry) -> InstanceProfile:
        name = raw.get("name", default_name(entry.environment, key))
        if len(name) > MAX_NAME:
            entry.problem(
                ("name",) if "name" in raw else (),
                f"the instance profile would be called {name}, which is {len(name)} characters",
                f"IAM takes at most {MAX_NAME}; give it a shorter `name:`",
            )
        entry.check_reference(("role",), "roles", raw["role"])
        return InstanceProfile(
            name=name,
            path=iam_path(entry.environment),
            role=Address("role", raw["role"]),
            tags=parse_tags(raw, entry),
        )

    def check(self, resources: Mapping[Address, Desired]) -> Iterable[tuple[Address, Path, str]]:
        return same_names(self.name, resources)

    def observe(
        self, reader: Reader, environment: Environment, launching: bool
    ) -> Mapping[Address, Observed]:
        path = iam_path(environment.name)
        wanted = [
            thing.name for at, thing in environment.resources.items() if isinstance(thing, InstanceProfile)
        ]
        listed, *named = reader.parallel(
            lambda: list(reader.pages("iam", "ListInstanceProfiles", "InstanceProfiles", PathPrefix=path)),
            *(lambda name=name: _read(reader, name) for name in wanted),
        )
        read = {profile["InstanceProfileName"]: profile for profile in named if profile}
        others = [name for name in (profile["InstanceProfileName"] for profile in listed) if name not in read]
        rest = reader.parallel(*(lambda name=name: _read(reader, name) for name in others))
        profiles = [*read.values(), *(profile for profile in rest if profile)]
        return by_address(self.name, map(_found, profiles), environment)

    def observe_details(self, reader: Reader, world: World) -> Mapping[Address, Observed]:
        observed = world.observed_of(self.name)
        if world.looking:
            return observed
        leaving = {
            at: thing
            for at, thing in observed.items()
            if world.desired(at) is None and thing.is_owned_by(world.environment)
        }
        now = datetime.now(UTC)
        swapped = {at: thing for at, thing in observed.items() if _is_swapped(at, thing, world, now)}
        unmarked = [thing.arn for thing in leaving.values() if ATTACHED_TAG not in thing.tags]
        # Who has a former role matters to those who delete it.
        a_role_leaves = any(world.desired(at) is None for at in world.observed_of("role"))
        asked = leaving | (swapped if a_role_leaves else {})
        foreign_users, elsewhere = reader.parallel(
            lambda: _strangers(reader, unmarked, world),
            lambda: find_users_elsewhere(reader, [thing.arn for thing in asked.values()], world.environment),
        )
        users = find_users(reader, swapped, elsewhere, world)
        return {
            at: replace(
                thing,
                role_addresses=_roles_of(thing, world),
                users=users.get(at, NOBODY),
                foreign_users=tuple(foreign_users.get(thing.arn, ())),
                elsewhere=elsewhere if at in asked else NOWHERE,
            )
            for at, thing in observed.items()
        }

    def compare(self, address: Address, world: World) -> Findings:
        profile: InstanceProfile | None = world.desired(address)
        found: ObservedProfile | None = world.observed(address)
        environment = world.environment
        if found and standing(found.path, found.tags, environment) is Standing.ELSEWHERE:
            refusal = refuse_elsewhere(address, "instance profile", found.name, found.tags, environment)
            return Findings(refusals=(refusal,))
        if found and not found.is_owned_by(environment):
            refusal = refuse_foreign(
                address, "instance profile", found.name, found.path, found.tags, "CreateInstanceProfile"
            )
            return Findings(refusals=(refusal,)) if profile else Findings()
        if profile and not found:
            return Findings(changes=(_create(address, profile, world),))
        if profile and found:
            wanted, ignored = _tags(address, profile, world), environment.ignore_tags
            refusals = tuple(too_many_tags(address, wanted, found.tags, ignored))
            changes = () if refusals else tuple(_update(address, profile, found, world))
            return Findings(changes=changes, refusals=refusals)
        return _leaving(address, found, world) if found else Findings()

    def status(self, address: Address, world: World) -> Mapping[str, Any]:
        found: ObservedProfile | None = world.observed(address)
        if found is None:
            return {"state": "absent"}
        return {
            "state": "there",
            "name": found.name,
            "arn": found.arn,
            "role": ", ".join(found.roles) or None,
        }


def _strangers(reader: Reader, arns: list[str], world: World) -> dict[str, list[str]]:
    """Instances that no launch of the environment made and are bound to one of these profiles, with names.

    Those to which an attachment gives another profile let go of it before it goes.

    IAM deletes a profile that instances use, and their programs lose their credentials:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteInstanceProfile.html
    """
    found: dict[str, list[str]] = {}
    if not arns:
        return found
    launches, asked_for = launches_of(world), profiles_asked_for(world)
    for instance in find_bound(reader, arns):
        is_member = launches.fleet_of(instance) and instance.tag(ENVIRONMENT_TAG) == world.environment.name
        if instance.profile and not is_member and instance.id not in asked_for:
            found.setdefault(instance.profile.arn, []).append(named(instance))
    return found


def _read(reader: Reader, name: str) -> dict[str, Any] | None:
    try:
        answer = reader.call("iam", "GetInstanceProfile", InstanceProfileName=name)
    except AwsError as error:
        if error.code == "NoSuchEntity":
            return None
        raise
    profile: dict[str, Any] = answer["InstanceProfile"]
    # One without a name would pass for none.
    text(profile, "InstanceProfileName")
    return profile


def _roles_of(profile: ObservedProfile, world: World) -> frozenset[Address]:
    roles = world.observed_of("role")
    return frozenset(
        at for at, observed in roles.items() if observed.role and observed.role.name in profile.roles
    )


def _found(profile: Mapping[str, Any]) -> ObservedProfile:
    return ObservedProfile(
        name=text(profile, "InstanceProfileName"),
        arn=text(profile, "Arn"),
        id=text(profile, "InstanceProfileId"),
        path=text(profile, "Path"),
        roles=tuple(text(role, "RoleName") for role in profile["Roles"]),
        tags=as_tags(profile.get("Tags")),
    )


def _tags(address: Address, profile: InstanceProfile, world: World) -> dict[str, str]:
    """The tags that the profile is to have.

    Instances that are not ours cannot carry a mark that we attached something to them, so the profile
    does: whoever plans later knows from it to look for them, also when they have left the spec.
    """
    attached = any(
        at.kind == "attachment" and address in thing.uses for at, thing in world.environment.resources.items()
    )
    return dict(profile.tags) | ({ATTACHED_TAG: "yes"} if attached else {})


def _role_name(profile: InstanceProfile, world: World) -> str:
    """The name of its role, spelled as it is there: IAM ignores case in names, and keeps it."""
    observed = world.observed(profile.role)
    name: str = ((observed and observed.role) or world.desired(profile.role)).name
    return name


def _create(address: Address, profile: InstanceProfile, world: World) -> Change:
    role = _role_name(profile, world)
    steps = (
        Call(
            "iam",
            "CreateInstanceProfile",
            {
                "InstanceProfileName": profile.name,
                "Path": profile.path,
                "Tags": tag_list(_tags(address, profile, world)),
            },
        ),
        _add_role(profile.name, role),
    )
    return Change(
        address, Action.CREATE, "will be created", fields=(FieldChange("role", None, role),), steps=steps
    )


def _update(
    address: Address, profile: InstanceProfile, found: ObservedProfile, world: World
) -> Iterator[Change]:
    role, held = _role_name(profile, world), ", ".join(found.roles) or None
    fields: list[FieldChange] = []
    steps: list[Step] = []
    reasons: list[str] = []
    is_swap = _holds_another(profile, found, world)
    if is_swap:
        fields.append(FieldChange("role", held, role))
        steps += mark(found.name, found.users)
        steps.append(Exchange(found.name, found.roles, role) if found.roles else _add_role(found.name, role))
        reasons.append("holds another role" if found.roles else "holds no role")
    desired = _tags(address, profile, world)
    ignored = world.environment.ignore_tags
    # Marks stay until the instances that they are about are free, or have the new role.
    marks = (SWAPPED_TAG, ATTACHED_TAG) if ATTACHED_TAG not in desired else (SWAPPED_TAG,)
    tags = tag_changes(desired, found.tags, (*ignored, *marks))
    if tags:
        fields += tags
        steps += tag_calls("InstanceProfile", found.name, tags, crowded=is_crowded(desired, found.tags))
        reasons.append("tags differ")
    is_marked = is_pending(found.tags)
    if is_marked and not found.users.members and not is_swap:
        fields.append(FieldChange(f"tags.{SWAPPED_TAG}", found.tags[SWAPPED_TAG], None))
        steps.append(end(found.name, found.users))
        reasons.append("no instance has a former role any more")
    if fields:
        yield Change(address, Action.UPDATE, ", ".join(reasons), fields=tuple(fields), steps=tuple(steps))
    if is_swap or is_marked:
        yield from reassociation(address, found.name, found.arn, found.users, held if is_swap else None, role)


def _holds_another(profile: InstanceProfile, found: ObservedProfile, world: World) -> bool:
    role = _role_name(profile, world)
    return [held.lower() for held in found.roles] != [role.lower()]


def _is_swapped(address: Address, found: ObservedProfile, world: World, now: datetime) -> bool:
    """Whether its role is to be exchanged, or was a moment ago."""
    profile: InstanceProfile | None = world.desired(address)
    if profile is None or not found.is_owned_by(world.environment):
        return False
    return _holds_another(profile, found, world) or is_unfinished(found.tags, now)


def why_kept(found: ObservedProfile, world: World) -> str | None:
    """Why a profile that is to go stays, and what to do about it; None: nothing stands in the way."""
    if standing(found.path, found.tags, world.environment) is Standing.UNTAGGED:
        return why_untagged_is_kept("instance profile")
    if found.foreign_users:
        verb, they = ("uses", "it loses its") if len(found.foreign_users) == 1 else ("use", "they lose their")
        return (
            f"{', '.join(found.foreign_users)}, not of this environment, still {verb} it; without it {they} "
            "credentials; detach it there, or attach it there in the spec and apply, then do this again"
        )
    problem = found.elsewhere.problem(found.arn)
    return f"it {problem[0]}; {problem[1]}, then do this again" if problem else None


def _leaving(address: Address, found: ObservedProfile, world: World) -> Findings:
    reason = "will be destroyed" if world.destroying else "no longer in the spec"
    kept = why_kept(found, world)
    steps: tuple[Step, ...] = (
        IsStillThe("InstanceProfile", found.name, found.id),
        *(_remove_role(found.name, role) for role in found.roles),
        Call("iam", "DeleteInstanceProfile", {"InstanceProfileName": found.name}),
    )
    change = Change(
        address, Action.DELETE, reason, steps=() if kept else steps, deferred=kept, unique_id=found.id
    )
    return Findings(changes=(change,))


def _add_role(profile: str, role: str) -> Call:
    return Call("iam", "AddRoleToInstanceProfile", {"InstanceProfileName": profile, "RoleName": role})


def _remove_role(profile: str, role: str) -> Call:
    return Call("iam", "RemoveRoleFromInstanceProfile", {"InstanceProfileName": profile, "RoleName": role})
