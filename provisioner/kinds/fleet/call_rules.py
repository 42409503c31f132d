"""What is known of the calls of fleets: what EC2 refuses for want of room, and what passes by itself."""

from __future__ import annotations

from provisioner.model import Replan
from provisioner.retry import CallRules, RetryRule

# Answered with HTTP 500 like a fault of the server, but asking again only spends the request quota.
CAPACITY_CODES = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientVolumeCapacity",
        "InsufficientFreeAddressesInSubnet",
        "InsufficientCapacity",
        "ReservationCapacityExceeded",
        "UnfulfillableCapacity",
        "Unsupported",
        "SpotMaxPriceTooLow",
        "VolumeTypeNotAvailableInZone",
    }
)

# Limits of the account on what runs, by market and family of types: no other zone helps, another choice may.
# https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
INSTANCE_QUOTA_CODES = frozenset(
    {
        "InstanceLimitExceeded",
        "VcpuLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "MaxFleetCountExceeded",
    }
)

# Other limits of the account, which no other choice, no other zone and no waiting helps against.
QUOTA_CODES = frozenset({"VolumeLimitExceeded", "NetworkInterfaceLimitExceeded", "PendingVerification"})

# What EC2 answers while another modification of a volume is under way, or after four within a day.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html
MODIFIED_BEFORE = frozenset({"IncorrectModificationState", "VolumeModificationRateExceeded"})


def _protection(text: str) -> str:
    """What keeps an instance, by the attribute that EC2 names, and how to get rid of it.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-stop-protection.html
    """
    setting = "stop_protection" if "disableApiStop" in text else "termination_protection"
    return (
        f"{setting.replace('_', ' ')} was switched on by hand: switch it off in EC2, or by `apply --deep` "
        f"with `{setting}: false` in the spec"
    )


RULES = CallRules(
    retry=(
        # https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ec2/ec2_instance.go
        RetryRule(
            "type changed just now",
            60,
            lambda error, _: (
                error.code == "InvalidParameterValue"
                and error.operation == "StartInstances"
                and "LaunchPlan" in error.text
            ),
        ),
    ),
    final=CAPACITY_CODES,
    replan=((Replan.PATIENTLY, lambda error: error.code == "IdempotentParameterMismatch"),),
    hints={
        ("TerminateInstances", "OperationNotPermitted"): lambda text: (
            f"{_protection(text)}; `apply` also leaves the members alone that `protect` names"
        ),
        ("StopInstances", "OperationNotPermitted"): lambda text: _protection(text),
        **{
            ("RunInstances", code): lambda _: (
                "this is a quota of the account, for all zones: have it raised, or ask for less"
            )
            for code in QUOTA_CODES
        },
        **{
            ("ModifyVolume", code): lambda _: (
                "EBS makes one modification of a volume at a time, and four within 24 hours: apply again "
                "later, or write into the spec what the volume has"
            )
            for code in MODIFIED_BEFORE
        },
    },
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssignIpv6Addresses.html: no token.
    once=frozenset({"AssignIpv6Addresses"}),
    made={"RunInstances": lambda _, answer: [each["InstanceId"] for each in answer["Instances"]]},
)
