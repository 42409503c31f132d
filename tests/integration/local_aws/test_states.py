"""States of instances, and what is allowed in which."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import pytest

from local_aws import Faults, LocalAws, advance, set_faults
from tests.integration.local_aws.helpers import ids, launch, launch_one, one, refused, seen, state


@pytest.mark.correction("states-over-time")
def test_states_pass_one_after_the_other(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(boot_s=10, stop_s=20, terminate_s=30))
    instance = launch_one(ec2, image)
    assert state(ec2, instance) == "pending"
    advance(local, 11)
    assert state(ec2, instance) == "running"
    ec2.stop_instances(InstanceIds=[instance])
    assert state(ec2, instance) == "stopping"
    advance(local, 21)
    assert state(ec2, instance) == "stopped"
    ec2.start_instances(InstanceIds=[instance])
    assert state(ec2, instance) == "pending"
    advance(local, 11)
    ec2.terminate_instances(InstanceIds=[instance])
    assert state(ec2, instance) == "shutting-down"
    advance(local, 31)
    assert state(ec2, instance) == "terminated"


def test_by_default_states_are_final_at_once_but_answers_show_the_way(ec2: Any, image: str) -> None:
    (made,) = launch(ec2, image)
    instance = made["InstanceId"]
    assert (made["State"]["Name"], state(ec2, instance)) == ("pending", "running")
    (change,) = ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "shutting-down")
    assert state(ec2, instance) == "terminated"


@pytest.mark.correction("terminated-vanish")
def test_terminated_instances_are_shown_for_a_while(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(terminated_visible_s=100))
    instance = launch_one(ec2, image)
    ec2.terminate_instances(InstanceIds=[instance])
    advance(local, 99)
    assert state(ec2, instance) == "terminated"
    advance(local, 2)
    assert seen(ec2) == []
    with refused("InvalidInstanceID.NotFound"):
        ec2.describe_instances(InstanceIds=[instance])


@pytest.mark.correction("terminated-bare")
def test_a_terminated_instance_keeps_its_zone_and_loses_its_network(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, Placement={"AvailabilityZone": "us-east-1b"})
    ec2.terminate_instances(InstanceIds=[instance])
    found = one(ec2, instance)
    assert found["Placement"]["AvailabilityZone"] == "us-east-1b"
    assert "SubnetId" not in found
    assert "VpcId" not in found
    assert found["NetworkInterfaces"] == found["SecurityGroups"] == found["BlockDeviceMappings"] == []
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    assert ec2.describe_volumes()["Volumes"] == []


@pytest.mark.correction("no-revival")
def test_nothing_revives_a_terminated_instance(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    ec2.terminate_instances(InstanceIds=[instance])
    for call in (ec2.start_instances, ec2.reboot_instances, ec2.stop_instances):
        with refused("IncorrectInstanceState"):
            call(InstanceIds=[instance])
    ec2.terminate_instances(InstanceIds=[instance])
    assert state(ec2, instance) == "terminated"


@pytest.mark.correction("start-launch-time")
def test_starting_renews_the_launch_time_and_not_when_things_were_attached(
    local: LocalAws, ec2: Any, image: str
) -> None:
    def times() -> tuple[Any, set[Any]]:
        (shown,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
        attached = {interface["Attachment"]["AttachTime"] for interface in shown["NetworkInterfaces"]}
        return shown["LaunchTime"], attached | {
            mapping["Ebs"]["AttachTime"] for mapping in shown["BlockDeviceMappings"]
        }

    instance = launch_one(ec2, image)
    launched, attached = times()
    assert attached == {launched}
    ec2.stop_instances(InstanceIds=[instance])
    advance(local, 60)
    ec2.start_instances(InstanceIds=[instance])
    started, still = times()
    assert (started - launched).total_seconds() >= 60
    assert still == {launched}


@pytest.mark.correction("start-stopping")
def test_a_stopping_instance_does_not_start(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(stop_s=10))
    instance = launch_one(ec2, image)
    ec2.stop_instances(InstanceIds=[instance])
    with refused("IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[instance])


def test_a_termination_overtakes_a_boot(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(boot_s=10, terminate_s=20))
    instance = launch_one(ec2, image)
    ec2.terminate_instances(InstanceIds=[instance])
    advance(local, 11)
    assert state(ec2, instance) == "shutting-down"
    advance(local, 10)
    assert state(ec2, instance) == "terminated"


@pytest.mark.correction("terminate-zone-rule")
def test_a_protected_instance_saves_those_of_its_zone_only(ec2: Any, image: str) -> None:
    zone_a, zone_b = {"AvailabilityZone": "us-east-1a"}, {"AvailabilityZone": "us-east-1b"}
    free = launch_one(ec2, image, Placement=zone_a)
    guarded = launch_one(ec2, image, Placement=zone_a)
    ec2.modify_instance_attribute(InstanceId=guarded, DisableApiTermination={"Value": True})
    elsewhere = launch_one(ec2, image, Placement=zone_b)
    with refused("OperationNotPermitted") as no:
        ec2.terminate_instances(InstanceIds=[free, elsewhere, guarded])
    assert guarded in no.message
    assert [state(ec2, item) for item in (free, guarded, elsewhere)] == ["running", "running", "terminated"]


def test_one_unknown_id_and_nothing_is_terminated(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    with refused("InvalidInstanceID.NotFound"):
        ec2.terminate_instances(InstanceIds=[instance, "i-00000000000000000"])
    assert state(ec2, instance) == "running"


@pytest.mark.correction("malformed-id")
def test_a_malformed_id_is_told_from_an_unknown_one(ec2: Any) -> None:
    with refused("InvalidInstanceID.Malformed"):
        ec2.describe_instances(InstanceIds=["i-nonsense"])


@pytest.mark.correction("ids-most")
def test_a_thousand_ids_at_most(ec2: Any) -> None:
    with refused("RequestResourceCountExceeded"):
        ec2.terminate_instances(InstanceIds=[f"i-{number:017x}" for number in range(1001)])


def test_launch_time_and_reason_are_told(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    ec2.terminate_instances(InstanceIds=[instance])
    found = one(ec2, instance)
    assert found["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert found["StateTransitionReason"].startswith("User initiated (")


@pytest.mark.correction("dry-run")
@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("modify_instance_metadata_options", {"HttpTokens": "required"}),
        ("describe_instance_attribute", {"Attribute": "userData"}),
    ],
)
def test_a_dry_run_never_does_anything(ec2: Any, image: str, operation: str, more: dict[str, Any]) -> None:
    instance = launch_one(ec2, image)
    before = one(ec2, instance)
    with refused("DryRunOperation") as would:
        getattr(ec2, operation)(InstanceId=instance, **more, DryRun=True)
    assert would.status == 412
    assert one(ec2, instance) == before


def test_dry_runs_of_calls_on_instances(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    for call in (ec2.stop_instances, ec2.reboot_instances, ec2.terminate_instances, ec2.unmonitor_instances):
        with refused("DryRunOperation"):
            call(InstanceIds=[instance], DryRun=True)
    with refused("DryRunOperation"):
        ec2.create_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "b"}], DryRun=True)
    with refused("DryRunOperation"):
        ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False}, DryRun=True)
    assert ids(seen(ec2)) == [instance]
    assert one(ec2, instance)["State"]["Name"] == "running"


HOOK = "#cloud-boothook\n# shuts this instance down at the time in its tag provisioner:expires.\n"
ENDED = "2001-01-01T00:00:00Z"
SHOWN = {"InstanceMetadataTags": "enabled"}
# User data, end, metadata, and what becomes of it. The shutdown behaviour is terminate unless said otherwise.
SHUTDOWNS: dict[str, tuple[dict[str, Any], str, str]] = {
    "past": ({}, ENDED, "terminated"),
    "to come": ({}, "2999-01-01T00:00:00Z", "running"),
    "no time": ({}, "soon", "running"),
    "without the hook": ({"UserData": "#!/bin/sh\n"}, ENDED, "running"),
    "tags not in the metadata": ({"MetadataOptions": {"InstanceMetadataTags": "disabled"}}, ENDED, "running"),
    "no metadata": ({"MetadataOptions": {**SHOWN, "HttpEndpoint": "disabled"}}, ENDED, "running"),
    "packed": ({"UserData": gzip.compress(HOOK.encode())}, ENDED, "terminated"),
    "stops": ({"InstanceInitiatedShutdownBehavior": "stop"}, ENDED, "stopped"),
    "protected": ({"DisableApiTermination": True}, ENDED, "terminated"),
}


def test_an_instance_that_is_kept_does_not_end(ec2: Any, image: str) -> None:
    asked = {"UserData": HOOK, "MetadataOptions": SHOWN, "InstanceInitiatedShutdownBehavior": "terminate"}
    instance = launch_one(ec2, image, **asked)
    tags = [{"Key": "provisioner:keep", "Value": "yes"}, {"Key": "provisioner:expires", "Value": ENDED}]
    ec2.create_tags(Resources=[instance], Tags=tags)
    assert state(ec2, instance) == "running"
    ec2.delete_tags(Resources=[instance], Tags=tags[:1])
    assert state(ec2, instance) == "terminated"


def corrections(cases: Mapping[str, tuple[dict[str, Any], str, str]]) -> list[Any]:
    """The cases, of which those mark a correction that moto lets run on."""
    marks = {"running": pytest.mark.same_on_moto}
    row = pytest.mark.correction("shutdown-from-within")
    return [pytest.param(name, marks=marks.get(becomes, row)) for name, (_, _, becomes) in cases.items()]


@pytest.mark.parametrize("case", corrections(SHUTDOWNS))
def test_an_instance_with_the_boot_hook_ends_at_the_time_in_its_tag(
    local: LocalAws, ec2: Any, image: str, case: str
) -> None:
    more, end, becomes = SHUTDOWNS[case]
    asked = {"UserData": HOOK, "MetadataOptions": SHOWN, "InstanceInitiatedShutdownBehavior": "terminate"}
    instance = launch_one(ec2, image, **{**asked, **more})
    advance(local, 3600)
    assert state(ec2, instance) == "running"
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "provisioner:expires", "Value": end}])
    assert state(ec2, instance) == becomes
    if becomes != "running":
        assert one(ec2, instance)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
