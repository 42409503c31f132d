"""`provisioner validate`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioner.cli.common import DONE, WRONG_USE, say, tell_line, tell_problems
from provisioner.cli.given import given_paths
from provisioner.cli.help import Command
from provisioner.cli.options import REPORT, ROOT
from provisioner.errors import Problem, SpecError
from provisioner.render.words import count

if TYPE_CHECKING:
    from provisioner.many.outcome import Outcome
    from provisioner.model import Environment


@click.command(cls=Command)
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=click.Path())
@ROOT
@REPORT
def validate(specs: tuple[str, ...], root: str | None, report: str | None) -> None:
    """Check specs, offline; all problems at once, and that no two are about the same environment.

    What is accepted as drift beside them is checked, too.
    """
    from provisioner.guardrails.files import library
    from provisioner.kinds import KINDS
    from provisioner.spec import load_all
    from provisioner.spec.accepted_drift import NAME, accepted_path, load_accepted
    from provisioner.spec.folder import check_folder_configuration, folder_policies, is_folder_configuration

    if report:
        from provisioner.cli.report_file import check_target

        check_target(report)
    paths = given_paths(specs, root)
    told: dict[str, None] = {}
    # What is wrong beside specs, by all that are given and have it.
    beside: dict[str, list[Problem]] = {}
    results: list[tuple[str, Environment | SpecError]] = []

    def tell(error: SpecError, concerned: Iterable[str]) -> None:
        for path in concerned:
            beside.setdefault(path, []).extend(error.problems)
        # The specs of a folder have one configuration.
        if str(error) not in told:
            told[str(error)] = None
            tell_problems(error)

    for path in filter(is_folder_configuration, paths):
        try:
            check_folder_configuration(path, library(), root)
            say(f"{path}: valid; folder configuration")
        except SpecError as error:
            tell(error, [path])
    named = {accepted_path(spec) for spec in paths if Path(spec).name == NAME}
    for path in dict.fromkeys(map(accepted_path, paths)):
        try:
            accepted = load_accepted(path, KINDS, root, must_exist=path in named)
            if accepted or path in named:
                say(f"{path}: valid; {len(accepted)} accepted")
        except SpecError as error:
            tell(error, [spec for spec in paths if accepted_path(spec) == path])
    only_specs = [spec for spec in paths if not is_folder_configuration(spec) and Path(spec).name != NAME]
    for path in only_specs:
        try:
            folder_policies(path, library(), root)
        except SpecError as error:
            tell(error, [path])
    for spec, environment in load_all(only_specs, KINDS, root):
        results.append((spec, environment))
        if not isinstance(environment, SpecError):
            say(f"{spec}: valid; environment {environment.name} in {environment.region}")
    _tell(results)
    if report:
        _write(report, results, beside)
    if beside or any(isinstance(result, SpecError) for _, result in results):
        raise click.exceptions.Exit(WRONG_USE)


def _tell(results: Sequence[tuple[str, Environment | SpecError]]) -> None:
    """Tell what is wrong, and what may be: once, however many specs and targets have it from one file."""
    from provisioner.spec.alike import concerned, once_each

    every = [spec for spec, _ in results]
    wrong = [(spec, result) for spec, result in results if isinstance(result, SpecError)]
    suspects = [(spec, found.suspects) for spec, found in results if not isinstance(found, SpecError)]
    for label, found in (
        ("warning:", once_each(suspects)),
        ("", problems := once_each((spec, error.problems) for spec, error in wrong)),
    ):
        for problem, specs in found:
            tell_line("; ".join(filter(None, (str(problem), concerned(specs, every)))), label)
    for spec, error in wrong:
        if error.more:
            tell_line(f"{spec}: {error.rest}" if len(wrong) > 1 else error.rest)
    if not wrong:
        return
    # What one does not list may be what another does, or does not list either.
    is_least = any(error.stopped or (error.more and len(wrong) > 1) for _, error in wrong)
    least = "at least " if is_least else ""
    number = max(len(problems), *(len(error.problems) + error.more for _, error in wrong))
    where = f" in {len(wrong):,} of {len(results):,} specs and targets" if len(results) > 1 else ""
    tell_line(f"{least}{count(number, 'problem')}{where}; nothing was sent")


def _write(
    report: str,
    results: Sequence[tuple[str, Environment | SpecError]],
    beside: Mapping[str, Sequence[Problem]],
) -> None:
    """Write the report of specs, each with its environment or with what is wrong with it or `beside` it."""
    from provisioner.cli.report_file import write_report
    from provisioner.many.finding import NO_SPECS
    from provisioner.many.jobs import Job, unusable
    from provisioner.many.outcome import Verdict
    from provisioner.many.report import report_data
    from provisioner.many.spec_file import SpecFile

    def outcome(spec: str, found: Environment | SpecError) -> Outcome:
        if isinstance(found, SpecError):
            return unusable(SpecFile(spec), found)
        file = SpecFile(found.source, target=found.target)
        if problems := beside.get(found.source):
            return unusable(file, SpecError([*problems]))
        return Job(file, found).outcome(Verdict.OK, DONE, "valid")

    outcomes = [outcome(spec, found) for spec, found in results]
    # What lies beside specs, and was given by itself.
    outcomes += [
        unusable(SpecFile(path), SpecError([*problems]))
        for path, problems in beside.items()
        if Path(path).name in NO_SPECS
    ]
    write_report(report, report_data("validate", outcomes), outcomes, local=False)
    tell_line(f"report written to {report}")
