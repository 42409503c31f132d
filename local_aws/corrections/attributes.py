"""Attributes of one instance: read, changed, and in which state they may be changed.

EC2 API Reference: ModifyInstanceAttribute (one attribute per call; type, user data, kernel, RAM disk and EBS
optimisation of stopped instances only), DescribeInstanceAttribute, ModifyInstanceMetadataOptions (what is
not given stays), MonitorInstances, UnmonitorInstances. moto changes running instances, clears the groups
when the shutdown behaviour is set, wants user data encoded twice, resets metadata options that are not
given, and does not know monitoring.
"""

from __future__ import annotations

import base64
from typing import Any

from moto.core.types import Base64EncodedString
from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_aws.call import AwsError, Call, not_implemented
from local_aws.corrections import lag, options, security_groups, states
from local_aws.corrections.fit import check_type
from local_aws.corrections.registry import check, handler
from local_aws.corrections.states import machine_of
from local_aws.corrections.views import groups_of, instance_view
from local_aws.world import Member, World

_STOPPED_ONLY = {
    "InstanceType",
    "UserData",
    "Kernel",
    "Ramdisk",
    "EbsOptimized",
    "EnaSupport",
    "SriovNetSupport",
    "EnclaveOptions",
}
_FIELDS = {
    "InstanceType": "instance_type",
    "Kernel": "kernel",
    "Ramdisk": "ramdisk",
    "EbsOptimized": "ebs_optimized",
    "EnaSupport": "ena_support",
    "SourceDestCheck": "source_dest_check",
    "DisableApiTermination": "disable_api_termination",
    "DisableApiStop": "disable_api_stop",
    "InstanceInitiatedShutdownBehavior": "instance_initiated_shutdown_behavior",
}
_METADATA = {
    "HttpTokens": "http_tokens",
    "HttpPutResponseHopLimit": "http_put_response_hop_limit",
    "HttpEndpoint": "http_endpoint",
    "HttpProtocolIpv6": "http_protocol_ipv6",
    "InstanceMetadataTags": "instance_metadata_tags",
}
# Given as they are, and not as {"Value": ...}.
_WHOLE = ("Groups", "BlockDeviceMappings", "EnclaveOptions")
USER_DATA_LIMIT = 16384


def check_user_data(raw: bytes) -> None:
    """User data has at most 16 KB before it is encoded. Raises InvalidUserData.Malformed."""
    if len(raw) > USER_DATA_LIMIT:
        raise AwsError("InvalidUserData.Malformed", f"User data is limited to {USER_DATA_LIMIT} bytes")


@check("ec2:ModifyInstanceAttribute")
def may_modify(world: World, call: Call) -> None:
    """One attribute, of an instance in a state that allows the change, with values that exist."""
    (member,) = states.find(world.region(call.region), [call.params.get("InstanceId") or ""])
    name, value = _given(call.params)
    if not member.is_live:
        raise AwsError("IncorrectInstanceState", f"The instance '{member.id}' is {member.state}.")
    if name in _STOPPED_ONLY and member.state != "stopped":
        raise AwsError("IncorrectInstanceState", f"The instance '{member.id}' is not in the 'stopped' state.")
    if name == "UserData":
        check_user_data(value)
    if name == "InstanceType" and value not in INSTANCE_TYPES:
        text = f"Invalid value '{value}' for InstanceType."
        raise AwsError("InvalidInstanceAttributeValue", text)
    if name == "InstanceType":
        check_type(machine_of(member), value, "InvalidInstanceAttributeValue")
    if name == "InstanceInitiatedShutdownBehavior" and value not in ("stop", "terminate"):
        text = f"Value ({value}) for parameter instanceInitiatedShutdownBehavior is invalid."
        raise AwsError("InvalidParameterValue", text)
    if name == "Groups":
        _check_groups(world, call, member, value)


@handler("ec2:ModifyInstanceAttribute")
def modify(world: World, call: Call) -> dict[str, Any]:
    """Changes the attribute."""
    region = world.region(call.region)
    (member,) = states.find(region, [call.params["InstanceId"]])
    instance = member.instance
    name, value = _given(call.params)
    if name == "Groups":
        groups = [region.backend.get_security_group_from_id(group_id) for group_id in dict.fromkeys(value)]
        instance.nics[0]._group_set = groups
    elif name == "UserData":
        instance.user_data = Base64EncodedString(base64.b64encode(value).decode())
    elif name == "EnclaveOptions":
        member.launch = {**member.launch, name: value}
    elif name == "BlockDeviceMappings":
        for mapping in value:
            device = instance.block_device_mapping.get(mapping.get("DeviceName"))
            if device is None:
                text = f"No device is currently mapped at {mapping.get('DeviceName')}"
                raise AwsError("InvalidInstanceAttributeValue", text)
            device.delete_on_termination = bool((mapping.get("Ebs") or {}).get("DeleteOnTermination"))
    else:
        setattr(instance, _FIELDS[name], value)
        if name == "InstanceType":
            options.forget_cpu(member)
        if name == "SourceDestCheck":
            instance.nics[0].source_dest_check = value
    return {}


