"""Instances as DescribeInstances shows them, and how a profile is bound to one; for fleets and attachments.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from provisioner.errors import IncompleteAnswer
from provisioner.kinds.base import Reader
from provisioner.kinds.tags import (
    as_tags,
    text,
)
from provisioner.kinds.volumes import ObservedVolume
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, Scope, Until, Wait
from provisioner.naming import EXPIRES_TAG

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

LIVE = ("pending", "running", "stopping", "stopped")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html
STATES = (*LIVE, "shutting-down", "terminated")
# EC2 takes 200 values in all filters of a call together; ten are left for what else a call filters by.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html (FilterLimitExceeded)
MAX_FILTER_VALUES = 190
MAX_IDS = 1000
MAX_IDS_OF_STATUS = 100


@dataclass(frozen=True)
class Binding:
    """An instance's profile: the id tells a profile from one that was made again under the same name."""

    arn: str
    id: str

    @property
    def name(self) -> str:
        return self.arn.rsplit("/", 1)[-1]


class Device(NamedTuple):
    """The volume at a device of an instance, and whether it goes when the instance does.

    `details`: what DescribeVolumes shows of it, where it was asked.
    """

    volume: str
    goes: bool
    details: ObservedVolume | None = None


# There may be a hundred thousand: with slots they take half the memory, and less time to read.
@dataclasses.dataclass(frozen=True, slots=True)
class Instance:
    """One instance, normalised; `groups` maps the ids of its security groups to their names.

    `devices` maps device names to volumes, as far as EC2 shows them; of a new instance it shows none.
    `launched` is when it was made, as far as EC2 shows it, and `started` when it was started last.
    `interfaces` are the ids of its network interfaces, the primary one first; groups and addresses are those
    of the primary one. `has_elastic_ip`: its public address is one that somebody has given it. `described` is
    all that EC2 says of it, for what only one setting asks: the answer itself, which nobody changes.
    """

    id: str
    state: str
    zone: str
    type: str
    image: str
    launched: str
    started: str = ""
    subnet: str | None = None
    vpc: str | None = None
    private_ip: str | None = None
    public_ip: str | None = None
    has_elastic_ip: bool = False
    profile: Binding | None = None
    key_name: str | None = None
    groups: Mapping[str, str] | None = None
    interfaces: tuple[str, ...] = ()
    http_tokens: str | None = None
    http_endpoint: str | None = None
    hop_limit: int | None = None
    instance_tags: str | None = None
    monitoring: bool = False
    ebs_optimized: bool = False
    tenancy: str = "default"
    root_device: str | None = None
    architecture: str | None = None
    devices: Mapping[str, Device] | None = None
    market: str = "on_demand"
    token: str | None = None
    state_reason: str | None = None
    tags: Mapping[str, str] | None = None
    described: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def is_stopped(self) -> bool:
        return self.state in ("stopping", "stopped")

    @property
    def was_reclaimed(self) -> bool:
        """Whether AWS took a Spot instance back."""
        return "SpotInstance" in (self.state_reason or "")

    def tag(self, key: str) -> str | None:
        return self.tags.get(key) if self.tags else None

    def summary(self) -> dict[str, Any]:
        """What a status shows of an instance."""
        return {
            "id": self.id,
            "name": self.tag("Name"),
            "state": self.state,
            "type": self.type,
            "market": self.market if self.market != "on_demand" else None,
            "zone": self.zone,
            "private_ip": self.private_ip,
            "public_ip": self.public_ip,
            "instance_profile": self.profile.name if self.profile else None,
            "launched": self.launched or None,
            "expires": self.tag(EXPIRES_TAG),
        }


def named(instance: Instance) -> str:
    """An instance as people know it: its id, with its Name if it has one."""
    name = instance.tag("Name")
    return f"{instance.id} ({name})" if name else instance.id


def names_of(instances: Iterable[Instance]) -> dict[str, str]:
    """The Name of each instance that has one, by id."""
    return {instance.id: name for instance in instances if (name := instance.tag("Name"))}


