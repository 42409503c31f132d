"""RunInstances: tokens, counts, capacity, and what a launch carries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from local_aws import Capacity, Faults, LocalAws, Quota, advance, set_faults
from tests.integration.local_aws.helpers import (
    ids,
    launch,
    launch_one,
    make_profile,
    make_role,
    one,
    refused,
    seen,
    where,
)


@pytest.mark.correction("token-replay")
def test_same_token_and_parameters_give_the_same_instances(ec2: Any, image: str) -> None:
    first = launch(ec2, image, 2, ClientToken="a")
    again = launch(ec2, image, 2, ClientToken="a")
    assert ids(again) == ids(first)
    assert len(seen(ec2)) == 2


@pytest.mark.correction("token-fresh-state")
def test_a_replay_shows_fresh_states(ec2: Any, image: str) -> None:
    (first,) = launch(ec2, image, ClientToken="a")
    ec2.stop_instances(InstanceIds=[first["InstanceId"]])
    (again,) = launch(ec2, image, ClientToken="a")
    assert (first["State"]["Name"], again["State"]["Name"]) == ("pending", "stopped")


@pytest.mark.correction("token-mismatch")
def test_same_token_with_other_parameters_is_refused(ec2: Any, image: str) -> None:
    launch(ec2, image, ClientToken="a")
    with refused("IdempotentParameterMismatch"):
        launch(ec2, image, ClientToken="a", InstanceType="t3.small")
    with refused("IdempotentParameterMismatch"):
        launch(ec2, image, (1, 2), ClientToken="a")


@pytest.mark.correction("token-terminated")
def test_a_token_whose_instances_are_all_terminated_is_used_up(ec2: Any, image: str) -> None:
    first, second = ids(launch(ec2, image, 2, ClientToken="a"))
    ec2.terminate_instances(InstanceIds=[first])
    assert ids(launch(ec2, image, 2, ClientToken="a")) == [first, second]
    ec2.terminate_instances(InstanceIds=[second])
    with refused("IdempotentInstanceTerminated"):
        launch(ec2, image, 2, ClientToken="a")


def test_a_token_is_used_up_even_when_its_instances_are_not_shown_any_more(
    local: LocalAws, ec2: Any, image: str
) -> None:
    ec2.terminate_instances(InstanceIds=[launch_one(ec2, image, ClientToken="a")])
    advance(local, 4000)
    assert seen(ec2) == []
    with refused("IdempotentInstanceTerminated"):
        launch(ec2, image, ClientToken="a")


@pytest.mark.correction("token-zonal")
def test_a_token_counts_per_zone_where_a_zone_is_named(ec2: Any, image: str) -> None:
    for zone in ("us-east-1a", "us-east-1b", "us-east-1a"):
        launch(ec2, image, ClientToken="a", Placement={"AvailabilityZone": zone})
    launch(ec2, image, ClientToken="a")
    assert len(seen(ec2)) == 3


@pytest.mark.correction("token-zonal-subnet")
def test_a_subnet_names_its_zone_also_within_an_interface(ec2: Any, image: str) -> None:
    subnets = ec2.describe_subnets(Filters=where("default-for-az", "true"))["Subnets"]
    for subnet in subnets[:2]:
        interface = {"DeviceIndex": 0, "SubnetId": subnet["SubnetId"], "AssociatePublicIpAddress": True}
        launch(ec2, image, ClientToken="a", NetworkInterfaces=[interface])
        launch(ec2, image, ClientToken="a", NetworkInterfaces=[interface])
    assert len(seen(ec2)) == 2


@pytest.mark.correction("token-concurrent")
def test_one_token_used_by_many_at_once_launches_once(ec2: Any, image: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ids(launch(ec2, image, 3, ClientToken="a")), range(8)))
    assert len({tuple(answer) for answer in answers}) == 1
    assert len(seen(ec2)) == 3


@pytest.mark.correction("token-filter")
def test_instances_are_found_by_their_token(ec2: Any, image: str) -> None:
    wanted = launch_one(ec2, image, ClientToken="a")
    launch_one(ec2, image, ClientToken="b")
    assert ids(seen(ec2, Filters=where("client-token", "a"))) == [wanted]


@pytest.mark.correction("token-length")
def test_a_token_longer_than_64_characters_is_refused(ec2: Any, image: str) -> None:
    with refused("InvalidParameterValue"):
        launch(ec2, image, ClientToken="a" * 65)


def test_a_failed_launch_leaves_its_token_unused(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(capacity=(Capacity(0),)))
    with refused("InsufficientInstanceCapacity"):
        launch(ec2, image, ClientToken="a")
    set_faults(local, Faults())
    launch(ec2, image, ClientToken="a")
    assert len(seen(ec2)) == 1


@pytest.mark.correction("max-count")
def test_as_many_as_max_count_are_launched(ec2: Any, image: str) -> None:
    assert len(launch(ec2, image, (1, 4))) == 4


@pytest.mark.correction("capacity")
def test_where_capacity_is_short_as_many_as_there_is_room_for(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(
        local, Faults(capacity=(Capacity(3, "t3.micro", "us-east-1a"), Capacity(0, zone="us-east-1b")))
    )
    zone_a = {"AvailabilityZone": "us-east-1a"}
    assert len(launch(ec2, image, (1, 5), Placement=zone_a, ClientToken="a")) == 3
    assert len(launch(ec2, image, (1, 5), Placement=zone_a, ClientToken="a")) == 3, "replayed, not topped up"
    with refused("InsufficientInstanceCapacity") as no:
        launch(ec2, image, Placement=zone_a)
    assert no.status == 500
    assert "us-east-1c" in no.message
    assert "us-east-1b" not in no.message
    with refused("InsufficientInstanceCapacity"):
        launch(ec2, image, Placement={"AvailabilityZone": "us-east-1b"})
    launch(ec2, image, Placement=zone_a, InstanceType="t3.small")
    assert launch(ec2, image)[0]["Placement"]["AvailabilityZone"] == "us-east-1c"


@pytest.mark.correction("capacity-stopped")
def test_a_stopped_instance_may_find_no_room_to_start_again(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(capacity=(Capacity(1),)))
    zone = {"AvailabilityZone": "us-east-1a"}
    first = launch_one(ec2, image, Placement=zone)
    ec2.stop_instances(InstanceIds=[first])
    launch_one(ec2, image, Placement=zone)
    with refused("InsufficientInstanceCapacity"):
        ec2.start_instances(InstanceIds=[first])


@pytest.mark.correction("capacity-start")
def test_instances_start_all_or_none_as_the_type_they_have_become(
    local: LocalAws, ec2: Any, image: str
) -> None:
    zone = {"AvailabilityZone": "us-east-1a"}
    both = ids(launch(ec2, image, 2, Placement=zone))
    ec2.stop_instances(InstanceIds=both)
    for instance in both:
        ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t3.small"})
    rooms = (Capacity(9, "t3.micro"), Capacity(1, "t3.small", "us-east-1a"), Capacity(9, "t3.small"))
    set_faults(local, Faults(capacity=rooms))
    with refused("InsufficientInstanceCapacity") as no:
        ec2.start_instances(InstanceIds=both)
    assert no.status == 500
    assert "t3.small" in no.message
    assert [item["State"]["Name"] for item in seen(ec2)] == ["stopped", "stopped"]
    ec2.start_instances(InstanceIds=both[:1])
    set_faults(local, Faults(capacity=(Capacity(0, "t3.micro"), Capacity(2, "t3.small", "us-east-1a"))))
    ec2.start_instances(InstanceIds=both)
    assert [item["State"]["Name"] for item in seen(ec2)] == ["running", "running"]


@pytest.mark.correction("quotas-told")
def test_service_quotas_tells_the_quotas_that_are_switched_on(
    local: LocalAws, clients: dict[str, Any]
) -> None:
    def told(code: str) -> float:
        answer = clients["service-quotas"].get_service_quota(ServiceCode="ec2", QuotaCode=code)
        return float(answer["Quota"]["Value"])

    set_faults(local, Faults(quotas=(Quota(6, "on-demand", ("t", "m")), Quota(8, "on-demand", ("g",)))))
    assert (told("L-1216C47A"), told("L-DB2E81BA")) == (6, 8)
    assert told("L-34B43A08") == told("L-7295265B") == 1_000_000
    with refused("NoSuchResourceException"):
        told("L-00000000")


@pytest.mark.correction("vcpu-quota")
def test_quotas_of_vcpus_hold_by_market_and_family(local: LocalAws, ec2: Any, image: str) -> None:
    spot: dict[str, Any] = {"InstanceMarketOptions": {"MarketType": "spot"}}
    quotas = (Quota(6, "on-demand", ("t", "m")), Quota(8, "on-demand", ("g",)), Quota(2, "spot"))
    set_faults(local, Faults(quotas=quotas))
    some = launch(ec2, image, (1, 9))  # two vCPUs each
    assert len(some) == 3
    with refused("VcpuLimitExceeded") as no:
        launch(ec2, image, InstanceType="m5.large")
    assert no.status == 400
    assert len(launch(ec2, image, InstanceType="g4dn.xlarge")) == 1
    assert len(launch(ec2, image, (1, 2), **spot)) == 1
    with refused("MaxSpotInstanceCountExceeded"):
        launch(ec2, image, **spot)
    (one_of_them, *_) = ids(some)
    ec2.stop_instances(InstanceIds=[one_of_them])
    ec2.modify_instance_attribute(InstanceId=one_of_them, InstanceType={"Value": "t3.xlarge"})
    with refused("VcpuLimitExceeded"):
        ec2.start_instances(InstanceIds=[one_of_them])


@pytest.mark.correction("addresses")
def test_a_subnet_has_only_so_many_addresses(ec2: Any, image: str) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    zone = "us-east-1a"
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/28", AvailabilityZone=zone)
    subnet = made["Subnet"]["SubnetId"]
    with refused("InsufficientFreeAddressesInSubnet"):
        launch(ec2, image, 12, SubnetId=subnet)
    assert seen(ec2) == []
    assert len(launch(ec2, image, (1, 12), SubnetId=subnet)) == 11
    (found,) = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    assert found["AvailableIpAddressCount"] == 0
    ec2.terminate_instances(InstanceIds=ids(seen(ec2)))
    assert len(launch(ec2, image, 11, SubnetId=subnet)) == 11


@pytest.mark.correction("default-subnet")
def test_without_a_subnet_the_default_one_of_the_zone_is_used(ec2: Any, image: str) -> None:
    found = one(ec2, launch_one(ec2, image, Placement={"AvailabilityZone": "us-east-1b"}))
    (subnet,) = ec2.describe_subnets(SubnetIds=[found["SubnetId"]])["Subnets"]
    assert (subnet["AvailabilityZone"], subnet["DefaultForAz"]) == ("us-east-1b", True)
    assert ip_address(found["PrivateIpAddress"]) in ip_network(subnet["CidrBlock"])
    assert found["PublicIpAddress"]


def test_terminated_instances_make_room(local: LocalAws, ec2: Any, image: str) -> None:
    set_faults(local, Faults(capacity=(Capacity(1),)))
    zone = {"AvailabilityZone": "us-east-1a"}
    first = launch_one(ec2, image, Placement=zone)
    ec2.terminate_instances(InstanceIds=[first])
    launch_one(ec2, image, Placement=zone)


@pytest.mark.correction("launch-protection")
def test_protection_given_at_launch_holds(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, DisableApiTermination=True)
    attribute = ec2.describe_instance_attribute(InstanceId=instance, Attribute="disableApiTermination")
    assert attribute["DisableApiTermination"] == {"Value": True}
    with refused("OperationNotPermitted"):
        ec2.terminate_instances(InstanceIds=[instance])


@pytest.mark.correction("launch-tenancy")
def test_tenancy_given_at_launch_is_shown(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, Placement={"Tenancy": "dedicated"})
    assert one(ec2, instance)["Placement"]["Tenancy"] == "dedicated"


@pytest.mark.correction("launch-vpc-tenancy")
def test_in_a_dedicated_vpc_instances_are_dedicated_unless_on_a_host(ec2: Any, image: str) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", InstanceTenancy="dedicated")["Vpc"]["VpcId"]
    zone = "us-east-1a"
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24", AvailabilityZone=zone)
    subnet = made["Subnet"]["SubnetId"]
    for placement, shown in (({}, "dedicated"), ({"Tenancy": "host"}, "host")):
        instance = launch_one(ec2, image, SubnetId=subnet, Placement=placement)
        assert one(ec2, instance)["Placement"]["Tenancy"] == shown
    interface = {"DeviceIndex": 0, "SubnetId": subnet}
    inside = launch_one(ec2, image, NetworkInterfaces=[interface])
    assert one(ec2, inside)["Placement"]["Tenancy"] == "dedicated"
    with refused("InvalidParameterValue"):
        launch(ec2, image, SubnetId=subnet, Placement={"Tenancy": "default"})


def old_image(ec2: Any, **more: Any) -> str:
    """An image of one's own, as RegisterImage makes it of few parameters."""
    return str(ec2.register_image(Name="old", RootDeviceName="/dev/xvda", **more)["ImageId"])


