"""Volumes of members held against the spec, as they are and not as they were launched.

The launch record says what a volume was launched with; what has become of it since is read before it is
called different. What EBS modifies while a volume is in use are live settings. What it cannot modify is a
reason to replace a member only where the spec asks for something else than it did at launch. What was changed
by hand is told and left alone: a volume that somebody has grown holds their data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from provisioner.kinds.fleet.settings.remembered import (
    DIGEST,
    OTHER,
    TWO_DIGESTS,
    Remembered,
    fields_of_root,
    fixed_in,
    root_record,
    volume_fields,
    volumes_record,
    volumes_records_of_before,
    write_fields,
)
from provisioner.kinds.fleet.spec import ROOT_VOLUME, VOLUMES, Fleet
from provisioner.kinds.instances import Device, Instance
from provisioner.kinds.launch_token import Launches
from provisioner.kinds.volumes import ObservedVolume
from provisioner.naming import ENVIRONMENT_TAG, FLEET_TAG

# What EBS modifies while a volume is in use, and what ModifyVolume calls it.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html
MODIFIABLE: Mapping[str, str] = {
    "size_gb": "Size",
    "type": "VolumeType",
    "iops": "Iops",
    "throughput": "Throughput",
}

# How many members a note names.
MAX_TOLD = 4


class VolumeDifference(NamedTuple):
    """What EBS cannot modify of a volume that is not as the spec says.

    `name` and `desired` are empty where it is not about a field. `replaces`: the spec has changed since the
    launch, so it is a reason to replace the member.
    """

    path: str
    name: str
    desired: str
    observed: str
    replaces: bool
    why: str = "changed by hand, and left alone"


def may_differ(fleet: Fleet, member: Instance) -> bool:
    """Whether what was written down of a member's volumes is not what the spec says now."""
    root = ROOT_WORD.of(member)
    if fleet.root_volume and root is not None:
        launched = fields_of_root(root)
        desired = fields_of_root(root_record(fleet.root_volume))
        if any(launched.get(name) != desired[name] for name in _compared(fleet, ROOT_VOLUME, desired)):
            return True
    is_compared = bool(fleet.volumes) and not fleet.ignores(VOLUMES)
    return is_compared and not _is_as_launched(fleet, VOLUMES_WORD.of(member))


def is_modified(name: str, desired: Any, observed: Any) -> bool:
    """Whether a volume needs no modification of one field; a larger one cannot be made smaller."""
    return bool(observed >= desired) if name == "size_gb" else bool(observed == desired)


def of_root(member: Instance) -> ObservedVolume | None:
    """The root volume of a member, if it was read."""
    device = (member.devices or {}).get(member.root_device or "")
    return device.details if device else None


def of_fleet(member: Instance) -> dict[str, ObservedVolume]:
    """The volumes of a member that were read and that its fleet has made, by device.

    Somebody may have attached another one in place of ours.
    """
    return {
        name: device.details
        for name, device in (member.devices or {}).items()
        if device.details and _is_of_fleet(member, device.details)
    }


def differences(fleet: Fleet, member: Instance) -> tuple[VolumeDifference, ...]:
    """In what the volumes of a member differ that EBS cannot modify; of volumes not read nothing is said."""
    devices = member.devices or {}
    if not any(device.details for device in devices.values()):
        return ()
    return (
        *_root(fleet, ROOT_WORD.of(member), of_root(member)),
        *_others(fleet, member, VOLUMES_WORD.of(member), devices),
    )


def _root_after(fleet: Fleet, member: Instance) -> str | None:
    """What is written down of a root volume that was modified: what is as the spec says by now."""
    launched = ROOT_WORD.of(member)
    if launched is None or fleet.root_volume is None:
        return None
    left = {difference.path for difference in differences(fleet, member)}
    desired = fields_of_root(root_record(fleet.root_volume))
    right = [name for name in _compared(fleet, ROOT_VOLUME, desired) if f"{ROOT_VOLUME}.{name}" not in left]
    return write_fields({**fields_of_root(launched), **{name: desired[name] for name in right}})


def _volumes_after(fleet: Fleet, member: Instance) -> str | None:
    """The same of further volumes, which are written down as a whole."""
    left = {difference.path for difference in differences(fleet, member)}
    is_whole = not any(path.startswith(VOLUMES) for path in (*left, *fleet.ignore_changes))
    is_known = VOLUMES_WORD.of(member) is not None and is_whole and not [*unlisted(fleet, member)]
    return volumes_record(fleet) if fleet.volumes and is_known else None


ROOT_WORD = Remembered(
    "root_volume",
    r"none|[a-z_]+:[\w.-]+(,[a-z_]+:[\w.-]+)*",
    lambda fleet: root_record(fleet.root_volume),
    after=_root_after,
)
VOLUMES_WORD = Remembered("volumes", f"{DIGEST}|{TWO_DIGESTS}|{OTHER}", volumes_record, after=_volumes_after)


def drift_in_words(fleet: Fleet, members: Iterable[Instance]) -> Iterator[str]:
    """What is not as the spec says and is left alone, and what the spec does not list, in words."""
    drift: dict[VolumeDifference, list[str]] = defaultdict(list)
    others: dict[str, list[str]] = defaultdict(list)
    for member in members:
        for difference in differences(fleet, member):
            if not difference.replaces:
                drift[difference].append(member.id)
        for name in unlisted(fleet, member):
            others[name].append(member.id)
    for difference, ids in drift.items():
        yield _in_words(difference, ids)
    for name, ids in others.items():
        yield (
            f"volume {name} is not in `volumes:`, {_on(ids)}: left alone, and only the image gives it to new "
            "members. Write it into the spec, or take it off with `aws ec2 detach-volume`"
        )


