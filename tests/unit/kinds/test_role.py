"""Roles: what the spec says, what IAM has, and the changes between them."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from provisioner.iam_policy import documents
from provisioner.kinds.role.observed import ObservedRole, suggestion
from provisioner.kinds.role.spec import LARGEST_INLINE
from provisioner.model import Action, Address
from provisioner.naming import ENVIRONMENT_TAG, REGION_TAG
from tests.support.build import (
    OURS,
    PROFILE,
    ROLE,
    S3,
    TRUST,
    calls,
    environment,
    found_profile,
    observed_role,
    planned,
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

HERE = {REGION_TAG: "us-east-1"}

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
    "ownership tag removed": (
        {},
        {"tags": {REGION_TAG: "us-east-1"}},
        [f"tags.{ENVIRONMENT_TAG}"],
        ["TagRole"],
    ),
    "tag in another case": (
        {"tags": {"team": "a"}},
        {"tags": {**OURS, "Team": "a"}},
        ["tags.Team", "tags.team"],
        ["TagRole"],
    ),
    "tag in another case with another value": (
        {"tags": {"team": "b"}},
        {"tags": {**OURS, "TEAM": "a"}},
        ["tags.TEAM", "tags.team"],
        ["TagRole"],
    ),
    "tag in another case, and one too many": (
        {"tags": {"team": "a"}},
        {"tags": {**OURS, "Team": "a", "stage": "dev"}},
        ["tags.Team", "tags.stage", "tags.team"],
        ["TagRole", "UntagRole"],
    ),
    "AWS's own tag": ({}, {"tags": {**OURS, "aws:x": "y"}}, [], []),
    "ignored tag": ({}, {"tags": {**OURS, "CostCenter": "7"}}, [], []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_role_is_corrected_in_every_field(case: str) -> None:
    wanted, differing, fields, operations = CASES[case]
    desired = environment(ignore_tags=["CostCenter"], roles={"web": wanted})
    plan = planned(desired, {ROLE: observed_role(**differing)})
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
        "create role/web trust description managed_policies inline_policies.read permissions_boundary"
    )
    assert {field.path: field.after for field in change.fields if field.is_default} == {
        "name": "env-web",
        "max_session_duration": 3600,
    }
    assert calls(change) == ["CreateRole", "AttachRolePolicy", "PutRolePolicy"]


def test_update_role_always_sends_description_and_duration_together() -> None:
    desired = environment(roles={"web": {"description": "new", "max_session_duration": 7200}})
    (change,) = planned(desired, {ROLE: observed_role(max_session_duration=7200)}).changes
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
    (change,) = planned(desired, {ROLE: observed_role(managed_policies=by_hand)}).changes
    assert change.calls[0].operation == first


def test_another_path_is_a_replacement_that_is_left_undone() -> None:
    (change,) = planned(environment(roles={"web": {"path": "batch/"}}), {ROLE: observed_role()}).changes
    assert told(change) == "replace role/web path"
    assert change.deferred
    assert not change.steps


def test_what_else_differs_of_a_role_at_another_path_is_corrected() -> None:
    desired = environment(roles={"web": {"path": "batch/", "description": "new", "tags": {"a": "b"}}})
    left, done = planned(desired, {ROLE: observed_role(inline_policies={"read": READ})}).changes
    assert (told(left), bool(left.deferred)) == ("replace role/web path", True)
    assert (told(done), done.deferred) == (
        "update role/web description inline_policies.read tags.a",
        None,
    )
    assert calls(done) == ["UpdateRole", "DeleteRolePolicy", "TagRole"]


def sized(characters: int) -> dict[str, Any]:
    """A policy of so many characters, as IAM counts them."""
    statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*", "Sid": ""}
    document: dict[str, Any] = {"Version": "2012-10-17", "Statement": [statement]}
    statement["Sid"] = "x" * (characters - documents.size(document))
    return document


def listed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same policy, four characters longer."""
    (statement,) = document["Statement"]
    longer = {"Action": [statement["Action"]], "Resource": [statement["Resource"]]}
    return {**document, "Statement": [{**statement, **longer}]}


