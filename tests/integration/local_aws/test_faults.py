"""What can be switched on: each fault alone, on the wire as a client sees it."""

from __future__ import annotations

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, HTTPClientError

from local_aws import (
    Capacity,
    Faults,
    LocalAws,
    Quota,
    Rule,
    Switches,
    advance,
    calls,
    clear_calls,
    control,
    count_calls,
    delay,
    denied,
    drop_reply,
    drop_request,
    error,
    get_faults,
    set_faults,
    unavailable,
)
from local_aws.errors import LocalAwsError
from local_aws.gate import Gate
from tests.integration.local_aws.helpers import (
    POLICY,
    ids,
    launch,
    launch_one,
    make_profile,
    make_role,
    one,
    refused,
    seen,
    state,
    where,
)


def test_everything_is_off_by_default(local: LocalAws) -> None:
    assert get_faults(local) == Faults()
    assert Faults() == Switches().faults()


def test_single_faults_by_hand_are_written_as_text() -> None:
    written = Switches(
        capacity="t3.micro:us-east-1a=3, *=100, t3.micro:us-east-1a:spot=2, t3.small:on-demand=0",
        kms_alias="alias/disks, alias/logs",
        deny="RunInstances,iam:Create*",
        fault="drop-reply:RunInstances#2,500:iam:*@0.1,503:ec2:StopInstances,drop-request:*@0.5",
    )
    assert written.faults() == Faults(
        capacity=(
            Capacity(3, "t3.micro", "us-east-1a"),
            Capacity(100),
            Capacity(2, "t3.micro", "us-east-1a", "spot"),
            Capacity(0, "t3.small", market="on-demand"),
        ),
        kms_aliases=("alias/disks", "alias/logs"),
        rules=(
            denied("RunInstances"),
            denied("iam:Create*"),
            drop_reply("RunInstances", nth=2),
            error("iam:*", share=0.1),
            unavailable("ec2:StopInstances"),
            drop_request("*", share=0.5),
        ),
    )
    for wrong in (Switches(capacity="t3.micro"), Switches(fault="explode:RunInstances")):
        with pytest.raises(LocalAwsError) as unreadable:
            wrong.faults()
        assert unreadable.value.hint


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"latency_ms": -1.0}, "--latency-ms -1.0: has to be a number that is not below 0"),
        ({"lag_s": math.inf}, "--lag-s inf: has to be a number"),
        ({"boot_s": math.nan}, "--boot-s nan: has to be a number"),
        ({"iam_page": -1}, "--iam-page -1: has to be a number"),
        ({"error_share": 3.0}, "--error-share 3.0: a share is between 0 and 1"),
        ({"impaired_share": -0.1}, "--impaired-share -0.1: a share is between 0 and 1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_value_that_there_cannot_be_is_refused(wrong: dict[str, Any], why: str) -> None:
    for switches in (Switches, Faults):
        with pytest.raises(LocalAwsError, match=why):
            switches(**wrong)


def test_of_faults_that_are_refused_none_is_set(local: LocalAws) -> None:
    set_faults(local, Faults(seed=7))
    written = json.loads(Faults(lag_s=5).to_json())
    rule = json.loads(Faults(rules=(delay("*", 1),)).to_json())["rules"][0]
    for wrong in ({"error_share": 3}, {"latency_ms": -1}, {"rules": [{**rule, "seconds": -1}]}):
        with pytest.raises(LocalAwsError):
            control(local, "faults", {**written, **wrong})
        assert get_faults(local) == Faults(seed=7)


def test_faults_travel_whole(local: LocalAws) -> None:
    faults = Faults(
        latency_ms=1,
        capacity=(Capacity(3, "t3.micro"),),
        quotas=(Quota(8, "spot", ("g", "vt")),),
        rules=(error("RunInstances", nth=(1, 3)),),
    )
    set_faults(local, faults)
    assert get_faults(local) == faults


def test_latency_is_added_to_every_call_and_calls_do_not_wait_for_each_other(
    local: LocalAws, ec2: Any
) -> None:
    ec2.describe_regions()
    set_faults(local, Faults(latency_ms=300))
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ec2.describe_regions(), range(8)))
    assert 0.3 <= time.monotonic() - began < 2.0


def test_the_nth_call_of_an_operation_fails(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(rules=(error("RunInstances", nth=2), unavailable("ec2:DescribeRegions", nth=1))))
    launch(ec2, image)
    with refused("InternalError") as no:
        launch(ec2, image)
    assert no.status == 500
    launch(ec2, image)
    with refused("Unavailable") as no:
        ec2.describe_regions()
    assert no.status == 503


