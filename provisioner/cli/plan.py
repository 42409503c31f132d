"""`provisioner plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner.cli.common import (
    CHANGES,
    DONE,
    REFUSED,
    Shown,
    SpecFile,
    connect_to,
    load_rules,
    load_spec,
    make_plan,
    pricing_for,
    refusal_code,
    say,
    say_data,
    say_document,
    show_plan,
    with_tag_index,
)
from provisioner.cli.given import Spread, alone
from provisioner.cli.help import Command
from provisioner.cli.many import Many, look_at_all
from provisioner.cli.options import (
    DEEP,
    IDS,
    NO_COST,
    PLAN_FORMAT,
    POLICY,
    PROVE,
    REFRESH,
    REFRESH_MY_IP,
    SHOW_USER_DATA,
    SKIP_REGION,
    connection_options,
    specs_argument,
)
from provisioner.cli.plan_many import Planning
from provisioner.cli.prove import is_proving, proved
from provisioner.errors import UsageError
from provisioner.visible import as_typed

if TYPE_CHECKING:
    from provisioner.aws.connect import Options


@click.command(cls=Command)
@specs_argument
@PLAN_FORMAT
@REFRESH
@REFRESH_MY_IP
@DEEP
@POLICY
@IDS
@SHOW_USER_DATA
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(),
    help="Write the plan to a file as JSON, for `apply --expect FILE`.",
)
@click.option("--force", is_flag=True, help="Let --out replace a file that is not a plan.")
@click.option("--destroy", "destroying", is_flag=True, help="Plan to delete everything of the environment.")
@SKIP_REGION
@NO_COST
@PROVE
@connection_options
def plan(
    specs: tuple[SpecFile, ...],
    spread: Spread,
    output_format: str,
    refreshed: tuple[str, ...],
    my_ip: bool,
    deep: bool,
    policies: tuple[str, ...],
    ids: bool,
    show_user_data: bool,
    detailed_exitcode: bool,
    out: str | None,
    force: bool,
    destroying: bool,
    skipped_regions: str,
    no_cost: bool,
    proving: bool | None,
    options: Options,
) -> int | None:
    """Show what apply would do. Changes nothing."""
    shown = Shown(ids, show_user_data)
    spec = alone(specs, spread)
    if spec is None:
        if out is not None or force:
            raise UsageError(
                "--out writes the plan of one spec, and these are many",
                "--report FILE.json writes all of them",
            )
        planning = Planning(
            options,
            destroying,
            refreshed,
            my_ip,
            deep,
            policies,
            skipped_regions,
            no_cost,
            proving,
            shown,
            CHANGES if detailed_exitcode else DONE,
            only_looks=True,
        )
        planning.check()
        many = Many("plan", specs, options, output_format, spread)
        return look_at_all(many, planning.load, planning.work, planning.lines, "planned")
    if out is not None:
        from provisioner.cli.plan_file import check_target

        check_target(out, force)
    elif force:
        raise UsageError("--force goes with --out FILE")
    environment = load_spec(spec, refreshed, skipped_regions, my_ip, needs_contents=not destroying)
    rules = load_rules(spec, policies)
    aws = connect_to(environment, options)
    pricing = pricing_for(aws, environment, options, no_cost)
    made = make_plan(with_tag_index(environment), aws, destroying, deep, rules, pricing)
    if is_proving(spec, environment, proving):
        made = proved(made, aws)
    given = given_again(spec, refreshed, my_ip, deep, policies, skipped_regions, destroying, options)
    match output_format:
        case "json":
            from provisioner.render.as_json import plan_data

            say_data(plan_data(made, show_user_data))
        case "markdown":
            from provisioner.render.as_markdown import plan_markdown

            say_document(plan_markdown(made, given, options.is_local, show_user_data))
        case "html":
            from provisioner.render.as_html import plan_html

            say_document(plan_html(made, given, options.is_local, show_user_data))
        case _:
            show_plan(made, options, shown=shown)
    if out is not None:
        from provisioner.cli.plan_file import write_plan
        from provisioner.render.as_json import plan_data

        write_plan(out, plan_data(made))
        command = "destroy" if destroying else "apply"
        again = f" To carry out exactly this: provisioner {command} {given} --expect {as_typed([out])}"
        say(f"Plan written to {out}.{'' if made.is_refused else again}", err=output_format != "text")
    if made.refusals:
        raise click.exceptions.Exit(refusal_code(made))
    if made.proof and made.proof.is_refused:
        raise click.exceptions.Exit(REFUSED)
    if detailed_exitcode and made.changes:
        raise click.exceptions.Exit(CHANGES)
    return None


def given_again(
    spec: SpecFile,
    refreshed: tuple[str, ...],
    my_ip: bool,
    deep: bool,
    policies: tuple[str, ...],
    skipped_regions: str,
    destroying: bool,
    options: Options,
) -> str:
    """What an apply has to be given to plan the same: the spec, and the options that make a difference."""
    given = spec.words
    if not destroying:
        given += [word for fleet in refreshed for word in ("--refresh-image", fleet)]
        given += ["--refresh-my-ip"] if my_ip else []
        given += ["--deep"] if deep else []
    given += [word for policy in policies for word in ("--policy", policy)]
    given += ["--skip-region", skipped_regions] if skipped_regions else []
    return as_typed([*given, *options.words])
