"""What each environment of an account costs by the hour, as far as prices are known in time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioner.account.contents import RegionContents
    from provisioner.account.environments import Found
    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options

# How long prices that are not in the cache are waited for, in each region.
WAIT_S = 3.0


def costs_by_environment(
    found: Sequence[Found], contents: Sequence[RegionContents], aws: Aws, options: Options
) -> dict[tuple[str, str], str]:
    """The cost an hour in words, by environment and region; of what costs nothing, nothing."""
    reads = (partial(_in_region, found, region, aws, options) for region in contents)
    return {key: words for of_region in aws.parallel(*reads) for key, words in of_region.items()}


def _in_region(
    found: Sequence[Found], region: RegionContents, aws: Aws, options: Options
) -> dict[tuple[str, str], str]:
    from provisioner.account.contents import volumes_by_instance
    from provisioner.cli.prices import source_of
    from provisioner.costs.cache import cache_folder
    from provisioner.costs.cost import cost_of
    from provisioner.costs.fleet_uses import uses_of
    from provisioner.costs.lookup import PriceLookup
    from provisioner.render.cost_words import hourly

    volumes = volumes_by_instance(region)
    # What members cost that were not read, nobody knows.
    here = [entry for entry in found if entry.region == region.region and entry.has_members]
    uses = {entry.environment: uses_of(entry.members, volumes, entry.volumes) for entry in here}
    if not any(uses.values()):
        return {}
    lookup = PriceLookup(aws.aside(), region.region, source_of(options), cache_folder())
    prices = lookup.prices({use for counted in uses.values() for use in counted}, WAIT_S)
    made_up = " (made up)" if prices.made_up else ""
    return {
        (name, region.region): hourly(cost_of(counted, prices), prices.currency) + made_up
        for name, counted in uses.items()
        if counted
    }
