"""The command line. Commands, exit codes, and everything that is printed."""

from __future__ import annotations

import functools
import io
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

from provisioner import __version__
from provisioner.cli_local import local
from provisioner.errors import ProvisionerError, SpecError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from provisioner.aws import Aws, Sent
    from provisioner.connect import Options
    from provisioner.model import Environment, Plan

DONE, FAILED, CHANGES, WRONG_USE, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 130

SPEC = click.argument("spec", type=click.Path())
YES = click.option(
    "--yes", "-y", is_flag=True, help="Do not ask; needed where there is no terminal to ask on."
)
FORMAT = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for programs.",
)


class Group(click.Group):
    """A group that suggests the command that may have been meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.UsageError(error.format_message(), ctx) from None


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say which AWS is meant, and hands them on as `options`."""

    @click.option("--profile", metavar="NAME", help="A named profile of the AWS configuration.")
    @click.option("--endpoint-url", metavar="URL", help="Send every call to this address instead of AWS.")
    @click.option(
        "--local", is_flag=True, help="Use the local AWS, started if need be (also PROVISIONER_LOCAL=1)."
    )
    @click.option("--no-color", is_flag=True, help="No colours (also NO_COLOR).")
    @click.option("--verbose", "-v", is_flag=True, help="Each API call on stderr, with its duration.")
    @functools.wraps(command)
    def wrapper(
        profile: str | None,
        endpoint_url: str | None,
        local: bool,
        no_color: bool,
        verbose: bool,
        **rest: Any,
    ) -> Any:
        from provisioner.connect import Options

        if no_color:
            os.environ["NO_COLOR"] = "1"
        return command(options=Options(profile, endpoint_url, local, verbose), **rest)

    return wrapper


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Exit codes: 0 done, 1 failed, 2 changes (plan --detailed-exitcode), 3 the spec or the command "
    "line is wrong, 4 refused by a safety rule, 130 interrupted.",
)
@click.version_option(__version__, prog_name="provisioner")
def cli() -> None:
    """EC2 fleets, IAM roles and instance profiles on AWS, from one YAML spec and with no state file."""


@cli.command()
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=click.Path())
def validate(specs: tuple[str, ...]) -> None:
    """Check specs, offline; all problems at once."""
    problems = 0
    for spec in specs:
        try:
            environment = _load(spec)
        except SpecError as error:
            _print_problems(error)
            problems += len(error.problems)
        else:
            click.echo(f"{spec}: fine; environment {environment.name} in {environment.region}")
    if problems:
        raise click.exceptions.Exit(WRONG_USE)


@cli.command()
@SPEC
@FORMAT
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@click.option("--destroy", "destroying", is_flag=True, help="Plan to delete everything of the environment.")
@connection_options
def plan(spec: str, output_format: str, detailed_exitcode: bool, destroying: bool, options: Options) -> None:
    """Show what apply would do. Changes nothing."""
    environment = _load(spec)
    made = _make_plan(environment, _connect(environment, options), destroying)
    if output_format == "json":
        from provisioner.render.as_json import plan_data

        click.echo(json.dumps(plan_data(made), indent=2, ensure_ascii=False))
    else:
        _show_plan(made, options)
    if made.refusals:
        raise click.exceptions.Exit(_refusal_code(made))
    if detailed_exitcode and made.changes:
        raise click.exceptions.Exit(CHANGES)


@cli.command()
@SPEC
@YES
@FORMAT
@connection_options
def apply(spec: str, yes: bool, output_format: str, options: Options) -> None:
    """Show the plan, ask, and make AWS as the spec says."""
    _change(spec, yes, output_format, options, destroying=False)


@cli.command()
@SPEC
@YES
@FORMAT
@connection_options
def destroy(spec: str, yes: bool, output_format: str, options: Options) -> None:
    """Show the plan, ask, and delete everything of the environment."""
    _change(spec, yes, output_format, options, destroying=True)


@cli.command()
@SPEC
@FORMAT
@connection_options
def status(spec: str, output_format: str, options: Options) -> None:
    """Show what there is: fleets and their members, roles, profiles, attachments."""
    from provisioner.kinds import KINDS
    from provisioner.observe import observe
    from provisioner.render.as_status import status_data, status_text

    environment = _load(spec)
    world = observe(environment, _connect(environment, options), KINDS)
    every = world.environment.resources.keys() | world.observed.resources.keys()
    statuses = {
        str(address): kind.status(address, world)
        for kind in KINDS
        for address in sorted(every)
        if address.kind == kind.name
    }
    subject = (environment.name, environment.region, world.identity.account_id, statuses)
    if output_format == "json":
        click.echo(json.dumps(status_data(*subject), indent=2, ensure_ascii=False))
    else:
        _console().print(status_text(*subject, local=options.is_local), soft_wrap=True)


