"""Replacing members wave by wave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from provisioner.errors import AwsError, ChangedMeanwhile, ProvisionerError, WaitError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.call_rules import INSTANCE_QUOTA_CODES
from provisioner.kinds.fleet.launching.launch_context import LaunchContext
from provisioner.kinds.fleet.launching.scale_out import ScaleOut
from provisioner.kinds.fleet.placement import spread
from provisioner.kinds.fleet.readiness.waiting import foretold_calls_of_waiting
from provisioner.kinds.fleet.rolling_update.loop import RollingUpdate
from provisioner.kinds.fleet.rolling_update.rollout import (
    LAUNCH_FIRST,
    Launch,
    Restart,
    RolloutState,
    Terminate,
    moves,
)
from provisioner.kinds.instances import Instance, calls_on
from provisioner.kinds.keep import is_kept
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, CallCount, Until, count_calls
from provisioner.naming import KEEP_TAG


@dataclass(frozen=True)
class RollingReplacement:
    """Replace members, which go in the order of `state`, and end with as many members as the fleet wants.

    `members` are all that there were when it was planned, `unhealthy` those of them that were not healthy;
    `state` is what a plan sees of them.
    """

    launches: LaunchContext
    members: tuple[Instance, ...]
    unhealthy: frozenset[str]
    state: RolloutState

    @property
    def going(self) -> tuple[str, ...]:
        """The members to be replaced."""
        return self.state.going

    def calls(self) -> Iterable[CallCount]:
        counted: list[CallCount] = []
        is_checked = False
        staying = [member for member in self.members if member.id not in self.going]
        for move, _ in moves(self.state):
            match move:
                case Launch(count):
                    is_checked = True
                    counted += ScaleOut(self.launches, count, tuple(staying), (), count).calls()
                    shares = spread(count, self.launches.prerequisites.subnets, staying)
                    staying += [
                        replace(self.members[0], id="", subnet=subnet.id)
                        for subnet, share in shares.items()
                        for _ in range(share)
                    ]
                case Terminate(ids):
                    successors = _successors(self.state.count, len(self.members), len(self.going), len(ids))
                    if successors and not is_checked:
                        check = ScaleOut(self.launches, successors, tuple(staying), (), 0).calls()
                        counted += [count for count in check if count.operation == "RunInstances"]
                    is_checked = True
                    counted += count_calls(calls_on("TerminateInstances", ids))
        return counted

    def foretold(self) -> Iterable[Call]:
        # How many go where depends on how many there is room for at a time.
        yield from self.launches.foretold(dict.fromkeys(self.launches.prerequisites.subnets, 0))
        yield from foretold_calls_of_waiting(self.launches.fleet)


@run_step.register
def _replace(step: RollingReplacement, context: ExecutionContext) -> None:
    _Replacement(step, context).run()


class _Replacement(RollingUpdate):
    """A rolling replacement under way."""

    def __init__(self, plan: RollingReplacement, context: ExecutionContext) -> None:
        super().__init__(plan.launches.fleet, plan.launches.environment, plan.unhealthy, context)
        self.plan = plan
        self.gone: set[str] = set()
        self.launched = 0

    def run(self) -> None:
        self.roll(self.plan.members, self.plan.going)
        self.wait(tuple(self.gone), Until.TERMINATED)

    def state(self) -> RolloutState:
        live = self.live()
        ids = {member.id for member in live}
        answered = self.plan.launches.answered(self.context)
        ours = {member.id for member in (*self.plan.members, *answered)}
        foreign = sorted(ids - ours)
        if foreign:
            raise ChangedMeanwhile(f"somebody else has launched {', '.join(foreign)} into this fleet")
        return replace(
            self.plan.state,
            going=tuple(name for name in self.plan.going if name in ids),
            staying=tuple(member.id for member in live if member.id not in self.plan.going),
            healthy=self.health.healthy(live),
            unhealthy=self.health.unhealthy,
        )

    def progress(self) -> str:
        return f"{len(self.gone)} of {len(self.plan.going)} replaced"

    def make(self, move: Launch | Terminate | Restart) -> None:
        try:
            match move:
                case Launch(count):
                    self._launch(count)
                case Terminate(ids):
                    self._terminate(ids)
                case Restart():
                    raise TypeError(f"a rolling replacement has no {move}")
        except WaitError as error:
            raise self._paused(error, "launch others") from error

    def _launch(self, count: int) -> None:
        launched = self._wave(count).launch(self.context)
        self.shown = launched.shown or self.look()
        if launched.shortage and not launched.new:
            raise self._no_room(launched.shortage)
        self._count(len(launched.new))

    def _terminate(self, ids: tuple[str, ...]) -> None:
        kept = [name for name in ids if name in self.shown and is_kept(self.shown[name].tags)]
        if kept:
            raise ChangedMeanwhile(f"{', '.join(kept)} got the tag {KEEP_TAG} meanwhile: left alone")
        self._check_launch(len(ids))
        for call in calls_on("TerminateInstances", ids):
            self.context.send(call)
        self.gone |= set(ids)
        self.shown = self.wait(ids, Until.LEAVING)

    def _wave(self, count: int) -> ScaleOut:
        live = tuple(self.live())
        ids = {member.id for member in live}
        ended = tuple(instance for instance in self.shown.values() if instance.id not in ids)
        return ScaleOut(self.plan.launches, count, live, ended, len(live) + count, frozenset(self.plan.going))

    def _check_launch(self, leaving: int) -> None:
        """Before the first member goes, if any gets a successor. Raises AwsError."""
        live = self.live()
        going = sum(member.id in self.plan.going for member in live)
        successors = _successors(self.fleet.count, len(live), going, leaving)
        if self.launched or self.gone or not successors:
            return
        try:
            self._wave(successors).check(self.context)
        except AwsError as error:
            kept = "nothing was terminated"
            raise error.with_hint(f"{error.hint}; {kept}" if error.hint else kept) from error

    def _count(self, launched: int) -> None:
        """Members that end as soon as they run are not launched over and over."""
        self.launched += launched
        if self.launched > 2 * (len(self.plan.going) + self.fleet.count):
            raise ProvisionerError(
                f"paused after {len(self.gone)} of {len(self.plan.going)}: new members end once they run",
                "look at why they do, with `status` and in their logs; applying again goes on from here",
            )

    def _no_room(self, shortage: AwsError) -> AwsError:
        if self.fleet.update.order == LAUNCH_FIRST and self.state().going:
            first = shortage.hint if shortage.code in INSTANCE_QUOTA_CODES else "apply again later"
            order = "or set `update: {order: terminate_first}`, which makes room before it launches"
            return shortage.with_hint(f"{first}, {order}")
        return shortage

    def paused(self, error: WaitError, told: str) -> ProvisionerError:
        return self._paused(error, "wait for them once more")

    def _paused(self, error: WaitError, again: str) -> ProvisionerError:
        left = [member.id for member in self.live() if member.id in self.plan.going]
        return ProvisionerError(
            f"paused after {len(self.gone)} of {len(self.plan.going)}: {error.message}",
            f"{len(left)} old members go on as they are; look at the new ones, then correct the spec, or "
            f"apply again to {again}",
        )

    def given_up(self, ids: Iterable[str]) -> Iterable[str]:
        """All that stay: what is launched next is looked at anew."""
        return [member.id for member in self.live() if member.id not in self.plan.going]


def _successors(count: int, live: int, going: int, leaving: int) -> int:
    """How many launches to ask for before the first wave goes: its successors, or those of a later wave.

    Of `live` members `going` are to go, so many of them first as are `leaving`; a surplus goes before others.
    """
    of_this_wave = count - live + leaving
    of_all_waves = count - (live - going)
    return max(of_this_wave, min(of_all_waves, leaving), 0)
