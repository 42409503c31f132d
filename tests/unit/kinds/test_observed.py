"""What is shown of a fleet: whether there may be more members than are shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provisioner.kinds.fleet.observed import partly_observed
from provisioner.kinds.instances import Instance, as_instance
from provisioner.naming import ASKED_TAG
from tests.support.build import BARE_INSTANCE

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RECENT, OLD = NOW - timedelta(minutes=1), NOW - timedelta(days=3)


def launched(number: int, attached: datetime, started: datetime, asked: int, **more: Any) -> Instance:
    """A member of one launch, as EC2 describes it."""
    interface = {"Attachment": {"DeviceIndex": 0, "AttachTime": attached}}
    raw: dict[str, Any] = {
        **BARE_INSTANCE,
        "InstanceId": f"i-{number}",
        "LaunchTime": started,
        "NetworkInterfaces": [interface],
        "ClientToken": "place-option-0",
        "Tags": [{"Key": ASKED_TAG, "Value": str(asked)}],
    }
    return as_instance(raw | more)  # type: ignore[arg-type]


# The members of a launch that are shown, and how many more there may be.
CASES: dict[str, tuple[list[Instance], int]] = {
    "all that were asked for": ([launched(1, RECENT, RECENT, 2), launched(2, RECENT, RECENT, 2)], 0),
    "one of two": ([launched(1, RECENT, RECENT, 2)], 1),
    "one of two, long ago": ([launched(1, OLD, OLD, 2)], 0),
    "one of two, long ago, and started again just now": ([launched(1, OLD, RECENT, 2)], 0),
    "one of three that was started again, one that was not and is gone": (
        [
            launched(1, OLD, RECENT, 3),
            launched(2, OLD, OLD, 3, State={"Name": "terminated"}, NetworkInterfaces=[]),
        ],
        0,
    ),
    "two of three, for want of room for more": (
        [launched(1, RECENT, RECENT, 2), launched(2, RECENT, RECENT, 2)],
        0,
    ),
    "the same, which only one of them shows yet": (
        [launched(1, RECENT, RECENT, 3), launched(2, RECENT, RECENT, 2)],
        0,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_whether_there_may_be_more(case: str) -> None:
    shown, more = CASES[case]
    found = list(partly_observed(shown, (), NOW))
    assert sum(launch.asked - len(launch.shown) for launch in found) == more


def test_what_this_run_was_answered_is_all_there_is() -> None:
    assert not list(partly_observed([launched(1, RECENT, RECENT, 2)], {"place-option-0"}, NOW))


def test_members_are_in_the_order_in_which_they_were_launched_also_when_one_was_started_again() -> None:
    first, second = (
        launched(1, OLD, RECENT, 1),
        launched(2, OLD + timedelta(hours=1), OLD + timedelta(hours=1), 1),
    )
    assert first.launched < second.launched
    assert first.started == "2026-01-01T23:59:00Z"
    assert replace(first, started="").launched == "2025-12-30T00:00:00Z"
