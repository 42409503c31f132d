"""`--expect`: what was approved, as a digest or as a file, and whether a plan is that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provisioner.errors import Refused, UsageError
from provisioner.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from rich.console import Console

    from provisioner.model import Environment, Plan

EXPECT = click.option(
    "--expect",
    "expected",
    metavar="DIGEST|FILE",
    type=click.Path(),
    help="Apply only what was approved, without asking: the digest of a plan, or a file of `plan --out`.",
)
_DIGITS = re.compile(r"[0-9a-f]+", re.IGNORECASE | re.ASCII)
# How many environments are named that differ.
MAX_NAMED = 10
SAME_OPTIONS = "if options such as --deep or --refresh-image were given to `plan`, give them here too"


@dataclass(frozen=True)
class Approved:
    """What was approved: a digest, and the plan that has it if it came from a file."""

    digest: str
    plan: Mapping[str, Any] | None = None
    file: str = ""

    def check(self, environment: Environment, destroying: bool) -> None:
        """Raises UsageError where the file is about something else than the spec."""
        if self.plan is None:
            return
        if self.plan["destroy"] != destroying:
            was, command = ("to destroy", "destroy") if self.plan["destroy"] else ("to apply", "apply")
            raise UsageError(f"{self.file}: is a plan {was}", f"give it to `{command}`")
        for what, here in (
            ("environment", environment.name),
            ("region", environment.region),
            ("account_id", environment.account_id),
        ):
            self._check_same(what, here, f"{environment.source} is for")

    def check_account(self, account_id: str) -> None:
        """Raises UsageError where the file is about another account than the one that was looked at."""
        if self.plan is not None:
            self._check_same("account_id", account_id, "these credentials belong to")

    def _check_same(self, what: str, here: str | None, whose: str) -> None:
        there = self.plan[what] if self.plan is not None else here
        if here is not None and there != here:
            noun = what.removesuffix("_id")
            raise UsageError(
                f"{self.file}: is a plan for {noun} {there}, and {whose} {noun} {here}", "give its own"
            )

    def require(self, plan: Plan, console: Console) -> None:
        """Show what differs, and raise Refused, where `plan` is not what was approved."""
        from provisioner.render.as_json import plan_data

        present = plan_data(plan)
        self.check_account(plan.account_id)
        if present["digest"] == self.digest:
            return
        if self.plan is not None and (plan.changes or plan.refusals):
            from provisioner.render.plan_difference import difference_text

            console.print(difference_text(self.plan, present, console.width), soft_wrap=True)
        raise Refused(
            f"this is not the plan that was approved: its digest is {present['digest']}, not {self.digest}; "
            "nothing was changed",
            self._hint(plan),
        )

    def _hint(self, plan: Plan) -> str:
        meant, command = ("to apply", "apply") if plan.destroy else ("to destroy", "destroy")
        # A file says itself which of both it is, and was checked.
        other = (
            f"; or is it the digest of a plan {meant}? then give it to `{command}`" if not self.plan else ""
        )
        if not plan.changes and not plan.refusals:
            return f"there is nothing to do any more; it may have been applied already{other}"
        if self.plan is not None:
            return f"have a new plan approved; {SAME_OPTIONS}"
        return (
            "of the approved plan only the digest is known, so what differs cannot be shown: `plan --out "
            f"FILE` keeps a plan to compare with. Have the plan above approved; {SAME_OPTIONS}{other}"
        )


@dataclass(frozen=True)
class ApprovedReport:
    """What was approved of many environments: one digest of all, and the report that has it, from a file."""

    digest: str
    report: Mapping[str, Any] | None = None
    file: str = ""

    def require(self, present: Mapping[str, Any]) -> None:
        """Raises Refused where the plans are not those that were approved, in any of the environments."""
        from provisioner.many.plans import differing

        if present["digest"] == self.digest:
            return
        hint = f"have the plans above approved; {SAME_OPTIONS}, and name the same specs"
        if self.report is not None:
            names = differing(self.report, present)
            more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
            hint = f"what differs: {', '.join(names[:MAX_NAMED])}{more}. Otherwise, {hint}"
        raise Refused(
            f"these are not the plans that were approved: their digest is {present['digest']}, not "
            f"{self.digest}; nothing was changed",
            hint,
        )


def read_expected_report(text: str | None) -> ApprovedReport | None:
    """What `--expect` says of many environments; None where it was not given. Raises UsageError."""
    if text is None:
        return None
    from provisioner.cli.report_file import read_report
    from provisioner.render.as_json import DIGEST_LENGTH, is_digest

    shown = text.strip()
    if is_digest(shown):
        return ApprovedReport(shown.lower())
    if not shown or (_DIGITS.fullmatch(shown) and not _is_there(shown)):
        raise UsageError(
            f"--expect {shown}: is no digest of {DIGEST_LENGTH} characters",
            "give the digest of all that `plan` prints, or a file of `plan --report FILE.json`",
        )
    report = read_report(text)
    if report["digest"] is None:
        raise UsageError(f"{text}: is the report of no plan", "make one with `plan --report FILE.json`")
    return ApprovedReport(report["digest"], report, text)


def read_expected(text: str | None) -> Approved | None:
    """What `--expect` says; None where it was not given. Raises UsageError for what is neither."""
    if text is None:
        return None
    from provisioner.cli.plan_file import read_plan
    from provisioner.render.as_json import DIGEST_LENGTH, is_digest
    from provisioner.spec.wording import shorten

    # As a copy or a file of it has it: with spaces or an end of line around it.
    if _DIGITS.fullmatch(text.strip()) or not text.strip():
        text = text.strip()
    if is_digest(text):
        return Approved(text.lower())
    if not text:
        raise UsageError(
            "--expect: is empty", "give the digest that `plan` prints, or a file of `plan --out`"
        )
    if _DIGITS.fullmatch(text) and not _is_there(text):
        raise UsageError(
            f"--expect {shorten(text)}: a digest has {DIGEST_LENGTH} characters, and this has {len(text)}",
            "give all of it, as `plan` prints it",
        )
    data = read_plan(text)
    return Approved(data["digest"], data, text)


def _is_there(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:
        return False
