"""Where EC2 has no room, no quota, or takes back what it gave."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import local_aws
from local_aws import Capacity, Quota, Rule
from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.specs import IMAGE

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")


def spec(**fleet: Any) -> dict[str, Any]:
    plain = {"count": 6, "image": IMAGE, "instance_type": "t3.micro", "availability_zones": list(ZONES)}
    return {"environment": "room", "region": "us-east-1", "fleets": {"web": plain | fleet}}


def capacity_options(cloud: Cloud) -> Counter[tuple[str, str, str]]:
    """How many members there are by zone, type and market."""
    return Counter(
        (
            member["Placement"]["AvailabilityZone"][-1],
            member["InstanceType"],
            member.get("InstanceLifecycle", "on-demand"),
        )
        for member in cloud.live("room")
    )


def short_of(cloud: Cloud, *rooms: Capacity) -> None:
    cloud.break_with(capacity=rooms)


def applied_and_planned(program: Program, wanted: dict[str, Any]) -> None:
    ran = program.apply(wanted)
    assert ran.code == 0, ran.said
    assert program.plan(wanted).changes == []


class TestATypeIsShort:
    def test_in_one_zone_and_the_others_take_over(self, program: Program, cloud: Cloud) -> None:
        short_of(cloud, Capacity(0, "t3.micro", "us-east-1a"))
        applied_and_planned(program, spec())
        assert capacity_options(cloud) == {
            ("b", "t3.micro", "on-demand"): 3,
            ("c", "t3.micro", "on-demand"): 3,
        }

    def test_in_one_zone_in_part_and_what_it_gave_is_kept(self, program: Program, cloud: Cloud) -> None:
        short_of(cloud, Capacity(1, "t3.micro", "us-east-1a"))
        applied_and_planned(program, spec(instance_type=["t3.micro", "t3.small"]))
        assert sum(capacity_options(cloud).values()) == 6
        assert capacity_options(cloud)["a", "t3.micro", "on-demand"] == 1
        assert {type_ for _, type_, _ in capacity_options(cloud)} == {"t3.micro"}

    def test_in_all_zones_and_the_next_type_takes_over(self, program: Program, cloud: Cloud) -> None:
        short_of(cloud, Capacity(1, "t3.micro"))
        wanted = spec(instance_type=["t3.micro", "t3.small"])
        applied_and_planned(program, wanted)
        assert Counter(type_ for _, type_, _ in capacity_options(cloud).elements()) == {
            "t3.micro": 3,
            "t3.small": 3,
        }
        assert cloud.operations().count("RunInstances") == 2 * len(ZONES)
        notes = [note["message"] for note in program.plan(wanted).data["notes"]]
        assert notes == ["3 members with t3.small, choice 2 of 2"]
        status = program.status(wanted)["fleet/web"]
        assert status["choices"] == "3 t3.micro, 3 t3.small"

    def test_everywhere_and_what_there_was_is_kept_and_the_rest_said(
        self, program: Program, cloud: Cloud
    ) -> None:
        short_of(cloud, Capacity(1, "t3.micro"), Capacity(0, "t3.small"))
        wanted = spec(instance_type=["t3.micro", "t3.small"])
        ran = program.apply(wanted)
        assert ran.code == 1
        assert "no room for 3 of 6 members, tried t3.micro, then t3.small in us-east-1a" in ran.words
        assert "3 were launched, and stay" in ran.words
        assert sum(capacity_options(cloud).values()) == 3
        cloud.mend()
        applied_and_planned(program, wanted)
        assert sum(capacity_options(cloud).values()) == 6


class TestAQuotaIsUsedUp:
    @pytest.mark.parametrize(
        "code",
        [
            "VcpuLimitExceeded",
            "InstanceLimitExceeded",
            "MaxSpotInstanceCountExceeded",
            "MaxFleetCountExceeded",
        ],
    )
    def test_for_all_choices_and_each_is_reported(self, program: Program, cloud: Cloud, code: str) -> None:
        cloud.break_with(local_aws.error("RunInstances", code, "You have requested more", status=400))
        ran = program.apply(spec(instance_type=["t3.micro", "g4dn.xlarge"]))
        assert ran.code == 1
        assert code in ran.said
        assert "no room for 6 of 6 members, tried t3.micro, then g4dn.xlarge" in ran.words
        assert "these are quotas of the account" in ran.words
        assert cloud.operations().count("RunInstances") == 2 * len(ZONES)

    def test_in_one_family_and_the_next_takes_over(self, program: Program, cloud: Cloud) -> None:
        cloud.break_with(quotas=(Quota(4, "on-demand", ("t",)),))
        wanted = spec(instance_type=["t3.micro", "m5.large"])
        applied_and_planned(program, wanted)
        assert Counter(type_ for _, type_, _ in capacity_options(cloud).elements()) == {
            "t3.micro": 2,
            "m5.large": 4,
        }

    def test_for_spot_and_on_demand_takes_over(self, program: Program, cloud: Cloud) -> None:
        cloud.break_with(quotas=(Quota(0, "spot"),))
        wanted = spec(market="spot", fallback="on_demand")
        applied_and_planned(program, wanted)
        assert {market for _, _, market in capacity_options(cloud)} == {"on-demand"}

    def test_and_no_other_zone_is_asked_for_the_same(self, program: Program, cloud: Cloud) -> None:
        cloud.break_with(quotas=(Quota(2),), capacity=(Capacity(0, "t3.micro", ZONES[0]),))
        ran = program.apply(spec(count=3))
        assert ran.code == 1
        assert "no room for 2 of 3 members" in ran.words
        assert "1 was launched, and stays" in ran.words
        assert '"Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"' in ran.words.replace(
            "\\", ""
        )
        assert cloud.operations().count("RunInstances") == len(ZONES)
        cloud.mend()
        applied_and_planned(program, spec(count=3))

    def test_of_another_kind_and_the_way_out_is_said(self, program: Program, cloud: Cloud) -> None:
        cloud.break_with(local_aws.error("RunInstances", "VolumeLimitExceeded", "Too many", status=400))
        ran = program.apply(spec(instance_type=["t3.micro", "t3.small"]))
        assert ran.code == 1
        assert "a quota of the account" in ran.words
        assert cloud.operations().count("RunInstances") == len(ZONES)


class TestSpot:
    def test_is_bought_with_the_highest_price(self, program: Program, cloud: Cloud) -> None:
        applied_and_planned(program, spec(market="spot", max_price="0.01"))
        assert {market for _, _, market in capacity_options(cloud)} == {"spot"}

    def test_falls_back_to_on_demand_where_there_is_no_room(self, program: Program, cloud: Cloud) -> None:
        short_of(cloud, Capacity(1, "t3.micro", "*", "spot"))
        wanted = spec(market="spot", fallback="on_demand")
        applied_and_planned(program, wanted)
        assert Counter(market for _, _, market in capacity_options(cloud).elements()) == {
            "spot": 3,
            "on-demand": 3,
        }
        assert "3 members with t3.micro, choice 2" in program.plan(wanted).said

    def test_and_the_result_says_how_many_fell_back(self, program: Program, cloud: Cloud) -> None:
        short_of(cloud, Capacity(1, "t3.micro", "*", "spot"))
        path = program.write(spec(market="spot", fallback="on_demand"))
        ran = program.run("apply", "--yes", path)
        assert ran.code == 0
        told = "3 of 6 are t3.micro (on demand), where t3.micro (spot) was wanted first"
        assert ran.words.count(told) == 1
        assert ran.out.count("created: 6 instances") == 1
        assert "after 0.0 s" not in ran.said
        assert "(0.0 s)" not in ran.said

    def test_without_a_fallback_says_that_there_is_no_room(self, program: Program, cloud: Cloud) -> None:
        short_of(cloud, Capacity(0, "t3.micro", "*", "spot"))
        ran = program.apply(spec(market="spot"))
        assert ran.code == 1
        assert "no room for 6 of 6 members, tried t3.micro (spot) in" in ran.words
        assert cloud.operations().count("RunInstances") == len(ZONES)
        assert capacity_options(cloud) == {}

    def test_too_low_a_price_is_like_no_room(self, program: Program, cloud: Cloud) -> None:
        applied_and_planned(program, spec(market="spot", max_price="0.001", fallback="on_demand"))
        assert {market for _, _, market in capacity_options(cloud)} == {"on-demand"}

    def test_what_was_reclaimed_is_launched_again(self, program: Program, cloud: Cloud) -> None:
        wanted = spec(market="spot")
        applied_and_planned(program, wanted)
        kept, *lost = cloud.ids("room")
        local_aws.reclaim(cloud.server, lost[:2])
        (change,) = program.plan(wanted).changes
        assert change["reason"] == "launch 2, 4 are there; AWS reclaimed 2 Spot instances"
        applied_and_planned(program, wanted)
        assert kept in cloud.ids("room")
        assert len(cloud.ids("room")) == 6

    def test_members_are_replaced_where_the_market_changes(self, program: Program, cloud: Cloud) -> None:
        applied_and_planned(program, spec(count=2))
        applied_and_planned(program, spec(count=2, market="spot"))
        assert {market for _, _, market in capacity_options(cloud)} == {"spot"}


class TestAnotherTypeIsWanted:
    def test_and_without_room_for_it_the_next_one_is_started(self, program: Program, cloud: Cloud) -> None:
        applied_and_planned(program, spec(count=2))
        ids = cloud.ids("room")
        short_of(cloud, Capacity(0, "t3.small"))
        wanted = spec(count=2, instance_type=["t3.small", "t3.medium"])
        (done,) = program.apply(wanted).data["done"]
        assert done["notes"] == ["2 of 2 are t3.medium, where t3.small was wanted first"]
        assert program.plan(wanted).changes == []
        assert cloud.ids("room") == ids
        assert {type_ for _, type_, _ in capacity_options(cloud)} == {"t3.medium"}

    def test_and_without_room_for_any_they_run_again_as_what_they_were(
        self, program: Program, cloud: Cloud
    ) -> None:
        applied_and_planned(program, spec(count=2))
        ids = cloud.ids("room")
        short_of(cloud, Capacity(0, "t3.small"), Capacity(0, "t3.medium"))
        ran = program.apply(spec(count=2, instance_type=["t3.small", "t3.medium"]))
        assert ran.code == 1
        assert "runs again as t3.micro; apply again later" in ran.words
        assert cloud.ids("room") == ids
        assert {member["State"]["Name"] for member in cloud.live("room")} == {"running"}
        cloud.mend()
        applied_and_planned(program, spec(count=2, instance_type=["t3.small", "t3.medium"]))

    def test_and_a_member_that_was_left_stopped_is_started_as_another_choice(
        self, program: Program, cloud: Cloud
    ) -> None:
        applied_and_planned(program, spec(count=2))
        cloud.ec2.stop_instances(InstanceIds=cloud.ids("room"))
        short_of(cloud, Capacity(0, "t3.micro"))
        applied_and_planned(program, spec(count=2, instance_type=["t3.micro", "t3.small"]))
        assert {type_ for _, type_, _ in capacity_options(cloud)} == {"t3.small"}
        assert {member["State"]["Name"] for member in cloud.live("room")} == {"running"}

    def test_and_stopped_members_without_room_stay_what_they_are(
        self, program: Program, cloud: Cloud
    ) -> None:
        applied_and_planned(program, spec(count=2))
        cloud.ec2.stop_instances(InstanceIds=cloud.ids("room"))
        short_of(cloud, Capacity(0))
        ran = program.apply(spec(count=2, instance_type=["t3.small", "t3.micro"]))
        assert ran.code == 1
        assert "are stopped; apply again later" in ran.words
        assert {type_ for _, type_, _ in capacity_options(cloud)} == {"t3.micro"}


class TestThereIsNoRoomForAMissingMember:
    @pytest.fixture(autouse=True)
    def _one_is_missing(self, program: Program, cloud: Cloud) -> None:
        applied_and_planned(program, spec(count=3))
        cloud.ec2.terminate_instances(InstanceIds=cloud.ids("room")[:1])
        short_of(cloud, Capacity(0))

    def test_and_the_others_are_parked(self, program: Program, cloud: Cloud) -> None:
        assert program.apply(spec(count=3, power="stopped")).code == 1
        assert [member["State"]["Name"] for member in cloud.live("room")] == ["stopped"] * 2

    def test_and_the_others_get_their_new_type(self, program: Program, cloud: Cloud) -> None:
        cloud.break_with(Rule("error", "RunInstances", code="InsufficientInstanceCapacity", status=500))
        wanted = spec(count=3, instance_type="t3.small", update={"max_unavailable": 2})
        assert program.apply(wanted).code == 1
        assert {type_ for _, type_, _ in capacity_options(cloud)} == {"t3.small"}


class TestThereIsRoomForSomeOfARollout:
    def test_and_it_goes_on_with_those(self, program: Program, cloud: Cloud) -> None:
        before = spec(count=10, user_data="echo 1", update={"max_unavailable": 4})
        applied_and_planned(program, before)
        old = cloud.ids("room")
        cloud.break_with(
            capacity=(Capacity(4, "*", ZONES[0]), Capacity(4, "*", ZONES[1]), Capacity(4, "*", ZONES[2]))
        )
        applied_and_planned(program, spec(count=10, user_data="echo 2", update={"max_unavailable": 4}))
        assert len(cloud.ids("room")) == 10
        assert not set(old) & set(cloud.ids("room"))

    def test_and_with_none_it_says_how_to_make_room(self, program: Program, cloud: Cloud) -> None:
        applied_and_planned(program, spec(count=3, user_data="echo 1"))
        old = cloud.ids("room")
        cloud.break_with(capacity=(Capacity(1),))
        ran = program.apply(spec(count=3, user_data="echo 2"))
        assert ran.code == 1
        assert "order: terminate_first" in ran.words
        assert cloud.ids("room") == old
        applied_and_planned(program, spec(count=3, user_data="echo 2", update={"order": "terminate_first"}))
        assert not set(old) & set(cloud.ids("room"))


def test_a_launch_that_got_fewer_than_it_asked_for_does_not_hold_up_another_spec(
    program: Program, cloud: Cloud
) -> None:
    short_of(cloud, Capacity(1, "t3.micro"))
    assert program.apply(spec(count=9)).code == 1
    (change,) = program.plan(spec(count=9, instance_type=["t3.micro", "t3.small"], tags={"a": "b"})).changes[
        -1:
    ]
    assert change["reason"] == "launch 6, 3 are there"
    applied_and_planned(program, spec(count=9, instance_type=["t3.micro", "t3.small"], tags={"a": "b"}))


def test_members_are_not_moved_to_a_zone_that_has_no_room(program: Program, cloud: Cloud) -> None:
    applied_and_planned(program, spec(count=4, availability_zones=list(ZONES[1:])))
    ids = cloud.ids("room")
    short_of(cloud, Capacity(0, "*", ZONES[0]))
    ran = program.apply(spec(count=4, rebalance=True))
    assert ran.code == 1
    assert "tried t3.micro in us-east-1a" in ran.words
    assert cloud.ids("room") == ids
