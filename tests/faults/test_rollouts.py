"""A fleet is changed while it serves: never more members unavailable than allowed, wherever it is killed.

What counts is what EC2 has, not what it shows: after every request that changes something, the members that
run are counted behind the program's back.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import local_aws
from tests.faults.killing import At, Killing, Side, at_number, at_write
from tests.faults.runs import Nursery
from tests.faults.wire import Reply, Request, Send, Wire
from tests.support.cloud import REGION, Cloud
from tests.support.specs import IMAGE

MORE_THAN_ANY = 1000
# So many members are changed at a time.
MOST = 2
# Five waves: each call is tried in the first, the last, and some in between.
SWEPT = 10
# Everything takes its time, so that there is something to see between two requests, and has happened by the
# time that the program looks.
SLOW = {"boot_s": 0.15, "stop_s": 0.15, "terminate_s": 0.15}

ROLLOUTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "replaced, launch first": ({}, {"user_data": "echo 2"}),
    "replaced, terminate first": ({"order": "terminate_first"}, {"user_data": "echo 2"}),
    "restarted": ({}, {"instance_type": "t3.small"}),
}


@dataclass
class Census:
    """Counts the members that run, whenever something may have changed."""

    cloud: Cloud
    numbers: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)

    def __call__(self, request: Request, send: Send) -> Reply:
        reply = send()
        # Only what is sent takes members away; time only brings them back.
        if not request.is_reading:
            self.look()
        return reply

    def look(self) -> None:
        states = [member["State"]["Name"] for member in self.cloud.live("rolling", "web")]
        self.running.append(states.count("running"))
        self.numbers.append(len(states))


@dataclass(frozen=True)
class Rollout:
    """A fleet that runs, and a spec that asks for something else."""

    cloud: Cloud
    wire: Wire
    nursery: Nursery
    spec: Path
    count: int

    @staticmethod
    def prepared(cloud: Cloud, wire: Wire, nursery: Nursery, folder: Path, count: int, case: str) -> Rollout:
        update, change = ROLLOUTS[case]
        fleet = {
            "count": count,
            "image": IMAGE,
            "instance_type": "t3.micro",
            "user_data": "echo 1",
            "availability_zones": ["us-east-1a", "us-east-1b"],
            "update": {"max_unavailable": f"{100 * MOST // count}%", **update},
        }
        rollout = Rollout(cloud, wire, nursery, folder / "rolling.yaml", count)
        wire.put()
        local_aws.control(cloud.server, "reset", {})
        rollout.write(fleet)
        rollout.runs_right("apply", "--yes")
        rollout.write(fleet | change)
        return rollout

    def write(self, fleet: dict[str, Any]) -> None:
        spec = {"environment": "rolling", "region": REGION, "fleets": {"web": fleet}}
        self.spec.write_text(yaml.safe_dump(spec))

    def words(self, *options: str) -> list[str]:
        return [*options, "--endpoint-url", self.wire.url, str(self.spec)]

    def runs_right(self, *options: str) -> None:
        ran = self.nursery.run(*self.words(*options))
        assert ran.code == 0, ran.said

    def is_killed_at(self, side: Side, at: At, census: Census) -> Request | None:
        """The request at which an apply is killed; None: it ended before."""
        killing = Killing(side, at)
        self.wire.put(census, killing)
        running = self.nursery.start(*self.words("apply", "--yes"))
        killing.victim.set_result(running)
        ran = running.end()
        assert killing.killed_at or ran.code == 0, ran.said
        return killing.killed_at

    def goes_on(self, census: Census) -> None:
        self.wire.put(census)
        self.runs_right("apply", "--yes")

    def is_right(self, census: Census, change: dict[str, Any], old: set[str]) -> None:
        self.wire.put()
        self.cloud.wait(60.0)
        self.runs_right("plan", "--detailed-exitcode")
        members = self.cloud.live("rolling", "web")
        assert [member["State"]["Name"] for member in members] == ["running"] * self.count
        ids = {member["InstanceId"] for member in members}
        if "instance_type" in change:
            assert {member["InstanceType"] for member in members} == {change["instance_type"]}
            assert ids == old
        else:
            assert not ids & old
        assert min(census.running) >= self.count - MOST
        assert max(census.numbers) <= self.count + MOST


@pytest.fixture
def rollout(aws: Cloud, wire: Wire, nursery: Nursery, tmp_path: Path) -> Callable[[int, str], Rollout]:
    return lambda count, case: Rollout.prepared(aws, wire, nursery, tmp_path, count, case)


def carried_out(rollout: Rollout, case: str, side: Side, at: At, **lag: float) -> Request | None:
    """A rollout that is killed at a request and run again; says which request it was."""
    old = set(rollout.cloud.ids("rolling", "web"))
    rollout.cloud.break_with(**SLOW, **lag)
    # What was there before is shown by now.
    rollout.cloud.wait(lag.get("lag_s", 0.0))
    census = Census(rollout.cloud)
    killed_at = rollout.is_killed_at(side, at, census)
    if killed_at:
        rollout.goes_on(census)
    rollout.cloud.mend()
    rollout.is_right(census, ROLLOUTS[case][1], old)
    return killed_at


# One of them; those that are killed have to keep to the same, and are tried in all cases.
WHOLE = [pytest.param(case, marks=pytest.mark.long if number else ()) for number, case in enumerate(ROLLOUTS)]


@pytest.mark.parametrize("case", WHOLE)
def test_of_twenty_members_never_more_than_two_are_unavailable(
    rollout: Callable[[int, str], Rollout], case: str
) -> None:
    assert carried_out(rollout(20, case), case, Side.BEFORE, at_number(MORE_THAN_ANY)) is None


@pytest.mark.parametrize("case", ROLLOUTS)
@pytest.mark.sampled
def test_killed_in_mid_rollout_it_goes_on_where_it_was(
    rollout: Callable[[int, str], Rollout], case: str
) -> None:
    assert carried_out(rollout(20, case), case, Side.AFTER, at_number(20))


def points(requests: Sequence[Request]) -> list[tuple[Side, int]]:
    """Where EC2, or what the program knows of it, is another: after each request that writes, and before one
    where something was read since the last."""
    found = [(Side.AFTER, request.writes) for request in requests if not request.is_reading]
    found += [
        (Side.BEFORE, request.writes)
        for before, request in itertools.pairwise(requests)
        if before.is_reading and not request.is_reading
    ]
    return found


@pytest.mark.long
@pytest.mark.parametrize("case", ROLLOUTS)
def test_killed_around_every_call_that_writes(rollout: Callable[[int, str], Rollout], case: str) -> None:
    begun = rollout(SWEPT, case)
    begun.cloud.break_with(**SLOW)
    begun.goes_on(Census(begun.cloud))
    chosen = points(begun.wire.requests)
    assert len(chosen) >= 25
    wrong = []
    for side, number in chosen:
        try:
            assert carried_out(rollout(SWEPT, case), case, side, at_write(number))
        except AssertionError as error:
            wrong.append(f"killed {side.name} write {number}: {error}")
    assert not wrong, "\n\n".join([f"{len(wrong)} cases", *wrong])


@pytest.mark.long
@pytest.mark.parametrize("case", ["replaced, launch first", "restarted"])
def test_killed_after_every_call_that_writes_where_all_is_shown_late(
    rollout: Callable[[int, str], Rollout], case: str
) -> None:
    begun = rollout(SWEPT, case)
    begun.cloud.break_with(**SLOW, lag_s=5.0)
    begun.cloud.wait(5.0)
    begun.goes_on(Census(begun.cloud))
    writes = [request.writes for request in begun.wire.writes]
    assert len(writes) >= 15
    wrong = []
    for number in writes:
        try:
            assert carried_out(rollout(SWEPT, case), case, Side.AFTER, at_write(number), lag_s=5.0)
        except AssertionError as error:
            wrong.append(f"killed after write {number}: {error}")
    assert not wrong, "\n\n".join([f"{len(wrong)} cases", *wrong])
