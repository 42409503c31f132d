"""An apply ends when new members are ready: as they run, as their checks pass, or as they tell themselves."""

from __future__ import annotations

from typing import Any

import pytest

import local_aws
import provisioner.kinds.fleet.readiness.waiting as waiting
from local_aws import Faults
from tests.support.cloud import Cloud, tags_of
from tests.support.program import Program
from tests.support.specs import IMAGE, having

READY = "provisioner:ready"
WANTED: dict[str, Any] = {
    "environment": "ready",
    "region": "us-east-1",
    "fleets": {
        "web": {
            "count": 3,
            "image": IMAGE,
            "instance_type": "t3.micro",
            "user_data": "#!/bin/sh\nTOKEN=hunter2\ninstall-everything\n",
            "ready": "cloud_init",
            "update": {"timeout_minutes": 1},
        }
    },
}


@pytest.fixture(autouse=True)
def _short_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MINUTE_S", 1.0)
    monkeypatch.setattr(waiting, "ROUNDS", (0.05,))


def told(cloud: Cloud) -> list[str]:
    """The members of which it is known that their user data has finished."""
    return [each["InstanceId"] for each in cloud.live("ready") if tags_of(each).get(READY) == "cloud_init"]


def failure(ran: Any) -> dict[str, Any]:
    (failed,) = ran.data["failed"]
    return dict(failed["failure"])


def test_an_apply_ends_when_user_data_has_finished(program: Program, cloud: Cloud) -> None:
    """It asks each member that has not told yet, remembers it with one call, and a plan asks nobody."""
    local_aws.set_faults(cloud.server, Faults(user_data_s=0.4))
    ran = program.apply(WANTED)
    assert ran.code == 0, ran.said
    assert told(cloud) == cloud.ids("ready")
    assert cloud.operations().count("GetConsoleOutput") > len(told(cloud))
    cloud.forget_calls()
    assert program.plan(WANTED, "--detailed-exitcode").code == 0
    assert "GetConsoleOutput" not in cloud.operations()
    assert program.apply(having(WANTED, fleets__web__count=5)).code == 0
    assert len(told(cloud)) == 5
    # The first three are not asked once more.
    asked = [call for call in cloud.calls() if call.operation == "GetConsoleOutput"]
    assert len({call.digest for call in asked}) == 2


@pytest.mark.long
def test_where_it_fails_the_last_lines_are_shown_and_the_next_apply_looks_again(
    program: Program, cloud: Cloud
) -> None:
    local_aws.set_faults(cloud.server, Faults(user_data_failure_share=1.0))
    ran = program.apply(WANTED)
    assert ran.code == 1
    found = failure(ran)
    assert "user data has failed on i-" in found["message"]
    assert "scripts_user" in found["message"]
    assert any("install-everything: command not found" in line for line in found["lines"])
    assert "hunter2" not in ran.said
    assert len(cloud.ids("ready")) == 3
    assert program.plan(WANTED, "--detailed-exitcode").code == 2
    assert "user data has failed on i-" in str(program.status(WANTED))
    planned = program.plan(WANTED)
    assert "user data has failed on" in planned.changes[0]["reason"]
    assert "not yet" not in planned.words
    # How to take them as they are is there to be pasted, and so is what helps with servers that run.
    ids = " ".join(cloud.ids("ready"))
    command = f"aws ec2 create-tags --region us-east-1 --resources {ids} --tags Key={READY},Value=cloud_init"
    assert command in found["hint"]
    assert len(ran.data["next"]["fleets"]["web"]) == 3
    assert any("destroy" in command for command in ran.data["next"]["commands"])
    assert ran.data["next"]["cost"]
    again = program.apply(WANTED)
    assert again.code == 1
    assert len(cloud.ids("ready")) == 3
    # Taken as they are, by hand.
    tag = [{"Key": READY, "Value": "taken"}]
    cloud.ec2.create_tags(Resources=cloud.ids("ready"), Tags=tag)
    assert program.plan(WANTED, "--detailed-exitcode").code == 0


@pytest.mark.long
def test_members_that_take_too_long_are_named_and_waited_for_by_the_next_apply(
    program: Program, cloud: Cloud
) -> None:
    local_aws.set_faults(cloud.server, Faults(user_data_s=3600))
    ran = program.apply(WANTED)
    assert ran.code == 1
    assert "user data has not finished on i-" in failure(ran)["message"]
    assert told(cloud) == []
    first, *others = cloud.ids("ready")
    local_aws.end_user_data(cloud.server, first, "finished")
    assert program.apply(WANTED).code == 1
    assert told(cloud) == [first]
    for member in others:
        local_aws.end_user_data(cloud.server, member, "finished")
    ran = program.apply(WANTED)
    assert ran.code == 0, ran.said
    assert told(cloud) == [first, *others]
    assert program.plan(WANTED, "--detailed-exitcode").code == 0


