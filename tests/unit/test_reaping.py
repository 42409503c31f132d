"""What becomes of instances that are to be reaped, where AWS does not let them be read again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from provisioner.account.reaping import PROTECTED, Ended, Writer, reap
from provisioner.errors import AwsError, Interrupted
from provisioner.kinds.launch_token import Slot, launch_token
from provisioner.naming import ENVIRONMENT_TAG, EXPIRES_TAG, FLEET_TAG
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


METADATA = {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1}


class Protecting:
    """A region with instances that have ended, one of which is protected; it is interrupted at a call."""

    def __init__(self, ids: Sequence[str], stop: threading.Event, stops_at: int) -> None:
        self._ids, self._stop, self._stops_at = ids, stop, stops_at
        self.sent: list[list[str]] = []

    def in_region(self, _: str) -> Protecting:
        return self

    def now(self) -> datetime:
        return datetime(2026, 11, 27, tzinfo=UTC)

    def pages(self, *_: Any, **__: Any) -> Any:
        tags = {ENVIRONMENT_TAG: "dev", FLEET_TAG: "web", EXPIRES_TAG: "2026-11-26T00:00:00Z"}
        token = launch_token(Slot("dev", "web", "us-east-1a", "subnet-1"), "", "t3.micro", 1)
        yield {
            "Instances": [
                {
                    "InstanceId": id_,
                    "State": {"Name": "stopped"},
                    "InstanceType": "t3.micro",
                    "ImageId": "ami-1",
                    "Placement": {"AvailabilityZone": "us-east-1a"},
                    "MetadataOptions": METADATA,
                    "ClientToken": token,
                    "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                }
                for id_ in self._ids
            ]
        }

    def send(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        ids = params["InstanceIds"]
        self.sent.append(ids)
        if len(self.sent) == self._stops_at:
            self._stop.set()
        if len(ids) > 1:
            raise AwsError(service, operation, PROTECTED, "one of them is protected")
        if self._stop.is_set() and self._stops_at == len(self.sent):
            raise Interrupted("interrupted before it was done")
        return {}


def test_once_it_is_interrupted_no_other_is_terminated_and_what_was_is_told() -> None:
    stop = threading.Event()
    region = Protecting(["i-1", "i-2", "i-3", "i-4"], stop, stops_at=4)
    reaped = reap(cast("Writer", region), "us-east-1", ["i-1", "i-2", "i-3", "i-4"], stop)
    assert region.sent[1:] == [["i-1"], ["i-2"], ["i-3"]]
    assert (reaped.done, reaped.failed) == (("i-1", "i-2"), ())


def test_nor_is_any_by_itself_after_all_together_were_refused() -> None:
    stop = threading.Event()
    region = Protecting(["i-1", "i-2"], stop, stops_at=1)
    reaped = reap(cast("Writer", region), "us-east-1", ["i-1", "i-2"], stop)
    assert (len(region.sent), reaped.done, reaped.failed) == (1, (), ())


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
