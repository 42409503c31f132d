"""Lines as rich prints them. The only place that makes a rich text, so no value is ever one by itself.

rich is imported where something is drawn: that takes a twentieth of a plan's CPU time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from provisioner.render.layout import Line, Piece

if TYPE_CHECKING:
    from rich.text import Text

# Bright red, because the plain one is hard to read on black in many terminals, and it must be read.
STYLES = {
    "create": "bold green",
    "update": "bold yellow",
    "replace": "bold magenta",
    "delete": "bold bright_red",
    "gone": "bright_red",
    "name": "cyan",
    "old": "bright_red",
    "new": "green",
    "faint": "dim",
    "title": "bold",
    "local": "bold black on yellow",
    "warning": "bold yellow",
    "alarm": "bold white on red",
    "good": "bold green",
    "unfinished": "yellow",
    "well": "green",
    "place": "bold cyan",
}


def styled(lines: Sequence[Line]) -> Text:
    """Lines in their colours; print them with `soft_wrap=True`, as they are broken already."""
    from rich.text import Text

    text = Text()
    for number, pieces in enumerate(_without_ends(lines)):
        if number:
            text.append("\n")
        for piece in pieces:
            text.append(piece.text, STYLES.get(piece.style))
    return text


def plain(lines: Sequence[Line]) -> str:
    """Lines without colours, as they are printed where there is no terminal."""
    return "\n".join("".join([piece.text for piece in pieces]) for pieces in _without_ends(lines))


def _without_ends(lines: Sequence[Line]) -> Iterator[list[Piece]]:
    """The pieces of each line, without space at its end: plans are pasted into pull requests."""
    for pieces in lines:
        kept = [piece for piece in pieces if piece.text]
        while kept and not kept[-1].text.rstrip():
            kept.pop()
        if kept:
            kept[-1] = kept[-1]._replace(text=kept[-1].text.rstrip())
        yield kept


def stacked(rows: Sequence[Text]) -> Text:
    """Rows of what was laid out, one below the other."""
    from rich.text import Text

    return Text("\n").join(rows)
