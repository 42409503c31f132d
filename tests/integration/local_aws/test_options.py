"""Options of instances that have operations of their own: given at launch, shown, changed, and refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.local_aws.helpers import launch, launch_one, one, refused, where

ENCRYPTED_ROOT = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 40, "Encrypted": True}}


def credit(ec2: Any, instance: str) -> str:
    (row,) = ec2.describe_instance_credit_specifications(InstanceIds=[instance])[
        "InstanceCreditSpecifications"
    ]
    return str(row["CpuCredits"])


def set_credit(ec2: Any, instance: str, credits: str) -> Any:
    rows = [{"InstanceId": instance, "CpuCredits": credits}]
    return ec2.modify_instance_credit_specification(InstanceCreditSpecifications=rows)


def subnet_with_ipv6(ec2: Any) -> str:
    (subnet,) = ec2.describe_subnets(Filters=where("availability-zone", "us-east-1a"))["Subnets"]
    answer = ec2.associate_vpc_cidr_block(VpcId=subnet["VpcId"], AmazonProvidedIpv6CidrBlock=True)
    block = answer["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"].replace("/56", "/64")
    ec2.associate_subnet_cidr_block(SubnetId=subnet["SubnetId"], Ipv6CidrBlock=block)
    return str(subnet["SubnetId"])


@pytest.mark.correction("credit-default")
def test_t3_is_unlimited_by_itself_and_t2_is_not(ec2: Any, image: str) -> None:
    by_itself = {"t2.micro": "standard", "t3.micro": "unlimited", "m5.large": "standard"}
    shown = {kind: credit(ec2, launch_one(ec2, image, InstanceType=kind)) for kind in by_itself}
    assert shown == by_itself


@pytest.mark.correction("credit-launch")
def test_a_launch_gives_the_credit_option_and_only_to_burstable_types(ec2: Any, image: str) -> None:
    standard: Any = {"CreditSpecification": {"CpuCredits": "standard"}}
    assert credit(ec2, launch_one(ec2, image, **standard)) == "standard"
    with refused("InstanceCreditSpecification.NotSupported"):
        launch(ec2, image, InstanceType="m5.large", **standard)


@pytest.mark.correction("credit-modify")
def test_the_credit_option_changes_for_each_instance_that_has_one(ec2: Any, image: str) -> None:
    instance, other = launch_one(ec2, image), launch_one(ec2, image, InstanceType="m5.large")
    assert set_credit(ec2, instance, "standard")["SuccessfulInstanceCreditSpecifications"] == [
        {"InstanceId": instance}
    ]
    assert credit(ec2, instance) == "standard"
    (failed,) = set_credit(ec2, other, "unlimited")["UnsuccessfulInstanceCreditSpecifications"]
    assert failed["InstanceId"] == other
    assert failed["Error"]["Code"] == "InstanceCreditSpecification.NotSupported"


@pytest.mark.correction("cpu-options")
def test_cpu_options_are_those_of_the_type_or_of_the_launch(ec2: Any, image: str) -> None:
    one_thread = {"CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 1}}
    shown = [one(ec2, launch_one(ec2, image, **more))["CpuOptions"] for more in ({}, one_thread)]
    assert shown == [{"CoreCount": 1, "ThreadsPerCore": 2}, one_thread["CpuOptions"]]
    for code, options in (
        ("InvalidParameterCombination", {"CoreCount": 1}),
        ("InvalidParameterValue", {"CoreCount": 7, "ThreadsPerCore": 1}),
        ("InvalidParameterValue", {"CoreCount": 1, "ThreadsPerCore": 3}),
    ):
        with refused(code):
            launch(ec2, image, CpuOptions=options)


@pytest.mark.correction("cpu-options-modify")
def test_cpu_options_change_on_stopped_instances_and_go_with_the_type(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    one_thread = {"CoreCount": 1, "ThreadsPerCore": 1}
    with refused("IncorrectInstanceState"):
        ec2.modify_instance_cpu_options(InstanceId=instance, **one_thread)
    ec2.stop_instances(InstanceIds=[instance])
    ec2.modify_instance_cpu_options(InstanceId=instance, **one_thread)
    assert one(ec2, instance)["CpuOptions"] == one_thread
    ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t3.small"})
    assert one(ec2, instance)["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 2}


@pytest.mark.correction("maintenance")
def test_auto_recovery_is_given_at_launch_and_changed_later(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, MaintenanceOptions={"AutoRecovery": "disabled"})
    assert one(ec2, instance)["MaintenanceOptions"]["AutoRecovery"] == "disabled"
    ec2.modify_instance_maintenance_options(InstanceId=instance, AutoRecovery="default")
    assert one(ec2, instance)["MaintenanceOptions"]["AutoRecovery"] == "default"


@pytest.mark.correction("private-dns")
def test_hostnames_are_given_at_launch_and_records_change_while_it_runs(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, PrivateDnsNameOptions={"EnableResourceNameDnsARecord": True})
    shown = one(ec2, instance)["PrivateDnsNameOptions"]
    assert (shown["HostnameType"], shown["EnableResourceNameDnsARecord"]) == ("ip-name", True)
    ec2.modify_private_dns_name_options(InstanceId=instance, EnableResourceNameDnsARecord=False)
    with refused("IncorrectInstanceState"):
        ec2.modify_private_dns_name_options(InstanceId=instance, PrivateDnsHostnameType="resource-name")
    ec2.stop_instances(InstanceIds=[instance])
    ec2.modify_private_dns_name_options(InstanceId=instance, PrivateDnsHostnameType="resource-name")
    shown = one(ec2, instance)["PrivateDnsNameOptions"]
    assert (shown["HostnameType"], shown["EnableResourceNameDnsARecord"]) == ("resource-name", False)


@pytest.mark.correction("stop-protection-terminate")
def test_protection_against_stopping_protects_from_termination_too(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, DisableApiStop=True)
    with refused("OperationNotPermitted") as no:
        ec2.terminate_instances(InstanceIds=[instance])
    assert "disableApiStop" in no.message


@pytest.mark.correction("stop-protection-spot")
def test_a_spot_instance_is_not_protected_from_stopping(ec2: Any, image: str) -> None:
    spot: Any = {"InstanceMarketOptions": {"MarketType": "spot"}}
    with refused("UnsupportedOperation"):
        launch(ec2, image, DisableApiStop=True, **spot)
    with refused("UnsupportedOperation"):
        ec2.modify_instance_attribute(
            InstanceId=launch_one(ec2, image, **spot), DisableApiStop={"Value": True}
        )


@pytest.mark.correction("hibernation")
@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("UnsupportedHibernationConfiguration", {}),
        (
            "UnsupportedHibernationConfiguration",
            {"InstanceType": "c5.metal", "BlockDeviceMappings": [ENCRYPTED_ROOT]},
        ),
        (
            "UnsupportedHibernationConfiguration",
            {"InstanceType": "m5.4xlarge", "BlockDeviceMappings": [ENCRYPTED_ROOT]},
        ),
        (
            "InvalidParameterCombination",
            {
                "InstanceType": "m5.xlarge",
                "BlockDeviceMappings": [ENCRYPTED_ROOT],
                "EnclaveOptions": {"Enabled": True},
            },
        ),
    ],
    ids=["not encrypted", "bare metal", "no room for the memory", "with an enclave"],
)
def test_hibernation_has_prerequisites(ec2: Any, image: str, code: str, params: Any) -> None:
    with refused(code):
        launch(ec2, image, HibernationOptions={"Configured": True}, **params)


def test_an_instance_is_launched_for_hibernation(ec2: Any, image: str) -> None:
    instance = launch_one(
        ec2, image, HibernationOptions={"Configured": True}, BlockDeviceMappings=[ENCRYPTED_ROOT]
    )
    assert one(ec2, instance)["HibernationOptions"] == {"Configured": True}


@pytest.mark.correction("enclave-type")
def test_enclaves_are_for_types_that_have_them(ec2: Any, image: str) -> None:
    with refused("InvalidParameterCombination"):
        launch(ec2, image, EnclaveOptions={"Enabled": True})


@pytest.mark.correction("enclave-modify")
def test_enclaves_are_switched_on_stopped_instances(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, InstanceType="m5.xlarge")
    on = {"InstanceId": instance, "EnclaveOptions": {"Enabled": True}}
    with refused("IncorrectInstanceState"):
        ec2.modify_instance_attribute(**on)
    ec2.stop_instances(InstanceIds=[instance])
    ec2.modify_instance_attribute(**on)
    assert one(ec2, instance)["EnclaveOptions"] == {"Enabled": True}


@pytest.mark.correction("placement-modify")
def test_a_stopped_instance_moves_into_a_placement_group_and_out(ec2: Any, image: str) -> None:
    ec2.create_placement_group(GroupName="apart", Strategy="spread")
    instance = launch_one(ec2, image)
    with refused("IncorrectInstanceState"):
        ec2.modify_instance_placement(InstanceId=instance, GroupName="apart")
    ec2.stop_instances(InstanceIds=[instance])
    with refused("InvalidPlacementGroup.Unknown"):
        ec2.modify_instance_placement(InstanceId=instance, GroupName="nowhere")
    for name in ("apart", ""):
        ec2.modify_instance_placement(InstanceId=instance, GroupName=name)
        assert one(ec2, instance)["Placement"].get("GroupName", "") == name


@pytest.mark.correction("placement-strategy")
def test_burstable_types_are_in_no_cluster(ec2: Any, image: str) -> None:
    ec2.create_placement_group(GroupName="close", Strategy="cluster")
    with refused("InvalidParameterCombination"):
        launch(ec2, image, Placement={"GroupName": "close"})


@pytest.mark.correction("ipv6-count")
def test_a_launch_gives_ipv6_addresses_where_the_subnet_has_some(ec2: Any, image: str) -> None:
    with refused("InvalidParameterValue"):
        launch(ec2, image, Ipv6AddressCount=1)
    subnet = subnet_with_ipv6(ec2)
    shown = one(ec2, launch_one(ec2, image, SubnetId=subnet, Ipv6AddressCount=2))
    addresses = [item["Ipv6Address"] for item in shown["NetworkInterfaces"][0]["Ipv6Addresses"]]
    assert len(addresses) == 2
    assert shown["Ipv6Address"] == addresses[0]
    with refused("AddressLimitExceeded"):
        launch(ec2, image, SubnetId=subnet, Ipv6AddressCount=3)


def test_ipv6_addresses_come_and_go_while_an_instance_runs(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image, SubnetId=subnet_with_ipv6(ec2))
    interface = one(ec2, instance)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    (new,) = ec2.assign_ipv6_addresses(NetworkInterfaceId=interface, Ipv6AddressCount=1)[
        "AssignedIpv6Addresses"
    ]
    assert one(ec2, instance)["Ipv6Address"] == new
    ec2.unassign_ipv6_addresses(NetworkInterfaceId=interface, Ipv6Addresses=[new])
    assert "Ipv6Address" not in one(ec2, instance)


@pytest.mark.correction("capacity-reservation")
def test_a_launch_goes_into_a_reservation_that_matches_and_has_room(ec2: Any, image: str) -> None:
    made = ec2.create_capacity_reservation(
        InstanceType="t3.micro", InstancePlatform="Linux/UNIX", AvailabilityZone="us-east-1a", InstanceCount=1
    )["CapacityReservation"]["CapacityReservationId"]
    wanted = {"CapacityReservationTarget": {"CapacityReservationId": made}}
    here: Any = {"Placement": {"AvailabilityZone": "us-east-1a"}, "CapacityReservationSpecification": wanted}
    params: Any
    for code, params in (
        ("InvalidParameterValue", {**here, "InstanceType": "t3.small"}),
        ("InvalidParameterValue", {**here, "Placement": {"AvailabilityZone": "us-east-1b"}}),
    ):
        with refused(code):
            launch(ec2, image, **params)
    instance = launch_one(ec2, image, **here)
    shown = one(ec2, instance)["CapacityReservationSpecification"]
    assert shown["CapacityReservationTarget"]["CapacityReservationId"] == made
    with refused("ReservationCapacityExceeded"):
        launch(ec2, image, **here)
    missing = {"CapacityReservationTarget": {"CapacityReservationId": "cr-0123456789abcdef0"}}
    with refused("InvalidCapacityReservationId.NotFound"):
        launch(ec2, image, CapacityReservationSpecification=missing)


@pytest.mark.correction("capacity-reservation-modify")
def test_the_reservation_of_a_stopped_instance_changes(ec2: Any, image: str) -> None:
    instance = launch_one(ec2, image)
    asked = {"CapacityReservationSpecification": {"CapacityReservationPreference": "none"}}
    with refused("IncorrectInstanceState"):
        ec2.modify_instance_capacity_reservation_attributes(InstanceId=instance, **asked)
    ec2.stop_instances(InstanceIds=[instance])
    ec2.modify_instance_capacity_reservation_attributes(InstanceId=instance, **asked)
    assert one(ec2, instance)["CapacityReservationSpecification"] == asked["CapacityReservationSpecification"]
