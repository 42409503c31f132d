"""Decisions of IAM: policies and requests with what comes of them, for two engines to agree upon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"
ROLE = "arn:aws:iam::123456789012:role/provisioner/a/a-worker"
OWN_TAG = "aws:ResourceTag/provisioner:environment"


@dataclass(frozen=True)
class Case:
    """`statements` of one identity policy; `boundary`: those of a permissions boundary."""

    title: str
    statements: tuple[Mapping[str, Any], ...]
    is_allowed: bool
    action: str = "ec2:TerminateInstances"
    resource: str = INSTANCE
    context: Mapping[str, Any] = field(default_factory=dict)
    boundary: tuple[Mapping[str, Any], ...] | None = None


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> Mapping[str, Any]:
    """A statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*", **more: Any) -> Mapping[str, Any]:
    """A statement."""
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def _when(operator: str, key: str, value: Any) -> tuple[Mapping[str, Any], ...]:
    return (allow(Condition={operator: {key: value}}),)


def document(statements: Any) -> dict[str, Any]:
    """A policy of statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


_TAGGED = {OWN_TAG: "a"}
_KEYS = {"aws:TagKeys": ["Name", "team"]}
_TAGGING: Mapping[str, Any] = {"action": "ec2:CreateTags", "context": _KEYS}
_PASS: Mapping[str, Any] = {
    "action": "iam:PassRole",
    "resource": ROLE,
    "context": {"iam:PassedToService": "ec2.amazonaws.com"},
}
_ATTACH: Mapping[str, Any] = {
    "action": "iam:AttachRolePolicy",
    "resource": ROLE,
    "context": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"},
}

CASES: tuple[Case, ...] = (
    Case("nothing allows", (), False),
    Case("everything is allowed", (allow(),), True),
    Case("actions match whatever their case", (allow("EC2:terminateinstances"),), True),
    Case("actions match with wildcards", (allow("ec2:Term*nces"),), True),
    Case("a question mark is one character", (allow("ec2:TerminateInstance?"),), True),
    Case("another action is not allowed", (allow("ec2:StopInstances"),), False),
    Case("a list of actions", (allow(["ec2:StopInstances", "ec2:TerminateInstances"]),), True),
    Case("all but some actions", ({"Effect": "Allow", "NotAction": "ec2:Stop*", "Resource": "*"},), True),
    Case("not what NotAction names", ({"Effect": "Allow", "NotAction": "ec2:*", "Resource": "*"},), False),
    Case("the resource matches", (allow(resource=INSTANCE),), True),
    Case("the resource matches with wildcards", (allow(resource="arn:aws:ec2:*:*:instance/*"),), True),
    Case("another type of resource", (allow(resource="arn:aws:ec2:*:*:volume/*"),), False),
    Case("resources match by their case", (allow(resource=INSTANCE.replace("i-", "I-")),), False),
    Case(
        "a path is matched",
        (allow(resource="arn:aws:iam::123456789012:role/provisioner/a/*"),),
        True,
        **_PASS,
    ),
    Case(
        "a path that only begins alike",
        (allow(resource="arn:aws:iam::123456789012:role/provisioner/a"),),
        False,
        **_PASS,
    ),
    Case("a deny wins", (allow(), deny("ec2:Terminate*")), False),
    Case("a deny of something else does not", (allow(), deny("ec2:Stop*")), True),
    Case(
        "a deny under a condition that does not hold",
        (allow(), deny(Condition={"StringNotEquals": {OWN_TAG: "a"}})),
        True,
        context=_TAGGED,
    ),
    Case("a deny of what lacks a tag", (allow(), deny(Condition={"StringNotEquals": {OWN_TAG: "a"}})), False),
    Case("the boundary allows as well", (allow(),), True, boundary=(allow("ec2:*"),)),
    Case("the boundary does not allow", (allow(),), False, boundary=(allow("s3:*"),)),
    Case("a boundary alone allows nothing", (), False, boundary=(allow(),)),
    Case("the boundary denies", (allow(),), False, boundary=(allow(), deny("ec2:*"))),
    Case("a tag is as wanted", _when("StringEquals", OWN_TAG, "a"), True, context=_TAGGED),
    Case("a tag is another", _when("StringEquals", OWN_TAG, "b"), False, context=_TAGGED),
    Case("a tag is missing", _when("StringEquals", OWN_TAG, "a"), False),
    Case("one of several values", _when("StringEquals", OWN_TAG, ["b", "a"]), True, context=_TAGGED),
    Case("values are told apart by their case", _when("StringEquals", OWN_TAG, "A"), False, context=_TAGGED),
    Case("or not", _when("StringEqualsIgnoreCase", OWN_TAG, "A"), True, context=_TAGGED),
    Case("no wildcards in StringEquals", _when("StringEquals", OWN_TAG, "*"), False, context=_TAGGED),
    Case("wildcards in StringLike", _when("StringLike", OWN_TAG, "*"), True, context=_TAGGED),
    Case(
        "a key matches whatever its case", _when("StringEquals", OWN_TAG.lower(), "a"), True, context=_TAGGED
    ),
    Case("not equal to another", _when("StringNotEquals", OWN_TAG, "b"), True, context=_TAGGED),
    Case("not equal, and missing", _when("StringNotEquals", OWN_TAG, "b"), True),
    Case(
        "not equal to any of several", _when("StringNotEquals", OWN_TAG, ["b", "a"]), False, context=_TAGGED
    ),
    Case("not like", _when("StringNotLike", OWN_TAG, "a*"), False, context=_TAGGED),
    Case("if it exists, and is missing", _when("StringEqualsIfExists", OWN_TAG, "a"), True),
    Case("if it exists, and is another", _when("StringEqualsIfExists", OWN_TAG, "b"), False, context=_TAGGED),
    Case("has to be missing, and is", _when("Null", OWN_TAG, "true"), True),
    Case("has to be missing, and is not", _when("Null", OWN_TAG, "true"), False, context=_TAGGED),
    Case("has to be there, and is", _when("Null", OWN_TAG, "false"), True, context=_TAGGED),
    Case(
        "all keys are among these",
        _when("ForAllValues:StringEquals", "aws:TagKeys", ["Name", "team"]),
        True,
        **_TAGGING,
    ),
    Case(
        "not all keys are among these",
        _when("ForAllValues:StringEquals", "aws:TagKeys", ["Name"]),
        False,
        **_TAGGING,
    ),
    Case(
        "none of the keys is this",
        _when("ForAllValues:StringNotEquals", "aws:TagKeys", ["x"]),
        True,
        **_TAGGING,
    ),
    Case(
        "one of the keys is this",
        _when("ForAllValues:StringNotEquals", "aws:TagKeys", ["team"]),
        False,
        **_TAGGING,
    ),
    Case(
        "no keys are all among these",
        _when("ForAllValues:StringEquals", "aws:TagKeys", ["x"]),
        True,
        action="ec2:CreateTags",
    ),
    Case(
        "any key is among these", _when("ForAnyValue:StringEquals", "aws:TagKeys", ["Name"]), True, **_TAGGING
    ),
    Case("no key is among these", _when("ForAnyValue:StringEquals", "aws:TagKeys", ["x"]), False, **_TAGGING),
    Case(
        "no keys are none among these",
        _when("ForAnyValue:StringEquals", "aws:TagKeys", ["x"]),
        False,
        action="ec2:CreateTags",
    ),
    Case(
        "passed to the service",
        _when("StringEquals", "iam:PassedToService", "ec2.amazonaws.com"),
        True,
        **_PASS,
    ),
    Case(
        "passed to another",
        _when("StringEquals", "iam:PassedToService", "lambda.amazonaws.com"),
        False,
        **_PASS,
    ),
    Case(
        "an ARN is equal",
        _when("ArnEquals", "iam:PolicyARN", _ATTACH["context"]["iam:PolicyARN"]),
        True,
        **_ATTACH,
    ),
    Case("an ARN is like", _when("ArnLike", "iam:PolicyARN", "arn:aws:iam::aws:policy/*"), True, **_ATTACH),
    Case(
        "an ARN of another account",
        _when("ArnLike", "iam:PolicyARN", "arn:aws:iam::1*:policy/*"),
        False,
        **_ATTACH,
    ),
    Case(
        "an ARN is not like",
        _when("ArnNotLike", "iam:PolicyARN", "arn:aws:iam::aws:policy/*"),
        False,
        **_ATTACH,
    ),
    Case(
        "a flag", _when("Bool", "aws:SecureTransport", "true"), True, context={"aws:SecureTransport": "true"}
    ),
    Case(
        "a flag that is not set",
        _when("Bool", "aws:SecureTransport", "true"),
        False,
        context={"aws:SecureTransport": "false"},
    ),
    Case(
        "an address in a network",
        _when("IpAddress", "aws:SourceIp", "10.0.0.0/8"),
        True,
        context={"aws:SourceIp": "10.1.2.3"},
    ),
    Case(
        "an address in none",
        _when("IpAddress", "aws:SourceIp", "10.0.0.0/8"),
        False,
        context={"aws:SourceIp": "11.1.2.3"},
    ),
    Case(
        "an address not in it",
        _when("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"),
        True,
        context={"aws:SourceIp": "11.1.2.3"},
    ),
    Case(
        "a number below",
        _when("NumericLessThanEquals", "aws:MultiFactorAuthAge", "60"),
        True,
        context={"aws:MultiFactorAuthAge": "60"},
    ),
    Case(
        "a number above",
        _when("NumericLessThan", "aws:MultiFactorAuthAge", "60"),
        False,
        context={"aws:MultiFactorAuthAge": "60"},
    ),
    Case(
        "before a date",
        _when("DateLessThan", "aws:CurrentTime", "2030-01-01T00:00:00Z"),
        True,
        context={"aws:CurrentTime": "2029-12-31T23:59:59Z"},
    ),
    Case(
        "after a date",
        _when("DateGreaterThan", "aws:CurrentTime", "2030-01-01T00:00:00Z"),
        False,
        context={"aws:CurrentTime": "2029-12-31T23:59:59Z"},
    ),
    Case(
        "two conditions, both hold",
        (allow(Condition={"StringEquals": {OWN_TAG: "a", "aws:RequestedRegion": "us-east-1"}}),),
        True,
        context={**_TAGGED, "aws:RequestedRegion": "us-east-1"},
    ),
    Case(
        "two conditions, one does not hold",
        (allow(Condition={"StringEquals": {OWN_TAG: "a", "aws:RequestedRegion": "eu-west-1"}}),),
        False,
        context={**_TAGGED, "aws:RequestedRegion": "us-east-1"},
    ),
    Case(
        "a variable is filled in",
        _when("StringEquals", OWN_TAG, "${aws:PrincipalTag/env}"),
        True,
        context={**_TAGGED, "aws:PrincipalTag/env": "a"},
    ),
    Case(
        "a variable that has no value",
        _when("StringEquals", OWN_TAG, "${aws:PrincipalTag/env}"),
        False,
        context=_TAGGED,
    ),
    Case(
        "a variable in a resource",
        (allow(resource="arn:aws:iam::123456789012:role/provisioner/${aws:PrincipalTag/env}/*"),),
        True,
        action="iam:PassRole",
        resource=ROLE,
        context={"aws:PrincipalTag/env": "a"},
    ),
)