def test_a_fault_for_one_call(local: LocalAws, iam: Any) -> None:
    set_faults(local, Faults(rules=(error("iam:*", "ServiceFailure", times=1),)))
    with refused("ServiceFailure"):
        iam.list_roles()
    iam.list_roles()


def test_a_share_of_calls_is_decided_by_the_seed() -> None:
    def hits(seed: int) -> list[bool]:
        gate = Gate()
        gate.set(Faults(drop_reply_share=0.1, seed=seed))
        return [gate.judge("ec2", "RunInstances").drop_reply for _ in range(1000)]

    assert hits(1) == hits(1) != hits(2)
    assert 60 < sum(hits(1)) < 140


def test_a_connection_that_drops_before_the_call_is_executed(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(rules=(drop_request("RunInstances", times=1),)))
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        launch(ec2, image)
    assert seen(ec2) == []


def test_a_call_that_is_executed_and_whose_reply_is_lost(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(rules=(drop_reply("RunInstances", times=1),)))
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        launch(ec2, image, ClientToken="a")
    (lost,) = seen(ec2)
    assert ids(launch(ec2, image, ClientToken="a")) == [lost["InstanceId"]]


def test_a_client_that_retries_gets_over_dropped_connections(local: LocalAws, image: str) -> None:
    patient = boto3.client(
        "ec2",
        region_name="us-east-1",
        endpoint_url=local.endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 3, "mode": "standard"}),
    )
    set_faults(local, Faults(rules=(drop_reply("RunInstances", nth=1), error("RunInstances", nth=2))))
    launch(patient, image, 2)
    assert len(seen(patient)) == 2
    assert count_calls(local)["ec2:RunInstances"] == 3


def test_permission_is_refused_in_the_services_own_words(
    local: LocalAws, ec2: Any, iam: Any, image: str
) -> None:
    set_faults(local, Faults(rules=(denied("RunInstances"), denied("iam:CreateRole"))))
    with refused("UnauthorizedOperation") as no:
        launch(ec2, image, DryRun=True)
    assert no.status == 403
    with refused("AccessDenied") as no:
        make_role(iam)
    assert no.status == 403
    iam.list_roles()


def test_a_delay_for_one_operation(local: LocalAws, ec2: Any) -> None:
    set_faults(local, Faults(rules=(delay("DescribeRegions", 0.3, nth=1),)))
    began = time.monotonic()
    ec2.describe_regions()
    assert time.monotonic() - began >= 0.3


def test_errors_by_share_are_500_and_503(local: LocalAws, ec2: Any) -> None:
    set_faults(local, Faults(error_share=1.0))
    with pytest.raises(ec2.exceptions.ClientError) as raised:
        ec2.describe_regions()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 503)


def test_run_instances_has_five_requests_and_two_a_second(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(throttle=True))
    for _ in range(5):
        launch(ec2, image)
    with refused("RequestLimitExceeded") as no:
        launch(ec2, image)
    assert no.status == 503
    ec2.describe_regions()
    advance(local, 1)
    launch(ec2, image)


@pytest.mark.long
def test_launches_spend_a_thousand_instances_and_two_a_second(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(throttle=True))
    for token in ("a", "b"):
        launch(ec2, image, 450, ClientToken=token)
    launch(ec2, image, 450, ClientToken="b")
    with refused("RequestLimitExceeded"):
        launch(ec2, image, 200)
    launch(ec2, image, 100)
    advance(local, 10)
    launch(ec2, image, 20)


def test_describing_all_without_pages_is_dearer(local: LocalAws, ec2: Any) -> None:
    set_faults(local, Faults(throttle=True))

    def answered(**request: Any) -> int:
        for number in range(200):
            try:
                ec2.describe_instances(**request)
            except ec2.exceptions.ClientError:
                return number
        return 200

    began = time.monotonic()
    dear, cheap = answered(), answered(MaxResults=5)
    refilled = 20 * (time.monotonic() - began)
    assert 50 <= dear <= 50 + refilled
    assert 100 <= cheap <= 100 + refilled


def test_iam_throttles_with_status_400(local: LocalAws, iam: Any) -> None:
    set_faults(local, Faults(throttle=True))
    with refused("Throttling") as no:
        for _ in range(200):
            iam.list_roles()
    assert (no.message, no.status) == ("Rate exceeded", 400)


