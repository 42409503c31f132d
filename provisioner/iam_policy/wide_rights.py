"""Which rights are wide: what a person has to see before they approve a policy.

Wide is what gives more than anybody can list: all actions, all of a service, everybody, all but some, and the
rights by which whoever has them can give themselves any other:
https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Services whose actions give rights; all of one is wide also on single resources.
_OF_RIGHTS = ("iam", "sts", "organizations", "sso", "identitystore")
# Actions that give whoever has them, on any role or user, the rights of another.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
_GIVING = (
    "iam:PassRole",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:UpdateLoginProfile",
    "iam:AttachUserPolicy",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:PutUserPolicy",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:CreatePolicyVersion",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:AddUserToGroup",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteUserPermissionsBoundary",
    "sts:AssumeRole",
)
# `*`, `role/*`, `*/*`: what is left of an ARN after the account names nothing in particular.
_ANYTHING = re.compile(r"(?:[A-Za-z-]+[/:])?[*?/]*\*[*?/]*")
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
_MANAGED = re.compile(
    r"arn:[a-z-]+:iam::aws:policy/(?:[\w-]+/)*"
    r"(?:AdministratorAccess[\w-]*|PowerUserAccess|IAMFullAccess|\w*FullAccess\w*|SystemAdministrator)"
)


def grants_wide_rights(statement: Any) -> bool:
    """Whether a statement of a policy, as written or in its normal form, gives wide rights.

    A condition can narrow what it gives, and does not count: what it is worth is for the reader to judge.
    """
    if not isinstance(statement, Mapping) or str(statement.get("Effect")) != "Allow":
        return False
    if statement.keys() & {"NotAction", "NotPrincipal", "NotResource"}:
        return True
    if any(_is_everybody(principal) for principal in _members(statement.get("Principal"))):
        return True
    actions = [str(action).lower() for action in _listed(statement.get("Action"))]
    if any(not action.strip("*?:") and "*" in action for action in actions):
        return True
    # Who may assume a role is told by the principals of its trust policy.
    if "Principal" in statement:
        return False
    on_anything = any(_is_anything(str(resource)) for resource in _listed(statement.get("Resource")))
    return any(_is_wide(action, on_anything) for action in actions)


def is_wide_policy(arn: str) -> bool:
    """Whether one of AWS's managed policies gives wide rights. What others say only IAM knows."""
    return _MANAGED.fullmatch(arn) is not None


def _is_wide(action: str, on_anything: bool) -> bool:
    service, _, name = action.partition(":")
    is_whole_service = bool(name) and not name.strip("*?") and "*" in name
    if is_whole_service and (on_anything or _matches(service, _OF_RIGHTS)):
        return True
    return on_anything and _matches(action, _GIVING)


def _matches(pattern: str, names: tuple[str, ...]) -> bool:
    """Whether a pattern with `*` and `?`, which IAM reads in any case, takes one of some names."""
    parts = (
        ".*" if character == "*" else "." if character == "?" else re.escape(character)
        for character in pattern.lower()
    )
    compiled = re.compile("".join(parts), re.DOTALL)
    return any(compiled.fullmatch(name.lower()) for name in names)


def _is_anything(resource: str) -> bool:
    """Whether a resource names nothing in particular; a region or an account is nothing in particular."""
    # An ARN that is cut short after a wildcard stands for all that may follow.
    *before, last = resource.split(":", 5)
    # A bucket has no type before its name.
    return bool(_ANYTHING.fullmatch(last)) and ("s3" not in before or not last.strip("*?/"))


def _is_everybody(principal: Any) -> bool:
    return not str(principal).strip("*")


def _members(principal: Any) -> list[Any]:
    if isinstance(principal, Mapping):
        return [named for listed in principal.values() for named in _listed(listed)]
    return _listed(principal)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
