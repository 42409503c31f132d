"""The calls that change a setting while the members run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provisioner.kinds.fleet.launch_tag import launch_record, read_record, write_record
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.iam import tag_list
from provisioner.kinds.instances import MAX_IDS, Instance, chunks
from provisioner.model import Call, Parallel, Step
from provisioner.naming import LAUNCH_TAG

# How the API calls each metadata option.
METADATA = {
    "metadata.http_tokens": "HttpTokens",
    "metadata.http_endpoint": "HttpEndpoint",
    "metadata.hop_limit": "HttpPutResponseHopLimit",
    "metadata.instance_tags": "InstanceMetadataTags",
}

# Live settings that only the launch record shows, and how it calls them.
RECORDED = {"termination_protection": "protection", "shutdown_behavior": "shutdown"}


def live_steps(
    path: str, fleet: Fleet, members: Sequence[Instance], groups: Mapping[str, str], wanted: Any
) -> tuple[Step, ...]:
    """The steps that give members the fleet's value of one live setting. `groups` maps names to ids."""
    ids = [member.id for member in members]
    if path in METADATA:
        return _each(ids, "ModifyInstanceMetadataOptions", {METADATA[path]: wanted})
    if path == "monitoring":
        operation = "MonitorInstances" if fleet.monitoring else "UnmonitorInstances"
        return tuple(Call("ec2", operation, {"InstanceIds": list(part)}) for part in chunks(ids, MAX_IDS))
    return (Parallel(tuple(_regroup(member, fleet.group_ids(groups)) for member in members)),)


def _regroup(member: Instance, groups: Sequence[str]) -> Call:
    """The call that gives a member's primary network interface these groups.

    Where an instance has several interfaces, the groups are to be changed by the interface:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
    """
    wanted = {"Groups": list(groups)}
    if len(member.interfaces) > 1:
        interface = {"NetworkInterfaceId": member.interfaces[0]}
        return Call("ec2", "ModifyNetworkInterfaceAttribute", interface | wanted)
    return Call("ec2", "ModifyInstanceAttribute", {"InstanceId": member.id} | wanted)


def recorded_steps(fleet: Fleet, members: Sequence[Instance], paths: Sequence[str]) -> tuple[Step, ...]:
    """The steps that change attributes which DescribeInstances does not show, then write them down.

    In this order a crash in between leads to the same change once more, never to a record that is wrong. All
    of a member's record is written at once, so that two changes of it cannot undo each other.
    """
    attributes: dict[str, Mapping[str, Any]] = {
        "termination_protection": {"DisableApiTermination": {"Value": fleet.termination_protection}},
        "shutdown_behavior": {"InstanceInitiatedShutdownBehavior": {"Value": fleet.shutdown_behavior}},
    }
    ids = [member.id for member in members]
    changed = {RECORDED[path]: launch_record(fleet)[RECORDED[path]] for path in paths}
    records: dict[str, list[str]] = {}
    for member in members:
        records.setdefault(write_record({**read_record(member), **changed}), []).append(member.id)
    written = tuple(
        Call("ec2", "CreateTags", {"Resources": list(part), "Tags": tag_list({LAUNCH_TAG: record})})
        for record, those in records.items()
        for part in chunks(those, MAX_IDS)
    )
    modified = (step for path in paths for step in _each(ids, "ModifyInstanceAttribute", attributes[path]))
    return (*modified, *written)


def _each(ids: Sequence[str], operation: str, params: Mapping[str, Any]) -> tuple[Step, ...]:
    return (Parallel(tuple(Call("ec2", operation, {"InstanceId": each, **params}) for each in ids)),)
