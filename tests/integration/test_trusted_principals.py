"""Whom a trust policy names has to exist, as far as the account's own roles and users can be looked for."""

from __future__ import annotations

from typing import Any

import pytest

import local_aws
from tests.support.cloud import ACCOUNT, Cloud
from tests.support.deployer import policies_of
from tests.support.program import Program
from tests.support.specs import ROLES_ONLY, having

OWN = f"arn:aws:iam::{ACCOUNT}"
OTHER = "arn:aws:iam::210987654321"
WAY_OUT = "make it, or correct the ARN; if it has just been made, plan again in a minute"


def trusting(*principals: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return having(ROLES_ONLY, roles={"worker": {"trust": document}}, instance_profiles={})


@pytest.fixture
def others(cloud: Cloud) -> None:
    """A role with a path and a user, who are nobody's here."""
    cloud.make_role("deploy", "/ci/")
    cloud.iam.create_user(UserName="ann")
    cloud.forget_calls()


# Whom the policy names: what is said of it, and who is looked for.
CASES: dict[str, tuple[str, str, str]] = {
    "a role of the account": (f"{OWN}:role/ci/deploy", "", "GetRole"),
    "a user of the account": (f"{OWN}:user/ann", "", "GetUser"),
    "no role": (f"{OWN}:role/nobody", f"there is no role {OWN}:role/nobody ({WAY_OUT})", "GetRole"),
    "no user": (f"{OWN}:user/bob", f"there is no user {OWN}:user/bob ({WAY_OUT})", "GetUser"),
    "a role without its path": (
        f"{OWN}:role/deploy",
        f"there is no role {OWN}:role/deploy (did you mean {OWN}:role/ci/deploy?)",
        "GetRole",
    ),
    "of another account": (f"{OTHER}:role/nobody", "", ""),
    "the account": (ACCOUNT, "", ""),
    "the account's root": (f"{OWN}:root", "", ""),
    "a session": (f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/ci", "", ""),
}


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(("principal", "said", "looked"), CASES.values(), ids=CASES)
@pytest.mark.sampled
def test_whom_a_trust_policy_names(
    principal: str, said: str, looked: str, program: Program, cloud: Cloud
) -> None:
    planned = program.plan(trusting(principal))
    refusals = [f"{one['message']} ({one['hint']})" for one in planned.data["refusals"]]
    assert refusals == ([f"trust: {said}"] if said else [])
    assert [name for name in cloud.operations() if name in ("GetRole", "GetUser")] == [looked] * bool(looked)


@pytest.mark.usefixtures("others")
def test_whom_a_role_trusts_is_not_looked_for_again(program: Program, cloud: Cloud) -> None:
    assert program.apply(trusting(f"{OWN}:user/ann")).code == 0
    cloud.forget_calls()
    assert program.plan(trusting(f"{OWN}:user/ann")).changes == []
    assert "GetUser" not in cloud.operations()


@pytest.mark.usefixtures("others")
def test_who_may_not_be_looked_for_is_told(program: Program, cloud: Cloud) -> None:
    cloud.break_with(local_aws.denied("GetUser"))
    planned = program.plan(trusting(f"{OWN}:user/ann"))
    assert [note["message"] for note in planned.data["notes"]] == [
        f"trust: whether {OWN}:user/ann exists was not checked: iam:GetUser: AccessDenied"
    ]
    assert planned.data["refusals"] == []


def test_the_right_to_look_for_them_is_printed(program: Program) -> None:
    spec = trusting(f"{OWN}:user/ann", f"{OWN}:role/ci/deploy", f"{OTHER}:user/ann")
    printed = [
        (statement["Action"], statement["Resource"])
        for policy in policies_of(program, spec, "plan")
        for statement in policy["Statement"]
        if statement["Sid"].startswith("FindTrusted")
    ]
    assert printed == [("iam:GetRole", f"{OWN}:role/ci/deploy"), ("iam:GetUser", f"{OWN}:user/ann")]