def test_what_was_written_shows_after_the_lag(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(lag_s=10))
    instance = launch_one(ec2, image)
    assert seen(ec2) == []
    with refused("InvalidInstanceID.NotFound"):
        ec2.describe_instances(InstanceIds=[instance])
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "1"}])
    advance(local, 11)
    assert one(ec2, instance)["Tags"] == [{"Key": "a", "Value": "1"}]
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "a", "Value": "2"}])
    advance(local, 5)
    ec2.terminate_instances(InstanceIds=[instance])
    assert ids(seen(ec2, Filters=where("tag:a", "1"))) == [instance]
    advance(local, 6)
    assert one(ec2, instance)["Tags"] == [{"Key": "a", "Value": "2"}]
    assert state(ec2, instance) == "running"
    advance(local, 6)
    assert state(ec2, instance) == "terminated"


def test_associations_lag_like_instances(local: LocalAws, ec2: Any, iam: Any, image: str) -> None:
    make_profile(iam)
    instance = launch_one(ec2, image)
    advance(local, 11)
    set_faults(local, Faults(lag_s=10))
    ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": "worker"})
    assert "IamInstanceProfile" not in one(ec2, instance)
    assert ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"] == []
    advance(local, 11)
    assert "IamInstanceProfile" in one(ec2, instance)
    assert len(ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]) == 1


def test_groups_and_their_rules_lag(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(lag_s=10))
    group = ec2.create_security_group(GroupName="web", Description="new")["GroupId"]
    instance = launch_one(ec2, image)
    tcp = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    named = where("group-id", group)
    for refuse in (
        lambda: ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp]),
        lambda: ec2.create_tags(Resources=[group], Tags=[{"Key": "a", "Value": "1"}]),
        lambda: ec2.describe_security_groups(GroupIds=[group]),
        lambda: ec2.modify_instance_attribute(InstanceId=instance, Groups=[group]),
        lambda: launch(ec2, image, SecurityGroupIds=[group]),
    ):
        with refused("InvalidGroup.NotFound"):
            refuse()
    with refused("InvalidGroup.Duplicate"):
        ec2.create_security_group(GroupName="web", Description="again")
    assert ec2.describe_security_groups(Filters=named)["SecurityGroups"] == []
    advance(local, 11)
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp])["SecurityGroupRules"]
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"] == []
    with refused("InvalidPermission.Duplicate"):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp])
    advance(local, 11)
    rules = ec2.describe_security_group_rules(Filters=named)["SecurityGroupRules"]
    assert made[0]["SecurityGroupRuleId"] in {rule["SecurityGroupRuleId"] for rule in rules}
    ec2.delete_security_group(GroupId=group)
    assert len(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]) == 1
    advance(local, 11)
    assert ec2.describe_security_groups(Filters=named)["SecurityGroups"] == []


def test_key_pairs_lag(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(lag_s=10))
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILg7TAGkmtokT2dHVKZXke5Od3s7kBUSQD0GSAsPC1BP"
    made = ec2.import_key_pair(KeyName="admin", PublicKeyMaterial=key.encode())["KeyPairId"]
    with refused("InvalidKeyPair.Duplicate"):
        ec2.import_key_pair(KeyName="admin", PublicKeyMaterial=key.encode())
    with refused("InvalidKeyPair.NotFound"):
        launch(ec2, image, KeyName="admin")
    with refused("InvalidKeyPair.NotFound"):
        ec2.create_tags(Resources=[made], Tags=[{"Key": "a", "Value": "1"}])
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    advance(local, 11)
    launch(ec2, image, KeyName="admin")
    ec2.delete_key_pair(KeyPairId=made)
    assert [found["KeyPairId"] for found in ec2.describe_key_pairs()["KeyPairs"]] == [made]
    advance(local, 11)
    assert ec2.describe_key_pairs()["KeyPairs"] == []


def test_iam_lags_by_itself(local: LocalAws, iam: Any) -> None:
    make_role(iam, "old")
    advance(local, 20)
    set_faults(local, Faults(iam_lag_s=10))
    make_profile(iam, "new")
    iam.put_role_policy(RoleName="old", PolicyName="p", PolicyDocument=POLICY)
    with refused("EntityAlreadyExists"):
        make_role(iam, "new")
    with refused("NoSuchEntity"):
        iam.get_role(RoleName="new")
    assert {role["RoleName"] for role in iam.list_roles()["Roles"]} == {"old"}
    assert iam.list_role_policies(RoleName="old")["PolicyNames"] == []
    advance(local, 11)
    assert {role["RoleName"] for role in iam.list_roles()["Roles"]} == {"new", "old"}
    assert iam.get_instance_profile(InstanceProfileName="new")["InstanceProfile"]["Roles"]
    assert iam.list_role_policies(RoleName="old")["PolicyNames"] == ["p"]


