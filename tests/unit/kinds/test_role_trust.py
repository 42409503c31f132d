"""Roles that trust roles of the same spec: the order in which they are made, and their trust on the way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from provisioner.kinds.role.trust import CLOSED, with_principals
from provisioner.model import Action, Address, Call, Change, Plan
from tests.support.build import ME, TRUST, environment, observed_role, planned, told

ARN = "arn:aws:iam::123456789012:role/provisioner/env/env-{}"
OTHER_ACCOUNT = "arn:aws:iam::210987654321:role/provisioner/env/env-a"


def trusting(*names: str, **statement: Any) -> dict[str, Any]:
    """A trust policy for roles, by their keys or by anything else a principal can be."""
    arns = [name if ":" in name or len(name) > 2 else ARN.format(name) for name in names]
    principal = {"Principal": {"AWS": arns if len(arns) != 1 else arns[0]}}
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", **principal, "Action": "sts:AssumeRole", **statement}],
    }


def spec(roles: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Roles with the keys of the roles that each trusts; nothing: EC2."""
    return {key: {"trust": trusting(*names)} if names else {} for key, names in roles.items()}


def address(key: str) -> Address:
    return Address("role", key)


def calls_of(change: Change) -> Iterable[Call]:
    return (step for step in change.steps if isinstance(step, Call))


def carried_out(plan: Plan, there: Iterable[str] = ()) -> dict[str, Any]:
    """The trust policies after the plan, checked as IAM does at each step: every principal has to exist."""
    existing = {ARN.format(key) for key in there}
    trust: dict[str, Any] = {}
    made: list[Address] = []
    for number, change in enumerate(plan.changes):
        later = {
            later_change.address
            for later_change in plan.changes[number + 1 :]
            if later_change.action is Action.CREATE
        }
        assert not change.needs & later, f"{told(change)} needs what comes later"
        own = [
            earlier_change
            for earlier_change in plan.changes[:number]
            if earlier_change.address == change.address
        ]
        assert all(earlier_change.phase < change.phase for earlier_change in own), (
            f"{told(change)} does not wait for its role"
        )
        for call in calls_of(change):
            arn = f"arn:aws:iam::{ME.account_id}:role/provisioner/env/{call.params['RoleName']}"
            if call.operation in ("CreateRole", "UpdateAssumeRolePolicy"):
                name = "AssumeRolePolicyDocument" if call.operation == "CreateRole" else "PolicyDocument"
                trust[arn] = json.loads(call.params[name])
                for named in _named(trust[arn]):
                    assert named in existing or not named.startswith("arn:aws:iam::123456789012:role/"), named
                    created = [role for role in made if named == ARN.format(role.key)]
                    assert set(created) <= change.needs, f"{told(change)} does not wait for {named}"
                existing.add(arn)
        if change.action is Action.CREATE:
            made.append(change.address)
    return trust


def _named(document: Mapping[str, Any]) -> list[str]:
    named: list[str] = []
    with_principals(document, lambda value: named.append(value) or value)  # type: ignore[func-returns-value]
    return named


# What each role trusts, and the plan from nothing.
FROM_NOTHING: dict[str, tuple[dict[str, Sequence[str]], list[str]]] = {
    "no role": ({"a": ()}, ["create a"]),
    "one behind the other": ({"a": "b", "b": ()}, ["create b", "create a"]),
    "a chain against the alphabet": (
        {"a": "b", "b": "c", "c": "d", "d": ()},
        ["create d", "create c", "create b", "create a"],
    ),
    "several": ({"a": "bc", "b": (), "c": "b"}, ["create b", "create c", "create a"]),
    "itself": ({"a": "a"}, ["create a", "update a"]),
    "each other": ({"a": "b", "b": "a"}, ["create a", "create b", "update a", "update b"]),
    "three in a circle": (
        {"a": "b", "b": "c", "c": "a"},
        ["create a", "create b", "create c", "update a", "update b", "update c"],
    ),
    "one behind a circle": (
        {"a": "b", "b": "c", "c": "b"},
        ["create b", "create c", "create a", "update b", "update c"],
    ),
    "a circle behind one": (
        {"a": "b", "b": "ac", "c": ()},
        ["create a", "create b", "create c", "update a", "update b"],
    ),
    "a circle behind a circle": (
        {"a": "b", "b": "ac", "c": "d", "d": "c"},
        ["create a", "create b", "create c", "create d", "update a", "update b", "update c", "update d"],
    ),
    "itself and a chain": (
        {"a": "ab", "b": "c", "c": ()},
        ["create a", "create c", "create b", "update a"],
    ),
}


