"""Sessions of roles, and refusals in words.

STS API Reference, AssumeRole: the role has to exist, and its trust policy has to let the caller in; and
DecodeAuthorizationMessage. moto takes any role, and decodes nothing.
"""

from __future__ import annotations

import json
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import check, handler
from local_aws.iam.callers import Caller, caller_of
from local_aws.iam.conditions import Context, holds
from local_aws.iam.evaluate import as_list
from local_aws.iam.gatekeeper import decode, keys_of_principal
from local_aws.world import World


@check("sts:AssumeRole")
def is_trusted(world: World, call: Call) -> None:
    """Whoever calls is trusted by the role; not looked at unless policies are enforced.

    The root user, who may not on AWS, may here: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    caller = caller_of(world, call.access_key) if world.faults.enforce_iam else None
    if caller is None:
        return
    arn = str(call.params.get("RoleArn"))
    there = world.of(arn.split(":")[4]) if arn.count(":") >= 5 else world
    there.partition = world.partition
    role = next((role for role in there.iam.roles.values() if role.arn == arn), None)
    given = {"sts:ExternalId": str(call.params["ExternalId"])} if call.params.get("ExternalId") else {}
    context = keys_of_principal(world, caller) | given
    document = json.loads(role.assume_role_policy_document) if role else {}
    if not _trusts(document, caller, world.account, context):
        text = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
        raise AwsError("AccessDenied", text, 403)


def _trusts(document: dict[str, Any], caller: Caller, account: str, context: Context) -> bool:
    for statement in as_list(document.get("Statement", ())):
        principal = statement.get("Principal")
        named = as_list(principal.get("AWS", ())) if isinstance(principal, dict) else [principal]
        root = caller.principal_arn.split(":")[1]
        everybody = {"*", account, f"arn:{root}:iam::{account}:root", caller.principal_arn, caller.arn}
        is_named = statement.get("Effect") == "Allow" and not everybody.isdisjoint(named)
        if is_named and holds(statement.get("Condition", {}), context):
            return True
    return False


@handler("sts:DecodeAuthorizationMessage")
def decode_message(world: World, call: Call) -> dict[str, Any]:
    """What a refusal of EC2 says, as JSON."""
    return {"DecodedMessage": decode(str(call.params.get("EncodedMessage") or ""))}
