"""What a call is authorised on, as far as it is known before it is made: action, resource and context keys.

Service Authorization Reference for EC2 and IAM, "Dependent actions" there
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html,
.../list_awsidentityandaccessmanagementiam.html). For what can be asked for by no dry run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, Output
from provisioner.naming import ENVIRONMENT_TAG, MARKS, REGION_TAG
from provisioner.rights import Place

Keys = Mapping[str, str | tuple[str, ...]]
# The id that a step gives to what it is still to make.
NEW = "new"
ANY = "*"
MARKET = "InstanceMarketOptions"
OWN_TAG = "aws:ResourceTag/"
_TYPES = {
    "i": "instance",
    "vol": "volume",
    "eni": "network-interface",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "key": "key-pair",
    "subnet": "subnet",
    "vpc": "vpc",
    "snap": "snapshot",
    "cr": "capacity-reservation",
}
# Condition keys that are told here wherever a request has them: without one of these, it has it not.
_KNOWN = (
    "aws:requesttag/",
    "aws:tagkeys",
    "ec2:createaction",
    "ec2:newinstanceprofile",
    "ec2:instanceprofile",
    "iam:policyarn",
    "iam:passedtoservice",
    "iam:awsservicename",
)


@dataclass(frozen=True)
class Request:
    """An action on a resource with its context keys; `unknown`: prefixes of further keys it may have."""

    action: str
    resource: str
    keys: Keys = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def may_have(self, key: str) -> bool:
        """Whether the real request may have a key that is not known here."""
        folded = key.lower()
        if any(folded.startswith(prefix.lower()) for prefix in self.unknown):
            return True
        is_told = folded.startswith((*_KNOWN, OWN_TAG.lower(), "ec2:resourcetag/", "ec2:owner"))
        return not (is_told or folded == "iam:permissionsboundary")


@dataclass(frozen=True)
class Facts:
    """What is known of what a plan's calls touch.

    `tags` are those of things of EC2 by id, as far as they were read, `profiles` the ARNs of instances'
    profiles, `owners` those of images as EC2's condition key has them; `boundaries` are roles of the spec by
    name, `role_of` the role in each profile of the spec.
    """

    place: Place
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    profiles: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    boundaries: Mapping[str, str | None] = field(default_factory=dict)
    role_of: Mapping[str, str] = field(default_factory=dict)

    @property
    def own_tags(self) -> Mapping[str, str]:
        """The tags that all of the environment has."""
        return {ENVIRONMENT_TAG: self.place.environment, REGION_TAG: self.place.region}


def requests(call: Call, facts: Facts, instances: Iterable[str] = ()) -> list[Request]:
    """All that a call is authorised for; `instances` are those of its change, where it does not name them."""
    in_region = {"aws:RequestedRegion": facts.place.region}
    if call.service == "iam":
        return list(_of_iam(call, facts))
    if call.operation == "RunInstances":
        found = _launch(call.params, facts)
    elif call.operation in ("CreateSecurityGroup", "ImportKeyPair"):
        found = _creation(call, facts)
    else:
        found = _on_things(call, facts, tuple(instances))
    return [replace(each, keys={**in_region, **each.keys}) for each in found]


# --- EC2


def _thing(action: str, id_: Any, facts: Facts, keys: Keys | None = None, type_: str = "") -> Request:
    """An action on one thing by its id; what is to be made has the environment's tags."""
    is_new = isinstance(id_, Output) or id_ in (NEW, ANY)
    named = ANY if is_new else str(id_)
    kind = type_ or _TYPES.get(named.rpartition("-")[0], "instance")
    (arn,) = facts.place.ec2(kind, named)
    tags = {**facts.own_tags, **_mark(kind)} if is_new else facts.tags.get(named, {})
    context: dict[str, str | tuple[str, ...]] = {f"{OWN_TAG}{key}": value for key, value in tags.items()}
    unknown = () if is_new or named in facts.tags else (OWN_TAG, "ec2:ResourceTag/")
    return Request(action, arn, {**context, **(keys or {})}, unknown)


def _mark(type_: str) -> Mapping[str, str]:
    """The tag that a new thing of a type has besides; its value is in no condition."""
    mark = MARKS.get(type_.replace("-", "_"))
    return {mark: NEW} if mark else {}


