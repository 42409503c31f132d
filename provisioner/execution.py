"""What is done for each type of step. Steps say what; whoever adds one registers here how.

A plan holds steps as plain values, which anybody can count, show and compare. Only an executor runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial, singledispatch
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from provisioner.model import Call, Output, Parallel, Step, Wait, Whole

if TYPE_CHECKING:
    from provisioner.kinds.instances import Instance

T = TypeVar("T")


class ExecutionContext(Protocol):
    """What a step is carried out through: the only way from a plan to AWS."""

    def send(self, call: Call) -> dict[str, Any]:
        """Send one call and return its answer. Raises AwsError."""

    def parallel(self, actions: Iterable[Callable[[ExecutionContext], T]]) -> list[T]:
        """The results of actions that do not wait for each other, in their order, each given its context.

        All are tried, then the first error is raised.
        """

    def wait(self, wait: Wait) -> Mapping[str, Instance]:
        """All instances of the wait's scopes, by id, once it is over. Raises WaitError."""

    def check(self) -> None:
        """Raises Interrupted if the run is to end."""

    def to_the_end(self) -> ExecutionContext:
        """The same, which an interruption does not end: for what must not be left half done."""

    def pause(self, seconds: float) -> None:
        """Let some time pass. Raises Interrupted when the run is to stop."""

    def value_of(self, output: Output) -> str:
        """What AWS has assigned in a change of this plan, which has to be made before this one."""

    def answers(self, operation: str) -> list[dict[str, Any]]:
        """All answers this run had to one operation that writes, oldest first."""

    def tell(self, phase: str) -> None:
        """Say which part of a long step comes now, for whoever watches."""

    def took(self, number: int, option: str, wanted: str) -> None:
        """Say that so many were made as one of several options, of which another was `wanted` first."""

    def seconds_since(self, what: str) -> float:
        """How long ago this run first asked for the same `what`; 0 for the first time."""


@singledispatch
def run_step(step: Step, context: ExecutionContext) -> None:
    """Carry out one step. Raises AwsError and WaitError, and Interrupted when the run is to end."""
    raise TypeError(f"nothing is registered for {type(step).__name__}")


@run_step.register
def _send(step: Call, context: ExecutionContext) -> None:
    context.send(step)


@run_step.register
def _side_by_side(step: Parallel, context: ExecutionContext) -> None:
    context.parallel(partial(run_step, inner) for inner in step.steps)


@run_step.register
def _to_the_end(step: Whole, context: ExecutionContext) -> None:
    context.check()
    uninterrupted = context.to_the_end()
    for inner in step.steps:
        run_step(inner, uninterrupted)


@run_step.register
def _wait(step: Wait, context: ExecutionContext) -> None:
    context.wait(step)
