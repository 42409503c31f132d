"""Starting stopped members, and giving them back what they had where EC2 refuses to start them as they are.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StartInstances.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, NamedTuple

from provisioner.errors import AwsError, ProvisionerError, WaitError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.call_rules import CAPACITY_CODES, INSTANCE_QUOTA_CODES, way_out
from provisioner.kinds.fleet.observed import scope_of
from provisioner.kinds.fleet.settings.differences import desired_of
from provisioner.kinds.fleet.settings.launch_tag import read_record
from provisioner.kinds.fleet.settings.setting import NOT_COMPARED, Setting, Target
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.spec import CapacityOption, Fleet
from provisioner.kinds.instances import Instance, calls_on
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, CallCount, Parallel, Step, Until, Wait, count_calls
from provisioner.retry import DENIED_CODES

# What EC2 forgets with a change of type.
RESET = tuple(setting for setting in SETTINGS if setting.reset_by == "instance_type")
# What another type may help against.
NO_ROOM = CAPACITY_CODES | INSTANCE_QUOTA_CODES
# How many ids a message names.
MAX_NAMED = 10
# What is said of one member, and of several.
_IN_WORDS = {False: ("is", "runs", "it had"), True: ("are", "run", "they had")}


class PutBack(NamedTuple):
    """How members are that were given back what they had, in words, and what was refused with that as its
    hint. Of members that were not stopped nothing is told."""

    told: str
    refused: ProvisionerError


@dataclass(frozen=True)
class Start:
    """Start stopped members as they are; without room for that, as each other type of the fleet in turn.

    `now` are the types they have. Where nothing helps they get back what they had, and are started as that:
    the types `before`, and what the steps `undo` give back. If EC2 refuses even this, they are started as a
    type that they ran as `earlier`, where one is known: they may have been left stopped, with another type,
    by a run that was killed. `paths` are the settings for which they were stopped.

    EC2 forgets some settings with a change of type (`reset_by` of a row), so they are given again after
    each, before the start: as the spec has them with another type of the fleet, else as the `members` had
    them. `touched` are the members that have lost them, or were given others, by now.
    """

    fleet: Fleet
    environment: str
    before: Mapping[str, str]
    now: Mapping[str, str]
    earlier: Mapping[str, str] = field(default_factory=dict)
    undo: tuple[Step, ...] = ()
    paths: tuple[str, ...] = ()
    members: Mapping[str, Instance] = field(default_factory=dict)
    touched: frozenset[str] = frozenset()

    def calls(self) -> Iterable[CallCount]:
        return count_calls(calls_on("StartInstances", self.before))

    def start(self, context: ExecutionContext) -> None:
        """Start them, or have them as they were. Raises ProvisionerError, which says how they are then."""
        types = dict(self.now)
        refused = _start(self.before, context)
        wanted = ", ".join(dict.fromkeys(self.now.values()))
        if not refused:
            context.took(len(self.before), wanted, wanted)
            return
        others = self._others() if refused.code in NO_ROOM else ()
        for other in others:
            as_other = dict.fromkeys(self.before, other)
            if _retype(as_other, types, context):
                continue
            if problem := _send_each(self._as_the_spec_has_it(as_other), context):
                hint = f"{refused.hint}; " if refused.hint else ""
                refused = refused.with_hint(f"{hint}{other} was passed over ({problem.message})")
            elif not _start(as_other, context):
                context.took(len(self.before), other, wanted)
                return
        is_changed = bool(self.undo) or bool(self.touched) or types != self.before
        choices = (self.before, self.earlier) if is_changed else (self.earlier,)
        raise self._give_back(refused, types, context, choices).refused

    def put_back(self, refused: ProvisionerError, context: ExecutionContext) -> PutBack:
        """Give those of the members that are stopped what they had, and start them as that.

        `refused` is why they are not as they should be.
        """
        return self._give_back(refused, dict(self.now), context, (self.before, self.earlier))

    def _as_the_spec_has_it(self, ids: Iterable[str]) -> list[Step]:
        """The steps that give members again what EC2 forgets with a change of type."""
        return [
            step
            for setting in RESET
            if (desired := desired_of(setting, self.fleet)) is not NOT_COMPARED
            for name in ids
            for step in _given(setting, self.fleet, self.members.get(name), desired)
        ]

    def _give_again(self, wanted: Mapping[str, str], touched: Collection[str], ctx: ExecutionContext) -> str:
        """Give members, which have the types that are wanted, what EC2 forgot: in words what it refused."""
        texts = []
        for setting in RESET:
            desired = desired_of(setting, self.fleet)
            is_said = desired is not NOT_COMPARED
            shown = self._shown(ctx) if touched and not is_said else {}
            steps: list[Step] = []
            for name in (name for name in wanted if name in touched and name in self.members):
                had = setting.observed(self.members[name])
                if wanted[name] != self.before[name]:
                    had = desired
                is_lost = is_said or (name in shown and setting.observed(shown[name]) != had)
                steps += _given(setting, self.fleet, self.members[name], had) if is_lost else ()
            if refused := _send_each(steps, ctx):
                texts.append(f", but without the `{setting.path}` that was there before ({refused.message})")
        return "".join(texts)

    def _shown(self, context: ExecutionContext) -> Mapping[str, Instance]:
        """The members as EC2 shows them; nothing, if it does not."""
        try:
            return context.wait(Wait((), Until.SHOWN, (scope_of(self.environment),)))
        except (AwsError, WaitError):
            return {}

    def _others(self) -> tuple[str, ...]:
        if self.fleet.update.on_restart != "restart" or self.fleet.ignores("instance_type"):
            return ()
        return tuple(type_ for type_ in self.fleet.instance_types if set(self.now.values()) != {type_})

    def _give_back(
        self,
        refused: ProvisionerError,
        types: dict[str, str],
        context: ExecutionContext,
        choices: Sequence[Mapping[str, str]],
    ) -> PutBack:
        """`choices` are types to start them as, each tried where the one before was refused."""
        try:
            shown = context.wait(Wait((), Until.SHOWN, (scope_of(self.environment),)))
            down = [name for name in self.before if name in shown and shown[name].state == "stopped"]
            if not down:
                return PutBack("", refused)
            not_undone = _send_each(self.undo, context)
            state = self._started(down, types, context, choices)
        except ProvisionerError as error:
            if not isinstance(error, (AwsError, WaitError)):
                raise
            state = f"could not be started again ({error.message})"
            down, not_undone = list(self.before), None
        told = f"{_some(down)} {state}"
        if not_undone:
            told += f", not wholly with what they had ({not_undone.message})"
        before = f"{refused.hint}; " if refused.hint and refused.hint not in told else ""
        return PutBack(told, refused.with_hint(f"{before}{told}; {self._way_out(refused)}"))

    def _started(
        self,
        down: Sequence[str],
        types: dict[str, str],
        context: ExecutionContext,
        choices: Sequence[Mapping[str, str]],
    ) -> str:
        """Start those that are down as the first choice that EC2 does not refuse: how they are then."""
        before = {name: self.before[name] for name in down}
        is_, runs, had = _IN_WORDS[len(down) > 1]
        touched = set(self.touched) | {name for name in down if types[name] != self.now[name]}
        if self.fleet.power == "stopped":
            _retype(before, types, context)
            lost = self._give_again(before, touched, context)
            return f"{is_} stopped, as `power: stopped` says, with what {had}{lost}"
        for choice in choices:
            wanted = before | {name: type_ for name, type_ in choice.items() if name in before}
            if not choice:
                continue
            touched |= {name for name in down if types[name] != wanted[name]}
            if _retype(wanted, types, context):
                continue
            lost = self._give_again(wanted, touched, context)
            if _start(wanted, context):
                continue
            try:
                context.wait(Wait(tuple(down), Until.STARTED, (scope_of(self.environment),)))
            except WaitError:
                return f"{is_} started again as {_names(wanted.values())}, and not running yet{lost}"
            return f"{runs} again as {_names(wanted.values())}{lost}"
        touched |= {name for name in down if types[name] != before[name]}
        _retype(before, types, context)
        return f"{is_} stopped{self._give_again(before, touched, context)}"

    def _way_out(self, refused: ProvisionerError) -> str:
        code = refused.code if isinstance(refused, AwsError) else ""
        if code in INSTANCE_QUOTA_CODES and isinstance(refused, AwsError):
            return way_out({CapacityOption(type_): refused for type_ in self.fleet.instance_types}, "")
        if code in NO_ROOM and "ebs_optimized" not in self.paths:
            return "apply again later, or give `instance_type` more choices"
        if code in DENIED_CODES:
            return "apply again once that is allowed"
        if not self.paths:
            return "apply again once that is put right"
        settings = " and ".join(f"`{path}`" for path in self.paths)
        return f"applying this again would stop them once more for the same, so correct {settings} first"


@run_step.register
def _start_members(step: Start, context: ExecutionContext) -> None:
    step.start(context)


def ran_as(members: Iterable[Instance], fleet: Fleet, others: Collection[Instance]) -> dict[str, str]:
    """A type that each member may have run as before, where another than it has now is known.

    That is the type of a member that is not one of the spec's, as all have it before a rollout, or else the
    type that the member was launched as.
    """
    old = [member.type for member in others if member.type not in fleet.instance_types]
    known = {member.id: next(iter(old), read_record(member).get("type", member.type)) for member in members}
    return {member.id: known[member.id] for member in members if known[member.id] != member.type}


def resize(instance: str, instance_type: str) -> Step:
    """The call that gives a stopped instance another type."""
    params = {"InstanceId": instance, "InstanceType": {"Value": instance_type}}
    return Call("ec2", "ModifyInstanceAttribute", params)


def _start(ids: Iterable[str], context: ExecutionContext) -> AwsError | None:
    """Why EC2 refuses to, if it does. It starts all of a call or none."""
    try:
        for call in calls_on("StartInstances", ids):
            context.send(call)
    except AwsError as error:
        return error
    return None


def _given(setting: Setting, fleet: Fleet, member: Instance | None, value: Any) -> tuple[Call, ...]:
    """The calls that give a member a value, where both are known."""
    if member is None or value is NOT_COMPARED or setting.change is None:
        return ()
    return setting.change(Target(fleet, member, value))


def _retype(wanted: Mapping[str, str], types: dict[str, str], context: ExecutionContext) -> AwsError | None:
    """Give members these types where they have others, and write that into `types`."""
    changed = {name: type_ for name, type_ in wanted.items() if types[name] != type_}
    types.update(changed)
    return _send_each([resize(name, type_) for name, type_ in changed.items()], context)


def _send_each(steps: Sequence[Step], context: ExecutionContext) -> AwsError | None:
    try:
        run_step(Parallel(tuple(steps)), context)
    except AwsError as error:
        return error
    return None


def _names(types: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(types))


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - MAX_NAMED} more" if len(ids) > MAX_NAMED else ""
    return ", ".join(ids[:MAX_NAMED]) + more