def inline_calls(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The calls that make the one set of inline policies the other, carried out as IAM would.

    As operation and name; fails where IAM would refuse one, and where a policy that stays is absent.
    """
    desired = environment(roles={"web": {"inline_policies": after}})
    there = dict(before)
    made = []
    changes = planned(desired, {ROLE: observed_role(inline_policies=before)}).changes
    for step in (step for change in changes for step in change.steps):
        name = step.params["PolicyName"]  # type: ignore[attr-defined]
        made.append((step.operation.removesuffix("RolePolicy"), name))  # type: ignore[attr-defined]
        if made[-1][0] == "Put":
            there[name] = json.loads(step.params["PolicyDocument"])  # type: ignore[attr-defined]
            assert sum(map(documents.size, there.values())) <= LARGEST_INLINE, made
        else:
            del there[name]
        assert there.keys() >= before.keys() & after.keys()
    assert {name: documents.canonical(document) for name, document in there.items()} == {
        name: documents.canonical(document) for name, document in after.items()
    }
    return made


INLINE: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = {
    "a large one and a small one change places": (
        {"a": sized(200), "b": sized(10_000)},
        {"a": sized(10_000), "b": sized(200)},
        [("Put", "b"), ("Put", "a")],
    ),
    "one gets another name": (
        {"old": sized(5_000)},
        {"new": sized(5_000)},
        [("Put", "new"), ("Delete", "old")],
    ),
    "one gets another name, and there is no room for both": (
        {"old": sized(6_000)},
        {"new": sized(6_000)},
        [("Delete", "old"), ("Put", "new")],
    ),
    "a name in another case": (
        {"Read": READ},
        {"read": READ},
        [("Delete", "Read"), ("Put", "read")],
    ),
    "there is room only when what goes is gone and what shrinks is smaller": (
        {"a": sized(1_000), "b": sized(8_000), "c": sized(1_000)},
        {"a": sized(4_000), "b": sized(2_000), "d": sized(4_240)},
        [("Delete", "c"), ("Put", "b"), ("Put", "a"), ("Put", "d")],
    ),
    "there is room only when another is written as the spec has it": (
        {"a": sized(1_000), "b": listed(sized(9_000))},
        {"a": sized(1_240), "b": sized(9_000)},
        [("Put", "b"), ("Put", "a")],
    ),
    "another is written at greater length and there is room": (
        {"a": sized(1_000), "b": listed(sized(9_000))},
        {"a": sized(1_236), "b": sized(9_000)},
        [("Put", "a")],
    ),
}


@pytest.mark.parametrize("case", INLINE)
def test_inline_policies_are_put_in_an_order_that_fits_under_their_quota(case: str) -> None:
    before, after, made = INLINE[case]
    assert inline_calls(before, after) == made


def test_any_inline_policies_become_any_others_without_exceeding_their_quota() -> None:
    draw = random.Random(0)

    def policies() -> dict[str, Any]:
        names = draw.sample("abcdef", draw.randint(0, 6))
        sizes = {name: draw.choice([200, 1_000, 3_000, 5_000, 8_000]) for name in names}
        while sum(sizes.values()) > LARGEST_INLINE:
            sizes.popitem()
        grown = draw.choice(list(sizes)) if sizes else ""
        spare = LARGEST_INLINE - sum(sizes.values())
        return {name: sized(size + (spare if name == grown else 0)) for name, size in sizes.items()}

    for _ in range(100):
        inline_calls(policies(), policies())


def test_a_role_that_left_the_spec_is_deleted_in_the_order_that_iam_wants() -> None:
    observed = observed_role(managed_policies=frozenset({S3}), inline_policies={"read": READ})
    (change,) = planned(environment(), {ROLE: observed}).changes
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
    plan = planned(environment(roles={"web": {}}), {ROLE: observed_role(**differing)})
    assert not plan.changes
    (refusal,) = plan.refusals
    assert whose in refusal.message
    assert refusal.exit_code == 1


def test_somebody_elses_role_is_left_alone_when_destroying() -> None:
    plan = planned(environment(roles={"web": {}}), {ROLE: observed_role(path="/")}, destroying=True)
    assert not plan.changes
    assert not plan.refusals


def test_a_role_without_our_tag_is_not_deleted() -> None:
    (change,) = planned(environment(), {ROLE: observed_role(tags={})}).changes
    assert ENVIRONMENT_TAG in (change.deferred or "")
    assert not change.steps


def test_a_role_in_somebody_elses_profile_is_not_deleted() -> None:
    (change,) = planned(environment(), {ROLE: observed_role(profiles={"theirs": "/"})}).changes
    assert "theirs" in (change.deferred or "")
    assert not change.steps


def test_a_role_in_our_own_profile_is_deleted_after_the_profile() -> None:
    plan = planned(
        environment(),
        {ROLE: observed_role(profiles={"env-web": PATH}), PROFILE: found_profile()},
        destroying=True,
    )
    assert [told(change) for change in plan.changes] == ["delete instance_profile/web", "delete role/web"]
    assert plan.changes[1].needs == {PROFILE}


def test_a_role_in_a_profile_of_ours_that_is_gone_already_is_deleted() -> None:
    plan = planned(environment(), {ROLE: observed_role(profiles={"env-web": PATH})}, destroying=True)
    assert [told(change) for change in plan.changes] == ["delete role/web"]


def test_a_role_in_a_profile_under_our_path_that_is_tagged_as_somebody_elses_is_not_deleted() -> None:
    theirs = found_profile(tags={ENVIRONMENT_TAG: "theirs"})
    plan = planned(
        environment(), {ROLE: observed_role(profiles={"env-web": PATH}), PROFILE: theirs}, destroying=True
    )
    assert [("env-web" in (change.deferred or "")) for change in plan.changes] == [True]


def test_a_tag_that_was_set_is_not_removed_again() -> None:
    desired = environment(roles={"web": {"tags": {"team": "a"}}})
    observed = {ROLE: observed_role(tags={**OURS, "Team": "a", "stage": "dev"})}
    (change,) = planned(desired, observed).changes
    tag, untag = change.steps
    assert tag.params["Tags"] == [{"Key": "team", "Value": "a"}]  # type: ignore[attr-defined]
    assert untag.params["TagKeys"] == ["stage"]  # type: ignore[attr-defined]


def test_a_policy_that_does_not_exist_is_refused_before_anything_is_made() -> None:
    desired = environment(roles={"web": {"managed_policies": ["AmazonS3FullAcess"]}})
    plan = planned(
        desired, {ROLE: ObservedRole(None, {"arn:aws:iam::aws:policy/AmazonS3FullAcess": "did you mean"})}
    )
    assert not plan.changes
    assert "AmazonS3FullAcess" in plan.refusals[0].message


def test_a_policy_that_does_not_exist_is_told_once_with_all_that_name_it() -> None:
    desired = environment(roles={key: {"managed_policies": ["A", "B"]} for key in ("one", "two", "web")})
    unknown = {
        Address("role", key): ObservedRole(None, {"arn:A": "did you mean X?"}) for key in ("two", "web")
    }
    unknown[Address("role", "one")] = ObservedRole(None, {"arn:A": "did you mean X?", "arn:B": "see"})
    told_at = [
        (str(refusal.address), refusal.message, refusal.hint)
        for refusal in planned(desired, unknown).refusals
    ]
    assert told_at == [
        (
            "role/one",
            "iam GetPolicy: there is no managed policy arn:A; role/two, role/web too",
            "did you mean X?",
        ),
        ("role/one", "iam GetPolicy: there is no managed policy arn:B", "see"),
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("AmazonS3FullAcess", "AmazonS3FullAccess"),
        ("amazons3fullaccess", "AmazonS3FullAccess"),
        ("AmazonS3Read", "AmazonS3ReadOnlyAccess"),
        ("AmazonEC2RoleforSSM", "service-role/AmazonEC2RoleforSSM"),
        ("service-role/AmazonS3FullAccess", "AmazonS3FullAccess"),
        ("AmazonS3ReadOnly", "AmazonS3ReadOnlyAccess"),
        ("EC2RoleforSSM", "service-role/AmazonEC2RoleforSSM"),
        ("S3", "AmazonS3FullAccess or AmazonS3ReadOnlyAccess"),
    ],
)
def test_what_may_have_been_meant_by_a_policy(written: str, meant: str) -> None:
    paths = [
        *("AmazonLexReadOnly", "AmazonS3ReadOnlyAccess", "AmazonS3FullAccess", "Billing", "EC2RoleforSES"),
        "service-role/AmazonEC2RoleforSSM",
    ]
    names = {path: path.rsplit("/", 1)[-1] for path in paths}
    assert suggestion(written, names) == f"did you mean {meant}?"
    assert suggestion("Qwertz", names) == "see `aws iam list-policies` for the policies there are"


def test_the_trust_of_a_service_needs_no_policy() -> None:
    desired = environment(roles={"web": {"trust": "ec2.amazonaws.com"}, "other": {"trust": TRUST}})
    assert desired.resources[ROLE].trust == TRUST  # type: ignore[attr-defined]
