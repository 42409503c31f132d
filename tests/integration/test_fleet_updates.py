"""How a fleet goes about its changes: by `update`, `power`, `protect` and `rebalance`; and numbered names."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from local_aws import Rule
from tests.support.cloud import Cloud, tags_of
from tests.support.program import Program
from tests.support.setting_cases import BARE, FLEET, user_data, write_in_record
from tests.support.specs import having
from tests.support.witness import Witness

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

ZONES = ["us-east-1a", "us-east-1b"]


def fleet(**fields: Any) -> dict[str, Any]:
    """The bare fleet with other fields."""
    return having(BARE, **{f"fleets__worker__{name}": value for name, value in fields.items()})


def started(cloud: Cloud) -> dict[str, object]:
    """When each member was launched or started, by its id."""
    return {member["InstanceId"]: member["LaunchTime"] for member in cloud.live("probe", "worker")}


def types(cloud: Cloud) -> dict[str, str]:
    return {member["InstanceId"]: member["InstanceType"] for member in cloud.live("probe", "worker")}


def states(cloud: Cloud) -> dict[str, str]:
    return {member["InstanceId"]: member["State"]["Name"] for member in cloud.live("probe", "worker")}


def zones(cloud: Cloud) -> dict[str, str]:
    return {member["InstanceId"]: member["Placement"]["AvailabilityZone"] for member in cloud.live("probe")}


def names(cloud: Cloud) -> list[str]:
    return sorted(tags_of(member)["Name"] for member in cloud.live("probe", "worker"))


def notes(program: Program, spec: dict[str, Any]) -> str:
    """All notes of a plan that has nothing to do."""
    planned = program.plan(spec)
    assert planned.told == set()
    return " ".join(note["message"] for note in planned.data["notes"])


# --- update: on_restart, on_user_data


def test_on_restart_replace_gives_a_new_type_to_new_members(
    program: Program, cloud: Cloud, witness: Witness
) -> None:
    program.apply(fleet())
    before = cloud.ids("probe")
    spec = fleet(instance_type="t3.small", update={"on_restart": "replace"})
    planned = program.plan(spec)
    assert planned.told == {(FLEET, "replace", "instance_type")}
    assert planned.changes[0]["rollout"]["order"] == "launch_first"
    witness.clear()
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert not set(cloud.ids("probe")) & set(before)
    assert list(types(cloud).values()) == ["t3.small"] * 2
    assert "StopInstances" not in witness.operations
    assert min(witness.healthy) == 2
    assert program.plan(spec).told == set()


def test_on_restart_never_gives_a_new_type_to_new_members_only_and_says_so(
    program: Program, cloud: Cloud
) -> None:
    program.apply(fleet())
    before = started(cloud)
    spec = fleet(instance_type="t3.small", update={"on_restart": "never"})
    noted = notes(program, spec)
    assert "instance_type differs on 2 members" in noted
    assert "on_restart: never" in noted
    assert program.apply(having(spec, fleets__worker__count=3)).code == 0
    now = types(cloud)
    assert {member_id: now.pop(member_id) for member_id in before} == dict.fromkeys(before, "t3.micro")
    assert list(now.values()) == ["t3.small"]
    assert {member_id: when for member_id, when in started(cloud).items() if member_id in before} == before
    assert "differs on 2 members" in notes(program, having(spec, fleets__worker__count=3))


def test_on_user_data_restart_changes_it_on_the_same_instances(
    program: Program, cloud: Cloud, witness: Witness
) -> None:
    program.apply(fleet(user_data="#!/bin/sh\n"))
    before = cloud.ids("probe")
    spec = fleet(user_data="#!/bin/bash\n", update={"on_user_data": "restart"})
    planned = program.plan(spec)
    assert planned.told == {(FLEET, "update", "user_data")}
    assert planned.changes[0]["rollout"]["order"] == "restart"
    witness.clear()
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert cloud.ids("probe") == before
    assert [user_data(cloud, member) for member in cloud.live("probe")] == ["#!/bin/bash\n"] * 2
    assert sorted(map(sorted, witness.ids("StopInstances"))) == [[member_id] for member_id in before]
    assert min(witness.healthy) == planned.changes[0]["rollout"]["healthy"] == 1
    assert list(states(cloud).values()) == ["running"] * 2
    assert witness.operations == planned.calls
    assert program.plan(spec).told == set()
    # What was written down is what is there, also for those who replace.
    assert program.plan(fleet(user_data="#!/bin/bash\n")).told == set()


def test_on_user_data_ignore_gives_it_to_new_members_only_and_says_so(program: Program, cloud: Cloud) -> None:
    program.apply(fleet(count=1, user_data="#!/bin/sh\n"))
    (old,) = cloud.ids("probe")
    spec = fleet(user_data="#!/bin/bash\n", update={"on_user_data": "ignore"})
    noted = notes(program, having(spec, fleets__worker__count=1))
    assert "user_data differs on 1 member" in noted
    assert "on_user_data: ignore" in noted
    before = started(cloud)
    assert program.apply(spec).code == 0
    texts = {member["InstanceId"]: user_data(cloud, member) for member in cloud.live("probe")}
    assert texts.pop(old) == "#!/bin/sh\n"
    assert list(texts.values()) == ["#!/bin/bash\n"]
    assert started(cloud)[old] == before[old]
    assert "user_data differs on 1 member" in notes(program, spec)


# --- update: order


def test_terminate_first_never_has_more_members_than_the_count(
    program: Program, cloud: Cloud, witness: Witness
) -> None:
    program.apply(fleet(count=4, user_data="#!/bin/sh\n"))
    before = cloud.ids("probe")
    spec = fleet(
        count=4, user_data="#!/bin/bash\n", update={"order": "terminate_first", "max_unavailable": 2}
    )
    planned = program.plan(spec)
    assert planned.told == {(FLEET, "replace", "user_data")}
    rollout = planned.changes[0]["rollout"]
    assert (rollout["order"], rollout["healthy"], len(rollout["waves"])) == ("terminate_first", 2, 2)
    cloud.break_with(boot_s=0.05, terminate_s=0.05)
    witness.clear()
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert not set(cloud.ids("probe")) & set(before)
    assert max(witness.live) == 4
    assert min(witness.healthy) == 2
    assert witness.ids("TerminateInstances") == [set(wave) for wave in rollout["waves"]]
    asked = [(name, "DryRun" in params) for name, params in witness.calls]
    assert asked[0] == ("RunInstances", True)
    assert next(name for name, is_dry in asked if not is_dry) == "TerminateInstances"
    assert [user_data(cloud, member) for member in cloud.live("probe")] == ["#!/bin/bash\n"] * 4
    assert program.plan(spec).told == set()


@pytest.mark.parametrize("count", [3, 2], ids=["as many", "fewer, so that a surplus goes first"])
def test_terminate_first_terminates_nothing_where_a_launch_would_be_refused(
    count: int, program: Program, cloud: Cloud
) -> None:
    program.apply(fleet(count=3, user_data="#!/bin/sh\n"))
    before = cloud.ids("probe")
    spec = fleet(count=count, user_data="#!/bin/bash\n", update={"order": "terminate_first"})
    refused = Rule("error", "RunInstances", code="UnauthorizedOperation", message="no", status=403)
    cloud.break_with(refused)
    failed = program.apply(spec)
    assert failed.code == 1
    assert "UnauthorizedOperation" in failed.words
    assert "nothing was terminated" in failed.words
    assert cloud.ids("probe") == before
    cloud.mend()
    assert program.apply(spec).code == 0
    assert not set(cloud.ids("probe")) & set(before)


# --- power


def test_a_fleet_is_parked_grows_while_parked_and_runs_again(
    program: Program, cloud: Cloud, witness: Witness
) -> None:
    program.apply(fleet())
    first = cloud.ids("probe")
    parked = fleet(power="stopped")
    assert program.plan(parked).told == {(FLEET, "update", "power")}
    assert program.apply(parked).code == 0
    assert states(cloud) == dict.fromkeys(first, "stopped")
    assert program.plan(parked).told == set()

    larger = fleet(power="stopped", count=3)
    witness.clear()
    applied = program.apply(larger)
    assert applied.code == 0, applied.said
    assert list(states(cloud).values()) == ["stopped"] * 3
    assert not witness.named & set(first)
    assert program.plan(larger).told == set()

    # Somebody starts one: that is drift.
    cloud.ec2.start_instances(InstanceIds=first[:1])
    assert program.plan(larger).told == {(FLEET, "update", "power")}
    witness.clear()
    assert program.apply(larger).code == 0
    assert witness.ids("StopInstances") == [set(first[:1])]
    assert witness.named == set(first[:1])
    assert list(states(cloud).values()) == ["stopped"] * 3

    # And what needs a stopped instance is changed at once, without starting any.
    resized = having(larger, fleets__worker__instance_type="t3.small")
    witness.clear()
    assert program.apply(resized).code == 0
    assert set(witness.operations) == {"ModifyInstanceAttribute"}
    assert program.plan(resized).told == set()

    ids = cloud.ids("probe")
    running = having(resized, fleets__worker__power="running")
    applied = program.apply(running)
    assert applied.code == 0, applied.said
    assert states(cloud) == dict.fromkeys(ids, "running")
    assert types(cloud) == dict.fromkeys(ids, "t3.small")
    assert program.plan(running).told == set()


# --- protect


def test_protected_members_are_neither_replaced_nor_taken_to_have_fewer(
    program: Program, cloud: Cloud, witness: Witness
) -> None:
    program.apply(fleet(count=3, user_data="#!/bin/sh\n"))
    kept = cloud.ids("probe")[:2]
    before = started(cloud)
    spec = fleet(count=3, user_data="#!/bin/bash\n", protect=kept)
    planned = program.plan(spec)
    assert planned.told == {(FLEET, "replace", "user_data")}
    assert not set(kept) & set(planned.changes[0]["instances"])
    assert sum(note["message"].startswith(tuple(kept)) for note in planned.data["notes"]) == 2
    assert program.apply(spec).code == 0
    assert "user_data differs" in notes(program, spec)

    # They go last when there are fewer, though they are those with wrong settings; and never at all.
    assert program.apply(having(spec, fleets__worker__count=2)).code == 0
    assert cloud.ids("probe") == kept
    witness.clear()
    refused = program.run(
        "apply", "--yes", "--format", "json", program.write(having(spec, fleets__worker__count=1))
    )
    assert refused.code == 4
    assert all(member_id in refused.words for member_id in kept)
    assert "protect" in refused.words
    assert not witness.calls
    assert {member_id: before[member_id] for member_id in kept} == started(cloud)

    # Once nothing protects them, they are replaced as well.
    free = fleet(user_data="#!/bin/bash\n")
    assert program.apply(free).code == 0
    assert not set(cloud.ids("probe")) & set(kept)
    assert program.plan(free).told == set()


# --- rebalance


def test_an_uneven_fleet_is_left_alone_until_it_is_to_be_rebalanced(
    program: Program, cloud: Cloud, witness: Witness
) -> None:
    program.apply(fleet(count=6, availability_zones=ZONES))
    assert Counter(zones(cloud).values()) == dict.fromkeys(ZONES, 3)
    lost = [member_id for member_id, zone in zones(cloud).items() if zone == ZONES[0]]
    cloud.ec2.terminate_instances(InstanceIds=lost)
    left = fleet(count=4, availability_zones=ZONES)
    assert {change["action"] for change in program.plan(left).changes} == {"create"}
    assert program.apply(left).code == 0
    assert Counter(zones(cloud).values()) == {ZONES[0]: 1, ZONES[1]: 3}
    assert program.plan(left).told == set()

    before = cloud.ids("probe")
    even = having(left, fleets__worker__rebalance=True)
    planned = program.plan(even)
    (change,) = planned.changes
    assert (change["action"], len(change["instances"])) == ("replace", 1)
    assert zones(cloud)[change["instances"][0]] == ZONES[1]
    witness.clear()
    applied = program.apply(even)
    assert applied.code == 0, applied.said
    assert Counter(zones(cloud).values()) == dict.fromkeys(ZONES, 2)
    assert len(set(cloud.ids("probe")) & set(before)) == 3
    assert witness.named == set(change["instances"])
    assert min(witness.healthy) == change["rollout"]["healthy"] == 4
    assert witness.operations == planned.calls
    assert program.plan(even).told == set()


# --- numbered names


def test_members_that_were_replaced_have_numbers_of_their_own(
    program: Program, cloud: Cloud, witness: Witness
) -> None:
    program.apply(fleet(count=3, name="web-{index}", user_data="#!/bin/sh\n"))
    assert names(cloud) == ["web-1", "web-2", "web-3"]
    before = cloud.ids("probe")
    spec = fleet(count=3, name="web-{index}", user_data="#!/bin/bash\n")
    planned = program.plan(spec)
    witness.clear()
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert not set(cloud.ids("probe")) & set(before)
    # The first is launched beside the old ones, whose numbers become free one after the other.
    assert len(set(names(cloud))) == 3
    assert set(names(cloud)) <= {f"web-{number}" for number in range(1, 5)}
    assert all(
        tags_of(member)["Name"] == f"web-{tags_of(member)['provisioner:index']}"
        for member in cloud.live("probe")
    )
    assert witness.operations == planned.calls
    assert program.plan(spec).told == set()


def test_replacing_terminated_members_first_leaves_the_numbers_as_they_were(
    program: Program, cloud: Cloud
) -> None:
    program.apply(fleet(count=3, name="web-{index}", user_data="#!/bin/sh\n"))
    spec = fleet(count=3, name="web-{index}", user_data="#!/bin/bash\n", update={"order": "terminate_first"})
    assert program.apply(spec).code == 0
    assert names(cloud) == ["web-1", "web-2", "web-3"]
    assert program.plan(spec).told == set()


@pytest.mark.parametrize("state", ["stopping", "pending"])
def test_metadata_drift_on_a_member_on_its_way(state: str, program: Program, cloud: Cloud) -> None:
    program.apply(fleet())
    one = cloud.ids("probe")[:1]
    cloud.break_with(stop_s=0.0 if state == "pending" else 1.0, boot_s=1.0)
    cloud.ec2.modify_instance_metadata_options(InstanceId=one[0], HttpTokens="optional")
    cloud.ec2.stop_instances(InstanceIds=one)
    if state == "pending":
        cloud.ec2.start_instances(InstanceIds=one)
    applied = program.apply(fleet())
    assert applied.code == 0, applied.said
    assert program.plan(fleet()).told == set()


def test_plan_of_a_restart_while_the_fleet_grows(program: Program, cloud: Cloud, witness: Witness) -> None:
    program.apply(fleet())
    spec = fleet(count=3, instance_type="t3.small")
    planned = program.plan(spec)
    witness.clear()
    assert program.apply(spec).code == 0
    (rollout,) = (change["rollout"] for change in planned.changes if change["rollout"])
    assert witness.ids("StopInstances") == [set(wave) for wave in rollout["waves"]]
    assert planned.calls == witness.operations


@pytest.mark.parametrize(
    "change",
    [{"update": {"max_unavailable": 2}}, {"count": 2}, {"power": "stopped"}],
    ids=["waves of two over two zones", "fewer", "parked"],
)
def test_calls_of_a_replacement(
    change: dict[str, object], program: Program, cloud: Cloud, witness: Witness
) -> None:
    program.apply(fleet(count=4))
    spec = fleet(**{"count": 4, "user_data": "x", **change})
    planned = program.plan(spec)
    witness.clear()
    assert program.apply(spec).code == 0
    assert planned.calls == witness.operations


def test_hint_for_a_protected_member_that_drifted(program: Program, cloud: Cloud) -> None:
    on = fleet(termination_protection=True)
    program.apply(on)
    write_in_record(cloud, cloud.ids("probe")[0], user_data="0123456789ab")
    off = having(on, fleets__worker__termination_protection=False)
    applied = program.apply(off)
    assert applied.code == 0, applied.said


def test_members_without_a_number_yet_get_none_that_a_member_about_to_go_has(
    program: Program, cloud: Cloud
) -> None:
    """As after a kill between the launch of a wave and the naming of its members."""
    before = fleet(count=2, name="web-{index}", user_data="#!/bin/sh\n")
    program.apply(before)
    after = fleet(count=4, name="web-{index}", user_data="#!/bin/bash\n", update={"order": "terminate_first"})
    two = having(after, fleets__worker__update={"on_user_data": "ignore"})
    program.apply(two)
    new = [
        member["InstanceId"]
        for member in cloud.live("probe")
        if tags_of(member)["Name"] in ("web-3", "web-4")
    ]
    cloud.ec2.delete_tags(Resources=new, Tags=[{"Key": "provisioner:index"}, {"Key": "Name"}])
    planned = program.plan(having(after, fleets__worker__count=3))
    assert (FLEET, "update", "name") in planned.told
    applied = program.apply(having(after, fleets__worker__count=3))
    assert applied.code == 0, applied.said
    assert {tags_of(member)["Name"] for member in cloud.live("probe") if member["InstanceId"] in new} == {
        "web-3",
        "web-4",
    }


def test_a_type_that_does_not_exist_is_told_before_anybody_is_stopped(
    program: Program, cloud: Cloud, witness: Witness
) -> None:
    program.apply(fleet())
    witness.clear()
    ran = program.apply(fleet(instance_type=["t3.small", "t3.mediun"]))
    assert ran.code == 1
    assert "the region has no instance type t3.mediun" in ran.words
    assert witness.operations == Counter()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"update": {"on_restart": "replace"}}, "as `update: {on_restart: replace}` says"),
        ({"market": "spot"}, "Spot instances cannot be stopped to change it"),
        ({}, "the type can only be changed while the instance is stopped"),
    ],
)
def test_the_reason_says_why_members_are_restarted_or_replaced(
    program: Program, cloud: Cloud, more: dict[str, Any], why: str
) -> None:
    program.apply(fleet(**more))
    (change,) = program.plan(fleet(instance_type="t3.small", **more)).changes
    assert change["reason"] == f"instance_type differs on 2 members: {why}"


def test_a_parked_fleet_is_changed_without_being_started(
    program: Program, cloud: Cloud, witness: Witness
) -> None:
    parked = fleet(power="stopped")
    assert program.plan(parked).changes[0]["reason"] == "launch 2, then stop them"
    program.apply(parked)
    resized = fleet(power="stopped", instance_type="t3.small")
    (change,) = program.plan(resized).changes
    assert change["rollout"]["order"] == "parked"
    witness.clear()
    assert program.apply(resized).code == 0
    assert witness.operations == {"ModifyInstanceAttribute": 2}
    assert list(types(cloud).values()) == ["t3.small"] * 2


def test_a_member_with_several_differences_is_one_instance_to_update(program: Program, cloud: Cloud) -> None:
    program.apply(fleet())
    one = cloud.ids("probe")[0]
    cloud.ec2.create_tags(
        Resources=[one], Tags=[{"Key": "Name", "Value": "x"}, {"Key": "extra", "Value": "y"}]
    )
    cloud.ec2.monitor_instances(InstanceIds=[one])
    planned = program.plan(fleet())
    assert len(planned.changes) == 3
    assert planned.data["summary"]["update"] == 1


def test_members_of_a_parked_fleet_are_changed_while_others_are_missing_or_replaced(
    program: Program, cloud: Cloud
) -> None:
    program.apply(fleet(count=5, power="stopped"))
    kept, lost, *_ = cloud.ids("probe")
    cloud.ec2.terminate_instances(InstanceIds=[lost])
    spec = fleet(
        count=5, power="stopped", instance_type="t3.small", protect=[kept], root_volume={"size_gb": 20}
    )
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert list(types(cloud).values()) == ["t3.small"] * 5
    assert set(states(cloud).values()) == {"stopped"}
    assert program.plan(spec).told == set()


def test_a_destroy_that_is_refused_does_not_say_that_nothing_is_there(program: Program, cloud: Cloud) -> None:
    program.apply(fleet(termination_protection=True))
    refused = program.destroy(fleet(termination_protection=True))
    assert refused.code == 4
    assert "under termination protection" in refused.words
    assert "Nothing to destroy" not in refused.words
