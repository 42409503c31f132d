"""YAML with positions: a file becomes plain values, and every key and value keeps its place.

Only the parser written in Python is used, although the one in C is faster: the two differ in what they
take (tabs) and in what they say, and a spec must mean the same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, NamedTuple

import yaml

from provisioner.errors import Problem, SpecError
from provisioner.kinds.base import Path
from provisioner.spec.files import FileProblem, near_file, read_bytes
from provisioner.spec.syntax import in_plain_words
from provisioner.spec.wording import dotted, quoted, shorten

LARGEST = 1024 * 1024
MOST_VALUES = 50_000
DEEPEST = 50

_CORE = "tag:yaml.org,2002:"
_TEXT = (f"{_CORE}str", f"{_CORE}value")
_PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?|[-+]?\.[0-9]+")
_NOT_TEXT = re.compile("[\ud800-\udfff]")
# Builds numbers as YAML 1.1 reads them: octal, with underscores, base 60.
_NUMBERS: Any = yaml.constructor.SafeConstructor()


class Position(NamedTuple):
    """A place in a file; both count from 1."""

    line: int
    column: int


TOP = Position(1, 1)


@dataclass(frozen=True)
class Document:
    """A file as plain values. `texts` has each scalar that is no string, as it was written.

    `problems` are those that did not keep the rest from being read.
    """

    file: str
    value: Any
    values: Mapping[Path, Position]
    keys: Mapping[Path, Position]
    texts: Mapping[Path, str]
    problems: tuple[Problem, ...]

    def position(self, path: Path) -> Position:
        """The place of the value at `path`; if it is not there, of the key of what it should be in."""
        return self.values[path] if path in self.values else self.key_position(path[:-1])

    def key_position(self, path: Path) -> Position:
        """The place of the key of `path`, or of the item of a list."""
        while path and path not in self.values:
            path = path[:-1]
        return self.keys.get(path) or self.values.get(path, TOP)

    def problem(self, path: Path, message: str, hint: str | None = None, at_key: bool = False) -> Problem:
        """Something wrong at `path`, ready to be told."""
        place = self.key_position(path) if at_key else self.position(path)
        return Problem(self.file, place.line, place.column, dotted(path), message, hint)


def read(file: str) -> Document:
    """The document in a file. Raises SpecError when there is none or when it is no YAML."""
    text = _text(file)
    if odd := yaml.reader.Reader.NON_PRINTABLE.search(text):
        place = _place(text[: odd.start()])
        raise _error(file, place, f"the character U+{ord(odd[0]):04X}, which YAML does not take", "remove it")
    try:
        # All of it, so that a second document cannot hide behind the first.
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark, message, hint = in_plain_words(error)
        raise _error(file, _at(mark) if mark else TOP, message, hint) from None
    except (RecursionError, yaml.YAMLError, ValueError) as error:
        raise _unreadable(file, error) from None
    if len(documents) > 1:
        raise _error(
            file, _at(documents[1].start_mark), "a second document", "keep one spec in each file, without ---"
        )
    if not documents or (documents[0].tag == f"{_CORE}null"):
        raise _error(file, TOP, "the file is empty", "start with `environment:` and `region:`")
    builder = _Builder(file)
    value = builder.build(documents[0], ())
    return Document(
        file, value, builder.values, builder.keys, builder.texts, tuple(builder.problems.values())
    )


def _text(file: str) -> str:
    path = File(file)
    try:
        content = read_bytes(path, LARGEST)
    except FileProblem as problem:
        meant = None if path.exists() else near_file(path)
        hint = f"did you mean {path.with_name(meant)}?" if meant else None
        raise _error(file, TOP, f"the file {problem}", hint) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place(error.object[: error.start].decode("utf-8", "replace"))
        raise _error(file, place, "the file is not UTF-8 from here on", "save it as UTF-8") from None


def _error(file: str, place: Position, message: str, hint: str | None = None) -> SpecError:
    return SpecError([Problem(file, place.line, place.column, "", message, hint)])


def _unreadable(file: str, error: Exception) -> SpecError:
    if isinstance(error, RecursionError):
        return _error(file, TOP, f"values are nested more than {DEEPEST} deep")
    return _error(file, TOP, f"this is not YAML: {shorten(str(error))}")


def _place(before: str) -> Position:
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", before)
    return Position(len(lines), len(lines[-1]) + 1)


def _at(mark: yaml.Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


@dataclass
class _Builder:
    """Turns nodes into values. One problem is kept per place: aliases lead to the same place again."""

    file: str
    values: dict[Path, Position] = field(default_factory=dict)
    keys: dict[Path, Position] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    problems: dict[Position, Problem] = field(default_factory=dict)
    above: list[yaml.Node] = field(default_factory=list)
    count: int = 0

    def build(self, node: yaml.Node, path: Path) -> Any:
        """The value of a node at `path`. Raises SpecError for what has no end."""
        self._enter(node, path)
        self.values[path] = _at(node.start_mark)
        value: Any
        if isinstance(node, yaml.MappingNode):
            value = self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            self._check_tag(node, path, "seq")
            value = [self.build(each, (*path, index)) for index, each in enumerate(node.value)]
        else:
            value = self._scalar(node, path)
        self.above.pop()
        return value

    def _enter(self, node: yaml.Node, path: Path) -> None:
        place = _at(node.start_mark)
        self.count += 1
        if any(node is each for each in self.above):
            raise self._fatal(place, path, "an alias makes this contain itself", "write it out")
        if self.count > MOST_VALUES:
            message = f"with its aliases written out, the file has more than {MOST_VALUES} values"
            raise self._fatal(place, path, message, "use fewer aliases of aliases, or split the spec")
        if len(self.above) >= DEEPEST:
            raise self._fatal(place, path, f"values are nested more than {DEEPEST} deep", None)
        self.above.append(node)

    def _fatal(self, place: Position, path: Path, message: str, hint: str | None) -> SpecError:
        # Where it is met may be thousands of keys deep; the first few say where to look.
        return SpecError([Problem(self.file, place.line, place.column, dotted(path[:4]), message, hint)])

    def _problem(self, node: yaml.Node, path: Path, message: str, hint: str | None = None) -> None:
        place = _at(node.start_mark)
        self.problems.setdefault(
            place, Problem(self.file, place.line, place.column, dotted(path), message, hint)
        )

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        self._check_tag(node, path, "map")
        merged: dict[str, Any] = {}
        written: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            if key in first:
                self._problem(key_node, here, "the key is given twice", f"it is already in line {first[key]}")
                continue
            first[key] = _at(key_node.start_mark).line
            if key_node.tag == f"{_CORE}merge":
                merged = dict(self._merged(value_node, path))
                continue
            self.keys[here] = _at(key_node.start_mark)
            written[key] = self.build(value_node, here)
        # A key that is written out wins over one that is merged in, wherever the merge stands.
        for key, (key_node, value_node) in merged.items():
            if key not in written:
                here = (*path, key)
                self.keys[here] = _at(key_node.start_mark)
                written[key] = self.build(value_node, here)
        return written

    def _merged(self, node: yaml.Node, path: Path) -> Iterator[tuple[str, tuple[yaml.Node, yaml.Node]]]:
        """What `<<` merges in: pairs of nodes by key, those that win last."""
        self._enter(node, path)
        if isinstance(node, yaml.SequenceNode):
            for each in reversed(node.value):
                yield from self._merged(each, path)
        elif isinstance(node, yaml.MappingNode):
            own = []
            for key_node, value_node in node.value:
                self.count += 1
                if key_node.tag == f"{_CORE}merge":
                    yield from self._merged(value_node, path)
                elif isinstance(key_node, yaml.ScalarNode):
                    own.append((key_node.value, (key_node, value_node)))
            yield from own
        else:
            self._problem(
                node, (*path, "<<"), "<< merges mappings only", "give it an alias such as *defaults"
            )
        self.above.pop()

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        """The text of a key; other than strings are reported, and taken for the text that they are."""
        if not isinstance(node, yaml.ScalarNode):
            what = "a mapping" if isinstance(node, yaml.MappingNode) else "a list"
            self._problem(node, path, f"{what} as a key", "put a text that starts with { or [ in quotes")
            return None
        text = str(node.value)
        if _NOT_TEXT.search(text):
            self._problem(node, path, "a key with half of a character", "remove the escape")
            return None
        if node.tag not in (*_TEXT, f"{_CORE}merge"):
            what = _NAMES.get(node.tag.removeprefix(_CORE), f"a {node.tag}")
            message = f"keys are texts, and YAML reads this one as {what}"
            self._problem(node, (*path, text), message, f"write {quoted(text)}" if text else "name it")
        return text

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        text = str(node.value)
        if node.tag in _TEXT or node.tag == f"{_CORE}merge":
            if not _NOT_TEXT.search(text):
                return text
            self._problem(node, path, "a text with half of a character", "remove the escape")
            return ""
        self.texts[path] = text
        kind = node.tag.removeprefix(_CORE)
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return _NUMBERS.bool_values[text.lower()]
            if kind == "int":
                return _NUMBERS.construct_yaml_int(node)
            if kind == "float":
                return _NUMBERS.construct_yaml_float(node)
        except (ValueError, KeyError, OverflowError):
            self._problem(node, path, f"{shorten(text)} is not {_NAMES[kind]}")
            return text
        if kind == "timestamp":
            self._problem(node, path, f"YAML reads {text} as a date", f"write {quoted(text)} for the text")
        else:
            self._check_tag(node, path, "")
        return text

    def _check_tag(self, node: yaml.Node, path: Path, expected: str) -> None:
        if node.tag != _CORE + expected:
            tag = node.tag.replace(_CORE, "!!")
            self._problem(node, path, f"the YAML tag {shorten(tag)} has no meaning here", "remove it")


_NAMES = {
    "bool": "a boolean",
    "int": "a number",
    "float": "a number",
    "null": "nothing",
    "timestamp": "a date",
}


def is_plain(text: str) -> bool:
    """Whether a number means what it looks like; YAML reads 010 as 8, 1:30 as 90 and 1_0 as 10."""
    return _PLAIN_NUMBER.fullmatch(text) is not None
