"""Instance profiles as IAM describes them, and who may have the credentials of a role that was taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Any

from provisioner.kinds.iam import (
    Named,
    Standing,
    standing,
)
from provisioner.kinds.instances import Instance
from provisioner.kinds.regions import NOWHERE, Elsewhere
from provisioner.kinds.tags import (
    as_tags,
    text,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Environment
from provisioner.naming import SWAPPED_TAG

# What the tag says until the instances of the environment have the new role; after that it says since when
# they have, if somebody else's instances use the profile too.
PENDING = "pending"
LONGEST = timedelta(hours=1)
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Users:
    """Who may have the credentials of a former role of a profile.

    `members` are running instances of the environment, or attached by it, with their `associations`;
    `foreign` are others, told by id and name, which nobody here may touch.
    """

    members: tuple[Instance, ...] = ()
    foreign: tuple[str, ...] = ()
    associations: Mapping[str, str] = field(default_factory=dict)


NOBODY = Users()


@dataclass(frozen=True)
class ObservedProfile(Named):
    """An instance profile that exists; `roles` are names, none or one.

    `users` may have the credentials of a former role; only looked for when it is exchanged, or was a moment
    ago. `foreign_users` are instances bound to it that are not the environment's, looked for when it is to
    go. `elsewhere` says what is bound to it in other regions, looked for in both cases.
    """

    arn: str
    id: str
    path: str
    roles: tuple[str, ...]
    tags: Mapping[str, str]
    role_addresses: frozenset[Address] = frozenset()
    foreign_users: tuple[str, ...] = ()
    users: Users = NOBODY
    elsewhere: Elsewhere = NOWHERE

    @property
    def uses(self) -> frozenset[Address]:
        return self.role_addresses

    def is_owned_by(self, environment: Environment) -> bool:
        """Whether the environment may change it."""
        return standing(self.path, self.tags, environment) in (Standing.OURS, Standing.UNTAGGED)


def as_profile(profile: Mapping[str, Any]) -> ObservedProfile:
    """An instance profile as IAM answers it. Raises LookupError, TypeError and IncompleteAnswer."""
    return ObservedProfile(
        name=text(profile, "InstanceProfileName"),
        arn=text(profile, "Arn"),
        id=text(profile, "InstanceProfileId"),
        path=text(profile, "Path"),
        roles=tuple(text(role, "RoleName") for role in profile["Roles"]),
        tags=as_tags(profile.get("Tags")),
    )


def is_unfinished(tags: Mapping[str, str], now: datetime) -> bool:
    """Whether instances may still have the credentials of a former role, as the tags of a profile say."""
    since = _moment(tags.get(SWAPPED_TAG, ""))
    # A time to come is none of ours, but for clocks that differ.
    return is_pending(tags) or (since is not None and abs(now - since) < LONGEST)


def is_pending(tags: Mapping[str, str]) -> bool:
    """Whether the instances of the environment are still to take up the new role, as a profile's tags say.

    What is no value of ours may stand where one of ours was, so it counts as `pending`: carrying that out
    takes it off.
    """
    return SWAPPED_TAG in tags and _moment(tags[SWAPPED_TAG]) is None


def done_since(now: datetime) -> str:
    """The tag of a profile when the instances of the environment have the new role, and others may not."""
    return now.strftime(_FORMAT)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
