"""Short words for what the tests of the local AWS do all the time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
)


@dataclass
class Refusal:
    """What AWS said no with."""

    code: str = ""
    message: str = ""
    status: int = 0


@contextmanager
def refused(code: str) -> Iterator[Refusal]:
    """The call inside must fail with this error code; message and status are in what it yields."""
    seen = Refusal()
    with pytest.raises(ClientError) as raised:
        yield seen
    answer = raised.value.response
    seen.code = answer["Error"]["Code"]
    seen.message = answer["Error"]["Message"]
    seen.status = answer["ResponseMetadata"]["HTTPStatusCode"]
    assert seen.code == code, f"{seen.code}: {seen.message}"


def launch(ec2: Any, image: str, count: int | tuple[int, int] = 1, **more: Any) -> list[dict[str, Any]]:
    """Launches t3.micro instances and returns them as RunInstances shows them."""
    least, most = count if isinstance(count, tuple) else (count, count)
    request = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": least, "MaxCount": most, **more}
    found: list[dict[str, Any]] = ec2.run_instances(**request)["Instances"]
    return found


def launch_one(ec2: Any, image: str, **more: Any) -> str:
    """Launches one instance and returns its id."""
    return str(launch(ec2, image, **more)[0]["InstanceId"])


def ids(instances: list[dict[str, Any]]) -> list[str]:
    """Their ids."""
    return [item["InstanceId"] for item in instances]


def seen(ec2: Any, **request: Any) -> list[dict[str, Any]]:
    """All instances of one answer of DescribeInstances."""
    answer = ec2.describe_instances(**request)
    return [item for reservation in answer["Reservations"] for item in reservation["Instances"]]


def one(ec2: Any, instance_id: str) -> dict[str, Any]:
    """One instance as DescribeInstances shows it."""
    (found,) = seen(ec2, InstanceIds=[instance_id])
    return found


def state(ec2: Any, instance_id: str) -> str:
    """The name of its state."""
    return str(one(ec2, instance_id)["State"]["Name"])


def where(name: str, *values: str) -> list[dict[str, Any]]:
    """One filter."""
    return [{"Name": name, "Values": list(values)}]


def make_role(iam: Any, name: str = "worker", **more: Any) -> dict[str, Any]:
    """A role that EC2 may assume."""
    role: dict[str, Any] = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, **more)["Role"]
    return role


def make_profile(iam: Any, name: str = "worker", role: str | None = None, **more: Any) -> dict[str, Any]:
    """An instance profile with a role in it, which is made unless it is named."""
    if role is None:
        role = make_role(iam, name)["RoleName"]
    profile: dict[str, Any] = iam.create_instance_profile(InstanceProfileName=name, **more)["InstanceProfile"]
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    return profile


def association_of(ec2: Any, instance_id: str) -> dict[str, Any]:
    """The one association of an instance."""
    rows = ec2.describe_iam_instance_profile_associations(Filters=where("instance-id", instance_id))
    (row,) = rows["IamInstanceProfileAssociations"]
    found: dict[str, Any] = row
    return found