def _on_things(call: Call, facts: Facts, instances: tuple[str, ...]) -> Iterator[Request]:
    action, params = f"ec2:{call.operation}", call.params
    keys: dict[str, str | tuple[str, ...]] = {}
    if call.operation in ("CreateTags", "DeleteTags"):
        keys |= _tags(params.get("Tags", ()), is_deleted=call.operation == "DeleteTags")
    profile = (params.get("IamInstanceProfile") or {}).get("Name")
    if profile:
        (keys["ec2:NewInstanceProfile"],) = facts.place.iam("instance-profile", f"{_path(facts)}{profile}")
    for id_ in _named(params, instances):
        type_ = "security-group" if "GroupId" in params else ""
        had = facts.profiles.get(id_) if isinstance(id_, str) else None
        yield _thing(action, id_, facts, {**keys, **({"ec2:InstanceProfile": had} if had else {})}, type_)
    for group in params.get("Groups", ()):
        yield _thing(action, group, facts, type_="security-group")
    if "TagSpecifications" in params:
        yield from _tagged_at_creation(call, facts)
    if profile:
        yield from _passed(str(profile), facts)


def _named(params: Mapping[str, Any], instances: tuple[str, ...]) -> list[Any]:
    """What a call is about: one of several that are alike stands for all."""
    for name in ("InstanceId", "VolumeId", "NetworkInterfaceId", "GroupId", "KeyPairId"):
        if name in params:
            return [params[name]]
    for name in ("InstanceIds", "Resources"):
        if params.get(name):
            return list(params[name])
    rows = params.get("InstanceCreditSpecifications")
    if rows:
        return [row["InstanceId"] for row in rows]
    return list(instances) or [ANY]


def _tags(tags: Iterable[Mapping[str, Any]], is_deleted: bool = False) -> dict[str, str | tuple[str, ...]]:
    listed = list(tags)
    keys: dict[str, str | tuple[str, ...]] = {"aws:TagKeys": tuple(str(tag["Key"]) for tag in listed)}
    for tag in listed:
        if not is_deleted or "Value" in tag:
            keys[f"aws:RequestTag/{tag['Key']}"] = str(tag.get("Value", ""))
    return keys


def _specified(params: Mapping[str, Any]) -> dict[str, dict[str, str | tuple[str, ...]]]:
    return {spec["ResourceType"]: _tags(spec["Tags"]) for spec in params.get("TagSpecifications", ())}


def _tagged_at_creation(call: Call, facts: Facts) -> Iterator[Request]:
    for type_, tags in _specified(call.params).items():
        name = str(call.params["KeyName"]) if type_ == "key-pair" else ANY
        (arn,) = facts.place.ec2(type_, name)
        yield Request("ec2:CreateTags", arn, {**tags, "ec2:CreateAction": call.operation})


def _creation(call: Call, facts: Facts) -> Iterator[Request]:
    action, tags = f"ec2:{call.operation}", _specified(call.params)
    if call.operation == "ImportKeyPair":
        (arn,) = facts.place.ec2("key-pair", str(call.params["KeyName"]))
        yield Request(action, arn, tags.get("key-pair", {}))
    else:
        (arn,) = facts.place.ec2("security-group")
        yield Request(action, arn, tags.get("security-group", {}))
        if "VpcId" in call.params:
            yield _thing(action, call.params["VpcId"], facts)
    yield from _tagged_at_creation(call, facts)


