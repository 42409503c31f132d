"""`provisioner validate`."""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.cli.common import WRONG_USE, say, tell_line, tell_problems
from provisioner.cli.help import Command
from provisioner.cli.options import ROOT
from provisioner.errors import SpecError


@click.command(cls=Command)
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=click.Path())
@ROOT
def validate(specs: tuple[str, ...], root: str | None) -> None:
    """Check specs, offline; all problems at once, and that no two are about the same environment.

    What is accepted as drift beside them is checked, too.
    """
    from provisioner.guardrails.files import library
    from provisioner.kinds import KINDS
    from provisioner.spec import load_all
    from provisioner.spec.accepted_drift import NAME, accepted_path, load_accepted
    from provisioner.spec.folder import check_folder_configuration, folder_policies, is_folder_configuration

    told: dict[str, None] = {}
    wrong = False

    def tell(error: SpecError) -> None:
        nonlocal wrong
        wrong = True
        # The specs of a folder have one configuration.
        if str(error) not in told:
            told[str(error)] = None
            tell_problems(error)

    for path in filter(is_folder_configuration, specs):
        try:
            check_folder_configuration(path, library(), root)
            say(f"{path}: valid; folder configuration")
        except SpecError as error:
            tell(error)
    named = {accepted_path(spec) for spec in specs if Path(spec).name == NAME}
    for path in dict.fromkeys(map(accepted_path, specs)):
        try:
            accepted = load_accepted(path, KINDS, root, must_exist=path in named)
            if accepted or path in named:
                say(f"{path}: valid; {len(accepted)} accepted")
        except SpecError as error:
            tell(error)
    only_specs = [spec for spec in specs if not is_folder_configuration(spec) and Path(spec).name != NAME]
    for spec, environment in load_all(only_specs, KINDS, root):
        try:
            folder_policies(spec, library(), root)
        except SpecError as error:
            tell(error)
        if isinstance(environment, SpecError):
            tell(environment)
        else:
            say(f"{spec}: valid; environment {environment.name} in {environment.region}")
            for suspect in environment.suspects:
                tell_line(str(suspect), "warning:")
    if wrong:
        raise click.exceptions.Exit(WRONG_USE)
