"""Terminating members, and telling which of them go all the same when EC2 refuses.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html: a protected instance keeps
those in its zone, and the others are terminated although the call is answered with an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from provisioner.errors import AwsError, ProvisionerError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.observed import scope_of
from provisioner.kinds.instances import MAX_IDS, chunks
from provisioner.model import Call, CallCount, Until, Wait


@dataclass(frozen=True)
class Termination:
    """Terminate members of an environment, and wait until they are gone."""

    ids: tuple[str, ...]
    environment: str

    def calls(self) -> Iterable[CallCount]:
        return (CallCount("ec2", "TerminateInstances", -(-len(self.ids) // MAX_IDS)),)


@run_step.register
def _terminate(step: Termination, context: ExecutionContext) -> None:
    try:
        for part in chunks(step.ids, MAX_IDS):
            context.send(Call("ec2", "TerminateInstances", {"InstanceIds": list(part)}))
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
