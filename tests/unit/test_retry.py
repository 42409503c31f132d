"""What is sent again, and what is not."""

from __future__ import annotations

import pytest

from provisioner.aws.rate_limit import EC2
from provisioner.errors import AwsError
from provisioner.kinds import CALL_RULES
from provisioner.model import Replan

INVALID = "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"


def error(operation: str, code: str, text: str = "", status: int = 400) -> AwsError:
    return AwsError("ec2", operation, code, text, status)


PRINCIPAL = 'Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:role/provisioner/env'

AGAIN = [
    (error("RunInstances", "RequestLimitExceeded", status=503), "throttled"),
    (error("CreateRole", "Throttling", "Rate exceeded"), "throttled"),
    (error("RunInstances", "InternalError", status=500), "server fault"),
    (error("DescribeInstances", "Whatever", status=502), "server fault"),
    (error("CreateRole", "NetworkError", status=0), "network"),
    (error("CreateTags", "ConcurrentTagAccess"), "busy"),
    (
        error("RunInstances", "InvalidParameterValue", INVALID),
        "instance profile not known to EC2 yet",
    ),
    (
        error("AssociateIamInstanceProfile", "InvalidParameterValue", "web has no associated IAM Roles"),
        "instance profile not known to EC2 yet",
    ),
    (
        error("AssociateIamInstanceProfile", "IncorrectState", "Code=InstanceIdentityProfileNotFound"),
        "instance profile not known to EC2 yet",
    ),
    (
        error("AttachRolePolicy", "NoSuchEntity", "The role with name env-web cannot be found."),
        "made just now, not visible yet",
    ),
    (
        error("UpdateAssumeRolePolicy", "MalformedPolicyDocument", f'{PRINCIPAL}/env-web"'),
        "principal made just now",
    ),
    (
        error("UpdateAssumeRolePolicy", "MalformedPolicyDocument", f'{PRINCIPAL}/env-made-by-another-run"'),
        "principal made just now",
    ),
    (error("DeleteRole", "DeleteConflict"), "still in use"),
]


def test_a_new_profile_is_asked_for_as_often_as_the_bucket_of_launches_refills() -> None:
    rule = CALL_RULES.retry_rule_for(error("RunInstances", "InvalidParameterValue", INVALID))
    assert rule is not None
    assert rule.pause_s == 1 / EC2["RunInstances"].per_second


NOT_AGAIN = [
    error("RunInstances", "InsufficientInstanceCapacity", status=500),
    error("RunInstances", "Unsupported"),
    error("RunInstances", "VcpuLimitExceeded"),
    error("RunInstances", "InvalidParameterValue", "Value for imageId is invalid"),
    error("RunInstances", "IdempotentParameterMismatch"),
    error("CreateRole", "LimitExceeded", status=409),
    error("CreateRole", "EntityAlreadyExists"),
    error("CreateRole", "AccessDenied", status=403),
    error("AttachRolePolicy", "NoSuchEntity", "The role with name env-webapp cannot be found."),
    error("AttachRolePolicy", "NoSuchEntity", "The role with name my-env-web cannot be found."),
    error("AttachRolePolicy", "NoSuchEntity", "Policy arn:aws:iam::aws:policy/x does not exist"),
    error("DescribeInstances", "InvalidParameterValue", INVALID),
    error("RemoveRoleFromInstanceProfile", "DeleteConflict"),
    error("CreateRole", "MalformedPolicyDocument", "Syntax errors in policy."),
    error(
        "CreateRole", "MalformedPolicyDocument", f'{PRINCIPAL.replace("provisioner/env", "team")}/env-wbe"'
    ),
]


@pytest.mark.parametrize(("answer", "name"), AGAIN, ids=lambda value: str(value)[:60])
def test_what_is_sent_again(answer: AwsError, name: str) -> None:
    rule = CALL_RULES.retry_rule_for(answer, {"env-web"})
    assert rule is not None
    assert rule.name == name
    assert 0 < rule.seconds <= 120


@pytest.mark.parametrize("answer", NOT_AGAIN, ids=str)
def test_what_is_not(answer: AwsError) -> None:
    assert CALL_RULES.retry_rule_for(answer, {"env-web"}) is None


def test_what_was_not_made_by_this_run_is_not_waited_for() -> None:
    assert (
        CALL_RULES.retry_rule_for(
            error("AttachRolePolicy", "NoSuchEntity", "The role with name env-web cannot be found.")
        )
        is None
    )


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (error("CreateRole", "EntityAlreadyExists"), Replan.SOON),
        (error("ReplaceIamInstanceProfileAssociation", "IncorrectState"), Replan.SOON),
        (error("RunInstances", "IdempotentParameterMismatch"), Replan.PATIENTLY),
        (error("RunInstances", "InvalidParameterValue", INVALID), Replan.PATIENTLY),
        (error("AddRoleToInstanceProfile", "LimitExceeded", "Cannot exceed quota"), Replan.SOON),
        (error("CreateRole", "LimitExceeded", "Cannot exceed quota"), Replan.NO),
        (error("CreateRole", "AccessDenied"), Replan.NO),
        (error("RunInstances", "InsufficientInstanceCapacity"), Replan.NO),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_planning_again_may_put_right(answer: AwsError, wanted: Replan) -> None:
    assert CALL_RULES.replan_after(answer) is wanted


def test_a_principal_that_is_not_there_is_told_with_what_to_do() -> None:
    for operation in ("CreateRole", "UpdateAssumeRolePolicy"):
        hint = CALL_RULES.hints[operation, "MalformedPolicyDocument"]
        assert "or make the principal first" in hint(PRINCIPAL)
        assert hint("Syntax errors in policy.") == "correct `trust:` of the role"
