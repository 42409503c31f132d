"""`provisioner status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner.cli.common import SpecFile, connect_to, console_for, load_spec, say_data
from provisioner.cli.help import Command
from provisioner.cli.options import FORMAT, connection_options, spec_argument

if TYPE_CHECKING:
    from provisioner.aws.connect import Options


@click.command(cls=Command)
@spec_argument
@FORMAT
@connection_options
def status(spec: SpecFile, output_format: str, options: Options) -> None:
    """Show what there is: fleets and their members, roles, profiles, attachments."""
    from provisioner.kinds import KINDS
    from provisioner.observe import observe
    from provisioner.render.as_status import status_data, status_text

    environment = load_spec(spec)
    world = observe(environment, connect_to(environment, options), KINDS, looking=True)
    every = world.environment.resources.keys() | world.observation.resources.keys()
    statuses = {
        str(address): kind.status(address, world.desired(address), world.observed(address), world)
        for kind in KINDS
        for address in sorted(every)
        if address.kind == kind.name
    }
    subject = (environment.name, environment.region, world.identity.account_id, statuses)
    if output_format == "json":
        say_data(status_data(*subject))
    else:
        console_for().print(status_text(*subject, local=options.is_local), soft_wrap=True)
