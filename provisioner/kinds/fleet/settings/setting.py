"""What a row of the table of settings is, and short ways to say what most rows have in common."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.observed import Prerequisites, Problem, Subnet
from provisioner.kinds.fleet.settings.remembered import Remembered
from provisioner.kinds.fleet.settings.volume_modifications import MODIFY_VOLUME, modify_steps
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import MAX_IDS, Instance, chunks
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, Parallel, Step
from provisioner.naming import LAUNCH_TAG

# The one call that takes a single attribute:
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
_ONE_ATTRIBUTE = "ModifyInstanceAttribute"
# What calls name that change one thing.
_ONE_THING = ("InstanceId", "NetworkInterfaceId", "VolumeId")


class NotCompared:
    """The type of NOT_COMPARED."""


NOT_COMPARED = NotCompared()
# What a member has of a setting that the spec did not say when it was launched: it is set and written down.
NOT_KNOWN = "not known"


class How(StrEnum):
    """How members that are there get another value of a setting."""

    LIVE = "live"
    RESTART = "restart"
    REPLACE = "replace"

    @property
    def in_words(self) -> str:
        return _IN_WORDS[self]


_IN_WORDS = {
    How.LIVE: "Changes while the instances run",
    How.RESTART: "Changes by stop and start",
    How.REPLACE: "Changes by replacement",
}


class Launching(NamedTuple):
    """Where members are launched, and what was looked up for that."""

    prerequisites: Prerequisites
    subnet: Subnet


class Target(NamedTuple):
    """A member that is to have a value; `groups` maps security groups as the spec has them to their ids."""

    fleet: Fleet
    member: Instance
    value: Any
    groups: Mapping[str, str] = {}


def no_problem(raw: Mapping[str, Any]) -> Problem | None:
    """For settings of which a schema can say everything."""
    return None


@dataclass(frozen=True)
class Setting:
    """One setting: its path in the spec, how it changes, why, and the AWS document that says so.

    `desired` is what the spec asks for, `observed` what a member has; NOT_COMPARED from either says that
    there is nothing to compare. `launch` gives the part of RunInstances that asks for it; where RunInstances
    has none, members get it by `change` as soon as they run, unless EC2 gives it `by_itself`: what a launch
    gives that asks for nothing, where that depends on nothing else. `change` gives the calls that bring a
    member to a value. `remembered` is how the launch tag has what DescribeInstances does not show; `look_up`
    reads that of many members at once, where the spec says the setting: what to add to their description.
    `protects`: it keeps members from being terminated. `on_spot`: it can be changed on Spot instances.
    `reset_by`: the setting whose change makes EC2 forget it. `check` finds what a schema cannot say of a
    fleet's entry in the spec.
    """

    path: str
    how: How
    why: str
    source: str
    desired: Callable[[Fleet], Any] = lambda fleet: NOT_COMPARED
    observed: Callable[[Instance], Any] = lambda instance: NOT_COMPARED
    agree: Callable[[Any, Any], bool] = operator.eq
    launch: Callable[[Fleet, Launching], Mapping[str, Any]] | None = None
    change: Callable[[Target], tuple[Call, ...]] | None = None
    remembered: Remembered | None = None
    look_up: Callable[[Reader, Sequence[Instance]], Mapping[str, Mapping[str, Any]]] | None = None
    by_itself: Any = NOT_COMPARED
    protects: bool = False
    on_spot: bool = True
    reset_by: str | None = None
    check: Callable[[Mapping[str, Any]], Problem | None] = no_problem

    def __post_init__(self) -> None:
        """Raises TypeError for a row that lacks what its way of changing needs."""
        if self.how is not How.REPLACE and self.change is None:
            raise TypeError(f"{self.path} changes by {self.how}, so its row has to say `change`")
        if self.how is not How.LIVE and self.launch is None:
            raise TypeError(f"{self.path} changes by {self.how}, so its row has to say `launch`")

    @property
    def section(self) -> str:
        """The section of a fleet that its field is in; empty for a field of the fleet itself."""
        return self.path.rpartition(".")[0]

    @property
    def group(self) -> str:
        """What names the settings that are changed together: one call takes a whole section of the spec.

        The launch tag is written as a whole, so that no two changes of it can undo each other.
        """
        return "launch tag" if self.remembered else self.path.partition(".")[0]

    @property
    def is_after_launch(self) -> bool:
        """Whether RunInstances cannot give it, so that it is changed as soon as a member runs."""
        return self.launch is None


def recorded(
    remembered: Remembered,
    is_compared: Callable[[Fleet], object] = lambda fleet: True,
    left_out: NotCompared | str = NOT_COMPARED,
) -> Any:
    """`desired`, `observed` and `remembered` of a setting that only the launch tag shows.

    `left_out` is what members have whose tag says nothing of it.
    """

    def desired(fleet: Fleet) -> Any:
        text = remembered.text(fleet) if is_compared(fleet) else None
        return NOT_COMPARED if text is None else text

    # Most members of a fleet have the same tag, which is looked at for each of them.
    @lru_cache(maxsize=1024)
    def said_in(tag: str) -> Any:
        value = remembered.said_in(tag)
        if value is not None:
            return value
        return left_out if remembered.is_left_out_of(tag) else NOT_COMPARED

    def observed(instance: Instance) -> Any:
        return said_in(instance.tag(LAUNCH_TAG) or "")

    return {"desired": desired, "observed": observed, "remembered": remembered}


def or_any(value: Any) -> Any:
    """A value, or that any is right where the spec says none."""
    return NOT_COMPARED if value is None else value


def said(path: str) -> Callable[[Fleet], Any]:
    """The `desired` of a setting that is not compared where the spec does not say it."""
    return lambda fleet: or_any(fleet.says(path))


def shows(path: str) -> Callable[[Instance], Any]:
    """The `observed` of a setting that is at a dotted path in DescribeInstances."""

    def observed(instance: Instance) -> Any:
        value: Any = instance.described
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return or_any(value)

    return observed


def part(path: str, value: Any) -> dict[str, Any]:
    """A parameter within others by its dotted path: `Placement.Tenancy`."""
    *outer, last = path.split(".")
    made = {last: value}
    for name in reversed(outer):
        made = {name: made}
    return made


def part_if_said(path: str, value: Any) -> dict[str, Any]:
    """The same; nothing where the spec does not say it."""
    return {} if value is None else part(path, value)


def launched(parameter: str, path: str) -> Callable[[Fleet, Launching], Mapping[str, Any]]:
    """The `launch` of a setting that is a parameter of RunInstances, sent where the spec says it."""
    return lambda fleet, _: part_if_said(parameter, fleet.says(path))


def merged(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Parts of parameters as one; what two say of the same parameter is put together."""
    whole: dict[str, Any] = {}
    for parameters in parts:
        for name, value in parameters.items():
            both = isinstance(value, Mapping) and isinstance(whole.get(name), Mapping)
            whole[name] = merged((whole[name], value)) if both else value
    return whole


