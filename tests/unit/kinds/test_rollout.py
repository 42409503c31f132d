"""What a rollout does next, and what it never does: take more members down than it may."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.kinds.fleet.rolling_update.rollout import (
    Await,
    Launch,
    Move,
    RolloutState,
    Terminate,
    foreseen_restart,
    may_be_taken,
    next_move,
    predicted,
)
from provisioner.kinds.fleet.spec import Update
from provisioner.model import Rollout

LAUNCH_FIRST, TERMINATE_FIRST = "launch_first", "terminate_first"


def state(
    going: str,
    staying: str = "",
    count: int = 4,
    most: int = 2,
    order: str = LAUNCH_FIRST,
    down: str = "",
    unhealthy: str = "",
) -> RolloutState:
    """A crew whose members are letters; those in `down` are not healthy."""
    healthy = frozenset(going + staying) - frozenset(down)
    update = Update(max_unavailable=most, order=order)
    return RolloutState(count, update, tuple(going), tuple(staying), healthy, frozenset(unhealthy))


# What there is, and what is done next.
MOVES: dict[str, tuple[RolloutState, Move | None]] = {
    "nothing has to go": (state("", "wxyz"), None),
    "old ones only": (state("abcd"), Launch(2)),
    "fewer old ones than may be unavailable": (state("a", "xyz"), Launch(1)),
    "launched, not healthy yet": (state("abcd", "yz", down="yz"), Await(("y", "z"))),
    "launched and healthy": (state("abcd", "yz"), Terminate(("a", "b"))),
    "launched, and an old one has failed": (state("abcd", "yz", down="d"), Terminate(("d", "a"))),
    "an old one is gone meanwhile": (state("abc"), Launch(3)),
    "too many from the start": (state("abcdef"), Terminate(("a", "b"))),
    "terminate first": (state("abcd", order=TERMINATE_FIRST), Terminate(("a", "b"))),
    "terminated": (state("cd", order=TERMINATE_FIRST), Launch(2)),
    "launched after": (state("cd", "yz", order=TERMINATE_FIRST, down="yz"), Await(("y", "z"))),
    "one is down already": (state("abcd", order=TERMINATE_FIRST, down="c"), Terminate(("c", "a"))),
    "two are down already": (state("abcd", order=TERMINATE_FIRST, down="cd"), Terminate(("c", "d"))),
    "nobody waits for an ailing one": (state("a", "xyz", down="x", unhealthy="x"), Launch(1)),
    "an ailing one counts as unavailable": (
        state("abc", "x", order=TERMINATE_FIRST, down="x", unhealthy="x"),
        Terminate(("a",)),
    ),
    "an ailing one is all that may be unavailable": (
        state("abc", "x", most=1, order=TERMINATE_FIRST, down="x", unhealthy="x"),
        Await(("x",)),
    ),
}


@pytest.mark.parametrize("case", MOVES)
def test_what_comes_next(case: str) -> None:
    now, expected = MOVES[case]
    assert next_move(now) == expected


def test_the_plan_shows_waves_and_the_least_that_stay_healthy() -> None:
    assert predicted(state("abcd")) == Rollout(LAUNCH_FIRST, (("a", "b"), ("c", "d")), 4, 4)
    assert predicted(state("abcd", order=TERMINATE_FIRST)) == Rollout(
        TERMINATE_FIRST, (("a", "b"), ("c", "d")), 2, 4
    )
    assert foreseen_restart("abcd", "abcd", 4, 3) == Rollout("restart", (("a", "b", "c"), ("d",)), 1, 4)
    assert foreseen_restart("abcd", "abc", 4, 2).waves == (("d", "a"), ("b", "c"))


MEMBERS = st.integers(0, 12).map(lambda number: tuple(f"m{each}" for each in range(number)))


@st.composite
def crews(draw: st.DrawFn) -> RolloutState:
    members = draw(MEMBERS)
    going = tuple(each for each in members if draw(st.booleans()))
    staying = tuple(each for each in members if each not in going)
    healthy = frozenset(each for each in members if draw(st.booleans()))
    update = Update(
        max_unavailable=draw(st.integers(1, 5)), order=draw(st.sampled_from([LAUNCH_FIRST, TERMINATE_FIRST]))
    )
    down = [each for each in staying if each not in healthy]
    unhealthy = frozenset(each for each in down if draw(st.booleans()))
    return RolloutState(draw(st.integers(0, 10)), update, going, staying, healthy, unhealthy)


@given(crews(), st.randoms(use_true_random=False))
def test_never_more_unavailable_than_allowed_and_it_comes_to_its_end(
    now: RolloutState, chance: object
) -> None:
    """Whatever is down at the start: what is healthy is taken only as far as `max_unavailable` allows."""
    launched = 0
    for _ in range(100):
        move = next_move(now)
        match move:
            case None:
                break
            case Launch(count):
                assert count > 0
                new = tuple(f"new{each}" for each in range(launched, launched + count))
                launched += count
                now = replace(now, staying=now.staying + new)
                room = now.update.max_unavailable if now.update.order == LAUNCH_FIRST else 0
                assert len(now.staying) + len(now.going) <= max(now.count + room, 0)
            case Await(ids):
                assert not set(ids) <= now.healthy
                now = replace(now, healthy=now.healthy | set(ids))
            case Terminate(ids):
                assert ids
                assert set(ids) <= set(now.going)
                after = now.healthy - set(ids)
                assert len(after) >= min(len(now.healthy), now.count - now.update.max_unavailable)
                going = tuple(each for each in now.going if each not in ids)
                now = replace(now, going=going, healthy=after)
    else:
        pytest.fail("it does not come to its end")
    assert not now.going
    assert len(now.staying) >= now.count


@given(MEMBERS, st.data(), st.integers(0, 12), st.integers(1, 5))
def test_a_restart_takes_what_is_down_first_and_no_more_than_allowed(
    members: tuple[str, ...], data: st.DataObject, count: int, most: int
) -> None:
    healthy = {each for each in members if data.draw(st.booleans())}
    taken = may_be_taken(members, healthy, count, most)
    assert len(taken) <= most
    assert len(healthy - set(taken)) >= min(len(healthy), count - most)
    if healthy & set(taken):
        assert set(members) - healthy <= set(taken)
