"""Volumes of members held against the spec, as they are and not as they were launched.

The launch record says what a volume was launched with; what has become of it since is read before it is
called different. A member is replaced for a volume only where the spec asks for something else than it did at
launch. What was changed by hand is told and left alone: a volume that somebody has grown holds their data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from provisioner.kinds.fleet.found_volumes import ObservedVolume
from provisioner.kinds.fleet.launch_tag import read_record, write_record
from provisioner.kinds.fleet.placement import on_members
from provisioner.kinds.fleet.remembered import (
    OTHER,
    fields_of_root,
    root_record,
    volume_fields,
    volumes_record,
    volumes_record_of_before,
    write_fields,
)
from provisioner.kinds.fleet.spec import Fleet, Volume
from provisioner.kinds.instances import Instance
from provisioner.naming import FLEET_TAG, LAUNCH_TAG


class Difference(NamedTuple):
    """One field of a volume that is not as the spec says; `renews`: the spec has changed since the launch."""

    name: str
    wanted: str
    actual: str
    renews: bool

    def __str__(self) -> str:
        return f"{self.name} is {self.actual}, and the spec says {self.wanted}"


def as_shown(
    fleet: Fleet, members: Iterable[Instance], volumes: Mapping[str, Sequence[ObservedVolume]]
) -> tuple[tuple[Instance, ...], tuple[str, ...]]:
    """The members with launch records whose volumes differ only where that is why to replace the member.

    `volumes` are those that were read, by member; what was not read is not called different. Also what was
    changed by hand or is not in the spec, in words.
    """
    shown: list[Instance] = []
    drift: dict[str, list[str]] = {}
    unlisted: dict[str, list[str]] = {}
    for member in members:
        there = {each.device: each for each in volumes.get(member.id, ())}
        record = dict(read_record(member))
        root, told = _root(fleet.root_volume, record.get("root_volume"), there.get(member.root_device))
        others, more = _others(fleet, record.get("volumes"), there) if there else (volumes_record(fleet), [])
        for text in (*told, *more):
            drift.setdefault(text, []).append(member.id)
        for device in _unlisted(fleet, member, record.get("volumes"), there):
            unlisted.setdefault(device, []).append(member.id)
        now = {"root_volume": root, "volumes": others}
        record |= {name: value for name, value in now.items() if name in record}
        tags = {**(member.tags or {}), LAUNCH_TAG: write_record(record)} if record else member.tags
        shown.append(replace(member, tags=tags))
    told_of = [_in_words(text, ids) for text, ids in drift.items()]
    told_of += [_unlisted_in_words(device, ids) for device, ids in unlisted.items()]
    return tuple(shown), tuple(told_of)


def _unlisted(
    fleet: Fleet, member: Instance, recorded: str | None, there: Mapping[str | None, ObservedVolume]
) -> Iterator[str]:
    """The devices of volumes that came with a member, where its spec had other volumes than it has now."""
    if not _is_as_launched(fleet, recorded):
        listed = {member.root_device, *(each.device for each in fleet.volumes)}
        ours = {device for device, each in there.items() if each.tags.get(FLEET_TAG) == fleet.key}
        yield from sorted(device for device in ours - listed if device)


def _unlisted_in_words(device: str, members: Sequence[str]) -> str:
    return (
        f"volume {device} is not in `volumes:`, on {on_members(members)} ({', '.join(members)}): left alone, "
        "and only the image gives it to new members. Write it into the spec, or take it off with "
        "`aws ec2 detach-volume`"
    )


def _is_as_launched(fleet: Fleet, recorded: str | None) -> bool:
    return recorded in (None, volumes_record(fleet), volumes_record_of_before(fleet))


def _in_words(text: str, members: Sequence[str]) -> str:
    return (
        f"{text}, on {on_members(members)} ({', '.join(members)}): changed by hand, and left alone. Write it "
        "into the spec, or put it right with `aws ec2 modify-volume`"
    )


def _root(wanted: Volume | None, recorded: str | None, found: ObservedVolume | None) -> tuple[str, list[str]]:
    """What the record is to say of the root volume, and what was changed by hand."""
    if wanted is None or found is None:
        return root_record(wanted), []
    said = volume_fields(wanted)
    as_recorded = fields_of_root(root_record(wanted))
    launched = None if recorded is None else fields_of_root(recorded)
    if launched and launched.get("kms_key_id") == as_recorded.get("kms_key_id"):
        launched = {**launched, "kms_key_id": said.get("kms_key_id", "")}
    different = list(_differences(said, found, launched))
    renewed = {each.name: each.actual for each in different if each.renews}
    text = write_fields({**as_recorded, **renewed})
    return text, [f"root volume: {each}" for each in different if not each.renews]


def _others(
    fleet: Fleet, recorded: str | None, there: Mapping[str | None, ObservedVolume]
) -> tuple[str, list[str]]:
    """What the record is to say of the other volumes, and what was changed by hand."""
    is_as_launched = _is_as_launched(fleet, recorded)
    told: list[str] = []
    for wanted in fleet.volumes:
        said = volume_fields(wanted)
        found = there.get(wanted.device)
        if found is None and not is_as_launched:
            return OTHER, []
        if found is None:
            told.append(f"volume {wanted.device} is not attached")
            continue
        different = list(_differences(said, found, said if is_as_launched else {}))
        if any(each.renews for each in different):
            return OTHER, []
        told += [f"volume {wanted.device}: {each}" for each in different]
    return volumes_record(fleet), told


def _differences(
    said: Mapping[str, str], found: ObservedVolume, launched: Mapping[str, str] | None
) -> Iterator[Difference]:
    """The fields in which a volume is not as the spec says.

    `launched`: what the spec said then, as far as known; None: nothing of it is known.
    """
    for name, wanted in said.items():
        actual = _actual(name, wanted, found)
        if actual == wanted:
            continue
        before = None if launched is None else launched.get(name)
        is_touched = before is not None and before != actual and name != "kms_key_id"
        # No volume gets smaller; one that is larger than its launch may have been grown.
        is_grown = before is None and name == "size_gb" and int(actual) > int(wanted)
        renews = launched is not None and before != wanted and not is_touched and not is_grown
        if renews or name != "kms_key_id":
            yield Difference(name, wanted, actual, renews)


def _actual(name: str, wanted: str, found: ObservedVolume) -> str:
    if name == "kms_key_id":
        # EC2 shows the key's ARN. Which one an alias means, it does not say.
        return wanted if (found.kms_key or "").endswith(wanted) else OTHER
    value = {
        "size_gb": found.size_gb,
        "type": found.type,
        "iops": found.iops,
        "throughput": found.throughput,
        "encrypted": found.encrypted,
    }[name]
    return str(value).lower()
