"""Carrying out a plan: side by side where possible, and nothing whose needs have failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol

from provisioner.errors import AwsError, Interrupted, ProvisionerError
from provisioner.kinds.base import Reader
from provisioner.model import (
    Action,
    Address,
    Call,
    Change,
    Failure,
    Outcome,
    Plan,
    Result,
    Step,
    Wait,
)
from provisioner.retry import is_stale
from provisioner.watch import Watcher

MOST_CHANGES_AT_ONCE = 16
MOST_STEPS_AT_ONCE = 8
# Seconds before observing again what another hand has changed meanwhile.
PAUSES = (1.0, 2.0, 5.0, 10.0)


class Writer(Reader, Protocol):
    """AWS, for everything."""


@dataclass(frozen=True)
class Started:
    change: Change


@dataclass(frozen=True)
class Waiting:
    """How many instances are as they should be, of how many."""

    change: Change
    until: str
    done: int
    total: int


@dataclass(frozen=True)
class Finished:
    outcome: Outcome


Event = Started | Waiting | Finished


class _Run:
    """What all changes of one execution share."""

    def __init__(self, aws: Writer, stop: threading.Event, on_event: Callable[[Event], None]) -> None:
        self.aws = aws
        self.stop = stop
        self.on_event = on_event
        self.watcher = Watcher(aws, stop)
        self.answered: list[tuple[str, dict[str, Any]]] = []


class _Hands:
    """The hands that carry out one change."""

    def __init__(self, run: _Run, change: Change) -> None:
        self._run = run
        self._change = change

    def send(self, call: Call) -> dict[str, Any]:
        if self._run.stop.is_set():
            raise Interrupted("interrupted before it was done")
        answer = self._run.aws.call(call.service, call.operation, **call.params)
        self._run.answered.append((call.operation, answer))
        return answer

    def together(self, steps: Iterable[Step]) -> None:
        steps = tuple(steps)
        if len(steps) == 1:
            return steps[0].run(self)
        with ThreadPoolExecutor(max_workers=min(len(steps), MOST_STEPS_AT_ONCE) or 1) as pool:
            futures = [pool.submit(step.run, self) for step in steps]
        errors = [error for error in (future.exception() for future in futures) if error]
        if errors:
            raise errors[0]
        return None

    def wait(self, wait: Wait) -> None:
        def progress(done: int, total: int) -> None:
            self._run.on_event(Waiting(self._change, wait.until, done, total))

        self._run.watcher.wait(wait, progress)

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return [answer for name, answer in list(self._run.answered) if name == operation]


def execute(
    plan: Plan,
    aws: Writer,
    on_event: Callable[[Event], None] = lambda event: None,
    stop: threading.Event | None = None,
) -> list[Outcome]:
    """Carry out a plan and say what became of every change, in the plan's order.

    A failed change does not stop those that do not need it. `stop`, once set, lets what is in flight end
    and starts nothing new.
    """
    run = _Run(aws, stop or threading.Event(), on_event)
    outcomes: dict[int, Outcome] = {}
    running: dict[Future[Outcome], int] = {}
    with ThreadPoolExecutor(max_workers=MOST_CHANGES_AT_ONCE) as pool:
        while len(outcomes) < len(plan.changes):
            for index, change in enumerate(plan.changes):
                if index in outcomes or index in running.values():
                    continue
                blocked = _blocked(index, change, plan.changes, outcomes)
                if blocked is None:
                    continue
                outcome = _without_trying(change, blocked, run)
                if outcome:
                    outcomes[index] = outcome
                    on_event(Finished(outcome))
                else:
                    on_event(Started(change))
                    running[pool.submit(_carry_out, run, change)] = index
            if not running:
                continue
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                index = running.pop(future)
                outcomes[index] = future.result()
                on_event(Finished(outcomes[index]))
    return [outcomes[index] for index in range(len(plan.changes))]


def _blocked(
    index: int, change: Change, changes: Sequence[Change], outcomes: dict[int, Outcome]
) -> list[Address] | None:
    """The addresses that failed and are needed; None while some needed one is still to come."""
    failed: list[Address] = []
    for earlier in range(index):
        if changes[earlier].address not in change.needs:
            continue
        outcome = outcomes.get(earlier)
        if outcome is None:
            return None
        if outcome.result in (Result.FAILED, Result.SKIPPED):
            failed.append(outcome.change.address)
    return failed


def _without_trying(change: Change, blocked: list[Address], run: _Run) -> Outcome | None:
    if change.deferred:
        return Outcome(change, Result.LEFT, because=change.deferred)
    if blocked:
        return Outcome(change, Result.SKIPPED, because=f"{blocked[0]} was not done")
    if run.stop.is_set():
        return Outcome(change, Result.SKIPPED, because="interrupted before it was begun")
    return None


def _carry_out(run: _Run, change: Change) -> Outcome:
    started = time.monotonic()
    hands = _Hands(run, change)
    try:
        for step in change.steps:
            step.run(hands)
    except Interrupted as error:
        return Outcome(change, Result.SKIPPED, time.monotonic() - started, because=error.message)
    except ProvisionerError as error:
        return Outcome(change, Result.FAILED, time.monotonic() - started, failure=_failure(error))
    return Outcome(change, Result.DONE, time.monotonic() - started)


def _failure(error: ProvisionerError) -> Failure:
    if isinstance(error, AwsError):
        operation = f"{error.service} {error.operation}"
        return Failure(error.text, operation, error.code, error.request_id, error.hint)
    return Failure(error.message, hint=error.hint)


@dataclass(frozen=True)
class Carried:
    """What became of every change, and what keeps a later round from going on, if anything does."""

    outcomes: tuple[Outcome, ...]
    obstacle: ProvisionerError | None = None


def converge(
    approved: Plan,
    plan_again: Callable[[], Plan],
    carry_out: Callable[[Plan], list[Outcome]],
    stop: threading.Event,
) -> Carried:
    """Carry out the approved plan; where another hand changed the world meanwhile, plan again and go on.

    Changes that a later round took up again count once, as that round left them. Nothing is deleted that
    is not in the approved plan.
    """
    outcomes = carry_out(approved)
    for pause in PAUSES:
        if not any(_is_stale(outcome) for outcome in outcomes) or stop.wait(pause):
            break
        again = plan_again()
        obstacle = _obstacle(approved, again)
        if obstacle:
            return Carried(tuple(outcomes), obstacle)
        done = [outcome for outcome in outcomes if outcome.result is Result.DONE]
        outcomes = [*done, *carry_out(again)]
    return Carried(tuple(outcomes))


def _obstacle(approved: Plan, again: Plan) -> ProvisionerError | None:
    if again.refusals:
        refusal = again.refusals[0]
        return ProvisionerError(f"{refusal.address}: {refusal.message}", refusal.hint)
    unapproved = beyond(approved, again)
    if unapproved:
        return ProvisionerError(
            f"the environment was changed meanwhile: now {unapproved}, which was not in the plan",
            "look at a new plan, then apply again",
        )
    return None


def _is_stale(outcome: Outcome) -> bool:
    return outcome.failure is not None and is_stale(outcome.failure.code)


def beyond(approved: Plan, plan: Plan) -> str | None:
    """What a plan deletes that the approved one does not, in words; None: nothing."""
    allowed: dict[Address, set[str]] = {}
    for change in approved.changes:
        if change.action is Action.DELETE:
            allowed.setdefault(change.address, set()).update(change.instances)
    for change in plan.changes:
        if change.action is not Action.DELETE:
            continue
        if change.address not in allowed:
            return f"{change.address} would be deleted"
        more = set(change.instances) - allowed[change.address]
        if more:
            return f"{', '.join(sorted(more))} of {change.address} would go"
    return None
