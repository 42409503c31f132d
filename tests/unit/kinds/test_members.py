"""Who goes, where new members run, and which number each has: the same for whoever asks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.kinds.fleet.observed import Subnet
from provisioner.kinds.fleet.placement import indexes, select_for_scale_in, spread, verb
from provisioner.kinds.instances import Instance
from provisioner.naming import INDEX_TAG, LAUNCH_TAG
from tests.support.build import environment, fleet_of, member

FLEET = fleet_of(
    environment(fleets={"web": {"count": 3, "image": "ami-00000000000000001", "instance_type": "t3.micro"}})
)

_members = st.lists(
    st.builds(
        lambda second, zone, state, type_, protected: member(
            1,
            FLEET,
            launched=f"2026-01-01T00:00:{second:02d}Z",
            zone=f"us-east-1{zone}",
            subnet=f"subnet-{zone}",
            state=state,
            type=type_,
            tags={LAUNCH_TAG: f"protection={protected}"},
        ),
        st.integers(0, 59),
        st.sampled_from("abc"),
        st.sampled_from(["running", "running", "stopped"]),
        st.sampled_from(["t3.micro", "t3.micro", "t3.nano"]),
        st.sampled_from(["off", "off", "on"]),
    ),
    max_size=12,
).map(lambda found: [replace(instance, id=f"i-{index:02d}") for index, instance in enumerate(found)])


def _ids(instances: object) -> list[str]:
    return [instance.id for instance in instances]  # type: ignore[attr-defined]


def test_wrong_settings_go_first_then_those_not_running_then_the_fullest_zone_then_the_newest() -> None:
    zone = {"zone": "us-east-1a"}
    members = [
        member(1, FLEET, **zone),
        member(2, FLEET, zone="us-east-1b"),
        member(3, FLEET, **zone, state="stopped"),
        member(4, FLEET, **zone),
        member(5, FLEET, zone="us-east-1b", type="t3.nano"),
        member(6, FLEET, **zone),
    ]
    assert _ids(select_for_scale_in(members, 6, FLEET)) == ["i-05", "i-03", "i-06", "i-04", "i-02", "i-01"]


def test_of_those_with_wrong_settings_too_those_that_are_down_go_first() -> None:
    members = [member(number, FLEET, type="t3.nano") for number in (1, 2, 3)]
    members[0] = replace(members[0], state="stopped")
    assert _ids(select_for_scale_in(members, 2, FLEET, unhealthy={"i-02"})) == ["i-01", "i-02"]


@given(_members, st.integers(0, 12), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_two_who_ask_select_the_same_members(members: list[Instance], count: int, random: object) -> None:
    shuffled = list(members)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _ids(select_for_scale_in(members, count, FLEET)) == _ids(
        select_for_scale_in(shuffled, count, FLEET)
    )


@given(_members, st.integers(0, 12))
@settings(deadline=None)
def test_protected_members_never_go_and_a_smaller_loss_is_part_of_a_larger(
    members: list[Instance], count: int
) -> None:
    fleet = replace(FLEET, termination_protection=True)
    protected = {each.id for each in members if each.tag(LAUNCH_TAG) == "protection=on"}
    gone = _ids(select_for_scale_in(members, count, fleet))
    assert not protected & set(gone)
    assert len(gone) == min(count, len(members) - len(protected))
    assert _ids(select_for_scale_in(members, count + 1, fleet))[: len(gone)] == gone
    assert _ids(select_for_scale_in(members, count, replace(FLEET, protect=frozenset(protected)))) == gone


@given(_members, st.integers(0, 30), st.integers(1, 3))
@settings(deadline=None)
def test_new_members_even_the_subnets_out(members: list[Instance], count: int, number: int) -> None:
    subnets = [Subnet(f"subnet-{letter}", f"us-east-1{letter}", "vpc") for letter in "abc"[:number]]
    shares = spread(count, subnets, members)
    assert sum(shares.values()) == count
    present = Counter(each.subnet for each in members)
    after = [present[subnet.id] + shares.get(subnet, 0) for subnet in subnets]
    grown = [load for subnet, load in zip(subnets, after, strict=True) if shares.get(subnet)]
    assert not grown or max(grown) - min(after) <= 1


@given(_members, st.lists(st.integers(0, 4), max_size=12))
@settings(deadline=None)
def test_numbers_are_unique_stable_and_the_lowest_free(members: list[Instance], had: list[int]) -> None:
    tagged = [
        replace(each, tags={**(each.tags or {}), INDEX_TAG: str(number)})
        for each, number in zip(members, had, strict=False)
    ]
    every = tagged + members[len(tagged) :]
    numbers = indexes(every)
    assert len(set(numbers.values())) == len(every)
    assert all(number > 0 for number in numbers.values())
    kept = {number for each in every if (number := numbers[each.id]) == int(each.tag(INDEX_TAG) or 0)}
    assert {number for number in had[: len(tagged)] if number > 0} == kept
    given_now = sorted(set(numbers.values()) - kept)
    lowest = [number for number in range(1, len(every) + 5) if number not in kept][: len(given_now)]
    assert given_now == lowest
    renumbered = [replace(each, tags={INDEX_TAG: str(numbers[each.id])}) for each in every]
    assert indexes(renumbered) == numbers


def test_the_number_of_a_lost_member_is_given_again() -> None:
    three = [member(number, FLEET, tags={INDEX_TAG: str(number)}) for number in (1, 2, 3)]
    new = member(9, FLEET)
    assert indexes([three[0], three[2], new])["i-09"] == 2


def test_newcomers_take_no_number_that_a_member_beside_them_gives_itself() -> None:
    newcomer, there = member(1, FLEET), member(2, FLEET)
    assert indexes([there]) == {there.id: 1}
    assert indexes([newcomer], beside=[there]) == {newcomer.id: 2}


@pytest.mark.parametrize(
    ("paths", "word"),
    [
        ("instance_type", "differs"),
        ("metadata.http_tokens", "differs"),
        ("security_groups", "differ"),
        ("instance_type, ebs_optimized", "differ"),
        ("root_volume.iops", "differs"),
    ],
)
def test_settings_differ_as_many_as_they_are(paths: str, word: str) -> None:
    assert verb(paths) == word
