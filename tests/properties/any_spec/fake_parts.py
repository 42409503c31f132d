"""What the fake AWS is made of: errors, tags, filters, what an account has, and an instance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

ACCOUNT = "123456789012"
REGION = "us-east-1"
ARN = f"arn:aws:iam::{ACCOUNT}:"
VPC = "vpc-00000000000000001"
SUBNETS = {f"subnet-0000000000000000{letter}": f"{REGION}{letter}" for letter in "abcdef"}
GROUPS = {f"sg-0000000000000000{digit}": name for digit, name in enumerate(("default", "web", "db"))}
IMAGES = {"ami-00000001": "older", "ami-00000002": "newest"}
PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
TYPES = ("t3.micro", "t3.small", "m5.large")
WITHOUT_SPOT = TYPES[1]
WITHOUT_TYPES = f"{REGION}e"
KEYS = ("me",)
LIVE = ("pending", "running", "stopping", "stopped")
FILTERS = {
    "attachment.instance-id": "InstanceId",
    "availability-zone": "AvailabilityZone",
    "client-token": "ClientToken",
    "default-for-az": "DefaultForAz",
    "iam-instance-profile.arn": "IamInstanceProfile.Arn",
    "instance-id": "InstanceId",
    "instance-state-name": "State.Name",
    "instance-type": "InstanceType",
    "name": "Name",
    "state": "State",
    "vpc-id": "VpcId",
}
ROOT = "/dev/xvda"
METADATA = {
    "HttpTokens": "optional",
    "HttpEndpoint": "enabled",
    "HttpPutResponseHopLimit": 1,
    "InstanceMetadataTags": "disabled",
}


class Fault(Exception):
    """An error as AWS answers it."""

    def __init__(self, code: str, text: str, status: int = 400) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.status = status


def tags_in(listed: Any) -> dict[str, str]:
    """AWS's list of Key and Value as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in listed or ()}


def tags_out(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """A mapping as AWS's list of Key and Value."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def check_tags(tags: Mapping[str, str]) -> None:
    """No more than fifty, and none of AWS's own. Raises Fault."""
    if len(tags) > 50:
        raise Fault("TagLimitExceeded", "more than 50 tags")
    if any(key.startswith("aws:") or len(key) > 128 or len(value) > 256 for key, value in tags.items()):
        raise Fault("InvalidParameterValue", "a tag that AWS does not take")


@dataclass
class Machine:
    """An instance. `next` is the state it will have at the time `due`, `profile` what it is bound to.

    Its status checks are passed at the time `checked`; `boots` is how often it was started after a stop.
    """

    id: str
    zone: str
    subnet: str
    launched: datetime
    type: str
    image: str
    tags: dict[str, str]
    token: str = ""
    key: str | None = None
    groups: tuple[str, ...] = (next(iter(GROUPS)),)
    metadata: dict[str, Any] = field(default_factory=lambda: dict(METADATA))
    monitoring: bool = False
    ebs_optimized: bool = False
    tenancy: str = "default"
    protected: bool = False
    shutdown: str = "stop"
    user_data: str = ""
    devices: list[dict[str, Any]] = field(default_factory=list)
    volume_tags: dict[str, str] = field(default_factory=dict)
    public_ip: bool | None = None
    state: str = "running"
    next: str = ""
    due: float = 0.0
    checked: float = 0.0
    boots: int = 0
    market: str = "on_demand"
    profile: tuple[str, str] | None = None
    association: str | None = None
    bindings: int = 0
    # The fleet that launched it, which no tag that is written later changes; None: nobody's fleet.
    launched_for: str | None = None

    @property
    def is_live(self) -> bool:
        return self.state in LIVE


def disks_of(machine: Machine) -> dict[str, dict[str, Any]]:
    """What the volumes of an instance are like, by device; the image says what else the root is."""
    launched = {mapping["DeviceName"]: mapping["Ebs"] for mapping in machine.devices}
    image = {ROOT: {"VolumeSize": 8, "VolumeType": "gp3"}}
    return {name: image.get(name, {}) | launched.get(name, {}) for name in (*image, *launched)}


def volume_id(machine: Machine, device: str) -> str:
    return f"vol-{hashlib.sha256(f'{machine.id} {device}'.encode()).hexdigest()[:17]}"


def volumes_of(machine: Machine) -> list[dict[str, Any]]:
    """As DescribeVolumes shows them."""
    return [
        {
            "VolumeId": volume_id(machine, name),
            "AvailabilityZone": machine.zone,
            "State": "in-use",
            "Size": disk["VolumeSize"],
            "VolumeType": disk["VolumeType"],
            "Encrypted": False,
            "InstanceId": machine.id,
            "Attachments": [{"InstanceId": machine.id, "Device": name, "DeleteOnTermination": True}],
            "Tags": tags_out(machine.volume_tags),
        }
        for name, disk in disks_of(machine).items()
    ]


def view_of(machine: Machine) -> dict[str, Any]:
    view: dict[str, Any] = {
        "InstanceId": machine.id,
        "ImageId": machine.image,
        "InstanceType": machine.type,
        "LaunchTime": machine.launched,
        "ClientToken": machine.token,
        "State": {"Name": machine.state},
        "Monitoring": {"State": "enabled" if machine.monitoring else "disabled"},
        "Placement": {"AvailabilityZone": machine.zone, "Tenancy": machine.tenancy},
        "EbsOptimized": machine.ebs_optimized,
        "MetadataOptions": machine.metadata,
        "SecurityGroups": [{"GroupId": group, "GroupName": GROUPS[group]} for group in machine.groups],
        "Tags": tags_out(machine.tags),
        "RootDeviceName": ROOT,
        "BlockDeviceMappings": [
            {"DeviceName": name, "Ebs": {"VolumeId": volume_id(machine, name), "DeleteOnTermination": True}}
            for name in disks_of(machine)
        ],
    }
    optional = {
        "KeyName": machine.key,
        "SubnetId": machine.subnet,
        "VpcId": machine.subnet and VPC,
        "InstanceLifecycle": machine.market == "spot" and "spot",
        "IamInstanceProfile": machine.profile and dict(zip(("Arn", "Id"), machine.profile, strict=True)),
    }
    return view | {name: value for name, value in optional.items() if value}


def passes(row: Mapping[str, Any], filters: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a row of an answer passes all filters. Values may have wildcards, as in AWS."""
    return all(
        any(
            fnmatchcase(text, value)
            for text in _texts(row, condition["Name"])
            for value in condition["Values"]
        )
        for condition in filters
    )


def _texts(row: Mapping[str, Any], name: str) -> list[str]:
    if name.startswith("tag:"):
        return [value for key, value in tags_in(row.get("Tags")).items() if key == name.removeprefix("tag:")]
    value: Any = row
    for step in FILTERS[name].split("."):
        value = (value or {}).get(step)
    return [] if value is None else [str(value).lower() if isinstance(value, bool) else value]
