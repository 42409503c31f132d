"""What this project wants to reach, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.advice import Advised
from bench.compare import Summary
from bench.contenders import APPLY, DESTROY, PLAN
from bench.first_byte import Paired
from bench.fleets import Launch
from bench.many import ACCOUNTS, TOGETHER, Planned
from bench.pure import Pure
from bench.scale import WITH_PROFILES, WITH_ROLES
from bench.startup import Startup
from bench.waits import Waited

LARGEST_PURE = 100_000


@dataclass(frozen=True)
class Goal:
    """`is_met` is None where nothing was measured."""

    what: str
    wanted: str
    measured: str
    is_met: bool | None

    @property
    def verdict(self) -> str:
        return {True: "met", False: "MISSED", None: "not measured"}[self.is_met]


def goals(
    compared: Sequence[Summary],
    scaled: Sequence[Summary],
    started: Sequence[Startup],
    paired: Sequence[Paired],
    pure: Sequence[Pure],
    waited: Sequence[Waited],
    launches: Sequence[Launch],
    advised: Sequence[Advised],
    planned: Sequence[Planned],
    members: int,
) -> list[Goal]:
    """All goals. Those for the job of 50 members are judged by whatever number was run."""
    found = {(summary.who, summary.step): summary for summary in compared}
    largest = {(summary.who, summary.step): summary for summary in scaled if summary.members == 1000}
    return [
        *_calls(found, largest, members),
        *_times(found),
        _throttled("our calls throttled, the job", compared),
        _throttled(
            "our calls throttled, more members", [summary for summary in scaled if summary.who == "ours"]
        ),
        _throttled(
            "our calls throttled, 40 roles", [summary for summary in scaled if "roles" in summary.who]
        ),
        *_failures([*compared, *scaled]),
        *_waits(waited),
        *_fleets(launches),
        *(_most("time: plan whose advice is late, as a ratio", 1.05, one.ratio, "x") for one in advised),
        *_many(planned),
        *_starts(started),
        *_beside_floor(paired),
        *_pure(pure),
    ]


Found = dict[tuple[str, str], Summary]


def _most(what: str, most: float, measured: float | None, unit: str = "") -> Goal:
    """A goal of at most so much."""
    if measured is None or measured != measured:
        return Goal(what, f"at most {most:g}{unit}", "", None)
    return Goal(what, f"at most {most:g}{unit}", f"{measured:.4g}{unit}", measured <= most)


def _calls(found: Found, largest: Found, members: int) -> Iterator[Goal]:
    for step, most in ((PLAN, 6), (APPLY, 20), (DESTROY, 16)):
        ours = found.get(("ours", step))
        yield _most(f"calls: {step}, {members} members", most, ours.calls if ours else None)
    for who, told in ((WITH_ROLES, "40 roles"), (WITH_PROFILES, "40 roles and 40 profiles")):
        plan = largest.get((who, PLAN))
        yield _most(f"calls: {PLAN}, 1000 members, {told}", 8, plan.calls if plan else None)


def _times(found: Found) -> Iterator[Goal]:
    ours, floor = found.get(("ours", PLAN)), found.get(("floor", PLAN))
    ratio = ours.median_s / floor.median_s if ours and floor else None
    yield _most("time: plan, as a ratio to boto3 alone", 1.0, ratio, "x")
    cpu = ours.cpu_s / floor.cpu_s if ours and floor else None
    yield _most("CPU: plan, as a ratio to boto3 alone", 1.0, cpu, "x")
    yield _most("memory: plan", 60, ours.peak_mb if ours else None, " MB")
    for rival in ("terraform", "ansible"):
        for step, least in ((PLAN, 10), (APPLY, 5), (DESTROY, 7)):
            mine, theirs = found.get(("ours", step)), found.get((rival, step))
            faster = theirs.median_s / mine.median_s if mine and theirs else None
            is_known = faster is not None and faster == faster
            measured = f"{faster:.1f}x" if is_known else ""
            is_met = faster >= least if faster is not None and is_known else None
            yield Goal(f"time: {step}, against {rival}", f"{least}x faster", measured, is_met)


def _throttled(what: str, every: Sequence[Summary]) -> Goal:
    ours = [summary for summary in every if summary.who.startswith("ours")]
    throttled, calls = sum(summary.throttled for summary in ours), sum(summary.calls for summary in ours)
    measured = f"{throttled} of {calls}" if ours else ""
    return Goal(what, "none", measured, throttled == 0 if ours else None)


def _failures(every: Sequence[Summary]) -> Iterator[Goal]:
    """Failed runs, whoever's they are."""
    failed = [f"{summary.who}, {summary.step}, {summary.members}" for summary in every if summary.failed]
    if failed:
        yield Goal("runs that failed", "none", "; ".join(failed), False)


def _starts(started: Sequence[Startup]) -> Iterator[Goal]:
    for start in started:
        if start.command.startswith("provisioner"):
            yield _most(f"start: {start.command}, as a ratio to bare imports", 1.5, start.ratio, "x")
            needless = " ".join(start.imported)
            yield Goal(
                f"start: {start.command}, imports", "no boto3", needless or "none of it", not start.imported
            )


def _beside_floor(paired: Sequence[Paired]) -> Iterator[Goal]:
    for one in paired:
        if one.what == "whole plan":
            yield _most("start: whole plan, seconds, as a ratio to boto3 alone", 1.0, one.ratio, "x")
            yield _most("start: whole plan, CPU, as a ratio to boto3 alone", 1.0, one.cpu_ratio, "x")


def _waits(waited: Sequence[Waited]) -> Iterator[Goal]:
    for one in waited:
        if one.who == "ours":
            yield _most(f"waits: {one.step}, over AWS's own time", 2, one.over_s, " s")


def _fleets(launches: Sequence[Launch]) -> Iterator[Goal]:
    if len(launches) >= 2:
        few, many = launches[0], launches[-1]
        yield _most(f"fleets: plan to launch {many.fleets}", 3, many.seconds, " s")
        yield _most(f"fleets: calls more for {many.fleets} than for {few.fleets}", 10, many.calls - few.calls)


def _many(planned: Sequence[Planned]) -> Iterator[Goal]:
    for one in planned:
        told = f"many: {one.environments} environments"
        if one.what == ACCOUNTS:
            yield _most(f"{told}, {one.places} accounts and regions", 15, one.seconds, " s")
        elif one.what == TOGETHER and one.environments >= 200:
            yield _most(f"{told}, calls", 20, one.calls)
            yield _most(told, 4, one.seconds, " s")


def _pure(pure: Sequence[Pure]) -> Iterator[Goal]:
    for result in pure:
        if result.members == LARGEST_PURE:
            yield _most(
                f"{result.case}, {LARGEST_PURE:,} members: compare and render", 1, result.total_s, " s"
            )
            yield _most(f"{result.case}, {LARGEST_PURE:,} members: memory", 1000, result.peak_mb, " MB")
    for case in dict.fromkeys(result.case for result in pure):
        sizes = sorted((result for result in pure if result.case == case), key=lambda result: result.members)
        # A thousand members take milliseconds, too short to divide by.
        if len(sizes) >= 3:
            small, large = sizes[-2], sizes[-1]
            growth = (large.total_s / small.total_s) / (large.members / small.members)
            yield _most(
                f"{case}: seconds a member, {large.members:,} against {small.members:,}", 1.5, growth, "x"
            )
