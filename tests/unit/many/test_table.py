"""The last table: what was changed first, what needs nobody last, and what all come to."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from provisioner.costs.cost import Cost, CostLine, FleetCost, PlanCost
from provisioner.many.as_html import report_html
from provisioner.many.as_markdown import report_markdown
from provisioner.many.jobs import Job
from provisioner.many.outcome import Outcome, Trouble, Verdict
from provisioner.many.plans import plan_outcome
from provisioner.many.report import report_data
from provisioner.many.spec_file import SpecFile
from provisioner.many.table import counts, table_lines, total_cost
from provisioner.model import Address, Environment, Plan
from provisioner.render.layout import width_of
from tests.unit.many.test_plans import GONE, NEW, plan

FLEET = Address("fleet", "web")


def cost(before: str, after: str | None) -> PlanCost:
    def of(amount: str | None, count: int) -> Cost:
        if not count:
            return Cost()
        return Cost((CostLine("t3.micro", count, None if amount is None else Decimal(amount)),))

    return PlanCost({FLEET: FleetCost(of(before, int(before != "0")), of(after, 1))})


def planned(name: str, made: Plan, money: PlanCost | None = None) -> Outcome:
    return plan_outcome(
        Job(SpecFile(f"{name}.yaml"), Environment(name, "us-east-1")), replace(made, cost=money)
    )


DENIED = Outcome(
    "old.yaml",
    Verdict.FAILED,
    1,
    "AccessDenied",
    environment="old",
    region="eu-west-1",
    trouble=Trouble("no", None, "AccessDenied"),
)
BROKEN = Outcome("envs/bad.yaml", Verdict.WRONG, 3, "the spec has 2 problems", target="prod")
ALL = [
    planned("test", plan(), cost("0.5", "0.5")),
    BROKEN,
    planned("stage", plan(NEW, GONE), cost("1", "0.25")),
    DENIED,
    planned("dev", plan(NEW), cost("0", "0.0104")),
]


TABLE = """\
Environment                  Account       Region     Cost/h           Result
stage                        123456789012  us-east-1  0.25 (was 1.00)  Destroys 1 instance; 1 to
                                                                       create
dev                          123456789012  us-east-1  0.0104 (was 0)   1 to create
old                                        eu-west-1                   failed: AccessDenied
envs/bad.yaml --target prod                                            wrong: the spec has 2
                                                                       problems
test                         123456789012  us-east-1  0.50             no changes

5 environments: 2 with changes, 1 failed, 1 with a wrong spec, 1 without changes.
Cost of all: 0.76 USD/h (was 1.50), about 18 USD a day.
Digest of all: {digest}"""


def text(outcomes: list[Outcome], width: int, command: str = "plan") -> str:
    lines = table_lines(report_data(command, outcomes), width)
    assert all(width_of(line) <= width or line[0].text.startswith("Digest") for line in lines if line)
    return "\n".join("".join(piece.text for piece in line).rstrip() for line in lines)


def test_the_table_of_five() -> None:
    digest = report_data("plan", ALL)["digest"]
    assert text(ALL, 100) == TABLE.format(digest=digest)


@pytest.mark.parametrize(
    ("command", "outcomes", "expected"),
    [
        ("plan", [], "0 environments."),
        ("plan", ALL[:1], "1 environment: 1 without changes."),
        ("drift", [replace(ALL[0], verdict=Verdict.CHANGES)], "1 environment: 1 with drift."),
        ("drift", ALL[:1], "1 environment: 1 without drift."),
        ("apply", [replace(ALL[0], verdict=Verdict.CHANGED)], "1 environment: 1 changed."),
        ("status", ALL[:1], "1 environment: 1 shown."),
        ("plan", [replace(DENIED, verdict=Verdict.INTERRUPTED)], "1 environment: 1 interrupted."),
    ],
)
def test_what_all_come_to(command: str, outcomes: list[Outcome], expected: str) -> None:
    assert counts(report_data(command, outcomes)) == expected


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([DENIED], ""),
        ([planned("a", plan())], ""),
        ([planned("a", plan(), PlanCost({}))], ""),
        ([planned("a", plan(NEW), cost("1", "2")), ALL[0]], "2.50 USD/h (was 1.50), about 60 USD a day"),
        (
            [planned("a", plan(NEW), cost("1", None)), ALL[0]],
            "at least 0.50 USD/h (was 1.50), at least 12 USD a day",
        ),
    ],
)
def test_the_cost_of_all(outcomes: list[Outcome], expected: str) -> None:
    assert total_cost(report_data("plan", outcomes)) == expected


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (90, ["Environment", "Account", "Region", "Cost/h", "Result"]),
        (80, ["Environment", "Region", "Cost/h", "Result"]),
        (60, ["Environment", "Region", "Result"]),
        (50, ["Environment", "Result"]),
    ],
)
def test_a_narrow_table_leaves_out_what_there_is_no_room_for(width: int, headings: list[str]) -> None:
    shown = text(ALL, width)
    assert shown.splitlines()[0].split() == headings
    assert "Destroys" in shown


@pytest.mark.parametrize(
    ("verdict", "words", "row"),
    [
        (Verdict.INTERRUPTED, "interrupted before it was begun", "interrupted before it was begun"),
        (Verdict.INTERRUPTED, "1 done, 2 skipped", "interrupted: 1 done, 2 skipped"),
        (Verdict.FAILED, "AccessDenied", "failed: AccessDenied"),
    ],
)
def test_no_row_says_a_word_twice(verdict: Verdict, words: str, row: str) -> None:
    outcomes = [replace(DENIED, verdict=verdict, words=words)]
    report = report_data("apply", outcomes)
    assert f"eu-west-1  {row}\n" in text(outcomes, 100)
    assert f">{row}<" in report_html(report, outcomes)
    assert f"| {row.replace(f'{verdict.value}: ', f'**{verdict.value}** ')} |" in report_markdown(
        report, outcomes
    )


def test_where_there_is_no_room_beside_the_names_the_words_go_below() -> None:
    assert "stage\n    Destroys 1 instance; 1 to\n    create\n" in text(ALL, 32)
