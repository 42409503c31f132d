"""What becomes of instances that are to be reaped, where AWS does not let them be read again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any, cast

from provisioner.account.reaping import Ended, Writer, reap
from provisioner.errors import AwsError
from provisioner.render.as_account import reap_lines


class Closed:
    """A region that says no to whatever is asked by now."""

    def in_region(self, _: str) -> Closed:
        return self

    def pages(self, service: str, operation: str, *_: Any, **__: Any) -> Any:
        raise AwsError(service, operation, "UnauthorizedOperation", "not you")


def test_a_region_that_cannot_be_read_again_is_a_failure_and_does_not_hide_the_others() -> None:
    reaped = reap(cast("Writer", Closed()), "eu-west-1", ["i-1", "i-2"], threading.Event())
    assert reaped.done == ()
    assert [name for name, _ in reaped.failed] == ["i-1", "i-2"]
    assert all("UnauthorizedOperation" in why for _, why in reaped.failed)


def test_nothing_is_said_to_be_left_of_what_was_not_read() -> None:
    def last(unread: list[str]) -> str:
        now = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
        return list(reap_lines("123456789012", [Ended("eu-west-1")], unread, now, False))[-1]

    assert last([]) == "Nothing has expired that is still there."
    assert last(["eu-west-1: not you"]) == "Nothing to terminate."
