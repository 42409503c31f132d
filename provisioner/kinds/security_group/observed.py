"""Security groups as EC2 describes them, each at the address where the spec has it, or would have had it.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import partial
from typing import Any

from provisioner.kinds.base import Reader, World, both
from provisioner.kinds.instances import MAX_FILTER_VALUES, chunks, literal
from provisioner.kinds.ownership import FOREIGN, has_mark
from provisioner.kinds.security_group.rules import Rule, Traffic, rules_of, traffic_of
from provisioner.kinds.security_group.spec import KIND, SecurityGroup, Vpc
from provisioner.kinds.tags import as_tags, tags_in_words, text
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Environment, Output
from provisioner.naming import ENVIRONMENT_TAG, GROUP_TAG, key_of


@dataclass(frozen=True)
class FoundGroup:
    """A security group that is there."""

    id: str
    name: str
    description: str
    vpc: str
    owner: str
    tags: Mapping[str, str]
    rules: tuple[Rule, ...]

    @property
    def refers_to(self) -> frozenset[str]:
        """The ids of the other groups that its rules name."""
        peers = (rule.traffic.peer for rule in self.rules)
        return frozenset(str(peer.value) for peer in peers if peer.sort == "group") - {self.id}


@dataclass(frozen=True)
class ObservedGroup:
    """What there is at one address: the group, if there is one, and what was looked up to make it right.

    `vpc` is the one that the spec means, `has_ipv6` whether that has IPv6 addresses, `new_name` what a new
    group would be called, and `taken` the group of others that has that name. `rule_ids` are those of its
    rules, where some may go; `referring` those rules of other groups of the environment that name it, by
    group and direction. `users` is who keeps it from being deleted, in words. `problem` is why nothing can be
    done, and what to do about that. `unread`: there is nothing but the reason why groups could not be read.
    `foreign` are those that carry the environment's tag only, all at one address.
    """

    group: FoundGroup | None = None
    vpc: str | None = None
    has_ipv6: bool = False
    new_name: str = ""
    taken: FoundGroup | None = None
    rule_ids: Mapping[tuple[bool, Traffic], str] = field(default_factory=dict)
    referring: tuple[tuple[str, bool, tuple[str, ...]], ...] = ()
    users: tuple[str, ...] = ()
    my_ip: str | None = None
    problem: tuple[str, str] | None = None
    uses: frozenset[Address] = frozenset()
    unread: str | None = None
    foreign: tuple[FoundGroup, ...] = ()

    @property
    def arn(self) -> str | None:
        """DescribeSecurityGroups does not show one everywhere, and others tell whose account it is."""
        return None

    @property
    def id(self) -> str:
        return self.group.id if self.group else ""

    @property
    def tags(self) -> Mapping[str, str]:
        return self.group.tags if self.group else {}


@dataclass(frozen=True)
class FoundVpc:
    """The VPC that a spec means, or why there is none, and what to do about that."""

    id: str | None = None
    has_ipv6: bool = False
    problem: tuple[str, str] | None = None


def observe_groups(reader: Reader, environment: Environment) -> dict[Address, ObservedGroup]:
    """All groups of the environment, with one call; side by side the VPCs that the spec has not by id."""
    desired = environment.of(SecurityGroup)
    wanted = list(dict.fromkeys(group.vpc for group in desired.values() if group.vpc.id is None))
    tagged, vpcs = both(
        reader,
        lambda: find_groups(reader, f"tag:{ENVIRONMENT_TAG}", [environment.name]),
        lambda: reader.parallel(*(partial(_find_vpc, reader, vpc) for vpc in wanted)),
    )
    found = [group for group in tagged if has_mark(KIND, group.tags)]
    foreign = tuple(group for group in tagged if not has_mark(KIND, group.tags))
    known = dict(zip(wanted, vpcs, strict=True))
    meant = {at: known.get(group.vpc) or FoundVpc(group.vpc.id) for at, group in desired.items()}
    placed = _placed(found, desired, meant, environment.name)
    addresses = {group.id: at for at, group in placed.items()}
    observed = {
        at: ObservedGroup(
            group=placed.get(at),
            vpc=meant[at].id if at in meant else None,
            has_ipv6=at in meant and meant[at].has_ipv6,
            new_name=_new_name(at, desired, meant[at].id, found) if at in desired else "",
            problem=meant[at].problem if at in meant else None,
            uses=frozenset(addresses[id_] for id_ in placed[at].refers_to if id_ in addresses)
            if at in placed
            else frozenset(),
        )
        for at in sorted(desired.keys() | placed.keys())
    }
    return observed | ({Address(KIND, FOREIGN): ObservedGroup(foreign=foreign)} if foreign else {})


def find_groups(
    reader: Reader, name: str, values: Sequence[str], *more: Mapping[str, Any]
) -> list[FoundGroup]:
    """The groups that match a filter. Raises AwsError."""
    return [
        as_group(raw)
        for part in chunks(values, MAX_FILTER_VALUES)
        for raw in reader.pages(
            "ec2",
            "DescribeSecurityGroups",
            "SecurityGroups",
            Filters=[{"Name": name, "Values": [literal(value) for value in part]}, *more],
        )
    ]


def as_group(raw: Mapping[str, Any]) -> FoundGroup:
    """A group of DescribeSecurityGroups. Raises LookupError and IncompleteAnswer."""
    return FoundGroup(
        id=text(raw, "GroupId"),
        name=text(raw, "GroupName"),
        description=raw["Description"],
        vpc=text(raw, "VpcId"),
        owner=text(raw, "OwnerId"),
        tags=as_tags(raw.get("Tags")),
        rules=(*rules_of(raw["IpPermissions"], False), *rules_of(raw["IpPermissionsEgress"], True)),
    )


def find_rule_ids(reader: Reader, groups: Sequence[str]) -> dict[str, dict[tuple[bool, Traffic], str]]:
    """The ids of all rules of some groups, by group. Raises AwsError.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupRules.html
    """
    found: dict[str, dict[tuple[bool, Traffic], str]] = {group: {} for group in groups}
    for part in chunks(groups, MAX_FILTER_VALUES):
        named = [{"Name": "group-id", "Values": list(part)}]
        for raw in reader.pages("ec2", "DescribeSecurityGroupRules", "SecurityGroupRules", Filters=named):
            found.setdefault(raw["GroupId"], {})[traffic_of(raw)] = text(raw, "SecurityGroupRuleId")
    return found


def id_at(address: Address, world: World) -> str | Output:
    """The id of the group that the spec has at an address, or what stands for it until it is made."""
    observed = world.observed_as(ObservedGroup, address)
    if observed and observed.group:
        return observed.group.id
    return Output(address, "CreateSecurityGroup", ("GroupId",))


def vpc_at(address: Address, world: World) -> str | None:
    """The VPC of the group that the spec has at an address, as far as it is known."""
    observed = world.observed_as(ObservedGroup, address)
    return observed.vpc if observed else None


def _find_vpc(reader: Reader, vpc: Vpc) -> FoundVpc:
    by_tags = [
        {"Name": f"tag:{key}", "Values": [literal(value)]} for key, value in sorted((vpc.tags or {}).items())
    ]
    default = [{"Name": "is-default", "Values": ["true"]}]
    found = list(reader.pages("ec2", "DescribeVpcs", "Vpcs", Filters=by_tags or default))
    if len(found) == 1:
        return as_vpc(found[0])
    if not by_tags:
        return FoundVpc(problem=("the region has no default VPC", "say which one: `vpc: vpc-...`"))
    told = tags_in_words(vpc.tags or {})
    if not found:
        return FoundVpc(problem=(f"no VPC has the tags {told}", "correct `vpc:`, or name one by its id"))
    ids = ", ".join(sorted(raw["VpcId"] for raw in found))
    message = f"{len(found)} VPCs have the tags {told}: {ids}"
    return FoundVpc(problem=(message, "name one by its id, or by tags that only one has"))


def as_vpc(raw: Mapping[str, Any]) -> FoundVpc:
    """A VPC of DescribeVpcs."""
    return FoundVpc(text(raw, "VpcId"), bool(raw.get("Ipv6CidrBlockAssociationSet")))


def _placed(
    found: Iterable[FoundGroup],
    desired: Mapping[Address, SecurityGroup],
    vpcs: Mapping[Address, FoundVpc],
    environment: str,
) -> dict[Address, FoundGroup]:
    """Each group at the address of the spec that it is right for, or else at one of its own."""
    left = {group.id: group for group in sorted(found, key=lambda group: (group.name, group.id))}
    placed: dict[Address, FoundGroup] = {}
    for at, wanted in sorted(desired.items()):
        right = [group for group in left.values() if _is_right(group, wanted, vpcs[at])]
        if right:
            placed[at] = left.pop(right[0].id)
    taken = {at.key for at in desired}
    for group in left.values():
        at = Address(KIND, key_of(group.name, environment, taken))
        taken.add(at.key)
        placed[at] = group
    return placed


def _is_right(group: FoundGroup, wanted: SecurityGroup, vpc: FoundVpc) -> bool:
    """Whether a group is what the spec asks for in all that EC2 cannot change."""
    if vpc.id not in (None, group.vpc):
        return False
    if wanted.description not in (None, group.description):
        return False
    if wanted.name:
        return group.name == wanted.name
    number = _number(group.name, wanted.default_name)
    # With a number it may as well be the default name of another key.
    return number == 1 or (number is not None and group.tags.get(GROUP_TAG) == wanted.key)


def _number(name: str, default: str) -> int | None:
    """The number behind a default name, 1 where there is none; None: another name."""
    if name == default:
        return 1
    numbered = re.fullmatch(re.escape(default) + r"-([2-9]|[1-9][0-9]{1,3})", name, re.ASCII)
    return int(numbered[1]) if numbered else None


def _new_name(
    at: Address, desired: Mapping[Address, SecurityGroup], vpc: str | None, found: Iterable[FoundGroup]
) -> str:
    """What a new group is called: where the spec does not say it, what no other of ours is or will be."""
    wanted = desired[at]
    if wanted.name:
        return wanted.name
    names = {group.name.lower() for group in found if group.vpc == vpc}
    names |= {(other.name or other.default_name).lower() for key, other in desired.items() if key != at}
    numbers: Iterator[int] = iter(range(2, len(names) + 3))
    name = wanted.default_name
    while name.lower() in names:
        name = f"{wanted.default_name}-{next(numbers)}"
    return name
