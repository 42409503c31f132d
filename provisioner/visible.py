"""What characters of others may do on a reader's screen: nothing but be seen.

Names, tags, file names and messages come from whoever wrote them. A line break in one forges a line, an
escape sequence rewrites the screen, a bidirectional override turns a line around:
https://www.unicode.org/reports/tr36/
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable
from shlex import quote

from provisioner.secrecy import without_secrets

# What rich and this program write to a terminal: colours, the cursor up, shown or hidden, a line erased.
_OURS = re.compile(r"(\n|\r|\x1b\[(?:[0-9;]*m|\?25[lh]|[0-9]*[AK]))")
# Letters and signs without ink: the fillers of Hangul, and the Braille pattern without dots.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")

# How the signs of plans are written where the encoding has no others; `+`, `~` and `-` are the other ones.
ASCII_FORMS = {"±": "*", "→": "->", "·": "|", "…": "...", "—": "-", "×": "x"}
# The name of what `encode` does with what an encoding does not have.
AS_ASCII = "provisioner.as_ascii"


def _as_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(ASCII_FORMS.get(character, "?") for character in missing), error.end


codecs.register_error(AS_ASCII, _as_ascii)


def visible(text: str) -> str:
    """A text on one line, with everything in it that is no letter, sign or plain space written as JSON does.

    Letters of all scripts stay as they are. Control characters (C0, C1), line and paragraph separators,
    bidirectional and other invisible marks, letters that are blank, and halves of surrogate pairs do not: a
    line break is `\\n`.
    """
    if text.isprintable() and (text.isascii() or _BLANK.isdisjoint(text)):
        return text
    return "".join(
        character if character.isprintable() and character not in _BLANK else json.dumps(character)[1:-1]
        for character in text
    )


def as_typed(words: Iterable[str]) -> str:
    """Words as a shell takes them, such as bash and zsh; nothing in them is made visible any more.

    What is no letter or sign is `$'\\n'`, by its bytes:
    https://www.gnu.org/software/bash/manual/html_node/ANSI_002dC-Quoting.html
    """
    return " ".join(quote(word) if visible(word) == word else _ansi_quoted(word) for word in words)


def path_as_typed(path: str) -> str:
    """A path that no program takes for an option."""
    return f"./{path}" if path.startswith("-") else path


def _ansi_quoted(word: str) -> str:
    escapes = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", "'": "\\'"}

    def shown(character: str) -> str:
        if character in escapes:
            return escapes[character]
        if visible(character) == character:
            return character
        # What is no UTF-8 in the name of a file is a half of a surrogate pair here.
        is_byte = "\udc80" <= character <= "\udcff"
        octets = character.encode(errors="surrogateescape" if is_byte else "surrogatepass")
        return "".join(f"\\x{octet:02x}" for octet in octets)

    return f"$'{''.join(map(shown, word))}'"


def presentable(text: str) -> str:
    """A text as it may be shown to anybody, before it is measured, shortened and broken into lines."""
    return visible(without_secrets(text))


def visible_line(text: str) -> str:
    """The same, but a line break at the very end stays one."""
    return visible(text[:-1]) + "\n" if text.endswith("\n") else visible(text)


def visible_lines(text: str) -> str:
    """The same for a text whose line breaks are all meant."""
    return "\n".join(map(visible, text.split("\n")))


def visible_layout(text: str) -> str:
    """The same for what is laid out for a terminal: line breaks, colours and movements of ours stay."""
    if text.isprintable() and (text.isascii() or _BLANK.isdisjoint(text)):
        return text
    return "".join(part if _OURS.fullmatch(part) else visible(part) for part in _OURS.split(text))
