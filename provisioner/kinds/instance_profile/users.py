"""Who runs with an instance profile: the environment's instances, and others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, runtime_checkable

from provisioner.kinds.base import Reader, World
from provisioner.kinds.instance_profile.binding import find_associations
from provisioner.kinds.instance_profile.observed import ObservedProfile, Users
from provisioner.kinds.instances import Instance, find_bound, named
from provisioner.kinds.launch_token import launches_of
from provisioner.kinds.regions import Elsewhere
from provisioner.model import Address
from provisioner.naming import ATTACHED_TAG, ENVIRONMENT_TAG


@runtime_checkable
class GivesProfile(Protocol):
    """What AWS has of a thing that gives a profile to instances which the environment has not launched."""

    @property
    def chosen(self) -> tuple[Instance, ...]:
        """The instances that it is given to."""


def find_users(
    reader: Reader, swapped: Mapping[Address, ObservedProfile], elsewhere: Elsewhere, world: World
) -> dict[Address, Users]:
    """Who runs with one of these profiles, given as observed, each at its address. Raises AwsError.

    `elsewhere`: who uses them in other regions.

    A stopped instance has no credentials, and gets those of the role that is in the profile when it starts.
    Who is to be terminated, freed or given another profile is left to that.
    """
    if not swapped:
        return {}
    bound = find_bound(reader, [profile.arn for profile in swapped.values()])
    running = [
        (instance, instance.profile) for instance in bound if instance.profile and not instance.is_stopped
    ]
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
            if at in asking.get(instance.id, ()) or (fleet and _uses(fleet, at, world)):
                members.append(instance)
            elif not (fleet or instance.id in asking or ATTACHED_TAG in profile.tags):
                foreign.append(named(instance))
        users[at] = Users(tuple(members), (*foreign, *elsewhere.possible_users(profile.arn)))
    associations = find_associations(
        reader, [member.id for some in users.values() for member in some.members]
    )
    return {at: replace(some, associations=associations) for at, some in users.items()}


def profiles_asked_for(world: World) -> dict[str, set[Address]]:
    """The profiles that attachments of the spec put on instances, by instance.

    What has an environment's tag is a member, or dressed as one: no attachment changes it.
    """
    asking: dict[str, set[Address]] = {}
    for at, observed in world.observation.resources.items():
        if (desired := world.desired(at)) and isinstance(observed, GivesProfile):
            for instance in observed.chosen:
                if not instance.tag(ENVIRONMENT_TAG):
                    asking.setdefault(instance.id, set()).update(desired.uses)
    return asking


def _uses(fleet: str, profile: Address, world: World) -> bool:
    desired = world.desired(Address("fleet", fleet))
    return desired is not None and profile in desired.uses


def find_foreign_users(reader: Reader, arns: list[str], world: World) -> dict[str, list[str]]:
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
