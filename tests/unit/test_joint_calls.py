"""Calls of many changes that differ only in the instances that they name are sent as one."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from provisioner.errors import AwsError, Interrupted
from provisioner.joint_calls import MAX_IDS, JointCalls


class Ec2:
    """Notes what it is sent, and refuses calls that name what it does not like."""

    def __init__(self, refused: Iterable[str] = (), error: Exception | None = None) -> None:
        self.refused = set(refused)
        self.error = error
        self.sent: list[list[str]] = []

    def send(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        ids = list(params["InstanceIds"])
        self.sent.append(ids)
        if self.refused.intersection(ids):
            raise self.error or AwsError(service, operation, "OperationNotPermitted", "protected", 400)
        return {"of": ids}


def terminated(ec2: Ec2, expected: int, *named: list[str]) -> list[Exception | None]:
    """What became of as many calls, side by side."""
    calls = JointCalls(ec2.send, {"TerminateInstances": expected})

    def terminate(ids: list[str]) -> Exception | None:
        try:
            calls.send("ec2", "TerminateInstances", {"InstanceIds": ids})
        except (AwsError, Interrupted) as error:
            return error
        return None

    with ThreadPoolExecutor(len(named)) as pool:
        return list(pool.map(terminate, named))


MANY = [f"i-{number}" for number in range(MAX_IDS - 1)]
# How many are expected, what each names, and what is sent, in any order.
CASES: dict[str, tuple[int, list[list[str]], list[list[str]]]] = {
    "several at once": (3, [["i-a"], ["i-b", "i-c"], ["i-d"]], [["i-a", "i-b", "i-c", "i-d"]]),
    "one alone": (1, [["i-a"]], [["i-a"]]),
    "one, and the other does not come": (2, [["i-a"]], [["i-a"]]),
    "more than one call takes": (2, [MANY, ["i-x", "i-y"]], [MANY, ["i-x", "i-y"]]),
}


@pytest.mark.parametrize(("expected", "named", "sent"), CASES.values(), ids=CASES)
def test_what_is_sent(expected: int, named: list[list[str]], sent: list[list[str]]) -> None:
    ec2 = Ec2()
    assert terminated(ec2, expected, *named) == [None] * len(named)
    assert sorted(map(sorted, ec2.sent)) == sorted(map(sorted, sent))


def test_what_is_refused_together_is_asked_for_alone() -> None:
    ec2 = Ec2(refused=["i-b"])
    first, second, third = terminated(ec2, 3, ["i-a"], ["i-b"], ["i-c"])
    assert (first, third) == (None, None)
    assert isinstance(second, AwsError)
    together, *alone = ec2.sent
    assert (sorted(together), sorted(alone)) == (["i-a", "i-b", "i-c"], [["i-a"], ["i-b"], ["i-c"]])


def test_what_is_refused_alone_is_not_asked_for_twice() -> None:
    ec2 = Ec2(refused=["i-a"])
    (error,) = terminated(ec2, 2, ["i-a"])
    assert isinstance(error, AwsError)
    assert ec2.sent == [["i-a"]]


def test_an_interruption_is_one_of_all() -> None:
    ec2 = Ec2(refused=["i-a"], error=Interrupted("stop"))
    assert all(isinstance(error, Interrupted) for error in terminated(ec2, 2, ["i-a"], ["i-b"]))
    assert len(ec2.sent) == 1


def test_other_operations_and_parameters_are_sent_as_they_are() -> None:
    ec2 = Ec2()
    calls = JointCalls(ec2.send, {"StopInstances": 2, "TerminateInstances": 2})
    calls.send("ec2", "StopInstances", {"InstanceIds": ["i-a"]})
    calls.send("ec2", "TerminateInstances", {"InstanceIds": ["i-b"], "DryRun": True})
    assert ec2.sent == [["i-a"], ["i-b"]]
