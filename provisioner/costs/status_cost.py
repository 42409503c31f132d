"""What costs by the hour that is there, and what it has cost about since it was launched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from provisioner.costs.cost import Cost, cost_of
from provisioner.costs.fleet_uses import Known, every_fleet, uses_of_fleet, uses_of_member
from provisioner.costs.uses import Use, VolumeUse
from provisioner.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from provisioner.costs.prices import Prices
    from provisioner.kinds.base import World
    from provisioner.kinds.instances import Instance


@dataclass(frozen=True)
class StatusCost:
    """What an environment costs by the hour, and each member of it; None: not known.

    `since_launch` is what those that are there have cost, by the prices of now. `is_least`: they have cost
    more, as some have been stopped and started, or are stopped, or have no known price.
    """

    cost: Cost
    since_launch: Decimal
    is_least: bool
    members: Mapping[str, Decimal | None] = field(default_factory=dict)
    currency: str = "USD"
    made_up: bool = False
    reason: str | None = None


def uses_in(world: World) -> set[Use]:
    """All that is paid for."""
    return {use for known in every_fleet(world).values() for use in uses_of_fleet(known)}


def status_cost(world: World, prices: Prices) -> StatusCost:
    """What an environment costs, by these prices."""
    fleets = every_fleet(world)
    total: Counter[Use] = Counter()
    for known in fleets.values():
        total.update(uses_of_fleet(known))
    members = [(member, known) for known in fleets.values() for member in known.observed.members]
    parts = [_since_launch(member, known, prices, world.now) for member, known in members]
    return StatusCost(
        cost_of(total, prices),
        sum((amount for amount, _ in parts), Decimal(0)),
        any(is_least for _, is_least in parts),
        {member.id: _sum(uses_of_member(member, known), prices) for member, known in members},
        prices.currency,
        prices.made_up,
        prices.reason,
    )


def _sum(uses: Iterable[Use], prices: Prices) -> Decimal | None:
    """What several things cost in all; None where one of them has no known price."""
    amounts = [prices.hourly(use) for use in uses]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def _since_launch(member: Instance, known: Known, prices: Prices, now: datetime) -> tuple[Decimal, bool]:
    """What a member has cost since it was launched, and whether that is only the least of it.

    `LaunchTime` is when it was started last, so what ran before that is not known:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
    """
    amount, is_least = Decimal(0), member.is_stopped or member.started != member.launched
    for use in uses_of_member(member, known):
        price = prices.hourly(use)
        since = member.launched if isinstance(use, VolumeUse) else member.started
        if price is None or not since:
            is_least = True
        else:
            amount += price * _hours(since, now)
    return amount, is_least


def _hours(since: str, now: datetime) -> Decimal:
    began = datetime.fromisoformat(since)
    seconds = (now - (began if began.tzinfo else began.replace(tzinfo=UTC))).total_seconds()
    return max(Decimal(seconds), Decimal(0)) / 3600
