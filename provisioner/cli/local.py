"""`provisioner local`: the local AWS by hand."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any, ClassVar

import click

import local_aws
from local_aws import Faults, LocalAws, Switches
from provisioner.aws.connect import local_problems, require_local
from provisioner.cli.common import say, say_data
from provisioner.cli.help import Group
from provisioner.errors import LocalAwsError, UsageError
from provisioner.expiry.times import parse_duration, span_words


class LocalGroup(Group):
    """Tells the errors of the local AWS as the other commands tell theirs."""

    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("start", "init", "deploy", "run"), "up"),
        **dict.fromkeys(("stop", "delete", "destroy"), "down"),
    }

    def invoke(self, ctx: click.Context) -> Any:
        with local_problems():
            return super().invoke(ctx)


@click.group(cls=LocalGroup)
def local() -> None:
    """The local AWS: EC2, IAM, STS and SSM on 127.0.0.1, for trying and testing without an account."""


def switch_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds one option for every switch of the local AWS."""
    for switch in reversed(fields(Switches)):
        name = f"--{switch.name.replace('_', '-')}"
        help_text = switch.metadata["help"]
        if isinstance(switch.default, bool):
            option = click.option(name, switch.name, is_flag=True, default=None, help=help_text)
        else:
            option = click.option(name, switch.name, type=type(switch.default), help=help_text)
        command = option(command)
    return command


@local.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port on 127.0.0.1; by default {local_aws.DEFAULT_PORT}, or any where that is taken; 0: any.",
)
@switch_options
def up(port: int | None, **switches: Any) -> None:
    """Start the local AWS in the background; harmless when it runs already."""
    require_local()
    chosen = {name: value for name, value in switches.items() if value is not None}
    running = local_aws.up(port, **chosen)
    say(f"LOCAL AWS at {running.endpoint_url} (process {running.pid})")
    say(f"  the aws command line: AWS_ENDPOINT_URL={running.endpoint_url} AWS_ACCESS_KEY_ID=local \\")
    say("    AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1 aws ec2 describe-instances")
    _say_what_is_on(running)


@local.command()
def down() -> None:
    """Stop the local AWS; all that is in it is gone."""
    say("LOCAL AWS stopped" if local_aws.down() else "LOCAL AWS was not running")


@local.command()
def status() -> None:
    """Say whether the local AWS runs, and what of it is not as usual. Exit code 1 when it does not run."""
    running = local_aws.status()
    if running is None:
        say("LOCAL AWS is not running")
        raise click.exceptions.Exit(1)
    say(f"LOCAL AWS at {running.endpoint_url} (process {running.pid}), log {local_aws.log_file()}")
    _say_what_is_on(running)


@local.command()
def reset() -> None:
    """Empty the local AWS, switch every fault off and set its clock right."""
    local_aws.reset()
    say("LOCAL AWS is empty, with the time of this machine and every fault off")


@local.command()
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text")
@click.option("--clear", is_flag=True, help="Forget them afterwards.")
def calls(output_format: str, clear: bool) -> None:
    """Show the calls that the local AWS has answered, and how many of each."""
    running = _running()
    if output_format == "json":
        records = [record.__dict__ for record in local_aws.calls(running)]
        say_data(records)
    else:
        counted = local_aws.count_calls(running)
        for operation, number in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
            say(f"{number:7,}  {operation}")
        say(f"{sum(counted.values()):7,}  in all")
    if clear:
        local_aws.clear_calls(running)


@local.command("add-instance")
@click.argument("instance_id", required=False)
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag; may be given again.")
@click.option("--region", default="us-east-1", show_default=True)
def add_instance(instance_id: str | None, tags: tuple[str, ...], region: str) -> None:
    """Run an instance that no spec owns, for trying attachments; with a made-up id if none is given."""
    malformed = [tag for tag in tags if "=" not in tag]
    if malformed:
        raise UsageError(f"{malformed[0]} is no tag", "write --tag KEY=VALUE")
    pairs = dict(tag.split("=", 1) for tag in tags)
    instance_id = instance_id or f"i-{secrets.token_hex(9)[:17]}"
    say(local_aws.add_instance(_running(), instance_id, pairs, region=region))


@local.command()
@click.argument("duration")
def advance(duration: str) -> None:
    """Move its clock forward, by 90m or 9h, say: what is due by then happens."""
    span = parse_duration(duration)
    if not span:
        raise UsageError(f"{duration!r} is no duration", "write 90m, 9h, 2d or 1h30m")
    local_aws.advance(_running(), span.total_seconds())
    say(f"LOCAL AWS's clock is {duration} further")


def _say_what_is_on(running: LocalAws) -> None:
    """What differs from a local AWS that was just started: the clock, and what `up` has switched on."""
    if ahead := local_aws.clock_ahead(running):
        say(f"  its clock is {span_words(timedelta(seconds=ahead))} ahead;")
        say("    `provisioner local reset` empties it and sets the clock right")
    if on := _switched_on(local_aws.get_faults(running)):
        say(f"  switched on: {', '.join(on)}")


def _switched_on(faults: Faults) -> list[str]:
    """Each switch that is not as it is by itself, as an option of `up` where it is one."""
    usual = Faults()
    changed = [
        item.name for item in fields(faults) if getattr(faults, item.name) != getattr(usual, item.name)
    ]
    return [_told(name, getattr(faults, name)) for name in changed]


def _told(name: str, value: Any) -> str:
    option = f"--{name.replace('_', '-')}"
    if value is True:
        return option
    if isinstance(value, tuple):
        return f"{name.replace('_', ' ')} ({len(value)})"
    return f"{option} {value:g}"


def _running() -> LocalAws:
    running = local_aws.status()
    if running is None:
        raise LocalAwsError("the local AWS is not running", "start it with `provisioner local up`")
    return running
