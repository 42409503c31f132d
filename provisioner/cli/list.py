"""`provisioner list`: all environments of an account, whichever specs there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from provisioner.cli.common import (
    DONE,
    FAILED,
    WRONG_USE,
    SpecFile,
    load_spec,
    say,
    say_data,
    screen_width,
    tell_problems,
)
from provisioner.cli.given import given_specs
from provisioner.cli.help import Command
from provisioner.cli.options import FORMAT, NO_COST, ROOT, connection_options, regions_options
from provisioner.cli.where import Where
from provisioner.errors import SpecError

if TYPE_CHECKING:
    from provisioner.aws.connect import Options


@click.command("list", cls=Command)
@click.argument("specs", nargs=-1, type=click.Path())
@ROOT
@regions_options
@NO_COST
@FORMAT
@connection_options
def list_environments(
    specs: tuple[str, ...],
    root: str | None,
    where: Where,
    no_cost: bool,
    output_format: str,
    options: Options,
) -> int:
    """List all environments of the account: members, age, end, what is left, and whether a spec has them."""
    from provisioner.account.contents import read_all, read_iam
    from provisioner.account.environments import environments
    from provisioner.cli.list_costs import costs_by_environment
    from provisioner.kinds.base import both
    from provisioner.render.as_account import list_data, list_lines, wrapped

    known, wrong = _known(given_specs(specs, root))
    aws, regions = where.connect(options, [region for _, region in known or ()])
    identity = aws.identity()
    contents, iam = both(aws, lambda: read_all(aws, regions), lambda: read_iam(aws))
    found = environments(contents, iam, known)
    unread = [*(problem for region in contents for problem in region.unread), *iam.unread]
    costs = {} if no_cost else costs_by_environment(found, contents, aws, options)
    if output_format == "json":
        say_data(list_data(identity.account_id, found, unread, costs))
    else:
        heading = (identity.account_id, regions, options.is_local)
        width = screen_width()
        for line in list_lines(heading, found, unread, aws.now(), costs, width):
            for part in wrapped(line, width):
                say(part)
    # What could not be read is worse than a spec that is wrong.
    return FAILED if unread else WRONG_USE if wrong else DONE


def _known(specs: Sequence[SpecFile]) -> tuple[dict[tuple[str, str], list[str]] | None, bool]:
    """The specs by environment and region, None where none is given, and whether some are wrong: those are
    told. Raises SpecError for one alone."""
    if not specs:
        return None, False
    known: dict[tuple[str, str], list[str]] = defaultdict(list)
    wrong = False
    for spec in specs:
        try:
            environment = load_spec(spec, needs_contents=False)
        except SpecError as error:
            if len(specs) == 1:
                raise
            wrong = True
            tell_problems(error)
        else:
            known[environment.name, environment.region].append(environment.argument)
    return dict(known), wrong
