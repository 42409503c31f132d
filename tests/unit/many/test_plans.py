"""What a plan, and an apply, of one environment comes to among many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from provisioner.cli.common import refusal_code
from provisioner.errors import ProvisionerError, Refused, UsageError
from provisioner.many.jobs import Job
from provisioner.many.outcome import Outcome, Verdict
from provisioner.many.plans import (
    applied_outcome,
    check_plans,
    differing,
    is_to_be_applied,
    not_applied,
    plan_outcome,
)
from provisioner.many.report import report_data
from provisioner.many.spec_file import SpecFile
from provisioner.model import (
    Action,
    Address,
    Change,
    Environment,
    Failure,
    Plan,
    Refusal,
    Result,
)
from provisioner.model import Outcome as ChangeOutcome
from provisioner.reconcile import ApplyResult

ROLE, FLEET = Address("role", "worker"), Address("fleet", "web")
NEW = Change(ROLE, Action.CREATE, "does not exist")
GONE = Change(FLEET, Action.DELETE, "is not in the spec", instances=("i-1",), unit="instance")
LATER = replace(NEW, deferred="others use it")
REFUSED = Refusal(ROLE, "belongs to somebody else", "rename it")
WRONG = Refusal(ROLE, "AWS has no such policy", "correct it", exit_code=1)


def job(name: str = "shop") -> Job:
    return Job(SpecFile(f"{name}.yaml"), Environment(name, "us-east-1"))


def plan(*changes: Change, **more: object) -> Plan:
    return replace(Plan("shop", "us-east-1", "123456789012", changes=changes), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("planned", "verdict", "code", "words", "is_applied"),
    [
        (plan(), Verdict.OK, 0, "no changes", False),
        (plan(destroy=True), Verdict.OK, 0, "nothing to destroy", False),
        (plan(NEW), Verdict.CHANGES, 2, "1 to create", True),
        (plan(NEW, GONE), Verdict.CHANGES, 2, "Destroys 1 instance; 1 to create", True),
        (plan(LATER), Verdict.CHANGES, 2, "1 to create; 1 of them deferred", False),
        (
            plan(NEW, refusals=(REFUSED,)),
            Verdict.REFUSED,
            4,
            "role/worker: belongs to somebody else",
            False,
        ),
        (
            plan(NEW, refusals=(WRONG,)),
            Verdict.FAILED,
            1,
            "role/worker: AWS has no such policy",
            False,
        ),
        # As of many environments, the worst is told.
        (
            plan(NEW, refusals=(REFUSED, WRONG)),
            Verdict.FAILED,
            1,
            "role/worker: AWS has no such policy (and 1 more)",
            False,
        ),
    ],
)
def test_plans(planned: Plan, verdict: Verdict, code: int, words: str, is_applied: bool) -> None:
    outcome = plan_outcome(job(), planned, changes_code=2)
    assert (outcome.verdict, outcome.exit_code, outcome.words) == (verdict, code, words)
    assert (outcome.account_id, outcome.plan) == ("123456789012", planned)
    assert is_to_be_applied(outcome) == is_applied


@pytest.mark.parametrize("refusals", [(REFUSED,), (WRONG,), (WRONG, REFUSED), (REFUSED, WRONG)])
def test_a_refused_plan_ends_alone_as_among_many(refusals: tuple[Refusal, ...]) -> None:
    planned = plan(NEW, refusals=refusals)
    assert refusal_code(planned) == plan_outcome(job(), planned).exit_code == (1 if WRONG in refusals else 4)


DONE = ChangeOutcome(NEW, Result.DONE)
FAILED = ChangeOutcome(
    GONE, Result.FAILED, failure=Failure("no", "ec2 TerminateInstances", "AccessDenied", hint="ask")
)
SKIPPED = ChangeOutcome(GONE, Result.SKIPPED, because="role/worker was not done")
LEFT = ChangeOutcome(LATER, Result.DEFERRED)
WHY = "fleet/web: ec2 TerminateInstances: AccessDenied"
LEFT_WHY = "role/worker is left as it was: others use it"


@pytest.mark.parametrize(
    ("outcomes", "obstacle", "is_interrupted", "verdict", "code", "words"),
    [
        ([DONE], None, False, Verdict.CHANGED, 0, "1 done"),
        ([DONE, DONE], None, True, Verdict.CHANGED, 0, "1 done"),
        ([DONE, LEFT], None, False, Verdict.FAILED, 1, f"1 done, 1 deferred: {LEFT_WHY}"),
        ([DONE, LEFT], None, True, Verdict.INTERRUPTED, 130, f"1 done, 1 deferred: {LEFT_WHY}"),
        ([DONE], Refused("a guardrail says no"), False, Verdict.REFUSED, 4, "1 done; a guardrail says no"),
        ([DONE, FAILED], None, False, Verdict.FAILED, 1, f"1 done, 1 failed: {WHY}"),
        ([DONE, SKIPPED], None, True, Verdict.INTERRUPTED, 130, "1 done, 1 skipped"),
        (
            [DONE],
            ProvisionerError("it was changed meanwhile"),
            False,
            Verdict.FAILED,
            1,
            "1 done; it was changed meanwhile",
        ),
    ],
)
def test_applies(
    outcomes: Sequence[ChangeOutcome],
    obstacle: ProvisionerError | None,
    is_interrupted: bool,
    verdict: Verdict,
    code: int,
    words: str,
) -> None:
    planned = plan_outcome(job(), plan(NEW, GONE))
    result = ApplyResult(tuple(outcomes), obstacle)
    outcome = applied_outcome(planned, result, is_interrupted, 1.0)
    assert (outcome.verdict, outcome.exit_code, outcome.words) == (verdict, code, words)
    assert outcome.data["plan"] == planned.data["plan"]
    assert outcome.data["result"]["environment"] == "shop"


def test_what_is_deferred_was_not_done_also_where_nothing_else_is_to_be_done() -> None:
    """As alone: apply says that it has left something, and ends with 1."""
    left = not_applied(plan_outcome(job(), plan(LATER)))
    assert (left.verdict, left.exit_code) == (Verdict.FAILED, 1)
    assert left.words == f"1 deferred: {LEFT_WHY}"
    assert left.data["result"]["environment"] == "shop"


@pytest.mark.parametrize("planned", [plan(), plan(NEW, refusals=(WRONG,))])
def test_what_is_as_it_should_be_or_refused_is_told_as_planned(planned: Plan) -> None:
    outcome = plan_outcome(job(), planned)
    assert not_applied(outcome) == outcome


def outcomes(*names: str, account: str = "123456789012") -> list[Outcome]:
    made = [plan_outcome(job(name), replace(plan(NEW), environment=name)) for name in names]
    return [replace(outcome, account_id=account) for outcome in made]


def test_two_plans_of_one_environment_are_an_error() -> None:
    check_plans([*outcomes("shop"), *outcomes("shop", account="999999999999"), *outcomes("other")])
    twins = [*outcomes("shop"), replace(outcomes("shop")[0], source="twin.yaml")]
    with pytest.raises(UsageError, match=r"shop\.yaml and twin\.yaml both describe shop in account 1234"):
        check_plans(twins)


def test_it_is_told_which_environments_are_not_as_approved() -> None:
    def report(*found: Outcome) -> dict[str, object]:
        return report_data("plan", found)

    a, b, c = outcomes("a", "b", "c")
    changed = replace(b, data={"plan": {**b.data["plan"], "digest": "0" * 40}})
    failed = replace(c, data={}, plan=None)
    assert differing(report(a, b), report(b, a)) == []
    assert differing(report(a, b), report(a, changed, c)) == ["b", "c"]
    assert differing(report(a, c), report(a, failed)) == ["c", "c"]
