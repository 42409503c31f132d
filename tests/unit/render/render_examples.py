"""Plans and outcomes to render, made as the kinds make them."""

from dataclasses import replace
from typing import Any

from provisioner.iam_policy import documents
from provisioner.model import (
    Action,
    Address,
    Call,
    Change,
    Failure,
    FieldChange,
    Note,
    Outcome,
    Parallel,
    Plan,
    Refusal,
    Result,
    UserData,
)

ROLE = Address("role", "collector")
PROFILE = Address("instance_profile", "collector")
FLEET = Address("fleet", "collector")
WEB = Address("fleet", "web")
BOX = Address("attachment", "lecture-box")

S3 = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
EC2 = "arn:aws:iam::aws:policy/AmazonEC2FullAccess"
OURS = "arn:aws:iam::123456789012:policy/team/OutageWriter"
IMAGE = "ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"

DIGEST = "9a0364b9e99bb480dd25e1f0284c8555bbab2fd8a2f5c8e0f0f6d0b4b5f3c1d7"

STORE = {
    "Sid": "Store",
    "Effect": "Allow",
    "Action": ["s3:PutObject", "s3:GetObject"],
    "Resource": "arn:aws:s3:::outages/*",
}
FIND = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::outages"}
WRITE_OUTAGES = {"Version": "2012-10-17", "Statement": [STORE, FIND]}


def _fleet_change(*arguments: Any, **more: Any) -> Change:
    made = Change(*arguments, **more)
    return replace(made, unit="instance")


def ids(number: int, start: int = 0) -> tuple[str, ...]:
    return tuple(f"i-0{index:016x}" for index in range(start, start + number))


def plan(*changes: Change, **more: object) -> Plan:
    plain = Plan("outages-dev", "us-east-1", "123456789012", changes=changes)
    return Plan(**(plain.__dict__ | more))


def new_role() -> Change:
    return Change(
        ROLE,
        Action.CREATE,
        "will be created",
        fields=(
            FieldChange("trust", None, documents.trust_for(["ec2.amazonaws.com"])),
            FieldChange("description", None, "Downloads outage files and stores them in S3"),
            FieldChange("managed_policies", None, (S3, EC2)),
            FieldChange("inline_policies.write-outages", None, WRITE_OUTAGES),
            FieldChange("max_session_duration", None, 3600),
        ),
        steps=(
            Call("iam", "CreateRole"),
            Parallel((Call("iam", "AttachRolePolicy"), Call("iam", "AttachRolePolicy"))),
            Call("iam", "PutRolePolicy"),
        ),
    )


def new_profile() -> Change:
    return Change(
        PROFILE,
        Action.CREATE,
        "will be created",
        fields=(FieldChange("role", None, "outages-dev-collector"),),
        steps=(Call("iam", "CreateInstanceProfile"), Call("iam", "AddRoleToInstanceProfile")),
    )


def new_fleet(count: int = 50) -> Change:
    third = count // 3
    return _fleet_change(
        FLEET,
        Action.CREATE,
        f"launch {count} (0 of {count} running)",
        fields=(
            FieldChange("count", 0, count),
            FieldChange("instance_type", None, ("t3.micro", "t3a.micro")),
            FieldChange("image", None, IMAGE),
            FieldChange("instance_profile", None, "outages-dev-collector"),
            FieldChange("spread", None, f"{third} each in us-east-1a, b; {count - 2 * third} in c"),
            FieldChange("user_data", None, UserData(DIGEST, "worker.sh", 19, "#!/bin/sh\nset -eu\n")),
            FieldChange("tags", None, {"team": "data", "stage": "dev"}),
            FieldChange("metadata.http_tokens", None, "required", is_default=True),
            FieldChange("monitoring", None, False, is_default=True),
        ),
        size=count,
        steps=(Parallel((Call("ec2", "RunInstances"),) * 3),),
    )


def fifty_servers() -> Plan:
    return plan(new_role(), new_profile(), new_fleet())


