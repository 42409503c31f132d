"""When something ends: what the spec says of it, and what tags have fixed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from provisioner.expiry.times import parse_expiry, stamp
from provisioner.kinds.expiry import End, Recorded, recorded_in, remembered_in, settle
from provisioner.model import SentAt

NINE = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def at(hour: int) -> datetime:
    return NINE.replace(hour=hour)


def record(end: int, hours: int | None = None, since: int = 9) -> Recorded:
    """An end at so many o'clock, made of so many hours."""
    return Recorded(at(end), timedelta(hours=hours), at(since)) if hours else Recorded(at(end))


NOW = "when it is launched"
# The spec, lasting things, members, the earliest launch, whether there will be one: the end.
SETTLED = {
    "a time": ("2026-11-27T18:00:00Z", [], [], None, True, 18),
    "a time, whatever the tags say": ("2026-11-27T18:00:00Z", [record(17, 8)], [record(16)], 9, True, 18),
    "a duration that begins now": ("8h", [], [], None, True, NOW),
    "a duration that nothing begins": ("8h", [], [], None, False, None),
    "a duration that has begun": ("8h", [record(17, 8)], [record(17, 8)], 9, True, 17),
    "the same, and all members are gone": ("8h", [record(17, 8)], [], None, True, 17),
    "the same, and only members remember": ("8h", [], [record(17, 8)], 9, True, 17),
    "moved": ("8h", [record(20, 8)], [record(20, 8)], 9, True, 20),
    "moved, and the run was killed before the members": ("8h", [record(20, 8)], [record(17, 8)], 9, True, 20),
    "moved on one of two": ("8h", [record(17, 8), record(20, 8)], [], 9, True, 20),
    "a member that says otherwise": ("8h", [record(17, 8)], [record(23, 8)], 9, True, 17),
    "longer in the spec": ("10h", [record(17, 8)], [record(17, 8)], 9, True, 19),
    "shorter in the spec": ("2h", [record(17, 8)], [record(17, 8)], 9, True, 11),
    "longer in the spec, all members gone": ("10h", [record(17, 8)], [], None, True, 19),
    "another duration, half written": ("10h", [record(19, 10)], [record(17, 8)], 9, True, 19),
    "a duration in place of a time": ("8h", [record(22)], [record(22)], 10, True, 18),
    "the same, nobody there": ("8h", [record(22)], [], None, True, NOW),
    "members from before anything was said": ("8h", [], [], 10, True, 18),
}


@pytest.mark.parametrize("case", SETTLED)
def test_the_end_is_what_the_spec_and_the_tags_make_it(case: str) -> None:
    written, lasting, members, launched, launching, expected = SETTLED[case]
    end = settle(parse_expiry(written), lasting, members, at(launched) if launched else None, launching)
    found = None if end is None else at_hour(end)
    assert found == expected


def at_hour(end: End) -> int | str:
    return end.at.hour if end.at else NOW


def test_tags_are_read_as_they_are_written() -> None:
    end = End(parse_expiry("8h"), at(17), at(9))
    assert recorded_in(end.tags()) == record(17, 8)
    assert remembered_in(end.remembered("web"), "web") == record(17, 8)
    assert remembered_in(end.remembered("web"), "db") is None


def test_a_duration_that_is_yet_to_begin_is_sent_with_the_time_of_the_run() -> None:
    end = End(parse_expiry("8h"))
    sent = {key: value.sent(NINE) for key, value in end.tags().items() if isinstance(value, SentAt)}
    assert recorded_in(sent) == record(17, 8)
    (remembered,) = end.remembered("web").values()
    assert isinstance(remembered, SentAt)
    assert remembered.sent(NINE) == f"{stamp(at(17))} 8h from {stamp(NINE)}"


# What a plan and its digest have of it has no time of day.
def test_before_it_is_sent_it_says_what_it_will_be() -> None:
    assert list(End(parse_expiry("1h30m")).tags().values()) == [
        "1h30m from the first launch",
        "1h30m from then",
    ]


WORDS = {
    "2026-11-27T18:00:00+01:00": "2026-11-27 17:00 UTC (18:00 +01:00)",
    "2026-11-28T01:00:00+08:00": "2026-11-27 17:00 UTC (2026-11-28 01:00 +08:00)",
    "2026-11-27T17:00:00Z": "2026-11-27 17:00 UTC",
    "8h": "2026-11-27 17:00 UTC (8h from 2026-11-27 09:00 UTC)",
}


@pytest.mark.parametrize("written", WORDS)
def test_people_read_it_in_utc_and_as_it_was_written(written: str) -> None:
    said = parse_expiry(written)
    end = End(said, at(17), at(9) if said.after else None)
    assert end.words() == WORDS[written]
    assert end.words_at(at(16)) == f"{WORDS[written]}, in 1 h"


# What nobody here writes: whoever may write tags can.
FORGED: tuple[dict[str, str], ...] = (
    {},
    {"provisioner:expires": "soon"},
    {"provisioner:lifetime": "8h from 2026-11-27T09:00:00Z"},
)


# Whoever may write tags writes a beginning near the end of time, or moves the end there.
def test_a_forged_beginning_is_no_reason_to_stop() -> None:
    forged = recorded_in(
        {
            "provisioner:expires": "9999-12-31T23:59:59Z",
            "provisioner:lifetime": "1h from 9999-12-31T23:59:59Z",
        }
    )
    assert forged
    end = settle(parse_expiry("8h"), [forged], [], None, True)
    assert end
    assert end.tags()["provisioner:expires"] == "9999-12-31T23:59:59Z"
    assert "9999-12-31" in end.words()


@pytest.mark.parametrize("tags", FORGED)
def test_a_tag_that_says_no_time_says_nothing(tags: dict[str, str]) -> None:
    assert recorded_in(tags) is None


def test_a_lifetime_that_says_nothing_leaves_the_time() -> None:
    tags = {"provisioner:expires": stamp(at(17)), "provisioner:lifetime": "8x from then"}
    assert recorded_in(tags) == record(17)
