"""Hibernation and Nitro Enclaves: what an instance has to be for them, and that it has one of the two.

EC2 User Guide, "Prerequisites for EC2 instance hibernation"
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hibernating-prerequisites.html): types that support it,
with an encrypted root volume that has room for the memory; API Reference, HibernationOptionsRequest, "Error
codes": UnsupportedHibernationConfiguration. Nitro Enclaves User Guide, "Requirements" and EC2 API Reference,
EnclaveOptionsRequest: not together with hibernation. moto keeps either, on anything.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_aws.call import AwsError, Call
from local_aws.corrections import states, volumes
from local_aws.corrections.registry import check
from local_aws.world import Region, World

MAX_MEMORY_GB = 150


def check_launch(region: Region, params: dict[str, Any]) -> None:
    """Raises an AwsError for hibernation or enclaves on what cannot have them. Image and type exist."""
    kind = params.get("InstanceType") or "m1.small"
    has_enclave = (params.get("EnclaveOptions") or {}).get("Enabled")
    if has_enclave:
        check_enclave(kind)
    if not (params.get("HibernationOptions") or {}).get("Configured"):
        return
    if has_enclave:
        raise _both()
    about: dict[str, Any] = INSTANCE_TYPES[kind]
    memory_gb = about["MemoryInfo"]["SizeInMiB"] / 1024
    if not about.get("HibernationSupported") or memory_gb > MAX_MEMORY_GB:
        raise _unsupported(f"The instance type {kind} does not support hibernation.")
    root = volumes.launch_devices(region, params)[region.backend.amis[params["ImageId"]].root_device_name]
    if not root.get("Encrypted"):
        raise _unsupported("For hibernation, the root device volume must be encrypted.")
    if int(root["VolumeSize"]) <= memory_gb:
        raise _unsupported("For hibernation, the root device volume must have room for the memory.")


@check("ec2:ModifyInstanceAttribute")
def enclave(world: World, call: Call) -> None:
    """A type that has enclaves, for an instance that is there, and that does not hibernate."""
    if not (call.params.get("EnclaveOptions") or {}).get("Enabled"):
        return
    (member,) = states.find(world.region(call.region), [call.params.get("InstanceId") or ""])
    check_enclave(str(member.instance.instance_type))
    if (member.instance.hibernation_options or {}).get("Configured"):
        raise _both()


def check_enclave(kind: str) -> None:
    """Raises InvalidParameterCombination for a type that has no enclaves."""
    about: dict[str, Any] = INSTANCE_TYPES[kind]
    if about.get("NitroEnclavesSupport") != "supported":
        text = f"The instance type {kind} does not support Nitro Enclaves."
        raise AwsError("InvalidParameterCombination", text)


def _both() -> AwsError:
    text = "You can't enable hibernation and Nitro Enclaves on the same instance."
    return AwsError("InvalidParameterCombination", text)


def _unsupported(text: str) -> AwsError:
    return AwsError("UnsupportedHibernationConfiguration", text)
