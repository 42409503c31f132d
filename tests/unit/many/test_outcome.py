"""One exit code and one order for the outcomes of many environments."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from provisioner.many.outcome import Outcome, Verdict, exit_code_of, in_order, names_of
from provisioner.model import Action, Address, Change, Plan

GONE = Change(Address("role", "worker"), Action.DELETE, "is not in the spec any more")
NEW = Change(Address("role", "worker"), Action.CREATE, "does not exist")


def outcome(name: str, verdict: Verdict, *changes: Change, code: int = 0) -> Outcome:
    plan = Plan(name, "us-east-1", "123456789012", changes=changes) if changes else None
    return Outcome(f"{name}.yaml", verdict, code, verdict.value, environment=name, plan=plan)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((), 0),
        ((0, 0), 0),
        ((0, 2, 0), 2),
        ((2, 4), 4),
        ((4, 3, 2), 3),
        ((3, 1, 4, 2, 0), 1),
        ((1, 130), 130),
        ((0, 77), 77),
        ((2, 77), 77),
    ],
)
def test_the_exit_code_is_the_worst(codes: tuple[int, ...], expected: int) -> None:
    assert exit_code_of(codes) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["z2", "z3", "z1"], "z1, z2, z3"),
        (["d", "b", "a", "c"], "a, b, c and 1 more"),
        # One name in two accounts.
        (["b", "a", "b"], "a, b (111122223333, us-east-1), b (222233334444, us-east-1)"),
        ([], ""),
    ],
)
def test_names_are_told_in_their_order(names: list[str], expected: str) -> None:
    accounts = iter(["222233334444", "333344445555", "111122223333", "444455556666"])
    given = [
        replace(outcome(name, Verdict.FAILED), account_id=account, region="us-east-1")
        for name, account in zip(names, accounts, strict=False)
    ]
    assert names_of(given, 3) == expected


def test_what_needs_approval_comes_first_and_what_needs_nobody_last() -> None:
    given = [
        outcome("a", Verdict.OK),
        outcome("b", Verdict.WRONG),
        outcome("c", Verdict.FAILED),
        outcome("d", Verdict.INTERRUPTED),
        outcome("z", Verdict.CHANGES, NEW),
        outcome("f", Verdict.CHANGES, NEW),
        outcome("g", Verdict.REFUSED, NEW),
        outcome("y", Verdict.CHANGES, GONE),
        outcome("h", Verdict.OK),
    ]
    assert "".join(found.name for found in in_order(given)) == "yfzgcbdah"
    assert in_order(reversed(given)) == in_order(given)


def test_a_spec_that_cannot_be_read_is_called_by_its_file() -> None:
    unread = Outcome("shop.yaml", Verdict.WRONG, 3, "the spec is wrong", target="prod")
    assert unread.name == "shop.yaml --target prod"


def test_an_outcome_can_be_sent_to_another_process() -> None:
    sent = outcome("a", Verdict.CHANGES, NEW, code=2)
    assert pickle.loads(pickle.dumps(sent)) == sent
