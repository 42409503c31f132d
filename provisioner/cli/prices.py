"""Prices beside the reads of a plan: begun with them, and not waited for longer than they take."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options
    from provisioner.costs.prices import Prices
    from provisioner.costs.status_cost import StatusCost
    from provisioner.costs.uses import Use
    from provisioner.guardrails.rego import Rules
    from provisioner.kinds.base import Reader, World
    from provisioner.model import Environment, Plan

# How much longer a plan may take for its prices: a part of what it took without.
SHARE = 0.04
# Where a guardrail looks at them there is nothing to be said without.
MAX_S_FOR_RULES = 10.0


class Pricing:
    """The prices of one run of a command: asked once, whatever number of plans it makes."""

    def __init__(
        self, aws: Aws, environment: Environment, options: Options, reader: Reader | None = None
    ) -> None:
        """`reader`: what the environment is read with, whose other environments look up the same prices."""
        from provisioner.costs.cache import cache_folder
        from provisioner.costs.lookup import PriceLookup
        from provisioner.kinds.base import Sharing

        def lookup() -> PriceLookup:
            return PriceLookup(aws.aside(), environment.region, source_of(options), cache_folder())

        self._environment = environment
        self._began = time.monotonic()
        self._lookup = reader.share("prices", lookup) if isinstance(reader, Sharing) else lookup()

    def begin(self) -> None:
        """Ask for what the spec may run, and return at once."""
        from provisioner.costs.fleet_uses import likely_uses

        self._began = time.monotonic()
        self._lookup.begin(likely_uses(self._environment))

    def with_cost(self, plan: Plan, world: World, rules: Sequence[Rules] = ()) -> Plan:
        """The plan with what it costs."""
        from provisioner.costs.plan_cost import plan_cost

        wait_s = self._wait_s()
        if any(some.reads_cost for some in rules):
            wait_s = MAX_S_FOR_RULES
        return replace(plan, cost=plan_cost(plan, world, self._lookup, wait_s))

    def of_world(self, world: World) -> StatusCost:
        """What costs that is there."""
        from provisioner.costs.status_cost import status_cost, uses_in

        return status_cost(world, self.prices(uses_in(world)))

    def prices(self, uses: Iterable[Use]) -> Prices:
        """What is known of the prices of these."""
        return self._lookup.prices(uses, self._wait_s())

    def _wait_s(self) -> float:
        return SHARE * (time.monotonic() - self._began)


def source_of(options: Options) -> str:
    """Whose prices they are, so that those of the local AWS are taken for no others'."""
    if options.is_local:
        return "local"
    variables = ("AWS_ENDPOINT_URL_PRICING", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL")
    given = options.endpoint_url or next((os.environ[name] for name in variables if os.environ.get(name)), "")
    return given or "aws"
