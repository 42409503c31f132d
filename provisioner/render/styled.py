"""Lines as rich prints them. The only place that makes a rich text, so no value is ever one by itself."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from provisioner.render.layout import Line

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
    text = Text()
    for number, pieces in enumerate(lines):
        if number:
            text.append("\n")
        # No space at the end of a line: plans are pasted into pull requests.
        kept = [piece for piece in pieces if piece.text]
        while kept and not kept[-1].text.rstrip():
            kept.pop()
        if kept:
            kept[-1] = kept[-1]._replace(text=kept[-1].text.rstrip())
        for piece in kept:
            text.append(piece.text, STYLES.get(piece.style))
    return text


def stacked(rows: Sequence[Text]) -> Text:
    """Rows of what was laid out, one below the other."""
    return Text("\n").join(rows)
