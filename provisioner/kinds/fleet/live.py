"""The calls that change a setting while the members run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provisioner.kinds.fleet.desired import Fleet
from provisioner.kinds.fleet.settings import read_record, write_record
from provisioner.kinds.iam import tag_list
from provisioner.kinds.instances import MOST_IDS, Instance, chunks
from provisioner.model import Call, Step, Together
from provisioner.naming import LAUNCH_TAG

# How the API calls each metadata option.
METADATA = {
    "metadata.http_tokens": "HttpTokens",
    "metadata.http_endpoint": "HttpEndpoint",
    "metadata.hop_limit": "HttpPutResponseHopLimit",
    "metadata.instance_tags": "InstanceMetadataTags",
}


def live_steps(
    path: str, fleet: Fleet, members: Sequence[Instance], groups: Mapping[str, str], wanted: Any
) -> tuple[Step, ...]:
    """The steps that give members the fleet's value of one live setting. `groups` maps names to ids."""
    ids = [member.id for member in members]
    if path in METADATA:
        return _each(ids, "ModifyInstanceMetadataOptions", {METADATA[path]: wanted})
    if path == "monitoring":
        operation = "MonitorInstances" if fleet.monitoring else "UnmonitorInstances"
        return tuple(Call("ec2", operation, {"InstanceIds": list(part)}) for part in chunks(ids, MOST_IDS))
    if path == "security_groups":
        groups_wanted = [groups[group] for group in fleet.security_groups]
        return _each(ids, "ModifyInstanceAttribute", {"Groups": groups_wanted})
    if path == "termination_protection":
        protection = {"DisableApiTermination": {"Value": fleet.termination_protection}}
        return _recorded(members, protection, "protection", wanted)
    shutdown = {"InstanceInitiatedShutdownBehavior": {"Value": fleet.shutdown_behavior}}
    return _recorded(members, shutdown, "shutdown", wanted)


def _each(ids: Sequence[str], operation: str, params: Mapping[str, Any]) -> tuple[Step, ...]:
    return (Together(tuple(Call("ec2", operation, {"InstanceId": each, **params}) for each in ids)),)


def _recorded(
    members: Sequence[Instance], attribute: Mapping[str, Any], name: str, value: str
) -> tuple[Step, ...]:
    """Change an attribute that DescribeInstances does not show, then write it down.

    In this order a crash in between leads to the same change once more, never to a record that is wrong.
    """
    records: dict[str, list[str]] = {}
    for member in members:
        records.setdefault(write_record(read_record(member) | {name: value}), []).append(member.id)
    written = tuple(
        Call("ec2", "CreateTags", {"Resources": list(part), "Tags": tag_list({LAUNCH_TAG: record})})
        for record, ids in records.items()
        for part in chunks(ids, MOST_IDS)
    )
    return (*_each([member.id for member in members], "ModifyInstanceAttribute", attribute), *written)
