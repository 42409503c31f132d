"""Refuses what the caller's policies do not allow, in the words and codes of each service.

IAM User Guide, "Troubleshoot access denied error messages"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html); EC2 API Reference, "Error
codes": UnauthorizedOperation; Service Quotas API Reference, "Common Errors": AccessDeniedException, as of all
services that talk in JSON; STS API Reference, DecodeAuthorizationMessage.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.iam.actions import Asked, asked
from local_aws.iam.callers import Caller, caller_of
from local_aws.iam.conditions import Context
from local_aws.iam.evaluate import IDENTITY, Decision, Request, decide
from local_aws.iam.things import Account
from local_aws.settings import OF_JSON
from local_aws.world import World

# IAM is called in one region, wherever one is.
HOME_OF_IAM = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
# https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html: no permissions are required.
_FREE = ("sts:GetCallerIdentity",)


def authorize(world: World, call: Call) -> None:
    """Raises AwsError when the caller may not do what a call asks for. Notes what was asked for."""
    if call.name in _FREE:
        return
    caller = caller_of(world, call.access_key)
    if caller is None:
        _remember_spot(world, call)
        return
    number = world.authorized[-1]["call"] + 1 if world.authorized else 1
    for request in requests(world, call, caller):
        decision = decide(caller.policies, request)
        world.authorized.append(
            {
                "call": number,
                "principal": caller.arn,
                "operation": call.name,
                "action": request.action,
                "resource": request.resource,
                "context": request.context,
                "allowed": decision.is_allowed,
            }
        )
        if not decision.is_allowed:
            raise refusal(call, caller, request, decision)
    _remember_spot(world, call)


def requests(world: World, call: Call, caller: Caller) -> Iterator[Request]:
    """All that a call has to be allowed for."""
    account = Account(world, call)
    common = _common(world, call, caller)
    for item in asked(account, call):
        yield Request(
            item.action, item.thing.arn if item.thing else "*", {**common, **_context(item, call.region)}
        )


def _common(world: World, call: Call, caller: Caller) -> dict[str, Any]:
    """Global keys: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html."""
    region = HOME_OF_IAM.get(world.partition, call.region) if call.service == "iam" else call.region
    return {
        "aws:RequestedRegion": region,
        "aws:SourceIp": "127.0.0.1",
        "aws:SecureTransport": "false",
        **keys_of_principal(world, caller),
    }


def keys_of_principal(world: World, caller: Caller) -> dict[str, Any]:
    """The global keys that tell of who calls, and when."""
    keys: dict[str, Any] = {
        "aws:PrincipalArn": caller.principal_arn,
        "aws:PrincipalAccount": world.account,
        "aws:PrincipalType": caller.kind,
        "aws:userid": caller.id,
        "aws:CurrentTime": world.clock.today().isoformat(),
        **{f"aws:PrincipalTag/{key}": value for key, value in caller.tags.items()},
    }
    if caller.name:
        keys["aws:username"] = caller.name
    return keys


def _context(item: Asked, region: str) -> Context:
    service = item.action.split(":")[0]
    keys: dict[str, Any] = dict(item.keys)
    if service == "ec2":
        keys["ec2:Region"] = region
    if item.thing:
        keys |= item.thing.keys
        for key, value in item.thing.tags.items():
            keys[f"aws:ResourceTag/{key}"] = value
            if service == "ec2" or item.thing.type in ("role", "user"):
                keys[f"{service}:ResourceTag/{key}"] = value
    if item.tags is not None:
        keys |= {f"aws:RequestTag/{key}": value for key, value in item.tags.items()}
        keys["aws:TagKeys"] = tuple(item.tags)
    if item.tag_keys is not None:
        keys["aws:TagKeys"] = item.tag_keys
    return keys


def _remember_spot(world: World, call: Call) -> None:
    market = call.params.get("InstanceMarketOptions") or {}
    if call.name == "ec2:RunInstances" and market.get("MarketType") == "spot":
        world.has_spot_role = True


def refusal(call: Call, caller: Caller, request: Request, decision: Decision) -> AwsError:
    """The error that the service answers with."""
    article = "an" if decision.layer == IDENTITY else "a"
    why = (
        f"with an explicit deny in {article} {decision.layer}"
        if decision.is_explicit
        else f"because no {decision.layer} allows the {request.action} action"
    )
    on = "" if request.resource == "*" else f" on resource: {request.resource}"
    text = f"User: {caller.arn} is not authorized to perform: {request.action}{on} {why}"
    if call.service == "ec2":
        encoded = _encode(caller, request, decision)
        text = (
            f"You are not authorized to perform this operation. {text}. "
            f"Encoded authorization failure message: {encoded}"
        )
        return AwsError("UnauthorizedOperation", text, 403)
    if call.service in OF_JSON:
        return AwsError("AccessDeniedException", text, 400)
    return AwsError("AccessDenied", text, 403)


def _encode(caller: Caller, request: Request, decision: Decision) -> str:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html"""
    conditions = [
        {"key": key, "values": {"items": [{"value": item} for item in _tuple(value)]}}
        for key, value in sorted(request.context.items())
    ]
    message = {
        "allowed": False,
        "explicitDeny": decision.is_explicit,
        "matchedStatements": {"items": []},
        "failures": {"items": []},
        "context": {
            "principal": {"id": caller.id, "arn": caller.arn},
            "action": request.action,
            "resource": request.resource,
            "conditions": {"items": conditions},
        },
    }
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(message).encode())).decode()


def decode(encoded: str) -> str:
    """What was encoded, as JSON. Raises AwsError for what was not encoded here."""
    try:
        return zlib.decompress(base64.urlsafe_b64decode(encoded)).decode()
    except (ValueError, zlib.error):
        text = "Message is not an encoded authorization message"
        raise AwsError("InvalidAuthorizationMessageException", text) from None


def _tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
