"""`provisioner extend`: a later end for what ends after a duration."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from provisioner.cli.common import (
    DONE,
    FAILED,
    INTERRUPTED,
    REFUSED,
    SpecFile,
    connect_to,
    load_spec,
    say,
    show_plan,
)
from provisioner.cli.help import Command
from provisioner.cli.options import FORMAT, YES, connection_options, spec_argument
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options
    from provisioner.model import Plan


@click.command(cls=Command)
@spec_argument
@click.argument("when")
@click.option("--fleet", metavar="KEY", help="Only this fleet, which has an `expires` of its own.")
@YES
@FORMAT
@connection_options
def extend(
    spec: SpecFile, when: str, fleet: str | None, yes: bool, output_format: str, options: Options
) -> int:
    """Move the end: by a duration (2h) from the old one, or from now if that is past; or to a time."""
    from provisioner.kinds import KINDS, check_extending, extend_ends
    from provisioner.model import Plan
    from provisioner.observe import observe

    to = _when(when)
    environment = load_spec(spec, needs_contents=False)
    check_extending(environment, fleet)
    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "extend asks before it changes anything, and there is no terminal to ask on", "say `extend --yes`"
        )
    aws = connect_to(environment, options)
    world = observe(environment, aws, KINDS, looking=True)
    plan = Plan(
        environment.name, environment.region, world.identity.account_id, extend_ends(world, to, fleet)
    )
    for_programs = output_format == "json"
    show_plan(plan, options, stderr=for_programs)
    if plan.changes and not yes and not click.confirm("Move the end?"):
        say("cancelled; nothing was changed", err=True)
        return REFUSED
    return _carry_out(plan, aws, for_programs)


def _when(text: str) -> datetime | timedelta:
    from provisioner.expiry.times import TimeProblem, parse_expiry

    try:
        said = parse_expiry(text)
    except TimeProblem as problem:
        raise UsageError(problem.message, problem.hint) from None
    return said.at or said.after or timedelta(0)


def _carry_out(plan: Plan, aws: Aws, for_programs: bool) -> int:
    from provisioner.apply import Executor
    from provisioner.aws.client import WritingAws
    from provisioner.cli.change import Teller, stoppable

    with stoppable() as stop:
        aws.heed(stop)
        with Teller(plan, for_programs) as teller:
            outcomes = Executor(WritingAws.over(aws), teller.show, stop).execute(plan)
        teller.tell_rest(outcomes)
    if stop.is_set():
        return INTERRUPTED
    return DONE if all(outcome.is_good for outcome in outcomes) else FAILED
