"""What a field of a fleet means that a spec leaves out: what is sent for it, and whether it is compared.

What EC2, the VPC or the image decides is neither sent nor compared: whatever it came to be is right. Only
what has a definite default (`Absent: none`, `Absent: required`) is held to it, and only where EC2 takes that
default everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from provisioner.kinds.fleet.launching.params import launch_params
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Binding
from provisioner.naming import LAUNCH_TAG
from tests.support.build import (
    AROUND,
    FLEET,
    SUBNETS,
    environment,
    fleet_of,
    member,
    observed_fleet,
    planned,
    told,
)

SCHEMA = Path(__file__).resolve().parents[3] / "schemas" / "kinds" / "fleet.schema.json"
BARE = environment(
    fleets={"web": {"count": 1, "image": "ami-00000000000000001", "instance_type": "t3.micro"}}
)

METADATA = {
    "HttpTokens": "required",
    "HttpEndpoint": "enabled",
    "HttpPutResponseHopLimit": 1,
    "InstanceMetadataTags": "disabled",
}
# Whatever the image says, it goes with its instance.
ROOT = [{"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": True}}]


class Absent(NamedTuple):
    """`sent`: the parameters of a launch that come of it; `plan`: what is done about an `other` member."""

    sent: Mapping[str, Any]
    other: Mapping[str, Any]
    plan: str


def recorded(text: str) -> dict[str, Any]:
    return {"tags": {LAUNCH_TAG: text}}


INTERFACE = {"NetworkInterfaceId": "eni-1", "Ipv6Addresses": [{"Ipv6Address": "::1"}]}


def described(**options: Any) -> dict[str, Any]:
    """What EC2 shows of an instance besides."""
    return {"described": options, "interfaces": ("eni-1",)}


ABSENT: dict[str, Absent] = {
    # Nothing is said of it, so whatever there is is right.
    "subnets": Absent({"SubnetId": SUBNETS[0].id}, {"subnet": "subnet-0000000000000000c"}, ""),
    "availability_zones": Absent(
        {"Placement": {"AvailabilityZone": "us-east-1a"}}, {"zone": "us-east-1c"}, ""
    ),
    "tenancy": Absent({}, {"tenancy": "dedicated"}, ""),
    "security_groups": Absent({}, {"groups": {"sg-00000000000000009": "x"}}, ""),
    "ebs_optimized": Absent({}, {"ebs_optimized": True}, ""),
    "associate_public_ip": Absent({}, recorded("public_ip=yes"), ""),
    "root_volume": Absent({"BlockDeviceMappings": ROOT}, recorded("root_volume=size_gb:20,type:gp3"), ""),
    "volumes": Absent({}, recorded("volumes=0123456789ab"), ""),
    "stop_protection": Absent({}, recorded("stop=on"), ""),
    "credit_specification": Absent({}, described(CpuCredits="standard"), ""),
    "cpu_options": Absent({}, described(CpuOptions={"CoreCount": 1, "ThreadsPerCore": 1}), ""),
    "placement_group": Absent({}, described(Placement={"GroupName": "close"}), ""),
    "capacity_reservation": Absent(
        {}, described(CapacityReservationSpecification={"CapacityReservationPreference": "none"}), ""
    ),
    "enclave": Absent({}, described(EnclaveOptions={"Enabled": True}), ""),
    "hibernation": Absent({}, described(HibernationOptions={"Configured": True}), ""),
    "source_dest_check": Absent({}, described(SourceDestCheck=False), ""),
    "ipv6_address_count": Absent(
        {},
        described(
            NetworkInterfaces=[{"NetworkInterfaceId": "eni-1", "Ipv6Addresses": [{"Ipv6Address": "::1"}]}]
        ),
        "",
    ),
    "private_dns": Absent({}, described(PrivateDnsNameOptions={"HostnameType": "resource-name"}), ""),
    "maintenance": Absent({}, described(MaintenanceOptions={"AutoRecovery": "disabled"}), ""),
    # It means a definite thing, which EC2 takes everywhere.
    "metadata": Absent(
        {"MetadataOptions": METADATA}, {"http_tokens": "optional"}, "update metadata.http_tokens"
    ),
    "monitoring": Absent({"Monitoring": {"Enabled": False}}, {"monitoring": True}, "update monitoring"),
    # It means what EC2 does when it is told nothing.
    "shutdown_behavior": Absent({}, recorded("shutdown=terminate"), "update shutdown_behavior"),
    "termination_protection": Absent({}, recorded("protection=on"), "update termination_protection"),
    "instance_profile": Absent({}, {"profile": Binding("arn:x/y", "AIPA1")}, "update instance_profile"),
    "key_name": Absent({}, {"key_name": "me"}, "replace key_name"),
    "user_data": Absent({}, recorded("user_data=0123456789ab"), "replace user_data"),
    "market": Absent({}, {"market": "spot"}, "replace market"),
}

# What says nothing of an instance's settings.
ABOUT_THE_FLEET = {
    "ready",
    "name",
    "tags",
    "power",
    "max_price",
    "fallback",
    "protect",
    "rebalance",
    "update",
    "ignore_changes",
    "keep",
    "expires",
}
ALWAYS_SENT = {"ImageId", "TagSpecifications"}


def sent(fleet: Fleet) -> dict[str, Any]:
    return launch_params(fleet, None, AROUND, SUBNETS[0])


def test_nothing_else_is_sent_for_a_bare_fleet() -> None:
    params = {name: value for name, value in sent(fleet_of(BARE)).items() if name not in ALWAYS_SENT}
    assert params == {name: value for absent in ABSENT.values() for name, value in absent.sent.items()}


@pytest.mark.parametrize("field", ABSENT)
def test_a_member_that_has_it_otherwise(field: str) -> None:
    absent = ABSENT[field]
    odd = member(0, fleet_of(BARE), **absent.other)
    changes = planned(BARE, {FLEET: observed_fleet((odd,))}).changes
    does = [told(change).replace("fleet/web ", "").removesuffix(f" {odd.id}") for change in changes]
    assert does == ([absent.plan] if absent.plan else [])


def test_every_field_that_may_be_left_out_is_here() -> None:
    schema = json.loads(SCHEMA.read_text())
    optional = schema["properties"].keys() - set(schema["required"])
    assert ABSENT.keys() == optional - ABOUT_THE_FLEET


@pytest.mark.parametrize("field", ABSENT)
def test_the_documentation_says_the_same(field: str) -> None:
    """A field is held to what it is without being said only where its description names that."""
    absent = json.loads(SCHEMA.read_text())["properties"][field]["description"].partition(" Absent: ")[2]
    is_left = "not compared" in absent or field in ("subnets", "availability_zones")
    assert is_left != bool(ABSENT[field].plan)
