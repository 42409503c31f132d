"""The loop of a rolling update: ask what comes next, do it, look, and ask again.

What comes next is said by `next_move`. Replacing and restarting differ in how members are made right, and in
what is told when that fails.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping

from provisioner.errors import ProvisionerError, WaitError
from provisioner.execution import ExecutionContext
from provisioner.kinds.fleet.observed import is_member, scope_of
from provisioner.kinds.fleet.rolling_update.health import Health
from provisioner.kinds.fleet.rolling_update.rollout import (
    Await,
    GiveUp,
    Launch,
    Restart,
    RolloutState,
    Terminate,
    next_move,
)
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Instance
from provisioner.model import Condition, Scope, Until, Wait


class RollingUpdate(ABC):
    """A rolling update under way; `shown` are the environment's instances as EC2 showed them last.

    `condition` is what has to be true of members besides being healthy.
    """

    condition: Condition | None = None

    def __init__(
        self, fleet: Fleet, environment: str, unhealthy: Collection[str], context: ExecutionContext
    ) -> None:
        self.fleet = fleet
        self.environment = environment
        self.context = context
        self.health = Health(fleet, unhealthy)
        self.shown: Mapping[str, Instance] = {}

    @abstractmethod
    def state(self) -> RolloutState:
        """What there is now. Raises ChangedMeanwhile when that cannot be of this update."""

    @abstractmethod
    def progress(self) -> str:
        """How far it has come, in words."""

    @abstractmethod
    def make(self, move: Launch | Terminate | Restart) -> None:
        """Do it, and look where that changes who is there. Raises ProvisionerError."""

    def put_back(self, error: WaitError) -> str:
        """Put right what can be of members that do not become healthy: in words how they are then."""
        return ""

    @abstractmethod
    def paused(self, error: WaitError, told: str) -> ProvisionerError:
        """The error that ends it when members do not become healthy; `told` is from `put_back`."""

    @abstractmethod
    def given_up(self, ids: Iterable[str]) -> Iterable[str]:
        """Whom nobody waits for any more, where it goes on though these members do not become healthy."""

    def roll(self, members: Iterable[Instance], wrong: Collection[str]) -> None:
        """Make moves until there is none left.

        `members` are all that there were when it was planned, `wrong` those that do not run as the spec says.
        """
        self.health.begin_with(members, wrong)
        self.shown = self.look()
        while move := next_move(state := self.state()):
            self.context.tell(self.progress())
            match move:
                case Await(ids):
                    self._await(ids)
                case GiveUp():
                    raise _nobody_may_be_taken(state)
                case _:
                    self.make(move)

    def _await(self, ids: tuple[str, ...]) -> None:
        try:
            self.shown = self.health.wait_for(ids, self.scopes, self.context, self.condition)
        except WaitError as error:
            told = self.put_back(error)
            if self.fleet.update.pause_on_failure:
                paused = self.paused(error, told)
                paused.lines = error.lines
                raise paused from error
            self.shown = self.look()
            self.health.give_up(self.given_up(ids))

    def live(self) -> list[Instance]:
        """The members that live."""
        return [
            instance
            for instance in self.shown.values()
            if is_member(instance, self.environment, self.fleet.key)
        ]

    def look(self) -> Mapping[str, Instance]:
        """The environment's instances as EC2 shows them now."""
        return self.wait((), Until.SHOWN)

    def wait(self, ids: tuple[str, ...], until: Until) -> Mapping[str, Instance]:
        """Wait for members; the environment's instances then. Raises AwsError, WaitError."""
        return self.context.wait(Wait(ids, until, self.scopes))

    @property
    def scopes(self) -> tuple[Scope, ...]:
        return (scope_of(self.environment),)


def _nobody_may_be_taken(state: RolloutState) -> ProvisionerError:
    return ProvisionerError(
        f"{len(state.healthy)} of {state.count} members are healthy, and at most {state.max_unavailable} may "
        "be unavailable",
        "apply again, which launches those that are missing first; terminate those that do not recover",
    )
