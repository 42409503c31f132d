"""A fleet as EC2 describes it, and what has to be looked up before it can be changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.instances import Instance, as_instance, find_instances, in_order
from provisioner.kinds.launch_token import Launches
from provisioner.kinds.volumes import ObservedVolume
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Scope
from provisioner.naming import ASKED_TAG, ENVIRONMENT_TAG, FLEET_TAG

# Where instances are kept that carry the environment's tag and were launched by none of its fleets; no key in
# a spec can look like it.
FOREIGN = "(foreign)"
# After this time everything launched is shown; the documentation speaks of minutes.
# https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
MAX_LAG_S = 600.0
# One request takes no more than a bucket of 1000 instances that the whole account shares, and EC2 advises to
# break up large ones: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
MAX_AT_ONCE = 500


@dataclass(frozen=True)
class Subnet:
    """`is_public`: what is launched there gets a public address, unless it says otherwise.

    `free` is how many IPv4 addresses nobody has there; None: EC2 did not say, or it has none at all.
    """

    id: str
    zone: str
    vpc: str
    is_public: bool = False
    # It is the same subnet however full it is.
    free: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Prerequisites:
    """What a launch or a change of security groups needs to know of the account.

    `groups` maps the spec's security groups, ids or names, to ids. `image` is the one to launch from, and
    `deprecated` since when its owner advises against it. Of its root volume are GiB and type, and `operation`
    is what it is billed as, where EC2 said so.
    """

    subnets: tuple[Subnet, ...] = ()
    image: str | None = None
    deprecated: str | None = None
    root_device: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    root_gb: int | None = None
    root_type: str | None = None
    operation: str | None = None


@dataclass(frozen=True)
class PartlyObserved:
    """A recent launch of which EC2 shows fewer members than it asked for: there may be more to come."""

    token: str
    asked: int
    shown: tuple[Instance, ...]


@dataclass(frozen=True)
class ObservedImage:
    """An image; `deprecated`: the day since when its owner advises against it, if that has come.

    Of the root volume are device, size in GiB, volume type and encryption; `root_type` is ebs or
    instance-store; `operation` is what it is billed as; `platform` is windows, or nothing. None: EC2 did not
    say, or was not asked.
    """

    id: str
    root_device: str | None = None
    deprecated: str | None = None
    architecture: str | None = None
    virtualization: str | None = None
    ena: bool | None = None
    root_type: str | None = None
    root_gb: int | None = None
    root_volume_type: str | None = None
    root_encrypted: bool | None = None
    boot_mode: str | None = None
    tpm: str | None = None
    platform: str | None = None
    operation: str | None = None


@dataclass(frozen=True, order=True)
class Problem:
    """Something that stands in the way of applying a fleet: what is wrong, and what to do about it."""

    message: str
    hint: str = "correct the spec, or make what it names"

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}"


@dataclass(frozen=True)
class Newest:
    """The image that the spec's id, parameter or lookup gives now, or why it gives none.

    `problems` is what the spec names and AWS does not have; `error` is why AWS did not say.
    """

    image: ObservedImage | None = None
    problems: tuple[Problem, ...] = ()
    error: AwsError | None = None


@dataclass(frozen=True)
class ObservedFleet:
    """Members that live, former ones that EC2 still shows, and what was looked up for them.

    `foreign` are live instances that carry our tags, and that no launch of the environment made.

    `unhealthy` are the members that do not run or do not pass their status checks, where the fleet asks for
    them. `problems` is what the spec names and AWS does not have, `unchecked` what could not be
    looked up and is not needed, `advice` what may go otherwise than asked, `warnings` what is likely to fail.
    `volumes` are those of members that were read, by member, `drift` says what somebody has made of them, and
    `left_volumes` are on no member.
    """

    members: tuple[Instance, ...] = ()
    gone: tuple[Instance, ...] = ()
    partly_observed: tuple[PartlyObserved, ...] = ()
    uses: frozenset[Address] = frozenset()
    prerequisites: Prerequisites = Prerequisites()
    newest: Newest = Newest()
    unhealthy: frozenset[str] = frozenset()
    associations: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    unchecked: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    volumes: Mapping[str, tuple[ObservedVolume, ...]] = field(default_factory=dict)
    drift: tuple[str, ...] = ()
    left_volumes: tuple[ObservedVolume, ...] = ()
    foreign: tuple[Instance, ...] = ()

    @property
    def arn(self) -> None:
        """A fleet is a name that its members share, and nothing in AWS."""


def scope_of(environment: str) -> Scope:
    """The filter that shows all instances of an environment."""
    return ((f"tag:{ENVIRONMENT_TAG}", (environment,)),)


def find_fleets(
    reader: Reader, environment: str, keys: Iterable[str], now: datetime
) -> dict[str, ObservedFleet]:
    """The members of every fleet of the environment by the fleet's key; `keys` are those of the spec.

    What belongs to whom is told by the token that launched it. What this run has launched counts as a member
    also while the tag filter does not show it yet.
    """
    launched = answered_launches(reader.answers("RunInstances"))
    ours = {
        instance.id: instance
        for launch in launched.values()
        for instance in launch
        if is_of(instance, environment)
    }
    shown = ours | {instance.id: instance for instance in find_instances(reader, scope_of(environment))}
    tagged = {instance.tag(FLEET_TAG) or "" for instance in shown.values()}
    launches = Launches(environment, {*keys, *tagged})
    fleets: dict[str, list[Instance]] = defaultdict(list)
    for instance in in_order(shown.values()):
        fleets[launches.fleet_of(instance) or FOREIGN].append(instance)
    foreign = tuple(instance for instance in fleets.pop(FOREIGN, ()) if instance.is_live)
    return {
        key: ObservedFleet(
            members=tuple(instance for instance in instances if instance.is_live),
            gone=tuple(instance for instance in instances if not instance.is_live),
            partly_observed=tuple(partly_observed(instances, frozenset(launched), now)),
        )
        for key, instances in fleets.items()
    } | ({FOREIGN: ObservedFleet(foreign=foreign)} if foreign else {})


def is_member(instance: Instance, environment: str, fleet: str) -> bool:
    """Whether an instance is a live member: launched by the fleet, and not taken out of the environment."""
    is_ours = Launches(environment, (fleet,)).fleet_of(instance) == fleet
    return is_ours and instance.is_live and is_of(instance, environment)


def is_of(instance: Instance, environment: str) -> bool:
    """Whether an instance carries the environment's tag."""
    return instance.tag(ENVIRONMENT_TAG) == environment


