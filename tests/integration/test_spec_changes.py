"""What is changed in the spec is shown by the next plan, and there after the next apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.cloud import AWS_POLICY, Cloud, where
from tests.support.program import Program
from tests.support.setting_cases import exchanged, write_in_record
from tests.support.specs import IMAGE, PROBE, ROLES_ONLY, called, having, lacking

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

ROLE, PROFILE, FLEET = "role/worker", "instance_profile/worker", "fleet/worker"
SPARE_ROLE = having(ROLES_ONLY, roles__spare={"managed_policies": ["ReadOnlyAccess"]})
SPARE = having(SPARE_ROLE, instance_profiles__spare={"role": "spare"})
TWO_FLEETS = having(
    PROBE,
    fleets__batch={"count": 1, "instance_profile": "worker", "image": IMAGE, "instance_type": "t3.micro"},
)

Check = Callable[[Cloud], object]


@dataclass(frozen=True)
class Edit:
    """From one spec to another; `named` is all that the plan shows, `check` what has to be true then."""

    name: str
    before: dict[str, Any]
    after: dict[str, Any]
    named: set[tuple[str, str, str]]
    check: Check


def members(cloud: Cloud) -> list[dict[str, Any]]:
    return [cloud.picture_of_instance(member) for member in cloud.live("probe", "worker")]


def all_members(**fields: Any) -> Check:
    return lambda cloud: (
        all({key: member[key] for key in fields} == fields for member in members(cloud)) and members(cloud)
    )


def fleet(title: str, /, *fields: str, check: Check, **settings: Any) -> Edit:
    """An edit of the probe's fleet; of settings that nothing but the fleet shows."""
    after = having(PROBE, **{f"fleets__worker__{key}": value for key, value in settings.items()})
    return Edit(title, PROBE, after, {(FLEET, "update", field) for field in fields}, check)


def role(title: str, /, *fields: str, check: Check, **settings: Any) -> Edit:
    before = having(ROLES_ONLY, roles__worker=PROBE["roles"]["worker"])
    after = having(before, **{f"roles__worker__{key}": value for key, value in settings.items()})
    return Edit(title, before, after, {(ROLE, "update", field) for field in fields}, check)


def picture(cloud: Cloud) -> dict[str, Any]:
    return cloud.picture_of_role("probe-worker")


