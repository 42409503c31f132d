"""States of instances over time, and what is allowed in which.

EC2 User Guide, "Amazon EC2 instance state changes"; API Reference, TerminateInstances (protected instances
and zones, all or nothing on a bad id), StopInstances, StartInstances (see fit.py), RebootInstances.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_aws.call import AwsError, Call
from local_aws.corrections import capacity, credentials, shutdown, status
from local_aws.corrections.fit import Machine, check_abilities, check_offered
from local_aws.corrections.registry import check, handler
from local_aws.gate import chance
from local_aws.world import CODES, Member, Region, World, set_state

_BY_ID = ("ec2:TerminateInstances", "ec2:StartInstances", "ec2:StopInstances", "ec2:RebootInstances")


def settle(world: World) -> None:
    """Lets everything happen that is due by now; before every call."""
    now = world.clock.now()
    for region in world.regions.values():
        for at, instance_id, what in region.due(now):
            member = region.members.get(instance_id)
            if member is None:
                continue
            if what == "forget":
                region.forget(member)
            elif _may_become(member.state, what):
                _become(world, region, member, what, at)
        for member in shutdown.due(world, region) if region.watching else ():
            _shut_down(world, region, member)


def begin(world: World, region: Region, member: Member, through: str, to: str, seconds: float) -> None:
    """Puts an instance into the state `through`, and into `to` after some seconds (at once if zero)."""
    set_state(member, through)
    now = world.clock.now()
    if seconds > 0:
        region.schedule(now + seconds, member.id, to)
    else:
        _become(world, region, member, to, now)


def find(region: Region, instance_ids: list[str]) -> list[Member]:
    """The instances with these ids. Raises InvalidInstanceID.NotFound or .Malformed, naming those."""
    for instance_id in instance_ids:
        digits = instance_id.removeprefix("i-")
        if digits == instance_id or not 8 <= len(digits) <= 17 or set(digits) - set("0123456789abcdef"):
            raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')
    missing = [instance_id for instance_id in instance_ids if instance_id not in region.members]
    if missing:
        text = f"The instance ID '{missing[0]}' does not exist"
        if len(missing) > 1:
            text = f"The instance IDs '{', '.join(missing)}' do not exist"
        raise AwsError("InvalidInstanceID.NotFound", text)
    return [region.members[instance_id] for instance_id in dict.fromkeys(instance_ids)]


@check(*_BY_ID)
def ids_exist(world: World, call: Call) -> None:
    """One bad id and nothing happens to any of them."""
    ids = call.params.get("InstanceIds") or []
    if not ids:
        raise AwsError("MissingParameter", "The request must contain the parameter InstanceId")
    if len(ids) > 1000:
        raise AwsError("RequestResourceCountExceeded", "The request names more than 1000 instances.")
    find(world.region(call.region), ids)


@handler("ec2:TerminateInstances")
def terminate(world: World, call: Call) -> dict[str, Any]:
    """A protected instance saves all listed ones of its zone; the others die, and the call still fails."""
    region = world.region(call.region)
    members = find(region, call.params["InstanceIds"])
    by_zone: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        by_zone[member.zone].append(member)
    protected: Member | None = None
    changes = []
    for zone_members in by_zone.values():
        guarded = [item for item in zone_members if item.is_live and _guard(item)]
        if guarded:
            protected = protected or guarded[0]
            continue
        for member in zone_members:
            before = member.state
            if member.is_live:
                _say_why(world, member, "User initiated")
                begin(world, region, member, "shutting-down", "terminated", world.faults.terminate_s)
            changes.append(
                _change(member, before, "terminated" if before == "terminated" else "shutting-down")
            )
    if protected is not None:
        raise AwsError(
            "OperationNotPermitted",
            f"The instance '{protected.id}' may not be terminated. "
            f"Modify its '{_guard(protected)}' instance attribute and try again.",
        )
    return {"TerminatingInstances": changes}


def _guard(member: Member) -> str:
    """The attribute that keeps an instance from being terminated, if one does.

    Protection against stopping protects from termination too: User Guide, "Enable stop protection"
    (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-stop-protection.html).
    """
    if member.instance.disable_api_termination:
        return "disableApiTermination"
    return "disableApiStop" if member.instance.disable_api_stop else ""


@check("ec2:StopInstances")
def may_stop(world: World, call: Call) -> None:
    """Running instances stop; protected ones and those of one-time Spot requests do not."""
    for member in find(world.region(call.region), call.params["InstanceIds"]):
        if member.state not in ("running", "stopping", "stopped"):
            raise _wrong_state(member, "stopped")
        if member.market == "spot":
            text = (
                f"You can't stop the Spot Instance '{member.id}' because it is associated with a one-time "
                "Spot Instance request. You can only stop Spot Instances associated with persistent Spot "
                "Instance requests."
            )
            raise AwsError("UnsupportedOperation", text)
        if member.instance.disable_api_stop:
            text = f"The instance '{member.id}' may not be stopped. Modify its 'disableApiStop' attribute."
            raise AwsError("OperationNotPermitted", text)


@handler("ec2:StopInstances")
def stop(world: World, call: Call) -> dict[str, Any]:
    """Through stopping to stopped."""
    region = world.region(call.region)
    changes = []
    for member in find(region, call.params["InstanceIds"]):
        before = member.state
        if before == "running":
            member.instance.stop()
            begin(world, region, member, "stopping", "stopped", world.faults.stop_s)
        changes.append(_change(member, before, "stopped" if before == "stopped" else "stopping"))
    return {"StoppingInstances": changes}


@check("ec2:StartInstances")
def may_start(world: World, call: Call) -> None:
    """Only what is stopped starts, as a type that it can be, where the type is offered."""
    region = world.region(call.region)
    for member in find(region, call.params["InstanceIds"]):
        if member.state not in ("stopped", "pending", "running"):
            raise _wrong_state(member, "started")
        kind = str(member.instance.instance_type)
        if member.state != "stopped" or kind not in INSTANCE_TYPES:
            continue
        check_abilities(machine_of(member), kind)
        check_offered(region, kind, member.zone)


def machine_of(member: Member) -> Machine:
    """What an instance asks of a type."""
    instance = member.instance
    return Machine(
        instance.architecture,
        instance.virtualization_type,
        bool(instance.ena_support),
        bool(instance.ebs_optimized),
    )


@handler("ec2:StartInstances")
def start(world: World, call: Call) -> dict[str, Any]:
    """Through pending to running."""
    region = world.region(call.region)
    changes = []
    members = find(region, call.params["InstanceIds"])
    states = [(member, member.state) for member in members]
    capacity.grant_start(world, region, [member for member, before in states if before == "stopped"])
    for member, before in states:
        if before == "stopped":
            member.instance.start()
            credentials.start(world, region, member)
            member.instance.launch_time = world.clock.today()
            begin(world, region, member, "pending", "running", world.faults.boot_s)
        changes.append(_change(member, before, "running" if before == "running" else "pending"))
    return {"StartingInstances": changes}


@check("ec2:RebootInstances")
def may_reboot(world: World, call: Call) -> None:
    """Only what runs reboots; moto would make anything running."""
    for member in find(world.region(call.region), call.params["InstanceIds"]):
        if member.state not in ("running", "pending"):
            raise _wrong_state(member, "rebooted")


def _shut_down(world: World, region: Region, member: Member) -> None:
    """A shutdown from within, which stops an instance or terminates it, as its attribute says."""
    if shutdown.stops(member):
        member.instance.stop()
        shutdown.say_why(member)
        begin(world, region, member, "stopping", "stopped", world.faults.stop_s)
    else:
        shutdown.say_why(member)
        begin(world, region, member, "shutting-down", "terminated", world.faults.terminate_s)


def _may_become(state: str, to: str) -> bool:
    allowed = {"pending": "running", "stopping": "stopped", "shutting-down": "terminated"}
    return allowed.get(state) == to


def _become(world: World, region: Region, member: Member, to: str, at: float) -> None:
    if to == "running" and (why := member.launch_error or _boot_error(world, member)):
        code = why.partition(":")[0]
        member.instance.state_reason.code, member.instance.state_reason.message = code, why
        member.instance._reason = code
        to = "terminated"
    if to == "terminated":
        _die(world, region, member)
    else:
        set_state(member, to)
    if to == "running":
        status.begin(world, member, at)
        shutdown.boot(region, member)
        member.boots.append(at)


def _die(world: World, region: Region, member: Member) -> None:
    """Terminated instances lose interfaces, volumes and profile, stay visible for a while, and vanish."""
    for interface in member.instance.nics.values():
        if interface.delete_on_termination is None:
            interface.delete_on_termination = True
    reason = (member.instance._reason, member.instance.state_reason)
    member.instance.terminate()
    member.instance._reason, member.instance.state_reason = reason
    set_state(member, "terminated")
    now = world.clock.now()
    if (association := region.association_of(member.id)) is not None:
        region.dissociate(association, now)
    member.instance.iam_instance_profile = None
    region.schedule(now + world.faults.terminated_visible_s, member.id, "forget")


def _boot_error(world: World, member: Member) -> str:
    fails = chance(world.faults.seed, "boot", member.id) < world.faults.boot_failure_share
    return "Server.InternalError: Internal error on launch" if fails else ""


def _say_why(world: World, member: Member, who: str) -> None:
    member.instance._reason = f"{who} ({world.clock.today():%Y-%m-%d %H:%M:%S} GMT)"
    member.instance.state_reason.code = "Client.UserInitiatedShutdown"
    member.instance.state_reason.message = "Client.UserInitiatedShutdown: User initiated shutdown"


def _change(member: Member, before: str, after: str) -> dict[str, Any]:
    return {
        "InstanceId": member.id,
        "CurrentState": {"Code": CODES[after], "Name": after},
        "PreviousState": {"Code": CODES[before], "Name": before},
    }


def _wrong_state(member: Member, verb: str) -> AwsError:
    text = f"The instance '{member.id}' is not in a state from which it can be {verb}."
    return AwsError("IncorrectInstanceState", text)
