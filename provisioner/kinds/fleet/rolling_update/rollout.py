"""How a fleet is changed member by member: what comes next, given what there is. All of it pure.

Whoever carries out a rolling update asks for the next move, makes it, looks, and asks again; so one that was
interrupted goes on where it was, and the plan shows the moves that are made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from provisioner.lazy_dataclass import dataclass
from provisioner.model import Rollout

# How members are made right: replaced, in one of two orders; restarted; or changed while they are stopped.
LAUNCH_FIRST = "launch_first"
TERMINATE_FIRST = "terminate_first"
RESTART = "restart"
PARKED = "parked"


@dataclass(frozen=True)
class RolloutState:
    """The live members of a fleet in the middle of a rolling update, by id.

    `count` is how many there should be; `going` those to be replaced or restarted, in the order in which they
    are taken, `staying` the others; `healthy` those of both that are; `unhealthy` those that are not waited
    for.
    """

    count: int
    order: str
    max_unavailable: int
    going: tuple[str, ...]
    staying: tuple[str, ...]
    healthy: frozenset[str]
    unhealthy: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        return len(self.going) + len(self.staying)


@dataclass(frozen=True)
class Launch:
    """Launch so many members."""

    count: int


@dataclass(frozen=True)
class Terminate:
    """Terminate these members."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class Restart:
    """Stop these members, change them and start them again."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class Await:
    """Wait until these members are healthy."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class GiveUp:
    """No member may be taken, and there is none to wait for."""


Move = Launch | Terminate | Restart | Await | GiveUp


def next_move(state: RolloutState) -> Move | None:
    """What to do next; None: all that has to be replaced or restarted is.

    No move makes more than `max_unavailable` members unavailable, those included that are so already. A
    member that is not healthy goes first, since that costs nothing.
    """
    down = tuple(member for member in state.staying if member not in state.healthy)
    waiting = tuple(member for member in down if member not in state.unhealthy)
    if waiting:
        return Await(waiting)
    if state.order == PARKED:
        return Restart(state.going) if state.going else None
    if state.order == RESTART:
        return _next_restart(state) if state.going else None
    surplus = max(state.size - state.count, 0)
    missing = max(state.count - state.size, 0)
    if not state.going:
        return Launch(missing) if missing else None
    launches_first = state.order == LAUNCH_FIRST
    if launches_first and not surplus:
        return Launch(missing + min(state.max_unavailable, len(state.going)))
    if missing:
        return Launch(missing)
    taken = _may_be_taken(state, surplus if launches_first else state.max_unavailable)
    return Terminate(taken) if taken else Await(down)


def _next_restart(state: RolloutState) -> Move:
    taken = _may_be_taken(state, state.max_unavailable)
    return Restart(taken) if taken else GiveUp()


def _may_be_taken(state: RolloutState, most: int) -> tuple[str, ...]:
    """The members that may become unavailable now: those that are already, and as many more as allowed.

    `most` is how many to take at a time.
    """
    allowed = max(state.max_unavailable - (state.count - len(state.healthy)), 0)
    worst_first = sorted(state.going, key=lambda member: member in state.healthy)
    free = sum(member not in state.healthy for member in worst_first)
    return tuple(worst_first[: min(free + allowed, most)])


def moves(state: RolloutState) -> Iterator[tuple[Move, RolloutState]]:
    """All moves of a rolling update if nothing goes wrong, each with the state after it."""
    launched = 0
    while move := next_move(state):
        match move:
            case Launch(count):
                new = tuple(f"new {number}" for number in range(launched, launched + count))
                launched += count
                state = replace(state, staying=state.staying + new)
            case Await(ids):
                state = replace(state, healthy=state.healthy | set(ids))
            case Terminate(ids):
                state = replace(state, going=_without(state.going, ids), healthy=state.healthy - set(ids))
            case Restart(ids):
                state = replace(
                    state,
                    going=_without(state.going, ids),
                    staying=state.staying + ids,
                    healthy=state.healthy - set(ids),
                )
            case GiveUp():
                return
        yield move, state


def predicted(state: RolloutState) -> Rollout:
    """The whole rolling update, if nothing goes wrong."""
    done = list(moves(state))
    waves = tuple(move.ids for move, _ in done if isinstance(move, Terminate | Restart))
    least = min(len(at_the_time.healthy) for at_the_time in (state, *(after for _, after in done)))
    return Rollout(state.order, waves, least, state.count)


def _without(members: Sequence[str], taken: Collection[str]) -> tuple[str, ...]:
    return tuple(member for member in members if member not in taken)
