"""Security groups: names, rules by id, quotas, and what keeps one from being deleted.

EC2 API Reference, CreateSecurityGroup, AuthorizeSecurityGroupIngress, RevokeSecurityGroupIngress,
DescribeSecurityGroups, DescribeSecurityGroupRules, DeleteSecurityGroup
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html); VPC User Guide, "Amazon
VPC quotas: security groups" (60 rules each way, counted apart for IPv4 and IPv6); "Error codes":
InvalidGroup.Duplicate, InvalidGroup.Reserved, InvalidPermission.Duplicate, DependencyViolation, CannotDelete.
moto lets a group go that is in use, adds some rules of a call that it refuses, and shows all on one page.
"""

from __future__ import annotations

from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections import lag, paging
from local_aws.corrections.filters import view_filter
from local_aws.corrections.group_rules import (
    MAX_TEXT,
    TEXT,
    Rule,
    asked_rules,
    check_text,
    describe,
    kept_rule,
    permissions_view,
    rule_of,
    rule_view,
)
from local_aws.corrections.registry import check, handler
from local_aws.corrections.tags import check_tags
from local_aws.corrections.views import groups_of
from local_aws.world import Region, World

MAX_RULES = 60
# What is kept of groups within the lag.
LAGGING = "groups"

Views = dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]

_PERMISSION_PATHS = {
    "cidr": "IpRanges.CidrIp",
    "from-port": "FromPort",
    "group-id": "UserIdGroupPairs.GroupId",
    "ipv6-cidr": "Ipv6Ranges.CidrIpv6",
    "prefix-list-id": "PrefixListIds.PrefixListId",
    "protocol": "IpProtocol",
    "to-port": "ToPort",
    "user-id": "UserIdGroupPairs.UserId",
}
GROUP_PATHS = {
    "description": "Description",
    "group-id": "GroupId",
    "group-name": "GroupName",
    "owner-id": "OwnerId",
    "tag-key": "Tags.Key",
    "vpc-id": "VpcId",
    **{f"ip-permission.{name}": f"IpPermissions.{path}" for name, path in _PERMISSION_PATHS.items()},
    **{
        f"egress.ip-permission.{name}": f"IpPermissionsEgress.{path}"
        for name, path in _PERMISSION_PATHS.items()
    },
}
"""Filters of DescribeSecurityGroups, as paths in one of its groups."""

RULE_PATHS = {"group-id": "GroupId", "security-group-rule-id": "SecurityGroupRuleId", "tag-key": "Tags.Key"}
"""Filters of DescribeSecurityGroupRules, as paths in one of its rules."""


@check(
    "ec2:CreateSecurityGroup",
    "ec2:DeleteSecurityGroup",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
    "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
    "ec2:CreateTags",
    "ec2:DeleteTags",
)
def keep_groups(world: World, call: Call) -> None:
    """What describes go on to show within the lag."""
    region = world.region(call.region)
    lag.keep_past(world, region, LAGGING, lambda: _views(region))


@check("ec2:CreateSecurityGroup")
def may_create(world: World, call: Call) -> None:
    """The name and the description are of EC2's characters, the VPC exists, and so does no such group."""
    params, backend = call.params, world.region(call.region).backend
    name, description = params.get("GroupName") or "", params.get("Description") or ""
    if not name or not description:
        missing = "GroupDescription" if name else "GroupName"
        raise AwsError("MissingParameter", f"The request must contain the parameter {missing}")
    if len(name) > MAX_TEXT or not TEXT.fullmatch(name):
        text = f"Value ({name}) for parameter GroupName is invalid."
        raise AwsError("InvalidParameterValue", text)
    if name.startswith("sg-"):
        raise AwsError("InvalidParameterValue", "Group names may not be in the format sg-*.")
    check_text(description, "group description")
    for spec in params.get("TagSpecifications") or []:
        if spec.get("ResourceType") != "security-group":
            text = f"'{spec.get('ResourceType')}' is not a valid taggable resource type for this operation."
            raise AwsError("InvalidParameterValue", text)
        check_tags(spec.get("Tags") or [])
    if name.lower() == "default":
        raise AwsError("InvalidGroup.Reserved", "The security group 'default' is reserved")
    vpc = params.get("VpcId")
    if vpc and vpc not in backend.vpcs:
        raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist")
    if not vpc and backend.default_vpc is None:
        raise AwsError("VPCIdNotSpecified", "No default VPC for this user")
    where = vpc or backend.default_vpc.id
    if any(group.name.lower() == name.lower() for group in backend.groups[where].values()):
        raise AwsError(
            "InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{where}'"
        )


