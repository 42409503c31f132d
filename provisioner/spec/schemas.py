"""The JSON Schema of a spec, put together from that of the environment and those of the kinds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from provisioner.kinds import schema_folder

BASE = "base.schema.json"
_OWN = "#/$defs/"
_SHARED = f"../{BASE}{_OWN}"


class Section(Protocol):
    """What the schema needs to know of a kind: its name, and its heading in a spec.

    `explanations` are sentences about fields by their dotted paths, and the AWS document that each is from.
    """

    @property
    def name(self) -> str: ...

    @property
    def section(self) -> str: ...

    @property
    def explanations(self) -> Mapping[str, tuple[str, str]]: ...


def folder() -> Path:
    """Where the source schemas are."""
    return schema_folder()


def schema(kinds: Iterable[Section]) -> dict[str, Any]:
    """The schema of a spec with these kinds, as one document that refers to nothing outside itself.

    Raises OSError when the source of a kind is not there, which is a mistake in the installation.
    """
    combined = _read(folder() / BASE)
    # Properties in front of the definitions: people read the file from the top.
    definitions = combined.pop("$defs")
    for kind in kinds:
        entry = _absolute(_read(folder() / "kinds" / f"{kind.name}.schema.json"), kind.name)
        del entry["$schema"]
        for path, (sentence, source) in kind.explanations.items():
            _explain(entry, path.split("."), sentence, source)
        definitions[kind.name] = entry
        combined["properties"][kind.section] = {
            "description": f"{entry['description']} Absent: none.",
            "type": "object",
            "x-allowed": "a mapping of keys to entries",
            "propertyNames": {"$ref": f"{_OWN}key"},
            "additionalProperties": {"$ref": _OWN + kind.name},
        }
    return {**combined, "$defs": definitions}


def editor_schema(kinds: Iterable[Section]) -> dict[str, Any]:
    """The schema for editors, who check one file at a time: what it extends, and what it is laid over, is not
    in it, so there nothing is required. `#/$defs/partial` is for files that others extend.
    """
    whole = schema(kinds)
    definitions = whole.pop("$defs")
    about = {name: whole.pop(name) for name in ("$schema", "title", "description")}
    parts = {name: part for name, part in whole["properties"].items() if name not in ("extends", "targets")}
    target = {
        "description": "What is different in one environment of the spec.",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _partial(part, {"$defs": definitions}) for name, part in parts.items()},
    }
    targets = {**whole["properties"]["targets"], "additionalProperties": {"$ref": f"{_OWN}target"}}
    whole["properties"]["targets"] = targets
    partial = {
        **target,
        "description": "A spec that extends another file, is extended by one, or has targets.",
        "properties": {
            "extends": whole["properties"]["extends"],
            **{name: {"$ref": f"{_OWN}target/properties/{name}"} for name in parts},
            "targets": targets,
        },
    }
    return {
        **about,
        "type": "object",
        "if": {"anyOf": [{"required": ["extends"]}, {"required": ["targets"]}]},
        "then": {"$ref": f"{_OWN}partial"},
        "else": {"$ref": f"{_OWN}spec"},
        "$defs": {"spec": whole, "partial": partial, "target": target, **definitions},
    }


# What a part of an entry need not fulfil: only the whole has to.
_OF_THE_WHOLE = ("required", "oneOf", "not", "minProperties")
# What editors read `KEY: !remove` as, where they are told of the tag.
_REMOVED = {"const": "", "description": "!remove: delete the key that is inherited."}


def _partial(part: Any, whole: Mapping[str, Any]) -> Any:
    """A part of a schema for what is laid over something: any field may be missing or be removed. Lists are
    replaced, so their items are whole."""
    part = resolve(part, whole)
    made = {name: inner for name, inner in part.items() if name not in (*_OF_THE_WHOLE, "$defs")}
    if "anyOf" in made:
        made["anyOf"] = [_partial(branch, whole) for branch in made["anyOf"]]
    if "properties" in made:
        inside = made["properties"].items()
        made["properties"] = {name: _removable(_partial(inner, whole)) for name, inner in inside}
    if made.get("type") == "object" and made.get("additionalProperties"):
        made["additionalProperties"] = _removable(_partial(made["additionalProperties"], whole))
    return made


def _removable(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("type") in ("object", "array", "integer", "boolean") and not {"enum", "anyOf"} & part.keys():
        # Editors say more of what is wrong in one form than in one of several.
        return {**part, "type": [part["type"], "string"], "maxLength": 0}
    said = {name: part[name] for name in ("description",) if name in part}
    return {**said, "anyOf": [{name: inner for name, inner in part.items() if name not in said}, _REMOVED]}


def resolve(part: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of a combined schema with what it refers to filled in; what stands beside `$ref` wins."""
    while "$ref" in part:
        target: Any = whole
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        part = {**target, **{key: value for key, value in part.items() if key != "$ref"}}
    return part


def inlined(part: Any, whole: Mapping[str, Any]) -> Any:
    """A part of a combined schema with all that it refers to filled in, which is much faster to check with.

    Nothing in our schemas contains itself.
    """
    if isinstance(part, list):
        return [inlined(inner, whole) for inner in part]
    if not isinstance(part, Mapping):
        return part
    return {key: inlined(inner, whole) for key, inner in resolve(part, whole).items() if key != "$defs"}


def to_text(combined: Mapping[str, Any]) -> str:
    """A schema as the text of a file."""
    return json.dumps(combined, indent=2, ensure_ascii=False) + "\n"


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _explain(entry: dict[str, Any], path: Sequence[str], sentence: str, source: str) -> None:
    """Puts a sentence before what a field means when absent. Raises KeyError for one that is not there.

    A field of the entries of a list is below the list's own name.
    """
    *outer, last = path
    part = entry
    for name in outer:
        part = part["properties"][name]
        part = part.get("items", part)
    field = part["properties"][last]
    about, _, absent = field["description"].partition(" Absent: ")
    described = f"{about} {sentence} Absent: {absent}" if absent else f"{about} {sentence}"
    said = {"description": described, "x-source": source}
    part["properties"][last] = {**said, **{name: value for name, value in field.items() if name not in said}}


def _absolute(part: Any, kind: str) -> Any:
    """A part of a kind's schema with its references as they are in the combined one."""
    if isinstance(part, list):
        return [_absolute(item, kind) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _target(value, kind) if key == "$ref" else _absolute(value, kind) for key, value in part.items()
    }


def _target(reference: str, kind: str) -> str:
    if reference.startswith(_SHARED):
        return _OWN + reference.removeprefix(_SHARED)
    return f"{_OWN}{kind}/$defs/{reference.removeprefix(_OWN)}"
