"""From the nodes of the YAML parser to plain values, with the place of every key and value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from provisioner.errors import Problem, SpecError
from provisioner.kinds.base import Path
from provisioner.spec.wording import dotted, quoted, shorten, told_at

MAX_VALUES = 15_000
MAX_DEPTH = 50
MAX_NUMBER = 2**63
# No number that is meant takes more digits, and YAML's base 60 takes time that grows with their square.
MAX_DIGITS = 100

CORE = "tag:yaml.org,2002:"
REMOVE_TAG = "!remove"
# In front of a value in which `show` masks a secret, so that what it shows is not taken for a spec.
MASKED_TAG = "!masked"
_TEXT = (f"{CORE}str", f"{CORE}value")
_PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?|[-+]?\.[0-9]+")
# What other languages of the kind have, and what is written here in place of it.
_INSTEAD = {
    **dict.fromkeys(
        ("!reset", "!delete", "!unset", "!null"), f"`KEY: {REMOVE_TAG}` deletes an inherited key"
    ),
    **dict.fromkeys(
        ("!override", "!replace"),
        f"lists and scalars replace what is inherited; of a mapping, `KEY: {REMOVE_TAG}` deletes a key",
    ),
    **dict.fromkeys(
        ("!append", "!merge", "!concat"), "a list replaces the inherited one: write all its items"
    ),
    REMOVE_TAG: f"`KEY: {REMOVE_TAG}` takes no value",
    MASKED_TAG: "`show` put it where it hides a secret: write what the file has that it comes from",
}
# Builds numbers as YAML 1.1 reads them: octal, with underscores, base 60.
_NUMBERS: Any = yaml.constructor.SafeConstructor()

_NAMES = {
    "bool": "a boolean",
    "int": "a number",
    "float": "a number",
    "null": "nothing",
    "timestamp": "a date",
}


class Position(NamedTuple):
    """A place in a file; both count from 1."""

    line: int
    column: int


class Removed:
    """What stands for `!remove`: the key is not there, whatever is inherited."""

    def __repr__(self) -> str:
        return REMOVE_TAG


REMOVE = Removed()


class Located(NamedTuple):
    """A problem with the path of what it is about."""

    path: Path
    problem: Problem


TOP = Position(1, 1)


class Allowance:
    """How many values may still be read, for a spec and the files that it names together."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, count: int = 1) -> bool:
        """Whether so many more are not too many."""
        self.left -= count
        return self.left >= 0


