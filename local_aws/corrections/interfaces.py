"""Network interfaces: how many security groups one has, and which private addresses are free.

VPC User Guide, "Amazon VPC quotas: security groups"
(https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html): five per interface by default; EC2
API Reference, RunInstances (PrivateIpAddress is for one instance), "Error codes":
SecurityGroupsPerInterfaceLimitExceeded, InvalidIPAddress.InUse, InvalidParameterValue; VPC User Guide,
"Subnet sizing" (five addresses are reserved). moto takes any number of groups, and fails by itself at a used
address.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections import launch
from local_aws.corrections.registry import check
from local_aws.world import Region, World

MAX_GROUPS = 5


@check("ec2:ModifyInstanceAttribute", "ec2:ModifyNetworkInterfaceAttribute", "ec2:CreateNetworkInterface")
def groups(world: World, call: Call) -> None:
    """Five groups at most."""
    check_groups_number(call.params.get("Groups") or [])


def check_groups_number(group_ids: list[str]) -> None:
    """Raises SecurityGroupsPerInterfaceLimitExceeded for more groups than an interface may have."""
    if len(set(group_ids)) > MAX_GROUPS:
        text = "You have exceeded the maximum number of security groups allowed per network interface."
        raise AwsError("SecurityGroupsPerInterfaceLimitExceeded", text)


def check_launch(region: Region, params: dict[str, Any]) -> None:
    """Raises an AwsError for too many groups, or for private addresses that a launch cannot have."""
    check_groups_number([*(params.get("SecurityGroupIds") or []), *(params.get("SecurityGroups") or [])])
    wanted = [params["PrivateIpAddress"]] if params.get("PrivateIpAddress") else []
    for interface in params.get("NetworkInterfaces") or []:
        check_groups_number(interface.get("Groups") or [])
        wanted += [interface["PrivateIpAddress"]] if interface.get("PrivateIpAddress") else []
    if wanted and int(params["MaxCount"]) > 1:
        text = "A private IP address cannot be specified when launching more than one instance."
        raise AwsError("InvalidParameterCombination", text)
    for address in wanted:
        _check_address(region, launch.subnet_of(params), address)


def _check_address(region: Region, subnet_id: str, address: str) -> None:
    """Where no subnet is named, the address cannot be judged before one is chosen."""
    subnet = region.backend.get_subnet(subnet_id) if subnet_id else None
    try:
        asked = ip_address(address)
    except ValueError:
        text = f"Value ({address}) for parameter privateIpAddress is invalid."
        raise AwsError("InvalidParameterValue", text) from None
    if subnet is not None:
        block = ip_network(subnet.cidr_block)
        if asked not in block:
            raise AwsError("InvalidParameterValue", "Address does not fall within the subnet's address range")
        if int(asked) - int(block.network_address) < 4 or asked == block.broadcast_address:
            raise AwsError("InvalidParameterValue", "Address is in subnet's reserved address range")
    for interface in region.backend.enis.values():
        used = {item["PrivateIpAddress"] for item in interface.private_ip_addresses}
        if address in used and (subnet is None or interface.subnet.id == subnet.id):
            raise AwsError("InvalidIPAddress.InUse", f"Address {address} is in use.")
