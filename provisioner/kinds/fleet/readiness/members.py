"""Which members have told that they are ready, as far as their tags show: what plans and status know."""

from __future__ import annotations

from collections.abc import Iterable

from provisioner.kinds.fleet.settings.launch_tag import has_part
from provisioner.kinds.fleet.spec import CLOUD_INIT, Fleet
from provisioner.kinds.fleet.user_data.parts import READY
from provisioner.kinds.instances import Instance
from provisioner.naming import READY_TAG

# What the tag says of a member on which user data has failed; anything else there says that it is ready.
HAS_FAILED = "failed"


def can_tell(member: Instance) -> bool:
    """Whether the member was launched with the boot hook that tells when user data has finished."""
    return has_part(member, READY)


def not_ready(fleet: Fleet, members: Iterable[Instance]) -> list[Instance]:
    """The members that have yet to tell that user data has finished, and those on which it has failed."""
    if fleet.ready != CLOUD_INIT or fleet.power != "running":
        return []
    return [member for member in members if can_tell(member) and not has_told(member)]


def has_told(member: Instance) -> bool:
    """Whether a member has told that user data has finished, or somebody takes it as it is."""
    return member.tag(READY_TAG) not in (None, HAS_FAILED)


def has_failed(member: Instance) -> bool:
    """Whether user data has failed on a member, when it was last looked."""
    return member.tag(READY_TAG) == HAS_FAILED


def never_telling(fleet: Fleet, members: Iterable[Instance]) -> list[Instance]:
    """The members that were launched before the fleet asked them to tell, and that nothing is known of."""
    if fleet.ready != CLOUD_INIT:
        return []
    return [member for member in members if not can_tell(member)]
