"""With `enforce_iam` each call is authorised by the policies of the user or role whose keys sign it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pytest
from botocore.config import Config

import local_aws
from local_aws import Faults, LocalAws
from tests.integration.local_aws.helpers import TRUST, launch_one, refused
from tests.support.iam_cases import allow, deny, document

ACCOUNT = "123456789012"
EC2 = f"arn:aws:ec2:us-east-1:{ACCOUNT}"
TAGS = [{"ResourceType": "instance", "Tags": [{"Key": "env", "Value": "a"}]}]
As = Callable[..., Any]


@pytest.fixture
def enforced(local: LocalAws) -> LocalAws:
    local_aws.set_faults(local, Faults(enforce_iam=True))
    return local


def client(local: LocalAws, service: str, keys: Mapping[str, Any]) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        endpoint_url=local.endpoint_url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )


@pytest.fixture
def as_user(enforced: LocalAws, iam: Any) -> As:
    """A client of a user who may do what these statements say."""
    iam.create_user(UserName="ci")
    keys = iam.create_access_key(UserName="ci")["AccessKey"]

    def with_rights(service: str, *statements: Mapping[str, Any]) -> Any:
        rights = json.dumps(document(statements or [allow("s3:ListAllMyBuckets")]))
        iam.put_user_policy(UserName="ci", PolicyName="rights", PolicyDocument=rights)
        return client(enforced, service, keys)

    return with_rights


def test_other_keys_are_of_the_root_user(enforced: LocalAws, ec2: Any) -> None:
    assert ec2.describe_instances()["Reservations"] == []


def test_nothing_is_authorised_unless_it_is_switched_on(local: LocalAws, iam: Any) -> None:
    iam.create_user(UserName="ci")
    keys = iam.create_access_key(UserName="ci")["AccessKey"]
    assert client(local, "ec2", keys).describe_instances()["Reservations"] == []


def test_who_one_is_needs_no_permission(as_user: As) -> None:
    assert as_user("sts").get_caller_identity()["Arn"].endswith(":user/ci")


def test_ec2_says_what_is_not_allowed_and_encodes_the_rest(as_user: As, sts: Any) -> None:
    with refused("UnauthorizedOperation") as refusal:
        as_user("ec2", allow("iam:*")).describe_instances()
    assert refusal.status == 403
    words, _, encoded = refusal.message.partition(" Encoded authorization failure message: ")
    assert words == (
        "You are not authorized to perform this operation. "
        f"User: arn:aws:iam::{ACCOUNT}:user/ci is not authorized to perform: ec2:DescribeInstances "
        "because no identity-based policy allows the ec2:DescribeInstances action."
    )
    decoded = json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    assert (decoded["allowed"], decoded["explicitDeny"]) == (False, False)
    assert decoded["context"]["action"] == "ec2:DescribeInstances"


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("pricing", "get_products", {"ServiceCode": "AmazonEC2"}),
        ("service-quotas", "get_service_quota", {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}),
        ("ssm", "get_parameter", {"Name": "/x"}),
        ("resourcegroupstaggingapi", "get_resources", {}),
    ],
)
def test_services_that_talk_in_json_refuse_with_an_exception(
    as_user: As, service: str, operation: str, params: dict[str, Any]
) -> None:
    with refused("AccessDeniedException") as refusal:
        getattr(as_user(service, allow("iam:*")), operation)(**params)
    assert refusal.status == 400


def test_iam_says_what_is_not_allowed(as_user: As) -> None:
    with refused("AccessDenied") as refusal:
        as_user("iam", allow(), deny("iam:CreateRole")).create_role(
            RoleName="r", Path="/p/", AssumeRolePolicyDocument=TRUST
        )
    assert refusal.status == 403
    assert refusal.message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/ci is not authorized to perform: iam:CreateRole on resource: "
        f"arn:aws:iam::{ACCOUNT}:role/p/r with an explicit deny in an identity-based policy"
    )


def test_ssm_says_what_is_not_allowed(as_user: As) -> None:
    with refused("AccessDeniedException"):
        as_user("ssm").get_parameter(Name="/aws/service/x")


def test_groups_and_managed_policies_count(as_user: As, iam: Any) -> None:
    ec2 = as_user("ec2")
    iam.create_group(GroupName="team")
    iam.add_user_to_group(GroupName="team", UserName="ci")
    policy = iam.create_policy(
        PolicyName="reads", PolicyDocument=json.dumps(document([allow("ec2:DescribeInstances")]))
    )["Policy"]["Arn"]
    iam.attach_group_policy(GroupName="team", PolicyArn=policy)
    assert ec2.describe_instances()["Reservations"] == []


@pytest.mark.parametrize("may_boundary", [True, False])
@pytest.mark.parametrize("may_session", [True, False])
def test_a_session_may_what_role_boundary_and_session_policy_allow(
    enforced: LocalAws, iam: Any, sts: Any, may_boundary: bool, may_session: bool
) -> None:
    boundary = iam.create_policy(
        PolicyName="boundary",
        PolicyDocument=json.dumps(document([allow("ec2:*" if may_boundary else "s3:*")])),
    )["Policy"]["Arn"]
    trust = document(
        [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
        ]
    )
    role = iam.create_role(
        RoleName="ci", AssumeRolePolicyDocument=json.dumps(trust), PermissionsBoundary=boundary
    )
    iam.put_role_policy(RoleName="ci", PolicyName="all", PolicyDocument=json.dumps(document([allow()])))
    keys = sts.assume_role(
        RoleArn=role["Role"]["Arn"],
        RoleSessionName="run",
        Policy=json.dumps(document([allow("ec2:*" if may_session else "s3:*")])),
    )["Credentials"]
    ec2 = client(enforced, "ec2", keys)
    if may_boundary and may_session:
        assert ec2.describe_instances()["Reservations"] == []
        return
    with refused("UnauthorizedOperation") as refusal:
        ec2.describe_instances()
    layer = "session policy" if may_boundary else "permissions boundary"
    assert ":assumed-role/ci/run is not authorized" in refusal.message
    assert f"because no {layer} allows" in refusal.message


def test_a_role_is_assumed_by_those_whom_it_trusts(as_user: As, iam: Any) -> None:
    sts = as_user("sts", allow("sts:AssumeRole"))
    arn = iam.create_role(RoleName="of-ec2", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    with refused("AccessDenied"):
        sts.assume_role(RoleArn=arn, RoleSessionName="run")


# What RunInstances is authorised on: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html
LAUNCH_ON = ("image", "instance", "key-pair", "network-interface", "security-group", "subnet", "volume")


@pytest.mark.parametrize("without", LAUNCH_ON)
def test_a_launch_is_authorised_on_each_thing_that_it_uses(
    as_user: As, ec2: Any, image: str, without: str
) -> None:
    ec2.create_key_pair(KeyName="me")
    resources = [f"arn:aws:ec2:*:*:{type_}/*" for type_ in LAUNCH_ON if type_ != without]
    launching = as_user("ec2", allow("ec2:RunInstances", resources))
    with refused("UnauthorizedOperation") as refusal:
        launch_one(launching, image, KeyName="me")
    assert f":{without}/" in refusal.message


def test_a_launch_into_a_group_of_reservations_is_authorised_on_that_group(as_user: As, image: str) -> None:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html"""
    group = f"arn:aws:resource-groups:us-east-1:{ACCOUNT}:group/reserved"
    into = {"CapacityReservationTarget": {"CapacityReservationResourceGroupArn": group}}
    everything_of_ec2 = allow("ec2:RunInstances", "arn:aws:ec2:*:*:*")
    with refused("UnauthorizedOperation") as refusal:
        launch_one(as_user("ec2", everything_of_ec2), image, CapacityReservationSpecification=into)
    assert group in refusal.message
    launching = as_user("ec2", everything_of_ec2, allow("ec2:RunInstances", group))
    assert launch_one(launching, image, CapacityReservationSpecification=into)


