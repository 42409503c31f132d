"""The fields of a change as lines for a terminal. Nothing is cut off: what is long goes on below."""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.model import Action
from provisioner.render.fields import Field, Part, Shape
from provisioner.render.layout import (
    INDENT,
    Line,
    Piece,
    flow,
    folded,
    line,
    padded,
    whole_words,
    width_of,
    words,
)

_WIDEST_NAME = 22
# With less room than this beside their names, values have lines of their own.
LEAST_ROOM = 30

# What marks that something grants wide rights.
WIDE = "!"

_STYLES = {"+": "new", "-": "old", "~": "update", "@": "place", " ": "", "": ""}


def field_lines(fields: Sequence[Field], action: Action, width: int) -> list[Line]:
    """The fields of a change. What is made or goes tells what it has; all else tells what differs."""
    is_whole = action in (Action.CREATE, Action.DELETE)
    return _made_with(fields, width) if is_whole else _differing(fields, width)


# --- what is made, or goes


def _made_with(fields: Sequence[Field], width: int) -> list[Line]:
    """Values side by side, defaults last; below them each policy, a statement a line, and each text."""
    lines: list[Line] = []
    row: list[Line] = []
    said = [field for field in fields if not field.is_default]
    for field in said:
        if field.shape in (Shape.POLICY, Shape.TEXT):
            continue
        setting = _setting(field)
        if INDENT + width_of(setting) <= width:
            row.append(setting)
            continue
        lines += _row(row, width) + _paragraph(field, width)
        row = []
    lines += _row([*row, *_defaults([field for field in fields if field.is_default])], width)
    for field in said:
        if field.shape in (Shape.POLICY, Shape.TEXT):
            lines += _block(field, width)
    return lines


def _row(settings: Sequence[Line], width: int) -> list[Line]:
    return flow(settings, width, indent=INDENT, gap=" · ") if settings else []


def _setting(field: Field) -> Line:
    """`instance_type: t3.micro`; where something is there already, `count: 48 → 50`."""
    pieces: list[Piece] = [Piece(f"{field.path}: ", "name")]
    for index, part in enumerate(field.parts):
        if index:
            pieces.append(Piece(" → " if field.shape is Shape.VALUE else ", "))
        pieces += [*_mark(part), Piece(part.text)]
    return tuple(pieces)


def _paragraph(field: Field, width: int) -> list[Line]:
    """A setting that takes more than a line."""
    items: list[Line] = []
    for index, part in enumerate(field.parts):
        if index and field.shape is Shape.VALUE:
            items.append(line("→"))
        is_followed = field.shape is Shape.ITEMS and index < len(field.parts) - 1
        items += _marked(part, whole_words(part.text + ("," if is_followed else "")))
    return flow(items, width, _name(field), INDENT + 2, gap=" ")


def _block(field: Field, width: int) -> list[Line]:
    """A policy, a statement a line; or a text."""
    if len(field.parts) == 1 and field.shape is Shape.POLICY:
        (part,) = field.parts
        return flow(_marked(part, words(part.text)), width, _name(field), INDENT + 2, gap=" ")
    lines = [_name(field)]
    for part in field.parts:
        if field.shape is Shape.TEXT:
            lines += _text_line(part, INDENT + 2, width)
        else:
            start = (Piece(" " * (INDENT + 2)),)
            lines += flow(_marked(part, words(part.text)), width, start, INDENT + 4, " ", hanging=True)
    return lines


def _name(field: Field) -> Line:
    return (Piece(" " * INDENT), Piece(f"{field.path}: ", "name"))


def _defaults(fields: Sequence[Field]) -> list[Line]:
    """What the spec does not say and its absence means, side by side behind all that it says."""
    told = [f"{field.path} {', '.join(part.text for part in field.parts)}" for field in fields]
    return [line(("" if index else "defaults: ") + text, "faint") for index, text in enumerate(told)]


# --- what differs


def _differing(fields: Sequence[Field], width: int) -> list[Line]:
    """A block for each field, their names in a column."""
    column = INDENT + min(max((len(field.path) for field in fields), default=0), _WIDEST_NAME) + 2
    if width - column < LEAST_ROOM:
        column = INDENT + 2
    return [row for field in fields for row in _difference(field, column, width)]


def _difference(field: Field, column: int, width: int) -> list[Line]:
    name: Line = (Piece(" " * INDENT), Piece(field.path, "name"))
    if width_of(name) + 2 > column:
        return [*flow([name[1:]], width, name[:1], INDENT), *_parts(field, (), column, width)]
    return _parts(field, padded(name, column), column, width)


def _parts(field: Field, name: Line, column: int, width: int) -> list[Line]:
    match field.shape:
        case Shape.VALUE:
            return _values(field.parts, name, column, width)
        case Shape.ITEMS:
            return flow([_signed(part) for part in field.parts], width, name, column)
        case Shape.POLICY:
            return _statements(field.parts, name, column, width)
        case Shape.TEXT:
            # Its name is above, with its size.
            return [row for part in field.parts for row in _text_line(part, INDENT + 2, width)]


def _values(parts: Sequence[Part], name: Line, column: int, width: int) -> list[Line]:
    """`before → after`, or one below the other where that is too long."""
    if len(parts) == 2:
        old, new = parts
        both = (Piece(old.text, "old"), Piece(" → "), Piece(new.text, "new"))
        if column + width_of(both) <= width:
            return flow([both], width, name, column)
    lines: list[Line] = []
    for part in parts:
        style = _STYLES[part.sign]
        start: Line = (*padded(name, column), Piece(f"{part.sign} ", style))
        lines += flow(whole_words(part.text, style), width, start, column + 2, gap=" ")
        name = ()
    return lines


def _statements(parts: Sequence[Part], name: Line, column: int, width: int) -> list[Line]:
    """What differs between policies: the words of each difference, then what its element lost and got."""
    lines: list[Line] = []
    for part in parts:
        style = _STYLES[part.sign]
        start: Line = (*padded(name, column), Piece(f"{part.sign} ", style))
        told = _marked(part, words(part.text, "" if part.sign == "~" else style))
        told_lines = flow(told, width, start, column + 2, gap=" ")
        if part.items:
            items = [_signed(item) for item in part.items]
            last = (*told_lines.pop(), Piece("  "))
            told_lines += flow(items, width, last, column + 2)
        lines += told_lines
        name = ()
    return lines


def _text_line(part: Part, indent: int, width: int) -> list[Line]:
    """A line of a text; what goes on below is indented further, so that it cannot be taken for a line."""
    sign = "" if part.sign == "@" else f"{part.sign or ' '} "
    start: Line = (Piece(" " * indent), Piece(sign, _STYLES[part.sign]))
    return folded(line(part.text, _STYLES[part.sign]), width, start, indent + 4)


def _signed(part: Part) -> Line:
    style = _STYLES[part.sign]
    return (Piece(f"{part.sign} ", style), *_mark(part), Piece(part.text, style))


def _mark(part: Part) -> Line:
    return (Piece(WIDE, "alarm"), Piece(" ")) if part.is_wide else ()


def _marked(part: Part, told: list[Line]) -> list[Line]:
    """Words, the first with a mark if they are about wide rights."""
    return [(*_mark(part), *told[0]), *told[1:]] if told else told
