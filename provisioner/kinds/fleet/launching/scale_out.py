"""Launching members: over the zones evenly, of the first type that there is capacity for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from provisioner.errors import AwsError, ChangedMeanwhile
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.call_rules import CAPACITY_CODES, INSTANCE_QUOTA_CODES
from provisioner.kinds.fleet.conditions import EachSettingsAgree, IsNumbered
from provisioner.kinds.fleet.launching.launch import Launch, next_number
from provisioner.kinds.fleet.launching.params import launch_params, run_instances
from provisioner.kinds.fleet.launching.quotas import way_out, what_was_said
from provisioner.kinds.fleet.observed import (
    MAX_AT_ONCE,
    Prerequisites,
    Subnet,
    answered_launches,
    is_member,
    scope_of,
)
from provisioner.kinds.fleet.placement import indexes, spread
from provisioner.kinds.fleet.settings.differences import AFTER_LAUNCH, after_launch_steps
from provisioner.kinds.fleet.spec import CapacityOption, Fleet
from provisioner.kinds.iam import tag_list
from provisioner.kinds.instances import MAX_IDS, Instance, chunks
from provisioner.kinds.launch_token import Slot
from provisioner.model import (
    Call,
    CallCount,
    Output,
    Parallel,
    Until,
    Wait,
    count_calls,
    foretold_calls,
)
from provisioner.naming import INDEX_TAG

T = TypeVar("T")


@dataclass(frozen=True)
class LaunchContext:
    """All that the launches of a fleet have in common.

    `profile` is the profile's name; `epoch` its id, empty without one.
    """

    fleet: Fleet
    environment: str
    profile: str | None
    epoch: str | Output
    prerequisites: Prerequisites

    def slot(self, subnet: Subnet) -> Slot:
        """Where the launches in a subnet are numbered."""
        return Slot(self.environment, self.fleet.key, subnet.zone, subnet.id)

    def foretold(self, shares: Mapping[Subnet, int]) -> Iterator[Call]:
        """The launches of so many members in each subnet, of each capacity option, without a token."""
        for subnet, share in sorted(shares.items(), key=lambda item: item[0].id):
            params = launch_params(self.fleet, self.profile, self.prerequisites, subnet)
            for option in self.fleet.capacity_options:
                yield run_instances(params, option, share, "")
        yield from foretold_calls(after_launch_steps(self.fleet, [Instance("", "running", "", "", "", "")]))
        if self.fleet.is_indexed:
            yield Call("ec2", "CreateTags", {"Tags": tag_list({"Name": self.fleet.name})})

    def answered(self, context: ExecutionContext) -> list[Instance]:
        """The members that this run was told of by its launches."""
        launched = answered_launches(context.answers("RunInstances"))
        return [each for instances in launched.values() for each in instances if self.is_member(each)]

    def is_member(self, instance: Instance) -> bool:
        """Whether an instance is a live member of the fleet."""
        return is_member(instance, self.environment, self.fleet.key)

    def wait_for(
        self, instances: Iterable[Instance], context: ExecutionContext, until: Until = Until.RUNNING
    ) -> Mapping[str, Instance]:
        """Wait for members; all of the environment's instances that are shown then, by id."""
        ids = tuple(each.id for each in instances)
        return context.wait(Wait(ids, until, (scope_of(self.environment),))) if ids else {}


@dataclass(frozen=True)
class _Attempt:
    """What came of one launch of several that are sent side by side; `number` is the next one's there."""

    subnet: Subnet
    number: int
    got: list[Instance]
    is_full: bool
    shortage: AwsError | None = None

    @property
    def meets_quota(self) -> bool:
        """Whether no other zone has room for it either."""
        return self.shortage is not None and self.shortage.code in INSTANCE_QUOTA_CODES


