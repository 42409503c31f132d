"""The profile that instances are to be bound to, those that are not, and how they are bound and freed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from provisioner.kinds.base import Reader, World
from provisioner.kinds.instance_profile.observed import ObservedProfile
from provisioner.kinds.instance_profile.spec import InstanceProfile
from provisioner.kinds.instances import MAX_FILTER_VALUES, Instance, by_ids, chunks, until_stable, waits
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Call, Output, Parallel, Scope, Step, Until, Whole

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

    def first(instance: Instance) -> Step:
        if instance.id in freed:
            return _release(associations[instance.id])
        if instance.id in associations:
            replaced = {"AssociationId": associations[instance.id], "IamInstanceProfile": {"Name": name}}
            return Call("ec2", "ReplaceIamInstanceProfileAssociation", replaced)
        return _associate(instance.id, name)

    stale = tuple(sorted({instance.profile.id for instance in instances if instance.profile}))
    begun = Parallel(tuple(first(instance) for instance in instances))
    rebound = Parallel(tuple(_associate(instance_id, name) for instance_id in freed))
    return (
        *until_stable(instances, scopes),
        Whole((begun, *waits(freed, Until.NO_PROFILE, scopes), rebound)) if freed else begun,
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
        yield Whole(
            (
                Parallel(tuple(_release(associations[instance_id]) for instance_id in ids)),
                *waits(ids, Until.NO_PROFILE, scopes),
                Parallel(tuple(_associate(instance_id, name) for instance_id in ids)),
            )
        )
        yield from waits(ids, Until.PROFILE, scopes, arn)


def release(
    instances: Sequence[Instance], associations: Mapping[str, str], scopes: Iterable[Scope]
) -> tuple[Step, ...]:
    """The steps that take the profile off each instance."""
    ids = [instance.id for instance in instances if instance.id in associations]
    return (
        Parallel(tuple(_release(associations[instance_id]) for instance_id in ids)),
        *waits(ids, Until.NO_PROFILE, tuple(scopes)),
    )


def _associate(instance: str, name: str) -> Call:
    params = {"InstanceId": instance, "IamInstanceProfile": {"Name": name}}
    return Call("ec2", "AssociateIamInstanceProfile", params)


def _release(association: str) -> Call:
    return Call("ec2", "DisassociateIamInstanceProfile", {"AssociationId": association})
