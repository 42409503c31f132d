"""Who stays, who goes, who is called what, and where new members run. All of it pure and repeatable."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence, Sized
from typing import NamedTuple

from provisioner.kinds.fleet.observed import ObservedFleet, Subnet
from provisioner.kinds.fleet.settings.differences import differing
from provisioner.kinds.fleet.settings.launch_tag import stays_protected
from provisioner.kinds.fleet.settings.setting import How
from provisioner.kinds.fleet.spec import CapacityOption, Fleet
from provisioner.kinds.instances import Instance, in_order
from provisioner.kinds.keep import is_kept
from provisioner.naming import INDEX_TAG

# Numbers are given from 1 on, the lowest free one first, so no fleet comes near this.
MAX_INDEX = 100_000


def select_for_scale_in(
    members: Sequence[Instance], count: int, fleet: Fleet, unhealthy: Collection[str] = ()
) -> tuple[Instance, ...]:
    """Which `count` members a smaller fleet loses: the same ones, whoever asks.

    They go in the order of `leaving_order`. Members that are kept, that `protect` names, or under termination
    protection, are never taken, so there may be fewer.
    """
    if count <= 0:
        return ()
    free = [
        member
        for member in members
        if not stays_protected(member, fleet) and member.id not in fleet.protect and not is_kept(member.tags)
    ]
    return leaving_order(free, count, members, fleet, unhealthy)


def leaving_order(
    candidates: Sequence[Instance],
    count: int,
    members: Sequence[Instance],
    fleet: Fleet,
    unhealthy: Collection[str] = (),
) -> tuple[Instance, ...]:
    """The first `count` candidates in the order in which members go.

    Those launched with other settings first; of them, and of the others, those that do not run or are not
    healthy first; then from the zone that has most of all `members`; then the newest.
    """
    per_zone = Counter(member.zone for member in members)
    outdated = {
        name for how in (How.REPLACE, How.RESTART, None) for name in differing(fleet, candidates, how)
    }
    ranks: tuple[list[Instance], ...] = ([], [], [], [])
    for member in candidates:
        is_up = not member.is_stopped and member.id not in unhealthy
        ranks[2 * (member.id not in outdated) + is_up].append(member)
    chosen: list[Instance] = []
    for ranked in ranks:
        chosen += _from_fullest_zone(ranked, count - len(chosen), per_zone)
    return tuple(chosen)


def members_to_move(
    members: Sequence[Instance], subnets: Sequence[Subnet], fleet: Fleet
) -> tuple[Instance, ...]:
    """The members to move so that no subnet has two more than another."""
    return tuple(
        moved
        for here, share in _shares(members, subnets, fleet).values()
        for moved in select_for_scale_in(here, max(len(here) - share, 0), fleet)
    )


def subnets_with_room(
    members: Sequence[Instance], subnets: Sequence[Subnet], fleet: Fleet
) -> tuple[Subnet, ...]:
    """The subnets that have fewer members than their share."""
    shares = _shares(members, subnets, fleet)
    return tuple(subnet for subnet in subnets if len(shares[subnet][0]) < shares[subnet][1])


def _shares(
    members: Sequence[Instance], subnets: Sequence[Subnet], fleet: Fleet
) -> dict[Subnet, tuple[list[Instance], int]]:
    """The members of each subnet, and how many it should have once the fleet has as many as it wants.

    The fullest keep what cannot be divided. Members in other places stay there.
    """
    there: dict[str | None, list[Instance]] = {subnet.id: [] for subnet in subnets}
    for member in members:
        there.get(member.subnet, []).append(member)
    fullest_first = sorted(subnets, key=lambda subnet: -len(there[subnet.id]))
    elsewhere = len(members) - sum(map(len, there.values()))
    share, extra = divmod(max(fleet.count - elsewhere, 0), max(len(subnets), 1))
    return {subnet: (there[subnet.id], share + (rank < extra)) for rank, subnet in enumerate(fullest_first)}


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
        index = index_of(member)
        if index:
            taken.setdefault(index, member.id)
    numbers = {member: index for index, member in taken.items()}
    free = (number for number in itertools.count(1) if number not in taken)
    return {member.id: numbers.get(member.id) or next(free) for member in in_order(members)}


def index_of(member: Instance) -> int | None:
    """The number that a member has; None where it has none, or one that nobody here gave it."""
    text = member.tag(INDEX_TAG) or ""
    number = int(text) if text.isascii() and text.isdecimal() else 0
    return number if 0 < number <= MAX_INDEX else None


def per_option(fleet: Fleet, members: Sequence[Instance]) -> dict[CapacityOption, int]:
    """How many members have which choice of type and market, where the spec gives several, in its order."""
    options = fleet.capacity_options
    if len(options) <= 1:
        return {}
    numbers = Counter(CapacityOption(member.type, member.market) for member in members)
    return {option: numbers[option] for option in options}


def on_members(members: Sized) -> str:
    """`1 member`, `3 members`."""
    return "1 member" if len(members) == 1 else f"{len(members)} members"


def verb(paths: str) -> str:
    """`differs` or `differ`, whichever goes with settings of these names."""
    is_plural = "," in paths or ("." not in paths and paths.endswith("s"))
    return "differ" if is_plural else "differs"


def to_replace(fleet: Fleet, observed: ObservedFleet) -> tuple[Instance, ...]:
    """The members that only a replacement gives what the spec asks for, in the order in which they go.

    None once the fleet has come to its end: nothing is launched any more.
    """
    if fleet.is_over:
        return ()
    wrong = set(differing(fleet, observed.members, How.REPLACE)) - fleet.protect
    if fleet.rebalance:
        surplus = select_for_scale_in(
            observed.members, len(observed.members) - fleet.count, fleet, observed.unhealthy
        )
        going = wrong | {member.id for member in surplus}
        staying = [member for member in observed.members if member.id not in going]
        wrong |= {member.id for member in members_to_move(staying, observed.prerequisites.subnets, fleet)}
    chosen = [member for member in observed.members if member.id in wrong]
    return leaving_order(chosen, len(chosen), observed.members, fleet, observed.unhealthy)


class Leaving(NamedTuple):
    """The members that leave a fleet, in the order in which they go.

    `surplus` is how many members there are too many, less than 0 where some are missing; `is_enough`: that
    many may go; `is_rollout`: some are replaced.
    """

    members: tuple[Instance, ...]
    surplus: int
    is_enough: bool
    is_rollout: bool


def who_leaves(fleet: Fleet, observed: ObservedFleet) -> Leaving:
    """The members that are too many, and those that are replaced."""
    members, unhealthy = observed.members, observed.unhealthy
    surplus = len(members) - fleet.count
    selected = {member.id for member in select_for_scale_in(members, surplus, fleet, unhealthy)}
    ids = selected | {member.id for member in to_replace(fleet, observed)}
    leaving = tuple(member for member in members if member.id in ids)
    is_rollout = ids != selected
    if is_rollout:
        leaving = leaving_order(leaving, len(leaving), members, fleet, unhealthy)
    return Leaving(leaving, surplus, surplus <= len(selected), is_rollout)


def to_restart(fleet: Fleet, members: Sequence[Instance]) -> tuple[Instance, ...]:
    """The members that a stop and a start gives what the spec asks for; what has ended is not started."""
    if fleet.is_over:
        return ()
    wrong = differing(fleet, members, How.RESTART)
    return tuple(member for member in members if member.id in wrong)
