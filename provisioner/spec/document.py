"""YAML with positions: a file becomes plain values, and every key and value keeps its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from provisioner.errors import Problem, SpecError
from provisioner.kinds.base import Path
from provisioner.spec.composing import Unreadable, compose
from provisioner.spec.files import FileProblem, Missing, Source, locate, read_source
from provisioner.spec.nearby import hint_about
from provisioner.spec.nodes import CORE, TOP, Builder, Located, Position, at
from provisioner.spec.syntax import in_plain_words
from provisioner.spec.wording import dotted

LARGEST = 1024 * 1024
# How many documents are remembered: of specs with targets, which are worked on one after the other, and of
# what they extend.
MAX_REMEMBERED = 16


@dataclass(frozen=True)
class Document:
    """A file as plain values. `texts` has each scalar that is no string, as it was written, `text` all of it.

    `problems` are those that did not keep the rest from being read. `has_removed`: `!remove` was met.

    Of a spec that is made of several files or parts, `file` is the one that was given. Then `files` has the
    file of what comes from another one, `related` what there is to say of other places, by path;
    `removed` the paths that are not there because the spec says so; `inherited` those that are there although
    what was laid last over the mapping that they are in does not have them, with their places; and `others`
    the texts of the other files. `of_target` are the paths of what its target says, which is called `target`.
    """

    file: str
    value: Any
    values: Mapping[Path, Position]
    keys: Mapping[Path, Position]
    texts: Mapping[Path, str]
    problems: tuple[Located, ...]
    text: str = field(default="", repr=False)
    has_removed: bool = False
    files: Mapping[Path, str] = field(default_factory=dict)
    related: Mapping[Path, str] = field(default_factory=dict)
    removed: Mapping[Path, str] = field(default_factory=dict)
    inherited: Mapping[Path, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict, repr=False)
    target: str | None = None
    of_target: frozenset[Path] = frozenset()

    def file_of(self, path: Path) -> str:
        """The file that what is at `path` comes from."""
        return self.files.get(self._there(path), self.file)

    def position(self, path: Path) -> Position:
        """The place of the value at `path`; if it is not there, of the key of what it should be in."""
        return self.values[path] if path in self.values else self.key_position(path[:-1])

    def key_position(self, path: Path) -> Position:
        """The place of the key of `path`, or of the item of a list."""
        path = self._there(path)
        return self.keys.get(path) or self.values.get(path, TOP)

    def problem(self, path: Path, message: str, hint: str | None = None, at_key: bool = False) -> Problem:
        """Something wrong at `path`, ready to be told."""
        place = self.key_position(path) if at_key else self.position(path)
        there = self._there(path)
        related = self.related.get(there, "")
        if path in self.removed:
            related = f"removed in {self.removed[path]}" + (f"; {related}" if related else "")
        file = self.files.get(there, self.file)
        return Problem(file, place.line, place.column, dotted(path), message, hint, related)

    def _there(self, path: Path) -> Path:
        """The path, or as much of it as is there."""
        while path and path not in self.values:
            path = path[:-1]
        return path

    def located(self, path: Path, message: str, hint: str | None = None, at_key: bool = False) -> Located:
        """The same, with its path."""
        return Located(path, self.problem(path, message, hint, at_key))


def read(file: str, source: Source | None = None, removes: bool = False) -> Document:
    """The document in a file. Raises SpecError when there is none or when it is no YAML."""
    document = parse(file, _content(file, source), removes=removes)
    if document.value is None:
        raise _error(file, TOP, "the file is empty", "start with `environment:` and `region:`")
    return document


@lru_cache(maxsize=MAX_REMEMBERED)
def parse(file: str, content: bytes, dates: bool = False, removes: bool = False) -> Document:
    """The document in the content of a file, None if it is empty. Raises SpecError when it is no YAML.

    `dates`: the file may have dates, which are texts then. `removes`: it may delete keys with `!remove`.

    A spec is read once for all of its targets, and what many extend for all of them: to read YAML takes
    longer than all else that is done with it. So nobody may change a document.
    """
    text = decode(file, content)
    if odd := yaml.reader.Reader.NON_PRINTABLE.search(text):
        place = _place(text[: odd.start()])
        if odd[0] == "\0" and content.count(0) * 3 > len(content):
            raise _error(file, place, "the file is not UTF-8, but looks like UTF-16", "save it as UTF-8")
        raise _error(file, place, f"the character U+{ord(odd[0]):04X}, which YAML does not take", "remove it")
    try:
        root = compose(text)
    except yaml.MarkedYAMLError as error:
        mark, message, hint = in_plain_words(error, text)
        raise _error(file, at(mark) if mark else TOP, message, hint) from None
    except Unreadable as error:
        raise _error(file, at(error.mark) if error.mark else TOP, error.message, error.hint) from None
    builder = Builder(file, dates, removes)
    value = None if root is None or root.tag == f"{CORE}null" else builder.build(root, ())
    return Document(
        file,
        value,
        builder.values,
        builder.keys,
        builder.texts,
        tuple(builder.problems.values()),
        text,
        builder.has_removed,
    )


def read_data(file: str, source: Source) -> Any:
    """The value in a file of YAML or JSON that is no spec. Raises SpecError."""
    document = read(file, source)
    if document.problems:
        raise SpecError([located.problem for located in document.problems])
    return document.value


def decode(file: str, content: bytes) -> str:
    """The text of a file. Raises SpecError where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place(error.object[: error.start].decode("utf-8", "replace"))
        raise _error(file, place, "the file is not UTF-8 from here on", "save it as UTF-8") from None


def _content(file: str, source: Source | None) -> bytes:
    try:
        return read_source(source or locate(file), LARGEST)
    except FileProblem as problem:
        hint = problem.hint
        if isinstance(problem, Missing):
            what_to_do = "a spec is a file: write what comes from standard input to one"
            hint = what_to_do if file == "-" else hint_about(file)
        raise _error(file, TOP, f"the file {problem}", hint) from None


def _error(file: str, place: Position, message: str, hint: str | None = None) -> SpecError:
    return SpecError([Problem(file, place.line, place.column, "", message, hint)])


def _place(before: str) -> Position:
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", before)
    return Position(len(lines), len(lines[-1]) + 1)
