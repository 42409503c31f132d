"""Writes what is made from the schemas: `python -m provisioner.spec.generate`, in a checkout."""

from __future__ import annotations

from pathlib import Path

from provisioner.kinds import KINDS
from provisioner.spec.docs import markdown
from provisioner.spec.schemas import editor_schema, folder, to_text

# For files that others extend, which no editor can tell from a spec by themselves.
PARTIAL = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A file that specs extend",
    "$ref": "environment.schema.json#/$defs/partial",
}


def generated() -> dict[Path, str]:
    """What each generated file should hold."""
    schemas = folder()
    return {
        schemas / "environment.schema.json": to_text(editor_schema(KINDS)),
        schemas / "partial.schema.json": to_text(PARTIAL),
        schemas.parent / "docs" / "spec.md": markdown(KINDS),
    }


def main() -> None:
    """Write all generated files. Raises OSError when that cannot be done."""
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
