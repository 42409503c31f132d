"""What each call is authorised for: its own action on each thing, and the actions that it depends on.

Service Authorization Reference for EC2, IAM, SSM and STS; "Dependent actions" there. Of what is not named
here, the action is authorised on every resource (`*`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws.call import Call
from local_aws.iam.things import Account, Keys, Thing

EC2_SERVICE = {"aws-cn": "ec2.amazonaws.com.cn"}
SPOT_SERVICE = "spot.amazonaws.com"


@dataclass(frozen=True)
class Asked:
    """An action on a thing, or on everything; `keys` of the request, and whether it carries tags."""

    action: str
    thing: Thing | None = None
    keys: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    tags: Mapping[str, str] | None = None
    tag_keys: tuple[str, ...] | None = None


def asked(account: Account, call: Call) -> Iterator[Asked]:
    """All that a call is authorised for, its own action first."""
    special = _SPECIAL.get(call.name)
    if special:
        yield from special(account, call)
        return
    finder = _FINDERS.get(call.name) or _finder_of_iam(call)
    things = list(finder(account, call.params)) if finder else []
    if not things:
        yield Asked(_ACTIONS.get(call.name, call.name))
    for thing in things:
        yield Asked(call.name, thing)


# Policies call a service by another name than calls are signed for:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html
_ACTIONS = {"tagging:GetResources": "tag:GetResources"}
Finder = Callable[[Account, Mapping[str, Any]], Iterable[Thing]]


def _each(parameter: str, find: Callable[[Account, str], Thing]) -> Finder:
    """The things that a parameter names, which has one or a list of them."""

    def finder(account: Account, params: Mapping[str, Any]) -> Iterable[Thing]:
        named = params.get(parameter)
        names = named if isinstance(named, list | tuple) else [named]
        return [find(account, str(name)) for name in names if name]

    return finder


def _credits(account: Account, params: Mapping[str, Any]) -> Iterable[Thing]:
    rows = params.get("InstanceCreditSpecifications") or []
    return [account.instance(str(row.get("InstanceId"))) for row in rows]


def _group(account: Account, params: Mapping[str, Any]) -> Iterable[Thing]:
    if params.get("GroupId"):
        return [account.security_group(str(params["GroupId"]))]
    return [account.group_named(str(params.get("GroupName") or "default"))]


def _group_and_rules(account: Account, params: Mapping[str, Any]) -> Iterable[Thing]:
    rules = params.get("SecurityGroupRules") or params.get("SecurityGroupRuleDescriptions") or []
    named = [str(rule["SecurityGroupRuleId"]) for rule in rules if rule.get("SecurityGroupRuleId")]
    return [*_group(account, params), *(account.security_group_rule(rule) for rule in named)]


def _key(account: Account, params: Mapping[str, Any]) -> Iterable[Thing]:
    return [account.key_pair(str(params.get("KeyName") or params.get("KeyPairId") or ""))]


_INSTANCES = _each("InstanceIds", Account.instance)
_INSTANCE = _each("InstanceId", Account.instance)
_INTERFACE = _each("NetworkInterfaceId", Account.network_interface)
_ASSOCIATION = _each("AssociationId", Account.of_association)
_FINDERS: Mapping[str, Finder] = {
    **dict.fromkeys(
        (
            "ec2:MonitorInstances",
            "ec2:RebootInstances",
            "ec2:StartInstances",
            "ec2:StopInstances",
            "ec2:TerminateInstances",
            "ec2:UnmonitorInstances",
        ),
        _INSTANCES,
    ),
    **dict.fromkeys(("ec2:DescribeInstanceAttribute", "ec2:GetConsoleOutput"), _INSTANCE),
    "ec2:DisassociateIamInstanceProfile": _ASSOCIATION,
    "ec2:DeleteSecurityGroup": _group,
    "ec2:RevokeSecurityGroupEgress": _group,
    "ec2:RevokeSecurityGroupIngress": _group,
    "ec2:ModifySecurityGroupRules": _group_and_rules,
    "ec2:UpdateSecurityGroupRuleDescriptionsEgress": _group,
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress": _group,
    "ec2:DeleteKeyPair": _key,
    "ec2:AssignIpv6Addresses": _INTERFACE,
    "ec2:UnassignIpv6Addresses": _INTERFACE,
    "ec2:AttachVolume": lambda account, params: (
        account.instance(str(params.get("InstanceId"))),
        account.volume(str(params.get("VolumeId"))),
    ),
    "ec2:DeleteVolume": _each("VolumeId", Account.volume),
    "ssm:GetParameter": _each("Name", Account.parameter),
    "ssm:GetParameters": _each("Names", Account.parameter),
    "ssm:GetParametersByPath": _each("Path", Account.parameter),
    "iam:SimulatePrincipalPolicy": _each("PolicySourceArn", Account.principal),
    "sts:AssumeRole": _each("RoleArn", lambda account, arn: Thing("role", arn)),
}

# Whose action it is, by the parameter that names the thing; a role in a profile is not the profile's.
_NAMED_IN_IAM: Mapping[str, Callable[[Account, str], Thing]] = {
    "InstanceProfileName": Account.profile,
    "RoleName": Account.role,
    "UserName": Account.user,
    "GroupName": Account.group,
    "PolicyArn": Account.policy,
}


def _finder_of_iam(call: Call) -> Finder | None:
    if call.service != "iam":
        return None
    for parameter, find in _NAMED_IN_IAM.items():
        if call.params.get(parameter):
            return _each(parameter, find)
    return None


def _modify(finder: Finder) -> Callable[[Account, Call], Iterator[Asked]]:
    """An action that changes attributes, whose names are keys: what is changed, and what it is set to."""

    def modify(account: Account, call: Call) -> Iterator[Asked]:
        for thing in finder(account, call.params):
            yield Asked(call.name, thing, _attributes(call))
        groups = call.params.get("Groups") or []
        for group in groups:
            yield Asked(call.name, account.security_group(str(group)))
        if call.params.get("GroupName") and call.operation == "ModifyInstancePlacement":
            yield Asked(call.name, account.placement_group(str(call.params["GroupName"])))
        target = call.params.get("CapacityReservationSpecification", {}).get("CapacityReservationTarget", {})
        if target.get("CapacityReservationId"):
            yield Asked(call.name, account.capacity_reservation(str(target["CapacityReservationId"])))

    return modify


_NO_ATTRIBUTES = ("InstanceId", "VolumeId", "NetworkInterfaceId", "DryRun", "InstanceCreditSpecifications")


def _attributes(call: Call) -> Keys:
    """The names of the attributes that a call sets, as the key `ec2:Attribute` has them."""
    names = tuple(name for name in call.params if name not in _NO_ATTRIBUTES)
    return {"ec2:Attribute": names} if names else {}


def _tagging(account: Account, call: Call) -> Iterator[Asked]:
    tags = {str(tag.get("Key")): str(tag.get("Value") or "") for tag in call.params.get("Tags") or ()}
    for id_ in call.params.get("Resources") or ():
        found = account.taggable(str(id_))
        # Of what is deleted from, no keys but of tags are known.
        thing = found if call.operation == "CreateTags" else Thing(found.type, found.arn, found.tags)
        yield Asked(call.name, thing, tags=tags)


def _tags_at_creation(account: Account, call: Call) -> Iterator[Asked]:
    """EC2 User Guide, "Grant permission to tag EC2 resources during creation".

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
    """
    for type_, tags in _specified(call.params).items():
        thing = account.new(type_)
        if type_ == "key-pair":
            thing = account.new_key_pair(str(call.params.get("KeyName")))
        yield Asked("ec2:CreateTags", thing, {"ec2:CreateAction": call.operation}, tags)


def _specified(params: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {
        str(spec.get("ResourceType")): {
            str(tag.get("Key")): str(tag.get("Value") or "") for tag in spec.get("Tags") or ()
        }
        for spec in params.get("TagSpecifications") or ()
        if spec.get("Tags")
    }


def _create_group(account: Account, call: Call) -> Iterator[Asked]:
    tags = _specified(call.params).get("security-group")
    yield Asked(call.name, account.new("security-group"), tags=tags)
    vpc = call.params.get("VpcId")
    yield Asked(call.name, account.vpc(str(vpc or account.default_vpc())))
    yield from _tags_at_creation(account, call)


def _authorize(account: Account, call: Call) -> Iterator[Asked]:
    for thing in _group(account, call.params):
        yield Asked(call.name, thing)
    tags = _specified(call.params).get("security-group-rule")
    if tags:
        yield Asked(call.name, account.new("security-group-rule"), tags=tags)
        yield from _tags_at_creation(account, call)


def _create_key(account: Account, call: Call) -> Iterator[Asked]:
    thing = account.new_key_pair(str(call.params.get("KeyName")))
    yield Asked(call.name, thing, tags=_specified(call.params).get("key-pair"))
    yield from _tags_at_creation(account, call)


def _pass_role(account: Account, role: Thing | None, instance: str = "") -> Iterator[Asked]:
    """IAM User Guide, "Grant a user permissions to pass a role to an AWS service".

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    """
    if role is None:
        return
    service = EC2_SERVICE.get(account.world.partition, "ec2.amazonaws.com")
    keys: Keys = {"iam:PassedToService": service}
    if instance:
        keys["iam:AssociatedResourceArn"] = instance
    yield Asked("iam:PassRole", Thing("role", role.arn, role.tags), keys)


def _bind(account: Account, call: Call) -> Iterator[Asked]:
    finder = _ASSOCIATION if "AssociationId" in call.params else _INSTANCE
    profile = call.params.get("IamInstanceProfile")
    arn = account.profile_arn(profile)
    for thing in finder(account, call.params):
        yield Asked(call.name, thing, {"ec2:NewInstanceProfile": arn} if arn else {})
        yield from _pass_role(account, account.role_in(profile), thing.arn)


def _run(account: Account, call: Call) -> Iterator[Asked]:
    params, name = call.params, call.name
    tags = _specified(params)
    market = (params.get("InstanceMarketOptions") or {}).get("MarketType") or "on-demand"
    keys: Keys = {
        "ec2:InstanceType": str(params.get("InstanceType") or "m1.small"),
        "ec2:InstanceMarketType": str(market),
        "ec2:EbsOptimized": str(bool(params.get("EbsOptimized"))).lower(),
    }
    tokens = (params.get("MetadataOptions") or {}).get("HttpTokens")
    if tokens:
        keys["ec2:MetadataHttpTokens"] = str(tokens)
    if arn := account.profile_arn(params.get("IamInstanceProfile")):
        keys["ec2:InstanceProfile"] = arn
    interface = (params.get("NetworkInterfaces") or [{}])[0]
    subnet = account.subnet(
        str(interface.get("SubnetId") or params.get("SubnetId") or account.default_subnet())
    )
    image = str(params.get("ImageId") or "")
    yield Asked(name, account.image(image))
    yield Asked(name, account.new("instance", keys), tags=tags.get("instance"))
    yield Asked(
        name,
        account.new(
            "network-interface",
            {
                "ec2:Subnet": subnet.arn,
                **({"ec2:Vpc": subnet.keys["ec2:Vpc"]} if "ec2:Vpc" in subnet.keys else {}),
                **_public_address(interface),
            },
        ),
        tags=tags.get("network-interface"),
    )
    yield Asked(name, subnet)
    yield Asked(name, account.new("volume", _new_volume(params)), tags=tags.get("volume"))
    groups = params.get("SecurityGroupIds") or interface.get("Groups") or account.default_groups(subnet)
    for group in groups:
        yield Asked(name, account.security_group(str(group)))
    for group in params.get("SecurityGroups") or ():
        yield Asked(name, account.group_named(str(group)))
    if params.get("KeyName"):
        yield Asked(name, account.key_pair(str(params["KeyName"])))
    if (params.get("Placement") or {}).get("GroupName"):
        yield Asked(name, account.placement_group(str(params["Placement"]["GroupName"])))
    target = (params.get("CapacityReservationSpecification") or {}).get("CapacityReservationTarget") or {}
    if target.get("CapacityReservationId"):
        yield Asked(name, account.capacity_reservation(str(target["CapacityReservationId"])))
    if target.get("CapacityReservationResourceGroupArn"):
        yield Asked(name, Thing("group", str(target["CapacityReservationResourceGroupArn"])))
    for device in params.get("BlockDeviceMappings") or ():
        if (device.get("Ebs") or {}).get("SnapshotId"):
            yield Asked(name, account.snapshot(str(device["Ebs"]["SnapshotId"])))
    yield from _tags_at_creation(account, call)
    yield from _pass_role(
        account, account.role_in(params.get("IamInstanceProfile")), account.new("instance").arn
    )
    if image.startswith("resolve:ssm:"):
        yield Asked("ssm:GetParameters", account.parameter(image.removeprefix("resolve:ssm:")))
    if market == "spot" and not account.world.has_spot_role:
        yield from _spot_role(account)


def _spot_role(account: Account) -> Iterator[Asked]:
    """The first Spot Instance of an account makes the service-linked role of Spot.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/service-linked-roles-spot-instance-requests.html
    """
    arn = (
        f"arn:{account.world.partition}:iam::{account.world.account}:role/aws-service-role/"
        f"{SPOT_SERVICE}/AWSServiceRoleForEC2Spot"
    )
    yield Asked("iam:CreateServiceLinkedRole", Thing("role", arn), {"iam:AWSServiceName": SPOT_SERVICE})


def _public_address(interface: Mapping[str, Any]) -> Keys:
    given = interface.get("AssociatePublicIpAddress")
    return {} if given is None else {"ec2:AssociatePublicIpAddress": str(bool(given)).lower()}


def _new_volume(params: Mapping[str, Any]) -> Keys:
    disks = [device["Ebs"] for device in params.get("BlockDeviceMappings") or () if device.get("Ebs")]
    if not disks:
        return {}
    encrypted = [str(bool(disk.get("Encrypted"))).lower() for disk in disks]
    return {"ec2:Encrypted": encrypted[0]} if len(set(encrypted)) == 1 else {}


def _create_of_iam(type_: str, parameter: str, tag_action: str) -> Callable[[Account, Call], Iterator[Asked]]:
    """To make something with tags takes the right to tag it as well.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html
    """

    def create(account: Account, call: Call) -> Iterator[Asked]:
        thing = account.new_of_iam(type_, str(call.params.get(parameter)))
        tags = {str(tag.get("Key")): str(tag.get("Value") or "") for tag in call.params.get("Tags") or ()}
        yield Asked(call.name, thing, tags=tags or None)
        if tags:
            yield Asked(tag_action, Thing(thing.type, thing.arn), tags=tags)

    return create


def _tag_of_iam(account: Account, call: Call) -> Iterator[Asked]:
    finder = _finder_of_iam(call)
    tags = {str(tag.get("Key")): str(tag.get("Value") or "") for tag in call.params.get("Tags") or ()}
    keys = tuple(str(key) for key in call.params.get("TagKeys") or ())
    for thing in finder(account, call.params) if finder else ():
        yield Asked(call.name, thing, tags=tags or None, tag_keys=keys or None)


def _policy_of_role(account: Account, call: Call) -> Iterator[Asked]:
    arn = call.params.get("PolicyArn")
    keys: Keys = {"iam:PolicyARN": str(arn)} if arn else {}
    yield Asked(call.name, account.role(str(call.params.get("RoleName"))), keys)


def _set_boundary(account: Account, call: Call) -> Iterator[Asked]:
    """The boundary that is asked for is what the key has.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
    """
    role = account.role(str(call.params.get("RoleName")))
    keys: Keys = {"iam:PermissionsBoundary": str(call.params.get("PermissionsBoundary"))}
    yield Asked(call.name, Thing(role.type, role.arn, role.tags, keys))


def _add_role(account: Account, call: Call) -> Iterator[Asked]:
    yield Asked(call.name, account.profile(str(call.params.get("InstanceProfileName"))))
    yield from _pass_role(account, account.role(str(call.params.get("RoleName"))))


_SPECIAL: Mapping[str, Callable[[Account, Call], Iterator[Asked]]] = {
    "ec2:RunInstances": _run,
    "ec2:CreateTags": _tagging,
    "ec2:DeleteTags": _tagging,
    "ec2:CreateSecurityGroup": _create_group,
    "ec2:AuthorizeSecurityGroupEgress": _authorize,
    "ec2:AuthorizeSecurityGroupIngress": _authorize,
    "ec2:CreateKeyPair": _create_key,
    "ec2:ImportKeyPair": _create_key,
    "ec2:AssociateIamInstanceProfile": _bind,
    "ec2:ReplaceIamInstanceProfileAssociation": _bind,
    **dict.fromkeys(
        (
            "ec2:ModifyInstanceAttribute",
            "ec2:ModifyInstanceCapacityReservationAttributes",
            "ec2:ModifyInstanceCpuOptions",
            "ec2:ModifyInstanceMaintenanceOptions",
            "ec2:ModifyInstanceMetadataOptions",
            "ec2:ModifyInstancePlacement",
            "ec2:ModifyPrivateDnsNameOptions",
        ),
        _modify(_INSTANCE),
    ),
    "ec2:ModifyInstanceCreditSpecification": _modify(_credits),
    "ec2:ModifyNetworkInterfaceAttribute": _modify(_INTERFACE),
    "ec2:ModifyVolume": _modify(_each("VolumeId", Account.volume)),
    "iam:CreateRole": _create_of_iam("role", "RoleName", "iam:TagRole"),
    "iam:CreateUser": _create_of_iam("user", "UserName", "iam:TagUser"),
    "iam:CreateGroup": _create_of_iam("group", "GroupName", ""),
    "iam:CreatePolicy": _create_of_iam("policy", "PolicyName", "iam:TagPolicy"),
    "iam:CreateInstanceProfile": _create_of_iam(
        "instance-profile", "InstanceProfileName", "iam:TagInstanceProfile"
    ),
    **dict.fromkeys(
        ("iam:TagRole", "iam:UntagRole", "iam:TagInstanceProfile", "iam:UntagInstanceProfile"), _tag_of_iam
    ),
    "iam:AttachRolePolicy": _policy_of_role,
    "iam:DetachRolePolicy": _policy_of_role,
    "iam:PutRolePermissionsBoundary": _set_boundary,
    "iam:AddRoleToInstanceProfile": _add_role,
}


def named_actions() -> frozenset[str]:
    """The actions of which it is known here what they are authorised on."""
    return frozenset((*_FINDERS, *_SPECIAL))
