"""What a deployer has to be allowed for instance profiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from provisioner.kinds.instance_profile.read import A_FEW
from provisioner.kinds.instance_profile.spec import InstanceProfile
from provisioner.rights import (
    Place,
    Purpose,
    Statement,
    actions,
    pass_roles,
    read_ec2,
    read_iam,
)


def profile_permissions(
    profiles: Sequence[InstanceProfile], place: Place, purpose: Purpose
) -> Iterator[Statement]:
    """The statements for the instance profiles of a spec."""
    yield read_iam("ListInstanceProfiles")
    if not profiles:
        return
    # A name that is not taken has no path, and one that somebody else has may have any.
    named = [name for profile in profiles for name in (profile.name, f"*/{profile.name}")]
    yield Statement(
        "ReadProfiles",
        "to read the environment's profiles, and whoever has the names that the spec wants",
        ("iam:GetInstanceProfile",),
        (*place.iam("instance-profile"), *place.iam("instance-profile", *named)),
    )
    if len(profiles) > A_FEW and purpose is Purpose.PLAN:
        why = "to read the tags of many profiles at once, where nothing is to be done"
        yield Statement("ReadTagIndex", why, ("tag:GetResources",))
    yield Statement(
        "FindUsersInOtherRegions",
        "to delete no profile, and no former role of one, that an instance in another region uses",
        actions("ec2", "DescribeInstances", "DescribeRegions"),
    )
    make = ("AddRoleToInstanceProfile", "CreateInstanceProfile", "TagInstanceProfile", "UntagInstanceProfile")
    take = ("DeleteInstanceProfile", "RemoveRoleFromInstanceProfile")
    match purpose:
        case Purpose.PLAN:
            yield read_ec2(place, "DescribeIamInstanceProfileAssociations")
        case Purpose.APPLY:
            yield _profiles(place, *make, *take)
            yield pass_roles(place)
        case Purpose.DESTROY:
            yield read_ec2(place, "DescribeIamInstanceProfileAssociations")
            yield _profiles(place, *take)


def _profiles(place: Place, *operations: str) -> Statement:
    why = "to make, change and delete the environment's instance profiles"
    return Statement("InstanceProfiles", why, actions("iam", *operations), place.iam("instance-profile"))
