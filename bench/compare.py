"""The same job by everybody, in turn, on the same server."""

from __future__ import annotations

import math
import os
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.contenders import APPLY, DESTROY, PLAN, Contender
from bench.process import run
from bench.world import Bench

# A plan is short next to the noise of a machine with two cores, so it is run more often.
PLANS_A_ROUND = {"ours": 5, "floor": 5}


@dataclass(frozen=True)
class Run:
    """One run of one step. `problem`: why it does not count, or empty. `load`: of the machine, before."""

    who: str
    step: str
    members: int
    seconds: float
    cpu_s: float
    peak_mb: float
    calls: int
    throttled: int
    operations: dict[str, int]
    load: float
    problem: str


@dataclass(frozen=True)
class Summary:
    """All runs of one step by one contender."""

    who: str
    step: str
    members: int
    runs: int
    failed: int
    median_s: float
    least_s: float
    most_s: float
    cpu_s: float
    peak_mb: float
    calls: int
    throttled: int

    def as_data(self) -> dict[str, Any]:
        """As JSON data."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def compare(bench: Bench, contenders: Sequence[Contender], members: int, rounds: int) -> list[Run]:
    """All rounds. Nobody is first twice in a row, and the bare plan runs beside ours."""
    by_name = {contender.name: contender for contender in contenders}
    changing = [contender for contender in contenders if APPLY in contender.steps]
    runs: list[Run] = []
    for number in range(rounds):
        turn = number % len(changing) if changing else 0
        for contender in changing[turn:] + changing[:turn]:
            planning = [contender]
            if contender.name == "ours" and "floor" in by_name:
                planning.append(by_name["floor"])
            for done in one_round(bench, contender, planning, members):
                runs.append(done)
                say(f"round {number + 1} of {rounds}: {told(done)}")
    return runs


def one_round(
    bench: Bench,
    contender: Contender,
    planning: Sequence[Contender],
    members: int,
    iam: tuple[int, int] = (1, 1),
    plans: int | None = None,
) -> Iterator[Run]:
    """Apply, plan, destroy, from an empty account; `iam` is how many roles and profiles there are to be."""
    bench.empty()
    if contender.state:
        (contender.folder / contender.state).unlink(missing_ok=True)
    yield timed(bench, contender, APPLY, members, (members, *iam))
    for _ in range(plans or PLANS_A_ROUND.get(contender.name, 1)):
        for planner in planning:
            yield timed(bench, planner, PLAN, members, (members, *iam))
    yield timed(bench, contender, DESTROY, members, (0, 0, 0))


def timed(bench: Bench, contender: Contender, step: str, members: int, expected: tuple[int, int, int]) -> Run:
    """One run, with what is there afterwards compared to what should be."""
    bench.start_counting()
    load = os.getloadavg()[0]
    ran = run(contender.steps[step], contender.env, contender.folder)
    calls = bench.counted()
    there = bench.what_is_there()
    problem = ""
    if ran.code != 0:
        problem = f"exit code {ran.code}: {ran.last_lines}"
    elif there != expected:
        problem = f"there are {there} instances, roles and profiles, not {expected}"
    elif step == PLAN and contender.idle not in ran.output:
        problem = f"the plan does not say {contender.idle!r}: {ran.last_lines}"
    return Run(
        contender.name,
        step,
        members,
        ran.seconds,
        ran.cpu_s,
        ran.peak_mb,
        calls.total,
        calls.throttled,
        calls.operations,
        load,
        problem,
    )


def summaries(runs: Iterable[Run]) -> list[Summary]:
    """One for each contender, step and number of members; failed runs are counted and left out."""
    groups: dict[tuple[str, str, int], list[Run]] = {}
    for done in runs:
        groups.setdefault((done.who, done.step, done.members), []).append(done)
    return [_summary(key, group) for key, group in groups.items()]


def _summary(key: tuple[str, str, int], group: list[Run]) -> Summary:
    good = [done for done in group if not done.problem]
    seconds = [done.seconds for done in good] or [float("nan")]
    return Summary(
        *key,
        runs=len(group),
        failed=len(group) - len(good),
        median_s=statistics.median(seconds),
        least_s=min(seconds),
        most_s=max(seconds),
        cpu_s=statistics.median([done.cpu_s for done in good] or [float("nan")]),
        peak_mb=max((done.peak_mb for done in good), default=float("nan")),
        # The most of all runs, failed ones too: retries are not to be averaged away.
        calls=max(done.calls for done in group),
        throttled=max(done.throttled for done in group),
    )


def _rounded(value: Any) -> Any:
    """Milliseconds are enough; JSON has no number for a median of nothing."""
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else round(value, 3)


def told(done: Run) -> str:
    """A run in a line."""
    state = f"FAILED, {done.problem}" if done.problem else f"{done.seconds:.2f} s, {done.calls} calls"
    return f"{done.who}, {done.step}, {done.members} members: {state}"


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)
