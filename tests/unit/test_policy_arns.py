"""ARNs, principals and dates in policies: what IAM takes and what it refuses, in which region."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provisioner.iam_policy.arns import principal_problem, resource_problem
from provisioner.iam_policy.grammar import problems
from provisioner.naming import partition_of

ACCOUNT = "123456789012"
IAM = f"arn:aws:iam::{ACCOUNT}"
HOME, CHINA, GOV, NEW = "us-east-1", "cn-north-1", "us-gov-west-1", "moon-base-1"

# Situation, with a public source where there is one: (kind, principal, part of the answer; empty: taken).
PRINCIPALS: dict[str, tuple[str, str, str]] = {
    "everybody": ("AWS", "*", ""),
    "an account": ("AWS", ACCOUNT, ""),
    "an account's root": ("AWS", f"{IAM}:root", ""),
    "a user": ("AWS", f"{IAM}:user/me@example.com", ""),
    "a user below a path": ("AWS", f"{IAM}:user/team/x/me", ""),
    "a role": ("AWS", f"{IAM}:role/deploy", ""),
    "a service-linked role": ("AWS", f"{IAM}:role/aws-service-role/a.amazonaws.com/AWSServiceRoleForA", ""),
    "a session": ("AWS", f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/me@example.com", ""),
    "a federated user": ("AWS", f"arn:aws:sts::{ACCOUNT}:federated-user/me", ""),
    "what is left of a deleted role": ("AWS", "AROAKSCDLFT9R5DQP782U", ""),
    "11 digits (aws-actions/configure-aws-credentials#332)": (
        "AWS",
        "12345678910",
        "has 11 digits; an account",
    ),
    "15 digits": ("AWS", "123456789012345", "has 15 digits; an account id has 12"),
    "an account id with hyphens": ("AWS", "1234-5678-9012", 'write "123456789012"'),
    "a root with 10 digits (duo-labs/parliament#229)": ("AWS", "arn:aws:iam::1234567890:root", "10 digits"),
    "a role with 11 digits": ("AWS", "arn:aws:iam::12345678910:role/x", "has 11 digits for an account id"),
    "no account": ("AWS", "arn:aws:iam:::role/x", 'has "" for an account id'),
    "a placeholder (lyft/metadataproxy#53)": ("AWS", "arn:aws:iam::<account-id>:root", "for an account id"),
    "any user": ("AWS", f"{IAM}:user/*", "has a wildcard"),
    "some roles": ("AWS", f"{IAM}:role/deploy-*", "has a wildcard"),
    "any account (terraform-aws-modules/terraform-aws-iam#152)": (
        "AWS",
        "arn:aws:iam::*:user/test_user",
        "aws:PrincipalArn",
    ),
    "any session": ("AWS", f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/*", "has a wildcard"),
    "a group": ("AWS", f"{IAM}:group/admins", "is a group, which cannot be a principal"),
    "a bucket": ("AWS", "arn:aws:s3:::bucket", "is no principal; write an account id"),
    "an instance profile": ("AWS", f"{IAM}:instance-profile/web", "is no principal"),
    "a policy": ("AWS", f"{IAM}:policy/web", "is no principal"),
    "a role without a name": ("AWS", f"{IAM}:role/", "is no principal"),
    "a role without its kind": ("AWS", f"{IAM}:deploy", "is no principal"),
    "a session without a name": ("AWS", f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy", "is no principal"),
    "a role in a region": ("AWS", f"arn:aws:iam:us-east-1:{ACCOUNT}:role/x", f"write {IAM}:role/x"),
    "an ARN cut short": ("AWS", f"arn:aws:iam::{ACCOUNT}", "has 5 parts; an ARN has 6"),
    "a name": ("AWS", "deploy", "is no principal"),
    "a variable": ("AWS", "${aws:username}", "is no principal"),
    "a service as an account": ("AWS", "ec2.amazonaws.com", "write Service: ec2.amazonaws.com"),
    "an identity provider as an account": ("AWS", f"{IAM}:saml-provider/x", "write Federated:"),
    "a service": ("Service", "ec2.amazonaws.com", ""),
    "a service of a region": ("Service", "states.us-east-1.amazonaws.com", ""),
    "a service of China": ("Service", "ec2.amazonaws.com.cn", ""),
    "an internal service": ("Service", "sagemaker.aws.internal", ""),
    "a service, misspelt": ("Service", "ec2.amazonws.com", 'did you mean "ec2.amazonaws.com"?'),
    "a service with another ending": ("Service", "ec2.amazonaws.con", 'did you mean "ec2.amazonaws.com"?'),
    "a service of China, misspelt": (
        "Service",
        "ec2.amazonaws.co.cn",
        'did you mean "ec2.amazonaws.com.cn"?',
    ),
    "a service of the company": ("Service", "alexa-appkit.amazon.com", ""),
    "a service of an isolated partition": ("Service", "ec2.c2s.ic.gov", ""),
    "half a service": ("Service", "ec2", 'did you mean "ec2.amazonaws.com"?'),
    "the other half (aws-samples/aws-cdk-examples#801)": (
        "Service",
        "amazonaws.com",
        "is no service principal",
    ),
    "services with a wildcard": ("Service", "*.amazonaws.com", "is no service principal"),
    "a service as an address": ("Service", "https://ec2.amazonaws.com", "is no service principal"),
    "a role as a service": ("Service", f"{IAM}:role/x", "is no service principal"),
    "GitHub's provider": ("Federated", f"{IAM}:oidc-provider/token.actions.githubusercontent.com", ""),
    "a cluster's provider (BishopFox/cloudfox#77)": (
        "Federated",
        f"{IAM}:oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/SOMEID",
        "",
    ),
    "a SAML provider": ("Federated", f"{IAM}:saml-provider/Okta", ""),
    "Cognito": ("Federated", "cognito-identity.amazonaws.com", ""),
    "Google": ("Federated", "accounts.google.com", ""),
    "any provider": ("Federated", "*", "is no identity provider"),
    "a provider by its name only": ("Federated", "Okta", "is no identity provider"),
    "a role as a provider": ("Federated", f"{IAM}:role/x", "is no identity provider"),
    "a provider with 11 digits": ("Federated", "arn:aws:iam::12345678910:saml-provider/x", "is no identity"),
    "nobody": ("AWS", "", "must not be empty"),
}


@pytest.mark.parametrize(("kind", "principal", "answer"), PRINCIPALS.values(), ids=PRINCIPALS)
def test_principal(kind: str, principal: str, answer: str) -> None:
    assert_answer(principal_problem(kind, principal, HOME), answer)


# Situation: (resource, part of the answer; empty: it is taken).
RESOURCES: dict[str, tuple[str, str]] = {
    "everything": ("*", ""),
    "a bucket": ("arn:aws:s3:::bucket", ""),
    "objects": ("arn:aws:s3:::bucket/*", ""),
    "an access point": ("arn:aws:s3:us-east-1:123456789012:accesspoint/x", ""),
    "any access point": ("arn:aws:s3:*:*:accesspoint/*", ""),
    "a log group, with colons of its own": ("arn:aws:logs:us-east-1:123456789012:log-group:/x:*", ""),
    "any account's root": ("arn:aws:iam::*:root", ""),
    "a role": ("arn:aws:iam::123456789012:role/x", ""),
    "an account's organisation, as AWS's own policies have it": ("arn:aws:organizations::*:", ""),
    "variables": ("arn:aws:iam::${aws:PrincipalAccount}:user/${aws:username}", ""),
    "any partition": ("arn:*:s3:::bucket", ""),
    "all of a service, cut short": ("arn:aws:logs:*", ""),
    "all of a service in a region, cut short": ("arn:aws:sns:us-east-1:*", ""),
    "a bucket's name": ("bucket/*", "must be an ARN"),
    "nothing but a partition": ("arn:aws", "must be an ARN"),
    "too few colons": ("arn:aws:s3:bucket", "has 4 parts; an ARN has 6"),
    "one colon too few": ("arn:aws:s3::bucket/*", "did you mean arn:aws:s3:::bucket/*?"),
    "a table without an account": ("arn:aws:dynamodb:us-east-1:table/x", "has 5 parts"),
    "no service": ("arn:aws:::x", "has to name a service"),
    "no service at all": ("arn:aws::::x", "has to name a service"),
    "any service": ("arn:aws:*:*:123456789012:*", "takes no wildcard there"),
    "any service, cut short": ("arn:aws:*", "takes no wildcard there"),
    "services that begin alike": ("arn:aws:s*:::bucket", "takes no wildcard there"),
    "no partition": ("arn::s3:::bucket", 'names no partition of AWS: ""'),
    "the partition left out": ("arn:s3:::bucket", 'names no partition of AWS: "s3"'),
    "another cloud's": ("arn:amazon:s3:::bucket", 'names no partition of AWS: "amazon"'),
    "a placeholder (cloudera-labs/cloudera.exe#114)": ("arn:${ARN_PARTITION}:s3:::b", "names no partition"),
    "an account of 11 digits": ("arn:aws:sns:us-east-1:12345678910:x", "has an account id of 11 digits"),
    "a role in a region (cloud-gov/terraform-provision#1838)": (
        "arn:aws:iam:us-east-1:123456789012:role/x",
        "write arn:aws:iam::123456789012:role/x",
    ),
    "a bucket in a region and an account": (
        "arn:aws:s3:us-east-1:123456789012:bucket",
        "write arn:aws:s3:::bucket",
    ),
    "a bucket in an account": ("arn:aws:s3::123456789012:bucket", "names an account, and a bucket has none"),
    "jobs of S3": ("arn:aws:s3:us-east-1:123456789012:job/*", ""),
    "a bucket anywhere": ("arn:aws:s3:*:*:bucket", ""),
    "a hosted zone in a region": ("arn:aws:route53:us-east-1::hostedzone/*", "Route 53 has none there"),
    "a hosted zone in an account": (
        "arn:aws:route53::123456789012:hostedzone/*",
        "write arn:aws:route53:::hostedzone/*",
    ),
    "anything of IAM": ("arn:aws:iam::123456789012:*", ""),
    "a kind of IAM that is new": ("arn:aws:iam::123456789012:delegation-thing/x", ""),
    "a kind of IAM in the plural": ("arn:aws:iam::123456789012:roles/x", "did you mean role/x?"),
    "a kind of IAM without its slash": ("arn:aws:iam::123456789012:role", "did you mean role/*?"),
    "a role without its kind": ("arn:aws:iam::123456789012:deploy", "write role/deploy"),
    "a bucket in a region": ("arn:aws:s3:us-east-1::bucket/*", "write arn:aws:s3:::bucket/*"),
}


@pytest.mark.parametrize(("resource", "answer"), RESOURCES.values(), ids=RESOURCES)
def test_resource(resource: str, answer: str) -> None:
    assert_answer(resource_problem(resource, HOME), answer)


# (region, partition of the ARN, part of the answer)
PARTITIONS = [
    (HOME, "aws", ""),
    (HOME, "aws-cn", "is of the partition aws-cn, and us-east-1 is of aws"),
    (HOME, "aws-new", "is of the partition aws-new"),
    # aws/copilot-cli#2563, terraform-aws-modules/terraform-aws-atlantis#83
    (GOV, "aws", "us-gov-west-1 is of aws-us-gov; write arn:aws-us-gov:"),
    (GOV, "aws-us-gov", ""),
    # terraform-aws-modules/terraform-aws-iam#39
    (CHINA, "aws", "cn-north-1 is of aws-cn; write arn:aws-cn:"),
    (CHINA, "aws-cn", ""),
    ("eusc-de-east-1", "aws-eusc", ""),
    ("us-isof-south-1", "aws-iso-f", ""),
    ("eu-isoe-west-1", "aws-iso-e", ""),
    # A region of a partition that is newer than this program.
    (NEW, "aws-moon", ""),
    (NEW, "moon", "names no partition"),
    ("", "aws-cn", ""),
]


@pytest.mark.parametrize(("region", "partition", "answer"), PARTITIONS)
def test_partition(region: str, partition: str, answer: str) -> None:
    for problem in (
        resource_problem(f"arn:{partition}:s3:::bucket", region),
        principal_problem("AWS", f"arn:{partition}:iam::{ACCOUNT}:role/x", region),
        principal_problem("Federated", f"arn:{partition}:iam::{ACCOUNT}:saml-provider/x", region),
    ):
        assert_answer(problem, answer)


def test_every_region_that_boto3_knows_has_its_partition() -> None:
    import boto3

    session = boto3.session.Session()
    known = {
        region: partition
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition)
    }
    assert len(known) > 30
    assert {region: partition_of(region) for region in known} == known


# Values of DateLessThan, and whether IAM reads them.
DATES: list[tuple[Any, bool]] = [
    ("2030-01-31T12:00:00Z", True),
    ("2030-01-31T12:00:00.5+01:00", True),
    ("2030-01-31", True),
    ("2030", True),
    ("1893456000", True),
    (1893456000, True),
    ("${aws:CurrentTime}", False),
    ("2030-13-01", False),
    ("2030-01-32T00:00:00Z", False),
    ("31.01.2030", False),
    ("tomorrow", False),
    ("", False),
]


@pytest.mark.parametrize(("value", "is_read"), DATES)
def test_date(value: Any, is_read: bool) -> None:
    found = problems(allowing(Condition={"DateLessThan": {"aws:CurrentTime": value}}))
    assert (found == []) is is_read


@pytest.mark.parametrize(
    ("action", "is_taken"),
    [
        ("sts:AssumeRole", True),
        ("STS:assumerole", True),
        ("sts:AssumeRoleWithWebIdentity", True),
        ("sts:TagSession", True),
        ("sts:SetContext", True),
        ("sts:*", False),
        ("sts:AssumeRole*", False),
        ("sts:AssumeRoles", False),
        # pulumi/pulumi-aws#4629
        ("sts:AssumeRoleWithWebIdendity", False),
        ("*", False),
        ("iam:PassRole", False),
    ],
)
def test_action_of_a_trust_policy(action: str, is_taken: bool) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": action}
    assert (problems({"Version": "2012-10-17", "Statement": statement}, trust=True) == []) is is_taken


def test_an_operator_without_keys_says_nothing() -> None:
    assert problems(allowing(Condition={"StringEquals": {}})) == []


def test_a_trust_policy_names_who_may() -> None:
    trust = {"Effect": "Allow", "NotPrincipal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    ((path, message),) = problems({"Version": "2012-10-17", "Statement": [trust]}, trust=True)
    assert path == ("Statement", 0, "NotPrincipal")
    assert "takes no NotPrincipal" in message


def test_a_policy_is_checked_for_the_region_it_is_used_in() -> None:
    document = allowing(Resource=["arn:aws:s3:::a", "arn:aws-cn:s3:::a"])
    assert [path[-1] for path, _ in problems(document, region=CHINA)] == [0]
    assert [path[-1] for path, _ in problems(document, region=HOME)] == [1]
    assert problems(document) == []


@pytest.mark.parametrize("action", ["s3:getobject", "S3:GetObject", "S3:GETOBJECT", "*:*", "s3:*Object*"])
def test_actions_are_taken_in_any_case(action: str) -> None:
    assert problems(allowing(Action=action)) == []


def test_aws_own_managed_policies_are_taken() -> None:
    # Not when tests are collected, as all processes do: with this comes moto, which takes a second.
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    refused = {
        name: found
        for name, policy in json.loads(aws_managed_policies_data).items()
        if (found := problems(policy["Document"], region=HOME))
    }
    assert refused == {}


def allowing(**elements: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **elements}
    return {"Version": "2012-10-17", "Statement": [statement]}


def assert_answer(problem: str | None, answer: str) -> None:
    """An answer holds the words expected, or there is none where none are."""
    if answer:
        assert problem is not None
        assert answer in problem
    else:
        assert problem is None
