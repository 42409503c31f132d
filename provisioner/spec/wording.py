"""How paths, values and what is allowed are put into words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from itertools import islice
from typing import Any

from provisioner.kinds.base import Path
from provisioner.secrecy import without_credentials_at
from provisioner.spec.schemas import resolve

# Longer texts may be secrets that were pasted into the wrong place: an AWS secret key has 40 characters.
LONGEST = 36
SHOWN = 16
MAX_KEY = 64
MAX_KEYS = 4

_PLAIN_TEXT = re.compile(r"[A-Za-z/][A-Za-z0-9_./@+-]*(:[A-Za-z0-9_./@+-]+)*")
_WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
# A text that is a credential by nothing but its name.
_ANY = "anything"
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dotted(path: Path) -> str:
    """A path as people write it: `roles.web.inline_policies.read.Statement[0].Action`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            step = shorten(step, MAX_KEY)
            text += f".{step}" if text else step
        else:
            text += f"[{quoted(step)}]"
    return text


def shorten(text: str, longest: int = LONGEST) -> str:
    """A text for a message; of a long one only the beginning and the length."""
    return text if len(text) <= longest else f"{text[:SHOWN]}… ({len(text)} characters)"


def quoted(text: str) -> str:
    """A text in double quotes, as it can be written in YAML, in one line and not at length."""
    if len(text) > LONGEST:
        return f"{json.dumps(text[:SHOWN] + '…', ensure_ascii=False)} ({len(text)} characters)"
    return json.dumps(text, ensure_ascii=False)


class Suggestions:
    """Says what was probably meant, until that has taken too much time: a spec can have any number of slips.

    A comparison of two words takes about 50 microseconds.
    """

    def __init__(self, comparisons: int = 5_000) -> None:
        self.left = comparisons

    def near(self, word: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
        """The candidate that was probably meant: one that goes on after the word, or is spelt much like it.

        Case is no matter. `cutoff` is how alike they have to be, from 0 to 1. None if there is none, and
        for words that are too long to be a slip.
        """
        return next(iter(self.nearest(word, candidates, cutoff)), None)

    def nearest(self, word: str, candidates: Iterable[str], cutoff: float = 0.6) -> list[str]:
        """The same, with all that are as near as the nearest, three at most."""
        if len(word) > MAX_KEY or not self.left:
            return []
        by_lower = {candidate.lower(): candidate for candidate in islice(candidates, self.left)}
        self.left = max(0, self.left - len(by_lower))
        lower = word.lower()
        longer = [candidate for candidate in by_lower if len(lower) > 1 and candidate.startswith(lower)]
        found = sorted(longer, key=len)[:1] or get_close_matches(lower, by_lower, n=3, cutoff=cutoff)
        if found and by_lower[found[0]] == word:
            return []
        nearness = [SequenceMatcher(a=one, b=lower).ratio() for one in found]
        return [by_lower[one] for one, near in zip(found, nearness, strict=True) if near == nearness[0]]


def flow(value: Any) -> str:
    """A scalar as it can be written in YAML between brackets: in quotes only where it needs them."""
    if isinstance(value, str):
        plain = _PLAIN_TEXT.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else quoted(value)
    return json.dumps(value, ensure_ascii=False)


def listed(words: Sequence[str], last: str = "or") -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " ".join([", ".join(words[:-1]), last, words[-1]]) if len(words) > 1 else "".join(words)


def found(value: Any, text: str | None = None) -> str:
    """A value of a spec as a message shows it; `text` is how it was written if it is no string."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the boolean {text or json.dumps(value)}"
        case int() | float():
            return f"the number {shorten(text or str(value))}"
        case str():
            return quoted(value) if value else "an empty text"
        case Mapping():
            keys = [shorten(str(key)) for key in value][:MAX_KEYS]
            more = " and more" if len(value) > MAX_KEYS else ""
            return f"a mapping with {', '.join(keys)}{more}" if keys else "an empty mapping"
        case _:
            return "a list" if value else "an empty list"


def told_at(path: Path, value: Any) -> Any:
    """A text or a number without what is a credential by the name of its field."""
    # What is in a list has the name of the list.
    name = next((part for part in reversed(path) if isinstance(part, str)), None)
    if name is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    told = without_credentials_at(name, str(value))
    return value if told == str(value) else told


def is_hidden(path: Path) -> bool:
    """Whether what is at a path is a credential by the name of its field."""
    return bool(told_at(path, _ANY) != _ANY)


def allowed(part: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """What a part of a combined schema takes, in words.

    `x-allowed` says it where that is better than what can be made up from the schema.
    """
    part = resolve(part, whole)
    if "x-allowed" in part:
        return str(part["x-allowed"])
    if "anyOf" in part:
        return listed([allowed(branch, whole) for branch in part["anyOf"]])
    if "enum" in part:
        return listed([str(value) for value in part["enum"]])
    match part.get("type"):
        case "string":
            return "a text"
        case "integer":
            return f"a whole number from {part['minimum']} to {part['maximum']}"
        case "boolean":
            return "true or false"
        case "array":
            return f"a list, each item {allowed(part['items'], whole)}"
        case "object" if "required" in part:
            return f"a mapping with {listed(part['required'], 'and')}"
        case "object":
            return "a mapping"
        case _:
            return "any value"
