"""What instances write to their serial console while they boot, and GetConsoleOutput.

API Reference, GetConsoleOutput
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html): the last 64 KB, in base64;
by default what was posted shortly after the instance changed its state, with `Latest` what there is now, on
types built on Nitro only. Right after a launch there is none. moto has one text for all.

Booting is what cloud-init makes of it: user data runs at the first boot, takes `user_data_s`, and fails on
some instances. Of boot hooks in it, the one called `provisioner-ready` is played: at the end of each boot it
says on the console what became of the first one.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import uuid
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_aws.call import AwsError, Call
from local_aws.corrections import states
from local_aws.corrections.registry import check, handler
from local_aws.errors import LocalAwsError
from local_aws.gate import chance
from local_aws.world import Member, World

MAX_BYTES = 64 * 1024
# How long after a change of state the output is posted; AWS says no more than "shortly".
POSTED_S = 60.0
_HOOK = "provisioner-ready"


def end_user_data(world: World, instance_id: str, result: str) -> None:
    """Decides what becomes of the user data of an instance: it has `finished` or `failed` by now, or `hangs`.

    Raises LocalAwsError.
    """
    if result not in ("finished", "failed", "hangs"):
        raise LocalAwsError(f"no such result: {result}", "say finished, failed or hangs")
    _, member = world.member(instance_id)
    member.user_data_result = (world.clock.now(), result)


@check("ec2:RebootInstances")
def reboots(world: World, call: Call) -> None:
    """What reboots boots once more."""
    for member in states.find(world.region(call.region), call.params.get("InstanceIds") or []):
        member.boots.append(world.clock.now())


@check("ec2:GetConsoleOutput")
def may_get(world: World, call: Call) -> None:
    """The instance exists, and is of a type that has the latest output if that is asked for."""
    (member,) = states.find(world.region(call.region), [call.params.get("InstanceId") or ""])
    about: dict[str, Any] = INSTANCE_TYPES.get(str(member.instance.instance_type)) or {}
    if call.params.get("Latest") and about.get("Hypervisor") != "nitro":
        text = "This instance type does not support retrieving the latest console logs."
        raise AwsError("UnsupportedOperation", text)


@handler("ec2:GetConsoleOutput")
def get(world: World, call: Call) -> dict[str, Any]:
    """The last 64 KB of what there is, or was posted; no output where there is none."""
    (member,) = states.find(world.region(call.region), [call.params["InstanceId"]])
    until = world.clock.now() - world.faults.lag_s
    if not call.params.get("Latest") and member.boots:
        until = min(until, member.boots[-1] + POSTED_S)
    text = "".join(f"{line}\r\n" for line in _lines(world, member, until)).encode()[-MAX_BYTES:]
    said = {"InstanceId": member.id, "Timestamp": datetime.fromtimestamp(until, UTC)}
    return {**said, "Output": base64.b64encode(text).decode()} if text else said


def _lines(world: World, member: Member, until: float) -> Iterator[str]:
    if not member.boots:
        return
    ended, result = _user_data(world, member)
    for number, at in enumerate(member.boots):
        if at > until:
            return
        following = member.boots[number + 1] if number + 1 < len(member.boots) else until
        yield "[    0.000000] Linux version 6.1.0 (local AWS)"
        yield "[    6.213905] cloud-init[1021]: Cloud-init v. 24.4 running 'init' after boot"
        done = at if number and ended <= at else ended
        if done > min(following, until) or result == "hangs":
            continue
        if not number and result == "failed":
            yield "[   11.482211] cloud-init[1187]: + install-everything"
            yield (
                f"[   11.502177] cloud-init[1187]: /var/lib/cloud/instances/{member.id}/scripts/part-001: "
                "line 3: install-everything: command not found"
            )
            yield "[   11.520001] cloud-init[1187]: util.py[WARNING]: Failed to run module scripts_user"
        yield "ci-info: no authorized SSH keys fingerprints found for user ec2-user."
        yield f"[   12.004500] cloud-init[1187]: Cloud-init v. 24.4 finished. Up {done - at + 12:.2f} seconds"
        if _has_hook(member):
            boot = uuid.uuid5(uuid.NAMESPACE_OID, f"{member.id} {number}")
            why = ': "scripts_user: Runparts: 1 failures (part-001) in 1 attempted commands"'
            told = f"failed{why}" if result == "failed" else "finished"
            yield ""
            yield f"provisioner: {member.id} boot {boot}: user data {told}"
        yield ""
        yield f"{member.instance.private_ip} login: "


def _user_data(world: World, member: Member) -> tuple[float, str]:
    """When the user data of an instance ends, and how."""
    if member.user_data_result:
        return member.user_data_result
    share = world.faults.user_data_failure_share
    fails = chance(world.faults.seed, "user data", member.id) < share
    return member.boots[0] + world.faults.user_data_s, "failed" if fails else "finished"


def _has_hook(member: Member) -> bool:
    """Whether the user data has the boot hook that tells of its end."""
    content = base64.b64decode(str(member.instance.user_data or ""))
    with contextlib.suppress(OSError, EOFError, zlib.error):
        content = gzip.decompress(content)
    return any(part.get_filename() == _HOOK for part in message_from_bytes(content).walk())
