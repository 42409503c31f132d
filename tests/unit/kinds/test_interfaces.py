"""An instance with several network interfaces is seen by its primary one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from provisioner.kinds.instances import as_instance
from tests.support.build import BARE_INSTANCE

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def interface(number: int, group: str, card: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "NetworkInterfaceId": f"eni-{card}{number}",
        "Attachment": {"DeviceIndex": number, "NetworkCardIndex": card, "AttachTime": NOW},
        "Groups": [{"GroupId": f"sg-{group}", "GroupName": group}],
        **more,
    }


def instance(*interfaces: dict[str, Any], **more: Any) -> Any:
    raw: Any = {
        **BARE_INSTANCE,
        "LaunchTime": NOW,
        "NetworkInterfaces": list(interfaces),
        **more,
    }
    return as_instance(raw)


ADDRESS = {"PublicIp": "203.0.113.7"}
ELASTIC: dict[str, Any] = {"Association": {**ADDRESS, "IpOwnerId": "123456789012"}}
AUTOMATIC: dict[str, Any] = {"Association": {**ADDRESS, "IpOwnerId": "amazon"}}

CASES: dict[str, tuple[Any, tuple[str, ...], set[str], bool]] = {
    "one": (instance(interface(0, "a")), ("eni-00",), {"a"}, False),
    "two, in their order": (
        instance(interface(0, "a"), interface(1, "b")),
        ("eni-00", "eni-01"),
        {"a"},
        False,
    ),
    "two, in the other order": (
        instance(interface(1, "b"), interface(0, "a")),
        ("eni-00", "eni-01"),
        {"a"},
        False,
    ),
    "two, and the groups of both are shown as the instance's": (
        instance(
            interface(1, "b"),
            interface(0, "a"),
            SecurityGroups=[{"GroupId": "sg-a", "GroupName": "a"}, {"GroupId": "sg-b", "GroupName": "b"}],
        ),
        ("eni-00", "eni-01"),
        {"a"},
        False,
    ),
    "the first of another network card": (
        instance(interface(1, "b", 1), interface(0, "a")),
        ("eni-00", "eni-11"),
        {"a"},
        False,
    ),
    "none, as of a terminated one": (instance(), (), set(), False),
    "none shown, but groups": (
        instance(SecurityGroups=[{"GroupId": "sg-a", "GroupName": "a"}]),
        (),
        {"a"},
        False,
    ),
    "an Elastic IP": (instance(interface(0, "a", **ELASTIC)), ("eni-00",), {"a"}, True),
    "an address of EC2's": (instance(interface(0, "a", **AUTOMATIC)), ("eni-00",), {"a"}, False),
    "an Elastic IP on the second": (
        instance(interface(0, "a", **AUTOMATIC), interface(1, "b", **ELASTIC)),
        ("eni-00", "eni-01"),
        {"a"},
        False,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_interfaces_groups_and_elastic_address(case: str) -> None:
    observed, interfaces, groups, has_elastic_ip = CASES[case]
    assert observed.interfaces == interfaces
    assert set(observed.groups.values()) == groups
    assert observed.has_elastic_ip is has_elastic_ip
