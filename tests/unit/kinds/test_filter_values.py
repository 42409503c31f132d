"""All filters of a call of EC2 have two hundred values together at most, however much is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from provisioner.aws.shared_reads import shared
from provisioner.kinds.attachment.observed import Attachment, find_chosen
from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.read.types import describe_types
from provisioner.kinds.fleet.volumes.attached import attached_volumes
from provisioner.kinds.instance_profile.binding import find_associations
from provisioner.kinds.instances import LIVE, find_bound, find_instances
from provisioner.kinds.key_pair.observed import find_key_pairs
from provisioner.kinds.security_group.observed import find_groups, find_rule_ids
from provisioner.kinds.security_group.users import find_interfaces
from provisioner.model import Address, Identity
from provisioner.naming import ENVIRONMENT_TAG
from tests.support.build import environment

NAMES = tuple(f"x-{number:03}" for number in range(250))


class Empty(Reader):
    """An account that has nothing; notes the filters of each call."""

    def __init__(self) -> None:
        self.asked: list[list[dict[str, Any]]] = []

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        self.asked.append(params["Filters"])
        return {"KeyPairs": []}

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        self.asked.append(params["Filters"])
        return iter(())

    def parallel(self, *reads: Callable[[], Any]) -> list[Any]:
        return [read() for read in reads]

    def in_region(self, region: str) -> Reader:
        return self

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def identity(self) -> Identity:
        return Identity("123456789012", "aws")


def of_many_environments(reader: Reader) -> None:
    together = shared(reader, [environment(environment=name) for name in NAMES])
    for name in NAMES:
        find_instances(together, ((f"tag:{ENVIRONMENT_TAG}", (name,)), ("instance-state-name", LIVE)))


READS: dict[str, Callable[[Reader], object]] = {
    "associations": lambda reader: find_associations(reader, NAMES),
    "attached to": lambda reader: find_chosen(
        reader, Attachment(Address("instance_profile", "web"), NAMES, {})
    ),
    "bound to profiles": lambda reader: find_bound(reader, NAMES),
    "groups": lambda reader: find_groups(reader, "group-id", NAMES, {"Name": "vpc-id", "Values": ["vpc-1"]}),
    "interfaces": lambda reader: find_interfaces(reader, NAMES),
    "key pairs": lambda reader: find_key_pairs(reader, "dev", NAMES),
    "members of many environments": of_many_environments,
    "rules": lambda reader: find_rule_ids(reader, NAMES),
    "types": lambda reader: describe_types(reader, NAMES),
    "volumes": lambda reader: attached_volumes(reader, NAMES),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_call_has_no_more_values_than_ec2_takes(read: Callable[[Reader], object]) -> None:
    account = Empty()
    read(account)
    assert max(sum(len(one["Values"]) for one in filters) for filters in account.asked) <= 200
    assert {value for filters in account.asked for one in filters for value in one["Values"]} >= set(NAMES)
