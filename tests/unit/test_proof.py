"""What is concluded from the answers to being asked, whoever gives them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioner.aws.errors import answered
from provisioner.denial import Denial, decoded_words, denial_in, in_short
from provisioner.errors import AwsError
from provisioner.model import Action, Address, Call, Change, Identity, Plan
from provisioner.proof.prove import prove
from provisioner.proof.verdicts import Answer, Verdict
from provisioner.render.as_html import plan_html
from provisioner.render.as_markdown import plan_markdown
from provisioner.render.as_text import plan_text

SESSION = "arn:aws:sts::123456789012:assumed-role/deploy/ci"
ROLE = "arn:aws:iam::123456789012:role/team/deploy"
TAG = Call("iam", "TagRole", {"RoleName": "worker", "Tags": [{"Key": "team", "Value": "data"}]})
STOP = Call("ec2", "StopInstances", {"InstanceIds": ["i-0123456789abcdef0"]})


class Scripted:
    """AWS as far as a proof asks it: one caller, one decision, one answer to dry runs."""

    def __init__(self, arn: str = SESSION, code: str = "DryRunOperation", **decision: Any) -> None:
        self.arn = arn
        self.code = code
        self.decision = decision
        self.said = "in words"
        self.numbers = {"quotas of 123456789012": {"L-1216C47A": 640.0}}
        self.simulated: list[str] = []
        self.resources: list[str] = []
        self.instances: list[dict[str, Any]] = []

    def identity(self) -> Identity:
        return Identity.of_arn(self.arn)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        if operation == "GetRole":
            return {"Role": {"Arn": ROLE}}
        if operation.startswith("Describe"):
            return {"Subnets": [], "SecurityGroups": [], "Images": []}
        return {"Arn": self.arn}

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        ids = params["Filters"][0]["Values"]
        assert len(ids) <= 200
        return iter([{"Instances": [each for each in self.instances if each["InstanceId"] in ids]}])

    def kept(self, name: str) -> Mapping[str, float]:
        return self.numbers.get(name, {})

    def keep(self, name: str, numbers: Mapping[str, float]) -> None:
        raise AssertionError("a proof reads no numbers")

    def forget(self, name: str) -> None:
        self.numbers.pop(name, None)

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def parallel(self, *reads: Callable[[], Any]) -> list[Any]:
        return [read() for read in reads]

    def in_region(self, region: str) -> Scripted:
        return self

    def takes_dry_run(self, service: str, operation: str) -> bool:
        return service == "ec2" and not operation.endswith("IamInstanceProfile")

    def knows_dry_runs(self) -> bool:
        return True

    def dry_run(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        if self.code != "DryRunOperation":
            raise AwsError(service, operation, self.code, self.said, 400)

    def simulate(
        self, principal: str, actions: Sequence[str], resource: str, context: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        self.simulated.append(principal)
        self.resources.append(resource.rpartition("/")[2])
        return [{"EvalActionName": action, "EvalDecision": "allowed", **self.decision} for action in actions]

    def decode(self, encoded: str) -> Mapping[str, Any]:
        raise AwsError("sts", "DecodeAuthorizationMessage", "AccessDenied", "no", 403)


def plan(*steps: Call) -> Plan:
    change = Change(Address("role", "worker"), Action.UPDATE, "why", steps=steps)
    return Plan("env", "us-east-1", "123456789012", (change,))


def asked(aws: Scripted, call: Call) -> Verdict:
    (verdict,) = prove(plan(call), aws).verdicts
    return verdict


@pytest.mark.parametrize(
    ("decision", "answer", "layer"),
    [
        ({}, Answer.YES, None),
        ({"EvalDecision": "implicitDeny"}, Answer.NO, "identity-based policy"),
        ({"EvalDecision": "explicitDeny"}, Answer.NO, "explicit deny in identity-based policy"),
        (
            {
                "EvalDecision": "implicitDeny",
                "PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False},
            },
            Answer.NO,
            "permissions boundary",
        ),
        (
            {
                "EvalDecision": "explicitDeny",
                "OrganizationsDecisionDetail": {"AllowedByOrganizations": False},
            },
            Answer.NO,
            "explicit deny in service control policy",
        ),
        (
            {"EvalDecision": "implicitDeny", "MissingContextValues": ["aws:SourceVpc"]},
            Answer.UNPROVEN,
            None,
        ),
        # What was asked about one resource is answered with that resource.
        (
            {
                "EvalDecision": "implicitDeny",
                "ResourceSpecificResults": [{"MissingContextValues": ["aws:SourceVpc"]}],
            },
            Answer.UNPROVEN,
            None,
        ),
        (
            {
                "EvalDecision": "implicitDeny",
                "ResourceSpecificResults": [
                    {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}}
                ],
            },
            Answer.NO,
            "permissions boundary",
        ),
        # Whoever calls without MFA is denied, and nobody told the simulation of MFA.
        (
            {"EvalDecision": "explicitDeny", "MissingContextValues": ["aws:MultiFactorAuthPresent"]},
            Answer.UNPROVEN,
            None,
        ),
        # The call has no such key, which is known.
        (
            {"EvalDecision": "explicitDeny", "MissingContextValues": ["aws:RequestTag/other"]},
            Answer.NO,
            "explicit deny in identity-based policy",
        ),
        (
            {"EvalDecision": "implicitDeny", "MissingContextValues": ["aws:RequestTag/other"]},
            Answer.NO,
            "identity-based policy",
        ),
    ],
)
def test_what_a_simulation_says(decision: dict[str, Any], answer: Answer, layer: str | None) -> None:
    verdict = asked(Scripted(**decision), TAG)
    assert (verdict.answer, verdict.layer) == (answer, layer)


def test_what_is_allowed_as_far_as_is_known_says_what_is_not() -> None:
    missing = {"MissingContextValues": ["aws:SourceIp", "aws:MultiFactorAuthPresent", "aws:TagKeys"]}
    verdict = asked(Scripted(ResourceSpecificResults=[missing]), TAG)
    assert verdict.answer is Answer.YES
    assert verdict.why == (
        "allowed, unless a policy denies it for aws:MultiFactorAuthPresent, aws:SourceIp, "
        "which is not known before"
    )


@pytest.mark.parametrize(
    ("arn", "answer", "simulated"),
    [
        (SESSION, Answer.YES, [ROLE]),
        ("arn:aws:iam::123456789012:user/me", Answer.YES, ["arn:aws:iam::123456789012:user/me"]),
        ("arn:aws:iam::123456789012:root", Answer.YES, []),
        ("arn:aws:sts::123456789012:federated-user/me", Answer.UNPROVEN, []),
    ],
)
def test_whose_rights_count(arn: str, answer: Answer, simulated: list[str]) -> None:
    aws = Scripted(arn)
    assert asked(aws, TAG).answer is answer
    assert aws.simulated == simulated


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("DryRunOperation", Answer.YES),
        ("UnauthorizedOperation", Answer.NO),
        ("InvalidParameterValue", Answer.NO),
        ("VolumeModificationRateExceeded", Answer.NO),
        # Nothing comes before it that would change that.
        ("IncorrectInstanceState", Answer.UNPROVEN),
        ("OperationNotPermitted", Answer.UNPROVEN),
        ("UnsupportedOperation", Answer.UNPROVEN),
        ("InsufficientInstanceCapacity", Answer.YES),
    ],
)
def test_what_a_dry_run_says(code: str, answer: Answer) -> None:
    assert asked(Scripted(code=code), STOP).answer is answer


@pytest.mark.parametrize(
    ("before", "code", "answer"),
    [
        ("StartInstances", "IncorrectInstanceState", Answer.YES),
        ("ModifyInstanceAttribute", "OperationNotPermitted", Answer.YES),
        ("CreateTags", "OperationNotPermitted", Answer.UNPROVEN),
    ],
)
def test_what_comes_before_makes_possible_what_it_changes(before: str, code: str, answer: Answer) -> None:
    first = Call("ec2", before, {"InstanceId": "i-0123456789abcdef0"})
    *_, verdict = prove(plan(first, STOP), Scripted(code=code)).verdicts
    assert verdict.answer is answer


@pytest.mark.parametrize("code", ["VcpuLimitExceeded", "InsufficientInstanceCapacity"])
def test_a_quota_that_a_dry_run_disproves_is_believed_no_more(code: str) -> None:
    aws = Scripted(code=code)
    assert asked(aws, STOP).answer is Answer.YES
    assert ("quotas of 123456789012" in aws.numbers) == (code == "InsufficientInstanceCapacity")


def test_instances_that_rights_can_tell_apart_are_asked_about_one_by_one() -> None:
    aws = Scripted()
    profile = {"Arn": "arn:aws:iam::123456789012:instance-profile/p"}
    aws.instances = [
        {"InstanceId": id_, "IamInstanceProfile": profile, "Tags": [{"Key": key, "Value": value}]}
        for id_, key, value in (
            ("i-1", "Name", "a-1"),
            ("i-2", "Name", "a-2"),
            ("i-3", "provisioner:environment", "other"),
        )
    ]
    releases = tuple(
        Call("ec2", "DisassociateIamInstanceProfile", {"AssociationId": f"iip-{number}"})
        for number in (1, 2, 3)
    )
    change = Change(
        Address("attachment", "box"), Action.DELETE, "why", instances=("i-1", "i-2", "i-3"), steps=releases
    )
    (verdict,) = prove(Plan("env", "us-east-1", "123456789012", (change,)), aws).verdicts
    assert (verdict.answer, verdict.count) == (Answer.YES, 3)
    assert aws.resources == ["i-1", "i-3"]


@pytest.mark.parametrize(("shown", "answer"), [(450, Answer.NO), (449, Answer.UNPROVEN)])
def test_the_tags_of_all_instances_are_read_and_others_are_not_known(shown: int, answer: Answer) -> None:
    """The last of 450 has another tag, on which rights depend."""
    ids = tuple(f"i-{number}" for number in range(450))
    needed = f"aws:ResourceTag/{'provisioner:environment' if shown < 450 else 'team'}"
    aws = Scripted(EvalDecision="implicitDeny", MissingContextValues=[needed])
    aws.instances = [
        {"InstanceId": id_, "Tags": [{"Key": "provisioner:environment", "Value": "env"}]}
        for id_ in ids[:shown]
    ]
    bind = Call("ec2", "AssociateIamInstanceProfile", {"InstanceId": ids[-1]})
    change = Change(Address("attachment", "box"), Action.UPDATE, "why", instances=ids, steps=(bind,))
    proof = prove(Plan("env", "us-east-1", "123456789012", (change,)), aws)
    assert [verdict.answer for verdict in proof.verdicts] == [answer]
    assert proof.reads == 4


GROUP = "arn:aws:ec2:us-east-1:123456789012:security-group/sg-0123456789abcdef0"
NEW_INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/*"


@pytest.mark.parametrize(
    ("groups", "refused", "answer"),
    [
        # The default group of the VPC, which only EC2 knows.
        ([], f" on resource: {GROUP}", Answer.NO),
        # What lacks its profile is not what will be sent: but then nothing has been said of the group.
        ([], f" on resource: {NEW_INSTANCE}", Answer.UNPROVEN),
        ([], "", Answer.UNPROVEN),
        (["sg-0123456789abcdef0"], f" on resource: {NEW_INSTANCE}", Answer.YES),
    ],
)
def test_what_it_says_of_a_launch_when_one_without_its_new_profile_is_refused(
    groups: list[str], refused: str, answer: Answer
) -> None:
    launch = {
        "ImageId": "ami-0123456789abcdef0",
        "InstanceType": "t3.micro",
        "MaxCount": 1,
        "SubnetId": "subnet-0123456789abcdef0",
        "IamInstanceProfile": {"Name": "p"},
    }
    launch |= {"SecurityGroupIds": groups} if groups else {}
    aws = Scripted(code="UnauthorizedOperation")
    aws.said = f"User: {SESSION} is not authorized to perform: ec2:RunInstances{refused} because no ..."
    made = plan(
        Call("iam", "CreateInstanceProfile", {"InstanceProfileName": "p"}),
        Call("ec2", "RunInstances", launch),
    )
    _, verdict = prove(made, aws).verdicts
    assert (verdict.operation, verdict.answer) == ("RunInstances", answer)


@pytest.mark.parametrize(
    "target",
    [
        {"CapacityReservationId": "cr-0123456789abcdef0"},
        {"CapacityReservationResourceGroupArn": "arn:aws:resource-groups:us-east-1:1:group/reserved"},
    ],
)
def test_a_launch_that_cannot_be_tried_whole_is_asked_about_its_reservation(target: dict[str, str]) -> None:
    launch = {
        "ImageId": "ami-0123456789abcdef0",
        "InstanceType": "t3.micro",
        "MaxCount": 1,
        "IamInstanceProfile": {"Name": "p"},
        "CapacityReservationSpecification": {"CapacityReservationTarget": target},
    }
    aws = Scripted()
    create = Call("iam", "CreateInstanceProfile", {"InstanceProfileName": "p"})
    prove(plan(create, Call("ec2", "RunInstances", launch)), aws)
    (named,) = target.values()
    assert named.rpartition("/")[2] in aws.resources


@pytest.mark.parametrize(
    ("said", "denial"),
    [
        (
            "User: arn:aws:iam::1:user/a is not authorized to perform: iam:PassRole on resource: "
            "arn:aws:iam::1:role/r because no permissions boundary allows the iam:PassRole action",
            Denial("iam:PassRole", "arn:aws:iam::1:role/r", "permissions boundary"),
        ),
        (
            "You are not authorized to perform this operation. User: arn:aws:iam::1:user/a is not authorized "
            "to perform: ec2:RunInstances on resource: arn:aws:ec2:us-east-1:1:instance/* with an explicit "
            "deny in a service control policy. Encoded authorization failure message: abc",
            Denial(
                "ec2:RunInstances",
                "arn:aws:ec2:us-east-1:1:instance/*",
                "explicit deny in service control policy",
            ),
        ),
        ("You are not authorized to perform this operation.", Denial()),
    ],
)
def test_what_a_message_of_aws_says(said: str, denial: Denial) -> None:
    assert denial_in(said) == denial


@pytest.mark.parametrize(
    ("service", "operation", "code", "told"),
    [
        ("service-quotas", "GetServiceQuota", "AccessDeniedException", "servicequotas:GetServiceQuota"),
        ("resourcegroupstaggingapi", "GetResources", "AccessDeniedException", "tag:GetResources"),
        ("ec2", "DescribeImages", "UnauthorizedOperation", "ec2:DescribeImages"),
        # No permission is missing.
        ("service-quotas", "GetServiceQuota", "NoSuchResourceException", "service-quotas GetServiceQuota"),
    ],
)
def test_a_permission_that_is_missing_is_spelled_as_in_a_policy(
    service: str, operation: str, code: str, told: str
) -> None:
    error = AwsError(service, operation, code, "no", 403)
    assert in_short(error) == f"{told}: {code}"


def test_the_way_out_of_a_denial_names_the_action_as_iam_does() -> None:
    response: Any = {"Error": {"Code": "AccessDeniedException", "Message": "You may not."}}
    error = answered("service-quotas", "GetServiceQuota", ClientError(response, "GetServiceQuota"))
    assert "need the permission servicequotas:GetServiceQuota" in str(error.hint)


def test_what_is_decoded_is_said_in_words() -> None:
    condition = {"key": "aws:RequestTag/team", "values": {"items": [{"value": "data"}]}}
    when = {"key": "aws:CurrentTime", "values": {"items": [{"value": "2026"}]}}
    message = {
        "explicitDeny": True,
        "matchedStatements": {"items": [{"statementId": "NoTags"}]},
        "context": {
            "action": "ec2:CreateTags",
            "resource": "arn:aws:ec2:us-east-1:1:instance/*",
            "conditions": {"items": [condition, when]},
        },
    }
    assert decoded_words(message) == (
        "ec2:CreateTags on arn:aws:ec2:us-east-1:1:instance/* is denied explicitly by statement NoTags; "
        "the request had aws:RequestTag/team = data"
    )


def test_every_format_says_what_would_be_refused() -> None:
    made = plan(TAG)
    proved = Plan(
        made.environment,
        made.region,
        made.account_id,
        made.changes,
        proof=prove(made, Scripted(EvalDecision="implicitDeny")),
    )
    for shown in (plan_text(proved, 200).plain, plan_markdown(proved), plan_html(proved)):
        words = " ".join(html.unescape(re.sub(r"<[^>]*>", "", shown)).replace("\\", "").split())
        assert "iam:TagRole on arn:aws:iam::123456789012:role/provisioner/env/worker is not allowed" in words
        assert "refused by identity-based policy" in words
        assert "--expect" not in words
