"""Reading what carries the tags of environments: a handful of calls a region, however much there is.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html and the Describe calls of what
can have tags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, TypeVar

from provisioner.errors import AwsError, UnexpectedAnswer
from provisioner.kinds.base import Reader
from provisioner.kinds.expiry import end_in
from provisioner.kinds.instances import Instance, find_instances, named
from provisioner.kinds.launch_token import Launches
from provisioner.kinds.ownership import has_mark
from provisioner.kinds.tags import as_tags
from provisioner.kinds.volumes import ObservedVolume, find_volumes
from provisioner.naming import ENVIRONMENT_TAG, FLEET_TAG, owner_of_path

T = TypeVar("T")

PATH = "/provisioner/"


@dataclass(frozen=True)
class Thing:
    """Something with an environment's tag that is neither an instance nor a volume; `kind` in words.

    `end`: when the environment ends, or has ended, as its tag says; None: nothing says so. `is_foreign`: it
    carries the environment's tag only, and not the other one that an environment gives what it makes.
    """

    kind: str
    id: str
    name: str
    environment: str
    end: datetime | None = None
    is_foreign: bool = False

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.id} ({self.name})"
            if self.name not in ("", self.id)
            else f"{self.kind} {self.id}"
        )


@dataclass(frozen=True)
class RegionContents:
    """All with the tags of environments in one region; `unread` says what could not be read, and why.

    Instances are also those that are terminated, as long as EC2 shows them. `has_instances`: they were
    read, so that there are no others.
    """

    region: str
    instances: tuple[Instance, ...] = ()
    volumes: tuple[ObservedVolume, ...] = ()
    things: tuple[Thing, ...] = ()
    unread: tuple[str, ...] = ()
    has_instances: bool = True


@dataclass(frozen=True)
class IamContents:
    """How many roles and instance profiles there are under the path of each environment; None: unread."""

    roles: Mapping[str, int] | None = field(default_factory=dict)
    profiles: Mapping[str, int] | None = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def switched_on(reader: Reader) -> list[str]:
    """The names of the regions that the account has switched on. Raises AwsError and UnexpectedAnswer."""
    answer = reader.call("ec2", "DescribeRegions")
    try:
        return sorted(region["RegionName"] for region in answer["Regions"])
    except (LookupError, TypeError) as error:
        raise UnexpectedAnswer(error) from error


def read_instances(reader: Reader, regions: Iterable[str]) -> list[RegionContents]:
    """The instances of environments in each region, side by side."""
    return reader.parallel(*(partial(_only_instances, reader, region) for region in regions))


def _only_instances(reader: Reader, region: str) -> RegionContents:
    instances, problem = _or_why(lambda: find_instances(reader.in_region(region), _tagged()), region)
    unread = (problem,) if problem else ()
    return RegionContents(region, instances, unread=unread, has_instances=not problem)


def read_all(reader: Reader, regions: Iterable[str], environment: str | None = None) -> list[RegionContents]:
    """All of environments in each region, side by side; of one `environment` if named."""
    return reader.parallel(*(partial(_whole, reader, region, environment) for region in regions))


def _whole(reader: Reader, region: str, environment: str | None) -> RegionContents:
    there = reader.in_region(region)
    scope = _tagged(environment)
    ((name, values),) = scope
    filters = [{"Name": name, "Values": list(values)}]
    reads: tuple[Callable[[], Iterable[Any]], ...] = (
        lambda: find_instances(there, scope),
        lambda: find_volumes(there, name, values),
        lambda: _groups(there, filters),
        lambda: _keys(there, filters),
    )
    answers = reader.parallel(*(partial(_or_why, read, region) for read in reads))
    instances, volumes, groups, keys = (found for found, _ in answers)
    unread = tuple(problem for _, problem in answers if problem)
    return RegionContents(
        region, tuple(instances), tuple(volumes), (*groups, *keys), unread, has_instances=not answers[0][1]
    )


def _tagged(environment: str | None = None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if environment is None:
        return (("tag-key", (ENVIRONMENT_TAG,)),)
    return ((f"tag:{ENVIRONMENT_TAG}", (environment,)),)


def _groups(reader: Reader, filters: Sequence[Mapping[str, Any]]) -> Iterator[Thing]:
    for group in reader.pages("ec2", "DescribeSecurityGroups", "SecurityGroups", Filters=filters):
        yield _thing("security_group", group["GroupId"], group["GroupName"], group)


def _keys(reader: Reader, filters: Sequence[Mapping[str, Any]]) -> Iterator[Thing]:
    for pair in reader.call("ec2", "DescribeKeyPairs", Filters=filters)["KeyPairs"]:
        yield _thing("key_pair", pair["KeyPairId"], pair["KeyName"], pair)


def _thing(kind: str, id_: str, name: str, raw: Mapping[str, Any]) -> Thing:
    tags = as_tags(raw.get("Tags"))
    words, is_foreign = kind.replace("_", " "), not has_mark(kind, tags)
    return Thing(words, id_, name, tags.get(ENVIRONMENT_TAG, ""), end_in(tags), is_foreign)


def read_iam(reader: Reader) -> IamContents:
    """The roles and profiles of all environments: they are global, and their path says whose they are."""
    (roles, no_roles), (profiles, no_profiles) = reader.parallel(
        lambda: _or_why(lambda: _owners(reader, "ListRoles", "Roles"), "iam"),
        lambda: _or_why(lambda: _owners(reader, "ListInstanceProfiles", "InstanceProfiles"), "iam"),
    )
    return IamContents(
        None if no_roles else Counter(roles),
        None if no_profiles else Counter(profiles),
        tuple(problem for problem in (no_roles, no_profiles) if problem),
    )


def _owners(reader: Reader, operation: str, key: str) -> Iterator[str]:
    for thing in reader.pages("iam", operation, key, PathPrefix=PATH):
        if owner := owner_of_path(thing["Arn"]):
            yield owner


def _or_why(read: Callable[[], Iterable[T]], where: str) -> tuple[tuple[T, ...], str]:
    """What was read, or why it could not be: a region may be closed to us, and the others are not."""
    try:
        return tuple(read()), ""
    except AwsError as error:
        return (), f"{where}: {error.message}"
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        # All that is worked with here was answered by AWS, or by something that is not AWS.
        return (), f"{where}: {UnexpectedAnswer(error).message}"


def volumes_by_instance(region: RegionContents) -> dict[str, list[ObservedVolume]]:
    """The volumes that are on each instance, by its id."""
    found: dict[str, list[ObservedVolume]] = {}
    for volume in region.volumes:
        if volume.instance:
            found.setdefault(volume.instance, []).append(volume)
    return found


def called(instance: Instance) -> str:
    """An instance as people know it: its id, with its Name if it has one."""
    return named(instance)


def end_of(instance: Instance) -> datetime | None:
    """When an instance ends, as its tag says; None: nothing says so."""
    return end_in(instance.tags)


def is_launched_by_its_tags(instance: Instance) -> bool:
    """Whether the launch token shows that the fleet which the tags name has launched it."""
    environment, fleet = instance.tag(ENVIRONMENT_TAG) or "", instance.tag(FLEET_TAG) or ""
    return bool(fleet) and _launches(environment, fleet).fleet_of(instance) == fleet


@lru_cache(maxsize=4096)
def _launches(environment: str, fleet: str) -> Launches:
    return Launches(environment, (fleet,))
