"""The role inside an instance profile is exchanged: which instances have to take up the new one, and how.

EC2 may give a running instance the credentials of the former role for up to an hour:
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html. To
disassociate the profile and to associate it again forces the change:
https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html. A tag on the profile
says that this is still to be done, because nothing in AWS shows whose credentials an instance has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from provisioner.errors import AwsError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.base import World
from provisioner.kinds.instance_profile.binding import rebind
from provisioner.kinds.instance_profile.call_rules import holds_a_role
from provisioner.kinds.instance_profile.observed import (
    PENDING,
    ObservedProfile,
    Users,
    as_profile,
    done_since,
    is_pending,
)
from provisioner.kinds.shown import wait_until_shown
from provisioner.lazy_dataclass import dataclass
from provisioner.model import (
    Action,
    Address,
    Call,
    CallCount,
    Change,
    FieldChange,
    Step,
    count_calls,
)
from provisioner.naming import SWAPPED_TAG


def who_may_have(role: str, world: World) -> frozenset[Address]:
    """What has to be done before a role may go that leaves a profile: its users may have the role."""
    profiles = {
        at
        for at, profile in world.observed_of(ObservedProfile).items()
        if world.desired(at) and (role in profile.roles or is_pending(profile.tags))
    }
    users = {at for at, observed in world.observation.resources.items() if observed.uses & profiles}
    return frozenset(profiles | users)


def is_awaited(role: str, world: World) -> bool:
    """Whether running instances of the environment have to let go of a role before it may go."""
    return any(
        profile.users.members and (role in profile.roles or is_pending(profile.tags))
        for profile in world.observed_of(ObservedProfile).values()
    )


def kept_for(role: str, world: World) -> str | None:
    """Why a role has to stay for a while although it leaves its profile, in words; None: it need not."""
    for profile in world.observed_of(ObservedProfile).values():
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
    ids = tuple(member.id for member in users.members)
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
    """Puts another role into a profile, which holds one at most. What is refused leaves the former one in.

    `is_marked`: the profile has been marked for it. Where IAM has shown no role, `before`, and there is one,
    IAM lags behind: all is planned anew once it shows the role, and the mark, which came later.
    """

    profile: str
    before: tuple[str, ...]
    after: str
    is_marked: bool = False

    def calls(self) -> Iterable[CallCount]:
        return count_calls(self.foretold())

    def foretold(self) -> tuple[Call, ...]:
        removed = (remove_role(self.profile, role) for role in self.before)
        return (*removed, add_role(self.profile, self.after))


@run_step.register
def _exchange(step: Exchange, context: ExecutionContext) -> None:
    context.check()
    # A profile without a role gives no credentials to anybody.
    uninterrupted = context.to_the_end()
    for role in step.before:
        try:
            uninterrupted.send(remove_role(step.profile, role))
        except AwsError as error:
            # It is out already, by a call whose reply was lost or by somebody else.
            if error.code != "NoSuchEntity":
                raise
    try:
        uninterrupted.send(add_role(step.profile, step.after))
    except AwsError as error:
        for role in step.before:
            # Why the other one was refused is what has to be told.
            with suppress(AwsError):
                uninterrupted.send(add_role(step.profile, role))
        if holds_a_role(error) and not step.before:
            wait_until_shown(step.profile, lambda: _shows_role_and_mark(step, context), context, "IAM")
        raise


def _shows_role_and_mark(step: Exchange, context: ExecutionContext) -> bool:
    answer = context.send(Call("iam", "GetInstanceProfile", {"InstanceProfileName": step.profile}))
    shown = as_profile(answer["InstanceProfile"])
    return bool(shown.roles) and (SWAPPED_TAG in shown.tags or not step.is_marked)


def add_role(profile: str, role: str) -> Call:
    """The call that puts a role into a profile."""
    return Call("iam", "AddRoleToInstanceProfile", {"InstanceProfileName": profile, "RoleName": role})


def remove_role(profile: str, role: str) -> Call:
    """The call that takes a role out of a profile."""
    return Call("iam", "RemoveRoleFromInstanceProfile", {"InstanceProfileName": profile, "RoleName": role})


@dataclass(frozen=True)
class MarkDone:
    """Says on a profile that from now on only instances of others may have the former role."""

    name: str

    def calls(self) -> Iterable[CallCount]:
        return (CallCount("iam", "TagInstanceProfile", 1),)


@run_step.register
def _mark_done(step: MarkDone, context: ExecutionContext) -> None:
    context.send(_tag(step.name, done_since(datetime.now(UTC))))


def end(name: str, users: Users) -> Step:
    """What says that the instances of the environment have the new role."""
    if users.foreign:
        return MarkDone(name)
    return Call("iam", "UntagInstanceProfile", {"InstanceProfileName": name, "TagKeys": [SWAPPED_TAG]})


def _tag(name: str, value: str) -> Call:
    tags = [{"Key": SWAPPED_TAG, "Value": value}]
    return Call("iam", "TagInstanceProfile", {"InstanceProfileName": name, "Tags": tags})
