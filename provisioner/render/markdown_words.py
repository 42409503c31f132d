"""Values inside Markdown: never markup, a mention, a reference to an issue or a link, whoever wrote them.

Within a sentence a value is HTML in which every sign is a character reference, which Markdown reads after it
has looked for structure: https://github.github.com/gfm/#entity-and-numeric-character-references. What is laid
out is in a fence, longer than any run of backticks in it: https://github.github.com/gfm/#fenced-code-blocks.
GitHub looks for mentions, issues and commits in neither `code` nor `pre`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from provisioner.visible import presentable

# Words that are nothing but words.
_PLAIN = re.compile(r"[^\W\d_]+(?:[-'\u2019][^\W\d_]+)*|[0-9]{1,3}(?:,[0-9]{3})*")
# What GitHub may take for a commit.
_COMMIT = re.compile(r"[0-9a-f]{7,}", re.IGNORECASE)
_TOKEN = re.compile(r"(\(?)(`[^`\s][^`]*`|\S+?)([.,;:)]*)(?=\s|$)")
_SIGN = re.compile(r"[^A-Za-z0-9 /\-\x80-\U0010ffff]")
_BACKTICKS = re.compile(r"`+")


def name(text: str) -> str:
    """A value as code, in a sentence, a cell of a table or a summary."""
    return f"<code>{_SIGN.sub(lambda sign: f'&#{ord(sign[0])};', presentable(text))}</code>"


def sentence(text: str) -> str:
    """A sentence of ours that may name values: whatever is not plainly a word is code."""
    return " ".join(
        f"{before}{_word(word)}{after}" for before, word, after in _TOKEN.findall(presentable(text))
    )


def fence(lines: Iterable[str], language: str = "") -> list[str]:
    """Lines that are shown as they are; those of a `diff` that begin with `-` or `+` in colours."""
    shown = [presentable(line) for line in lines]
    longest = max((len(run) for line in shown for run in _BACKTICKS.findall(line)), default=0)
    marks = "`" * max(longest + 1, 3)
    return [f"{marks}{language}", *shown, marks]


def _word(word: str) -> str:
    if word.startswith("`") and word.endswith("`") and len(word) > 2:
        return name(word[1:-1])
    is_plain = _PLAIN.fullmatch(word) and not _COMMIT.fullmatch(word)
    return word if is_plain else name(word)
