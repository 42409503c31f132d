"""What the account has of that which a launch needs: subnets, image, key pair, security groups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.observed import FoundImage, ObservedFleet, Prerequisites, Problem, Subnet
from provisioner.kinds.fleet.read.images import MissingPrerequisite, as_problem, describe_image, is_absent
from provisioner.kinds.fleet.read.launch_fit import (
    FoundType,
    as_type,
    is_in_doubt,
    unfit_for_members,
    unfit_types,
    unfit_volumes,
)
from provisioner.kinds.fleet.read.missing import (
    key_pairs,
    missing,
    near_types,
    no_such_subnet_tags,
    no_such_subnets,
)
from provisioner.kinds.fleet.read.missing import subnets as subnets_of
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Instance, literal
from provisioner.retry import DENIED_CODES

# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
GROUPS_EVERYWHERE = 5
GROUPS_QUOTA = "vpc-max-security-groups-per-interface"


class Intent(NamedTuple):
    """What is about to be done: to launch, even out subnets, change types, change security groups.

    `resized` are the members that get another type, without being replaced.
    """

    launching: bool
    placing: bool
    resizing: bool
    regrouping: bool
    resized: tuple[Instance, ...] = ()


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
            if error.code not in DENIED_CODES:
                raise
            unchecked.append(f"{what} was not checked: {error.service} {error.operation}: {error.code}")
            return otherwise

    types_told = " or ".join(fleet.instance_types)

    def offered() -> set[str] | None:
        where = f"where there is {types_told}"
        zones: set[str] | None = check(where, lambda: _offered(reader, fleet), None)
        return zones

    def where() -> tuple[Subnet, ...]:
        subnets = _subnets(reader, fleet)
        if fleet.tenancy == "default":
            vpcs = sorted({subnet.vpc for subnet in subnets})
            check("the tenancy of the VPC", lambda: _check_tenancy(reader, vpcs), None)
        zones = offered()
        return subnets if zones is None else _with_the_type(fleet, subnets, zones)

    def types() -> None:
        zones = offered()
        if zones is not None:
            _check_zones(fleet, {each.zone for each in observed.members}, zones)

    def image_found() -> FoundImage:
        is_there: FoundImage = check(
            f"image {image}", lambda: describe_image(reader, fleet, observed, image), FoundImage(image)
        )
        return is_there

    def key() -> None:
        check(f"key pair {fleet.key_name}", lambda: _check_key(reader, fleet), None)

    def abilities() -> tuple[FoundType, ...]:
        what = f"what {types_told} can be launched from"
        shown: tuple[FoundType, ...] = check(what, lambda: _abilities(reader, fleet), ())
        return shown

    is_placing = intent.launching or intent.placing
    subnets: tuple[Subnet, ...] = ()
    found = FoundImage(image)
    if is_placing or intent.resizing:
        subnets, found, *_ = reader.parallel(
            read_if(is_placing, where, ()),
            read_if(intent.launching, image_found, found),
            read_if(intent.launching, key, None),
            read_if(intent.resizing and not is_placing, types, None),
        )
    if intent.launching:
        problems += unfit_volumes(fleet, found)
    if is_in_doubt(fleet, {found.architecture, *(each.architecture for each in intent.resized)}, found):
        able = read_if(intent.launching or bool(intent.resized), abilities, ())()
        problems += unfit_types(fleet, found, able) if intent.launching else ()
        problems += unfit_for_members(intent.resized, able)
    vpcs = {subnet.vpc for subnet in subnets} or {each.vpc for each in observed.members if each.vpc}
    groups = read_if(intent.launching or intent.regrouping, lambda: _groups(reader, fleet, vpcs), {})()
    if intent.launching and fleet.root_volume and found.id and not (found.root_device or problems):
        message = f"image {found.id} does not say which device its root volume is"
        problems.append(Problem(message, "check `root_volume:`"))
    around = Prerequisites(subnets, found.id or None, found.deprecated, found.root_device, groups)
    return around, tuple(sorted(problems)), tuple(sorted(unchecked))


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


def _subnets(reader: Reader, fleet: Fleet) -> tuple[Subnet, ...]:
    where = fleet.where
    params: dict[str, Any] = {}
    if where.subnets:
        found = _named_subnets(reader, where.subnets)
    else:
        if where.tags:
            params["Filters"] = [
                {"Name": f"tag:{key}", "Values": [literal(value)]}
                for key, value in sorted(where.tags.items())
            ]
        else:
            params["Filters"] = [{"Name": "default-for-az", "Values": ["true"]}]
            if where.zones:
                params["Filters"].append({"Name": "availability-zone", "Values": list(where.zones)})
        found = list(reader.pages("ec2", "DescribeSubnets", "Subnets", **params))
    subnets = tuple(Subnet(each["SubnetId"], each["AvailabilityZone"], each["VpcId"]) for each in found)
    if not subnets and where.tags:
        raise MissingPrerequisite(no_such_subnet_tags(reader, where.tags))
    without = set(where.zones) - {subnet.zone for subnet in subnets}
    if without:
        raise MissingPrerequisite(_no_default_subnet(reader, sorted(without)))
    if not subnets:
        raise MissingPrerequisite(Problem("the region has no default VPC", "name `subnets:`"))
    if len({subnet.vpc for subnet in subnets}) > 1:
        hint = "security groups and members need one"
        raise MissingPrerequisite(Problem("the subnets belong to several VPCs", hint))
    order = {subnet: index for index, subnet in enumerate(where.subnets)}
    return tuple(sorted(subnets, key=lambda subnet: (order.get(subnet.id, 0), subnet.zone, subnet.id)))


def _named_subnets(reader: Reader, ids: Sequence[str]) -> list[Any]:
    try:
        found: list[Any] = reader.call("ec2", "DescribeSubnets", SubnetIds=list(ids))["Subnets"]
    except AwsError as error:
        if not is_absent(error):
            raise
        raise MissingPrerequisite(no_such_subnets(reader, ids)) from error
    return found


def _no_default_subnet(reader: Reader, zones: Sequence[str]) -> Problem:
    default = [{"Name": "default-for-az", "Values": ["true"]}]
    there = sorted(each["AvailabilityZone"] for each in subnets_of(reader, Filters=default))
    hint = f"there is one in {', '.join(there) or 'no zone'}; check `availability_zones:`"
    return Problem(f"there is no default subnet in {', '.join(zones)}", hint)


def _with_the_type(fleet: Fleet, subnets: tuple[Subnet, ...], offered: set[str]) -> tuple[Subnet, ...]:
    """The subnets in zones that offer at least one of the fleet's types; not every zone has every type."""
    without = sorted({subnet.zone for subnet in subnets} - offered)
    chosen = tuple(subnet for subnet in subnets if subnet.zone in offered)
    if without and (fleet.where.subnets or fleet.where.zones or not chosen):
        raise _not_offered(without, fleet)
    return chosen