@handler("ec2:DescribeSecurityGroups")
def describe_groups(world: World, call: Call) -> dict[str, Any]:
    """One page of groups."""
    region, params = world.region(call.region), call.params
    passes = view_filter(params.get("Filters") or [], GROUP_PATHS)
    there = _seen(world, region)
    found = list(there)
    if ids := params.get("GroupIds"):
        for group_id in ids:
            if group_id not in there:
                raise _no_such_group(group_id)
        found = list(dict.fromkeys(ids))
    if names := params.get("GroupNames"):
        found = [_by_name(region, name).id for name in dict.fromkeys(names)]
    rows = [there[group_id][0] for group_id in found if group_id in there and passes(there[group_id][0])]
    page, token = paging.page(rows, params, ids_given=bool(ids or names))
    return {"SecurityGroups": page, "NextToken": token}


@handler("ec2:DescribeSecurityGroupRules")
def describe_rules(world: World, call: Call) -> dict[str, Any]:
    """One page of rules."""
    params = call.params
    passes = view_filter(params.get("Filters") or [], RULE_PATHS)
    ids = params.get("SecurityGroupRuleIds") or []
    views = [view for _, rules in _seen(world, world.region(call.region)).values() for view in rules]
    known = {view["SecurityGroupRuleId"]: view for view in views}
    for rule_id in ids:
        if rule_id not in known:
            raise _no_such_rule(rule_id)
    rows = [view for view in views if (not ids or view["SecurityGroupRuleId"] in ids) and passes(view)]
    page, token = paging.page(rows, params, ids_given=bool(ids))
    return {"SecurityGroupRules": page, "NextToken": token}


@handler("ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress")
def authorize(world: World, call: Call) -> dict[str, Any]:
    """All rules of the call, or none."""
    region, is_egress = world.region(call.region), call.operation.endswith("Egress")
    group = _named(region, call.params)
    check_known(world, region, group.id)
    wanted = asked_rules(call.params)
    rules = group.egress_rules if is_egress else group.ingress_rules
    there = {rule_of(rule).key for rule in rules}
    for rule in wanted:
        if rule.source[0] == "group":
            check_known(world, region, rule.source[1])
        _check_source(region, group, rule)
        if rule.key in there:
            text = f'the specified rule "peer: {rule.source[1]}, {_told(rule)}, ALLOW" already exists'
            raise AwsError("InvalidPermission.Duplicate", text)
        there.add(rule.key)
    _check_number(region, [*map(rule_of, rules), *wanted])
    tags = {
        tag["Key"]: tag.get("Value") or ""
        for spec in call.params.get("TagSpecifications") or []
        for tag in spec.get("Tags") or []
    }
    new = [kept_rule(group, rule, is_egress, tags) for rule in wanted]
    rules.extend(new)
    return {"Return": True, "SecurityGroupRules": [rule_view(rule) for rule in new]}


@handler("ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress")
def revoke(world: World, call: Call) -> dict[str, Any]:
    """The rules with these ids, or as described. In a default VPC what does not match is passed over."""
    region, is_egress = world.region(call.region), call.operation.endswith("Egress")
    group = _named(region, call.params)
    check_known(world, region, group.id)
    rules = group.egress_rules if is_egress else group.ingress_rules
    ids = call.params.get("SecurityGroupRuleIds")
    if ids:
        for rule_id in ids:
            if rule_id not in {rule.id for rule in rules}:
                raise _no_such_rule(rule_id)
        gone = set(ids)
    else:
        keys = {rule.key for rule in asked_rules(call.params)}
        gone = {rule.id for rule in rules if rule_of(rule).key in keys}
        if len(gone) < len(keys) and group.vpc_id != region.backend.default_vpc.id:
            text = "The specified rule does not exist in this security group."
            raise AwsError("InvalidPermission.NotFound", text)
    rules[:] = [rule for rule in rules if rule.id not in gone]
    for rule_id in gone:
        region.backend.tags.pop(rule_id, None)
    return {"Return": True}


@handler("ec2:UpdateSecurityGroupRuleDescriptionsIngress", "ec2:UpdateSecurityGroupRuleDescriptionsEgress")
def update_descriptions(world: World, call: Call) -> dict[str, Any]:
    """Other descriptions for rules that are there, or none."""
    region, is_egress = world.region(call.region), call.operation.endswith("Egress")
    group = _named(region, call.params)
    check_known(world, region, group.id)
    rules = {rule_of(rule).key: rule for rule in (group.egress_rules if is_egress else group.ingress_rules)}
    wanted = asked_rules(call.params)
    for rule in wanted:
        if rule.key not in rules:
            text = "The specified rule does not exist in this security group."
            raise AwsError("InvalidPermission.NotFound", text)
    for rule in wanted:
        describe(rules[rule.key], rule.description)
    return {"Return": True}


