"""The permissions of a spec: what every kind says that it needs, as documents of an IAM policy.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from provisioner.kinds.base import AnyKind
from provisioner.model import Environment
from provisioner.rights import ANYTHING, Place, Purpose, Statement, proof_statements

VERSION = "2012-10-17"
# Of a managed policy, white space not counted:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MAX_CHARACTERS = 6_144
ALL = "all"


def permissions(
    environment: Environment, kinds: Sequence[AnyKind], place: Place, wanted: str, proving: bool = False
) -> tuple[Statement, ...]:
    """The statements that a deployer needs; `wanted` is a Purpose, or `all` for every one of them.

    `proving`: with what `--prove` asks besides.
    """
    purposes = {
        Purpose.PLAN: (Purpose.PLAN,),
        Purpose.APPLY: (Purpose.PLAN, Purpose.APPLY),
        Purpose.DESTROY: (Purpose.DESTROY,),
        ALL: tuple(Purpose),
    }[wanted]
    asked = [
        statement
        for purpose in purposes
        for kind in kinds
        for statement in kind.permissions(environment, place, purpose)
    ]
    asked += proof_statements(place) if proving else ()
    return tuple(_numbered(_without_repeats(_merged(asked))))


def _merged(statements: Iterable[Statement]) -> list[Statement]:
    """Statements with one name, the same resources and conditions as one, in the order of the first."""
    merged: dict[str, Statement] = {}
    for statement in statements:
        key = json.dumps([statement.sid, statement.resources, statement.conditions], sort_keys=True)
        before = merged.get(key)
        actions = {*(before.actions if before else ()), *statement.actions}
        merged[key] = replace(before or statement, actions=tuple(sorted(actions)))
    return [statement for statement in merged.values() if statement.actions]


def _without_repeats(statements: Sequence[Statement]) -> Iterator[Statement]:
    """Without what another statement allows on everything, whatever the conditions."""
    open_ = {
        action: statement
        for statement in statements
        if statement.resources == ANYTHING and not statement.conditions
        for action in statement.actions
    }
    for statement in statements:
        kept = tuple(action for action in statement.actions if open_.get(action, statement) is statement)
        if kept:
            yield replace(statement, actions=kept)


def _numbered(statements: Iterable[Statement]) -> Iterator[Statement]:
    """With a number where a name is taken: those of a policy have to differ."""
    taken: dict[str, int] = {}
    for statement in statements:
        number = taken[statement.sid] = taken.get(statement.sid, 0) + 1
        yield statement if number == 1 else replace(statement, sid=f"{statement.sid}{number}")


def documents(statements: Sequence[Statement]) -> list[dict[str, Any]]:
    """The statements as policies, as few as hold them."""
    policies: list[list[dict[str, Any]]] = [[]]
    for statement in map(_element, statements):
        if _size([*policies[-1], statement]) > MAX_CHARACTERS and policies[-1]:
            policies.append([])
        policies[-1].append(statement)
    return [_document(policy) for policy in policies]


def _element(statement: Statement) -> dict[str, Any]:
    element: dict[str, Any] = {
        "Sid": statement.sid,
        "Effect": "Allow",
        "Action": _one_or_list(statement.actions),
        "Resource": _one_or_list(statement.resources),
    }
    if statement.conditions:
        element["Condition"] = statement.conditions
    return element


def _one_or_list(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def _document(statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": list(statements)}


def _size(statements: Sequence[Mapping[str, Any]]) -> int:
    return len(json.dumps(_document(statements), separators=(",", ":")))
