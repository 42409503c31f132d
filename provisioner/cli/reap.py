"""`provisioner reap`: terminates what has come to its end and is still there, for a schedule."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli.common import DONE, FAILED, INTERRUPTED, REFUSED, say, say_data, screen_width
from provisioner.cli.help import Command
from provisioner.cli.options import FORMAT, YES, connection_options, regions_options
from provisioner.cli.where import Where
from provisioner.errors import UsageError
from provisioner.naming import ENVIRONMENT_TAG

if TYPE_CHECKING:
    from provisioner.account.contents import RegionContents
    from provisioner.account.reaping import Ended, Reaped
    from provisioner.aws.client import Aws
    from provisioner.aws.connect import Options


@click.command(cls=Command)
@regions_options
@YES
@FORMAT
@connection_options
def reap(where: Where, yes: bool, output_format: str, options: Options) -> int | None:
    """Terminate members whose `expires` is past, in an account and its regions; reads no spec."""
    from provisioner.account.contents import read_instances
    from provisioner.account.reaping import ended
    from provisioner.cli.change import stoppable
    from provisioner.render.as_account import reap_data, reap_lines, wrapped

    for_programs = output_format == "json"
    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()) and not for_programs:
        raise UsageError(
            "reap asks before it terminates anything, and there is no terminal to ask on",
            "say `reap --yes`; what has ended is in `provisioner list`",
        )
    aws, regions = where.connect(options)
    identity = aws.identity()
    contents = read_instances(aws, regions)
    now = aws.now()
    found = [ended(region.region, region.instances, now) for region in contents]
    width = screen_width(stderr=for_programs)
    for line in reap_lines(identity.account_id, found, _unread(contents), now, options.is_local):
        for part in wrapped(line, width):
            say(part, err=for_programs)

    def tell(results: Sequence[Reaped]) -> None:
        if for_programs:
            say_data(reap_data(identity.account_id, found, results, _unread(contents)))

    going = [region for region in found if region.instances]
    code = DONE if not _unread(contents) else FAILED
    if going and not yes and for_programs:
        say("nothing was terminated: --yes does it", err=True)
        code = code or REFUSED
    elif going and not yes and not click.confirm("Terminate these instances?"):
        say("cancelled; nothing was changed", err=True)
        code = code or REFUSED
    elif going:
        # To the last word: an interruption after something was terminated is not one before.
        with stoppable() as stop:
            results, code = _carry_out(aws, going, code, stop)
            for line in (*_results(results), *_whats_next(going, results)):
                say(line, err=for_programs)
            tell(results)
        return code
    tell([])
    # None: it only had something to print, so what could not be printed counts.
    return code or None


def _carry_out(
    aws: Aws, going: Sequence[Ended], code: int, stop: threading.Event
) -> tuple[list[Reaped], int]:
    from provisioner.account.reaping import reap as terminate
    from provisioner.aws.client import WritingAws

    aws.heed(stop)
    writer = WritingAws.over(aws)
    results = writer.parallel(*(partial(_one, terminate, writer, region, stop) for region in going))
    if stop.is_set():
        return results, INTERRUPTED
    return results, FAILED if any(reaped.failed for reaped in results) else code


def _one(terminate: Any, writer: Aws, region: Ended, stop: threading.Event) -> Reaped:
    ids = [instance.id for instance in region.instances]
    reaped: Reaped = terminate(writer, region.region, ids, stop)
    return reaped


def _unread(contents: Sequence[RegionContents]) -> list[str]:
    return [problem for region in contents for problem in region.unread]


def _whats_next(going: Sequence[Ended], results: Sequence[Reaped]) -> list[str]:
    """Whose members were terminated, and what deletes the rest."""
    done = {id_ for reaped in results for id_ in reaped.done}
    names = sorted(
        {item.tag(ENVIRONMENT_TAG) or "" for region in going for item in region.instances if item.id in done}
    )
    if not names:
        return []
    return [
        f"Roles, instance profiles, security groups and key pairs of {', '.join(names)} are left, as far as "
        "there are any: `provisioner list` shows them, and `provisioner destroy SPEC` deletes them."
    ]


def _results(results: Sequence[Reaped]) -> list[str]:
    failed = [failure for reaped in results for failure in reaped.failed]
    done = sum(len(reaped.done) for reaped in results)
    told = [f"failed  {name}: {why}" for name, why in failed]
    return [*told, f"Terminated {done} instance{'' if done == 1 else 's'}; {len(failed)} failed."]
