"""Who stays, who goes, who is called what, and where new members run. All of it pure and repeatable."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence

from provisioner.kinds.fleet.desired import Fleet
from provisioner.kinds.fleet.seen import Subnet
from provisioner.kinds.fleet.settings import SETTINGS, How, differs, is_protected
from provisioner.kinds.instances import Instance, in_order
from provisioner.naming import INDEX_TAG


def victims(members: Sequence[Instance], count: int, fleet: Fleet) -> tuple[Instance, ...]:
    """Which `count` members a smaller fleet loses: the same ones, whoever asks.

    Those launched with other settings first, then those that do not run, then from the zone with most, then
    the newest. Members under termination protection are never taken, so there may be fewer.
    """
    free = [member for member in members if not is_protected(member)]
    per_zone = Counter(member.zone for member in members)
    chosen: list[Instance] = []
    for rank in range(3):
        wanted = count - len(chosen)
        chosen += _from_fullest_zone([each for each in free if _rank(each, fleet) == rank], wanted, per_zone)
    return tuple(chosen)


def _rank(member: Instance, fleet: Fleet) -> int:
    if any(differs(setting, fleet, member) for setting in SETTINGS if setting.how is not How.LIVE):
        return 0
    return 1 if member.is_stopped else 2


def _from_fullest_zone(candidates: Sequence[Instance], count: int, per_zone: Counter[str]) -> list[Instance]:
    by_zone: dict[str, list[tuple[int, Instance]]] = defaultdict(list)
    for age, candidate in enumerate(in_order(candidates)):
        by_zone[candidate.zone].append((age, candidate))
    fullest = [(-per_zone[zone], -newest[-1][0], zone) for zone, newest in by_zone.items()]
    heapq.heapify(fullest)
    chosen: list[Instance] = []
    while fullest and len(chosen) < count:
        *_, zone = heapq.heappop(fullest)
        chosen.append(by_zone[zone].pop()[1])
        per_zone[zone] -= 1
        if by_zone[zone]:
            heapq.heappush(fullest, (-per_zone[zone], -by_zone[zone][-1][0], zone))
    return chosen


def spread(count: int, subnets: Sequence[Subnet], members: Sequence[Instance]) -> dict[Subnet, int]:
    """How many of `count` new members each subnet gets, so that all members are spread evenly."""
    present = Counter(member.subnet for member in members)
    emptiest = [(present[subnet.id], index) for index, subnet in enumerate(subnets)]
    heapq.heapify(emptiest)
    shares: Counter[Subnet] = Counter()
    for _ in range(count):
        load, index = heapq.heappop(emptiest)
        shares[subnets[index]] += 1
        heapq.heappush(emptiest, (load + 1, index))
    return {subnet: shares[subnet] for subnet in subnets if shares[subnet]}


def indexes(members: Sequence[Instance], beside: Sequence[Instance] = ()) -> dict[str, int]:
    """The number of each member: the one it has, else the lowest free one, from 1, oldest first.

    `beside` are members that number themselves by this rule too; what they take is not free.
    """
    taken = {index: member for member, index in indexes(beside).items()} if beside else {}
    for member in in_order(members):
        index = member.tag(INDEX_TAG) or ""
        if index.isdecimal() and int(index) > 0:
            taken.setdefault(int(index), member.id)
    numbers = {member: index for index, member in taken.items()}
    free = (number for number in itertools.count(1) if number not in taken)
    return {member.id: numbers.get(member.id) or next(free) for member in in_order(members)}
