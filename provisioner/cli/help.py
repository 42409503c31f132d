"""Commands whose help goes through the gate, and is told in full."""

from __future__ import annotations

import click

from provisioner.cli import output


class Command(click.Command):
    """Says in the list of commands all that its first sentence says."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option:
            option.callback = _show_help
        return option

    def get_short_help_str(self, limit: int = 0) -> str:
        return super().get_short_help_str(1000)


class Group(Command, click.Group):
    """A group of these."""

    command_class = Command
    group_class = type


def _show_help(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        output.out().lines(ctx.get_help())
        ctx.exit()
