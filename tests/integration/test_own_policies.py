"""Policies of the account by their names, from nothing to a plan that shows nothing."""

from __future__ import annotations

import json

from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.specs import ROLES_ONLY, WRITE, having


def test_a_policy_of_the_account_is_named_as_one_of_awss(program: Program, cloud: Cloud) -> None:
    made = cloud.iam.create_policy(PolicyName="my-policy", Path="/team/", PolicyDocument=json.dumps(WRITE))
    arn = made["Policy"]["Arn"]
    named = ["my-policy", "AmazonS3ReadOnlyAccess"]
    spec = having(ROLES_ONLY, roles__worker={"managed_policies": named, "permissions_boundary": "my-policy"})
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    role = cloud.picture_of_role(cloud.roles()[0])
    assert arn in json.dumps(role)
    cloud.forget_calls()
    assert program.plan(spec).told == set()
    assert cloud.operations().count("GetPolicy") == 1
    assert "ListPolicies" not in cloud.operations()


def test_more_policies_than_the_account_attaches_are_refused_before_anything_is_made(
    program: Program, cloud: Cloud
) -> None:
    arns = [policy["Arn"] for policy in cloud.iam.list_policies(Scope="AWS", MaxItems=60)["Policies"]]
    names = [arn.split(":policy/")[1] for arn in arns if "service-role" not in arn][:11]
    applied = program.apply(having(ROLES_ONLY, roles__worker={"managed_policies": names}))
    assert applied.code == 1
    assert "11 managed policies, and this account attaches 10 to a role" in applied.words
    assert cloud.writes() == []
