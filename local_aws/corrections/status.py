"""Status checks of instances over time.

EC2 User Guide, "Status checks for Amazon EC2 instances": `initializing` for a while after every start, then
`ok` or `impaired`; a start after a stop brings an instance to other hardware. moto's are `ok` at once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from local_aws.errors import LocalAwsError
from local_aws.gate import chance
from local_aws.world import Member, World

_REACHABILITY = {"ok": "passed", "impaired": "failed", "initializing": "initializing"}


def begin(world: World, member: Member, at: float) -> None:
    """The checks of an instance that is running since `at` begin; the first time, some are to fail."""
    first = member.checked_at is None
    member.checked_at = at + world.faults.status_s
    fails = first and chance(world.faults.seed, "impaired", member.id) < world.faults.impaired_share
    member.impaired_since = member.checked_at if fails else None


def force(world: World, instance_id: str, status: str) -> None:
    """Makes both checks fail (`impaired`) or pass (`ok`) from now on. Raises LocalAwsError."""
    if status not in ("ok", "impaired"):
        raise LocalAwsError(f"no such status: {status}", "say ok or impaired")
    _, member = world.member(instance_id)
    if member.state != "running":
        raise LocalAwsError(f"the instance {instance_id} is {member.state}; only running ones have a status")
    now = world.clock.now()
    member.checked_at = min(member.checked_at or 0.0, now)
    member.impaired_since = now if status == "impaired" else None


def status_view(world: World, member: Member, view: dict[str, Any]) -> dict[str, Any]:
    """Both checks of an instance, whose state is the view's, as far as they are visible yet."""
    seen_until = world.clock.now() - world.faults.lag_s
    if view["State"]["Name"] != "running":
        check: dict[str, Any] = {"Status": "not-applicable"}
    elif member.checked_at is not None and member.checked_at > seen_until:
        check = _check("initializing")
    elif member.impaired_since is not None:
        check = _check("impaired", datetime.fromtimestamp(member.impaired_since, UTC))
    else:
        check = _check("ok")
    return {
        "AvailabilityZone": view["Placement"]["AvailabilityZone"],
        "InstanceId": view["InstanceId"],
        "InstanceState": view["State"],
        "InstanceStatus": check,
        "SystemStatus": check,
    }


def _check(status: str, since: datetime | None = None) -> dict[str, Any]:
    detail = {"Name": "reachability", "Status": _REACHABILITY[status], "ImpairedSince": since}
    return {"Status": status, "Details": [detail]}
