"""Equal questions of one look are one call, whoever asks them and when."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.shared_reads import SharedReads
from provisioner.model import Identity


class Counting:
    """Answers what it was asked, and counts."""

    def __init__(self, region: str = "here") -> None:
        self.region = region
        self.asked: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.asked.append(operation)
        assert self.go_on.wait(10)
        if operation == "DescribeNothing":
            raise AwsError(service, operation, "InvalidThing.NotFound", "there is none")
        return {"region": self.region, **params}

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        self.asked.append(operation)
        yield from (f"{key}{number}" for number in range(3))

    def in_region(self, region: str) -> Reader:
        return Counting(region)

    def parallel(self, *reads: Any) -> list[Any]:
        return [read() for read in reads]

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def now(self) -> datetime:
        return datetime.now(UTC)

    def identity(self) -> Identity:
        raise AssertionError("nobody asks here whose it is")


Ask = Callable[[Reader], Any]


@pytest.mark.parametrize(
    ("one", "other", "calls"),
    [
        (lambda r: r.call("ec2", "A", X=[1]), lambda r: r.call("ec2", "A", X=[1]), 1),
        (lambda r: r.call("ec2", "A", X=1, Y=2), lambda r: r.call("ec2", "A", Y=2, X=1), 1),
        (lambda r: r.call("ec2", "A", X=[1]), lambda r: r.call("ec2", "A", X=[2]), 2),
        (lambda r: r.call("ec2", "A", X=1), lambda r: r.call("ec2", "A", X="1"), 2),
        (lambda r: r.call("ec2", "A", X=[1, 2]), lambda r: r.call("ec2", "A", X=[2, 1]), 2),
        (lambda r: r.call("ec2", "A"), lambda r: r.call("ec2", "B"), 2),
        (lambda r: r.call("ec2", "A"), lambda r: r.call("iam", "A"), 2),
        (lambda r: list(r.pages("ec2", "A", "K")), lambda r: list(r.pages("ec2", "A", "K")), 1),
        (lambda r: list(r.pages("ec2", "A", "K")), lambda r: list(r.pages("ec2", "A", "L")), 2),
        (lambda r: list(r.pages("ec2", "A", "K")), lambda r: r.call("ec2", "A"), 2),
    ],
)
def test_what_is_asked_once(one: Ask, other: Ask, calls: int) -> None:
    alone = one(Counting()), other(Counting())
    reader = Counting()
    shared = SharedReads(reader)
    assert (one(shared), other(shared)) == alone
    assert len(reader.asked) == calls


def test_an_error_is_an_answer() -> None:
    reader = Counting()
    shared = SharedReads(reader)
    for _ in range(2):
        with pytest.raises(AwsError, match="there is none"):
            shared.call("ec2", "DescribeNothing")
    assert len(reader.asked) == 1


def test_who_asks_the_same_meanwhile_waits_for_the_answer() -> None:
    reader = Counting()
    reader.go_on.clear()
    shared = SharedReads(reader)
    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(shared.call, "ec2", "A", X=1) for _ in range(8)]
        reader.go_on.set()
        assert {asked.result(10)["X"] for asked in asking} == {1}
    assert len(reader.asked) == 1


def test_who_looks_again_asks_anew() -> None:
    reader = Counting()
    for _ in range(2):
        SharedReads(reader).call("ec2", "A")
    assert len(reader.asked) == 2


def test_another_region_has_answers_of_its_own() -> None:
    shared = SharedReads(Counting())
    asked = shared.call("ec2", "A"), shared.in_region("there").call("ec2", "A")
    assert [answer["region"] for answer in asked] == ["here", "there"]
