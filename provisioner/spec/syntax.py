"""What a YAML parser complains about, in plain words."""

from __future__ import annotations

import re

import yaml

from provisioner.spec.wording import listed, shorten

MAX_TOLD = 200


def in_plain_words(error: yaml.MarkedYAMLError, text: str) -> tuple[yaml.Mark | None, str, str | None]:
    """The place, the message and perhaps a hint for what the parser says.

    What is not known here is told in the parser's own words.
    """
    mark, context, problem = error.problem_mark, error.context or "", error.problem or ""
    if mark and re.search(_OF_INDENTATION, f"{context} | {problem}") and (odd := _indentation(text, mark)):
        return mark, *odd
    for pattern, message, hint, at_start in _KNOWN:
        if match := re.search(pattern, f"{context} | {problem}"):
            start = error.context_mark or mark
            where = {f"_{number}": shorten(text) for number, text in enumerate(match.groups(), 1)}
            where["start"] = f"line {start.line + 1}" if start else "above"
            return (start if at_start else mark), message.format(**where), hint and hint.format(**where)
    told = f"{problem} {context}".strip() or "the YAML cannot be read"
    return mark or error.context_mark, f"this is not YAML: {told[:MAX_TOLD]}", None


def _indentation(text: str, mark: yaml.Mark) -> tuple[str, str] | None:
    """Why the indentation of a line fits none of those above it; None if it fits one."""
    lines = _LINE_END.split(text)
    if not _STARTS_A_LINE.fullmatch(lines[mark.line][: mark.column]):
        return None
    is_item = lines[mark.line].lstrip(" ").startswith("- ")
    own = _level(lines[mark.line], is_item)
    above: dict[int, int] = {}
    for number in range(mark.line - 1, -1, -1):
        level = _level(lines[number], is_item)
        if level is not None and level < min(above, default=level + 1):
            above[level] = number + 1
        if above and own is not None and min(above) <= own:
            break
    if not above or own is None or own in above:
        return None
    nearest = sorted(sorted(above, key=lambda level: abs(level - own))[:2], reverse=True)
    siblings = listed([f"{level} (line {above[level]})" for level in nearest])
    spaces = f"{own} space{'' if own == 1 else 's'}"
    return (
        f"this line is indented by {spaces}, and those above it that it may belong to by {siblings}",
        f"indent it by {listed([str(level) for level in nearest])}",
    )


def _level(line: str, of_items: bool) -> int | None:
    """By how much what is in a line is indented, or the item that starts in it; None if nothing is."""
    if not (match := re.match(r"( *)((?:- +)*)[^ #]", line)):
        return None
    return len(match[1]) if of_items else match.end(2)


_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_STARTS_A_LINE = re.compile(r"[^:#{}\[\],]*")
_OF_INDENTATION = "mapping values are not allowed here|expected <block end>, but found '(<block|-)"

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
