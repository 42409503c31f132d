"""Policy documents: grammar, principals, and how they travel.

IAM User Guide, "Grammar of the IAM JSON policy language", "AWS JSON policy elements: Principal"; API
Reference, CreateRole (MalformedPolicyDocument) and "documents are URL-encoded compliant with RFC 3986". moto
takes any text as the trust policy of a new role, refuses the older Version in one that replaces it, takes
principals that do not exist, and encodes some answers only.
"""

from __future__ import annotations

import json
import re
from typing import Any

from moto.core.serialize import url_encode
from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator
from moto.iam.responses import IamResponse

from provisioner.local.call import AwsError, Call
from provisioner.local.corrections.registry import check, handler
from provisioner.local.world import World

_SERVICE = re.compile(r"[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|amazon\.com|aws\.internal)")
_IDENTITY = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):(root|role/.+|user/.+)")

# moto encodes the documents of some answers; the shorter keys here cover every answer.
IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER.update(
    {
        ".AssumeRolePolicyDocument": url_encode,
        ".PolicyDocument": url_encode,
        ".PolicyVersion.Document": url_encode,
    }
)


@check("iam:CreateRole")
def trust_of_new_role(world: World, call: Call) -> None:
    """A role's trust policy has to be one."""
    _check_trust(world, call.params.get("AssumeRolePolicyDocument") or "")


@check("iam:UpdateAssumeRolePolicy")
def trust_of_role(world: World, call: Call) -> None:
    """The same when it is replaced."""
    _check_trust(world, call.params.get("PolicyDocument") or "")


@handler("iam:UpdateAssumeRolePolicy")
def replace_trust(world: World, call: Call) -> dict[str, Any]:
    """Replaces the trust policy, which is checked already; moto would check it in its own way."""
    world.iam.get_role(call.params["RoleName"]).assume_role_policy_document = call.params["PolicyDocument"]
    return {}


@check("iam:PutRolePolicy", "iam:CreatePolicy", "iam:CreatePolicyVersion")
def identity_policy(world: World, call: Call) -> None:
    """A policy of a role follows the grammar and names no principal."""
    statements = _statements(call.params.get("PolicyDocument") or "")
    if any("Principal" in item or "NotPrincipal" in item for item in statements):
        raise _malformed("Policy document should not specify a principal.")
    IAMPolicyDocumentValidator(call.params["PolicyDocument"]).validate()


def _check_trust(world: World, document: str) -> None:
    statements = _statements(document)
    for item in statements:
        if "Resource" in item or "NotResource" in item:
            raise _malformed("Has prohibited field Resource")
        if "Principal" not in item and "NotPrincipal" not in item:
            raise _malformed("Missing required field Principal")
    validator = IAMTrustPolicyDocumentValidator(document)
    # Trust policies may be of Version 2008-10-17, also by not naming one; moto refuses that.
    validator._validate_version = lambda: None
    validator.validate()
    for item in statements:
        _check_principals(world, item.get("Principal", "*"))


def _statements(document: str) -> list[dict[str, Any]]:
    try:
        policy = json.loads(document)
    except ValueError:
        raise _malformed("This policy contains invalid Json") from None
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if (
        not isinstance(statements, list)
        or not statements
        or not all(isinstance(item, dict) for item in statements)
    ):
        raise _malformed("Syntax errors in policy.")
    return statements


def _check_principals(world: World, principal: Any) -> None:
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal:
        raise _malformed("Syntax errors in policy.")
    for kind, named in principal.items():
        values = named if isinstance(named, list) else [named]
        for value in values:
            if not _principal_exists(world, kind, value):
                label = "SERVICE" if kind == "Service" else kind.upper()
                raise _malformed(f'Invalid principal in policy: "{label}":"{value}"')


def _principal_exists(world: World, kind: str, value: Any) -> bool:
    """Those of other accounts are taken as existing; they cannot be looked up here."""
    if not isinstance(value, str):
        return False
    if kind == "Service":
        return _SERVICE.fullmatch(value) is not None
    if kind == "Federated":
        return bool(value)
    if kind == "CanonicalUser":
        return re.fullmatch(r"[0-9a-f]{64}", value) is not None
    if kind != "AWS":
        return False
    if value == "*" or re.fullmatch(r"\d{12}", value):
        return True
    if re.fullmatch(r"arn:aws[a-z-]*:sts::\d{12}:(assumed-role|federated-user)/.+", value):
        return True
    if re.fullmatch(r"A(ROA|IDA)[A-Z0-9]+", value):
        return value in world.iam.roles or any(user.id == value for user in world.iam.users.values())
    match = _IDENTITY.fullmatch(value)
    if match is None:
        return False
    if match[1] != world.account or match[2] == "root":
        return True
    holders = [*world.iam.roles.values(), *world.iam.users.values()]
    return any(holder.arn == value for holder in holders)


def _malformed(text: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", text)