HVM: dict[str, Any] = {"Architecture": "x86_64", "VirtualizationType": "hvm"}
TYPES_THAT_DO_NOT_FIT: dict[str, Any] = {
    "another architecture": ({**HVM, "EnaSupport": True}, "t4g.micro", {}, "InvalidParameterValue"),
    "the older architecture": ({"EnaSupport": True}, "t3.micro", {}, "InvalidParameterValue"),
    "another virtualization": (
        {**HVM, "VirtualizationType": "paravirtual"},
        "t3.micro",
        {},
        "InvalidParameterCombination",
    ),
    "without ENA": (HVM, "t3.micro", {}, "InvalidParameterCombination"),
    "UEFI": ({**HVM, "EnaSupport": True, "BootMode": "uefi"}, "t2.micro", {}, "InvalidParameterValue"),
    "EBS-optimized": (HVM, "t2.micro", {"EbsOptimized": True}, "Unsupported"),
}


@pytest.mark.correction("type-fits-image")
@pytest.mark.parametrize("case", TYPES_THAT_DO_NOT_FIT)
def test_a_type_that_does_not_fit_the_image_is_refused(ec2: Any, case: str) -> None:
    registered, kind, more, code = TYPES_THAT_DO_NOT_FIT[case]
    image = old_image(ec2, **registered)
    for dry_run in (True, False):
        with refused(code):
            launch(ec2, image, InstanceType=kind, DryRun=dry_run, **more)
    assert seen(ec2) == []


