"""A composed spec for people and for programs: each value with the file and the line that it comes from.

What looks like a secret is hidden before anything is put in quotes, line by line, as plans do it: behind a
quoted line break, the rest of a text would count as the secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml

from provisioner.kinds.base import Path
from provisioner.secrecy import without_secrets
from provisioner.spec.merging import Layers, Place, paths_in
from provisioner.spec.nodes import MASKED_TAG
from provisioner.spec.wording import dotted, told_at
from provisioner.visible import visible

# Comments begin no further to the right for the sake of a few long lines.
MAX_ALIGNED = 72
# YAML takes no more characters before the colon, unless there is a question mark.
MAX_KEY = 1000
_MASKED = "a secret is masked as ***"
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_ONE_BYTE, _TWO_BYTES = 0xFF, 0xFFFF


class _Line(NamedTuple):
    text: str
    comment: str = ""


def show_text(layers: Layers, encoding: str = "utf-8", width: Callable[[str], int] = len) -> str:
    """The spec as YAML, with comments that say where each value comes from.

    It is read as the same spec. Only where something is masked it is none any more: a tag is there that no
    spec may have. What `encoding` has no letters for is written as escapes. `width` is how many columns
    a text takes.
    """
    return "".join(f"{line}\n" for line in _aligned(list(_Text(layers, encoding).lines()), width))


def show_data(layers: Layers, source: str, target: str | None) -> dict[str, Any]:
    """The same for programs, with the places of mappings, and of all values that were overridden.

    `masked` are the fields in which a secret is masked.
    """
    return {
        "source": source,
        "target": target,
        "spec": _without_secrets(layers.value, ()),
        "masked": [_field(path) for path in masked(layers)],
        "places": [
            {
                "field": _field(path),
                **layers.values[path]._asdict(),
                "is_merged": path in layers.merged,
                "overrides": [place._asdict() for place in layers.before.get(path, ())],
            }
            for path in paths_in(layers.value, ())
            if path and path in layers.values
        ],
        "removed": [{"field": _field(path), **place._asdict()} for path, place in layers.removed.items()],
    }


def masked(layers: Layers) -> list[Path]:
    """The paths of what looks like a secret, in a value or in its key."""
    values = [path for path, value in _leaves(layers.value, ()) if _differ(value, _masked(path, value))]
    keys = (path for path in paths_in(layers.value, ()) if path and isinstance(path[-1], str))
    secret_keys = (path for path in keys if _masked((), str(path[-1])) != path[-1])
    return list(dict.fromkeys([*values, *secret_keys]))


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _masked(path: Path, value: Any) -> Any:
    """A value without secrets, and without what is one by the name of its field, numbers too."""
    if not isinstance(value, str):
        return told_at(path, value)
    first, *rest = map(without_secrets, value.split("\n"))
    return "\n".join([told_at(path, first), *rest])


def _differ(value: Any, told: Any) -> bool:
    # What is no number is not equal to itself.
    return told is not value and bool(told != value)


def _without_secrets(value: Any, path: Path) -> Any:
    if isinstance(value, dict):
        return {_masked((), key): _without_secrets(inner, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item, (*path, index)) for index, item in enumerate(value)]
    return _masked(path, value)


class _Text:
    def __init__(self, layers: Layers, encoding: str) -> None:
        self._layers = layers
        self._encoding = encoding

    def lines(self) -> Iterator[_Line]:
        yield from list(self._mapping(self._layers.value, (), 0)) or [_Line("{}")]
        for path, place in self._layers.removed.items():
            yield _Line("", visible(f"{_field(path)} is removed in {_short(place)}"))

    def _mapping(self, value: dict[str, Any], path: Path, indent: int) -> Iterator[_Line]:
        for key, inner in value.items():
            start = f"{' ' * indent}{self._one(key, _masked((), key))}"
            if len(start) > MAX_KEY:
                yield _Line(f"{' ' * indent}? {start.lstrip()}")
                start = " " * indent
            yield from self._entry(inner, (*path, key), f"{start}:", indent)

    def _entry(self, value: Any, path: Path, start: str, indent: int) -> Iterator[_Line]:
        """A value behind `start`, which is a key or a hyphen."""
        if isinstance(value, dict) and value:
            inner = list(self._mapping(value, path, indent + 2))
            if start.endswith("-"):
                # The first key stands behind the hyphen.
                yield inner[0]._replace(text=f"{start} {inner[0].text.lstrip()}")
                yield from inner[1:]
            else:
                yield _Line(start)
                yield from inner
        elif isinstance(value, list) and value:
            yield _Line(start)
            for index, item in enumerate(value):
                yield from self._entry(item, (*path, index), f"{' ' * (indent + 2)}-", indent + 2)
        else:
            yield from self._leaf(value, path, start, indent)

    def _leaf(self, value: Any, path: Path, start: str, indent: int) -> Iterator[_Line]:
        told = _masked(path, value)
        comment = "; ".join(filter(None, (self._comment(path), _MASKED if _differ(value, told) else "")))
        if isinstance(told, str) and self._is_block(told):
            end = "" if told.endswith("\n") else "-"
            yield _Line(f"{start} {_tag(value, told)}|{end}", comment)
            for line in told.removesuffix("\n").split("\n"):
                yield _Line(f"{' ' * (indent + 2)}{line}" if line else "")
        else:
            yield _Line(f"{start} {self._one(value, told)}", comment)

    def _comment(self, path: Path) -> str:
        place, before = self._layers.values.get(path), self._layers.before.get(path, ())
        return ", over ".join(map(_short, (place, *before))) if place else ""

    def _is_block(self, text: str) -> bool:
        """Whether a text of several lines is read as the same below a `|`."""
        lines = text.removesuffix("\n").split("\n")
        is_plain = all(self._is_plain(line) and line == line.rstrip() for line in lines)
        return len(lines) > 1 and is_plain and bool(lines[0]) and lines[0][0] != " " and bool(lines[-1])

    def _one(self, value: Any, told: Any) -> str:
        """A value, of which `told` may be told, as YAML in one line; texts in quotes only where they need
        them."""
        if told == {} or told == []:
            return "{}" if told == {} else "[]"
        if isinstance(told, str) and not self._is_plain(told):
            return _tag(value, told) + "".join(['"', *map(self._escaped, told), '"'])
        text: str = yaml.safe_dump(told, allow_unicode=True, width=10**9, default_flow_style=True)
        return _tag(value, told) + text.removesuffix("...\n").removesuffix("\n")

    def _escaped(self, character: str) -> str:
        if (known := _ESCAPES.get(character)) or self._is_plain(character):
            return known or character
        code = ord(character)
        if code <= _ONE_BYTE:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code <= _TWO_BYTES else f"\\U{code:08x}"

    def _is_plain(self, text: str) -> bool:
        """Whether a text is printed as it is."""
        try:
            return visible(text) == text and bool(text.encode(self._encoding) or not text)
        except UnicodeEncodeError:
            return False


def _field(path: Path) -> str:
    return without_secrets(
        dotted(tuple(_masked((), step) if isinstance(step, str) else step for step in path))
    )


def _tag(value: Any, told: Any) -> str:
    return f"{MASKED_TAG} " if _differ(value, told) else ""


def _aligned(lines: list[_Line], width: Callable[[str], int]) -> Iterator[str]:
    """The lines with their comments in one column."""
    told = [width(line.text) for line in lines if line.comment and line.text]
    column = max((columns for columns in told if columns <= MAX_ALIGNED), default=0)
    for text, comment in lines:
        if text and comment:
            yield f"{text}{' ' * (column - width(text))}  # {comment}"
        else:
            yield f"# {comment}" if comment else text


def _short(place: Place) -> str:
    return visible(without_secrets(f"{place.file}:{place.line}"))