def find_instances(reader: Reader, scope: Scope) -> list[Instance]:
    """All instances that match a filter, by launch time and id. Raises AwsError."""
    filters = as_filters(scope)
    found = [
        as_instance(raw)
        for reservation in reader.pages("ec2", "DescribeInstances", "Reservations", Filters=filters)
        for raw in reservation["Instances"]
    ]
    return in_order(found)


def find_bound(reader: Reader, arns: Sequence[str]) -> list[Instance]:
    """The live instances of a region that are bound to one of these instance profiles. Raises AwsError."""
    return [
        instance
        for part in chunks(arns, MAX_FILTER_VALUES)
        for instance in find_instances(
            reader, (("iam-instance-profile.arn", tuple(part)), ("instance-state-name", LIVE))
        )
    ]


def as_filters(scope: Scope) -> list[dict[str, Any]]:
    """A scope as DescribeInstances takes it; its values mean just what they say."""
    return [{"Name": name, "Values": [literal(value) for value in values]} for name, values in scope]


def literal(text: str) -> str:
    """A text as the value of a filter that means just that: EC2 takes `*` and `?` for wildcards.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
    """
    return re.sub(r"([*?\\])", r"\\\1", text)


def in_order(instances: Iterable[Instance]) -> list[Instance]:
    """Instances by launch time, then id."""
    return sorted(instances, key=lambda instance: (instance.launched, instance.id))


def as_instance(raw: InstanceTypeDef) -> Instance:
    """An instance of DescribeInstances or RunInstances; what a terminated one has lost is None.

    Raises LookupError and IncompleteAnswer where something is missing that every instance has.
    """
    state = text(raw["State"], "Name")
    if state not in STATES:
        raise IncompleteAnswer(f"{raw['InstanceId']} is in an unknown state {state!r:.100}")
    # What terminates may have lost it.
    kept = text if state in LIVE else _maybe
    profile = raw.get("IamInstanceProfile")
    placement: Mapping[str, Any] = raw["Placement"] if state in LIVE else raw.get("Placement", {})
    metadata: Mapping[str, Any] = raw["MetadataOptions"] if state in LIVE else {}
    launched = raw.get("LaunchTime")
    nics = sorted(raw.get("NetworkInterfaces", ()), key=_device_index)
    primary: Mapping[str, Any] = nics[0] if nics else {}
    return Instance(
        id=text(raw, "InstanceId"),
        state=state,
        zone=kept(placement, "AvailabilityZone"),
        type=kept(raw, "InstanceType"),
        image=kept(raw, "ImageId"),
        launched=_second(min([launched, *_attached(raw)])) if launched else "",
        started=_second(launched) if launched else "",
        subnet=raw.get("SubnetId"),
        vpc=raw.get("VpcId"),
        private_ip=raw.get("PrivateIpAddress") or None,
        public_ip=raw.get("PublicIpAddress") or None,
        has_elastic_ip=primary.get("Association", {}).get("IpOwnerId", "amazon") != "amazon",
        profile=Binding(text(profile, "Arn"), text(profile, "Id")) if profile else None,
        key_name=raw.get("KeyName") or None,
        groups={
            group["GroupId"]: group["GroupName"]
            for group in primary.get("Groups", raw.get("SecurityGroups", ()))
        },
        interfaces=tuple(nic["NetworkInterfaceId"] for nic in nics if "NetworkInterfaceId" in nic),
        http_tokens=kept(metadata, "HttpTokens"),
        http_endpoint=kept(metadata, "HttpEndpoint"),
        hop_limit=metadata["HttpPutResponseHopLimit"] if metadata else None,
        instance_tags=metadata.get("InstanceMetadataTags") or "disabled",
        monitoring=raw.get("Monitoring", {}).get("State") in ("enabled", "pending"),
        ebs_optimized=raw.get("EbsOptimized", False),
        tenancy=placement.get("Tenancy", "default"),
        root_device=raw.get("RootDeviceName"),
        architecture=raw.get("Architecture"),
        devices={
            mapping["DeviceName"]: Device(mapping["Ebs"]["VolumeId"], mapping["Ebs"]["DeleteOnTermination"])
            for mapping in raw.get("BlockDeviceMappings", ())
            if "VolumeId" in mapping.get("Ebs", {})
        },
        market=raw.get("InstanceLifecycle") or "on_demand",
        token=raw.get("ClientToken") or None,
        state_reason=raw.get("StateReason", {}).get("Message"),
        tags=as_tags(raw.get("Tags")),
        described=cast("Mapping[str, Any]", raw),
    )