def test_tags_at_launch_take_the_right_to_create_tags(as_user: As, image: str) -> None:
    run = allow("ec2:RunInstances")
    with refused("UnauthorizedOperation") as refusal:
        launch_one(as_user("ec2", run), image, TagSpecifications=TAGS)
    assert "ec2:CreateTags on resource: arn:aws:ec2:us-east-1:123456789012:instance/*" in refusal.message
    when = {"StringEquals": {"ec2:CreateAction": "RunInstances", "aws:RequestTag/env": "a"}}
    ec2 = as_user("ec2", run, allow("ec2:CreateTags", Condition=when))
    instance = launch_one(ec2, image, TagSpecifications=TAGS)
    with refused("UnauthorizedOperation"):
        ec2.create_tags(Resources=[instance], Tags=[{"Key": "env", "Value": "b"}])


def test_what_is_there_is_told_by_its_tags(as_user: As, ec2: Any, image: str) -> None:
    mine = launch_one(ec2, image, TagSpecifications=TAGS)
    other = launch_one(ec2, image)
    when = {"StringEquals": {"aws:ResourceTag/env": "a"}}
    stopping = as_user("ec2", allow("ec2:StopInstances", f"{EC2}:instance/*", Condition=when))
    stopping.stop_instances(InstanceIds=[mine])
    with refused("UnauthorizedOperation"):
        stopping.stop_instances(InstanceIds=[mine, other])


