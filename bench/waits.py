"""An apply and a destroy where AWS takes its time: how many seconds of it are not AWS's, ours and others'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.compare import one_round, say, summaries, told
from bench.contenders import APPLY, DESTROY, Missing, contender
from bench.world import Bench
from local_aws import Faults

# Seconds that EC2 takes: for an instance to boot and to terminate, and to know a new instance profile.
BOOT_S, TERMINATE_S, PROPAGATION_S = 8.0, 5.0, 6.0
AWS_OWN_S = {APPLY: PROPAGATION_S + BOOT_S, DESTROY: TERMINATE_S}


@dataclass(frozen=True)
class Waited:
    """One step: the median of its seconds, those that AWS takes at least, and calls throttled in all."""

    who: str
    step: str
    members: int
    median_s: float
    aws_s: float
    throttled: int

    @property
    def over_s(self) -> float:
        return self.median_s - self.aws_s


def slow(latency_ms: float, throttle: bool) -> Faults:
    """An AWS that takes its time."""
    return Faults(
        latency_ms=latency_ms,
        throttle=throttle,
        boot_s=BOOT_S,
        terminate_s=TERMINATE_S,
        propagation_s=PROPAGATION_S,
    )


def measure(bench: Bench, members: int, rounds: int, names: Sequence[str]) -> list[Waited]:
    """Apply and destroy on a bench that is slow: ours `rounds` times, each competitor once. Those who
    cannot take part are left out. Failed runs have no seconds."""
    runs = []
    for name in names:
        try:
            tool = contender(name, bench.url, members, bench.folder)
        except Missing as why:
            say(f"waits: {name}: not run, {why}")
            continue
        for _ in range(rounds if name == "ours" else 1):
            for done in one_round(bench, tool, [], members):
                runs.append(done)
                say(f"waits: {told(done)}")
    return [
        Waited(
            summary.who,
            summary.step,
            members,
            summary.median_s,
            AWS_OWN_S[summary.step],
            summary.throttled,
        )
        for summary in summaries(runs)
    ]
