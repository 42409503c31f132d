"""What a plan and a status say of costs, on the local AWS: made-up prices, also such as do not come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local_aws.settings import delay, error
from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.specs import having

MADE_UP = "made-up prices of the local AWS"
SPEC: dict[str, Any] = {
    "environment": "costly",
    "region": "us-east-1",
    "fleets": {
        "web": {
            "count": 2,
            "image": {"ssm": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"},
            "instance_type": "t3.large",
            "root_volume": {"size_gb": 20, "type": "gp3"},
        }
    },
}
LARGE, DISK, ADDRESS = "t3.large on demand", "20 GiB gp3", "public IPv4 address"


@pytest.fixture(autouse=True)
def no_cache(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices that nobody has asked for yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def prices_asked(cloud: Cloud) -> int:
    return len(cloud.price_calls())


def test_from_nothing_to_nothing(program: Program, cloud: Cloud) -> None:
    planned = program.plan(SPEC).data["cost"]
    assert [line["what"] for line in planned["lines"]] == [LARGE, ADDRESS, DISK]
    assert [line["after"]["count"] for line in planned["lines"]] == [2, 2, 2]
    assert (planned["made_up"], planned["hourly"]["before"], planned["unknown"]["after"]) == (True, 0, [])
    assert planned["hourly"]["after"] == pytest.approx(2 * (0.0648 + 0.005 + 20 * 0.08 / 730), abs=1e-6)

    applied = program.apply(SPEC).data["next"]
    assert applied["cost"]["hourly"] == planned["hourly"]
    assert len(applied["fleets"]["web"]) == 2

    there = program.run("status", "--format", "json", program.write(SPEC)).data
    assert there["cost"]["hourly"] == planned["hourly"]["after"]
    assert [member["hourly"] for member in there["resources"]["fleet/web"]["members"]] == [
        pytest.approx(planned["hourly"]["after"] / 2, abs=1e-6)
    ] * 2
    assert MADE_UP in program.run("status", program.write(SPEC)).words

    gone = program.plan(SPEC, "--destroy").data["cost"]["hourly"]
    assert gone == {"before": planned["hourly"]["after"], "after": 0}


def test_prices_are_asked_once_a_day_and_not_at_all_by_no_cost(program: Program, cloud: Cloud) -> None:
    first = program.plan(SPEC)
    assert prices_asked(cloud) == 2
    cloud.forget_calls()
    again = program.plan(SPEC)
    silent = program.plan(SPEC, "--no-cost")
    assert prices_asked(cloud) == 0
    assert silent.data["cost"] is None
    assert first.data["digest"] == again.data["digest"] == silent.data["digest"]
    assert "Cost:" not in program.run("plan", program.write(SPEC), "--no-cost").out


@pytest.mark.parametrize(
    ("code", "operation"),
    [
        # As a policy spells what may not be called.
        ("AccessDeniedException", "pricing:GetProducts"),
        ("NotImplemented", "pricing GetProducts"),
        ("InternalErrorException", "pricing GetProducts"),
    ],
)
@pytest.mark.sampled
def test_prices_that_nobody_tells_are_unknown_and_no_failure(
    program: Program, cloud: Cloud, code: str, operation: str
) -> None:
    cloud.break_with(error("GetProducts", code, status=400))
    planned = program.plan(SPEC)
    assert planned.code == 0
    cost = planned.data["cost"]
    assert cost["unknown"]["after"] == [f"2 × {LARGE}", f"2 × {DISK}"]
    assert cost["reason"] == f"{operation}: {code}"
    text = program.run("plan", program.write(SPEC)).words
    assert text.count(code) == 1
    assert "at least 0.01 USD/h" in text
    assert program.apply(SPEC).code == 0


def test_nobody_waits_for_prices(program: Program, cloud: Cloud) -> None:
    cloud.break_with(delay("GetProducts", 20))
    cost = program.plan(SPEC).data["cost"]
    assert prices_asked(cloud) == 0
    assert (cost["reason"], cost["unknown"]["after"]) == (
        "AWS has not answered in time",
        [f"2 × {LARGE}", f"2 × {DISK}"],
    )


def test_a_guardrail_refuses_what_would_cost_too_much(program: Program, cloud: Cloud, tmp_path: Path) -> None:
    limits = tmp_path / "limits"
    limits.mkdir()
    for most, code in ((0.1, 4), (1, 0)):
        (limits / "data.json").write_text(json.dumps({"parameters": {"max_cost_per_hour": most}}))
        planned = program.plan(SPEC, "--policy", "builtin:max_cost", "--policy", str(limits))
        assert planned.code == code, planned.out
    cloud.break_with(error("GetProducts", "AccessDeniedException", status=400))
    (tmp_path / "cache" / "provisioner" / "prices-local-us-east-1.json").unlink()
    assert program.plan(SPEC, "--policy", "builtin:max_cost", "--policy", str(limits)).code == 4


def test_spot_prices_are_of_today(program: Program, cloud: Cloud) -> None:
    spec = having(SPEC, fleets__web__market="spot")
    planned = program.plan(spec).data["cost"]["lines"]
    assert {
        "what": "t3.large Spot",
        "before": {"count": 0, "hourly": 0},
        "after": {"count": 2, "hourly": 0.006},
    } in planned
    assert sorted(cloud.price_calls()) == ["DescribeSpotPriceHistory", "GetProducts"]


def test_nothing_is_asked_in_an_account_that_is_not_the_specs(program: Program, cloud: Cloud) -> None:
    assert program.plan_or_error(SPEC | {"account_id": "999999999999"}).code == 3
    assert cloud.operations() == ["GetCallerIdentity"]
    assert cloud.price_calls() == []
