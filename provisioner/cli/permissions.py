"""`provisioner permissions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner.cli.common import SpecFile, connect_to, console_for, load_spec, say_data
from provisioner.cli.help import Command
from provisioner.cli.options import FORMAT, connection_options, spec_argument

if TYPE_CHECKING:
    from provisioner.aws.connect import Options
    from provisioner.model import Environment
    from provisioner.rights import Place


@click.command(cls=Command)
@spec_argument
@click.option(
    "--for",
    "wanted",
    type=click.Choice(["plan", "apply", "destroy", "all"]),
    default="all",
    show_default=True,
    help="What the policy has to be enough for; `plan` only reads.",
)
@click.option("--prove", "proving", is_flag=True, help="With what --prove needs besides.")
@FORMAT
@connection_options
def permissions(spec: SpecFile, wanted: str, proving: bool, output_format: str, options: Options) -> None:
    """Show the IAM policy that a deployer of this spec needs, and no more.

    As JSON it is one policy, or a list of them where one managed policy does not hold it. AWS is asked whose
    it is only where the spec has no `account_id`.
    """
    from provisioner.kinds import KINDS
    from provisioner.permissions import documents
    from provisioner.permissions import permissions as statements_of

    environment = load_spec(spec, needs_contents=proving)
    statements = statements_of(environment, KINDS, _place(environment, options), wanted, proving)
    policies = documents(statements)
    if output_format == "json":
        say_data(policies[0] if len(policies) == 1 else policies)
        return
    from provisioner.render.as_permissions import permissions_text

    console = console_for()
    console.print(
        permissions_text(environment.name, wanted, statements, policies, console.width), soft_wrap=True
    )


def _place(environment: Environment, options: Options) -> Place:
    """Where the environment is. Raises AwsError where that has to be asked, and nobody answers."""
    from provisioner.naming import partition_of
    from provisioner.rights import Place

    partition = partition_of(environment.region)
    if environment.account_id and partition:
        return Place(environment.name, environment.region, environment.account_id, partition)
    identity = connect_to(environment, options).identity()
    account = environment.account_id or identity.account_id
    return Place(environment.name, environment.region, account, identity.partition)
