"""`provisioner show`."""

from __future__ import annotations

import click

from provisioner.cli import output
from provisioner.cli.common import SpecFile, json_text, tell_line
from provisioner.cli.help import Command
from provisioner.cli.options import FORMAT, spec_argument

MAX_NAMED = 5


@click.command(cls=Command)
@spec_argument
@FORMAT
def show(spec: SpecFile, output_format: str) -> None:
    """Show a spec with what it extends and with its target, and the file and line of each value. Offline."""
    from provisioner.kinds import KINDS
    from provisioner.spec import load
    from provisioner.spec.showing import masked, show_data, show_text
    from provisioner.spec.targets import compose_layers
    from provisioner.spec.wording import dotted, listed

    layers = compose_layers(spec.path, spec.root, spec.target, KINDS)
    gate = output.out()
    if output_format == "json":
        gate.masked(json_text(show_data(layers, spec.path, spec.target)))
    else:
        from rich.cells import cell_len

        gate.masked(show_text(layers, gate.encoding, cell_len).removesuffix("\n"))
    if hidden := [dotted(path) for path in masked(layers)]:
        more = f" and {len(hidden) - MAX_NAMED} more" if len(hidden) > MAX_NAMED else ""
        fields = f"{', '.join(hidden[:MAX_NAMED])}{more}" if more else listed(hidden, "and")
        tell_line(f"secrets are masked as *** in {fields}: what is shown is no spec to apply", "warning:")
    # What is wrong with the whole is told below it: that is when somebody wants to see it.
    load(spec.path, KINDS, spec.root, needs_contents=False, target=spec.target)
