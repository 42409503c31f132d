"""A rollout whose new members do not get healthy stops, with the old ones alive, and goes on when it can."""

from __future__ import annotations

from typing import Any

import pytest

import local_aws
from local_aws import Faults
from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.setting_cases import modified_while_stopped
from tests.support.specs import IMAGE, having

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

WANTED: dict[str, Any] = {
    "environment": "health",
    "region": "us-east-1",
    "fleets": {
        "web": {
            "count": 4,
            "image": IMAGE,
            "instance_type": "t3.micro",
            "user_data": "echo 1",
            "update": {"max_unavailable": 2, "timeout_minutes": 1, "healthy": "status_ok"},
        }
    },
}
CHANGED = having(WANTED, fleets__web__user_data="echo 2")


@pytest.fixture
def old(program: Program, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The members of a fleet that is about to be replaced; a minute of waiting passes in a second."""
    assert program.apply(WANTED).code == 0
    return cloud.ids("health")


@pytest.fixture(autouse=True)
def _short_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    import provisioner.kinds.fleet.rolling_update.health as health

    monkeypatch.setattr(health, "MINUTE_S", 1.0)


def break_new_members(cloud: Cloud) -> None:
    local_aws.set_faults(cloud.server, Faults(impaired_share=1.0))


def test_new_members_that_fail_their_checks_pause_it(program: Program, cloud: Cloud, old: list[str]) -> None:
    break_new_members(cloud)
    ran = program.apply(CHANGED)
    assert ran.code == 1
    (failed,) = ran.data["failed"]
    message, hint = failed["failure"]["message"], failed["failure"]["hint"]
    assert message.startswith("paused after 0 of 4: ")
    assert "4 old members go on as they are" in hint
    assert set(old) <= set(cloud.ids("health"))
    assert len(cloud.ids("health")) == 6


def test_applied_again_it_launches_no_more_and_waits_for_those_that_are_there(
    program: Program, cloud: Cloud, old: list[str]
) -> None:
    break_new_members(cloud)
    assert program.apply(CHANGED).code == 1
    there = cloud.ids("health")
    assert program.apply(CHANGED).code == 1
    assert cloud.ids("health") == there


def test_once_they_are_healthy_it_goes_on(program: Program, cloud: Cloud, old: list[str]) -> None:
    break_new_members(cloud)
    assert program.apply(CHANGED).code == 1
    cloud.mend()
    for instance in set(cloud.ids("health")) - set(old):
        local_aws.set_status(cloud.server, instance, "ok")
    ran = program.apply(CHANGED)
    assert ran.code == 0, ran.said
    assert len(cloud.ids("health")) == 4
    assert not set(old) & set(cloud.ids("health"))


def test_with_the_old_spec_the_new_members_go_first(program: Program, cloud: Cloud, old: list[str]) -> None:
    break_new_members(cloud)
    assert program.apply(CHANGED).code == 1
    cloud.mend()
    assert program.apply(WANTED).code == 0
    assert cloud.ids("health") == sorted(old)


def test_it_goes_on_regardless_where_the_spec_says_so(program: Program, cloud: Cloud, old: list[str]) -> None:
    break_new_members(cloud)
    ran = program.apply(having(CHANGED, fleets__web__update__pause_on_failure=False))
    assert ran.code == 0, ran.said
    assert not set(old) & set(cloud.ids("health"))


@pytest.mark.parametrize("pauses", [True, False])
def test_members_that_end_instead_of_starting_pause_it(
    program: Program, cloud: Cloud, old: list[str], pauses: bool
) -> None:
    local_aws.set_faults(cloud.server, Faults(boot_failure_share=1.0))
    ran = program.apply(having(CHANGED, fleets__web__update__pause_on_failure=pauses))
    assert ran.code == 1
    assert "paused after 0 of 4" in ran.data["failed"][0]["failure"]["message"]
    assert cloud.ids("health") == sorted(old)


def test_restarted_members_are_healthy_when_their_checks_are_passed(
    program: Program, cloud: Cloud, old: list[str]
) -> None:
    resized = having(WANTED, fleets__web__instance_type="t3.small")
    local_aws.set_faults(cloud.server, Faults(status_s=0.2))
    ran = program.apply(resized)
    assert ran.code == 0, ran.said
    assert cloud.ids("health") == sorted(old)
    assert "DescribeInstanceStatus" in cloud.operations()


def test_scaling_in_takes_what_is_unhealthy_before_what_is_new(
    program: Program, cloud: Cloud, old: list[str]
) -> None:
    sick = cloud.ids("health")[0]
    local_aws.set_status(cloud.server, sick, "impaired")
    assert program.apply(having(WANTED, fleets__web__count=3)).code == 0
    assert cloud.ids("health") == sorted(set(old) - {sick})


def test_a_member_that_was_sick_before_counts_as_unavailable_and_is_not_waited_for(
    program: Program, cloud: Cloud, old: list[str]
) -> None:
    sick, drifted, *_ = cloud.ids("health")
    local_aws.set_status(cloud.server, sick, "impaired")
    modified_while_stopped(cloud, drifted, InstanceType={"Value": "t3.small"})
    planned = program.plan(WANTED)
    assert planned.changes[0]["rollout"]["healthy"] == 2
    applied = program.apply(WANTED)
    assert applied.code == 0, applied.said
    assert cloud.ids("health") == sorted(old)


def test_where_the_sick_are_all_that_may_be_unavailable_nothing_is_taken_down(
    program: Program, cloud: Cloud, old: list[str]
) -> None:
    sick, drifted, *_ = cloud.ids("health")
    local_aws.set_status(cloud.server, sick, "impaired")
    modified_while_stopped(cloud, drifted, InstanceType={"Value": "t3.small"})
    cloud.forget_calls()
    applied = program.apply(having(WANTED, fleets__web__update__max_unavailable=1))
    assert applied.code == 1
    message = applied.data["failed"][0]["failure"]["message"]
    assert message == "3 of 4 members are healthy, and at most 1 may be unavailable"
    assert "StopInstances" not in cloud.operations()


def test_members_that_just_started_are_not_taken_for_healthy(
    program: Program, cloud: Cloud, old: list[str]
) -> None:
    """Two are stopped by hand, and a third has another type: it goes down only when the two are healthy."""
    drifted, *stopped = cloud.ids("health")[:3]
    cloud.ec2.stop_instances(InstanceIds=stopped)
    modified_while_stopped(cloud, drifted, InstanceType={"Value": "t3.small"})
    local_aws.set_faults(cloud.server, Faults(status_s=0.5))
    cloud.forget_calls()
    applied = program.apply(WANTED)
    assert applied.code == 0, applied.said
    operations = cloud.operations()
    looked = operations[operations.index("StartInstances") : operations.index("StopInstances")]
    assert looked.count("DescribeInstanceStatus") >= 2


def test_fewer_members_are_not_held_up_by_a_restart_that_waits_for_one_that_goes(
    program: Program, cloud: Cloud, old: list[str]
) -> None:
    cloud.ec2.stop_instances(InstanceIds=[cloud.ids("health")[0]])
    applied = program.apply(having(WANTED, fleets__web__count=3, fleets__web__instance_type="t3.small"))
    assert applied.code == 0, applied.said
    assert len(cloud.ids("health")) == 3
