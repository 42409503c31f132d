"""Worlds of any size as they would have been observed, built of provisioner's own values."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provisioner.kinds import KINDS
from provisioner.kinds.base import World
from provisioner.kinds.fleet.observed import ObservedFleet, Prerequisites, Subnet
from provisioner.kinds.fleet.settings.launch_tag import launch_record, write_record
from provisioner.kinds.instance_profile.observed import ObservedProfile
from provisioner.kinds.instances import Binding, Instance
from provisioner.kinds.role.observed import FoundRole, ObservedRole
from provisioner.model import Address, Environment, Identity, Observation
from provisioner.naming import ENVIRONMENT_TAG, LAUNCH_TAG, REGION_TAG
from provisioner.spec import load

ME = Identity("123456789012", "aws")
IMAGE = "ami-00000000000000001"
SUBNETS = tuple(Subnet(f"subnet-{zone}", f"us-east-1{zone}", "vpc-1") for zone in "abc")
ROLE, PROFILE = Address("role", "worker"), Address("instance_profile", "worker")
# The most that a spec takes for one fleet.
LARGEST_FLEET = 5000
SPEC = """
environment: bench
region: us-east-1
roles:
  worker:
    managed_policies: [AmazonS3ReadOnlyAccess, AmazonSSMManagedInstanceCore]
instance_profiles:
  worker: {role: worker}
fleets:
"""
FLEET = """
  f%d:
    count: %d
    instance_profile: worker
    image: {ssm: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}
    instance_type: t3.large
    availability_zones: [us-east-1a, us-east-1b, us-east-1c]
"""


def observed_world(case: str, members: int) -> World:
    """Fleets of up to 5000 with so many members in all.

    With the case `drift` every tenth member has a tag that it should not have, every hundredth an open
    metadata service, the first of each fleet is bound to another profile, and each fleet lacks a member.
    """
    sizes = [min(LARGEST_FLEET, members - done) for done in range(0, members, LARGEST_FLEET)]
    drifting = case == "drift"
    environment = _environment(sizes)
    resources: Any = environment.resources
    wanted = resources[PROFILE]
    arn = f"arn:aws:iam::123456789012:instance-profile{wanted.path}{wanted.name}"
    observed: dict[Address, Any] = {
        ROLE: _role(resources[ROLE], wanted.name),
        PROFILE: ObservedProfile(
            wanted.name, arn, "AIPA1", wanted.path, ("bench-worker",), dict(wanted.tags), frozenset({ROLE})
        ),
    }
    for index, size in enumerate(sizes):
        at = Address("fleet", f"f{index}")
        there = range(1 if drifting else 0, size)
        found = tuple(_members(index, there, resources[at], arn, drifting))
        wrong = {found[0].id: f"iip-assoc-{index}"} if drifting else {}
        around = Prerequisites(SUBNETS, IMAGE) if drifting else Prerequisites()
        observed[at] = ObservedFleet(
            found, uses=frozenset({PROFILE}), prerequisites=around, associations=wrong
        )
    return World(environment, Observation(ME, observed), case == "destroy")


def _environment(sizes: list[int]) -> Environment:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(SPEC + "".join(FLEET % numbered for numbered in enumerate(sizes)))
        return load(str(path), KINDS)


def _role(role: Any, profile: str) -> ObservedRole:
    return ObservedRole(
        FoundRole(
            name=role.name,
            arn=f"arn:aws:iam::123456789012:role{role.path}{role.name}",
            path=role.path,
            description=role.description,
            trust=role.trust,
            managed_policies=role.managed_arns("aws"),
            inline_policies={},
            permissions_boundary=None,
            max_session_duration=role.max_session_duration,
            tags={ENVIRONMENT_TAG: "bench", REGION_TAG: "us-east-1"},
            profiles={profile: role.path},
        )
    )


def _members(index: int, numbers: range, fleet: Any, arn: str, drifting: bool) -> Iterator[Instance]:
    for number in numbers:
        subnet = SUBNETS[number % 3]
        # Each has a dictionary of its own, as members that EC2 describes have.
        tags = {**fleet.tags, "Name": fleet.name, LAUNCH_TAG: write_record(launch_record(fleet))}
        if drifting and number % 10 == 0:
            tags["left-by-hand"] = "yes"
        yield Instance(
            id=f"i-{index:04x}{number:013x}",
            state="running",
            zone=subnet.zone,
            type="t3.large",
            image=IMAGE,
            launched="2026-01-01T00:00:00Z",
            subnet=subnet.id,
            vpc=subnet.vpc,
            private_ip=f"10.{index}.{number >> 8 & 255}.{number & 255}",
            profile=Binding(arn, "AIPA2" if drifting and number == numbers[0] else "AIPA1"),
            groups={"sg-00000000000000001": "default"},
            http_tokens="optional" if drifting and number % 100 == 1 else "required",
            http_endpoint="enabled",
            hop_limit=1,
            instance_tags="disabled",
            tags=tags,
        )
