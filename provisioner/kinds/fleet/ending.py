"""The end of a fleet: what the spec says of it, checked, and what it is once it is known what there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, cast, runtime_checkable

from provisioner.expiry.times import Expiry, TimeProblem, parse_expiry, read_stamp
from provisioner.kinds.base import Entry, World
from provisioner.kinds.expiry import End, Recorded, end_in, recorded_in, remembered_in, settle
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Instance
from provisioner.kinds.ownership import has_mark
from provisioner.model import Address, Desired
from provisioner.naming import ENVIRONMENT_TAG, REGION_TAG

# Kinds of which nothing lasts by itself: members go, and what is attached is others'.
_PASSING = ("fleet", "attachment")


@runtime_checkable
class Tagged(Protocol):
    """What has tags, as a spec asks for it or as AWS describes it."""

    tags: Mapping[str, str]


def parse_end(raw: Mapping[str, Any], entry: Entry) -> Expiry | None:
    """What the entry of a fleet, or else the environment, says of its end; what is wrong is reported."""
    own = raw.get("expires")
    try:
        said = parse_expiry(own) if own else _of_environment(entry)
    except TimeProblem as problem:
        entry.problem(("expires",), problem.message, problem.hint)
        return None
    if said:
        for path, message, hint in _hindrances(raw):
            entry.problem(path, message, hint)
    return said


def _of_environment(entry: Entry) -> Expiry | None:
    try:
        return parse_expiry(entry.expires) if entry.expires else None
    except TimeProblem:
        # Reported once, where it is.
        return None


def _hindrances(raw: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What keeps an instance from ending itself: path, what is wrong, and what to do."""
    metadata = raw.get("metadata", {})
    if metadata.get("http_endpoint") == "disabled":
        yield (
            ("metadata", "http_endpoint"),
            "with `expires`, an instance reads its end from the metadata service",
            "take it out, or take `expires` out",
        )
    elif metadata.get("instance_tags") == "disabled":
        yield (
            ("metadata", "instance_tags"),
            "with `expires`, an instance reads its end from its tags in the metadata",
            "take it out, which means enabled then, or take `expires` out",
        )
    if raw.get("shutdown_behavior") == "stop":
        yield (
            ("shutdown_behavior",),
            "with `expires`, an instance ends by shutting itself down, and would only be stopped",
            "take it out, which means terminate then, or take `expires` out",
        )


def resolve_ends(world: World) -> Mapping[Address, Desired]:
    """The entries of a spec, fleets and what outlives their members, with the tags of the ends they have.

    In a plan to destroy nothing ends anywhere else.
    """
    fleets = world.desired_of(Fleet)
    lasting = {} if world.destroying else dict(lasting_in(world))
    common = _common_end(fleets, lasting, world)
    tags: dict[Address, dict[str, str]] = {at: common.tags() if common else {} for at in lasting}
    resolved: dict[Address, Desired] = {}
    for address, fleet in fleets.items():
        end = _own_end(address, fleet, lasting, world) if fleet.own_end else common
        holder = holder_of(fleet, lasting)
        if end and fleet.own_end and holder:
            tags[holder] |= end.remembered(fleet.key)
        if fleet.expires:
            given = {**fleet.tags, **(end.tags() if end else {})}
            is_over = end is not None and end.is_over(world.now)
            outlived = holder is not None
            resolved[address] = replace(fleet, end=end, is_over=is_over, is_outlived=outlived, tags=given)
    for at, more in tags.items():
        if more:
            thing: Any = lasting[at]
            resolved[at] = replace(thing, tags={**thing.tags, **more})
    return resolved


def lasting_in(world: World) -> Iterator[tuple[Address, Desired]]:
    """What the spec asks for that has tags, and stays when all members are gone."""
    for at, thing in sorted(world.environment.resources.items()):
        if at.kind not in _PASSING and isinstance(thing, Tagged):
            yield at, thing


def holder_of(fleet: Fleet, lasting: Mapping[Address, Desired]) -> Address | None:
    """What remembers the end of a fleet: something that it uses, or else the first that there is."""
    candidates = [*sorted(fleet.uses & lasting.keys()), *lasting]
    return candidates[0] if candidates else None