EDITS = (
    Edit(
        "a role left the spec",
        SPARE_ROLE,
        ROLES_ONLY,
        {("role/spare", "delete", "")},
        lambda cloud: cloud.roles() == ["probe-worker"],
    ),
    Edit(
        "a profile left the spec",
        SPARE,
        lacking(SPARE, "instance_profiles.spare"),
        {("instance_profile/spare", "delete", "")},
        lambda cloud: cloud.profiles() == ["probe-worker"] and len(cloud.roles()) == 2,
    ),
    Edit(
        "a role left the spec together with its profile",
        SPARE,
        ROLES_ONLY,
        {("role/spare", "delete", ""), ("instance_profile/spare", "delete", "")},
        lambda cloud: cloud.profiles() == cloud.roles() == ["probe-worker"],
    ),
    Edit(
        "a fleet left the spec",
        TWO_FLEETS,
        PROBE,
        {("fleet/batch", "delete", "")},
        lambda cloud: len(cloud.ids("probe")) == 2 and not cloud.ids("probe", "batch"),
    ),
    Edit(
        "everything left the spec",
        PROBE,
        lacking(PROBE, "roles", "instance_profiles", "fleets"),
        {(FLEET, "delete", ""), (PROFILE, "delete", ""), (ROLE, "delete", "")},
        lambda cloud: not cloud.live() and not cloud.roles() and not cloud.profiles(),
    ),
    Edit(
        "a role has another name",
        ROLES_ONLY,
        having(ROLES_ONLY, roles__worker={"name": "other"}),
        {
            (ROLE, "create", "trust"),
            (PROFILE, "update", "role"),
            ("role/probe-worker", "delete", ""),
        },
        lambda cloud: (
            cloud.roles() == ["other"] and cloud.picture_of_profile("probe-worker")["Roles"] == ["other"]
        ),
    ),
    Edit(
        "a profile holds another role",
        SPARE_ROLE,
        having(SPARE_ROLE, instance_profiles__worker={"role": "spare"}),
        {(PROFILE, "update", "role")},
        lambda cloud: cloud.picture_of_profile("probe-worker")["Roles"] == ["probe-spare"],
    ),
    Edit(
        "a profile has another name",
        PROBE,
        having(PROBE, instance_profiles__worker={"role": "worker", "name": "other"}),
        {
            (PROFILE, "create", "role"),
            (FLEET, "update", "instance_profile"),
            ("instance_profile/probe-worker", "delete", ""),
        },
        lambda cloud: (
            cloud.profiles() == ["other"]
            and {cloud.profile_on(instance) for instance in cloud.ids("probe")} == {"other"}
        ),
    ),
    Edit(
        "a fleet has no profile any more",
        PROBE,
        lacking(PROBE, "fleets.worker.instance_profile"),
        {(FLEET, "update", "instance_profile")},
        lambda cloud: not cloud.associations(),
    ),
    Edit(
        "a fleet, its profile and its role are taken apart",
        TWO_FLEETS,
        lacking(TWO_FLEETS, "roles", "instance_profiles", "fleets.batch", "fleets.worker.instance_profile"),
        {
            (FLEET, "update", "instance_profile"),
            ("fleet/batch", "delete", ""),
            (PROFILE, "delete", ""),
            (ROLE, "delete", ""),
        },
        lambda cloud: len(cloud.ids()) == 2 and not cloud.associations() and not cloud.profiles(),
    ),
    role(
        "a role's description is gone",
        "description",
        description="-",
        check=lambda cloud: picture(cloud)["Description"] == "-",
    ),
    role(
        "a role has other policies",
        "managed_policies",
        managed_policies=["AmazonS3FullAccess"],
        check=lambda cloud: picture(cloud)["Attached"] == [AWS_POLICY + "AmazonS3FullAccess"],
    ),
    role(
        "a role has no policies",
        "managed_policies",
        "inline_policies.write",
        managed_policies=[],
        inline_policies={},
        check=lambda cloud: not picture(cloud)["Attached"] and not picture(cloud)["Inline"],
    ),
    role(
        "others may act as a role",
        "trust",
        trust=["ec2.amazonaws.com", "ssm.amazonaws.com"],
        check=lambda cloud: len(picture(cloud)["Trust"]["Statement"][0]["Principal"]["Service"]) == 2,
    ),
    role(
        "a role has more tags",
        "tags.stage",
        tags={"stage": "dev"},
        check=lambda cloud: picture(cloud)["Tags"]["stage"] == "dev",
    ),
    Edit(
        "everything has other tags",
        PROBE,
        having(PROBE, tags={"stage": "dev"}),
        {
            (address, "update", field)
            for address in (ROLE, PROFILE, FLEET)
            for field in ("tags.team", "tags.stage")
        },
        lambda cloud: all(
            member["Tags"]["stage"] == "dev" and "team" not in member["Tags"] for member in members(cloud)
        ),
    ),
    Edit(
        "a fleet is larger",
        PROBE,
        having(PROBE, fleets__worker__count=5),
        {
            (FLEET, "create", field)
            for field in ("count", "instance_type", "image", "instance_profile", "spread")
        },
        lambda cloud: len(cloud.ids("probe")) == 5,
    ),
    Edit(
        "a fleet is smaller",
        having(PROBE, fleets__worker__count=5),
        PROBE,
        {(FLEET, "delete", "count")},
        lambda cloud: len(cloud.ids("probe")) == 2,
    ),
    Edit(
        "a fleet is empty",
        PROBE,
        having(PROBE, fleets__worker__count=0),
        {(FLEET, "delete", "count")},
        lambda cloud: not cloud.ids("probe"),
    ),
    fleet(
        "termination protection is on",
        "termination_protection",
        termination_protection=True,
        check=all_members(Protected=True),
    ),
    fleet(
        "stop protection is on",
        "stop_protection",
        stop_protection=True,
        check=lambda cloud: all(
            cloud.ec2.describe_instance_attribute(InstanceId=instance, Attribute="disableApiStop")[
                "DisableApiStop"
            ]["Value"]
            for instance in cloud.ids("probe")
        ),
    ),
    fleet(
        "a shutdown terminates",
        "shutdown_behavior",
        shutdown_behavior="terminate",
        check=all_members(Shutdown="terminate"),
    ),
    fleet(
        "termination protection is on and a shutdown terminates",
        "termination_protection",
        "shutdown_behavior",
        termination_protection=True,
        shutdown_behavior="terminate",
        check=all_members(Protected=True, Shutdown="terminate"),
    ),
    fleet("monitoring is detailed", "monitoring", monitoring=True, check=all_members(Monitoring="enabled")),
    fleet(
        "all metadata options are others",
        "metadata.http_tokens",
        "metadata.hop_limit",
        "metadata.instance_tags",
        metadata={"http_tokens": "optional", "hop_limit": 3, "instance_tags": "enabled"},
        check=lambda cloud: all(
            member["Metadata"]["HttpTokens"] == "optional"
            and member["Metadata"]["HttpPutResponseHopLimit"] == 3
            and member["Metadata"]["InstanceMetadataTags"] == "enabled"
            and member["Metadata"]["HttpEndpoint"] == "enabled"
            for member in members(cloud)
        ),
    ),
    fleet(
        "members have other names",
        "name",
        name="server",
        check=lambda cloud: [member["Tags"]["Name"] for member in members(cloud)] == ["server"] * 2,
    ),
    fleet(
        "members have numbers in their names",
        "name",
        name="server-{index:03d}",
        check=lambda cloud: (
            {member["Tags"]["Name"] for member in members(cloud)} == {"server-001", "server-002"}
        ),
    ),
    fleet(
        "members have a tag more",
        "tags.tier",
        tags={"tier": "web"},
        check=lambda cloud: {member["Tags"]["tier"] for member in members(cloud)} == {"web"},
    ),
)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_is_shown_and_then_true(edit: Edit, program: Program, cloud: Cloud) -> None:
    assert program.apply(edit.before).code == 0
    told = program.plan(edit.after).told
    assert {difference[:2] for difference in told} == {difference[:2] for difference in edit.named}
    # What is made anew tells everything that it gets.
    assert {
        difference for difference in told if difference[1] != "create" or difference in edit.named
    } == edit.named
    applied = program.apply(edit.after)
    assert applied.code == 0, applied.said
    assert edit.check(cloud)
    assert program.plan(edit.after).told == set()


