"""Instance profiles: what the spec says, what IAM has, and the changes between them."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.model import Address
from provisioner.naming import ATTACHED_TAG, ENVIRONMENT_TAG
from tests.kinds.build import OURS, PROFILE, ROLE, calls, environment, found_profile, planned, seen_role, told

SECTIONS = {"roles": {"web": {}, "other": {}}, "instance_profiles": {"web": {"role": "web"}}}
ROLES = {ROLE: seen_role(), Address("role", "other"): seen_role(name="env-other")}

CASES: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "as it should be": ({}, [], []),
    "its role removed": (
        {"roles": (), "role_addresses": frozenset()},
        ["update instance_profile/web role"],
        ["AddRoleToInstanceProfile"],
    ),
    "another role put in": (
        {"roles": ("env-other",)},
        ["update instance_profile/web role"],
        ["RemoveRoleFromInstanceProfile", "AddRoleToInstanceProfile"],
    ),
    "a tag added by hand": (
        {"tags": {**OURS, "a": "b"}},
        ["update instance_profile/web tags.a"],
        ["UntagInstanceProfile"],
    ),
    "our tag removed": (
        {"tags": {}},
        [f"update instance_profile/web tags.{ENVIRONMENT_TAG}"],
        ["TagInstanceProfile"],
    ),
    "the mark of an attachment that is gone": ({"tags": {**OURS, ATTACHED_TAG: "yes"}}, [], []),
}


@pytest.mark.parametrize("case", CASES)
def test_an_instance_profile_is_corrected(case: str) -> None:
    differing, lines, operations = CASES[case]
    plan = planned(environment(**SECTIONS), {**ROLES, PROFILE: found_profile(**differing)})
    assert [told(change) for change in plan.changes] == lines
    assert [operation for change in plan.changes for operation in calls(change)] == operations


def test_a_profile_is_made_after_its_role_and_filled_with_it() -> None:
    sections = {"roles": {"web": {}}, "instance_profiles": {"web": {"role": "web"}}}
    role, profile = planned(environment(**sections), {}).changes
    assert told(role).startswith("create role/web")
    assert told(profile) == "create instance_profile/web role"
    assert calls(profile) == ["CreateInstanceProfile", "AddRoleToInstanceProfile"]
    assert profile.needs == {ROLE}


def test_a_profile_carries_a_mark_while_something_is_attached() -> None:
    sections = SECTIONS | {
        "attachments": {"box": {"instance_profile": "web", "select": {"tags": {"a": "b"}}}}
    }
    (change,) = planned(environment(**sections), {**ROLES, PROFILE: found_profile()}).changes
    assert told(change) == f"update instance_profile/web tags.{ATTACHED_TAG}"


def test_the_profile_of_another_role_is_changed_before_that_role_is_deleted() -> None:
    sections = {"roles": {"web": {}}, "instance_profiles": {"web": {"role": "web"}}}
    other = Address("role", "other")
    holding = found_profile(roles=("env-other",), role_addresses=frozenset({other}))
    plan = planned(environment(**sections), {**ROLES, PROFILE: holding})
    assert [told(change) for change in plan.changes] == [
        "update instance_profile/web role",
        "delete role/other",
    ]
    assert plan.changes[1].needs == {PROFILE}


def test_a_profile_that_left_the_spec_is_emptied_and_deleted() -> None:
    (change,) = planned(environment(), {PROFILE: found_profile()}).changes
    assert calls(change) == ["RemoveRoleFromInstanceProfile", "DeleteInstanceProfile"]


@pytest.mark.parametrize(
    ("differing", "exit_code"),
    [({"strangers": ("i-1",)}, 4), ({"tags": {}}, 4)],
    ids=["bound to somebody else's instance", "without our tag"],
)
def test_a_profile_is_not_deleted(differing: dict[str, Any], exit_code: int) -> None:
    plan = planned(environment(), {PROFILE: found_profile(**differing)})
    assert not plan.changes
    assert [refusal.exit_code for refusal in plan.refusals] == [exit_code]


def test_a_name_that_is_taken_is_refused() -> None:
    sections = {"roles": {"web": {}}, "instance_profiles": {"web": {"role": "web"}}}
    plan = planned(environment(**sections), {ROLE: seen_role(), PROFILE: found_profile(path="/")})
    assert not plan.changes
    assert [refusal.exit_code for refusal in plan.refusals] == [1]
