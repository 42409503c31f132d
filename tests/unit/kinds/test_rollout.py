"""What a rollout does next, and what it never does: take more members down than it may."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.kinds.fleet.rolling_update.rollout import (
    LAUNCH_FIRST,
    PARKED,
    RESTART,
    TERMINATE_FIRST,
    Await,
    GiveUp,
    Launch,
    Move,
    Restart,
    RolloutState,
    Terminate,
    next_move,
    predicted,
)
from provisioner.model import Rollout


def state(
    going: str,
    staying: str = "",
    count: int = 4,
    most: int = 2,
    order: str = LAUNCH_FIRST,
    down: str = "",
    unhealthy: str = "",
) -> RolloutState:
    """A state whose members are letters; those in `down` are not healthy."""
    healthy = frozenset(going + staying) - frozenset(down)
    return RolloutState(count, order, most, tuple(going), tuple(staying), healthy, frozenset(unhealthy))


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
    "nobody waits for an unhealthy one": (state("a", "xyz", down="x", unhealthy="x"), Launch(1)),
    "an unhealthy one counts as unavailable": (
        state("abc", "x", order=TERMINATE_FIRST, down="x", unhealthy="x"),
        Terminate(("a",)),
    ),
    "an unhealthy one is all that may be unavailable": (
        state("abc", "x", most=1, order=TERMINATE_FIRST, down="x", unhealthy="x"),
        Await(("x",)),
    ),
    "nothing has to be restarted": (state("", "wxyz", order=RESTART), None),
    "nothing has to be restarted any more, and one is down": (
        state("", "wxyz", order=RESTART, down="z"),
        Await(("z",)),
    ),
    "restart": (state("abcd", order=RESTART), Restart(("a", "b"))),
    "restarted, not healthy yet": (state("cd", "ab", order=RESTART, down="ab"), Await(("a", "b"))),
    "restarted and healthy": (state("cd", "ab", order=RESTART), Restart(("c", "d"))),
    "one to be restarted is down": (state("abcd", order=RESTART, down="c"), Restart(("c", "a"))),
    "a restart while others are missing": (state("ab", order=RESTART, count=3), Restart(("a",))),
    "a restart while too many are missing": (state("ab", order=RESTART), GiveUp()),
    "a restart, and unhealthy ones are all that may be unavailable": (
        state("ab", "yz", order=RESTART, down="yz", unhealthy="yz"),
        GiveUp(),
    ),
    "stopped members": (state("abc", "z", most=1, order=PARKED), Restart(("a", "b", "c"))),
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
    assert predicted(state("abcd", most=3, order=RESTART)) == Rollout(
        RESTART, (("a", "b", "c"), ("d",)), 1, 4
    )
    assert predicted(state("abcd", down="d", order=RESTART)).waves == (("d", "a"), ("b", "c"))
    assert predicted(state("ab", order=RESTART)).waves == ()


MEMBERS = st.integers(0, 12).map(lambda number: tuple(f"m{index}" for index in range(number)))


@st.composite
def states(draw: st.DrawFn) -> RolloutState:
    members = draw(MEMBERS)
    going = tuple(member for member in members if draw(st.booleans()))
    staying = tuple(member for member in members if member not in going)
    healthy = frozenset(member for member in members if draw(st.booleans()))
    down = [member for member in staying if member not in healthy]
    unhealthy = frozenset(member for member in down if draw(st.booleans()))
    order, most = draw(st.sampled_from([LAUNCH_FIRST, TERMINATE_FIRST, RESTART])), draw(st.integers(1, 5))
    return RolloutState(draw(st.integers(0, 10)), order, most, going, staying, healthy, unhealthy)


@given(states(), st.randoms(use_true_random=False))
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
                room = now.max_unavailable if now.order == LAUNCH_FIRST else 0
                assert len(now.staying) + len(now.going) <= max(now.count + room, 0)
            case Await(ids):
                assert not set(ids) <= now.healthy
                now = replace(now, healthy=now.healthy | set(ids))
            case Terminate(ids):
                assert ids
                assert set(ids) <= set(now.going)
                after = now.healthy - set(ids)
                assert len(after) >= min(len(now.healthy), now.count - now.max_unavailable)
                going = tuple(each for each in now.going if each not in ids)
                now = replace(now, going=going, healthy=after)
            case Restart(ids):
                assert ids
                assert set(ids) <= set(now.going)
                assert len(ids) <= now.max_unavailable
                if now.healthy & set(ids):
                    assert set(now.going) - now.healthy <= set(ids)
                after = now.healthy - set(ids)
                assert len(after) >= min(len(now.healthy), now.count - now.max_unavailable)
                going = tuple(each for each in now.going if each not in ids)
                now = replace(now, going=going, staying=now.staying + ids, healthy=after)
            case GiveUp():
                assert now.order == RESTART
                assert now.count - len(now.healthy) >= now.max_unavailable
                return
    else:
        pytest.fail("it does not come to its end")
    assert not now.going
    assert now.order == RESTART or len(now.staying) >= now.count
