"""A fleet as EC2 describes it, and what has to be looked up before it can be changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.desired import Fleet, Image
from provisioner.kinds.instances import Instance, as_instance, find_instances, in_order
from provisioner.model import Address, Scope
from provisioner.naming import ASKED_TAG, ENVIRONMENT_TAG, FLEET_TAG

# Where members are kept that lack the tag of a fleet; no key in a spec can look like it.
STRAYS = "(no fleet)"
# After this time everything launched is shown; the documentation speaks of minutes.
# https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
LONGEST_LAG_S = 600.0
NO_SUCH_THING = ("NotFound", "Malformed", "InvalidParameterValue")


@dataclass(frozen=True)
class Subnet:
    id: str
    zone: str
    vpc: str


@dataclass(frozen=True)
class Surroundings:
    """What a launch or a change of security groups needs to know of the account.

    `groups` maps the spec's security groups, ids or names, to ids.
    """

    subnets: tuple[Subnet, ...] = ()
    image: str | None = None
    root_device: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PartlySeen:
    """A recent launch of which EC2 shows fewer members than it asked for: there may be more to come."""

    token: str
    asked: int
    shown: tuple[Instance, ...]


@dataclass(frozen=True)
class SeenFleet:
    """Members that live, former ones that EC2 still shows, and what was looked up for them.

    `trouble` says in words what the spec names and AWS does not have.
    """

    members: tuple[Instance, ...] = ()
    gone: tuple[Instance, ...] = ()
    partly_seen: tuple[PartlySeen, ...] = ()
    uses: frozenset[Address] = frozenset()
    surroundings: Surroundings = Surroundings()
    associations: Mapping[str, str] = field(default_factory=dict)
    trouble: tuple[str, ...] = ()


def scope_of(environment: str) -> Scope:
    """The filter that shows all instances of an environment."""
    return ((f"tag:{ENVIRONMENT_TAG}", (environment,)),)


def find_fleets(reader: Reader, environment: str, now: datetime) -> dict[str, SeenFleet]:
    """The members of every fleet of the environment by the fleet's key.

    What this run has launched counts as a member also while the tag filter does not show it yet.
    """
    launched = answered_launches(reader.answers("RunInstances"))
    ours = {each.id: each for launch in launched.values() for each in launch if is_of(each, environment)}
    shown = {each.id: each for each in find_instances(reader, scope_of(environment))}
    fleets: dict[str, list[Instance]] = defaultdict(list)
    for instance in in_order((ours | shown).values()):
        fleets[instance.tag(FLEET_TAG) or STRAYS].append(instance)
    return {
        key: SeenFleet(
            members=tuple(each for each in instances if each.is_live),
            gone=tuple(each for each in instances if not each.is_live),
            partly_seen=tuple(partly_seen(instances, frozenset(launched), now)),
        )
        for key, instances in fleets.items()
    }


def is_of(instance: Instance, environment: str) -> bool:
    """Whether an instance carries the environment's tag."""
    return instance.tag(ENVIRONMENT_TAG) == environment


def answered_launches(answers: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Instance, ...]]:
    """All that each launch of this run got, by its token."""
    launches: dict[str, tuple[Instance, ...]] = {}
    for answer in answers:
        instances = tuple(as_instance(raw) for raw in answer["Instances"])
        launches |= {each.token: instances for each in instances if each.token}
    return launches


def partly_seen(
    instances: Sequence[Instance], answered: Collection[str], now: datetime
) -> Iterator[PartlySeen]:
    """The recent launches that are not wholly shown, but for those whose answer this run has."""
    by_token: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        if instance.token and instance.token not in answered:
            by_token[instance.token].append(instance)
    for token, shown in by_token.items():
        asked = shown[0].tag(ASKED_TAG) or ""
        is_recent = any(age_s(each, now) < LONGEST_LAG_S for each in shown)
        if asked.isdecimal() and int(asked) > len(shown) and is_recent:
            yield PartlySeen(token, int(asked), tuple(shown))


def age_s(instance: Instance, now: datetime) -> float:
    """How long ago an instance was launched, in seconds."""
    return (now - datetime.fromisoformat(instance.launched)).total_seconds() if instance.launched else 0.0


def look_around(
    reader: Reader, fleet: Fleet, seen: SeenFleet, launching: bool, regrouping: bool
) -> tuple[Surroundings, tuple[str, ...]]:
    """What a launch, or a change of security groups, needs to know; and what is wrong with it, in words."""
    trouble: list[str] = []

    def careful(read: Callable[[], Any], otherwise: Any) -> Callable[[], Any]:
        def attempt() -> Any:
            try:
                return read()
            except Unfit as unfit:
                trouble.append(str(unfit))
            except AwsError as error:
                if not any(word in error.code for word in NO_SUCH_THING):
                    raise
                trouble.append(f"ec2 {error.operation}: {error.text} ({error.code})")
            return otherwise

        return attempt

    subnets: tuple[Subnet, ...] = ()
    image: tuple[str | None, str | None] = (None, None)
    if launching:
        subnets, image, _ = reader.together(
            careful(lambda: _with_the_type(reader, fleet, _subnets(reader, fleet)), ()),
            careful(lambda: _image(reader, fleet, seen), (None, None)),
            careful(lambda: _check_key(reader, fleet), None),
        )
    vpcs = {subnet.vpc for subnet in subnets} or {each.vpc for each in seen.members if each.vpc}
    groups = careful(lambda: _groups(reader, fleet, vpcs), {})() if launching or regrouping else {}
    return Surroundings(subnets, *image, groups), tuple(sorted(trouble))


