"""What commands share: exit codes, and the way from a spec to a plan and onto the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from rich.console import Console

    from provisioner.aws import Aws, Sent
    from provisioner.connect import Options
    from provisioner.model import Environment, Plan

DONE, FAILED, CHANGES, WRONG_USE, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 130


class SpecFile(NamedTuple):
    """A spec as the command line gives it, and the folder that the files it names have to be below."""

    path: str
    root: str | None = None


def load_spec(spec: SpecFile, refreshed: Sequence[str] = ()) -> Environment:
    """The environment that a spec describes, with the images of some fleets to be followed.

    Raises SpecError, and UsageError for a fleet that the spec does not have or whose image is fixed.
    """
    from provisioner.kinds import KINDS, refresh_images
    from provisioner.spec import load

    return refresh_images(load(spec.path, KINDS, spec.root), refreshed)


def connect_to(environment: Environment, options: Options) -> Aws:
    """A reading connection. Raises UsageError, LocalAwsError and ProvisionerError."""
    from provisioner.connect import connect

    def show(sent: Sent) -> None:
        answer = f"  {sent.code}" if sent.code else ""
        click.echo(f"{sent.seconds * 1000:7.0f} ms  {sent.service} {sent.operation}{answer}", err=True)

    return connect(environment.region, options, show if options.verbose else lambda sent: None)


def make_plan(environment: Environment, aws: Aws, destroying: bool, deep: bool = False) -> Plan:
    """Observe and compare. Raises AwsError and UsageError."""
    from provisioner.kinds import KINDS
    from provisioner.observe import observe
    from provisioner.plan import plan as compare

    return compare(observe(environment, aws, KINDS, destroying, deep), KINDS)


def console_for(stderr: bool = False) -> Console:
    """Where text for people goes."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def show_plan(plan: Plan, options: Options, stderr: bool = False) -> None:
    """Print a plan for people."""
    from provisioner.render.as_text import plan_text

    console = console_for(stderr)
    console.print(plan_text(plan, console.width, options.is_local), soft_wrap=True)


def refusal_code(plan: Plan) -> int:
    """The exit code of a plan that is refused."""
    return max(refusal.exit_code for refusal in plan.refusals)
