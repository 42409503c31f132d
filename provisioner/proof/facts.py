"""What has to be read of a plan's things so that rights on them can be simulated: tags, profiles, owners."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.model import Call, Identity, Plan
from provisioner.proof.requests import Facts
from provisioner.rights import Place

# How many values one filter takes.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
MAX_IDS = 200


def of_plan(plan: Plan, partition: str) -> Facts:
    """What a plan itself tells."""
    roles = {at.key: data for at, data in plan.desired.items() if at.kind == "role"}
    profiles = [data for at, data in plan.desired.items() if at.kind == "instance_profile"]
    return Facts(
        Place(plan.environment, plan.region, plan.account_id, partition),
        boundaries={str(role["name"]): role.get("permissions_boundary") for role in roles.values()},
        role_of={
            str(profile["name"]): str(roles[profile["role"]]["name"])
            for profile in profiles
            if profile["role"] in roles
        },
    )


def partition_in(arn: str) -> str:
    """The partition of who calls."""
    return Identity.of_arn(arn).partition


def instances_of(plan: Plan) -> list[list[str]]:
    """The instances that a plan is about, in portions of at most MAX_IDS."""
    ids = (instance for change in plan.changes for instance in change.instances)
    every = list(dict.fromkeys(id_ for id_ in ids if id_.startswith("i-")))
    return [every[start : start + MAX_IDS] for start in range(0, len(every), MAX_IDS)]


def read_instances(reader: Reader, ids: Sequence[str]) -> tuple[dict[str, Mapping[str, str]], dict[str, str]]:
    """Tags of at most MAX_IDS instances and ARNs of their profiles, in one call."""
    tags: dict[str, Mapping[str, str]] = {}
    profiles: dict[str, str] = {}
    filters = [{"Name": "instance-id", "Values": ids}]
    for reservation in reader.pages("ec2", "DescribeInstances", "Reservations", Filters=filters):
        for instance in reservation["Instances"]:
            tags[instance["InstanceId"]] = _as_mapping(instance.get("Tags", ()))
            if instance.get("IamInstanceProfile"):
                profiles[instance["InstanceId"]] = str(instance["IamInstanceProfile"]["Arn"])
    return tags, profiles


def read_for_launches(
    reader: Reader, calls: Iterable[Call]
) -> tuple[dict[str, Mapping[str, str]], dict[str, str]]:
    """Tags of subnets and groups that launches name, and owners of images, as far as they may be read."""
    subnets: set[str] = set()
    groups: set[str] = set()
    images: set[str] = set()
    for call in calls:
        interface = (call.params.get("NetworkInterfaces") or [{}])[0]
        named = call.params.get("SecurityGroupIds") or interface.get("Groups") or ()
        subnets.update(filter(None, [interface.get("SubnetId") or call.params.get("SubnetId")]))
        groups.update(group for group in named if isinstance(group, str))
        images.add(str(call.params.get("ImageId", "")))
    tags: dict[str, Mapping[str, str]] = {}
    owners: dict[str, str] = {}

    def read_tagged(operation: str, key: str, id_key: str, ids: set[str]) -> None:
        for row in _read(reader, operation, key, f"{id_key}s", ids):
            tags[row[id_key]] = _as_mapping(row.get("Tags", ()))

    def read_owners() -> None:
        for image in _read(reader, "DescribeImages", "Images", "ImageIds", images - {""}):
            owners[image["ImageId"]] = str(image.get("ImageOwnerAlias") or image["OwnerId"])

    reads: list[Callable[[], None]] = [
        lambda: read_tagged("DescribeSubnets", "Subnets", "SubnetId", subnets),
        lambda: read_tagged("DescribeSecurityGroups", "SecurityGroups", "GroupId", groups),
        read_owners,
    ]
    reader.parallel(*reads)
    return tags, owners


def _read(reader: Reader, operation: str, key: str, parameter: str, ids: set[str]) -> list[dict[str, Any]]:
    if not ids:
        return []
    try:
        return list(reader.call("ec2", operation, **{parameter: sorted(ids)})[key])
    except AwsError:
        return []


def _as_mapping(tags: Iterable[Mapping[str, str]]) -> Mapping[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}