@dataclass
class Builder:
    """Turns nodes into values. One problem is kept per place: aliases lead to the same place again.

    `dates`: a date is a text; otherwise a problem, as whoever wrote it may have meant a text. `removes`: the
    tag `!remove` has a meaning; `has_removed` is whether it was met.
    """

    file: str
    dates: bool = False
    removes: bool = False
    has_removed: bool = False
    values: dict[Path, Position] = field(default_factory=dict)
    keys: dict[Path, Position] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    problems: dict[Position, Located] = field(default_factory=dict)
    above: list[yaml.Node] = field(default_factory=list)
    count: int = 0

    def build(self, node: yaml.Node, path: Path) -> Any:
        """The value of a node at `path`. Raises SpecError for what has no end."""
        self._enter(node, path)
        self.values[path] = at(node.start_mark)
        value: Any
        if isinstance(node, yaml.MappingNode):
            value = self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            self._check_tag(node, path, "seq")
            value = [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        else:
            value = self._scalar(node, path)
        self.above.pop()
        return value

    def _enter(self, node: yaml.Node, path: Path) -> None:
        place = at(node.start_mark)
        self.count += 1
        if any(node is outer for outer in self.above):
            raise self._fatal(place, path, "an alias makes this contain itself", "write it out")
        if self.count > MAX_VALUES:
            message = f"with its aliases written out, the file has more than {MAX_VALUES} values"
            raise self._fatal(place, path, message, "use fewer aliases of aliases, or split the spec")
        if len(self.above) >= MAX_DEPTH:
            raise self._fatal(place, path, f"values are nested more than {MAX_DEPTH} deep", None)
        self.above.append(node)

    def _fatal(self, place: Position, path: Path, message: str, hint: str | None) -> SpecError:
        # Where it is met may be thousands of keys deep; the first few say where to look.
        return SpecError([Problem(self.file, place.line, place.column, dotted(path[:4]), message, hint)])

    def _problem(self, node: yaml.Node, path: Path, message: str, hint: str | None = None) -> None:
        place = at(node.start_mark)
        problem = Problem(self.file, place.line, place.column, dotted(path), message, hint)
        self.problems.setdefault(place, Located(path, problem))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        self._check_tag(node, path, "map")
        merged: dict[str, Any] = {}
        written: dict[str, Any] = {}
        for key, key_node, value_node in self._pairs(node, path):
            here = (*path, key)
            if key_node.tag == f"{CORE}merge":
                merged = dict(self._merged(value_node, path))
                continue
            self.keys[here] = at(key_node.start_mark)
            written[key] = self.build(value_node, here)
        # A key that is written out wins over one that is merged in, wherever the merge stands.
        for key, (key_node, value_node) in merged.items():
            if key not in written:
                here = (*path, key)
                self.keys[here] = at(key_node.start_mark)
                written[key] = self.build(value_node, here)
        return written

    def _pairs(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """Each key of a mapping with its node and that of its value; a key that was there is reported."""
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in first:
                hint = f"it is already in line {first[key]}"
                self._problem(key_node, (*path, key), "the key is given twice", hint)
                continue
            first[key] = at(key_node.start_mark).line
            yield key, key_node, value_node

    def _merged(self, node: yaml.Node, path: Path) -> Iterator[tuple[str, tuple[yaml.Node, yaml.Node]]]:
        """What `<<` merges in: pairs of nodes by key, those that win last."""
        self._enter(node, path)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, path, "seq")
            for merged in reversed(node.value):
                yield from self._merged(merged, path)
        elif isinstance(node, yaml.MappingNode):
            # It may be written right here, and read nowhere else.
            self._check_tag(node, path, "map")
            # Once more for each alias of it.
            self.count += len(node.value)
            own = []
            for key, key_node, value_node in self._pairs(node, path):
                if key_node.tag == f"{CORE}merge":
                    yield from self._merged(value_node, path)
                else:
                    own.append((key, (key_node, value_node)))
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
        text = _joined(node.value)
        if text is None:
            self._problem(node, path, "a key with half of a character", "remove the escape")
            return None
        if node.tag not in (*_TEXT, f"{CORE}merge"):
            what = _NAMES.get(node.tag.removeprefix(CORE), f"a {node.tag}")
            message = f"keys are texts, and YAML reads this one as {what}"
            self._problem(node, (*path, text), message, f"write {quoted(text)}" if text else "name it")
        return text

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        if self.removes and node.tag == REMOVE_TAG:
            return self._removed(node, path)
        text = _joined(node.value)
        if text is None:
            self._problem(node, path, "a text with half of a character", "remove the escape")
            return ""
        is_time = node.tag == f"{CORE}timestamp" and (self.dates or _is_of_time(path))
        if node.tag in _TEXT or node.tag == f"{CORE}merge" or is_time:
            return text
        self.texts[path] = text
        kind = node.tag.removeprefix(CORE)
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return _NUMBERS.bool_values[text.lower()]
            if kind in ("int", "float"):
                return _number(node, kind)
        except (ValueError, KeyError):
            hint = "put it in quotes if it is a text" if text else "remove the YAML tag"
            told = shorten(told_at(path, text))
            self._problem(node, path, f"{told} is not {_NAMES[kind]} that can be used", hint)
            return text
        if kind == "timestamp":
            self._problem(node, path, f"YAML reads {text} as a date", f"write {quoted(text)} for the text")
        else:
            self._check_tag(node, path, "")
        return text

    def _removed(self, node: yaml.Node, path: Path) -> Removed | str:
        """What `!remove` stands for, which has to be the whole value of a key; in a list, a mere text."""
        if not path:
            self._problem(node, path, "a file is not removed as a whole", "take it out of `extends`")
            return ""
        self.has_removed = True
        if any(isinstance(step, int) for step in path):
            message = "lists are replaced as a whole, so nothing inherited is here to remove"
            self._problem(node, path, message, "write the list as it shall be")
            return ""
        if node.value:
            self._problem(node, path, f"{REMOVE_TAG} takes no value", f"write `{path[-1]}: {REMOVE_TAG}`")
        return REMOVE

    def _check_tag(self, node: yaml.Node, path: Path, expected: str) -> None:
        if node.tag != CORE + expected:
            tag = node.tag.replace(CORE, "!!")
            message = f"the YAML tag {shorten(tag)} has no meaning here"
            hint = _INSTEAD.get(tag, "remove it") if self.removes else "remove it"
            self._problem(node, path, message, hint)


def _is_of_time(path: Path) -> bool:
    """Whether a time is asked for here, of all or of one entry: nobody can have meant another text."""
    return len(path) in (1, 3) and path[-1] == "expires"


def _number(node: yaml.Node, kind: str) -> int | float:
    """The number that a node is. Raises ValueError when it is none, or larger than any that is meant."""
    if not 0 < len(node.value) <= MAX_DIGITS:
        raise ValueError
    try:
        number: int | float = getattr(_NUMBERS, f"construct_yaml_{kind}")(node)
    except (IndexError, OverflowError):
        # What it says of "-", and of too many places in base 60.
        raise ValueError from None
    if not -MAX_NUMBER < number < MAX_NUMBER:
        raise ValueError
    return number


def is_plain(text: str) -> bool:
    """Whether a number means what it looks like; YAML reads 010 as 8, 1:30 as 90 and 1_0 as 10."""
    return _PLAIN_NUMBER.fullmatch(text) is not None


def at(mark: yaml.Mark) -> Position:
    """Where the parser says that something is."""
    return Position(mark.line + 1, mark.column + 1)


def is_whole_text(text: str) -> bool:
    """Whether a text has no half of a character, which cannot be sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _joined(text: str) -> str | None:
    """A text with characters that JSON escapes in two halves made whole; None if a half stands alone."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return None
