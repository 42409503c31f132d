"""Options that a launch gives an instance, each with an operation of its own that changes it later.

EC2 API Reference, RunInstances, ModifyInstanceCreditSpecification, DescribeInstanceCreditSpecifications,
ModifyInstanceCpuOptions, ModifyInstanceMaintenanceOptions, ModifyPrivateDnsNameOptions
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceCpuOptions.html and so on); User
Guide, "Burstable performance instances" (T2 is standard by default, later ones unlimited), "Rules for
specifying CPU options" (cores and threads together, of the values that the type has; none on bare metal; a
new type has its defaults), "Enable stop protection" (not for Spot Instances), "Change resource based naming
options" (the hostname type changes while the instance is stopped). "Error codes":
InstanceCreditSpecification.NotSupported. moto has none of these operations and forgets what a launch said.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_aws.call import AwsError, Call
from local_aws.corrections import paging, spot, states
from local_aws.corrections.registry import check, handler
from local_aws.corrections.views import credits_of, default_cpu, is_burstable, options_of
from local_aws.world import Member, World

# What a launch says of them is kept with the instance.
KEPT = (
    "CpuOptions",
    "EnclaveOptions",
    "CreditSpecification",
    "MaintenanceOptions",
    "PrivateDnsNameOptions",
    "CapacityReservationSpecification",
)
MAX_CREDIT_IDS = 1000


def check_launch(params: dict[str, Any]) -> None:
    """Raises an AwsError for options that an instance of the type and market cannot have."""
    kind = params.get("InstanceType") or "m1.small"
    asked = (params.get("CreditSpecification") or {}).get("CpuCredits")
    tenancy = (params.get("Placement") or {}).get("Tenancy")
    if asked and (problem := _credit_problem(kind, tenancy, asked)):
        raise problem
    check_cpu(kind, params.get("CpuOptions") or {})
    _check_values({**(params.get("MaintenanceOptions") or {}), **(params.get("PrivateDnsNameOptions") or {})})
    if params.get("DisableApiStop") and spot.market(params) == "spot":
        text = "The disableApiStop parameter is not supported for spot instances."
        raise AwsError("UnsupportedOperation", text)


@check("ec2:ModifyInstanceMaintenanceOptions", "ec2:ModifyPrivateDnsNameOptions")
def values(world: World, call: Call) -> None:
    """Values that exist."""
    _check_values(call.params)


def _check_values(given: dict[str, Any]) -> None:
    known = {
        "AutoRecovery": ("default", "disabled"),
        "HostnameType": ("ip-name", "resource-name"),
        "PrivateDnsHostnameType": ("ip-name", "resource-name"),
    }
    for name, allowed in known.items():
        if given.get(name) not in (None, *allowed):
            text = f"Value ({given[name]}) for parameter {name[0].lower()}{name[1:]} is invalid."
            raise AwsError("InvalidParameterValue", text)


def check_cpu(kind: str, options: dict[str, Any]) -> None:
    """Raises InvalidParameterCombination or -Value for CPU options that a type cannot have."""
    cores, threads = options.get("CoreCount"), options.get("ThreadsPerCore")
    if cores is None and threads is None:
        return
    if cores is None or threads is None:
        text = "You must specify both the number of CPU cores and threads per core."
        raise AwsError("InvalidParameterCombination", text)
    about: dict[str, Any] = INSTANCE_TYPES[kind]
    if about.get("BareMetal"):
        text = f"CPU options are not supported for the bare metal instance type {kind}."
        raise AwsError("InvalidParameterCombination", text)
    cpu = about["VCpuInfo"]
    valid = {
        "core count": (cores, cpu.get("ValidCores") or [cpu["DefaultCores"]]),
        "threads per core": (threads, cpu.get("ValidThreadsPerCore") or [cpu["DefaultThreadsPerCore"]]),
    }
    for name, (asked, known) in valid.items():
        if asked not in known:
            text = f"The {name} value must be one of {', '.join(map(str, known))} for {kind}, not {asked}."
            raise AwsError("InvalidParameterValue", text)


def forget_cpu(member: Member) -> None:
    """What the CPU options become with another instance type: its defaults."""
    member.launch = {key: value for key, value in member.launch.items() if key != "CpuOptions"}


@check("ec2:ModifyInstanceCpuOptions")
def may_modify_cpu(world: World, call: Call) -> None:
    """The instance is stopped, and its type has such cores and threads."""
    member = _member(world, call)
    check_cpu(str(member.instance.instance_type), {"CoreCount": None, "ThreadsPerCore": None, **call.params})
    _is_stopped(member)


@handler("ec2:ModifyInstanceCpuOptions")
def modify_cpu(world: World, call: Call) -> dict[str, Any]:
    """Other cores and threads."""
    member = _member(world, call)
    changed = _keep(
        member, "CpuOptions", call.params, ("CoreCount", "ThreadsPerCore", "NestedVirtualization")
    )
    return {"InstanceId": member.id, **default_cpu(str(member.instance.instance_type)), **changed}


@check("ec2:ModifyInstanceMaintenanceOptions")
def may_modify_maintenance(world: World, call: Call) -> None:
    """The instance is running or stopped."""
    _is_settled(_member(world, call))


@handler("ec2:ModifyInstanceMaintenanceOptions")
def modify_maintenance(world: World, call: Call) -> dict[str, Any]:
    """Other behaviour when the hardware fails."""
    member = _member(world, call)
    _keep(member, "MaintenanceOptions", call.params, ("AutoRecovery", "RebootMigration"))
    return {"InstanceId": member.id, **options_of(member)["MaintenanceOptions"]}


@check("ec2:ModifyPrivateDnsNameOptions")
def may_modify_dns(world: World, call: Call) -> None:
    """The instance is stopped for another hostname type, else running or stopped."""
    member = _member(world, call)
    _is_settled(member)
    asked = call.params.get("PrivateDnsHostnameType")
    if asked and asked != options_of(member)["PrivateDnsNameOptions"]["HostnameType"]:
        _is_stopped(member)


@handler("ec2:ModifyPrivateDnsNameOptions")
def modify_dns(world: World, call: Call) -> dict[str, Any]:
    """Changes what is given."""
    member, params = _member(world, call), dict(call.params)
    if kind := params.pop("PrivateDnsHostnameType", None):
        params["HostnameType"] = kind
    records = ("EnableResourceNameDnsARecord", "EnableResourceNameDnsAAAARecord")
    _keep(member, "PrivateDnsNameOptions", params, ("HostnameType", *records))
    return {"Return": True}


@handler("ec2:ModifyInstanceCreditSpecification")
def modify_credit(world: World, call: Call) -> dict[str, Any]:
    """Each instance by itself: the answer says which were changed, and why the others were not."""
    region = world.region(call.region)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for row in call.params.get("InstanceCreditSpecifications") or []:
        named, asked = row.get("InstanceId") or "", row.get("CpuCredits")
        try:
            (member,) = states.find(region, [named])
            _is_settled(member)
            if problem := _credit_problem(str(member.instance.instance_type), member.tenancy, asked):
                raise problem
        except AwsError as error:
            failed.append({"InstanceId": named, "Error": {"Code": error.code, "Message": error.message}})
            continue
        _keep(member, "CreditSpecification", row, ("CpuCredits",))
        done.append({"InstanceId": member.id})
    return {
        "SuccessfulInstanceCreditSpecifications": done,
        "UnsuccessfulInstanceCreditSpecifications": failed,
    }


@check("ec2:DescribeInstanceCreditSpecifications")
def few_ids(world: World, call: Call) -> None:
    """1000 ids at most, all of which exist."""
    ids = call.params.get("InstanceIds") or []
    if len(ids) > MAX_CREDIT_IDS:
        raise AwsError("RequestResourceCountExceeded", f"The request names more than {MAX_CREDIT_IDS} ids.")
    states.find(world.region(call.region), ids)


@handler("ec2:DescribeInstanceCreditSpecifications")
def describe_credit(world: World, call: Call) -> dict[str, Any]:
    """Those that are named; without names and filters burstable ones that are unlimited."""
    region = world.region(call.region)
    ids = call.params.get("InstanceIds") or []
    named = [
        value
        for item in call.params.get("Filters") or []
        if item.get("Name") == "instance-id"
        for value in item.get("Values") or []
    ]
    members = states.find(region, ids) if ids else list(region.members.values())
    rows = [
        {"InstanceId": member.id, "CpuCredits": credits_of(member)}
        for member in members
        if ids or (member.id in named if named else _is_unlimited(member))
    ]
    page, token = paging.page(rows, call.params, ids_given=bool(ids))
    return {"InstanceCreditSpecifications": page, "NextToken": token}


def _is_unlimited(member: Member) -> bool:
    return is_burstable(str(member.instance.instance_type)) and credits_of(member) == "unlimited"


def _credit_problem(kind: str, tenancy: str | None, asked: str | None) -> AwsError | None:
    if asked not in ("standard", "unlimited"):
        return AwsError("InvalidParameterValue", f"Value ({asked}) for parameter cpuCredits is invalid.")
    if not is_burstable(kind):
        text = f"The {kind} instance type does not support T2 Unlimited."
        return AwsError("InstanceCreditSpecification.NotSupported", text)
    if asked == "unlimited" and kind.startswith("t3.") and tenancy == "host":
        text = "T3 instances with host tenancy do not support the unlimited CPU credit option."
        return AwsError("InstanceCreditSpecification.NotSupported", text)
    return None


def _member(world: World, call: Call) -> Member:
    (member,) = states.find(world.region(call.region), [call.params.get("InstanceId") or ""])
    return member


def _is_stopped(member: Member) -> None:
    if member.state != "stopped":
        raise AwsError("IncorrectInstanceState", f"The instance '{member.id}' is not in the 'stopped' state.")


def _is_settled(member: Member) -> None:
    if member.state not in ("running", "stopped"):
        text = f"The instance '{member.id}' is not in the 'running' or 'stopped' state."
        raise AwsError("IncorrectInstanceState", text)


def _keep(member: Member, name: str, params: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """Puts what is given in place of what was; a new value, because what was shown stays as it was shown."""
    given = {field: params[field] for field in fields if params.get(field) is not None}
    member.launch = {**member.launch, name: {**(member.launch.get(name) or {}), **given}}
    changed: dict[str, Any] = member.launch[name]
    return changed
