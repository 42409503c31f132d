"""Commands whose help goes through the gate, and is told in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import click

from provisioner.cli import output

# Options of other tools, and what they are here.
OPTIONS = {"-y": "--yes", "-a": "--yes", "--auto-approve": "--yes", "-o": "--out", "--output": "--out"}

# What a spec says, and no option: one spec is one environment in one region.
IN_THE_SPEC = {
    "--region": "region:",
    "--account": "account_id:",
    "--account-id": "account_id:",
    "--environment": "environment:",
    "--env": "environment:",
    "--expires": "expires:",
    "--count": "count:",
    "--instance-type": "instance_type:",
    "--tags": "tags:",
    "--tag": "tags:",
}


class Command(click.Command):
    """Says in the list of commands all that its first sentence says; knows the options of other tools."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name
            meant = OPTIONS.get(name, name)
            if meant != name and meant in (option for param in self.params for option in param.opts):
                raise click.UsageError(f"No such option '{name}'. Did you mean '{meant}'?", ctx) from None
            if name in IN_THE_SPEC and any(param.name in ("spec", "specs") for param in self.params):
                told = f"No such option '{name}': the spec says it, as `{IN_THE_SPEC[name]}`."
                raise click.UsageError(told, ctx) from None
            if meant == "--yes":
                told = f"No such option '{name}': {ctx.info_name} asks nothing, so leave it out."
                raise click.UsageError(told, ctx) from None
            raise

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
    # Commands of other tools, and what they are here.
    other_words: ClassVar[Mapping[str, str]] = {}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        meant = self.other_words.get(args[0])
        if meant:
            raise click.UsageError(f"No such command '{args[0]}'. Did you mean '{meant}'?", ctx)
        return super().resolve_command(ctx, args)


def _show_help(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        output.out().lines(ctx.get_help())
        ctx.exit()
