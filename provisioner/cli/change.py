"""`apply` and `destroy`: the plan, the question, the progress, the summary, and what a signal does."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli import output
from provisioner.cli.common import (
    DONE,
    FAILED,
    IN_SHORT,
    INTERRUPTED,
    REFUSED,
    Shown,
    SpecFile,
    connect_to,
    console_for,
    make_plan,
    pricing_for,
    refusal_code,
    say,
    say_data,
    show_plan,
)
from provisioner.cli.next_steps import find_next_steps
from provisioner.cli.prove import proved
from provisioner.errors import UsageError
from provisioner.signals import heard

if TYPE_CHECKING:
    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options
    from provisioner.cli.expect import Approved
    from provisioner.guardrails.rego import Rules
    from provisioner.model import Environment, Outcome, Plan
    from provisioner.reconcile import ApplyResult
    from provisioner.render.next_steps import NextSteps

STOPPING = "stopping: what is in flight is finished first; again to stop at once"
# How long the end waits for that to be said, on a terminal that may be stopped.
MAX_S_TO_SAY_SO = 1.0
# Said by a signal handler, wherever the cursor is, which a live display has hidden.
STOPPED_AT_ONCE = b"\nstopped at once; what was in flight may be done or not: apply again to go on\n"
SHOW_CURSOR = b"\x1b[?25h"


def apply_plan(
    spec: SpecFile,
    environment: Environment,
    yes: bool,
    output_format: str,
    options: Options,
    destroying: bool,
    refreshed: tuple[str, ...] = (),
    deep: bool = False,
    approved: Approved | None = None,
    rules: Sequence[Rules] = (),
    shown: Shown = IN_SHORT,
    no_cost: bool = False,
    proving: bool = False,
) -> int:
    """The whole of apply and destroy: the exit code. Raises ProvisionerError where it cannot begin.

    What was `approved` is carried out without a question, and nothing else is: Refused. `proving`: AWS is
    asked first whether it would do all of it, and nothing is done if not.
    """
    from provisioner.apply import Executor
    from provisioner.aws.client import WritingAws
    from provisioner.reconcile import converge

    command = "destroy" if destroying else "apply"
    if approved:
        approved.check(environment, destroying)
    elif not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            f"{command} asks before it changes anything, and there is no terminal to ask on",
            f"look at `plan{' --destroy' if destroying else ''}`, then say `{command} --expect` with its "
            f"digest, or `{command} --yes`",
        )
    aws = connect_to(environment, options)
    pricing = pricing_for(aws, environment, options, no_cost)
    plan = make_plan(environment, aws, destroying, deep, rules, pricing)
    plan = proved(plan, aws) if proving else plan
    for_programs = output_format == "json"
    show_plan(plan, options, stderr=for_programs, shown=shown)
    if approved:
        approved.require(plan, console_for(stderr=for_programs))
    if plan.refusals:
        return refusal_code(plan)
    if plan.proof and plan.proof.is_refused:
        say("AWS would refuse what is marked `no`; nothing was changed", err=True)
        return REFUSED
    to_do = [change for change in plan.changes if not change.deferred]
    if to_do and not (yes or approved) and not _agreed(environment, destroying):
        say("cancelled; nothing was changed", err=True)
        return REFUSED
    try:
        with stoppable() as stop:
            aws.heed(stop)
            with Teller(plan, for_programs) as teller:
                carried = converge(
                    plan,
                    lambda: make_plan(environment, aws, destroying, deep, rules, pricing if rules else None),
                    Executor(WritingAws.over(aws), teller.show, stop).execute,
                    stop,
                )
            steps = None
            looks_again = not (carried.obstacle or stop.is_set())
            looks_again = looks_again and all(map(is_answered, carried.outcomes))
            if looks_again and to_do and not destroying:
                is_good = all(outcome.is_good for outcome in carried.outcomes)
                steps = find_next_steps(environment, aws, plan, spec, options, is_good)
            teller.tell_rest(carried.outcomes, steps)
            code = _code(carried, stop.is_set(), refreshed)
            if destroying and (code == DONE or looks_again):
                _tell_what_is_left(environment, aws, for_programs)
            return code
    except KeyboardInterrupt:
        return INTERRUPTED


def is_answered(outcome: Outcome) -> bool:
    """Whether AWS was there to the end: whoever has lost it is not kept waiting for one more look."""
    failure = outcome.failure
    return failure is None or not failure.operation or bool(failure.request_id)


def _code(carried: ApplyResult, interrupted: bool, refreshed: tuple[str, ...]) -> int:
    """The exit code of what was carried out; says what is left to be said."""
    is_good = all(outcome.is_good for outcome in carried.outcomes)
    if refreshed and (carried.obstacle or not is_good):
        _tell_of_refreshing(refreshed)
    if carried.obstacle:
        raise carried.obstacle
    if is_good:
        return DONE
    return INTERRUPTED if interrupted else FAILED


def _tell_what_is_left(environment: Environment, aws: Aws, for_programs: bool) -> None:
    """Look once more, by the tags alone, and say that nothing is left that costs money, or what is."""
    from provisioner.account.contents import IamContents, read_all
    from provisioner.account.environments import environments
    from provisioner.render.as_account import left_lines

    contents = read_all(aws, [environment.region], environment.name)
    unread = [problem for region in contents for problem in region.unread]
    for line in left_lines(environment.name, environments(contents, IamContents()), unread):
        say(line, err=for_programs)


def _agreed(environment: Environment, destroying: bool) -> bool:
    if not destroying:
        return click.confirm("Apply these changes?")
    answer = click.prompt(f"Type {environment.name} to destroy it", default="", show_default=False)
    return bool(answer == environment.name)


def _tell_of_refreshing(refreshed: tuple[str, ...]) -> None:
    options = " ".join(f"--refresh-image {fleet}" for fleet in refreshed)
    say(f"apply again with {options} to go on; without, the fleet keeps the image it had", err=True)


class Teller:
    """Tells what happens while a plan is carried out, and each end once. A context manager.

    Ends are told where the result belongs: on stdout, and on stderr when stdout is for programs. While a
    live display is on the terminal that both are, all goes above it.
    """

    def __init__(self, plan: Plan, for_programs: bool) -> None:
        from provisioner.render.as_text import column_of
        from provisioner.render.progress import Progress

        self._plan = plan
        self._for_programs = for_programs
        self._started = time.monotonic()
        self._column = column_of(change.address for change in plan.changes)
        self._already: set[Any] = set()
        around = console_for(stderr=True)
        is_shared = around.is_terminal and output.out().isatty()
        self._around = around
        self._result = around if for_programs or is_shared else console_for()
        self._progress = Progress(around, self._tell)
        self.show = self._progress.show

    def __enter__(self) -> Teller:
        self._progress.__enter__()
        if self._around.is_terminal:
            for gate in (output.out(), output.err()):
                if gate.isatty():
                    gate.above = self._above
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gate in (output.out(), output.err()):
            gate.above = None
        self._progress.__exit__(kind, error, trace)

    def tell_rest(self, outcomes: Sequence[Outcome], steps: NextSteps | None = None) -> None:
        """The ends that were not told, how many there are of each, and what to do next; for programs all."""
        from provisioner.render.as_json import outcomes_data
        from provisioner.render.as_outcomes import outcomes_text

        environment = self._plan.environment
        seconds = time.monotonic() - self._started
        console = self._result
        if self._for_programs:
            from provisioner.render.next_steps import next_data

            say_data(outcomes_data(environment, outcomes) | {"next": next_data(steps) if steps else None})
        if outcomes:
            text = outcomes_text(environment, outcomes, seconds, console.width, self._already)
            console.print(text, soft_wrap=True)
        if steps:
            from provisioner.render.next_steps import next_text

            console.print(next_text(steps, console.width), soft_wrap=True)
        if outcomes and output.out().failure and not output.out().isatty():
            # Whoever watches gets to see what whoever wanted the result does not.
            everything = outcomes_text(environment, outcomes, seconds, self._around.width)
            self._around.print(everything, soft_wrap=True)

    def _tell(self, outcome: Outcome) -> None:
        from provisioner.render.as_outcomes import outcome_text, told

        if told(outcome) not in self._already:
            self._already.add(told(outcome))
            console = self._result
            console.print(outcome_text(outcome, self._column, console.width), soft_wrap=True)

    def _above(self, text: str) -> None:
        from provisioner.render.layout import line
        from provisioner.render.styled import styled

        self._around.print(styled([line(text)]), soft_wrap=True)


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set; a second SIGINT ends the process at once.

    What is said of them is said aside: a terminal that is stopped takes nothing.
    """
    stop = threading.Event()
    saying = threading.Thread(target=say, args=(STOPPING,), kwargs={"err": True}, daemon=True)
    farewell = (SHOW_CURSOR if output.err().isatty() else b"") + STOPPED_AT_ONCE

    def on_signal(number: int) -> None:
        if not stop.is_set():
            saying.start()
            stop.set()
        elif number == signal.SIGINT:
            crying = threading.Thread(target=output.cry, args=(farewell,), daemon=True)
            crying.start()
            crying.join(MAX_S_TO_SAY_SO)
            os._exit(INTERRUPTED)

    numbers = [signal.SIGINT, signal.SIGTERM]
    # Whoever starts a program with nohup wants it to outlast the terminal.
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    # Who was asked to end does so: asked once more, it would end without its exit code.
    with heard(numbers, on_signal, lambda: numbers[1:] if stop.is_set() else ()):
        yield stop
    if stop.is_set():
        saying.join(MAX_S_TO_SAY_SO)
