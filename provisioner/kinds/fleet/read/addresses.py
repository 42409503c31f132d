"""Whether subnets have as many free addresses as members are launched into them. All of it pure.

Each member takes one private IPv4 address, also while it is stopped. Fleets of a spec that share subnets
take from the same ones. Where a subnet is full, members go into the fleet's others, so that only what is
missing in all of them together stands in the way.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Subnet.html (AvailableIpAddressCount)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from provisioner.kinds.fleet.observed import ObservedFleet, Problem
from provisioner.kinds.fleet.placement import Leaving, on_members, spread, who_leaves
from provisioner.kinds.fleet.spec import Fleet
from provisioner.model import Address


class Demand(NamedTuple):
    """What a fleet that launches takes of its subnets, `free` addresses by subnet.

    `grows` is by how many it has more there in the end; `surge` how many more again while members are
    replaced; `shares` by how many it has more in each subnet, if members are spread evenly.
    """

    free: Mapping[str, int]
    grows: int
    surge: int
    shares: Mapping[str, int]
    leaving: Leaving


def with_room(
    fleets: Mapping[Address, Fleet], observed: Mapping[Address, ObservedFleet]
) -> dict[Address, ObservedFleet]:
    """The fleets once more, with what is wrong about the addresses that their launches need.

    `fleets` are those of the spec, each with its image.
    """
    demands = {
        at: demand
        for at, fleet in fleets.items()
        if at in observed and (demand := demand_of(fleet, observed[at]))
    }
    taken: Counter[str] = Counter()
    for demand in demands.values():
        taken.update(demand.shares)
    # More than that nobody needs, whoever shares the subnets.
    most = sum(max(demand.grows, 0) for demand in demands.values())
    told = dict(observed)
    for at, demand in demands.items():
        has_room = most + demand.surge <= sum(demand.free.values())
        short = None if has_room else _shortage(at, fleets, observed, demands)
        if isinstance(short, Problem):
            told[at] = replace(told[at], problems=tuple(sorted({*told[at].problems, short})))
        elif short:
            told[at] = replace(told[at], advice=(*told[at].advice, short))
        else:
            full = [
                f"{subnet} has {_addresses(free)} free for {on_members(range(taken[subnet]))} more; those "
                "without go into other subnets"
                for subnet, free in demand.free.items()
                if demand.shares.get(subnet, 0) > 0 and taken[subnet] > free
            ]
            told[at] = replace(told[at], advice=(*told[at].advice, *full))
    return told


def demand_of(fleet: Fleet, observed: ObservedFleet) -> Demand | None:
    """What a fleet takes of its subnets; None: nothing, or it cannot be told.

    Of a launch that is seen in part the others have their addresses already.
    """
    subnets = observed.prerequisites.subnets
    free = {subnet.id: subnet.free for subnet in subnets if subnet.free is not None}
    if fleet.is_over or observed.partly_observed or not subnets or len(free) < len(subnets):
        return None
    leaving = who_leaves(fleet, observed)
    gone = {member.id for member in leaving.members}
    staying = [member for member in observed.members if member.id not in gone]
    new = spread(max(fleet.count - len(staying), 0), subnets, staying)
    shares = Counter({subnet.id: count for subnet, count in new.items()})
    shares.subtract(member.subnet for member in leaving.members if member.subnet in free)
    launches_first = leaving.is_rollout and fleet.update.order == "launch_first" and leaving.surplus <= 0
    surge = min(fleet.update.max_unavailable, len(leaving.members)) if launches_first else 0
    return Demand(free, sum(shares.values()), surge, shares, leaving)


def _shortage(
    at: Address,
    fleets: Mapping[Address, Fleet],
    observed: Mapping[Address, ObservedFleet],
    demands: Mapping[Address, Demand],
) -> Problem | str | None:
    """Why a fleet's subnets do not hold what it and others launch there, and nowhere else.

    In words where other fleets give addresses back, in time or not.
    """
    own = demands[at]
    inside = {other: one for other, one in demands.items() if one.free.keys() <= own.free.keys()}
    needed, free = sum(one.grows for one in inside.values()) + own.surge, sum(own.free.values())
    if own.grows + own.surge <= 0 or needed <= free:
        return None
    given_back = 0
    for other, there in observed.items():
        if other in inside:
            continue
        if other in demands:
            going = demands[other].leaving.members
        else:
            going = who_leaves(fleets[other], there).members if other in fleets else there.members
        given_back += sum(member.subnet in own.free for member in going)
    others = len(inside) - 1
    by = f", {others} other fleet{'' if others == 1 else 's'} included" if others else ""
    while_ = f", {own.surge} of them while members are replaced" if own.surge else ""
    hint = "name more or larger subnets, or ask for less"
    if own.surge and needed - own.surge <= free:
        hint += "; or write `update: {order: terminate_first}`"
    message = f"{_addresses(needed)} more needed in {', '.join(own.free)}{by}{while_}, and {free} free"
    if needed - given_back <= free:
        return f"{message} until other fleets have fewer members; if that is too late, apply again"
    return Problem(message, hint)


def _addresses(count: int) -> str:
    return "1 address" if count == 1 else f"{count} addresses"
