"""The end of an environment or a fleet as tags have it, and what a spec makes of them.

`provisioner:expires` is the end in UTC, on each member, which reads it there, and on what outlives members.
`provisioner:lifetime` says what it was made of where the spec gives a duration, such as
`8h from 2026-11-27T09:00:00Z`. So the duration begins once, and whoever plans later knows whether the spec
has another one by now. What outlives a fleet with a duration of its own has both in one tag,
`provisioner:expires:<fleet>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from provisioner.expiry.times import (
    Expiry,
    clock_words,
    distance_words,
    duration_text,
    later,
    local_words,
    parse_duration,
    read_stamp,
    stamp,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.model import SentAt
from provisioner.naming import EXPIRES_TAG, LIFETIME_TAG

_LIFETIME = re.compile(r"([0-9dhm]+) from (\S+)")


@dataclass(frozen=True)
class Recorded:
    """What tags say of an end: when it is, and of which duration and beginning that was made, if of any."""

    at: datetime
    after: timedelta | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class End:
    """When something ends; `at` None: so long after its first launch, which is about to be made.

    `said` is what the spec says of it. `since`: when a duration began.
    """

    said: Expiry
    at: datetime | None = None
    since: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether it has come."""
        return self.at is not None and self.at <= now

    def tags(self) -> dict[str, str]:
        """The tags of what ends then."""
        if self.said.after is None:
            return {EXPIRES_TAG: self._stamped()}
        return {EXPIRES_TAG: self._stamped(), LIFETIME_TAG: self._lifetime()}

    def remembered(self, fleet: str) -> dict[str, str]:
        """The tag of what remembers the end of a fleet that has a duration of its own."""
        if self.said.after is None:
            return {}
        if self.at is None:
            form = f"{{end}} {duration_text(self.said.after)} from {{start}}"
            return {of_fleet(fleet): SentAt(self._words(), form, self.said.after)}
        return {of_fleet(fleet): f"{self._stamped()} {self._lifetime()}"}

    def words(self) -> str:
        """It for people, in UTC and as the spec writes it."""
        if self.at is None:
            return self._words()
        if self.said.at is not None:
            written = local_words(self.said)
            return f"{clock_words(self.at)} ({written})" if written else clock_words(self.at)
        since = f" from {clock_words(self.since)}" if self.since else ""
        moved = "" if self.since and later(self.since, _after(self.said)) == self.at else ", moved since"
        return f"{clock_words(self.at)} ({duration_text(_after(self.said))}{since}{moved})"

    def words_at(self, now: datetime) -> str:
        """The same, and how far away that is."""
        return f"{self.words()}, {distance_words(self.at, now)}" if self.at else self.words()

    def _words(self) -> str:
        return f"{duration_text(_after(self.said))} from the first launch"

    def _stamped(self) -> str:
        return stamp(self.at) if self.at else SentAt(self._words(), "{end}", _after(self.said))

    def _lifetime(self) -> str:
        duration = duration_text(_after(self.said))
        if self.at is None:
            return SentAt(f"{duration} from then", f"{duration} from {{start}}", _after(self.said))
        return f"{duration} from {stamp(self.since or self.at - _after(self.said))}"


def _after(said: Expiry) -> timedelta:
    return said.after or timedelta(0)


def of_fleet(fleet: str) -> str:
    """The key of the tag by which something remembers the end of a fleet."""
    return f"{EXPIRES_TAG}:{fleet}"


def end_in(tags: Mapping[str, str] | None) -> datetime | None:
    """When something with these tags ends; None: nothing says so."""
    return read_stamp((tags or {}).get(EXPIRES_TAG))


def recorded_in(tags: Mapping[str, str] | None) -> Recorded | None:
    """What the tags of a thing say of its end; None: nothing, or what nobody here has written."""
    at = end_in(tags)
    return _recorded(at, (tags or {}).get(LIFETIME_TAG, "")) if at else None


def remembered_in(tags: Mapping[str, str] | None, fleet: str) -> Recorded | None:
    """What the tags of something say of the end of a fleet."""
    text, _, lifetime = (tags or {}).get(of_fleet(fleet), "").partition(" ")
    at = read_stamp(text)
    return _recorded(at, lifetime) if at else None


def _recorded(at: datetime, lifetime: str) -> Recorded:
    found = _LIFETIME.fullmatch(lifetime)
    after = parse_duration(found[1]) if found else None
    since = read_stamp(found[2]) if found else None
    return Recorded(at, after, since) if after and since else Recorded(at)


def settle(
    said: Expiry,
    lasting: Iterable[Recorded],
    members: Iterable[Recorded],
    launched: datetime | None,
    launching: bool,
) -> End | None:
    """When what a spec says is the end; None: its duration has not begun, and nothing is about to begin it.

    `lasting` and `members` are what the tags of what outlives members, and of these, say: what outlives them
    is the first to be written, so it is right where they differ. `launched` is the earliest launch of a
    member that is there; `launching`: something is about to be launched.
    """
    if said.at is not None:
        return End(said, said.at)
    found = list(lasting) or list(members)
    same = [record for record in found if record.after == said.after]
    if same:
        last = max(same, key=lambda record: record.at)
        return End(said, last.at, last.since)
    begun = [record.since for record in found if record.since]
    since = min(begun) if begun else launched
    if since:
        return End(said, later(since, _after(said)), since)
    return End(said) if launching else None