def _check_zones(fleet: Fleet, zones: Collection[str], offered: set[str]) -> None:
    without = sorted(set(zones) - offered)
    if without:
        raise _not_offered(without, fleet)


def _not_offered(zones: Iterable[str], fleet: Fleet) -> MissingPrerequisite:
    types = " or ".join(fleet.instance_types)
    message = f"{', '.join(zones)} does not offer {types}"
    return MissingPrerequisite(Problem(message, "check `instance_type:` and where it runs"))


def _offered(reader: Reader, fleet: Fleet) -> set[str]:
    """The zones that offer at least one of the fleet's types, each of which some zone has to.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypeOfferings.html
    """
    offerings = list(
        reader.pages(
            "ec2",
            "DescribeInstanceTypeOfferings",
            "InstanceTypeOfferings",
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": list(fleet.instance_types)}],
        )
    )
    unknown = [
        each for each in fleet.instance_types if each not in {one["InstanceType"] for one in offerings}
    ]
    if unknown:
        near = near_types(reader, unknown)
        message = f"the region has no instance type {' or '.join(unknown)}"
        raise MissingPrerequisite(Problem(message, f"{near}check `instance_type:`"))
    return {offering["Location"] for offering in offerings}


def _abilities(reader: Reader, fleet: Fleet) -> tuple[FoundType, ...]:
    """What the fleet's types can do; that there is no such type is told with where they are offered.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
    """
    try:
        shown = reader.call("ec2", "DescribeInstanceTypes", InstanceTypes=list(fleet.instance_types))
    except AwsError as error:
        if error.code != "InvalidInstanceType":
            raise
        return ()
    return tuple(as_type(raw) for raw in shown["InstanceTypes"])


def _check_key(reader: Reader, fleet: Fleet) -> None:
    if not fleet.key_name:
        return
    try:
        reader.call("ec2", "DescribeKeyPairs", KeyNames=[fleet.key_name])
    except AwsError as error:
        if not is_absent(error):
            raise
        there = missing("key pair", [fleet.key_name], lambda: key_pairs(reader), "key_name")
        raise MissingPrerequisite(there) from error


def _groups(reader: Reader, fleet: Fleet, vpcs: Iterable[str]) -> dict[str, str]:
    if not fleet.security_groups:
        return {}
    filters = [{"Name": "vpc-id", "Values": sorted(vpcs)}]
    found = list(reader.pages("ec2", "DescribeSecurityGroups", "SecurityGroups", Filters=filters))
    ids = {group["GroupId"]: group["GroupId"] for group in found}
    known = {group["GroupName"]: group["GroupId"] for group in found} | ids
    unknown = [group for group in fleet.security_groups if group not in known]
    if unknown:
        by_id = all(each.startswith("sg-") for each in unknown)
        names = sorted(ids if by_id else {group["GroupName"] for group in found})
        where = ", ".join(sorted(vpcs))
        raise MissingPrerequisite(missing("security group", unknown, lambda: names, "security_groups", where))
    chosen = {group: known[group] for group in fleet.security_groups}
    _check_number(reader, len(set(chosen.values())))
    return chosen


def _check_number(reader: Reader, number: int) -> None:
    """Raises Unfit for more groups than a network interface takes here, if these credentials may look.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html
    """
    if number <= GROUPS_EVERYWHERE:
        return
    try:
        shown = reader.call("ec2", "DescribeAccountAttributes", AttributeNames=[GROUPS_QUOTA])
    except AwsError as error:
        if error.code not in DENIED_CODES:
            raise
        return
    quotas = {each["AttributeName"]: each["AttributeValues"] for each in shown["AccountAttributes"]}
    for value in quotas.get(GROUPS_QUOTA, ()):
        if number > int(value["AttributeValue"]):
            most = value["AttributeValue"]
            hint = "join some of them, or have the quota raised: `Security groups per network interface`"
            message = f"{number} security groups, and this account takes {most} on a network interface"
            raise MissingPrerequisite(Problem(message, hint))
