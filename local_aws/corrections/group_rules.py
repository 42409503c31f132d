"""Rules of security groups as EC2 keeps them: one source each, in one spelling.

EC2 API Reference, IpPermission, SecurityGroupRule and AuthorizeSecurityGroupIngress: protocols by name or
number, ports for TCP and UDP, types and codes for ICMP, and none for others, whatever was said; CIDR blocks
are canonicalised (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html).
moto keeps what it is given, so that two spellings are two rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule

from local_aws.call import AwsError

MAX_TEXT = 255
TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]*")
"""The characters of names and descriptions of groups, and of descriptions of rules."""

_NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}
_WITH_PORTS = ("tcp", "udp")
_ICMP = ("icmp", "icmpv6")


@dataclass(frozen=True)
class Rule:
    """A rule without its id. `source` is its kind (cidr4, cidr6, group, prefix_list) and what it names."""

    protocol: str
    from_port: int | None
    to_port: int | None
    source: tuple[str, str]
    description: str | None = None

    @property
    def key(self) -> Rule:
        """What makes two rules the same: all but the description."""
        return replace(self, description=None)


def asked_rules(params: dict[str, Any]) -> list[Rule]:
    """The rules that a call names, in its IpPermissions or in its own parameters. Raises AwsError."""
    permissions = params.get("IpPermissions")
    if permissions is None:
        one = dict(params)
        if one.get("CidrIp"):
            one["IpRanges"] = [{"CidrIp": one["CidrIp"]}]
        permissions = [one]
    return [rule for permission in permissions for rule in _rules(permission)]


def _rules(permission: dict[str, Any]) -> Iterator[Rule]:
    protocol = _protocol(permission.get("IpProtocol"))
    from_port, to_port = _ports(protocol, permission.get("FromPort"), permission.get("ToPort"))
    sources = list(_sources(permission))
    if not sources:
        raise AwsError("MissingParameter", "The request must contain the parameter cidrIp or a source.")
    for source, description in sources:
        check_text(description or "", "rule description")
        yield Rule(protocol, from_port, to_port, source, description)


def _sources(permission: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str | None]]:
    for block in permission.get("IpRanges") or []:
        yield ("cidr4", _canonical(block.get("CidrIp") or "", IPv4Network)), block.get("Description")
    for block in permission.get("Ipv6Ranges") or []:
        yield ("cidr6", _canonical(block.get("CidrIpv6") or "", IPv6Network)), block.get("Description")
    for pair in permission.get("UserIdGroupPairs") or []:
        yield ("group", pair.get("GroupId") or ""), pair.get("Description")
    for listed in permission.get("PrefixListIds") or []:
        yield ("prefix_list", listed.get("PrefixListId") or ""), listed.get("Description")


def _protocol(text: Any) -> str:
    if not text:
        message = (
            "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly."
        )
        raise AwsError("InvalidParameterValue", message)
    name = _NAMES.get(str(text).lower(), str(text).lower())
    if name in (*_WITH_PORTS, *_ICMP, "-1") or (name.isdecimal() and int(name) <= 255):
        return name
    raise AwsError("InvalidParameterValue", f"Invalid value '{text}' for IP protocol. Unknown protocol.")


def _ports(protocol: str, first: Any, last: Any) -> tuple[int | None, int | None]:
    if protocol not in (*_WITH_PORTS, *_ICMP):
        return None, None
    if protocol == "icmpv6" and first is None and last is None:
        return -1, -1
    if first is None or last is None:
        text = f"Invalid value 'Must specify both from and to ports with {protocol.upper()}.' for portRange."
        raise AwsError("InvalidParameterValue", text)
    low, high = int(first), int(last)
    if protocol in _WITH_PORTS:
        is_right = 0 <= low <= high <= 65535
    else:
        # All types have all codes.
        is_right = (low, high) == (-1, -1) or (0 <= low <= 255 and -1 <= high <= 255)
    if not is_right:
        raise AwsError("InvalidParameterValue", f"Invalid value '{low}-{high}' for portRange.")
    return low, high


def _canonical(text: str, family: type[IPv4Network] | type[IPv6Network]) -> str:
    try:
        if "/" in text:
            return str(family(text, strict=False))
    except ValueError:
        pass
    raise AwsError("InvalidParameterValue", f"CIDR block {text} is malformed")


def check_text(text: str, what: str) -> None:
    """Raises InvalidParameterValue for a description that EC2 does not take."""
    if len(text) > MAX_TEXT or not TEXT.fullmatch(text):
        message = (
            f"Invalid {what}. Valid descriptions are strings less than 256 characters from the following "
            "set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
        )
        raise AwsError("InvalidParameterValue", message)


def rule_of(kept: SecurityGroupRule) -> Rule:
    """A rule of moto's as a value."""
    described = kept.ip_range.get("Description") or kept.source_group.get("Description")
    described = described or getattr(kept, "list_description", None)
    if kept.prefix_list_id:
        source = ("prefix_list", kept.prefix_list_id)
    elif kept.source_group:
        source = ("group", kept.source_group["GroupId"])
    elif "CidrIp" in kept.ip_range:
        source = ("cidr4", kept.ip_range["CidrIp"])
    else:
        source = ("cidr6", kept.ip_range["CidrIpv6"])
    return Rule(kept.ip_protocol or "-1", kept.from_port, kept.to_port, source, described)