def _common_end(
    fleets: Mapping[Address, Fleet], lasting: Mapping[Address, Desired], world: World
) -> End | None:
    """That of the environment."""
    said = world.environment.expires
    if said is None:
        return None
    ending = {at: fleet for at, fleet in fleets.items() if not fleet.own_end}
    every = [observed for at in ending if (observed := world.observed_as(ObservedFleet, at))]
    shown = [instance for observed in every for instance in _counting(observed, world)]
    return settle(
        said,
        _records(recorded_in(our_tags(at, world)) for at in lasting),
        _records(recorded_in(instance.tags) for instance in shown),
        _first_launch(every),
        any(fleet.count for fleet in ending.values()),
    )


def _own_end(address: Address, fleet: Fleet, lasting: Mapping[Address, Desired], world: World) -> End | None:
    observed = world.observed_as(ObservedFleet, address) or ObservedFleet()
    return settle(
        cast("Expiry", fleet.expires),
        _records(remembered_in(our_tags(at, world), fleet.key) for at in lasting),
        _records(recorded_in(instance.tags) for instance in _counting(observed, world)),
        _first_launch([observed]),
        fleet.count > 0,
    )


def _records(found: Iterable[Recorded | None]) -> list[Recorded]:
    return [record for record in found if record]


def our_tags(at: Address, world: World) -> Mapping[str, str]:
    """The tags of what is at an address, if it is this environment's."""
    thing = world.observed(at)
    tags: Mapping[str, str] = thing.tags if isinstance(thing, Tagged) else {}
    here = (world.environment.name, world.environment.region)
    is_ours = (tags.get(ENVIRONMENT_TAG), tags.get(REGION_TAG, world.environment.region)) == here
    return tags if is_ours and has_mark(at.kind, tags) else {}


def can_be_moved(fleet: Fleet, observed: ObservedFleet, world: World) -> bool:
    """Whether anything is there whose tags say when a fleet ends: its members, or what outlives them."""
    lasting = dict(lasting_in(world))
    if fleet.own_end:
        holder = holder_of(fleet, lasting)
        return bool(observed.members or (holder and our_tags(holder, world)))
    shared = (other for at, other in world.observed_of(ObservedFleet).items() if world.desired(at))
    return any(our_tags(at, world) for at in lasting) or any(other.members for other in shared)


def _counting(observed: ObservedFleet, world: World) -> Iterator[Instance]:
    """The members whose tags tell of an end: those that live, and those that it has ended.

    What somebody terminated before says nothing, and what has ended nothing either once what outlived it is
    gone: the environment was destroyed, maybe to be made anew.
    """
    yield from observed.members
    if not _is_destroyed(world):
        yield from (instance for instance in observed.gone if has_ended(instance))


def _is_destroyed(world: World) -> bool:
    """Whether of all that outlives the members nothing is there, though the spec has some.

    What an apply makes of it is made before the first launch, with the end in its tags.
    """
    there = (at for at in world.observation.resources if at.kind not in _PASSING)
    return any(lasting_in(world)) and not any(our_tags(at, world) for at in there)


def has_ended(instance: Instance) -> bool:
    """Whether a terminated instance had come to its end.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
    """
    end = end_in(instance.tags)
    if end is None:
        return False
    reason = instance.described.get("StateReason", {}).get("Code", "")
    at = _gone_since(instance)
    return reason == "Client.InstanceInitiatedShutdown" or (at is not None and at >= end)


def _gone_since(instance: Instance) -> datetime | None:
    """When somebody has terminated it: `User initiated (2026-11-27 17:00:05 GMT)`."""
    reason = str(instance.described.get("StateTransitionReason", ""))
    time = reason.partition("(")[2].partition(" GMT")[0]
    return read_stamp(f"{time.replace(' ', 'T')}Z")


def _first_launch(every: Iterable[ObservedFleet]) -> datetime | None:
    launched = [member.launched for observed in every for member in observed.members if member.launched]
    return read_stamp(min(launched)) if launched else None


def ending_words(fleet: Fleet, now: datetime) -> str | None:
    """What a status says of the end of a fleet; None: it has none."""
    if fleet.end is None:
        return f"{fleet.expires.written} from the first launch" if fleet.expires else None
    return fleet.end.words_at(now)
