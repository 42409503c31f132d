"""`provisioner permissions`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from provisioner.cli.common import SpecFile, connect_to, connections_for, console_for, load_spec, say_data
from provisioner.cli.given import Spread, alone
from provisioner.cli.help import Command
from provisioner.cli.many import Many, begin, tell_all
from provisioner.cli.options import FORMAT, connection_options, specs_argument
from provisioner.cli.prove import is_proving
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options
    from provisioner.many.jobs import Job
    from provisioner.many.outcome import Outcome
    from provisioner.model import Environment
    from provisioner.render.layout import Line
    from provisioner.rights import Place


@click.command(cls=Command)
@specs_argument
@click.option(
    "--for",
    "wanted",
    type=click.Choice(["plan", "apply", "destroy", "all"]),
    default="all",
    show_default=True,
    help="What the policy has to be enough for; `plan` only reads.",
)
@click.option(
    "--prove",
    "proving",
    is_flag=True,
    help="With what --prove needs besides, as of a spec with `prove: true`.",
)
@FORMAT
@connection_options
def permissions(
    specs: tuple[SpecFile, ...],
    spread: Spread,
    wanted: str,
    proving: bool,
    output_format: str,
    options: Options,
) -> int | None:
    """Show the IAM policy that a deployer of this spec needs, and no more.

    As JSON it is one policy, or a list of them where one managed policy does not hold it. AWS is asked whose
    it is only where the spec has no `account_id`.
    """
    from provisioner.kinds import KINDS
    from provisioner.permissions import documents
    from provisioner.permissions import permissions as statements_of

    spec = alone(specs, spread)
    if spec is None:
        many = Many("permissions", specs, options, output_format, spread)
        return _permissions_of_many(many, wanted, proving)
    environment = load_spec(spec, needs_contents=proving)
    proving = is_proving(spec, environment, proving or None)
    place = _place(environment, partial(connect_to, options=options))
    statements = statements_of(environment, KINDS, place, wanted, proving)
    policies = documents(statements)
    if output_format == "json":
        say_data(policies[0] if len(policies) == 1 else policies)
        return None
    from provisioner.render.as_permissions import permissions_text

    console = console_for()
    console.print(
        permissions_text(environment.name, wanted, statements, policies, console.width), soft_wrap=True
    )
    return None


def _permissions_of_many(many: Many, wanted: str, proving: bool) -> int | None:
    """The whole of `permissions` on many specs: the exit code."""
    from provisioner.kinds import KINDS
    from provisioner.many.jobs import offline_outcomes
    from provisioner.many.outcome import Verdict
    from provisioner.permissions import documents
    from provisioner.permissions import permissions as statements_of
    from provisioner.render.as_permissions import permission_lines

    connections = connections_for(many.options)

    def load(spec: SpecFile) -> Environment:
        return load_spec(spec, needs_contents=proving)

    def work(job: Job) -> Outcome:
        place = _place(job.environment, connections.to)
        asks = is_proving(job.spec, job.environment, proving or None)
        statements = statements_of(job.environment, KINDS, place, wanted, asks)
        policies = documents(statements)
        words = f"{len(statements)} statements in {len(policies)} polic{'y' if len(policies) == 1 else 'ies'}"
        return replace(
            job.outcome(Verdict.OK, 0, words),
            account_id=place.account_id,
            data={"permissions": policies},
            subject=statements,
        )

    def lines(outcome: Outcome, width: int) -> list[Line] | None:
        if outcome.subject is None:
            return None
        policies = outcome.data["permissions"]
        return permission_lines(outcome.environment or "", wanted, outcome.subject, policies, width)

    if many.spread.executor is not None:
        raise UsageError("--executor is for what asks AWS, and permissions does not", "leave it out")
    many, jobs, unusable = begin(many, load)
    return tell_all(many, [*unusable, *offline_outcomes(jobs, work)], lines)


def _place(environment: Environment, connect: Callable[[Environment], Aws]) -> Place:
    """Where the environment is. Raises AwsError where that has to be asked, and nobody answers."""
    from provisioner.naming import partition_of
    from provisioner.rights import Place

    partition = partition_of(environment.region)
    if environment.account_id and partition:
        return Place(environment.name, environment.region, environment.account_id, partition)
    identity = connect(environment).identity()
    account = environment.account_id or identity.account_id
    return Place(environment.name, environment.region, account, identity.partition)
