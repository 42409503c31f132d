"""The profile that a fleet's members are to be bound to, and those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provisioner.kinds.base import World
from provisioner.kinds.instance_profile.observed import ObservedProfile
from provisioner.kinds.instance_profile.spec import InstanceProfile
from provisioner.kinds.instances import Instance
from provisioner.model import Address, Output


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
        return [each for each in instances if each.profile]
    return [
        each
        for each in instances
        if not each.profile or each.profile.arn != wanted.arn or each.profile.id != wanted.id
    ]
