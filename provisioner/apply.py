"""Carrying out a plan: side by side where possible, and nothing whose needs have failed."""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from copy import copy
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from provisioner.denial import encoded_in, explained
from provisioner.errors import (
    AwsError,
    ChangedMeanwhile,
    Interrupted,
    LaunchNotVisible,
    NotShownYet,
    ProvisionerError,
    UnexpectedAnswer,
)
from provisioner.execution import ExecutionContext, run_step
from provisioner.joint_calls import JointCalls
from provisioner.kinds import CALL_RULES
from provisioner.kinds.base import Reader, forget_kept
from provisioner.lazy_dataclass import dataclass
from provisioner.model import (
    Action,
    Address,
    Call,
    Change,
    Failure,
    Outcome,
    Output,
    Plan,
    Replan,
    Result,
    SentAt,
    Wait,
)
from provisioner.waiter import Waiter

if TYPE_CHECKING:
    from provisioner.kinds.instances import Instance

T = TypeVar("T")

# Changes of instances wait most of the time, and one look is for all that wait.
MAX_CHANGES_AT_ONCE = 256
MAX_STEPS_AT_ONCE = 8


class Writer(Reader, Protocol):
    """AWS, for everything."""

    def send(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """One call, which may write. Raises AwsError."""

    def to_the_end(self) -> Writer:
        """The same, which sends and tries again also after an interruption."""


@dataclass(frozen=True)
class Started:
    change: Change


@dataclass(frozen=True)
class Waiting:
    """How many instances are as they should be, of how many, in which part of the change."""

    change: Change
    until: str
    done: int
    total: int
    phase: str = ""


@dataclass(frozen=True)
class Finished:
    outcome: Outcome


Event = Started | Waiting | Finished


class Executor:
    """Carries out plans, one after the other, over one connection.

    `stop`, once set, lets what is in flight end and starts nothing new.
    """

    def __init__(
        self,
        aws: Writer,
        on_event: Callable[[Event], None] = lambda event: None,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aws = aws
        self.on_event = on_event
        self.stop = stop or threading.Event()
        self.clock = clock
        self.waiter = Waiter(aws, self.stop, clock)
        self.first_asked: dict[str, float] = {}
        self.answers: dict[tuple[Address, str], dict[str, Any]] = {}
        self.began: list[datetime] = []
        self.account_id = ""
        self.joint_calls = JointCalls(aws.send, {})

    @cached_property
    def to_the_end(self) -> Executor:
        """The same, which nothing stops."""
        other = Executor(self.aws.to_the_end(), self.on_event, threading.Event(), self.clock)
        other.first_asked, other.answers, other.began = self.first_asked, self.answers, self.began
        other.account_id = self.account_id
        return other

    def start(self) -> datetime:
        """When this run first sent something that has this moment in it."""
        # One list for all threads and rounds: whoever looks first has set it.
        if not self.began:
            self.began.append(self.aws.now())
        return self.began[0]

    def execute(self, plan: Plan) -> list[Outcome]:
        """What became of every change, in the plan's order. A failure stops only what needs it."""
        outcomes: dict[int, Outcome] = {}
        running: dict[Future[Outcome], int] = {}
        before = _before(plan.changes)
        self.account_id = plan.account_id
        self.joint_calls = JointCalls(self.aws.send, _foretold_deletions(plan.changes))
        # Those that have not been begun, in the plan's order.
        open_: dict[int, Change] = dict(enumerate(plan.changes))
        with ThreadPoolExecutor(max_workers=MAX_CHANGES_AT_ONCE) as pool:
            while len(outcomes) < len(plan.changes):
                for index, change in tuple(open_.items()):
                    blocked = _blocked(before[index], outcomes)
                    if blocked is None:
                        continue
                    del open_[index]
                    outcome = self._without_trying(change, blocked)
                    if outcome:
                        outcomes[index] = outcome
                        self.on_event(Finished(outcome))
                    else:
                        self.on_event(Started(change))
                        running[pool.submit(self._apply, change)] = index
                if running:
                    ended, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in ended:
                        index = running.pop(future)
                        outcomes[index] = future.result()
                        self.on_event(Finished(outcomes[index]))
        return [outcomes[index] for index in range(len(plan.changes))]

    def _without_trying(self, change: Change, blocked: list[Address]) -> Outcome | None:
        if change.deferred:
            return Outcome(change, Result.DEFERRED, because=change.deferred)
        if blocked:
            return Outcome(change, Result.SKIPPED, because=f"{blocked[0]} was not done")
        if self.stop.is_set():
            return Outcome(change, Result.SKIPPED, because="interrupted before it was begun")
        return None

    def _apply(self, change: Change) -> Outcome:
        started = self.clock()
        context = _ExecutionContext(self, change)
        try:
            for step in change.steps:
                run_step(step, context)
        except Interrupted as error:
            because = f"{context.phase}; apply again to go on" if context.phase else error.message
            ended = Outcome(change, Result.STOPPED, because=because)
        except ProvisionerError as error:
            ended = Outcome(change, Result.FAILED, failure=_failure(error))
        except Exception as error:  # noqa: BLE001  what the other changes did must be told all the same
            observed = _failure(UnexpectedAnswer(error)) if UnexpectedAnswer.is_why(error) else _bug(error)
            ended = Outcome(change, Result.FAILED, failure=observed)
        else:
            ended = Outcome(change, Result.DONE)
        return replace(ended, seconds=self.clock() - started, notes=context.notes())


class _ExecutionContext:
    """The `ExecutionContext` of one change."""

    def __init__(self, executor: Executor, change: Change) -> None:
        self._executor = executor
        self._change = change
        self._took: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._phases: list[str] = []

    @property
    def phase(self) -> str:
        """What was told last."""
        return self._phases[-1] if self._phases else ""

    def tell(self, phase: str) -> None:
        self._phases.append(phase)

    def check(self) -> None:
        if self._executor.stop.is_set():
            raise Interrupted("interrupted before it was done; apply again to finish it")

    def to_the_end(self) -> _ExecutionContext:
        other = copy(self)
        other._executor = self._executor.to_the_end
        return other

    def send(self, call: Call) -> dict[str, Any]:
        self.check()
        params = _filled_in(call.params, self._executor.answers, self._executor.start)
        try:
            answer = self._executor.joint_calls.send(call.service, call.operation, params)
        except AwsError as error:
            if disproved := CALL_RULES.disproved.get(error.code):
                forget_kept(self._executor.aws, disproved, self._executor.account_id)
            if encoded_in(error.text) is None:
                raise
            raise explained(error, self._executor.aws.send) from error
        self._executor.answers[self._change.address, call.operation] = answer
        return answer

    def value_of(self, output: Output) -> str:
        return str(_filled_in(output, self._executor.answers, self._executor.start))

    def parallel(self, actions: Iterable[Callable[[ExecutionContext], T]]) -> list[T]:
        actions = tuple(actions)
        if len(actions) <= 1:
            return [action(self) for action in actions]
        with ThreadPoolExecutor(max_workers=min(len(actions), MAX_STEPS_AT_ONCE)) as pool:
            futures = [pool.submit(action, self) for action in actions]
        errors = [error for error in (future.exception() for future in futures) if error]
        if errors:
            raise next((error for error in errors if not isinstance(error, Interrupted)), errors[0])
        return [future.result() for future in futures]

    def wait(self, wait: Wait) -> Mapping[str, Instance]:
        def progress(done: int, total: int) -> None:
            self._executor.on_event(Waiting(self._change, wait.until, done, total, self.phase))

        return self._executor.waiter.wait(wait, progress)

    def pause(self, seconds: float) -> None:
        if self._executor.stop.wait(seconds):
            raise Interrupted("interrupted while waiting; AWS goes on by itself")

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return self._executor.aws.answers(operation)

    def took(self, number: int, option: str, wanted: str) -> None:
        with self._lock:
            self._took[option, wanted] += number

    def notes(self) -> tuple[str, ...]:
        """What was made otherwise than was wanted first."""
        total = self._took.total()
        return tuple(
            f"{number} of {total} {'is' if number == 1 else 'are'} {option}, where {wanted} was wanted first"
            for (option, wanted), number in self._took.items()
            if option != wanted and number
        )

    def seconds_since(self, what: str) -> float:
        now = self._executor.clock()
        return now - self._executor.first_asked.setdefault(what, now)


def _before(changes: Sequence[Change]) -> list[list[int]]:
    """For each change which of those before it in the plan have to be done before it is begun, in order.

    These are what it needs, and earlier phases of the same thing.
    """
    numbers: dict[Address, list[int]] = {}
    before = []
    for index, change in enumerate(changes):
        own = [number for number in numbers.get(change.address, ()) if changes[number].phase < change.phase]
        needed = [number for address in change.needs for number in numbers.get(address, ())]
        before.append(sorted({*own, *needed}))
        numbers.setdefault(change.address, []).append(index)
    return before


def _filled_in(value: Any, answers: Mapping[tuple[Address, str], Any], start: Callable[[], datetime]) -> Any:
    """A value with what AWS has assigned in place of each Output, and with the time that is sent."""
    if isinstance(value, SentAt):
        return value.sent(start())
    if isinstance(value, Output):
        found = answers[value.address, value.operation]
        for name in value.path:
            found = found[name]
        return found
    if isinstance(value, Mapping):
        return {name: _filled_in(inner, answers, start) for name, inner in value.items()}
    return [_filled_in(inner, answers, start) for inner in value] if isinstance(value, list) else value


def _foretold_deletions(changes: Iterable[Change]) -> Counter[str]:
    """How many changes that delete something send each operation."""
    deleting = (change for change in changes if change.action is Action.DELETE and not change.deferred)
    return Counter(
        operation for change in deleting for operation in {count.operation for count in change.calls}
    )


def _blocked(before: Iterable[int], outcomes: Mapping[int, Outcome]) -> list[Address] | None:
    """The addresses that failed and are needed; None while some needed one is still to come."""
    failed: list[Address] = []
    for earlier in before:
        outcome = outcomes.get(earlier)
        if outcome is None:
            return None
        if outcome.change.blocks and outcome.result in (Result.FAILED, Result.STOPPED, Result.SKIPPED):
            failed.append(outcome.change.address)
    return failed


_REPLAN: Mapping[type[ProvisionerError], Replan] = {
    LaunchNotVisible: Replan.PATIENTLY,
    NotShownYet: Replan.PATIENTLY,
    ChangedMeanwhile: Replan.SOON,
}
_NOT_AS_PLANNED = (
    "AWS is not as it was when the plan was made: let whoever else works on this environment finish, "
    "then apply again"
)


def _bug(error: Exception) -> Failure:
    *_, last = traceback.extract_tb(error.__traceback__)
    where = f"{PurePath(last.filename).name}:{last.lineno}"
    return Failure(
        f"unexpected {type(error).__name__} in {where}: {error}",
        hint="this is a bug in provisioner: please report it",
    )


def _failure(error: ProvisionerError) -> Failure:
    if isinstance(error, AwsError):
        operation = f"{error.service} {error.operation}"
        wanted = CALL_RULES.replan_after(error)
        hint = error.hint or (None if wanted is Replan.NO else _NOT_AS_PLANNED)
        return Failure(error.text, operation, error.code, error.request_id, hint, wanted)
    wanted = _REPLAN.get(type(error), Replan.NO)
    return Failure(error.message, hint=error.hint, replan=wanted, lines=error.lines)