def _maybe(answer: Mapping[str, Any], name: str) -> str:
    return answer.get(name) or ""


def _device_index(interface: Any) -> tuple[int, int]:
    """Where an interface is attached: the primary one is device 0 of network card 0.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceNetworkInterfaceAttachment.html
    """
    attachment = interface.get("Attachment", {})
    return attachment.get("NetworkCardIndex", 0), attachment.get("DeviceIndex", 0)


def _attached(raw: InstanceTypeDef) -> Iterator[datetime]:
    """When the primary interface was attached, which is at launch; a terminated instance has none any more.

    `LaunchTime` is renewed whenever an instance is started:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
    """
    for interface in raw.get("NetworkInterfaces", ()):
        attachment = interface.get("Attachment", {})
        if attachment.get("DeviceIndex") == 0 and "AttachTime" in attachment:
            yield attachment["AttachTime"]


def _second(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def by_ids(ids: Sequence[str]) -> Iterator[Scope]:
    """Filters that find instances by id without failing on those that are gone."""
    return ((("instance-id", tuple(part)),) for part in chunks(ids, MAX_FILTER_VALUES))


def chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The items in portions of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def calls_on(operation: str, ids: Iterable[str]) -> tuple[Call, ...]:
    """The calls of one operation on instances: as few as EC2 takes them in."""
    parts = chunks(tuple(ids), MAX_IDS)
    return tuple(Call("ec2", operation, {"InstanceIds": list(part)}) for part in parts)


def group_by(members: Sequence[Instance], key: Callable[[Instance], object]) -> list[tuple[Instance, ...]]:
    """The members in groups of equal `key`, in the order in which the groups first occur."""
    groups: dict[str, list[Instance]] = defaultdict(list)
    for member in members:
        groups[repr(key(member))].append(member)
    return [tuple(group) for group in groups.values()]


def find_unhealthy(reader: Reader, ids: Sequence[str]) -> frozenset[str]:
    """Which of these instances do not run, or have not passed both status checks. Raises AwsError.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceStatus.html
    """
    healthy = {
        status["InstanceId"]
        for part in chunks(ids, MAX_IDS_OF_STATUS)
        for status in reader.call("ec2", "DescribeInstanceStatus", InstanceIds=list(part))["InstanceStatuses"]
        if status["InstanceStatus"]["Status"] == status["SystemStatus"]["Status"] == "ok"
    }
    return frozenset(ids) - healthy


def until_stable(instances: Sequence[Instance], scopes: Iterable[Scope]) -> Iterator[Wait]:
    """Waits until instances that are starting or stopping have done so: EC2 refuses to change them before."""
    scopes = tuple(scopes)
    yield from waits(
        [instance.id for instance in instances if instance.state == "pending"], Until.RUNNING, scopes
    )
    yield from waits(
        [instance.id for instance in instances if instance.state == "stopping"], Until.STOPPED, scopes
    )


def waits(
    ids: Sequence[str],
    until: Until,
    scopes: tuple[Scope, ...],
    arn: str | None = None,
    stale: tuple[str, ...] = (),
) -> Iterator[Wait]:
    """The wait for these instances, if there are any; `arn` and `stale` are for a profile."""
    if ids:
        yield Wait(tuple(ids), until, scopes, profile_arn=arn, stale_profiles=stale)
