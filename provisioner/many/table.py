"""The last table of a run over many environments, out of its report: a line each, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from provisioner.many.outcome import Verdict
from provisioner.many.report import cost_in
from provisioner.render.cost_words import MADE_UP, daily, money
from provisioner.render.layout import Line, Piece, cells, flow, line, padded, words
from provisioner.render.words import count
from provisioner.visible import presentable

STYLES = {
    Verdict.CHANGES: "update",
    Verdict.CHANGED: "good",
    Verdict.REFUSED: "delete",
    Verdict.FAILED: "delete",
    Verdict.WRONG: "delete",
    Verdict.INTERRUPTED: "delete",
    Verdict.OK: "faint",
}
# What is said before the words of a row, as they alone do not tell.
LABELS = {
    verdict: verdict.value
    for verdict in (Verdict.REFUSED, Verdict.FAILED, Verdict.WRONG, Verdict.INTERRUPTED)
}
# What those are called that need nothing, by command.
OK_WORDS = {"validate": "valid", "status": "shown", "permissions": "shown", "drift": "without drift"}
HEADINGS = ("Environment", "Account", "Region", "Cost/h", "Result")
# Of a row, so much is for the name of an environment.
MAX_NAME = 40
# The words of a row take at least so much.
LEAST_ROOM = 16
_GAP = "  "
# The columns that are left out where there is no room: account, cost, region.
_SPARE = (1, 3, 2)


class Row(NamedTuple):
    """A line of the table."""

    name: str
    account: str
    region: str
    cost: str
    words: str
    verdict: Verdict
    place: str

    @property
    def label(self) -> str:
        """What is said before the words; empty where they alone tell, or begin with it."""
        label = LABELS.get(self.verdict, "")
        return "" if self.words.startswith(label) else label


def rows(report: Mapping[str, Any]) -> list[Row]:
    """A row for each environment of a report, in its order."""
    return [_row(environment) for environment in report["environments"]]


def counts(report: Mapping[str, Any]) -> str:
    """`5 environments: 2 with changes, 1 failed, 2 without changes.`"""
    summary, command = report["summary"], report["command"]
    told = {
        "changes": "with drift" if command == "drift" else "with changes",
        "changed": "changed",
        "refused": "refused",
        "failed": "failed",
        "wrong": "with a wrong spec",
        "interrupted": "interrupted",
        "ok": OK_WORDS.get(command, "without changes"),
    }
    numbers = ", ".join(f"{summary[key]:,} {words}" for key, words in told.items() if summary[key])
    return f"{count(summary['environments'], 'environment')}{': ' if numbers else ''}{numbers}."


def total_cost(report: Mapping[str, Any]) -> str:
    """What all cost by the hour, of those whose plans have a cost; empty where none has."""
    total = report["cost"]
    if not total:
        return ""
    before, after = (Decimal(str(total["hourly"][side])) for side in ("before", "after"))
    if not (before or after or total["not_all_known"]):
        return ""
    least = "at least " if total["not_all_known"] else ""
    was = f" (was {money(before)})" if before != after else ""
    a_day = daily(after, not total["not_all_known"], total["currency"])
    made_up = f"; {MADE_UP}" if total["made_up"] else ""
    return f"{least}{money(after)} {total['currency']}/h{was}{a_day}{made_up}"


def table_lines(report: Mapping[str, Any], width: int) -> list[Line]:
    """The table for `width` columns, and below it what all come to."""
    told = rows(report)
    # A column that nobody has anything in is none.
    shown = [column for column in range(4) if any(row[column] for row in told)]
    widths = _widths(told, shown)
    for spare in _SPARE:
        # Where there is no room for all, what is in the report as well is left out.
        if _column(widths) + LEAST_ROOM > width and spare in shown:
            shown.remove(spare)
            widths = _widths(told, shown)

    def cells_of(row: Sequence[str]) -> list[str]:
        return [presentable(row[column]) for column in shown]

    lines: list[Line] = []
    if told:
        last = line(HEADINGS[-1], "title") if width - _column(widths) >= LEAST_ROOM else ()
        lines.append((*_start(cells_of(HEADINGS), widths, "title"), *last))
    for row in told:
        text = f"{row.label}: {row.words}" if row.label else row.words
        lines += _row_lines(cells_of(row[:4]), widths, words(text, STYLES[row.verdict]), width)
    return [*lines, (), *closing_lines(report, width)]


def closing_lines(report: Mapping[str, Any], width: int) -> list[Line]:
    """How many there are of each, what they cost, and the digest of all."""
    lines = flow(words(counts(report), "title"), width, indent=2, gap=" ", hanging=True)
    cost = total_cost(report)
    if cost:
        lines += flow(words(f"{cost}."), width, (Piece("Cost of all:", "title"), Piece(" ")), 2, gap=" ")
    if report["digest"] and report["summary"]["changes"]:
        # There to be pasted, and so not broken.
        lines.append((Piece("Digest of all: "), Piece(report["digest"], "faint")))
    return lines


def _widths(told: Sequence[Row], shown: Sequence[int]) -> list[int]:
    return [
        min(max(cells(presentable(row[column])) for row in (HEADINGS, *told)), MAX_NAME) for column in shown
    ]


def _column(widths: Sequence[int]) -> int:
    """Where the words of a row begin."""
    return sum(widths) + len(_GAP) * len(widths)


def _row_lines(fields: Sequence[str], widths: Sequence[int], told: list[Line], width: int) -> list[Line]:
    start = _start(fields, widths)
    column = _column(widths)
    # Where there is little room beside them, the words go below.
    if width - column < LEAST_ROOM:
        return [start, *flow(told, width, indent=4, gap=" ")]
    return flow(told, width, start, column, gap=" ", hanging=True)


def _start(fields: Sequence[str], widths: Sequence[int], style: str = "") -> Line:
    start: Line = ()
    at = 0
    for field, room in zip(fields, widths, strict=True):
        at += room + len(_GAP)
        start = padded((*start, Piece(field, style), Piece(_GAP)), at)
    return start


def _row(environment: Mapping[str, Any]) -> Row:
    place = environment["source"]
    if environment["target"]:
        place += f" --target {environment['target']}"
    return Row(
        environment["environment"] or place,
        environment["account_id"] or "",
        environment["region"] or "",
        _cost(environment),
        environment["words"],
        Verdict(environment["verdict"]),
        place,
    )


def _cost(environment: Mapping[str, Any]) -> str:
    cost = cost_in(environment)
    if not cost or not (cost["lines"] or cost["hourly"]["before"]):
        return ""
    before, after = (Decimal(str(cost["hourly"][side])) for side in ("before", "after"))
    least = "≥ " if cost["unknown"]["after"] else ""
    return f"{least}{money(after)}" + (f" (was {money(before)})" if before != after else "")
