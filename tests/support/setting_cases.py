"""For each setting of a fleet: two values, how EC2 shows which a member has, and how to change it by hand."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from provisioner.kinds.fleet.settings.setting import How, Setting
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.launch_token import Slot, launch_token
from tests.support.cloud import Cloud, as_list, tags_of, where
from tests.support.specs import IMAGE, having

FLEET = "fleet/worker"
LAUNCH_TAG, ASKED_TAG = "provisioner:launch", "provisioner:asked"

# A fleet with nothing around it, so that a case takes little time.
BARE: dict[str, Any] = {
    "environment": "probe",
    "region": "us-east-1",
    "fleets": {"worker": {"count": 2, "image": IMAGE, "instance_type": "t3.micro"}},
}

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """`first` and `second` are values in the spec, or make them; None: the field is left out.

    `has` tells whether EC2 shows that a member has a value. `by_hand` gives the member with this id the value
    behind the program's back, and returns the id of the member that has it then; `sees` are the options with
    which a plan sees that; `around` is what the fleet has to have besides; `brings` are the settings that
    change along with the second value.
    """

    first: Any
    second: Any
    has: Callable[[Cloud, Raw, Any], bool]
    by_hand: Callable[[Cloud, str, Any], str]
    sees: tuple[str, ...] = ()
    around: Mapping[str, Any] = field(default_factory=dict)
    brings: tuple[str, ...] = ()

    def values(self, cloud: Cloud) -> tuple[Any, Any]:
        first, second = (maker(cloud) if callable(maker) else maker for maker in (self.first, self.second))
        return first, second

    def all_have(self, cloud: Cloud, value: Any, other: Any) -> bool:
        """Whether each member has one value, and none the other."""
        members = cloud.live("probe", "worker")
        return bool(members) and all(
            self.has(cloud, member, value) and not self.has(cloud, member, other) for member in members
        )


def settings_that(how: How) -> list[Setting]:
    """The rows of the table that are changed in one way."""
    return [setting for setting in SETTINGS if setting.how is how]


def with_setting(path: str, value: Any) -> dict[str, Any]:
    """The bare fleet with one setting; None: without it."""
    around = {f"fleets__worker__{name}": field_value for name, field_value in CASES[path].around.items()}
    if path.startswith("volumes."):
        value = [{"device": "/dev/sdf", "size_gb": 8, path.removeprefix("volumes."): value}]
        path = "volumes"
    named = "fleets__worker__" + path.replace(".", "__")
    return having(BARE, **around, **({} if value is None else {named: value}))


# --- what EC2 shows


def attribute(cloud: Cloud, member: Raw, name: str) -> Any:
    """One attribute that DescribeInstances does not show."""
    answer = cloud.ec2.describe_instance_attribute(InstanceId=member["InstanceId"], Attribute=name)
    return answer[name[0].upper() + name[1:]].get("Value")


def volumes_of(cloud: Cloud, member: Raw) -> dict[str, Raw]:
    """A member's volumes by their devices; the root's device is called `root`."""
    attached = where("attachment.instance-id", member["InstanceId"])
    volumes = cloud.ec2.describe_volumes(Filters=attached)["Volumes"]
    found = {volume["Attachments"][0]["Device"]: volume for volume in volumes}
    return {"root": found.pop(member["RootDeviceName"]), **found}


def user_data(cloud: Cloud, member: Raw) -> str | None:
    encoded = attribute(cloud, member, "userData")
    return base64.b64decode(encoded).decode() if encoded else None


# --- by hand


def write_in_record(cloud: Cloud, instance: str, **changed: str) -> str:
    """Changes words of a member's launch record, as whoever knows of it would."""
    record = edited(tags_of(cloud.instance(instance))[LAUNCH_TAG], changed)
    cloud.ec2.create_tags(Resources=[instance], Tags=as_list({LAUNCH_TAG: record}))
    return instance


