"""What things cost, in words: amounts, the cost of a plan, and where prices are not AWS's."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from provisioner.costs.cost import HOURS_A_DAY, Cost, CostLine, PlanCost
from provisioner.expiry.times import clock_words

MADE_UP = "made-up prices of the local AWS"
# Digits of an amount below 1 that count.
DIGITS = 3


def money(amount: Decimal) -> str:
    """`4.16`, `0.0104`, `1,204.50`, `0`: two decimals, or of less than 1 three digits that count."""
    if amount == 0:
        return "0"
    places = 2 if amount >= 1 else max(2, DIGITS - 1 - amount.adjusted())
    rounded = amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    text = f"{rounded:,f}"
    # Three digits that count need not be told where two say the same.
    while "." in text and len(text.partition(".")[2]) > 2 and text.endswith("0"):
        text = text[:-1]
    return text


def about(amount: Decimal) -> str:
    """An amount for people who plan: no cents from 10 on."""
    return f"{amount.quantize(Decimal(1), ROUND_HALF_UP):,f}" if amount >= 10 else money(amount)


def hourly(cost: Cost, currency: str) -> str:
    """`4.45 USD/h`, `at least 0.25 USD/h` where some of it is not known, `unknown` where nothing is."""
    if cost.lines and len(cost.unknown) == len(cost.lines):
        return "unknown"
    return f"{'' if cost.is_known else 'at least '}{money(cost.hourly)} {currency}/h"


def daily(an_hour: Decimal, is_known: bool, currency: str) -> str:
    """What follows the cost of an hour: `, about 108 USD a day`, `, at least` it where some is not known."""
    how = "about" if is_known else "at least"
    return f", {how} {about(an_hour * HOURS_A_DAY)} {currency} a day" if an_hour else ""


def cost_sentences(cost: PlanCost) -> tuple[str, str]:
    """What a plan costs in all, and of what that is the sum; empty where nothing costs anything."""
    before, after = cost.before, cost.after
    parts = ", ".join(_parts(before, after))
    if not parts:
        return "", ""
    total = f"{hourly(after, cost.currency)} (was {_was(before, cost.currency)})"
    if after.hourly:
        total += daily(after.hourly, after.is_known, cost.currency) + end_words(cost)
    return f"{total}{remarks(cost)}", parts


def end_words(cost: PlanCost) -> str:
    """What it costs until its end; nothing where there is none."""
    if not cost.until_end:
        return ""
    at, total = cost.until_end
    least = "" if cost.after.is_known else "at least "
    return f", {least}{money(total)} {cost.currency} until {clock_words(at)}"


def remarks(cost: PlanCost) -> str:
    """Whose prices they are, and why some are not known."""
    unknown = not (cost.before.is_known and cost.after.is_known)
    made_up = f"; {MADE_UP}" if cost.made_up else ""
    return made_up + (f"; not all is known ({cost.reason})" if unknown and cost.reason else "")


def cost_data(cost: PlanCost | None) -> dict[str, Any] | None:
    """The cost of a plan as JSON data: numbers are amounts by the hour, rounded to a millionth."""
    if cost is None:
        return None
    before, after = cost.before, cost.after
    end = cost.until_end
    return {
        "currency": cost.currency,
        "made_up": cost.made_up,
        "hourly": {"before": number(before.hourly), "after": number(after.hourly)},
        "unknown": {"before": list(before.unknown), "after": list(after.unknown)},
        "reason": cost.reason,
        "until": {"at": end[0].isoformat(), "total": number(end[1])} if end else None,
        "lines": [
            {"what": what, "before": line_data(before.get(what)), "after": line_data(after.get(what))}
            for what in names(before, after)
        ],
    }


def line_data(line: CostLine) -> dict[str, Any]:
    """How many of a thing, and what they cost by the hour; null: not known."""
    return {"count": line.count, "hourly": None if line.hourly is None else number(line.hourly)}


def number(amount: Decimal) -> float:
    """An amount for programs. Six decimals of less than a billion are exact as a number of JSON."""
    return float(amount.quantize(Decimal("0.000001"), ROUND_HALF_UP))


def names(*costs: Cost) -> list[str]:
    """What any of them has, each once, in order."""
    return list(dict.fromkeys(line.what for cost in costs for line in cost.lines))


def _parts(before: Cost, after: Cost) -> Iterator[str]:
    """What each thing costs by the hour that there is afterwards, or was before."""
    for what in names(after, before):
        old, new = before.get(what), after.get(what)
        number = f"{new.count:,} × " if new.count else "no "
        was = f" (was {_amount(old)})" if before.lines and new.hourly != old.hourly else ""
        yield f"{number}{what} {_amount(new)}{was}"


def _amount(line: CostLine) -> str:
    return "unknown" if line.hourly is None else money(line.hourly)


def _was(before: Cost, currency: str) -> str:
    if before.is_known:
        return money(before.hourly)
    return hourly(before, currency).removesuffix(f" {currency}/h")
