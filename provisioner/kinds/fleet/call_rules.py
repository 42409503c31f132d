"""What is known of the calls of fleets: what EC2 refuses for want of room, and what passes by itself.

https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from provisioner.errors import AwsError
from provisioner.kinds.fleet.spec import SPOT, CapacityOption, Fleet
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
INSTANCE_QUOTA_CODES = frozenset(
    {
        "InstanceLimitExceeded",
        "VcpuLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "MaxFleetCountExceeded",
    }
)

# What is kept of these limits from one run to the next.
KEPT_QUOTAS = "quotas"

# Other limits of the account, which no other choice, no other zone and no waiting helps against.
QUOTA_CODES = frozenset({"VolumeLimitExceeded", "NetworkInterfaceLimitExceeded", "PendingVerification"})

# What EC2 answers while another modification of a volume is under way, or after four within a day.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html
MODIFIED_BEFORE = frozenset({"IncorrectModificationState", "VolumeModificationRateExceeded"})

STANDARD = "Standard (A, C, D, H, I, M, R, T, Z)"
# The families with quotas of their own, by the letters that their types begin with. All others are standard.
_FAMILIES = {
    "dl": "DL",
    "f": "F",
    "g": "G and VT",
    "gr": "G and VT",
    "hpc": "HPC",
    "inf": "Inf",
    "p": "P",
    "trn": "Trn",
    "u": "High Memory",
    "vt": "G and VT",
    "x": "X",
}

# What Service Quotas knows quotas of EC2 by. Those of P on Spot are split, and none is published for High
# Memory on Spot, so they are not looked at.
QUOTA_NUMBERS: Mapping[str, str] = {
    "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances": "L-1216C47A",
    "Running On-Demand DL instances": "L-6E869C2A",
    "Running On-Demand F instances": "L-74FC7D96",
    "Running On-Demand G and VT instances": "L-DB2E81BA",
    "Running On-Demand HPC instances": "L-F7808C92",
    "Running On-Demand High Memory instances": "L-43DA4232",
    "Running On-Demand Inf instances": "L-1945791B",
    "Running On-Demand P instances": "L-417A185B",
    "Running On-Demand Trn instances": "L-2C3B7624",
    "Running On-Demand X instances": "L-7295265B",
    "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests": "L-34B43A08",
    "All DL Spot Instance Requests": "L-85EED4F7",
    "All F Spot Instance Requests": "L-88CF9481",
    "All G and VT Spot Instance Requests": "L-3819A6DF",
    "All Inf Spot Instance Requests": "L-B5D1601B",
    "All Trn Spot Instance Requests": "L-6B0D517C",
    "All X Spot Instance Requests": "L-E3A00192",
}


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
    disproved=dict.fromkeys(INSTANCE_QUOTA_CODES, KEPT_QUOTAS),
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
    made={"RunInstances": lambda _, answer: [instance["InstanceId"] for instance in answer["Instances"]]},
)


def quota_of(option: CapacityOption) -> str:
    """The name of the quota that a type on a market counts against, as Service Quotas shows it."""
    letters = re.match(r"[a-z]*", option.type)
    family = _FAMILIES.get(letters.group() if letters else "", STANDARD)
    is_spot = option.market == SPOT
    return f"All {family} Spot Instance Requests" if is_spot else f"Running On-Demand {family} instances"


def quota_for(fleet: Fleet) -> str | None:
    """The quota that all members of a fleet count against; None: there are several, or none that is known."""
    # A reservation counts itself, and a host of one's own has a quota of hosts.
    is_counted_otherwise = fleet.tenancy == "host" or fleet.says("capacity_reservation") not in (None, "none")
    if fleet.is_over or fleet.power != "running" or is_counted_otherwise:
        return None
    names = {quota_of(option) for option in fleet.capacity_options}
    name = names.pop()
    return None if names or name not in QUOTA_NUMBERS else name


def what_was_said(refused: Mapping[CapacityOption, AwsError]) -> str:
    """Why each choice was refused, in EC2's words; said once where it is the same for all."""
    texts = {option: error.text.rstrip(".") for option, error in refused.items()}
    if len(set(texts.values())) == 1:
        return f"EC2 said: {next(iter(texts.values()))}"
    same: dict[tuple[str, str], list[str]] = {}
    for option, text in texts.items():
        same.setdefault((text, refused[option].code), []).append(str(option))
    told = (f"{', '.join(options)}: {text} ({code})" for (text, code), options in same.items())
    return f"EC2 said of {'; of '.join(told)}"


def way_out(refused: Mapping[CapacityOption, AwsError], later: str) -> str:
    """What to do; `later` is what helps against a lack of room."""
    short = [option for option, error in refused.items() if error.code in INSTANCE_QUOTA_CODES]
    if not short:
        return later
    return _raise_quotas(short) if len(short) == len(refused) else f"{_raise_quotas(short)}; {later}"


def _raise_quotas(capacity_options: Iterable[CapacityOption]) -> str:
    names = dict.fromkeys(map(quota_of, capacity_options))
    what = "this is a quota of the account" if len(names) == 1 else "these are quotas of the account"
    quoted = " and ".join(f'"{name}"' for name in names)
    where = "in Service Quotas (Amazon EC2)"
    return f"{what}, for all zones: ask for more of {quoted} {where}, or ask for less here"
