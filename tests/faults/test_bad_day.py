"""The whole main job on a bad day: throttled, slow, lagging, and one reply in ten lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

import local_aws
from local_aws import Faults, LocalAws

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

SPEC = """
environment: bad-day
region: us-east-1
tags: {team: data}
roles:
  worker:
    managed_policies: [AmazonS3ReadOnlyAccess, AmazonSSMManagedInstanceCore]
    inline_policies:
      write:
        Version: "2012-10-17"
        Statement: {Effect: Allow, Action: "s3:PutObject", Resource: "*"}
instance_profiles:
  worker: {role: worker}
fleets:
  worker:
    count: 6
    name: "worker-{index}"
    instance_profile: worker
    image: {ssm: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}
    instance_type: t3.micro
    availability_zones: [us-east-1a, us-east-1b]
"""
CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}


SEEDS = (1, 2, 3)
BAD_DAY = Faults(latency_ms=60, throttle=True, lag_s=2, iam_lag_s=2, propagation_s=2, drop_reply_share=0.1)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[int, LocalAws]]:
    """A local AWS for each seed, in a folder called after it."""
    started = {}
    for seed in SEEDS:
        with in_folder(tmp_path / str(seed)):
            started[seed] = local_aws.up(port=0)
    yield started
    for seed in SEEDS:
        with in_folder(tmp_path / str(seed)):
            local_aws.down()


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVISIONER_LOCAL_DIR", str(folder))
        yield


def provisioner(folder: Path, *arguments: str) -> str:
    """What the program printed; it must have ended well."""
    ran = subprocess.run(
        [sys.executable, "-m", "provisioner", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"NO_COLOR": "1", "PROVISIONER_LOCAL": "1", "PROVISIONER_LOCAL_DIR": str(folder)},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed: str = ran.stdout
    return printed


def client(server: LocalAws, service: str) -> Any:
    return boto3.client(service, endpoint_url=server.endpoint_url, **CREDENTIALS)  # type: ignore[call-overload]


def live_members(server: LocalAws) -> list[Mapping[str, Any]]:
    found = client(server, "ec2").describe_instances()["Reservations"]
    instances = [instance for reservation in found for instance in reservation["Instances"]]
    return [
        instance for instance in instances if instance["State"]["Name"] not in ("shutting-down", "terminated")
    ]


def name(instance: Mapping[str, Any]) -> str:
    return str(next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "Name"))


def test_the_main_job_ends_in_the_right_state(servers: dict[int, LocalAws], tmp_path: Path) -> None:
    # Nearly all of it is waiting, so the seeds run side by side.
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        runs = [
            pool.submit(main_job, servers[seed], tmp_path / str(seed), replace(BAD_DAY, seed=seed))
            for seed in SEEDS
        ]
    for run in runs:
        run.result()


def main_job(server: LocalAws, folder: Path, bad_day: Faults) -> None:
    spec = folder / "spec.yaml"
    spec.write_text(SPEC)
    local_aws.set_faults(server, bad_day)
    provisioner(folder, "apply", str(spec), "--yes")
    provisioner(folder, "plan", str(spec), "--detailed-exitcode")
    local_aws.set_faults(server, Faults())
    members = live_members(server)
    assert sorted(map(name, members)) == [f"worker-{number}" for number in range(1, 7)]
    assert {member["State"]["Name"] for member in members} == {"running"}
    assert all("bad-day-worker" in member["IamInstanceProfile"]["Arn"] for member in members)
    zones = Counter(member["Placement"]["AvailabilityZone"] for member in members)
    assert zones == {"us-east-1a": 3, "us-east-1b": 3}

    local_aws.set_faults(server, bad_day)
    provisioner(folder, "destroy", str(spec), "--yes")
    local_aws.set_faults(server, Faults())
    assert live_members(server) == []
    iam = client(server, "iam")
    path = "/provisioner/bad-day/"
    assert iam.list_roles(PathPrefix=path)["Roles"] == []
    assert iam.list_instance_profiles(PathPrefix=path)["InstanceProfiles"] == []