def test_a_role_is_passed_to_ec2(as_user: As, iam: Any, image: str) -> None:
    iam.create_role(RoleName="worker", Path="/p/", AssumeRolePolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName="worker")
    iam.add_role_to_instance_profile(InstanceProfileName="worker", RoleName="worker")
    run = allow("ec2:RunInstances")
    with refused("UnauthorizedOperation") as refusal:
        launch_one(as_user("ec2", run), image, IamInstanceProfile={"Name": "worker"})
    assert f"iam:PassRole on resource: arn:aws:iam::{ACCOUNT}:role/p/worker" in refusal.message
    when = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    may_pass = allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/p/*", Condition=when)
    launch_one(as_user("ec2", run, may_pass), image, IamInstanceProfile={"Name": "worker"})


def test_the_first_spot_instance_makes_a_service_linked_role(as_user: As, image: str) -> None:
    market = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}
    run = allow("ec2:*")
    with refused("UnauthorizedOperation") as refusal:
        launch_one(as_user("ec2", run), image, InstanceMarketOptions=market)
    assert "iam:CreateServiceLinkedRole" in refusal.message
    when = {"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}}
    making = allow("iam:CreateServiceLinkedRole", Condition=when)
    launch_one(as_user("ec2", run, making), image, InstanceMarketOptions=market)
    launch_one(as_user("ec2", run), image, InstanceMarketOptions=market)


@pytest.mark.parametrize("boundary", [True, False])
def test_a_role_is_made_with_a_boundary(as_user: As, iam: Any, boundary: bool) -> None:
    policy = iam.create_policy(PolicyName="b", PolicyDocument=json.dumps(document([allow("s3:*")])))
    arn = policy["Policy"]["Arn"]
    when = {"StringEquals": {"iam:PermissionsBoundary": arn}}
    making = as_user("iam", allow("iam:CreateRole", Condition=when))
    role: dict[str, Any] = {"RoleName": "r", "AssumeRolePolicyDocument": TRUST}
    if boundary:
        making.create_role(**role, PermissionsBoundary=arn)
        return
    with refused("AccessDenied"):
        making.create_role(**role)


def test_a_role_with_tags_takes_the_right_to_tag_it(as_user: As) -> None:
    tags = [{"Key": "env", "Value": "a"}]
    role: dict[str, Any] = {"RoleName": "r", "AssumeRolePolicyDocument": TRUST, "Tags": tags}
    with refused("AccessDenied") as refusal:
        as_user("iam", allow("iam:CreateRole")).create_role(**role)
    assert "iam:TagRole" in refusal.message
    as_user("iam", allow(["iam:CreateRole", "iam:TagRole"])).create_role(**role)


# --- simulation


def entry(key: str, *values: str) -> dict[str, Any]:
    kind = "string" if len(values) == 1 else "stringList"
    return {"ContextKeyName": key, "ContextKeyValues": list(values), "ContextKeyType": kind}


@pytest.mark.parametrize(
    ("statements", "context", "decision", "missing"),
    [
        ([allow("iam:CreateRole")], [], "allowed", []),
        ([allow("iam:TagRole")], [], "implicitDeny", []),
        ([allow(), deny("iam:CreateRole")], [], "explicitDeny", []),
        (
            [{**allow("iam:CreateRole"), "Condition": {"StringEquals": {"aws:RequestTag/env": "a"}}}],
            [entry("aws:RequestTag/env", "a")],
            "allowed",
            [],
        ),
        (
            [{**allow("iam:CreateRole"), "Condition": {"StringEquals": {"aws:RequestTag/env": "a"}}}],
            [],
            "implicitDeny",
            ["aws:RequestTag/env"],
        ),
    ],
)
def test_a_simulation_decides_as_a_call_would_with_the_context_that_is_given(
    statements: list[Any], context: list[Any], decision: str, missing: list[str], as_user: As, iam: Any
) -> None:
    as_user("iam", *statements)
    (result,) = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/ci",
        ActionNames=["iam:CreateRole"],
        ResourceArns=[f"arn:aws:iam::{ACCOUNT}:role/p/r"],
        ContextEntries=context,
    )["EvaluationResults"]
    assert (result["EvalDecision"], result["MissingContextValues"]) == (decision, [])
    (of_role,) = result["ResourceSpecificResults"]
    assert of_role["EvalResourceName"] == f"arn:aws:iam::{ACCOUNT}:role/p/r"
    assert (of_role["EvalResourceDecision"], of_role["MissingContextValues"]) == (decision, missing)


def test_a_simulation_tells_of_each_resource_what_it_decides(as_user: As, iam: Any) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html"""
    ours, theirs = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("ours", "theirs"))
    as_user("iam", {**allow("iam:TagRole"), "Resource": ours})
    (result,) = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/ci",
        ActionNames=["iam:TagRole"],
        ResourceArns=[ours, theirs],
    )["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"
    specific = result["ResourceSpecificResults"]
    assert {one["EvalResourceName"]: one["EvalResourceDecision"] for one in specific} == {
        ours: "allowed",
        theirs: "implicitDeny",
    }


def test_a_simulation_without_resources_tells_what_is_missing_at_once(as_user: As, iam: Any) -> None:
    as_user("iam", {**allow("iam:TagRole"), "Condition": {"StringEquals": {"aws:RequestTag/env": "a"}}})
    (result,) = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/ci", ActionNames=["iam:TagRole"]
    )["EvaluationResults"]
    assert result["MissingContextValues"] == ["aws:RequestTag/env"]
    assert "ResourceSpecificResults" not in result


def test_a_simulation_says_when_the_boundary_refuses(enforced: LocalAws, iam: Any) -> None:
    boundary = json.dumps(document([allow("ec2:*")]))
    arn = iam.create_policy(PolicyName="b", PolicyDocument=boundary)["Policy"]["Arn"]
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=arn)["Role"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(document([allow("iam:*")])))
    answer = iam.simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=["iam:TagRole"])
    (result,) = answer["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_nobody_simulates_whom_there_is_not(iam: Any) -> None:
    with refused("NoSuchEntity"):
        iam.simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/none", ActionNames=["iam:TagRole"]
        )


def test_keys_that_were_not_made_here_are_the_root_users(sts: Any) -> None:
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
