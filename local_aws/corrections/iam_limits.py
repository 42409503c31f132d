"""Quotas of IAM, and what may be attached, detached and deleted.

IAM User Guide, "IAM and AWS STS quotas" (sizes count without white space); API Reference, AttachRolePolicy,
PutRolePermissionsBoundary, DeletePolicy (DeleteConflict), ListInstanceProfileTags. moto checks no size.
"""

from __future__ import annotations

import re
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import check, handler
from local_aws.world import World

TRUST_SIZE = 2048
INLINE_SIZE = 10240
MANAGED_SIZE = 6144
ATTACHED = 10
ROLES = 1000
PROFILES = 1000


@check("iam:CreateRole")
def role_fits(world: World, call: Call) -> None:
    """A thousand roles per account, and 2048 characters of trust policy each."""
    if len(world.iam.roles) >= ROLES:
        raise _quota("RolesPerAccount", ROLES)
    _check_trust_size(call.params.get("AssumeRolePolicyDocument") or "")


@check("iam:UpdateAssumeRolePolicy")
def trust_fits(world: World, call: Call) -> None:
    """2048 characters of trust policy."""
    _check_trust_size(call.params.get("PolicyDocument") or "")


@check("iam:CreateInstanceProfile")
def profile_fits(world: World, call: Call) -> None:
    """A thousand profiles per account."""
    if len(world.iam.instance_profiles) >= PROFILES:
        raise _quota("InstanceProfilesPerAccount", PROFILES)


@check("iam:PutRolePolicy")
def inline_fits(world: World, call: Call) -> None:
    """10,240 characters for all inline policies of a role together."""
    role = world.iam.get_role(call.params["RoleName"])
    documents = {**role.policies, call.params["PolicyName"]: call.params["PolicyDocument"]}
    if sum(_size(text) for text in documents.values()) > INLINE_SIZE:
        text = f"Maximum policy size of {INLINE_SIZE} bytes exceeded for role {role.name}"
        raise AwsError("LimitExceeded", text, 409)


@check("iam:CreatePolicy", "iam:CreatePolicyVersion")
def managed_fits(world: World, call: Call) -> None:
    """6144 characters for a managed policy."""
    if _size(call.params.get("PolicyDocument") or "") > MANAGED_SIZE:
        raise _quota("PolicySize", MANAGED_SIZE)


@check("iam:AttachRolePolicy")
def attachment_fits(world: World, call: Call) -> None:
    """Ten managed policies per role."""
    role = world.iam.get_role(call.params["RoleName"])
    if call.params["PolicyArn"] not in role.managed_policies and len(role.managed_policies) >= ATTACHED:
        raise _quota("PoliciesPerRole", ATTACHED)


@handler("iam:AttachRolePolicy")
def attach(world: World, call: Call) -> Any:
    """Attaching what is attached changes nothing; moto would count it twice."""
    role = world.iam.get_role(call.params["RoleName"])
    return (200, {}, _EMPTY) if call.params["PolicyArn"] in role.managed_policies else call.moto()


@check(
    "iam:AttachRolePolicy",
    "iam:DetachRolePolicy",
    "iam:CreateRole",
    "iam:PutRolePermissionsBoundary",
    "iam:GetPolicy",
    "iam:DeletePolicy",
    first=True,
)
def own_partition(world: World, call: Call) -> None:
    """Policies are of the account's own partition; the words are those of pulumi-aws-apigateway#347."""
    for field in ("PolicyArn", "PermissionsBoundary"):
        arn = call.params.get(field) or ""
        if arn.startswith("arn:") and arn.split(":")[1] != world.partition:
            raise AwsError("ValidationError", "Invalid ARN partition")


@check("iam:CreateRole", "iam:PutRolePermissionsBoundary")
def boundary_exists(world: World, call: Call) -> None:
    """A boundary is a managed policy that exists."""
    arn = call.params.get("PermissionsBoundary")
    if arn and arn not in world.iam.managed_policies:
        text = f"Scope ARN: {arn} does not exist or is not attachable."
        raise AwsError("NoSuchEntity", text, 404)


@check("iam:DeletePolicy")
def policy_is_free(world: World, call: Call) -> None:
    """A policy that is attached, or bounds a role, or has further versions, is not deleted."""
    arn = call.params["PolicyArn"]
    policy = world.iam.managed_policies.get(arn)
    if policy is None:
        raise AwsError("NoSuchEntity", f"Policy {arn} was not found.", 404)
    holders = [*world.iam.roles.values(), *world.iam.users.values(), *world.iam.groups.values()]
    bounded = any(getattr(holder, "permissions_boundary_arn", None) == arn for holder in holders)
    if bounded or any(arn in holder.managed_policies for holder in holders):
        raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    if len(policy.versions) > 1:
        text = (
            "This policy has more than one version. Before you delete a policy, you must delete its versions."
        )
        raise AwsError("DeleteConflict", text, 409)


@handler("iam:ListInstanceProfileTags")
def profile_tags(world: World, call: Call) -> Any:
    """The tags of one profile; moto does not know the operation."""
    profile = world.iam.get_instance_profile(call.params["InstanceProfileName"])
    return {"Tags": list(profile.tags), "IsTruncated": False}


_EMPTY = (
    '<AttachRolePolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata>'
    "<RequestId>local</RequestId></ResponseMetadata></AttachRolePolicyResponse>"
)


def _check_trust_size(document: str) -> None:
    if _size(document) > TRUST_SIZE:
        raise _quota("ACLSizePerRole", TRUST_SIZE)


def _size(document: str) -> int:
    return len(re.sub(r"\s", "", document))


def _quota(name: str, most: int) -> AwsError:
    return AwsError("LimitExceeded", f"Cannot exceed quota for {name}: {most}", 409)
