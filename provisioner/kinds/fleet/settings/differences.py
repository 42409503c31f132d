"""In which settings members differ from the spec, and what is done about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from provisioner.kinds.base import Entry
from provisioner.kinds.fleet.settings.setting import NOT_COMPARED, How, Setting, change_steps
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.settings.volume_drift import MODIFIABLE
from provisioner.kinds.fleet.spec import ROOT_VOLUME, SPOT, VOLUMES, Fleet
from provisioner.kinds.instances import Instance
from provisioner.model import Step

# What members get as soon as they run.
AFTER_LAUNCH = tuple(setting.path for setting in SETTINGS if setting.is_after_launch)

# Fields of a volume that others than EBS's ModifyVolume change, or nobody.
FIXED = ("encrypted", "kms_key_id")
OF_A_VOLUME = (*MODIFIABLE, *FIXED, "delete_on_termination")


def how_for(setting: Setting, fleet: Fleet) -> How | None:
    """How a setting is changed on this fleet's members, by its `update:`; None: on new members only.

    A one-time Spot instance cannot be stopped, so it is replaced:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/stop-spot-instance.html
    """
    return _how(setting, fleet.update.on_user_data, fleet.update.on_restart, fleet.market)


def _how(setting: Setting, on_user_data: str, on_restart: str, market: str) -> How | None:
    how: How | None = setting.how
    if setting.path == "user_data":
        how = {"replace": How.REPLACE, "restart": How.RESTART, "ignore": None}[on_user_data]
    elif setting.how is How.RESTART:
        how = {"restart": How.RESTART, "replace": How.REPLACE, "never": None}[on_restart]
    return How.REPLACE if how is How.RESTART and market == SPOT else how


@cache
def _changed_by(how: How | None, on_user_data: str, on_restart: str, market: str) -> tuple[Setting, ...]:
    """The settings that are changed in one way: the same for all fleets that say the same of updates."""
    return tuple(s for s in SETTINGS if _how(s, on_user_data, on_restart, market) is how)


def why_for(setting: Setting, fleet: Fleet) -> str:
    """Why a setting is changed as it is on this fleet's members."""
    if setting.how is How.RESTART and fleet.market == SPOT:
        return "Spot instances cannot be stopped to change it"
    if setting.how is How.RESTART and fleet.update.on_restart == "replace":
        return "as `update: {on_restart: replace}` says"
    if setting.path == "user_data" and fleet.update.on_user_data == "restart":
        return "as `update: {on_user_data: restart}` says"
    return setting.why


def differing(fleet: Fleet, members: Iterable[Instance], how: How | None) -> dict[str, tuple[Setting, ...]]:
    """The settings that are changed in one way and in which members differ from the spec, by member."""
    members = list(members)
    if not members:
        return {}
    chosen = [
        (setting, setting.desired(fleet))
        for setting in _changed_by(how, fleet.update.on_user_data, fleet.update.on_restart, fleet.market)
        if not fleet.ignores(setting.path)
    ]
    wrong: dict[str, list[Setting]] = {}
    for setting, desired in chosen:
        if desired is NOT_COMPARED:
            continue
        # Of up to a hundred thousand members, most of which have the same.
        values = list(map(setting.observed, members))
        if values.count(values[0]) == len(values) and _is_right(setting, desired, values[0]):
            continue
        agree = setting.agree
        for member, observed in zip(members, values, strict=True):
            # As `_is_right`, which would take as long to call as to answer.
            if observed is not NOT_COMPARED and not agree(desired, observed):
                wrong.setdefault(member.id, []).append(setting)
    if not wrong:
        return {}
    return {member.id: tuple(wrong[member.id]) for member in members if member.id in wrong}


def by_setting(
    fleet: Fleet, members: Iterable[Instance], how: How | None
) -> list[tuple[Setting, list[Instance]]]:
    """The same by setting: each in which some differ, with those members."""
    members = list(members)
    differences = differing(fleet, members, how)
    found: dict[str, tuple[Setting, list[Instance]]] = {}
    for member in members:
        for setting in differences.get(member.id, ()):
            found.setdefault(setting.path, (setting, []))[1].append(member)
    return list(found.values())


def _is_right(setting: Setting, desired: Any, observed: Any) -> bool:
    return observed is NOT_COMPARED or setting.agree(desired, observed)


def desired_of(setting: Setting, fleet: Fleet) -> Any:
    """What members that are there are to have: NOT_COMPARED also of what is left to others."""
    return NOT_COMPARED if fleet.ignores(setting.path) else setting.desired(fleet)


def differs(setting: Setting, fleet: Fleet, instance: Instance) -> bool:
    """Whether a member has something else than the spec asks for."""
    desired = desired_of(setting, fleet)
    return desired is not NOT_COMPARED and not _is_right(setting, desired, setting.observed(instance))


def check_ignored(fleet: Fleet, paths: Iterable[str], entry: Entry) -> None:
    """Report to `entry` what `ignore_changes` names and no setting is called."""
    settings = {setting.path for setting in SETTINGS}
    root = {f"{ROOT_VOLUME}.{field}" for field in (*MODIFIABLE, *FIXED)}
    others = {f"{VOLUMES}.{field}" for field in OF_A_VOLUME}
    known = sorted({*settings, *root, *others, *(path.split(".")[0] for path in settings)})
    # Those of one volume, as plans call them.
    devices = {f"{VOLUMES}.{volume.device}" for volume in fleet.volumes}
    taken = {*known, *devices, *(f"{device}.{field}" for device in devices for field in OF_A_VOLUME)}
    for index, path in enumerate(paths):
        if path not in taken:
            near = get_close_matches(path, known, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            hint = f"{meant}There are {', '.join(known)}"
            entry.problem(("ignore_changes", index), f"no setting is called {path!r}", hint)


def with_reset(fleet: Fleet, settings: Sequence[Setting]) -> tuple[str, ...]:
    """The paths of settings to change, and of those that EC2 forgets when these change."""
    paths = [setting.path for setting in settings]
    return tuple(
        setting.path
        for setting in SETTINGS
        if setting.path in paths
        or (setting.reset_by in paths and desired_of(setting, fleet) is not NOT_COMPARED)
    )


def after_launch_steps(fleet: Fleet, members: Sequence[Instance]) -> tuple[Step, ...]:
    """The steps that give new members the settings that RunInstances does not take."""
    after_launch = [
        setting
        for setting in SETTINGS
        if setting.path in AFTER_LAUNCH and setting.desired(fleet) not in (NOT_COMPARED, setting.by_itself)
    ]
    return change_steps(after_launch, members, fleet, {}) if members else ()


def shown(value: Any) -> Any:
    """A setting's value as a plan shows it: plain data."""
    if hasattr(value, "_fields"):
        return str(value)
    if isinstance(value, Mapping):
        return tuple(sorted(value.values()))
    if isinstance(value, tuple) and len(value) == 1:
        return value[0]
    return value
