"""A plan to launch where what only advises is slow: prices, quotas and what types can do."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import local_aws
from bench.compare import say
from bench.contenders import JOBS, PLAN, provisioner_on
from bench.process import run
from bench.world import Bench
from local_aws import Faults

ADVISING = ("pricing:GetProducts", "servicequotas:GetServiceQuota", "ec2:DescribeInstanceTypes")
LATE_S = 20.0
PLANNED = 2


@dataclass(frozen=True)
class Advised:
    """A plan whose advice is as fast as everything, and one whose advice comes far too late, in turn.

    `ratio` is the median of the pairs' ratios; `asked` how many calls of a plan advise.
    """

    members: int
    pairs: int
    at_once_s: float
    late_s: float
    ratio: float
    asked: int


def measure(bench: Bench, faults: Faults, members: int, pairs: int) -> Advised:
    """Plans of the same launch in turn, each with a cache of prices that is empty. Raises RuntimeError."""
    spec = bench.folder / "advice.yaml"
    # Not all types can be EBS-optimised, which has to be asked.
    text = (JOBS / "spec.yaml").read_text().replace("count: 50", f"count: {members}")
    spec.write_text(text.replace("    count:", "    ebs_optimized: true\n    count:"))
    late = replace(faults, rules=tuple(local_aws.delay(operation, LATE_S) for operation in ADVISING))
    bench.empty()
    found: list[tuple[float, float]] = []
    asked: list[int] = []
    for number in range(pairs + 1):
        order = (faults, late) if number % 2 else (late, faults)
        taken = {id(some): _plan(bench, some, spec) for some in order}
        # The least: of the plan before there may be calls that come late.
        asked.append(taken[id(faults)][1])
        at_once, slow = taken[id(faults)][0], taken[id(late)][0]
        say(f"advice: {at_once:.2f} s, late {slow:.2f} s")
        if number:  # the first pair only warms up
            found.append((at_once, slow))
    return Advised(
        members,
        pairs,
        statistics.median(pair[0] for pair in found),
        statistics.median(pair[1] for pair in found),
        statistics.median(slow / at_once for at_once, slow in found),
        min(asked),
    )


def _plan(bench: Bench, faults: Faults, spec: Path) -> tuple[float, int]:
    """The seconds of one plan, and how many calls of it advise."""
    tool = provisioner_on(spec, bench.url)
    bench.start_counting(faults)
    with tempfile.TemporaryDirectory() as cache:
        ran = run(tool.steps[PLAN], {**tool.env, "XDG_CACHE_HOME": cache}, bench.folder)
    if ran.code != PLANNED:
        raise RuntimeError(f"{PLAN}: exit code {ran.code}: {ran.last_lines}")
    operations = bench.counted().operations
    return ran.seconds, sum(operations.get(operation, 0) for operation in ADVISING)
