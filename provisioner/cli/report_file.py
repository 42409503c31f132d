"""`--report`: all that a run over many environments says, in one file, as JSON, Markdown or HTML."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner.cli.writing import names_folder, replace_file
from provisioner.errors import ProvisionerError, UsageError
from provisioner.secrecy import without_secrets

if TYPE_CHECKING:
    from provisioner.many.outcome import Outcome
    from provisioner.many.shards import Shard

FORMS = {".json": "json", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html"}
# How a file of each begins, so that no other is replaced.
BEGINS = {
    "json": b'{\n  "format_version":',
    "markdown": b"<!-- provisioner report -->",
    "html": b"<!DOCTYPE html>\n<!-- provisioner report -->",
}
# Whoever may read a report knows names, addresses and policies.
MODE = 0o600


def report_path(path: str, command: str, shard: Shard | None) -> str:
    """Where a report goes: of a shard into a folder, if that is what is given, by a name of its own. The
    folder is made where there is none. Raises UsageError where that fails."""
    if shard and (names_folder(path) or os.path.isdir(path)):  # noqa: PTH112
        try:
            # Without the one above it, what is meant is told by `check_target`.
            with suppress(FileNotFoundError):
                Path(path).mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(f"--report {path}: {error.strerror}", "give another folder") from None
        return os.path.join(path, f"{command}-{shard.number}-of-{shard.count}.json")  # noqa: PTH118
    return path


def check_target(path: str) -> None:
    """Raises UsageError where no report may be written: over what is none, or by a name that says no form."""
    if names_folder(path):
        raise UsageError(
            f"--report {path}: is the name of a folder", "give a file; a folder is for reports with --shard"
        )
    target = Path(path)
    form = FORMS.get(target.suffix.lower())
    if form is None:
        raise UsageError(
            f"--report {path}: the end of the name says in which form it is written",
            "give a name that ends in .json, .md or .html",
        )
    if not os.path.isdir(target.parent):  # noqa: PTH112  Path.is_dir raises for names that are too long
        raise UsageError(f"--report {path}: there is no folder {target.parent}", "make it first")
    _check_folder(path, target.parent)
    try:
        if not stat.S_ISREG(target.lstat().st_mode):
            raise UsageError(f"--report {path}: is not a regular file", "give the name of a file")
        with target.open("rb") as file:
            beginning = file.read(200)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise UsageError(f"--report {path}: {error}", "give another file") from None
    if beginning.strip() and not beginning.startswith(BEGINS[form]):
        raise UsageError(f"--report {path}: there is a file that is not a report", "give another file")


def _check_folder(path: str, folder: Path) -> None:
    """Raises UsageError where nothing can be written: better before all is done than after."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"--report {path}: nothing can be written to {folder}: {error.strerror}", "give another folder"
        ) from None


def write_report(
    path: str,
    report: Mapping[str, Any],
    outcomes: Sequence[Outcome],
    local: bool,
    missing: tuple[str, str] | None = None,
) -> None:
    """Write a report, whole or not at all; for people with what of it is missing.

    Raises ProvisionerError where that fails.
    """
    form = FORMS[Path(path).suffix.lower()]
    if form == "json":
        text = json.dumps(report, indent=2, ensure_ascii=False, default=str) + "\n"
        text = "\n".join(map(without_secrets, text.split("\n")))
    else:
        text = document(form, report, outcomes, local, missing)
    # Names of files that are not UTF-8 are escaped, which in JSON is the same text: \udcff.
    content = text.encode(errors="backslashreplace")
    try:
        replace_file(Path(path), content, MODE)
    except OSError as error:
        raise ProvisionerError(f"--report {path}: {error.strerror or error}", "it was not written") from None


def read_report(path: str) -> dict[str, Any]:
    """The report in a file, whose plans and digests are as they were made. Raises UsageError."""
    from provisioner.cli.plan_file import Form, read_form
    from provisioner.many.report import FORMAT_VERSION, digest_of
    from provisioner.render.as_json import plan_digest

    make_one = "make one with `provisioner plan SPECS --report FILE.json`"
    others = {"changes": ("the plan of one spec", make_one)}
    data = read_form(path, Form("report", "report.schema.json", FORMAT_VERSION, make_one, others))
    plans = [environment["plan"] for environment in data["environments"] if environment["plan"]]
    is_whole = digest_of(data["environments"]) == data["digest"]
    if not is_whole or any(plan_digest(plan) != plan["digest"] for plan in plans):
        raise UsageError(f"{path}: the report was changed after it was made: a digest is another", make_one)
    return data


def document(
    form: str,
    report: Mapping[str, Any],
    outcomes: Sequence[Outcome],
    local: bool,
    missing: tuple[str, str] | None = None,
) -> str:
    """A report for people, as Markdown or HTML. `missing`: what of it is, in a sentence, and what to do."""
    if form == "markdown":
        from provisioner.many.as_markdown import report_markdown

        return report_markdown(report, outcomes, local, missing)
    from provisioner.many.as_html import report_html

    return report_html(report, outcomes, local, missing)
