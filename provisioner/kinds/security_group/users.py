"""Who has a group that is to go, and which rules name it: EC2 deletes no group that is in use.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from provisioner.kinds.base import Reader, World
from provisioner.kinds.instances import MAX_FILTER_VALUES, Instance, chunks
from provisioner.kinds.security_group.observed import FoundGroup, find_groups
from provisioner.kinds.tags import text
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address


@runtime_checkable
class HasMembers(Protocol):
    """What AWS has of a thing with instances that the environment has launched."""

    @property
    def members(self) -> tuple[Instance, ...]:
        """Those that live."""

    @property
    def gone(self) -> tuple[Instance, ...]:
        """Those that terminate, or have."""


@runtime_checkable
class TakesGroups(Protocol):
    """What a spec asks for of a thing whose instances have groups."""

    @property
    def security_groups(self) -> tuple[str, ...]:
        """Those that they are to have; empty: not said."""

    @property
    def other_groups(self) -> tuple[str, ...]:
        """Those of them that the spec does not make, by id or by name."""

    def ignores(self, path: str) -> bool:
        """Whether members that are there are left as they are in this."""


@dataclass(frozen=True)
class Interface:
    """A network interface with groups: of an instance, or of something else, told by its description."""

    id: str
    groups: frozenset[str]
    instance: str | None
    description: str

    @property
    def user(self) -> str:
        """Whose it is, in words."""
        return self.instance or (f"{self.id} ({self.description})" if self.description else self.id)


def find_interfaces(reader: Reader, groups: Sequence[str]) -> list[Interface]:
    """The network interfaces that have one of these groups. Raises AwsError."""
    return [
        as_interface(raw)
        for part in chunks(groups, MAX_FILTER_VALUES)
        for raw in reader.pages("ec2", "DescribeNetworkInterfaces", "NetworkInterfaces", Filters=having(part))
    ]


def having(groups: Sequence[str]) -> list[dict[str, Any]]:
    """The filter for interfaces that have one of these groups."""
    return [{"Name": "group-id", "Values": list(groups)}]


def as_interface(raw: Mapping[str, Any]) -> Interface:
    """An interface of DescribeNetworkInterfaces."""
    return Interface(
        text(raw, "NetworkInterfaceId"),
        frozenset(group["GroupId"] for group in raw.get("Groups", ())),
        raw.get("Attachment", {}).get("InstanceId"),
        raw.get("Description") or "",
    )


def find_referring(reader: Reader, groups: Sequence[str], ours: Iterable[str]) -> list[FoundGroup]:
    """The groups of others whose rules name one of these. Raises AwsError."""
    known = set(ours)
    both_ways = reader.parallel(
        lambda: find_groups(reader, "ip-permission.group-id", groups),
        lambda: find_groups(reader, "egress.ip-permission.group-id", groups),
    )
    found = {group.id: group for some in both_ways for group in some}
    return [group for id_, group in sorted(found.items()) if id_ not in known]


def staying_users(
    group: FoundGroup, interfaces: Iterable[Interface], referring: Iterable[FoundGroup], world: World
) -> Iterator[str]:
    """Who has a group and keeps it, and who names it in rules, in words."""
    members = {
        member.id: (at, member)
        for at, observed in world.observation.resources.items()
        if isinstance(observed, HasMembers)
        for member in observed.members
    }
    going = {
        instance.id
        for observed in world.observation.resources.values()
        if isinstance(observed, HasMembers)
        for instance in observed.gone
    }
    told: dict[str, None] = {}
    for interface in interfaces:
        if group.id not in interface.groups or interface.instance in going:
            continue
        if interface.instance in members:
            at, member = members[interface.instance]
            told |= dict.fromkeys(_keeps(group, interface, at, member, world))
        else:
            told[f"{interface.user}, not of this environment, has it"] = None
    yield from told
    for other in referring:
        if group.id in other.refers_to:
            yield f"rules of {other.id} ({other.name}), not of this environment, name it"


def _keeps(
    group: FoundGroup, interface: Interface, at: Address, member: Instance, world: World
) -> Iterator[str]:
    """Why a member keeps the group; nothing: it goes, or gets others."""
    fleet = world.desired(at)
    if fleet is None or not isinstance(fleet, TakesGroups):
        return
    if member.interfaces and interface.id != member.interfaces[0]:
        yield f"{interface.id}, a further interface of {member.id}, has it"
    elif not fleet.security_groups:
        yield f"members of {at} have it, whose `security_groups` are not said: `[default]` is the VPC's own"
    elif fleet.ignores("security_groups"):
        yield f"members of {at} have it, which leaves `security_groups` to others by `ignore_changes`"
    elif {group.id, group.name} & set(fleet.other_groups):
        yield f"{at} still names it"
