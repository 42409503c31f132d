"""Going on until AWS is as the approved plan wants it, also when concurrent changes come in between."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from provisioner.errors import ProvisionerError
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Action, Address, Change, Outcome, Plan, Replan, Result

# Seconds before observing again; the last one again and again.
PAUSES = (1.0, 2.0, 5.0)
# How often at most a concurrent change is answered with a new plan.
MAX_ROUNDS = 6
# How long at most AWS may take to show one thing that it has done: the upper end of what the documentation
# expects of eventual consistency, and the same again. https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
MAX_S = 600.0
# How long at most one thing after the other is waited for.
MAX_IN_ALL_S = 3600.0


@dataclass(frozen=True)
class ApplyResult:
    """What became of every change, and what keeps another round from going on, if anything does."""

    outcomes: tuple[Outcome, ...]
    obstacle: ProvisionerError | None = None


def converge(
    approved: Plan,
    replan: Callable[[], Plan],
    execute: Callable[[Plan], list[Outcome]],
    stop: threading.Event,
    clock: Callable[[], float] = time.monotonic,
) -> ApplyResult:
    """Carry out the approved plan; where that calls for it, observe, plan again and go on.

    Changes that a later round took up again count once, as that round left them. Nothing is deleted, and no
    instance of others is changed, that is not in the approved plan.
    """
    outcomes = execute(approved)
    started = since = clock()
    rounds = Counter[Replan]()
    awaited = _awaited(outcomes)
    while not stop.is_set():
        wanted = _replan(outcomes)
        if _awaited(outcomes) != awaited:
            awaited, since = _awaited(outcomes), clock()
        is_patient = wanted is Replan.PATIENTLY
        is_overdue = clock() - since > MAX_S or clock() - started > MAX_IN_ALL_S
        is_late = is_overdue if is_patient else rounds[wanted] >= MAX_ROUNDS
        if wanted is Replan.NO or is_late or stop.wait(PAUSES[min(rounds.total(), len(PAUSES) - 1)]):
            break
        rounds[wanted] += 1
        try:
            plan = replan()
        except ProvisionerError as error:
            # What was done so far must be told all the same.
            return ApplyResult(tuple(outcomes), None if stop.is_set() else error)
        obstacle = _obstacle(approved, plan)
        if obstacle:
            return ApplyResult(tuple(outcomes), obstacle)
        outcomes = [*_settled(outcomes, plan), *execute(plan)]
    return ApplyResult(tuple(outcomes))


def _replan(outcomes: list[Outcome]) -> Replan:
    wanted = {outcome.failure.replan for outcome in outcomes if outcome.failure}
    return next((replan for replan in (Replan.PATIENTLY, Replan.SOON) if replan in wanted), Replan.NO)


def _awaited(outcomes: list[Outcome]) -> set[tuple[Address, str, str | None]]:
    """What is waited for, in the words of the failures."""
    return {
        (outcome.change.address, outcome.failure.message, outcome.failure.hint)
        for outcome in outcomes
        if outcome.failure and outcome.failure.replan is Replan.PATIENTLY
    }


def _settled(outcomes: list[Outcome], plan: Plan) -> list[Outcome]:
    """The outcomes that stand beside a new plan: what is done, and what need not be done any more.

    What was done and has to be done once more is told once, by the round that does it again.
    """
    open_now = {_what(change) for change in plan.changes}
    return [
        replace(outcome, result=Result.DONE, failure=None, because=None)
        for outcome in outcomes
        if _what(outcome.change) not in open_now
    ]


def _what(change: Change) -> tuple[Address, Action, tuple[str, ...]]:
    """What a change does, whoever plans it. Only updates can be several at one address."""
    updated = tuple(field.path for field in change.fields) if change.action is Action.UPDATE else ()
    return change.address, change.action, updated


def _obstacle(approved: Plan, plan: Plan) -> ProvisionerError | None:
    if plan.refusals:
        refusal = plan.refusals[0]
        return ProvisionerError(f"{refusal.address}: {refusal.message}", refusal.hint)
    unapproved = beyond(approved, plan)
    if unapproved:
        return ProvisionerError(
            f"the environment was changed meanwhile: now {unapproved}, which was not in the plan",
            "look at a new plan, then apply again",
        )
    return None


def beyond(approved: Plan, plan: Plan) -> str | None:
    """What a plan deletes, or changes of others, that the approved one does not, in words; None: nothing."""
    allowed: dict[Address, set[str]] = {}
    wholly = {change.address for change in approved.changes if change.whole}
    unique_ids = {change.address: change.unique_id for change in approved.changes if change.unique_id}
    for change in approved.changes:
        if (change.action in (Action.DELETE, Action.REPLACE) or change.exact) and not change.deferred:
            allowed.setdefault(change.address, set()).update(change.instances)
    for change in plan.changes:
        takes_away = change.action is Action.DELETE or (
            change.action is Action.REPLACE and bool(change.instances or change.unique_id)
        )
        # A launch of ours that came meanwhile is known by its token, and nothing else is.
        is_approved = change.whole and (change.address in wholly or approved.destroy)
        if not (takes_away or change.exact) or change.deferred or is_approved:
            continue
        if takes_away and change.address not in allowed:
            return f"{change.address} would be deleted"
        if change.unique_id != unique_ids.get(change.address, change.unique_id):
            return f"{change.address}, which was made again under its name, would be deleted"
        more = set(change.instances) - allowed.get(change.address, set())
        if more:
            what = "would go" if takes_away else "would be changed"
            return f"{', '.join(sorted(more))} of {change.address} {what}"
    return None
