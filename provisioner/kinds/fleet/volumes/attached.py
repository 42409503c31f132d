"""The volumes of members: what EC2 shows of them, and which stay when their instances go.

DescribeInstances shows the device and the id of each volume, and whether it goes with its instance; all else
takes a call. Nothing here deletes a volume: what has our tags need not be ours, and what stays is to be kept.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from provisioner.denial import in_short
from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import MAX_FILTER_VALUES, Instance, chunks
from provisioner.kinds.volumes import ObservedVolume, find_volumes
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Note
from provisioner.naming import ENVIRONMENT_TAG, FLEET_TAG
from provisioner.retry import is_withheld

# More commands than these are one loop of the shell, with so many ids a line that a terminal is wide enough.
MAX_COMMANDS = 3
IDS_A_LINE = 3


def attached_volumes(reader: Reader, instances: Sequence[str]) -> dict[str, tuple[ObservedVolume, ...]]:
    """The volumes on these instances, by instance. Raises AwsError."""
    found: dict[str, list[ObservedVolume]] = defaultdict(list)
    for part in chunks(instances, MAX_FILTER_VALUES):
        for volume in find_volumes(reader, "attachment.instance-id", part):
            found[volume.instance or ""].append(volume)
    return {instance: tuple(volumes) for instance, volumes in found.items()}


def with_details(member: Instance, volumes: Iterable[ObservedVolume]) -> Instance:
    """The member with what was read of the volumes at its devices."""
    found = {volume.id: volume for volume in volumes}
    devices = {
        name: device._replace(details=found.get(device.volume))
        for name, device in (member.devices or {}).items()
    }
    return replace(member, devices=devices) if found else member


@dataclass(frozen=True)
class LeftVolumes:
    """Volumes with an environment's tag, by the fleet that their tags name; or why that is not known."""

    by_fleet: Mapping[str, tuple[ObservedVolume, ...]]
    unknown: str | None = None


def left_volumes(reader: Reader, environment: str) -> LeftVolumes:
    """All volumes with the environment's tag, those on its members among them. Raises AwsError."""
    try:
        found = list(find_volumes(reader, f"tag:{ENVIRONMENT_TAG}", [environment]))
    except AwsError as error:
        if not is_withheld(error):
            raise
        text = f"volumes that members have left were not looked for: {in_short(error)}"
        return LeftVolumes({}, text)
    by_fleet: dict[str, list[ObservedVolume]] = defaultdict(list)
    for volume in found:
        by_fleet[volume.tags.get(FLEET_TAG, "")].append(volume)
    return LeftVolumes({fleet: tuple(volumes) for fleet, volumes in by_fleet.items()})


def on_nobody(
    volumes: Iterable[ObservedVolume], members: Iterable[Instance], gone: Iterable[Instance]
) -> tuple[ObservedVolume, ...]:
    """The volumes that are neither on members nor about to be deleted with a former one."""
    live, ended = {member.id for member in members}, {instance.id for instance in gone}
    return tuple(
        volume
        for volume in volumes
        if volume.instance not in live and not (volume.instance in ended and volume.goes)
    )


def to_be_kept(fleet: Fleet | None, member: Instance) -> list[str]:
    """The devices of a member whose volumes the spec wants to stay, and that would go with it as it is."""
    devices = member.devices or {}
    return [name for name, goes in of_spec(fleet).items() if name in devices and devices[name].goes > goes]


def of_spec(fleet: Fleet | None) -> dict[str, bool]:
    """Whether the volumes of the spec go with their instance, by device."""
    volumes = fleet.volumes if fleet else ()
    return {volume.device: volume.delete_on_termination for volume in volumes if volume.device}


class Staying(NamedTuple):
    """A volume that a member leaves behind."""

    id: str
    device: str
    member: Instance


def staying_notes(
    address: Address, fleet: Fleet | None, going: Iterable[Instance], region: str
) -> Iterator[Note]:
    """What members that go leave behind: volumes that are set to stay, and those the spec wants to stay."""
    staying = [
        Staying(device.volume, name, member)
        for member in going
        for name, device in sorted((member.devices or {}).items())
        if not device.goes or name in to_be_kept(fleet, member)
    ]
    if staying:
        plural = f"{len(staying)} volumes stay when their instances go"
        yield Note(
            address,
            f"{plural if len(staying) > 1 else '1 volume stays when its instance goes'}, as set by "
            "`delete_on_termination: false`, by the image or by hand: "
            f"{', '.join(_places(staying))}. To delete what nobody needs any more:",
            deleting([volume.id for volume in staying], region),
        )


def _places(staying: Sequence[Staying]) -> list[str]:
    """Where volumes are; of many, whose ids are in the command that deletes them, only the devices."""
    if len(staying) <= MAX_COMMANDS:
        return [
            f"{volume.id} ({volume.device} of {volume.member.id}, {volume.member.zone})" for volume in staying
        ]
    numbers = Counter(volume.device for volume in staying)
    return [f"{device} of {number} instances" for device, number in numbers.items()]


def left_notes(address: Address, left: Sequence[ObservedVolume], region: str) -> Iterator[Note]:
    """What former members have left behind."""
    if left:
        free = [volume.id for volume in left if not volume.instance]
        plural = f"{len(left)} volumes with the tags of this fleet are"
        yield Note(
            address,
            f"{plural if len(left) > 1 else '1 volume with the tags of this fleet is'} on no member: "
            f"{', '.join(map(str, left))}. What members leave is kept; anybody can set tags, so look "
            f"whose it is{'. To delete what nobody needs any more:' if free else ''}",
            deleting(free, region),
        )


def deleting(volumes: Sequence[str], region: str) -> tuple[str, ...]:
    """What to type so that these are deleted: a line each, of many a loop of the shell."""
    command = f"aws ec2 delete-volume --region {region} --volume-id"
    if len(volumes) <= MAX_COMMANDS:
        return tuple(f"{command} {volume}" for volume in volumes)
    lines = [" ".join(part) for part in chunks(volumes, IDS_A_LINE)]
    ids = [f"  {line} \\" for line in lines[:-1]] + [f"  {lines[-1]}"]
    return ("for volume in \\", *ids, "do", f'  {command} "$volume"', "done")
