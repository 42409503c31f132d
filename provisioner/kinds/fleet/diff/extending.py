"""Moving the end of what ends after a duration: the tags of members, and of what outlives them.

The spec says how long; when that is over, the tags say, so the next apply leaves a moved end as it is. An end
that is a time in the spec is moved there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from provisioner.errors import UsageError
from provisioner.expiry.times import clock_words, duration_text, later, stamp
from provisioner.kinds.base import World
from provisioner.kinds.expiry import End
from provisioner.kinds.fleet.diff.change import until_shown, update
from provisioner.kinds.fleet.diff.tag_changes import tag_steps
from provisioner.kinds.fleet.ending import holder_of, lasting_in, our_tags
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.fleet.placement import on_members
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.iam import name_in, tag_calls
from provisioner.kinds.instances import Instance, group_by
from provisioner.kinds.tags import tag_list
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Action, Address, Call, Change, Environment, FieldChange
from provisioner.naming import EXPIRES_TAG

# What to do where nothing is left that has the end in its tags.
WITHOUT_ANYTHING = (
    "give a longer `expires` in the spec; or apply again about an hour after the end, when EC2 has forgotten "
    "them, which begins it anew"
)
_NOUNS = {"role": "Role", "instance_profile": "InstanceProfile"}


@runtime_checkable
class Identified(Protocol):
    """What EC2 knows by an id."""

    id: str


@dataclass(frozen=True)
class EndsAt:
    """A member has the tag that says when it ends."""

    stamp: str

    def holds(self, instance: Instance) -> bool:
        return instance.tag(EXPIRES_TAG) == self.stamp


@dataclass(frozen=True)
class Moved:
    """A new end, and in words what it is counted from."""

    end: End
    reason: str


def extend_ends(world: World, to: datetime | timedelta, only: str | None) -> tuple[Change, ...]:
    """The changes that move the ends of the spec's durations, of one fleet's own if `only` names it.

    `to` is the new end, or how much later than the old one it is; than now, if that is past. Raises
    UsageError where there is no end to move.
    """
    begun = {
        at: fleet
        for at, fleet in fleets_to_extend(world.environment, only).items()
        if fleet.end and fleet.end.at
    }
    if not begun:
        raise UsageError("it has not begun: nothing was launched yet", "apply it first")
    moved = {at: _moved(at, fleet, to, world.now) for at, fleet in begun.items()}
    fleets = world.desired_of(Fleet)
    lasting = dict(lasting_in(world))
    tags: dict[Address, dict[str, str]] = {}
    for at, new in moved.items():
        fleet = fleets[at]
        if not fleet.own_end:
            for thing in lasting:
                tags.setdefault(thing, {}).update(new.end.tags())
        elif holder := holder_of(fleet, lasting):
            tags.setdefault(holder, {}).update(new.end.remembered(fleet.key))
    reasons = ", ".join(dict.fromkeys(new.reason for new in moved.values()))
    first = [change for at, wanted in tags.items() for change in _of_lasting(at, wanted, reasons, world)]
    needs = frozenset(change.address for change in first)
    changes = [
        *first,
        *(
            replace(change, needs=needs)
            for at, new in moved.items()
            for change in _of_members(at, new, world)
        ),
    ]
    if not changes and not any(new.end == fleets[at].end for at, new in moved.items()):
        raise UsageError(
            "all members have ended, and nothing that outlives them remembers the end", WITHOUT_ANYTHING
        )
    return tuple(changes)


def fleets_to_extend(environment: Environment, only: str | None) -> dict[Address, Fleet]:
    """The fleets of a spec whose end can be moved, of one fleet if `only` names it. Raises UsageError."""
    fleets = environment.of(Fleet)
    source = environment.source
    if only is not None:
        fleets = {at: fleet for at, fleet in fleets.items() if at.key == only}
        if not fleets:
            have = ", ".join(sorted(at.key for at in environment.of(Fleet))) or "none"
            raise UsageError(f"{source} has no fleet {only}", f"its fleets: {have}")
    ending = {at: fleet for at, fleet in fleets.items() if fleet.expires}
    if not ending:
        what = f"fleet {only}" if only else source
        raise UsageError(f"{what} has no `expires`", "add one to the spec, and apply that")
    by_duration = {at: fleet for at, fleet in ending.items() if fleet.expires and fleet.expires.after}
    if not by_duration:
        raise UsageError("the end is a time in the spec", "change `expires` there, and apply that")
    if only is not None and not by_duration[Address("fleet", only)].own_end:
        hint = "leave --fleet out to move all that ends with it, or give the fleet an `expires` of its own"
        raise UsageError(f"fleet {only} ends with its environment", hint)
    return by_duration


def _moved(address: Address, fleet: Fleet, to: datetime | timedelta, now: datetime) -> Moved:
    end = fleet.end
    if end is None or end.at is None:
        raise UsageError(f"{address} has not begun")
    if isinstance(to, datetime):
        new, reason = to, f"until {clock_words(to)}"
    elif end.is_over(now):
        new = later(now.replace(microsecond=0), to)
        reason = f"{duration_text(to)} from now, as it has expired"
    else:
        new, reason = later(end.at, to), f"{duration_text(to)} later than before"
    if new <= now:
        raise UsageError(f"{clock_words(new)} is past", "say a later time; `destroy` ends it at once")
    return Moved(replace(end, at=new), reason)


def _of_lasting(at: Address, wanted: Mapping[str, str], reason: str, world: World) -> Iterator[Change]:
    """The change of what outlives members, if it is there and ours."""
    thing, has = world.observed(at), our_tags(at, world)
    fields = _fields(wanted, has)
    if thing is None or not has or not fields:
        return
    steps: tuple[Call, ...] = ()
    if at.kind in _NOUNS and thing.arn:
        steps = tag_calls(_NOUNS[at.kind], name_in(thing.arn), fields)
    elif isinstance(thing, Identified):
        put = {field.path.removeprefix("tags."): field.after for field in fields}
        steps = (Call("ec2", "CreateTags", {"Resources": [thing.id], "Tags": tag_list(put)}),)
    if steps:
        yield Change(at, Action.UPDATE, f"remembers the end: {reason}", fields=fields, steps=steps)


def _of_members(at: Address, new: Moved, world: World) -> Iterator[Change]:
    observed = world.observed_as(ObservedFleet, at) or ObservedFleet()
    wanted = new.end.tags()
    wrong = [member for member in observed.members if _fields(wanted, member.tags or {})]
    for members in group_by(wrong, lambda member: _fields(wanted, member.tags or {})):
        fields = _fields(wanted, members[0].tags or {})
        shown = until_shown(members, world, EndsAt(stamp(new.end.at or world.now)))
        reason = f"{on_members(members)} to end {new.reason}"
        yield update(at, members, reason, fields, (*tag_steps(members, fields), shown))


def _fields(wanted: Mapping[str, str], has: Mapping[str, str]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(f"tags.{key}", has.get(key), value)
        for key, value in sorted(wanted.items())
        if has.get(key) != value
    )