def edited(record: str, changed: Mapping[str, str]) -> str:
    words = dict(word.split("=", 1) for word in record.split())
    assert words.keys() >= changed.keys()
    return " ".join(f"{name}={value}" for name, value in (words | dict(changed)).items())


def modified(cloud: Cloud, instance: str, **params: Any) -> str:
    cloud.ec2.modify_instance_attribute(InstanceId=instance, **params)
    return instance


def modified_while_stopped(cloud: Cloud, instance: str, **params: Any) -> str:
    cloud.ec2.stop_instances(InstanceIds=[instance])
    modified(cloud, instance, **params)
    cloud.ec2.start_instances(InstanceIds=[instance])
    return instance


def exchanged(cloud: Cloud, instance: str, **params: Any) -> str:
    """Terminates a member and launches another as its fleet does, but with other parameters."""
    old = cloud.instance(instance)
    tags = {key: value for key, value in tags_of(old).items() if key != ASKED_TAG}
    options = ("HttpTokens", "HttpEndpoint", "HttpPutResponseHopLimit", "InstanceMetadataTags")
    alike = {
        "ImageId": old["ImageId"],
        "InstanceType": old["InstanceType"],
        "SubnetId": old["SubnetId"],
        "KeyName": old.get("KeyName"),
        "MetadataOptions": {name: old["MetadataOptions"][name] for name in options},
        "TagSpecifications": [{"ResourceType": "instance", "Tags": as_list(tags)}],
    }
    cloud.ec2.terminate_instances(InstanceIds=[instance])
    given = {key: value for key, value in {**alike, **params}.items() if value is not None}
    where_to = params.get("NetworkInterfaces", [given])[0]["SubnetId"]
    (subnet,) = cloud.ec2.describe_subnets(SubnetIds=[where_to])["Subnets"]
    slot = Slot("probe", "worker", subnet["AvailabilityZone"], where_to)
    # Without a token of the fleet it would be nobody's.
    token = launch_token(slot, "", old["InstanceType"], 90)
    launched = cloud.ec2.run_instances(MinCount=1, MaxCount=1, ClientToken=token, **given)["Instances"]
    return str(launched[0]["InstanceId"])


# --- what is around


def group(cloud: Cloud, name: str) -> list[str]:
    """A security group of the default VPC, made if it is not there: its name, in a list."""
    if not cloud.ec2.describe_security_groups(Filters=where("group-name", name))["SecurityGroups"]:
        (vpc,) = cloud.ec2.describe_vpcs(Filters=where("is-default", "true"))["Vpcs"]
        cloud.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc["VpcId"])
    return [name]


def group_ids(cloud: Cloud, names: list[str]) -> list[str]:
    found = cloud.ec2.describe_security_groups(Filters=where("group-name", *names))["SecurityGroups"]
    return [row["GroupId"] for row in found]


def subnets(cloud: Cloud, *zones: str) -> list[str]:
    """The default subnets of some zones, by id."""
    filters = where("default-for-az", "true") + where("availability-zone", *zones)
    found = cloud.ec2.describe_subnets(Filters=filters)["Subnets"]
    return [subnet["SubnetId"] for subnet in sorted(found, key=lambda row: str(row["AvailabilityZone"]))]


def key_pair(cloud: Cloud) -> str:
    cloud.ec2.create_key_pair(KeyName="me")
    return "me"


def image(cloud: Cloud, number: int) -> str:
    found = cloud.ec2.describe_images(Filters=where("architecture", "x86_64") + where("state", "available"))
    # Only images whose root device is a volume, as those of today are.
    on_volumes = (
        described["ImageId"] for described in found["Images"] if described.get("RootDeviceType") == "ebs"
    )
    return str(sorted(on_volumes)[number])


def _metadata(option: str, first: Any, second: Any) -> Case:
    def by_hand(cloud: Cloud, instance: str, value: Any) -> str:
        cloud.ec2.modify_instance_metadata_options(InstanceId=instance, **{option: value})
        return instance

    return Case(first, second, lambda _, member, value: member["MetadataOptions"][option] == value, by_hand)


