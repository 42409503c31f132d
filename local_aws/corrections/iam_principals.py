"""Principals of trust policies: which ones exist, and what becomes of those that are deleted.

IAM User Guide, "AWS JSON policy elements: Principal"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html): an ARN is kept
as the id of the role or user, shows as that id once the role or user is deleted, and stays so when one of
the same name is made again; no wildcards in an ARN. "Troubleshoot IAM: changes that I make are not always
immediately visible": a principal that was just made is unknown for a while. moto takes and keeps any text.
"""

from __future__ import annotations

import json
import re
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import handler
from local_aws.world import World

_SERVICE = re.compile(r"[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|amazon\.com|aws\.internal)")
_DOMAIN = re.compile(r"([a-z0-9-]+\.)+[a-z]+(/.*)?")


@handler("iam:CreateRole")
def create(world: World, call: Call) -> Any:
    """A new role, which no trust policy may name for the time of the propagation."""
    result = call.moto()
    world.role_made[world.iam.get_role(call.params["RoleName"]).id] = world.clock.now()
    return result


@handler("iam:DeleteRole")
def delete_role(world: World, call: Call) -> Any:
    """The role goes, and shows as its id where it was trusted."""
    role = world.iam.get_role(call.params["RoleName"])
    result = call.moto()
    _forget(world, role)
    return result


@handler("iam:DeleteUser")
def delete_user(world: World, call: Call) -> Any:
    """The user goes, and shows as its id where it was trusted."""
    user = world.iam.get_user(call.params["UserName"])
    result = call.moto()
    _forget(world, user)
    return result


def check_principals(world: World, principal: Any) -> None:
    """Raises MalformedPolicyDocument for a principal that does not exist, or not yet."""
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal:
        raise _malformed("Syntax errors in policy.")
    for kind, named in principal.items():
        values = named if isinstance(named, list) else [named]
        for value in values:
            if kind == "Federated" and not _is_federated(world, value):
                text = "Federated principals must be valid domain names or SAML metadata ARNs"
                raise _malformed(text)
            if not _exists(world, kind, value):
                label = "SERVICE" if kind == "Service" else kind if kind == "AWS" else kind.upper()
                raise _malformed(f'Invalid principal in policy: "{label}":"{value}"')


def _exists(world: World, kind: str, value: Any) -> bool:
    """Those of other accounts are taken as existing; they cannot be looked up here."""
    if not isinstance(value, str):
        return False
    if kind == "Service":
        # https://docs.amazonaws.cn/en_us/aws/latest/userguide/iam.html: names that end in .cn are of China.
        own = world.partition == "aws-cn" or not value.endswith(".cn")
        return own and _SERVICE.fullmatch(value) is not None
    if kind == "CanonicalUser":
        return re.fullmatch(r"[0-9a-f]{64}", value) is not None
    if kind != "AWS":
        return kind == "Federated"
    if value == "*" or re.fullmatch(r"\d{12}", value):
        return True
    holders = {holder.id: holder for holder in (*world.iam.roles.values(), *world.iam.users.values())}
    if re.fullmatch(r"A(ROA|IDA)[A-Z0-9]+", value):
        return value in holders
    arn = f"arn:{re.escape(world.partition)}"
    if re.fullmatch(rf"{arn}:sts::\d{{12}}:(assumed-role|federated-user)/[^*?]+", value):
        return True
    match = re.fullmatch(rf"{arn}:iam::(\d{{12}}):(root|(role|user)/[^*?]+)", value)
    if match is None:
        return False
    if match[1] != world.account or match[2] == "root":
        return True
    known_since = world.clock.now() - world.faults.propagation_s
    return any(
        holder.arn == value and world.role_made.get(holder.id, known_since) <= known_since
        for holder in holders.values()
    )


def _is_federated(world: World, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    arn = rf"arn:{re.escape(world.partition)}:iam::\d{{12}}:(saml|oidc)-provider/.+"
    return re.fullmatch(arn, value) is not None or _DOMAIN.fullmatch(value) is not None


def _forget(world: World, holder: Any) -> None:
    """Writes the id of a role or user that is gone for its ARN into the trust policies of the others."""
    for role in world.iam.roles.values():
        document = json.loads(role.assume_role_policy_document)
        statements = document["Statement"]
        changed = False
        for statement in statements if isinstance(statements, list) else [statements]:
            principal = statement.get("Principal")
            named = principal.get("AWS") if isinstance(principal, dict) else None
            if named == holder.arn:
                principal["AWS"], changed = holder.id, True
            elif isinstance(named, list) and holder.arn in named:
                principal["AWS"] = [holder.id if arn == holder.arn else arn for arn in named]
                changed = True
        if changed:
            role.assume_role_policy_document = json.dumps(document)


def _malformed(text: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", text)
