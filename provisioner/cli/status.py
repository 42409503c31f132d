"""`provisioner status`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from provisioner.cli import output
from provisioner.cli.common import (
    INTERRUPTED,
    SpecFile,
    connect_to,
    console_for,
    load_spec,
    pricing_for,
    say_data,
)
from provisioner.cli.given import Spread, alone
from provisioner.cli.help import Command
from provisioner.cli.many import Many, look_at_all
from provisioner.cli.options import FORMAT, NO_COST, connection_options, specs_argument
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options
    from provisioner.cli.prices import Pricing
    from provisioner.costs.status_cost import StatusCost
    from provisioner.kinds.base import Reader
    from provisioner.many.jobs import Job
    from provisioner.many.outcome import Outcome
    from provisioner.model import Environment
    from provisioner.render.layout import Line

# How long --watch waits before it looks again.
PAUSE_S = 5.0


@click.command(cls=Command)
@specs_argument
@FORMAT
@click.option("--watch", is_flag=True, help="Look again every 5 seconds, until Ctrl-C.")
@NO_COST
@connection_options
def status(
    specs: tuple[SpecFile, ...],
    spread: Spread,
    output_format: str,
    watch: bool,
    no_cost: bool,
    options: Options,
) -> int | None:
    """Show what there is and what it costs: fleets and their members, roles, profiles, attachments."""
    if watch and output_format == "json":
        raise UsageError("--watch is for people to look at", "leave out --format json")
    spec = alone(specs, spread)
    if spec is None:
        if watch:
            raise UsageError("--watch shows one spec, and these are many", "name the one that is meant")
        return _status_of_many(Many("status", specs, options, output_format, spread), no_cost)
    environment = load_spec(spec, needs_contents=False)
    aws = connect_to(environment, options)
    pricing = pricing_for(aws, environment, options, no_cost)
    if not watch:
        _show_once(environment, aws, pricing, output_format, options.is_local)
        return None
    from provisioner.render.as_status import watched

    lines = 0
    try:
        while True:
            seen = _observed(environment, aws, pricing)
            console = console_for()
            height = console.height if output.out().isatty() else None
            shown = watched(_text(seen, options.is_local), seen.now, height, console.width)
            lines = _show_again(shown, lines, is_first=not lines)
            if output.out().failure:
                # Nobody gets to see what comes next.
                return None
            time.sleep(PAUSE_S)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None


class Seen(NamedTuple):
    """What is there by address, for environment, region and account; what it costs; and when that was."""

    subject: tuple[str, str, str, Mapping[str, Mapping[str, Any]]]
    cost: StatusCost | None
    now: datetime


def _status_of_many(many: Many, no_cost: bool) -> int | None:
    """The whole of `status` on many specs: the exit code."""

    def lines(outcome: Outcome, width: int) -> list[Line] | None:
        return _lines(outcome.subject, many.options.is_local, width) if outcome.subject else None

    work = partial(_work, options=many.options, no_cost=no_cost)
    return look_at_all(many, partial(load_spec, needs_contents=False), work, lines, "looked at")


def _work(job: Job, aws: Aws, reader: Reader, options: Options, no_cost: bool) -> Outcome:
    from provisioner.many.outcome import Verdict
    from provisioner.render.as_status import status_data

    seen = _observed(
        job.environment, aws, pricing_for(aws, job.environment, options, no_cost, reader), reader
    )
    members = sum(len(status.get("members", ())) for status in seen.subject[3].values())
    words = f"{members:,} instance{'' if members == 1 else 's'}"
    return replace(
        job.outcome(Verdict.OK, 0, words),
        account_id=seen.subject[2],
        data={"status": status_data(*seen.subject, cost=seen.cost)},
        subject=seen,
    )


def _show_once(
    environment: Environment, aws: Aws, pricing: Pricing | None, output_format: str, local: bool
) -> None:
    from provisioner.render.as_status import status_data

    seen = _observed(environment, aws, pricing)
    if output_format == "json":
        say_data(status_data(*seen.subject, cost=seen.cost))
    else:
        console_for().print(_text(seen, local), soft_wrap=True)


def _observed(
    environment: Environment, aws: Aws, pricing: Pricing | None, reader: Reader | None = None
) -> Seen:
    """What is there now, what it costs, and when that was."""
    from provisioner.kinds import KINDS
    from provisioner.observe import observe

    beside = pricing.begin if pricing else lambda: None
    world = observe(environment, reader or aws, KINDS, looking=True, beside=beside)
    every = world.environment.resources.keys() | world.observation.resources.keys()
    statuses = {
        str(address): kind.status(address, world.desired(address), world.observed(address), world)
        for kind in KINDS
        for address in sorted(every)
        if address.kind == kind.name
    }
    subject = (environment.name, environment.region, world.identity.account_id, statuses)
    return Seen(subject, pricing.of_world(world) if pricing else None, world.now)


def _text(seen: Seen, local: bool) -> Text:
    from provisioner.render.as_status import status_text

    width = console_for().width
    return status_text(*seen.subject, local=local, width=width, cost=seen.cost, now=seen.now)


def _lines(seen: Seen, local: bool, width: int) -> list[Line]:
    from provisioner.render.as_status import status_lines

    return status_lines(*seen.subject, local=local, width=width, cost=seen.cost, now=seen.now)


def _show_again(shown: Text, lines: int, is_first: bool) -> int:
    """Show a status in place of the one before, which had so many lines, or below it where there is no
    terminal. How many lines it has."""
    console = console_for()
    if output.out().isatty():
        # Up to where the last one began, and each of its lines erased on the way down.
        erased = f"\x1b[{lines}A" + "\x1b[K\n" * lines + f"\x1b[{lines}A" if lines else ""
        console.file.write(erased)
    elif not is_first:
        console.print()
    console.print(shown, soft_wrap=True)
    return shown.plain.count("\n") + 1
