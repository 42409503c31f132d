"""Stopping, starting and terminating members all at once, where there are no waves.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html: a protected instance keeps
those in its zone, and the others are terminated although the call is answered with an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from provisioner.errors import AwsError, ProvisionerError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.observed import scope_of
from provisioner.kinds.fleet.rolling_update.starting import Start, ran_as
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Instance, calls_on
from provisioner.lazy_dataclass import dataclass
from provisioner.model import CallCount, Step, Until, Wait, count_calls


def power_steps(
    members: Sequence[Instance], fleet: Fleet, environment: str, others: Sequence[Instance] = ()
) -> tuple[Step, ...]:
    """The steps that stop members or start them, all at once, and wait until they are so.

    `others` are further members, which may tell what these ran as before.
    """
    scopes = (scope_of(environment),)
    ids = tuple(member.id for member in members)
    if fleet.power == "stopped":
        pending = tuple(member.id for member in members if member.state == "pending")
        return (
            *([Wait(pending, Until.RUNNING, scopes)] if pending else ()),
            *calls_on("StopInstances", ids),
            Wait(ids, Until.STOPPED, scopes),
        )
    stopping = tuple(member.id for member in members if member.state == "stopping")
    types = {member.id: member.type for member in members}
    return (
        *([Wait(stopping, Until.STOPPED, scopes)] if stopping else ()),
        Start(
            fleet,
            environment,
            types,
            types,
            ran_as(members, fleet, others),
            members={member.id: member for member in members},
        ),
        Wait(ids, Until.STARTED, scopes),
    )


@dataclass(frozen=True)
class Termination:
    """Terminate members of an environment, and wait until they are gone."""

    ids: tuple[str, ...]
    environment: str

    def calls(self) -> Iterable[CallCount]:
        return count_calls(calls_on("TerminateInstances", self.ids))


@run_step.register
def _terminate(step: Termination, context: ExecutionContext) -> None:
    try:
        for call in calls_on("TerminateInstances", step.ids):
            context.send(call)
    except AwsError as error:
        raise error.with_text(error.text + _told(step, context)) from error
    context.wait(Wait(step.ids, Until.TERMINATED, (scope_of(step.environment),)))


def _told(step: Termination, context: ExecutionContext) -> str:
    """What became of the members all the same, if that can be seen."""
    try:
        shown = context.wait(Wait((), Until.SHOWN, (scope_of(step.environment),)))
    except ProvisionerError:
        return ""
    left = [name for name in step.ids if name in shown and shown[name].is_live]
    gone = len(step.ids) - len(left)
    but = f", but not {', '.join(left)}" if left else ""
    return f" {gone} of {len(step.ids)} are terminated all the same{but}" if gone else ""
