"""The files that a spec names, in all of its fields, and their names from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from provisioner.kinds.base import Path
from provisioner.spec.files import Source
from provisioner.spec.merging import Layers, with_texts
from provisioner.spec.schemas import Section, inlined, schema

# In a path: any key.
ANY = "*"


def named_from(
    layers: Layers, spec: Source, others: Mapping[str, Source], kinds: Iterable[Section]
) -> Layers:
    """The layers with each file that another one names as the spec itself would have to name it.

    `others` are the files that the spec extends, by name. Names are relative to the real folder of whichever
    file has them, as `files.locate_named` has it.
    """

    fields = file_fields(kinds)

    def renamed(path: Path, text: str) -> str:
        place = layers.values.get(path)
        source = others.get(place.file) if place else None
        return _from(spec, source, text) if source and _is_one_of(fields, path) else text

    return replace(layers, value=with_texts(layers.value, renamed))


def file_fields(kinds: Iterable[Section]) -> frozenset[tuple[str, ...]]:
    """The paths of all fields that name a file beside the spec, which the schema calls `x-file`."""
    whole = schema(kinds)
    return frozenset(_marked(inlined(whole, whole), ()))


def _marked(part: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if part.get("x-file"):
        yield path
    for branch in part.get("anyOf", ()):
        yield from _marked(branch, path)
    for name, field in {**part.get("properties", {}), ANY: part.get("additionalProperties")}.items():
        if isinstance(field, Mapping):
            yield from _marked(field, (*path, name))


def _is_one_of(fields: Iterable[tuple[str, ...]], path: Path) -> bool:
    return any(
        len(path) == len(field) and all(step in (ANY, own) for step, own in zip(field, path, strict=True))
        for field in fields
    )


def _from(spec: Source, source: Source, name: str) -> str:
    own, other = str(spec.path.parent), str(source.path.parent)
    written = os.path.join(os.path.relpath(other, own), name)  # noqa: PTH118  keeps what is absolute
    short = os.path.normpath(written)
    # Behind a link, `..` leads elsewhere than its name says.
    is_same = _real(own, short) == _real(other, name)
    return short if is_same else written


def _real(folder: str, name: str) -> Any:
    try:
        return os.path.realpath(os.path.join(folder, name))  # noqa: PTH118
    except (ValueError, OSError):
        return None  # No name of a file, which is told when it is read.
