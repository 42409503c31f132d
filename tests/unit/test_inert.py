"""What the check that plans are data finds; it looks at all plans of the unit tests and of any spec."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from provisioner.execution import ExecutionContext, run_step
from provisioner.model import Action, Address, Call, CallCount, Change, Parallel, Plan, SentAt, Step
from tests.support.inert import check_is_data, not_inert

AT = Address("role", "web")


@dataclass(frozen=True)
class Doing:
    """A step that carries something with it."""

    what: Any

    def calls(self) -> Iterable[CallCount]:
        return ()


@run_step.register
def do_nothing(step: Doing, context: ExecutionContext) -> None:
    raise NotImplementedError


@dataclass(frozen=True)
class Unknown:
    """A step that nobody knows how to run."""

    def calls(self) -> Iterable[CallCount]:
        return ()


@dataclass
class Changing:
    said: int = 0


# What a step carries, and where it is found to be no data.
CARRIED: dict[str, tuple[Any, list[str]]] = {
    "values": (("text", 1, 2.5, None, frozenset({AT}), {"key": [True]}), []),
    "a call": (Call("iam", "CreateRole", {"RoleName": "web"}), []),
    "a function": (lambda value: True, [".what: function"]),
    "a method": ("text".upper, [".what: builtin_function_or_method"]),
    "a function among values": ({"check": [len]}, [".what[check][0]: builtin_function_or_method"]),
    "what can be changed": (Changing(), [".what: Changing is not frozen"]),
    "a step that nothing runs": (Unknown(), [".what: nothing is registered to run Unknown"]),
    "a set": ({1}, [".what: set"]),
    "an exception": (ValueError("no"), [".what: ValueError"]),
}


@pytest.mark.parametrize("case", CARRIED)
def test_a_step_is_data_or_it_is_said_where_it_is_not(case: str) -> None:
    carried, places = CARRIED[case]
    assert list(not_inert(Doing(carried))) == places


def test_a_step_inside_others_is_looked_at_too() -> None:
    def plan_of(check: Callable[[], bool] | str | None) -> Plan:
        step: Step = Parallel((Doing(check),))
        return Plan("env", "us-east-1", "123456789012", (Change(AT, Action.UPDATE, "", steps=(step,)),))

    check_is_data(plan_of(None))
    check_is_data(plan_of(SentAt("8h from now", "{end}", timedelta(hours=8))))
    with pytest.raises(AssertionError, match=r"role/web\.steps\[0\]\.steps\[0\]\.what: function"):
        check_is_data(plan_of(lambda: True))
