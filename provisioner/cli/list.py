"""`provisioner list`: all environments of an account, whichever specs there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from provisioner.cli.common import DONE, FAILED, SpecFile, load_spec, say, say_data, screen_width
from provisioner.cli.help import Command
from provisioner.cli.options import FORMAT, NO_COST, ROOT, connection_options, regions_options
from provisioner.cli.where import Where

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

    known = _known(specs, root)
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
    return FAILED if unread else DONE


def _known(specs: Sequence[str], root: str | None) -> dict[tuple[str, str], list[str]] | None:
    """The specs by environment and region; None: none is given. Raises SpecError."""
    if not specs:
        return None
    known: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in specs:
        environment = load_spec(SpecFile(path, root), needs_contents=False)
        known[environment.name, environment.region].append(path)
    return dict(known)
