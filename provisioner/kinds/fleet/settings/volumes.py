"""What the spec says of volumes, and what members have, as values that the table of settings compares.

Of volumes that were not read, nothing is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from provisioner.kinds.fleet.settings.remembered import volume_fields, write_fields
from provisioner.kinds.fleet.settings.setting import NOT_COMPARED, Launching, NotCompared, part
from provisioner.kinds.fleet.settings.volume_drift import (
    MODIFIABLE,
    differences,
    is_modified,
    of_fleet,
    of_root,
)
from provisioner.kinds.fleet.settings.volume_modifications import MODIFY_VOLUME
from provisioner.kinds.fleet.spec import ROOT_VOLUME, VOLUMES, Fleet, Volume
from provisioner.kinds.instances import Instance
from provisioner.model import Call

# Volumes by device, which RunInstances takes as a list.
DEVICES = "BlockDeviceMappings"

Values = tuple[Callable[[Fleet], Any], Callable[[Instance], Any], Callable[[Any, Any], bool]]
"""What is desired, what a member has, and whether they agree."""


class SpecVolumes(NamedTuple):
    """What the spec says of the root volume, or of the others."""

    fleet: Fleet
    section: str

    def __str__(self) -> str:
        if self.section == ROOT_VOLUME:
            root = self.fleet.root_volume
            return _in_words(write_fields(volume_fields(root))) if root else "none"
        fields = ((volume.device, write_fields(volume_fields(volume))) for volume in self.fleet.volumes)
        return "; ".join(f"{device} {_in_words(text)}" for device, text in fields)


class MemberVolumes(NamedTuple):
    """What the volumes of a member are that were read."""

    member: Instance
    section: str

    def __str__(self) -> str:
        if self.section == ROOT_VOLUME:
            root = of_root(self.member)
            return _in_words(root.as_text()) if root else "none"
        there = of_fleet(self.member)
        others = [at for at in sorted(there) if at != self.member.root_device]
        return "; ".join(f"{at} {_in_words(there[at].as_text())}" for at in others)


class PerDevice(NamedTuple):
    """One field of several volumes, as pairs of device and value."""

    values: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        return ", ".join(f"{device}: {value}" for device, value in self.values)


def _in_words(fields: str) -> str:
    """The fields of a volume as people read them: `encrypted true, size_gb 8`."""
    return ", ".join(field.replace(":", " ", 1) for field in fields.split(","))


OfVolumes = SpecVolumes | MemberVolumes | PerDevice


def what_is_fixed(section: str) -> Values:
    """What EBS does not modify: a difference is a reason to replace a member, where the spec has changed."""

    def desired(fleet: Fleet) -> SpecVolumes | NotCompared:
        given = fleet.root_volume if section == ROOT_VOLUME else fleet.volumes
        return SpecVolumes(fleet, section) if given else NOT_COMPARED

    def observed(member: Instance) -> MemberVolumes | NotCompared:
        is_read = any(device.details for device in (member.devices or {}).values())
        return MemberVolumes(member, section) if is_read else NOT_COMPARED

    def agree(desired: SpecVolumes, observed: MemberVolumes) -> bool:
        found = differences(desired.fleet, observed.member)
        return not any(
            difference.replaces and difference.path.split(".")[0] == section for difference in found
        )

    return desired, observed, agree


def what_root_has(name: str) -> Values:
    """One field of the root volume that EBS modifies."""

    def desired(fleet: Fleet) -> Any:
        value = getattr(fleet.root_volume, name) if fleet.root_volume else None
        return NOT_COMPARED if value is None else value

    def observed(member: Instance) -> Any:
        root = of_root(member)
        return getattr(root, name) if root else NOT_COMPARED

    return desired, observed, lambda desired, observed: is_modified(name, desired, observed)


def what_volumes_have(name: str) -> Values:
    """The same of all further volumes."""

    def desired(fleet: Fleet) -> PerDevice | NotCompared:
        said = tuple(
            (volume.device, value)
            for volume in fleet.volumes
            if volume.device
            and (value := getattr(volume, name)) is not None
            and not fleet.ignores(f"{VOLUMES}.{volume.device}.{name}")
        )
        return PerDevice(said) if said else NOT_COMPARED

    def observed(member: Instance) -> PerDevice | NotCompared:
        there = of_fleet(member)
        values = [(at, getattr(there[at], name)) for at in sorted(there) if at != member.root_device]
        return PerDevice(tuple(values)) if values else NOT_COMPARED

    def agree(desired: PerDevice, observed: PerDevice) -> bool:
        there = dict(observed.values)
        return all(is_modified(name, value, there[at]) for at, value in desired.values if at in there)

    return desired, observed, agree


def modify_volumes(path: str, fleet: Fleet, member: Instance) -> tuple[Call, ...]:
    """The calls that give volumes of a member the fleet's value of one field, such as `volumes.iops`."""
    section, name = path.split(".")
    there = of_fleet(member)
    pairs = [
        (f"{VOLUMES}.{volume.device}", volume, there.get(volume.device or "")) for volume in fleet.volumes
    ]
    if section == ROOT_VOLUME and fleet.root_volume:
        pairs = [(ROOT_VOLUME, fleet.root_volume, of_root(member))]
    calls = []
    for above, volume, found in pairs:
        value = getattr(volume, name)
        if found is None or value is None or fleet.ignores(f"{above}.{name}"):
            continue
        if not is_modified(name, value, getattr(found, name)):
            # Another type brings its own performance, whatever the volume had.
            with_it = ("iops", "throughput") if name == "type" else ()
            others = [field for field in with_it if not fleet.ignores(f"{above}.{field}")]
            params = {field: getattr(volume, field) for field in (name, *others)}
            sent = {MODIFIABLE[field]: given for field, given in params.items() if given is not None}
            calls.append(Call("ec2", MODIFY_VOLUME, {"VolumeId": found.id, **sent}))
    return tuple(calls)


def root_device(fleet: Fleet, to: Launching) -> Mapping[str, Any]:
    # What becomes of the root volume is said also where nothing else is: an image may have it stay.
    device = to.prerequisites.root_device
    return part(f"{DEVICES}.{device}", ebs(fleet.root_volume or Volume())) if device else {}


def ebs(volume: Volume) -> dict[str, Any]:
    said = {
        "VolumeSize": volume.size_gb,
        "VolumeType": volume.type,
        "Iops": volume.iops,
        "Throughput": volume.throughput,
        "Encrypted": volume.encrypted,
        "KmsKeyId": volume.kms_key_id,
        "DeleteOnTermination": volume.delete_on_termination,
    }
    return {name: value for name, value in said.items() if value is not None}