@pytest.mark.parametrize("case", FROM_NOTHING)
def test_a_role_is_made_after_those_that_it_trusts(case: str) -> None:
    trusted, lines = FROM_NOTHING[case]
    plan = planned(environment(roles=spec(trusted)), {})
    assert [f"{change.action} {change.address.key}" for change in plan.changes] == lines
    trust = carried_out(plan)
    for key, names in trusted.items():
        assert trust[ARN.format(key)] == (trusting(*names) if names else TRUST)


def test_a_circle_of_many_is_made() -> None:
    keys = [f"r{number}" for number in range(120)]
    roles = {
        key: {"trust": trusting(ARN.format(after))}
        for key, after in zip(keys, keys[1:] + keys[:1], strict=True)
    }
    plan = planned(environment(roles=roles), {})
    assert len(plan.changes) == 240
    assert len(carried_out(plan)) == 120


def test_nobody_is_let_in_before_the_wanted_trust_is_set() -> None:
    create, update = planned(environment(roles=spec({"a": "a"})), {}).changes
    (call,) = calls_of(create)
    assert json.loads(call.params["AssumeRolePolicyDocument"]) == CLOSED
    (statement,) = CLOSED["Statement"]
    assert statement["Effect"] == "Deny"
    assert [(field.path, field.before) for field in update.fields] == [("trust", CLOSED)]
    assert "role/a" in update.reason


# A principal of role a of the spec, or not.
SPELLINGS: dict[str, tuple[Any, bool]] = {
    "its ARN": (trusting("b"), True),
    "its ARN among others": (trusting("123456789012", ARN.format("b"), OTHER_ACCOUNT), True),
    "in the second of two statements": (
        {"Version": "2012-10-17", "Statement": [*TRUST["Statement"], *trusting("b")["Statement"]]},
        True,
    ),
    "in a statement that is no list": ({**trusting("b"), "Statement": trusting("b")["Statement"][0]}, True),
    "in a denial": (trusting("b", Effect="Deny"), True),
    "its name in another case": (trusting(ARN.format("B")), True),
    "a session of it": (trusting("arn:aws:sts::123456789012:assumed-role/env-b/deploy"), True),
    "the account by its id": (trusting("123456789012"), False),
    "the account by its root": (trusting("arn:aws:iam::123456789012:root"), False),
    "everybody": (trusting(Principal="*"), False),
    "a role of that name in another account": (trusting(OTHER_ACCOUNT.replace("env-a", "env-b")), False),
    "a user of that name": (trusting("arn:aws:iam::123456789012:user/provisioner/env/env-b"), False),
    "a role at another path": (trusting("arn:aws:iam::123456789012:role/env-b-other"), False),
    "in a condition only": (
        trusting("123456789012", Condition={"ArnEquals": {"aws:PrincipalArn": ARN.format("b")}}),
        False,
    ),
}


@pytest.mark.parametrize("case", SPELLINGS)
def test_who_is_a_role_of_the_spec(case: str) -> None:
    trust, is_role = SPELLINGS[case]
    plan = planned(environment(roles={"a": {"trust": trust}, "b": {}}), {})
    assert not plan.refusals
    order = [change.address.key for change in plan.changes]
    assert order == (["b", "a"] if is_role else ["a", "b"])
    assert (address("b") in plan.changes[order.index("a")].needs) == is_role