def modify(to: Target, operation: str, **params: Any) -> tuple[Call, ...]:
    """The call that changes a member by an operation of its own."""
    return (Call("ec2", operation, {"InstanceId": to.member.id, **params}),)


def modify_attribute(to: Target, name: str, value: Any) -> tuple[Call, ...]:
    """The call that changes one attribute of a member."""
    return modify(to, _ONE_ATTRIBUTE, **{name: {"Value": value}})


def change_steps(
    settings: Sequence[Setting], members: Sequence[Instance], fleet: Fleet, groups: Mapping[str, str]
) -> tuple[Step, ...]:
    """The steps that give members the fleet's values of some settings, in as few calls as EC2 takes."""
    calls = [
        call
        for setting in settings
        if setting.change
        for member in members
        for call in setting.change(Target(fleet, member, setting.desired(fleet), groups))
    ]
    return tuple(
        step
        for wave in combined(calls)
        for step in (modify_steps(wave) if wave[0].operation == MODIFY_VOLUME else (Parallel(tuple(wave)),))
    )


def combined(calls: Iterable[Call]) -> list[list[Call]]:
    """Calls in waves, each of which can be sent side by side, with those put together that can be one.

    Calls of one operation on one member or volume become one, unless it takes one attribute only; so do those
    that name members in a list, up to 1000.
    """
    waves: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for call in calls:
        params = dict(call.params)
        member = next((str(params[name]) for name in _ONE_THING if name in params), "")
        is_alone = call.operation == _ONE_ATTRIBUTE
        attribute = next(name for name in params if name != "InstanceId") if is_alone else ""
        wave = waves.setdefault((call.operation, attribute), {})
        before = wave.setdefault(member, {})
        for name, value in params.items():
            is_list = isinstance(value, list) and not member
            before[name] = [*before.get(name, ()), *value] if is_list else value
    return [
        [
            Call("ec2", operation, sent)
            for member, params in wave.items()
            for sent in ([params] if member else _portions(params))
        ]
        for (operation, _), wave in waves.items()
    ]


def _portions(params: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    ((name, items),) = params.items()
    return ({name: list(portion)} for portion in chunks(items, MAX_IDS))
