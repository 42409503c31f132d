"""The kinds of things that a spec can ask for, in the order in which they can be made."""

from __future__ import annotations

from datetime import datetime, timedelta

from provisioner.kinds.attachment import AttachmentKind
from provisioner.kinds.base import AnyKind, World
from provisioner.kinds.contract import checked, schema_folder
from provisioner.kinds.fleet import FleetKind
from provisioner.kinds.fleet.hosts import find_hosts
from provisioner.kinds.fleet.parse import keep_images, refresh_images
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instance_profile import InstanceProfileKind
from provisioner.kinds.key_pair import KeyPairKind
from provisioner.kinds.role import RoleKind
from provisioner.kinds.security_group import SecurityGroupKind
from provisioner.kinds.security_group.spec import refresh_my_ip, with_my_ip
from provisioner.model import Change, Environment
from provisioner.retry import COMMON, merged

__all__ = [
    "CALL_RULES",
    "KINDS",
    "check_extending",
    "count_members",
    "extend_ends",
    "find_hosts",
    "keep_images",
    "refresh_images",
    "refresh_my_ip",
    "schema_folder",
    "with_my_ip",
]

KINDS: tuple[AnyKind, ...] = checked(
    (RoleKind(), InstanceProfileKind(), SecurityGroupKind(), KeyPairKind(), FleetKind(), AttachmentKind()),
    schema_folder(),
)

CALL_RULES = merged((COMMON, *(kind.call_rules for kind in KINDS)))


def check_extending(environment: Environment, only: str | None) -> None:
    """Raises UsageError where a spec, or the fleet of it that `only` names, has no end that can be moved."""
    from provisioner.kinds.fleet.diff import extending

    extending.fleets_to_extend(environment, only)


def count_members(environment: Environment) -> int:
    """How many instances a spec asks for."""
    return sum(fleet.count for fleet in environment.of(Fleet).values())


def extend_ends(world: World, to: datetime | timedelta, only: str | None) -> tuple[Change, ...]:
    """The changes that move the ends of a spec's durations; see there. Raises UsageError."""
    # What only a plan needs: reading a spec takes less time than importing the rest.
    from provisioner.kinds.fleet.diff import extending

    return extending.extend_ends(world, to, only)
