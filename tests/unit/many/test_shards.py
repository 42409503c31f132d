"""Shards: every machine comes to the same ones, none has much more to do, and few move."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import UsageError
from provisioner.many.engines import find_shard
from provisioner.many.shards import Shard, Sized, shard_numbers

GROUPS = st.tuples(
    st.just(""),
    st.sampled_from([f"{number:012}" for number in range(1, 9)]),
    st.sampled_from(["eu-west-1", "us-east-1", "us-east-2"]),
)
ENVIRONMENTS = st.lists(
    st.builds(Sized, group=GROUPS, name=st.text("abc", min_size=1, max_size=4), size=st.integers(1, 5000)),
    unique_by=lambda environment: (environment.group, environment.name),
    max_size=80,
)
COUNTS = st.integers(1, 40)


def by_group(environments: list[Sized]) -> dict[tuple[str, ...], list[Sized]]:
    groups = defaultdict(list)
    for environment in environments:
        groups[environment.group].append(environment)
    return groups


def largest_item(environments: list[Sized], count: int) -> int:
    """The largest group that is not divided, or environment of one that is."""
    total = sum(environment.size for environment in environments)
    sizes = [0]
    for members in by_group(environments).values():
        size = sum(member.size for member in members)
        sizes.append(max(member.size for member in members) if size * count > total else size)
    return max(sizes)


@given(ENVIRONMENTS, COUNTS)
def test_each_environment_is_in_exactly_one_shard(environments: list[Sized], count: int) -> None:
    numbers = shard_numbers(environments, count)
    assert len(numbers) == len(environments)
    assert all(1 <= number <= count for number in numbers)


@given(ENVIRONMENTS, COUNTS, st.randoms(use_true_random=False))
def test_the_order_in_which_environments_are_found_makes_no_difference(
    environments: list[Sized], count: int, chance: random.Random
) -> None:
    shuffled = environments.copy()
    chance.shuffle(shuffled)
    one = dict(zip(environments, shard_numbers(environments, count), strict=True))
    other = dict(zip(shuffled, shard_numbers(shuffled, count), strict=True))
    assert one == other


@given(ENVIRONMENTS, COUNTS)
def test_a_shard_has_at_most_a_share_and_one_group(environments: list[Sized], count: int) -> None:
    loads: dict[int, int] = defaultdict(int)
    for environment, number in zip(environments, shard_numbers(environments, count), strict=True):
        loads[number] += environment.size
    share = sum(environment.size for environment in environments) / count
    assert all(load <= share + largest_item(environments, count) for load in loads.values())


@given(ENVIRONMENTS, COUNTS)
def test_a_group_that_is_no_more_than_a_share_is_in_one_shard(environments: list[Sized], count: int) -> None:
    numbers = dict(zip(environments, shard_numbers(environments, count), strict=True))
    total = sum(environment.size for environment in environments)
    for members in by_group(environments).values():
        if sum(member.size for member in members) * count <= total:
            assert len({numbers[member] for member in members}) == 1


@given(ENVIRONMENTS.filter(bool), COUNTS)
def test_no_shard_is_empty_where_no_environment_is_more_than_a_share(
    environments: list[Sized], count: int
) -> None:
    total = sum(environment.size for environment in environments)
    if all(environment.size * count <= total for environment in environments):
        assert set(shard_numbers(environments, count)) == set(range(1, count + 1))


@given(ENVIRONMENTS.filter(bool), COUNTS)
def test_one_environment_more_moves_others_to_a_neighbour_at_most(
    environments: list[Sized], count: int
) -> None:
    *before, new = environments
    numbers = shard_numbers(before, count)
    again = shard_numbers(environments, count)[:-1]
    share = sum(environment.size for environment in before) / count
    if new.size <= share / 2:
        assert all(abs(one - other) <= 1 for one, other in zip(numbers, again, strict=True))


def test_one_environment_more_moves_few() -> None:
    """Of 20 accounts × 3 regions × 10 environments. By their number in the list nine of ten would move."""
    chance = random.Random(1)
    moved = []
    for _ in range(50):
        environments = [
            Sized(("", f"{account:012}", region), f"environment-{number}", chance.randint(1, 100))
            for account in range(20)
            for region in ("eu-west-1", "us-east-1", "us-east-2")
            for number in range(10)
        ]
        new = environments.pop(chance.randrange(len(environments)))
        before = shard_numbers(environments, 10)
        after = shard_numbers([*environments, new], 10)[:-1]
        moved.append(sum(one != other for one, other in zip(before, after, strict=True)))
    assert sum(moved) / len(moved) < 0.02 * 600
    assert max(moved) <= 5 * 10


def test_equal_groups_are_shared_out_equally() -> None:
    environments = [
        Sized(("", f"{account:012}", region), f"environment-{number}", 60)
        for account in range(20)
        for region in ("eu-west-1", "us-east-1", "us-east-2")
        for number in range(10)
    ]
    numbers = shard_numbers(environments, 10)
    assert {numbers.count(number) for number in range(1, 11)} == {60}


BATCH = {"AWS_BATCH_JOB_ARRAY_INDEX": "2", "AWS_BATCH_JOB_ARRAY_SIZE": "10"}


@pytest.mark.parametrize(
    ("text", "variables", "shard"),
    [
        ("3/10", {}, Shard(3, 10)),
        ("1/1", {}, Shard(1, 1)),
        # What is said goes before what an engine says, also where somebody else shares out the job.
        ("3/10", {"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "5"}, Shard(3, 10)),
        ("auto", {"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "5"}, Shard(1, 5)),
        ("auto", {"CI_NODE_INDEX": "5", "CI_NODE_TOTAL": "5"}, Shard(5, 5)),
        ("auto/5", {"CI_NODE_INDEX": "5", "CI_NODE_TOTAL": "5"}, Shard(5, 5)),
        ("auto", BATCH, Shard(3, 10)),
        ("auto/10", {"AWS_BATCH_JOB_ARRAY_INDEX": "0"}, Shard(1, 10)),
        ("auto/10", {"JOB_COMPLETION_INDEX": "0"}, Shard(1, 10)),
        ("auto/10", {"JOB_COMPLETION_INDEX": "9"}, Shard(10, 10)),
        # GitLab says of how many also where a job is not parallel, but not which.
        ("auto", BATCH | {"CI_NODE_TOTAL": "1"}, Shard(3, 10)),
    ],
)
def test_a_shard_is_what_is_said_or_what_the_engine_says(
    text: str, variables: dict[str, str], shard: Shard
) -> None:
    assert find_shard(text, variables) == shard


@pytest.mark.parametrize(
    ("text", "variables", "message"),
    [
        *(
            (text, {}, f"{text!r} is no shard")
            for text in ("", "3", "0/10", "11/10", "3/0", "-1/10", "3/10/2", "a/b", "3 /10", "३/१०", "/10")
        ),
        ("auto", {}, "none of AWS_BATCH_JOB_ARRAY_INDEX, JOB_COMPLETION_INDEX, CI_NODE_INDEX is set"),
        ("auto/10", {}, "none of AWS_BATCH_JOB_ARRAY_INDEX, JOB_COMPLETION_INDEX, CI_NODE_INDEX is set"),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}, "Kubernetes does not say of how many shards"),
        ("auto/", {"JOB_COMPLETION_INDEX": "0"}, "Kubernetes does not say of how many shards"),
        ("auto/5", {"JOB_COMPLETION_INDEX": "5"}, "JOB_COMPLETION_INDEX is '5', which is none of 5 shards"),
        ("auto/x", {"JOB_COMPLETION_INDEX": "5"}, "JOB_COMPLETION_INDEX is '5', which is none of x shards"),
        ("auto/5", {"JOB_COMPLETION_INDEX": "x"}, "JOB_COMPLETION_INDEX is 'x', which is none of 5 shards"),
        ("auto", {"CI_NODE_INDEX": "0", "CI_NODE_TOTAL": "5"}, "GitLab counts from 1"),
        ("auto/9", BATCH, "--shard auto/9, and AWS_BATCH_JOB_ARRAY_SIZE is 10"),
        (
            "auto",
            BATCH | {"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "5"},
            "AWS_BATCH_JOB_ARRAY_INDEX and CI_NODE_INDEX are set",
        ),
    ],
)
def test_what_is_no_shard_is_told(text: str, variables: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as told:
        find_shard(text, variables)
    assert message in told.value.message
    assert told.value.hint
