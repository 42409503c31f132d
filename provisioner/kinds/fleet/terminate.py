"""Terminating members, and telling which of them go all the same when EC2 refuses.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html: a protected instance keeps
those in its zone, and the others are terminated although the call is answered with an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from provisioner.errors import AwsError, ProvisionerError
from provisioner.kinds.fleet.observed import scope_of
from provisioner.kinds.instances import MAX_IDS, chunks
from provisioner.model import Call, CallCount, ExecutionContext, Until, Wait


@dataclass(frozen=True)
class Termination:
    """Terminate members of an environment, and wait until they are gone."""

    ids: tuple[str, ...]
    environment: str

    def calls(self) -> Iterable[CallCount]:
        return (CallCount("ec2", "TerminateInstances", -(-len(self.ids) // MAX_IDS)),)

    def run(self, context: ExecutionContext) -> None:
        try:
            for part in chunks(self.ids, MAX_IDS):
                context.send(Call("ec2", "TerminateInstances", {"InstanceIds": list(part)}))
        except AwsError as error:
            raise error.with_text(error.text + self._told(context)) from error
        context.wait(Wait(self.ids, Until.TERMINATED, (scope_of(self.environment),)))

    def _told(self, context: ExecutionContext) -> str:
        """What became of the members all the same, if that can be seen."""
        try:
            shown = context.wait(Wait((), Until.SHOWN, (scope_of(self.environment),)))
        except ProvisionerError:
            return ""
        left = [each for each in self.ids if each in shown and shown[each].is_live]
        gone = len(self.ids) - len(left)
        but = f", but not {', '.join(left)}" if left else ""
        return f" {gone} of {len(self.ids)} are terminated all the same{but}" if gone else ""
