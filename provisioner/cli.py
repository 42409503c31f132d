"""The command line. Commands, exit codes, and everything that is printed."""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from provisioner import __version__, streams
from provisioner.cli_change import carry_out
from provisioner.cli_common import (
    CHANGES,
    DONE,
    FAILED,
    INTERRUPTED,
    WRONG_USE,
    SpecFile,
    connect_to,
    console_for,
    load_spec,
    make_plan,
    refusal_code,
    say,
    say_data,
    show_plan,
)
from provisioner.cli_help import Group
from provisioner.errors import ProvisionerError, SpecError, UsageError

if TYPE_CHECKING:
    from provisioner.connect import Options

# What is read and imported stays until the end; looking through it for garbage over and over takes a tenth of
# a plan's time. Measured in docs/performance.md.
gc.set_threshold(100_000, 50, 100)

COMPLETE = "_PROVISIONER_COMPLETE"
ROOT = click.option(
    "--root",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="The folder that the files a spec names have to be in, instead of its repository or folder.",
)
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
REFRESH = click.option(
    "--refresh-image",
    "refreshed",
    metavar="FLEET",
    multiple=True,
    help="Replace the fleet's members where the spec's parameter or lookup has a newer image.",
)


DEEP = click.option(
    "--deep",
    is_flag=True,
    help="Also read what DescribeInstances does not show (user data, termination protection, shutdown "
    "behaviour, volumes): three calls a member.",
)


SKIP_REGION = click.option(
    "--skip-region",
    "skipped_regions",
    metavar="REGIONS",
    default="",
    help="Regions that are not asked for instances that use a profile to be deleted: names with commas, or "
    "`all`.",
)


class Root(Group):
    """Suggests the command that may have been meant, and has `local` imported only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "local"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "local":
            return super().get_command(ctx, cmd_name)
        from provisioner.cli_local import local

        return local

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


def spec_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the spec, with what says where its files may be, and hands both on as `spec`."""

    @click.argument("spec", type=click.Path())
    @ROOT
    @functools.wraps(command)
    def wrapper(spec: str, root: str | None, **rest: Any) -> Any:
        return command(spec=SpecFile(spec, root), **rest)

    return wrapper


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Exit codes: 0 done, 1 failed, 2 changes (plan --detailed-exitcode), 3 the spec or the command "
    "line is wrong, 4 refused by a safety rule, 130 interrupted.",
)
@click.version_option(__version__, prog_name="provisioner")
def cli() -> None:
    """EC2 fleets, IAM roles and instance profiles on AWS, from one YAML spec and with no state file."""


@cli.command()
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=click.Path())
@ROOT
def validate(specs: tuple[str, ...], root: str | None) -> None:
    """Check specs, offline; all problems at once, and that no two are about the same environment."""
    from provisioner.kinds import KINDS
    from provisioner.spec import load_all

    wrong = False
    for spec, environment in load_all(specs, KINDS, root):
        if isinstance(environment, SpecError):
            _tell_problems(environment)
            wrong = True
        else:
            say(f"{spec}: fine; environment {environment.name} in {environment.region}")
    if wrong:
        raise click.exceptions.Exit(WRONG_USE)


@cli.command()
@spec_argument
@FORMAT
@REFRESH
@DEEP
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes.")
@click.option("--destroy", "destroying", is_flag=True, help="Plan to delete everything of the environment.")
@SKIP_REGION
@connection_options
def plan(
    spec: SpecFile,
    output_format: str,
    refreshed: tuple[str, ...],
    deep: bool,
    detailed_exitcode: bool,
    destroying: bool,
    skipped_regions: str,
    options: Options,
) -> None:
    """Show what apply would do. Changes nothing."""
    environment = load_spec(spec, refreshed, skipped_regions)
    made = make_plan(environment, connect_to(environment, options), destroying, deep)
    if output_format == "json":
        from provisioner.render.as_json import plan_data

        say_data(plan_data(made))
    else:
        show_plan(made, options)
    if made.refusals:
        raise click.exceptions.Exit(refusal_code(made))
    if detailed_exitcode and made.changes:
        raise click.exceptions.Exit(CHANGES)


@cli.command()
@spec_argument
@YES
@FORMAT
@REFRESH
@DEEP
@SKIP_REGION
@connection_options
def apply(
    spec: SpecFile,
    yes: bool,
    output_format: str,
    refreshed: tuple[str, ...],
    deep: bool,
    skipped_regions: str,
    options: Options,
) -> int:
    """Show the plan, ask, and make AWS as the spec says."""
    environment = load_spec(spec, refreshed, skipped_regions)
    return carry_out(
        environment, yes, output_format, options, destroying=False, refreshed=refreshed, deep=deep
    )


