"""Fleets: interchangeable EC2 instances of one make.

What only a plan needs is imported by a plan only: reading a spec takes less time than importing the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from provisioner.kinds import service_rules
from provisioner.kinds.base import Entry, Kind, Path, Reader, World, both
from provisioner.kinds.fleet.call_rules import RULES
from provisioner.kinds.fleet.ending import ending_words, resolve_ends
from provisioner.kinds.fleet.observed import FOREIGN, ObservedFleet, find_fleets
from provisioner.kinds.fleet.parse import parse_fleet, with_key_pair
from provisioner.kinds.fleet.placement import per_option
from provisioner.kinds.fleet.readiness.members import has_failed, not_ready
from provisioner.kinds.fleet.settings.differences import check_ignored
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.spec import Fleet, Image
from provisioner.kinds.fleet.volumes.attached import LeftVolumes, left_notes, left_volumes, on_nobody
from provisioner.kinds.instances import Instance, chunks, named
from provisioner.kinds.keep import is_kept
from provisioner.kinds.volumes import ObservedVolume
from provisioner.model import Address, Desired, Environment, Findings, Note
from provisioner.naming import ENVIRONMENT_TAG, FLEET_TAG
from provisioner.retry import merged
from provisioner.rights import Place, Purpose, Statement

MAX_IDS_OF_A_COMMAND = 20


class FleetKind(Kind[Fleet, ObservedFleet]):
    name = "fleet"
    section = "fleets"
    is_of_iam = False
    call_rules = merged((service_rules.INSTANCES, RULES))
    explanations: Mapping[str, tuple[str, str]] = {
        setting.path: (f"{setting.how.in_words}: {setting.why}.", setting.source) for setting in SETTINGS
    }

    def parse(self, key: str, raw: Mapping[str, Any], entry: Entry) -> Fleet:
        for setting in SETTINGS:
            if problem := setting.check(raw):
                entry.problem(tuple(setting.path.split(".")), problem.message, problem.hint)
        fleet = parse_fleet(key, raw, entry)
        check_ignored(fleet, raw.get("ignore_changes", ()), entry)
        return fleet

    def check(self, entries: Mapping[Address, Fleet]) -> Iterable[tuple[Address, Path, str]]:
        return ()

    def observe(
        self, reader: Reader, environment: Environment, launching: bool
    ) -> Mapping[Address, ObservedFleet]:
        from provisioner.kinds.fleet.read.images import newest_image

        sources = _images(environment) if launching else {}
        images = list(dict.fromkeys(sources.values()))
        keys = [at.key for at in environment.resources if at.kind == self.name]
        found, (left, newest) = both(
            reader,
            lambda: find_fleets(reader, environment.name, keys, datetime.now(UTC)),
            lambda: both(
                reader,
                lambda: LeftVolumes({}) if launching else left_volumes(reader, environment.name),
                lambda: reader.parallel(*(partial(newest_image, reader, image) for image in images)),
            ),
        )
        fleets = {Address(self.name, key): observed for key, observed in _with_left(found, left).items()}
        if left.unknown:
            at = min([*fleets, *(at for at in environment.resources if at.kind == self.name)], default=None)
            fleets |= (
                {at: replace(fleets.get(at) or ObservedFleet(), unchecked=(left.unknown,))} if at else {}
            )
        of_image = dict(zip(images, newest, strict=True))
        return fleets | {
            at: replace(fleets.get(at) or ObservedFleet(), newest=of_image[image])
            for at, image in sources.items()
        }

    def resolve(self, world: World) -> Mapping[Address, Desired]:
        return resolve_ends(world)

    def observe_details(self, reader: Reader, world: World) -> Mapping[Address, ObservedFleet]:
        from provisioner.kinds.fleet.read.details import observe_details

        return observe_details(reader, world)

    def compare(
        self, address: Address, desired: Fleet | None, observed: ObservedFleet | None, world: World
    ) -> Findings:
        from provisioner.kinds.fleet.diff.compare import compare_fleet

        observed = observed or ObservedFleet()
        if address.key == FOREIGN:
            return Findings(notes=tuple(_foreign_notes(address, observed, world.environment.region)))
        return compare_fleet(address, desired, observed, world)

    def permissions(self, environment: Environment, place: Place, purpose: Purpose) -> Iterable[Statement]:
        from provisioner.kinds.fleet.permissions import fleet_permissions

        fleets = (with_key_pair(fleet, environment) for fleet in environment.of(Fleet).values())
        return fleet_permissions(tuple(fleets), place, purpose)

    def describe(self, desired: Fleet, observed: ObservedFleet | None, world: World) -> Mapping[str, Any]:
        return desired.as_data()

    def status(
        self, address: Address, desired: Fleet | None, observed: ObservedFleet | None, world: World
    ) -> Mapping[str, Any]:
        observed = observed or ObservedFleet()
        if observed.foreign:
            return {
                "state": _foreign_text(observed.foreign),
                "members": [instance.summary() for instance in observed.foreign],
            }
        count = desired.count if desired else 0
        choices = per_option(desired, observed.members) if desired else {}
        return {
            "state": f"{len(observed.members)} of {count}",
            "kept": sum(is_kept(member.tags) for member in observed.members),
            "choices": ", ".join(f"{number} {option}" for option, number in choices.items() if number)
            or None,
            **_end(desired, world),
            "note": "; ".join([*observed.unchecked, *_not_ready(desired, observed)]) or None,
            "volumes_on_no_member": [volume.summary() for volume in observed.left_volumes],
            "members": [member.summary() for member in observed.members],
        }


def _end(desired: Fleet | None, world: World) -> Mapping[str, str | None]:
    """When it ends, or that it has, and what to do then."""
    if desired is None or not desired.is_over:
        return {"expires": ending_words(desired, world.now) if desired else None}
    source = world.environment.argument
    return {
        "expires": None,
        "expired": f"{ending_words(desired, world.now)}; `provisioner destroy {source}` deletes what is left",
    }


def _not_ready(desired: Fleet | None, observed: ObservedFleet) -> Iterator[str]:
    waiting = not_ready(desired, observed.members) if desired else ()
    failed = [member for member in waiting if has_failed(member)]
    pending = [member for member in waiting if not has_failed(member)]
    if failed:
        yield f"user data has failed on {', '.join(map(named, failed))}"
    if pending:
        yield f"user data has not finished, as far as is known, on {', '.join(map(named, pending))}"


def _images(environment: Environment) -> dict[Address, Image]:
    """What the images are given by, by the fleet's address."""
    return {at: fleet.image for at, fleet in environment.of(Fleet).items()}


