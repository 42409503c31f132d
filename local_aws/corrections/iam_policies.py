"""Policy documents: grammar, and how they travel.

IAM User Guide, "Grammar of the IAM JSON policy language"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html), "AWS JSON policy
elements": "Action" (case does not count), "Resource", "NotPrincipal" (not in a trust policy), "Sid",
"Condition operators" (numbers need no quotes); Service Authorization Reference, "Amazon S3: resource types"
(those with a Region); API Reference, CreateRole (MalformedPolicyDocument) and "documents are URL-encoded
compliant with RFC 3986". Resources are of the account's own partition:
hashicorp/terraform-provider-aws#15623 and aws/chalice#777. moto takes any text as the trust policy of a new
role, refuses the older Version in one that replaces it, refuses some of what IAM takes, and encodes some
answers only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from moto.core.serialize import url_encode
from moto.iam.policy_validation import IAMPolicyDocumentValidator, IAMTrustPolicyDocumentValidator
from moto.iam.responses import IamResponse

from local_aws.call import AwsError, Call
from local_aws.corrections.iam_principals import check_principals
from local_aws.corrections.registry import check, handler
from local_aws.world import World

TRUST_ACTIONS = (
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:AssumeRoot",
    "sts:DecodeAuthorizationMessage",
    "sts:GetAccessKeyInfo",
    "sts:GetCallerIdentity",
    "sts:GetFederationToken",
    "sts:GetServiceBearerToken",
    "sts:GetSessionToken",
    "sts:SetContext",
    "sts:SetSourceIdentity",
    "sts:TagSession",
)
# Resources of S3 that are in a Region, beside those that moto knows.
_S3_REGIONAL = ("access-grants/", "async-request/", "job/", "storage-lens/", "storage-lens-group/")

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
    document = call.params.get("PolicyDocument") or ""
    statements = _statements(document)
    if any("Principal" in item or "NotPrincipal" in item for item in statements):
        raise _malformed("Policy document should not specify a principal.")
    for item in statements:
        if not re.fullmatch(r"[0-9A-Za-z]*", str(item.get("Sid", ""))):
            text = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular"
            raise _malformed(f"{text} expression [0-9A-Za-z]*")
    IAMPolicyDocumentValidator(_as_moto_takes_it(world, document)).validate()
    for resource in _all(statements, "Resource", "NotResource"):
        named = re.match(r"arn:([^:]*):", str(resource))
        if named and named[1] not in ("*", world.partition):
            raise _malformed(f'Partition "{named[1]}" is not valid for resource "{resource}".')


@handler("iam:PutRolePolicy")
def put_inline(world: World, call: Call) -> dict[str, Any]:
    """Puts the policy, which is checked already, as it was sent."""
    role = world.iam.get_role(call.params["RoleName"])
    role.put_policy(call.params["PolicyName"], call.params["PolicyDocument"])
    return {}


@handler("iam:CreatePolicy", "iam:CreatePolicyVersion")
def create_managed(world: World, call: Call) -> Any:
    """Keeps the document as it was sent, whatever moto has to read to take it."""
    result = call.moto(PolicyDocument=_as_moto_takes_it(world, call.params["PolicyDocument"]))
    made = result.result
    version = made["PolicyVersion"] if "PolicyVersion" in made else made["Policy"].versions[0]
    version.document = call.params["PolicyDocument"]
    return result


def _check_trust(world: World, document: str) -> None:
    statements = _statements(document)
    for item in statements:
        if "Resource" in item or "NotResource" in item:
            raise _malformed("Has prohibited field Resource")
        if "NotPrincipal" in item:
            raise _malformed("Has prohibited field NotPrincipal")
        if "Principal" not in item:
            raise _malformed("Missing required field Principal")
    for action in _all(statements, "Action"):
        if str(action).lower() not in map(str.lower, TRUST_ACTIONS):
            raise _malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    validator = IAMTrustPolicyDocumentValidator(_as_moto_takes_it(world, document))
    # Trust policies may be of Version 2008-10-17, also by not naming one; moto refuses that.
    validator._validate_version = lambda: None
    validator.validate()
    for item in statements:
        check_principals(world, item["Principal"])


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


def _all(statements: list[dict[str, Any]], *elements: str) -> Iterator[Any]:
    """What the statements say in these elements, as text or as a list."""
    for statement in statements:
        for element in elements:
            value = statement.get(element, [])
            yield from value if isinstance(value, list) else [value]


def _as_moto_takes_it(world: World, document: str) -> str:
    """The document with what IAM takes and moto does not in a form that moto takes."""
    policy = json.loads(document)
    statements = policy["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        for keys in (
            (statement.get("Condition") or {}).values() if _is_mapping(statement, "Condition") else ()
        ):
            for key, value in keys.items() if isinstance(keys, dict) else ():
                keys[key] = [_quoted(item) for item in value] if isinstance(value, list) else _quoted(value)
        for element, one in (
            ("Action", _known_action),
            ("Resource", _known_resource),
            ("NotResource", _known_resource),
        ):
            value = statement.get(element)
            if isinstance(value, str):
                statement[element] = one(world, value)
            elif isinstance(value, list):
                statement[element] = [one(world, item) if isinstance(item, str) else item for item in value]
    return json.dumps(policy)


def _is_mapping(statement: dict[str, Any], element: str) -> bool:
    return isinstance(statement.get(element), dict)


def _quoted(value: Any) -> Any:
    """A number as text, as IAM reads it; moto does not take numbers."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _known_action(world: World, action: str) -> str:
    """An action of a trust policy in the case, and of those, that moto knows."""
    return "sts:AssumeRole" if action.lower() in map(str.lower, TRUST_ACTIONS) else action


def _known_resource(world: World, resource: str) -> str:
    """A resource of a partition and of a kind that moto knows, if it is one that IAM knows."""
    parts = resource.split(":", 5)
    if len(parts) < 6:
        return resource
    if parts[1] == world.partition:
        parts[1] = "aws"
    if parts[2] == "iam" and parts[5] in ("root", "*"):
        parts[5] = f"user/{parts[5]}"
    if parts[2] == "s3" and parts[5].startswith(_S3_REGIONAL):
        parts[3] = ""
    return ":".join(parts)


def _malformed(text: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", text)
