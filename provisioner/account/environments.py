"""The environments of an account, each in its region: what carries their tags, and what they have left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from provisioner.account.contents import (
    IamContents,
    RegionContents,
    Thing,
    is_launched_by_its_tags,
)
from provisioner.kinds.expiry import end_in
from provisioner.kinds.instances import Instance
from provisioner.kinds.volumes import ObservedVolume
from provisioner.naming import ENVIRONMENT_TAG, EXPIRES_TAG, FLEET_TAG

# Their paths, by environment and region.
Specs = Mapping[tuple[str, str], Sequence[str]]


@dataclass(frozen=True)
class Found:
    """One environment in one region; `region` is empty for what IAM has of one that is in none.

    `members` are what its fleets launched and lives, `foreign` what only carries its tags; without
    `has_members` they could not be read. `volumes` are on no live instance, `things` its groups and key
    pairs, `foreign_things` those that only carry its tag. `roles`, `profiles`: None where they could
    not be read. `specs`: which of the given specs are of it; None: none were given.
    """

    environment: str
    region: str
    members: tuple[Instance, ...] = ()
    foreign: tuple[Instance, ...] = ()
    volumes: tuple[ObservedVolume, ...] = ()
    things: tuple[Thing, ...] = ()
    foreign_things: tuple[Thing, ...] = ()
    roles: int | None = 0
    profiles: int | None = 0
    specs: tuple[str, ...] | None = None
    has_members: bool = True

    @property
    def fleets(self) -> list[str]:
        """The fleets that have members."""
        return sorted({member.tag(FLEET_TAG) or "" for member in self.members})

    @property
    def states(self) -> dict[str, int]:
        """How many members are in which state."""
        return dict(sorted(Counter(member.state for member in self.members).items()))

    @property
    def launched(self) -> str | None:
        """When the oldest member was launched."""
        return min((member.launched for member in self.members if member.launched), default=None)

    @property
    def ends(self) -> list[datetime]:
        """When its members end, each time once; where there are none, what outlives them says it."""
        ends = [end_in(member.tags) for member in self.members] or [thing.end for thing in self.things]
        return sorted({end for end in ends if end})

    @property
    def endless(self) -> int:
        """How many members have no end."""
        return sum(EXPIRES_TAG not in (member.tags or {}) for member in self.members)

    @property
    def unreadable(self) -> int:
        """How many members have an end that nobody can read: theirs was changed by hand."""
        return (
            len(self.members) - self.endless - sum(end_in(member.tags) is not None for member in self.members)
        )


def environments(
    regions: Sequence[RegionContents],
    iam: IamContents,
    specs: Specs | None = None,
) -> list[Found]:
    """All environments of which anything is there; `specs` by environment and region."""
    found = [_found(name, region, specs) for region in regions for name in sorted(_names(region))]
    placed: Counter[str] = Counter(entry.environment for entry in found)
    every: list[Found] = []
    for entry in found:
        # IAM is global: where an environment's name is in several regions, nobody can tell whose a role is.
        is_alone = placed[entry.environment] == 1
        roles, profiles = (
            _number(those, entry.environment) if is_alone or those is None else 0
            for those in (iam.roles, iam.profiles)
        )
        every.append(replace(entry, roles=roles, profiles=profiles))
    for name in sorted({*(iam.roles or ()), *(iam.profiles or ())}):
        if placed[name] != 1:
            every.append(
                Found(
                    name,
                    "",
                    roles=_number(iam.roles, name),
                    profiles=_number(iam.profiles, name),
                    specs=_of_name(name, specs),
                    has_members=all(region.has_instances for region in regions),
                )
            )
    return sorted(every, key=lambda entry: (entry.environment, entry.region))


def _number(those: Mapping[str, int] | None, name: str) -> int | None:
    return None if those is None else those.get(name, 0)


def _of_name(name: str, specs: Specs | None) -> tuple[str, ...] | None:
    if specs is None:
        return None
    return tuple(path for at, paths in specs.items() if at[0] == name for path in paths)


def _names(region: RegionContents) -> set[str]:
    live = [instance.tag(ENVIRONMENT_TAG) or "" for instance in region.instances if instance.is_live]
    # Where instances could not be read, a volume tells that there is something.
    volumes = _on_nothing(region) if region.has_instances else region.volumes
    left = [volume.tags.get(ENVIRONMENT_TAG, "") for volume in volumes]
    return {name for name in (*live, *left, *(thing.environment for thing in region.things)) if name}


def _found(name: str, region: RegionContents, specs: Specs | None) -> Found:
    live = [item for item in region.instances if item.is_live and item.tag(ENVIRONMENT_TAG) == name]
    tagged = [thing for thing in region.things if thing.environment == name]
    members = tuple(instance for instance in live if is_launched_by_its_tags(instance))
    return Found(
        name,
        region.region,
        members=members,
        foreign=tuple(instance for instance in live if not is_launched_by_its_tags(instance)),
        volumes=tuple(v for v in _on_nothing(region) if v.tags.get(ENVIRONMENT_TAG) == name),
        things=tuple(thing for thing in tagged if not thing.is_foreign),
        foreign_things=tuple(thing for thing in tagged if thing.is_foreign),
        specs=None if specs is None else tuple(specs.get((name, region.region), ())),
        has_members=region.has_instances,
    )


def _on_nothing(region: RegionContents) -> Iterable[ObservedVolume]:
    """The volumes that are on no live instance, and not about to go with one that has ended."""
    live = {instance.id for instance in region.instances if instance.is_live}
    gone = {instance.id for instance in region.instances if not instance.is_live}
    for volume in region.volumes:
        if volume.instance and not region.has_instances:
            continue  # Nobody knows whether that instance lives.
        if volume.instance not in live and not (volume.instance in gone and volume.goes):
            yield volume
