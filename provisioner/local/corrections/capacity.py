"""How many instances fit, and in which zone one goes that names none.

Stopped instances take no room, and may find none when they are started again.

EC2 API Reference, RunInstances: as many as possible up to MaxCount, none if fewer than MinCount are
possible. "Error codes": InsufficientInstanceCapacity, a server error (HTTP 500). moto launches MinCount.
"""

from __future__ import annotations

from typing import Any

from provisioner.local.call import AwsError
from provisioner.local.settings import Capacity
from provisioner.local.world import Region, World


def room(world: World, region: Region, instance_type: str, zone: str) -> int | None:
    """How many more instances of the type fit into the zone; None: any number."""
    limits = [item for item in world.faults.capacity if _covers(item, instance_type, zone)]
    if not limits:
        return None
    used: dict[tuple[str, str], int] = {}
    for member in region.members.values():
        if member.state not in ("pending", "running", "stopping"):
            continue  # stopped instances leave their place to others
        key = (str(member.instance.instance_type), member.zone)
        used[key] = used.get(key, 0) + 1
    free = []
    for limit in limits:
        taken = sum(n for (kind, where), n in used.items() if where == zone and _covers(limit, kind, where))
        free.append(max(0, limit.count - taken))
    return min(free)


def choose_zone(world: World, region: Region, instance_type: str, zones: list[str], wanted: int) -> str:
    """The first zone where all fit, else the one with most room. Raises Unsupported if there is no zone."""
    if not zones:
        text = (
            f"Your requested instance type ({instance_type}) is not supported in your default subnets' zones."
        )
        raise AwsError("Unsupported", text)
    rooms = {zone: room(world, region, instance_type, zone) for zone in zones}
    for zone, free in rooms.items():
        if free is None or free >= wanted:
            return zone
    return max(zones, key=lambda zone: rooms[zone] or 0)


def grant(
    world: World, region: Region, instance_type: str, zone: str, counts: tuple[int, int], others: list[str]
) -> int:
    """How many of `counts` (least, most) are launched in the zone.

    Raises InsufficientInstanceCapacity, naming those of the zones `others` that have room.
    """
    least, most = counts
    free = room(world, region, instance_type, zone)
    if free is None or free >= most:
        return most
    if free >= least:
        return free
    with_room = [name for name in others if name != zone and room(world, region, instance_type, name) != 0]
    advice = f" or choosing {', '.join(with_room)}" if with_room else ""
    raise AwsError(
        "InsufficientInstanceCapacity",
        f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you "
        f"requested ({zone}). Our system will be working on provisioning additional capacity. "
        f"You can currently get {instance_type} capacity by not specifying an Availability Zone in your "
        f"request{advice}.",
        500,
    )


def grant_addresses(subnet: Any, least: int, wanted: int) -> int:
    """How many of those wanted get an address in the subnet.

    Raises InsufficientFreeAddressesInSubnet if fewer than `least` do.
    """
    free = subnet.available_ip_address_count
    if free < least:
        text = f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the requested number"
        raise AwsError("InsufficientFreeAddressesInSubnet", f"{text} of instances.")
    return min(wanted, int(free))


def _covers(limit: Capacity, instance_type: str, zone: str) -> bool:
    return limit.instance_type in ("*", instance_type) and limit.zone in ("*", zone)
