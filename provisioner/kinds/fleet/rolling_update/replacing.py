"""Replacing members wave by wave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from provisioner.errors import AwsError, ChangedMeanwhile, ProvisionerError, WaitError
from provisioner.kinds.fleet.call_rules import INSTANCE_QUOTA_CODES
from provisioner.kinds.fleet.launching.scale_out import LaunchContext, ScaleOut
from provisioner.kinds.fleet.observed import scope_of
from provisioner.kinds.fleet.placement import spread
from provisioner.kinds.fleet.rolling_update.health import Health
from provisioner.kinds.fleet.rolling_update.rollout import (
    Await,
    Launch,
    RolloutState,
    Terminate,
    moves,
    next_move,
)
from provisioner.kinds.instances import MAX_IDS, Instance, chunks
from provisioner.model import Call, CallCount, ExecutionContext, Until, Wait


@dataclass(frozen=True)
class Replace:
    """Replace members, which go in the crew's order, and end with as many members as the fleet wants.

    `members` are all that there were when it was planned, `unhealthy` those of them that were not healthy;
    `state` is what a plan sees of them.
    """

    pad: LaunchContext
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
        staying = [each for each in self.members if each.id not in self.going]
        for move, _ in moves(self.state):
            match move:
                case Launch(count):
                    is_checked = True
                    counted += ScaleOut(self.pad, count, tuple(staying), (), count).calls()
                    shares = spread(count, self.pad.prerequisites.subnets, staying)
                    staying += [
                        replace(self.members[0], id="", subnet=subnet.id)
                        for subnet, share in shares.items()
                        for _ in range(share)
                    ]
                case Terminate(ids):
                    successors = _successors(self.state.count, len(self.members), len(self.going), len(ids))
                    if successors and not is_checked:
                        check = ScaleOut(self.pad, successors, tuple(staying), (), 0).calls()
                        counted += [each for each in check if each.operation == "RunInstances"]
                    is_checked = True
                    counted += [CallCount("ec2", "TerminateInstances", -(-len(ids) // MAX_IDS))]
                case Await():
                    pass
        return counted

    def foretold(self) -> Iterable[Call]:
        # How many go where depends on how many there is room for at a time.
        return self.pad.foretold(dict.fromkeys(self.pad.prerequisites.subnets, 0))

    def run(self, context: ExecutionContext) -> None:
        _Replacement(self, context).run()


@dataclass
class _Replacement:
    """A replacement under way."""

    plan: Replace
    context: ExecutionContext
    shown: Mapping[str, Instance] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    launched: int = 0

    def __post_init__(self) -> None:
        self.health = Health(self.plan.pad.fleet, self.plan.unhealthy)

    def run(self) -> None:
        self.health.begin_with(self.plan.members, self.plan.going)
        self.shown = self._look()
        while move := next_move(self._crew()):
            self.context.tell(f"{len(self.gone)} of {len(self.plan.going)} replaced")
            try:
                self._make(move)
            except WaitError as error:
                self._not_healthy(move, error)
        self._wait(tuple(self.gone), Until.TERMINATED)

    def _make(self, move: Launch | Terminate | Await) -> None:
        match move:
            case Await(ids):
                self.shown = self.health.wait_for(ids, self._scopes(), self.context)
            case Launch(count):
                grown = self._wave(count).launch(self.context)
                self.shown = grown.shown or self._look()
                if grown.shortage and not grown.new:
                    raise self._no_room(grown.shortage)
                self._count(len(grown.new))
            case Terminate(ids):
                self._check_launch(len(ids))
                for part in chunks(ids, MAX_IDS):
                    self.context.send(Call("ec2", "TerminateInstances", {"InstanceIds": list(part)}))
                self.gone |= set(ids)
                self.shown = self._wait(ids, Until.LEAVING)

    def _wave(self, count: int) -> ScaleOut:
        live = tuple(self._live())
        ended = tuple(each for each in self.shown.values() if each.id not in {one.id for one in live})
        return ScaleOut(self.plan.pad, count, live, ended, len(live) + count, frozenset(self.plan.going))

    def _check_launch(self, leaving: int) -> None:
        """Before the first member goes, if any gets a successor. Raises AwsError."""
        live = self._live()
        going = sum(each.id in self.plan.going for each in live)
        successors = _successors(self.plan.pad.fleet.count, len(live), going, leaving)
        if self.launched or self.gone or not successors:
            return
        try:
            self._wave(successors).check(self.context)
        except AwsError as error:
            kept = "nothing was terminated"
            raise error.with_hint(f"{error.hint}; {kept}" if error.hint else kept) from error

    def _crew(self) -> RolloutState:
        live = self._live()
        ids = {each.id for each in live}
        ours = {each.id for each in (*self.plan.members, *self.plan.pad.answered(self.context))}
        foreign = sorted(ids - ours)
        if foreign:
            raise ChangedMeanwhile(f"somebody else has launched {', '.join(foreign)} into this fleet")
        going = tuple(each for each in self.plan.going if each in ids)
        staying = tuple(each.id for each in live if each.id not in going)
        fleet = self.plan.pad.fleet
        return RolloutState(
            fleet.count, fleet.update, going, staying, self.health.healthy(live), self.health.unhealthy
        )

    def _live(self) -> list[Instance]:
        return [each for each in self.shown.values() if self.plan.pad.is_member(each)]

    def _count(self, launched: int) -> None:
        """Members that end as soon as they run are not launched over and over."""
        self.launched += launched
        if self.launched > 2 * (len(self.plan.going) + self.plan.pad.fleet.count):
            raise ProvisionerError(
                f"paused after {len(self.gone)} of {len(self.plan.going)}: new members end once they run",
                "look at why they do, with `status` and in their logs; applying again goes on from here",
            )

    def _no_room(self, shortage: AwsError) -> AwsError:
        if self.plan.pad.fleet.update.order == "launch_first" and self._crew().going:
            first = shortage.hint if shortage.code in INSTANCE_QUOTA_CODES else "apply again later"
            order = "or set `update: {order: terminate_first}`, which makes room before it launches"
            return shortage.with_hint(f"{first}, {order}")
        return shortage

    def _not_healthy(self, move: Launch | Terminate | Await, error: WaitError) -> None:
        update = self.plan.pad.fleet.update
        if update.pause_on_failure or not isinstance(move, Await):
            left = [each.id for each in self._live() if each.id in self.plan.going]
            again = "wait for them once more" if isinstance(move, Await) else "launch others"
            raise ProvisionerError(
                f"paused after {len(self.gone)} of {len(self.plan.going)}: {error.message}",
                f"{len(left)} old members go on as they are; look at the new ones, then correct the spec, or "
                f"apply again to {again}",
            ) from error
        self.shown = self._look()
        self.health.give_up(each.id for each in self._live() if each.id not in self.plan.going)

    def _look(self) -> Mapping[str, Instance]:
        return self._wait((), Until.SHOWN)

    def _wait(self, ids: tuple[str, ...], until: Until) -> Mapping[str, Instance]:
        return self.context.wait(Wait(ids, until, self._scopes()))

    def _scopes(self) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], ...]:
        return (scope_of(self.plan.pad.environment),)


def _successors(count: int, live: int, going: int, leaving: int) -> int:
    """How many launches to ask for before the first wave goes: its successors, or those of a later wave.

    Of `live` members `going` are to go, so many of them first as are `leaving`; a surplus goes before others.
    """
    of_this_wave = count - live + leaving
    of_all_waves = count - (live - going)
    return max(of_this_wave, min(of_all_waves, leaving), 0)
