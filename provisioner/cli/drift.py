"""`provisioner drift`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from provisioner.cli.common import (
    CHANGES,
    SpecFile,
    connect_to,
    console_for,
    say,
    say_data,
    say_document,
)
from provisioner.cli.drifting import find_drift, load_drifting
from provisioner.cli.given import Spread, alone
from provisioner.cli.help import Command
from provisioner.cli.many import Many
from provisioner.cli.options import DEEP, IDS, PLAN_FORMAT, connection_options, specs_argument
from provisioner.errors import UsageError
from provisioner.visible import as_typed

if TYPE_CHECKING:
    from provisioner.aws.connect import Options
    from provisioner.drift import DriftReport


class _Drift(Command):
    """Says what is missing where the address and the field of `--accept` are two words to the shell."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_accepting = any(word.partition("=")[0] == "--accept" for word in args)
        rest = super().parse_args(ctx, args)
        given = ctx.params.get("specs") or ()
        if is_accepting and len(given) > 1:
            hint = "put ADDRESS and FIELD in one pair of quotes: --accept 'ADDRESS FIELD'"
            extra = ", ".join(given[1:])
            raise UsageError(f"--accept is for one spec, and there is more: {extra}", hint)
        return rest


@click.command(cls=_Drift)
@specs_argument
@PLAN_FORMAT
@DEEP
@IDS
@click.option(
    "--accept",
    metavar="'ADDRESS [FIELD]'",
    help="Accept what differs there now: writes it into accepted-drift.yaml beside the spec.",
)
@click.option("--reason", metavar="TEXT", help="Why it is accepted.")
@click.option("--until", metavar="DATE", help="The last day on which it is accepted, such as 2027-01-31.")
@connection_options
def drift(
    specs: tuple[SpecFile, ...],
    spread: Spread,
    output_format: str,
    deep: bool,
    ids: bool,
    accept: str | None,
    reason: str | None,
    until: str | None,
    options: Options,
) -> int | None:
    """Show where AWS is not as the spec says. Exits with 2 if it is not anywhere."""
    today = datetime.now(UTC).date()
    wanted = _wanted(accept, reason, until, today)
    spec = alone(specs, spread)
    if spec is None:
        if wanted:
            raise UsageError("--accept is for one spec, and these are many", "name the one that is meant")
        from provisioner.cli.drift_many import drift_of_many

        return drift_of_many(Many("drift", specs, options, output_format, spread), deep, ids, today)
    environment = load_drifting(spec)
    found = find_drift(spec, environment, connect_to(environment, options), deep, today)
    if wanted:
        from provisioner.cli.accept import write_accepted

        for told in write_accepted(spec.path, found, *wanted):
            say(told)
        return None
    _show(found, output_format, given_again(spec, deep, options), ids, options)
    if found.differences:
        raise click.exceptions.Exit(CHANGES)
    return None


def given_again(spec: SpecFile, deep: bool, options: Options) -> str:
    """What another `drift` has to be given to look at the same."""
    return as_typed([*spec.words, *(["--deep"] if deep else []), *options.words])


def _show(found: DriftReport, output_format: str, given: str, ids: bool, options: Options) -> None:
    from provisioner.render.as_drift import drift_data, drift_text

    match output_format:
        case "json":
            say_data(drift_data(found))
        case "markdown":
            from provisioner.render.drift_documents import drift_markdown

            say_document(drift_markdown(found, given, options.is_local))
        case "html":
            from provisioner.render.drift_documents import drift_html

            say_document(drift_html(found, options.is_local))
        case _:
            console = console_for()
            console.print(drift_text(found, console.width, options.is_local, ids), soft_wrap=True)


def _wanted(
    accept: str | None, reason: str | None, until: str | None, today: date
) -> tuple[str, str, date] | None:
    """What is to be accepted, why and until when; None: nothing is. Raises UsageError."""
    reason = (reason or "").strip()
    if accept is None:
        if reason or until:
            raise UsageError("--reason and --until go with --accept", "say what, as `drift` names it")
        return None
    missing = [name for name, given in (("--reason", reason), ("--until", until)) if not given]
    if until is None or missing:
        hint = "such as --reason 'the auditors look around' --until 2027-01-31"
        raise UsageError(f"--accept needs {' and '.join(missing)}", hint)
    try:
        last = date.fromisoformat(until)
    except ValueError:
        raise UsageError(f"--until {until}: is not a date", "write one such as 2027-01-31") from None
    if last < today:
        raise UsageError(f"--until {until}: is past", "give the last day on which it is accepted")
    return accept, reason, last
