"""`provisioner report`: what is done with reports of many environments."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from provisioner.cli import output
from provisioner.cli.common import FAILED, console_for, say_data, say_document, tell_line
from provisioner.cli.help import Command, Group
from provisioner.cli.options import PLAN_FORMAT, REPORT
from provisioner.errors import ProvisionerError, UsageError


@click.group(cls=Group)
def report() -> None:
    """Work with reports that `--report FILE.json` has written."""


@report.command(cls=Command)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@PLAN_FORMAT
@REPORT
@click.option(
    "--remove",
    is_flag=True,
    help="Remove the files that were merged, if no shard is missing, so that none is taken for one of the "
    "next run.",
)
def merge(files: tuple[str, ...], output_format: str, report: str | None, remove: bool) -> int | None:
    """Make one report and one exit code of the reports of shards: files, folders and globs.

    A shard that is missing is told, and the exit code is 1 then. What is not of one run is refused: shards of
    other specs, of another command or of another number, and a shard that is there twice.
    """
    from provisioner.cli.report_file import check_target, read_report
    from provisioner.many.merge import merge_reports, missing_words

    if report:
        check_target(report)
    given = _paths(files)
    paths = [path for path in given if not (report and _is_same(path, report))]
    if not paths:
        raise UsageError("there is nothing to merge but the file to be written", "name the reports of shards")
    reports = [(path, read_report(path)) for path in paths]
    if report:
        is_given = len(paths) < len(given)
        _check_replaced(report, [told for _, told in reports], is_given)
        if is_given:
            tell_line(f"{report} is left out, as it is the file to be written", "note")
    merged = merge_reports(reports)
    missing = missing_words(merged)
    _show(merged, output_format, missing)
    if missing:
        told, hint = missing
        tell_line(told, "error:")
        tell_line(f"  {hint}")
    if report:
        _write(report, merged, missing)
    if not remove:
        return merged["exit_code"] or None
    if missing or output.out().failure:
        why = "a shard is missing" if missing else "the merged report could not be printed"
        tell_line(f"--remove: nothing was removed, as {why}", "error:")
        return merged["exit_code"] or FAILED
    _remove(paths)
    return merged["exit_code"] or None


def _check_replaced(path: str, others: Sequence[dict[str, Any]], is_given: bool) -> None:
    """Raises UsageError where the file to be written holds what is in none of the others, and nobody would
    have it any more. `is_given`: it is among the files to be merged, too."""
    from provisioner.cli.report_file import read_report
    from provisioner.many.merge import is_of_one_shard, would_be_lost

    try:
        report = read_report(path)
    except UsageError:
        # There is none, or it is for people, or of another version: no other merge could use it either.
        return
    lost = would_be_lost(report, others) if is_given or is_of_one_shard(report) else None
    if lost:
        raise UsageError(f"--report {path}: is {lost}, which would be lost", "give another file")


def _paths(arguments: Sequence[str]) -> list[str]:
    """The files that are meant, each once. Raises UsageError for a folder or a glob without any."""
    found: dict[str, str] = {}
    for argument in arguments:
        for path in _in(argument):
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _in(argument: str) -> list[str]:
    if os.path.isdir(argument):  # noqa: PTH112  Path.is_dir raises for names that are too long
        paths = sorted(glob.glob(os.path.join(glob.escape(argument), "*.json")))  # noqa: PTH118, PTH207
        if not paths:
            raise UsageError(f"{argument}: there is no report in this folder", "a report is called *.json")
        return paths
    if not glob.has_magic(argument) or os.path.lexists(argument):
        return [argument]
    paths = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207  as it was typed
    if not paths:
        raise UsageError(f"{argument}: matches no report", "no shard has written one, or it has another name")
    return paths


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _show(merged: dict[str, Any], output_format: str, missing: tuple[str, str] | None) -> None:
    match output_format:
        case "text":
            from provisioner.many.table import table_lines
            from provisioner.render.styled import styled

            console = console_for()
            # The digest of a part would be taken for that of all.
            told = merged | {"digest": None} if missing else merged
            console.print(styled(table_lines(told, console.width)), soft_wrap=True)
        case "json":
            say_data(merged)
        case form:
            from provisioner.cli.report_file import document
            from provisioner.many.merge import troubles

            say_document(document(form, merged, troubles(merged), False, missing))


def _write(path: str, merged: dict[str, Any], missing: tuple[str, str] | None) -> None:
    from provisioner.cli.report_file import write_report
    from provisioner.many.merge import troubles

    write_report(path, merged, troubles(merged), False, missing)
    tell_line(f"report written to {path}")


def _remove(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            Path(path).unlink(missing_ok=True)
        except OSError as error:
            raise ProvisionerError(f"--remove: {path}: {error.strerror}", "remove it by hand") from None
