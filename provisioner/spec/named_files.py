"""The files that a spec names, in all of its fields, and their names from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from provisioner.kinds.base import Path
from provisioner.spec.files import Source
from provisioner.spec.merging import Layers, with_texts

ANY = "*"
# Not `key_pairs.*.ssh`, which is a name in ~/.ssh, wherever the spec is.
FILE_FIELDS = (
    ("roles", ANY, "inline_policies", ANY, "file"),
    ("key_pairs", ANY, "file"),
    ("fleets", ANY, "user_data", "file"),
)


def named_from(layers: Layers, spec: Source, others: Mapping[str, Source]) -> Layers:
    """The layers with each file that another one names as the spec itself would have to name it.

    `others` are the files that the spec extends, by name. Names are relative to the real folder of whichever
    file has them, as `files.locate_named` has it.
    """

    def renamed(path: Path, text: str) -> str:
        place = layers.values.get(path)
        source = others.get(place.file) if place else None
        return _from(spec, source, text) if source and is_file_field(path) else text

    return replace(layers, value=with_texts(layers.value, renamed))


def is_file_field(path: Path) -> bool:
    """Whether what is at a path of a spec is the name of a file beside it."""
    return any(
        len(path) == len(field) and all(step in (ANY, own) for step, own in zip(field, path, strict=True))
        for field in FILE_FIELDS
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
