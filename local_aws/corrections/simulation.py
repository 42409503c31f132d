"""What a user or a role would be allowed, and who calls.

IAM API Reference, SimulatePrincipalPolicy: the same decisions as of real calls, but nothing is known of a
request beyond the context entries that are given
(https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html). STS API Reference,
GetCallerIdentity. moto simulates nothing, and takes keys that it does not know for a user's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import handler
from local_aws.iam.callers import Caller, caller_of, principal
from local_aws.iam.conditions import Context
from local_aws.iam.evaluate import BOUNDARY, Decision, Policies, Request, conditions_of, decide
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
        _result(caller, [Request(str(action), resource, context) for resource in resources])
        for action in call.params.get("ActionNames") or ()
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _values(entry: dict[str, Any]) -> str | tuple[str, ...]:
    values = tuple(str(value) for value in entry.get("ContextKeyValues") or ())
    is_list = str(entry.get("ContextKeyType", "")).endswith("List")
    return values if is_list or len(values) != 1 else values[0]


def _result(caller: Caller, requests: Sequence[Request]) -> dict[str, Any]:
    """The result of one action: of all resources the strictest decision, and of each that is named its own.

    With resources, what is missing is told with each of them:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html.
    """
    decisions = [decide(caller.policies, request) for request in requests]
    strictest = max(decisions, key=lambda decision: (not decision.is_allowed, decision.is_explicit))
    result: dict[str, Any] = {
        "EvalActionName": requests[0].action,
        "EvalResourceName": "*",
        "EvalDecision": _word(strictest),
        "MatchedStatements": [],
        "MissingContextValues": [],
        **_boundary(caller, strictest),
    }
    if requests[0].resource == "*":
        return result | {"MissingContextValues": _missing(caller.policies, requests[0])}
    result["ResourceSpecificResults"] = [
        {
            "EvalResourceName": request.resource,
            "EvalResourceDecision": _word(decision),
            "MatchedStatements": [],
            "MissingContextValues": _missing(caller.policies, request),
            **_boundary(caller, decision),
        }
        for request, decision in zip(requests, decisions, strict=True)
    ]
    return result


def _word(decision: Decision) -> str:
    if decision.is_allowed:
        return "allowed"
    return "explicitDeny" if decision.is_explicit else "implicitDeny"


def _boundary(caller: Caller, decision: Decision) -> dict[str, Any]:
    if caller.policies.boundary is None:
        return {}
    allowed = decision.is_allowed or decision.layer != BOUNDARY
    return {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": allowed}}


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
