"""An execution context that answers calls from a list, in its order, and keeps what was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from provisioner.errors import AwsError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.instances import Instance
from provisioner.model import Call, Output, Step, Wait

T = TypeVar("T")


class Scripted:
    """`answers`: what each call is answered, or the error that it raises; `shown`: who all waits see."""

    def __init__(self, *answers: Mapping[str, Any] | Exception, shown: Iterable[Instance] = ()) -> None:
        self._answers = list(answers)
        self._shown = {instance.id: instance for instance in shown}
        self.sent: list[Call] = []

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.sent]

    def run(self, step: Step) -> None:
        """Carry out a step, which has to use up all answers."""
        run_step(step, self)
        assert self._answers == []

    def send(self, call: Call) -> dict[str, Any]:
        self.sent.append(call)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def parallel(self, actions: Iterable[Callable[[ExecutionContext], T]]) -> list[T]:
        results, errors = [], []
        for action in actions:
            try:
                results.append(action(self))
            except AwsError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return results

    def wait(self, wait: Wait) -> Mapping[str, Instance]:
        return self._shown

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
