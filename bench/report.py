"""Tables for people, in Markdown that reads as text too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.compare import Summary
from bench.contenders import STEPS, Contender
from bench.goals import Goal
from bench.pure import Pure
from bench.startup import Startup


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns are as wide as they need to be; all but the first two are numbers."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(header))]

    def laid_out(line: Sequence[str]) -> str:
        cells = [
            text.ljust(width) if index < 2 else text.rjust(width)
            for index, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        return f"| {' | '.join(cells)} |"

    rule = [f"{'-' * (width - 1)}{'-' if index < 2 else ':'}" for index, width in enumerate(widths)]
    return "\n".join([laid_out(lines[0]), f"| {' | '.join(rule)} |", *map(laid_out, lines[1:])])


def comparison(compared: Sequence[Summary]) -> str:
    """Everybody at every step."""
    found = {(each.who, each.step): each for each in compared}
    order = list(dict.fromkeys(each.who for each in compared))
    rows = []
    for step in STEPS:
        for who in order:
            each = found.get((who, step))
            if each is None:
                continue
            rows.append(
                [
                    step,
                    who,
                    f"{each.calls:,}",
                    f"{each.throttled:,}",
                    *_seconds(each),
                    _ratio(each, found.get(("ours", step))),
                    _ratio(each, found.get(("floor", step))),
                    f"{each.cpu_s:.2f}",
                    f"{each.peak_mb:,.0f}",
                ]
            )
    header = ["step", "who", "calls", "throttled", "seconds", "from-to", "runs", "x ours", "x floor", "CPU s"]
    return table([*header, "peak MB"], rows)


def scaling(scaled: Sequence[Summary]) -> str:
    """Members against calls and seconds."""
    rows = [
        [
            each.step,
            each.who,
            f"{each.members:,}",
            f"{each.calls:,}",
            f"{each.throttled:,}",
            *_seconds(each),
            f"{each.cpu_s:.2f}",
            f"{each.peak_mb:,.0f}",
        ]
        for step in STEPS
        for each in scaled
        if each.step == step
    ]
    header = [
        "step",
        "who",
        "members",
        "calls",
        "throttled",
        "seconds",
        "from-to",
        "runs",
        "CPU s",
        "peak MB",
    ]
    return table(header, rows)


def starting(started: Sequence[Startup]) -> str:
    """Start-up of the command."""
    rows = [
        [
            each.command,
            " ".join(each.imported) or "-",
            f"{each.median_s:.3f}",
            f"{each.least_s:.3f}-{each.most_s:.3f}",
            f"{each.ratio:.2f}",
        ]
        for each in started
    ]
    return table(["command", "needless imports", "seconds", "from-to", "ratio"], rows)


def computing(pure: Sequence[Pure]) -> str:
    """Comparing and rendering without AWS."""
    rows = [
        [
            each.case,
            f"{each.lines:,} lines",
            f"{each.members:,}",
            f"{each.diff_s:.3f}",
            f"{each.render_s:.3f}",
            f"{each.total_s:.3f}",
            f"{each.peak_mb:,.0f}",
        ]
        for each in pure
    ]
    return table(["case", "plan", "members", "compare s", "render s", "together s", "peak MB"], rows)


def judged(goals: Sequence[Goal]) -> str:
    """Goals, met and missed."""
    return table(
        ["goal", "verdict", "wanted", "measured"],
        [[each.what, each.verdict, each.wanted, each.measured] for each in goals],
    )


def asked(contenders: Sequence[Contender], missing: dict[str, str]) -> str:
    """What everybody was asked to do, and who was not there."""
    lines = [f"- {each.name}: {each.title}. {each.asked}" for each in contenders]
    return "\n".join([*lines, *(f"- {name}: not run, {why}" for name, why in missing.items())])


def _seconds(each: Summary) -> list[str]:
    runs = f"{each.runs}" if not each.failed else f"{each.failed} of {each.runs} FAILED"
    return [f"{each.median_s:.2f}", f"{each.least_s:.2f}-{each.most_s:.2f}", runs]


def _ratio(each: Summary, other: Summary | None) -> str:
    return f"{each.median_s / other.median_s:.2f}" if other else "-"