def _with_left(found: Mapping[str, ObservedFleet], left: LeftVolumes) -> dict[str, ObservedFleet]:
    """The fleets with what volumes their members have, as far as tags show them, and with those that are on
    no member of the environment, each at the one that it names."""
    on_members: dict[str, list[ObservedVolume]] = defaultdict(list)
    for volume in (volume for volumes in left.by_fleet.values() for volume in volumes if volume.instance):
        on_members[volume.instance or ""].append(volume)
    found = {
        key: replace(
            observed,
            volumes={m.id: tuple(on_members[m.id]) for m in observed.members if m.id in on_members},
        )
        for key, observed in found.items()
    }
    members = [member for observed in found.values() for member in observed.members]
    gone = [instance for observed in found.values() for instance in observed.gone]
    volumes = {key or FOREIGN: on_nobody(those, members, gone) for key, those in left.by_fleet.items()}
    named_so = {key: those for key, those in volumes.items() if those}
    return {**found} | {
        key: replace(found.get(key) or ObservedFleet(), left_volumes=those) for key, those in named_so.items()
    }


def _foreign_notes(address: Address, observed: ObservedFleet, region: str) -> Iterator[Note]:
    """Who carries the tags of the environment and is not of it, and how to get rid of that."""
    if observed.foreign:
        tags = " ".join(f"Key={key}" for key in (ENVIRONMENT_TAG, FLEET_TAG))
        ids = [instance.id for instance in observed.foreign]
        commands = (
            f"aws ec2 delete-tags --region {region} --resources {' '.join(part)} --tags {tags}"
            for part in chunks(ids, MAX_IDS_OF_A_COMMAND)
        )
        yield Note(
            address, f"{_foreign_text(observed.foreign)}. To take the tags off:", tuple(commands), True
        )
    yield from left_notes(address, observed.left_volumes, region)


def _foreign_text(foreign: Sequence[Instance]) -> str:
    return (
        f"{', '.join(map(named, foreign))} with the tags of this environment, which has not launched "
        f"{'it' if len(foreign) == 1 else 'them'}: foreign, and no fleet changes or ends "
        f"{'it' if len(foreign) == 1 else 'them'}"
    )
