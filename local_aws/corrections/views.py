"""An instance as DescribeInstances and RunInstances show it: EC2 API Reference, data type Instance."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from local_aws.world import Member


def instance_view(member: Member) -> dict[str, Any]:
    """The instance as a dict by the service model. Terminated instances have no network and no disks left."""
    instance = member.instance
    gone = member.state == "terminated"
    interfaces = [] if gone else [_interface(item) for item in instance.nics.values()]
    primary = interfaces[0] if interfaces else {}
    reason = instance.state_reason
    options = instance.metadata_options
    view: dict[str, Any] = {
        "AmiLaunchIndex": instance.ami_launch_index,
        "ImageId": instance.image_id,
        "InstanceId": instance.id,
        "InstanceType": instance.instance_type,
        "KeyName": instance.key_name,
        "LaunchTime": instance.launch_time,
        "Monitoring": {"State": instance.monitoring_state},
        "Placement": {
            "AvailabilityZone": instance.placement.zone,
            "GroupName": member.group_name,
            "Tenancy": member.tenancy,
            "HostId": instance.placement.host_id,
        },
        "Platform": instance.platform if instance.platform == "windows" else None,
        "PrivateDnsName": "" if gone else instance.private_dns_name,
        "PrivateIpAddress": primary.get("PrivateIpAddress"),
        "ProductCodes": [],
        "PublicDnsName": "" if gone else instance.public_dns_name or "",
        "PublicIpAddress": None if gone else instance.public_ip,
        "State": {"Code": instance._state.code, "Name": instance._state.name},
        "StateTransitionReason": instance._reason or "",
        "SubnetId": primary.get("SubnetId"),
        "VpcId": primary.get("VpcId"),
        "Architecture": instance.architecture,
        "BlockDeviceMappings": [] if gone else _devices(instance),
        "ClientToken": instance.client_token or "",
        "EbsOptimized": bool(instance.ebs_optimized),
        "EnaSupport": instance.ena_support,
        "Hypervisor": "xen",
        "IamInstanceProfile": dict(instance.iam_instance_profile) if instance.iam_instance_profile else None,
        "InstanceLifecycle": instance.lifecycle,
        "NetworkInterfaces": interfaces,
        "RootDeviceName": instance.root_device_name,
        "RootDeviceType": instance.root_device_type,
        "SecurityGroups": primary.get("Groups", []),
        "SpotInstanceRequestId": member.spot_request,
        # An instance with several interfaces is changed by the interface: API_ModifyInstanceAttribute.
        "SourceDestCheck": primary.get("SourceDestCheck"),
        "StateReason": {"Code": reason.code, "Message": reason.message} if reason.code else None,
        "Tags": tags_of(member) or None,
        "VirtualizationType": instance.virtualization_type,
        "HibernationOptions": {"Configured": bool((instance.hibernation_options or {}).get("Configured"))},
        "MetadataOptions": {
            "State": options.state,
            "HttpTokens": options.http_tokens,
            "HttpPutResponseHopLimit": options.http_put_response_hop_limit,
            "HttpEndpoint": options.http_endpoint,
            "HttpProtocolIpv6": options.http_protocol_ipv6,
            "InstanceMetadataTags": options.instance_metadata_tags,
        },
        "Ipv6Address": next((item["Ipv6Address"] for item in primary.get("Ipv6Addresses", [])), None),
        **options_of(member),
    }
    return view


def options_of(member: Member) -> dict[str, Any]:
    """The options that have operations of their own, with what an instance has without being told."""
    given = member.launch
    return {
        "CpuOptions": {
            **default_cpu(str(member.instance.instance_type)),
            **(given.get("CpuOptions") or {}),
        },
        "EnclaveOptions": {"Enabled": bool((given.get("EnclaveOptions") or {}).get("Enabled"))},
        "MaintenanceOptions": {
            "AutoRecovery": "default",
            "RebootMigration": "default",
            **(given.get("MaintenanceOptions") or {}),
        },
        "PrivateDnsNameOptions": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": False,
            "EnableResourceNameDnsAAAARecord": False,
            **(given.get("PrivateDnsNameOptions") or {}),
        },
        "CapacityReservationSpecification": given.get("CapacityReservationSpecification")
        or {"CapacityReservationPreference": "open"},
    }


def default_cpu(kind: str) -> dict[str, Any]:
    """The cores and threads that an instance type has by itself; nothing of a type that is not known."""
    about: dict[str, Any] = INSTANCE_TYPES.get(kind) or {}
    cpu = about.get("VCpuInfo") or {}
    names = {"CoreCount": "DefaultCores", "ThreadsPerCore": "DefaultThreadsPerCore"}
    return {name: cpu[field] for name, field in names.items() if field in cpu}


def is_burstable(kind: str) -> bool:
    """Whether an instance type has CPU credits."""
    about: dict[str, Any] = INSTANCE_TYPES.get(kind) or {}
    return bool(about.get("BurstablePerformanceSupported"))


def credits_of(member: Member) -> str:
    """The credit option: `standard` or `unlimited`, which T3 and later are by default."""
    given: str | None = (member.launch.get("CreditSpecification") or {}).get("CpuCredits")
    kind = str(member.instance.instance_type)
    by_itself = "unlimited" if is_burstable(kind) and not kind.startswith("t2.") else "standard"
    return given or ("standard" if member.tenancy == "host" else by_itself)


def tags_of(member: Member) -> list[dict[str, str]]:
    """The tags of an instance."""
    tags = member.instance.ec2_backend.tags
    return (
        [{"Key": key, "Value": value} for key, value in tags[member.id].items()] if member.id in tags else []
    )


def _interface(interface: Any) -> dict[str, Any]:
    groups = [{"GroupId": group.id, "GroupName": group.name} for group in groups_of(interface)]
    public = interface.public_ip
    owner = interface.owner_id
    # An Elastic IP address is its account's: API Reference, data type InstanceNetworkInterfaceAssociation.
    is_elastic = any(address.public_ip == public for address in interface.ec2_backend.addresses)
    association = _association(public, owner if is_elastic else "amazon") if public else None
    address = {"Primary": True, "PrivateIpAddress": interface.private_ip_address, "Association": association}
    return {
        "Association": association,
        "Attachment": {
            "AttachTime": interface.attach_time,
            "AttachmentId": interface.attachment_id,
            "DeleteOnTermination": interface.delete_on_termination is not False,
            "DeviceIndex": interface.device_index,
            "Status": "attached",
            "NetworkCardIndex": 0,
        },
        "Description": interface.description,
        "Groups": groups,
        "Ipv6Addresses": [{"Ipv6Address": item} for item in interface.ipv6_addresses],
        "MacAddress": interface.mac_address,
        "NetworkInterfaceId": interface.id,
        "OwnerId": owner,
        "PrivateIpAddress": interface.private_ip_address,
        "PrivateIpAddresses": [address],
        "SourceDestCheck": bool(interface.source_dest_check),
        "Status": "in-use",
        "SubnetId": interface.subnet.id,
        "VpcId": interface.subnet.vpc_id,
        "InterfaceType": "interface",
    }


def _association(public: str, owner: str) -> dict[str, str]:
    return {"IpOwnerId": owner, "PublicDnsName": "", "PublicIp": public}


def groups_of(interface: Any) -> list[Any]:
    """The security groups of a network interface, each once, in the order given."""
    return list({group.id: group for group in interface._group_set}.values())


def _devices(instance: Any) -> list[dict[str, Any]]:
    return [
        {
            "DeviceName": name,
            "Ebs": {
                "AttachTime": device.attach_time,
                "DeleteOnTermination": bool(device.delete_on_termination),
                "Status": "attached",
                "VolumeId": device.volume_id,
            },
        }
        for name, device in instance.block_device_mapping.items()
    ]
