"""Permissions as a table for people: operation, resource and condition, with what for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from rich.text import Text

from provisioner.render.layout import Line, Piece, flow, line, words
from provisioner.render.styled import styled
from provisioner.rights import Conditions, Statement

_WORDS = {
    "StringEquals": "is",
    "StringEqualsIfExists": "is, if given,",
    "StringNotEquals": "is not",
    "ArnEquals": "is",
    "ArnLike": "is like",
    "ForAllValues:StringEquals": "are only",
    "ForAllValues:StringNotEquals": "are never",
}
_FOR = {
    "plan": "to plan",
    "apply": "to apply",
    "destroy": "to destroy",
    "all": "to plan, to apply and to destroy",
}
_GAP = "  "
_INDENT = 2


def permissions_text(
    environment: str,
    wanted: str,
    statements: Sequence[Statement],
    policies: Sequence[Mapping[str, Any]],
    width: int,
) -> Text:
    """The statements in their colours; print it with `soft_wrap=True`."""
    return styled(permission_lines(environment, wanted, statements, policies, width))


def permission_lines(
    environment: str,
    wanted: str,
    statements: Sequence[Statement],
    policies: Sequence[Mapping[str, Any]],
    width: int,
) -> list[Line]:
    """The statements laid out for `width` columns."""
    actions = {action for statement in statements for action in statement.actions}
    held = "one policy holds" if len(policies) == 1 else f"{len(policies)} policies hold"
    heading: Line = (
        Piece("Permissions of "),
        Piece(environment, "title"),
        Piece(
            f" {_FOR[wanted]}: {len(actions)} actions in {len(statements)} statements; {held} them", "faint"
        ),
    )
    lines = [heading]
    operations = max(len(action) for action in actions)
    for statement in statements:
        title: Line = (Piece(statement.sid, "title"), Piece(_GAP))
        lines += [(), *flow(words(statement.why, "faint"), width, title, _INDENT, " ")]
        lines += _rows(statement, operations)
    lines += [
        (),
        line("--format json prints the policy. What it cannot confine: docs/permissions.md", "faint"),
    ]
    return lines


def _rows(statement: Statement, operations: int) -> Iterator[Line]:
    """Operations beside what they are allowed on, which ends with what has to hold."""
    beside = [
        *((name, "") for name in map(_short, statement.resources)),
        *((condition, "faint") for condition in _in_words(statement.conditions)),
    ]
    for action, (text, style) in zip_longest(statement.actions, beside, fillvalue=("", "")):
        name = action if isinstance(action, str) else ""
        yield Piece(" " * _INDENT), Piece(name.ljust(operations), "name"), Piece(_GAP), Piece(text, style)


def _short(arn: str) -> str:
    """What an ARN says of the thing itself; and that it is AWS's, of a policy that is."""
    if not arn.startswith("arn:"):
        return arn
    return arn.split(":", 4)[-1] if ":iam::aws:" in arn else arn.split(":", 5)[-1]


def _in_words(conditions: Conditions) -> Iterator[str]:
    for operator, keys in conditions.items():
        for key, value in keys.items():
            first, *others = value if isinstance(value, list) else [value]
            yield f"if {key} {_WORDS.get(operator, operator)} {_short(str(first))}"
            yield from (f"  or {_short(str(other))}" for other in others)
