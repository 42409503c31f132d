"""Commands whose help goes through the gate, and is told in full."""

from __future__ import annotations

from collections import Counter
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


# Who gives these again means to change what an alias or a Makefile says.
CHANGEABLE = ("--format",)


class Command(click.Command):
    """Says in the list of commands all that its first sentence says; knows the options of other tools; and
    loses none that is given again."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            rest = super().parse_args(ctx, args)
            self._check_repeated(ctx, given)
            return rest
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

    def _check_repeated(self, ctx: click.Context, args: list[str]) -> None:
        """Raises click.UsageError for an option of which only the last value would count."""
        if ctx.resilient_parsing:
            return
        *_, order = self.make_parser(ctx).parse_args(args)
        options = (param for param in order if isinstance(param, click.Option))
        for option, number in Counter(option for option in options if _has_one_value(option)).items():
            if number > 1:
                name = option.opts[0]
                told = f"{name} is given {number} times, and only one can be meant: say {name} once."
                raise click.UsageError(told, ctx)

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


def _has_one_value(option: click.Option) -> bool:
    is_plural = option.multiple or option.is_flag or option.count
    return not is_plural and option.opts[0] not in CHANGEABLE


def _show_help(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        output.out().lines(ctx.get_help())
        ctx.exit()
