"""`provisioner apply` and `provisioner destroy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner.cli.change import apply_plan
from provisioner.cli.common import Shown, SpecFile, load_rules, load_spec
from provisioner.cli.expect import EXPECT, read_expected, read_expected_report
from provisioner.cli.given import Spread, alone
from provisioner.cli.help import Command
from provisioner.cli.many import Many
from provisioner.cli.options import (
    DEEP,
    FORMAT,
    IDS,
    NO_COST,
    POLICY,
    PROVE,
    REFRESH,
    REFRESH_MY_IP,
    SHOW_USER_DATA,
    SKIP_REGION,
    YES,
    connection_options,
    specs_argument,
)
from provisioner.cli.plan_many import Planning
from provisioner.cli.prove import is_proving

if TYPE_CHECKING:
    from provisioner.aws.connect import Options


@click.command(cls=Command)
@specs_argument
@YES
@EXPECT
@FORMAT
@REFRESH
@REFRESH_MY_IP
@DEEP
@POLICY
@IDS
@SHOW_USER_DATA
@SKIP_REGION
@NO_COST
@PROVE
@connection_options
def apply(
    specs: tuple[SpecFile, ...],
    spread: Spread,
    yes: bool,
    expected: str | None,
    output_format: str,
    refreshed: tuple[str, ...],
    my_ip: bool,
    deep: bool,
    policies: tuple[str, ...],
    ids: bool,
    show_user_data: bool,
    skipped_regions: str,
    no_cost: bool,
    proving: bool | None,
    options: Options,
) -> int:
    """Show the plan, ask, and make AWS as the spec says."""
    spec = alone(specs, spread)
    if spec is None:
        from provisioner.cli.apply_many import apply_all

        many = Many("apply", specs, options, output_format, spread)
        planning = Planning(
            options,
            False,
            refreshed,
            my_ip,
            deep,
            policies,
            skipped_regions,
            no_cost,
            proving,
            Shown(ids, show_user_data),
        )
        return apply_all(many, planning, yes, read_expected_report(expected))
    approved = read_expected(expected)
    environment = load_spec(spec, refreshed, skipped_regions, my_ip)
    return apply_plan(
        spec,
        environment,
        yes,
        output_format,
        options,
        destroying=False,
        refreshed=refreshed,
        deep=deep,
        approved=approved,
        rules=load_rules(spec, policies),
        shown=Shown(ids, show_user_data),
        no_cost=no_cost,
        proving=is_proving(spec, environment, proving),
    )


@click.command(cls=Command)
@specs_argument
@YES
@EXPECT
@FORMAT
@POLICY
@SKIP_REGION
@NO_COST
@PROVE
@connection_options
def destroy(
    specs: tuple[SpecFile, ...],
    spread: Spread,
    yes: bool,
    expected: str | None,
    output_format: str,
    policies: tuple[str, ...],
    skipped_regions: str,
    no_cost: bool,
    proving: bool | None,
    options: Options,
) -> int:
    """Show the plan, ask, and delete everything of the environment."""
    spec = alone(specs, spread)
    if spec is None:
        from provisioner.cli.apply_many import apply_all

        many = Many("destroy", specs, options, output_format, spread)
        planning = Planning(
            options,
            True,
            policies=policies,
            skipped_regions=skipped_regions,
            no_cost=no_cost,
            proving=proving,
        )
        return apply_all(many, planning, yes, read_expected_report(expected))
    approved = read_expected(expected)
    environment = load_spec(spec, skipped_regions=skipped_regions, needs_contents=False)
    return apply_plan(
        spec,
        environment,
        yes,
        output_format,
        options,
        destroying=True,
        approved=approved,
        rules=load_rules(spec, policies),
        no_cost=no_cost,
        proving=is_proving(spec, environment, proving),
    )
