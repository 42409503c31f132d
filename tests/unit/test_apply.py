"""Carrying out plans: order, side by side, failures, interruption, and concurrent changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from provisioner.apply import Event, Executor, Started
from provisioner.errors import AwsError, Interrupted
from provisioner.execution import ExecutionContext, run_step
from provisioner.model import (
    Action,
    Address,
    Call,
    Change,
    Failure,
    FieldChange,
    Identity,
    Outcome,
    Output,
    Parallel,
    Plan,
    Refusal,
    Replan,
    Result,
    Whole,
)
from provisioner.reconcile import beyond, converge
from tests.support.build import PROFILE, ROLE, environment, found_profile, observed_role, planned

A, B, C = Address("role", "a"), Address("instance_profile", "b"), Address("fleet", "c")


class FakeAws:
    """Notes every call; those named in `failing` get that error code."""

    def __init__(self, **failing: str) -> None:
        self.failing = failing
        self.called: list[str] = []
        self.params: list[dict[str, Any]] = []

    def send(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.called.append(operation)
        self.params.append(params)
        if operation in self.failing:
            raise AwsError(service, operation, self.failing[operation], "no", 400, "req-1", "do this")
        return {"Thing": {"Id": f"id-{len(self.called)}"}}

    def now(self) -> datetime:
        return datetime.now(UTC)

    def identity(self) -> Identity:
        raise AssertionError("nobody asks here whose it is")

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        raise AssertionError("nothing here is read")

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        raise AssertionError("nothing here is paged")

    def parallel(self, *reads: Any) -> list[Any]:
        return [read() for read in reads]

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def to_the_end(self) -> FakeAws:
        return self

    def in_region(self, region: str) -> FakeAws:
        raise AssertionError("nothing here is in another region")


class Keeper(FakeAws):
    """Has kept numbers from an earlier run."""

    def __init__(self, **failing: str) -> None:
        super().__init__(**failing)
        self.numbers: dict[str, Mapping[str, float]] = {
            "quotas of 123456789012": {"L-1216C47A": 640.0},
            "quotas of 999999999999": {"L-1216C47A": 640.0},
        }

    def kept(self, name: str) -> Mapping[str, float]:
        return self.numbers.get(name, {})

    def keep(self, name: str, numbers: Mapping[str, float]) -> None:
        self.numbers[name] = numbers

    def forget(self, name: str) -> None:
        self.numbers.pop(name, None)


class Unhinted(FakeAws):
    """Errors of which nothing more is known than what AWS says."""

    def send(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        try:
            return super().send(service, operation, **params)
        except AwsError as error:
            error.hint = None
            raise


class Hurried(threading.Event):
    """A stop that never comes, and does not let anybody wait either."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


def execute(plan: Plan, aws: FakeAws) -> list[Outcome]:
    return Executor(aws).execute(plan)


def change(address: Address, *operations: str, action: Action = Action.CREATE, **more: Any) -> Change:
    steps = tuple(Call("iam", operation) for operation in operations)
    return Change(address, action, "because", steps=steps, **more)


def plan(*changes: Change, refusals: tuple[Refusal, ...] = ()) -> Plan:
    return Plan("env", "us-east-1", "123456789012", changes, refusals)


def results(outcomes: list[Outcome] | tuple[Outcome, ...]) -> list[str]:
    return [f"{outcome.change.address} {outcome.result}" for outcome in outcomes]


def test_what_aws_assigns_is_filled_in_where_it_is_needed() -> None:
    """Also where what needs it is not to be interrupted, and however deep in its parameters."""
    made, again = (Output(at, "Make", ("Thing", "Id")) for at in (A, B))
    use = Call("ec2", "Use", {"One": made, "All": [{"Id": again}, "as it is"], "Number": 1})
    aws = FakeAws()
    execute(
        plan(
            change(A, "Make"),
            change(B, "Make", needs=frozenset({A})),
            Change(C, Action.CREATE, "because", steps=(Whole((use,)),), needs=frozenset({A, B})),
        ),
        aws,
    )
    assert aws.params[-1] == {"One": "id-1", "All": [{"Id": "id-2"}, "as it is"], "Number": 1}


def test_what_is_needed_is_done_first() -> None:
    aws = FakeAws()
    outcomes = execute(plan(change(A, "One", "Two"), change(B, "Three", needs=frozenset({A}))), aws)
    assert aws.called == ["One", "Two", "Three"]
    assert results(outcomes) == ["role/a done", "instance_profile/b done"]