@handler("ec2:DescribeInstanceAttribute")
def describe(world: World, call: Call) -> dict[str, Any]:
    """One attribute of one instance."""
    (member,) = states.find(world.region(call.region), [call.params.get("InstanceId") or ""])
    if lag.visible(world, member) is None:
        raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{member.id}' does not exist")
    instance = member.instance
    name = call.params.get("Attribute") or ""
    field = name[:1].upper() + name[1:]
    view = instance_view(member)
    result: dict[str, Any] = {"InstanceId": member.id}
    if name == "userData":
        result[field] = {"Value": str(instance.user_data)} if instance.user_data else {}
    elif name == "groupSet":
        groups = groups_of(instance.nics[0]) if instance.nics and member.state != "terminated" else []
        result["Groups"] = [{"GroupId": group.id, "GroupName": group.name} for group in groups]
    elif name == "blockDeviceMapping":
        result["BlockDeviceMappings"] = view["BlockDeviceMappings"]
    elif name == "rootDeviceName":
        result[field] = {"Value": instance.root_device_name}
    elif name == "productCodes":
        result[field] = []
    elif name == "enclaveOptions":
        result[field] = view["EnclaveOptions"]
    elif name == "sriovNetSupport":
        result[field] = {"Value": instance.sriov_net_support}
    elif field in _FIELDS and field != "EnaSupport":
        value = getattr(instance, _FIELDS[field])
        result[field] = {} if value is None else {"Value": value}
    else:
        text = f"Value ({name}) for parameter attribute is invalid. Unknown attribute."
        raise AwsError("InvalidParameterValue", text)
    return result


@check("ec2:ModifyInstanceMetadataOptions")
def may_modify_metadata(world: World, call: Call) -> None:
    """The instance is running or stopped."""
    (member,) = states.find(world.region(call.region), [call.params.get("InstanceId") or ""])
    if member.state not in ("running", "stopped"):
        text = f"The instance '{member.id}' is not in the 'running' or 'stopped' state."
        raise AwsError("IncorrectInstanceState", text)


@handler("ec2:ModifyInstanceMetadataOptions")
def modify_metadata(world: World, call: Call) -> dict[str, Any]:
    """Changes what is given; the answer says pending, the instance soon applied."""
    (member,) = states.find(world.region(call.region), [call.params["InstanceId"]])
    for name, field in _METADATA.items():
        if name in call.params:
            setattr(member.instance.metadata_options, field, call.params[name])
    options = {**instance_view(member)["MetadataOptions"], "State": "pending"}
    return {"InstanceId": member.id, "InstanceMetadataOptions": options}


@check("ec2:MonitorInstances", "ec2:UnmonitorInstances")
def monitored_exist(world: World, call: Call) -> None:
    """All ids exist."""
    states.find(world.region(call.region), call.params.get("InstanceIds") or [])


@handler("ec2:MonitorInstances", "ec2:UnmonitorInstances")
def monitor(world: World, call: Call) -> dict[str, Any]:
    """Detailed monitoring on or off; the answer says pending or disabling."""
    on = call.operation == "MonitorInstances"
    rows = []
    for member in states.find(world.region(call.region), call.params.get("InstanceIds") or []):
        member.instance.monitoring_state = "enabled" if on else "disabled"
        rows.append({"InstanceId": member.id, "Monitoring": {"State": "pending" if on else "disabling"}})
    return {"InstanceMonitorings": rows}


def _given(params: dict[str, Any]) -> tuple[str, Any]:
    """The one attribute that a call changes, and its new value."""
    if "Attribute" in params:
        short = params["Attribute"]
        name = "Groups" if short == "groupSet" else short[:1].upper() + short[1:]
        value: Any = params.get("Value")
        if name == "UserData":
            value = base64.b64decode(value or "")
        elif name in (
            "EbsOptimized",
            "EnaSupport",
            "SourceDestCheck",
            "DisableApiTermination",
            "DisableApiStop",
        ):
            value = str(value).lower() == "true"
        given = [(name, value)]
    else:
        given = [
            (name, (params[name] or {}).get("Value")) for name in (*_FIELDS, "UserData") if name in params
        ]
        given += [(name, params[name]) for name in _WHOLE if name in params]
    if len(given) > 1:
        raise AwsError("InvalidParameterCombination", "Fields for multiple attribute types specified")
    if not given:
        raise AwsError("InvalidParameterCombination", "No attributes specified.")
    name, value = given[0]
    if name not in _FIELDS and name not in ("UserData", *_WHOLE):
        raise not_implemented("ec2:ModifyInstanceAttribute", f"Attribute {name}.")
    if name == "UserData":
        value = value.encode() if isinstance(value, str) else value or b""
    return name, value


def _check_groups(world: World, call: Call, member: Member, group_ids: list[str]) -> None:
    region = world.region(call.region)
    if len(member.instance.nics) > 1:
        text = f"There are multiple interfaces attached to instance '{member.id}'. Specify an interface ID."
        raise AwsError("InvalidInstanceID", text)
    for group_id in group_ids:
        security_groups.check_known(world, region, group_id)
        group = security_groups.find(region, group_id)
        if group.vpc_id != member.instance.vpc_id:
            text = (
                f"You have specified two resources that belong to different networks: {group_id}, {member.id}"
            )
            raise AwsError("InvalidGroup.NotFound", text)
