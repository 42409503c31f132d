"""The profile that instances are to be bound to, those that are not, and how they are bound and freed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from provisioner.errors import AwsError, WaitError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.base import Reader, World
from provisioner.kinds.instance_profile.observed import ObservedProfile
from provisioner.kinds.instance_profile.spec import InstanceProfile
from provisioner.kinds.instances import MAX_FILTER_VALUES, Instance, by_ids, chunks, until_stable, waits
from provisioner.lazy_dataclass import dataclass
from provisioner.model import (
    Address,
    Call,
    CallCount,
    Output,
    Parallel,
    Scope,
    Step,
    Until,
    count_calls,
)

# How many instances are without a profile at the same time while theirs is bound to them again.
MAX_REBOUND = 20


@dataclass(frozen=True)
class WantedProfile:
    """A profile to be bound to. While it does not exist, `id` stands for the one that it will have."""

    name: str
    arn: str
    id: str | Output


def wanted_at(address: Address, world: World) -> WantedProfile:
    """The profile that the spec has at an address."""
    found = world.observed_as(ObservedProfile, address)
    if found:
        # IAM keeps the case of letters in which a name was first written, and ignores it otherwise.
        return WantedProfile(found.name, found.arn, found.id)
    profile, identity = world.referred_to(InstanceProfile, address), world.identity
    arn = f"arn:{identity.partition}:iam::{identity.account_id}:instance-profile{profile.path}{profile.name}"
    return WantedProfile(profile.name, arn, id_of_created(address))


def id_of_created(address: Address) -> Output:
    """The id that IAM gives the profile which the plan creates at an address."""
    return Output(address, "CreateInstanceProfile", ("InstanceProfile", "InstanceProfileId"))


def bound_wrong(wanted: WantedProfile | None, instances: Sequence[Instance]) -> list[Instance]:
    """The instances that are bound to something else than they should be.

    A profile that was deleted and made again has its old name and ARN but another id, and instances bound
    to the old one get no credentials: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IamInstanceProfile.html
    """
    if wanted is None:
        return [instance for instance in instances if instance.profile]
    return [
        instance
        for instance in instances
        if not instance.profile or instance.profile.arn != wanted.arn or instance.profile.id != wanted.id
    ]


def find_associations(reader: Reader, ids: Iterable[str]) -> dict[str, str]:
    """The id of the profile association of each instance that has one. Raises AwsError.

    A replaced association shows beside the new one for a while; only states that bind count.
    """
    associations: dict[str, str] = {}
    for part in chunks(sorted(ids), MAX_FILTER_VALUES):
        filters = [
            {"Name": "instance-id", "Values": list(part)},
            {"Name": "state", "Values": ["associating", "associated"]},
        ]
        for found in reader.pages(
            "ec2",
            "DescribeIamInstanceProfileAssociations",
            "IamInstanceProfileAssociations",
            Filters=filters,
        ):
            associations[found["InstanceId"]] = found["AssociationId"]
    return associations


def bind(
    instances: Sequence[Instance],
    name: str,
    arn: str,
    associations: Mapping[str, str],
    scopes: Iterable[Scope],
) -> tuple[Step, ...]:
    """The steps that give each instance the profile `name`, whatever it has now.

    Replacing needs a running instance; a stopped one is freed first and bound then:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html
    `associations` are those of the instances that have one; `scopes` the filters that show the instances.
    """
    scopes = tuple(scopes)
    freed = [instance.id for instance in instances if instance.is_stopped and instance.id in associations]

    def bound(instance: Instance) -> Step:
        if instance.id in associations:
            replaced = {"AssociationId": associations[instance.id], "IamInstanceProfile": {"Name": name}}
            return Call("ec2", "ReplaceIamInstanceProfileAssociation", replaced)
        return _associate(instance.id, name)

    stale = tuple(sorted({instance.profile.id for instance in instances if instance.profile}))
    at_once = tuple(bound(instance) for instance in instances if instance.id not in freed)
    return (
        *until_stable(instances, scopes),
        *((Parallel(at_once),) if at_once else ()),
        *((_bind_anew(freed, name, associations, scopes),) if freed else ()),
        *waits([instance.id for instance in instances], Until.PROFILE, scopes, arn, stale),
    )


def rebind(
    instances: Sequence[Instance], name: str, arn: str, associations: Mapping[str, str]
) -> Iterator[Step]:
    """The steps that take the profile `name` off running instances that have it, and bind it to them again.

    In between, an instance gets no new credentials, so it is done to a few of them at a time; to the first
    alone, as nothing else tells that EC2 refuses to associate it again.
    """
    bound = [instance.id for instance in instances if instance.id in associations]
    for ids in (*chunks(bound[:1], 1), *chunks(bound[1:], MAX_REBOUND)):
        scopes = tuple(by_ids(ids))
        yield from until_stable([instance for instance in instances if instance.id in ids], scopes)
        yield _bind_anew(ids, name, associations, scopes)
        yield from waits(ids, Until.PROFILE, scopes, arn)


def release(
    instances: Sequence[Instance], associations: Mapping[str, str], scopes: Iterable[Scope]
) -> tuple[Step, ...]:
    """The steps that take the profile off each instance."""
    ids = [instance.id for instance in instances if instance.id in associations]
    return (
        Parallel(tuple(Release(associations[instance_id]) for instance_id in ids)),
        *waits(ids, Until.NO_PROFILE, tuple(scopes)),
    )


def _associate(instance: str, name: str) -> Call:
    params = {"InstanceId": instance, "IamInstanceProfile": {"Name": name}}
    return Call("ec2", "AssociateIamInstanceProfile", params)


@dataclass(frozen=True)
class Release:
    """Takes the profile off an instance. It may be off already, and the instance may be terminated."""

    association: str

    @property
    def call(self) -> Call:
        return Call("ec2", "DisassociateIamInstanceProfile", {"AssociationId": self.association})

    def calls(self) -> Iterable[CallCount]:
        return self.call.calls()

    def foretold(self) -> Iterable[Call]:
        return (self.call,)


@run_step.register
def _release(step: Release, context: ExecutionContext) -> None:
    try:
        context.send(step.call)
    except AwsError as error:
        if error.code != "InvalidAssociationID.NotFound":
            raise


@dataclass(frozen=True)
class BindAnew:
    """Takes their profiles off instances and binds `name` to them, all of it once it is begun.

    `associations` are pairs of an instance and its association. What one of them is refused is told when
    the others have the profile.
    """

    name: str
    associations: tuple[tuple[str, str], ...]
    scopes: tuple[Scope, ...]

    def calls(self) -> Iterable[CallCount]:
        return count_calls(self.foretold())

    def foretold(self) -> tuple[Call, ...]:
        return (
            *(Release(association).call for _, association in self.associations),
            *(_associate(instance, self.name) for instance, _ in self.associations),
        )


@run_step.register
def _bind_one_by_one(step: BindAnew, context: ExecutionContext) -> None:
    context.check()
    uninterrupted = context.to_the_end()
    freed: list[str] = []
    refused: list[AwsError | WaitError] = []
    shown: Mapping[str, Instance] = {}

    def free(instance: str, association: str, own: ExecutionContext) -> None:
        run_step(Release(association), own)
        freed.append(instance)

    try:
        uninterrupted.parallel([partial(free, *pair) for pair in step.associations])
    except AwsError as error:
        refused.append(error)
    try:
        for wait in waits(freed, Until.NO_PROFILE, step.scopes):
            shown = uninterrupted.wait(wait)
    except (AwsError, WaitError) as error:
        refused.append(error)
    live = [name for name in freed if name not in shown or shown[name].is_live]
    run_step(Parallel(tuple(_associate(instance, step.name) for instance in live)), uninterrupted)
    if refused:
        raise refused[0]


def _bind_anew(
    ids: Sequence[str], name: str, associations: Mapping[str, str], scopes: tuple[Scope, ...]
) -> BindAnew:
    return BindAnew(name, tuple((instance, associations[instance]) for instance in ids), scopes)
