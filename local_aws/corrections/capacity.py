"""How many instances fit, and in which zone one goes that names none.

Stopped instances take no room, and may find none when they are started again. Spot and On-Demand instances
take each other's room only where a capacity names no market.

EC2 API Reference, RunInstances: as many as possible up to MaxCount, none if fewer than MinCount are
possible. "Error codes": InsufficientInstanceCapacity, a server error (HTTP 500). moto launches MinCount.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local_aws.call import AwsError
from local_aws.corrections import quotas
from local_aws.settings import Capacity
from local_aws.world import Member, Region, World, set_state


@dataclass(frozen=True)
class Kind:
    """What takes room: instances of a type in a market, `spot` or `on-demand`."""

    type: str
    market: str


def room(world: World, region: Region, kind: Kind, zone: str) -> int | None:
    """How many more instances of the kind fit into the zone; None: any number."""
    limits = [item for item in world.faults.capacity if _covers(item, kind, zone)]
    if not limits:
        return None
    used: dict[tuple[Kind, str], int] = {}
    for member in region.members.values():
        if member.state not in ("pending", "running", "stopping"):
            continue  # stopped instances leave their place to others
        key = (kind_of(member), member.zone)
        used[key] = used.get(key, 0) + 1
    free = []
    for limit in limits:
        taken = sum(n for (other, where), n in used.items() if where == zone and _covers(limit, other, where))
        free.append(max(0, limit.count - taken))
    return min(free)


def kind_of(member: Member) -> Kind:
    """The kind of an instance, by its type of now."""
    return Kind(str(member.instance.instance_type), member.market)


def choose_zone(world: World, region: Region, kind: Kind, zones: list[str], wanted: int) -> str:
    """The first zone where all fit, else the one with most room. Raises Unsupported if there is no zone."""
    if not zones:
        text = f"Your requested instance type ({kind.type}) is not supported in your default subnets' zones."
        raise AwsError("Unsupported", text)
    rooms = {zone: room(world, region, kind, zone) for zone in zones}
    for zone, free in rooms.items():
        if free is None or free >= wanted:
            return zone
    return max(zones, key=lambda zone: rooms[zone] or 0)


def grant(
    world: World, region: Region, kind: Kind, zone: str, counts: tuple[int, int], others: list[str]
) -> int:
    """How many of `counts` (least, most) are launched in the zone.

    Raises InsufficientInstanceCapacity, naming those of the zones `others` that have room, and the error of a
    quota that is used up.
    """
    least, most = counts
    most = quotas.allowed(world, region, kind.type, kind.market, least, most)
    free = room(world, region, kind, zone)
    if free is None or free >= most:
        return most
    if free >= least:
        return free
    if kind.market == "spot":
        text = "There is no Spot capacity available that matches your request."
        raise AwsError("InsufficientInstanceCapacity", text, 500)
    with_room = [name for name in others if name != zone and room(world, region, kind, name) != 0]
    advice = f" or choosing {', '.join(with_room)}" if with_room else ""
    raise AwsError(
        "InsufficientInstanceCapacity",
        f"We currently do not have sufficient {kind.type} capacity in the Availability Zone you "
        f"requested ({zone}). Our system will be working on provisioning additional capacity. "
        f"You can currently get {kind.type} capacity by not specifying an Availability Zone in your "
        f"request{advice}.",
        500,
    )


def grant_start(world: World, region: Region, members: list[Member]) -> None:
    """Makes stopped instances pending, all or none, each as what it is by now, whatever it was before.

    Raises InsufficientInstanceCapacity, and the error of a quota that is used up.
    """
    granted: list[Member] = []
    try:
        for member in members:
            grant(world, region, kind_of(member), member.zone, (1, 1), [])
            set_state(member, "pending")  # so that the next one finds this place taken
            granted.append(member)
    except AwsError:
        for member in granted:
            set_state(member, "stopped")
        raise


def grant_addresses(subnet: Any, least: int, wanted: int) -> int:
    """How many of those wanted get an address in the subnet.

    Raises InsufficientFreeAddressesInSubnet if fewer than `least` do.
    """
    free = subnet.available_ip_address_count
    if free < least:
        text = f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the requested number"
        raise AwsError("InsufficientFreeAddressesInSubnet", f"{text} of instances.")
    return min(wanted, int(free))


def _covers(limit: Capacity, kind: Kind, zone: str) -> bool:
    return (
        limit.instance_type in ("*", kind.type)
        and limit.zone in ("*", zone)
        and limit.market in ("*", kind.market)
    )
