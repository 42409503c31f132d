"""The local AWS that all runs share, in a scratch folder of its own."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3

import local_aws
from local_aws import Faults

THROTTLED = {"RequestLimitExceeded", "Throttling", "ThrottlingException"}
KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class Calls:
    """The calls of one run."""

    total: int
    throttled: int
    operations: dict[str, int]


class Bench:
    """A running local AWS with latency and throttling."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._scratch = tempfile.TemporaryDirectory(prefix="bench-")
        self.folder = Path(self._scratch.name)

    def __enter__(self) -> Bench:
        os.environ["PROVISIONER_LOCAL_DIR"] = str(self.folder / "local")
        self._local = local_aws.up(port=0)
        self.url = self._local.endpoint_url
        session = boto3.Session("local", "local", region_name="us-east-1")
        self._ec2: Any = session.client("ec2", endpoint_url=self.url)
        self._iam: Any = session.client("iam", endpoint_url=self.url)
        self.empty()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        local_aws.down()
        self._scratch.cleanup()

    def empty(self) -> None:
        """Empties the account and warms the server up, so that nobody pays for its first answers."""
        local_aws.reset()
        self._ec2.describe_subnets()
        self._ec2.describe_instance_type_offerings(MaxResults=1000)
        self._iam.get_account_authorization_details(Filter=["Role"])
        self.start_counting()

    def start_counting(self, faults: Faults | None = None) -> None:
        """Forgets the calls and fills every token bucket; with other faults, if any are given."""
        local_aws.set_faults(self._local, faults or self._faults)
        local_aws.clear_calls(self._local)

    def counted(self) -> Calls:
        """The calls since `start_counting`."""
        records = local_aws.calls(self._local)
        operations = Counter(f"{record.service}:{record.operation}" for record in records)
        throttled = sum(record.error in THROTTLED for record in records)
        return Calls(len(records), throttled, dict(sorted(operations.items())))

    def what_is_there(self) -> tuple[int, int, int]:
        """How many live instances, roles and instance profiles there are."""
        local_aws.set_faults(self._local, Faults())
        live = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
        pages = self._ec2.get_paginator("describe_instances").paginate(
            Filters=live, PaginationConfig={"PageSize": 1000}
        )
        instances = sum(
            len(reservation["Instances"]) for page in pages for reservation in page["Reservations"]
        )
        roles = self._iam.list_roles(MaxItems=1000)["Roles"]
        profiles = self._iam.list_instance_profiles(MaxItems=1000)["InstanceProfiles"]
        ours = [role for role in roles if not role["Path"].startswith("/aws-service-role/")]
        return instances, len(ours), len(profiles)
