"""Plans and outcomes as data: the schema holds, and values have the form of JSON."""

import json
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from provisioner.canonical import digest, jsonable
from provisioner.model import Address, CallCount, Plan, Result
from provisioner.render.as_json import outcomes_data, plan_data
from tests.unit.render import render_examples as examples

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "plan.schema.json").read_text(encoding="utf-8"))
PLANS = {
    "fifty": examples.fifty_servers(),
    "drifted": examples.drifted(),
    "refused": examples.refused(),
    "destroyed": examples.destroyed(),
    "nothing": examples.plan(),
}


def described(schema: Any, path: str = "") -> list[str]:
    """The properties of a schema that nobody described."""
    missing = []
    if isinstance(schema, dict):
        for name, field in schema.get("properties", {}).items():
            if "description" not in field:
                missing.append(f"{path}.{name}")
        for key, value in schema.items():
            missing += described(value, f"{path}.{key}")
    return missing


def test_the_schema_is_one_and_describes_every_field() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert described(SCHEMA) == []


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_plans_satisfy_the_schema(plan: Plan) -> None:
    data = json.loads(json.dumps(plan_data(plan)))
    Draft202012Validator(SCHEMA).validate(data)


def test_the_schema_refuses_what_plans_never_hold() -> None:
    data = plan_data(examples.fifty_servers())
    wrongs: list[dict[str, Any]] = [{"format_version": 2}, {"digest": "abc"}, {"more": 1}, {"changes": [{}]}]
    for wrong in wrongs:
        assert not Draft202012Validator(SCHEMA).is_valid(data | wrong)
    assert not Draft202012Validator(SCHEMA).is_valid(
        {key: value for key, value in data.items() if key != "digest"}
    )


def test_a_plan_as_data() -> None:
    data = plan_data(examples.fifty_servers())
    assert list(data) == [
        "format_version",
        "environment",
        "region",
        "account_id",
        "destroy",
        "digest",
        "summary",
        "changes",
        "refusals",
        "notes",
        "cost",
        "proof",
        "desired",
    ]
    assert data["summary"] == {"create": 52, "update": 0, "replace": 0, "delete": 0}
    assert [change["address"] for change in data["changes"]] == [
        "role/collector",
        "instance_profile/collector",
        "fleet/collector",
    ]
    assert data["changes"][1] == {
        "address": "instance_profile/collector",
        "action": "create",
        "reason": "will be created",
        "size": 1,
        "whole": False,
        "unique_id": None,
        "deferred": None,
        "fields": [{"path": "role", "before": None, "after": "outages-dev-collector"}],
        "instances": [],
        "names": {},
        "rollout": None,
        "calls": [
            {"service": "iam", "operation": "CreateInstanceProfile", "count": 1, "parameters": digest([{}])},
            {
                "service": "iam",
                "operation": "AddRoleToInstanceProfile",
                "count": 1,
                "parameters": digest([{}]),
            },
        ],
    }
    (launches,) = data["changes"][2]["calls"]
    assert (launches["service"], launches["operation"], launches["count"]) == ("ec2", "RunInstances", 3)


def test_refusals_notes_and_deferred_changes() -> None:
    refused, drifted = plan_data(examples.refused()), plan_data(examples.drifted())
    assert refused["refusals"][0]["address"] == "role/collector"
    assert refused["refusals"][0]["hint"].startswith("give the role another name")
    assert drifted["notes"][0]["address"] == "fleet/web"
    assert [change["deferred"] is None for change in drifted["changes"]] == [True, True, True, False, True]


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "json_value"),
    [
        ({"b", "a"}, ["a", "b"]),
        (frozenset({2, 10}), [10, 2]),
        (("a", ("b",)), ["a", ["b"]]),
        ({Address("role", "x"): {1}}, {"role/x": [1]}),
        (Address("role", "x"), "role/x"),
        (Colour.RED, "red"),
        (date(2024, 2, 29), "2024-02-29"),
        (CallCount("ec2", "RunInstances", 1), {"service": "ec2", "operation": "RunInstances", "count": 1}),
        ([None, True, 1, 1.5, "x"], [None, True, 1, 1.5, "x"]),
    ],
)
def test_jsonable(value: Any, json_value: Any) -> None:
    assert jsonable(value) == json_value
    assert type(jsonable(value)) is type(json_value)


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes has no JSON form"):
        jsonable({"user_data": b"\x00"})


def test_outcomes_as_data() -> None:
    data = json.loads(json.dumps(outcomes_data("outages-dev", examples.mixed_outcomes())))
    assert list(data) == ["format_version", "environment", "done", "failed", "stopped", "skipped", "deferred"]
    assert {result.value: len(data[result]) for result in Result} == dict.fromkeys(Result, 1)
    assert data["done"][0]["address"] == "role/collector"
    assert data["done"][0]["seconds"] == 1.24
    assert data["failed"][0]["failure"]["code"] == "AccessDenied"
    assert data["failed"][0]["failure"]["request_id"] == "8a3f1c2e-52d6-4c8e-9d7e-0a1b2c3d4e5f"
    assert data["skipped"][0]["because"] == "instance_profile/collector was not done"
    assert data["deferred"][0]["because"].startswith("replacing members is not done yet")
