"""What of a fleet is paid for: as it is, and as it will be once a plan is carried out. All of it pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime

from provisioner.costs.uses import (
    LINUX,
    SPOT,
    WINDOWS,
    AddressUse,
    ImageFacts,
    InstanceUse,
    Use,
    Uses,
    VolumeUse,
    volume_use,
)
from provisioner.kinds.base import World
from provisioner.kinds.fleet.observed import FOREIGN, ObservedFleet
from provisioner.kinds.fleet.placement import spread
from provisioner.kinds.fleet.settings.launch_tag import read_record
from provisioner.kinds.fleet.settings.remembered import fields_of_root
from provisioner.kinds.fleet.spec import ROOT_VOLUME, Fleet, Image, Volume
from provisioner.kinds.instances import Instance
from provisioner.kinds.volumes import ObservedVolume
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Action, Address, Change, Environment, Plan

# What EC2 bills an instance for: not while it stops or is stopped.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
BILLED = ("pending", "running")
# What a volume is whose type nobody says.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html
DEFAULT_TYPE = "gp2"


@dataclass(frozen=True)
class Known:
    """What tells of the volumes of instances where these were not read: the spec, what was looked up for a
    fleet, and what earlier plans have seen of images."""

    fleet: Fleet | None = None
    observed: ObservedFleet = field(default_factory=ObservedFleet)
    images: Mapping[str, ImageFacts] = field(default_factory=dict)

    def image(self, image: str) -> ImageFacts:
        """What is known of an image."""
        around, newest = self.observed.prerequisites, self.observed.newest.image
        if around.image == image and around.root_gb:
            return ImageFacts(around.root_gb, around.root_type, around.operation)
        if newest and newest.id == image and newest.root_gb:
            return ImageFacts(newest.root_gb, newest.root_volume_type, newest.operation)
        return self.images.get(image, ImageFacts())


NOTHING_KNOWN = Known()


def likely_uses(environment: Environment) -> list[InstanceUse]:
    """What may run of what a spec asks for, before anything was read: each type on each market."""
    return [
        InstanceUse(option.type, option.market, guessed_operation(fleet.image), fleet.tenancy or "default")
        for fleet in environment.of(Fleet).values()
        for option in fleet.capacity_options
    ]


def images_seen(world: World) -> dict[str, ImageFacts]:
    """What was read of the images that fleets are launched from."""
    fleets = [Known(observed=observed) for observed in world.observed_of(ObservedFleet).values()]
    seen = {known.observed.prerequisites.image: known for known in fleets}
    return {
        image: known.image(image) for image, known in seen.items() if image and known.image(image).root_gb
    }


def uses_of_fleet(known: Known) -> Counter[Use]:
    """What is paid for of a fleet as it is, volumes that are on no member included."""
    uses: Counter[Use] = Counter()
    for member in known.observed.members:
        uses.update(uses_of_member(member, known))
    uses.update(map(_of_observed, known.observed.left_volumes))
    return uses


def uses_of(
    members: Sequence[Instance],
    volumes: Mapping[str, Sequence[ObservedVolume]],
    left: Sequence[ObservedVolume],
) -> Counter[Use]:
    """What is paid for of these, where no spec is at hand; `volumes` by instance, `left` on none."""
    on = {instance: tuple(its) for instance, its in volumes.items()}
    return uses_of_fleet(Known(observed=ObservedFleet(tuple(members), volumes=on, left_volumes=tuple(left))))


def uses_of_member(member: Instance, known: Known = NOTHING_KNOWN) -> Iterator[Use]:
    """What is paid for of one instance."""
    if member.state in BILLED:
        yield _instance(member)
        if member.public_ip:
            yield AddressUse()
    elif member.has_elastic_ip:
        yield AddressUse()
    for name in member.devices or {}:
        yield _volume_at(name, member, known)
    if not member.devices and member.state == "pending" and known.fleet:
        # A new one shows none yet.
        yield from _new_volumes(known.fleet, known.image(member.image))


def every_fleet(world: World, images: Mapping[str, ImageFacts] | None = None) -> dict[Address, Known]:
    """The fleets that are in the spec or there, each with what is known of it."""
    fleets, there = world.environment.of(Fleet), world.observed_of(ObservedFleet)
    return {
        address: Known(fleets.get(address), there.get(address) or ObservedFleet(), images or {})
        for address in sorted(fleets.keys() | there.keys())
        if address.key != FOREIGN
    }


def plan_uses(plan: Plan, world: World, images: Mapping[str, ImageFacts]) -> dict[Address, tuple[Uses, Uses]]:
    """What is paid for of each fleet before the plan and after it."""
    uses: dict[Address, tuple[Uses, Uses]] = {}
    changes: dict[Address, list[Change]] = defaultdict(list)
    for change in plan.changes:
        if change.deferred is None:
            changes[change.address].append(change)
    for address, known in every_fleet(world, images).items():
        after = _after(world.desired_as(Fleet, address), known, changes[address])
        uses[address] = uses_of_fleet(known), after
    return uses


def end_of(address: Address, world: World) -> datetime | None:
    """When a fleet ends; of one that is still to be launched, as if that was now."""
    fleet = world.environment.of(Fleet).get(address)
    if fleet is None or fleet.end is None:
        return None
    after = fleet.end.said.after
    return world.now + after if fleet.end.at is None and after else fleet.end.at


def guessed_operation(image: Image) -> str:
    """What an image is billed as, by what it is called."""
    called = f"{image.ssm or ''} {image.name or ''}".lower()
    return WINDOWS if "windows" in called else LINUX


# --- as it is


def _instance(member: Instance) -> InstanceUse:
    operation = member.described.get("UsageOperation") or (
        WINDOWS if member.described.get("Platform") == "windows" else LINUX
    )
    return InstanceUse(member.type, member.market, operation, member.tenancy, member.zone)


def _volume_at(name: str, member: Instance, known: Known) -> VolumeUse:
    """The volume at a device of a member."""
    device = (member.devices or {})[name]
    read = next((one for one in known.observed.volumes.get(member.id, ()) if one.id == device.volume), None)
    details = device.details or read
    if details:
        return _of_observed(details)
    if name == member.root_device:
        return _root_of(member, known)
    said = [volume for volume in known.fleet.volumes if volume.device == name] if known.fleet else []
    return _of_spec(said[0], None, DEFAULT_TYPE) if said else VolumeUse(None, None)


def _root_of(member: Instance, known: Known) -> VolumeUse:
    """A root volume that was not read: as it was launched, as the spec says, as the image has it."""
    record = fields_of_root(read_record(member).get(ROOT_VOLUME, ""))
    said = (known.fleet.root_volume if known.fleet else None) or Volume()
    image = known.image(member.image)
    return volume_use(
        record.get("type") or said.type or image.root_type,
        _number(record.get("size_gb")) or said.size_gb or image.root_gb,
        _number(record.get("iops")) or said.iops,
        _number(record.get("throughput")) or said.throughput,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() else None


def _of_observed(volume: ObservedVolume) -> VolumeUse:
    return volume_use(volume.type, volume.size_gb, volume.iops, volume.throughput)


def _of_spec(volume: Volume, size_gb: int | None, type_: str | None) -> VolumeUse:
    return volume_use(volume.type or type_, volume.size_gb or size_gb, volume.iops, volume.throughput)


# --- as it will be


def _after(wanted: Fleet | None, known: Known, changes: Sequence[Change]) -> Counter[Use]:
    gone = {
        name
        for change in changes
        if change.action in (Action.DELETE, Action.REPLACE)
        for name in change.instances
    }
    uses: Counter[Use] = Counter(map(_of_observed, known.observed.left_volumes))
    staying = [member for member in known.observed.members if member.id not in gone]
    for member in known.observed.members:
        if member.id in gone:
            uses.update(_left_behind(member, known))
        else:
            uses.update(_changed(member, known, [one for one in changes if member.id in one.instances]))
    is_launching = any(change.action in (Action.CREATE, Action.REPLACE) for change in changes)
    if wanted and is_launching:
        uses.update(_launched(wanted, known, wanted.count - len(staying), staying))
    return uses


def _left_behind(member: Instance, known: Known) -> Iterator[VolumeUse]:
    """The volumes that stay when an instance goes."""
    volumes = known.fleet.volumes if known.fleet else ()
    kept = {volume.device for volume in volumes if not volume.delete_on_termination}
    for name, device in (member.devices or {}).items():
        if not device.goes or name in kept:
            yield _volume_at(name, member, known)


def _changed(member: Instance, known: Known, changes: Sequence[Change]) -> Iterator[Use]:
    """What is paid for of a member that stays, once its own changes are made."""
    fleet = known.fleet
    paths = {field.path for change in changes for field in change.fields}
    is_moved = any(change.rollout for change in changes) or "power" in paths
    is_modified = any(path.split(".")[0] in ("root_volume", "volumes") for path in paths)
    if fleet is None or not (is_moved or is_modified):
        yield from uses_of_member(member, known)
        return
    if fleet.power == "running" if is_moved else member.state in BILLED:
        now = _instance(member)
        type_ = fleet.instance_types[0] if "instance_type" in paths else now.type
        yield InstanceUse(type_, now.market, now.operation, fleet.tenancy or now.tenancy, now.zone)
        gets_one = is_moved and _gets_address(fleet, known, member.subnet)
        if member.public_ip or member.has_elastic_ip or gets_one:
            yield AddressUse()
    elif member.has_elastic_ip:
        yield AddressUse()
    for name in member.devices or {}:
        found = _volume_at(name, member, known)
        yield _modified(found, _volume_of(fleet, name, member)) if is_modified else found


def _volume_of(fleet: Fleet, device: str, member: Instance) -> Volume:
    """What the spec says of the volume at a device of a member."""
    if device == member.root_device:
        return fleet.root_volume or Volume()
    return next((volume for volume in fleet.volumes if volume.device == device), Volume())


def _modified(found: VolumeUse, said: Volume) -> VolumeUse:
    """A volume with what the spec says of it."""
    return volume_use(
        said.type or found.type,
        said.size_gb or found.size_gb,
        said.iops or found.iops,
        said.throughput or found.throughput,
    )


def _gets_address(fleet: Fleet, known: Known, subnet: str | None) -> bool:
    """Whether what starts in a subnet gets a public address, as far as that is known."""
    if fleet.associate_public_ip is not None:
        return fleet.associate_public_ip
    return any(one.is_public for one in known.observed.prerequisites.subnets if one.id == subnet)


def _launched(fleet: Fleet, known: Known, count: int, staying: Sequence[Instance]) -> Counter[Use]:
    """What is paid for of new members: of the types and markets that are tried, the first."""
    around, option = known.observed.prerequisites, fleet.capacity_options[0]
    image = known.image(around.image or "")
    operation = around.operation or image.operation or guessed_operation(fleet.image)
    uses: Counter[Use] = Counter()
    if count <= 0:
        return uses
    for volume in _new_volumes(fleet, image):
        uses[volume] += count
    if fleet.power != "running":
        return uses
    shares = spread(count, around.subnets, staying) if around.subnets else {None: count}
    for subnet, share in shares.items():
        zone = subnet.zone if subnet and option.market == SPOT else ""
        uses[InstanceUse(option.type, option.market, operation, fleet.tenancy or "default", zone)] += share
        if _gets_address(fleet, known, subnet.id if subnet else None):
            uses[AddressUse()] += share
    return uses


def _new_volumes(fleet: Fleet, image: ImageFacts) -> Iterator[VolumeUse]:
    yield _of_spec(fleet.root_volume or Volume(), image.root_gb, image.root_type)
    for volume in fleet.volumes:
        yield _of_spec(volume, None, DEFAULT_TYPE)
