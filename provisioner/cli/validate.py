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
    from provisioner.guardrails.files import library
    from provisioner.kinds import KINDS
    from provisioner.spec import load_all
    from provisioner.spec.folder import check_folder_configuration, is_folder_configuration

    wrong = False
    folders = [spec for spec in specs if is_folder_configuration(spec)]
    for path in folders:
        try:
            check_folder_configuration(path, library().keys(), root)
            say(f"{path}: valid; folder configuration")
        except SpecError as error:
            tell_problems(error)
            wrong = True
    for spec, environment in load_all([each for each in specs if each not in folders], KINDS, root):
        if isinstance(environment, SpecError):
            tell_problems(environment)
            wrong = True
        else:
            say(f"{spec}: valid; environment {environment.name} in {environment.region}")
    if wrong:
        raise click.exceptions.Exit(WRONG_USE)
