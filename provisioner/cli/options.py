"""Options and arguments that several commands have."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import click

from provisioner.cli.common import SpecFile
from provisioner.cli.given import Spread, given_specs
from provisioner.cli.where import Where
from provisioner.errors import UsageError
from provisioner.many.spec_file import check_name

ROOT = click.option(
    "--root",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="The folder that a spec and the files it names have to be in, instead of its repository or folder.",
)
TARGET = click.option(
    "--target", metavar="NAME", help="Which of the environments that the spec has under `targets`."
)
TARGETS = click.option(
    "--target",
    "targets",
    metavar="NAME",
    multiple=True,
    help="Which of the environments that the spec has under `targets`; may be given again.",
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
PLAN_FORMAT = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "markdown", "html"]),
    default="text",
    show_default=True,
    help="For people, for programs, as a comment on a pull request, or as a page that needs nothing else.",
)
REFRESH = click.option(
    "--refresh-image",
    "refreshed",
    metavar="FLEET",
    multiple=True,
    help="Replace the fleet's members where the spec's parameter or lookup has a newer image.",
)

REFRESH_MY_IP = click.option(
    "--refresh-my-ip",
    "my_ip",
    is_flag=True,
    help="Give rules with `cidr: my_ip` the address that you have now.",
)

DEEP = click.option(
    "--deep",
    is_flag=True,
    help="Also read what DescribeInstances does not show (user data, termination protection, shutdown "
    "behaviour, stop protection, volumes): up to four calls a member.",
)

IDS = click.option(
    "--ids", is_flag=True, help="Name all instances by id, also those that are not destroyed or replaced."
)

SHOW_USER_DATA = click.option(
    "--show-user-data",
    is_flag=True,
    help="Show what user data says; with --deep what differs, line by line. It can hold secrets.",
)

POLICY = click.option(
    "--policy",
    "policies",
    metavar="DIR",
    multiple=True,
    help="A folder of Rego files whose `deny` refuses a plan, as with conftest; or builtin:NAME.",
)

PROVE = click.option(
    "--prove/--no-prove",
    "proving",
    default=None,
    envvar="PROVISIONER_PROVE",
    help="Ask AWS, before anything is changed, whether each call would be done (also PROVISIONER_PROVE=1).",
)

NO_COST = click.option("--no-cost", is_flag=True, help="Do not ask AWS for prices.")

SKIP_REGION = click.option(
    "--skip-region",
    "skipped_regions",
    metavar="REGIONS",
    default="",
    help="Regions that are not asked for instances that use a profile to be deleted: names with commas, or "
    "`all`.",
)


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
        from provisioner.aws.connect import Options

        if no_color:
            os.environ["NO_COLOR"] = "1"
        return command(options=Options(profile, endpoint_url, local, verbose), **rest)

    return wrapper


def _not_empty(context: click.Context, parameter: click.Parameter, value: str) -> str:
    check_name(value)
    return value


def spec_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the spec, with what says where its files may be, and hands both on as `spec`."""

    @click.argument("spec", type=click.Path(), callback=_not_empty)
    @TARGET
    @ROOT
    @functools.wraps(command)
    def wrapper(spec: str, root: str | None, target: str | None, **rest: Any) -> Any:
        return command(spec=SpecFile(spec, root, target), **rest)

    return wrapper


def _named(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Raises UsageError for an empty name, as a variable that is not set gives it."""
    if value is not None and not value.strip():
        raise UsageError("--report: is empty", "give a file that ends in .json, .md or .html, or no --report")
    return value


REPORT = click.option(
    "--report",
    metavar="FILE",
    type=click.Path(),
    callback=_named,
    help="Write all of it to a file as well: .json, .md or .html by the end of its name.",
)


SHARD = click.option(
    "--shard",
    metavar="NUMBER/COUNT",
    help="Work on this part of the specs, such as 3/10; auto: the part that AWS Batch or GitLab says, "
    "auto/COUNT: that Kubernetes says.",
)
EXECUTOR = click.option(
    "--executor",
    metavar="EXECUTOR",
    help="Where groups of environments are worked on, in place of this process: processes, "
    "processes:NUMBER, dask://HOST:PORT or dask+tls://HOST:PORT.",
)


def specs_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds any number of specs, with what says where their files may be, and hands them on as `specs`; and
    as `spread` the file of their report, which part of them is meant, and where they are worked on."""

    @click.argument("specs", metavar="SPEC...", nargs=-1, required=True, type=click.Path())
    @TARGETS
    @ROOT
    @REPORT
    @SHARD
    @EXECUTOR
    @functools.wraps(command)
    def wrapper(
        specs: tuple[str, ...],
        root: str | None,
        targets: tuple[str, ...],
        report: str | None,
        shard: str | None,
        executor: str | None,
        **rest: Any,
    ) -> Any:
        spread = Spread(report, shard, executor)
        return command(specs=given_specs(specs, root, targets), spread=spread, **rest)

    return wrapper


def regions_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say which regions are meant, and hands them on as `where`."""

    @click.option("--region", "named", metavar="REGION", multiple=True, help="A region; may be given again.")
    @click.option("--all-regions", "every", is_flag=True, help="Every region that is switched on.")
    @click.option(
        "--skip-region",
        "skipped",
        metavar="REGIONS",
        default="",
        help="Regions that --all-regions leaves out: names with commas.",
    )
    @functools.wraps(command)
    def wrapper(named: tuple[str, ...], every: bool, skipped: str, **rest: Any) -> Any:
        return command(where=Where(named, every, skipped), **rest)

    return wrapper
