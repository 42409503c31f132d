"""What to do so that a fleet is as the spec says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from provisioner.kinds.base import World
from provisioner.kinds.fleet.diff.change import UNIT, Phase
from provisioner.kinds.fleet.diff.ending_notes import ending_notes
from provisioner.kinds.fleet.diff.fields import launch_fields
from provisioner.kinds.fleet.diff.interrupting_changes import (
    power_change,
    ready_change,
    replace_change,
    restart_change,
)
from provisioner.kinds.fleet.diff.live_changes import corrections, unprotected, wanted_profile
from provisioner.kinds.fleet.diff.plan_notes import notes
from provisioner.kinds.fleet.diff.refusals import (
    how_to_free,
    refuse_kept_members,
    refuse_leaving,
    refuse_problem,
    refuse_protected,
    refuse_stopping,
    refuse_windows,
)
from provisioner.kinds.fleet.launching.launch import confirm_launch
from provisioner.kinds.fleet.launching.launch_context import LaunchContext
from provisioner.kinds.fleet.launching.scale_out import ScaleOut
from provisioner.kinds.fleet.observed import ObservedFleet, Subnet
from provisioner.kinds.fleet.parse import groups_that_name_its_own, with_references
from provisioner.kinds.fleet.placement import spread, to_restart, who_leaves
from provisioner.kinds.fleet.read.images import with_image
from provisioner.kinds.fleet.rolling_update.all_at_once import Termination
from provisioner.kinds.fleet.settings.launch_tag import (
    is_protected,
)
from provisioner.kinds.fleet.spec import SPOT, Fleet
from provisioner.kinds.fleet.volumes.attached import left_notes, staying_notes
from provisioner.kinds.fleet.volumes.changes import keeping_steps
from provisioner.kinds.instance_profile.binding import WantedProfile
from provisioner.kinds.instances import Instance, names_of
from provisioner.kinds.keep import is_kept, kept_unsaid
from provisioner.model import (
    Action,
    Address,
    Change,
    FieldChange,
    Findings,
    Note,
)


def compare_fleet(address: Address, fleet: Fleet | None, observed: ObservedFleet, world: World) -> Findings:
    """The changes of one fleet: members launched, terminated, corrected, restarted and replaced."""
    if fleet is None:
        return _leaving(address, observed, world)
    if observed.problems:
        return Findings(refusals=tuple(refuse_problem(address, problem) for problem in observed.problems))
    pinned = with_references(fleet, world)
    fleet = with_image(pinned, observed)
    leaving = who_leaves(fleet, observed)
    gone = {member.id for member in leaving.members}
    staying = tuple(member for member in observed.members if member.id not in gone)
    # A one-time Spot instance can neither be stopped nor have these attributes changed.
    changeable = tuple(member for member in staying if member.market != SPOT)
    restarted = to_restart(fleet, changeable)
    restarted_ids = {member.id for member in restarted}
    # What has come to its end would shut itself down as soon as it is started.
    powered = [member for member in changeable if member.id not in restarted_ids and not fleet.is_over]
    down = [member for member in restarted if member.is_stopped or fleet.power == "stopped"]
    up = [member for member in restarted if not member.is_stopped and fleet.power == "running"]
    down_ids = {member.id for member in down}
    stopped = up if fleet.power == "running" else [member for member in changeable if not member.is_stopped]
    refusal = refuse_leaving(address, fleet, observed, leaving, world)
    refusal = refusal or refuse_stopping(address, fleet, stopped)
    if leaving.is_rollout or (leaving.surplus < 0 and not fleet.is_over):
        refusal = refusal or refuse_windows(address, fleet, observed)
    if refusal:
        return Findings(refusals=(refusal,))
    profile = wanted_profile(fleet, world)
    launches = _launches(fleet, observed, profile, world)
    told = (
        *ending_notes(address, fleet, observed, world),
        *notes(address, pinned, observed, staying),
        *kept_unsaid(address, fleet.keep, *(member.tags for member in observed.members)),
        *staying_notes(address, fleet, leaving.members, world.environment.region),
    )
    missing, surplus = 0 if fleet.is_over else max(-leaving.surplus, 0), max(leaving.surplus, 0)
    replacing: tuple[Change, ...] = ()
    if leaving.is_rollout:
        replacing = (
            replace_change(
                address,
                fleet,
                observed,
                leaving.members,
                surplus,
                launches,
                profile,
                world.environment.ignore_tags,
            ),
        )
    if observed.partly_observed and (missing or replacing):
        confirming = _confirm(address, observed, world)
        if missing:
            return Findings(changes=(confirming, *replacing), notes=told)
        confirmed = replace(replacing[0], reason=confirming.reason, steps=confirming.steps)
        return Findings(changes=(confirmed,), notes=told)
    changes = (
        *corrections(address, fleet, observed, staying, world),
        *unprotected(address, fleet, observed, leaving.members, world),
        *power_change(address, fleet, observed, powered, world),
        *ready_change(address, fleet, [member for member in staying if member.id not in down_ids], world),
        *restart_change(address, fleet, observed, down, leaving.members, Phase.RESTART_STOPPED, world),
        *([_scale_out(address, fleet, observed, missing, launches)] if missing else ()),
        *replacing,
        *restart_change(address, fleet, observed, up, leaving.members, Phase.RESTART, world),
        *([_scale_in(address, fleet, leaving.members, observed, world)] if surplus and not replacing else ()),
    )
    relies_on = groups_that_name_its_own(fleet, world)
    changes = tuple(replace(change, needs=change.needs | relies_on) for change in changes)
    return Findings(changes=changes, notes=told)


def _launches(
    fleet: Fleet, observed: ObservedFleet, profile: WantedProfile | None, world: World
) -> LaunchContext:
    name, epoch = (profile.name, profile.id) if profile else (None, "")
    return LaunchContext(fleet, world.environment.name, name, epoch, observed.prerequisites)


def _scale_out(
    address: Address, fleet: Fleet, observed: ObservedFleet, count: int, launches: LaunchContext
) -> Change:
    shares = spread(count, observed.prerequisites.subnets, observed.members)
    step = ScaleOut(launches, count, observed.members, observed.gone, fleet.count)
    fields = tuple(
        launch_fields(
            fleet,
            len(observed.members),
            launches.profile,
            observed.prerequisites.image,
            _spread_text(shares),
        )
    )
    reason = f"launch {count}" + (f", {len(observed.members)} are there" if observed.members else "")
    reclaimed = sum(member.market == SPOT and member.was_reclaimed for member in observed.gone)
    if fleet.power == "stopped":
        reason += ", then stop them"
    if reclaimed:
        reason += f"; AWS reclaimed {reclaimed} Spot instance{'s' if reclaimed > 1 else ''}"
    # Whoever is there can be restarted and replaced also while there is no room for more.
    return Change(
        address, Action.CREATE, reason, fields=fields, size=count, unit=UNIT, steps=(step,), blocks=False
    )


def _spread_text(shares: Mapping[Subnet, int]) -> str:
    """How many members go where: `10 each in us-east-1a, b; 9 in c`; by subnet where a zone has several."""
    by_zone = len({subnet.zone for subnet in shares}) == len(shares)
    places: dict[int, list[str]] = {}
    for subnet, share in shares.items():
        places.setdefault(share, []).append(subnet.zone if by_zone else subnet.id)
    text = "; ".join(
        f"{share}{' each' if len(where) > 1 else ''} in {', '.join(where)}"
        for share, where in sorted(places.items(), reverse=True)
    )
    # The region is said once, with the first zone.
    first = text.index(" in ") + len(" in ")
    region = next(iter(shares)).zone.rstrip("abcdefghijklmnopqrstuvwxyz")
    return text[:first] + region + text[first:].replace(region, "") if by_zone else text


def _confirm(address: Address, observed: ObservedFleet, world: World) -> Change:
    """The change that comes before any other while a launch is seen in part."""
    written = world.environment.of(Fleet).get(address)
    fleet = with_references(written, world) if written else None
    profile = wanted_profile(fleet, world) if fleet else None
    name = profile.name if profile else None
    step = confirm_launch(
        fleet, name, observed.prerequisites, observed.partly_observed, leaving=world.destroying
    )
    count = fleet.count if fleet and not world.destroying else 0
    fields = (FieldChange("count", len(observed.members), count),)
    reason = f"{step.unseen} members of a recent launch are not shown by EC2 yet; asking again first"
    action = Action.CREATE if count > len(observed.members) else Action.DELETE
    size = abs(count - len(observed.members))
    ids = () if action is Action.CREATE else tuple(member.id for member in observed.members)
    whole = action is Action.DELETE
    names = names_of(observed.members) if whole else {}
    return Change(address, action, reason, fields, ids, size, (step,), whole=whole, unit=UNIT, names=names)


def _scale_in(
    address: Address, fleet: Fleet, going: Sequence[Instance], observed: ObservedFleet, world: World
) -> Change:
    fields = (FieldChange("count", len(observed.members), fleet.count),)
    reason = (
        f"terminate {len(going)} of {len(observed.members)}, in this order: other settings than the spec's, "
        "not running or not healthy, in the zone with most, newest"
    )
    change = _terminate(address, going, reason, fields, world, fleet)
    return replace(change, phase=Phase.TERMINATE)


def _terminate(
    address: Address,
    going: Sequence[Instance],
    reason: str,
    fields: tuple[FieldChange, ...],
    world: World,
    fleet: Fleet | None,
) -> Change:
    ids = tuple(member.id for member in going)
    return Change(
        address,
        Action.DELETE,
        reason,
        fields=fields,
        instances=ids,
        size=len(ids),
        unit=UNIT,
        steps=(*keeping_steps(fleet, going), Termination(ids, world.environment.name)),
        names=names_of(going),
    )


def _leaving(address: Address, observed: ObservedFleet, world: World) -> Findings:
    # What is to stay, the spec says also of what is to be destroyed.
    fleet = world.environment.of(Fleet).get(address)
    region = world.environment.region
    told = (
        *staying_notes(address, fleet, observed.members, region),
        *left_notes(address, observed.left_volumes, region),
        *(Note(address, text) for text in observed.unchecked),
    )
    if not observed.members:
        return Findings(notes=told)
    kept = [member for member in observed.members if is_kept(member.tags)]
    if kept:
        what = f"{len(observed.members)} members would be terminated"
        return Findings(refusals=(refuse_kept_members(address, what, kept, observed, world),))
    if observed.partly_observed:
        return Findings(changes=(_confirm(address, observed, world),), notes=told)
    if any(is_protected(member) for member in observed.members):
        hint = how_to_free(observed.members, fleet)
        refusal = refuse_protected(address, observed.members, len(observed.members))
        return Findings(refusals=(replace(refusal, hint=hint),))
    reason = "will be destroyed" if world.destroying else "no longer in the spec"
    change = _terminate(address, observed.members, reason, (), world, fleet)
    return Findings(changes=(replace(change, whole=True),), notes=told)
