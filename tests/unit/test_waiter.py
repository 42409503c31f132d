"""Waiting for instances: when it is over, when it has failed, and one call for all who wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from provisioner.errors import AwsError, ChangedMeanwhile, Interrupted, WaitError
from provisioner.kinds.instances import as_instance
from provisioner.model import Identity, Until, Wait
from provisioner.waiter import Waiter, has_failed, is_over, pause_s
from tests.support.build import BARE_INSTANCE

SCOPE = (("tag:provisioner:environment", ("env",)),)
ARN = "arn:aws:iam::123456789012:instance-profile/provisioner/env/web"


def raw(number: int, state: str = "running", **more: Any) -> dict[str, Any]:
    return {**BARE_INSTANCE, "InstanceId": f"i-{number}", "State": {"Name": state}, **more}


def bound(arn: str, identifier: str) -> dict[str, Any]:
    return {"IamInstanceProfile": {"Arn": arn, "Id": identifier}}


class FakeReader:
    """Shows one list of instances a round; the last one again and again."""

    def __init__(self, *rounds: list[dict[str, Any]] | Exception) -> None:
        self.rounds = list(rounds)
        self.calls = 0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def identity(self) -> Identity:
        raise AssertionError("nobody asks here whose it is")

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        raise AssertionError("waiting needs pages only")

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        assert operation == "DescribeInstances"
        shown = self.rounds[min(self.calls, len(self.rounds) - 1)]
        self.calls += 1
        if isinstance(shown, Exception):
            raise shown
        yield {"Instances": shown}

    def parallel(self, *reads: Any) -> list[Any]:
        return [read() for read in reads]

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def in_region(self, region: str) -> FakeReader:
        raise AssertionError("nothing here is in another region")


class Broken(threading.Event):
    """A stop that cannot be waited for."""

    def wait(self, timeout: float | None = None) -> bool:
        raise OSError("no clock")


class Impatient(threading.Event):
    """A stop that never comes, and does not let anybody wait either."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


def wait(*numbers: int, until: Until = Until.RUNNING, **more: Any) -> Wait:
    return Wait(tuple(f"i-{number}" for number in numbers), until, (SCOPE,), **more)


CASES: list[tuple[Until, dict[str, Any] | None, bool, bool]] = [
    (Until.RUNNING, None, False, False),
    (Until.RUNNING, raw(1, "pending"), False, False),
    (Until.RUNNING, raw(1, "running"), True, False),
    (Until.RUNNING, raw(1, "stopped"), True, False),
    (Until.RUNNING, raw(1, "terminated"), False, True),
    (Until.RUNNING, raw(1, "shutting-down"), False, True),
    (Until.TERMINATED, raw(1, "shutting-down"), False, False),
    (Until.TERMINATED, raw(1, "terminated"), True, False),
    (Until.TERMINATED, None, True, False),
    (Until.PROFILE, raw(1), False, False),
    (Until.PROFILE, raw(1, **bound(ARN, "AIPA2")), True, False),
    (Until.PROFILE, raw(1, **bound(ARN, "AIPA1")), False, False),
    (Until.PROFILE, raw(1, **bound(ARN + "x", "AIPA2")), False, False),
    (Until.PROFILE, raw(1, "terminated"), True, False),
    (Until.NO_PROFILE, raw(1, **bound(ARN, "AIPA2")), False, False),
    (Until.NO_PROFILE, raw(1), True, False),
]


@pytest.mark.parametrize(("until", "shown", "over", "failed"), CASES)
def test_when_a_wait_is_over(until: Until, shown: Any, over: bool, failed: bool) -> None:
    asked = wait(1, until=until, profile_arn=ARN, stale_profiles=("AIPA1",))
    instance = as_instance(shown) if shown else None
    assert is_over(asked, instance) is over
    assert (instance is not None and has_failed(asked, instance)) is failed


PAUSES = [
    # round, seconds waited, seconds the last look took, seconds until the next
    (0, 0.0, 0.0, 0.2),
    (1, 0.2, 0.06, 0.5),
    (8, 8.0, 0.06, 0.5),
    (20, 16.0, 0.06, 0.8),
    (40, 40.0, 0.06, 2.0),
    (99, 600.0, 0.06, 5.0),
    (1, 0.2, 1.5, 3.0),
    (9, 9.0, 60.0, 5.0),
    # Somebody who has just come is looked after like the first.
    (99, 0.0, 0.06, 0.5),
]


@pytest.mark.parametrize(("number", "waited", "looked", "pause"), PAUSES)
def test_how_often_it_looks(number: int, waited: float, looked: float, pause: float) -> None:
    assert pause_s(number, waited, looked) == pytest.approx(pause)


