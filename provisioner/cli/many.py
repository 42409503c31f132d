"""Commands on many environments: the way from their specs to one table, one report and one exit code."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from provisioner.cli import output
from provisioner.cli.common import (
    connections_for,
    console_for,
    lines_width,
    say_data,
    say_document,
    show_lines,
    tell_line,
)
from provisioner.cli.given import Spread
from provisioner.many.spec_file import SpecFile
from provisioner.render.layout import shortened
from provisioner.visible import presentable

if TYPE_CHECKING:
    from provisioner.apply import Event
    from provisioner.aws.connect import Options
    from provisioner.aws.connections import Connections
    from provisioner.cli.elsewhere import Elsewhere
    from provisioner.many.jobs import Job
    from provisioner.many.outcome import Outcome
    from provisioner.many.runner import Work
    from provisioner.many.shards import Shards
    from provisioner.model import Environment
    from provisioner.render.layout import Line

# Where a line cannot be rewritten, how far it is is said only so often.
SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_DRAWINGS = 0.1
# How many names a message has that is the same for several environments.
MAX_NAMED = 10

# The environment that a spec describes. Raises ProvisionerError.
Load = Callable[[SpecFile], "Environment"]
# What is shown of one environment for so many columns; None: its row in the table says all.
Show = Callable[["Outcome", int], "list[Line] | None"]


class Many(NamedTuple):
    """One command on many specs: how its result is printed, and how the work on it is spread out.

    `report` is the file that the result is written to as well, and `shards` which part of all it is of.
    """

    command: str
    specs: tuple[SpecFile, ...]
    options: Options
    output_format: str = "text"
    spread: Spread = Spread()
    report: str | None = None
    shards: Shards | None = None

    @property
    def for_programs(self) -> bool:
        return self.output_format != "text"

    def where(self, load: Load) -> Connections | Elsewhere:
        """What the work is done by. Raises UsageError for an executor that there is none of."""
        if self.spread.executor is None:
            return connections_for(self.options)
        from provisioner.cli.elsewhere import Elsewhere
        from provisioner.many.executors import executor_named, is_of_this_machine

        named = self.spread.executor
        return Elsewhere(executor_named(named), load, self.options, is_of_this_machine(named))


def begin(many: Many, load: Load) -> tuple[Many, list[Job], list[Outcome]]:
    """The jobs that are meant, and the outcomes of specs that cannot be used; and the command, which knows
    now where its report goes.

    Raises UsageError for what the options cannot mean, where no report may be written, and where two specs
    describe the same environment, in whichever shards they are.
    """
    from provisioner.aws.connect import check_options
    from provisioner.many.engines import find_shard
    from provisioner.many.jobs import load_jobs

    check_options(many.options)
    shard = find_shard(many.spread.shard, os.environ) if many.spread.shard is not None else None
    if many.spread.report:
        from provisioner.cli.report_file import check_target, report_path

        many = many._replace(report=report_path(many.spread.report, many.command, shard))
        check_target(str(many.report))
    jobs, unusable = load_jobs(many.specs, load)
    if shard is None:
        return many, jobs, unusable
    from provisioner.many.sharing import of_shard

    jobs, unusable, shards = of_shard(shard, jobs, unusable)
    number = len(jobs) + len(unusable)
    tell_line(f"shard {shard}: {number:,} of {shards.environments:,} environments")
    return many._replace(shards=shards), jobs, unusable


def look_at_all(many: Many, load: Load, work: Work, show: Show, doing: str) -> int | None:
    """The whole of a command that changes nothing: the exit code, None where all is well.

    Raises UsageError where it cannot begin, and where two specs describe the same environment.
    """
    from provisioner.cli.change import stoppable

    where = many.where(load)
    many, jobs, unusable = begin(many, load)
    log_in(jobs, where)
    with stoppable() as stop:
        outcomes = [*unusable, *work_on_all(jobs, work, where, doing, stop)]
    return tell_all(many, outcomes, show)


def tell_all(many: Many, outcomes: Sequence[Outcome], show: Show) -> int | None:
    """Everything that there is to say of all environments; the exit code, None where all is well."""
    from provisioner.many.report import report_data

    show_all(many, outcomes, show)
    report = report_data(many.command, outcomes, many.shards)
    finish(many, report, outcomes)
    # None: it only had something to print, so what could not be printed counts.
    return report["exit_code"] or None


def work_on_all(
    jobs: Sequence[Job], work: Work, where: Connections | Elsewhere, doing: str, stop: threading.Event
) -> list[Outcome]:
    """One outcome for each job, side by side, with one line that says how far it is.

    Raises UsageError where AWS tells that two of them are one environment.
    """
    from provisioner.many.outcome import in_order
    from provisioner.many.plans import check_plans

    outcomes: list[Outcome] = []
    with HowFar(doing, len(jobs)) as how_far:
        for outcome in outcomes_of(jobs, work, where, stop):
            outcomes.append(outcome)
            how_far.tell(outcome)
    check_plans(in_order(outcomes))
    return outcomes


def log_in(jobs: Sequence[Job], where: Connections | Elsewhere) -> None:
    """Ask for the codes that logins want: on the main thread, and while a first Ctrl-C still ends it.

    Raises UsageError where other processes would ask for them.
    """
    from provisioner.aws.connections import Connections

    environments = [job.environment for job in jobs]
    if isinstance(where, Connections):
        where.log_in(environments)
    else:
        where.check_login(environments)


def outcomes_of(
    jobs: Sequence[Job],
    work: Work,
    where: Connections | Elsewhere,
    stop: threading.Event,
    shared: bool = True,
) -> Iterator[Outcome]:
    """One outcome for each job, as they end. Not `shared`: what one reads answers no other."""
    if not jobs:
        return
    from provisioner.aws.connections import Connections
    from provisioner.many.runner import grouped, run_here

    if isinstance(where, Connections):
        yield from run_here(jobs, work, where, stop, shared)
    else:
        yield from where.outcomes(grouped(jobs), lambda _: work, stop)


def show_all(many: Many, outcomes: Iterable[Outcome], show: Show, stderr: bool = False) -> None:
    """One environment after the other, what needs approval first; then what went wrong."""
    from provisioner.many.outcome import in_order

    ordered = in_order(outcomes)
    if stderr or not many.for_programs:
        width = lines_width(stderr)
        for outcome in ordered:
            lines = show(outcome, width)
            if lines is not None:
                show_lines([*lines, ()], stderr)
    tell_troubles(ordered)


def tell_troubles(outcomes: Iterable[Outcome]) -> None:
    """What went wrong, on stderr; what is the same in several environments once."""
    from provisioner.many.outcome import in_order, names_of

    ordered = in_order(outcomes)
    _tell_problems(ordered)
    alike: dict[tuple[Any, ...], list[Outcome]] = {}
    for outcome in ordered:
        trouble = outcome.trouble
        if trouble:
            rest = trouble.lines[len(trouble.problems) :]
            key = (replace(trouble, lines=rest, problems=()), outcome.verdict)
            alike.setdefault(key, []).append(outcome)
    for (trouble, _), concerned in alike.items():
        for text in trouble.lines:
            tell_line(text)
        tell_line(f"{names_of(concerned, MAX_NAMED)}: {trouble.message}", "error:")
        if trouble.hint:
            tell_line(f"  {trouble.hint}")


def _tell_problems(outcomes: Sequence[Outcome]) -> None:
    """The problems of specs, as `validate` tells them: each once, with the specs and targets that have it."""
    from provisioner.spec.alike import concerned, once_each

    # Not of all targets of a spec: only some of them may be meant.
    found = ((outcome.place, outcome.trouble.problems) for outcome in outcomes if outcome.trouble)
    for problem, specs in once_each(found):
        tell_line("; ".join(filter(None, (str(problem), concerned(specs)))))


def finish(many: Many, report: dict[str, Any], outcomes: Sequence[Outcome]) -> None:
    """The table, or the report for programs; and the file of the report. Raises ProvisionerError."""
    match many.output_format:
        case "text":
            from provisioner.many.table import table_lines

            show_lines(table_lines(report, lines_width()))
        case "json":
            say_data(report)
        case form:
            from provisioner.cli.report_file import document

            say_document(document(form, report, outcomes, many.options.is_local))
    if many.report:
        from provisioner.cli.report_file import write_report

        write_report(many.report, report, outcomes, many.options.is_local)
        tell_line(f"report written to {many.report}")


def event_words(event: Event) -> str:
    """What is going on, in few words: `fleet/web: 3 of 50 running`."""
    from provisioner.apply import Finished, Waiting

    if isinstance(event, Waiting):
        return f"{event.change.address}: {event.done:,} of {event.total:,} {event.until}"
    if isinstance(event, Finished):
        return f"{event.outcome.change.address}: {event.outcome.result.value}"
    return f"{event.change.address}: begun"


class HowFar:
    """One line on stderr that says how far it is: rewritten on a terminal, else once in a while."""

    def __init__(self, doing: str, total: int) -> None:
        self._doing, self._total = doing, total
        self._done = 0
        self._bad = 0
        self._latest = ""
        self._said = time.monotonic()
        self._lock = threading.RLock()
        self._is_live = output.err().isatty()

    def __enter__(self) -> HowFar:
        if self._is_live:
            for gate in (output.out(), output.err()):
                if gate.isatty():
                    gate.above = self._above
            self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_live:
            for gate in (output.out(), output.err()):
                gate.above = None
            output.err().layout("\r\x1b[K")

    def tell(self, outcome: Outcome) -> None:
        """That one more has ended."""
        with self._lock:
            self._done += 1
            self._latest = ""
            self._bad += outcome.trouble is not None
            self._say_so()

    def doing(self, name: str, event: Event) -> None:
        """What is going on in one of them; said where nothing else is for long."""
        with self._lock:
            self._latest = f"; {name}: {event_words(event)}"
            self._say_so()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Room for what is printed by others."""
        with self._lock:
            if self._is_live:
                output.err().layout("\r\x1b[K")
            yield
            if self._is_live:
                self._draw()

    def _say_so(self) -> None:
        now = time.monotonic()
        if now - self._said < (SECONDS_BETWEEN_DRAWINGS if self._is_live else SECONDS_BETWEEN_LINES):
            return
        self._said = now
        if self._is_live:
            self._draw()
        else:
            tell_line(self._line)

    @property
    def _line(self) -> str:
        bad = f", {self._bad:,} with problems" if self._bad else ""
        return f"{self._doing}: {self._done:,} of {self._total:,} environments{bad}{self._latest}"

    def _draw(self) -> None:
        shown = shortened(presentable(self._line), console_for(stderr=True).width - 1)
        output.err().layout(f"\r{shown}\x1b[K")

    def _above(self, text: str) -> None:
        from provisioner.render.layout import line
        from provisioner.render.styled import styled

        with self._lock:
            output.err().layout("\r\x1b[K")
            console_for(stderr=True).print(styled([line(text)]), soft_wrap=True)
            self._draw()
