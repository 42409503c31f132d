"""What a user or a role would be allowed, and who calls.

IAM API Reference, SimulatePrincipalPolicy: the same decisions as of real calls, but nothing is known of a
request beyond the context entries that are given
(https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html). STS API Reference,
GetCallerIdentity. moto simulates nothing, and takes keys that it does not know for a user's.
"""

from __future__ import annotations

from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import handler
from local_aws.iam.callers import Caller, caller_of, principal
from local_aws.iam.conditions import Context
from local_aws.iam.evaluate import BOUNDARY, Policies, Request, conditions_of, decide
from local_aws.iam.gatekeeper import keys_of_principal
from local_aws.world import World


@handler("iam:SimulatePrincipalPolicy")
def simulate(world: World, call: Call) -> dict[str, Any]:
    """The decisions over every action on every resource. Session policies take no part."""
    arn = str(call.params.get("PolicySourceArn") or "")
    caller = principal(world, arn)
    if caller is None:
        raise AwsError("NoSuchEntity", f"The principal {arn} cannot be found.", 404)
    entries = call.params.get("ContextEntries") or []
    context: dict[str, Any] = {
        **keys_of_principal(world, caller),
        **{str(entry["ContextKeyName"]): _values(entry) for entry in entries},
    }
    resources = [str(resource) for resource in call.params.get("ResourceArns") or ["*"]]
    results = [
        _result(caller, Request(str(action), resource, context))
        for action in call.params.get("ActionNames") or ()
        for resource in resources
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _values(entry: dict[str, Any]) -> str | tuple[str, ...]:
    values = tuple(str(value) for value in entry.get("ContextKeyValues") or ())
    is_list = str(entry.get("ContextKeyType", "")).endswith("List")
    return values if is_list or len(values) != 1 else values[0]


def _result(caller: Caller, request: Request) -> dict[str, Any]:
    decision = decide(caller.policies, request)
    word = "allowed" if decision.is_allowed else "explicitDeny" if decision.is_explicit else "implicitDeny"
    result: dict[str, Any] = {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": word,
        "MatchedStatements": [],
        "MissingContextValues": _missing(caller.policies, request),
    }
    if caller.policies.boundary is not None:
        allowed = decision.is_allowed or decision.layer != BOUNDARY
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    return result


def _missing(policies: Policies, request: Request) -> list[str]:
    """Condition keys of statements about the action and the resource that the request has no value for."""
    has = _folded(request.context)
    return sorted({key for key in conditions_of(policies, request) if key.lower() not in has})


def _folded(context: Context) -> set[str]:
    return {key.lower() for key in context}


@handler("sts:GetCallerIdentity")
def who(world: World, call: Call) -> dict[str, Any]:
    """Keys that were not made here are those of the account's root user."""
    caller = caller_of(world, call.access_key)
    if caller is None:
        return {
            "UserId": world.account,
            "Account": world.account,
            "Arn": f"arn:{world.partition}:iam::{world.account}:root",
        }
    return {"UserId": caller.id, "Account": world.account, "Arn": caller.arn}