def test_termination_protection_goes_on_and_off(program: Program, cloud: Cloud) -> None:
    on = having(PROBE, fleets__worker__termination_protection=True)
    program.apply(on)
    assert all(member["Protected"] for member in members(cloud))
    assert program.apply(PROBE).code == 0
    assert not any(member["Protected"] for member in members(cloud))
    assert program.destroy(PROBE).code == 0
    assert not cloud.live()


def test_a_description_can_be_taken_away(program: Program, cloud: Cloud) -> None:
    program.apply(having(ROLES_ONLY, roles__worker={"description": "Works"}))
    assert program.apply(ROLES_ONLY).code == 0
    assert picture(cloud)["Description"] == ""
    assert not program.plan(ROLES_ONLY).changes


def test_two_roles_that_leave_together_are_both_deleted_whatever_they_are_called(
    program: Program, cloud: Cloud
) -> None:
    """Both would have the key `old`: one for its default name, one for the name it was given."""
    program.apply(having(ROLES_ONLY, roles__old={}, roles__other={"name": "old"}))
    assert cloud.roles() == ["old", "probe-old", "probe-worker"]
    assert program.apply(ROLES_ONLY).code == 0
    assert cloud.roles() == ["probe-worker"]


def test_two_profiles_that_leave_together_are_both_deleted_whatever_they_are_called(
    program: Program, cloud: Cloud
) -> None:
    profiles = {"old": {"role": "worker"}, "other": {"role": "worker", "name": "old"}}
    program.apply(having(ROLES_ONLY, instance_profiles=profiles))
    assert program.apply(lacking(ROLES_ONLY, "instance_profiles")).code == 0
    assert cloud.profiles() == []


def test_the_members_that_go_are_those_that_a_plan_named(program: Program, cloud: Cloud) -> None:
    program.apply(having(PROBE, fleets__worker__count=6))
    (change,) = program.plan(PROBE).changes
    assert len(change["instances"]) == 4
    program.apply(PROBE)
    assert not set(change["instances"]) & set(cloud.ids("probe"))


def test_stopped_members_go_first(program: Program, cloud: Cloud) -> None:
    program.apply(having(PROBE, fleets__worker__count=4))
    stopped = cloud.ids("probe")[1:3]
    cloud.ec2.stop_instances(InstanceIds=stopped)
    program.apply(PROBE)
    assert not set(stopped) & set(cloud.ids("probe"))


