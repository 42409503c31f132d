"""JSON files, read as strictly as specs: every value keeps its place, and nothing is passed over silently.

The standard library's reader takes the last of two equal keys, `NaN` and `1e999`, and knows no places.
https://datatracker.ietf.org/doc/html/rfc8259
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Any, NoReturn

from provisioner.errors import Problem, SpecError
from provisioner.kinds.base import Path
from provisioner.spec.document import Document, decode
from provisioner.spec.nodes import (
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_NUMBER,
    MAX_VALUES,
    TOP,
    Allowance,
    Located,
    Position,
    is_whole_text,
)
from provisioner.spec.wording import dotted, quoted, shorten

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?(?![0-9.A-Za-z_])")
_WORD = re.compile(r"[^\s,:\[\]{}\"]+")
_WORDS = {"true": True, "false": False, "null": None}
_LINE_END = re.compile(r"\r\n|\n|\r")


def read_json(file: str, content: bytes, allowance: Allowance) -> Document:
    """The document in the content of a JSON file.

    Keys that are given twice and numbers that no computer holds are its `problems`. Raises SpecError for what
    is not JSON in UTF-8, and for what is too large or too deep.
    """
    return _Reader(file, decode(file, content), allowance).document()


class _Reader:
    def __init__(self, file: str, text: str, allowance: Allowance) -> None:
        self._file = file
        self._text = text
        self._allowance = allowance
        self._at = 0
        self._lines = [0, *(match.end() for match in _LINE_END.finditer(text))]
        self._values: dict[Path, Position] = {}
        self._keys: dict[Path, Position] = {}
        self._texts: dict[Path, str] = {}
        self._problems: list[Located] = []

    def document(self) -> Document:
        if self._next() == "":
            raise SpecError([Problem(self._file, *TOP, "", "the file is empty", "a policy belongs in it")])
        value = self._value(())
        if self._next():
            self._stop("there is more after the end of the document", "remove it")
        return Document(self._file, value, self._values, self._keys, self._texts, tuple(self._problems))

    def _value(self, path: Path) -> Any:
        char = self._next()
        if len(path) > MAX_DEPTH:
            self._stop(f"values are nested more than {MAX_DEPTH} deep", "split the policy")
        if not self._allowance.take():
            self._stop(f"with the spec, there are more than {MAX_VALUES} values until here", "split the spec")
        self._values[path] = self._position()
        match char:
            case "{":
                return self._object(path)
            case "[":
                return self._array(path)
            case '"':
                return self._string(path)
            case "":
                self._stop("the file ends where a value belongs", "is it cut off?")
        if match := _NUMBER.match(self._text, self._at):
            return self._number(match, path)
        return self._word(path)

    def _object(self, path: Path) -> dict[str, Any]:
        opened = self._position()
        value: dict[str, Any] = {}
        self._at += 1
        while self._next() != "}":
            key_at = self._position()
            if self._next() != '"':
                self._stop(f"{self._shown()} where a key in double quotes belongs", _comma_hint(self._next()))
            key = self._string(path)
            here = (*path, key)
            if self._next() != ":":
                self._stop(f"{self._shown()} where a colon belongs, after the key {quoted(key)}")
            self._at += 1
            if here in self._keys:
                line = self._keys[here].line
                self._problem(here, key_at, "the key is given twice", f"it is already in line {line}")
                self._value(here)  # to get behind it; a document with problems is not used
            else:
                self._keys[here] = key_at
                value[key] = self._value(here)
            if not self._goes_on("}", opened):
                break
        self._at += 1
        return value

    def _array(self, path: Path) -> list[Any]:
        opened = self._position()
        value: list[Any] = []
        self._at += 1
        while self._next() != "]":
            value.append(self._value((*path, len(value))))
            if not self._goes_on("]", opened):
                break
        self._at += 1
        return value

    def _goes_on(self, end: str, opened: Position) -> bool:
        """Whether a comma comes now, and another item after it; if not, `end` does."""
        char = self._next()
        if char == end:
            return False
        if char != ",":
            hint = f"what line {opened.line} opens ends with {end}"
            self._stop(f"{self._shown()} where a comma or {end} belongs", hint)
        comma = self._at
        self._at += 1
        if self._next() == end:
            self._at = comma
            self._stop(f"a comma before {end}, where JSON takes none", "remove it")
        return True

    def _string(self, path: Path) -> str:
        match = _STRING.match(self._text, self._at)
        if not match:
            self._stop(
                "a text whose quotes are not closed in its line, or with an escape that JSON does not have",
                "write a line break as \\n, and a backslash twice",
            )
        text: str = json.loads(match[0])
        if not is_whole_text(text):
            self._problem(path, self._position(), "a text with half of a character", "remove the escape")
            text = ""
        self._at = match.end()
        return text

    def _number(self, match: re.Match[str], path: Path) -> int | float:
        text, place = match[0], self._position()
        self._at = match.end()
        self._texts[path] = text
        if len(text) <= MAX_DIGITS:
            number = float(text) if match[1] or match[2] else int(text)
            if -MAX_NUMBER < number < MAX_NUMBER:
                return number
        self._problem(
            path, place, f"{shorten(text)} is not a number that can be used", f"write {quoted(text)}"
        )
        return 0

    def _word(self, path: Path) -> bool | None:
        match = _WORD.match(self._text, self._at)
        if not match or match[0] not in _WORDS:
            self._stop(f"{self._shown()} where a value belongs", "a text needs double quotes")
        self._at = match.end()
        self._texts[path] = match[0]
        return _WORDS[match[0]]

    def _next(self) -> str:
        """The next character that is no white space; empty at the end."""
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._text[self._at : self._at + 1]

    def _shown(self) -> str:
        match = _WORD.match(self._text, self._at)
        shown = match[0] if match else self._text[self._at : self._at + 1]
        if not self._text[: self._at].strip() and any(char.isalnum() for char in shown):
            # What is no JSON from its first letter on may be a secret that was named by mistake.
            return "something else"
        return shorten(shown) or "the end of the file"

    def _position(self) -> Position:
        line = bisect_right(self._lines, self._at)
        return Position(line, self._at - self._lines[line - 1] + 1)

    def _problem(self, path: Path, place: Position, message: str, hint: str) -> None:
        self._problems.append(Located(path, Problem(self._file, *place, dotted(path), message, hint)))

    def _stop(self, message: str, hint: str | None = None) -> NoReturn:
        place = self._position()
        raise SpecError([Problem(self._file, *place, "", f"this is not JSON: {message}", hint)])


def _comma_hint(char: str) -> str | None:
    return "JSON takes double quotes only" if char == "'" else None
