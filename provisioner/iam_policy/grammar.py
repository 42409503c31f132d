"""What IAM will not take as a policy document.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from itertools import islice
from typing import Any

from provisioner.iam_policy.arns import principal_problem, resource_problem
from provisioner.iam_policy.documents import ELEMENTS, STATEMENT_ELEMENTS, VERSION, VERSIONS

Path = tuple[str | int, ...]

MAX_SHOWN = 60
# Of one document; who has more of them will not read them all.
MAX_PROBLEMS = 200
PRINCIPAL_TYPES = ("AWS", "Federated", "Service", "CanonicalUser")
_COMPARISONS = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
OPERATORS = (
    *("String" + suffix for suffix in ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase")),
    *("StringLike", "StringNotLike", "ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"),
    *("Numeric" + suffix for suffix in _COMPARISONS),
    *("Date" + suffix for suffix in _COMPARISONS),
    *("Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "Null"),
)

# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
_TRUST_ACTIONS = {
    f"sts:{name}".lower(): f"sts:{name}"
    for name in (
        *("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "SetContext"),
        *("SetSourceIdentity", "TagSession", "DecodeAuthorizationMessage", "GetAccessKeyInfo"),
        *("GetCallerIdentity", "GetFederationToken", "GetServiceBearerToken", "GetSessionToken"),
    )
}

_ACTION = re.compile(r"\*|(\*|[A-Za-z0-9.-]+):[A-Za-z0-9*?_-]+")
# As far as IAM reads it: an ISO 8601 date, with any time, or a number of seconds.
_DATE = re.compile(r"[0-9]{1,19}|-?[0-9]{1,9}(-(0?[1-9]|1[0-2])(-(0?[1-9]|[12][0-9]|3[01]))?)?([tT].*)?")
_SID = re.compile(r"[A-Za-z0-9]*")


def problems(document: Any, trust: bool = False, region: str = "") -> list[tuple[Path, str]]:
    """What IAM will not take: the path to each problem, and what is wrong there in words; the first 200.

    `trust` tells a role's trust policy from a policy that is attached to an identity. `region` is where the
    policy is used, which says of what partition its ARNs have to be; empty: any.
    """
    return list(islice(_document_problems(document, trust, region), MAX_PROBLEMS))


def _document_problems(document: Any, trust: bool, region: str) -> Iterator[tuple[Path, str]]:
    if not isinstance(document, Mapping):
        yield (), f"a policy document is a mapping with Version and Statement, found {_found(document)}"
        return
    yield from _unknown((), document, ELEMENTS, "a policy document")
    yield from _version_problems(document, trust)
    if "Id" in document and not isinstance(document["Id"], str):
        yield ("Id",), f"must be text, found {_found(document['Id'])}"
    if "Statement" not in document:
        yield (), "a policy document needs a Statement"
        return
    statements = document["Statement"]
    if isinstance(statements, Mapping):
        yield from _statement_problems(("Statement",), statements, trust, region)
    elif not isinstance(statements, list | tuple) or not statements:
        yield ("Statement",), f"must be a statement or a list of statements, found {_found(statements)}"
    else:
        for index, statement in enumerate(statements):
            yield from _statement_problems(("Statement", index), statement, trust, region)
        yield from _repeated_sids(statements)


def _version_problems(document: Mapping[str, Any], trust: bool) -> Iterator[tuple[Path, str]]:
    if "Version" not in document:
        if not trust:
            yield (), f'a policy document needs Version: "{VERSION}"'
        return
    version = document["Version"]
    if not isinstance(version, str):
        yield ("Version",), f'must be text, found {_found(version)}; write "{VERSION}" with the quotes'
    elif version not in VERSIONS:
        yield ("Version",), f'"{version}" is no version of the policy language; write "{VERSION}"'
    elif version != VERSION and not trust:
        yield ("Version",), f'IAM takes new policies of version "{VERSION}" only, found "{version}"'


def _statement_problems(path: Path, statement: Any, trust: bool, region: str) -> Iterator[tuple[Path, str]]:
    if not isinstance(statement, Mapping):
        yield path, f"a statement is a mapping with Effect and Action, found {_found(statement)}"
        return
    yield from _unknown(path, statement, STATEMENT_ELEMENTS, "a statement")
    yield from _sid_problems(path, statement)
    if "Effect" not in statement:
        yield path, "a statement needs an Effect: Allow or Deny"
    elif statement["Effect"] not in ("Allow", "Deny"):
        yield (*path, "Effect"), f"must be Allow or Deny, found {_found(statement['Effect'])}"

    yield from _one_of(path, statement, "Action", "NotAction")
    for element in _present(statement, "Action", "NotAction"):
        action_problem = _trust_action_problem if trust else _action_problem
        yield from _string_problems((*path, element), statement[element], action_problem)

    if trust:
        yield from _trusted_problems(path, statement, region)
        for element in _present(statement, "Resource", "NotResource"):
            yield (*path, element), f"a trust policy has no {element}: it is about the role it belongs to"
    else:
        for element in _present(statement, "Principal", "NotPrincipal"):
            yield (
                (*path, element),
                f"a policy of an identity has no {element}: it is about the role it belongs to",
            )
        yield from _one_of(path, statement, "Resource", "NotResource")
        for element in _present(statement, "Resource", "NotResource"):
            yield from _string_problems(
                (*path, element), statement[element], lambda arn: resource_problem(arn, region)
            )

    if "Condition" in statement:
        yield from _condition_problems((*path, "Condition"), statement["Condition"])


def _sid_problems(path: Path, statement: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    sid = statement.get("Sid", "")
    if not isinstance(sid, str):
        yield (*path, "Sid"), f"must be text, found {_found(sid)}"
    elif not _SID.fullmatch(sid):
        yield (*path, "Sid"), f'may hold letters A-Z, a-z and digits only, found "{sid}"'


def _repeated_sids(statements: Sequence[Any]) -> Iterator[tuple[Path, str]]:
    first: dict[str, int] = {}
    for index, statement in enumerate(statements):
        sid = statement.get("Sid") if isinstance(statement, Mapping) else None
        if isinstance(sid, str) and sid and first.setdefault(sid, index) != index:
            yield (
                ("Statement", index, "Sid"),
                f'"{sid}" is already the Sid of statement {first[sid] + 1}',
            )


def _trusted_problems(path: Path, statement: Mapping[str, Any], region: str) -> Iterator[tuple[Path, str]]:
    """Who may act as the role. Leaving some out is not offered there: it would let in everybody else."""
    if "NotPrincipal" in statement:
        message = "a trust policy takes no NotPrincipal; name those who may in Principal, or add a Condition"
        yield (*path, "NotPrincipal"), message
    elif "Principal" not in statement:
        yield path, "a statement needs a Principal"
    if "Principal" in statement:
        yield from _principal_problems((*path, "Principal"), statement["Principal"], region)


def _principal_problems(path: Path, principal: Any, region: str) -> Iterator[tuple[Path, str]]:
    if principal == "*":
        return
    if not isinstance(principal, Mapping) or not principal:
        allowed = ", ".join(PRINCIPAL_TYPES)
        yield path, f'must be "*" or a mapping with one or more of {allowed}; found {_found(principal)}'
        return
    yield from _unknown(path, principal, PRINCIPAL_TYPES, "a principal")
    for kind in _present(principal, *PRINCIPAL_TYPES):
        problem = partial(principal_problem, kind, region=region)
        yield from _string_problems((*path, kind), principal[kind], problem)


def _condition_problems(path: Path, condition: Any) -> Iterator[tuple[Path, str]]:
    if not isinstance(condition, Mapping):
        yield path, f"must be a mapping from operators to keys, found {_found(condition)}"
        return
    for operator, keys in condition.items():
        bare = re.sub(r"^(ForAllValues|ForAnyValue):", "", str(operator))
        plain = bare.removesuffix("IfExists")
        if plain not in OPERATORS or (plain == "Null" and bare != plain):
            yield (*path, operator), f'no condition operator is called "{operator}"{_meant(plain, OPERATORS)}'
        if not isinstance(keys, Mapping):
            yield (*path, operator), f"must be a mapping from condition keys to values, found {_found(keys)}"
            continue
        for key, value in keys.items():
            for where, item in _each((*path, operator, key), value):
                if not isinstance(item, str | bool | int | float):
                    yield where, f"must be text, a number or a boolean, found {_found(item)}"
                elif plain.startswith("Date") and not _DATE.fullmatch(str(item)):
                    yield where, f"must be a date such as 2030-01-31T12:00:00Z, found {_found(item)}"


def _string_problems(
    path: Path, value: Any, problem: Callable[[str], str | None]
) -> Iterator[tuple[Path, str]]:
    """The problems of one string or a list of them."""
    if isinstance(value, list | tuple) and not value:
        yield path, "must not be an empty list"
    for where, item in _each(path, value):
        if not isinstance(item, str):
            yield where, f"must be text, found {_found(item)}" + _quote_hint(item)
        elif (message := problem(item)) is not None:
            yield where, message


def _action_problem(action: str) -> str | None:
    if _ACTION.fullmatch(action):
        return None
    return f'"{action}" is no action; write service:Name, such as s3:GetObject, or "*"'


def _trust_action_problem(action: str) -> str | None:
    if not _ACTION.fullmatch(action):
        return _action_problem(action)
    if not action.lower().startswith("sts:"):
        return f'a trust policy takes actions of sts only, such as sts:AssumeRole; found "{action}"'
    if re.search(r"[*?]", action):
        return f'a trust policy takes no wildcards in actions; write sts:AssumeRole, found "{action}"'
    if action.lower() not in _TRUST_ACTIONS:
        near = _meant(action, _TRUST_ACTIONS.values())
        return f'a trust policy takes no action "{action}"{near or "; write sts:AssumeRole"}'
    return None


def _unknown(
    path: Path, mapping: Mapping[str, Any], known: Sequence[str], what: str
) -> Iterator[tuple[Path, str]]:
    for element in mapping:
        if element not in known:
            yield (*path, element), f'{what} has no element "{element}"{_meant(str(element), known)}'


def _one_of(
    path: Path, statement: Mapping[str, Any], element: str, opposite: str
) -> Iterator[tuple[Path, str]]:
    match len(list(_present(statement, element, opposite))):
        case 0:
            yield path, f"a statement needs {element} or {opposite}"
        case 2:
            yield (*path, opposite), f"a statement has {element} or {opposite}, not both"


def _present(mapping: Mapping[str, Any], *elements: str) -> Iterator[str]:
    return (element for element in elements if element in mapping)


def _each(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    """The scalar at a path, or the items of the list there, each with its own path."""
    if isinstance(value, list | tuple):
        yield from (((*path, index), item) for index, item in enumerate(value))
    else:
        yield path, value


def _meant(word: str, known: Iterable[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7)
    return f'; did you mean "{by_lower[near[0]]}"?' if near else ""


def _quote_hint(value: Any) -> str:
    return "; put it in quotes" if isinstance(value, int) else ""


def _found(value: Any) -> str:
    """A value as an error message shows it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the boolean {json.dumps(value)}"
        case str():
            shown = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…"
            return f'"{shown}"' if value else "empty text"
        case int() | float():
            return f"the number {value}"
        case Mapping():
            return "a mapping" if value else "an empty mapping"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case _:
            return f"the {type(value).__name__} {value}"
