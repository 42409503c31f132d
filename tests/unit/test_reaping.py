"""What becomes of instances that are to be reaped, where AWS does not let them be read again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from provisioner.account.reaping import Ended, Writer, reap
from provisioner.errors import AwsError
from provisioner.render.as_account import reap_lines, wrapped


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


@pytest.mark.parametrize("width", [40, 80, 1000])
def test_lines_are_broken_between_items_to_the_width_of_a_terminal(width: int) -> None:
    line = "- us-east-1  crunch fleet/server  i-0123456789abcdef0  running  expired 2026-11-27 17:00 UTC"
    parts = wrapped(line, width)
    assert max(map(len, parts)) <= width
    assert " ".join(" ".join(parts).split()) == " ".join(line.split())
    assert (width == 1000) == (parts == [line])


def test_nothing_is_said_to_be_left_of_what_was_not_read() -> None:
    def last(unread: list[str]) -> str:
        now = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
        return list(reap_lines("123456789012", [Ended("eu-west-1")], unread, now, False))[-1]

    assert last([]) == "Nothing has expired that is still there."
    assert last(["eu-west-1: not you"]) == "Nothing to terminate."
