"""Which instance type an image or an instance can be of.

EC2 User Guide, "Change the instance type: compatibility"
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resize-limitations.html): architecture, virtualization
type, enhanced networking with ENA, and the zone; "Amazon EC2 boot modes" (the words are those in
RhinoSecurityLabs/cloudgoat#247). The words for architectures are those of RunInstances
(skypilot-org/skypilot#6315); "Error codes": InvalidInstanceAttributeValue, InvalidParameterCombination,
InvalidParameterValue, Unsupported. moto launches, changes and starts anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from local_aws.call import AwsError
from local_aws.world import Region


@dataclass(frozen=True)
class Machine:
    """What an image, or an instance that was made from it, asks of a type."""

    architecture: str
    virtualization: str
    ena: bool
    ebs_optimized: bool = False
    boot_mode: str | None = None


def check_type(machine: Machine, kind: str, mismatch: str = "InvalidParameterValue") -> None:
    """Raises an AwsError unless the machine can be of a type that exists.

    `mismatch` is the code for an architecture of another kind.
    """
    about: dict[str, Any] = INSTANCE_TYPES[kind]
    architectures = about["ProcessorInfo"]["SupportedArchitectures"]
    if machine.architecture not in architectures:
        raise AwsError(
            mismatch,
            f"The architecture '{','.join(architectures)}' of the specified instance type does not match "
            f"the architecture '{machine.architecture}' of the specified AMI. Specify an instance type and "
            "an AMI that have matching architectures, and try again. You can use 'describe-instance-types' "
            "or 'describe-images' to discover the architecture of the instance type or AMI.",
        )
    check_abilities(machine, kind)


def check_abilities(machine: Machine, kind: str) -> None:
    """Raises an AwsError unless the type has the machine's way of virtualization, network and disks."""
    about: dict[str, Any] = INSTANCE_TYPES[kind]
    if machine.virtualization not in about["SupportedVirtualizationTypes"]:
        text = f"Non-Windows instances with a virtualization type of '{machine.virtualization}' are currently"
        raise AwsError("InvalidParameterCombination", f"{text} not supported for this instance type.")
    if about["NetworkInfo"]["EnaSupport"] == "required" and not machine.ena:
        raise AwsError(
            "InvalidParameterCombination",
            f"Enhanced networking with the Elastic Network Adapter (ENA) is required for the '{kind}' "
            "instance type. Ensure that your instance is enabled for ENA.",
        )
    if machine.boot_mode == "uefi" and "uefi" not in about["SupportedBootModes"]:
        raise AwsError(
            "InvalidParameterValue",
            f"The {kind} instance type does not support an AMI with a boot mode of UEFI. Only instance types "
            "built on the Nitro System support UEFI. Specify an instance type that supports UEFI, and try "
            "again.",
        )
    if machine.ebs_optimized and about["EbsInfo"].get("EbsOptimizedSupport") == "unsupported":
        text = "EBS-optimized instances are not supported for your requested configuration."
        raise AwsError("Unsupported", f"{text} Please check the documentation for supported configurations.")


def offered_zones(region: Region, kind: str) -> list[str]:
    """The zones that offer an instance type, by moto's list; all if the list does not know the type."""
    offers = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region.name, [])
    zones = sorted(item["Location"] for item in offers if item["InstanceType"] == kind)
    return zones or [zone.name for zone in region.backend.describe_availability_zones()]


def check_offered(region: Region, kind: str, zone: str) -> None:
    """Raises Unsupported, naming the zones that do, if a zone does not offer a type."""
    offered = offered_zones(region, kind)
    if zone not in offered:
        raise AwsError(
            "Unsupported",
            f"Your requested instance type ({kind}) is not supported in your requested Availability Zone "
            f"({zone}). Please retry your request by not specifying an Availability Zone or choosing "
            f"{', '.join(offered)}.",
        )