def test_a_failure_skips_what_needs_it_and_nothing_else() -> None:
    aws = FakeAws(One="AccessDenied")
    outcomes = execute(
        plan(
            change(A, "One", "Two"),
            change(B, "Three", needs=frozenset({A})),
            change(C, "Four", needs=frozenset({B})),
            change(Address("role", "other"), "Five"),
        ),
        aws,
    )
    assert results(outcomes) == [
        "role/a failed",
        "instance_profile/b skipped",
        "fleet/c skipped",
        "role/other done",
    ]
    assert sorted(aws.called) == ["Five", "One"]
    failure = outcomes[0].failure
    assert failure is not None
    assert (failure.operation, failure.code, failure.request_id, failure.hint) == (
        "iam One",
        "AccessDenied",
        "req-1",
        "do this",
    )
    assert outcomes[1].because == "role/a was not done"


def test_a_later_phase_of_an_address_waits_for_the_earlier_ones_before_it() -> None:
    aws = FakeAws()
    changes = (change(A, "One"), change(A, "Two", phase=2), change(A, "Three", phase=1), change(A, "Four"))
    results(execute(plan(*changes), aws))
    assert aws.called.index("One") < aws.called.index("Two")
    assert aws.called.index("One") < aws.called.index("Three")
    assert sorted(aws.called) == ["Four", "One", "Three", "Two"]


# The phase in which the second of two changes is made, after the first has failed, and what becomes of it.
@pytest.mark.parametrize(
    ("address", "phase", "ended"),
    [(A, 0, "role/a done"), (A, 1, "role/a skipped"), (B, 1, f"{B} done")],
    ids=["the same phase", "a later phase", "a later phase of another"],
)
def test_what_fails_skips_the_later_phases_of_its_address(address: Address, phase: int, ended: str) -> None:
    changes = (change(A, "One"), change(address, "Two", phase=phase))
    assert results(execute(plan(*changes), FakeAws(One="AccessDenied"))) == ["role/a failed", ended]


def test_a_failure_that_does_not_block_is_told_and_what_comes_after_it_is_done() -> None:
    aws = FakeAws(One="InsufficientInstanceCapacity")
    outcomes = execute(plan(change(A, "One", blocks=False), change(A, "Two", needs=frozenset({A}))), aws)
    assert results(outcomes) == ["role/a failed", "role/a done"]
    assert aws.called == ["One", "Two"]


def test_a_deferred_change_is_not_done_and_keeps_nothing_back() -> None:
    aws = FakeAws()
    left = change(A, deferred="needs a restart", action=Action.REPLACE)
    outcomes = execute(plan(left, change(B, "Three", needs=frozenset({A}))), aws)
    assert results(outcomes) == ["role/a deferred", "instance_profile/b done"]


def test_of_steps_side_by_side_all_are_tried() -> None:
    aws = FakeAws(One="AccessDenied")
    both = Change(A, Action.CREATE, "", steps=(Parallel((Call("iam", "One"), Call("iam", "Two"))),))
    outcomes = execute(plan(both), aws)
    assert sorted(aws.called) == ["One", "Two"]
    assert results(outcomes) == ["role/a failed"]


@pytest.mark.parametrize(
    ("code", "is_kept"),
    [
        ("VcpuLimitExceeded", False),
        ("MaxSpotInstanceCountExceeded", False),
        ("InstanceLimitExceeded", False),
        ("InsufficientInstanceCapacity", True),
        ("UnauthorizedOperation", True),
    ],
)
@pytest.mark.parametrize("operation", ["RunInstances", "StartInstances"])
def test_a_quota_that_aws_has_disproved_is_believed_no_more(operation: str, code: str, is_kept: bool) -> None:
    """So that the next plan asks for it, and tells what it is now."""
    aws = Keeper(**{operation: code})
    execute(plan(change(C, operation)), aws)
    assert ("quotas of 123456789012" in aws.numbers) == is_kept
    assert "quotas of 999999999999" in aws.numbers


def test_once_stopped_nothing_new_is_begun() -> None:
    aws, stop = FakeAws(), threading.Event()

    def stop_at_the_first(event: Event) -> None:
        if isinstance(event, Started):
            stop.set()

    both = plan(change(A, "One"), change(B, "Two", needs=frozenset({A})))
    outcomes = Executor(aws, stop_at_the_first, stop).execute(both)
    assert results(outcomes) == ["role/a stopped", "instance_profile/b skipped"]
    assert aws.called == []


