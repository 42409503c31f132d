"""What all launches of a fleet have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from provisioner.execution import ExecutionContext
from provisioner.kinds.fleet.launching.params import launch_params, run_instances
from provisioner.kinds.fleet.observed import Prerequisites, Subnet, answered_launches, is_member, scope_of
from provisioner.kinds.fleet.settings.differences import after_launch_steps
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Instance
from provisioner.kinds.launch_token import Slot
from provisioner.kinds.tags import (
    tag_list,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, Output, Until, Wait, foretold_calls


@dataclass(frozen=True)
class LaunchContext:
    """All that the launches of a fleet have in common.

    `profile` is the profile's name; `epoch` its id, empty without one.
    """

    fleet: Fleet
    environment: str
    profile: str | None
    epoch: str | Output
    prerequisites: Prerequisites

    def slot(self, subnet: Subnet) -> Slot:
        """Where the launches in a subnet are numbered."""
        return Slot(self.environment, self.fleet.key, subnet.zone, subnet.id)

    def foretold(self, shares: Mapping[Subnet, int]) -> Iterator[Call]:
        """The launches of so many members in each subnet, of each capacity option, without a token."""
        for subnet, share in sorted(shares.items(), key=lambda item: item[0].id):
            params = launch_params(self.fleet, self.profile, self.prerequisites, subnet)
            for option in self.fleet.capacity_options:
                yield run_instances(params, option, share, "")
        new = Instance("new", "running", "", "", "", "")
        yield from foretold_calls(after_launch_steps(self.fleet, [new]))
        if self.fleet.is_indexed:
            yield Call("ec2", "CreateTags", {"Tags": tag_list({"Name": self.fleet.name})})

    def answered(self, context: ExecutionContext) -> list[Instance]:
        """The members that this run was told of by its launches."""
        launched = answered_launches(context.answers("RunInstances"))
        return [member for got in launched.values() for member in got if self.is_member(member)]

    def is_member(self, instance: Instance) -> bool:
        """Whether an instance is a live member of the fleet."""
        return is_member(instance, self.environment, self.fleet.key)

    def wait_for(
        self, instances: Iterable[Instance], context: ExecutionContext, until: Until = Until.RUNNING
    ) -> Mapping[str, Instance]:
        """Wait for members; all of the environment's instances that are shown then, by id."""
        ids = tuple(instance.id for instance in instances)
        return context.wait(Wait(ids, until, (scope_of(self.environment),))) if ids else {}