def answered_launches(answers: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Instance, ...]]:
    """All that each launch of this run got, by its token."""
    launches: dict[str, tuple[Instance, ...]] = {}
    for answer in answers:
        instances = tuple(as_instance(raw) for raw in answer["Instances"])
        launches |= {instance.token: instances for instance in instances if instance.token}
    return launches


def partly_observed(
    instances: Sequence[Instance], answered: Collection[str], now: datetime
) -> Iterator[PartlyObserved]:
    """The recent launches that are not wholly shown, but for those whose answer this run has."""
    by_token: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        if instance.token and instance.token not in answered:
            by_token[instance.token].append(instance)
    for token, shown in by_token.items():
        # A launch that got fewer than it asked for is told by the lowest number on its members.
        asked = min((number for member in shown if (number := asked_for(member, len(shown)))), default=0)
        # All were launched at the same time, and starting one again can only make it look younger.
        is_recent = all(age_s(member, now) < MAX_LAG_S for member in shown)
        if asked > len(shown) and is_recent:
            yield PartlyObserved(token, asked, tuple(shown))


def asked_for(instance: Instance, shown: int = 1) -> int | None:
    """How many its launch asked for, as its tag says; None where that cannot be, so somebody else wrote it.

    `shown` are as many as there are of the launch at least.
    """
    text = instance.tag(ASKED_TAG) or ""
    number = int(text) if text.isascii() and text.isdecimal() else 0
    return number if shown <= number <= MAX_AT_ONCE else None


def age_s(instance: Instance, now: datetime) -> float:
    """How long ago an instance was launched, in seconds."""
    return (now - datetime.fromisoformat(instance.launched)).total_seconds() if instance.launched else 0.0
