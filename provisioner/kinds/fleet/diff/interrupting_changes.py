"""Changes that take members down for a while: stopping, starting, restarting and replacing them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from provisioner.kinds.base import World
from provisioner.kinds.fleet.diff.change import UNIT, Phase, update
from provisioner.kinds.fleet.diff.fields import replaced_fields, setting_field
from provisioner.kinds.fleet.launching.launch_context import LaunchContext
from provisioner.kinds.fleet.observed import ObservedFleet
from provisioner.kinds.fleet.placement import (
    on_members,
    subnets_with_room,
    verb,
)
from provisioner.kinds.fleet.readiness.members import has_failed, not_ready
from provisioner.kinds.fleet.readiness.waiting import AwaitReady
from provisioner.kinds.fleet.rolling_update.all_at_once import power_steps
from provisioner.kinds.fleet.rolling_update.health import Health
from provisioner.kinds.fleet.rolling_update.replacing import RollingReplacement
from provisioner.kinds.fleet.rolling_update.restarting import RollingRestart, restart_order
from provisioner.kinds.fleet.rolling_update.rollout import RolloutState, predicted
from provisioner.kinds.fleet.settings.differences import by_setting, differing, why_for, with_reset
from provisioner.kinds.fleet.settings.setting import How
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.fleet.volumes.changes import keeping_steps
from provisioner.kinds.instance_profile.binding import WantedProfile
from provisioner.kinds.instances import Instance, names_of
from provisioner.model import Action, Address, Change, FieldChange, Rollout


def power_change(
    address: Address, fleet: Fleet, observed: ObservedFleet, members: Sequence[Instance], world: World
) -> Iterator[Change]:
    """The change that starts the members that do not run, or stops those that do."""
    wrong = [member for member in members if member.is_stopped != (fleet.power == "stopped")]
    if wrong:
        states = sorted({member.state for member in wrong})
        reason = f"{'stop' if fleet.power == 'stopped' else 'start'} {len(wrong)}"
        ids = {member.id for member in wrong}
        others = [member for member in observed.members if member.id not in ids]
        steps = power_steps(wrong, fleet, world.environment.name, others)
        fields = (FieldChange("power", ", ".join(states), fleet.power),)
        yield update(address, wrong, reason, fields, steps, Phase.POWER)


def ready_change(
    address: Address, fleet: Fleet, members: Sequence[Instance], world: World
) -> Iterator[Change]:
    """The change that waits for those of the members whose user data has not finished.

    Those of a fleet that has come to its end shut themselves down, and none are started in their place.
    """
    waiting = [] if fleet.is_over else not_ready(fleet, members)
    if waiting:
        ids = tuple(member.id for member in waiting)
        failed = [member for member in waiting if has_failed(member)]
        pending = [member for member in waiting if not has_failed(member)]
        reasons = [
            *(
                [f"user data has failed on {on_members(failed)}; correct it, or look once more"]
                if failed
                else []
            ),
            *(
                [f"user data has not finished on {on_members(pending)}, as far as is known; wait for it"]
                if pending
                else []
            ),
        ]
        reason = "; ".join(reasons)
        before = "user data has failed" if failed else "user data has not finished"
        fields = (FieldChange("ready", before, "user data has finished"),)
        steps = (AwaitReady(fleet, world.environment.name, ids),)
        # Whatever else is to be done to others is done all the same.
        yield replace(update(address, waiting, reason, fields, steps, Phase.READY), blocks=False)


def restart_change(
    address: Address,
    fleet: Fleet,
    observed: ObservedFleet,
    wrong: Sequence[Instance],
    replaced: Sequence[Instance],
    phase: Phase,
    world: World,
) -> Iterator[Change]:
    """The change that restarts members to change them; `replaced` are about to be replaced or to go."""
    if not wrong:
        return
    differences = differing(fleet, wrong, How.RESTART)
    paths = {name: with_reset(fleet, settings) for name, settings in differences.items()}
    going = frozenset(member.id for member in replaced)
    rollout = _predicted_restart(fleet, observed, tuple(paths), going)
    step = RollingRestart(
        fleet, world.environment.name, observed.members, paths, observed.unhealthy, going, rollout
    )
    yield update(
        address,
        wrong,
        _reason(fleet, wrong, How.RESTART),
        _fields(fleet, wrong, How.RESTART),
        (step,),
        phase,
        _with_pause(rollout, fleet),
    )


def _with_pause(rollout: Rollout, fleet: Fleet) -> Rollout:
    """A rollout with what it does where members do not get healthy."""
    return replace(rollout, pause_on_failure=fleet.update.pause_on_failure)


def _predicted_restart(
    fleet: Fleet, observed: ObservedFleet, ids: tuple[str, ...], going: frozenset[str]
) -> Rollout:
    most = fleet.update.max_unavailable
    if fleet.power == "stopped":
        return predicted(RolloutState(fleet.count, restart_order(fleet), most, ids, (), frozenset()))
    health = _health(fleet, observed, going | set(ids))
    # Those that do not run yet are started or launched before.
    staying = ({member.id for member in observed.members} - set(ids)) | _launched_before(fleet, observed)
    healthy = health.healthy(observed.members) | (staying - going - health.unhealthy)
    return predicted(
        RolloutState(
            fleet.count,
            restart_order(fleet),
            most,
            ids,
            tuple(sorted(staying)),
            healthy,
            going | health.unhealthy,
        )
    )


def replace_change(
    address: Address,
    fleet: Fleet,
    observed: ObservedFleet,
    going: Sequence[Instance],
    surplus: int,
    launches: LaunchContext,
    profile: WantedProfile | None,
    ignore_tags: Sequence[str],
) -> Change:
    """The change that replaces members, and terminates those that are too many on the way.

    Its fields are all that differs afterwards, those that made it necessary first.
    """
    ids = tuple(member.id for member in going)
    remaining = [member for member in observed.members if member.id not in ids]
    staying = (*(member.id for member in remaining), *_launched_before(fleet, observed))
    health = _health(fleet, observed, ids)
    healthy = health.healthy(observed.members) | (set(staying) - health.unhealthy)
    update = fleet.update
    state = RolloutState(
        fleet.count, update.order, update.max_unavailable, ids, staying, healthy, health.unhealthy
    )
    reason = _reason(fleet, going, How.REPLACE)
    if not reason:
        reason = f"members are spread unevenly; {on_members(going)} to be moved"
        # Elsewhere they would be as uneven as before, so where there is no room nothing is done.
        subnets = subnets_with_room(remaining, launches.prerequisites.subnets, fleet)
        launches = replace(launches, prerequisites=replace(launches.prerequisites, subnets=subnets))
    counted = (FieldChange("count", len(observed.members), fleet.count),) if surplus > 0 else ()
    if surplus > 0:
        are = "is" if surplus == 1 else "are"
        reason += f"; {surplus} of them {are} terminated and not replaced, as the spec has fewer members now"
    keeping = keeping_steps(fleet, going)
    causes = {setting.path for setting, _ in by_setting(fleet, going, How.REPLACE)}
    step = RollingReplacement(launches, observed.members, observed.unhealthy, state)
    return Change(
        address,
        Action.REPLACE,
        reason,
        (*counted, *_first(replaced_fields(fleet, going, profile, ignore_tags), causes)),
        ids,
        len(ids),
        (*keeping, step),
        phase=Phase.REPLACE,
        unit=UNIT,
        rollout=_with_pause(predicted(state), fleet),
        names=names_of(going),
    )


def _first(fields: Iterable[FieldChange], paths: Collection[str]) -> tuple[FieldChange, ...]:
    return tuple(sorted(fields, key=lambda field: field.path not in paths))


def _launched_before(fleet: Fleet, observed: ObservedFleet) -> frozenset[str]:
    """What stands for the members that are missing, and are launched before anything else is done."""
    return frozenset(f"missing {number}" for number in range(fleet.count - len(observed.members)))


def _health(fleet: Fleet, observed: ObservedFleet, wrong: Collection[str]) -> Health:
    health = Health(fleet, observed.unhealthy)
    health.begin_with(observed.members, wrong)
    return health


def _reason(fleet: Fleet, wrong: Sequence[Instance], how: How) -> str:
    settings = by_setting(fleet, wrong, how)
    whys = "; ".join(dict.fromkeys(why_for(setting, fleet) for setting, _ in settings))
    paths = ", ".join(setting.path for setting, _ in settings)
    return f"{paths} {verb(paths)} on {on_members(wrong)}: {whys}" if settings else ""


def _fields(fleet: Fleet, wrong: Sequence[Instance], how: How) -> tuple[FieldChange, ...]:
    return tuple(setting_field(setting, fleet, members) for setting, members in by_setting(fleet, wrong, how))
