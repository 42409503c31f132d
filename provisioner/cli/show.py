"""`provisioner show`."""

from __future__ import annotations

import click

from provisioner.cli import output
from provisioner.cli.common import SpecFile, say_data
from provisioner.cli.help import Command
from provisioner.cli.options import FORMAT, spec_argument


@click.command(cls=Command)
@spec_argument
@FORMAT
def show(spec: SpecFile, output_format: str) -> None:
    """Show a spec with what it extends and with its target, and the file and line of each value. Offline."""
    from provisioner.kinds import KINDS
    from provisioner.spec import load
    from provisioner.spec.showing import show_data, show_text
    from provisioner.spec.targets import compose_layers

    layers = compose_layers(spec.path, spec.root, spec.target)
    if output_format == "json":
        say_data(show_data(layers, spec.path, spec.target))
    else:
        output.out().lines(show_text(layers))
    # What is wrong with the whole is told below it: that is when somebody wants to see it.
    load(spec.path, KINDS, spec.root, needs_contents=False, target=spec.target)