@check("ec2:DeleteSecurityGroup")
def may_delete(world: World, call: Call) -> None:
    """Neither the default group, nor one that an interface has or a rule of another group refers to."""
    region = world.region(call.region)
    group = _named(region, call.params)
    if group.is_default:
        text = f'the specified group: "{group.id}" name: "default" cannot be deleted by a user'
        raise AwsError("CannotDelete", text)
    is_worn = any(group in groups_of(interface) for interface in region.backend.enis.values())
    is_named = any(
        rule_of(rule).source == ("group", group.id)
        for other in _groups(region)
        for rule in (*other.ingress_rules, *other.egress_rules)
        if other is not group
    )
    if is_worn or is_named:
        raise AwsError("DependencyViolation", f"resource {group.id} has a dependent object")


def find(region: Region, group_id: str) -> Any:
    """The group with this id. Raises InvalidGroup.NotFound."""
    group = region.backend.get_security_group_from_id(group_id)
    if group is None:
        raise _no_such_group(group_id)
    return group


def check_known(world: World, region: Region, group_id: str) -> None:
    """Raises InvalidGroup.NotFound for a group that is so new that it is not known everywhere yet."""
    if region.backend.get_security_group_from_id(group_id) and group_id not in _seen(world, region):
        raise _no_such_group(group_id)


@check("ec2:CreateTags", "ec2:DeleteTags")
def tagged_are_known(world: World, call: Call) -> None:
    """Groups that get or lose tags are known by now."""
    for resource in call.params.get("Resources") or []:
        if resource.startswith("sg-"):
            check_known(world, world.region(call.region), resource)


def _seen(world: World, region: Region) -> Views:
    return lag.seen(world, region, LAGGING, lambda: _views(region))


def _views(region: Region) -> Views:
    """All groups by their ids, each as it is described, and its rules."""
    return {
        group.id: (_view(group), [rule_view(rule) for rule in (*group.ingress_rules, *group.egress_rules)])
        for group in _groups(region)
    }


def _no_such_group(group_id: str) -> AwsError:
    return AwsError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")


def _groups(region: Region) -> list[Any]:
    return [group for groups in region.backend.groups.values() for group in groups.values()]


def _by_name(region: Region, name: str) -> Any:
    """A group of the default VPC."""
    vpc = region.backend.default_vpc
    group = region.backend.get_security_group_from_name(name, vpc.id) if vpc else None
    if group is None:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC")
    return group


def _named(region: Region, params: dict[str, Any]) -> Any:
    if params.get("GroupId"):
        return find(region, params["GroupId"])
    if params.get("GroupName"):
        return _by_name(region, params["GroupName"])
    raise AwsError("MissingParameter", "The request must contain the parameter groupName or groupId")


def _view(group: Any) -> dict[str, Any]:
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "OwnerId": group.owner_id,
        "VpcId": group.vpc_id,
        "SecurityGroupArn": group.arn,
        "IpPermissions": permissions_view(group.ingress_rules, group.owner_id),
        "IpPermissionsEgress": permissions_view(group.egress_rules, group.owner_id),
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in group.get_tags()],
    }


def _check_source(region: Region, group: Any, rule: Rule) -> None:
    sort, value = rule.source
    if sort == "group" and find(region, value).vpc_id != group.vpc_id:
        text = "You have specified two resources that belong to different networks."
        raise AwsError("InvalidGroup.NotFound", text)
    if sort == "prefix_list" and value not in region.backend.managed_prefix_lists:
        text = f"The prefix list ID '{value}' does not exist"
        raise AwsError("InvalidPrefixListID.NotFound", text)


def _check_number(region: Region, rules: list[Rule]) -> None:
    """A rule with a group counts for both kinds of addresses, one with a prefix list as all its entries."""
    for family in ("cidr4", "cidr6"):
        number = sum(
            _weight(region, rule) for rule in rules if rule.source[0] in (family, "group", "prefix_list")
        )
        if number > MAX_RULES:
            text = "The maximum number of rules per security group has been reached."
            raise AwsError("RulesPerSecurityGroupLimitExceeded", text)


def _weight(region: Region, rule: Rule) -> int:
    sort, value = rule.source
    if sort != "prefix_list":
        return 1
    return int(region.backend.managed_prefix_lists[value].max_entries or 1)


def _no_such_rule(rule_id: str) -> AwsError:
    text = f"The security group rule ID '{rule_id}' does not exist"
    return AwsError("InvalidSecurityGroupRuleId.NotFound", text)


def _told(rule: Rule) -> str:
    if rule.from_port is None:
        return "ALL"
    return f"{rule.protocol.upper()}, from port: {rule.from_port}, to port: {rule.to_port}"