class Unfit(Exception):
    """What the spec asks for does not fit what the account has."""


def _subnets(reader: Reader, fleet: Fleet) -> tuple[Subnet, ...]:
    where = fleet.where
    params: dict[str, Any] = {}
    if where.subnets:
        found = reader.call("ec2", "DescribeSubnets", SubnetIds=list(where.subnets))["Subnets"]
    else:
        if where.tags:
            params["Filters"] = [
                {"Name": f"tag:{key}", "Values": [value]} for key, value in sorted(where.tags.items())
            ]
        else:
            params["Filters"] = [{"Name": "default-for-az", "Values": ["true"]}]
            if where.zones:
                params["Filters"].append({"Name": "availability-zone", "Values": list(where.zones)})
        found = list(reader.pages("ec2", "DescribeSubnets", "Subnets", **params))
    subnets = tuple(Subnet(each["SubnetId"], each["AvailabilityZone"], each["VpcId"]) for each in found)
    if not subnets and where.tags:
        raise Unfit(f"no subnet has the tags {dict(where.tags)}; check `subnets:`")
    missing = set(where.zones) - {subnet.zone for subnet in subnets}
    if missing:
        raise Unfit(
            f"there is no default subnet in {', '.join(sorted(missing))}; check `availability_zones:`"
        )
    if not subnets:
        raise Unfit("the region has no default VPC; name `subnets:`")
    if len({subnet.vpc for subnet in subnets}) > 1:
        raise Unfit("the subnets belong to several VPCs; security groups and members need one")
    order = {subnet: index for index, subnet in enumerate(where.subnets)}
    return tuple(sorted(subnets, key=lambda subnet: (order.get(subnet.id, 0), subnet.zone, subnet.id)))


def _with_the_type(reader: Reader, fleet: Fleet, subnets: tuple[Subnet, ...]) -> tuple[Subnet, ...]:
    """The subnets in zones that offer at least one of the fleet's types; not every zone has every type.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypeOfferings.html
    """
    offerings = reader.pages(
        "ec2",
        "DescribeInstanceTypeOfferings",
        "InstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": list(fleet.instance_types)}],
    )
    offered = {offering["Location"] for offering in offerings}
    types = " or ".join(fleet.instance_types)
    if not offered:
        raise Unfit(f"the region has no instance type {types}; check `instance_type:`")
    without = sorted({subnet.zone for subnet in subnets} - offered)
    chosen = tuple(subnet for subnet in subnets if subnet.zone in offered)
    if without and (fleet.where.subnets or fleet.where.zones or not chosen):
        raise Unfit(f"{', '.join(without)} does not offer {types}; check `instance_type:` and where it runs")
    return chosen


def _image(reader: Reader, fleet: Fleet, seen: SeenFleet) -> tuple[str, str | None]:
    """The id of the image to launch, and its root device where a root volume is asked for.

    A fleet that has members keeps their image, so that it does not become two fleets when the parameter
    or the lookup moves on.
    """
    if seen.members and not fleet.image.id:
        image = seen.members[-1].image
    elif fleet.image.ssm:
        image = _image_of_parameter(reader, fleet.image.ssm)
    elif fleet.image.name:
        return _newest(reader, fleet.image)
    else:
        image = fleet.image.id or ""
    if not fleet.image.id and not fleet.root_volume:
        return image, None
    found = reader.call("ec2", "DescribeImages", ImageIds=[image])["Images"]
    if not found:
        raise Unfit(f"there is no image {image} in this region, or it is not shared with this account")
    return image, found[0].get("RootDeviceName")


def _image_of_parameter(reader: Reader, name: str) -> str:
    try:
        value: str = reader.call("ssm", "GetParameter", Name=name)["Parameter"]["Value"]
    except AwsError as error:
        if error.code != "ParameterNotFound":
            raise
        raise Unfit(f"there is no SSM parameter {name} in this region; check `image:`") from error
    if not value.startswith("ami-"):
        raise Unfit(f"SSM parameter {name} holds no image id; check `image:`")
    return value


def _newest(reader: Reader, image: Image) -> tuple[str, str | None]:
    found = reader.call(
        "ec2",
        "DescribeImages",
        Owners=[image.owner],
        Filters=[{"Name": "name", "Values": [image.name]}, {"Name": "state", "Values": ["available"]}],
    )["Images"]
    if not found:
        raise Unfit(f"{image.owner} has no image named {image.name}; check `image:`")
    newest = max(found, key=lambda each: (each.get("CreationDate", ""), each["ImageId"]))
    return newest["ImageId"], newest.get("RootDeviceName")


def _check_key(reader: Reader, fleet: Fleet) -> None:
    if fleet.key_name:
        reader.call("ec2", "DescribeKeyPairs", KeyNames=[fleet.key_name])


def _groups(reader: Reader, fleet: Fleet, vpcs: Iterable[str]) -> dict[str, str]:
    if not fleet.security_groups:
        return {}
    filters = [{"Name": "vpc-id", "Values": sorted(vpcs)}]
    found = list(reader.pages("ec2", "DescribeSecurityGroups", "SecurityGroups", Filters=filters))
    ids = {group["GroupId"]: group["GroupId"] for group in found}
    known = {group["GroupName"]: group["GroupId"] for group in found} | ids
    unknown = [group for group in fleet.security_groups if group not in known]
    if unknown:
        raise Unfit(
            f"there is no security group {', '.join(unknown)} in {', '.join(sorted(vpcs))}; "
            "check `security_groups:`"
        )
    return {group: known[group] for group in fleet.security_groups}