def _launch(params: Mapping[str, Any], facts: Facts) -> Iterator[Request]:
    action, place, tags = "ec2:RunInstances", facts.place, _specified(params)
    image = str(params.get("ImageId", ANY))
    owner: Keys = {"ec2:Owner": facts.owners[image]} if image in facts.owners else {}
    yield Request(action, place.ec2("image", image)[0], owner, () if owner else ("ec2:Owner",))
    yield Request(
        action, place.ec2("instance")[0], {**_of_new_instance(params, facts), **tags.get("instance", {})}
    )
    yield Request(action, place.ec2("volume")[0], tags.get("volume", {}))
    interface = (params.get("NetworkInterfaces") or [{}])[0]
    subnet = interface.get("SubnetId") or params.get("SubnetId")
    within: Keys = {"ec2:Subnet": place.ec2("subnet", str(subnet))[0]} if subnet else {}
    yield Request(action, place.ec2("network-interface")[0], within)
    if subnet:
        yield _thing(action, subnet, facts)
    for group in params.get("SecurityGroupIds") or interface.get("Groups") or ():
        yield _thing(action, group, facts, type_="security-group")
    if params.get("KeyName"):
        yield _thing(action, params["KeyName"], facts, type_="key-pair")
    group_name = (params.get("Placement") or {}).get("GroupName")
    if group_name:
        yield Request(action, place.ec2("placement-group", str(group_name))[0])
    target = (params.get("CapacityReservationSpecification") or {}).get("CapacityReservationTarget") or {}
    if target.get("CapacityReservationId"):
        yield _thing(action, target["CapacityReservationId"], facts)
    if target.get("CapacityReservationResourceGroupArn"):
        yield Request(action, str(target["CapacityReservationResourceGroupArn"]))
    yield from _tagged_at_creation(Call("ec2", "RunInstances", params), facts)
    profile = (params.get("IamInstanceProfile") or {}).get("Name")
    if profile:
        yield from _passed(str(profile), facts)


def _of_new_instance(params: Mapping[str, Any], facts: Facts) -> Keys:
    """What policies can ask of an instance that is launched, as far as the launch says it."""
    market = (params.get(MARKET) or {}).get("MarketType", "on-demand")
    keys = {
        "ec2:InstanceType": params.get("InstanceType"),
        "ec2:InstanceMarketType": market,
        "ec2:MetadataHttpTokens": (params.get("MetadataOptions") or {}).get("HttpTokens"),
        "ec2:Tenancy": (params.get("Placement") or {}).get("Tenancy"),
    }
    profile = (params.get("IamInstanceProfile") or {}).get("Name")
    if profile:
        (keys["ec2:InstanceProfile"],) = facts.place.iam("instance-profile", f"{_path(facts)}{profile}")
    return {key: str(value) for key, value in keys.items() if value}


# --- IAM


def _path(facts: Facts) -> str:
    return f"provisioner/{facts.place.environment}/"


def _role(name: str, facts: Facts) -> str:
    return facts.place.iam("role", f"{_path(facts)}{name}")[0]


def _passed(profile: str, facts: Facts) -> Iterator[Request]:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html."""
    service: Keys = {"iam:PassedToService": facts.place.ec2_service}
    yield Request("iam:PassRole", _role(facts.role_of.get(profile, ANY), facts), service)


def _of_iam(call: Call, facts: Facts) -> Iterator[Request]:
    params, action = call.params, f"iam:{call.operation}"
    profile, role = params.get("InstanceProfileName"), params.get("RoleName")
    tags = _tags(params["Tags"]) if params.get("Tags") else {}
    keys: dict[str, str | tuple[str, ...]] = {**tags}
    if params.get("TagKeys"):
        keys["aws:TagKeys"] = tuple(params["TagKeys"])
    unknown: tuple[str, ...] = ()
    is_creation = call.operation in ("CreateRole", "CreateInstanceProfile")
    if not is_creation:
        keys |= {f"{OWN_TAG}{key}": value for key, value in facts.own_tags.items()}
        unknown = (OWN_TAG, "iam:ResourceTag/")
    if profile:
        arn = facts.place.iam("instance-profile", f"{_path(facts)}{profile}")[0]
    else:
        arn = _role(str(role), facts)
        boundary = params.get("PermissionsBoundary") or facts.boundaries.get(str(role))
        if boundary and (is_creation is False or "PermissionsBoundary" in params):
            keys["iam:PermissionsBoundary"] = str(boundary)
        if str(role) not in facts.boundaries:
            unknown = (*unknown, "iam:PermissionsBoundary")
    if params.get("PolicyArn"):
        keys["iam:PolicyARN"] = str(params["PolicyArn"])
    yield Request(action, arn, keys, unknown)
    if is_creation and tags:
        yield Request("iam:TagInstanceProfile" if profile else "iam:TagRole", arn, tags)
    if call.operation == "AddRoleToInstanceProfile":
        service: Keys = {"iam:PassedToService": facts.place.ec2_service}
        yield Request("iam:PassRole", _role(str(role), facts), service)
