"""IAM policy documents: what they mean, and how they are sent.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Path = tuple[str | int, ...]

VERSION = "2012-10-17"
VERSIONS = ("2008-10-17", VERSION)
ELEMENTS = ("Version", "Id", "Statement")
STATEMENT_ELEMENTS = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)

_ACCOUNT_ROOT = re.compile(r"arn:[a-z-]+:iam::(\d{12}):root")


def canonical(document: Mapping[str, Any]) -> dict[str, Any]:
    """The normal form of a policy document, itself a policy document.

    Two documents mean the same exactly when their normal forms are `==`. Lists of one become scalars, lists
    are sorted and rid of duplicates, actions and condition keys are lower case, condition values are text,
    an account's root becomes the bare account id, and an absent Version is the one that IAM assumes.
    What breaks the grammar is kept as it is, so that it differs from everything else.
    """
    normal = {"Version": VERSIONS[0]} | dict(document)
    if "Statement" in normal:
        statements = [_canonical_statement(statement) for statement in _listed(normal["Statement"])]
        normal["Statement"] = sorted(statements, key=_sort_key)
    return _ordered(normal, ELEMENTS)


def _canonical_statement(statement: Any) -> Any:
    if not isinstance(statement, Mapping):
        return statement
    normal = dict(statement)
    for element, value in statement.items():
        match element:
            case "Action" | "NotAction":
                normal[element] = _set_of(value, _lower)
            case "Resource" | "NotResource":
                normal[element] = _set_of(value)
            case "Principal" | "NotPrincipal":
                normal[element] = _canonical_principal(value)
            case "Condition" if isinstance(value, Mapping):
                normal[element] = {operator: _canonical_keys(value[operator]) for operator in sorted(value)}
    # An empty Sid or Condition says nothing. Tools write both.
    if normal.get("Sid") == "":
        del normal["Sid"]
    if normal.get("Condition") == {}:
        del normal["Condition"]
    return _ordered(normal, STATEMENT_ELEMENTS)


def _canonical_principal(principal: Any) -> Any:
    """Everybody is `{"AWS": "*"}`; an account is its id."""
    if principal == "*":
        return {"AWS": "*"}
    if not isinstance(principal, Mapping):
        return principal
    return {
        kind: _set_of(principal[kind], _account_id if kind == "AWS" else None) for kind in sorted(principal)
    }


def _canonical_keys(keys: Any) -> Any:
    """The keys below one condition operator, with their values as text."""
    if not isinstance(keys, Mapping):
        return keys
    # Keys that differ in nothing but case must not swallow each other.
    clashes = Counter(key.lower() for key in keys)
    named = {key if clashes[key.lower()] > 1 else key.lower(): value for key, value in keys.items()}
    return {key: _set_of(named[key], _text) for key in sorted(named)}


def _set_of(value: Any, change: Callable[[Any], Any] | None = None) -> Any:
    """One value or many, in any order: sorted, each once; a scalar when it is only one."""
    values = [change(item) if change else item for item in _listed(value)]
    unique = {_sort_key(item): item for item in values}
    ordered = [unique[key] for key in sorted(unique)]
    return ordered[0] if len(ordered) == 1 else ordered


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _account_id(value: Any) -> Any:
    root = _ACCOUNT_ROOT.fullmatch(value) if isinstance(value, str) else None
    return root[1] if root else value


def _text(value: Any) -> Any:
    """A condition value as IAM reads it: booleans and numbers are their JSON spelling."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value) if isinstance(value, bool | int | float) else value


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _sort_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _ordered(mapping: Mapping[str, Any], first: Iterable[str]) -> dict[str, Any]:
    """The same mapping, with its keys in the order in which people read them."""
    order = {key: position for position, key in enumerate(first)}
    return {key: mapping[key] for key in sorted(mapping, key=lambda key: (order.get(key, len(order)), key))}


def trust_for(services: Sequence[str]) -> dict[str, Any]:
    """The trust policy that lets these service principals (`ec2.amazonaws.com`) assume a role."""
    principals: Any = services[0] if len(services) == 1 else list(services)
    statement = {"Effect": "Allow", "Principal": {"Service": principals}, "Action": "sts:AssumeRole"}
    return {"Version": VERSION, "Statement": [statement]}


def compact(document: Mapping[str, Any]) -> str:
    """The JSON text to send: no white space between tokens, and ASCII only.

    IAM takes no character above U+00FF in a document, so those are escaped. Version goes first: IAM has
    refused documents whose Version follows their Statement.
    """
    return json.dumps(_ordered(document, ELEMENTS), separators=(",", ":"))


def size(document: Mapping[str, Any]) -> int:
    """The length that IAM holds against its quotas, which do not count white space between tokens."""
    return len(compact(document))