def _monitored(cloud: Cloud, instance: str, value: bool) -> str:
    switch = cloud.ec2.monitor_instances if value else cloud.ec2.unmonitor_instances
    switch(InstanceIds=[instance])
    return instance


def _protected(cloud: Cloud, instance: str, value: bool) -> str:
    return modified(cloud, instance, DisableApiTermination={"Value": value})


def _shuts_down(cloud: Cloud, instance: str, value: str) -> str:
    return modified(cloud, instance, InstanceInitiatedShutdownBehavior={"Value": value})


def _in_subnet(cloud: Cloud, instance: str, subnet: str) -> str:
    return exchanged(cloud, instance, SubnetId=subnet)


def _with_address(cloud: Cloud, instance: str, value: bool) -> str:
    subnet = cloud.instance(instance)["SubnetId"]
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "AssociatePublicIpAddress": value}
    return exchanged(cloud, instance, SubnetId=None, NetworkInterfaces=[interface])


def _with_root(cloud: Cloud, instance: str, value: Mapping[str, Any]) -> str:
    device = cloud.instance(instance)["RootDeviceName"]
    mapping = {"DeviceName": device, "Ebs": {"Encrypted": value.get("encrypted", False)}}
    return exchanged(cloud, instance, BlockDeviceMappings=[mapping])


def _with_volumes(cloud: Cloud, instance: str, value: list[Mapping[str, Any]]) -> str:
    mappings = [
        {"DeviceName": volume["device"], "Ebs": {"VolumeSize": volume["size_gb"]}} for volume in value
    ]
    return exchanged(cloud, instance, BlockDeviceMappings=mappings)


def _shown(path: str, value: Any) -> Callable[[Cloud, Raw, Any], bool]:
    """Tells whether EC2 shows a value at a dotted path; `value` makes what is shown of what the spec has."""

    def has(_: Cloud, member: Raw, written: Any) -> bool:
        shown: Any = member
        for name in path.split("."):
            shown = (shown or {}).get(name)
        return bool(shown == value(written))

    return has


def _as_written(value: Any) -> Any:
    return value


def _credit(cloud: Cloud, member: Raw, value: str) -> bool:
    ids = [member["InstanceId"]]
    answer = cloud.ec2.describe_instance_credit_specifications(InstanceIds=ids)
    return [row["CpuCredits"] for row in answer["InstanceCreditSpecifications"]] == [value]


def _set_credit(cloud: Cloud, instance: str, value: str) -> str:
    rows = [{"InstanceId": instance, "CpuCredits": value}]
    cloud.ec2.modify_instance_credit_specification(InstanceCreditSpecifications=rows)
    return instance


def _by(operation: str, params: Callable[[Any], dict[str, Any]], stopped: bool = False) -> Any:
    """Changes a member by one operation, while it is stopped if that is needed."""

    def by_hand(cloud: Cloud, instance: str, value: Any) -> str:
        if stopped:
            cloud.ec2.stop_instances(InstanceIds=[instance])
        getattr(cloud.ec2, operation)(InstanceId=instance, **params(value))
        if stopped:
            cloud.ec2.start_instances(InstanceIds=[instance])
        return instance

    return by_hand


def _cpu(value: Any) -> dict[str, int]:
    return {"CoreCount": value["core_count"], "ThreadsPerCore": value["threads_per_core"]}


def placement_group(cloud: Cloud, name: str) -> str:
    """A placement group, made if it is not there: its name."""
    if name not in [row["GroupName"] for row in cloud.ec2.describe_placement_groups()["PlacementGroups"]]:
        cloud.ec2.create_placement_group(GroupName=name, Strategy="spread")
    return name


def reservation(cloud: Cloud) -> str:
    """A Capacity Reservation for some t3.micro in us-east-1a: its id."""
    made = cloud.ec2.create_capacity_reservation(
        InstanceType="t3.micro",
        InstancePlatform="Linux/UNIX",
        AvailabilityZone="us-east-1a",
        InstanceCount=10,
    )
    return str(made["CapacityReservation"]["CapacityReservationId"])


