"""A replacement that is carried out by hands that answer as they are told to."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.errors import ChangedMeanwhile, ProvisionerError
from provisioner.kinds.fleet.replacing import Replace
from provisioner.kinds.fleet.rollout import Crew
from provisioner.kinds.fleet.scale_out import Launchpad
from tests.support.build import AROUND, environment, fleet_of, member
from tests.unit.kinds.test_launch import PLAIN, FakeHands

FLEET = fleet_of(environment(fleets={"web": PLAIN | {"count": 2}}))
OLD = (member(1, FLEET), member(2, FLEET))


def replacement() -> Replace:
    ids = tuple(each.id for each in OLD)
    crew = Crew(2, FLEET.update, ids, (), frozenset(ids))
    return Replace(Launchpad(FLEET, "env", None, "", AROUND), OLD, frozenset(), crew)


def shown(*members: Any) -> dict[str, Any]:
    return {each.id: each for each in members}


def test_members_that_end_as_soon_as_they_run_are_not_launched_for_ever() -> None:
    hands = FakeHands(*[1] * 100)
    hands.shown = shown(*OLD)
    with pytest.raises(ProvisionerError, match="paused after 0 of 2: new members end once they run"):
        replacement().run(hands)
    assert len(hands.launches) < 10
    assert "TerminateInstances" not in {call.operation for call in hands.sent}


def test_what_somebody_else_has_launched_meanwhile_ends_it() -> None:
    hands = FakeHands()
    hands.shown = shown(*OLD, member(7, FLEET))
    with pytest.raises(ChangedMeanwhile, match="i-07"):
        replacement().run(hands)
    assert hands.sent == []


def test_the_calls_of_a_plan_count_each_wave() -> None:
    counted = {call.operation: 0 for call in replacement().calls()}
    for call in replacement().calls():
        counted[call.operation] += call.count
    assert counted == {"RunInstances": 2, "TerminateInstances": 2}
