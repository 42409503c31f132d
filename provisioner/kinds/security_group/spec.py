"""A security group as a spec asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from provisioner.kinds.base import Entry, Path
from provisioner.kinds.keep import keep_tags
from provisioner.kinds.security_group.rules import (
    ALL,
    ICMP,
    MAX_PORT,
    MY_IP_MARK,
    WITH_PORTS,
    Peer,
    Rule,
    Traffic,
    block,
    group_peer,
    prefix_list_peer,
    protocol_name,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Environment
from provisioner.naming import GROUP_TAG, default_name, ownership_tags

KIND = "security_group"
SECTION = "security_groups"
MY_IP = "my_ip"
KEY = "key"
# EC2 takes no name that may be an id: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
ID_PREFIX = "sg-"
_SOURCES = ("cidr", "group", "group_id", "prefix_list")


@dataclass(frozen=True)
class Vpc:
    """Where a group is: a VPC by id or by tags, or else the default one."""

    id: str | None = None
    tags: Mapping[str, str] | None = None

    def __hash__(self) -> int:
        return hash((self.id, tuple(sorted((self.tags or {}).items()))))


@dataclass(frozen=True)
class SecurityGroup:
    """A security group; `egress` None: all, as EC2 has it by itself. `name`, `description` None: not said.

    `my_ip` is the address of whoever runs this, where that is known without asking; `refresh_my_ip`: the one
    that rules were made with is not kept.
    """

    key: str
    environment: str
    name: str | None
    description: str | None
    vpc: Vpc
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...] | None
    tags: Mapping[str, str]
    keep: bool | None = None
    my_ip: str | None = None
    refresh_my_ip: bool = False

    @property
    def default_name(self) -> str:
        return default_name(self.environment, self.key)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All that the spec says."""
        return (*self.ingress, *(self.egress or ()))

    @property
    def uses(self) -> frozenset[Address]:
        named = {Address(KIND, str(rule.traffic.peer.value)) for rule in self.rules if is_key(rule)}
        return frozenset(named - {Address(KIND, self.key)})


def with_my_ip(environment: Environment, address: str) -> Environment:
    """The environment with the address, as a block, that my_ip stands for where AWS cannot be asked."""
    return _each_group(environment, my_ip=address)


def refresh_my_ip(environment: Environment) -> Environment:
    """The environment with rules whose my_ip is the present address, whatever they were made with."""
    return _each_group(environment, refresh_my_ip=True)


def _each_group(environment: Environment, **changed: Any) -> Environment:
    groups = {at: replace(group, **changed) for at, group in environment.of(SecurityGroup).items()}
    return replace(environment, resources={**environment.resources, **groups})


def is_key(rule: Rule) -> bool:
    """Whether a rule names a group of the spec."""
    return rule.traffic.peer.sort == KEY


def parse_group(key: str, raw: Mapping[str, Any], entry: Entry) -> SecurityGroup:
    """The entry as a SecurityGroup; what a schema cannot say is reported to `entry`."""
    name = default_name(entry.environment, key)
    if "name" not in raw and name.startswith(ID_PREFIX):
        message = f"the group would be called {name}, and EC2 takes no name that starts with {ID_PREFIX}"
        entry.problem((), message, "give it a `name:`")
    if key.startswith(ID_PREFIX):
        entry.problem((), f"{key} looks like the id of a group", f"take a key without {ID_PREFIX}")
    vpc = raw.get("vpc")
    own = {**ownership_tags(entry.environment), GROUP_TAG: key}
    return SecurityGroup(
        key=key,
        environment=entry.environment,
        name=raw.get("name"),
        description=raw.get("description"),
        vpc=Vpc(vpc) if isinstance(vpc, str) else Vpc(tags=(vpc or {}).get("tags")),
        ingress=_rules(raw.get("ingress", ()), "ingress", entry),
        egress=_rules(raw["egress"], "egress", entry) if "egress" in raw else None,
        tags={**entry.tags, **raw.get("tags", {}), **own, **keep_tags(raw.get("keep"))},
        keep=raw.get("keep"),
    )


def _rules(written: Any, section: str, entry: Entry) -> tuple[Rule, ...]:
    """The rules of one direction, each once; that a rule is there twice is reported with both places."""
    rules: dict[Traffic, Rule] = {}
    places: dict[Traffic, int] = {}
    for index, raw in enumerate(written):
        path: Path = (section, index)
        for rule in _read(raw, section == "egress", path, entry):
            place = places.setdefault(rule.traffic, index)
            if rule.traffic in rules and place == index:
                entry.problem((*path, "cidr"), f"{rule.traffic.peer.value} is in the list twice")
            elif rule.traffic in rules:
                message = f"{section}[{index}] is the same rule as {section}[{place}]: {_told(rule)}"
                entry.problem(path, message, "EC2 takes a rule once; take one of them out")
            rules.setdefault(rule.traffic, rule)
    return tuple(rules.values())


