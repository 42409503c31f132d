"""`provisioner list`: all environments of an account, whichever specs there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from provisioner.cli.common import (
    FAILED,
    WRONG_USE,
    SpecFile,
    load_spec,
    say,
    say_data,
    screen_width,
    tell_line,
    tell_problems,
)
from provisioner.cli.given import given_specs
from provisioner.cli.help import Command
from provisioner.cli.options import FORMAT, NO_COST, ROOT, connection_options, regions_options
from provisioner.cli.where import Where
from provisioner.errors import SpecError

if TYPE_CHECKING:
    from provisioner.aws.connect import Options
    from provisioner.cli.list_accounts import Account
    from provisioner.model import Environment
    from provisioner.render.as_account import Listed


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
) -> int | None:
    """List all environments of the account: members, age, end, what is left, and whether a spec has them.

    Specs with a `profile` or `role_arn` are looked for in its account.
    """
    from provisioner.cli.list_accounts import HOW_TO_ASK, accounts_of, not_asked_words, one_account
    from provisioner.render.as_account import list_data

    specs_given = given_specs(specs, root)
    known, wrong = _loaded(specs_given)
    reached = accounts_of(known, where, options) if known else one_account(where, options, bool(specs_given))
    for_programs = output_format == "json"
    listed = [_listed(account, no_cost, options) for account in reached.accounts]
    if for_programs:
        say_data(list_data(listed, reached.not_asked, reached.problems))
    else:
        for number, (account, found) in enumerate(zip(reached.accounts, listed, strict=True)):
            _show(account, found, options, is_first=not number)
    if reached.not_asked:
        tell_line(not_asked_words(reached.not_asked, [account.id for account in reached.accounts]), "note:")
        tell_line(f"  {HOW_TO_ASK}")
    for problem in reached.problems:
        tell_line(problem, "error:")
    # What could not be read is worse than a spec that is wrong.
    is_unread = reached.problems or any(found.unread for found in listed)
    return FAILED if is_unread else WRONG_USE if wrong else None


def _listed(account: Account, no_cost: bool, options: Options) -> Listed:
    """What an account has. Raises AwsError."""
    from provisioner.account.contents import read_all, read_iam
    from provisioner.account.environments import environments
    from provisioner.cli.list_costs import costs_by_environment
    from provisioner.kinds.base import both
    from provisioner.render.as_account import Listed

    aws = account.aws
    contents, iam = both(aws, lambda: read_all(aws, account.regions), lambda: read_iam(aws))
    found = environments(contents, iam, account.known)
    unread = [*(problem for region in contents for problem in region.unread), *iam.unread]
    costs = {} if no_cost else costs_by_environment(found, contents, aws, options)
    return Listed(account.id, found, unread, costs)


def _show(account: Account, found: Listed, options: Options, is_first: bool) -> None:
    from provisioner.render.as_account import list_lines, wrapped

    heading = (account.id, account.regions, options.is_local)
    width = screen_width()
    if not is_first:
        say("")
    for line in list_lines(heading, found.found, found.unread, account.aws.now(), found.costs, width):
        for part in wrapped(line, width):
            say(part)


def _loaded(specs: Sequence[SpecFile]) -> tuple[list[Environment], bool]:
    """The environments of specs, and whether some are wrong: those are told.

    Raises SpecError for one alone.
    """
    known: list[Environment] = []
    wrong = False
    for spec in specs:
        try:
            known.append(load_spec(spec, needs_contents=False))
        except SpecError as error:
            if len(specs) == 1:
                raise
            wrong = True
            place = f"{spec.path} --target {spec.target}" if spec.target else spec.path
            tell_problems(error, f"{place} is left out")
    return known, wrong
