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

    Changes that a later round took up again count once, as that round left them; what has failed for good is
    not tried again, nor is what waits for it. Nothing is deleted, and no instance of others is changed, that
    is not in the approved plan.
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
        open_, skipped = _open(
            plan, [outcome.change for outcome in outcomes if _has_failed_for_good(outcome)]
        )
        outcomes = [*_settled(outcomes, plan), *execute(replace(plan, changes=open_)), *skipped]
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


def _has_failed_for_good(outcome: Outcome) -> bool:
    return outcome.failure is not None and outcome.failure.replan is Replan.NO


def _open(plan: Plan, failed: list[Change]) -> tuple[tuple[Change, ...], list[Outcome]]:
    """What to carry out of a new plan where changes have `failed` for good, and what is skipped.

    What goes on with one of those is neither: its failure stands. A rollout that was paused stays so.
    """
    open_, skipped = [], []
    not_done: list[Change] = []
    for change in plan.changes:
        if change.deferred:
            open_.append(change)
        elif any(_goes_on_with(change, earlier) for earlier in failed):
            not_done.append(change)
        elif missing := next((needed for needed in not_done if _waits_for(change, needed)), None):
            not_done.append(change)
            skipped.append(Outcome(change, Result.SKIPPED, because=f"{missing.address} was not done"))
        else:
            open_.append(change)
    return tuple(open_), skipped


def _waits_for(change: Change, earlier: Change) -> bool:
    """Whether a change may not be begun where an earlier one of its plan was not done."""
    is_own = earlier.address == change.address and earlier.phase < change.phase
    return earlier.blocks and (is_own or earlier.address in change.needs)


def _settled(outcomes: list[Outcome], plan: Plan) -> list[Outcome]:
    """The outcomes that stand beside a new plan: what has failed for good, what is done, and what need not be
    done any more.

    What was done and has to be done once more is told once, by the round that does it again.
    """
    settled = []
    for outcome in outcomes:
        if _has_failed_for_good(outcome):
            settled.append(outcome)
        elif rest := _rest(outcome, plan):
            settled.append(replace(outcome, change=rest, result=Result.DONE, failure=None, because=None))
    return settled


def _rest(outcome: Outcome, plan: Plan) -> Change | None:
    """What of a change is as it should be by now, and is not planned again; None: nothing."""
    change = outcome.change
    if any(_what(later) == _what(change) for later in plan.changes):
        return None
    if outcome.is_good:
        return change
    left = [later for later in plan.changes if _goes_on_with(later, change)]
    if any(later.action is not Action.UPDATE for later in left):
        return None
    paths = {field.path for later in left for field in later.fields}
    # What is made is planned with all tags at once, and what is updated with each of them.
    paths |= {path.partition(".")[0] for path in paths}
    fields = tuple(field for field in change.fields if field.path not in paths)
    return replace(change, fields=fields) if fields or not left else None


def _goes_on_with(later: Change, earlier: Change) -> bool:
    """Whether a change does what one of an earlier round has left undone.

    Of what was made, or made anew, anything may be left; not so where there are instances, which stand for
    themselves.
    """
    if later.address != earlier.address:
        return False
    match earlier.action:
        case Action.UPDATE:
            paths = {field.path for field in earlier.fields}
            is_alike = _what(later) == _what(earlier) or any(field.path in paths for field in later.fields)
            others = earlier.instances and later.instances and not {*earlier.instances} & {*later.instances}
            return later.action is Action.UPDATE and is_alike and not others
        case Action.CREATE:
            return later.action is Action.CREATE or not later.instances
        case Action.REPLACE:
            return later.action is not Action.UPDATE or not later.instances
        case Action.DELETE:
            return later.action is Action.DELETE


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
        more = set(change.instances) - allowed.get(change.address, set()) - _rebound(approved, change)
        if more:
            what = "would go" if takes_away else "would be changed"
            return f"{', '.join(sorted(more))} of {change.address} {what}"
    return None


def _rebound(approved: Plan, change: Change) -> set[str]:
    """Who lost a profile on the way of an approved re-association, if a change binds what has none to it."""
    if change.action is not Action.CREATE:
        return set()
    users = (other.instances for other in approved.changes if other.address in change.needs)
    return {instance for instances in users for instance in instances}