@pytest.mark.long
def test_a_rollout_pauses_and_goes_on_with_other_user_data(program: Program, cloud: Cloud) -> None:
    assert program.apply(WANTED).code == 0
    old = cloud.ids("ready")
    local_aws.set_faults(cloud.server, Faults(user_data_failure_share=1.0))
    broken = having(WANTED, fleets__web__user_data="#!/bin/sh\nbroken\n")
    ran = program.apply(broken)
    assert ran.code == 1
    assert failure(ran)["message"].startswith("paused after 0 of 3: user data has failed on i-")
    assert any("command not found" in line for line in failure(ran)["lines"])
    assert set(old) < set(cloud.ids("ready"))
    cloud.mend()
    for member in set(cloud.ids("ready")) - set(old):
        local_aws.end_user_data(cloud.server, member, "failed")
    ran = program.apply(having(WANTED, fleets__web__user_data="#!/bin/sh\nright\n"))
    assert ran.code == 0, ran.said
    assert not set(old) & set(cloud.ids("ready"))
    assert told(cloud) == cloud.ids("ready")
    assert len(told(cloud)) == 3


@pytest.mark.long
def test_members_launched_before_count_by_their_checks_and_change_nothing(
    program: Program, cloud: Cloud
) -> None:
    before = having(WANTED, fleets__web__ready="running")
    assert program.apply(before).code == 0
    old = cloud.ids("ready")
    planned = program.plan(WANTED, "--detailed-exitcode", "--deep")
    assert planned.code == 0, planned.said
    assert "3 members launched without what `ready: cloud_init` needs" in planned.said
    assert program.apply(having(WANTED, fleets__web__count=4)).code == 0
    assert set(old) < set(cloud.ids("ready"))
    assert len(told(cloud)) == 1
    # And back: what was launched with more beside the user data is no other user data.
    assert program.plan(having(before, fleets__web__count=4), "--detailed-exitcode", "--deep").code == 0


@pytest.mark.long
def test_new_members_are_waited_for_until_their_checks_are_passed(program: Program, cloud: Cloud) -> None:
    local_aws.set_faults(cloud.server, Faults(status_s=3600))
    checked = having(WANTED, fleets__web__ready="status_ok")
    ran = program.apply(checked)
    assert ran.code == 1
    assert "not healthy after" in failure(ran)["message"]
    assert len(cloud.ids("ready")) == 3
    cloud.mend()
    cloud.wait(3600)
    ran = program.apply(having(checked, fleets__web__count=4))
    assert ran.code == 0, ran.said
    assert "GetConsoleOutput" not in cloud.operations()


def test_who_may_not_read_consoles_is_told_what_to_do_and_nothing_is_launched_twice(
    program: Program, cloud: Cloud
) -> None:
    cloud.break_with(local_aws.denied("GetConsoleOutput"))
    ran = program.apply(WANTED)
    assert ran.code == 1
    assert "ec2:GetConsoleOutput, or set `ready: status_ok`" in failure(ran)["hint"]
    there = cloud.ids("ready")
    cloud.mend()
    cloud.forget_calls()
    assert program.apply(WANTED).code == 0
    assert (cloud.ids("ready"), cloud.writes()) == (there, ["CreateTags"])


@pytest.mark.long
def test_members_restarted_with_other_user_data_can_tell_from_then_on(program: Program, cloud: Cloud) -> None:
    before = having(WANTED, fleets__web__ready="running", fleets__web__update__on_user_data="restart")
    assert program.apply(before).code == 0
    old = cloud.ids("ready")
    other = having(before, fleets__web__ready="cloud_init", fleets__web__user_data="#!/bin/sh\nother\n")
    ran = program.apply(other)
    assert ran.code == 0, ran.said
    assert told(cloud) == cloud.ids("ready") == old
    assert program.plan(other, "--detailed-exitcode", "--deep").code == 0
    # Without it, what is sent has no boot hook, and nobody waits for one.
    last = having(before, fleets__web__user_data="#!/bin/sh\nlast\n")
    assert program.apply(last).code == 0
    assert (
        "without what `ready: cloud_init` needs"
        in program.plan(having(last, fleets__web__ready="cloud_init")).said
    )
