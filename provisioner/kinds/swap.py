"""The role inside an instance profile is exchanged: which instances have to take up the new one, and how.

EC2 may give a running instance the credentials of the former role for up to an hour:
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html. To
disassociate the profile and to associate it again forces the change:
https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html. A tag on the profile
says that this is still to be done, because nothing in AWS shows whose credentials an instance has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader, World
from provisioner.kinds.instances import Instance, find_associations, find_bound, named, rebind
from provisioner.kinds.launch_token import launches_of
from provisioner.kinds.regions import Elsewhere
from provisioner.model import (
    Action,
    Address,
    Call,
    CallCount,
    Change,
    ExecutionContext,
    FieldChange,
    Step,
    count_calls,
)
from provisioner.naming import ATTACHED_TAG, ENVIRONMENT_TAG, SWAPPED_TAG

# What the tag says until the instances of the environment have the new role; after that it says since when
# they have, if somebody else's instances use the profile too.
PENDING = "pending"
LONGEST = timedelta(hours=1)
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Users:
    """Who may have the credentials of a former role of a profile.

    `members` are running instances of the environment, or attached by it, with their `associations`;
    `foreign` are others, told by id and name, which nobody here may touch.
    """

    members: tuple[Instance, ...] = ()
    foreign: tuple[str, ...] = ()
    associations: Mapping[str, str] = field(default_factory=dict)


NOBODY = Users()


def is_unfinished(tags: Mapping[str, str], now: datetime) -> bool:
    """Whether instances may still have the credentials of a former role, as the tags of a profile say."""
    since = _moment(tags.get(SWAPPED_TAG, ""))
    # A time to come is none of ours, but for clocks that differ.
    return is_pending(tags) or (since is not None and abs(now - since) < LONGEST)


def is_pending(tags: Mapping[str, str]) -> bool:
    """Whether the instances of the environment are still to take up the new role, as a profile's tags say.

    What is no value of ours may stand where one of ours was, so it counts as `pending`: carrying that out
    takes it off.
    """
    return SWAPPED_TAG in tags and _moment(tags[SWAPPED_TAG]) is None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def find_users(
    reader: Reader, swapped: Mapping[Address, Any], elsewhere: Elsewhere, world: World
) -> dict[Address, Users]:
    """Who runs with one of these profiles, given as observed, each at its address. Raises AwsError.

    `elsewhere`: who uses them in other regions.

    A stopped instance has no credentials, and gets those of the role that is in the profile when it starts.
    Who is to be terminated, freed or given another profile is left to that.
    """
    if not swapped:
        return {}
    bound = find_bound(reader, [each.arn for each in swapped.values()])
    running = [(each, each.profile) for each in bound if each.profile and not each.is_stopped]
    launches = launches_of(world)
    asking = profiles_asked_for(world)
    users: dict[Address, Users] = {}
    for at, profile in swapped.items():
        members, foreign = [], []
        for instance, binding in running:
            # What is bound to a former profile of the name is bound anew by its fleet or attachment.
            if (binding.arn, binding.id) != (profile.arn, profile.id):
                continue
            fleet = (
                launches.fleet_of(instance)
                if instance.tag(ENVIRONMENT_TAG) == world.environment.name
                else None
            )
            if at in asking.get(instance.id, ()) or (fleet and _profile_of(fleet, world) == at):
                members.append(instance)
            elif not (fleet or instance.id in asking or ATTACHED_TAG in profile.tags):
                foreign.append(named(instance))
        users[at] = Users(tuple(members), (*foreign, *elsewhere.possible_users(profile.arn)))
    associations = find_associations(reader, [each.id for some in users.values() for each in some.members])
    return {at: replace(some, associations=associations) for at, some in users.items()}


def profiles_asked_for(world: World) -> dict[str, set[Address]]:
    """The profiles that attachments of the spec put on instances, by instance.

    What has an environment's tag is a member, or dressed as one: no attachment changes it.
    """
    asking: dict[str, set[Address]] = {}
    for at, observed in world.observed_of("attachment").items():
        free = [each for each in observed.chosen if not each.tag(ENVIRONMENT_TAG)]
        for instance in free if world.desired(at) else ():
            asking.setdefault(instance.id, set()).add(world.desired(at).profile)
    return asking


def _profile_of(fleet: str, world: World) -> Address | None:
    wanted = world.desired(Address("fleet", fleet))
    return wanted.profile if wanted else None


def who_may_have(role: str, world: World) -> frozenset[Address]:
    """What has to be done before a role may go that leaves a profile: its users may have the role."""
    profiles = {
        at
        for at, profile in world.observed_of("instance_profile").items()
        if world.desired(at) and (role in profile.roles or is_pending(profile.tags))
    }
    users = {at for at, observed in world.observation.resources.items() if observed.uses & profiles}
    return frozenset(profiles | users)


def is_awaited(role: str, world: World) -> bool:
    """Whether running instances of the environment have to let go of a role before it may go."""
    return any(
        profile.users.members and (role in profile.roles or is_pending(profile.tags))
        for profile in world.observed_of("instance_profile").values()
    )


def kept_for(role: str, world: World) -> str | None:
    """Why a role has to stay for a while although it leaves its profile, in words; None: it need not."""
    for profile in world.observed_of("instance_profile").values():
        foreign = profile.users.foreign
        if not foreign or not (role in profile.roles or SWAPPED_TAG in profile.tags):
            continue
        problem = profile.elsewhere.problem(profile.arn)
        if problem:
            return f"instance profile {profile.name} {problem[0]}; {problem[1]}; or apply again after an hour"
        verb = "has" if len(foreign) == 1 else "have"
        return (
            f"{', '.join(foreign)}, not of this environment, {verb} instance profile {profile.name}, and "
            "can go on with this role for up to an hour; apply again after that"
        )
    return None


def mark(name: str, users: Users) -> tuple[Step, ...]:
    """What comes before the role is exchanged: a run that is killed after that leaves word of it."""
    if users.members:
        return (_tag(name, PENDING),)
    return (MarkDone(name),) if users.foreign else ()


def reassociation(
    address: Address, name: str, arn: str, users: Users, before: str | None, after: str
) -> Iterator[Change]:
    """The change with which the running instances take up the role that is in the profile by then.

    `before` is the role that they may have instead, if it is known.
    """
    if not users.members:
        return
    ids = tuple(each.id for each in users.members)
    them = "1 running instance, which" if len(ids) == 1 else f"{len(ids)} running instances, which"
    yield Change(
        address,
        Action.UPDATE,
        f"re-associate {them} would go on with the former role for up to an hour",
        fields=(FieldChange("credentials", before, after),),
        instances=ids,
        size=len(ids),
        unit="instance",
        steps=(*rebind(users.members, name, arn, users.associations), end(name, users)),
        phase=1,
    )


@dataclass(frozen=True)
class Exchange:
    """Puts another role into a profile, which holds one at most. What is refused leaves the former one in."""

    profile: str
    before: tuple[str, ...]
    after: str

    def calls(self) -> Iterable[CallCount]:
        return count_calls((*(self._remove(role) for role in self.before), self._add(self.after)))

    def run(self, context: ExecutionContext) -> None:
        context.check()
        # A profile without a role gives no credentials to anybody.
        uninterrupted = context.to_the_end()
        for role in self.before:
            uninterrupted.send(self._remove(role))
        try:
            uninterrupted.send(self._add(self.after))
        except AwsError:
            for role in self.before:
                # Why the other one was refused is what has to be told.
                with suppress(AwsError):
                    uninterrupted.send(self._add(role))
            raise

    def _add(self, role: str) -> Call:
        params = {"InstanceProfileName": self.profile, "RoleName": role}
        return Call("iam", "AddRoleToInstanceProfile", params)

    def _remove(self, role: str) -> Call:
        params = {"InstanceProfileName": self.profile, "RoleName": role}
        return Call("iam", "RemoveRoleFromInstanceProfile", params)


@dataclass(frozen=True)
class MarkDone:
    """Says on a profile that from now on only instances of others may have the former role."""

    name: str

    def calls(self) -> Iterable[CallCount]:
        return (CallCount("iam", "TagInstanceProfile", 1),)

    def run(self, context: ExecutionContext) -> None:
        context.send(_tag(self.name, datetime.now(UTC).strftime(_FORMAT)))


def end(name: str, users: Users) -> Step:
    """What says that the instances of the environment have the new role."""
    if users.foreign:
        return MarkDone(name)
    return Call("iam", "UntagInstanceProfile", {"InstanceProfileName": name, "TagKeys": [SWAPPED_TAG]})


def _tag(name: str, value: str) -> Call:
    tags = [{"Key": SWAPPED_TAG, "Value": value}]
    return Call("iam", "TagInstanceProfile", {"InstanceProfileName": name, "Tags": tags})
