"""A composed spec for people and for programs: each value with the file and the line that it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from provisioner.kinds.base import Path
from provisioner.spec.merging import Layers, Place, paths_in
from provisioner.spec.wording import dotted

# Comments begin no further to the right for the sake of a few long lines.
MAX_ALIGNED = 72


class _Line(NamedTuple):
    text: str
    comment: str = ""


def show_text(layers: Layers) -> str:
    """The spec as YAML, with comments that say where each value comes from. It is read as the same spec."""
    lines = list(_mapping(layers, layers.value, ())) or [_Line("{}")]
    lines += [
        _Line("", f"{dotted(path)} is removed in {_short(place)}") for path, place in layers.removed.items()
    ]
    told = [len(line.text) for line in lines if line.comment and line.text and len(line.text) <= MAX_ALIGNED]
    column = max(told, default=0)
    return "\n".join(
        f"{line.text:<{column}}  # {line.comment}" if line.text and line.comment else _bare(line)
        for line in lines
    )


def show_data(layers: Layers, source: str, target: str | None) -> dict[str, Any]:
    """The same for programs, with the places of mappings, and of all values that were overridden."""
    return {
        "source": source,
        "target": target,
        "spec": layers.value,
        "places": [
            {
                "field": dotted(path),
                **layers.values[path]._asdict(),
                "is_merged": path in layers.merged,
                "overrides": [place._asdict() for place in layers.before.get(path, ())],
            }
            for path in paths_in(layers.value, ())
            if path and path in layers.values
        ],
        "removed": [{"field": dotted(path), **place._asdict()} for path, place in layers.removed.items()],
    }


def _bare(line: _Line) -> str:
    return f"# {line.comment}" if line.comment else line.text


def _mapping(layers: Layers, value: dict[str, Any], path: Path, indent: int = 0) -> Iterator[_Line]:
    for key, inner in value.items():
        yield from _entry(layers, inner, (*path, key), f"{' ' * indent}{_scalar(key)}:", indent)


def _entry(layers: Layers, value: Any, path: Path, start: str, indent: int) -> Iterator[_Line]:
    """A value behind `start`, which is a key or a hyphen."""
    if isinstance(value, dict) and value:
        inner = list(_mapping(layers, value, path, indent + 2))
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
            yield from _entry(layers, item, (*path, index), f"{' ' * (indent + 2)}-", indent + 2)
    elif isinstance(value, str) and _is_block(value):
        end = "" if value.endswith("\n") else "-"
        yield _Line(f"{start} |{end}", _comment(layers, path))
        for line in value.removesuffix("\n").split("\n"):
            yield _Line(f"{' ' * (indent + 2)}{line}" if line else "")
    else:
        yield _Line(f"{start} {_scalar(value)}", _comment(layers, path))


def _comment(layers: Layers, path: Path) -> str:
    place, before = layers.values.get(path), layers.before.get(path, ())
    if place is None:
        return ""
    return ", over ".join(map(_short, (place, *before)))


def _short(place: Place) -> str:
    return f"{place.file}:{place.line}"


def _is_block(text: str) -> bool:
    """Whether a text of several lines is read as the same below a `|`."""
    lines = text.removesuffix("\n").split("\n")
    is_plain = all(line.isprintable() and line == line.rstrip() for line in lines)
    return len(lines) > 1 and is_plain and bool(lines[0]) and lines[0][0] != " " and bool(lines[-1])


def _scalar(value: Any) -> str:
    """A value as YAML in one line; texts in quotes only where they need them."""
    if value == {} or value == []:
        return "{}" if value == {} else "[]"
    text: str = yaml.safe_dump(value, allow_unicode=True, width=10**9, default_flow_style=True)
    text = text.removesuffix("...\n").removesuffix("\n")
    if "\n" in text:
        text = yaml.safe_dump(value, allow_unicode=True, width=10**9, default_style='"').removesuffix("\n")
    return text
