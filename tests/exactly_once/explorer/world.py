"""The states that are explored, and everything that may happen in one: appliers, EC2, people, bad luck."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from provisioner.kinds.fleet.seen import Subnet
from provisioner.model import Again, Call, Until, Wait
from tests.exactly_once.explorer import cloud as ec2
from tests.exactly_once.explorer.applier import Applier, Protocol, Request, Run, Since, answered
from tests.exactly_once.explorer.cloud import DEAD, HIDDEN, LIVE, VANISHED, Answer, Cloud

A, B = (
    Subnet("subnet-0000000000000000a", "us-east-1a", "vpc-1"),
    Subnet("subnet-0000000000000000b", "us-east-1b", "vpc-1"),
)
ONE_ZONE, TWO_ZONES = (A,), (A, B)
ONE_ZONE_TWICE = (A, Subnet("subnet-000000000000000a2", "us-east-1a", "vpc-1"))


class Budget(NamedTuple):
    """How often what is not the appliers' doing may still happen; crashes and lost replies for each of them.

    `runs` is how often each applier may be started; `vanishes` how many terminated members may disappear from
    what is described, and `minutes` how often ten minutes may pass before all is over.
    """

    runs: int = 2
    crashes: int = 1
    lost: int = 0
    terminations: int = 1
    shortages: int = 0
    vanishes: int = 0
    minutes: int = 1


ONCE = Budget()


@dataclass(frozen=True)
class Setting:
    """What is explored: where, who wants how many, with how many members there from the start."""

    subnets: tuple[Subnet, ...]
    counts: tuple[int, ...]
    there: int = 0
    budget: Budget = ONCE

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
    hands: tuple[Hand, ...]
    terminations: int
    shortages: int
    vanishes: int
    minutes: int


class Event(NamedTuple):
    """Something that happens. `helps`: it goes on by itself, without people and without bad luck."""

    text: str
    state: State
    helps: bool = False


class Model:
    """What may happen, by the functions of one protocol."""

    def __init__(self, setting: Setting, protocol: Protocol) -> None:
        self.setting = setting
        self.appliers = [Applier(count, setting.subnets, protocol) for count in setting.counts]
        self.protocol = protocol

    def first(self) -> State:
        budget = self.setting.budget
        hands = tuple(Hand(None, budget.runs, budget.crashes, budget.lost) for _ in self.appliers)
        state = State((), hands, budget.terminations, budget.shortages, budget.vanishes, budget.minutes)
        if self.setting.there:
            # An apply of long ago, that everybody sees.
            first = Applier(self.setting.there, self.setting.subnets, Protocol())
            cloud = undisturbed(state.cloud, first, Protocol())
            state = state._replace(cloud=ec2.aged(cloud))
        return state

    def events(self, state: State) -> Iterator[Event]:
        for index, hand in enumerate(state.hands):
            yield from self._applier(state, index, hand)
        yield from self._time(state)
        yield from self._people(state)

    def _applier(self, state: State, index: int, hand: Hand) -> Iterator[Event]:
        applier, name = self.appliers[index], f"applier {index + 1}"

        def now(text: str, run: Run | None, cloud: Cloud = state.cloud, **left: int) -> Event:
            hands = list(state.hands)
            lost = left.pop("lost", hand.lost)
            hands[index] = hand._replace(run=run, lost=lost)
            changed = state._replace(cloud=cloud, hands=tuple(hands), **left)
            return Event(f"{name} {text}", changed, helps=lost == hand.lost and not left)

        if hand.run is None:
            if hand.runs:
                run = applier.start(ec2.described(state.cloud))
                begun = hand._replace(run=run, runs=hand.runs - 1)
                hands = (*state.hands[:index], begun, *state.hands[index + 1 :])
                text = f"(count {applier.count}) plans: {told(applier, run)}"
                yield Event(f"{name} {text}", state._replace(hands=hands), helps=True)
            return
        if hand.crashes:
            dead = hand._replace(run=None, crashes=hand.crashes - 1)
            hands = (*state.hands[:index], dead, *state.hands[index + 1 :])
            yield Event(f"{name} is killed", state._replace(hands=hands))
        wants = applier.next(hand.run)
        if not wants.requests:
            if wants.again is Again.NO:
                yield now(f"ends{f' ({wants.failure})' if wants.failure else ''}", None)
            else:
                run = applier.look_again(hand.run, ec2.described(state.cloud))
                yield now(f"looks again ({wants.failure}): {told(applier, run)}", run)
        for path, request in wants.requests:
            sent = self._rewritten(request, f"{index}{hand.runs}{hand.lost}{hand.run.earlier}{path}")
            for text, cloud, answer, shortages in outcomes(state, hand.run, sent):
                run = answered(hand.run, path, self.protocol.answered(answer))
                if isinstance(request, Since):
                    run = run._replace(asked=run.asked | {request.what})
                left = {} if shortages == state.shortages else {"shortages": shortages}
                yield now(text, run, cloud, **left)
                if hand.lost and isinstance(request, Call):
                    yield now(f"{text}, and the reply is lost", hand.run, cloud, lost=hand.lost - 1, **left)

    def _rewritten(self, request: Request, who: str) -> Request:
        is_launch = isinstance(request, Call) and request.operation == "RunInstances"
        return self.protocol.sent(request, who) if is_launch else request  # type: ignore[arg-type]

    def _time(self, state: State) -> Iterator[Event]:
        shown: set[object] = set()
        for at, index, machine in ec2.every(state.cloud):
            if machine.is_settled:
                continue
            alike = self._likeness(state, at, index)
            if alike not in shown:
                shown.add(alike)
                after = machine._replace(shown=LIVE if machine.is_alive else DEAD)
                text = f"EC2 shows {state.cloud[at].id(index)} {after.shown}"
                yield Event(
                    text, state._replace(cloud=ec2.changed(state.cloud, at, index, after)), helps=True
                )
        if state.minutes and not shown:
            hands = tuple(
                hand._replace(run=hand.run._replace(ripe=hand.run.asked)) if hand.run else hand
                for hand in state.hands
            )
            later = state._replace(cloud=ec2.aged(state.cloud), hands=hands)
            if later != state:
                yield Event("ten minutes pass", later._replace(minutes=state.minutes - 1), helps=True)

    def _people(self, state: State) -> Iterator[Event]:
        seen: set[object] = set()
        for at, index, machine in ec2.every(state.cloud):
            alike = self._likeness(state, at, index)
            if alike in seen:
                continue
            seen.add(alike)
            name = state.cloud[at].id(index)
            if machine.is_alive and state.terminations:
                dead = ec2.changed(state.cloud, at, index, machine._replace(is_alive=False))
                after = state._replace(cloud=dead, terminations=state.terminations - 1)
                yield Event(f"somebody terminates {name}", after)
            if machine.shown == DEAD and state.vanishes:
                gone = ec2.changed(state.cloud, at, index, machine._replace(shown=VANISHED))
                yield Event(
                    f"EC2 shows {name} no more", state._replace(cloud=gone, vanishes=state.vanishes - 1)
                )

    def _likeness(self, state: State, at: int, index: int) -> object:
        """Equal for machines that nothing but their name tells apart."""
        name = state.cloud[at].id(index)
        known = tuple(
            tuple(each for each in hand.run.shown or () if each[0] == name) if hand.run else None
            for hand in state.hands
        )
        return at, state.cloud[at].machines[index], str(known).replace(name, "")


def outcomes(state: State, run: Run, request: Request) -> Iterator[tuple[str, Cloud, Answer, int]]:
    """What may come of a request: in words, the cloud after it, the answer, the shortages left."""
    cloud, left = state.cloud, state.shortages
    if isinstance(request, Since):
        yield "looks at the clock", cloud, Answer((("", "", True),) if request.what in run.ripe else ()), left
    elif isinstance(request, Wait):
        answer = _waited(cloud, request)
        if answer:
            yield f"has waited until {request.until}", cloud, answer, left
    elif request.operation == "RunInstances":
        params = dict(request.params)
        token, asked = params["ClientToken"], params["MaxCount"]
        after, answer, is_launch = ec2.run_instances(cloud, params, asked)
        text = f"launches {asked} in {params['SubnetId']}, token {token[:4]}…{token[41:]}"
        yield (
            f"{text}: {answer.error or 'done' if is_launch else answer.error or 'replayed'}",
            after,
            answer,
            left,
        )
        for room in range(asked if is_launch and left else 0):
            after, answer, _ = ec2.run_instances(cloud, params, room)
            yield f"{text}: {answer.error or f'gets only {room}'}", after, answer, left - 1
    elif request.operation == "TerminateInstances":
        ids = frozenset(request.params["InstanceIds"])
        yield f"terminates {', '.join(sorted(ids))}", ec2.terminated(cloud, ids), Answer(), left
    else:
        (token,) = request.params["Filters"][0]["Values"]
        yield f"asks for token {token[:4]}…{token[41:]}", cloud, Answer(ec2.described(cloud, token)), left


def _waited(cloud: Cloud, wait: Wait) -> Answer | None:
    shown = {cloud[at].id(index): machine.shown for at, index, machine in ec2.every(cloud)}
    states = [shown[each] for each in wait.instances]
    if wait.until is Until.TERMINATED:
        return None if LIVE in states else Answer(ec2.described(cloud))
    if DEAD in states or VANISHED in states:
        return Answer(error="did not start")
    return None if HIDDEN in states else Answer(ec2.described(cloud))


def told(applier: Applier, run: Run | None) -> str:
    """A run's plan in words."""
    if run is None or run.shown is None:
        return "nothing to do"
    plan = applier.plan(run.shown, run.earlier)
    return "; ".join([*(change.reason for change in plan.changes), *(each.message for each in plan.refusals)])


def undisturbed(cloud: Cloud, applier: Applier, protocol: Protocol, most: int = 60) -> Cloud:
    """The cloud after one apply that nobody disturbs, everything being shown at once."""
    setting = Setting(applier.around.subnets, (applier.count,), budget=Budget(1, 0, 0, 0, 0, 0, most))
    model = Model(setting, protocol)
    model.appliers = [applier]
    state = State(ec2.aged(ec2.settled(cloud)), (Hand(None, 1, 0, 0),), 0, 0, 0, most)
    for _ in range(most):
        events = [event for event in model.events(state) if event.helps]
        if not any(hand.run or hand.runs for hand in state.hands) or not events:
            break
        # Time first, so that nothing waits in vain.
        state = events[-1].state
    return ec2.settled(state.cloud)
