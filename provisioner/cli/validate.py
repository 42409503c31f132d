"""`provisioner validate`."""

from __future__ import annotations

import click

from provisioner.cli.common import WRONG_USE, say, tell_problems
from provisioner.cli.help import Command
from provisioner.cli.options import ROOT
from provisioner.errors import SpecError


@click.command(cls=Command)
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=click.Path())
@ROOT
def validate(specs: tuple[str, ...], root: str | None) -> None:
    """Check specs, offline; all problems at once, and that no two are about the same environment."""
    from provisioner.kinds import KINDS
    from provisioner.spec import load_all

    wrong = False
    for spec, environment in load_all(specs, KINDS, root):
        if isinstance(environment, SpecError):
            tell_problems(environment)
            wrong = True
        else:
            say(f"{spec}: valid; environment {environment.name} in {environment.region}")
    if wrong:
        raise click.exceptions.Exit(WRONG_USE)
