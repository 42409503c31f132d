"""From the text of a file to the nodes of YAML, with an end to the work whatever the text is.

Only the parser written in Python is used, although the one in C is faster: the two differ in what they
take (tabs) and in what they say, and a spec must mean the same on every machine. It reads some 50,000 nodes a
second, which is why what no spec needs is refused as soon as it is met.
"""

from __future__ import annotations

import re

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import Resolver
from yaml.scanner import Scanner

from provisioner.spec.nodes import MAX_DEPTH, MAX_VALUES, REMOVE_TAG

MAX_LINES = 50_000
# A value of a mapping comes with a key, which is a node as well.
MAX_NODES = 2 * MAX_VALUES

_REMOVED = re.compile(rf"{REMOVE_TAG}[,\]}}]")
_LONGEST_TAG = len(REMOVE_TAG) + 1

_LINE_ENDS = ("\n", "\r", "\x85", "\u2028", "\u2029")


class Unreadable(Exception):
    """Why no node can be made from a text: the place if there is one, the message, perhaps a hint."""

    def __init__(self, mark: yaml.Mark | None, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.mark, self.message, self.hint = mark, message, hint


class _Composer(Reader, Scanner, Parser, Composer, Resolver):
    """PyYAML's own, without what would make objects of the nodes."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        Resolver.__init__(self)
        self._nodes = 0
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._nodes += 1
        self._depth += 1
        if self._nodes > MAX_NODES:
            hint = "split the spec, or put policies into files"
            raise Unreadable(self._here(), f"more than {MAX_NODES} keys and values until here", hint)
        # What is a little too deep is told better, with its path, when values are made of the nodes.
        if self._depth > 2 * MAX_DEPTH:
            raise Unreadable(self._here(), f"values are nested more than {MAX_DEPTH} deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def scan_tag(self) -> yaml.TagToken:
        """`!remove` may be followed by a comma or a bracket at once, as YAML 1.2 has it: to PyYAML, these are
        parts of the tag."""
        if not (self.flow_level and _REMOVED.match(self.prefix(_LONGEST_TAG))):
            return super().scan_tag()
        start = self.get_mark()
        self.forward(len(REMOVE_TAG))
        return yaml.TagToken(("!", REMOVE_TAG[1:]), start, self.get_mark())

    def document(self) -> yaml.Node | None:
        """The root of the only document; None if there is none."""
        node = self.get_node() if self.check_node() else None
        # So that a second one cannot hide behind the first.
        if self.check_node():
            hint = "keep one spec in each file, without ---"
            raise Unreadable(self._here(), "a second document", hint)
        return node

    def _here(self) -> yaml.Mark:
        mark: yaml.Mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        return mark


def compose(text: str) -> yaml.Node | None:
    """The root node of a text, or None when there is nothing in it.

    Raises Unreadable, and yaml.MarkedYAMLError for what is not YAML.
    """
    lines = sum(text.count(end) for end in _LINE_ENDS)
    if lines > MAX_LINES:
        raise Unreadable(None, f"the file has more than {MAX_LINES} lines", "split the spec")
    composer = _Composer(text)
    try:
        return composer.document()
    except yaml.MarkedYAMLError:
        raise
    except (ValueError, OverflowError, yaml.YAMLError) as error:
        mark = composer.get_mark()
        if "chr()" in str(error) or isinstance(error, OverflowError):
            message = "an escape that stands for no character: Unicode ends at \\U0010FFFF"
            raise Unreadable(mark, message, "correct it, or write the backslash twice") from None
        raise Unreadable(mark, f"this is not YAML: {error}") from None
