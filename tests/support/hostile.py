"""Values as somebody writes them who wants to rewrite a reader's screen, and what is true of any output."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import strategies as st

# What a forged line would begin with.
FORGED = "FORGED"
# What a colour would do if it were not made visible: these are the only ones that the program itself uses.
OURS = re.compile(r"\r(?=\x1b\[2K)|\x1b\[(?:[0-9;]*m|\?25[lh]\r?|[0-9]*[AK])")

TRICKS = (
    "\n",
    "\r",
    "\r\n",
    "\x1b[2J",
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://example.com\x1b\\",
    "\x9b31m",  # the C1 form of the same
    "\x85",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1e",
    "\x00",
    "\x08\x08\x08",
    "\x7f",
    "\t",
    "\u2028",
    "\u2029",
    "\u202e",  # right to left, whatever it is
    "\u2066",
    "\u2069",
    "\u200b",
    "\u200e",
    "\u061c",
    "\ufeff",
    "\u00ad",
    "\U000e0041",  # an invisible tag
    "\ud800",  # half a character
    "\udcff",  # a byte of a file name that is no UTF-8
    "[bold red]",
    "[/]",
    "[link=http://example.com]x[/link]",
    ":smiley:",
    "%s",
    "{0}",
    "\\",
    '"',
    "'",
    " ",
)
HONEST = ("Zoë", "größe", "данные", "データ", "数据", "नमस्ते", "مرحبا", "שלום", "café", "naïve", "Ωmega")

texts = st.lists(
    st.sampled_from([*TRICKS, FORGED, *HONEST, "a", "arn:aws:iam::123456789012:role/x"]), max_size=6
)
hostile = (
    texts.map("".join) | st.sampled_from([f"x{trick}{FORGED}: all is well" for trick in TRICKS]) | st.text()
)


def harmless(printed: str, colours: bool = False) -> None:
    """Asserts that a reader sees everything that was printed, and that no line of it is a value's."""
    shown = OURS.sub("", printed) if colours else printed
    raw = sorted(
        {
            f"U+{ord(character):04X} {unicodedata.category(character)}"
            for character in shown
            if is_raw(character)
        }
    )
    assert raw == []
    forged = [line for line in shown.split("\n") if line.startswith(FORGED)]
    assert forged == []


def is_raw(character: str) -> bool:
    """Whether a character does something else than be read: `str.isprintable` of Python's is not asked."""
    if character == "\n":
        return False
    category = unicodedata.category(character)
    return category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or (category == "Zs" and character != " ")
