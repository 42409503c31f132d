"""DescribeInstances and DescribeInstanceStatus: by instance, page by page, as far as they are visible yet.

EC2 API Reference, DescribeInstances, DescribeInstanceStatus; EC2 Developer Guide, "Eventual consistency in
the Amazon EC2 API".
"""

from __future__ import annotations

from typing import Any

from provisioner.local.call import AwsError, Call
from provisioner.local.corrections import lag, paging, states
from provisioner.local.corrections.filters import instance_filter
from provisioner.local.corrections.registry import handler
from provisioner.local.world import Member, Region, World


@handler("ec2:DescribeInstances")
def describe_instances(world: World, call: Call) -> dict[str, Any]:
    """One page of instances, grouped by reservation."""
    region = world.region(call.region)
    rows = _rows(world, region, call)
    page, token = paging.page(rows, call.params, ids_given=bool(call.params.get("InstanceIds")))
    reservations: dict[str, dict[str, Any]] = {}
    for member, view in page:
        reservation = reservations.setdefault(
            member.reservation_id,
            {"ReservationId": member.reservation_id, "OwnerId": world.account, "Groups": [], "Instances": []},
        )
        reservation["Instances"].append(view)
    return {"Reservations": list(reservations.values()), "NextToken": token}


@handler("ec2:DescribeInstanceStatus")
def describe_status(world: World, call: Call) -> dict[str, Any]:
    """Running instances, or all with IncludeAllInstances. Status checks of a running instance have passed."""
    region = world.region(call.region)
    everything = bool(call.params.get("IncludeAllInstances"))
    rows = [
        view for _, view in _rows(world, region, call) if everything or view["State"]["Name"] == "running"
    ]
    page, token = paging.page(rows, call.params, ids_given=bool(call.params.get("InstanceIds")))
    return {"InstanceStatuses": [_status(view) for view in page], "NextToken": token}


def _rows(world: World, region: Region, call: Call) -> list[tuple[Member, dict[str, Any]]]:
    wanted = call.params.get("InstanceIds") or []
    members = states.find(region, wanted) if wanted else list(region.members.values())
    passes = instance_filter(call.params.get("Filters") or [])
    rows = []
    for member in members:
        view = lag.visible(world, member)
        if view is None and wanted:
            text = f"The instance ID '{member.id}' does not exist"
            raise AwsError("InvalidInstanceID.NotFound", text)
        if view is not None and passes(view, member.reservation_id, world.account):
            rows.append((member, view))
    return rows


def _status(view: dict[str, Any]) -> dict[str, Any]:
    running = view["State"]["Name"] == "running"
    passed = {"Details": [{"Name": "reachability", "Status": "passed"}], "Status": "ok"}
    status = passed if running else {"Status": "not-applicable"}
    return {
        "AvailabilityZone": view["Placement"]["AvailabilityZone"],
        "InstanceId": view["InstanceId"],
        "InstanceState": view["State"],
        "InstanceStatus": status,
        "SystemStatus": status,
    }
