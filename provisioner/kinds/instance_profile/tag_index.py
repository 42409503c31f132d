"""The tags of many instance profiles from AWS's index of tags, and when they are believed.

The Resource Groups Tagging API shows tags of all resources but IAM's users and roles, those of a global
service in one region:
https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html. It hears of
changes later than IAM shows them, so it is believed only where it says that nothing is to be done, and only
by whoever does nothing; see docs/decisions/0024.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from provisioner.errors import AwsError
from provisioner.kinds.base import Reader, Sharing
from provisioner.kinds.iam import Named
from provisioner.kinds.instance_profile.observed import ObservedProfile
from provisioner.kinds.instance_profile.spec import InstanceProfile
from provisioner.kinds.keep import with_keep
from provisioner.kinds.tags import as_tags, tag_changes
from provisioner.model import Address, Environment, TagIndex
from provisioner.naming import ENVIRONMENT_TAG, PREFIX, REGION_TAG, iam_path, iam_region

SERVICE = "resourcegroupstaggingapi"
RESOURCE_TYPE = "iam:instance-profile"
# How long it is waited for at least: a first call to a service takes a name, a connection and a handshake.
MIN_WAIT_S = 1.5

Tags = Mapping[str, str]


class LookupOfTags:
    """The tags of all profiles of an environment by their ARN, asked for in the background where that may be.

    What it cannot tell, because it is refused, not offered, or late, it does not tell.
    """

    def __init__(self, reader: Reader, environment: Environment) -> None:
        self._began = time.monotonic()
        self._found: dict[str, Tags] = {}
        self._thread: threading.Thread | None = None
        region = iam_region(environment.region)
        if environment.tag_index is not TagIndex.NEVER and region and not _ends(environment):
            there = reader if region == environment.region else reader.in_region(region)
            self._thread = threading.Thread(target=self._ask, args=(there, environment), daemon=True)
            self._thread.start()

    def tags(self, seconds: float) -> Mapping[str, Tags]:
        """The tags by ARN: all, or none if they are not there so long after asking."""
        if self._thread is None:
            return {}
        until = self._began + max(seconds, MIN_WAIT_S)
        self._thread.join(max(until - time.monotonic(), 0.0))
        return {} if self._thread.is_alive() else self._found

    def _ask(self, reader: Reader, environment: Environment) -> None:
        # One answer for many environments is the same question from each.
        values = {} if environment.tag_index is TagIndex.ALWAYS else {"Values": [environment.name]}
        wanted: dict[str, Any] = {
            "ResourceTypeFilters": [RESOURCE_TYPE],
            "TagFilters": [{"Key": ENVIRONMENT_TAG, **values}],
        }
        try:
            pages = reader.pages(SERVICE, "GetResources", "ResourceTagMappingList", **wanted)
            found: dict[str, Tags] = {mapping["ResourceARN"]: as_tags(mapping["Tags"]) for mapping in pages}
        except (AwsError, LookupError, TypeError, ValueError):
            return
        self._found = found


def lookup_of_tags(reader: Reader, environment: Environment) -> LookupOfTags:
    """The tags of the profiles of an environment; one lookup for all that share what they read."""
    is_for_all = environment.tag_index is TagIndex.ALWAYS and not _ends(environment)
    if is_for_all and isinstance(reader, Sharing):
        return reader.share("tags of profiles", lambda: LookupOfTags(reader, environment))
    return LookupOfTags(reader, environment)


def _ends(environment: Environment) -> bool:
    """Whether anything in the spec has an end, which tags remember: an old one would be taken for the end."""
    things = environment.resources.values()
    return environment.expires is not None or any(getattr(thing, "expires", None) for thing in things)


def is_settled(address: Address, found: ObservedProfile, environment: Environment) -> bool:
    """Whether nothing is to be done about a profile with these tags, of which ours only say whose it is.

    What is kept, attached, or between two roles is marked for what comes next, and read where it is now.
    """
    desired = environment.resources[address]
    if not isinstance(desired, InstanceProfile) or not found.path.startswith(iam_path(environment.name)):
        return False
    role = environment.resources[desired.role]
    is_attached = any(
        at.kind == "attachment" and address in thing.uses for at, thing in environment.resources.items()
    )
    marks = {key for key in found.tags if key.startswith(PREFIX)} - {ENVIRONMENT_TAG, REGION_TAG}
    ignored = with_keep(environment.ignore_tags, desired.keep)
    return (
        not (is_attached or marks or tag_changes(desired.tags, found.tags, ignored))
        and found.is_owned_by(environment)
        and isinstance(role, Named)
        and [held.lower() for held in found.roles] == [role.name.lower()]
    )
