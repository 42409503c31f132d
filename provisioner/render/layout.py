"""Lines of styled pieces: measuring them and breaking them to a width. Knows no terminal and no markup."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from provisioner.visible import presentable


class _Piece(NamedTuple):
    text: str
    style: str


class Piece(_Piece):
    """Some text in one style; a style is a name that the renderer understands.

    Whatever the text is made of, a piece is on one line and holds no secret: nothing of it is layout.
    """

    __slots__ = ()

    def __new__(cls, text: str, style: str = "") -> Piece:
        return super().__new__(cls, presentable(text), style)


Line = tuple[Piece, ...]

# How far what belongs to something is indented below it.
INDENT = 4


def line(text: str, style: str = "") -> Line:
    """A line of one piece."""
    return (Piece(text, style),)


def cells(text: str) -> int:
    """How many columns of a terminal some text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(character) for character in text)


def width_of(pieces: Sequence[Piece]) -> int:
    """How many columns a line takes."""
    return sum([cells(piece[0]) for piece in pieces])


def words(text: str, style: str = "") -> list[Line]:
    """The words of a text, each to be kept in one piece."""
    return [line(word, style) for word in presentable(text).split()]


def whole_words(text: str, style: str = "") -> list[Line]:
    """The same, but where spaces between them would be lost the text as one piece."""
    text = presentable(text)
    return words(text, style) if " ".join(text.split()) == text else [line(text, style)]


def flow(
    items: Iterable[Line],
    width: int,
    first: Line = (),
    indent: int = 0,
    gap: str = "  ",
    hanging: bool = False,
) -> list[Line]:
    """Lay items out one after the other, with `gap` between them, on as many lines as that takes.

    The first line starts with `first`, the others with `indent` columns of space, and so does the first when
    that is shorter, unless the others are `hanging` below it. An item wider than a line goes on below.
    """
    lines: list[Line] = []
    current = list(first if hanging else padded(first, indent))
    taken = width_of(current)
    fresh = True
    between, blank = Piece(gap), padded((), indent)
    for item in items:
        wide = width_of(item)
        room = width - taken - (0 if fresh else cells(gap))
        # A new line helps unless this one is as empty as the next would be.
        if wide > room and taken > indent:
            lines.append(tuple(current))
            current, taken = list(blank), indent
            fresh = True
        if not fresh:
            current.append(between)
            taken += cells(gap)
        *full, rest = _cut(item, max(width - taken, 8), max(width - indent, 8))
        for part in full:
            lines.append((*current, *part))
            current, taken = list(blank), indent
        current += rest
        taken += width_of(rest) if full else wide
        fresh = False
    return [*lines, tuple(current)]


def folded(item: Line, width: int, first: Line = (), indent: int = 0) -> list[Line]:
    """An item after `first`, on as many lines as it takes; all but the first are indented."""
    start, *rest = _cut(item, max(width - width_of(first), 8), max(width - indent, 8))
    return [(*first, *start), *((Piece(" " * indent), *part) for part in rest)]


def columns(items: Sequence[Line], width: int, first: Line = (), indent: int = 0) -> list[Line]:
    """Lay items out in columns of the same width, line by line; one wider than a line goes on below."""
    widest = max((width_of(item) for item in items), default=0)
    if indent + widest <= width:
        items = [padded(item, widest) for item in items]
    return flow(items, width, first, indent)


def padded(pieces: Line, width: int) -> Line:
    """A line with spaces after it up to a width."""
    missing = width - width_of(pieces)
    return (*pieces, Piece(" " * missing)) if missing > 0 else pieces


def shortened(text: str, width: int) -> str:
    """A text that takes no more columns than that; of a wider one the beginning."""
    return text if cells(text) <= width else f"{text[: _fitting(text, width - 1)]}…"


def _cut(item: Line, room: int, further_room: int) -> list[Line]:
    """An item as it is when it has room, else in parts that do."""
    if width_of(item) <= room:
        return [item]
    parts: list[Line] = []
    current: list[Piece] = []
    left = room
    for piece in item:
        text = piece.text
        while text:
            taken = _fitting(text, left)
            if taken < len(text):
                # After a blank; within a word only where it is longer than a line.
                taken = text.rfind(" ", 0, taken) + 1 or (
                    0 if _fits_below(text, further_room, current) else taken
                )
            if taken:
                current.append(Piece(text[:taken], piece.style))
                left -= cells(text[:taken])
                text = text[taken:]
            if text:
                parts.append(tuple(current))
                current, left = [], further_room
    return [*parts, tuple(current)]


def _fits_below(text: str, room: int, before: Sequence[Piece]) -> bool:
    """Whether the first word of a text is better begun on the next line: it has room there, and not here."""
    return bool(before) and before[-1].text.endswith(" ") and cells(text.partition(" ")[0]) <= room


def _fitting(text: str, room: int) -> int:
    """How many characters of a text have room."""
    if text.isascii():
        return max(min(room, len(text)), 0)
    used = 0
    for position, character in enumerate(text):
        used += _cells_of(character)
        if used > room:
            return position
    return len(text)


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
