"""A plan to launch many fleets of one environment: what they share is asked once."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.compare import say
from bench.contenders import JOBS, PLAN, provisioner_on
from bench.process import run
from bench.world import Bench

PLANNED = 2


@dataclass(frozen=True)
class Launch:
    """Medians of several plans to launch `fleets` of one member each; the most calls of one plan."""

    fleets: int
    runs: int
    calls: int
    throttled: int
    seconds: float
    cpu_s: float
    peak_mb: float


def measure(bench: Bench, sizes: Sequence[int], runs: int) -> list[Launch]:
    """Plans of as many fleets as `sizes` says, in an empty account. Raises RuntimeError."""
    bench.empty()
    return [_planned(bench, size, runs) for size in sizes]


def _planned(bench: Bench, fleets: int, runs: int) -> Launch:
    tool = provisioner_on(_spec(bench.folder / f"fleets-{fleets}.yaml", fleets), bench.url)
    done, counted = [], []
    for _ in range(runs + 1):
        bench.start_counting()
        ran = run(tool.steps[PLAN], {**tool.env, "XDG_CACHE_HOME": str(bench.folder / "cache")}, bench.folder)
        if ran.code != PLANNED:
            raise RuntimeError(f"{fleets} fleets: exit code {ran.code}: {ran.last_lines}")
        done.append(ran)
        counted.append(bench.counted())
    # The first looks up the prices of the day.
    launch = Launch(
        fleets,
        runs,
        max(calls.total for calls in counted[1:]),
        max(calls.throttled for calls in counted),
        statistics.median(ran.seconds for ran in done[1:]),
        statistics.median(ran.cpu_s for ran in done[1:]),
        max(ran.peak_mb for ran in done[1:]),
    )
    say(f"fleets: {fleets} of them: {launch.seconds:.2f} s, {launch.calls} calls")
    return launch


def _spec(path: Path, fleets: int) -> Path:
    """The job of all others, with its fleet of one member as often as `fleets` says."""
    head, _, fleet = (JOBS / "spec.yaml").read_text().partition("  worker:\n    count: 50\n")
    path.write_text(head + "".join(f"  w{number:03}:\n    count: 1\n{fleet}" for number in range(fleets)))
    return path
