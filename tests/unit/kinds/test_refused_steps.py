"""What a step tells of an error beyond what AWS said: in an error of its own, as the other is AWS's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import pytest

from provisioner.errors import AwsError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.launching.launch_context import LaunchContext
from provisioner.kinds.fleet.launching.scale_out import ScaleOut
from provisioner.kinds.fleet.rolling_update.all_at_once import Termination
from provisioner.kinds.fleet.rolling_update.starting import Start
from provisioner.kinds.instances import Instance
from provisioner.model import Call, Output, Step, Wait
from tests.support.build import AROUND, environment, fleet_of, member

T = TypeVar("T")
FLEET = fleet_of(
    environment(fleets={"web": {"count": 2, "image": "ami-00000000000000001", "instance_type": "t3.micro"}})
)
FIRST, SECOND = member(1, FLEET), member(2, FLEET)


class Refusing:
    """Refuses all calls of one operation with one and the same error; shows the members that it is given."""

    def __init__(self, refused: AwsError, shown: Iterable[Instance]) -> None:
        self.refused = refused
        self.shown = {instance.id: instance for instance in shown}

    def send(self, call: Call) -> dict[str, Any]:
        if call.operation == self.refused.operation:
            raise self.refused
        return {"Instances": []}

    def parallel(self, actions: Iterable[Callable[[ExecutionContext], T]]) -> list[T]:
        return [action(self) for action in actions]

    def wait(self, wait: Wait) -> Mapping[str, Instance]:
        return self.shown

    def value_of(self, output: Output) -> str:
        raise NotImplementedError

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def tell(self, phase: str) -> None:
        pass

    def took(self, number: int, option: str, wanted: str) -> None:
        pass

    def pause(self, seconds: float) -> None:
        pass

    def check(self) -> None:
        pass

    def to_the_end(self) -> ExecutionContext:
        return self

    def seconds_since(self, what: str) -> float:
        return 0.0


def launch() -> Step:
    launches = LaunchContext(FLEET, "env", None, "", AROUND)
    return ScaleOut(launches, 2, (), (), 2)


def start() -> Step:
    types = {"i-01": "t3.micro", "i-02": "t3.micro"}
    return Start(FLEET, "env", types, types)


# The step, the operation and the code that it is refused with, the members that are shown then, and what is
# told beyond what AWS said.
REFUSED: dict[str, tuple[Callable[[], Step], str, str, tuple[Instance, ...], str]] = {
    "one of two is terminated all the same": (
        lambda: Termination(("i-01", "i-02"), "env"),
        "TerminateInstances",
        "OperationNotPermitted",
        (FIRST,),
        "1 of 2 are terminated all the same, but not i-01",
    ),
    "a launch with other parameters": (
        launch,
        "RunInstances",
        "IdempotentParameterMismatch",
        (),
        "waiting until it is shown",
    ),
    "members that cannot be started": (
        start,
        "StartInstances",
        "UnauthorizedOperation",
        (member(1, FLEET, state="stopped"), SECOND),
        "i-01 is stopped; apply again once that is allowed",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_step_adds_is_told_by_an_error_of_its_own(case: str) -> None:
    step, operation, code, shown, told = REFUSED[case]
    refused = AwsError("ec2", operation, code, "no", 400, "request-1", "ask")
    before = dict(vars(refused))
    with pytest.raises(AwsError) as caught:
        run_step(step(), Refusing(refused, shown))
    assert told in f"{caught.value.text}; {caught.value.hint}"
    assert (caught.value.code, caught.value.request_id) == (code, "request-1")
    assert caught.value.message == f"ec2 {operation}: {code}: {caught.value.text}"
    assert vars(refused) == before
