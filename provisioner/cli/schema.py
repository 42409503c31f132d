"""`provisioner schema`."""

from __future__ import annotations

import click

from provisioner.cli.common import say_data
from provisioner.cli.help import Command


@click.command(cls=Command)
def schema() -> None:
    """Print the JSON Schema of specs."""
    from provisioner.kinds import KINDS
    from provisioner.spec.schemas import editor_schema

    say_data(editor_schema(KINDS))