def kept_rule(group: Any, rule: Rule, is_egress: bool, tags: dict[str, str]) -> SecurityGroupRule:
    """The rule as moto keeps it, with an id."""
    kept = SecurityGroupRule(group.ec2_backend, "-1", group.id, None, None, None, is_egress=is_egress)
    kept.ip_protocol, kept.from_port, kept.to_port = rule.protocol, rule.from_port, rule.to_port
    sort, value = rule.source
    if sort == "group":
        kept.source_group = {"GroupId": value, "UserId": group.owner_id}
    elif sort == "prefix_list":
        kept.prefix_list_id = value
    else:
        kept.ip_range = {"CidrIp" if sort == "cidr4" else "CidrIpv6": value}
    kept.add_tags(tags)
    describe(kept, rule.description)
    return kept


def describe(kept: SecurityGroupRule, description: str | None) -> None:
    """Gives a rule another description; None: no more."""
    holder: Any = kept.source_group or kept.ip_range
    if kept.prefix_list_id:
        kept.list_description = description
    elif description is None:
        holder.pop("Description", None)
    else:
        holder["Description"] = description


def rule_view(kept: SecurityGroupRule) -> dict[str, Any]:
    """A rule as DescribeSecurityGroupRules shows it."""
    rule = rule_of(kept)
    sort, value = rule.source
    group = {"GroupId": value, "UserId": kept.owner_id} if sort == "group" else None
    return {
        "SecurityGroupRuleId": kept.id,
        "GroupId": kept.group_id,
        "GroupOwnerId": kept.owner_id,
        "IsEgress": kept.is_egress,
        "IpProtocol": rule.protocol,
        "FromPort": -1 if rule.from_port is None else rule.from_port,
        "ToPort": -1 if rule.to_port is None else rule.to_port,
        "CidrIpv4": value if sort == "cidr4" else None,
        "CidrIpv6": value if sort == "cidr6" else None,
        "PrefixListId": value if sort == "prefix_list" else None,
        "ReferencedGroupInfo": group,
        "Description": rule.description,
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in kept.get_tags()],
    }


def permissions_view(rules: list[SecurityGroupRule], owner: str) -> list[dict[str, Any]]:
    """Rules as DescribeSecurityGroups shows them: those of the same protocol and ports together."""
    views: dict[tuple[Any, ...], dict[str, Any]] = {}
    for rule in map(rule_of, rules):
        view = views.setdefault(
            (rule.protocol, rule.from_port, rule.to_port),
            {
                "IpProtocol": rule.protocol,
                "FromPort": rule.from_port,
                "ToPort": rule.to_port,
                "IpRanges": [],
                "Ipv6Ranges": [],
                "UserIdGroupPairs": [],
                "PrefixListIds": [],
            },
        )
        sort, value = rule.source
        said = {"Description": rule.description}
        if sort == "cidr4":
            view["IpRanges"].append({"CidrIp": value, **said})
        elif sort == "cidr6":
            view["Ipv6Ranges"].append({"CidrIpv6": value, **said})
        elif sort == "group":
            view["UserIdGroupPairs"].append({"GroupId": value, "UserId": owner, **said})
        else:
            view["PrefixListIds"].append({"PrefixListId": value, **said})
    return list(views.values())
