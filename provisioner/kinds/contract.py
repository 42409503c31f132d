"""What a kind has to have, checked when the kinds are imported: whoever adds one is told what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from provisioner.kinds.base import AnyKind, Kind
from provisioner.retry import CallRules

BASE = "base.schema.json"
_PACKAGE = Path(__file__).resolve().parents[1]
_METHODS = ("parse", "check", "observe", "observe_details", "compare", "permissions", "describe", "status")
_ATTRIBUTES = {
    "name": str,
    "section": str,
    "is_of_iam": bool,
    "call_rules": CallRules,
    "explanations": Mapping,
}


def schema_folder(package: Path = _PACKAGE) -> Path:
    """Where the source schemas are: inside an installed package, and beside it in a checkout."""
    inside = package / "schemas"
    return inside if (inside / BASE).is_file() else package.parent / "schemas"


def checked(kinds: Sequence[AnyKind], schemas: Path) -> tuple[AnyKind, ...]:
    """The kinds, if none lacks anything. Raises TypeError, which says all that is missing.

    `schemas` is the folder with `kinds/<name>.schema.json` for each.
    """
    problems = [*(problem for kind in kinds for problem in _missing(kind, schemas)), *_taken(kinds)]
    if problems:
        raise TypeError("; ".join(problems))
    return tuple(kinds)


def _missing(kind: Any, schemas: Path) -> Iterator[str]:
    named = f"kind {type(kind).__name__}"
    for name, type_ in _ATTRIBUTES.items():
        if not isinstance(getattr(kind, name, None), type_):
            yield f"{named} has no `{name}`, which is a {type_.__name__}"
    # A method of the protocol itself does nothing.
    for name in _METHODS:
        method = getattr(type(kind), name, None)
        if not callable(method) or method is getattr(Kind, name):
            yield f"{named} has no method `{name}`; see `Kind` in provisioner/kinds/base.py"
    schema = schemas / "kinds" / f"{getattr(kind, 'name', '')}.schema.json"
    if isinstance(getattr(kind, "name", None), str) and not schema.is_file():
        yield f"{named} has no schema: write schemas/kinds/{schema.name}"


def _taken(kinds: Iterable[AnyKind]) -> Iterator[str]:
    for what in ("name", "section"):
        owners: dict[str, str] = {}
        for kind in kinds:
            word = getattr(kind, what, "")
            first = owners.setdefault(word, type(kind).__name__)
            if word and first != type(kind).__name__:
                yield f"kinds {first} and {type(kind).__name__} both have the {what} {word!r}"
