"""Which statements and managed policies are marked before somebody approves them."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.iam_policy.documents import canonical
from provisioner.iam_policy.wide_rights import grants_wide_rights, is_wide_policy

ROLE = "arn:aws:iam::123456789012:role"


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **more}


WIDE: dict[str, dict[str, Any]] = {
    "all actions": allow("*"),
    "all actions on one bucket": allow("*", "arn:aws:s3:::b"),
    "all actions, among others": allow(["s3:GetObject", "*"]),
    "all actions, in another way": allow("*:*"),
    "all of IAM": allow("iam:*"),
    "all of IAM on one role": allow("iam:*", f"{ROLE}/a"),
    "all of IAM in another case": allow("IAM:*", f"{ROLE}/a"),
    "all of Organizations": allow("organizations:*", "arn:aws:organizations::123456789012:account/o/a"),
    "all of a service": allow("ec2:*"),
    "all of a service on all of its things": allow("s3:*", ["arn:aws:s3:::b", "arn:aws:s3:::*"]),
    "all of a service on all instances": allow("ec2:*", "arn:aws:ec2:*:123456789012:instance/*"),
    "any role may be passed": allow("iam:PassRole"),
    "any role of the account": allow("iam:PassRole", f"{ROLE}/*"),
    "any role of any account": allow(["s3:GetObject", "iam:passrole"], "arn:aws:iam::*:role/*"),
    "any role in another partition": allow("iam:PassRole", "arn:aws-cn:iam::123456789012:role/*"),
    "a cut ARN": allow("iam:PassRole", "arn:aws:iam::*"),
    "passing by a wildcard": allow("iam:Pass*"),
    "passing by another wildcard": allow("iam:*Role"),
    "passing by a question mark": allow("iam:PassRol?"),
    "passing to one service": allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "x"}}),
    "becoming anybody": allow("sts:AssumeRole"),
    "writing any policy": allow("iam:Put*", f"{ROLE}/*"),
    "all but some actions": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
    "all but some resources": {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::b"},
    "everybody": trust("*"),
    "everybody of AWS": trust({"AWS": "*"}),
    "everybody, among others": trust({"Service": "ec2.amazonaws.com", "AWS": ["123456789012", "*"]}),
    "everybody on a condition": trust("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
    "all but some principals": {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "NotPrincipal": {"AWS": "123456789012"},
    },
}
NARROW: dict[str, dict[str, Any]] = {
    "a deny": {"Effect": "Deny", "Action": "*", "Resource": "*"},
    "a deny of all but some": {"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"},
    "some actions": allow(["s3:GetObject", "s3:List*", "ec2:Describe*"]),
    "all of a service on one thing": allow("s3:*", "arn:aws:s3:::b"),
    "all of a service on all in one thing": allow("s3:*", "arn:aws:s3:::b/*"),
    "one role may be passed": allow("iam:PassRole", f"{ROLE}/a"),
    "some roles may be passed": allow("iam:PassRole", f"{ROLE}/team/*"),
    "reading IAM": allow(["iam:Get*", "iam:List*"]),
    "a service": trust({"Service": "ec2.amazonaws.com"}),
    "an account": trust({"AWS": "123456789012"}),
    "tagging the session": trust(
        {"Service": "ec2.amazonaws.com"}, Action=["sts:AssumeRole", "sts:TagSession"]
    ),
    "no statement": {},
}


@pytest.mark.parametrize("statement", WIDE.values(), ids=WIDE)
def test_wide(statement: dict[str, Any]) -> None:
    assert grants_wide_rights(statement)
    (normal,) = canonical({"Statement": [statement]})["Statement"]
    assert grants_wide_rights(normal)


@pytest.mark.parametrize("statement", NARROW.values(), ids=NARROW)
def test_narrow(statement: dict[str, Any]) -> None:
    assert not grants_wide_rights(statement)


@pytest.mark.parametrize("value", [None, "Allow", [], 7, {"Effect": "Allow", "Principal": None, "Action": 7}])
def test_what_is_no_statement_gives_nothing(value: Any) -> None:
    assert not grants_wide_rights(value)


@pytest.mark.parametrize(
    ("arn", "is_wide"),
    [
        ("arn:aws:iam::aws:policy/AdministratorAccess", True),
        ("arn:aws-cn:iam::aws:policy/AdministratorAccess", True),
        ("arn:aws:iam::aws:policy/AdministratorAccess-Amplify", True),
        ("arn:aws:iam::aws:policy/PowerUserAccess", True),
        ("arn:aws:iam::aws:policy/IAMFullAccess", True),
        ("arn:aws:iam::aws:policy/AmazonS3FullAccess", True),
        ("arn:aws:iam::aws:policy/AWSCodePipeline_FullAccess", True),
        ("arn:aws:iam::aws:policy/job-function/SystemAdministrator", True),
        ("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess", False),
        ("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore", False),
        ("arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM", False),
        # What somebody's own policy says, its name does not tell.
        ("arn:aws:iam::123456789012:policy/AdministratorAccess", False),
    ],
)
def test_managed_policies(arn: str, is_wide: bool) -> None:
    assert is_wide_policy(arn) is is_wide
