"""What a deployer has to be allowed for attachments: exactly the instances that the spec chooses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from provisioner.kinds.attachment.observed import Attachment
from provisioner.rights import (
    OWN_RESOURCE,
    Conditions,
    Place,
    Purpose,
    Statement,
    actions,
    free_instances,
    pass_roles,
    read_ec2,
    together,
)

BIND = ("AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation")


def attachment_permissions(
    attachments: Sequence[Attachment], place: Place, purpose: Purpose
) -> Iterator[Statement]:
    """The statements for the attachments of a spec."""
    yield read_ec2(place, "DescribeInstances")
    if not attachments:
        return
    if purpose is not Purpose.APPLY:
        yield read_ec2(place, "DescribeIamInstanceProfileAssociations")
    if purpose is not Purpose.PLAN:
        yield free_instances(place)
    if purpose is not Purpose.APPLY:
        return
    yield pass_roles(place)
    named = [instance for attachment in attachments for instance in attachment.instances]
    if named:
        yield from _bind("NamedInstances", place.ec2("instance", *named), {}, place)
    for attachment in attachments:
        if attachment.tags:
            tags = {f"aws:ResourceTag/{key}": value for key, value in sorted(attachment.tags.items())}
            yield from _bind("TaggedInstances", place.ec2("instance"), {"StringEquals": tags}, place)


def _bind(whom: str, resources: tuple[str, ...], chosen: Conditions, place: Place) -> Iterator[Statement]:
    ours = place.profile_of_ours("ec2:NewInstanceProfile")
    chosen = together(chosen, {"StringEqualsIfExists": {OWN_RESOURCE: place.environment}})
    why = "to give instances that the spec attaches to, and no other environment has, our profiles"
    yield Statement(f"AttachTo{whom}", why, actions("ec2", *BIND), resources, together(chosen, ours))
    # One that is stopped can only be freed and bound again.
    why = "to take another profile off a stopped instance that the spec attaches to"
    yield Statement(f"Free{whom}", why, ("ec2:DisassociateIamInstanceProfile",), resources, chosen)
