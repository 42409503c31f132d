"""Roles that trust each other, applied to an AWS that takes no principal that does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from local_aws import Rule
from tests.support.cloud import ACCOUNT, Cloud
from tests.support.program import Program
from tests.support.specs import ROLES_ONLY, having

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

ARN = f"arn:aws:iam::{ACCOUNT}:role/provisioner/probe/probe-"


def trusting(*keys: str) -> dict[str, Any]:
    principal = {"AWS": [ARN + key for key in keys], "Service": "ec2.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def spec(**roles: Sequence[str]) -> dict[str, Any]:
    """Roles with the keys of those that each trusts, and a profile with the first."""
    first = next(iter(roles))
    return having(
        ROLES_ONLY,
        roles={key: {"trust": trusting(*keys)} if keys else {} for key, keys in roles.items()},
        instance_profiles={first: {"role": first}},
    )


CASES: dict[str, dict[str, Sequence[str]]] = {
    "a chain": {"a": "b", "b": "c", "c": "d", "d": ()},
    "itself": {"a": "a"},
    "each other": {"a": "b", "b": "a"},
    "a circle, and one behind it": {"a": "b", "b": "c", "c": "d", "d": "b"},
}


@pytest.mark.parametrize("case", CASES)
def test_roles_are_made_from_nothing_and_destroyed(case: str, program: Program, cloud: Cloud) -> None:
    wanted = spec(**CASES[case])
    applied = program.apply(wanted)
    assert applied.code == 0, applied.said
    assert program.plan(wanted).told == set()
    for key, keys in CASES[case].items():
        statement = cloud.picture_of_role(f"probe-{key}")["Trust"]["Statement"][0]
        named = statement["Principal"].get("AWS", [])
        assert sorted([named] if isinstance(named, str) else named) == [ARN + name for name in keys]
    assert program.destroy(wanted).code == 0
    assert cloud.roles() == []


def test_a_circle_whose_making_was_denied_half_way_is_finished(program: Program, cloud: Cloud) -> None:
    wanted = spec(a="b", b="a")
    cloud.break_with(Rule("error", "UpdateAssumeRolePolicy", code="AccessDenied", status=403))
    assert program.apply(wanted).code == 1
    cloud.mend()
    assert program.apply(wanted).code == 0
    assert program.plan(wanted).told == set()


def test_a_trusted_role_that_was_made_again_by_hand_is_trusted_again(program: Program, cloud: Cloud) -> None:
    wanted = spec(a="b", b=())
    assert program.apply(wanted).code == 0
    cloud.iam.delete_role(RoleName="probe-b")
    assert program.plan(wanted).told >= {("role/a", "update", "trust")}
    assert program.apply(wanted).code == 0
    assert program.plan(wanted).told == set()
