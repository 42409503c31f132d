"""`provisioner completion`, and what answers a shell that completes."""

from __future__ import annotations

import sys

import click

from provisioner.cli import output
from provisioner.cli.common import FAILED
from provisioner.cli.help import Command
from provisioner.errors import UsageError

COMPLETE = "_PROVISIONER_COMPLETE"


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete this command: eval "$(provisioner completion bash)"."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise UsageError(f"no completion for {shell}")
    output.out().lines(
        made(click.get_current_context().find_root().command, {}, "provisioner", COMPLETE).source()
    )


def complete(cli: click.Command) -> None:
    """Answer a shell, which has no use for errors. Ends the process."""
    try:
        cli.main(prog_name="provisioner")
    except Exception:  # noqa: BLE001  whatever a missing variable or a closed output makes of it
        sys.exit(FAILED)
