"""Roles: what the spec says, what IAM has, and the changes between them."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.kinds.role.seen import SeenRole
from provisioner.model import Action
from provisioner.naming import ENVIRONMENT_TAG
from tests.kinds.build import (
    OURS,
    PROFILE,
    ROLE,
    S3,
    TRUST,
    calls,
    environment,
    found_profile,
    planned,
    seen_role,
    told,
)

PATH = "/provisioner/env/"
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
READ_OTHERWISE = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": ["S3:get*"], "Resource": "*"},
}
LAMBDA_TOO = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}
FOREIGN = "arn:aws:iam::123456789012:policy/by-hand"

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str], list[str]]] = {
    "as it should be": ({}, {}, [], []),
    "the same policy written otherwise": (
        {"inline_policies": {"read": READ}},
        {"inline_policies": {"read": READ_OTHERWISE}},
        [],
        [],
    ),
    "trust edited": ({}, {"trust": LAMBDA_TOO}, ["trust"], ["UpdateAssumeRolePolicy"]),
    "description": ({"description": "new"}, {}, ["description"], ["UpdateRole"]),
    "session duration": (
        {"max_session_duration": 7200},
        {},
        ["max_session_duration"],
        ["UpdateRole"],
    ),
    "policy detached": (
        {"managed_policies": ["AmazonS3FullAccess"]},
        {},
        ["managed_policies"],
        ["AttachRolePolicy"],
    ),
    "foreign policy attached": (
        {"managed_policies": ["AmazonS3FullAccess"]},
        {"managed_policies": frozenset({S3, FOREIGN})},
        ["managed_policies"],
        ["DetachRolePolicy"],
    ),
    "policy given by ARN": (
        {"managed_policies": [S3]},
        {"managed_policies": frozenset({S3})},
        [],
        [],
    ),
    "inline policy added by hand": (
        {},
        {"inline_policies": {"read": READ}},
        ["inline_policies.read"],
        ["DeleteRolePolicy"],
    ),
    "inline policy wanted": (
        {"inline_policies": {"read": READ}},
        {},
        ["inline_policies.read"],
        ["PutRolePolicy"],
    ),
    "boundary wanted": (
        {"permissions_boundary": "PowerUserAccess"},
        {},
        ["permissions_boundary"],
        ["PutRolePermissionsBoundary"],
    ),
    "boundary set by hand": (
        {},
        {"permissions_boundary": S3},
        ["permissions_boundary"],
        ["DeleteRolePermissionsBoundary"],
    ),
    "tag wanted": ({"tags": {"a": "b"}}, {}, ["tags.a"], ["TagRole"]),
    "tag changed": ({"tags": {"a": "b"}}, {"tags": {**OURS, "a": "c"}}, ["tags.a"], ["TagRole"]),
    "tag added by hand": ({}, {"tags": {**OURS, "a": "c"}}, ["tags.a"], ["UntagRole"]),
    "ownership tag removed": ({}, {"tags": {}}, [f"tags.{ENVIRONMENT_TAG}"], ["TagRole"]),
    "AWS's own tag": ({}, {"tags": {**OURS, "aws:x": "y"}}, [], []),
    "ignored tag": ({}, {"tags": {**OURS, "CostCenter": "7"}}, [], []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_role_is_corrected_in_every_field(case: str) -> None:
    wanted, differing, fields, operations = CASES[case]
    desired = environment(ignore_tags=["CostCenter"], roles={"web": wanted})
    plan = planned(desired, {ROLE: seen_role(**differing)})
    assert [field.path for change in plan.changes for field in change.fields] == fields
    assert [operation for change in plan.changes for operation in calls(change)] == operations
    assert all(change.action is Action.UPDATE for change in plan.changes)


def test_a_role_is_made_with_all_that_is_on_it() -> None:
    wanted = {
        "description": "serves",
        "managed_policies": ["AmazonS3FullAccess"],
        "inline_policies": {"read": READ},
        "permissions_boundary": "PowerUserAccess",
    }
    (change,) = planned(environment(roles={"web": wanted}), {}).changes
    assert told(change) == (
        "create role/web trust description managed_policies inline_policies.read permissions_boundary "
        "max_session_duration"
    )
    assert calls(change) == ["CreateRole", "AttachRolePolicy", "PutRolePolicy"]


def test_update_role_always_sends_description_and_duration_together() -> None:
    desired = environment(roles={"web": {"description": "new", "max_session_duration": 7200}})
    (change,) = planned(desired, {ROLE: seen_role(max_session_duration=7200)}).changes
    (step,) = change.steps
    assert step.params == {  # type: ignore[attr-defined]
        "RoleName": "env-web",
        "Description": "new",
        "MaxSessionDuration": 7200,
    }


@pytest.mark.parametrize(("attached", "first"), [(1, "AttachRolePolicy"), (10, "DetachRolePolicy")])
def test_attaching_comes_first_unless_the_quota_forbids_it(attached: int, first: str) -> None:
    by_hand = frozenset(f"arn:aws:iam::123456789012:policy/p{number}" for number in range(attached))
    desired = environment(roles={"web": {"managed_policies": ["AmazonS3FullAccess"]}})
    (change,) = planned(desired, {ROLE: seen_role(managed_policies=by_hand)}).changes
    assert change.calls[0].operation == first


def test_another_path_is_a_replacement_that_is_left_undone() -> None:
    (change,) = planned(environment(roles={"web": {"path": "batch/"}}), {ROLE: seen_role()}).changes
    assert told(change) == "replace role/web path"
    assert change.deferred
    assert not change.steps


def test_a_role_that_left_the_spec_is_deleted_in_the_order_that_iam_wants() -> None:
    seen = seen_role(managed_policies=frozenset({S3}), inline_policies={"read": READ})
    (change,) = planned(environment(), {ROLE: seen}).changes
    assert told(change) == "delete role/web"
    assert calls(change) == ["DetachRolePolicy", "DeleteRolePolicy", "DeleteRole"]


@pytest.mark.parametrize(
    ("differing", "whose"),
    [
        ({"path": "/"}, "it is not this environment's"),
        ({"path": "/provisioner/other/", "tags": {ENVIRONMENT_TAG: "other"}}, "environment other has it"),
        ({"tags": {ENVIRONMENT_TAG: "other"}}, "it is not this environment's"),
    ],
)
def test_a_name_that_is_taken_is_refused(differing: dict[str, Any], whose: str) -> None:
    plan = planned(environment(roles={"web": {}}), {ROLE: seen_role(**differing)})
    assert not plan.changes
    (refusal,) = plan.refusals
    assert whose in refusal.message
    assert refusal.exit_code == 1


def test_somebody_elses_role_is_left_alone_when_destroying() -> None:
    plan = planned(environment(roles={"web": {}}), {ROLE: seen_role(path="/")}, destroying=True)
    assert not plan.changes
    assert not plan.refusals


def test_a_role_without_our_tag_is_not_deleted() -> None:
    plan = planned(environment(), {ROLE: seen_role(tags={})})
    assert not plan.changes
    assert [refusal.exit_code for refusal in plan.refusals] == [4]


def test_a_role_in_somebody_elses_profile_is_not_deleted() -> None:
    plan = planned(environment(), {ROLE: seen_role(profiles={"theirs": "/"})})
    assert not plan.changes
    assert "theirs" in plan.refusals[0].message


def test_a_role_in_our_own_profile_is_deleted_after_the_profile() -> None:
    plan = planned(
        environment(),
        {ROLE: seen_role(profiles={"env-web": PATH}), PROFILE: found_profile()},
        destroying=True,
    )
    assert [told(change) for change in plan.changes] == ["delete instance_profile/web", "delete role/web"]
    assert plan.changes[1].needs == {PROFILE}


def test_a_role_in_a_profile_of_ours_that_is_gone_already_is_deleted() -> None:
    plan = planned(environment(), {ROLE: seen_role(profiles={"env-web": PATH})}, destroying=True)
    assert [told(change) for change in plan.changes] == ["delete role/web"]


def test_a_role_in_a_profile_under_our_path_that_is_tagged_as_somebody_elses_is_not_deleted() -> None:
    theirs = found_profile(tags={ENVIRONMENT_TAG: "theirs"})
    plan = planned(
        environment(), {ROLE: seen_role(profiles={"env-web": PATH}), PROFILE: theirs}, destroying=True
    )
    assert "env-web" in plan.refusals[0].message


def test_a_policy_that_does_not_exist_is_refused_before_anything_is_made() -> None:
    desired = environment(roles={"web": {"managed_policies": ["AmazonS3FullAcess"]}})
    plan = planned(
        desired, {ROLE: SeenRole(None, {"arn:aws:iam::aws:policy/AmazonS3FullAcess": "did you mean"})}
    )
    assert not plan.changes
    assert "AmazonS3FullAcess" in plan.refusals[0].message


def test_the_trust_of_a_service_needs_no_policy() -> None:
    desired = environment(roles={"web": {"trust": "ec2.amazonaws.com"}, "other": {"trust": TRUST}})
    assert desired.resources[ROLE].trust == TRUST  # type: ignore[attr-defined]
