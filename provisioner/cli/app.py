"""The command `provisioner`: its list of commands, and how every one of them ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import ClassVar

import click

from provisioner import __version__
from provisioner.cli import output
from provisioner.cli.access import hosts, inventory, ssh_config
from provisioner.cli.apply import apply, destroy
from provisioner.cli.common import DONE, FAILED, INTERRUPTED, REFUSED, WRONG_USE, tell_line, tell_problems
from provisioner.cli.completion import COMPLETE, complete, completion
from provisioner.cli.drift import drift
from provisioner.cli.extend import extend
from provisioner.cli.help import Group
from provisioner.cli.init import init
from provisioner.cli.list import list_environments
from provisioner.cli.permissions import permissions
from provisioner.cli.plan import plan
from provisioner.cli.reap import reap
from provisioner.cli.report import report
from provisioner.cli.schema import schema
from provisioner.cli.show import show
from provisioner.cli.status import status
from provisioner.cli.validate import validate
from provisioner.errors import ProvisionerError, SpecError


class Root(Group):
    """Suggests the command that may have been meant, and has `local` imported only when it is needed."""

    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("delete", "remove", "rm", "down", "teardown"), "destroy"),
        **dict.fromkeys(("deploy", "create", "update", "run"), "apply"),
        "up": "apply' or 'local up",
        **dict.fromkeys(("diff", "preview"), "plan"),
        "ls": "list",
        **dict.fromkeys(("check", "lint"), "validate"),
        "ssh": "ssh-config",
        "version": "--version",
        "help": "--help",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "local"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "local":
            return super().get_command(ctx, cmd_name)
        from provisioner.cli.local import local

        return local

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.UsageError(error.format_message(), ctx) from None


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Exit codes: 0 done, 1 failed, 2 changes (plan --detailed-exitcode) or drift, 3 the spec or the "
    "command line is wrong, 4 refused by a safety rule, 130 interrupted. Of many specs the worst: "
    "130, 1, 3, 4, 2, 0.",
)
@click.version_option(__version__, prog_name="provisioner")
def cli() -> None:
    """EC2 fleets, IAM roles and instance profiles on AWS, from one YAML spec and with no state file."""


for command in (
    init,
    validate,
    show,
    plan,
    apply,
    destroy,
    drift,
    status,
    list_environments,
    extend,
    reap,
    permissions,
    report,
    ssh_config,
    inventory,
    hosts,
    schema,
    completion,
):
    cli.add_command(command)


def main() -> None:
    """What the console script does. Ends the process with one of the exit codes of the README."""
    if COMPLETE in os.environ:
        # What a shell reads: the names of commands and options, and what has been typed so far.
        complete(cli)
    output.open_gates()
    _forget_odd_sizes()
    code = _run()
    if code is None:
        # It only had something to print. What changes things says itself how that ended.
        code = FAILED if output.out().is_broken else DONE
    for stream, other in ((output.out(), output.err()), (output.err(), output.out())):
        if stream.failure and stream.is_broken and not other.holds_document:
            other.line(
                f"{stream.name} cannot be written: {stream.failure.strerror}; some of it is lost", "error:"
            )
    sys.exit(code)


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
        tell_problems(error)
        return WRONG_USE
    except ProvisionerError as error:
        _tell(error.message, error.hint)
        return error.exit_code
    except click.Abort as error:
        if not error.__cause__ and output.err().isatty():
            # The cursor is still where the answer would be.
            output.err().layout("\n")
        tell_line("cancelled; nothing was changed")
        # Ctrl-D at a question is a no; https://click.palletsprojects.com/en/stable/api/#click.prompt
        return REFUSED if isinstance(error.__context__, EOFError) else INTERRUPTED
    except KeyboardInterrupt:
        tell_line("cancelled; nothing was changed")
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        output.out().lines(error.format_message())
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
    tell_line(message, "error:")
    if hint:
        tell_line(f"  {hint}")
