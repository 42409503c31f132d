"""What all changes of a fleet have in common: what they are counted in, and which come before which."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from provisioner.kinds.instances import Instance
from provisioner.model import Action, Address, Change, FieldChange, Rollout, Step

# What a fleet's changes are counted in.
UNIT = "instance"


class Phase(IntEnum):
    """What comes before what: each phase waits for those before it that are in the plan.

    The changes of one phase are made side by side.
    """

    # New members are launched meanwhile: nothing has to wait for room.
    CORRECT = 0
    # EC2 takes no tag that the metadata cannot show while it shows tags, nor the other way round.
    TAGS_AND_METADATA = 1
    POWER = 2
    # Those that are down take nobody away, and others' replacements wait until they are as they should be.
    RESTART_STOPPED = 3
    REPLACE = 4
    RESTART = 5
    # The protection of those that go may have to be switched off first.
    TERMINATE = 6


def update(
    address: Address,
    members: Sequence[Instance],
    reason: str,
    fields: tuple[FieldChange, ...],
    steps: tuple[Step, ...],
    phase: Phase = Phase.CORRECT,
    rollout: Rollout | None = None,
) -> Change:
    """The change that makes members right that are there, and stay."""
    ids = tuple(member.id for member in members)
    return Change(
        address, Action.UPDATE, reason, fields, ids, len(ids), steps, phase=phase, unit=UNIT, rollout=rollout
    )