def _told(rule: Rule) -> str:
    protocol, first, last, peer = rule.traffic
    what = "all traffic" if protocol == ALL else protocol
    ports = "" if first is None else f" {first}" if first == last else f" {first}-{last}"
    return f"{what}{ports} {'to' if rule.is_egress else 'from'} {peer.value}"


def _read(raw: Mapping[str, Any], is_egress: bool, path: Path, entry: Entry) -> Iterator[Rule]:
    """The rules that one item of a list stands for; none where it is wrong, which is reported."""
    protocol = protocol_name(raw.get("protocol", "tcp"))
    if protocol.isdecimal() and int(protocol) > 255:
        entry.problem((*path, "protocol"), f"{protocol} is no protocol; they have numbers up to 255")
        return
    ports = _ports(raw, protocol, path, entry)
    peers = _peers(raw, path, entry)
    if ports is None:
        return
    description = raw.get("description")
    if (description or "").endswith(MY_IP_MARK):
        entry.problem((*path, "description"), f"{MY_IP_MARK} at the end is what marks rules with my_ip")
    for peer in peers:
        if protocol == "icmpv6" and peer.sort == "cidr4":
            hint = "write `protocol: icmp`, or a block of IPv6"
            entry.problem((*path, "cidr"), f"icmpv6 does not come from {peer.value}", hint)
        said = f"{description or ''} {MY_IP_MARK}".strip() if peer.sort == MY_IP else description
        yield Rule(is_egress, Traffic(protocol, *ports, peer), said)


def _ports(
    raw: Mapping[str, Any], protocol: str, path: Path, entry: Entry
) -> tuple[int | None, int | None] | None:
    """The ports, or type and code; None: wrong, which is reported.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
    """
    told = "all traffic" if protocol == ALL else f"protocol {protocol}" if protocol.isdecimal() else protocol
    for name in ("type", "code"):
        if name in raw and protocol not in ICMP:
            entry.problem((*path, name), f"{told} has no {name}", "write `protocol: icmp`, or take it out")
            return None
    if protocol in ICMP:
        return _icmp(raw, path, entry)
    if protocol not in WITH_PORTS:
        for name in ("port", "ports"):
            if name in raw and raw[name] != -1:
                hint = "take it out, or write `protocol: tcp` or `udp`"
                entry.problem((*path, name), f"{told} has no ports", hint)
                return None
        return None, None
    if "port" in raw and "ports" in raw:
        entry.problem((*path, "ports"), "a rule has `port` or `ports`, not both", "take one of them out")
        return None
    if raw.get("port") == -1:
        return 0, MAX_PORT
    if "port" in raw:
        return raw["port"], raw["port"]
    if "ports" not in raw:
        hint = "add `port:` or `ports: FIRST-LAST`; `port: -1` stands for all"
        entry.problem(path, f"the rule does not say which ports of {protocol}", hint)
        return None
    first, last = map(int, raw["ports"].split("-"))
    if not first <= last <= MAX_PORT:
        message = f"{raw['ports']} is no range of ports"
        entry.problem((*path, "ports"), message, f"from the lower to the higher, up to {MAX_PORT}")
        return None
    return first, last


def _icmp(raw: Mapping[str, Any], path: Path, entry: Entry) -> tuple[int, int] | None:
    for name in ("port", "ports"):
        if name in raw and raw[name] != -1:
            hint = "write `type:` and `code:`; without them it is all of ICMP"
            entry.problem((*path, name), "ICMP has types and codes, and no ports", hint)
            return None
    type_, code = raw.get("type", -1), raw.get("code", -1)
    if type_ == -1 and code != -1:
        entry.problem((*path, "code"), "a code is one of a type", "add `type:`, or take `code:` out")
        return None
    return type_, code


def _peers(raw: Mapping[str, Any], path: Path, entry: Entry) -> list[Peer]:
    given = [name for name in _SOURCES if name in raw]
    if len(given) != 1:
        has = f"has {' and '.join(given)}" if given else "says neither who nor where"
        hint = f"a rule has one of {', '.join(_SOURCES[:-1])} and {_SOURCES[-1]}"
        entry.problem((*path, given[1]) if given else path, f"the rule {has}", hint)
        return []
    (name,) = given
    value = raw[name]
    if name == "group":
        entry.check_reference((*path, name), SECTION, value)
        return [Peer(KEY, value)]
    if name == "group_id":
        return [group_peer(value)]
    if name == "prefix_list":
        return [prefix_list_peer(value)]
    blocks = [value] if isinstance(value, str) else value
    peers = []
    for index, one in enumerate(blocks):
        at: Path = (*path, name) if isinstance(value, str) else (*path, name, index)
        peers += _block(one, at, entry)
    return peers


def _block(written: str, path: Path, entry: Entry) -> list[Peer]:
    if written == MY_IP:
        return [Peer(MY_IP, MY_IP)]
    try:
        peer = block(written)
    except ValueError:
        hint = "write a block such as 10.0.0.0/8 or 2001:db8::/32"
        entry.problem(path, f"{written} is no block of addresses", hint)
        return []
    if "/" not in written:
        entry.problem(path, f"{written} is an address, and no block", f"write {peer.value} for it alone")
        return []
    return [peer]