# The roles that are there with what IAM shows as their trust, and the plan.
THERE: dict[str, tuple[dict[str, Sequence[str]], dict[str, Any], list[str]]] = {
    "as it should be": ({"a": "b", "b": ()}, {"a": trusting("b"), "b": TRUST}, []),
    "a circle as it should be": ({"a": "b", "b": "a"}, {"a": trusting("b"), "b": trusting("a")}, []),
    "killed before the trust of a circle was set": (
        {"a": "b", "b": "a"},
        {"a": CLOSED, "b": CLOSED},
        ["update a", "update b"],
    ),
    "killed within a circle": ({"a": "b", "b": "a"}, {"a": CLOSED}, ["create b", "update a"]),
    "a new one is trusted": ({"a": "b", "b": ()}, {"a": TRUST}, ["create b", "update a"]),
    "one that is deleted shows its id": (
        {"a": "b", "b": ()},
        {"a": trusting("AROAEXAMPLEOFTHEFORMER"), "b": TRUST},
        ["update a"],
    ),
    "one that was deleted is made again": (
        {"a": "b", "b": ()},
        {"a": trusting("AROAEXAMPLEOFTHEFORMER")},
        ["create b", "update a"],
    ),
    "one that was deleted is made again, and IAM does not show that it was": (
        {"a": "b", "b": ()},
        {"a": trusting("b")},
        ["create b", "update a"],
    ),
    "one of a circle is made again": (
        {"a": "b", "b": "a"},
        {"a": trusting("AROAEXAMPLEOFTHEFORMER")},
        ["create b", "update a"],
    ),
}


@pytest.mark.parametrize("case", THERE)
def test_the_trust_of_roles_that_are_there_is_put_right(case: str) -> None:
    trusted, there, lines = THERE[case]
    observed = {
        address(key): observed_role(name=f"env-{key}", arn=ARN.format(key), trust=trust)
        for key, trust in there.items()
    }
    plan = planned(environment(roles=spec(trusted)), observed)
    assert [f"{change.action} {change.address.key}" for change in plan.changes] == lines
    carried_out(plan, there)


def test_a_role_that_left_the_spec_goes_after_those_that_trusted_it() -> None:
    observed = {
        address("a"): observed_role(name="env-a", arn=ARN.format("a"), trust=trusting("b")),
        address("b"): observed_role(name="env-b", arn=ARN.format("b")),
    }
    update, delete = planned(environment(roles={"a": {}}), observed).changes
    assert (told(update), told(delete)) == ("update role/a trust", "delete role/b")
    assert delete.needs == {address("a")}


REFUSED: dict[str, tuple[str, str, str]] = {
    "deleted by the plan": (ARN.format("old"), "no longer in the spec", "keep that role in the spec"),
    "not there": (ARN.format("bb"), "there is no role", f"did you mean {ARN.format('b')}"),
    "without its path": ("arn:aws:iam::123456789012:role/env-b", "has a path", f"write {ARN.format('b')}"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_principal_that_iam_would_not_find_is_refused(case: str) -> None:
    arn, message, hint = REFUSED[case]
    observed = {address("old"): observed_role(name="env-old", arn=ARN.format("old"))}
    plan = planned(environment(roles={"a": {"trust": trusting(arn)}, "b": {}}), observed)
    (refusal,) = plan.refusals
    assert arn in refusal.message
    assert message in refusal.message
    assert hint in refusal.hint
    assert refusal.address == address("a")


def test_a_role_that_is_there_in_another_case_is_named_as_it_is() -> None:
    observed = {address("b"): observed_role(name="ENV-b", arn=ARN.replace("env-{}", "ENV-b"))}
    desired = environment(
        roles={"a": {"trust": trusting("b")}, "b": {"tags": {"x": "y"}, "description": "d"}}
    )
    changes = planned(desired, observed).changes
    assert [told(change).split(" trust")[0] for change in changes] == [
        "create role/a",
        "update role/b description tags.x",
    ]
    (create,) = calls_of(changes[0])
    assert "role/provisioner/env/ENV-b" in create.params["AssumeRolePolicyDocument"]
    assert {call.params["RoleName"] for call in calls_of(changes[1])} == {"ENV-b"}
    there = {
        **observed,
        address("a"): observed_role(name="env-a", trust=trusting(ARN.replace("env-{}", "ENV-b"))),
    }
    assert [told(change) for change in planned(desired, there).changes] == [
        "update role/b description tags.x"
    ]