def rounds(*plans: Plan, aws: FakeAws) -> tuple[list[str], str | None]:
    """Converge on the first plan; the others are what planning again gives."""
    more = iter(plans[1:])
    carried = converge(plans[0], lambda: next(more), Executor(aws).execute, Hurried())
    return results(carried.outcomes), carried.obstacle.message if carried.obstacle else None


def test_after_a_concurrent_change_it_is_planned_again() -> None:
    aws = FakeAws(One="EntityAlreadyExists")
    done, obstacle = rounds(plan(change(A, "One"), change(B, "Two")), plan(change(A, "Three")), aws=aws)
    assert done == ["instance_profile/b done", "role/a done"]
    assert obstacle is None


def test_what_failed_is_not_told_as_done_while_the_same_change_is_still_to_be_made() -> None:
    """A later round may know more of what it takes; what was updated by then has other fields."""
    aws = FakeAws(One="EntityAlreadyExists", Two="AccessDenied")
    asking = change(A, "One", fields=(FieldChange("count", 0, 2),))
    launching = change(A, "Two", fields=(FieldChange("count", 0, 2), FieldChange("image", None, "ami-1")))
    done, _ = rounds(plan(asking), plan(launching), aws=aws)
    assert done == ["role/a failed"]


def fleet_change(operation: str, action: Action, *ids: str, path: str = "", **more: Any) -> Change:
    fields = (FieldChange(path, 1, 2),) if path else ()
    return change(C, operation, action=action, fields=fields, instances=ids, **more)


def restart(*ids: str, path: str = "instance_type", **more: Any) -> Change:
    return fleet_change("Stop", Action.UPDATE, *ids, path=path, **more)


PAUSED = fleet_change("Stop", Action.REPLACE, "i-1", "i-2", phase=5)
NO_ROOM = change(C, "Stop", blocks=False)
# What has failed for good, what is planned again at its address, and what is done of that.
FINAL: dict[str, tuple[Change, tuple[Change, ...], list[str]]] = {
    "a restart that is refused": (restart("i-1", "i-2"), (restart("i-2"),), []),
    "one of other members": (restart("i-1"), (fleet_change("Start", Action.UPDATE, "i-2"),), ["Start"]),
    "another field": (restart("i-1"), (fleet_change("Tag", Action.UPDATE, "i-1", path="tags"),), ["Tag"]),
    "what comes after it": (restart("i-1"), (restart("i-1"), change(C, "Launch", phase=1)), []),
    "after what keeps nobody waiting": (NO_ROOM, (NO_ROOM, restart("i-1", phase=1)), ["Stop"]),
    "a paused rollout": (PAUSED, (fleet_change("Terminate", Action.REPLACE, "i-2", phase=5),), []),
    "one that has lost a member": (PAUSED, (change(C, "Launch"),), []),
    "one that has too many": (PAUSED, (fleet_change("Terminate", Action.DELETE, "i-2", phase=7),), []),
    "no room to launch": (NO_ROOM, (change(C, "Launch", blocks=False),), []),
    "what is made in part": (change(C, "Stop"), (fleet_change("Tag", Action.UPDATE, path="tags"),), []),
    "what is as it should be": (restart("i-1"), (), []),
}


@pytest.mark.parametrize("case", FINAL)
def test_what_failed_for_good_is_not_tried_again_where_others_want_a_new_plan(case: str) -> None:
    failed, again, done = FINAL[case]
    aws = FakeAws(One="EntityAlreadyExists", Stop="AccessDenied")
    ended, obstacle = rounds(plan(change(A, "One"), failed), plan(change(A, "Two"), *again), aws=aws)
    assert obstacle is None
    assert "fleet/c failed" in ended
    assert "role/a done" in ended
    assert sorted(aws.called) == sorted(["One", "Stop", "Two", *done])


def changed(action: Action, *paths: str, call: str = "One") -> Change:
    return change(A, call, action=action, fields=tuple(FieldChange(path, 1, 2) for path in paths))


@pytest.mark.parametrize(
    ("first", "left", "told"),
    [
        (("trust", "policies"), ("policies",), ["update trust done"]),
        (("trust",), ("trust", "policies"), []),
        (("trust",), ("policies",), ["update trust done"]),
    ],
)
def test_what_is_left_of_an_update_is_not_told_as_done(
    first: tuple[str, ...], left: tuple[str, ...], told: list[str]
) -> None:
    ended = in_rounds(changed(Action.UPDATE, *first), changed(Action.UPDATE, *left, call="Two"))
    assert ended == [*told, f"update {' '.join(left)} failed"]


