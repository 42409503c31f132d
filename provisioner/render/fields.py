"""The fields of a change as lines: what it is made with, or what differs before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provisioner.canonical import jsonable
from provisioner.model import Action, Change, FieldChange
from provisioner.render.layout import Line, Piece, cells, flow, line, padded, width_of, words
from provisioner.render.policy_words import Difference, differences, sentences
from provisioner.render.words import brief, is_policy, shortened, shortened_pair, shown

INDENT = 4
_WIDEST_NAME = 22
_SHORTEST_VALUE = 20
_SHOWN_ITEMS = 4
_SHOWN_STATEMENTS = 4


def field_lines(change: Change, width: int) -> list[Line]:
    """The fields of a change. Something new tells what it is made with; all else tells what differs."""
    fields = [each for field in change.fields for each in _spread(field)]
    if change.action is Action.CREATE:
        return _made_with(fields, width)
    return _differing(fields, width)


def _spread(field: FieldChange) -> Iterator[FieldChange]:
    """A field that is a mapping, as one field for each of its keys that differs."""
    sides = (field.before, field.after)
    if any(is_policy(each) for each in sides) or not all(
        each is None or isinstance(each, Mapping) for each in sides
    ):
        yield field
        return
    before, after = ({} if each is None else each for each in sides)
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield from _spread(FieldChange(f"{field.path}.{key}", before.get(key), after.get(key)))


# --- something new


def _made_with(fields: Sequence[FieldChange], width: int) -> list[Line]:
    """Plain fields side by side; below them each policy, a statement a line."""
    plain = [_setting(each, width) for each in fields if not is_policy(each.after)]
    lines = flow(plain, width, indent=INDENT, gap=" · ") if plain else []
    for field in fields:
        if is_policy(field.after):
            lines += _policy(field, width)
    return lines


def _setting(field: FieldChange, width: int) -> Line:
    """`instance_type: t3.micro`; where something is there already, `count: 48 → 50`."""
    name = Piece(f"{field.path}: ", "name")
    value = brief(field.after, _SHOWN_ITEMS)
    if field.before is not None:
        value = f"{brief(field.before, _SHOWN_ITEMS)} → {value}"
    return (name, Piece(shortened(value, max(width - INDENT - cells(name.text), _SHORTEST_VALUE))))


def _policy(field: FieldChange, width: int) -> list[Line]:
    told = sentences(field.after, most=_SHOWN_ITEMS)
    hidden = len(told) - _SHOWN_STATEMENTS
    if hidden > 1:
        told = [*told[:_SHOWN_STATEMENTS], f"and {hidden} statements more"]
    name: Line = (Piece(" " * INDENT), Piece(f"{field.path}: ", "name"))
    if len(told) == 1:
        return flow(words(told[0]), width, name, INDENT + 2, gap=" ")
    lines = [name]
    for each in told:
        lines += flow(words(each), width, (Piece(" " * (INDENT + 2)),), INDENT + 4, gap=" ")
    return lines


# --- what differs


def _differing(fields: Sequence[FieldChange], width: int) -> list[Line]:
    """A block for each field, their names in a column."""
    column = INDENT + min(max((len(each.path) for each in fields), default=0), _WIDEST_NAME) + 2
    return [each for field in fields for each in _difference(field, column, width)]


def _difference(field: FieldChange, column: int, width: int) -> list[Line]:
    name: Line = (Piece(" " * INDENT), Piece(field.path, "name"))
    if width_of(name) + 2 > column:
        return [name, *_values(field, (), column, width)]
    return _values(field, padded(name, column), column, width)


def _values(field: FieldChange, name: Line, column: int, width: int) -> list[Line]:
    before, after = field.before, field.after
    if is_policy(before) or is_policy(after):
        return _policy_values(before, after, name, column, width)
    if _is_list(before) and _is_list(after):
        return _list_values(jsonable(before), jsonable(after), name, column, width)
    room = width - column
    if before is None:
        return flow([_signed("+", shortened(shown(after), room - 2))], width, name, column)
    if after is None:
        return flow([_signed("-", shortened(shown(before), room - 2))], width, name, column)
    old, new = shown(before), shown(after)
    if len(old) + len(new) + 3 <= room:
        return flow([(Piece(old, "old"), Piece(" → "), Piece(new, "new"))], width, name, column)
    old, new = shortened_pair(old, new, room - 2)
    return [*flow([_signed("-", old)], width, name, column), *flow([_signed("+", new)], width, (), column)]


def _list_values(before: list[Any], after: list[Any], name: Line, column: int, width: int) -> list[Line]:
    signed = [_signed("-", shown(each)) for each in before if each not in after]
    signed += [_signed("+", shown(each)) for each in after if each not in before]
    if signed:
        return flow(signed, width, name, column)
    return flow(words(f"{shown(before)} → {shown(after)}"), width, name, column, gap=" ")


def _policy_values(before: Any, after: Any, name: Line, column: int, width: int) -> list[Line]:
    if is_policy(before) and is_policy(after):
        told = differences(before, after)
    else:
        # A policy that comes or goes as a whole is told as a whole: this is what somebody may do.
        sign, document = ("+", after) if is_policy(after) else ("-", before)
        told = [Difference(sign, each) for each in sentences(document)]
    lines: list[Line] = []
    for difference in told:
        lines += _policy_line(difference, name, column, width)
        name = ()
    return lines


def _policy_line(difference: Difference, name: Line, column: int, width: int) -> list[Line]:
    """One difference: its words, then what its element lost and got."""
    style = {"+": "new", "-": "old", "~": "update"}[difference.sign]
    start: Line = (*padded(name, column), Piece(f"{difference.sign} ", style))
    lines = flow(
        words(difference.words, "" if difference.sign == "~" else style), width, start, column + 2, gap=" "
    )
    items = [_signed("-", each) for each in difference.gone] + [_signed("+", each) for each in difference.new]
    return [*lines[:-1], *flow(items, width, (*lines[-1], Piece("  ")), column + 2)] if items else lines


def _signed(sign: str, text: str) -> Line:
    return line(f"{sign} {text}", "new" if sign == "+" else "old")


def _is_list(value: Any) -> bool:
    return isinstance(jsonable(value), list)
