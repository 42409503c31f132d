"""What a deployer has to be allowed for security groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from provisioner.kinds.security_group.rules import PREFIX_LIST
from provisioner.kinds.security_group.spec import SecurityGroup
from provisioner.naming import ENVIRONMENT_TAG, GROUP_TAG
from provisioner.rights import (
    OWN_REQUEST,
    Place,
    Purpose,
    Statement,
    actions,
    named_and_none_of,
    read_ec2,
    together,
)

REVOKE = ("RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress")
RULES = (
    "AuthorizeSecurityGroupEgress",
    "AuthorizeSecurityGroupIngress",
    *REVOKE,
    "UpdateSecurityGroupRuleDescriptionsEgress",
    "UpdateSecurityGroupRuleDescriptionsIngress",
)
CREATE = "CreateSecurityGroup"


def group_permissions(groups: Sequence[SecurityGroup], place: Place, purpose: Purpose) -> Iterator[Statement]:
    """The statements for the security groups of a spec."""
    if purpose is not Purpose.APPLY:
        yield read_ec2(place, "DescribeSecurityGroups")
    if not groups:
        return
    if purpose is not Purpose.APPLY:
        yield read_ec2(place, "DescribeNetworkInterfaces", "DescribeSecurityGroupRules")
    every = place.ec2("security-group")
    if purpose is Purpose.PLAN:
        yield read_ec2(place, "DescribeVpcs")
        if any(rule.traffic.peer.sort == PREFIX_LIST for group in groups for rule in group.rules):
            yield read_ec2(place, "DescribeManagedPrefixLists")
        return
    ours, made = place.owned_as(GROUP_TAG), place.made_as(GROUP_TAG)
    rules = REVOKE if purpose is Purpose.DESTROY else RULES
    why = "to change and delete security groups that carry both tags of the environment's groups"
    yield Statement("SecurityGroups", why, actions("ec2", "DeleteSecurityGroup", *rules), every, ours)
    if purpose is Purpose.DESTROY:
        return
    why = "to make security groups that carry both tags"
    yield Statement("MakeGroups", why, actions("ec2", CREATE), every, made)
    at_once = together(made, {"StringEquals": {"ec2:CreateAction": CREATE}})
    why = "to give security groups their tags when they are made"
    yield Statement("TagNewGroups", why, ("ec2:CreateTags",), every, at_once)
    yield from _in_vpcs(groups, place)
    why = "to correct tags of groups that carry both, and to give the environment's to no other"
    stays = together(ours, {"StringEqualsIfExists": {OWN_REQUEST: place.environment}})
    yield Statement("TagGroups", why, ("ec2:CreateTags",), every, stays)
    never = named_and_none_of(ENVIRONMENT_TAG, GROUP_TAG)
    why = "to take tags off security groups, but never those two"
    yield Statement("UntagGroups", why, ("ec2:DeleteTags",), every, together(ours, never))


def _in_vpcs(groups: Sequence[SecurityGroup], place: Place) -> Iterator[Statement]:
    """Where groups are made, as narrow as the spec tells it."""
    why = "to make security groups in the VPCs that the spec names"
    create = actions("ec2", CREATE)
    named = [group.vpc.id for group in groups if group.vpc.id]
    is_default = any(group.vpc.id is None and not group.vpc.tags for group in groups)
    if is_default or named:
        # Which one is the default, only EC2 knows.
        yield Statement("UseVpcs", why, create, place.ec2("vpc", *(() if is_default else named)))
    for group in groups:
        if group.vpc.tags:
            tags = {f"aws:ResourceTag/{key}": value for key, value in sorted(group.vpc.tags.items())}
            yield Statement("UseTaggedVpcs", why, create, place.ec2("vpc"), {"StringEquals": tags})
