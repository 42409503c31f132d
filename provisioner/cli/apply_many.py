"""`apply` and `destroy` of many environments: all plans, one question, and what became of each of them.

Each environment is observed afresh before anything is written to it, and if its plan does more than the one
that was shown, it is left alone. What fails in one stops no other.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli.afterwards import told_after
from provisioner.cli.common import INTERRUPTED, REFUSED, console_for, say, tell_line
from provisioner.cli.many import (
    HowFar,
    Many,
    begin,
    finish,
    log_in,
    outcomes_of,
    show_all,
    tell_troubles,
    work_on_all,
)
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from rich.text import Text

    from provisioner.aws.client import Aws
    from provisioner.aws.connections import Connections
    from provisioner.cli.elsewhere import Elsewhere
    from provisioner.cli.expect import ApprovedReport
    from provisioner.cli.plan_many import Planning
    from provisioner.kinds.base import Reader
    from provisioner.many.jobs import Job
    from provisioner.many.outcome import Outcome

# Of the environments that are asked about so many are named.
MAX_NAMED = 10


def apply_all(many: Many, planning: Planning, yes: bool, approved: ApprovedReport | None) -> int:
    """The whole of apply and destroy on many specs: the exit code.

    Raises UsageError where it cannot begin, and Refused where the plans are not what was approved.
    """
    from provisioner.cli.change import stoppable
    from provisioner.many.plans import is_to_be_applied, not_applied
    from provisioner.many.report import report_data

    command = many.command
    if not (approved or yes) and not (sys.stdin.isatty() and sys.stdout.isatty()):
        look = f"plan{' --destroy' if planning.destroying else ''}"
        raise UsageError(
            f"{command} asks before it changes anything, and there is no terminal to ask on",
            f"look at `{look}`, then say `{command} --expect` with its digest of all, or `{command} --yes`",
        )
    planning.check()
    where = many.where(planning.load)
    many, jobs, unusable = begin(many, planning.load)
    log_in(jobs, where)
    with stoppable() as stop:
        planned = [*unusable, *work_on_all(jobs, planning.work, where, "planned", stop)]
    report = report_data(command, planned, many.shards)
    # Not before all signals of then were heard, as what comes next changes something.
    if stop.is_set():
        say("interrupted; nothing was changed", err=True)
        finish(many, report, planned)
        return INTERRUPTED
    show_all(many, planned, planning.lines, stderr=many.for_programs)
    if approved:
        approved.require(report)
    to_do = {outcome.place: outcome for outcome in planned if is_to_be_applied(outcome)}
    if not to_do:
        outcomes = list(map(not_applied, planned))
        tell_troubles(_new_ones(outcomes, planned))
        report = report_data(command, outcomes, many.shards)
        finish(many, report, outcomes)
        return int(report["exit_code"])
    if not many.for_programs:
        finish(many._replace(report=None), report, planned)
    if not (yes or approved) and not _agreed(list(to_do.values()), planning.destroying):
        say("cancelled; nothing was changed", err=True)
        return REFUSED
    # To the last word: an interruption after something was changed is not one before.
    with stoppable() as stop:
        changed = _carry_out(many, planning, [job for job in jobs if job.place in to_do], to_do, where, stop)
        outcomes = [changed.get(outcome.place) or not_applied(outcome) for outcome in planned]
        tell_troubles(_new_ones(outcomes, planned))
        report = report_data(command, outcomes, many.shards)
        finish(many, report, outcomes)
    return int(report["exit_code"])


def _new_ones(outcomes: Iterable[Outcome], planned: Sequence[Outcome]) -> Iterator[Outcome]:
    """What was not told when it was planned."""
    told = set(map(id, planned))
    return (outcome for outcome in outcomes if id(outcome) not in told)


def _carry_out(
    many: Many,
    planning: Planning,
    jobs: Sequence[Job],
    planned: Mapping[str, Outcome],
    where: Connections | Elsewhere,
    stop: threading.Event,
) -> dict[str, Outcome]:
    """What became of each job, by its place. Each is told whole when it has ended."""
    from provisioner.aws.connections import Connections

    changed: dict[str, Outcome] = {}
    console = console_for(stderr=many.for_programs)
    with HowFar("destroyed" if planning.destroying else "applied", len(jobs)) as how_far:
        work = partial(_apply, planning=planning, planned=planned, stop=stop, how_far=how_far)
        outcomes = (
            outcomes_of(jobs, work, where, stop, shared=False)
            if isinstance(where, Connections)
            else where.applied(jobs, planning, planned, stop)
        )
        for outcome in outcomes:
            changed[outcome.place] = outcome = _after(planned[outcome.place], outcome)
            with how_far.paused():
                console.print(_text(outcome, console.width), soft_wrap=True)
                console.print()
            how_far.tell(outcome)
    return changed


def _apply(
    job: Job,
    aws: Aws,
    _reader: Reader,
    planning: Planning,
    planned: Mapping[str, Outcome],
    stop: threading.Event,
    how_far: HowFar,
) -> Outcome:
    """Observe one environment afresh, and carry out what is left to do, if that is no more than was shown.

    Raises Refused, with nothing changed, where it is more, and ProvisionerError.
    """
    from provisioner.apply import Executor
    from provisioner.aws.client import WritingAws
    from provisioner.many.permit import not_permitted, permit_of
    from provisioner.many.plans import not_as_shown
    from provisioner.reconcile import converge

    before = planned[job.place]
    began = time.monotonic()
    plan = planning.plan(job, aws)
    what = not_permitted(permit_of(before.plan), plan) if before.plan else None
    if what:
        raise not_as_shown(what)
    executor = Executor(WritingAws.over(aws), partial(how_far.doing, before.name), stop)
    result = converge(plan, lambda: planning.plan(job, aws), executor.execute, stop)
    return told_after(job, aws, planning, before, plan, result, stop.is_set(), time.monotonic() - began)


def _after(before: Outcome, outcome: Outcome) -> Outcome:
    """An outcome with what was planned, and for which account, where the work ended before it was begun."""
    outcome = replace(outcome, account_id=outcome.account_id or before.account_id)
    return outcome if outcome.plan else replace(outcome, plan=before.plan, data=before.data)


def _text(outcome: Outcome, width: int) -> Text:
    """What became of one environment, change by change."""
    from provisioner.render.as_outcomes import outcomes_text
    from provisioner.render.layout import Piece, flow, line, words
    from provisioner.render.next_steps import NextSteps, next_text
    from provisioner.render.styled import stacked, styled

    where = f"account {outcome.account_id}, {outcome.region}"
    title = styled([(Piece(outcome.name, "title"), Piece("  "), *line(where, "faint"))])
    if not outcome.result:
        told = outcome.trouble.message if outcome.trouble else outcome.words
        return stacked([title, styled(flow(words(told, "delete"), width, gap=" "))])
    result = outcomes_text(outcome.name, outcome.result, outcome.seconds, width)
    if isinstance(outcome.subject, NextSteps):
        # What all of it costs is in the table.
        after = [next_text(replace(outcome.subject, cost=None), width)]
    else:
        after = [styled([line(text)]) for text in outcome.subject or ()]
    return stacked([title, result, *after])


def _agreed(outcomes: Sequence[Outcome], destroying: bool) -> bool:
    from provisioner.many.outcome import names_of

    number = len(outcomes)
    what = f"{number} environment{'' if number == 1 else 's'}"
    if not destroying:
        return click.confirm(f"Apply these changes to {what}?")
    tell_line(f"to be destroyed: {names_of(outcomes, MAX_NAMED)}")
    question = f'Type "{what}" to destroy {"it" if number == 1 else "them"}'
    answer: Any = click.prompt(question, default="", show_default=False)
    # With the quotes or without.
    return bool(answer.strip().removeprefix('"').removesuffix('"') == what)
