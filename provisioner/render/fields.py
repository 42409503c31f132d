"""The fields of a change in words, the same for every format: what it is made with, or what differs.

Nothing is left out and nothing is cut off. How it is laid out and broken is the business of each format, and
so is escaping what has a meaning in its markup. Texts are on one line each and hold no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import unified_diff
from enum import StrEnum
from typing import Any, NamedTuple

from provisioner.canonical import jsonable
from provisioner.iam_policy.wide_rights import grants_wide_rights, is_wide_policy
from provisioner.model import Action, Change, FieldChange, UserData
from provisioner.render.policy_words import differences, sentence, statements
from provisioner.render.words import is_policy, shown, shown_item
from provisioner.secrecy import without_credentials_at, without_listed_credentials
from provisioner.visible import presentable

# The field of a role whose items are policies of others, by ARN.
MANAGED_POLICIES = "managed_policies"
# The fields of a security group whose items are rules, a line each, and what lets the whole world in.
RULES = ("ingress", "egress")
_FROM_EVERYWHERE = re.compile(r" from (0\.0\.0\.0/0|::/0)(?![0-9.])")


class Shape(StrEnum):
    """What the parts of a field are: a value (before and after), items, statements, or lines of a text."""

    VALUE = "value"
    ITEMS = "items"
    POLICY = "policy"
    TEXT = "text"


class Part(NamedTuple):
    """A piece of a field. `sign` is `+` for what comes, `-` for what goes, `~` for a statement that changes,
    and empty for what something new is made with; in a text also a space for what stays, `@` for where it is.

    `is_wide`: it grants wide rights, which is to be marked with `!`. `items` are what the element of a
    statement that `text` names loses and gets.
    """

    sign: str
    text: str
    is_wide: bool = False
    items: tuple[Part, ...] = ()


class Field(NamedTuple):
    """A field with everything that there is to tell of it. `is_default`: the spec does not say it."""

    path: str
    shape: Shape
    parts: tuple[Part, ...]
    is_default: bool = False


def fields_of(change: Change, user_data: bool = False, is_drift: bool = False) -> tuple[Field, ...]:
    """All fields of a change. `user_data` shows user data, too: what it is, or line by line what differs.

    What grants wide rights is marked where it does so once the change is made, and of drift in AWS now.
    """
    return tuple(
        told
        for field in change.fields
        for part in _spread(field)
        for told in _told(part, change.action is Action.CREATE, user_data, is_drift)
    )


def has_wide_rights(fields: Iterable[Field]) -> bool:
    """Whether one of the parts is marked."""
    return any(part.is_wide for field in fields for part in field.parts)


def wide_rights(field: FieldChange, is_drift: bool = False) -> list[str]:
    """The statements and managed policies of a field that are marked, as `fields_of` has it."""
    told = [presented for part in _spread(field) for presented in _told(part, False, False, is_drift)]
    return [part.text for presented in told for part in presented.parts if part.is_wide]


def _spread(field: FieldChange) -> Iterator[FieldChange]:
    """A field that is a mapping on both sides, or holds further ones, as one for each key that differs."""
    before, after = field.before, field.after
    if not _is_mapping(before, after) or any(is_policy(policy) for policy in (before, after)):
        yield field
        return
    values = [value for side in (before, after) for value in (side or {}).values()]
    if (before and after) or any(isinstance(value, Mapping) for value in values):
        before, after = before or {}, after or {}
        for key in dict.fromkeys([*before, *after]):
            if before.get(key) != after.get(key):
                path = f"{field.path}.{key}"
                yield from _spread(FieldChange(path, before.get(key), after.get(key), field.is_default))
    else:
        yield field


def _is_mapping(*sides: Any) -> bool:
    return all(side is None or isinstance(side, Mapping) for side in sides) and sides != (None, None)


def _shown_at(path: str, value: Any) -> Any:
    """A value without what beside the name of its field is a secret."""
    if isinstance(value, list | tuple):
        return without_listed_credentials(jsonable(value), path)
    return without_credentials_at(path, value)


def _told(field: FieldChange, is_made: bool, user_data: bool, is_drift: bool) -> Iterator[Field]:
    before, after = (_shown_at(field.path, value) for value in (field.before, field.after))
    field = replace(field, before=before, after=after)
    is_new = is_made and before is None

    def told(shape: Shape, parts: Iterable[Part]) -> Field:
        return Field(presentable(field.path), shape, tuple(parts), field.is_default)

    if is_policy(before) or is_policy(after):
        yield told(Shape.POLICY, _policy(before, after, is_new, is_drift))
    elif items := _items(field, is_new, is_drift):
        yield told(Shape.POLICY if field.path in RULES else Shape.ITEMS, items)
    else:
        yield told(Shape.VALUE, _value(before, after, is_new))
    if user_data and (lines := _text(before, after, is_new)):
        yield told(Shape.TEXT, lines)


def _value(before: Any, after: Any, is_new: bool) -> list[Part]:
    if is_new:
        return [Part("", shown(after))]
    gone = [Part("-", shown(before))] if before is not None else []
    return [*gone, *([Part("+", shown(after))] if after is not None or not gone else [])]


def _items(field: FieldChange, is_new: bool, is_drift: bool) -> list[Part]:
    """Of two lists what goes and comes; of a new one all."""
    if not all(value is None or isinstance(jsonable(value), list) for value in (field.before, field.after)):
        return []
    before, after = ([] if value is None else jsonable(value) for value in (field.before, field.after))
    is_managed = field.path.rpartition(".")[2] == MANAGED_POLICIES
    is_rule = field.path in RULES

    def is_wide(item: str) -> bool:
        return (is_managed and is_wide_policy(item)) or (is_rule and bool(_FROM_EVERYWHERE.search(item)))

    def part(sign: str, item: Any) -> Part:
        return Part(sign, shown_item(item), (sign == "-") is is_drift and is_wide(str(item)))

    gone = [part("-", item) for item in before if item not in after]
    return gone + [part("" if is_new else "+", item) for item in after if item not in before]


def _policy(before: Any, after: Any, is_new: bool, is_drift: bool) -> list[Part]:
    if is_policy(before) and is_policy(after):
        told = [
            Part(
                difference.sign,
                difference.words,
                difference.is_wide,
                (
                    *(Part("-", item) for item in difference.gone),
                    *(Part("+", item) for item in difference.new),
                ),
            )
            for difference in differences(before, after, is_drift)
        ]
        if told:
            return told
    # A policy that comes or goes as a whole is told as a whole: this is what somebody may do.
    sides = [("-", before), ("" if is_new else "+", after)]
    return [part for sign, side in sides if side is not None for part in _statements(sign, side, is_drift)]


def _statements(sign: str, side: Any, is_drift: bool) -> list[Part]:
    if not is_policy(side):
        return [Part(sign, shown(side))]
    is_asked = (sign == "-") is is_drift
    return [
        Part(sign, sentence(statement), is_asked and grants_wide_rights(statement))
        for statement in statements(side)
    ]


def _text(before: Any, after: Any, is_new: bool) -> list[Part]:
    """User data line by line: of two what differs, as `diff -u` has it; of one all."""
    sides = [value.content if isinstance(value, UserData) else None for value in (before, after)]
    old, new = (None if content is None else _lines(content) for content in sides)
    if before is None or after is None:
        sign = "-" if after is None else "" if is_new else "+"
        return [Part(sign, line) for line in new or old or ()]
    if old is None or new is None:
        # What differs cannot be told; what will be there can.
        return [Part("", line) for line in new or ()]
    diff = list(unified_diff(old, new, lineterm=""))[2:]
    return [Part("@", line) if line.startswith("@") else Part(line[0], line[1:]) for line in diff]


def _lines(text: str) -> list[str]:
    """The lines of a text, each visible, also what is at their ends."""
    lines = text.split("\n")
    last = lines.pop()
    # As diff says it: https://www.gnu.org/software/diffutils/manual/html_node/Incomplete-Lines.html
    lines += [last, "\\ No newline at end of file"] if last else []
    shown_lines = []
    for line in map(presentable, lines):
        bare = line.rstrip(" ")
        shown_lines.append(bare + "\\u0020" * (len(line) - len(bare)))
    return shown_lines
