"""Costs in words: amounts, a plan's cost, and what is said where something is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from provisioner.costs.cost import Cost, CostLine, FleetCost, PlanCost
from provisioner.model import Address, Plan
from provisioner.render.as_html import plan_html
from provisioner.render.as_json import plan_data
from provisioner.render.as_markdown import plan_markdown
from provisioner.render.as_text import plan_text
from provisioner.render.cost_words import about, cost_data, cost_sentences, money
from tests.unit.render import render_examples as examples

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0", "0"),
        ("4.16", "4.16"),
        ("4.1649", "4.16"),
        ("4.165", "4.17"),
        ("1204.5", "1,204.50"),
        ("0.25", "0.25"),
        ("0.104", "0.104"),
        ("0.0104", "0.0104"),
        ("0.010956", "0.011"),
        ("0.00021917", "0.000219"),
        ("0.9999", "1.00"),
    ],
)
def test_an_amount(amount: str, words: str) -> None:
    assert money(Decimal(amount)) == words


@pytest.mark.parametrize(
    ("amount", "words"), [("99.84", "100"), ("9.984", "9.98"), ("12345.6", "12,346"), ("0.25", "0.25")]
)
def test_about_so_much(amount: str, words: str) -> None:
    assert about(Decimal(amount)) == words


def line(what: str, count: int, hourly: str | None) -> CostLine:
    return CostLine(what, count, None if hourly is None else Decimal(hourly))


FIFTY = Cost((line("t3.large on demand", 50, "4.16"), line("20 GiB gp3", 50, "0.1096")))
SIXTY = Cost((line("t3.large on demand", 60, "4.992"), line("20 GiB gp3", 60, "0.1315")))
LARGER = Cost((line("t3.xlarge on demand", 50, "8.32"), line("20 GiB gp3", 50, "0.1096")))
PARTLY = Cost((line("x9.large on demand", 2, None), line("20 GiB gp3", 2, "0.5")))
UNKNOWN = Cost((line("x9.large on demand", 2, None),))
NOTHING = Cost()


def of(before: Cost, after: Cost, ends: datetime | None = None, **more: object) -> PlanCost:
    plain = PlanCost({Address("fleet", "web"): FleetCost(before, after, ends)}, now=NOW)
    return replace(plain, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("situation", "cost", "total", "parts"),
    [
        (
            "from nothing",
            of(NOTHING, FIFTY),
            "4.27 USD/h (was 0), about 102 USD a day",
            "50 × t3.large on demand 4.16, 50 × 20 GiB gp3 0.11",
        ),
        (
            "more of the same",
            of(FIFTY, SIXTY),
            "5.12 USD/h (was 4.27), about 123 USD a day",
            "60 × t3.large on demand 4.99 (was 4.16), 60 × 20 GiB gp3 0.132 (was 0.11)",
        ),
        (
            "others",
            of(FIFTY, LARGER),
            "8.43 USD/h (was 4.27), about 202 USD a day",
            "50 × t3.xlarge on demand 8.32 (was 0), 50 × 20 GiB gp3 0.11, no t3.large on demand 0 (was 4.16)",
        ),
        (
            "to nothing",
            of(FIFTY, NOTHING),
            "0 USD/h (was 4.27)",
            "no t3.large on demand 0 (was 4.16), no 20 GiB gp3 0 (was 0.11)",
        ),
        (
            "with an end",
            of(NOTHING, FIFTY, NOW + timedelta(hours=8)),
            "4.27 USD/h (was 0), about 102 USD a day, 34.16 USD until 2026-11-26 17:00 UTC",
            "50 × t3.large on demand 4.16, 50 × 20 GiB gp3 0.11",
        ),
        (
            "by made-up prices",
            of(NOTHING, FIFTY, made_up=True),
            "4.27 USD/h (was 0), about 102 USD a day; made-up prices of the local AWS",
            "50 × t3.large on demand 4.16, 50 × 20 GiB gp3 0.11",
        ),
        (
            "partly known",
            of(NOTHING, PARTLY, reason="pricing:GetProducts: AccessDeniedException"),
            "at least 0.50 USD/h (was 0), at least 12 USD a day; not all is known "
            "(pricing:GetProducts: AccessDeniedException)",
            "2 × x9.large on demand unknown, 2 × 20 GiB gp3 0.50",
        ),
        ("not known at all", of(NOTHING, UNKNOWN), "unknown (was 0)", "2 × x9.large on demand unknown"),
        (
            "in another currency",
            of(NOTHING, FIFTY, currency="CNY"),
            "4.27 CNY/h (was 0), about 102 CNY a day",
            "50 × t3.large on demand 4.16, 50 × 20 GiB gp3 0.11",
        ),
        ("free of charge", of(NOTHING, NOTHING), "", ""),
    ],
)
def test_what_a_plan_costs(situation: str, cost: PlanCost, total: str, parts: str) -> None:
    assert cost_sentences(cost) == (total, parts)


def with_cost(cost: PlanCost | None) -> Plan:
    return replace(examples.fifty_servers(), cost=cost)


def test_it_is_in_every_format() -> None:
    plan = with_cost(of(NOTHING, FIFTY, made_up=True))
    words = "4.27 USD/h (was 0), about 102 USD a day; made-up prices of the local AWS"
    assert words in " ".join(plan_text(plan, 100).plain.split())
    assert words in plan_html(plan)
    comment = plan_markdown(plan)
    assert "**Cost**" in comment
    assert "made-up prices of the local AWS" in comment


@pytest.mark.parametrize("cost", [None, of(FIFTY, FIFTY), of(NOTHING, NOTHING)])
def test_what_changes_no_cost_does_not_speak_of_it(cost: PlanCost | None) -> None:
    plan = with_cost(cost)
    assert all(
        "Cost" not in shown for shown in (plan_text(plan, 100).plain, plan_html(plan), plan_markdown(plan))
    )


def test_prices_change_no_digest() -> None:
    digests = {
        plan_data(with_cost(cost))["digest"] for cost in (None, of(NOTHING, FIFTY), of(NOTHING, SIXTY))
    }
    assert len(digests) == 1


def test_for_programs() -> None:
    cost = of(FIFTY, PARTLY, NOW + timedelta(hours=8), made_up=True, reason="why")
    assert cost_data(cost) == {
        "currency": "USD",
        "made_up": True,
        "hourly": {"before": 4.2696, "after": 0.5},
        "unknown": {"before": [], "after": ["2 × x9.large on demand"]},
        "reason": "why",
        "until": {"at": "2026-11-26T17:00:00+00:00", "total": 4.0},
        "lines": [
            {
                "what": what,
                "before": {"count": before[0], "hourly": before[1]},
                "after": {"count": after[0], "hourly": after[1]},
            }
            for what, before, after in (
                ("t3.large on demand", (50, 4.16), (0, 0.0)),
                ("20 GiB gp3", (50, 0.1096), (2, 0.5)),
                ("x9.large on demand", (0, 0.0), (2, None)),
            )
        ],
    }


def test_only_what_ends_has_a_total() -> None:
    endless = {
        Address("fleet", "a"): FleetCost(NOTHING, FIFTY, NOW + timedelta(hours=1)),
        Address("fleet", "b"): FleetCost(NOTHING, FIFTY),
    }
    assert PlanCost(endless, now=NOW).until_end is None
    past = of(NOTHING, FIFTY, NOW - timedelta(hours=1)).until_end
    assert past == (NOW - timedelta(hours=1), Decimal(0))
