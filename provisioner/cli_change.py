"""`apply` and `destroy`: the plan, the question, the progress, the summary, and what a signal does."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli_common import (
    FAILED,
    INTERRUPTED,
    REFUSED,
    SpecFile,
    connect_to,
    console_for,
    load_spec,
    make_plan,
    refusal_code,
    show_plan,
)
from provisioner.errors import UsageError

if TYPE_CHECKING:
    from provisioner.connect import Options
    from provisioner.model import Environment


def carry_out(
    spec: SpecFile,
    yes: bool,
    output_format: str,
    options: Options,
    destroying: bool,
    refreshed: tuple[str, ...] = (),
    deep: bool = False,
) -> None:
    """The whole of apply and destroy. Ends by an exit exception of click's unless all is well."""
    from provisioner.apply import Executor
    from provisioner.converge import converge

    command = "destroy" if destroying else "apply"
    environment = load_spec(spec, refreshed)
    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            f"{command} asks before it changes anything, and there is no terminal to ask on",
            f"look at `plan{' --destroy' if destroying else ''}`, then say `{command} --yes`",
        )
    aws = connect_to(environment, options)
    plan = make_plan(environment, aws, destroying, deep)
    show_plan(plan, options, stderr=output_format == "json")
    if plan.refusals:
        raise click.exceptions.Exit(refusal_code(plan))
    to_do = [change for change in plan.changes if not change.deferred]
    if to_do and not yes:
        _ask(environment, destroying)
    started = time.monotonic()
    with _stoppable() as stop:
        aws.heed(stop)
        with _progress() as on_event:
            carried = converge(
                plan,
                lambda: make_plan(environment, aws, destroying, deep),
                Executor(aws.for_writing(), on_event, stop).execute,
                stop,
            )
        _show_outcomes(environment, carried.outcomes, time.monotonic() - started, output_format)
    if refreshed and (carried.obstacle or not all(outcome.is_good for outcome in carried.outcomes)):
        _tell_of_refreshing(refreshed)
    if carried.obstacle:
        raise carried.obstacle
    if stop.is_set():
        raise click.exceptions.Exit(INTERRUPTED)
    if not all(outcome.is_good for outcome in carried.outcomes):
        raise click.exceptions.Exit(FAILED)


def _ask(environment: Environment, destroying: bool) -> None:
    if destroying:
        answer = click.prompt(f"Type {environment.name} to destroy it", default="", show_default=False)
        agreed = answer == environment.name
    else:
        agreed = click.confirm("Apply these changes?")
    if not agreed:
        click.echo("cancelled; nothing was changed", err=True)
        raise click.exceptions.Exit(REFUSED)


def _show_outcomes(environment: Environment, outcomes: Any, seconds: float, output_format: str) -> None:
    if output_format == "json":
        from provisioner.render.as_json import outcomes_data

        click.echo(json.dumps(outcomes_data(environment.name, outcomes), indent=2, ensure_ascii=False))
    elif outcomes:
        from provisioner.render.as_text import outcomes_text

        console = console_for()
        console.print(outcomes_text(environment.name, outcomes, seconds, console.width), soft_wrap=True)


def _tell_of_refreshing(refreshed: tuple[str, ...]) -> None:
    options = " ".join(f"--refresh-image {fleet}" for fleet in refreshed)
    click.echo(f"apply again with {options} to go on; without, the fleet keeps the image it had", err=True)


@contextmanager
def _progress() -> Iterator[Callable[[Any], None]]:
    from provisioner.render.progress import Progress

    with Progress(console_for(stderr=True)) as progress:
        yield progress.show


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second SIGINT ends the process at once.

    A handler interrupts whatever the main thread is at, which may hold the locks of the event and of
    stderr; so it uses neither. https://docs.python.org/3/library/queue.html#simplequeue-objects
    """
    stop = threading.Event()
    signals: SimpleQueue[int] = SimpleQueue()
    heard: list[int] = []

    def listen() -> None:
        if signals.get():
            stop.set()

    def on_signal(number: int, _: Any) -> None:
        if heard and number == signal.SIGINT:
            os._exit(INTERRUPTED)
        heard.append(number)
        signals.put(number)
        with suppress(OSError):
            os.write(2, b"stopping: what is in flight is finished first; again to stop at once\n")

    threading.Thread(target=listen, daemon=True).start()
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signals.put(0)
