"""What a number of things costs: lines and their sum. What has no known price is named, and is not zero."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from provisioner.costs.prices import Prices
from provisioner.costs.uses import AddressUse, InstanceUse, Use, Uses, VolumeUse
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address

_ORDER = (InstanceUse, VolumeUse, AddressUse)
HOURS_A_DAY = 24


@dataclass(frozen=True)
class CostLine:
    """So many of one thing, and what they cost by the hour in all; None: not known."""

    what: str
    count: int
    hourly: Decimal | None


@dataclass(frozen=True)
class Cost:
    """What there is costs by the hour, the dearest kind of thing first: instances, volumes, addresses."""

    lines: tuple[CostLine, ...] = ()

    @property
    def hourly(self) -> Decimal:
        """The sum of what is known."""
        return sum((line.hourly for line in self.lines if line.hourly is not None), Decimal(0))

    @property
    def unknown(self) -> tuple[str, ...]:
        """What has no known price, with how many of it."""
        return tuple(f"{line.count:,} × {line.what}" for line in self.lines if line.hourly is None)

    @property
    def is_known(self) -> bool:
        return not self.unknown

    def get(self, what: str) -> CostLine:
        """The line of a thing; one of nothing where there is none."""
        return next((line for line in self.lines if line.what == what), CostLine(what, 0, Decimal(0)))


def cost_of(uses: Uses, prices: Prices) -> Cost:
    """What these cost. Things that are called the same are one line."""
    counts: Counter[tuple[int, str]] = Counter()
    amounts: dict[tuple[int, str], Decimal | None] = {}
    for use, count in sorted(uses.items(), key=_rank):
        if count <= 0:
            continue
        key = _ORDER.index(type(use)), str(use)
        each, before = prices.hourly(use), amounts.get(key, Decimal(0))
        counts[key] += count
        amounts[key] = None if each is None or before is None else before + each * count
    return Cost(tuple(CostLine(key[1], count, amounts[key]) for key, count in counts.items()))


def _rank(item: tuple[Use, int]) -> tuple[int, str]:
    use, _ = item
    return _ORDER.index(type(use)), str(use)


@dataclass(frozen=True)
class FleetCost:
    """What one fleet costs before a plan and after it. `ends`: when it expires, with its offset."""

    before: Cost
    after: Cost
    ends: datetime | None = None


@dataclass(frozen=True)
class PlanCost:
    """What an environment costs by the hour before a plan is carried out and after it.

    `made_up`: by the prices of the local AWS. `reason`: why prices are not known, where some are not. `now`:
    when this was told, for what is counted until an end.
    """

    fleets: Mapping[Address, FleetCost]
    currency: str = "USD"
    made_up: bool = False
    reason: str | None = None
    now: datetime | None = None

    @property
    def before(self) -> Cost:
        return merged(fleet.before for fleet in self.fleets.values())

    @property
    def after(self) -> Cost:
        return merged(fleet.after for fleet in self.fleets.values())

    @property
    def changes(self) -> bool:
        """Whether the plan changes what runs, or what is paid for."""
        return any(fleet.before != fleet.after for fleet in self.fleets.values())

    @property
    def until_end(self) -> tuple[datetime, Decimal] | None:
        """When the last fleet ends, and what all cost until then; None where one of them has no end."""
        running = [fleet for fleet in self.fleets.values() if fleet.after.lines]
        ends = [fleet.ends for fleet in running if fleet.ends]
        if self.now is None or not running or len(ends) < len(running):
            return None
        now = self.now
        hours = [max(Decimal((end - now).total_seconds()), Decimal(0)) / 3600 for end in ends]
        total = sum(
            (fleet.after.hourly * time for fleet, time in zip(running, hours, strict=True)), Decimal(0)
        )
        return max(ends), total


def merged(costs: Iterable[Cost]) -> Cost:
    """The sum of several, things that are called the same in one line. Unknown ones first, then dear ones."""
    lines: dict[str, CostLine] = {}
    for cost in costs:
        for line in cost.lines:
            before = lines.get(line.what, CostLine(line.what, 0, Decimal(0)))
            known = line.hourly is not None and before.hourly is not None
            hourly = before.hourly + line.hourly if known else None  # type: ignore[operator]
            lines[line.what] = CostLine(line.what, before.count + line.count, hourly)
    ordered = sorted(lines.values(), key=lambda line: (line.hourly is not None, -(line.hourly or 0)))
    return Cost(tuple(ordered))
