"""What the account has of that which a launch needs: subnets, image, key pair, security groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from provisioner.denial import in_short
from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.observed import ObservedFleet, ObservedImage, Prerequisites, Problem, Subnet
from provisioner.kinds.fleet.read import aside
from provisioner.kinds.fleet.read.aside import TOO_LATE, Aside
from provisioner.kinds.fleet.read.images import MissingPrerequisite, as_problem, describe_image, is_absent
from provisioner.kinds.fleet.read.launch_fit import (
    ObservedType,
    as_type,
    image_volume_problems,
    is_in_doubt,
    machine_of,
    platform_problems,
    resize_problems,
    speaks_against,
    type_problems,
)
from provisioner.kinds.fleet.read.missing import (
    key_pairs,
    missing,
)
from provisioner.kinds.fleet.read.subnets import check_zones, find_subnets, offered_zones, with_the_type
from provisioner.kinds.fleet.read.types import describe_types
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Instance
from provisioner.retry import is_withheld

# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
GROUPS_EVERYWHERE = 5
GROUPS_QUOTA = "vpc-max-security-groups-per-interface"


class Intent(NamedTuple):
    """What is about to be done: to launch, even out subnets, change types, change security groups.

    `types` are those of all fleets of the spec. `resized` are the members that get another type, without
    being replaced; `replacing`: others go for new ones.
    """

    launching: bool
    placing: bool
    resizing: bool
    regrouping: bool
    types: tuple[str, ...]
    resized: tuple[Instance, ...] = ()
    replacing: bool = False


def observe_prerequisites(
    reader: Reader, fleet: Fleet, observed: ObservedFleet, image: str, intent: Intent
) -> tuple[Prerequisites, tuple[Problem, ...], tuple[str, ...]]:
    """What that needs to know of the account; what is wrong with it; and what could not be checked.

    What merely tells early what EC2 would refuse is left to EC2 where these credentials may not look.
    """
    problems: list[Problem] = []
    unchecked: list[str] = []

    def read_if(needed: bool, read: Callable[[], Any], otherwise: Any) -> Callable[[], Any]:
        return _careful(read, otherwise, problems) if needed else lambda: otherwise

    def check(what: str, read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except AwsError as error:
            if not is_withheld(error):
                raise
            unchecked.append(f"{what} was not checked: {in_short(error)}")
            return otherwise

    types_told = " or ".join(fleet.instance_types)

    def offered() -> set[str] | None:
        where = f"where there is {types_told}"
        zones: set[str] | None = check(where, lambda: offered_zones(reader, fleet, intent.types), None)
        return zones

    def where() -> tuple[Subnet, ...]:
        subnets = find_subnets(reader, fleet)
        if fleet.tenancy == "default":
            vpcs = sorted({subnet.vpc for subnet in subnets})
            check("the tenancy of the VPC", lambda: _check_tenancy(reader, vpcs), None)
        zones = offered()
        return subnets if zones is None else with_the_type(fleet, subnets, zones)

    def types() -> None:
        zones = offered()
        if zones is not None:
            check_zones(fleet, {member.zone for member in observed.members}, zones)

    members = [machine_of(member) for member in intent.resized]
    concerned = intent.launching or bool(intent.resized)
    begun: list[Aside[dict[str, Mapping[str, Any]]]] = []

    def begin_if_in_doubt(found: ObservedImage) -> None:
        if concerned and not begun and is_in_doubt(fleet, (found, *members)):
            begun.append(Aside(lambda: describe_types(reader, intent.types)))

    def image_found() -> ObservedImage:
        is_there: ObservedImage = check(
            f"image {image}", lambda: describe_image(reader, fleet, observed, image), ObservedImage(image)
        )
        begin_if_in_doubt(is_there)
        return is_there

    def key() -> None:
        check(f"key pair {fleet.key_name}", lambda: _check_key(reader, fleet), None)

    def abilities(found: ObservedImage) -> tuple[ObservedType, ...]:
        # Where members would be stopped or replaced for it, or names speak against it, it has to be known.
        is_needed = bool(intent.resized) or intent.replacing or speaks_against(fleet, (found, *members))
        what = f"what {types_told} can be launched from"
        shown: Mapping[str, Mapping[str, Any]] = {}
        try:
            shown = check(what, lambda: begun[0].result(None if is_needed else aside.GRACE_S), shown)
        except TimeoutError:
            unchecked.append(f"{what} was not checked: {TOO_LATE}")
        return tuple(as_type(shown[type_]) for type_ in fleet.instance_types if type_ in shown)

    is_placing = intent.launching or intent.placing
    subnets: tuple[Subnet, ...] = ()
    found = ObservedImage(image)
    begin_if_in_doubt(found)
    if is_placing or intent.resizing:
        subnets, found, *_ = reader.parallel(
            read_if(is_placing, where, ()),
            read_if(intent.launching, image_found, found),
            read_if(intent.launching, key, None),
            read_if(intent.resizing and not is_placing, types, None),
        )
    if intent.launching:
        problems += (*image_volume_problems(fleet, found), *platform_problems(fleet, found))
    begin_if_in_doubt(found)
    if begun:
        able = _careful(lambda: abilities(found), (), problems)()
        problems += type_problems(fleet, found, able) if intent.launching else ()
        problems += resize_problems(intent.resized, able)
    vpcs = {subnet.vpc for subnet in subnets} or {member.vpc for member in observed.members if member.vpc}
    groups = read_if(intent.launching or intent.regrouping, lambda: _groups(reader, fleet, vpcs), {})()
    if intent.launching and fleet.root_volume and found.id and not (found.root_device or problems):
        message = f"image {found.id} does not say which device its root volume is"
        problems.append(Problem(message, "check `root_volume:`"))
    prerequisites = Prerequisites(
        subnets,
        found.id or None,
        found.deprecated,
        found.root_device,
        groups,
        found.root_gb,
        found.root_volume_type,
        found.operation,
    )
    return prerequisites, tuple(sorted(problems)), tuple(sorted(unchecked))


def _check_tenancy(reader: Reader, vpcs: list[str]) -> None:
    """Raises MissingPrerequisite where nothing runs on shared hardware.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/dedicated-instance.html
    """
    for vpc in reader.call("ec2", "DescribeVpcs", VpcIds=vpcs)["Vpcs"]:
        if vpc.get("InstanceTenancy") == "dedicated":
            of = f"the tenancy of {vpc['VpcId']} is dedicated"
            message = f"{of}, so no instance there can have `tenancy: default`"
            hint = "take out `tenancy:`, write `dedicated`, or name other `subnets:`"
            raise MissingPrerequisite(Problem(message, hint))


def _careful(read: Callable[[], Any], otherwise: Any, problems: list[Problem]) -> Callable[[], Any]:
    """`read`, but that what AWS does not have is written into `problems`, and the answer is `otherwise`."""

    def attempt() -> Any:
        try:
            return read()
        except MissingPrerequisite as missing_prerequisite:
            problems.append(missing_prerequisite.problem)
        except AwsError as error:
            if not is_absent(error):
                raise
            problems.append(as_problem(error))
        return otherwise

    return attempt


def _check_key(reader: Reader, fleet: Fleet) -> None:
    # One of the spec is imported before anything is launched.
    if not fleet.key_name or fleet.key_pair:
        return
    try:
        reader.call("ec2", "DescribeKeyPairs", KeyNames=[fleet.key_name])
    except AwsError as error:
        if not is_absent(error):
            raise
        there = missing("key pair", [fleet.key_name], lambda: key_pairs(reader), "key_name")
        raise MissingPrerequisite(there) from error


def _groups(reader: Reader, fleet: Fleet, vpcs: Iterable[str]) -> dict[str, str]:
    where = ", ".join(sorted(vpcs))
    for group, vpc in fleet.own_vpcs.items():
        if vpc not in (None, *vpcs):
            message = f"security group {group} is in {vpc}, and the fleet in {where}"
            hint = f"no member moves to another VPC: give the fleet `subnets:` of {vpc}, and it is replaced"
            raise MissingPrerequisite(Problem(message, f"{hint}; or correct `vpc:` of the group"))
    if not fleet.other_groups:
        _check_number(reader, len(fleet.own_groups))
        return {}
    filters = [{"Name": "vpc-id", "Values": sorted(vpcs)}]
    found = list(reader.pages("ec2", "DescribeSecurityGroups", "SecurityGroups", Filters=filters))
    ids = {group["GroupId"]: group["GroupId"] for group in found}
    known = {group["GroupName"]: group["GroupId"] for group in found} | ids
    unknown = [group for group in fleet.other_groups if group not in known]
    if unknown:
        by_id = all(group.startswith("sg-") for group in unknown)
        named = {*fleet.keys_of_groups, *(group["GroupName"] for group in found)}
        names = sorted(ids if by_id else named)
        raise MissingPrerequisite(missing("security group", unknown, lambda: names, "security_groups", where))
    chosen = {group: known[group] for group in fleet.other_groups}
    _check_number(reader, len(set(fleet.group_ids(chosen))))
    return chosen


def _check_number(reader: Reader, number: int) -> None:
    """Raises MissingPrerequisite for more groups than a network interface takes, if that may be looked up.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html
    """
    if number <= GROUPS_EVERYWHERE:
        return
    try:
        shown = reader.call("ec2", "DescribeAccountAttributes", AttributeNames=[GROUPS_QUOTA])
    except AwsError as error:
        if not is_withheld(error):
            raise
        return
    quotas = {
        attribute["AttributeName"]: attribute["AttributeValues"] for attribute in shown["AccountAttributes"]
    }
    for value in quotas.get(GROUPS_QUOTA, ()):
        if number > int(value["AttributeValue"]):
            most = value["AttributeValue"]
            hint = "join some of them, or have the quota raised: `Security groups per network interface`"
            message = f"{number} security groups, and this account takes {most} on a network interface"
            raise MissingPrerequisite(Problem(message, hint))
