"""Writes what is made from the schemas: `python -m provisioner.spec.generate`, in a checkout."""

from __future__ import annotations

from pathlib import Path

from provisioner.kinds import KINDS
from provisioner.spec.docs import markdown
from provisioner.spec.schemas import folder, schema, to_text


def generated() -> dict[Path, str]:
    """What each generated file should hold."""
    schemas = folder()
    return {
        schemas / "environment.schema.json": to_text(schema(KINDS)),
        schemas.parent / "docs" / "spec.md": markdown(KINDS),
    }


def main() -> None:
    """Write all generated files. Raises OSError when that cannot be done."""
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
