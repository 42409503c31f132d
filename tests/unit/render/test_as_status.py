"""The status at any width, and what it says of costs."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from provisioner.costs.cost import Cost, CostLine
from provisioner.costs.status_cost import StatusCost
from provisioner.render.as_status import status_data, status_text, watched

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LONG_NAME = "a-name-" * 30


def member(number: int, **differing: Any) -> dict[str, Any]:
    return {
        "id": f"i-{number:017x}",
        "name": f"web-{number:02d}",
        "state": "running",
        "type": "t3.large",
        "market": None,
        "zone": "us-east-1a",
        "private_ip": f"172.31.0.{number}",
        "public_ip": f"198.51.100.{number}",
        "instance_profile": "shop-web",
        "launched": "2026-11-26T09:55:00Z",
        "expires": "2026-11-26T17:00:00Z",
    } | differing


MEMBERS = [member(1), member(2, type="m5.large", market="spot", expires=None), member(3, name=LONG_NAME)]
STATUSES: dict[str, dict[str, Any]] = {
    "role/web": {"state": "there", "managed_policies": ["arn:aws:iam::aws:policy/" + "LongPolicyName" * 9]},
    "fleet/web": {"state": "3 of 3", "members": MEMBERS, "kept": 0},
}
COST = StatusCost(
    Cost((CostLine("t3.large on demand", 2, Decimal("0.1664")), CostLine("m5.large Spot", 1, None))),
    Decimal("0.3467"),
    True,
    {
        "i-00000000000000001": Decimal("0.0832"),
        "i-00000000000000002": None,
        "i-00000000000000003": Decimal("0.0832"),
    },
    made_up=True,
)
TOLD = (
    *("i-00000000000000001", "web-01", "running", "t3.large", "m5.large", "spot", "on demand", "us-east-1a"),
    *("198.51.100.2", "shop-web", "2h5m", "0.0832 USD/h", "unknown", "2026-11-26T17:00:00Z", LONG_NAME),
    *("LongPolicyName" * 9, "at least 0.166 USD/h", "made-up prices of the local AWS", "at least 0.347 USD"),
)


def shown(width: int, statuses: dict[str, dict[str, Any]], cost: StatusCost | None = None) -> str:
    return status_text("shop", "us-east-1", "123456789012", statuses, True, width, cost, NOW).plain


@pytest.mark.parametrize("width", [20, 33, 40, 60, 80, 100, 132, 180, 240, 300])
def test_nothing_is_cut_and_no_line_is_wider_than_it_may(width: int) -> None:
    text = shown(width, STATUSES, COST)
    assert max(map(len, text.splitlines())) <= width
    told = "".join(text.split())
    assert [value for value in TOLD if "".join(value.split()) not in told] == []


def test_a_table_where_it_fits() -> None:
    alike = {"fleet/web": {"state": "2 of 2", "members": [member(1), member(2)]}}
    assert shown(100, alike).splitlines()[2:] == [
        "fleet/web  2 of 2  type t3.large  market on demand  zone us-east-1a  profile shop-web",
        "    expires 2026-11-26T17:00:00Z",
        "  instance             name    state    private IP  public IP     age",
        "  i-00000000000000001  web-01  running  172.31.0.1  198.51.100.1  2h5m",
        "  i-00000000000000002  web-02  running  172.31.0.2  198.51.100.2  2h5m",
    ]


def test_a_paragraph_each_where_it_does_not() -> None:
    alike = {"fleet/web": {"state": "1 of 1", "members": [member(1)]}}
    assert shown(60, alike).splitlines()[2:] == [
        "fleet/web  1 of 1  name web-01  type t3.large",
        "    market on demand  zone us-east-1a  private IP 172.31.0.1",
        "    public IP 198.51.100.1  profile shop-web",
        "    expires 2026-11-26T17:00:00Z",
        "  instance             state    age",
        "  i-00000000000000001  running  2h5m",
    ]


def test_what_the_fleet_says_of_its_end_is_not_said_twice() -> None:
    ending = {"fleet/web": {"state": "1 of 1", "expires": "in 5 h", "members": [member(1)]}}
    assert shown(300, ending).count("expires") == 1


def test_lines_break_between_words_and_ages_of_nothing_are_short() -> None:
    said = {"role/web": {"state": "kept; my_ip has moved since: 203.0.113.7 then, 203.0.113.8 (my_ip) now"}}
    words = {word for line in shown(30, said).splitlines() for word in line.split()}
    assert {"moved", "since:", "203.0.113.8", "(my_ip)"} <= words
    young = {"fleet/web": {"state": "2 of 2", "members": [member(1, launched=NOW.isoformat()), member(2)]}}
    assert "<1m" in shown(100, young)


@pytest.mark.parametrize(
    ("height", "width", "last"),
    [
        (None, 80, ["Looked at 12:00:00 UTC; Ctrl-C ends."]),
        (100, 80, ["Looked at 12:00:00 UTC; Ctrl-C ends."]),
        (100, 30, ["Looked at 12:00:00 UTC; Ctrl-C", "ends."]),
        (5, 80, ["4 more lines, for a taller window. Looked at 12:00:00 UTC; Ctrl-C ends."]),
        (6, 40, ["4 more lines, for a taller window.", "Looked at 12:00:00 UTC; Ctrl-C ends."]),
    ],
)
def test_what_is_watched_fits_on_the_screen_and_tells_when_that_was(
    height: int | None, width: int, last: list[str]
) -> None:
    alike = {"fleet/web": {"state": "2 of 2", "members": [member(1), member(2)]}}
    text = status_text("shop", "us-east-1", "123456789012", alike, True, 100, None, NOW)
    rows = watched(text, NOW, height, width).plain.split("\n")
    assert rows[-len(last) :] == last
    # The cursor is on the row after the last one, and must not have pushed the first one out.
    assert height is None or len(rows) < height


def test_for_programs() -> None:
    data = status_data("shop", "us-east-1", "123456789012", STATUSES, COST)
    assert data["cost"] == {
        "currency": "USD",
        "made_up": True,
        "hourly": 0.1664,
        "since_launch": {"at_least": True, "amount": 0.3467},
        "unknown": ["1 × m5.large Spot"],
        "reason": None,
        "lines": [
            {"what": "t3.large on demand", "count": 2, "hourly": 0.1664},
            {"what": "m5.large Spot", "count": 1, "hourly": None},
        ],
    }
    assert [one["hourly"] for one in data["resources"]["fleet/web"]["members"]] == [0.0832, None, 0.0832]
    assert status_data("shop", "us-east-1", "123456789012", STATUSES)["cost"] is None


@pytest.mark.parametrize(
    ("so_far", "is_least", "told"),
    [
        ("0.3467", False, "; about 0.347 USD since launch, of what is there"),
        ("0.3467", True, "; at least 0.347 USD since launch, of what is there"),
        ("0.0001", False, "; under 0.01 USD since launch, of what is there"),
        ("0.0001", True, ""),
    ],
)
def test_what_it_has_cost(so_far: str, is_least: bool, told: str) -> None:
    """Of a part that is known, no more is said than that it is the least."""
    lines = (CostLine("t3.large on demand", 2, Decimal("0.1664")),)
    cost = StatusCost(Cost(lines), Decimal(so_far), is_least)
    words = " ".join(shown(200, STATUSES, cost).splitlines()[1].split())
    assert words == f"Costs 0.166 USD/h, about 3.99 USD a day{told}"


def test_without_prices_it_is_silent_about_them() -> None:
    assert "USD" not in shown(100, STATUSES)
    assert "Costs" not in shown(100, {"role/web": {"state": "there"}}, StatusCost(Cost(), Decimal(0), False))
