"""Whose credentials an instance has: those of the role that was in its profile when it took them up.

IAM User Guide, "Use instance profiles"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html): EC2
may go on with the former role of a profile for up to an hour. IAM API Reference, AddRoleToInstanceProfile:
to force the change, disassociate the profile and associate it again, or stop and start the instance. No page
says that replacing an association by one with the same profile does, so it does not here. AWS shows none of
this.
"""

from __future__ import annotations

from local_aws.world import Association, Member, Region, World

MAX_S = 3600.0


def take_up(world: World, association: Association) -> None:
    """The instance gets the role that is in its profile now."""
    association.role_id = _role_in(world, association)


def start(world: World, region: Region, member: Member) -> None:
    """An instance that starts takes up the role that is in its profile."""
    if association := region.association_of(member.id):
        take_up(world, association)


def held(world: World, region: Region) -> dict[str, str]:
    """The running instances that have credentials, and the unique id of the role that these are of.

    The role may be gone by now.
    """
    before = world.clock.now() - MAX_S
    found = {}
    for member in region.members.values():
        association = region.association_of(member.id)
        if association is None or member.state != "running":
            continue
        if world.role_added.get(association.profile_id, 0) <= before and _role_in(world, association):
            take_up(world, association)
        if association.role_id:
            found[member.id] = association.role_id
    return found


def _role_in(world: World, association: Association) -> str:
    profiles = world.iam.instance_profiles.values()
    roles = next((profile.roles for profile in profiles if profile.id == association.profile_id), None)
    return str(roles[0].id) if roles else ""
