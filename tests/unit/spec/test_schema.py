"""The schema itself, and what is generated from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from provisioner.kinds import KINDS, schema_folder
from provisioner.kinds.fleet.settings.setting import How
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.spec import schema
from provisioner.spec.generate import generated
from provisioner.spec.schemas import resolve

WHOLE = schema(KINDS)
HOW_IT_CHANGES = {
    How.LIVE: "Changes while the instances run",
    How.RESTART: "Changes by stop and start",
    How.REPLACE: "Changes by replacement",
}


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_generated_file_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated()[path], "run: python -m provisioner.spec.generate"


def test_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(WHOLE)


def test_refers_to_nothing_outside() -> None:
    references = [part["$ref"] for _, part in parts(WHOLE) if "$ref" in part]
    assert references
    for reference in references:
        assert reference.startswith("#/")
        resolve({"$ref": reference}, WHOLE)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_section(kind: Any) -> None:
    assert WHOLE["properties"][kind.section]["additionalProperties"] == {"$ref": f"#/$defs/{kind.name}"}


def test_fewer_kinds_make_a_smaller_schema() -> None:
    assert "fleets" not in schema(KINDS[:1])["properties"]
    assert "fleet" not in schema(KINDS[:1])["$defs"]


def test_every_field_is_described_in_a_sentence_and_says_what_absent_means() -> None:
    for path, part in parts(WHOLE):
        for name, field in part.get("properties", {}).items():
            description = field.get("description") or resolve(field, WHOLE).get("description", "")
            about, _, absent = description.partition(" Absent: ")
            assert about.endswith("."), f"{path}/{name}"
            assert bool(absent) != (name in part.get("required", ())), f"{path}/{name}"
            assert not absent or absent.endswith("."), f"{path}/{name}"


def test_schema_and_docs_say_of_each_setting_of_a_fleet_how_it_changes_and_why() -> None:
    table = {
        setting.path: (f"{HOW_IT_CHANGES[setting.how]}: {setting.why}.", setting.source)
        for setting in SETTINGS
    }
    fields = fleet_fields()
    told = {path: field for path, field in fields.items() if how_it_changes(field["description"])}
    assert told.keys() == table.keys()
    docs = next(path for path in generated() if path.name == "spec.md").read_text(encoding="utf-8")
    (section,) = (part for part in docs.split("\n## ") if part.startswith("fleets\n"))
    rows = {row.split("`")[1].replace("[]", ""): row for row in section.splitlines() if row.startswith("| `")}
    assert {path for path, row in rows.items() if how_it_changes(row)} == table.keys()
    for path, (said, source) in table.items():
        assert said in fields[path]["description"]
        assert fields[path]["x-source"] == source
        assert f"{said} ([AWS]({source}))" in rows[path]


def test_objects_take_no_unknown_fields() -> None:
    for path, part in parts(WHOLE):
        if "properties" in part:
            assert part.get("additionalProperties") is False, path
        elif part.get("type") == "object":
            assert isinstance(part.get("additionalProperties"), dict), path


def test_every_pattern_is_said_in_words_too() -> None:
    for path, part in parts(WHOLE):
        assert "pattern" not in part or "x-allowed" in part, path


def test_every_known_value_is_right() -> None:
    for path, part in parts(WHOLE):
        for value in [*part.get("x-known", ()), *part.get("examples", ())]:
            whole = {**part, "$defs": WHOLE["$defs"]}
            assert jsonschema.Draft202012Validator(whole).is_valid(value), f"{path}: {value}"


def test_sources_are_found_in_an_installed_package(tmp_path: Path) -> None:
    installed = tmp_path / "site-packages" / "provisioner"
    (installed / "schemas").mkdir(parents=True)
    (installed / "schemas" / "base.schema.json").write_text(json.dumps({}))
    assert schema_folder(installed) == installed / "schemas"


def how_it_changes(text: str) -> bool:
    """Whether a text says how a setting changes."""
    return any(words in text for words in HOW_IT_CHANGES.values())


def fleet_fields() -> dict[str, dict[str, Any]]:
    """All fields of a fleet by their paths, those within them included."""
    fields: dict[str, dict[str, Any]] = {}
    for path, part in parts(WHOLE["$defs"]["fleet"]):
        above = [word for word in path.split("/") if word and word not in ("properties", "anyOf", "items")]
        for name, field in part.get("properties", {}).items():
            fields[".".join((*above, name))] = {**resolve(field, WHOLE), **field}
    return fields


def parts(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """All schemas within a schema, with where they are."""
    if not isinstance(part, dict):
        return
    yield path, part
    for word in ("properties", "$defs"):
        for name, inner in part.get(word, {}).items():
            yield from parts(inner, f"{path}/{word}/{name}")
    for word in ("items", "additionalProperties", "propertyNames"):
        yield from parts(part.get(word), f"{path}/{word}")
    for word in ("anyOf", "oneOf"):
        for index, inner in enumerate(part.get(word, ())):
            yield from parts(inner, f"{path}/{word}/{index}")