def test_what_is_left_of_what_is_made_is_not_told_as_done() -> None:
    again = changed(Action.UPDATE, "tags.x", call="Two")
    made = in_rounds(changed(Action.CREATE, "name", "tags"), again)
    assert made == ["create name done", "update tags.x failed"]
    anew = in_rounds(changed(Action.REPLACE, "key"), changed(Action.CREATE, "key", call="Two"))
    assert anew == ["create key failed"]


def in_rounds(first: Change, second: Change) -> list[str]:
    """What is told of two changes; the first fails so that it is planned again, the second for good."""
    aws = FakeAws(One="EntityAlreadyExists", Two="AccessDenied")
    carried = converge(plan(first), lambda: plan(second), Executor(aws).execute, Hurried())
    return [
        " ".join((told.change.action, *(field.path for field in told.change.fields), told.result))
        for told in carried.outcomes
    ]


def test_what_needs_what_failed_for_good_is_skipped_in_every_round() -> None:
    aws = FakeAws(One="EntityAlreadyExists", Two="AccessDenied")
    needing = change(C, "Three", needs=frozenset({B}))
    ended, _ = rounds(
        plan(change(A, "One"), change(B, "Two"), needing),
        plan(change(A, "Four"), change(B, "Two"), needing),
        aws=aws,
    )
    assert ended == ["instance_profile/b failed", "role/a done", "fleet/c skipped"]
    assert sorted(aws.called) == ["Four", "One", "Two"]


def test_a_bug_in_one_change_is_told_and_the_others_are_made() -> None:
    class Broken:
        def calls(self) -> tuple[()]:
            return ()

    @run_step.register(Broken)
    def break_off(step: Broken, context: ExecutionContext) -> None:
        raise KeyError("i-1")

    aws = FakeAws()
    broken = Change(A, Action.CREATE, "", steps=(Broken(),))
    outcomes = execute(plan(broken, change(B, "Two"), change(C, "Three", needs=frozenset({A}))), aws)
    assert results(outcomes) == ["role/a failed", "instance_profile/b done", "fleet/c skipped"]
    failure = outcomes[0].failure
    assert failure is not None
    assert failure.message.startswith("unexpected KeyError in test_apply.py:")
    assert "this is a bug" in (failure.hint or "")


