"""What DescribeInstances does not show of members, read one by one and put in place of what was written down.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceAttribute.html
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.launch_tag import (
    read_record,
    user_data_record,
    write_record,
)
from provisioner.kinds.instances import Instance
from provisioner.naming import LAUNCH_TAG


def as_they_are(reader: Reader, members: Sequence[Instance]) -> tuple[Instance, ...]:
    """The members with a launch record that says what is true now, but for volumes, which are read apart.

    Three calls a member. Raises AwsError.
    """

    def true(member: Instance) -> Instance:
        record = {**read_record(member), **_attributes(reader, member.id)}
        if member.state == "running" and not member.has_elastic_ip and record.get("public_ip") != "subnet":
            record["public_ip"] = "yes" if member.public_ip else "no"
        return replace(member, tags={**(member.tags or {}), LAUNCH_TAG: write_record(record)})

    return tuple(reader.parallel(*(lambda member=member: true(member) for member in members)))


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
