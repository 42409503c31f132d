"""What to do after an apply: where members are, how to get in, what to type, what it costs, when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from provisioner.costs.cost import PlanCost
from provisioner.lazy_dataclass import dataclass
from provisioner.render.cost_words import cost_data, daily, end_words, hourly, remarks
from provisioner.render.layout import INDENT, Line, Piece, flow, line, words
from provisioner.render.styled import styled

# Of more members the number is told.
MAX_ADDRESSES = 10
NO_MACHINES = "  # on AWS; the local one has no machines"


@dataclass(frozen=True)
class NextSteps:
    """Members by fleet, each its address, or its id where it has none; commands that log in to one of them;
    and others. `ends`: when it ends, in words."""

    fleets: Mapping[str, Sequence[str]]
    logins: Sequence[str]
    commands: Sequence[str]
    cost: PlanCost | None = None
    ends: str | None = None
    local: bool = False


def next_data(steps: NextSteps) -> dict[str, Any]:
    """It for programs, all addresses included."""
    return {
        "fleets": {fleet: list(addresses) for fleet, addresses in steps.fleets.items()},
        "commands": [*steps.logins, *steps.commands],
        "cost": cost_data(steps.cost),
        "ends": steps.ends,
    }


def next_text(steps: NextSteps, width: int) -> Text:
    """It for people in its colours; print it with `soft_wrap=True`."""
    return styled(next_lines(steps, width))


def next_lines(steps: NextSteps, width: int) -> list[Line]:
    """It for people, below what an apply has done. Commands are there to be pasted, and so are not broken."""
    lines: list[Line] = [()]
    for fleet, addresses in steps.fleets.items():
        lines += flow(_some(addresses), width, (Piece(f"fleet/{fleet}", "title"), Piece("  ")), INDENT)
    logins = [f"{command}{NO_MACHINES if steps.local else ''}" for command in steps.logins]
    lines += [(Piece("  "), Piece(command)) for command in (*logins, *steps.commands)]
    return [*lines, *flow(words(_money(steps)), width, indent=0, gap=" ")]


def _some(addresses: Sequence[str]) -> list[Line]:
    """The first addresses, and how many more there are."""
    told = [line(address) for address in addresses[:MAX_ADDRESSES]]
    more = len(addresses) - MAX_ADDRESSES
    return [*told, *([line(f"and {more:,} more")] if more > 0 else [])]


def _money(steps: NextSteps) -> str:
    ends = f"Ends {steps.ends}." if steps.ends else "Runs until it is destroyed."
    if not (steps.cost and steps.cost.after.lines):
        return ends
    # With an end, what it costs until then says when that is.
    return _costs(steps.cost) if steps.cost.until_end else f"{_costs(steps.cost)} {ends}"


def _costs(cost: PlanCost) -> str:
    after = cost.after
    a_day = daily(after.hourly, after.is_known, cost.currency)
    return f"Costs {hourly(after, cost.currency)}{a_day}{end_words(cost)}{remarks(cost)}."
