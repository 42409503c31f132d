"""What comparing groups needs beyond them: ids of rules that go, names that are taken, who uses what goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader, World, both
from provisioner.kinds.instances import MAX_FILTER_VALUES, chunks
from provisioner.kinds.ownership import is_ours
from provisioner.kinds.security_group.my_ip import MyIpUnknown, find_my_ip
from provisioner.kinds.security_group.observed import (
    FoundGroup,
    FoundVpc,
    ObservedGroup,
    as_vpc,
    find_groups,
    find_rule_ids,
)
from provisioner.kinds.security_group.rules import GROUP, PREFIX_LIST, Traffic
from provisioner.kinds.security_group.spec import KIND, SecurityGroup
from provisioner.kinds.security_group.users import (
    Interface,
    find_interfaces,
    find_referring,
    staying_users,
)
from provisioner.kinds.security_group.wanted import differences, needs_my_ip, wanted_rules
from provisioner.model import Address
from provisioner.retry import is_withheld

Observed = dict[Address, ObservedGroup]


def observe_details(reader: Reader, world: World) -> Observed:
    """All groups once more, each with what it takes to compare it. Raises AwsError."""
    observed = dict(world.observed_of(ObservedGroup))
    if world.looking or not observed:
        return observed
    desired = world.desired_of(SecurityGroup)
    new = {at: wanted for at, wanted in desired.items() if not observed[at].group}
    ours = {there.group.id: at for at, there in observed.items() if there.group}
    leaving = [id_ for id_, at in ours.items() if at not in desired]
    reads: tuple[Any, ...] = (
        lambda: find_rule_ids(reader, _losing(observed, desired, set(leaving), world)),
        lambda: _taken(reader, observed, new, world.environment.name),
        lambda: _vpcs(reader, [wanted.vpc.id for wanted in new.values() if wanted.vpc.id]),
        lambda: find_interfaces(reader, leaving) if leaving else [],
        lambda: find_referring(reader, leaving, ours) if leaving else [],
        lambda: _with_my_ip(observed, desired),
        lambda: _absent(reader, observed, desired, world),
    )
    rule_ids, taken, vpcs, interfaces, referring, observed, absent = reader.parallel(*reads)
    observed = {
        at: replace(
            there,
            rule_ids=rule_ids.get(there.group.id, {}) if there.group else {},
            taken=taken.get((there.vpc, there.new_name)),
        )
        for at, there in observed.items()
    }
    for at, wanted in new.items():
        if wanted.vpc.id:
            vpc: FoundVpc = vpcs[wanted.vpc.id]
            observed[at] = replace(observed[at], has_ipv6=vpc.has_ipv6, problem=vpc.problem)
    for at, problem in absent.items():
        observed[at] = replace(observed[at], problem=observed[at].problem or problem)
    return _with_users(observed, leaving, interfaces, referring, world)


def _absent(
    reader: Reader, observed: Observed, desired: Mapping[Address, SecurityGroup], world: World
) -> dict[Address, tuple[str, str]]:
    """Which groups are to get rules that name a group or a prefix list that EC2 does not have."""
    named: dict[str, dict[str, list[Address]]] = {GROUP: {}, PREFIX_LIST: {}}
    for at, wanted in desired.items():
        rules = wanted_rules(wanted, observed[at], world)
        for rule in differences(wanted, observed[at].group, rules).missing:
            sort, value = rule.traffic.peer
            if sort in named and isinstance(value, str):
                named[sort].setdefault(value, []).append(at)
    ours = {there.group.id for there in observed.values() if there.group}
    groups, lists = sorted(named[GROUP].keys() - ours), sorted(named[PREFIX_LIST])
    found_groups, found_lists = both(
        reader,
        lambda: {group.id for group in find_groups(reader, "group-id", groups)} if groups else set(),
        lambda: _prefix_lists(reader, lists) if lists else set(),
    )
    return {
        at: (f"there is no {what} {id_} in this region", f"correct `{field}:`")
        for sort, what, field, absent in (
            (GROUP, "security group", "group_id", set(groups) - found_groups),
            (PREFIX_LIST, "prefix list", "prefix_list", set(lists) - found_lists),
        )
        for id_ in sorted(absent)
        for at in named[sort][id_]
    }


def _prefix_lists(reader: Reader, ids: list[str]) -> set[str]:
    """Which of these prefix lists there are; all, where these credentials may not look: EC2 tells then.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeManagedPrefixLists.html
    """
    asked = ([{"Name": "prefix-list-id", "Values": list(part)}] for part in chunks(ids, MAX_FILTER_VALUES))
    try:
        return {
            listed["PrefixListId"]
            for filters in asked
            for listed in reader.pages("ec2", "DescribeManagedPrefixLists", "PrefixLists", Filters=filters)
        }
    except AwsError as error:
        if not is_withheld(error):
            raise
        return set(ids)


def _losing(
    observed: Observed, desired: Mapping[Address, SecurityGroup], leaving: set[str], world: World
) -> list[str]:
    """The ids of the groups that may lose rules: by the spec, or because they name a group that goes."""
    found = []
    for at, there in observed.items():
        if there.group is None:
            continue
        wanted = desired.get(at)
        is_surplus = wanted and differences(wanted, there.group, wanted_rules(wanted, there, world)).surplus
        if is_surplus or (wanted and wanted.refresh_my_ip) or there.group.refers_to & leaving:
            found.append(there.group.id)
    return found


def _taken(
    reader: Reader, observed: Observed, new: Mapping[Address, SecurityGroup], environment: str
) -> dict[tuple[str | None, str], FoundGroup]:
    """The groups of others that have the name of a new one, by VPC and name.

    One that another run of the environment has made since the first look is none of them: EC2 says that it
    is there, and the run looks again.
    """
    names = sorted({observed[at].new_name for at in new})
    ours = {there.group.id for there in observed.values() if there.group}
    found = find_groups(reader, "group-name", names) if names else []
    return {
        (group.vpc, group.name): group
        for group in found
        if group.id not in ours and not is_ours(KIND, group.tags, environment)
    }


def _vpcs(reader: Reader, ids: list[str]) -> dict[str, FoundVpc]:
    """The VPCs that the spec names by id, for groups that are to be made."""
    if not ids:
        return {}
    found = {
        raw["VpcId"]: as_vpc(raw)
        for part in chunks(sorted(set(ids)), MAX_FILTER_VALUES)
        for raw in reader.pages(
            "ec2", "DescribeVpcs", "Vpcs", Filters=[{"Name": "vpc-id", "Values": list(part)}]
        )
    }
    absent = {id_: (f"there is no {id_} in this region", "correct `vpc:`") for id_ in ids}
    return {id_: found.get(id_) or FoundVpc(problem=absent[id_]) for id_ in ids}


def _with_my_ip(observed: Observed, desired: Mapping[Address, SecurityGroup]) -> Observed:
    """The groups with the address of whoever runs this, where a rule needs it."""
    needing = {at: wanted for at, wanted in desired.items() if needs_my_ip(wanted, observed[at])}
    if not needing:
        return observed
    try:
        address = find_my_ip(next(iter(needing.values())).my_ip)
    except MyIpUnknown as unknown:
        problem = (unknown.message, unknown.hint or "")
        return observed | {at: replace(observed[at], problem=problem) for at in needing}
    return observed | {at: replace(observed[at], my_ip=address) for at in needing}


def _with_users(
    observed: Observed,
    leaving: list[str],
    interfaces: list[Interface],
    referring: list[FoundGroup],
    world: World,
) -> Observed:
    """The groups that go with who keeps them, and with the rules of others of ours that name them."""
    groups = {at: there.group for at, there in observed.items() if there.group}
    users = {
        at: tuple(staying_users(group, interfaces, referring, world))
        for at, group in groups.items()
        if group.id in leaving
    }
    # What stays keeps what it names.
    while True:
        staying = {at: group for at, group in groups.items() if users.get(at)}
        more = {
            at: (f"rules of {other}, which stays, name it",)
            for at, told in users.items()
            if not told
            for other, group in staying.items()
            if groups[at].id in group.refers_to
        }
        if not more:
            break
        users |= more
    return observed | {
        at: replace(
            observed[at],
            users=told,
            referring=tuple(
                (other.id, is_egress, ids)
                for other_at, other in groups.items()
                if other_at != at
                for is_egress in (False, True)
                if (ids := _naming(observed[other_at].rule_ids, groups[at].id, is_egress))
            ),
        )
        for at, told in users.items()
    }


def _naming(rule_ids: Mapping[tuple[bool, Traffic], str], group: str, is_egress: bool) -> tuple[str, ...]:
    """The ids of the rules of one direction that name a group."""
    return tuple(
        id_
        for (direction, traffic), id_ in rule_ids.items()
        if direction is is_egress and traffic.peer == (GROUP, group)
    )
