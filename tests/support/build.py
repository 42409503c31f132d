"""Small worlds for tables of (desired, observed, expected changes)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from provisioner.kinds import KINDS
from provisioner.kinds.base import World
from provisioner.kinds.fleet.observed import ObservedFleet, Prerequisites, Subnet
from provisioner.kinds.fleet.settings.launch_tag import launch_record, write_record
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instance_profile.observed import ObservedProfile
from provisioner.kinds.instances import Binding, Instance
from provisioner.kinds.launch_token import Slot, launch_token
from provisioner.kinds.role.observed import FoundRole, ObservedRole
from provisioner.model import Action, Address, Change, Environment, Identity, Observation, Observed, Plan
from provisioner.naming import ENVIRONMENT_TAG, FLEET_TAG, LAUNCH_TAG, REGION_TAG
from provisioner.plan import plan
from provisioner.spec import load
from tests.support.inert import check_is_data

ME = Identity("123456789012", "aws")
OURS = {ENVIRONMENT_TAG: "env", REGION_TAG: "us-east-1"}
ROLE, PROFILE, FLEET = Address("role", "web"), Address("instance_profile", "web"), Address("fleet", "web")
S3 = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
SUBNETS = (
    Subnet("subnet-0000000000000000a", "us-east-1a", "vpc-1"),
    Subnet("subnet-0000000000000000b", "us-east-1b", "vpc-1"),
)
AROUND = Prerequisites(
    SUBNETS,
    "ami-00000000000000001",
    None,
    "/dev/xvda",
    {
        "default": "sg-00000000000000001",
        "web": "sg-00000000000000001",
        "db": "sg-00000000000000002",
        "sg-00000000000000001": "sg-00000000000000001",
    },
)
# What EC2 shows of every instance that lives.
BARE_INSTANCE: dict[str, Any] = {
    "InstanceId": "i-1",
    "State": {"Name": "running"},
    "Placement": {"AvailabilityZone": "us-east-1a"},
    "InstanceType": "t3.micro",
    "ImageId": "ami-00000000000000001",
    "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1},
}
PROFILE_ARN = "arn:aws:iam::123456789012:instance-profile/provisioner/env/env-web"


def environment(**sections: Any) -> Environment:
    """A spec of the environment `env`, read as any spec is. JSON is YAML."""
    content = {"environment": "env", "region": "us-east-1", **sections}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(json.dumps(content))
        return load(str(path), KINDS)


def world(desired: Environment, observed: Mapping[Address, Observed], destroying: bool = False) -> World:
    return World(desired, Observation(ME, observed), destroying)


def planned(desired: Environment, observed: Mapping[Address, Observed], destroying: bool = False) -> Plan:
    """The plan, which is made of plain data whatever it is for."""
    made = plan(world(desired, observed, destroying), KINDS)
    check_is_data(made)
    return made


def found_role(**differing: Any) -> FoundRole:
    """The role `env-web` as it is when nothing but `differing` was changed."""
    as_made: dict[str, Any] = {
        "name": "env-web",
        "arn": f"arn:aws:iam::123456789012:role/provisioner/env/{differing.get('name', 'env-web')}",
        "path": "/provisioner/env/",
        "description": "",
        "trust": TRUST,
        "managed_policies": frozenset(),
        "inline_policies": {},
        "permissions_boundary": None,
        "max_session_duration": 3600,
        "tags": OURS,
        "profiles": {},
    }
    return FoundRole(**as_made | differing)


def observed_role(**differing: Any) -> ObservedRole:
    return ObservedRole(found_role(**differing))


def found_profile(**differing: Any) -> ObservedProfile:
    """The instance profile `env-web` as it is when nothing but `differing` was changed."""
    as_made: dict[str, Any] = {
        "name": "env-web",
        "arn": PROFILE_ARN,
        "id": "AIPA1",
        "path": "/provisioner/env/",
        "roles": ("env-web",),
        "role_addresses": frozenset({ROLE}),
        "tags": OURS,
    }
    return ObservedProfile(**as_made | differing)


def member(number: int, fleet: Fleet, **differing: Any) -> Instance:
    """A member of the fleet as it is when nothing but `differing` was changed; zones alternate."""
    subnet = SUBNETS[number % 2]
    tags = {**fleet.tags, "Name": fleet.name, LAUNCH_TAG: write_record(launch_record(fleet))}
    as_launched: dict[str, Any] = {
        "id": f"i-{number:02d}",
        "state": "running",
        "zone": subnet.zone,
        "subnet": subnet.id,
        "vpc": subnet.vpc,
        "type": fleet.instance_types[0],
        "image": fleet.image.id or "ami-00000000000000001",
        "launched": f"2026-01-01T00:00:{number:02d}Z",
        "profile": Binding(PROFILE_ARN, "AIPA1") if fleet.profile else None,
        "groups": {"sg-00000000000000001": "default"},
        "http_tokens": "required",
        "http_endpoint": "enabled",
        "hop_limit": 1,
        "instance_tags": "disabled",
        "token": launched_in(fleet.key, subnet, number),
        "tags": tags,
    }
    added = differing.pop("tags", {})
    changed = {key: value for key, value in (tags | added).items() if value is not None}
    return Instance(**as_launched | differing | {"tags": changed})


def launched_in(fleet: str, subnet: Subnet, number: int = 0) -> str:
    """The token of a launch of the fleet, made before there was a profile."""
    return launch_token(Slot("env", fleet, subnet.zone, subnet.id), "", "t3.micro", number)


def observed_fleet(members: Iterable[Instance], **more: Any) -> ObservedFleet:
    return ObservedFleet(members=tuple(members), prerequisites=AROUND, **more)


def fleet_of(desired: Environment) -> Fleet:
    fleet = desired.resources[FLEET]
    assert isinstance(fleet, Fleet)
    assert fleet.tags[FLEET_TAG] == "web"
    return fleet


def told(change: Change) -> str:
    """A change in a line: action, address, fields, instances.

    Without what nobody asked for, and what a role or a profile that goes had.
    """
    is_gone = change.action is Action.DELETE and change.address.kind in ("role", "instance_profile")
    fields = " ".join(field.path for field in change.fields if not field.is_default and not is_gone)
    ids = ",".join(change.instances)
    return " ".join(filter(None, (change.action, str(change.address), fields, ids)))


def calls(change: Change) -> list[str]:
    """The operations a change will call, each with its number when it is more than one."""
    return [call.operation if call.count == 1 else f"{call.operation} x{call.count}" for call in change.calls]
