"""Times of an end: how a spec, a tag and a person write them. No clock is read here."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from provisioner.lazy_dataclass import dataclass

_DURATION = re.compile(r"(?=[0-9])(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?", re.ASCII)
_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_STAMP_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
MAX_DURATION = timedelta(days=3660)
FORMS = "a time with its offset, such as 2026-11-27T18:00:00+01:00, or a duration, such as 8h or 1h30m"


class TimeProblem(ValueError):
    """Why a text is no end; `hint` is what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Expiry:
    """What a spec says of an end: the time `at` which it is, in UTC, or how long `after` the first launch.

    One of the two is None. `written` is the text in the spec.
    """

    written: str
    at: datetime | None = None
    after: timedelta | None = None


def parse_expiry(text: str) -> Expiry:
    """An end as a spec writes it. Raises TimeProblem."""
    after = parse_duration(text)
    if after is not None:
        if not timedelta(0) < after <= MAX_DURATION:
            raise TimeProblem(f"{text} is no duration to be had", "write one from 1m to 3660d")
        return Expiry(text, after=after)
    return Expiry(text, at=parse_time(text))


def parse_duration(text: str) -> timedelta | None:
    """`1h30m`, `2d`; None for every other text."""
    found = _DURATION.fullmatch(text)
    if not found or not text:
        return None
    days, hours, minutes = (int(number or 0) for number in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def parse_time(text: str) -> datetime:
    """A time with its offset from UTC (ISO 8601, RFC 3339), in UTC and whole seconds. Raises TimeProblem."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise TimeProblem(f"{text!r:.80} is neither a time nor a duration", f"write {FORMS}") from None
    if ":" not in text and "T" not in text.upper():
        hint = f"add one: {text}T18:00:00+01:00, say, or {text}T18:00:00Z"
        raise TimeProblem(f"{text} has no time of day", hint)
    if time.tzinfo is None:
        raise TimeProblem(
            f"{text} has no offset from UTC, so it is another moment in each time zone",
            f"add one: {text}+01:00, or {text}Z for UTC",
        )
    try:
        return time.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise TimeProblem(f"{text} is out of range", "write a year from 1 to 9999") from None


def stamp(time: datetime) -> str:
    """A time as tags have it: `2026-11-27T17:00:00Z`, the year always with four digits."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def later(time: datetime, span: timedelta) -> datetime:
    """The time so long after another one, or else the last that there is: who may write tags writes any."""
    last = datetime.max.replace(microsecond=0, tzinfo=UTC)
    return last if span > last - time else time + span


def read_stamp(text: str | None) -> datetime | None:
    """What `stamp` wrote; None for whatever else somebody has written there."""
    if not _STAMP_FORM.fullmatch(text or ""):
        return None
    try:
        return datetime.strptime(text or "", _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def clock_words(time: datetime) -> str:
    """A moment for people: `2026-11-27 17:00 UTC`, with seconds where it has some."""
    written = time.astimezone(UTC).replace(tzinfo=None)
    return written.isoformat(" ", "seconds" if time.second else "minutes") + " UTC"


def local_words(expiry: Expiry) -> str:
    """A time as the spec writes it: `18:00 +01:00`, with the day where it is another one in UTC.

    Empty for what is no time, or in UTC.
    """
    time = datetime.fromisoformat(expiry.written.strip()) if expiry.at else None
    if time is None or expiry.at is None or not time.utcoffset():
        return ""
    day = "" if time.date() == expiry.at.date() else f"{time:%Y-%m-%d} "
    return f"{day}{time:%H:%M} {time.isoformat()[-6:]}"


def distance_words(time: datetime, now: datetime) -> str:
    """`in 7 h 58 min`, `3 min ago`."""
    told = span_words(abs(time - now))
    return f"in {told}" if time > now else f"{told} ago"


def span_words(span: timedelta) -> str:
    """`2 d 3 h`, `7 h 58 min`, `40 min`, `under 1 min`: the two largest parts."""
    minutes = int(span.total_seconds()) // 60
    days, hours = divmod(minutes // 60, 24)
    parts = [(days, "d"), (hours, "h"), (minutes % 60, "min")]
    while parts and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number) or "under 1 min"


def duration_text(span: timedelta) -> str:
    """A duration as a spec writes it, and always in the same way: `1h30m`, `2d`."""
    minutes = int(span.total_seconds()) // 60
    days, hours = divmod(minutes // 60, 24)
    parts = ((days, "d"), (hours, "h"), (minutes % 60, "m"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)
