"""The rows of the table of settings: complete when imported, and changed in as few calls as EC2 takes."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.kinds.fleet.launching.params import launch_params, run_instances
from provisioner.kinds.fleet.settings.launch_tag import launch_record, read_record, write_record
from provisioner.kinds.fleet.settings.setting import How, Setting, combined
from provisioner.model import Call
from provisioner.naming import LAUNCH_TAG
from tests.support.build import (
    AROUND,
    FLEET,
    SUBNETS,
    calls,
    environment,
    fleet_of,
    member,
    observed_fleet,
    planned,
    told,
)

ONE, TWO = "i-00000000000000001", "i-00000000000000002"


@pytest.mark.parametrize(
    ("how", "written", "missing"),
    [
        (How.LIVE, {}, "change"),
        (How.RESTART, {"launch": lambda fleet, to: {}}, "change"),
        (How.RESTART, {"change": lambda to: ()}, "launch"),
        (How.REPLACE, {}, "launch"),
    ],
)
def test_a_row_without_a_writer_for_its_way_of_changing_is_refused(
    how: How, written: dict[str, Any], missing: str
) -> None:
    with pytest.raises(TypeError, match=f"colour changes by {how}, so its row has to say `{missing}`"):
        Setting("colour", how, "paint is fresh", "https://example.com", **written)


def call(operation: str, **params: Any) -> Call:
    return Call("ec2", operation, params)


CALLS: dict[str, tuple[list[Call], list[list[Call]]]] = {
    "options of one operation go in one call a member": (
        [
            call("ModifyInstanceMetadataOptions", InstanceId=ONE, HttpTokens="required"),
            call("ModifyInstanceMetadataOptions", InstanceId=TWO, HttpTokens="required"),
            call("ModifyInstanceMetadataOptions", InstanceId=ONE, HttpPutResponseHopLimit=2),
            call("ModifyInstanceMetadataOptions", InstanceId=TWO, HttpPutResponseHopLimit=2),
        ],
        [
            [
                call(
                    "ModifyInstanceMetadataOptions",
                    InstanceId=instance,
                    HttpTokens="required",
                    HttpPutResponseHopLimit=2,
                )
                for instance in (ONE, TWO)
            ]
        ],
    ),
    "attributes go one by one": (
        [
            call("ModifyInstanceAttribute", InstanceId=ONE, DisableApiTermination={"Value": True}),
            call(
                "ModifyInstanceAttribute", InstanceId=ONE, InstanceInitiatedShutdownBehavior={"Value": "stop"}
            ),
        ],
        [
            [call("ModifyInstanceAttribute", InstanceId=ONE, DisableApiTermination={"Value": True})],
            [
                call(
                    "ModifyInstanceAttribute",
                    InstanceId=ONE,
                    InstanceInitiatedShutdownBehavior={"Value": "stop"},
                )
            ],
        ],
    ),
    "members that are named in a list go together": (
        [call("MonitorInstances", InstanceIds=[ONE]), call("MonitorInstances", InstanceIds=[TWO])],
        [[call("MonitorInstances", InstanceIds=[ONE, TWO])]],
    ),
    "at most a thousand of them": (
        [call("MonitorInstances", InstanceIds=[f"i-{number:017x}"]) for number in range(1001)],
        [
            [
                call("MonitorInstances", InstanceIds=[f"i-{number:017x}" for number in range(1000)]),
                call("MonitorInstances", InstanceIds=[f"i-{1000:017x}"]),
            ]
        ],
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_what_one_call_can_carry_is_one_call(case: str) -> None:
    calls, expected = CALLS[case]
    assert combined(calls) == expected


PLAIN = {"count": 2, "image": "ami-00000000000000001", "instance_type": "t3.micro"}


def plan_of(spec: dict[str, Any], *differing: dict[str, Any]) -> Any:
    """What is planned for members that were launched by the plain spec, but for what differs."""
    made = fleet_of(environment(fleets={"web": PLAIN}))
    there = observed_fleet([member(number, made, **fields) for number, fields in enumerate(differing)])
    return planned(environment(fleets={"web": PLAIN | spec}), {FLEET: there})


def test_all_metadata_options_are_changed_by_one_call_a_member() -> None:
    options = {
        "http_tokens": "optional",
        "http_endpoint": "disabled",
        "hop_limit": 2,
        "instance_tags": "enabled",
    }
    off = {"described": {"MetadataOptions": {"HttpProtocolIpv6": "disabled"}}}
    plan = plan_of({"metadata": options}, off, off)
    (change,) = plan.changes
    assert [field.path for field in change.fields] == [f"metadata.{name}" for name in options]
    assert calls(change) == ["ModifyInstanceMetadataOptions x2"]


def test_members_that_were_launched_before_a_setting_was_known_are_as_they_should_be() -> None:
    assert plan_of({}, {}, {"described": {"MaintenanceOptions": {"AutoRecovery": "disabled"}}}).changes == ()


UNSAID = {"tags": {LAUNCH_TAG: "user_data=none protection=off shutdown=stop"}}


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        ({"stop_protection": True}, ["update fleet/web stop_protection i-00,i-01"]),
        ({"stop_protection": False}, ["update fleet/web stop_protection i-00,i-01"]),
        ({}, []),
    ],
    ids=str,
)
def test_a_switch_that_the_spec_did_not_say_at_launch_is_set_once_it_does(
    spec: dict[str, Any], changes: list[str]
) -> None:
    plan = plan_of(spec, UNSAID, UNSAID)
    assert [told(change) for change in plan.changes] == changes
    for change in plan.changes:
        assert change.fields[0].before == "not known"
        assert calls(change) == ["ModifyInstanceAttribute x2", "CreateTags"]


def test_what_the_launch_tag_of_an_earlier_version_does_not_say_is_told() -> None:
    plan = plan_of({"associate_public_ip": True}, UNSAID)
    assert not [change for change in plan.changes if "i-00" in change.instances]
    (note,) = (note.message for note in plan.notes if "associate_public_ip" in note.message)
    assert "1 member" in note
    assert "`--deep` reads it" in note


def test_the_longest_launch_tag_fits_into_a_tag() -> None:
    root = {
        "size_gb": 65536,
        "type": "gp3",
        "iops": 80000,
        "throughput": 2000,
        "encrypted": True,
        "kms_key_id": "alias/mine",
    }
    longest = {
        "instance_type": "u7inh-32tb.480xlarge",
        "image": {"ssm": "/aws/service/ami"},
        "user_data": "#!/bin/sh",
        "root_volume": root,
        "volumes": [{"device": "/dev/sdf", "size_gb": 1}],
        "shutdown_behavior": "terminate",
        "termination_protection": False,
        "stop_protection": False,
        "expires": "2027-01-01T00:00:00Z",
        "ready": "cloud_init",
    }
    fleet = fleet_of(environment(fleets={"web": PLAIN | longest}))
    params = launch_params(fleet, None, AROUND, SUBNETS[0])
    call = run_instances(params, fleet.capacity_options[0], 1, "token")
    (tags,) = (
        specification["Tags"]
        for specification in call.params["TagSpecifications"]
        if specification["ResourceType"] == "instance"
    )
    (text,) = (tag["Value"] for tag in tags if tag["Key"] == LAUNCH_TAG)
    assert len(text) <= 256
    assert read_record(member(0, fleet, tags={LAUNCH_TAG: text})).keys() == {*launch_record(fleet), "type"}


STOPPED: dict[str, tuple[dict[str, Any], str, str]] = {
    "to be restarted": ({"instance_type": "t3.small", "stop_protection": True}, "on", "to be stopped"),
    "to be parked": ({"power": "stopped"}, "on", "to be stopped"),
    "to be restarted once it is protected": (
        {"instance_type": "t3.small", "stop_protection": True},
        "off",
        "to be",
    ),
    "to be replaced": ({"key_name": "mine", "stop_protection": True}, "on", "set `stop_protection: false`"),
    "too many": ({"count": 0}, "on", "under stop protection"),
}


@pytest.mark.parametrize("case", STOPPED)
def test_a_member_under_stop_protection_is_neither_stopped_nor_terminated(case: str) -> None:
    spec, word, text = STOPPED[case]
    made = fleet_of(environment(fleets={"web": PLAIN}))
    record = write_record({**launch_record(made), "stop": word})
    plan = plan_of(spec, {"tags": {LAUNCH_TAG: record}})
    (refusal,) = plan.refusals
    assert text in f"{refusal.message}; {refusal.hint}"


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        (
            {"count": 0, "termination_protection": False, "stop_protection": True},
            "i-00 is under stop protection",
            "set `stop_protection: false` and apply that first",
        ),
        (
            {"count": 0, "termination_protection": True, "stop_protection": False},
            "i-00 is under termination protection",
            "set `termination_protection: false` and apply that first",
        ),
        (
            {"count": 0, "stop_protection": False, "ignore_changes": ["stop_protection"]},
            "i-00 is under stop protection",
            "take `stop_protection` out of `ignore_changes`, set `stop_protection: false` and apply that "
            "first",
        ),
    ],
    ids=["by stop protection", "by termination protection", "by what is ignored"],
)
def test_only_what_goes_on_protecting_is_to_be_taken_away(
    spec: dict[str, Any], message: str, hint: str
) -> None:
    record = "user_data=none protection=on stop=on shutdown=stop"
    (refusal,) = plan_of(spec, {"tags": {LAUNCH_TAG: record}}).refusals
    assert refusal.message.endswith(message)
    assert refusal.hint == hint


def test_a_destroy_after_the_spec_took_protection_away_is_to_come_after_an_apply() -> None:
    desired = environment(fleets={"web": PLAIN | {"stop_protection": False}})
    record = "user_data=none protection=off stop=on shutdown=stop"
    there = observed_fleet([member(0, fleet_of(desired), tags={LAUNCH_TAG: record})])
    (refusal,) = planned(desired, {FLEET: there}, destroying=True).refusals
    assert refusal.hint == "apply the spec first, which switches that off"


def test_stop_protection_that_the_spec_takes_away_is_off_before_the_member_is_stopped() -> None:
    made = fleet_of(environment(fleets={"web": PLAIN}))
    record = write_record({**launch_record(made), "stop": "on"})
    protected = {"tags": {LAUNCH_TAG: record}}
    plan = plan_of({"stop_protection": False, "instance_type": "t3.small"}, protected, protected)
    assert [told(change) for change in plan.changes] == [
        "update fleet/web stop_protection i-00,i-01",
        "update fleet/web instance_type i-00,i-01",
    ]
    assert plan.changes[0].phase < plan.changes[1].phase


def test_cpu_options_are_given_again_to_a_member_that_gets_another_type() -> None:
    has = {"described": {"CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 1}}}
    options = {"core_count": 1, "threads_per_core": 1}
    plan = plan_of({"cpu_options": options, "instance_type": "t3.small"}, has, has)
    (change,) = plan.changes
    assert "ModifyInstanceCpuOptions x2" in calls(change)
