"""A rolling restart, by an execution context that shows what was sent: who is taken, who is waited for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from provisioner.errors import ProvisionerError, WaitError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.diff.change import Phase
from provisioner.kinds.fleet.diff.interrupting_changes import restart_change
from provisioner.kinds.instances import Instance
from provisioner.model import Call, Output, Step, Until, Wait
from tests.support.build import FLEET, environment, fleet_of, member, observed_fleet, world

PLAIN: dict[str, Any] = {"count": 4, "image": "ami-00000000000000001", "instance_type": "t3.micro"}


class Showing:
    """Shows members as they were made by what was sent; those in `failing` never become healthy.

    `stopped_by_hand` are stopped by somebody while others are waited for.
    """

    def __init__(
        self,
        members: Iterable[Instance],
        failing: Collection[str] = (),
        stopped_by_hand: Collection[str] = (),
    ) -> None:
        self.shown = {instance.id: instance for instance in members}
        self.failing = set(failing)
        self.stopped_by_hand = stopped_by_hand
        self.log: list[str] = []

    def send(self, call: Call) -> dict[str, Any]:
        ids = call.params.get("InstanceIds") or [call.params["InstanceId"]]
        self.log.append(f"{call.operation} {' '.join(ids)}")
        become: dict[str, Callable[[Instance], Instance]] = {
            "StopInstances": lambda instance: replace(instance, state="stopped"),
            "StartInstances": lambda instance: replace(instance, state="running"),
            "ModifyInstanceAttribute": lambda instance: replace(instance, type="t3.small"),
        }
        self.shown |= {name: become[call.operation](self.shown[name]) for name in ids}
        return {}

    def parallel(self, actions: Iterable[Callable[[ExecutionContext], Any]]) -> list[Any]:
        return [action(self) for action in actions]

    def wait(self, wait: Wait) -> Mapping[str, Instance]:
        if wait.until is Until.STARTED:
            self.log.append(f"wait for {' '.join(wait.instances)}")
            if self.failing & set(wait.instances):
                raise WaitError(f"{' '.join(wait.instances)} not running", "look")
            states = dict.fromkeys(self.stopped_by_hand, "stopped") | dict.fromkeys(wait.instances, "running")
            self.shown |= {name: replace(self.shown[name], state=state) for name, state in states.items()}
        return dict(self.shown)

    def tell(self, phase: str) -> None:
        self.log.append(phase)

    def to_the_end(self) -> ExecutionContext:
        return self

    def took(self, number: int, option: str, wanted: str) -> None:
        pass

    def check(self) -> None:
        pass

    def pause(self, seconds: float) -> None:
        pass

    def value_of(self, output: Output) -> str:
        return ""

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def seconds_since(self, what: str) -> float:
        return 0.0


def restart(there: Iterable[Instance], most: int, **update: Any) -> Step:
    """The step that gives members which are t3.micro another type, at most so many at a time."""
    members = tuple(there)
    desired = environment(
        fleets={"web": PLAIN | {"instance_type": "t3.small", "update": {"max_unavailable": most, **update}}}
    )
    fleet, observed = fleet_of(desired), observed_fleet(members)
    wrong = [instance for instance in members if instance.type == "t3.micro"]
    (change,) = restart_change(
        FLEET, fleet, observed, wrong, (), Phase.RESTART, world(desired, {FLEET: observed})
    )
    return change.steps[0]


def members(**differing: str) -> tuple[Instance, ...]:
    """Members `i-01` to `i-04`, of which the fourth has the new type; with the states in `differing`."""
    fleet = fleet_of(environment(fleets={"web": PLAIN}))
    names = ("one", "two", "three", "four")
    types = dict.fromkeys(names, "t3.micro") | {"four": "t3.small"}
    return tuple(
        member(number, fleet, type=types[name], state=differing.get(name, "running"))
        for number, name in enumerate(names, start=1)
    )


def restarted(ids: str, done: int, of: int = 3) -> list[str]:
    """What a wave looks like, and what is told."""
    taken = ids.split()
    return [
        f"StopInstances {ids}",
        *(f"ModifyInstanceAttribute {name}" for name in taken),
        f"StartInstances {ids}",
        f"{done} of {of} restarted",
        f"wait for {ids}",
    ]


def test_members_are_restarted_wave_by_wave() -> None:
    context = Showing(members())
    run_step(restart(members(), most=2), context)
    assert context.log == [
        "0 of 3 restarted",
        *restarted("i-01 i-02", done=2),
        "2 of 3 restarted",
        *restarted("i-03", done=3),
    ]


def test_who_is_down_is_taken_first_and_costs_nobody() -> None:
    there = members(three="stopped")
    context = Showing(there)
    run_step(restart(there, most=1), context)
    assert context.log[1] == "ModifyInstanceAttribute i-03"


def test_others_that_are_down_are_waited_for_before_a_wave() -> None:
    there = members(four="stopped")
    context = Showing(there)
    run_step(restart(there, most=3), context)
    assert context.log == [
        "0 of 3 restarted",
        "wait for i-04",
        "0 of 3 restarted",
        *restarted("i-01 i-02 i-03", done=3),
    ]


def test_after_the_last_wave_nobody_else_is_waited_for() -> None:
    context = Showing(members(), stopped_by_hand=["i-04"])
    run_step(restart(members(), most=3), context)
    assert context.log[-1] == "wait for i-01 i-02 i-03"


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [(True, "paused after 0 of 3: i-01 i-02 not running"), (False, None)],
)
def test_a_wave_that_does_not_start_pauses_it_or_is_given_up(pauses: bool, expected: str | None) -> None:
    context = Showing(members(), failing=["i-01"])
    step = restart(members(), most=2, pause_on_failure=pauses)
    if expected is None:
        run_step(step, context)
        assert context.log[-1] == "wait for i-03"
    else:
        with pytest.raises(ProvisionerError, match=expected):
            run_step(step, context)
        assert "StopInstances i-03" not in context.log


def test_nobody_is_taken_where_too_many_are_missing() -> None:
    context = Showing(members()[:2])
    with pytest.raises(
        ProvisionerError, match="2 of 4 members are healthy, and at most 2 may be unavailable"
    ):
        run_step(restart(members()[:2], most=2), context)
    assert context.log == ["0 of 2 restarted"]