def _attempt(subnet: Subnet, launch: Launch, context: ExecutionContext) -> _Attempt:
    try:
        number, got = launch.send(context)
    except AwsError as error:
        if error.code not in CAPACITY_CODES | INSTANCE_QUOTA_CODES:
            raise
        return _Attempt(subnet, launch.number, [], True, error)
    return _Attempt(subnet, number, got, len(got) < launch.count)


@dataclass(frozen=True)
class Launched:
    """The members that a launch got, all instances as shown after it, and why there was no room for more."""

    new: tuple[Instance, ...]
    shown: Mapping[str, Instance]
    shortage: AwsError | None


@dataclass(frozen=True)
class ScaleOut:
    """Launch `count` members, give them their names, and wait until they run.

    Each rung is tried in all subnets before the next: a subnet that has no room for all of its share keeps
    what it got, and the others take the rest. Where a quota is used up, the next rung is tried at once.
    `members` and `gone` are what EC2 shows of the fleet, `expected` how many members there may be when all is
    done; `leaving` are members that are to go, and so do not count for the spread.
    """

    pad: LaunchContext
    count: int
    members: tuple[Instance, ...]
    gone: tuple[Instance, ...]
    expected: int
    leaving: frozenset[str] = frozenset()

    @property
    def staying(self) -> tuple[Instance, ...]:
        """The members that new ones are spread around."""
        return tuple(each for each in self.members if each.id not in self.leaving)

    def calls(self) -> Iterable[CallCount]:
        shares = spread(self.count, self.pad.prerequisites.subnets, self.staying)
        launches = sum(-(-share // MAX_AT_ONCE) for share in shares.values())
        named = CallCount("ec2", "CreateTags", self.count)
        new = [Instance(str(n), "running", "", "", "", "") for n in range(self.count)]
        stops = CallCount("ec2", "StopInstances", -(-self.count // MAX_IDS))
        return (
            CallCount("ec2", "RunInstances", launches),
            *([named] if self.pad.fleet.is_indexed else ()),
            *count_calls(after_launch_steps(self.pad.fleet, new)),
            *([stops] if self.pad.fleet.power == "stopped" else ()),
        )

    def foretold(self) -> Iterable[Call]:
        return self.pad.foretold(spread(self.count, self.pad.prerequisites.subnets, self.staying))

    def launch(self, context: ExecutionContext, tell: Callable[[str], None] = lambda phase: None) -> Launched:
        """Do it, as far as there is capacity. Raises AwsError, WaitError and ChangedMeanwhile."""
        pad = self.pad
        members = {member.id for member in self.members}
        known = members | {member.id for member in self.gone}
        # What this run has launched before is among the members, though maybe not shown yet. Were the next
        # launch shown first, whoever looks then would launch these again.
        pad.wait_for([each for each in pad.answered(context) if each.id in members], context, Until.SHOWN)
        try:
            shortage = self._launch_all(context)
        except AwsError as error:
            launched = sum(each.id not in known for each in pad.answered(context))
            if not launched:
                raise
            stay = "was launched before, and stays" if launched == 1 else "were launched before, and stay"
            kept = f"{launched} of {self.count} members {stay}"
            raise error.with_hint(f"{error.hint}; {kept}" if error.hint else kept) from error
        new = [each for each in pad.answered(context) if each.id not in known]
        tell(f"{len(new)} of {self.count} launched")
        names = self._name(new, context)
        shown = self._wait_for_all(new, names, context)
        self._look_for_others(shown, members | {each.id for each in new})
        shown = self._set_after_launch(new, context) or shown
        if new and pad.fleet.power == "stopped":
            for part in chunks([each.id for each in new], MAX_IDS):
                context.send(Call("ec2", "StopInstances", {"InstanceIds": list(part)}))
            shown = pad.wait_for(new, context, Until.STOPPED)
        return Launched(tuple(new), shown, shortage)

    def _launch_all(self, context: ExecutionContext) -> AwsError | None:
        """Launch what there is room for; why it is not all, if it is not."""
        pad = self.pad
        epoch, numbers = self._next(context)
        subnets = pad.prerequisites.subnets
        present = list(self.staying)
        missing = self.count
        refused: dict[CapacityOption, AwsError] = {}
        for option in pad.fleet.capacity_options:
            with_room = list(subnets)
            while missing and with_room:
                shares = spread(missing, with_room, present)
                launches = [
                    partial(_attempt, subnet, self._one_launch(subnet, numbers[subnet], share, option, epoch))
                    for subnet, share in shares.items()
                ]
                attempts = [
                    attempt
                    for portion in self._portions(launches, first=missing == self.count)
                    for attempt in context.parallel(portion)
                ]
                got = [member for attempt in attempts for member in attempt.got]
                # A quota outweighs a lack of room: it is the same in all zones.
                for attempt in sorted(attempts, key=lambda each: each.meets_quota):
                    if attempt.shortage:
                        refused[option] = attempt.shortage
                numbers |= {attempt.subnet: attempt.number for attempt in attempts}
                full = {attempt.subnet for attempt in attempts if attempt.is_full}
                with_room = [subnet for subnet in with_room if subnet not in full]
                if any(attempt.meets_quota for attempt in attempts):
                    with_room = []
                missing -= len(got)
                present += got
                context.took(len(got), pad.fleet.told(option), pad.fleet.told(pad.fleet.capacity_options[0]))
                if got and missing:
                    # Were a later launch shown before this one, this one's members would be launched again.
                    pad.wait_for(got, context, Until.SHOWN)
        return _no_room(pad, self.count, missing, refused) if missing else None

    def _next(self, context: ExecutionContext) -> tuple[str, dict[Subnet, int]]:
        """The epoch, and the number of the next launch in each subnet."""
        pad = self.pad
        epoch = context.value_of(pad.epoch) if isinstance(pad.epoch, Output) else pad.epoch
        visible = (*self.members, *self.gone)
        subnets = pad.prerequisites.subnets
        return epoch, {subnet: next_number(pad.slot(subnet), epoch, visible) for subnet in subnets}

    def check(self, context: ExecutionContext) -> None:
        """Ask EC2 whether it would launch them as the first choice. Raises AwsError if it would not."""
        epoch, numbers = self._next(context)
        option = self.pad.fleet.capacity_options[0]
        shares = spread(self.count, self.pad.prerequisites.subnets, self.staying)
        context.parallel(
            self._one_launch(subnet, numbers[subnet], share, option, epoch).check
            for subnet, share in shares.items()
            if share
        )

    def _portions(self, launches: list[T], first: bool) -> Iterator[list[T]]:
        """What is sent side by side. EC2 may not know a new profile yet, and one launch finds out for all."""
        if first and isinstance(self.pad.epoch, Output):
            yield launches[:1]
            launches = launches[1:]
        if launches:
            yield launches

    def _one_launch(
        self, subnet: Subnet, number: int, share: int, option: CapacityOption, epoch: str
    ) -> Launch:
        pad = self.pad
        params = launch_params(pad.fleet, pad.profile, pad.prerequisites, subnet)
        return Launch(pad.slot(subnet), number, min(share, MAX_AT_ONCE), option, epoch, params)

    def _name(self, new: Sequence[Instance], context: ExecutionContext) -> Mapping[str, str]:
        """Give new members their numbers where names have one: the names by id.

        The numbers are made of what is shown of the whole fleet once the new members are, so that two who
        launched them together number them alike.
        """
        if not new or not self.pad.fleet.is_indexed:
            return {}
        shown = self.pad.wait_for(new, context, Until.SHOWN)
        numbers = indexes([each for each in shown.values() if self.pad.is_member(each)])
        mine = {each.id: numbers[each.id] for each in new if each.id in numbers}
        calls = tuple(name_call(self.pad.fleet, name, index) for name, index in mine.items())
        run_step(Parallel(calls), context)
        return {name: self.pad.fleet.member_name(index) for name, index in mine.items()}

    def _wait_for_all(
        self, new: Sequence[Instance], names: Mapping[str, str], context: ExecutionContext
    ) -> Mapping[str, Instance]:
        ids = tuple(each.id for each in new)
        if not ids:
            return {}
        condition = IsNumbered(frozenset(names))
        scopes = (scope_of(self.pad.environment),)
        shown = context.wait(Wait(ids, Until.RUNNING, scopes, condition=condition))
        renamed = [each for each, name in names.items() if each in shown and shown[each].tag("Name") != name]
        if renamed:
            raise ChangedMeanwhile(f"somebody else has given a name to {', '.join(renamed)}")
        return shown

    def _set_after_launch(self, new: Sequence[Instance], context: ExecutionContext) -> Mapping[str, Instance]:
        """Give new members the settings that RunInstances does not take: all instances as shown then.

        A run that is killed before leaves members that differ, which the next plan corrects.
        """
        fleet, ids = self.pad.fleet, tuple(each.id for each in new)
        steps = after_launch_steps(fleet, new)
        try:
            for step in steps:
                run_step(step, context)
        except AwsError as error:
            stay = "1 was launched, and stays" if len(ids) == 1 else f"{len(ids)} were launched, and stay"
            hint = f"; {error.hint}" if error.hint else ""
            raise error.with_hint(f"{stay}; apply again to give them the rest{hint}") from error
        if not steps:
            return {}

        are_set = EachSettingsAgree(fleet, dict.fromkeys(ids, AFTER_LAUNCH))
        scopes = (scope_of(self.pad.environment),)
        return context.wait(Wait(ids, Until.RUNNING, scopes, condition=are_set))

    def _look_for_others(self, shown: Mapping[str, Instance], expected: Collection[str]) -> None:
        live = {each.id for each in shown.values() if self.pad.is_member(each)}
        others = sorted(live - set(expected))
        if others and len(live) > self.expected:
            raise ChangedMeanwhile(f"somebody else has launched {', '.join(others)} into this fleet")


@run_step.register
def _scale_out(step: ScaleOut, context: ExecutionContext) -> None:
    shortage = step.launch(context, context.tell).shortage
    if shortage:
        raise shortage


def name_call(fleet: Fleet, instance: str, index: int) -> Call:
    """The call that gives a member its number and its name."""
    tags = {"Name": fleet.member_name(index), INDEX_TAG: str(index)}
    return Call("ec2", "CreateTags", {"Resources": [instance], "Tags": tag_list(tags)})


def number_call(_: Fleet, instance: str, index: int) -> Call:
    """The call that gives a member its number, and leaves its name as it is."""
    return Call("ec2", "CreateTags", {"Resources": [instance], "Tags": tag_list({INDEX_TAG: str(index)})})


def _no_room(
    pad: LaunchContext, count: int, missing: int, refused: Mapping[CapacityOption, AwsError]
) -> AwsError:
    zones = ", ".join(sorted({subnet.zone for subnet in pad.prerequisites.subnets}))
    capacity_options = ", then ".join(str(option) for option in pad.fleet.capacity_options)
    launched = count - missing
    stay = "1 was launched, and stays" if launched == 1 else f"{launched} were launched, and stay"
    kept = f"; {stay}" if launched else ""
    last = list(refused.values())[-1] if refused else None
    later = "apply again later, or give `instance_type` more choices, or the fleet more subnets"
    return AwsError(
        "ec2",
        "RunInstances",
        last.code if last else "InsufficientInstanceCapacity",
        f"no room for {missing} of {count} members, tried {capacity_options} in {zones}{kept}"
        + (f". {what_was_said(refused)}" if refused else ""),
        request_id=last.request_id if last else None,
        hint=way_out(refused, later),
    )