def test_it_looks_until_all_are_there() -> None:
    reader = FakeReader([raw(1, "pending")], [raw(1), raw(2, "pending")], [raw(1), raw(2)])
    observed: list[tuple[int, int]] = []
    Waiter(reader, Impatient()).wait(wait(1, 2), lambda done, total: observed.append((done, total)))
    assert observed == [(0, 2), (1, 2), (2, 2)]


def test_many_who_wait_share_one_call_a_round() -> None:
    all_wait = threading.Event()

    class Held(Impatient):
        def wait(self, timeout: float | None = None) -> bool:
            assert all_wait.wait(10)
            return False

    reader = FakeReader([raw(number) for number in range(7)])
    waiter = Waiter(reader, Held())
    with ThreadPoolExecutor(7) as pool:
        waits = [pool.submit(waiter.wait, wait(number)) for number in range(7)]
        while len(waiter.waiting) < 7:
            pass
        all_wait.set()
        assert all(f"i-{number}" in future.result(10) for number, future in enumerate(waits))
    assert reader.calls == 1


def test_an_instance_that_ends_before_it_runs_is_a_failed_launch_with_its_reason() -> None:
    reason = {"StateReason": {"Code": "Client.InternalError", "Message": "Client error on launch"}}
    reader = FakeReader([raw(1), raw(2, "terminated", **reason)])
    with pytest.raises(WaitError, match="i-2 did not start: Client error on launch"):
        Waiter(reader, Impatient()).wait(wait(1, 2))


def test_a_wait_does_not_last_for_ever() -> None:
    times = iter([0.0, *[1000.0] * 10])
    waiter = Waiter(FakeReader([raw(1, "pending")]), Impatient(), clock=lambda: next(times))
    with pytest.raises(WaitError, match="i-1 not running after 10 minutes"):
        waiter.wait(wait(1))


class Never:
    def holds(self, instance: object) -> bool:
        return False


def test_what_is_never_shown_as_changed_may_have_been_changed_by_somebody_else() -> None:
    times = iter([0.0, *[1000.0] * 10])
    waiter = Waiter(FakeReader([raw(1)]), Impatient(), clock=lambda: next(times))
    with pytest.raises(ChangedMeanwhile, match="i-1 not shown as changed after 2 minutes"):
        waiter.wait(wait(1, until=Until.SHOWN, timeout_s=120.0, condition=Never()))


def test_an_error_of_aws_reaches_whoever_waits() -> None:
    error = AwsError("ec2", "DescribeInstances", "UnauthorizedOperation", "no")
    with pytest.raises(AwsError, match="UnauthorizedOperation"):
        Waiter(FakeReader(error), Impatient()).wait(wait(1))


def test_nobody_waits_for_ever_because_of_an_error_that_nobody_thought_of() -> None:
    with pytest.raises(ZeroDivisionError):
        Waiter(FakeReader(ZeroDivisionError()), Impatient()).wait(wait(1))


def test_nobody_waits_for_ever_because_the_pause_between_two_looks_failed() -> None:
    with pytest.raises(OSError, match="no clock"):
        Waiter(FakeReader([raw(1)]), Broken()).wait(wait(1))


def test_nobody_waits_for_ever_because_somebody_ends_the_thread() -> None:
    with pytest.raises(SystemExit):
        Waiter(FakeReader([raw(1)]), Impatient()).wait(wait(1), _exit)


def _exit(done: int, total: int) -> None:
    raise SystemExit(1)


def test_an_error_about_health_reaches_only_those_who_wait_for_health() -> None:
    denied = AwsError("ec2", "DescribeInstanceStatus", "UnauthorizedOperation", "no")

    class NoChecks(FakeReader):
        def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
            raise denied

    both_wait = threading.Event()

    class Held(Impatient):
        def wait(self, timeout: float | None = None) -> bool:
            return not both_wait.wait(10)

    waiter = Waiter(NoChecks([raw(1), raw(2)]), Held())
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(waiter.wait, wait(1))
        healthy = pool.submit(waiter.wait, Wait(("i-2",), Until.HEALTHY, (SCOPE,)))
        while len(waiter.waiting) < 2:
            pass
        both_wait.set()
        assert "i-1" in running.result(10)
        assert healthy.exception(10) is denied


def test_a_wait_ends_when_the_user_stops() -> None:
    stop = Impatient()
    stop.set()
    with pytest.raises(Interrupted):
        Waiter(FakeReader([raw(1, "pending")]), stop).wait(wait(1))