def test_a_type_that_fits_the_image_is_launched(ec2: Any) -> None:
    launch(ec2, old_image(ec2, **HVM), InstanceType="t2.micro")
    (shown,) = seen(ec2)
    assert (shown["Architecture"], shown["EnaSupport"]) == ("x86_64", False)


@pytest.mark.same_on_moto
def test_what_is_given_at_launch_is_shown(ec2: Any, image: str) -> None:
    ec2.create_key_pair(KeyName="me", KeyType="ed25519")
    instance = launch_one(
        ec2,
        image,
        KeyName="me",
        EbsOptimized=True,
        UserData="echo",
        InstanceInitiatedShutdownBehavior="terminate",
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        Monitoring={"Enabled": True},
    )
    found = one(ec2, instance)
    assert (found["KeyName"], found["EbsOptimized"]) == ("me", True)
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert found["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert found["Monitoring"] == {"State": "enabled"}

    def attribute(name: str) -> Any:
        return ec2.describe_instance_attribute(InstanceId=instance, Attribute=name)

    assert attribute("userData")["UserData"]["Value"] == "ZWNobw=="
    assert attribute("instanceInitiatedShutdownBehavior")["InstanceInitiatedShutdownBehavior"] == {
        "Value": "terminate"
    }


@pytest.mark.correction("default-group-shown")
def test_an_instance_without_groups_shows_the_default_group(ec2: Any, image: str) -> None:
    groups = one(ec2, launch_one(ec2, image))["SecurityGroups"]
    assert [group["GroupName"] for group in groups] == ["default"]


@pytest.mark.correction("interface-groups-shown")
def test_groups_of_an_interface_are_the_instances(ec2: Any, image: str) -> None:
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "AssociatePublicIpAddress": True}
    found = one(ec2, launch_one(ec2, image, NetworkInterfaces=[interface]))
    assert found["SecurityGroups"] == [{"GroupId": group, "GroupName": "web"}]
    assert found["SubnetId"] == subnet
    assert found["PublicIpAddress"]


