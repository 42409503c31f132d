"""Fleets: interchangeable EC2 instances of one make.

What only a plan needs is imported by a plan only: reading a spec takes less time than importing the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from provisioner.kinds.base import Entry, Path, Reader, World
from provisioner.kinds.fleet.desired import Fleet, Image, Rung, parse_fleet
from provisioner.kinds.fleet.found_volumes import Left, left_notes, left_volumes, on_nobody
from provisioner.kinds.fleet.seen import FOREIGN, SeenFleet, find_fleets
from provisioner.kinds.instances import Instance, chunks, named
from provisioner.model import Address, Desired, Environment, Findings, Note, Seen
from provisioner.naming import ENVIRONMENT_TAG, FLEET_TAG

MOST_IDS_OF_A_COMMAND = 20


class FleetKind:
    name = "fleet"
    section = "fleets"
    is_of_iam = False

    def parse(self, key: str, raw: Mapping[str, Any], entry: Entry) -> Fleet:
        return parse_fleet(key, raw, entry)

    def check(self, resources: Mapping[Address, Desired]) -> Iterable[tuple[Address, Path, str]]:
        return ()

    def observe(self, reader: Reader, environment: Environment, launching: bool) -> Mapping[Address, Seen]:
        from provisioner.kinds.fleet.images import newest_image

        wanted = _images(environment) if launching else {}
        images = list(dict.fromkeys(wanted.values()))
        keys = [at.key for at in environment.resources if at.kind == self.name]
        found, left, *newest = reader.together(
            lambda: find_fleets(reader, environment.name, keys, datetime.now(UTC)),
            lambda: Left({}) if launching else left_volumes(reader, environment.name),
            *(lambda image=image: newest_image(reader, image) for image in images),
        )
        fleets = {Address(self.name, key): seen for key, seen in _with_left(found, left).items()}
        if left.unknown:
            at = min([*fleets, *(at for at in environment.resources if at.kind == self.name)], default=None)
            fleets |= {at: replace(fleets.get(at) or SeenFleet(), unchecked=(left.unknown,))} if at else {}
        of_image = dict(zip(images, newest, strict=True))
        return fleets | {
            at: replace(fleets.get(at) or SeenFleet(), newest=of_image[image]) for at, image in wanted.items()
        }

    def look_closer(self, reader: Reader, world: World) -> Mapping[Address, Seen]:
        from provisioner.kinds.fleet.closer import look_closer

        return look_closer(reader, world)

    def compare(self, address: Address, world: World) -> Findings:
        from provisioner.kinds.fleet.compare import compare_fleet

        seen: SeenFleet = world.seen(address) or SeenFleet()
        if address.key == FOREIGN:
            return Findings(notes=tuple(_foreign_notes(address, seen, world.environment.region)))
        return compare_fleet(address, world.desired(address), seen, world)

    def status(self, address: Address, world: World) -> Mapping[str, Any]:
        fleet: Fleet | None = world.environment.resources.get(address)  # type: ignore[assignment]
        seen: SeenFleet = world.seen(address) or SeenFleet()
        if seen.foreign:
            return {
                "state": _foreign_text(seen.foreign),
                "members": [each.summary() for each in seen.foreign],
            }
        wanted = fleet.count if fleet else 0
        return {
            "state": f"{len(seen.members)} of {wanted}",
            "choices": _choices(fleet, seen) if fleet else None,
            "note": "; ".join(seen.unchecked) or None,
            "volumes_on_no_member": [each.summary() for each in seen.left_volumes],
            "members": [each.summary() for each in seen.members],
        }


def _images(environment: Environment) -> dict[Address, Image]:
    """What the images are given by, by the fleet's address."""
    return {at: fleet.image for at, fleet in environment.resources.items() if isinstance(fleet, Fleet)}


def _choices(fleet: Fleet, seen: SeenFleet) -> str | None:
    """How many members have which choice of type and market, where the spec gives several."""
    numbers = Counter(Rung(each.type, each.market) for each in seen.members)
    if len(fleet.rungs) == 1:
        return None
    return ", ".join(f"{numbers[rung]} {rung}" for rung in fleet.rungs if numbers[rung]) or None


def _with_left(found: Mapping[str, SeenFleet], left: Left) -> dict[str, SeenFleet]:
    """The fleets with the volumes that are on no member of the environment, each at the one that it names."""
    members = [each for seen in found.values() for each in seen.members]
    gone = [each for seen in found.values() for each in seen.gone]
    volumes = {key or FOREIGN: on_nobody(those, members, gone) for key, those in left.by_fleet.items()}
    named_so = {key: those for key, those in volumes.items() if those}
    return {**found} | {
        key: replace(found.get(key) or SeenFleet(), left_volumes=those) for key, those in named_so.items()
    }


def _foreign_notes(address: Address, seen: SeenFleet, region: str) -> Iterator[Note]:
    """Who carries the tags of the environment and is not of it, and how to get rid of that."""
    if seen.foreign:
        tags = " ".join(f"Key={key}" for key in (ENVIRONMENT_TAG, FLEET_TAG))
        ids = [each.id for each in seen.foreign]
        commands = (
            f"aws ec2 delete-tags --region {region} --resources {' '.join(part)} --tags {tags}"
            for part in chunks(ids, MOST_IDS_OF_A_COMMAND)
        )
        yield Note(address, f"{_foreign_text(seen.foreign)}. To take the tags off:", tuple(commands), True)
    yield from left_notes(address, seen.left_volumes, region)


def _foreign_text(foreign: Sequence[Instance]) -> str:
    return (
        f"{', '.join(map(named, foreign))} with the tags of this environment, which has not launched "
        f"{'it' if len(foreign) == 1 else 'them'}: foreign, and left alone"
    )
