"""What differs from an approved plan is named: each change, and each of its fields."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from provisioner.model import Action, Call, Change, FieldChange, Plan, Rollout
from provisioner.render.as_json import plan_data
from provisioner.render.fields import fields_of
from provisioner.render.plan_difference import difference_text, differences
from tests.unit.render import render_examples as examples

ONE, TWO, THREE = examples.ids(3)
ROLE = examples.new_role()
PROFILE = examples.new_profile()
TAGS = Change(
    examples.FLEET,
    Action.UPDATE,
    "tags differ",
    (FieldChange("tags.team", "x", "data"),),
    (ONE, TWO),
    2,
    (Call("ec2", "CreateTags", {"Resources": [ONE, TWO]}),),
    names={ONE: "web-1"},
    rollout=Rollout("restart", ((ONE,), (TWO,)), 1, 2),
)


def told(approved: Plan, present: Plan, width: int = 200) -> str:
    return difference_text(plan_data(approved), plan_data(present), width).plain


def fields(approved: Change, present: Change) -> dict[str, tuple[Any, Any]]:
    """What one change that was approved otherwise differs in."""
    one, other = (plan_data(examples.plan(change)) for change in (approved, present))
    (found,) = differences(one, other)
    assert found.sign == "~"
    return {field.path: (field.before, field.after) for field in found.fields}


WAVES = {"order": "parked", "healthy": 1, "count": 2, "pause_on_failure": True}
OTHERWISE: dict[str, tuple[Change, dict[str, tuple[Any, Any]]]] = {
    "what AWS has": (
        replace(TAGS, fields=(FieldChange("tags.team", "y", "data"),)),
        {"tags.team in AWS": ("x", "y")},
    ),
    "what the spec says": (
        replace(TAGS, fields=(FieldChange("tags.team", "x", "other"),)),
        {"tags.team in the spec": ("data", "other")},
    ),
    "another field": (
        replace(TAGS, fields=(FieldChange("tags.owner", "x", None),)),
        {
            "tags.team in AWS": ("x", None),
            "tags.team in the spec": ("data", None),
            "tags.owner in AWS": (None, "x"),
        },
    ),
    "the members": (
        replace(TAGS, instances=(ONE, THREE)),
        {"instances": ([ONE, TWO], [ONE, THREE])},
    ),
    "how many": (replace(TAGS, size=3), {"how many": (2, 3)}),
    "how many, where the members tell it": (
        replace(TAGS, instances=(ONE, TWO, THREE), size=3, names={ONE: "web-1", THREE: "web-3"}),
        {"instances": ([ONE, TWO], [ONE, TWO, THREE])},
    ),
    "the waves, where the members tell them": (
        replace(TAGS, instances=(ONE, THREE), rollout=Rollout("restart", ((ONE,), (THREE,)), 1, 2)),
        {"instances": ([ONE, TWO], [ONE, THREE])},
    ),
    "the order of the waves as well": (
        replace(TAGS, instances=(ONE, THREE), rollout=Rollout("parked", ((ONE,), (THREE,)), 1, 2)),
        {"instances": ([ONE, TWO], [ONE, THREE]), "waves": (WAVES | {"order": "restart"}, WAVES)},
    ),
    "their names": (
        replace(TAGS, names={ONE: "web-2"}),
        {"names of instances": ({ONE: "web-1"}, {ONE: "web-2"})},
    ),
    "that apply leaves it": (replace(TAGS, deferred="in use"), {"deferred": (None, "in use")}),
    "which of the same name it is": (replace(TAGS, unique_id="AROA2"), {"unique id": (None, "AROA2")}),
    "that all of it goes": (replace(TAGS, whole=True), {"all that shows later too": (False, True)}),
    "how often it calls": (
        replace(TAGS, steps=TAGS.steps * 2),
        {"calls of CreateTags": (1, 2)},
    ),
    "what it calls with": (
        replace(TAGS, steps=(Call("ec2", "CreateTags", {"Resources": [ONE]}),)),
        {"calls of CreateTags": ("as approved", "with other parameters")},
    ),
    "another call": (
        replace(TAGS, steps=(*TAGS.steps, Call("ec2", "DeleteTags"))),
        {"calls of DeleteTags": (0, 1)},
    ),
}


@pytest.mark.parametrize(("present", "expected"), OTHERWISE.values(), ids=OTHERWISE)
def test_of_a_change_that_was_approved_otherwise(
    present: Change, expected: dict[str, tuple[Any, Any]]
) -> None:
    assert fields(TAGS, present) == expected


def test_the_count_is_told_once() -> None:
    three, four = (
        Change(
            examples.FLEET,
            Action.CREATE,
            "",
            (FieldChange("count", 0, number),),
            size=number,
            unit="instance",
        )
        for number in (3, 4)
    )
    assert fields(three, four) == {"count in the spec": (3, 4)}


def test_the_waves() -> None:
    present = replace(TAGS, rollout=Rollout("restart", ((ONE, TWO),), 0, 2))
    text = told(examples.plan(TAGS), examples.plan(present))
    assert "waves.healthy" in text
    assert "waves.waves" in text


def test_a_change_that_was_not_approved_is_told_with_its_fields_and_instances() -> None:
    text = told(examples.plan(ROLE), examples.plan(ROLE, TAGS))
    assert text.splitlines()[3:] == [
        "+ update fleet/collector: is not in the approved plan",
        "    tags.team  x → data",
        f"    {ONE} (web-1)  {TWO}",
    ]


def test_a_change_that_is_not_to_be_done_any_more() -> None:
    text = told(examples.plan(PROFILE, ROLE), examples.plan(ROLE))
    assert "- create instance_profile/collector: is in the approved plan only" in text
    assert "role: outages-dev-collector" in text


def test_what_is_the_same_is_not_told() -> None:
    text = told(examples.plan(ROLE, PROFILE), examples.plan(ROLE, replace(PROFILE, size=2)))
    assert "role/collector:" not in text
    assert "~ create instance_profile/collector: differs from the approved plan" in text


def test_of_several_changes_at_one_address_those_with_the_same_fields_are_compared() -> None:
    other = replace(TAGS, fields=(FieldChange("name", "x", "y"),))
    changed = replace(TAGS, instances=(ONE,))
    approved, present = plan_data(examples.plan(other, TAGS)), plan_data(examples.plan(changed))
    assert [
        (difference.sign, [field.path for field in difference.fields])
        for difference in differences(approved, present)
    ] == [
        ("~", ["instances"]),
        ("-", ["name"]),
    ]


def test_refusals_that_came_and_went() -> None:
    text = told(examples.plan(ROLE), examples.refused())
    assert "+ REFUSED role/collector: " in text
    assert "- REFUSED role/collector: " in told(examples.refused(), examples.plan(ROLE))


def test_another_order() -> None:
    text = told(examples.plan(ROLE, PROFILE), examples.plan(PROFILE, ROLE))
    assert text.splitlines()[-1] == "The same changes, in another order."


def test_nothing_in_a_plan_can_forge_a_line() -> None:
    odd = replace(TAGS, fields=(FieldChange("tags.a\n+ role/x", "\x1b[2J", "\n- role/y: gone"),))
    text = told(examples.plan(), examples.plan(odd))
    assert all(character.isprintable() or character == "\n" for character in text)
    assert not [line for line in text.splitlines() if line.startswith(("+ role/x", "- role/y"))]


TOKEN = replace(TAGS, fields=(FieldChange("tags.access_token", "hunter2abc", "hunter3abc"),))
OTHER_TOKEN = replace(TAGS, fields=(FieldChange("tags.access_token", "hunter4abc", None),))


def test_a_tag_that_is_called_as_a_credential_is_hidden_in_both_plans() -> None:
    one, other = (plan_data(examples.plan(change)) for change in (TOKEN, OTHER_TOKEN))
    assert "hunter" not in json.dumps([one, other])
    assert one["changes"][0]["fields"][0]["after"] == "***"
    # A file of an earlier version has its value.
    one["changes"][0]["fields"][0]["before"] = "hunter2abc"
    assert "hunter" not in difference_text(one, other, 200).plain
    assert "***" in difference_text(one, other, 200).plain
    (line,) = fields_of(TOKEN)
    assert [part.text for part in line.parts] == ["***", "***"]
    (line,) = fields_of(replace(TAGS, fields=(FieldChange("tags.team", "x", "tokens"),)))
    assert [part.text for part in line.parts] == ["x", "tokens"]