def with_ipv6(cloud: Cloud, count: int) -> int:
    """The number, once the default subnets have IPv6 addresses."""
    subnets = cloud.ec2.describe_subnets(Filters=where("default-for-az", "true"))["Subnets"]
    if not any(subnet.get("Ipv6CidrBlockAssociationSet") for subnet in subnets):
        answer = cloud.ec2.associate_vpc_cidr_block(
            VpcId=subnets[0]["VpcId"], AmazonProvidedIpv6CidrBlock=True
        )
        block = answer["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"].removesuffix("00::/56")
        for number, subnet in enumerate(subnets):
            cidr = f"{block}{number:02x}::/64"
            cloud.ec2.associate_subnet_cidr_block(SubnetId=subnet["SubnetId"], Ipv6CidrBlock=cidr)
    return count


def _has_ipv6(_: Cloud, member: Raw, count: int) -> bool:
    return len(member["NetworkInterfaces"][0]["Ipv6Addresses"]) == count


def _set_ipv6(cloud: Cloud, instance: str, count: int) -> str:
    interface = cloud.instance(instance)["NetworkInterfaces"][0]
    has = [address["Ipv6Address"] for address in interface["Ipv6Addresses"]]
    named = interface["NetworkInterfaceId"]
    if count > len(has):
        cloud.ec2.assign_ipv6_addresses(NetworkInterfaceId=named, Ipv6AddressCount=count - len(has))
    else:
        cloud.ec2.unassign_ipv6_addresses(NetworkInterfaceId=named, Ipv6Addresses=has[count:])
    return instance


def _reservation(value: str) -> dict[str, Any]:
    target = {"CapacityReservationTarget": {"CapacityReservationId": value}}
    preference = {"CapacityReservationPreference": value}
    return {"CapacityReservationSpecification": target if value.startswith("cr-") else preference}


def _has_reservation(_: Cloud, member: Raw, value: str) -> bool:
    shown: Mapping[str, Any] = member["CapacityReservationSpecification"]
    return bool(shown == _reservation(value)["CapacityReservationSpecification"])


def _hibernating(cloud: Cloud, instance: str, value: bool) -> str:
    device = cloud.instance(instance)["RootDeviceName"]
    disk = {"VolumeSize": 20, "Encrypted": True, "DeleteOnTermination": True}
    return exchanged(
        cloud,
        instance,
        HibernationOptions={"Configured": value},
        BlockDeviceMappings=[{"DeviceName": device, "Ebs": disk}],
    )


# What DescribeInstances does not show is read for each member.
DEEP = ("--deep",)


def _modified(device: str, shown: str, first: Any, second: Any) -> Case:
    """A field of a volume; DescribeVolumes and ModifyVolume have one name for it."""

    def by_hand(cloud: Cloud, instance: str, value: Any) -> str:
        volume = volumes_of(cloud, cloud.instance(instance))[device]["VolumeId"]
        cloud.ec2.modify_volume(VolumeId=volume, **{shown: value})
        return instance

    def has(cloud: Cloud, member: Raw, value: Any) -> bool:
        return bool(volumes_of(cloud, member)[device].get(shown) == value)

    return Case(first, second, has, by_hand, DEEP)


