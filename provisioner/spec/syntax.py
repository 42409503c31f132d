"""What a YAML parser complains about, in plain words."""

from __future__ import annotations

import re

import yaml

from provisioner.spec.wording import shorten

MAX_TOLD = 200


def in_plain_words(error: yaml.MarkedYAMLError, text: str) -> tuple[yaml.Mark | None, str, str | None]:
    """The place, the message and perhaps a hint for what the parser says.

    What is not known here is told in the parser's own words.
    """
    mark, context, problem = error.problem_mark, error.context or "", error.problem or ""
    for pattern, message, hint, at_start in _KNOWN:
        if match := re.search(pattern, f"{context} | {problem}"):
            start = error.context_mark or mark
            where = {f"_{number}": shorten(text) for number, text in enumerate(match.groups(), 1)}
            where["start"] = f"line {start.line + 1}" if start else "above"
            return (start if at_start else mark), message.format(**where), hint and hint.format(**where)
    told = f"{problem} {context}".strip() or "the YAML cannot be read"
    return mark or error.context_mark, f"this is not YAML: {told[:MAX_TOLD]}", None


_QUOTES = "put the whole value in quotes"
_INDENT = "line it up with the fields that it belongs to"

# What the parser says as a pattern; the message; the hint; whether the place is where the construct starts.
_KNOWN: tuple[tuple[str, str, str | None, bool], ...] = (
    (r"found character '\\t'", "a tab, where YAML takes spaces only", "use spaces instead", False),
    (r"found character '(.)' that cannot start", "a value cannot start with {_1}", _QUOTES, False),
    (
        r"found undefined alias '(.+)'",
        "*{_1} stands for something that nothing before it is called",
        "mark that with &{_1}, or put the value in quotes if it is a text",
        False,
    ),
    (r"found duplicate anchor '(.+)'", "&{_1} is already used in {start}", "choose another name", False),
    (
        r"while scanning an alias",
        "a * starts an alias, which has a name of letters and digits",
        "put the value in quotes if it is a text",
        True,
    ),
    (
        r"while scanning an anchor",
        "an & starts an anchor, which has a name of letters and digits",
        "put the value in quotes if it is a text",
        True,
    ),
    (
        r"mapping values are not allowed here",
        "a colon where no key can be",
        "is a colon missing before it, or the indentation wrong? a text that holds a colon needs quotes",
        False,
    ),
    (
        r"could not find expected ':'",
        "a line that is neither `key: value` nor an item of a list",
        "is a colon missing, or the space after it?",
        True,
    ),
    (
        r"expected <block end>, but found '<block mapping start>'",
        "a line that is indented unlike those before it",
        _INDENT,
        False,
    ),
    (
        r"expected <block end>, but found '(?:-|<block sequence start>)'",
        "an item of a list in the middle of a mapping, or of a list with another indentation",
        "check the indentation",
        False,
    ),
    (
        r"expected <block end>, but found '<scalar>'",
        "text after the end of a value",
        "put the whole value in one pair of quotes",
        False,
    ),
    (r"expected <block end>, but found '(.+)'", "{_1} where the next line belongs", _INDENT, False),
    (
        r"expected ',' or '(.)'",
        "no comma or closing {_1} where one is due, in what {start} opens",
        "close it, and put texts that hold , : [ ] {{ }} in quotes",
        False,
    ),
    (
        r"quoted scalar .*unexpected (?:end of stream|document separator)",
        "quotes that are opened here are never closed",
        None,
        True,
    ),
    (
        r"unknown escape character '(.)'",
        "\\{_1} has no meaning in double quotes",
        "use single quotes, or write the backslash twice",
        False,
    ),
    (
        r"expected '<document start>', but found '<block mapping start>'",
        "a line that is indented less than the first one",
        "start all top-level fields in the first column",
        False,
    ),
    (r"expected '<document start>', but found '(.+)'", "{_1} after the end of it all", "remove it", False),
    (
        r"block scalar .*found '(.+)'",
        "{_1} right after | or >",
        "start the text on the next line, indented",
        False,
    ),
    (
        r"expected the node content, but found '(.+)'",
        "{_1} where a value belongs",
        _QUOTES + " if it is a text",
        False,
    ),
)
