"""IPv6 addresses: at launch and later, where the subnet has an IPv6 block.

EC2 API Reference, RunInstances (Ipv6AddressCount, not beside network interfaces), AssignIpv6Addresses,
UnassignIpv6Addresses (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssignIpv6Addresses.html);
User Guide, "IP addresses per network interface per instance type"; "Error codes":
InvalidParameterValue, InvalidParameterCombination. moto gives none where there is no block, or fails,
and knows no limit.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_aws.call import AwsError, Call
from local_aws.corrections.lag import keep
from local_aws.corrections.registry import check, handler
from local_aws.world import Member, Region, World


def check_launch(subnet: Any, params: dict[str, Any]) -> None:
    """Raises an AwsError unless the subnet has addresses of that kind, and the type takes as many.

    None is the default subnet, which has none.
    """
    if params.get("Ipv6AddressCount") and params.get("NetworkInterfaces"):
        text = "Network interfaces and an instance-level IPv6 address count may not be specified together."
        raise AwsError("InvalidParameterCombination", text)
    if count := _count(params):
        _check(subnet, params.get("InstanceType") or "m1.small", count)


def assign_at_launch(member: Member, params: dict[str, Any]) -> None:
    """Gives a new instance the addresses that its launch asked for."""
    interface = member.instance.nics[0]
    _assign(member.instance.ec2_backend, interface, max(0, _count(params) - len(interface.ipv6_addresses)))


@check("ec2:AssignIpv6Addresses")
def may_assign(world: World, call: Call) -> None:
    """The interface exists, in a subnet with a block, on a type that takes as many."""
    region = world.region(call.region)
    interface = region.backend.get_network_interface(call.params.get("NetworkInterfaceId") or "")
    asked = int(call.params.get("Ipv6AddressCount") or len(call.params.get("Ipv6Addresses") or []))
    owner = _owner(region, interface)
    kind = str(owner.instance.instance_type) if owner else ""
    _check(interface.subnet, kind, asked + len(interface.ipv6_addresses))


@handler("ec2:AssignIpv6Addresses")
def assign(world: World, call: Call) -> dict[str, Any]:
    """As many more as asked for, or those that are named."""
    region = world.region(call.region)
    interface = region.backend.get_network_interface(call.params["NetworkInterfaceId"])
    _keep(world, region, interface)
    before = list(interface.ipv6_addresses)
    named = call.params.get("Ipv6Addresses") or []
    interface.ipv6_addresses.extend(item for item in named if item not in before)
    _assign(region.backend, interface, int(call.params.get("Ipv6AddressCount") or 0))
    new = [item for item in interface.ipv6_addresses if item not in before]
    return {"AssignedIpv6Addresses": new, "NetworkInterfaceId": interface.id}


@handler("ec2:UnassignIpv6Addresses")
def unassign(world: World, call: Call) -> dict[str, Any]:
    """Those that are named go."""
    region = world.region(call.region)
    interface = region.backend.get_network_interface(call.params.get("NetworkInterfaceId") or "")
    named = call.params.get("Ipv6Addresses") or []
    for address in named:
        if address not in interface.ipv6_addresses:
            text = f"Some of the specified addresses are not assigned to interface {interface.id}"
            raise AwsError("InvalidParameterValue", text)
    _keep(world, region, interface)
    interface.ipv6_addresses = [item for item in interface.ipv6_addresses if item not in named]
    return {"NetworkInterfaceId": interface.id, "UnassignedIpv6Addresses": named}


def _count(params: dict[str, Any]) -> int:
    """How many the primary interface gets."""
    first: dict[str, Any] = next(iter(params.get("NetworkInterfaces") or []), {})
    return int(params.get("Ipv6AddressCount") or first.get("Ipv6AddressCount") or 0)


def _check(subnet: Any, kind: str, count: int) -> None:
    if subnet is None or not subnet.ipv6_cidr_block_associations:
        named = subnet.id if subnet is not None else "default"
        raise AwsError("InvalidParameterValue", f"The subnet '{named}' has no IPv6 CIDR block.")
    about: dict[str, Any] = INSTANCE_TYPES.get(kind) or {}
    most = (about.get("NetworkInfo") or {}).get("Ipv6AddressesPerInterface")
    if most is not None and count > most:
        text = f"Number of IPv6 addresses, {count}, exceeds the limit of {most} for the type {kind}."
        raise AwsError("AddressLimitExceeded", text)


def _assign(backend: Any, interface: Any, count: int) -> None:
    if count:
        backend.assign_ipv6_addresses(interface.id, ipv6_count=count)


def _owner(region: Region, interface: Any) -> Member | None:
    return next(
        (
            member
            for member in region.members.values()
            if any(item.id == interface.id for item in member.instance.nics.values())
        ),
        None,
    )


def _keep(world: World, region: Region, interface: Any) -> None:
    owner = _owner(region, interface)
    keep(world, region, [owner.id] if owner else [])
