"""What needs no AWS: comparing and rendering, from 1,000 to 100,000 members, each in a process of its own.

`python -m bench.pure CASE MEMBERS` is that process: it builds what would have been observed, then compares it
with the spec and prints the plan as the command does where there is no terminal. Seconds are of CPU in its
one thread, so that whatever else the machine is doing does not count.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CASES = ("nothing to do", "drift", "destroy")


@dataclass(frozen=True)
class Pure:
    """Medians of several processes."""

    case: str
    members: int
    diff_s: float
    render_s: float
    total_s: float
    peak_mb: float
    lines: int


def measure(sizes: list[int], runs: int) -> list[Pure]:
    """Every case at every size. Raises RuntimeError if a process fails."""
    from bench.process import run

    found = []
    for case in CASES:
        for members in sizes:
            results = []
            for _ in range(runs):
                command = (sys.executable, "-m", "bench.pure", case, str(members))
                ran = run(command, {"PATH": os.environ["PATH"]}, Path(__file__).resolve().parents[1])
                if ran.code != 0:
                    raise RuntimeError(f"{case}, {members} members: exit code {ran.code}: {ran.last_lines}")
                results.append(json.loads(ran.output.splitlines()[-1]))
            found.append(_medians(case, members, results))
    return found


def _medians(case: str, members: int, results: list[dict[str, Any]]) -> Pure:
    middle = {name: statistics.median(result[name] for result in results) for name in results[0]}
    total_s = statistics.median(result["diff_s"] + result["render_s"] for result in results)
    return Pure(
        case, members, middle["diff_s"], middle["render_s"], total_s, middle["peak_mb"], int(middle["lines"])
    )


def child(case: str, members: int) -> dict[str, Any]:
    """Measures one case in this process."""
    from bench.observed import observed_world
    from bench.process import peak_kb
    from provisioner.cli.output import Gate
    from provisioner.kinds import KINDS
    from provisioner.plan import plan as compare
    from provisioner.render.as_text import plan_lines
    from provisioner.render.styled import plain

    # It sets how often garbage is collected, as the command does.
    importlib.import_module("provisioner.cli.start")
    world = observed_world(case, members)
    gc.collect()
    began = time.process_time()
    plan = compare(world, KINDS)
    compared = time.process_time()
    with Path(os.devnull).open("w") as nowhere:
        text = plain(plan_lines(plan, 100)) + "\n"
        Gate(nowhere, "stdout").layout(text)
    rendered = time.process_time()
    expected = {"nothing to do": 0, "drift": 1, "destroy": 1}[case]
    touched = sum(plan.summary.values())
    if bool(touched) != bool(expected) or plan.refusals:
        raise RuntimeError(f"{touched} changes and {len(plan.refusals)} refusals")
    return {
        "diff_s": compared - began,
        "render_s": rendered - compared,
        "peak_mb": peak_kb(os.getpid()) / 1024,
        "lines": text.count("\n"),
    }


if __name__ == "__main__":
    print(json.dumps(child(sys.argv[1], int(sys.argv[2]))))