def _root(fleet: Fleet, recorded: str | None, found: ObservedVolume | None) -> Iterator[VolumeDifference]:
    if fleet.root_volume is None or found is None:
        return
    said = volume_fields(fleet.root_volume)
    launched = None if recorded is None else fields_of_root(recorded)
    key = fields_of_root(root_record(fleet.root_volume)).get("kms_key_id")
    if launched and key and launched.get("kms_key_id") == key:
        launched = {**launched, "kms_key_id": said["kms_key_id"]}
    yield from _fields(fleet, ROOT_VOLUME, said, found, launched)


def _others(
    fleet: Fleet, member: Instance, recorded: str | None, devices: Mapping[str, Device]
) -> Iterator[VolumeDifference]:
    is_as_launched = _is_fixed_as_launched(fleet, recorded)
    for volume in fleet.volumes:
        path = f"{VOLUMES}.{volume.device}"
        said = volume_fields(volume)
        found = devices.get(volume.device or "")
        if fleet.ignores(path):
            continue
        if found is None:
            yield VolumeDifference(path, "", "", "not attached", not is_as_launched)
        elif found.details and not _is_of_fleet(member, found.details):
            why = "it does not have the tags of this fleet, so it is somebody else's, and left alone"
            yield VolumeDifference(path, "", "", found.volume, False, why)
        elif found.details:
            yield from _fields(fleet, path, said, found.details, said if is_as_launched else {})


def _fields(
    fleet: Fleet,
    path: str,
    said: Mapping[str, str],
    found: ObservedVolume,
    launched: Mapping[str, str] | None,
) -> Iterator[VolumeDifference]:
    """`launched`: what the spec said at launch, as far as known; None: nothing of it is known."""
    for name in _compared(fleet, path, said):
        desired, observed = said[name], _observed(name, said[name], found)
        before = None if launched is None else launched.get(name)
        difference = VolumeDifference(f"{path}.{name}", name, desired, observed, False)
        if name == "size_gb" and int(observed) > int(desired):
            # The spec said so before, or somebody has grown it.
            yield difference._replace(replaces=before == observed, why="")
        elif name not in MODIFIABLE and observed != desired:
            is_touched = before is not None and before != observed and name != "kms_key_id"
            is_asked_for = launched is not None and before != desired and not is_touched
            if is_asked_for or name != "kms_key_id":
                yield difference._replace(replaces=is_asked_for)


def _compared(fleet: Fleet, path: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if not fleet.ignores(f"{path}.{name}")]


def _observed(name: str, desired: str, found: ObservedVolume) -> str:
    if name == "kms_key_id":
        # EC2 shows the key's ARN. Which one an alias means, it does not say.
        return desired if (found.kms_key or "").endswith(desired) else OTHER
    return str(getattr(found, name)).lower()


def _is_as_launched(fleet: Fleet, recorded: str | None) -> bool:
    return recorded in (None, volumes_record(fleet), *volumes_records_of_before(fleet))


def _is_fixed_as_launched(fleet: Fleet, recorded: str | None) -> bool:
    """Whether the spec says what it did at launch of all that EBS cannot modify, whatever else it says."""
    is_the_same = recorded is not None and fixed_in(recorded) == fixed_in(volumes_record(fleet))
    return is_the_same or _is_as_launched(fleet, recorded)


def _is_of_fleet(member: Instance, volume: ObservedVolume) -> bool:
    """Whether a volume has the tags of the fleet that launched the member; the member's may be changed."""
    environment, fleet = volume.tags.get(ENVIRONMENT_TAG, ""), volume.tags.get(FLEET_TAG, "")
    return bool(fleet) and _launches(environment, fleet).fleet_of(member) == fleet


@lru_cache(maxsize=64)
def _launches(environment: str, fleet: str) -> Launches:
    return Launches(environment, (fleet,))


def unlisted(fleet: Fleet, member: Instance) -> Iterator[str]:
    """The devices of volumes that came with a member, where its spec had other volumes than it has now."""
    if not _is_fixed_as_launched(fleet, VOLUMES_WORD.of(member)):
        listed = {member.root_device, *(volume.device for volume in fleet.volumes)}
        yield from sorted(of_fleet(member).keys() - listed)


def _in_words(difference: VolumeDifference, members: list[str]) -> str:
    path, desired, observed = difference.path, difference.desired, difference.observed
    if not difference.name:
        return f"{path} is {observed} {_on(members)}: {difference.why}"
    told = f"{path} is {observed}, and the spec says {desired}, {_on(members)}"
    if difference.name == "size_gb":
        return (
            f"{told}: no volume can be made smaller, so it is left alone. Write {observed} into the spec, or "
            f"{path} into `ignore_changes:`; only a new member gets {desired}"
        )
    return f"{told}: {difference.why}. Put it right by hand, or write {path} into `ignore_changes:`"


def _on(members: list[str]) -> str:
    told = ", ".join(members[:MAX_TOLD])
    more = len(members) - MAX_TOLD
    named = f"{told} and {more} more" if more > 0 else told
    return f"on {len(members)} member{'s' if len(members) > 1 else ''} ({named})"
