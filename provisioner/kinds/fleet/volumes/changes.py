"""Changes of volumes that are attached to members: their tags, and whether they go with their instance.

Tags are written on volumes that are on members and have our tags: neither is enough by itself, as somebody
may have attached a volume by hand, and anybody may put our tags on one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from provisioner.kinds.fleet.settings.volume_drift import of_fleet
from provisioner.kinds.fleet.spec import VOLUMES, Fleet
from provisioner.kinds.fleet.volumes.attached import of_spec, to_be_kept
from provisioner.kinds.instances import MAX_IDS, Instance, chunks
from provisioner.kinds.tags import (
    is_crowded,
    tag_list,
)
from provisioner.kinds.volumes import ObservedVolume
from provisioner.model import Call, FieldChange, Parallel, Step

SET_WHETHER_VOLUMES_GO = "ModifyInstanceAttribute"


def tag_steps(fleet: Fleet, volumes: Sequence[ObservedVolume], removed: Iterable[str]) -> tuple[Step, ...]:
    """The steps that give volumes the fleet's tags, and take off those that their instance loses."""
    removed = [key for key in removed if key not in fleet.volume_tags]
    put: dict[tuple[tuple[str, str], ...], list[str]] = {}
    taken: dict[tuple[str, ...], list[str]] = {}
    for volume in volumes:
        missing = tuple(tag for tag in sorted(fleet.volume_tags.items()) if volume.tags.get(tag[0]) != tag[1])
        surplus = tuple(key for key in removed if key in volume.tags)
        if missing:
            put.setdefault(missing, []).append(volume.id)
        if surplus:
            taken.setdefault(surplus, []).append(volume.id)
    created = [
        Call("ec2", "CreateTags", {"Resources": list(part), "Tags": tag_list(dict(tags))})
        for tags, ids in put.items()
        for part in chunks(ids, MAX_IDS)
    ]
    deleted = [
        Call("ec2", "DeleteTags", {"Resources": list(part), "Tags": [{"Key": key} for key in keys]})
        for keys, ids in taken.items()
        for part in chunks(ids, MAX_IDS)
    ]
    has_no_room = any(is_crowded(fleet.volume_tags, volume.tags) for volume in volumes)
    return (*deleted, *created) if has_no_room else (*created, *deleted)


def tag_fields(fleet: Fleet, volumes: Iterable[ObservedVolume]) -> tuple[FieldChange, ...]:
    """The tags of the fleet that some of these volumes do not have, each once."""
    found = {
        (key, volume.tags.get(key), value)
        for volume in volumes
        for key, value in fleet.volume_tags.items()
        if volume.tags.get(key) != value
    }
    fields: dict[str, FieldChange] = {}
    for key, before, after in sorted(found, key=lambda tag: (tag[0], tag[1] or "")):
        fields.setdefault(key, FieldChange(f"volumes.tags.{key}", before, after))
    return tuple(fields.values())


def goes_otherwise(fleet: Fleet, member: Instance) -> dict[str, bool]:
    """Whether volumes should go with the member, of those that EC2 shows otherwise, by device."""
    devices = member.devices or {}
    every = {at: goes for at, goes in of_spec(fleet).items() if at in devices and devices[at].goes != goes}
    return {at: every[at] for at in every if not fleet.ignores(f"{VOLUMES}.{at}.delete_on_termination")}


def goes_wrong(fleet: Fleet, member: Instance) -> tuple[FieldChange, ...]:
    """The same as fields of a plan. What is not the fleet's own is never made to go with the member."""
    otherwise = goes_otherwise(fleet, member)
    if not otherwise:
        return ()
    ours = of_fleet(member)
    return tuple(
        FieldChange(f"{VOLUMES}.{at}.delete_on_termination", not goes, goes)
        for at, goes in otherwise.items()
        if not goes or at in ours
    )


def goes_steps(members: Iterable[str], fields: Iterable[FieldChange]) -> tuple[Step, ...]:
    """The steps that make volumes of members stay or go, as fields of `goes_wrong` say.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
    """
    wanted = {field.path.split(".")[1]: field.after for field in fields}
    return _set(dict.fromkeys(members, wanted))


def is_set(instance: Instance, fields: Iterable[FieldChange]) -> bool:
    """Whether EC2 shows volumes to stay or go as fields of `goes_wrong` say."""
    devices = instance.devices or {}
    return all(
        devices[at].goes == field.after for field in fields if (at := field.path.split(".")[1]) in devices
    )


def keeping_steps(fleet: Fleet | None, going: Iterable[Instance]) -> tuple[Step, ...]:
    """The steps before members go that keep the volumes which the spec wants to stay."""
    if not of_spec(fleet):
        return ()
    kept = {member.id: dict.fromkeys(to_be_kept(fleet, member), False) for member in going}
    return _set({member: devices for member, devices in kept.items() if devices})


def _set(devices: Mapping[str, Mapping[str, bool]]) -> tuple[Step, ...]:
    calls = tuple(
        Call(
            "ec2",
            SET_WHETHER_VOLUMES_GO,
            {
                "InstanceId": member,
                "BlockDeviceMappings": [
                    {"DeviceName": name, "Ebs": {"DeleteOnTermination": goes}} for name, goes in named.items()
                ],
            },
        )
        for member, named in devices.items()
    )
    return (Parallel(calls),) if calls else ()
