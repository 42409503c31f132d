"""Calls and seconds against members as a picture: one line a tool, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.compare import Summary
from bench.contenders import STEPS
from bench.plot import COLOURS, LABELS, svg, text
from bench.pure import Pure

DEFERRED, TOP, WIDTH, HEIGHT = 60, 66, 330, 150
NEXT_COLUMN, NEXT_ROW = WIDTH + 130, HEIGHT + 66
LABEL_HEIGHT = 13
PURE_COLOURS = {"nothing to do": "#1a7f5a", "drift": "#7b5fd0", "destroy": "#c2452d"}


class Series(NamedTuple):
    """One line: its name, its colour, and its points from the left to the right."""

    name: str
    colour: str
    points: tuple[tuple[float, float], ...]


def picture(scaled: Sequence[Summary], computed: Sequence[Pure], title: str) -> str:
    """A row for each step, calls on the left and seconds on the right; below, the part without AWS."""
    good = [summary for summary in scaled if summary.runs > summary.failed and summary.who in LABELS]
    panels: list[tuple[str, list[Series]]] = []
    for step in STEPS:
        of_step = [summary for summary in good if summary.step == step]
        panels.append((f"{step}: API calls", _series(of_step, lambda summary: float(summary.calls))))
        panels.append((f"{step}: seconds", _series(of_step, lambda summary: summary.median_s)))
    if computed:
        panels.append(("without AWS: CPU seconds to compare and render", _without_aws(computed)))
    panels = [panel for panel in panels if panel[1]]
    parts = [text(16, 24, title, "bold")]
    for number, (name, series) in enumerate(panels):
        row, column = divmod(number, 2)
        parts += _panel(DEFERRED + column * NEXT_COLUMN, TOP + row * NEXT_ROW, name, series)
    rows = -(-len(panels) // 2)
    return svg(2 * NEXT_COLUMN + 40, TOP + rows * NEXT_ROW, parts)


def _series(summaries: Sequence[Summary], value: Callable[[Summary], float]) -> list[Series]:
    names = dict.fromkeys(summary.who for summary in summaries)
    return [
        Series(
            LABELS[who],
            COLOURS[who],
            tuple(
                sorted(
                    (float(summary.members), value(summary)) for summary in summaries if summary.who == who
                )
            ),
        )
        for who in names
    ]


def _without_aws(computed: Sequence[Pure]) -> list[Series]:
    cases = dict.fromkeys(result.case for result in computed)
    return [
        Series(
            case,
            PURE_COLOURS[case],
            tuple(
                sorted((float(result.members), result.total_s) for result in computed if result.case == case)
            ),
        )
        for case in cases
    ]


def _panel(left: float, top: float, name: str, series: Sequence[Series]) -> list[str]:
    columns = sorted({x for line in series for x, _ in line.points})
    across = _scale(columns[0], columns[-1], WIDTH)
    values = [y for line in series for _, y in line.points]
    up = _scale(min(values), max(values), HEIGHT - 12)
    parts = [
        text(left - 44, top - 14, name, "bold"),
        f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#d5d8dc"/>',
    ]
    parts += [text(left + across(x) - 8, top + HEIGHT + 16, f"{x:,.0f}") for x in columns]
    labels: list[tuple[float, float, Series]] = []
    for line in series:
        points = [(left + across(x), top + HEIGHT - 6 - up(y)) for x, y in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{line.colour}"/>' for x, y in points]
        labels.append((points[-1][1], points[-1][0], line))
    above = -math.inf
    for y, x, line in sorted(labels):
        above = max(y + 4, above + LABEL_HEIGHT)
        parts.append(text(x + 7, above, f"{line.name} {_short(line.points[-1][1])}", colour=line.colour))
    return parts


def _scale(low: float, high: float, length: float) -> Callable[[float], float]:
    span = max(math.log10(high) - math.log10(low), 0.3)
    return lambda value: length * (math.log10(value) - math.log10(low)) / span


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
