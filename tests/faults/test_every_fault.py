"""Every call goes wrong once, in every way: the run gets over it by itself, or says clearly what happened.

Whatever came of it, one more run without the fault makes everything right.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from local_aws import Rule, denied, drop_reply, drop_request, error
from tests.faults.runs import Nursery
from tests.faults.trial import Trial
from tests.faults.wire import Reply, Request, Send, Wire
from tests.support.cloud import Cloud, is_reading
from tests.support.program import Ran

# Calls that a run can do without: it reads role by role, or leaves it to IAM to say what is wrong.
CAN_DO_WITHOUT = {
    "GetAccountAuthorizationDetails",
    "GetPolicy",
    "DescribeImages",
    "DescribeInstanceTypes",
    "DescribeInstanceTypeOfferings",
    "DescribeVolumes",
    # What several fleets send together each of them sends by itself where it is refused.
    "TerminateInstances",
}

SERVICES = {
    "iam": ("Role", "InstanceProfile", "Policy", "GetAccountAuthorizationDetails"),
    "sts": ("GetCallerIdentity",),
    "ssm": ("GetParameter",),
}

# So many calls of one operation are each tried.
MAX_ALIKE = 6

Faulty = Callable[[str, int], Rule]


def service_of(operation: str) -> str:
    """The service that has an operation."""
    if operation.endswith("IamInstanceProfile") or "IamInstanceProfileAssociation" in operation:
        return "ec2"
    return next((name for name, words in SERVICES.items() if any(word in operation for word in words)), "ec2")


def throttled(operation: str, *nth: int) -> Rule:
    """The service says that there were too many calls, in its own words."""
    code, status = {
        "ec2": ("RequestLimitExceeded", 503),
        "ssm": ("ThrottlingException", 400),
    }.get(service_of(operation), ("Throttling", 400))
    return error(operation, code, "Rate exceeded", status=status, nth=nth)


FAULTS: dict[str, Faulty] = {
    "throttled-once": throttled,
    "throttled-for-a-while": lambda operation, nth: throttled(operation, *range(nth, nth + 4)),
    "http-500": lambda operation, nth: error(operation, nth=nth),
    "request-lost": lambda operation, nth: drop_request(operation, nth=nth),
    "reply-lost": lambda operation, nth: drop_reply(operation, nth=nth),
}


class Tearing:
    """Ends one reply in the middle."""

    def __init__(self, operation: str, nth: int) -> None:
        self._torn = (operation, nth)

    def __call__(self, request: Request, send: Send) -> Reply:
        reply = send()
        return Reply(reply.head, reply.body, (request.operation, request.nth) == self._torn)


class Garbling:
    """Something on the way puts a page of its own in the place of one reply."""

    def __init__(self, operation: str, nth: int) -> None:
        self._garbled = (operation, nth)

    def __call__(self, request: Request, send: Send) -> Reply:
        reply = send()
        if (request.operation, request.nth) != self._garbled:
            return reply
        page = b"<html>Please log in to this network"
        return Reply(f"HTTP/1.1 200 OK\r\nContent-Length: {len(page)}\r\n\r\n", page)


@pytest.fixture
def start(aws: Cloud, wire: Wire, nursery: Nursery, tmp_path: Path) -> Callable[[str], Trial]:
    return lambda command: Trial.of(command, aws, wire, nursery, tmp_path)


def gets_over_it(fault: Faulty, trial: Trial, operation: str, nth: int) -> None:
    """Asserts that a run ends right by itself."""
    trial.account.cloud.break_with(fault(operation, nth))
    trial.runs_right()
    trial.is_right()


def gets_over_a_torn_reply(trial: Trial, operation: str, nth: int) -> None:
    """Asserts the same where the program gets half of a reply."""
    trial.wire.put(Tearing(operation, nth))
    trial.runs_right()
    trial.is_right()


# What services answer with, each with its own.
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def says_that_it_may_not(trial: Trial, operation: str, nth: int) -> None:
    """Asserts that a run ends with words that help, and that the next one is right."""
    cloud = trial.account.cloud
    cloud.forget_calls()
    cloud.break_with(denied(operation, nth=nth))
    ran = trial.run()
    # How often is looked while instances start is not the same every time.
    was_refused = any(call.error in DENIED for call in cloud.calls())
    if was_refused and operation not in CAN_DO_WITHOUT and not says_what_it_could_not_look_at(ran, operation):
        permission = f"{service_of(operation)}:{operation}"
        assert ran.code == 1, ran.said
        words = " ".join(ran.said.split())
        # What may be in use in a region that cannot be asked is left, and all else is done.
        is_left = f"which could not be asked: ec2 {operation}" in words
        assert is_left or f"these credentials need the permission {permission}" in words, ran.said
    else:
        assert ran.code == 0, ran.said
    cloud.mend()
    trial.runs_right()
    trial.is_right()


def says_what_it_could_not_look_at(ran: Ran, operation: str) -> bool:
    """Whether all was done, and only the last look at it, which changes nothing, was refused."""
    words = " ".join(ran.said.split())
    unknown = re.search(rf"(is left|are) is not known: .*{operation}", words)
    return bool(ran.code == 0 and "Done in" in words and unknown)


Check = Callable[[Trial, str, int], None]
CHECKS: dict[str, Check] = {
    **{name: partial(gets_over_it, fault) for name, fault in FAULTS.items()},
    "reply-torn": gets_over_a_torn_reply,
    "not-allowed": says_that_it_may_not,
}
EVERY_FAULT = pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)


@EVERY_FAULT
@pytest.mark.sampled
def test_a_launch(start: Callable[[str], Trial], check: Check) -> None:
    check(start("apply"), "RunInstances", 1)


@pytest.mark.parametrize(
    ("command", "operation"),
    [
        ("apply", "CreateRole"),
        ("apply", "CreateInstanceProfile"),
        ("apply", "AddRoleToInstanceProfile"),
        ("apply", "AssociateIamInstanceProfile"),
        ("destroy", "DeleteRole"),
    ],
)
@pytest.mark.sampled
def test_a_lost_reply(start: Callable[[str], Trial], command: str, operation: str) -> None:
    gets_over_it(FAULTS["reply-lost"], start(command), operation, 1)


@pytest.mark.long
def test_half_of_a_reply_in_json(start: Callable[[str], Trial]) -> None:
    gets_over_a_torn_reply(start("apply"), "GetParameter", 1)


def test_a_reply_of_something_that_is_not_aws(start: Callable[[str], Trial]) -> None:
    trial = start("apply")
    trial.wire.put(Garbling("RunInstances", 1))
    trial.runs_right()
    trial.is_right()


# Who gets over four refusals gets over the first of them.
SWEPT = {name: check for name, check in CHECKS.items() if name != "throttled-once"}


@pytest.mark.long
@pytest.mark.parametrize("check", SWEPT.values(), ids=SWEPT)
@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_every_single_call(start: Callable[[str], Trial], command: str, check: Check) -> None:
    wrong = []
    calls = calls_of(start(command))
    for operation, number in calls.items():
        for nth in turns(number):
            if nth > 1 and check is CHECKS["request-lost"] and is_reading(operation):
                # The same to whoever reads as a lost reply, which is tried each time.
                continue
            try:
                check(start(command), operation, nth)
            except AssertionError as problem:
                wrong.append(f"{operation} {nth}: {problem}")
    assert not wrong, "\n\n".join([f"{len(wrong)} cases", *wrong])
    assert calls.total() >= {"apply": 30, "destroy": 20}[command]


def turns(number: int) -> list[int]:
    """Which of so many calls alike: of what is asked of each region, the first three and the last."""
    return list(range(1, number + 1)) if number <= MAX_ALIKE else [1, 2, 3, number]


def calls_of(trial: Trial) -> Counter[str]:
    """How often a run without faults calls what."""
    trial.wire.put()
    trial.runs_right()
    return Counter(request.operation for request in trial.wire.requests)
