"""How an end is written in a spec, in a tag, and for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from provisioner.expiry.times import (
    TimeProblem,
    clock_words,
    distance_words,
    duration_text,
    later,
    parse_duration,
    parse_expiry,
    read_stamp,
    stamp,
)

FIVE = datetime(2026, 11, 27, 17, 0, tzinfo=UTC)

TIMES = {
    "2026-11-27T18:00:00+01:00": FIVE,
    "2026-11-27T18:00+01:00": FIVE,
    "2026-11-27 18:00:00+01:00": FIVE,
    "2026-11-27T17:00:00Z": FIVE,
    "2026-11-27T17:00:00.9Z": FIVE,
    "2026-11-27T22:45:00+05:45": FIVE,
    "2026-11-28T01:00:00+08:00": FIVE,
}
DURATIONS = {
    "8h": timedelta(hours=8),
    "90m": timedelta(minutes=90),
    "2d": timedelta(days=2),
    "1h30m": timedelta(minutes=90),
    "1d12h": timedelta(hours=36),
    "1d1m": timedelta(days=1, minutes=1),
    "008h": timedelta(hours=8),
}
# What is wrong, and what to write.
WRONG = {
    "2026-11-27T18:00:00": ("has no offset from UTC", "2026-11-27T18:00:00+01:00"),
    "2026-11-27 18:00": ("has no offset from UTC", "2026-11-27 18:00Z"),
    "2026-11-27": ("has no time of day", "2026-11-27T18:00:00Z"),
    "2026-02-30T18:00:00Z": ("neither a time nor a duration", "8h"),
    "18:00": ("neither a time nor a duration", "+01:00"),
    "2026-11-27T18:00:00 Europe/Berlin": ("neither a time nor a duration", "+01:00"),
    "tomorrow": ("neither a time nor a duration", "1h30m"),
    "8": ("neither a time nor a duration", "8h"),
    "8 h": ("neither a time nor a duration", "8h"),
    "8H": ("neither a time nor a duration", "8h"),
    "30m8h": ("neither a time nor a duration", "1h30m"),
    "-8h": ("neither a time nor a duration", "8h"),
    "1.5h": ("neither a time nor a duration", "1h30m"),
    "٨h": ("neither a time nor a duration", "8h"),
    "0m": ("is no duration to be had", "from 1m"),
    "999999d": ("is no duration to be had", "3660d"),
    "0001-01-01T00:00:00+14:00": ("out of range", "a year"),
}


@pytest.mark.parametrize("written", TIMES)
def test_a_time_is_the_moment_that_its_offset_says(written: str) -> None:
    assert parse_expiry(written).at == TIMES[written]


@pytest.mark.parametrize("written", DURATIONS)
def test_a_duration_is_days_hours_and_minutes_in_this_order(written: str) -> None:
    assert parse_expiry(written).after == DURATIONS[written]


@pytest.mark.parametrize("written", WRONG)
def test_all_else_is_told_with_what_to_write(written: str) -> None:
    message, hint = WRONG[written]
    with pytest.raises(TimeProblem) as told:
        parse_expiry(written)
    assert message in told.value.message
    assert hint in told.value.hint


@pytest.mark.parametrize("written", DURATIONS)
def test_a_duration_is_written_in_one_way(written: str) -> None:
    assert parse_duration(duration_text(DURATIONS[written])) == DURATIONS[written]


STAMPS = {
    "2026-11-27T17:00:00Z": FIVE,
    "2026-11-27T18:00:00+01:00": None,
    "2026-11-27": None,
    "2026-13-27T17:00:00Z": None,
    " 2026-11-27T17:00:00Z": None,
    "٢026-11-27T17:00:00Z": None,
    "never": None,
    "": None,
}


@pytest.mark.parametrize("text", STAMPS)
def test_a_tag_says_a_time_only_in_the_form_that_is_written(text: str) -> None:
    assert read_stamp(text) == STAMPS[text]


# A year has four digits in a tag, also where it has fewer: instances read no other form.
@pytest.mark.parametrize(
    "time", [FIVE, FIVE.replace(year=1), datetime.max.replace(microsecond=0, tzinfo=UTC)]
)
def test_what_is_written_is_read(time: datetime) -> None:
    assert read_stamp(stamp(time)) == time
    assert clock_words(time)[:10] == stamp(time)[:10]


LAST = datetime.max.replace(microsecond=0, tzinfo=UTC)


def test_what_would_be_past_the_last_year_is_its_end() -> None:
    assert later(FIVE, timedelta(hours=1)) == FIVE.replace(hour=18)
    assert later(LAST - timedelta(hours=1), timedelta(days=3660)) == LAST


DISTANCES = {
    timedelta(hours=7, minutes=58, seconds=20): "in 7 h 58 min",
    timedelta(days=2, hours=3, minutes=4): "in 2 d 3 h",
    timedelta(days=2): "in 2 d",
    timedelta(seconds=20): "in under 1 min",
    -timedelta(minutes=3): "3 min ago",
    -timedelta(days=1, minutes=5): "1 d ago",
}


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_distance_is_told_by_its_two_largest_parts(distance: timedelta) -> None:
    assert distance_words(FIVE + distance, FIVE) == DISTANCES[distance]
