"""A replacement by an execution context that answers as it is told to."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.errors import ChangedMeanwhile, ProvisionerError
from provisioner.execution import run_step
from provisioner.kinds.fleet.launching.launch_context import LaunchContext
from provisioner.kinds.fleet.rolling_update.replacing import RollingReplacement
from provisioner.kinds.fleet.rolling_update.rollout import RolloutState
from tests.support.build import AROUND, environment, fleet_of, member
from tests.unit.kinds.test_launch import PLAIN, FakeContext

FLEET = fleet_of(environment(fleets={"web": PLAIN | {"count": 2}}))
OLD = (member(1, FLEET), member(2, FLEET))


def replacement() -> RollingReplacement:
    ids = tuple(instance.id for instance in OLD)
    state = RolloutState(2, FLEET.update.order, FLEET.update.max_unavailable, ids, (), frozenset(ids))
    return RollingReplacement(LaunchContext(FLEET, "env", None, "", AROUND), OLD, frozenset(), state)


def shown(*members: Any) -> dict[str, Any]:
    return {instance.id: instance for instance in members}


def test_members_that_end_as_soon_as_they_run_are_not_launched_for_ever() -> None:
    context = FakeContext(*[1] * 100)
    context.shown = shown(*OLD)
    with pytest.raises(ProvisionerError, match="paused after 0 of 2: new members end once they run"):
        run_step(replacement(), context)
    assert len(context.launches) < 10
    assert "TerminateInstances" not in {call.operation for call in context.sent}


def test_what_somebody_else_has_launched_meanwhile_ends_it() -> None:
    context = FakeContext()
    context.shown = shown(*OLD, member(7, FLEET))
    with pytest.raises(ChangedMeanwhile, match="i-07"):
        run_step(replacement(), context)
    assert context.sent == []


def test_the_calls_of_a_plan_count_each_wave() -> None:
    counted = {call.operation: 0 for call in replacement().calls()}
    for call in replacement().calls():
        counted[call.operation] += call.count
    assert counted == {"RunInstances": 2, "TerminateInstances": 2}
