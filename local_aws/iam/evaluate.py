"""Decides one request by policies, as IAM does.

IAM User Guide, "Policy evaluation logic"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html):
an explicit deny anywhere wins; else an identity policy has to allow, and so has each of the permissions
boundary and the session policy, where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_aws.iam.conditions import Context, arn_matches, filled, holds, is_like

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """What is asked: an action, the ARN of one resource (or `*`), and the condition keys with a value."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Policies:
    """All policies that are about a caller. None: there is no boundary, or no session policy."""

    identity: Sequence[Document] = ()
    boundary: Document | None = None
    session: Document | None = None


@dataclass(frozen=True)
class Decision:
    """Whether a request is allowed; if not, which layer of policies refuses, and if it says Deny."""

    is_allowed: bool
    layer: str = ""
    is_explicit: bool = False


ALLOWED = Decision(True)
IDENTITY, BOUNDARY, SESSION = "identity-based policy", "permissions boundary", "session policy"


def decide(policies: Policies, request: Request) -> Decision:
    """The decision over one request."""
    layers = [
        (IDENTITY, policies.identity),
        *([(BOUNDARY, [policies.boundary])] if policies.boundary is not None else []),
        *([(SESSION, [policies.session])] if policies.session is not None else []),
    ]
    for layer, documents in layers:
        if any(True for _ in _matching(documents, "Deny", request)):
            return Decision(False, layer, is_explicit=True)
    for layer, documents in layers:
        if not any(True for _ in _matching(documents, "Allow", request)):
            return Decision(False, layer)
    return ALLOWED


def conditions_of(policies: Policies, request: Request) -> set[str]:
    """The condition keys of all statements about the action and the resource of a request."""
    documents = [*policies.identity, *(policy for policy in (policies.boundary, policies.session) if policy)]
    return {
        key
        for document in documents
        for statement in as_list(document.get("Statement", ()))
        if _is_about_action(statement, request.action) and _is_about_resource(statement, request)
        for keys in statement.get("Condition", {}).values()
        for key in keys
    }


def _matching(documents: Iterable[Document], effect: str, request: Request) -> Iterator[Document]:
    for document in documents:
        for statement in as_list(document.get("Statement", ())):
            if statement.get("Effect") == effect and _applies(statement, request):
                yield statement


def _applies(statement: Document, request: Request) -> bool:
    return (
        _is_about_action(statement, request.action)
        and _is_about_resource(statement, request)
        and holds(statement.get("Condition", {}), request.context)
    )


def _is_about_action(statement: Document, action: str) -> bool:
    """Actions match whatever their case.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
    """
    if "NotAction" in statement:
        return not _any_action(statement["NotAction"], action)
    return _any_action(statement.get("Action", ()), action)


def _any_action(patterns: Any, action: str) -> bool:
    return any(is_like(pattern.lower(), action.lower()) for pattern in as_list(patterns))


def _is_about_resource(statement: Document, request: Request) -> bool:
    if "NotResource" in statement:
        return not _any_resource(statement["NotResource"], request)
    return _any_resource(statement.get("Resource", ()), request)


def _any_resource(patterns: Any, request: Request) -> bool:
    for written in as_list(patterns):
        pattern = filled(written, request.context)
        if pattern is not None and (pattern == "*" or _is_resource(pattern, request.resource)):
            return True
    return False


def _is_resource(pattern: str, resource: str) -> bool:
    return resource != "*" and arn_matches(pattern, resource)


def as_list(value: Any) -> list[Any]:
    """IAM takes one thing in place of a list of one."""
    return list(value) if isinstance(value, list | tuple) else [value]
