"""ModifyVolume and what becomes of it: modifying, optimizing, completed, or failed.

EC2 API Reference, ModifyVolume and DescribeVolumesModifications
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html): a volume grows only; one
modification at a time, and four within 24 hours; what is not given stays, but that another type brings its
own IOPS and throughput. EBS User Guide, "Monitor the progress of volume modifications"
(https://docs.aws.amazon.com/ebs/latest/userguide/monitoring-volume-modifications.html): a change of size
takes effect with `optimizing`; a few fail and may be sent again. moto changes anything at once, as often as
asked, and shows every modification that there was.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections import paging
from local_aws.corrections.filters import MODIFICATION_PATHS, view_filter
from local_aws.corrections.registry import check, handler
from local_aws.corrections.volume_limits import LIMITS, check_limits
from local_aws.gate import chance
from local_aws.world import Modification, Region, VolumeShape, World

MAX_A_DAY = 4
DAY_S = 24 * 60 * 60.0
# What a volume has that becomes io1, io2 or gp3 and is told nothing else.
STANDARD_IOPS, STANDARD_THROUGHPUT = 3000, 125
_NO_ROOT = ("st1", "sc1")


def shape_of(volume: Any) -> VolumeShape:
    """What moto has of a volume that can be modified."""
    return VolumeShape(volume.size, volume.volume_type, volume.iops, volume.throughput)


def bring_up_to_date(world: World, region: Region) -> None:
    """Lets volumes have what their modifications have come to by now; before volumes are looked at."""
    now = world.clock.now()
    for volume_id, modifications in region.modifications.items():
        volume = region.backend.volumes.get(volume_id)
        last = modifications[-1]
        if volume is not None and not last.is_applied and _state(last, now) in ("optimizing", "completed"):
            target = last.target
            volume.size, volume.volume_type = target.size, target.kind
            volume.iops, volume.throughput = target.iops, target.throughput
            modifications[-1] = replace(last, is_applied=True)


@check("ec2:ModifyVolume")
def may_modify(world: World, call: Call) -> None:
    """A volume grows only, to what its type allows, once at a time and four times a day."""
    region = world.region(call.region)
    bring_up_to_date(world, region)
    volume = region.backend.get_volume(call.params.get("VolumeId") or "")
    given = [call.params.get(name) for name in ("Size", "VolumeType", "Iops", "Throughput")]
    if not any(given) and call.params.get("MultiAttachEnabled") is None:
        text = "Invalid input: Must specify at least one of size, type, iops, throughput"
        raise AwsError("InvalidParameterValue", text)
    wanted = _target(volume, call.params)
    if wanted.size < volume.size:
        raise AwsError("InvalidParameterValue", "New size cannot be smaller than existing size")
    if wanted.kind in _NO_ROOT and volume.volume_type != wanted.kind and _is_root(volume):
        text = f"The volume type {wanted.kind} is not supported for the root device"
        raise AwsError("InvalidParameterValue", text)
    check_limits(wanted.kind, wanted.size, wanted.iops, call.params.get("Throughput") or wanted.throughput)
    now = world.clock.now()
    before = region.modifications.get(volume.id, [])
    state = _state(before[-1], now) if before else "completed"
    if state in ("modifying", "optimizing"):
        text = f"Volume {volume.id} cannot be modified in modification state {state.upper()}"
        raise AwsError("IncorrectModificationState", text)
    recent = [modification.started for modification in before if modification.started > now - DAY_S]
    if len(recent) >= MAX_A_DAY:
        again = datetime.fromtimestamp(recent[-MAX_A_DAY] + DAY_S, UTC)
        text = (
            "You've reached the maximum modification rate per volume limit. The next modification of "
            f"{volume.id} is possible at {again:%Y-%m-%dT%H:%M:%SZ}."
        )
        raise AwsError("VolumeModificationRateExceeded", text)


@handler("ec2:ModifyVolume")
def modify(world: World, call: Call) -> dict[str, Any]:
    """Begins a modification, which goes on by itself."""
    region, faults = world.region(call.region), world.faults
    volume = region.backend.get_volume(call.params["VolumeId"])
    before = region.modifications.setdefault(volume.id, [])
    started = world.clock.now()
    applied = started + faults.modify_s
    seed = f"{volume.id} {len(before)}"
    begun = Modification(
        started,
        applied,
        applied + faults.optimize_s,
        shape_of(volume),
        _target(volume, call.params),
        chance(faults.seed, "modification", seed) < faults.modification_failure_share,
    )
    before.append(begun)
    bring_up_to_date(world, region)
    return {"VolumeModification": _view(volume.id, begun, started)}


@handler("ec2:DescribeVolumesModifications")
def describe(world: World, call: Call) -> dict[str, Any]:
    """The last modification of each volume, by id and filters. By its id, a volume has to have one."""
    region, params = world.region(call.region), call.params
    wanted = params.get("VolumeIds") or []
    for volume_id in wanted:
        if volume_id not in region.backend.volumes:
            raise AwsError("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")
        if volume_id not in region.modifications:
            text = f"Modification for volume '{volume_id}' does not exist."
            raise AwsError("InvalidVolumeModification.NotFound", text)
    passes = view_filter(params.get("Filters") or [], MODIFICATION_PATHS)
    there = [volume for volume in region.modifications if volume in region.backend.volumes]
    now = world.clock.now()
    views = [_view(volume, region.modifications[volume][-1], now) for volume in wanted or there]
    rows, token = paging.page([view for view in views if passes(view)], params, ids_given=bool(wanted))
    return {"VolumesModifications": rows, "NextToken": token}


def _target(volume: Any, params: dict[str, Any]) -> VolumeShape:
    """What the volume is to be: what is given, and of the rest what it has or what its new type brings."""
    kind = params.get("VolumeType") or volume.volume_type
    limits = LIMITS.get(kind)
    is_same = kind == volume.volume_type
    iops = params.get("Iops") or (volume.iops if is_same else None)
    throughput = params.get("Throughput") or (volume.throughput if is_same else None)
    if limits is not None and not is_same:
        iops = iops or (STANDARD_IOPS if limits.iops else None)
        throughput = throughput or (STANDARD_THROUGHPUT if limits.throughput else None)
    return VolumeShape(params.get("Size") or volume.size, kind, iops, throughput)


def _is_root(volume: Any) -> bool:
    attachment = volume.attachment
    return bool(attachment and attachment.instance.root_device_name == attachment.device)


def _state(modification: Modification, now: float) -> str:
    if now < modification.applies:
        return "modifying"
    if modification.fails:
        return "failed"
    return "optimizing" if now < modification.completes else "completed"


def _view(volume_id: str, modification: Modification, now: float) -> dict[str, Any]:
    state = _state(modification, now)
    original, target = modification.original, modification.target
    ended = modification.applies if modification.fails else modification.completes
    span = ended - modification.started
    progress = 100 if state in ("completed", "failed") else int(100 * (now - modification.started) / span)
    return {
        "VolumeId": volume_id,
        "ModificationState": state,
        "StatusMessage": "An internal error has occurred" if state == "failed" else None,
        "OriginalSize": original.size,
        "OriginalVolumeType": original.kind,
        "OriginalIops": original.iops,
        "OriginalThroughput": original.throughput,
        "TargetSize": target.size,
        "TargetVolumeType": target.kind,
        "TargetIops": target.iops,
        "TargetThroughput": target.throughput,
        "Progress": progress,
        "StartTime": datetime.fromtimestamp(modification.started, UTC),
        "EndTime": datetime.fromtimestamp(ended, UTC) if now >= ended else None,
    }
