"""The launch protocol, exhaustively within bounds: two appliers, crashes, lag, people, and EC2's token rules.

`docs/exactly-once.md` says what is explored and what follows from it.
"""

from __future__ import annotations

import re

import pytest

from tests.model_checking.explorer.applier import Protocol
from tests.model_checking.explorer.broken import COUNT_INSIDE, NO_REPLAY, NO_SALT, RANDOM_TOKEN, VISIBLE_IDS
from tests.model_checking.explorer.search import Found, explore, explore_all
from tests.model_checking.explorer.settings import FULL, QUICK
from tests.model_checking.explorer.world import ONE_ZONE, ONE_ZONE_TWICE, TWO_ZONES, Budget, Setting

AT_ONCE = Budget(minutes=0)


@pytest.mark.parametrize("about", QUICK)
def test_never_too_many_and_in_the_end_exactly_the_spec(about: str) -> None:
    explored = explore_all(QUICK[about])
    print(f"{about}: {explored}")  # noqa: T201
    assert explored.states > 100


@pytest.mark.long
@pytest.mark.parametrize("about", FULL)
def test_never_too_many_and_in_the_end_exactly_the_spec_in_full(about: str) -> None:
    explored = explore_all(FULL[about])
    print(f"{about}: {explored}")  # noqa: T201
    assert explored.states > 10_000


@pytest.mark.parametrize(
    ("protocol", "setting", "wrong", "trace"),
    [
        (
            RANDOM_TOKEN,
            Setting(ONE_ZONE, (2, 2), budget=AT_ONCE),
            "4 members where 2 are wanted at most",
            [
                "1 .* plans: launch 2",
                "1 sends RunInstances",
                "1 .*killed.* sees nothing",
                "1 sends RunInstances",
            ],
        ),
        (
            COUNT_INSIDE,
            Setting(ONE_ZONE, (1, 2), budget=AT_ONCE),
            "3 members where 2 are wanted at most",
            [
                "1 .* plans: launch 1",
                "1 sends RunInstances",
                "2 .* sees nothing",
                "2 sends RunInstances of 2",
            ],
        ),
        (
            NO_SALT,
            Setting(ONE_ZONE, (1, 1), budget=Budget(vanishes=1)),
            "0 members after an undisturbed apply of 1",
            ["1 .* plans: launch 1", "1 sends RunInstances", "terminated by hand", "no more"],
        ),
        (
            NO_REPLAY,
            Setting(ONE_ZONE, (2, 2), budget=AT_ONCE),
            "3 members where 2 are wanted at most",
            [
                "1 .* plans: launch 2",
                "1 sends RunInstances",
                r"sees i-\w+ live;",
                "1 sends RunInstances of 1",
            ],
        ),
        (
            VISIBLE_IDS,
            Setting(ONE_ZONE_TWICE, (2, 2), budget=Budget(terminations=0, minutes=0)),
            "3 members where 2 are wanted at most",
            ["launch 2", "1 sends", "1 sends", "killed .* sees i-\\w+ live;", "1 sends RunInstances of 1"],
        ),
        (
            VISIBLE_IDS,
            Setting(ONE_ZONE, (2, 2), 1, Budget(vanishes=1, minutes=0)),
            "3 members where 2 are wanted at most",
            [
                "launch 1",
                "1 sends",
                "by hand",
                "no more",
                "killed .* sees nothing",
                "1 sends RunInstances of 2",
            ],
        ),
    ],
    ids=lambda value: getattr(value, "name", None) or "",
)
@pytest.mark.sampled
def test_what_is_broken_is_found(protocol: Protocol, setting: Setting, wrong: str, trace: list[str]) -> None:
    with pytest.raises(Found) as found:
        explore(setting, protocol)
    print(f"{protocol.name}: {found.value}")  # noqa: T201
    assert found.value.wrong == wrong
    assert len(found.value.trace) == len(trace)
    for happened, expected in zip(found.value.trace, trace, strict=True):
        assert re.search(expected, happened)
    explore(setting)


def test_what_is_not_promised_for_different_counts_where_a_failed_launch_uses_its_token_up() -> None:
    short = Budget(runs=2, crashes=0, terminations=0, shortages=1)
    with pytest.raises(Found, match="3 members where 2 are wanted at most"):
        explore(Setting(ONE_ZONE, (1, 2), budget=short))
    explore(Setting(ONE_ZONE, (1, 2), budget=short, forgets_failures=True))
    explore(Setting(ONE_ZONE, (2, 2), budget=short))


def test_what_is_not_promised_where_a_zone_has_no_room_for_a_moment_and_another_takes_over_unseen() -> None:
    short = Budget(terminations=0, shortages=1, minutes=0)
    with pytest.raises(Found, match="2 members where 1 are wanted at most") as found:
        explore(Setting(TWO_ZONES, (1, 1), budget=short))
    assert any("sees nothing" in happened for happened in found.value.trace[3:])
