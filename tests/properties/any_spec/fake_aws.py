"""A small AWS in memory: dicts in, dicts out, AWS's own errors, and time that jumps instead of passing.

It knows the operations that the program uses and refuses all others, and all parameters that they do not have
here. Its ids follow from what was asked for, not from who came first, so that a run can be repeated exactly.
"""

# Parameters are called as AWS calls them.
# ruff: noqa: N803

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from provisioner.errors import AwsError
from tests.properties.any_spec.connection import Time
from tests.properties.any_spec.fake_ec2 import Machines
from tests.properties.any_spec.fake_iam import Iam
from tests.properties.any_spec.fake_parts import (
    ACCOUNT,
    GROUPS,
    IMAGES,
    KEYS,
    PARAMETER,
    SUBNETS,
    TYPES,
    VPC,
    WITHOUT_TYPES,
    Fault,
    passes,
    tags_out,
)


class FakeAws:
    """The account: one object for each service, with one method for each operation."""

    def __init__(self) -> None:
        self.time = Time()
        self.lock = threading.RLock()
        self.iam = Iam()
        self.ec2 = Ec2(self.iam, self.time)
        self.services: dict[str, Any] = {"iam": self.iam, "ec2": self.ec2, "ssm": Ssm(), "sts": Sts()}

    def execute(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """One call. Raises AwsError; and AssertionError for what this AWS does not know."""
        method: Callable[..., dict[str, Any] | None] | None = getattr(
            self.services[service], snake(operation), None
        )
        assert method is not None, f"{service} {operation} is not among the operations of this AWS"
        try:
            with self.lock:
                self.ec2.settle()
                # Nothing that was answered changes afterwards, nor does anybody's own copy of what was sent.
                return copy.deepcopy(method(**copy.deepcopy(dict(params))) or {})
        except Fault as fault:
            raise AwsError(service, operation, fault.code, fault.text, fault.status) from fault


class Sts:
    """Who asks."""

    def get_caller_identity(self) -> dict[str, Any]:
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/me", "UserId": "AIDAME"}


class Ssm:
    """One parameter."""

    def get_parameter(self, Name: str) -> dict[str, Any]:
        if Name != PARAMETER:
            raise Fault("ParameterNotFound", "")
        return {"Parameter": {"Name": Name, "Value": list(IMAGES)[-1]}}


class Ec2(Machines):
    """Instances, and what the account has before anybody launches any."""

    def describe_subnets(
        self, SubnetIds: tuple[str, ...] = (), Filters: tuple[dict[str, Any], ...] = ()
    ) -> dict[str, Any]:
        missing = [subnet for subnet in SubnetIds if subnet not in SUBNETS]
        if missing:
            raise Fault("InvalidSubnetID.NotFound", f"The subnet ID '{missing[0]}' does not exist")
        rows = [
            {
                "SubnetId": subnet,
                "AvailabilityZone": zone,
                "VpcId": VPC,
                "DefaultForAz": True,
                "Tags": tags_out(self.subnet_tags[subnet]),
            }
            for subnet, zone in SUBNETS.items()
            if not SubnetIds or subnet in SubnetIds
        ]
        return {"Subnets": [row for row in rows if passes(row, Filters)]}

    def describe_instance_type_offerings(
        self, LocationType: str, Filters: list[dict[str, Any]]
    ) -> dict[str, Any]:
        assert LocationType == "availability-zone"
        rows = [
            {"InstanceType": kind, "Location": zone}
            for zone in SUBNETS.values()
            if zone != WITHOUT_TYPES
            for kind in TYPES
        ]
        return {"InstanceTypeOfferings": [row for row in rows if passes(row, Filters)]}

    def describe_instance_types(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        (wanted,) = (entry["Values"] for entry in Filters if entry["Name"] == "instance-type")
        return {
            "InstanceTypes": [
                {"InstanceType": kind, "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]}}
                for kind in TYPES
                if kind in wanted
            ]
        }

    def describe_images(
        self,
        ImageIds: tuple[str, ...] = (),
        Owners: tuple[str, ...] = (),
        Filters: tuple[dict[str, Any], ...] = (),
    ) -> dict[str, Any]:
        missing = [image for image in ImageIds if image not in IMAGES]
        if missing:
            raise Fault("InvalidAMIID.NotFound", f"The image id '[{missing[0]}]' does not exist")
        rows = [
            {"ImageId": image, "Name": name, "State": "available", "RootDeviceName": "/dev/xvda"}
            | {"Architecture": "x86_64", "CreationDate": f"2026-01-0{number}T00:00:00.000Z"}
            for number, (image, name) in enumerate(IMAGES.items(), 1)
            if not ImageIds or image in ImageIds
        ]
        return {"Images": [row for row in rows if passes(row, Filters)]}

    def describe_key_pairs(
        self, KeyNames: list[str] | None = None, Filters: Any = (), IncludePublicKey: bool = False
    ) -> dict[str, Any]:
        if KeyNames is None:
            # Nobody here imports any.
            return {"KeyPairs": []}
        missing = [key for key in KeyNames if key not in KEYS]
        if missing:
            raise Fault("InvalidKeyPair.NotFound", f"The key pair '{missing[0]}' does not exist")
        return {"KeyPairs": [{"KeyName": key} for key in KeyNames]}

    def describe_security_groups(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        rows = [{"GroupId": group, "GroupName": name, "VpcId": VPC} for group, name in GROUPS.items()]
        return {"SecurityGroups": [row for row in rows if passes(row, Filters)]}


def snake(operation: str) -> str:
    """The method for an operation."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
