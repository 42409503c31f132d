"""The states that are explored, and everything that may happen in one: appliers, EC2, people, bad luck."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import NamedTuple

from provisioner.kinds.fleet.observed import Subnet
from provisioner.model import Call, Until, Wait
from provisioner.naming import ASKED_TAG
from tests.model_checking.explorer import cloud as ec2
from tests.model_checking.explorer.applier import Applier, Protocol, Request, Run, Shown, Since
from tests.model_checking.explorer.cloud import DEAD, HIDDEN, LIVE, VANISHED, Answer, Cloud, Machine

A, B = (
    Subnet("subnet-0000000000000000a", "us-east-1a", "vpc-1"),
    Subnet("subnet-0000000000000000b", "us-east-1b", "vpc-1"),
)
ONE_ZONE, TWO_ZONES = (A,), (A, B)
ONE_ZONE_TWICE = (A, Subnet("subnet-000000000000000a2", "us-east-1a", "vpc-1"))


class Budget(NamedTuple):
    """How often what is not the appliers' doing may still happen; crashes and lost replies for each of them.

    `runs` is how often each applier is started, not counting that it is started again after each crash;
    `vanishes` how many terminated members may disappear from
    what is described, and `minutes` how often ten minutes may pass before all is over.
    """

    runs: int = 1
    crashes: int = 1
    lost: int = 0
    terminations: int = 1
    shortages: int = 0
    vanishes: int = 0
    minutes: int = 1


ONCE = Budget()


@dataclass(frozen=True)
class Setting:
    """What is explored: where, who wants how many, with how many members there from the start.

    `forgets_failures`: a launch that failed for want of capacity leaves its token as if it was never used.
    """

    subnets: tuple[Subnet, ...]
    counts: tuple[int, ...]
    there: int = 0
    budget: Budget = ONCE
    forgets_failures: bool = False

    def __str__(self) -> str:
        counts = " and ".join(map(str, self.counts))
        return f"{len(self.subnets)} subnets, counts {counts}, {self.there} there, {self.budget}"


class Hand(NamedTuple):
    """One applier: its run, if it has one, and what it may still do or suffer."""

    run: Run | None
    runs: int
    crashes: int
    lost: int


class State(NamedTuple):
    """All there is. Equal states have the same futures."""

    cloud: Cloud
    context: tuple[Hand, ...]
    terminations: int
    shortages: int
    vanishes: int
    minutes: int

    @property
    def may_be_over(self) -> bool:
        """Whether it may be that nothing more happens; a run that is killed and not started again is over."""
        return all(hand.run is None or hand.crashes for hand in self.context)

    @property
    def is_over(self) -> bool:
        """Whether every run has ended, or has nothing to do but to look again until more time has passed."""
        runs = [hand.run for hand in self.context if hand.run]
        return all(not self.minutes and (run.asked - run.ripe or run.shown is None) for run in runs)


class Event(NamedTuple):
    """Something that happens. `helps`: it goes on by itself, without people and without bad luck."""

    text: Callable[[], str]
    state: State
    helps: bool = False


class Move(NamedTuple):
    """What one applier does: what comes of it for itself, the cloud, and the shortages that are left."""

    text: Callable[[], str]
    hand: Hand
    cloud: Cloud
    shortages: int
    helps: bool = False


class Model:
    """What may happen, by the functions of one protocol.

    What EC2 shows matters only to who looks. So it is decided when somebody does, how much more is shown by
    then; and that a run was killed is told when the next one is started.
    """

    def __init__(self, setting: Setting, protocol: Protocol) -> None:
        self.setting = setting
        self.appliers = [Applier(count, setting.subnets, protocol) for count in setting.counts]
        self.protocol = protocol
        self._known_moves: dict[tuple[int, Hand, Cloud, int, tuple[Cloud, ...]], tuple[Move, ...]] = {}

    def first(self) -> State:
        budget = self.setting.budget
        context = tuple(Hand(None, budget.runs, budget.crashes, budget.lost) for _ in self.appliers)
        state = State((), context, budget.terminations, budget.shortages, budget.vanishes, budget.minutes)
        if self.setting.there:
            # An apply of long ago, that everybody sees.
            first = Applier(self.setting.there, self.setting.subnets, Protocol())
            cloud = undisturbed(state.cloud, first, Protocol())
            state = state._replace(cloud=ec2.aged(cloud))
        return state

    def events(self, state: State) -> Iterator[Event]:
        views = self._views(state)
        for index, hand in enumerate(state.context):
            for move in self._moves(index, hand, state.cloud, state.shortages, views):
                context = (*state.context[:index], move.hand, *state.context[index + 1 :])
                after = State(
                    move.cloud, context, state.terminations, move.shortages, state.vanishes, state.minutes
                )
                yield Event(move.text, after, move.helps)
        yield from self._people(state)
        if state.minutes:
            yield from self._minutes(state)

    def _moves(
        self, index: int, hand: Hand, cloud: Cloud, shortages: int, views: tuple[Cloud, ...]
    ) -> tuple[Move, ...]:
        """What one applier may do, which is the same wherever the other one has got to."""
        key = (index, hand, cloud, shortages, views)
        known = self._known_moves.get(key)
        if known is None:
            moves = [*self._starting(index, hand, shortages, views)]
            if hand.run:
                moves += self._running(index, hand, hand.run, cloud, shortages, views)
            known = self._known_moves[key] = tuple(moves)
        return known

    def _starting(self, index: int, hand: Hand, shortages: int, views: tuple[Cloud, ...]) -> Iterator[Move]:
        if not (hand.crashes if hand.run else hand.runs):
            return
        applier = self.appliers[index]
        killed = "is killed and started again" if hand.run else "starts"
        for view in views:
            run = applier.start(ec2.described(view))
            if run:
                spent = {"crashes": hand.crashes - 1} if hand.run else {"runs": hand.runs - 1}
                begun = hand._replace(run=run, **spent)
                text = partial(_told, index, killed, applier, run, view)
                yield Move(text, begun, view, shortages, helps=hand.run is None)

    def _running(
        self, index: int, hand: Hand, run: Run, cloud: Cloud, shortages: int, views: tuple[Cloud, ...]
    ) -> Iterator[Move]:
        applier = self.appliers[index]
        if run.shown is None:
            for view in views:
                after = applier.look_again(run, ec2.described(view))
                text = partial(_told, index, "looks again", applier, after, view)
                yield Move(text, hand._replace(run=after), view, shortages, helps=True)
            return
        for path, request in applier.next(run).requests:
            sent = request
            if isinstance(request, Call) and request.operation == "RunInstances":
                sent = self.protocol.sent(request, f"{index}{path}{cloud}", run)
            for outcome in self._outcomes(sent, cloud, shortages, views):
                answer = self.protocol.answered(outcome.answer)
                after, failure = applier.answered(run, path, answer)
                helps = outcome.shortages == shortages
                text = partial(_asked, index, sent, outcome, failure, after)
                yield Move(text, hand._replace(run=after), outcome.cloud, outcome.shortages, helps)
                if hand.lost and isinstance(request, Call):
                    lost = hand._replace(lost=hand.lost - 1)
                    text = partial(_asked, index, sent, outcome, "the reply is lost", run)
                    yield Move(text, lost, outcome.cloud, outcome.shortages)

    def _views(self, state: State) -> tuple[Cloud, ...]:
        """The cloud with anything between nothing and everything more shown than was before."""
        unsettled = ec2.unsettled(state.cloud)
        if not unsettled:
            return (state.cloud,)
        kinds: dict[object, list[tuple[int, int, Machine]]] = {}
        for at, index, machine in unsettled:
            kinds.setdefault(self._likeness(state, at, index), []).append((at, index, machine))
        return _shown_more(state.cloud, tuple(map(tuple, kinds.values())))

    def _outcomes(
        self, request: Request, cloud: Cloud, left: int, views: tuple[Cloud, ...]
    ) -> Iterator[Outcome]:
        if isinstance(request, Wait):
            for view in views:
                answer = _waited(view, request)
                if answer:
                    yield Outcome(view, answer, left)
        elif isinstance(request, Since):
            raise AssertionError("a run looks at the clock by itself")
        elif request.operation == "RunInstances":
            params = dict(request.params)
            forgets = self.setting.forgets_failures
            after, answers, is_launch = ec2.run_instances(cloud, params, params["MaxCount"], forgets)
            for answer in answers:
                yield Outcome(after, answer, left)
            for room in range(params["MaxCount"] if is_launch and left else 0):
                after, (answer,), _ = ec2.run_instances(cloud, params, room, forgets)
                yield Outcome(after, answer, left - 1)
        elif request.operation == "TerminateInstances":
            yield Outcome(ec2.terminated(cloud, frozenset(request.params["InstanceIds"])), Answer(), left)
        elif request.operation == "CreateTags":
            ((tag,), ids) = request.params["Tags"], frozenset(request.params["Resources"])
            assert tag["Key"] == ASKED_TAG
            yield Outcome(ec2.noted(cloud, ids, int(tag["Value"])), Answer(), left)
        else:
            (token,) = request.params["Filters"][0]["Values"]
            for view in views:
                yield Outcome(view, Answer(ec2.described(view, token)), left)

    def _minutes(self, state: State) -> Iterator[Event]:
        context = tuple(
            hand._replace(run=hand.run._replace(ripe=hand.run.asked)) if hand.run else hand
            for hand in state.context
        )
        later = state._replace(cloud=ec2.aged(ec2.settled(state.cloud)), context=context)
        if later != state:
            left = state.minutes - 1
            yield Event(lambda: "ten minutes pass; everything is shown", later._replace(minutes=left), True)

    def _people(self, state: State) -> Iterator[Event]:
        if not state.terminations and not state.vanishes:
            return
        observed: set[object] = set()
        for at, index, machine in ec2.every(state.cloud):
            alike = self._likeness(state, at, index)
            if alike in observed:
                continue
            observed.add(alike)
            name = state.cloud[at].id(index)
            if machine.is_alive and state.terminations:
                dead = ec2.changed(state.cloud, at, index, machine._replace(is_alive=False))
                after = state._replace(cloud=dead, terminations=state.terminations - 1)
                yield Event(partial("{} is terminated by hand".format, name), after)
            if not machine.is_alive and machine.shown != VANISHED and state.vanishes:
                gone = ec2.changed(state.cloud, at, index, machine._replace(shown=VANISHED))
                after = state._replace(cloud=gone, vanishes=state.vanishes - 1)
                yield Event(partial("EC2 shows {}, terminated, no more".format, name), after)

    def _likeness(self, state: State, at: int, index: int) -> object:
        """Equal for machines that nothing but their name tells apart."""
        name, machine = state.cloud[at].id(index), state.cloud[at].machines[index]
        runs = [hand.run for hand in state.context]
        known = tuple((_in(run.approved, name), _in(run.shown or (), name)) if run else None for run in runs)
        # One that lives was never said to be dead.
        told = () if machine.is_alive else tuple(_answers(run, name) if run else None for run in runs)
        return at, machine, known, told


@cache
def _shown_more(cloud: Cloud, kinds: tuple[tuple[tuple[int, int, Machine], ...], ...]) -> tuple[Cloud, ...]:
    views = []
    for numbers in product(*(range(len(alike) + 1) for alike in kinds)):
        view = cloud
        for number, alike in zip(numbers, kinds, strict=True):
            for at, index, machine in alike[:number]:
                shown = machine._replace(shown=LIVE if machine.is_alive else DEAD)
                view = ec2.changed(view, at, index, shown)
        views.append(view)
    return tuple(views)


class Outcome(NamedTuple):
    """What may come of a request: the cloud after it, the answer, the shortages left."""

    cloud: Cloud
    answer: Answer
    shortages: int


def _in(shown: Shown, name: str) -> str:
    return next((sight.state for sight in shown if sight.id == name), "")


def _answers(run: Run, name: str) -> tuple[str, ...]:
    logged = (answer for _, answers in run.log for answer in answers)
    return tuple(_in(answer.ids, name) for answer in (*run.earlier, *logged))


def _told(index: int, what: str, applier: Applier, run: Run | None, cloud: Cloud) -> str:
    shown = ", ".join(f"{sight.id} {sight.state}" for sight in ec2.described(cloud)) or "nothing"
    plan = applier.plan(run.shown, run.earlier) if run and run.shown is not None else None
    reasons = (
        "; ".join(change.reason for change in plan.changes) if plan else "nothing to do, or not approved"
    )
    return f"applier {index + 1} (count {applier.count}) {what}, sees {shown}; plans: {reasons}"


def _asked(index: int, request: Request, outcome: Outcome, failure: str, run: Run | None) -> str:
    answer = outcome.answer
    got = answer.error or ", ".join(sight.id for sight in answer.ids) or "done"
    then = f"; {failure}" if failure and failure != answer.error else "; ends" if run is None else ""
    if isinstance(request, Wait):
        return (
            f"applier {index + 1} waits until {', '.join(request.instances)} is {request.until}: {got}{then}"
        )
    assert isinstance(request, Call)
    asked = ""
    if request.operation == "RunInstances":
        params = request.params
        asked = (
            f" of {params['MaxCount']} in {params['SubnetId']} with the token {short(params['ClientToken'])}"
        )
    return f"applier {index + 1} sends {request.operation}{asked}: {got}{then}"


def short(token: str) -> str:
    """A token as a trace shows it."""
    return f"{token[:4]}…{token[50:] or token[-4:]}"


def _waited(cloud: Cloud, wait: Wait) -> Answer | None:
    shown = {cloud[at].id(index): machine.shown for at, index, machine in ec2.every(cloud)}
    states = [shown[name] for name in wait.instances]
    if wait.until is Until.TERMINATED:
        return None if LIVE in states else Answer(ec2.described(cloud))
    if wait.until is Until.SHOWN:
        return None if HIDDEN in states else Answer(ec2.described(cloud))
    if DEAD in states or VANISHED in states:
        return Answer(error="did not start")
    return None if HIDDEN in states else Answer(ec2.described(cloud))


def undisturbed(cloud: Cloud, applier: Applier, protocol: Protocol, most: int = 60) -> Cloud:
    """The cloud after one apply that nobody disturbs, everything being shown at once."""
    setting = Setting(applier.around.subnets, (applier.count,), budget=Budget(1, 0, 0, 0, 0, 0, most))
    model = Model(setting, protocol)
    model.appliers = [applier]
    state = State(ec2.aged(ec2.settled(cloud)), (Hand(None, 1, 0, 0),), 0, 0, 0, most)
    for _ in range(most):
        events = [event for event in model.events(state._replace(minutes=0)) if event.helps]
        if not events:
            break
        # What comes last shows everything.
        state = events[-1].state
        state = next((later.state for later in model._minutes(state)), state)
    return ec2.settled(state.cloud)
