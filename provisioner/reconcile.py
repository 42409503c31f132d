"""Going on until AWS is as the approved plan wants it, also when another hand changes the world meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from provisioner.errors import ProvisionerError
from provisioner.model import Action, Address, Again, Change, Outcome, Plan, Result

# Seconds before observing again; the last one again and again.
PAUSES = (1.0, 2.0, 5.0)
# How often at most what another hand has done is answered with a new plan.
MOST_ROUNDS = 6
# How long at most AWS may take to show one thing that it has done: the upper end of what the documentation
# expects of eventual consistency, and the same again. https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
LONGEST_S = 600.0
# How long at most one thing after the other is waited for.
LONGEST_IN_ALL_S = 3600.0


@dataclass(frozen=True)
class Carried:
    """What became of every change, and what keeps another round from going on, if anything does."""

    outcomes: tuple[Outcome, ...]
    obstacle: ProvisionerError | None = None


def converge(
    approved: Plan,
    plan_again: Callable[[], Plan],
    execute: Callable[[Plan], list[Outcome]],
    stop: threading.Event,
    clock: Callable[[], float] = time.monotonic,
) -> Carried:
    """Carry out the approved plan; where that calls for it, observe, plan again and go on.

    Changes that a later round took up again count once, as that round left them. Nothing is deleted, and no
    instance of others is changed, that is not in the approved plan.
    """
    outcomes = execute(approved)
    started = since = clock()
    rounds = Counter[Again]()
    awaited = _awaited(outcomes)
    while not stop.is_set():
        wanted = _again(outcomes)
        if _awaited(outcomes) != awaited:
            awaited, since = _awaited(outcomes), clock()
        is_patient = wanted is Again.PATIENTLY
        is_overdue = clock() - since > LONGEST_S or clock() - started > LONGEST_IN_ALL_S
        is_late = is_overdue if is_patient else rounds[wanted] >= MOST_ROUNDS
        if wanted is Again.NO or is_late or stop.wait(PAUSES[min(rounds.total(), len(PAUSES) - 1)]):
            break
        rounds[wanted] += 1
        try:
            plan = plan_again()
        except ProvisionerError as error:
            # What was done so far must be told all the same.
            return Carried(tuple(outcomes), None if stop.is_set() else error)
        obstacle = _obstacle(approved, plan)
        if obstacle:
            return Carried(tuple(outcomes), obstacle)
        outcomes = [*_settled(outcomes, plan), *execute(plan)]
    return Carried(tuple(outcomes))


def _again(outcomes: list[Outcome]) -> Again:
    wanted = {outcome.failure.again for outcome in outcomes if outcome.failure}
    return next((each for each in (Again.PATIENTLY, Again.SOON) if each in wanted), Again.NO)


def _awaited(outcomes: list[Outcome]) -> set[tuple[Address, str, str | None]]:
    """What is waited for, in the words of the failures."""
    return {
        (each.change.address, each.failure.message, each.failure.hint)
        for each in outcomes
        if each.failure and each.failure.again is Again.PATIENTLY
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
    for change in approved.changes:
        if (change.action in (Action.DELETE, Action.REPLACE) or change.exact) and not change.deferred:
            allowed.setdefault(change.address, set()).update(change.instances)
    for change in plan.changes:
        takes_away = change.action is Action.DELETE or (change.action is Action.REPLACE and change.instances)
        # A launch of ours that came meanwhile is known by its token, and nothing else is.
        is_approved = change.whole and (change.address in wholly or approved.destroy)
        if not (takes_away or change.exact) or change.deferred or is_approved:
            continue
        if takes_away and change.address not in allowed:
            return f"{change.address} would be deleted"
        more = set(change.instances) - allowed.get(change.address, set())
        if more:
            what = "would go" if takes_away else "would be changed"
            return f"{', '.join(sorted(more))} of {change.address} {what}"
    return None
