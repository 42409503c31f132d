"""What AWS says when it refuses a call for want of a right: action, resource, and which policies refuse.

IAM User Guide, "Troubleshoot access denied error messages"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html). EC2 encodes the details:
https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from provisioner.errors import AwsError
from provisioner.lazy_dataclass import dataclass

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_ENCODED = re.compile(r"\s*Encoded authorization failure message: ?(\S+)")
_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)")
_RESOURCE = re.compile(r"on resource: (\S+)")
_EXPLICIT = re.compile(r"with an explicit deny in an? ([a-z -]*(?:policy|boundary))")
_IMPLICIT = re.compile(r"because no ([a-z -]*(?:policy|boundary)) allows")
# Of the context of a request, what says whose it is and when says nothing of why.
_TOLD = re.compile(
    r"(aws:(RequestTag|ResourceTag)/|aws:TagKeys$|iam:|ec2:(CreateAction|NewInstanceProfile|Owner)$)"
)
MAX_TOLD = 6
# What IAM calls a service, where its API has another name:
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
_PREFIXES = {"resourcegroupstaggingapi": "tag", "service-quotas": "servicequotas"}


@dataclass(frozen=True)
class Denial:
    """What was refused, as far as AWS says. `layer`: `identity-based policy`, `permissions boundary`, ..."""

    action: str | None = None
    resource: str | None = None
    layer: str | None = None


def action_of(service: str, operation: str) -> str:
    """The action that a policy has to allow for a call: `servicequotas:GetServiceQuota`."""
    return f"{_PREFIXES.get(service, service)}:{operation}"


def in_short(error: AwsError) -> str:
    """Which call had which error; of a permission that is missing, the action that a policy has to allow."""
    service, operation = error.service, error.operation
    call = action_of(service, operation) if error.code in DENIED else f"{service} {operation}"
    return f"{call}: {error.code}"


def denial_in(text: str) -> Denial:
    """What a message of AWS says."""
    found = [pattern.search(text) for pattern in (_ACTION, _RESOURCE)]
    layer = _EXPLICIT.search(text) or _IMPLICIT.search(text)
    action, resource = (match[1].rstrip(".,") if match else None for match in found)
    told = f"explicit deny in {layer[1]}" if layer and layer.re is _EXPLICIT else layer[1] if layer else None
    return Denial(action, resource, told)


def encoded_in(text: str) -> str | None:
    """What EC2 has encoded in a message."""
    found = _ENCODED.search(text)
    return found[1] if found else None


def without_code(text: str) -> str:
    """A message without what EC2 has encoded in it, which nobody can read."""
    return _ENCODED.sub("", text)


def explained(error: AwsError, send: Callable[..., Mapping[str, Any]]) -> AwsError:
    """The error with what EC2 encoded in words, if that may be decoded; `send` sends a call."""
    encoded = encoded_in(error.text)
    if error.code not in DENIED or encoded is None:
        return error
    text = without_code(error.text)
    try:
        answer = send("sts", "DecodeAuthorizationMessage", EncodedMessage=encoded)
        words = decoded_words(json.loads(answer["DecodedMessage"]))
    except (AwsError, ValueError, KeyError):
        return error.with_text(text)
    return error.with_text(f"{text.rstrip('. ')}. AWS decodes this as: {words}")


def decoded_words(message: Mapping[str, Any]) -> str:
    """What a decoded message says: `iam:PassRole on arn:… is allowed by no policy; the request had …`."""
    context = message.get("context", {})
    statements = [
        str(item.get("statementId") or "without a name")
        for item in message.get("matchedStatements", {}).get("items", ())
    ]
    if message.get("explicitDeny"):
        by = f"statement {', '.join(statements)}" if statements else "a policy"
        why = f"is denied explicitly by {by}"
    else:
        why = "is allowed by no policy"
    told = list(_conditions(context.get("conditions", {}).get("items", ())))
    more = f" and {len(told) - MAX_TOLD} more" if len(told) > MAX_TOLD else ""
    had = f"; the request had {', '.join(told[:MAX_TOLD])}{more}" if told else ""
    return f"{context.get('action')} on {context.get('resource')} {why}{had}"


def _conditions(items: Any) -> Iterator[str]:
    for item in items:
        values = [str(value.get("value")) for value in item.get("values", {}).get("items", ())]
        if _TOLD.match(str(item.get("key"))):
            yield f"{item.get('key')} = {', '.join(values)}"
