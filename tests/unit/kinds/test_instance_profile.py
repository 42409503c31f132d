"""Instance profiles: what the spec says, what IAM has, and the changes between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from provisioner.kinds.attachment.observed import ObservedAttachment
from provisioner.kinds.instance_profile.role_swap import Exchange
from provisioner.kinds.instances import Instance
from provisioner.model import Address, Call, Parallel, Step, Whole
from provisioner.naming import ATTACHED_TAG, ENVIRONMENT_TAG, REGION_TAG
from tests.support.build import (
    OURS,
    PROFILE,
    PROFILE_ARN,
    ROLE,
    calls,
    environment,
    found_profile,
    observed_role,
    planned,
    told,
)

SECTIONS = {"roles": {"web": {}, "other": {}}, "instance_profiles": {"web": {"role": "web"}}}
ROLES = {ROLE: observed_role(), Address("role", "other"): observed_role(name="env-other")}

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
        {"tags": {REGION_TAG: "us-east-1"}},
        [f"update instance_profile/web tags.{ENVIRONMENT_TAG}"],
        ["TagInstanceProfile"],
    ),
    "a tag in another case, which is another tag here": (
        {"tags": {**OURS, "Team": "a"}},
        ["update instance_profile/web tags.Team"],
        ["UntagInstanceProfile"],
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


KEPT: dict[str, tuple[dict[str, Any], str]] = {
    "an instance of others uses it": (
        {"foreign_users": ("i-1",)},
        "i-1, not of this environment, still uses it",
    ),
    "several do": ({"foreign_users": ("i-1", "i-2")}, "i-1, i-2, not of this environment, still use it"),
    "it is not tagged as ours": ({"tags": {}}, f"lacks the tag {ENVIRONMENT_TAG}"),
}


@pytest.mark.parametrize("case", KEPT)
@pytest.mark.parametrize("destroying", [True, False])
def test_a_profile_is_kept_and_its_role_with_it(case: str, destroying: bool) -> None:
    differing, why = KEPT[case]
    other = Address("role", "other")
    roles = {
        ROLE: observed_role(profiles={"env-web": "/provisioner/env/"}),
        other: observed_role(name="env-other"),
    }
    plan = planned(environment(), {**roles, PROFILE: found_profile(**differing)}, destroying)
    assert not plan.refusals
    deferred = {str(change.address): change.deferred for change in plan.changes}
    assert why in (deferred["instance_profile/web"] or "")
    assert deferred["role/web"] == "it is in instance profile env-web, which stays"
    assert deferred["role/other"] is None
    assert [calls(change) for change in plan.changes if change.deferred] == [[], []]


def test_a_name_that_is_taken_is_refused() -> None:
    sections = {"roles": {"web": {}}, "instance_profiles": {"web": {"role": "web"}}}
    plan = planned(environment(**sections), {ROLE: observed_role(), PROFILE: found_profile(path="/")})
    assert not plan.changes
    assert [refusal.exit_code for refusal in plan.refusals] == [1]


def test_names_that_are_there_in_another_case_are_used_as_they_are() -> None:
    sections = {
        "roles": {"web": {}},
        "instance_profiles": {"web": {"role": "web"}},
        "attachments": {"box": {"instance_profile": "web", "instances": ["i-0123456789abcdef0"]}},
    }
    arn = PROFILE_ARN.replace("env-web", "ENV-Web")
    observed: dict[Address, Any] = {
        ROLE: observed_role(name="Env-WEB"),
        PROFILE: found_profile(name="ENV-Web", arn=arn, roles=()),
    }
    box = Address("attachment", "box")
    instance = Instance("i-0123456789abcdef0", "running", "us-east-1a", "t3.micro", "ami-1", "", tags={})
    plan = planned(environment(**sections), {**observed, box: ObservedAttachment(chosen=(instance,))})
    sent = [call.params for change in plan.changes for call in every_call(change.steps)]
    names = {value for params in sent for key, value in params.items() if key.endswith("Name")}
    assert names == {"Env-WEB", "ENV-Web"}
    assert [params["IamInstanceProfile"] for params in sent if "IamInstanceProfile" in params] == [
        {"Name": "ENV-Web"}
    ]


def every_call(steps: Iterable[Step]) -> Iterator[Call]:
    for step in steps:
        if isinstance(step, (Parallel, Whole)):
            yield from every_call(step.steps)
        elif isinstance(step, Exchange):
            yield from step.foretold()
        elif isinstance(step, Call):
            yield step