def drifted() -> Plan:
    edited = STORE | {"Action": ["s3:GetObject", "s3:DeleteObject"]}
    return plan(
        Change(
            ROLE,
            Action.UPDATE,
            "description, managed policies, trust differ",
            fields=(
                FieldChange("description", "by hand", "Downloads outage files and stores them in S3"),
                FieldChange(
                    "trust",
                    documents.trust_for(["ec2.amazonaws.com", "lambda.amazonaws.com"]),
                    documents.trust_for(["ec2.amazonaws.com"]),
                ),
                FieldChange("managed_policies", (EC2, OURS), (EC2, S3)),
                FieldChange("permissions_boundary", S3, None),
                FieldChange(
                    "inline_policies.write-outages",
                    documents.canonical({"Version": "2012-10-17", "Statement": edited}),
                    WRITE_OUTAGES,
                ),
                FieldChange(
                    "inline_policies.by-hand",
                    {
                        "Version": "2012-10-17",
                        "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"},
                    },
                    None,
                ),
            ),
            steps=(Call("iam", "UpdateRole"), Call("iam", "UpdateAssumeRolePolicy")),
        ),
        _fleet_change(
            FLEET,
            Action.UPDATE,
            "tags differ on 50 members",
            fields=(FieldChange("tags.team", "data", "ops"), FieldChange("tags.owner", None, "jane")),
            instances=ids(50),
            size=50,
            steps=(Call("ec2", "CreateTags"),),
            names={
                instance_id: f"web-{number:02d}"
                for number, instance_id in enumerate(ids(50), 1)
                if number != 7
            },
        ),
        _fleet_change(
            FLEET, Action.CREATE, "launch 2 (48 of 50 running)", (FieldChange("count", 48, 50),), size=2
        ),
        _fleet_change(
            WEB,
            Action.REPLACE,
            "the image differs on 3 members",
            fields=(FieldChange("image", "ami-0123456789abcdef0", "ami-0fedcba9876543210"),),
            instances=ids(3, 100),
            size=3,
            deferred="replacing members is not done yet; terminate them to have them launched anew",
        ),
        _fleet_change(
            Address("fleet", "old"),
            Action.DELETE,
            "left the spec",
            instances=ids(7, 200),
            size=7,
            steps=(Call("ec2", "TerminateInstances"),),
        ),
        notes=(Note(WEB, "2 members are stopped; they count, and are left as they are"),),
    )


def refused() -> Plan:
    return plan(
        new_role(),
        refusals=(
            Refusal(
                ROLE,
                "a role named outages-dev-collector exists under /, and is not this environment's",
                "give the role another name with `name:`, or delete the other one",
            ),
        ),
    )


def destroyed() -> Plan:
    return plan(
        _fleet_change(
            FLEET,
            Action.DELETE,
            "terminate 50",
            instances=ids(50),
            size=50,
            steps=(Call("ec2", "TerminateInstances"),),
        ),
        Change(PROFILE, Action.DELETE, "no longer wanted", steps=(Call("iam", "DeleteInstanceProfile"),)),
        Change(ROLE, Action.DELETE, "no longer wanted", steps=(Call("iam", "DeleteRole"),)),
        destroy=True,
    )


def mixed_outcomes() -> list[Outcome]:
    role, profile, fleet = fifty_servers().changes
    denied = Failure(
        "not authorized to perform: iam:PassRole on resource: outages-dev-collector",
        operation="iam AddRoleToInstanceProfile",
        code="AccessDenied",
        request_id="8a3f1c2e-52d6-4c8e-9d7e-0a1b2c3d4e5f",
        hint="allow iam:PassRole on arn:aws:iam::123456789012:role/provisioner/outages-dev/*",
    )
    return [
        Outcome(role, Result.DONE, seconds=1.24),
        Outcome(profile, Result.FAILED, seconds=0.3, failure=denied),
        Outcome(drifted().changes[2], Result.STOPPED, because="1 of 2 launched; apply again to go on"),
        Outcome(fleet, Result.SKIPPED, because="instance_profile/collector was not done"),
        Outcome(drifted().changes[3], Result.DEFERRED),
    ]
