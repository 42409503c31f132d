"""Volumes as DescribeVolumes shows them.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provisioner.kinds.base import Reader
from provisioner.kinds.tags import (
    as_tags,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.naming import ENVIRONMENT_TAG, FLEET_TAG

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import VolumeAttachmentTypeDef, VolumeTypeDef


@dataclass(frozen=True)
class ObservedVolume:
    """One volume. `instance` and `device` are where it is attached, if it is; `goes` with that instance."""

    id: str
    zone: str
    state: str
    size_gb: int
    type: str
    iops: int | None
    throughput: int | None
    encrypted: bool
    kms_key: str | None
    instance: str | None
    device: str | None
    goes: bool
    tags: Mapping[str, str]

    def is_of(self, environment: str, fleet: str) -> bool:
        """Whether it has the tags that a launch of this fleet gives."""
        return (self.tags.get(ENVIRONMENT_TAG), self.tags.get(FLEET_TAG)) == (environment, fleet)

    def as_text(self) -> str:
        """What a spec could say of it, in short."""
        said = {
            "encrypted": self.encrypted,
            "iops": self.iops,
            "kms_key_id": self.kms_key,
            "size_gb": self.size_gb,
            "throughput": self.throughput,
            "type": self.type,
        }
        return ",".join(f"{name}:{str(value).lower()}" for name, value in said.items() if value is not None)

    def summary(self) -> dict[str, Any]:
        """What a status shows of it."""
        return {
            "id": self.id,
            "size_gb": self.size_gb,
            "type": self.type,
            "zone": self.zone,
            "state": self.state,
            "instance": self.instance,
        }

    def __str__(self) -> str:
        where = f"on {self.instance}" if self.instance else self.state
        return f"{self.id} ({self.size_gb} GiB {self.type}, {self.zone}, {where})"


def find_volumes(reader: Reader, name: str, values: Sequence[str]) -> Iterator[ObservedVolume]:
    """All volumes for which a filter has one of these values, as many as a call takes. Raises AwsError."""
    filters = [{"Name": name, "Values": list(values)}]
    for raw in reader.pages("ec2", "DescribeVolumes", "Volumes", Filters=filters):
        if raw["State"] not in ("deleting", "deleted"):
            yield _as_volume(raw)


def _as_volume(raw: VolumeTypeDef) -> ObservedVolume:
    nowhere: VolumeAttachmentTypeDef = {}
    attachment = next(iter(raw.get("Attachments", ())), nowhere)
    return ObservedVolume(
        id=raw["VolumeId"],
        zone=raw.get("AvailabilityZone", ""),
        state=raw["State"],
        size_gb=raw["Size"],
        type=raw["VolumeType"],
        iops=raw.get("Iops"),
        throughput=raw.get("Throughput"),
        encrypted=raw["Encrypted"],
        kms_key=raw.get("KmsKeyId"),
        instance=attachment.get("InstanceId"),
        device=attachment.get("Device"),
        goes=attachment.get("DeleteOnTermination", False),
        tags=as_tags(raw.get("Tags")),
    )
