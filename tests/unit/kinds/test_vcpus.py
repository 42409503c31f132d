"""What is said before a launch of quotas of vCPUs: only what is certain of the spec's own fleets."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.call_rules import QUOTA_NUMBERS
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.fleet.read.quotas import QuotaLookup, most_vcpus
from provisioner.kinds.fleet.spec import Fleet
from provisioner.model import Identity
from tests.support.build import environment, member
from tests.support.instance_types import instance_types

STANDARD, SPOT, GPU = "L-1216C47A", "L-34B43A08", "L-DB2E81BA"
DENIED = AwsError("service-quotas", "GetServiceQuota", "AccessDeniedException", "You may not.")


class Quotas(Reader):
    """Service Quotas with these values or errors by code, and EC2's types; `slow`: it never answers."""

    def __init__(
        self,
        values: Mapping[str, float | AwsError],
        slow: bool = False,
        kept: Mapping[str, float] | None = None,
    ) -> None:
        self.values = values
        self.numbers = {"quotas of 111111111111": dict(kept or {})}
        self.answering = threading.Event()
        if not slow:
            self.answering.set()
        self.asked: list[str] = []

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.asked.append(operation)
        self.answering.wait(30)
        value = self.values[params["QuotaCode"]]
        if isinstance(value, AwsError):
            raise value
        return {"Quota": {"Value": value}}

    def kept(self, name: str) -> Mapping[str, float]:
        return self.numbers[name]

    def keep(self, name: str, numbers: Mapping[str, float]) -> None:
        self.numbers[name] |= numbers

    def forget(self, name: str) -> None:
        del self.numbers[name]

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        self.asked.append(operation)
        assert operation == "DescribeInstanceTypes"
        (wanted,) = params["Filters"]
        return iter([{"InstanceType": name, **instance_types()[name]} for name in wanted["Values"]])

    def in_region(self, region: str) -> Reader:
        return self

    def parallel(self, *reads: Any) -> list[Any]:
        return [read() for read in reads]

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def now(self) -> datetime:
        return datetime.now(UTC)

    def identity(self) -> Identity:
        raise AssertionError("nobody asks here whose it is")


class Case(NamedTuple):
    """Fleets of the spec, members that each has, quotas; what is said, and what is asked."""

    fleets: Mapping[str, dict[str, Any]]
    values: Mapping[str, float | AwsError]
    said: str = ""
    asked: tuple[str, ...] = ("GetServiceQuota",)
    there: Mapping[str, int] = {}
    slow: bool = False
    kept: Mapping[str, float] = {}


def short(needed: int, value: int, code: str) -> str:
    name = next(name for name in QUOTA_NUMBERS if QUOTA_NUMBERS[name] == code)
    return (
        f'{needed} vCPUs are needed of the quota "{name}", and this account has {value} ({code}), for all '
        "that runs: ask for more in Service Quotas (Amazon EC2), or ask for less here"
    )


def unchecked(why: str) -> str:
    return f"whether the quotas of vCPUs suffice was not checked: {why}"


TYPES = ("GetServiceQuota", "DescribeInstanceTypes")
CASES = {
    "it suffices for any type of that size": Case({"web": {"count": 2}}, {STANDARD: 5}),
    "the type has fewer than its size may": Case(
        {"web": {"count": 4, "instance_type": "c7g.medium"}}, {STANDARD: 5}, asked=TYPES
    ),
    "too many": Case({"web": {"count": 3}}, {STANDARD: 5}, short(6, 5, STANDARD), TYPES),
    "fleets together, those included that stay": Case(
        {"web": {"count": 2}, "db": {"count": 2}}, {STANDARD: 5}, short(8, 5, STANDARD), TYPES, {"db": 2}
    ),
    "fleets of other families": Case(
        {"web": {"count": 2}, "gpu": {"count": 2, "instance_type": "g5.xlarge"}},
        {STANDARD: 5, GPU: 0},
        short(8, 0, GPU),
        ("GetServiceQuota", *TYPES),
    ),
    "Spot has its own": Case({"web": {"count": 3, "market": "spot"}}, {SPOT: 5}, short(6, 5, SPOT), TYPES),
    "another family may take over": Case(
        {"web": {"count": 30, "instance_type": ["t3.micro", "g5.xlarge"]}}, {}, asked=()
    ),
    "another market may take over": Case(
        {"web": {"count": 30, "market": "spot", "fallback": "on_demand"}}, {}, asked=()
    ),
    "the smallest choice counts": Case(
        {"web": {"count": 3, "instance_type": ["t3.2xlarge", "t3.micro"]}}, {STANDARD: 6}, asked=TYPES
    ),
    "a quota that nobody publishes": Case(
        {"web": {"count": 3, "instance_type": "p5.48xlarge", "market": "spot"}}, {}, asked=()
    ),
    "what is stopped does not count": Case({"web": {"count": 30, "power": "stopped"}}, {}, asked=()),
    "what is on a host of one's own does not count": Case(
        {"web": {"count": 30, "tenancy": "host"}}, {}, asked=()
    ),
    "nothing to launch": Case({"web": {"count": 3}}, {}, asked=(), there={"web": 3}),
    "what was read before suffices": Case({"web": {"count": 2}}, {}, asked=(), kept={STANDARD: 5}),
    "what was read before does not suffice, and was raised": Case(
        {"web": {"count": 4}}, {STANDARD: 8}, kept={STANDARD: 5}
    ),
    "what was read before does not suffice, and is so still": Case(
        {"web": {"count": 3}}, {STANDARD: 5}, short(6, 5, STANDARD), TYPES, kept={STANDARD: 5}
    ),
    "of another quota nothing was read before": Case(
        {"web": {"count": 3, "market": "spot"}}, {SPOT: 8}, kept={STANDARD: 5}
    ),
    "it may not be read": Case(
        {"web": {"count": 3}},
        {STANDARD: DENIED},
        unchecked("servicequotas:GetServiceQuota: AccessDeniedException"),
    ),
    "it never answers": Case(
        {"web": {"count": 3}}, {STANDARD: 5}, unchecked("AWS has not answered in time"), slow=True
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_vcpus(name: str) -> None:
    case = CASES[name]
    common = {"image": "ami-00000000000000001", "instance_type": "t3.micro"}
    fleets = environment(fleets={key: {**common, **more} for key, more in case.fleets.items()}).of(Fleet)
    observed = {
        at: ObservedFleet(tuple(member(number, fleet) for number in range(case.there.get(at.key, 0))))
        for at, fleet in fleets.items()
    }
    reader = Quotas(case.values, case.slow, case.kept)
    lookup = QuotaLookup(reader, fleets, observed, "111111111111")
    told = lookup.told(observed, 0.0 if case.slow else 10.0)
    reader.answering.set()
    assert "; ".join(text for one in told.values() for text in (*one.warnings, *one.unchecked)) == case.said
    assert sorted(reader.asked) == sorted(case.asked)
    if not case.slow:
        told_now = {code: value for code, value in case.values.items() if not isinstance(value, AwsError)}
        assert reader.numbers == {"quotas of 111111111111": {**case.kept, **told_now}}


def test_no_type_has_more_vcpus_than_its_size_says() -> None:
    more = {
        name: shown["VCpuInfo"]["DefaultVCpus"]
        for name, shown in instance_types().items()
        if (most := most_vcpus(name)) is not None and shown["VCpuInfo"]["DefaultVCpus"] > most
    }
    assert more == {}
    told = sum(most_vcpus(name) is not None for name in instance_types())
    assert told > 0.9 * len(instance_types())
