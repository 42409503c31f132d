"""Managed policies of roles: which one a name is, what IAM would refuse of them, and how many tags fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from provisioner.errors import AwsError
from provisioner.kinds.role.observed import ObservedRole
from provisioner.kinds.role.policies import look_closer_at_policies
from provisioner.model import Address, Call, Identity, Observed
from tests.support.build import (
    OURS,
    PROFILE,
    ROLE,
    TRUST,
    calls,
    environment,
    found_profile,
    found_role,
    observed_role,
    planned,
    told,
    world,
)

ACCOUNT = "123456789012"
MINE = f"arn:aws:iam::{ACCOUNT}:policy/team/my-policy"
LOOKS_ALIKE = f"arn:aws:iam::{ACCOUNT}:policy/ReadOnlyAccess"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
SUPPORT = "arn:aws:iam::aws:policy/aws-service-role/AWSSupportServiceRolePolicy"
OF_AWS = (READ_ONLY, "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", SUPPORT)
OF_ACCOUNT = (MINE, LOOKS_ALIKE)
DENIED = AwsError("iam", "any", "AccessDenied", "you may not")


class Iam:
    """IAM with a few policies, which writes down what it is asked."""

    def __init__(self, denied: str = "", quotas: Mapping[str, int] | None = None) -> None:
        self.denied = denied
        self.quotas = quotas or {}
        self.asked: list[str] = []

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.asked.append(operation)
        if operation == self.denied:
            raise DENIED
        if operation == "GetAccountSummary":
            return {"SummaryMap": self.quotas}
        if params["PolicyArn"] not in (*OF_AWS, *OF_ACCOUNT):
            raise AwsError("iam", operation, "NoSuchEntity", "there is none")
        return {}

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        self.asked.append(f"{operation} {params['Scope']}")
        if operation == self.denied:
            raise DENIED
        yield from ({"Arn": arn} for arn in (OF_AWS if params["Scope"] == "AWS" else OF_ACCOUNT))

    def now(self) -> datetime:
        return datetime.now(UTC)

    def identity(self) -> Identity:
        raise AssertionError("nobody asks here whose it is")

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def parallel(self, *reads: Callable[[], Any]) -> list[Any]:
        return [read() for read in reads]

    def in_region(self, region: str) -> Iam:
        raise AssertionError("IAM is the same in every region")


def looked(wanted: Mapping[str, Any], iam: Iam, **found: Any) -> tuple[Any, dict[Address, ObservedRole]]:
    """A spec with one role, and what is known of that role once it was looked at; `found`: as it is."""
    desired = environment(roles={"web": wanted})
    before = {ROLE: ObservedRole(found_role(**found)) if found else ObservedRole()}
    return desired, before | look_closer_at_policies(iam, world(desired, before))


# Situation: what the spec names, what the role has, the ARNs it is to have, and what IAM is asked.
NAMES: dict[str, tuple[list[str], list[str], list[str], list[str]]] = {
    "AWS's, which it has": (["ReadOnlyAccess"], [READ_ONLY], [READ_ONLY], []),
    "AWS's, to be attached": (["ReadOnlyAccess"], [], [READ_ONLY], ["GetPolicy"]),
    "an ARN, which it has": ([MINE], [MINE], [MINE], []),
    "the account's, to be attached": (["my-policy"], [], [MINE], ["GetPolicy", "ListPolicies Local"]),
    "the account's, with its path": (["team/my-policy"], [], [MINE], ["GetPolicy", "ListPolicies Local"]),
    "the account's, in other letters": (["My-Policy"], [], [MINE], ["GetPolicy", "ListPolicies Local"]),
    "the account's, which it has": (["my-policy"], [MINE], [MINE], ["GetPolicy"]),
    "AWS's, and it has one of the account that is called so": (
        ["ReadOnlyAccess"],
        [LOOKS_ALIKE],
        [READ_ONLY],
        ["GetPolicy"],
    ),
    "both": (["my-policy", "ReadOnlyAccess"], [MINE, READ_ONLY], [MINE, READ_ONLY], ["GetPolicy"]),
}


@pytest.mark.parametrize(("named", "has", "wanted", "asked"), NAMES.values(), ids=NAMES)
def test_a_name_is_of_awss_policy_or_else_of_the_accounts(
    named: list[str], has: list[str], wanted: list[str], asked: list[str]
) -> None:
    iam = Iam()
    desired, observed = looked({"managed_policies": named}, iam, managed_policies=frozenset(has))
    assert iam.asked == asked
    plan = planned(desired, observed)
    steps = [step for change in plan.changes for step in flat(change.steps)]
    attached = {step.params["PolicyArn"] for step in steps if step.operation == "AttachRolePolicy"}
    detached = {step.params["PolicyArn"] for step in steps if step.operation == "DetachRolePolicy"}
    assert plan.refusals == ()
    assert (set(has) | attached) - detached == set(wanted)


def test_a_boundary_may_be_the_accounts_own_by_name() -> None:
    desired, observed = looked({"permissions_boundary": "my-policy"}, Iam())
    (change,) = planned(desired, observed).changes
    (create,) = flat(change.steps)
    assert create.params["PermissionsBoundary"] == MINE


# What the spec names, and what is said of it.
UNKNOWN = {
    "AmazonS3Read": (
        "iam GetPolicy: there is no managed policy AmazonS3Read, neither of AWS nor of this account",
        "did you mean AmazonS3ReadOnlyAccess?",
    ),
    "my-polcy": (
        "iam GetPolicy: there is no managed policy my-polcy, neither of AWS nor of this account",
        "did you mean my-policy?",
    ),
    f"arn:aws:iam::{ACCOUNT}:policy/my-policy": (
        f"iam GetPolicy: there is no managed policy arn:aws:iam::{ACCOUNT}:policy/my-policy",
        f"did you mean {MINE}?",
    ),
    "AWSSupportServiceRolePolicy": (
        "iam GetPolicy: there is no managed policy AWSSupportServiceRolePolicy, "
        "neither of AWS nor of this account",
        "the policy of that name is for service-linked roles only, which AWS makes itself",
    ),
}


@pytest.mark.parametrize("written", UNKNOWN)
def test_a_policy_that_nobody_has_is_told_with_what_may_have_been_meant(written: str) -> None:
    (refusal,) = planned(*looked({"managed_policies": [written]}, Iam())).refusals
    assert (refusal.message, refusal.hint) == UNKNOWN[written]


@pytest.mark.parametrize("denied", ["GetPolicy", "ListPolicies"])
def test_nothing_is_claimed_where_one_may_not_look(denied: str) -> None:
    plan = planned(*looked({"managed_policies": ["ReadOnlyAccess"]}, Iam(denied)))
    assert plan.refusals == ()
    assert [told(change) for change in plan.changes] == ["create role/web trust managed_policies"]


def test_a_policy_of_another_account_is_refused() -> None:
    theirs = "arn:aws:iam::210987654321:policy/theirs"
    desired = environment(roles={"web": {"managed_policies": [theirs], "permissions_boundary": theirs}})
    (refusal,) = planned(desired, {}).refusals
    assert "is a policy of another account than this, 123456789012" in refusal.message


MANY = [f"arn:aws:iam::aws:policy/P{number}" for number in range(12)]
LONG_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": [f"service-{number}.amazonaws.com" for number in range(80)]},
            "Action": "sts:AssumeRole",
        }
    ],
}
TOO_MANY = "iam AttachRolePolicy: 12 managed policies, and this account attaches 10 to a role"
TOO_LONG = "iam CreateRole: the trust policy has 2259 characters, and this account takes 2048"
USUAL = {"AttachedPoliciesPerRoleQuota": 10, "AssumeRolePolicySizeQuota": 2048}
GRANTED = {"AttachedPoliciesPerRoleQuota": 20, "AssumeRolePolicySizeQuota": 8192}

# Situation: the spec, what the role has if it is there, quotas (None: they may not be read), what is refused.
QUOTAS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, int] | None, list[str]]] = {
    "many policies": ({"managed_policies": MANY}, {}, USUAL, [TOO_MANY]),
    "many policies, which were granted": ({"managed_policies": MANY}, {}, GRANTED, []),
    "many policies, and nobody knows": ({"managed_policies": MANY}, {}, None, []),
    "many policies, which it has": (
        {"managed_policies": MANY},
        {"managed_policies": frozenset(MANY)},
        {},
        [],
    ),
    "ten policies": ({"managed_policies": MANY[:10]}, {}, {}, []),
    "a long trust policy": ({"trust": LONG_TRUST}, {}, USUAL, [TOO_LONG]),
    "a long trust policy, which was granted": ({"trust": LONG_TRUST}, {}, GRANTED, []),
    "a long trust policy, which it has": ({"trust": LONG_TRUST}, {"trust": LONG_TRUST}, {}, []),
    "a long trust policy in place of another": ({"trust": LONG_TRUST}, {"trust": TRUST}, USUAL, [TOO_LONG]),
}


@pytest.mark.parametrize(("wanted", "has", "quotas", "refused"), QUOTAS.values(), ids=QUOTAS)
def test_quotas_are_asked_for_where_they_may_be_exceeded(
    wanted: dict[str, Any], has: dict[str, Any], quotas: dict[str, int] | None, refused: list[str]
) -> None:
    iam = Iam("GetAccountSummary" if quotas is None else "", quotas)
    desired, observed = looked(wanted, iam, **has)
    known: dict[Address, Observed] = {at: replace(resource, unknown={}) for at, resource in observed.items()}
    assert ("GetAccountSummary" in iam.asked) is (quotas is None or bool(quotas))
    assert [refusal.message for refusal in planned(desired, known).refusals] == refused


THEIRS = {f"theirs:{number}": "x" for number in range(45)}


@pytest.mark.parametrize(
    ("has", "refused"),
    [
        (THEIRS, True),
        ({f"aws:{number}": "x" for number in range(45)}, False),
        (dict(list(THEIRS.items())[:40]), False),
    ],
)
def test_tags_of_others_that_stay_count(has: dict[str, str], refused: bool) -> None:
    tags = {f"mine{number}": "x" for number in range(5)}
    desired = environment(
        ignore_tags=["theirs:*"],
        roles={"web": {"tags": tags}},
        instance_profiles={"web": {"role": "web", "tags": tags}},
    )
    observed: dict[Address, Observed] = {
        ROLE: observed_role(tags=OURS | has),
        PROFILE: found_profile(tags=OURS | has),
    }
    plan = planned(desired, observed)
    assert [str(refusal.address) for refusal in plan.refusals] == (
        ["role/web", "instance_profile/web"] if refused else []
    )
    if refused:
        assert plan.refusals[0].message.startswith("5")
        assert "45 of them of others and ignored; AWS takes 50" in plan.refusals[0].message


def test_old_tags_go_first_where_there_is_no_room_for_both() -> None:
    desired = environment(roles={"web": {"tags": {f"new{number}": "x" for number in range(30)}}})
    old = {f"old{number}": "x" for number in range(30)}
    (change,) = planned(desired, {ROLE: observed_role(tags=OURS | old)}).changes
    assert calls(change) == ["UntagRole", "TagRole"]
    (change,) = planned(desired, {ROLE: observed_role(tags=OURS | {"old": "x"})}).changes
    assert calls(change) == ["TagRole", "UntagRole"]


def flat(steps: Any) -> list[Call]:
    """All calls of some steps."""
    return [call for step in steps for call in (flat(step.steps) if hasattr(step, "steps") else [step])]