@pytest.mark.correction("root-device")
def test_the_root_volume_is_the_images_changed_by_the_mapping(ec2: Any, image: str) -> None:
    root = ec2.describe_images(ImageIds=[image])["Images"][0]["RootDeviceName"]
    data = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Throughput": 250}}
    encrypted = {"DeviceName": root, "Ebs": {"Encrypted": True, "VolumeSize": 12}}
    plain = one(ec2, launch_one(ec2, image, BlockDeviceMappings=[data]))
    changed = one(ec2, launch_one(ec2, image, BlockDeviceMappings=[encrypted]))
    assert [item["DeviceName"] for item in plain["BlockDeviceMappings"]] == [root, "/dev/sdf"]
    (device,) = changed["BlockDeviceMappings"]
    assert device["Ebs"]["DeleteOnTermination"] is True
    (volume,) = ec2.describe_volumes(VolumeIds=[device["Ebs"]["VolumeId"]])["Volumes"]
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (12, "gp3", True)
    throughput = ec2.describe_volumes(VolumeIds=[plain["BlockDeviceMappings"][1]["Ebs"]["VolumeId"]])
    assert throughput["Volumes"][0]["Throughput"] == 250


@pytest.mark.correction("interface-tags")
def test_tags_for_interfaces_and_volumes_are_set_at_launch(ec2: Any, image: str) -> None:
    kinds = ("instance", "volume", "network-interface")
    tags = [{"ResourceType": kind, "Tags": [{"Key": "kind", "Value": kind}]} for kind in kinds]
    found = one(ec2, launch_one(ec2, image, TagSpecifications=tags))
    assert found["Tags"] == [{"Key": "kind", "Value": "instance"}]
    volume = found["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    interface = found["NetworkInterfaces"][0]["NetworkInterfaceId"]
    for resource, kind in ((volume, "volume"), (interface, "network-interface")):
        (tag,) = ec2.describe_tags(Filters=where("resource-id", resource))["Tags"]
        assert tag["Value"] == kind


@pytest.mark.correction("unknown-image")
def test_an_unknown_image_is_refused(ec2: Any) -> None:
    with refused("InvalidAMIID.NotFound"):
        launch(ec2, "ami-0123456789abcdef0")


@pytest.mark.correction("malformed-image")
def test_a_malformed_image_is_refused(ec2: Any) -> None:
    with refused("InvalidAMIID.Malformed"):
        launch(ec2, "ami-x")


@pytest.mark.correction("missing-images")
def test_describe_images_is_not_silent_about_missing_ids(ec2: Any, image: str) -> None:
    with refused("InvalidAMIID.NotFound"):
        ec2.describe_images(ImageIds=[image, "ami-0123456789abcdef0"])


@pytest.mark.correction("unknown-key")
def test_an_unknown_key_pair_is_refused(ec2: Any, image: str) -> None:
    with refused("InvalidKeyPair.NotFound"):
        launch(ec2, image, KeyName="nobody")


@pytest.mark.correction("unknown-type")
def test_an_unknown_instance_type_is_refused(ec2: Any, image: str) -> None:
    with refused("InvalidParameterValue"):
        launch(ec2, image, InstanceType="t99.gigantic")


@pytest.mark.correction("type-not-in-zone")
def test_a_type_that_the_zone_does_not_offer_is_unsupported(ec2: Any, image: str) -> None:
    with refused("Unsupported") as no:
        launch(ec2, image, InstanceType="t3.micro", Placement={"AvailabilityZone": "us-east-1e"})
    assert "us-east-1a" in no.message


def test_a_launch_that_names_no_zone_goes_where_the_type_is_offered(ec2: Any, image: str) -> None:
    kind = "p3dn.24xlarge"
    offers = ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=where("instance-type", kind)
    )["InstanceTypeOfferings"]
    zones = {item["Location"] for item in offers}
    assert zones
    assert "us-east-1a" not in zones
    assert launch(ec2, image, InstanceType=kind)[0]["Placement"]["AvailabilityZone"] in zones


