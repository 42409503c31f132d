"""Where members may run: the subnets that a spec means, in zones that offer one of its instance types.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.observed import Problem, Subnet
from provisioner.kinds.fleet.read.images import MissingPrerequisite, is_absent
from provisioner.kinds.fleet.read.missing import near_types, no_such_subnet_tags, no_such_subnets
from provisioner.kinds.fleet.read.missing import subnets as subnets_of
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import MAX_FILTER_VALUES, chunks, literal


def find_subnets(reader: Reader, fleet: Fleet) -> tuple[Subnet, ...]:
    """The subnets that the spec means, in its order. Raises MissingPrerequisite and AwsError."""
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
    subnets = tuple(
        Subnet(
            subnet["SubnetId"],
            subnet["AvailabilityZone"],
            subnet["VpcId"],
            bool(subnet.get("MapPublicIpOnLaunch")),
            None if subnet.get("Ipv6Native") else subnet.get("AvailableIpAddressCount"),
        )
        for subnet in found
    )
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
    there = sorted(subnet["AvailabilityZone"] for subnet in subnets_of(reader, Filters=default))
    hint = f"there is one in {', '.join(there) or 'no zone'}; check `availability_zones:`"
    return Problem(f"there is no default subnet in {', '.join(zones)}", hint)


def with_the_type(fleet: Fleet, subnets: tuple[Subnet, ...], offered: set[str]) -> tuple[Subnet, ...]:
    """The subnets in zones that offer at least one of the fleet's types; not every zone has every type.

    Raises MissingPrerequisite where the spec names one that does not, or none is left.
    """
    without = sorted({subnet.zone for subnet in subnets} - offered)
    chosen = tuple(subnet for subnet in subnets if subnet.zone in offered)
    if without and (fleet.where.subnets or fleet.where.zones or not chosen):
        raise _not_offered(without, fleet)
    return chosen


def check_zones(fleet: Fleet, zones: Collection[str], offered: set[str]) -> None:
    """Raises MissingPrerequisite for zones that offer none of the fleet's types."""
    without = sorted(set(zones) - offered)
    if without:
        raise _not_offered(without, fleet)


def _not_offered(zones: Iterable[str], fleet: Fleet) -> MissingPrerequisite:
    types = " or ".join(fleet.instance_types)
    message = f"{', '.join(zones)} does not offer {types}"
    return MissingPrerequisite(Problem(message, "check `instance_type:` and where it runs"))


def offered_zones(reader: Reader, fleet: Fleet, types: Sequence[str]) -> set[str]:
    """The zones that offer at least one of the fleet's types, each of which some zone has to offer.

    `types` are those of all fleets: what is asked for them is one question, whichever fleet it is about.
    Raises MissingPrerequisite and AwsError.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypeOfferings.html
    """
    asked = ("ec2", "DescribeInstanceTypeOfferings", "InstanceTypeOfferings")
    offerings = [
        (str(offering["InstanceType"]), str(offering["Location"]))
        for part in chunks(types, MAX_FILTER_VALUES)
        for offering in reader.pages(
            *asked,
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": list(part)}],
        )
    ]
    offered = {type_ for type_, _ in offerings}
    unknown = [type_ for type_ in fleet.instance_types if type_ not in offered]
    if unknown:
        near = near_types(reader, unknown)
        message = f"the region has no instance type {' or '.join(unknown)}"
        raise MissingPrerequisite(Problem(message, f"{near}check `instance_type:`"))
    return {zone for type_, zone in offerings if type_ in fleet.instance_types}