@cli.command()
def schema() -> None:
    """Print the JSON Schema of specs."""
    from provisioner.kinds import KINDS
    from provisioner.spec import schema as combined

    click.echo(json.dumps(combined(KINDS), indent=2, ensure_ascii=False))


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete this command: eval "$(provisioner completion bash)"."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise UsageError(f"no completion for {shell}")
    click.echo(made(cli, {}, "provisioner", "_PROVISIONER_COMPLETE").source())


cli.add_command(local)


def main() -> None:
    """The console script. Ends the process with one of the exit codes of the README."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show an arrow is no reason to stop in the middle of an apply.
            stream.reconfigure(errors="replace")
    try:
        code = cli.main(prog_name="provisioner", standalone_mode=False)
    except SpecError as error:
        _print_problems(error)
        code = WRONG_USE
    except ProvisionerError as error:
        _print_error(error.message, error.hint)
        code = error.exit_code
    except click.Abort:
        click.echo("\ncancelled; nothing was changed", err=True)
        code = INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = DONE
    except click.ClickException as error:
        _print_error(error.format_message(), _usage_hint(error))
        code = WRONG_USE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python must not complain about it on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    sys.exit(code or DONE)


def _usage_hint(error: click.ClickException) -> str | None:
    context = getattr(error, "ctx", None)
    return f"see `{context.command_path} --help`" if context else None


def _print_error(message: str, hint: str | None) -> None:
    click.echo(f"{click.style('error:', fg='red', bold=True)} {message}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)


def _print_problems(error: SpecError) -> None:
    for problem in error.problems:
        click.echo(str(problem), err=True)
    number = len(error.problems)
    click.echo(f"{number} problem{'' if number == 1 else 's'}; nothing was sent", err=True)


def _load(spec: str) -> Environment:
    from provisioner.kinds import KINDS
    from provisioner.spec import load

    return load(spec, KINDS)


def _connect(environment: Environment, options: Options) -> Aws:
    from provisioner.connect import connect

    def show(sent: Sent) -> None:
        answer = f"  {sent.code}" if sent.code else ""
        click.echo(f"{sent.seconds * 1000:7.0f} ms  {sent.service} {sent.operation}{answer}", err=True)

    return connect(environment.region, options, show if options.verbose else lambda sent: None)


def _make_plan(environment: Environment, aws: Aws, destroying: bool) -> Plan:
    from provisioner.kinds import KINDS
    from provisioner.observe import observe
    from provisioner.plan import plan as compare

    return compare(observe(environment, aws, KINDS, destroying), KINDS)


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _show_plan(plan: Plan, options: Options, stderr: bool = False) -> None:
    from provisioner.render.as_text import plan_text

    console = _console(stderr)
    console.print(plan_text(plan, console.width, options.is_local), soft_wrap=True)


def _refusal_code(plan: Plan) -> int:
    return max(refusal.exit_code for refusal in plan.refusals)


def _change(spec: str, yes: bool, output_format: str, options: Options, destroying: bool) -> None:
    from provisioner.apply import Executor
    from provisioner.converge import converge

    command = "destroy" if destroying else "apply"
    environment = _load(spec)
    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            f"{command} asks before it changes anything, and there is no terminal to ask on",
            f"look at `plan`, then say `{command} --yes`",
        )
    aws = _connect(environment, options)
    plan = _make_plan(environment, aws, destroying)
    _show_plan(plan, options, stderr=output_format == "json")
    if plan.refusals:
        raise click.exceptions.Exit(_refusal_code(plan))
    to_do = [change for change in plan.changes if not change.deferred]
    if to_do and not yes:
        _ask(environment, destroying)
    started = time.monotonic()
    with _stoppable() as stop:
        aws.heed(stop)
        with _progress() as on_event:
            carried = converge(
                plan,
                lambda: _make_plan(environment, aws, destroying),
                Executor(aws.for_writing(), on_event, stop).execute,
                stop,
            )
        _show_outcomes(environment, carried.outcomes, time.monotonic() - started, output_format)
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

        console = _console()
        console.print(outcomes_text(environment.name, outcomes, seconds, console.width), soft_wrap=True)


@contextmanager
def _progress() -> Iterator[Callable[[Any], None]]:
    from provisioner.render.progress import Progress

    with Progress(_console(stderr=True)) as progress:
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