@pytest.mark.same_on_moto
def test_unknown_subnets_groups_and_zones_are_refused(ec2: Any, image: str) -> None:
    with refused("InvalidSubnetID.NotFound"):
        launch(ec2, image, SubnetId="subnet-0123456789abcdef0")
    with refused("InvalidGroup.NotFound"):
        launch(ec2, image, SecurityGroupIds=["sg-0123456789abcdef0"])
    with refused("InvalidParameterValue"):
        launch(ec2, image, Placement={"AvailabilityZone": "us-east-1z"})


@pytest.mark.correction("group-of-other-vpc")
def test_a_group_of_another_vpc_is_refused(ec2: Any, image: str) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="other", Description="other", VpcId=vpc)["GroupId"]
    with refused("InvalidParameter"):
        launch(ec2, image, SecurityGroupIds=[group])


@pytest.mark.correction("groups-twice")
def test_groups_by_themselves_do_not_go_with_interfaces(ec2: Any, image: str) -> None:
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    interface = {"DeviceIndex": 0, "SubnetId": subnet}
    with refused("InvalidParameterCombination"):
        launch(ec2, image, NetworkInterfaces=[interface], SecurityGroupIds=[group])


def groups(ec2: Any, count: int) -> list[str]:
    """So many security groups of the default VPC."""
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    return [
        ec2.create_security_group(GroupName=f"g{n}", Description="g", VpcId=vpc)["GroupId"]
        for n in range(count)
    ]


