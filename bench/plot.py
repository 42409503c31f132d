"""The comparison as a picture: SVG written by hand, so that nothing needs to be installed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from bench.compare import Summary
from bench.contenders import STEPS

COLOURS = {"ours": "#1a7f5a", "floor": "#8a8f98", "terraform": "#7b5fd0", "ansible": "#c2452d"}
LABELS = {"ours": "provisioner", "floor": "boto3 alone", "terraform": "Terraform", "ansible": "Ansible"}
WIDTH, DEFERRED, BAR, GAP = 920, 96, 20, 26
PANEL = 300


def picture(compared: Sequence[Summary], title: str) -> str:
    """Seconds on the left, calls on the right, both on logarithmic scales."""
    good = [summary for summary in compared if summary.runs > summary.failed]
    rows = [(step, [summary for summary in good if summary.step == step]) for step in STEPS]
    height = 84 + sum(len(bars) * BAR + GAP for _, bars in rows)
    parts = [
        text(DEFERRED - 84, 24, title, "bold"),
        text(DEFERRED, 52, "seconds, median (log scale)"),
        text(DEFERRED + PANEL + 110, 52, "API calls (log scale)"),
    ]
    seconds = _scale([summary.median_s for summary in good])
    calls = _scale([float(summary.calls) for summary in good])
    top = 64
    for step, bars in rows:
        parts.append(text(DEFERRED - 84, top + 13, step, "bold"))
        top += GAP - 8
        for summary in bars:
            parts.append(text(DEFERRED - 84, top + 14, LABELS.get(summary.who, summary.who)))
            colour = COLOURS.get(summary.who, "#444444")
            parts += _bar(DEFERRED, top, seconds(summary.median_s), colour, f"{summary.median_s:.2f} s")
            throttled = f", {summary.throttled:,} throttled" if summary.throttled else ""
            parts += _bar(
                DEFERRED + PANEL + 110,
                top,
                calls(float(summary.calls)),
                colour,
                f"{summary.calls:,}{throttled}",
            )
            top += BAR
        top += 8
    return svg(WIDTH, height, parts)


def svg(width: float, height: float, parts: Sequence[str]) -> str:
    """A picture of these parts on white."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12">'
    )
    return "\n".join(
        [head, f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *parts, "</svg>", ""]
    )


def _scale(values: Sequence[float]) -> Callable[[float], float]:
    """From values to widths: the decade below the least is 0, the greatest is the whole panel."""
    low = math.floor(math.log10(min(values, default=1))) - 0.3
    high = math.log10(max(values, default=10))
    return lambda value: PANEL * max(0.0, (math.log10(value) - low) / max(high - low, 0.1))


def _bar(left: float, top: float, width: float, colour: str, label: str) -> list[str]:
    return [
        f'<rect x="{left}" y="{top + 2}" width="{width:.1f}" height="{BAR - 5}" rx="2" fill="{colour}"/>',
        text(left + width + 6, top + 14, label),
    ]


def text(x: float, y: float, what: str, weight: str = "normal", colour: str = "#1b1f24") -> str:
    """A text that begins at a point."""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}" fill="{colour}">{escape(what)}</text>'
