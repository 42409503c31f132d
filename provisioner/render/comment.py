"""A comment on a pull request: pieces of Markdown, each as full as there is room for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from provisioner.render.words import count

# GitHub takes 65,536 in one comment. The rest is for a line of whoever posts it; GitLab takes more.
MAX_CHARACTERS = 65_000
# Kept free for the sentence that counts what was left out.
RESERVE = 600
_BETWEEN = "\n\n"


class Part(NamedTuple):
    """A piece of the comment: what it is, and its `forms`, the shortest first."""

    noun: str
    forms: tuple[str, ...]


class Chosen(NamedTuple):
    """A piece in the form that there is room for; `text` is empty where there is room for none."""

    part: Part
    text: str

    @property
    def shortness(self) -> str:
        """How it is shorter than it could be; empty where it is not."""
        forms = self.part.forms
        if self.text == forms[-1]:
            return ""
        return "not at all" if not self.text else "in one line" if self.text == forms[0] else "without ids"


def fitted(parts: Iterable[Part], room: int) -> list[Chosen]:
    """Each part in a form that there is room for; all get a short one before any gets a fuller one."""
    chosen = [Chosen(part, "") for part in parts]
    for level in range(max((len(choice.part.forms) for choice in chosen), default=0)):
        for at, (part, text) in enumerate(chosen):
            form = part.forms[min(level, len(part.forms) - 1)]
            more = length(form) - length(text)
            if more <= room:
                chosen[at] = Chosen(part, form)
                room -= more
    return chosen


def length(text: str) -> int:
    """How many characters a part takes, counted as GitHub may do it: those beyond 16 bits are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 + len(_BETWEEN) if text else 0


def joined(parts: Iterable[str]) -> str:
    return _BETWEEN.join(part for part in parts if part) + "\n"


def left_out(chosen: Iterable[Chosen], promise: str, where: str) -> str:
    """What is not told whole: how much, what is whole all the same, and where the rest is to be seen."""
    shorter = Counter((choice.part.noun, choice.shortness) for choice in chosen if choice.shortness)
    if not shorter:
        return ""
    told = ", ".join(f"{count(number, noun)} {how}" for (noun, how), number in sorted(shorter.items()))
    lines = [
        "> [!IMPORTANT]",
        f"> There is more than one comment can hold. Here are: {told}. {promise}{where}",
    ]
    return "\n".join(lines)
