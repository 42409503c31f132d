"""What a plan, and an apply, of one environment comes to among many. Values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from provisioner.errors import Refused, UsageError
from provisioner.many.jobs import Job, in_short, told, verdict_of
from provisioner.many.outcome import Outcome, Trouble, Verdict, exit_code_of
from provisioner.model import Address, Plan, Result
from provisioner.model import Outcome as ChangeOutcome
from provisioner.reconcile import ApplyResult
from provisioner.render.as_json import outcomes_data, plan_data
from provisioner.render.verdict import deferred, verdict

# What a table need not say in each row: what destroys comes first, and says so.
NO_LOSS = "Destroys nothing; "
PROOF_REFUSED = "AWS would refuse what is marked `no`"


def plan_outcome(job: Job, plan: Plan, changes_code: int = 0, user_data: bool = False) -> Outcome:
    """The outcome of a plan, with the exit code that changes have."""
    if plan.refusals:
        code = exit_code_of(refusal.exit_code for refusal in plan.refusals)
        # The row says why it ends with this code.
        first = next(refusal for refusal in plan.refusals if refusal.exit_code == code)
        more = f" (and {len(plan.refusals) - 1} more)" if len(plan.refusals) > 1 else ""
        made = job.outcome(verdict_of(code), code, in_short(f"{first.address}: {first.message}") + more)
    elif plan.proof and plan.proof.is_refused:
        made = job.outcome(Verdict.REFUSED, 4, PROOF_REFUSED)
    elif not plan.changes:
        made = job.outcome(Verdict.OK, 0, "nothing to destroy" if plan.destroy else "no changes")
    else:
        later = deferred(plan)
        also = f"; {later:,} of them deferred" if later else ""
        made = job.outcome(Verdict.CHANGES, changes_code, verdict(plan).words.removeprefix(NO_LOSS) + also)
    data = {"plan": plan_data(plan, user_data)}
    return replace(made, account_id=plan.account_id, plan=plan, data=data)


def is_to_be_applied(outcome: Outcome) -> bool:
    """Whether an apply has anything to do there."""
    return (
        outcome.verdict is Verdict.CHANGES
        and outcome.plan is not None
        and any(change.deferred is None for change in outcome.plan.changes)
    )


def not_applied(planned: Outcome) -> Outcome:
    """What an apply comes to that leaves an environment alone, after what was planned: what is deferred there
    was not done."""
    if planned.verdict is not Verdict.CHANGES or planned.plan is None:
        return planned
    changes = planned.plan.changes
    left = tuple(ChangeOutcome(change, Result.DEFERRED, because=change.deferred) for change in changes)
    return applied_outcome(planned, ApplyResult(left), is_interrupted=False, seconds=0.0)


def applied_outcome(planned: Outcome, result: ApplyResult, is_interrupted: bool, seconds: float) -> Outcome:
    """What became of a plan that was carried out, after what was planned."""
    name = planned.environment or ""
    data = {**planned.data, "result": outcomes_data(name, result.outcomes)}
    made = replace(planned, data=data, result=tuple(result.outcomes), seconds=seconds)
    words = _what_was_done(result.outcomes)
    if result.obstacle:
        kind, code, trouble = told(result.obstacle)
        what = f"{words}; {trouble.message}" if words else trouble.message
        return replace(made, verdict=kind, exit_code=code, words=in_short(what), trouble=trouble)
    if all(outcome.is_good for outcome in result.outcomes):
        return replace(made, verdict=Verdict.CHANGED, exit_code=0, words=words)
    if is_interrupted:
        return replace(made, verdict=Verdict.INTERRUPTED, exit_code=130, words=words)
    return replace(
        made, verdict=Verdict.FAILED, exit_code=1, words=in_short(words), trouble=_why(result.outcomes)
    )


def check_plans(outcomes: Iterable[Outcome]) -> None:
    """Raises UsageError where two plans are of one environment, which only AWS could tell: nothing has been
    changed then."""
    first: dict[tuple[Any, ...], Outcome] = {}
    for outcome in outcomes:
        if outcome.plan is None:
            continue
        key = (outcome.environment, outcome.account_id, outcome.region)
        other = first.setdefault(key, outcome)
        if other is not outcome:
            raise UsageError(
                f"{other.place} and {outcome.place} both describe {outcome.environment} in account "
                f"{outcome.account_id}, {outcome.region}; nothing was changed",
                "applying one of them deletes what only the other has: put them together, or rename one",
            )


def differing(approved: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
    """The environments of two reports that have not the same plan, by name."""
    digests = [
        {_key(environment): (environment.get("plan") or {}).get("digest") for environment in report}
        for report in (approved["environments"], present["environments"])
    ]
    keys = dict.fromkeys([*digests[0], *digests[1]])
    return [key[0] for key in keys if digests[0].get(key, "") != digests[1].get(key, "")]


def _key(environment: Mapping[str, Any]) -> tuple[str, ...]:
    if environment.get("plan"):
        return environment["environment"], environment["region"], environment["account_id"]
    return (environment["environment"] or environment["source"],)


def _what_was_done(outcomes: Sequence[ChangeOutcome]) -> str:
    """`5 done, 1 failed, 2 skipped: fleet/web: InsufficientInstanceCapacity`, counted in addresses."""
    concerned = {result: set[Address]() for result in Result}
    for outcome in outcomes:
        concerned[outcome.result].add(outcome.change.address)
    counted = ", ".join(f"{len(found):,} {result.value}" for result, found in concerned.items() if found)
    trouble = _why(outcomes)
    return f"{counted}: {trouble.message}" if trouble else counted


def _why(outcomes: Sequence[ChangeOutcome]) -> Trouble | None:
    """Why the first of the changes that failed has, or was deferred where none has."""
    for outcome in outcomes:
        if outcome.result is Result.FAILED and outcome.failure:
            failure = outcome.failure
            said = ": ".join(part for part in (failure.operation, failure.code) if part) or failure.message
            return Trouble(f"{outcome.change.address}: {said}", failure.hint, failure.code)
    for outcome in outcomes:
        if outcome.result is Result.DEFERRED:
            because = outcome.because or outcome.change.deferred
            return Trouble(f"{outcome.change.address} is left as it was: {because}")
    return None


def not_as_shown(what: str) -> Refused:
    """What keeps a plan that was approved from being applied."""
    return Refused(
        f"AWS is not as it was when the plan was shown: now {what}; nothing was changed there",
        "look at a new plan, then apply again",
    )