def test_a_failure_is_not_hidden_by_what_was_interrupted_beside_it() -> None:
    stop = threading.Event()

    class Interrupting(FakeAws):
        def send(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
            if operation == "Two":
                stop.wait(10)
            else:
                stop.set()
            return super().send(service, operation, **params)

    class Interruptible:
        def calls(self) -> tuple[()]:
            return ()

    @run_step.register(Interruptible)
    def interrupt(step: Interruptible, context: ExecutionContext) -> None:
        raise Interrupted("interrupted")

    aws = Interrupting(Two="AccessDenied")
    steps = (Interruptible(), Call("iam", "Two"), Call("iam", "One"))
    both = Change(A, Action.CREATE, "", steps=(Parallel(steps),))
    assert results(Executor(aws, stop=stop).execute(plan(both))) == ["role/a failed"]


def test_a_failure_of_our_own_is_not_planned_again() -> None:
    done, _ = rounds(plan(change(A, "One")), aws=FakeAws(One="AccessDenied"))
    assert done == ["role/a failed"]


def test_planning_again_ends_after_some_rounds() -> None:
    aws = FakeAws(One="EntityAlreadyExists")
    done, _ = rounds(*[plan(change(A, "One"))] * 10, aws=aws)
    assert done == ["role/a failed"]
    assert 2 < len(aws.called) < 10


def test_a_refusal_of_the_new_plan_ends_it() -> None:
    aws = FakeAws(One="EntityAlreadyExists")
    refused = plan(refusals=(Refusal(A, "somebody has it", "rename"),))
    done, obstacle = rounds(plan(change(A, "One")), refused, aws=aws)
    assert done == ["role/a failed"]
    assert obstacle == "role/a: somebody has it"


def test_what_was_done_is_told_also_when_looking_again_fails() -> None:
    def fail() -> Plan:
        raise AwsError("ec2", "DescribeInstances", "UnauthorizedOperation", "no")

    executor = Executor(FakeAws(One="EntityAlreadyExists"))
    stop = Hurried()
    carried = converge(plan(change(A, "One"), change(B, "Two")), fail, executor.execute, stop)
    assert results(carried.outcomes) == ["role/a failed", "instance_profile/b done"]
    assert carried.obstacle is not None
    assert "UnauthorizedOperation" in carried.obstacle.message


def test_what_is_waited_for_one_after_the_other_has_its_time_each() -> None:
    """Three things of nine minutes each are waited for; one of more than ten is not."""
    now = [0.0]

    def again(*names: str) -> tuple[list[str], list[str]]:
        left = [message for name in names for message in [name] * 9]
        observed: list[str] = []

        def execute(plan: Plan) -> list[Outcome]:
            observed.append(left[0])
            now[0] += 60.0
            failure = Failure("not shown", hint=left.pop(0), replan=Replan.PATIENTLY if left else Replan.NO)
            return [Outcome(failed, Result.FAILED, failure=failure) for failed in plan.changes]

        made = plan(change(A, "One"))
        carried = converge(made, lambda: made, execute, Hurried(), lambda: now[0])
        return observed, results(carried.outcomes)

    assert len(again("one", "two", "three")[0]) == 27
    assert len(again("one", "one", "one")[0]) < 15


def test_patience_with_what_is_not_shown_yet_does_not_use_up_the_other_rounds() -> None:
    class Slow(FakeAws):
        def send(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
            self.failing = {
                "One": "IdempotentParameterMismatch" if len(self.called) < 20 else "IncorrectState"
            }
            return super().send(service, operation, **params) if len(self.called) < 22 else {}

    done, _ = rounds(*[plan(change(A, "One"))] * 40, aws=Slow())
    assert done == ["role/a done"]


def test_a_failure_that_a_concurrent_change_may_have_caused_says_so() -> None:
    (outcome,) = execute(plan(change(A, "One")), Unhinted(One="IncorrectState"))
    assert outcome.failure is not None
    assert "whoever else works on this environment" in (outcome.failure.hint or "")


def test_nothing_is_deleted_that_nobody_approved() -> None:
    aws = FakeAws(One="EntityAlreadyExists")
    more = plan(change(C, "Terminate", action=Action.DELETE, instances=("i-1",)))
    _, obstacle = rounds(plan(change(A, "One")), more, aws=aws)
    assert obstacle is not None
    assert "fleet/c would be deleted" in obstacle
    assert "Terminate" not in aws.called


@pytest.mark.parametrize(
    ("approved", "again", "unapproved"),
    [
        (("i-1", "i-2"), ("i-1",), None),
        (("i-1",), ("i-1", "i-2"), "i-2 of fleet/c would go"),
        (None, ("i-1",), "fleet/c would be deleted"),
    ],
)
def test_only_approved_instances_go(
    approved: tuple[str, ...] | None, again: tuple[str, ...], unapproved: str | None
) -> None:
    before = plan(change(C, action=Action.DELETE, instances=approved)) if approved else plan()
    assert beyond(before, plan(change(C, action=Action.DELETE, instances=again))) == unapproved


@pytest.mark.parametrize(
    ("approved", "again", "unapproved"),
    [
        ("AROA1", "AROA1", None),
        ("AROA1", "AROA2", "role/a, which was made again under its name, would be deleted"),
        ("AROA1", "", "role/a, which was made again under its name, would be deleted"),
    ],
)
def test_only_the_thing_that_was_approved_goes_and_not_its_namesake(
    approved: str, again: str, unapproved: str | None
) -> None:
    def deletion(unique_id: str) -> Plan:
        return plan(change(A, action=Action.DELETE, unique_id=unique_id))

    assert beyond(deletion(approved), deletion(again)) == unapproved


def test_deletions_of_roles_and_profiles_say_which_ones_they_are() -> None:
    found: dict[Address, Any] = {ROLE: observed_role(id="AROA1"), PROFILE: found_profile(id="AIPA1")}
    changes = planned(environment(), found).changes
    assert {(deletion.address, deletion.unique_id) for deletion in changes} == {
        (ROLE, "AROA1"),
        (PROFILE, "AIPA1"),
    }


def test_the_time_for_a_change_does_not_grow_with_their_number() -> None:
    """Of a thousand changes that end one by one, to find which is next took more than a minute."""
    many = [Address("fleet", f"f{number:04}") for number in range(1000)]
    chained = [change(many[0], "One")]
    chained += [change(at, "One", needs=frozenset({last})) for last, at in pairwise(many)]
    began = time.monotonic()
    outcomes = execute(plan(*chained), FakeAws())
    assert {outcome.result for outcome in outcomes} == {Result.DONE}
    assert time.monotonic() - began < 20
