"""One apply, as far as it has got: the real plan and the real steps, run over from the answers it had.

A step is run from its start with the answers that it got so far. Where these end it asks for something, and
what it asks for is what may happen next. So nothing of the launch protocol is written down here again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar

from provisioner.apply import _failure
from provisioner.errors import AwsError, ProvisionerError, WaitError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.observed import ObservedFleet, Prerequisites, Subnet, find_fleets
from provisioner.kinds.instances import Instance, as_instance
from provisioner.model import Call, Environment, Identity, Output, Plan, Replan, Wait
from provisioner.reconcile import beyond
from tests.model_checking.explorer.cloud import NOW, Answer, Sight, raw_instance
from tests.support.build import FLEET, environment, planned

T = TypeVar("T")
Shown = tuple[Sight, ...]
Path = tuple[int, ...]
# What each branch of a step has been answered, by the branch's path.
Log = tuple[tuple[Path, tuple[Answer, ...]], ...]


@dataclass(frozen=True)
class Since:
    """Asks how long ago something was first asked for."""

    what: str


Request = Call | Wait | Since


def real_plan(desired: Environment, observed: ObservedFleet) -> Plan:
    return planned(desired, {FLEET: observed})


class Run(NamedTuple):
    """An apply under way.

    `approved` is what was shown when its plan was approved, `shown` when it last looked (None: it is about to
    look again); `earlier` are its answered launches of earlier rounds, `log` what this round was answered.
    `asked` are the things it has asked the age of, those in `ripe` ten minutes ago.
    """

    approved: Shown
    shown: Shown | None
    earlier: tuple[Answer, ...] = ()
    log: Log = ()
    asked: frozenset[str] = frozenset()
    ripe: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Protocol:
    """The functions that are explored. The ones given here are the real ones.

    `plan` is what plans; `sent` may change a launch before it is sent, given what is unique to it and
    the run that sends it, `answered` may change the answer to anything.
    """

    name: str = "as it is"
    plan: Callable[[Environment, ObservedFleet], Plan] = real_plan
    sent: Callable[[Call, str, Run], Call] = lambda call, who, run: call
    answered: Callable[[Answer], Answer] = lambda answer: answer


class Next(NamedTuple):
    """What a run does next: ask one of several things, look again, or end."""

    requests: tuple[tuple[Path, Request], ...] = ()
    replan: Replan = Replan.NO
    failure: str = ""


class _Asked(Exception):
    def __init__(self, requests: tuple[tuple[Path, Request], ...]) -> None:
        self.requests = requests


class _Reader:
    """DescribeInstances as it was answered, and what the run remembers."""

    def __init__(self, shown: Shown, answers: Iterable[Answer]) -> None:
        self.shown = shown
        self.remembered = _launch_answers(answers)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def identity(self) -> Identity:
        raise AssertionError("nobody asks here whose it is")

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        raise NotImplementedError

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        yield {"Instances": [raw_instance(*sight) for sight in self.shown]}

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return self.remembered

    def parallel(self, *reads: Any) -> list[Any]:
        return [read() for read in reads]

    def in_region(self, region: str) -> _Reader:
        raise NotImplementedError


class _ExecutionContext:
    def __init__(self, log: dict[Path, tuple[Answer, ...]], earlier: tuple[Answer, ...], path: Path) -> None:
        self.log, self.earlier, self.path = log, earlier, path
        self.done = 0
        self.branchings = 0

    def _answer(self, request: Request) -> Answer:
        answers = self.log.get(self.path, ())
        if self.done == len(answers):
            raise _Asked(((self.path, request),))
        self.done += 1
        return answers[self.done - 1]

    def send(self, call: Call) -> dict[str, Any]:
        answer = self._answer(call)
        if answer.error:
            raise AwsError(call.service, call.operation, answer.error, "as the model has it")
        instances = [raw_instance(*sight) for sight in answer.ids]
        return {"Instances": instances, "Reservations": [{"Instances": instances}]}

    def check(self) -> None:
        pass

    def to_the_end(self) -> _ExecutionContext:
        return self

    def parallel(self, actions: Iterable[Callable[[ExecutionContext], T]]) -> list[T]:
        actions = tuple(actions)
        if len(actions) == 1:
            return [actions[0](self)]
        self.branchings += 1
        asked: list[tuple[Path, Request]] = []
        errors: list[ProvisionerError] = []
        results: list[T] = []
        for index, action in enumerate(actions):
            branch = (*self.path, self.branchings, index)
            try:
                results.append(action(_ExecutionContext(self.log, self.earlier, branch)))
            except _Asked as more:
                asked += more.requests
            except ProvisionerError as error:
                errors.append(error)
        if asked:
            raise _Asked(tuple(asked))
        if errors:
            raise errors[0]
        return results

    def wait(self, wait: Wait) -> Mapping[str, Any]:
        answer = self._answer(wait)
        if answer.error:
            raise WaitError(answer.error)
        return {sight.id: _instance(sight) for sight in answer.ids}

    def pause(self, seconds: float) -> None:
        raise NotImplementedError("no step of a launch pauses")

    def value_of(self, output: Output) -> str:
        raise NotImplementedError("no fleet here has a profile")

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return _launch_answers((*self.earlier, *_launches_in(self.log.items())))

    def tell(self, phase: str) -> None:
        pass

    def took(self, number: int, option: str, wanted: str) -> None:
        pass

    def seconds_since(self, what: str) -> float:
        return 1000.0 if self._answer(Since(what)).ids else 0.0


@cache
def _instance(sight: Sight) -> Instance:
    return as_instance(raw_instance(*sight))  # type: ignore[arg-type]


def _launch_answers(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    return [{"Instances": [raw_instance(*sight) for sight in answer.ids]} for answer in answers]


def _launches_in(log: Iterable[tuple[Path, tuple[Answer, ...]]]) -> tuple[Answer, ...]:
    return tuple(answer for _, answers in log for answer in answers if answer.is_launch)


class Applier:
    """Applies a spec with `count` members. Keeps no state; all that it is asked is remembered for speed."""

    def __init__(self, count: int, subnets: tuple[Subnet, ...], protocol: Protocol) -> None:
        fleet = {
            "count": count,
            "image": "ami-00000000000000001",
            "instance_type": "t3.micro",
            "subnets": [subnet.id for subnet in subnets],
        }
        self.count = count
        self.protocol = protocol
        self.spec = environment(fleets={"web": fleet})
        self.around = Prerequisites(subnets, "ami-00000000000000001")
        self._plans: dict[tuple[Shown, tuple[Answer, ...]], Plan] = {}
        self._nexts: dict[tuple[Shown, tuple[Answer, ...], Log], Next] = {}

    def plan(self, shown: Shown, earlier: tuple[Answer, ...] = ()) -> Plan:
        """The plan of what is shown, for a run that had these answers."""
        key = (shown, earlier)
        if key not in self._plans:
            fleets = find_fleets(_Reader(shown, earlier), "env", ("web",), NOW)
            observed = replace(fleets.get("web", ObservedFleet()), prerequisites=self.around)
            self._plans[key] = self.protocol.plan(self.spec, observed)
        return self._plans[key]

    def start(self, shown: Shown) -> Run | None:
        """A run that has made its plan, and had it approved; None: there is nothing to do."""
        return self._until_asking(Run(shown, shown))[0] if self.plan(shown).changes else None

    def look_again(self, run: Run, shown: Shown) -> Run | None:
        """The run with a new plan; None: it is at its end."""
        plan = self.plan(shown, run.earlier)
        if not plan.changes or plan.refusals or beyond(self.plan(run.approved), plan):
            return None
        return self._until_asking(run._replace(shown=shown))[0]

    def answered(self, run: Run, path: Path, answer: Answer) -> tuple[Run | None, str]:
        """The run with one more answer, and what it then fails with, if anything."""
        return self._until_asking(_with_answer(run, path, answer))

    def _until_asking(self, run: Run) -> tuple[Run | None, str]:
        """The run after what concerns nobody else.

        That is looking at the clock, ending, and forgetting, before it looks again, all but the launches
        that it knows the answers to.
        """
        wants = self.next(run)
        for path, request in wants.requests:
            if isinstance(request, Since):
                age = Answer((Sight("", "", True, 0),) if request.what in run.ripe else ())
                run = run._replace(asked=run.asked | {request.what})
                return self._until_asking(_with_answer(run, path, age))
        if wants.requests:
            return run, ""
        if wants.replan is Replan.NO:
            return None, wants.failure
        by_launch = {launch.ids[0][0]: launch for launch in (*run.earlier, *_launches_in(run.log))}
        return run._replace(shown=None, earlier=tuple(sorted(by_launch.values())), log=()), wants.failure

    def next(self, run: Run) -> Next:
        """What the run asks for next; nothing when it is about to look again."""
        if run.shown is None:
            return Next(replan=Replan.SOON)
        key = (run.shown, run.earlier, run.log)
        if key not in self._nexts:
            self._nexts[key] = self._next(run.shown, run)
        return self._nexts[key]

    def _next(self, shown: Shown, run: Run) -> Next:
        context = _ExecutionContext(dict(run.log), run.earlier, ())
        try:
            for change in self.plan(shown, run.earlier).changes:
                for step in change.steps:
                    run_step(step, context)
        except _Asked as asked:
            return Next(asked.requests)
        except ProvisionerError as error:
            failure = _failure(error)
            return Next(replan=failure.replan, failure=failure.code or failure.message)
        return Next()


def _with_answer(run: Run, path: Path, answer: Answer) -> Run:
    log = dict(run.log)
    log[path] = (*log.get(path, ()), answer)
    return run._replace(log=tuple(sorted(log.items())))
