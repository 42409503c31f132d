"""The request limits that are kept on this side: when a call may be sent, given those before it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.aws.rate_limit import (
    EC2,
    EC2_INSTANCES,
    EC2_READING,
    EC2_WRITING,
    IAM_READING,
    IAM_WRITING,
    JITTER_S,
    MARGIN,
    RateLimit,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def waits(pace: RateLimit, number: int, service: str, operation: str, **params: Any) -> list[float]:
    return [pace.seconds_until(service, operation, params) for _ in range(number)]


@pytest.mark.parametrize(
    ("service", "operation", "burst", "per_second"),
    [
        ("ec2", "RunInstances", 5, 2),
        ("ec2", "DescribeInstances", 100, 20),
        ("ec2", "ReplaceIamInstanceProfileAssociation", 50, 5),
        ("ec2", "CreateTags", 100, 10),
        ("iam", "CreateRole", 30, 10),
    ],
)
def test_a_burst_is_sent_at_once_and_the_rest_evenly(
    service: str, operation: str, burst: int, per_second: float
) -> None:
    pace = RateLimit(Clock())
    told = waits(pace, burst + 3, service, operation)
    assert told[:burst] == [0.0] * burst
    gap = 1 / (per_second * MARGIN)
    assert told[burst:] == pytest.approx([number * gap + JITTER_S for number in (1, 2, 3)])


def test_tokens_come_back_up_to_the_size_of_the_bucket() -> None:
    clock = Clock()
    pace = RateLimit(clock)
    waits(pace, 5, "ec2", "RunInstances", MaxCount=1)
    clock.now = 3600.0
    assert waits(pace, 6, "ec2", "RunInstances", MaxCount=1)[4:] == [
        0.0,
        pytest.approx(1 / (2 * MARGIN) + JITTER_S),
    ]


def test_instances_count_beside_requests() -> None:
    pace = RateLimit(Clock())
    assert waits(pace, 2, "ec2", "RunInstances", MaxCount=500) == [0.0, 0.0]
    assert waits(pace, 1, "ec2", "RunInstances", MaxCount=19) == pytest.approx([10.0 + JITTER_S])
    ids = [f"i-{number}" for number in range(1000)]
    assert waits(pace, 2, "ec2", "TerminateInstances", InstanceIds=ids)[0] == 0.0


@pytest.mark.parametrize(
    "operation", ["RunInstances", "StartInstances", "StopInstances", "TerminateInstances"]
)
def test_a_dry_run_is_of_no_instances(operation: str) -> None:
    ids = [f"i-{number}" for number in range(1000)]
    params = {"MaxCount": 1000} if operation == "RunInstances" else {"InstanceIds": ids}
    assert waits(RateLimit(Clock()), 5, "ec2", operation, DryRun=True, **params) == [0.0] * 5


def test_a_launch_that_was_refused_has_cost_a_request_and_no_instances() -> None:
    pace, told = RateLimit(Clock()), []
    for _ in range(6):
        told += waits(pace, 1, "ec2", "RunInstances", MaxCount=1000)
        pace.give_back("RunInstances", {"MaxCount": 1000})
    assert told == [*[0.0] * 5, pytest.approx(1 / (2 * MARGIN) + JITTER_S)]


def test_no_more_instances_come_back_than_a_bucket_holds() -> None:
    pace = RateLimit(Clock())
    pace.give_back("RunInstances", {"MaxCount": 500})
    assert waits(pace, 3, "ec2", "RunInstances", MaxCount=500)[1:] == pytest.approx(
        [0.0, 500 / (2 * MARGIN) + JITTER_S]
    )


def test_who_has_to_wait_takes_no_token() -> None:
    clock = Clock()
    pace = RateLimit(clock)
    assert [pace.take("iam", "CreateRole", {}) for _ in range(30)] == [0.0] * 30
    gap = 1 / (10 * MARGIN)
    assert [pace.take("iam", "CreateRole", {}) for _ in range(3)] == pytest.approx([gap + JITTER_S] * 3)
    assert pace.take("iam", "AttachRolePolicy", {}) == 0.0
    clock.now = JITTER_S + 2.5 * gap
    assert [pace.take("iam", "CreateRole", {}) for _ in range(3)] == pytest.approx([0.0, 0.0, gap / 2])


def test_operations_and_services_do_not_share_buckets() -> None:
    pace = RateLimit(Clock())
    waits(pace, 10, "ec2", "RunInstances", MaxCount=1)
    assert waits(pace, 1, "ec2", "StartInstances", InstanceIds=["i-1"]) == [0.0]
    assert waits(pace, 50, "sts", "GetCallerIdentity") == [0.0] * 50


@given(
    operation=st.sampled_from(["RunInstances", "ReplaceIamInstanceProfileAssociation", "CreateRole"]),
    bursts=st.dictionaries(
        st.sampled_from([0.0, 0.1, 1.0, 1.3, 10.0]),
        st.lists(st.tuples(st.integers(0, 60), st.floats(0, JITTER_S)), min_size=1, max_size=4),
        min_size=1,
    ),
)
@example("CreateRole", {0.0: [(26, 0.125)], 1.0: [(13, 0.0)]})
def test_nothing_is_refused_however_unevenly_it_arrives(
    operation: str, bursts: dict[float, list[tuple[int, float]]]
) -> None:
    """At any moments so many calls are wanted one after the other, that are on their way for so long."""
    service, rate = (
        ("iam", IAM_WRITING) if operation == "CreateRole" else ("ec2", EC2.get(operation, EC2_WRITING))
    )
    clock = Clock()
    pace = RateLimit(clock)
    arrivals = []
    for clock.now, burst in sorted(bursts.items()):
        for number, on_their_way in burst:
            told = waits(pace, number, service, operation)
            arrivals += [clock.now + each + on_their_way for each in told]
    tokens, before = rate.size, 0.0
    for arrival in sorted(arrivals):
        tokens = min(rate.size, tokens + (arrival - before) * rate.per_second) - 1
        before = arrival
        assert tokens >= -1e-6


def test_the_local_aws_enforces_the_same_rates() -> None:
    # Not when tests are collected, as all processes do: with this comes moto, which takes a second.
    from local_aws.corrections import limits

    for operation, rate in EC2.items():
        assert limits._EC2[operation] == rate
    assert {name: tuple(rate) for name, rate in EC2_INSTANCES.items()} == limits._INSTANCES
    assert (limits._READING, limits._MUTATING) == (EC2_READING, EC2_WRITING)
    assert (limits._IAM_READING, limits._IAM_MUTATING) == (IAM_READING, IAM_WRITING)
