"""What types can do and where there are some: asked once for all fleets, and waited for where need be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.fleet.read.prerequisites import Intent, observe_prerequisites
from provisioner.kinds.fleet.read.types import types_of
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.shared_reads import SharedReads
from provisioner.model import Identity
from tests.support.build import environment

IMAGE = "ami-00000000000000001"
LARGEST = "m5.xlarge"
ANSWERS: dict[str, dict[str, Any]] = {
    "DescribeSubnets": {
        "Subnets": [
            {"SubnetId": "subnet-0000000000000000a", "AvailabilityZone": "us-east-1a", "VpcId": "vpc-1"}
        ]
    },
    "DescribeInstanceTypeOfferings": {
        "InstanceTypeOfferings": [
            {"InstanceType": type_, "Location": "us-east-1a"}
            for type_ in ("t3.micro", "t3.small", LARGEST, "t4g.micro")
        ]
    },
    "DescribeImages": {"Images": [{"ImageId": IMAGE, "Architecture": "x86_64", "RootDeviceName": "/dev/x"}]},
    "DescribeInstanceTypes": {
        "InstanceTypes": [
            {"InstanceType": LARGEST, "NitroEnclavesSupport": "unsupported"},
            {"InstanceType": "t4g.micro", "ProcessorInfo": {"SupportedArchitectures": ["arm64"]}},
        ]
    },
}


class Account(Reader):
    """An account with these answers; what types can do is answered when `answering` is set."""

    def __init__(self) -> None:
        self.answering = threading.Event()
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.asked.append((operation, params))
        if operation == "DescribeInstanceTypes":
            assert self.answering.wait(30)
        return ANSWERS[operation]

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        yield from self.call(service, operation, **params)[key]

    def parallel(self, *reads: Callable[[], Any]) -> list[Any]:
        return [read() for read in reads]

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def now(self) -> datetime:
        return datetime.now(UTC)

    def identity(self) -> Identity:
        raise AssertionError("nobody asks here whose it is")

    def in_region(self, region: str) -> Reader:
        return self


def fleets(**fields: dict[str, Any]) -> list[Fleet]:
    plain = {"count": 1, "image": IMAGE, "instance_type": "t3.micro"}
    spec = environment(fleets={key: plain | more for key, more in fields.items()})
    return list(spec.of(Fleet).values())


def looked(
    reader: Reader, fleet: Fleet, types: tuple[str, ...], replacing: bool = False
) -> tuple[list[str], list[str]]:
    """What is wrong, and what was not checked."""
    intent = Intent(True, False, False, False, types, replacing=replacing)
    _, problems, unchecked = observe_prerequisites(reader, fleet, ObservedFleet(), IMAGE, intent)
    return [problem.message for problem in problems], list(unchecked)


ENCLAVE = {"instance_type": LARGEST, "enclave": True}
NO_ENCLAVE = f"{LARGEST} has no enclaves"
LATE = f"what {LARGEST} can be launched from was not checked: AWS has not answered in time"


def test_a_launch_does_not_wait_for_what_types_can_do() -> None:
    account = Account()
    (fleet,) = fleets(web=ENCLAVE)
    assert looked(account, fleet, fleet.instance_types) == ([], [LATE])
    account.answering.set()


@pytest.mark.parametrize(
    ("fields", "replacing", "wrong"),
    [
        # Members are ended for it.
        (ENCLAVE, True, NO_ENCLAVE),
        # The name says that it is not likely to work.
        ({"instance_type": "t4g.micro"}, False, f"t4g.micro is arm64, and image {IMAGE} is x86_64"),
    ],
)
def test_it_is_waited_for_where_something_speaks_against(
    fields: dict[str, Any], replacing: bool, wrong: str
) -> None:
    account = Account()
    (fleet,) = fleets(web=fields)
    threading.Timer(0.2, account.answering.set).start()
    assert looked(account, fleet, fleet.instance_types, replacing) == ([wrong], [])


def test_where_types_are_offered_is_asked_once_for_all_fleets() -> None:
    account = Account()
    reader = SharedReads.over(account)
    both = fleets(web={}, db={"instance_type": ["t3.small", "t3.micro"]})
    for fleet in both:
        assert looked(reader, fleet, types_of(both)) == ([], [])
    asked = [params["Filters"] for name, params in account.asked if name == "DescribeInstanceTypeOfferings"]
    assert asked == [[{"Name": "instance-type", "Values": ["t3.micro", "t3.small"]}]]
