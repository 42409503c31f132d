"""How a fleet is changed member by member: what comes next, given what there is. All of it pure.

Whoever carries out a rollout asks for the next move, makes it, looks, and asks again; so one that was
interrupted goes on where it was, and the plan shows the moves that are made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from provisioner.kinds.fleet.spec import Update
from provisioner.model import Rollout

RESTART = "restart"
# Members of a fleet that is stopped.
PARKED = "parked"


@dataclass(frozen=True)
class RolloutState:
    """The live members of a fleet in the middle of a replacement, by id.

    `count` is how many there should be; `going` those to be replaced, in the order in which they go,
    `staying` the others; `healthy` those of both that are; `unhealthy` those that are not waited for.
    """

    count: int
    update: Update
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
class Await:
    """Wait until these members are healthy."""

    ids: tuple[str, ...]


Move = Launch | Terminate | Await


def next_move(state: RolloutState) -> Move | None:
    """What to do next; None: all that has to go is gone.

    No move makes more than `max_unavailable` members unavailable, those included that are so already. A
    member that is not healthy goes first, since that costs nothing.
    """
    down = tuple(each for each in state.staying if each not in state.healthy)
    waiting = tuple(each for each in down if each not in state.unhealthy)
    if waiting:
        return Await(waiting)
    surplus = max(state.size - state.count, 0)
    missing = max(state.count - state.size, 0)
    if not state.going:
        return Launch(missing) if missing else None
    launches_first = state.update.order == "launch_first"
    if launches_first and not surplus:
        return Launch(missing + min(state.update.max_unavailable, len(state.going)))
    if missing:
        return Launch(missing)
    most = surplus if launches_first else state.update.max_unavailable
    taken = may_be_taken(state.going, state.healthy, state.count, state.update.max_unavailable, most)
    return Terminate(taken) if taken else Await(down)


def may_be_taken(
    candidates: Sequence[str],
    healthy: Collection[str],
    count: int,
    max_unavailable: int,
    most: int | None = None,
) -> tuple[str, ...]:
    """The candidates that may become unavailable now: those that are already, and as many more as allowed.

    `healthy` are all members that are healthy, of `count` that there should be; `most` is how many to take at
    a time, `max_unavailable` if it is not said.
    """
    allowed = max(max_unavailable - (count - len(healthy)), 0)
    ordered = _worst_first(candidates, healthy)
    free = sum(each not in healthy for each in ordered)
    return ordered[: min(free + allowed, max_unavailable if most is None else most)]


def _worst_first(ids: Sequence[str], healthy: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(ids, key=lambda each: each in healthy))


def moves(state: RolloutState) -> Iterator[tuple[Move, RolloutState]]:
    """All moves of a replacement if nothing goes wrong, each with the crew after it."""
    launched = 0
    while move := next_move(state):
        match move:
            case Launch(count):
                new = tuple(f"new {number}" for number in range(launched, launched + count))
                launched += count
                state = _changed(state, state.staying + new, state.going, state.healthy)
            case Await(ids):
                state = _changed(state, state.staying, state.going, state.healthy | set(ids))
            case Terminate(ids):
                going = tuple(each for each in state.going if each not in ids)
                state = _changed(state, state.staying, going, state.healthy - set(ids))
        yield move, state


def predicted(state: RolloutState) -> Rollout:
    """The whole replacement, if nothing goes wrong."""
    done = list(moves(state))
    waves = tuple(move.ids for move, _ in done if isinstance(move, Terminate))
    least = min(len(each.healthy) for each in (state, *(after for _, after in done)))
    return Rollout(state.update.order, waves, least, state.count)


def _changed(
    state: RolloutState, staying: tuple[str, ...], going: tuple[str, ...], healthy: frozenset[str]
) -> RolloutState:
    return replace(state, staying=staying, going=going, healthy=healthy)


def foreseen_restart(
    candidates: Sequence[str], healthy: Collection[str], count: int, max_unavailable: int
) -> Rollout:
    """Restarting all candidates wave by wave, if nothing goes wrong."""
    waves = tuple(_restart_waves(candidates, healthy, count, max_unavailable))
    now = set(healthy)
    least = len(now)
    for wave in waves:
        least = min(least, len(now - set(wave)))
        now |= set(wave)
    return Rollout(RESTART, waves, least, count)


def _restart_waves(
    candidates: Sequence[str], healthy: Collection[str], count: int, max_unavailable: int
) -> Iterator[tuple[str, ...]]:
    left, now = list(candidates), set(healthy)
    while wave := may_be_taken(left, now, count, max_unavailable):
        yield wave
        now |= set(wave)
        left = [each for each in left if each not in wave]