CASES: dict[str, Case] = {
    "metadata.http_tokens": _metadata("HttpTokens", "required", "optional"),
    "metadata.http_endpoint": _metadata("HttpEndpoint", "enabled", "disabled"),
    "metadata.hop_limit": _metadata("HttpPutResponseHopLimit", 1, 2),
    "metadata.instance_tags": _metadata("InstanceMetadataTags", "disabled", "enabled"),
    "metadata.ipv6": _metadata("HttpProtocolIpv6", "disabled", "enabled"),
    "credit_specification": Case("unlimited", "standard", _credit, _set_credit),
    "source_dest_check": Case(
        True,
        False,
        _shown("SourceDestCheck", _as_written),
        _by("modify_instance_attribute", lambda value: {"SourceDestCheck": {"Value": value}}),
    ),
    "ipv6_address_count": Case(
        lambda cloud: with_ipv6(cloud, 1), lambda cloud: with_ipv6(cloud, 2), _has_ipv6, _set_ipv6
    ),
    "private_dns.a_record": Case(
        False,
        True,
        _shown("PrivateDnsNameOptions.EnableResourceNameDnsARecord", _as_written),
        _by("modify_private_dns_name_options", lambda value: {"EnableResourceNameDnsARecord": value}),
    ),
    "private_dns.aaaa_record": Case(
        False,
        True,
        _shown("PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord", _as_written),
        _by("modify_private_dns_name_options", lambda value: {"EnableResourceNameDnsAAAARecord": value}),
    ),
    "private_dns.hostname_type": Case(
        "ip-name",
        "resource-name",
        _shown("PrivateDnsNameOptions.HostnameType", _as_written),
        _by("modify_private_dns_name_options", lambda value: {"PrivateDnsHostnameType": value}, stopped=True),
    ),
    "maintenance.auto_recovery": Case(
        "default",
        "disabled",
        _shown("MaintenanceOptions.AutoRecovery", _as_written),
        _by("modify_instance_maintenance_options", lambda value: {"AutoRecovery": value}),
    ),
    "cpu_options": Case(
        {"core_count": 1, "threads_per_core": 2},
        {"core_count": 1, "threads_per_core": 1},
        _shown("CpuOptions", _cpu),
        _by("modify_instance_cpu_options", _cpu, stopped=True),
    ),
    "placement_group": Case(
        lambda cloud: placement_group(cloud, "here"),
        lambda cloud: placement_group(cloud, "there"),
        _shown("Placement.GroupName", _as_written),
        _by("modify_instance_placement", lambda value: {"GroupName": value}, stopped=True),
    ),
    "enclave": Case(
        False,
        True,
        _shown("EnclaveOptions.Enabled", _as_written),
        _by("modify_instance_attribute", lambda value: {"EnclaveOptions": {"Enabled": value}}, stopped=True),
        around={"instance_type": "m5.xlarge"},
    ),
    "capacity_reservation": Case(
        "none",
        reservation,
        _has_reservation,
        _by("modify_instance_capacity_reservation_attributes", _reservation, stopped=True),
        around={"availability_zones": ["us-east-1a"]},
    ),
    "stop_protection": Case(
        False,
        True,
        lambda cloud, member, value: attribute(cloud, member, "disableApiStop") is value,
        lambda cloud, instance, value: modified(cloud, instance, DisableApiStop={"Value": value}),
        DEEP,
    ),
    "hibernation": Case(
        False,
        True,
        _shown("HibernationOptions.Configured", _as_written),
        _hibernating,
        around={"root_volume": {"size_gb": 20, "encrypted": True}},
    ),
    "monitoring": Case(
        False,
        True,
        lambda _, member, value: member["Monitoring"]["State"] == ("enabled" if value else "disabled"),
        _monitored,
    ),
    "termination_protection": Case(
        False,
        True,
        lambda cloud, member, value: attribute(cloud, member, "disableApiTermination") is value,
        _protected,
        DEEP,
    ),
    "shutdown_behavior": Case(
        "stop",
        "terminate",
        lambda cloud, member, value: attribute(cloud, member, "instanceInitiatedShutdownBehavior") == value,
        _shuts_down,
        DEEP,
    ),
    "security_groups": Case(
        lambda cloud: group(cloud, "default"),
        lambda cloud: group(cloud, "other"),
        lambda _, member, value: [row["GroupName"] for row in member["SecurityGroups"]] == value,
        lambda cloud, instance, value: modified(cloud, instance, Groups=group_ids(cloud, value)),
    ),
    "instance_type": Case(
        "t3.micro",
        "t3.small",
        lambda _, member, value: member["InstanceType"] == value,
        lambda cloud, instance, value: modified_while_stopped(cloud, instance, InstanceType={"Value": value}),
    ),
    "ebs_optimized": Case(
        False,
        True,
        lambda _, member, value: member["EbsOptimized"] is value,
        lambda cloud, instance, value: modified_while_stopped(cloud, instance, EbsOptimized={"Value": value}),
    ),
    "market": Case(
        "on_demand",
        "spot",
        lambda _, member, value: member.get("InstanceLifecycle", "on_demand") == value,
        lambda cloud, instance, _: exchanged(cloud, instance, InstanceMarketOptions={"MarketType": "spot"}),
        # One-time Spot instances are terminated, not stopped, from within.
        brings=("shutdown_behavior",),
    ),
    "user_data": Case(
        "#!/bin/sh\n",
        "#!/bin/bash\n",
        lambda cloud, member, value: user_data(cloud, member) == value,
        lambda cloud, instance, value: exchanged(cloud, instance, UserData=value),
        DEEP,
    ),
    "image": Case(
        lambda cloud: image(cloud, 0),
        lambda cloud: image(cloud, 1),
        lambda _, member, value: member["ImageId"] == value,
        lambda cloud, instance, value: exchanged(cloud, instance, ImageId=value),
    ),
    "key_name": Case(
        None,
        key_pair,
        lambda _, member, value: member.get("KeyName") == value,
        lambda cloud, instance, value: exchanged(cloud, instance, KeyName=value),
    ),
    "subnets": Case(
        lambda cloud: subnets(cloud, "us-east-1a", "us-east-1b"),
        lambda cloud: subnets(cloud, "us-east-1c", "us-east-1d"),
        lambda _, member, value: member["SubnetId"] in value,
        lambda cloud, instance, value: _in_subnet(cloud, instance, value[0]),
    ),
    "availability_zones": Case(
        ["us-east-1a", "us-east-1b"],
        ["us-east-1c", "us-east-1d"],
        lambda _, member, value: member["Placement"]["AvailabilityZone"] in value,
        lambda cloud, instance, value: _in_subnet(cloud, instance, subnets(cloud, value[0])[0]),
    ),
    "tenancy": Case(
        "default",
        "dedicated",
        lambda _, member, value: member["Placement"]["Tenancy"] == value,
        lambda cloud, instance, value: exchanged(cloud, instance, Placement={"Tenancy": value}),
    ),
    "root_volume": Case(
        {"encrypted": False},
        {"encrypted": True},
        lambda cloud, member, value: volumes_of(cloud, member)["root"]["Encrypted"] is value["encrypted"],
        _with_root,
        DEEP,
    ),
    "volumes": Case(
        [{"device": "/dev/sdf", "size_gb": 1}],
        [{"device": "/dev/sdf", "size_gb": 1}, {"device": "/dev/sdg", "size_gb": 1}],
        lambda cloud, member, value: (
            {
                device: volume["Size"]
                for device, volume in volumes_of(cloud, member).items()
                if device != "root"
            }
            == {said["device"]: said["size_gb"] for said in value}
        ),
        _with_volumes,
        DEEP,
    ),
    "root_volume.size_gb": _modified("root", "Size", 20, 40),
    "root_volume.type": _modified("root", "VolumeType", "gp3", "gp2"),
    "root_volume.iops": _modified("root", "Iops", 3000, 4000),
    "root_volume.throughput": _modified("root", "Throughput", 125, 250),
    "volumes.size_gb": _modified("/dev/sdf", "Size", 8, 9),
    "volumes.type": _modified("/dev/sdf", "VolumeType", "gp3", "gp2"),
    "volumes.iops": _modified("/dev/sdf", "Iops", 3000, 4000),
    "volumes.throughput": _modified("/dev/sdf", "Throughput", 125, 250),
    "associate_public_ip": Case(
        False,
        True,
        lambda _, member, value: bool(member.get("PublicIpAddress")) is value,
        _with_address,
        DEEP,
    ),
}