def test_a_number_that_became_free_is_given_again(program: Program, cloud: Cloud) -> None:
    spec = having(PROBE, fleets__worker__count=3, fleets__worker__name="server-{index}")
    program.apply(spec)
    (second,) = cloud.instances(*where("tag:Name", "server-2"))
    cloud.ec2.terminate_instances(InstanceIds=[second["InstanceId"]])
    assert program.apply(spec).code == 0
    assert sorted(member["Tags"]["Name"] for member in members(cloud)) == [
        "server-1",
        "server-2",
        "server-3",
    ]
    assert not program.plan(spec).changes


# --- what is left alone, and what is not


def test_what_needs_a_restart_or_a_replacement_is_done_along_with_the_rest(
    program: Program, cloud: Cloud
) -> None:
    program.apply(PROBE)
    stays, goes = cloud.ids("probe")
    goes = write_in_record(cloud, exchanged(cloud, goes), user_data="0123456789ab")
    spec = having(PROBE, fleets__worker__instance_type="t3.large", tags={"team": "other"})

    planned = program.plan(spec)
    assert {difference for difference in planned.told if difference[0] == FLEET} == {
        (FLEET, "update", "tags.team"),
        (FLEET, "update", "instance_type"),
        (FLEET, "replace", "user_data"),
        # The successor gets all that the spec says now, and the profile that this one was launched without.
        (FLEET, "replace", "tags.team"),
        (FLEET, "replace", "instance_type"),
        (FLEET, "replace", "instance_profile"),
    }
    by_field = {change["fields"][0]["path"]: change for change in planned.changes if change["instances"]}
    assert by_field["instance_type"]["instances"] == by_field["tags.team"]["instances"] == [stays]
    assert by_field["user_data"]["instances"] == [goes]
    assert not any(change["deferred"] for change in planned.changes)

    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert stays in cloud.ids("probe")
    assert goes not in cloud.ids("probe")
    assert [(member["Type"], member["Tags"]["team"]) for member in members(cloud)] == [
        ("t3.large", "other")
    ] * 2
    assert program.plan(spec).told == set()


def test_a_role_at_another_path_is_named_and_left_while_the_rest_is_done(
    program: Program, cloud: Cloud
) -> None:
    program.apply(ROLES_ONLY)
    spec = having(
        ROLES_ONLY, roles__worker={"path": "batch/", "description": "Works"}, tags={"team": "other"}
    )
    assert {path for at, _, path in program.plan(spec).told if at == ROLE} == {
        "path",
        "description",
        "tags.team",
    }
    applied = program.apply(spec)
    assert applied.code == 1
    assert applied.became("deferred") == [ROLE]
    assert applied.became("failed") == applied.became("skipped") == []
    assert cloud.roles() == ["probe-worker"]
    role = cloud.iam.get_role(RoleName="probe-worker")["Role"]
    assert (role["Path"], role["Description"]) == ("/provisioner/probe/", "Works")
    assert {"Key": "team", "Value": "other"} in role["Tags"]
    # And nothing else is left to be done.
    assert program.plan(spec).told == {(ROLE, "replace", "path")}


# --- launches


@pytest.mark.parametrize("count", [2, 3], ids=["as large as before", "larger than before"])
def test_a_fleet_without_a_profile_can_come_back_after_its_instances_are_forgotten(
    count: int, program: Program, cloud: Cloud
) -> None:
    """Its launch then has the token of the launch before, which EC2 remembers longer than the instances."""
    spec = called(lacking(PROBE, "roles", "instance_profiles", "fleets.worker.instance_profile"), "again")
    program.apply(spec)
    program.destroy(spec)
    cloud.wait(4000)
    assert not cloud.instances()
    again = having(spec, fleets__worker__count=count)
    applied = program.apply(again)
    assert applied.code == 0, applied.said
    assert len(cloud.ids("again")) == count


def test_members_lost_and_forgotten_can_be_launched_again_with_other_settings(
    program: Program, cloud: Cloud
) -> None:
    program.apply(PROBE)
    cloud.ec2.terminate_instances(InstanceIds=cloud.ids("probe"))
    cloud.wait(4000)
    spec = having(PROBE, fleets__worker__user_data="#!/bin/bash\n")
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert len(cloud.ids("probe")) == 2
