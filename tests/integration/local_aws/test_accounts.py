"""More accounts than one: whose call it is, the keys that sign it tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

import local_aws
from local_aws import Faults, LocalAws
from tests.integration.local_aws.helpers import AL2023, TRUST, launch_one, make_role, refused, seen
from tests.support.iam_cases import allow, document

FIRST, OTHER = "123456789012", "111122223333"


def client(local: LocalAws, service: str, keys: Mapping[str, Any]) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        endpoint_url=local.endpoint_url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key="any",
        aws_session_token=keys.get("SessionToken"),
    )


def root(local: LocalAws, service: str, account: str = OTHER) -> Any:
    """A client of an account's root user."""
    return client(local, service, {"AccessKeyId": account})


def test_a_key_of_twelve_digits_is_of_that_account(local: LocalAws, ec2: Any, iam: Any) -> None:
    assert root(local, "sts").get_caller_identity()["Account"] == OTHER
    theirs = root(local, "ec2")
    image = root(local, "ssm").get_parameter(Name=AL2023)["Parameter"]["Value"]
    launched = launch_one(theirs, image)
    assert [instance["InstanceId"] for instance in seen(theirs)] == [launched]
    assert seen(ec2) == []
    assert make_role(root(local, "iam"))["Arn"] == f"arn:aws:iam::{OTHER}:role/worker"
    assert make_role(iam)["Arn"] == f"arn:aws:iam::{FIRST}:role/worker"
    assert {record.account for record in local_aws.calls(local)} == {FIRST, OTHER}


def test_whoever_assumes_a_role_is_in_its_account(local: LocalAws) -> None:
    make_role(root(local, "iam"), "deployer")
    arn = f"arn:aws:iam::{OTHER}:role/deployer"
    keys = root(local, "sts", FIRST).assume_role(RoleArn=arn, RoleSessionName="ci")["Credentials"]
    identity = client(local, "sts", keys).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/deployer/ci"
    make_role(client(local, "iam", keys), "worker")
    assert {role["RoleName"] for role in root(local, "iam").list_roles()["Roles"]} == {"deployer", "worker"}


def test_keys_made_in_an_account_are_of_it(local: LocalAws) -> None:
    iam = root(local, "iam")
    iam.create_user(UserName="ci")
    keys = iam.create_access_key(UserName="ci")["AccessKey"]
    assert client(local, "sts", keys).get_caller_identity()["Arn"] == f"arn:aws:iam::{OTHER}:user/ci"


@pytest.mark.correction("iam-key-inactive")
def test_with_a_key_that_is_not_active_any_more_nothing_is_let_in(local: LocalAws) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html"""
    iam = root(local, "iam")
    iam.create_user(UserName="ci")
    keys = iam.create_access_key(UserName="ci")["AccessKey"]
    key = {"UserName": "ci", "AccessKeyId": keys["AccessKeyId"]}

    def is_refused() -> None:
        with refused("InvalidClientTokenId"):
            client(local, "sts", keys).get_caller_identity()
        with refused("AuthFailure"):
            client(local, "ec2", keys).describe_instances()
        with refused("UnrecognizedClientException"):
            client(local, "ssm", keys).get_parameter(Name=AL2023)

    iam.update_access_key(**key, Status="Inactive")
    is_refused()
    iam.update_access_key(**key, Status="Active")
    assert client(local, "sts", keys).get_caller_identity()["Arn"] == f"arn:aws:iam::{OTHER}:user/ci"
    iam.delete_access_key(**key)
    is_refused()


@pytest.mark.parametrize(("given", "is_let_in"), [("shop", True), ("other", False), (None, False)])
def test_a_role_of_another_account_asks_for_its_external_id(
    local: LocalAws, iam: Any, given: str | None, is_let_in: bool
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html"""
    trust = json.loads(TRUST)
    trust["Statement"][0] |= {
        "Principal": {"AWS": f"arn:aws:iam::{FIRST}:root"},
        "Condition": {"StringEquals": {"sts:ExternalId": "shop"}},
    }
    root(local, "iam").create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_user(UserName="ci")
    keys = iam.create_access_key(UserName="ci")["AccessKey"]
    rights = json.dumps(document([allow("sts:AssumeRole")]))
    iam.put_user_policy(UserName="ci", PolicyName="rights", PolicyDocument=rights)
    local_aws.set_faults(local, Faults(enforce_iam=True))
    asked = {"RoleArn": f"arn:aws:iam::{OTHER}:role/deployer", "RoleSessionName": "ci"}
    asked |= {"ExternalId": given} if given else {}
    sts = client(local, "sts", keys)
    if is_let_in:
        assert sts.assume_role(**asked)["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{OTHER}:")
    else:
        with refused("AccessDenied"):
            sts.assume_role(**asked)


def test_a_reset_empties_all_accounts(local: LocalAws) -> None:
    make_role(root(local, "iam"))
    local_aws.control(local, "reset", {})
    assert root(local, "iam").list_roles()["Roles"] == []
