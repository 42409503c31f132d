"""Rules of security groups as values: read from EC2, sent to EC2, compared, and put into words.

EC2 keeps one spelling of each: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, NamedTuple

from provisioner.kinds.tags import text
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Output

# Where EC2 lists the peers of each sort, and what it calls them there.
_CIDR4, _CIDR6, GROUP, PREFIX_LIST = "cidr4", "cidr6", "group", "prefix_list"
_LISTS = {
    _CIDR4: ("IpRanges", "CidrIp"),
    _CIDR6: ("Ipv6Ranges", "CidrIpv6"),
    GROUP: ("UserIdGroupPairs", "GroupId"),
    PREFIX_LIST: ("PrefixListIds", "PrefixListId"),
}
ALL = "-1"
WITH_PORTS = ("tcp", "udp")
ICMP = ("icmp", "icmpv6")
MAX_PORT = 65535
_NUMBERS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": ALL}
EVERYWHERE = ("0.0.0.0/0", "::/0")
# What ends the description of a rule whose address was that of whoever made it: by this it is known again.
MY_IP_MARK = "(my_ip)"


class Peer(NamedTuple):
    """Where traffic comes from or goes to.

    `sort` is cidr4, cidr6, group or prefix_list, as EC2 has them; a spec has two more, whose value is known
    only from AWS: `key`, a group of the spec, and `my_ip`.
    """

    sort: str
    value: str | Output

    @property
    def is_everywhere(self) -> bool:
        return self.value in EVERYWHERE

    @property
    def is_one_address(self) -> bool:
        return (self.sort, str(self.value).partition("/")[2]) in ((_CIDR4, "32"), (_CIDR6, "128"))


class Traffic(NamedTuple):
    """What makes two rules of a group and direction the same: all but the description."""

    protocol: str
    from_port: int | None
    to_port: int | None
    peer: Peer


@dataclass(frozen=True)
class Rule:
    """A rule, for what comes in or goes out."""

    is_egress: bool
    traffic: Traffic
    description: str | None = None

    @property
    def is_my_ip(self) -> bool:
        """Whether it says that its address was that of whoever made it."""
        return (self.description or "").endswith(MY_IP_MARK)

    def to(self, peer: Peer) -> Rule:
        """The same rule with another peer."""
        return replace(self, traffic=self.traffic._replace(peer=peer))


ALL_OUT = tuple(
    Rule(True, Traffic(ALL, None, None, Peer(sort, block)))
    for sort, block in zip((_CIDR4, _CIDR6), EVERYWHERE, strict=True)
)
"""What EC2 lets out of a new group: all, to IPv6 addresses only where the VPC has such."""


def protocol_name(written: str | int) -> str:
    """A protocol as EC2 calls it."""
    name = str(written).lower()
    number = str(int(name)) if name.isdecimal() else name
    return _NUMBERS.get(number, number)


def block(written: str) -> Peer:
    """A block of addresses without host bits, as EC2 keeps it. Raises ValueError for what is none."""
    network = ip_network(written, strict=False)
    return Peer(_CIDR4 if network.version == 4 else _CIDR6, str(network))


def group_peer(group: str | Output) -> Peer:
    """The instances that have a group, by its id."""
    return Peer(GROUP, group)


def prefix_list_peer(prefix_list: str) -> Peer:
    """The blocks of a prefix list, by its id."""
    return Peer(PREFIX_LIST, prefix_list)


def rules_of(permissions: Iterable[Mapping[str, Any]], is_egress: bool) -> Iterator[Rule]:
    """The rules in IpPermissions of DescribeSecurityGroups. Raises LookupError and IncompleteAnswer."""
    for permission in permissions:
        protocol = protocol_name(text(permission, "IpProtocol"))
        ports = permission.get("FromPort"), permission.get("ToPort")
        first, last = ports if protocol in (*WITH_PORTS, *ICMP) else (None, None)
        for sort, (listed, name) in _LISTS.items():
            for one in permission.get(listed, ()):
                if name not in one:
                    continue
                peer = Peer(sort, text(one, name))
                yield Rule(is_egress, Traffic(protocol, first, last, peer), one.get("Description") or None)


def traffic_of(shown: Mapping[str, Any]) -> tuple[bool, Traffic]:
    """The direction and the traffic of a rule of DescribeSecurityGroupRules."""
    protocol = protocol_name(text(shown, "IpProtocol"))
    ports = shown.get("FromPort"), shown.get("ToPort")
    first, last = ports if protocol in (*WITH_PORTS, *ICMP) else (None, None)
    if "CidrIpv4" in shown:
        peer = Peer(_CIDR4, shown["CidrIpv4"])
    elif "CidrIpv6" in shown:
        peer = Peer(_CIDR6, shown["CidrIpv6"])
    elif "PrefixListId" in shown:
        peer = Peer(PREFIX_LIST, shown["PrefixListId"])
    else:
        peer = Peer(GROUP, text(shown["ReferencedGroupInfo"], "GroupId"))
    return bool(shown["IsEgress"]), Traffic(protocol, first, last, peer)


def permission(rule: Rule) -> dict[str, Any]:
    """A rule as calls take it."""
    protocol, first, last, peer = rule.traffic
    listed, name = _LISTS[peer.sort]
    said = {"Description": rule.description} if rule.description else {}
    ports = {} if first is None else {"FromPort": first, "ToPort": last}
    return {"IpProtocol": protocol, **ports, listed: [{name: peer.value, **said}]}


def in_words(rule: Rule, named: Mapping[str | Output, Address]) -> str:
    """`tcp 22 from 10.0.0.0/8 (office)`; `named` are the groups of the spec by their ids."""
    protocol, first, last, peer = rule.traffic
    where = f"{'to' if rule.is_egress else 'from'} {named.get(peer.value, peer.value)}"
    why = f" {rule.description}" if rule.is_my_ip else f" ({rule.description})"
    return f"{_what(protocol, first, last)} {where}{why if rule.description else ''}"


def _what(protocol: str, first: int | None, last: int | None) -> str:
    if protocol == ALL:
        return "all traffic"
    if first is None:
        return f"protocol {protocol}"
    if protocol in ICMP:
        if first == -1:
            return protocol
        return f"{protocol} type {first}" + ("" if last == -1 else f" code {last}")
    if (first, last) == (0, MAX_PORT):
        return f"{protocol} all ports"
    return f"{protocol} {first}" if first == last else f"{protocol} {first}-{last}"
