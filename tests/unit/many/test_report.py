"""The report of many environments: what the schema says, one digest, one cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from provisioner.kinds import schema_folder
from provisioner.many.outcome import Outcome, Trouble, Verdict
from provisioner.many.report import digest_of, report_data, report_of
from provisioner.model import Plan
from provisioner.render.as_json import plan_data
from tests.unit.render.render_examples import new_role


def _read(name: str) -> Any:
    return json.loads((schema_folder() / name).read_text())


SCHEMA = _read("report.schema.json")
VALIDATOR = Draft202012Validator(
    SCHEMA,
    registry=Registry().with_resources(
        (name, Resource.from_contents(_read(name))) for name in ("plan.schema.json", "drift.schema.json")
    ),
)


def planned(name: str, *changes: Any) -> Outcome:
    plan = Plan(name, "us-east-1", "123456789012", changes=changes)
    verdict, code = (Verdict.CHANGES, 2) if changes else (Verdict.OK, 0)
    return Outcome(
        source=f"{name}.yaml",
        verdict=verdict,
        exit_code=code,
        words="",
        environment=name,
        region=plan.region,
        account_id=plan.account_id,
        data={"plan": plan_data(plan)},
        plan=plan,
    )


WRONG = Outcome("bad.yaml", Verdict.WRONG, 3, "the spec is wrong", trouble=Trouble("bad", lines=("bad:1:1",)))
DENIED = Outcome(
    "denied.yaml",
    Verdict.FAILED,
    1,
    "AccessDenied",
    environment="denied",
    region="us-east-1",
    trouble=Trouble("no", "ask for it", "AccessDenied"),
)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [([], 0), ([planned("a")], 0), ([planned("a", new_role())], 2), ([planned("a"), WRONG, DENIED], 1)],
)
def test_reports_satisfy_the_schema(outcomes: list[Outcome], code: int) -> None:
    report = report_data("plan", outcomes)
    VALIDATOR.validate(report)
    assert json.loads(json.dumps(report)) == report
    assert (report["exit_code"], report["summary"]["environments"]) == (code, len(outcomes))


def test_reports_of_parts_are_the_report_of_all() -> None:
    one, other = (report_data("plan", outcomes) for outcomes in ([planned("a")], [WRONG, DENIED]))
    whole = report_data("plan", [planned("a"), WRONG, DENIED])
    merged = report_of("plan", [*one["environments"], *other["environments"]])
    assert {**merged, "environments": None} == {**whole, "environments": None}


def test_the_digest_is_of_all_plans_in_any_order_and_of_what_has_none() -> None:
    def digest(*outcomes: Outcome) -> str | None:
        return digest_of(report_data("plan", outcomes)["environments"])

    a, b = planned("a", new_role()), planned("b")
    assert digest(a, b) == digest(b, a)
    several = [digest(a), digest(b), digest(a, b), digest(a, b, WRONG), digest(planned("a"), b)]
    assert len(set(several)) == len(several)
    assert digest(WRONG, DENIED) is None