@cli.command()
@spec_argument
@YES
@FORMAT
@SKIP_REGION
@connection_options
def destroy(spec: SpecFile, yes: bool, output_format: str, skipped_regions: str, options: Options) -> int:
    """Show the plan, ask, and delete everything of the environment."""
    environment = load_spec(spec, skipped_regions=skipped_regions)
    return carry_out(environment, yes, output_format, options, destroying=True)


@cli.command()
@spec_argument
@FORMAT
@connection_options
def status(spec: SpecFile, output_format: str, options: Options) -> None:
    """Show what there is: fleets and their members, roles, profiles, attachments."""
    from provisioner.kinds import KINDS
    from provisioner.observe import observe
    from provisioner.render.as_status import status_data, status_text

    environment = load_spec(spec)
    world = observe(environment, connect_to(environment, options), KINDS, looking=True)
    every = world.environment.resources.keys() | world.observed.resources.keys()
    statuses = {
        str(address): kind.status(address, world)
        for kind in KINDS
        for address in sorted(every)
        if address.kind == kind.name
    }
    subject = (environment.name, environment.region, world.identity.account_id, statuses)
    if output_format == "json":
        say_data(status_data(*subject))
    else:
        console_for().print(status_text(*subject, local=options.is_local), soft_wrap=True)


@cli.command()
def schema() -> None:
    """Print the JSON Schema of specs."""
    from provisioner.kinds import KINDS
    from provisioner.spec import schema as combined

    say_data(combined(KINDS))


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete this command: eval "$(provisioner completion bash)"."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise UsageError(f"no completion for {shell}")
    streams.out().lines(made(cli, {}, "provisioner", COMPLETE).source())


def main() -> None:
    """The console script. Ends the process with one of the exit codes of the README."""
    if COMPLETE in os.environ:
        # What a shell reads: the names of commands and options, and what has been typed so far.
        _complete()
    streams.open_gates()
    _forget_odd_sizes()
    code = _run()
    if code is None:
        # It only had something to print. What changes things says itself how that ended.
        code = FAILED if streams.out().is_broken else DONE
    for stream, other in ((streams.out(), streams.err()), (streams.err(), streams.out())):
        if stream.failure and stream.is_broken and not other.holds_document:
            other.line(
                f"{stream.name} cannot be written: {stream.failure.strerror}; some of it is lost", "error:"
            )
    sys.exit(code)


def _complete() -> None:
    """Answer a shell, which has no use for errors. Ends the process."""
    try:
        cli.main(prog_name="provisioner")
    except Exception:  # noqa: BLE001  whatever a missing variable or a closed output makes of it
        sys.exit(FAILED)


def _forget_odd_sizes() -> None:
    """Drop sizes of a terminal that are none: they would be believed, or be an error to who reads them."""
    for name in ("COLUMNS", "LINES"):
        size = os.environ.get(name, "")
        if size and not (size.isascii() and size.isdecimal() and len(size) < 5):
            del os.environ[name]


def _run() -> int | None:
    """Run the command that is on the command line: its exit code, or None if it did nothing but print."""
    try:
        code: int | None = cli.main(prog_name="provisioner", standalone_mode=False)
        return code
    except SpecError as error:
        _tell_problems(error)
        return WRONG_USE
    except ProvisionerError as error:
        _tell(error.message, error.hint)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _tell_line("cancelled; nothing was changed")
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        streams.out().lines(error.format_message())
        return DONE
    except click.ClickException as error:
        _tell(error.format_message(), _usage_hint(error))
        return WRONG_USE
    except OSError as error:
        _tell(f"{type(error).__name__}: {error}", None)
        return FAILED
    except Exception as error:
        if "-v" in sys.argv or "--verbose" in sys.argv:
            raise
        _tell(
            f"unexpected {type(error).__name__}: {error}",
            "this is a bug in provisioner; the same with -v shows where",
        )
        return FAILED


def _usage_hint(error: click.ClickException) -> str | None:
    context = getattr(error, "ctx", None)
    return f"see `{context.command_path} --help`" if context else None


def _tell(message: str, hint: str | None) -> None:
    _tell_line(message, "error:")
    if hint:
        _tell_line(f"  {hint}")


def _tell_line(text: str, label: str = "") -> None:
    """On stderr; where that cannot be written, on stdout, unless a document for programs is there."""
    if not streams.err().line(text, label) and not streams.out().holds_document:
        streams.out().line(text, label)


def _tell_problems(error: SpecError) -> None:
    for problem in error.problems:
        _tell_line(str(problem))
    if error.more:
        _tell_line(error.rest)
    number = len(error.problems) + error.more
    many = f"{'at least ' if error.stopped else ''}{number} problem{'' if number == 1 else 's'}"
    _tell_line(f"{many}; nothing was sent")
