"""When a member is healthy: by its state, and by what the fleet asks for besides."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from provisioner.execution import ExecutionContext
from provisioner.kinds.fleet.readiness.waiting import await_ready
from provisioner.kinds.fleet.spec import RUNNING, Fleet
from provisioner.kinds.instances import Instance
from provisioner.model import Condition, Scope, Until, Wait

MINUTE_S = 60.0


class Health:
    """What is known of the members' health during a rollout; `unhealthy` from when it was planned.

    A member of a fleet that is parked is healthy when it is stopped. `unhealthy` are members that nobody
    waits for: they ran as the spec says when it was planned and were not healthy, while others that run so
    and were started no earlier were. `down` are those that were taken down and not waited for since.
    """

    def __init__(self, fleet: Fleet, unhealthy: Collection[str]) -> None:
        self._fleet = fleet
        self._checks = fleet.update.healthy != RUNNING and fleet.power == "running"
        self._unhealthy_when_planned = set(unhealthy)
        self._passed_checks: set[str] = set()
        self._given_up: set[str] = set()
        self.unhealthy: frozenset[str] = frozenset()
        self.down: tuple[str, ...] = ()

    def healthy(self, members: Iterable[Instance]) -> frozenset[str]:
        """The ids of those that are healthy, or that were given up waiting for."""
        return frozenset(member.id for member in members if self._is_healthy(member))

    def _is_healthy(self, member: Instance) -> bool:
        if member.id in self._given_up:
            return True
        if member.id in self.down or member.state != self._fleet.power:
            return False
        return not self._checks or member.id in self._passed_checks

    def begin_with(self, members: Iterable[Instance], wrong: Collection[str]) -> None:
        """Take what was known when the rollout was planned for these members' health.

        `wrong` are the ids of those that do not run as the spec says: they tell nothing of those that do.
        """
        members = list(members)
        self._passed_checks |= {member.id for member in members} - self._unhealthy_when_planned
        right = [member for member in members if member.id not in wrong]
        newest = max((member.started for member in right if self._is_healthy(member)), default="")
        impaired = [
            member
            for member in right
            if member.state == "running" and member.id in self._unhealthy_when_planned
        ]
        self.unhealthy = frozenset(member.id for member in impaired if member.started <= newest)

    def wait_for(
        self,
        ids: Iterable[str],
        scopes: tuple[Scope, ...],
        context: ExecutionContext,
        condition: Condition | None = None,
    ) -> Mapping[str, Instance]:
        """Wait until these are healthy, and the condition holds; all instances that are shown then.

        Raises WaitError, AwsError.
        """
        ids = tuple(ids)
        timeout_s = MINUTE_S * self._fleet.update.timeout_minutes
        if self._fleet.power == "stopped":
            wait = Wait(ids, Until.STOPPED, scopes, timeout_s=timeout_s, condition=condition)
            shown = context.wait(wait)
        else:
            shown = await_ready(self._fleet, ids, scopes, context, timeout_s, condition)
        self._passed_checks |= set(ids)
        self.down = ()
        return shown

    def take_down(self, ids: tuple[str, ...]) -> None:
        """Note that these are being taken down; the next to be waited for are these."""
        self._passed_checks -= set(ids)
        self.down = ids

    def give_up(self, ids: Iterable[str]) -> None:
        """Count these as healthy, whatever they are."""
        self._given_up |= set(ids)
        self.down = ()
