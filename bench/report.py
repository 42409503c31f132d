"""Tables for people, in Markdown that reads as text too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.advice import Advised
from bench.compare import Summary
from bench.contenders import STEPS, Contender
from bench.first_byte import Paired
from bench.fleets import Launch
from bench.goals import Goal
from bench.many import Planned
from bench.pure import Pure
from bench.startup import Startup
from bench.waits import Waited


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
    found = {(summary.who, summary.step): summary for summary in compared}
    order = list(dict.fromkeys(summary.who for summary in compared))
    rows = []
    for step in STEPS:
        for who in order:
            summary = found.get((who, step))
            if summary is None:
                continue
            rows.append(
                [
                    step,
                    who,
                    f"{summary.calls:,}",
                    f"{summary.throttled:,}",
                    *_seconds(summary),
                    _ratio(summary, found.get(("ours", step))),
                    _ratio(summary, found.get(("floor", step))),
                    f"{summary.cpu_s:.2f}",
                    f"{summary.peak_mb:,.0f}",
                ]
            )
    header = ["step", "who", "calls", "throttled", "seconds", "from-to", "runs", "x ours", "x floor", "CPU s"]
    return table([*header, "peak MB"], rows)


def scaling(scaled: Sequence[Summary]) -> str:
    """Members against calls and seconds."""
    rows = [
        [
            summary.step,
            summary.who,
            f"{summary.members:,}",
            f"{summary.calls:,}",
            f"{summary.throttled:,}",
            *_seconds(summary),
            f"{summary.cpu_s:.2f}",
            f"{summary.peak_mb:,.0f}",
        ]
        for step in STEPS
        for summary in scaled
        if summary.step == step
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


def waiting(waited: Sequence[Waited]) -> str:
    """Apply and destroy where instances boot and terminate, and profiles propagate, as slowly as in AWS."""
    rows = [
        [
            one.step,
            one.who,
            f"{one.members:,}",
            f"{one.median_s:.1f}",
            f"{one.aws_s:g}",
            f"{one.over_s:.1f}",
            f"{one.throttled}",
        ]
        for one in waited
    ]
    return table(["step", "who", "members", "seconds", "of these AWS's", "over", "throttled"], rows)


def launching(launches: Sequence[Launch]) -> str:
    """Plans to launch many fleets of one environment."""
    rows = [
        [
            f"{one.fleets} fleets",
            f"{one.runs} runs",
            f"{one.calls}",
            f"{one.throttled}",
            f"{one.seconds:.2f}",
            f"{one.cpu_s:.2f}",
            f"{one.peak_mb:,.0f}",
        ]
        for one in launches
    ]
    return table(["plan", "of", "calls", "throttled", "seconds", "CPU s", "peak MB"], rows)


def advising(advised: Sequence[Advised]) -> str:
    """A plan to launch with prices, quotas and abilities of types at once, and 20 seconds late."""
    rows = [
        [
            f"{one.members} members",
            f"{one.pairs} pairs",
            f"{one.asked}",
            f"{one.at_once_s:.3f}",
            f"{one.late_s:.3f}",
            f"{one.ratio:.3f}",
        ]
        for one in advised
    ]
    return table(["plan", "in turn", "calls that advise", "at once, s", "late, s", "ratio"], rows)


def starting(started: Sequence[Startup]) -> str:
    """Start-up of the command."""
    rows = [
        [
            start.command,
            " ".join(start.imported) or "-",
            f"{start.median_s:.3f}",
            f"{start.least_s:.3f}-{start.most_s:.3f}",
            f"{start.ratio:.2f}",
        ]
        for start in started
    ]
    return table(["command", "needless imports", "seconds", "from-to", "ratio"], rows)


def beside_floor(paired: Sequence[Paired]) -> str:
    """What a plan takes to start, and in all, beside boto3 alone."""
    rows = [
        [
            one.what,
            f"{one.pairs} pairs",
            f"{one.ours_s:.3f}",
            f"{one.floor_s:.3f}",
            f"{one.ratio:.2f}",
            f"{one.ours_cpu_s:.3f}",
            f"{one.floor_cpu_s:.3f}",
            f"{one.cpu_ratio:.2f}",
        ]
        for one in paired
    ]
    return table(["until", "in turn", "s", "boto3 s", "ratio", "CPU s", "boto3 CPU s", "CPU ratio"], rows)


def computing(pure: Sequence[Pure]) -> str:
    """Comparing and rendering without AWS."""
    rows = [
        [
            result.case,
            f"{result.lines:,} lines",
            f"{result.members:,}",
            f"{result.diff_s:.3f}",
            f"{result.render_s:.3f}",
            f"{result.total_s:.3f}",
            f"{result.peak_mb:,.0f}",
        ]
        for result in pure
    ]
    return table(["case", "plan", "members", "compare s", "render s", "together s", "peak MB"], rows)


def of_many(planned: Sequence[Planned]) -> str:
    """Plans of many environments, beside each other and by others."""
    rows = [
        [
            one.what,
            one.problem or "-",
            f"{one.environments:,}",
            f"{one.places}",
            f"{one.calls:,}",
            f"{one.throttled}",
            f"{one.seconds:.1f}",
            f"{one.cpu_s:.1f}",
            f"{one.peak_mb:,.0f}",
        ]
        for one in planned
    ]
    header = ["plans", "problem", "environments", "accounts x regions", "calls", "throttled", "seconds"]
    return table([*header, "CPU s", "peak MB"], rows)


def judged(goals: Sequence[Goal]) -> str:
    """Goals, met and missed."""
    return table(
        ["goal", "verdict", "wanted", "measured"],
        [[goal.what, goal.verdict, goal.wanted, goal.measured] for goal in goals],
    )


def asked(contenders: Sequence[Contender], missing: dict[str, str]) -> str:
    """What everybody was asked to do, and who was not there."""
    lines = [f"- {contender.name}: {contender.title}. {contender.asked}" for contender in contenders]
    return "\n".join([*lines, *(f"- {name}: not run, {why}" for name, why in missing.items())])


def _seconds(summary: Summary) -> list[str]:
    runs = f"{summary.runs}" if not summary.failed else f"{summary.failed} of {summary.runs} FAILED"
    return [f"{summary.median_s:.2f}", f"{summary.least_s:.2f}-{summary.most_s:.2f}", runs]


def _ratio(summary: Summary, other: Summary | None) -> str:
    return f"{summary.median_s / other.median_s:.2f}" if other else "-"