@pytest.mark.correction("interface-groups-most")
def test_an_interface_has_five_groups_at_most(ec2: Any, image: str) -> None:
    six = groups(ec2, 6)
    instance = launch_one(ec2, image, SecurityGroupIds=six[:5])
    (interface,) = one(ec2, instance)["NetworkInterfaces"]
    assert len(interface["Groups"]) == 5
    subnet = interface["SubnetId"]
    too_many = "SecurityGroupsPerInterfaceLimitExceeded"
    with refused(too_many):
        launch(ec2, image, SecurityGroupIds=six)
    with refused(too_many):
        launch(ec2, image, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet, "Groups": six}])
    with refused(too_many):
        ec2.modify_instance_attribute(InstanceId=instance, Groups=six)
    with refused(too_many):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface["NetworkInterfaceId"], Groups=six)


@pytest.mark.correction("address-in-use")
def test_a_private_address_is_used_once(ec2: Any, image: str) -> None:
    subnet = ec2.describe_subnets(Filters=where("default-for-az", "true"))["Subnets"][0]
    first = str(ip_network(subnet["CidrBlock"])[10])
    where_to = {"SubnetId": subnet["SubnetId"]}
    instance = launch_one(ec2, image, PrivateIpAddress=first, **where_to)
    assert one(ec2, instance)["PrivateIpAddress"] == first
    with refused("InvalidIPAddress.InUse"):
        launch(ec2, image, PrivateIpAddress=first, **where_to)
    with refused("InvalidIPAddress.InUse"):
        launch(ec2, image, NetworkInterfaces=[{"DeviceIndex": 0, "PrivateIpAddress": first, **where_to}])
    for wrong in ("10.200.0.10", str(ip_network(subnet["CidrBlock"])[3]), "ten"):
        with refused("InvalidParameterValue"):
            launch(ec2, image, PrivateIpAddress=wrong, **where_to)
    with refused("InvalidParameterCombination"):
        launch(ec2, image, 2, PrivateIpAddress=str(ip_network(subnet["CidrBlock"])[11]), **where_to)
    ec2.terminate_instances(InstanceIds=[instance])
    launch(ec2, image, PrivateIpAddress=first, **where_to)


@pytest.mark.correction("elastic-owner")
def test_an_elastic_address_shows_whose_it_is(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)

    def association() -> Any:
        return one(ec2, instance)["NetworkInterfaces"][0]["Association"]

    assert association()["IpOwnerId"] == "amazon"
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(InstanceId=instance, AllocationId=address["AllocationId"])
    assert association()["IpOwnerId"] == "123456789012"
    assert association()["PublicIp"] == address["PublicIp"] == one(ec2, instance)["PublicIpAddress"]


@pytest.mark.correction("metadata-tags")
@pytest.mark.parametrize("key", ["two words", "a/b", "..", "_index", "ö"])
def test_tags_in_metadata_have_keys_that_it_can_serve(ec2: Any, image: str, key: str) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": "x"}]}]
    fine = [{"ResourceType": "instance", "Tags": [{"Key": "provisioner:fleet", "Value": "two words/x"}]}]
    enabled = {"InstanceMetadataTags": "enabled"}
    with refused("InvalidParameterValue") as no:
        launch(ec2, image, MetadataOptions=enabled, TagSpecifications=tags)
    assert no.message.startswith(f"'{key}' is not a valid tag key. Tag keys must match pattern")
    shows = launch_one(ec2, image, MetadataOptions=enabled, TagSpecifications=fine)
    with refused("InvalidParameterValue"):
        ec2.create_tags(Resources=[shows], Tags=[{"Key": key, "Value": "x"}])
    hides = launch_one(ec2, image, TagSpecifications=tags)
    with refused("InvalidParameterValue"):
        ec2.modify_instance_metadata_options(InstanceId=hides, **enabled)
    ec2.delete_tags(Resources=[hides], Tags=[{"Key": key}])
    ec2.modify_instance_metadata_options(InstanceId=hides, **enabled)


