"""DescribeInstances and DescribeInstanceStatus: by instance, page by page, as far as they are visible yet.

EC2 API Reference, DescribeInstances, DescribeInstanceStatus; EC2 Developer Guide, "Eventual consistency in
the Amazon EC2 API".
"""

from __future__ import annotations

from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections import lag, paging, states
from local_aws.corrections.filters import STATUS_PATHS, instance_filter, view_filter
from local_aws.corrections.registry import check, handler
from local_aws.corrections.status import status_view
from local_aws.world import Member, World

MAX_STATUS_IDS = 100


@handler("ec2:DescribeInstances")
def describe_instances(world: World, call: Call) -> dict[str, Any]:
    """One page of instances, grouped by reservation."""
    rows = _rows(world, call)
    page, token = paging.page(rows, call.params, ids_given=bool(call.params.get("InstanceIds")))
    reservations: dict[str, dict[str, Any]] = {}
    for member, view in page:
        reservation = reservations.setdefault(
            member.reservation_id,
            {"ReservationId": member.reservation_id, "OwnerId": world.account, "Groups": [], "Instances": []},
        )
        reservation["Instances"].append(view)
    return {"Reservations": list(reservations.values()), "NextToken": token}


@check("ec2:DescribeInstanceStatus")
def few_ids(world: World, call: Call) -> None:
    """100 ids at most; AWS does not document the error."""
    if len(call.params.get("InstanceIds") or []) > MAX_STATUS_IDS:
        text = f"The request names more than {MAX_STATUS_IDS} instances."
        raise AwsError("RequestResourceCountExceeded", text)


@handler("ec2:DescribeInstanceStatus")
def describe_status(world: World, call: Call) -> dict[str, Any]:
    """Running instances, or all with IncludeAllInstances, with both of their checks."""
    passes = view_filter(call.params.get("Filters") or [], STATUS_PATHS)
    everything = bool(call.params.get("IncludeAllInstances"))
    rows = []
    for member, view in _visible(world, call):
        if everything or view["State"]["Name"] == "running":
            row = status_view(world, member, view)
            if passes(row):
                rows.append(row)
    page, token = paging.page(rows, call.params, ids_given=bool(call.params.get("InstanceIds")))
    return {"InstanceStatuses": page, "NextToken": token}


def _rows(world: World, call: Call) -> list[tuple[Member, dict[str, Any]]]:
    passes = instance_filter(call.params.get("Filters") or [])
    rows = _visible(world, call)
    return [(member, view) for member, view in rows if passes(view, member.reservation_id, world.account)]


def _visible(world: World, call: Call) -> list[tuple[Member, dict[str, Any]]]:
    region = world.region(call.region)
    wanted = call.params.get("InstanceIds") or []
    rows = []
    for member in states.find(region, wanted) if wanted else region.members.values():
        view = lag.visible(world, member)
        if view is None and wanted:
            text = f"The instance ID '{member.id}' does not exist"
            raise AwsError("InvalidInstanceID.NotFound", text)
        if view is not None:
            rows.append((member, view))
    return rows
