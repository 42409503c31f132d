"""What all changes of a fleet have in common: what they are counted in, and which come before which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import IntEnum

from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.base import World
from provisioner.kinds.fleet.conditions import SettingsAgree
from provisioner.kinds.fleet.observed import scope_of
from provisioner.kinds.instances import Instance, names_of
from provisioner.lazy_dataclass import dataclass
from provisioner.model import (
    Action,
    Address,
    CallCount,
    Change,
    Condition,
    FieldChange,
    Output,
    Rollout,
    Step,
    Until,
    Wait,
)

# What a fleet's changes are counted in.
UNIT = "instance"
# How long a correction may take to be shown before it is looked at whether somebody else has undone it.
MAX_S = 120.0


class Phase(IntEnum):
    """What comes before what: each phase waits for those before it that are in the plan.

    The changes of one phase are made side by side.
    """

    # New members are launched meanwhile: nothing has to wait for room.
    CORRECT = 0
    # EC2 takes no tag that the metadata cannot show while it shows tags, nor the other way round.
    TAGS_AND_METADATA = 1
    POWER = 2
    # Nothing takes a member down while its user data runs.
    READY = 3
    # Those that are down take nobody away, and others' replacements wait until they are as they should be.
    RESTART_STOPPED = 4
    REPLACE = 5
    RESTART = 6
    # The protection of those that go may have to be switched off first.
    TERMINATE = 7


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
        address,
        Action.UPDATE,
        reason,
        fields,
        ids,
        len(ids),
        steps,
        phase=phase,
        unit=UNIT,
        rollout=rollout,
        names=names_of(members),
    )


@dataclass(frozen=True)
class UntilGrouped:
    """A wait for members to have the groups of their fleet, some of which this plan makes."""

    wait: Wait
    agree: SettingsAgree

    def calls(self) -> Iterable[CallCount]:
        return ()


@run_step.register
def _until_grouped(step: UntilGrouped, context: ExecutionContext) -> None:
    fleet = step.agree.fleet
    ids = {
        key: context.value_of(group) if isinstance(group, Output) else group
        for key, group in fleet.own_ids.items()
    }
    agree = replace(step.agree, fleet=replace(fleet, own_ids=ids))
    context.wait(replace(step.wait, condition=agree))


def until_settings_shown(members: Sequence[Instance], world: World, agree: SettingsAgree) -> Step:
    """What a correction of settings ends with."""
    wait = until_shown(members, world, agree)
    is_new = any(isinstance(group, Output) for group in agree.fleet.own_ids.values())
    return UntilGrouped(wait, agree) if is_new else wait


def until_shown(members: Sequence[Instance], world: World, condition: Condition) -> Wait:
    """What a correction ends with: EC2 shows it, so that the next plan does not make it again."""
    ids = tuple(member.id for member in members)
    return Wait(ids, Until.SHOWN, (scope_of(world.environment.name),), timeout_s=MAX_S, condition=condition)