@pytest.mark.correction("placement-group")
def test_a_placement_group_has_to_be_there(ec2: Any, image: str) -> None:
    with refused("InvalidPlacementGroup.Unknown"):
        launch(ec2, image, Placement={"GroupName": "together"})
    ec2.create_placement_group(GroupName="together", Strategy="spread")
    with refused("InvalidPlacementGroup.Duplicate"):
        ec2.create_placement_group(GroupName="together", Strategy="spread")
    (shown,) = ec2.describe_placement_groups(GroupNames=["together"])["PlacementGroups"]
    assert (shown["Strategy"], shown["State"]) == ("spread", "available")
    instance = launch_one(ec2, image, Placement={"GroupName": "together"})
    assert one(ec2, instance)["Placement"]["GroupName"] == "together"
    with refused("InvalidPlacementGroup.InUse"):
        ec2.delete_placement_group(GroupName="together")
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.delete_placement_group(GroupName="together")
    assert ec2.describe_placement_groups()["PlacementGroups"] == []


@pytest.mark.correction("user-data-limit")
def test_user_data_has_16_kilobytes_at_most(ec2: Any, image: str) -> None:
    launch(ec2, image, UserData="x" * 16384)
    with refused("InvalidUserData.Malformed"):
        launch(ec2, image, UserData="x" * 16385)


@pytest.mark.correction("root-too-small")
def test_a_root_volume_smaller_than_the_image_is_refused(ec2: Any, image: str) -> None:
    root = ec2.describe_images(ImageIds=[image])["Images"][0]["RootDeviceName"]
    with refused("InvalidBlockDeviceMapping"):
        launch(ec2, image, BlockDeviceMappings=[{"DeviceName": root, "Ebs": {"VolumeSize": 2}}])


@pytest.mark.correction("counts")
def test_counts_that_make_no_sense_are_refused(ec2: Any, image: str) -> None:
    for counts in ((0, 1), (2, 1)):
        with refused("InvalidParameterValue"):
            launch(ec2, image, counts)


def test_a_dry_run_launches_nothing_and_finds_what_is_wrong(ec2: Any, iam: Any, image: str) -> None:
    make_profile(iam)
    with refused("DryRunOperation") as would:
        launch(ec2, image, ClientToken="a", IamInstanceProfile={"Name": "worker"}, DryRun=True)
    assert would.status == 412
    with refused("InvalidParameterValue"):
        launch(ec2, image, IamInstanceProfile={"Name": "nobody"}, DryRun=True)
    assert seen(ec2) == []
    launch(ec2, image, 2, ClientToken="a")


def test_regions_are_apart(local: LocalAws, ec2: Any, image: str, clients: dict[str, Any]) -> None:
    import boto3

    launch(ec2, image)
    west = boto3.client(
        "ec2",
        region_name="eu-west-1",
        endpoint_url=local.endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    assert seen(west) == []
    assert {zone["ZoneName"][:-1] for zone in west.describe_availability_zones()["AvailabilityZones"]} == {
        "eu-west-1"
    }


@pytest.mark.parametrize("text", ["a\x01b", "\x00", "\x0b", "\x1f", "\ufffe", "\uffff"])
@pytest.mark.correction("characters")
def test_what_xml_cannot_hold_is_refused(ec2: Any, iam: Any, image: str, text: str) -> None:
    instance = launch_one(ec2, image)
    for tag in ({"Key": "odd", "Value": text}, {"Key": text, "Value": "odd"}):
        with refused("InvalidCharacter"):
            ec2.create_tags(Resources=[instance], Tags=[tag])
        with refused("InvalidCharacter"):
            launch(ec2, image, TagSpecifications=[{"ResourceType": "instance", "Tags": [tag]}])
    with refused("InvalidCharacter"):
        ec2.describe_instances(Filters=where("tag:Name", text))
    with refused("ValidationError"):
        make_role(iam, "odd", Description=text)
    with refused("ValidationError"):
        iam.get_role(RoleName=text)
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "lines", "Value": "a\tb\r\nc\x7f\x85😀"}])
    assert ids(seen(ec2)) == [instance]
