"""What a plan changes about the bill: the uses of each fleet before and after it, and their prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.costs.cost import FleetCost, PlanCost, cost_of
from provisioner.costs.fleet_uses import end_of, images_seen, plan_uses
from provisioner.kinds.base import World
from provisioner.model import Plan

if TYPE_CHECKING:
    from provisioner.costs.lookup import PriceLookup


def plan_cost(plan: Plan, world: World, lookup: PriceLookup, wait_s: float) -> PlanCost:
    """What a plan costs; prices are waited for `wait_s` seconds at most.."""
    lookup.remember(images_seen(world))
    uses = plan_uses(plan, world, lookup.images())
    every = {use for both in uses.values() for one in both for use in one}
    prices = lookup.prices(every, wait_s)
    fleets = {
        address: FleetCost(cost_of(before, prices), cost_of(after, prices), end_of(address, world))
        for address, (before, after) in uses.items()
    }
    return PlanCost(fleets, prices.currency, prices.made_up, prices.reason, world.now)
