"""Which accounts `list` asks: those that the specs' logins reach, or that of the credentials there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from provisioner.cli.common import connections_for
from provisioner.errors import ProvisionerError, UsageError

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options
    from provisioner.cli.where import Where
    from provisioner.model import Environment


class Account(NamedTuple):
    """An account that is asked: its regions, and the specs that are meant there by environment and region,
    None where none is given."""

    id: str
    aws: Aws
    regions: list[str]
    known: dict[tuple[str, str], list[str]] | None


class Reached(NamedTuple):
    """The accounts that are asked, the environments that are in others, and which could not be reached, in
    words."""

    accounts: list[Account]
    not_asked: Sequence[Environment] = ()
    problems: Sequence[str] = ()


def one_account(where: Where, options: Options, has_specs: bool) -> Reached:
    """The account of the credentials that there are. Raises ProvisionerError."""
    aws, regions = where.connect(options)
    return Reached([Account(aws.identity().account_id, aws, regions, {} if has_specs else None)])


def accounts_of(environments: Sequence[Environment], where: Where, options: Options) -> Reached:
    """The accounts of environments: each login is asked where it is, as with `plan`.

    Raises UsageError, and what went wrong first where none could be reached.
    """
    where.check()
    connections = connections_for(options)
    groups = defaultdict(list)
    for environment in environments:
        groups[environment.login, environment.account_id].append(environment)
    found: dict[str, tuple[Aws, list[Environment]]] = {}
    not_asked: list[Environment] = []
    failures: list[tuple[str, ProvisionerError]] = []
    for (_, account_id), group in groups.items():
        try:
            aws = connections.to(group[0])
            reached = aws.identity().account_id
        except UsageError:
            raise
        except ProvisionerError as error:
            names = ", ".join(sorted({environment.name for environment in group}))
            failures.append((names, error))
            continue
        _, meant = found.setdefault(reached, (aws, []))
        if account_id in (None, reached):
            meant += group
        else:
            not_asked += group
    if not found:
        raise failures[0][1]
    accounts: list[Account] = []
    closed: list[tuple[str, ProvisionerError]] = []
    for reached, (aws, meant) in found.items():
        # Of an account that no spec is about only what the command line names is asked.
        if not (meant or where.named or where.every):
            continue
        try:
            regions = where.meant(aws, _regions(meant))
        except ProvisionerError as error:
            closed.append((f"account {reached}", error))
            continue
        accounts.append(Account(reached, aws, regions, _known(meant)))
    if closed and not accounts:
        raise closed[0][1]
    failures += closed
    # One account may be named by one login, and reached by another.
    asked = {account.id for account in accounts}
    not_asked = [environment for environment in not_asked if environment.account_id not in asked]
    if not accounts:
        raise UsageError(not_asked_words(not_asked, list(found)), HOW_TO_ASK)
    return Reached(accounts, not_asked, [f"{names}: {error.message}" for names, error in failures])


HOW_TO_ASK = (
    "give credentials of that account, such as with --profile, or say `profile` or `role_arn` in the spec"
)


def not_asked_words(not_asked: Sequence[Environment], asked: Sequence[str]) -> str:
    """Which environments are in accounts that were not asked."""
    by_account = defaultdict(set)
    for environment in not_asked:
        by_account[environment.account_id].add(environment.name)
    told = [
        f"{', '.join(sorted(names))} {'is' if len(names) == 1 else 'are'} in account {account}"
        for account, names in by_account.items()
    ]
    return f"{'; '.join(told)}, which was not asked: the credentials are of {', '.join(asked)}"


def _regions(environments: Sequence[Environment]) -> list[str]:
    return list(dict.fromkeys(environment.region for environment in environments))


def _known(environments: Sequence[Environment]) -> dict[tuple[str, str], list[str]]:
    known: dict[tuple[str, str], list[str]] = defaultdict(list)
    for environment in environments:
        known[environment.name, environment.region].append(environment.argument)
    return dict(known)
