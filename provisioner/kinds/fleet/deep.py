"""What DescribeInstances does not show of members, read one by one and put in place of what was written down.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceAttribute.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.desired import Fleet, Volume, as_fields
from provisioner.kinds.fleet.record import (
    launch_record,
    read_record,
    root_record,
    user_data_record,
    write_record,
)
from provisioner.kinds.instances import MOST_FILTER_VALUES, Instance, chunks
from provisioner.naming import LAUNCH_TAG

# What the record has of volumes that are not as the spec says.
OTHER = "other"

# The fields of all volumes of a member, by device, as far as EC2 shows them.
Volumes = Mapping[str, Mapping[str, Any]]


def as_they_are(reader: Reader, fleet: Fleet, members: Sequence[Instance]) -> tuple[Instance, ...]:
    """The members with a launch record that says what is true now. Three calls a member. Raises AwsError."""
    volumes = _volumes(reader, [member.id for member in members])

    def true(member: Instance) -> Instance:
        record = {**read_record(member), **_attributes(reader, member.id)}
        record |= _of_volumes(fleet, member, record, volumes.get(member.id, {}))
        if member.state == "running" and not member.has_elastic_ip and record.get("public_ip") != "subnet":
            record["public_ip"] = "yes" if member.public_ip else "no"
        return replace(member, tags={**(member.tags or {}), LAUNCH_TAG: write_record(record)})

    return tuple(reader.together(*(lambda member=member: true(member) for member in members)))


def _attributes(reader: Reader, instance: str) -> dict[str, str]:
    def attribute(name: str, key: str) -> Any:
        answer = reader.call("ec2", "DescribeInstanceAttribute", InstanceId=instance, Attribute=name)
        return answer.get(key, {}).get("Value")

    user_data = attribute("userData", "UserData")
    is_protected = attribute("disableApiTermination", "DisableApiTermination")
    return {
        "user_data": user_data_record(base64.b64decode(user_data or "")),
        "protection": "on" if is_protected else "off",
        "shutdown": attribute("instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior"),
    }


def _of_volumes(fleet: Fleet, member: Instance, record: Mapping[str, str], there: Volumes) -> dict[str, str]:
    """The parts of the record about volumes. Keys are taken as recorded: EC2 shows them under other names."""
    found: dict[str, str] = {}
    root = there.get(member.root_device or "")
    if root:
        key = next((each for each in record.get("root_volume", "").split(",") if "kms_key_id" in each), None)
        found["root_volume"] = ",".join(filter(None, (root_record(Volume(**root)), key)))
    if any(not _is_as(each, there.get(each.device or "")) for each in fleet.volumes):
        found["volumes"] = OTHER
    elif fleet.volumes:
        found["volumes"] = launch_record(fleet)["volumes"]
    return found


def _is_as(wanted: Volume, actual: Mapping[str, Any] | None) -> bool:
    return actual is not None and all(
        actual.get(name, value) == value for name, value in as_fields(wanted).items()
    )


def _volumes(reader: Reader, instances: Sequence[str]) -> dict[str, Volumes]:
    found: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for part in chunks(instances, MOST_FILTER_VALUES):
        filters = [{"Name": "attachment.instance-id", "Values": list(part)}]
        for raw in reader.pages("ec2", "DescribeVolumes", "Volumes", Filters=filters):
            for attachment in raw["Attachments"]:
                shown = {
                    "size_gb": raw["Size"],
                    "type": raw["VolumeType"],
                    "iops": raw.get("Iops"),
                    "throughput": raw.get("Throughput"),
                    "encrypted": raw["Encrypted"],
                    "delete_on_termination": attachment.get("DeleteOnTermination"),
                }
                found[attachment["InstanceId"]][attachment["Device"]] = {
                    name: value for name, value in shown.items() if value is not None
                }
    return dict(found)