def test_pages_of_iam_may_be_shorter_than_asked_for(local: LocalAws, iam: Any) -> None:
    make_profile(iam, "one")
    iam.create_instance_profile(InstanceProfileName="two")
    iam.add_role_to_instance_profile(InstanceProfileName="two", RoleName="one")
    set_faults(local, Faults(iam_page=1))
    first = iam.list_instance_profiles_for_role(RoleName="one", MaxItems=1000)
    assert (len(first["InstanceProfiles"]), first["IsTruncated"]) == (1, True)
    second = iam.list_instance_profiles_for_role(RoleName="one", MaxItems=1000, Marker=first["Marker"])
    assert (len(second["InstanceProfiles"]), second["IsTruncated"]) == (1, False)


def test_ec2_learns_of_a_new_profile_and_of_its_role_after_a_while(
    local: LocalAws, ec2: Any, iam: Any, image: str
) -> None:
    set_faults(local, Faults(propagation_s=10))
    iam.create_instance_profile(InstanceProfileName="worker")
    make_role(iam)
    advance(local, 5)
    iam.add_role_to_instance_profile(InstanceProfileName="worker", RoleName="worker")
    with refused("InvalidParameterValue") as no:
        launch(ec2, image, IamInstanceProfile={"Name": "worker"})
    assert "Invalid IAM Instance Profile name" in no.message
    advance(local, 6)
    with refused("InvalidParameterValue") as no:
        launch(ec2, image, IamInstanceProfile={"Name": "worker"})
    assert "has no associated IAM Roles" in no.message
    advance(local, 6)
    launch(ec2, image, IamInstanceProfile={"Name": "worker"})


def test_a_share_of_new_instances_never_runs(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(boot_s=5, boot_failure_share=0.5))
    launch(ec2, image, 40)
    assert {item["State"]["Name"] for item in seen(ec2)} == {"pending"}
    advance(local, 6)
    dead = [item for item in seen(ec2) if item["State"]["Name"] == "terminated"]
    assert 8 < len(dead) < 32
    assert {item["StateReason"]["Code"] for item in dead} == {"Server.InternalError"}
    assert len(seen(ec2, Filters=where("instance-state-name", "running"))) == 40 - len(dead)


def test_calls_are_recorded(local: LocalAws, ec2: Any, iam: Any, image: str) -> None:
    set_faults(local, Faults(rules=(drop_reply("CreateTags"), error("StopInstances"))))
    clear_calls(local)
    instance = launch_one(ec2, image, ClientToken="a")
    launch_one(ec2, image, ClientToken="a")
    iam.list_roles()
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        ec2.create_tags(Resources=[instance], Tags=[])
    with refused("InternalError"):
        ec2.stop_instances(InstanceIds=[instance])
    records = calls(local)
    assert [item.number for item in records] == [1, 2, 3, 4, 5]
    assert [item.operation for item in records[:3]] == ["RunInstances", "RunInstances", "ListRoles"]
    assert records[0].digest == records[1].digest != records[2].digest
    assert (records[0].service, records[0].region, records[0].status) == ("ec2", "us-east-1", 200)
    assert records[0].duration_ms > 0
    assert (records[3].status, records[3].error) == (0, "drop_reply")
    assert (records[4].status, records[4].error) == (500, "InternalError")
    assert len(calls(local, "RunInstances")) == 2
    assert count_calls(local) == {
        "ec2:RunInstances": 2,
        "iam:ListRoles": 1,
        "ec2:CreateTags": 1,
        "ec2:StopInstances": 1,
    }


def test_what_is_not_supported_is_said_so(ec2: Any, iam: Any) -> None:
    with refused("NotImplemented") as no:
        iam.generate_organizations_access_report(EntityPath="o-a1b2c3d4e5/r-f6g7h8i9j0example")
    assert no.status == 501


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("ec2", "UnauthorizedOperation", 403),
        ("iam", "AccessDenied", 403),
        ("sts", "AccessDenied", 403),
        ("ssm", "AccessDeniedException", 400),
        ("pricing", "AccessDeniedException", 400),
        ("servicequotas", "AccessDeniedException", 400),
        ("tagging", "AccessDeniedException", 400),
    ],
)
def test_each_service_refuses_with_its_own_code(service: str, code: str, status: int) -> None:
    gate = Gate()
    gate.set(Faults(rules=(denied("*"),)))
    refused_with = gate.judge(service, "GetSomething").error
    assert refused_with
    assert (refused_with[0], refused_with[2]) == (code, status)


def test_mistakes_in_faults_are_told(local: LocalAws) -> None:
    with pytest.raises(LocalAwsError):
        Faults.from_json('{"colour": 1}')
    with pytest.raises(LocalAwsError):
        Rule("error", share=2)
