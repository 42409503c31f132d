"""Launching members: over the zones evenly, of the first type that there is capacity for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from provisioner.errors import AwsError, ChangedMeanwhile
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.call_rules import INSTANCE_QUOTA_CODES, way_out, what_was_said
from provisioner.kinds.fleet.conditions import IsNumbered, SettingsAgree
from provisioner.kinds.fleet.launching.launch import LaunchResult, NumberedLaunch, next_number
from provisioner.kinds.fleet.launching.launch_context import LaunchContext
from provisioner.kinds.fleet.launching.params import launch_params
from provisioner.kinds.fleet.observed import (
    MAX_AT_ONCE,
    Subnet,
    scope_of,
)
from provisioner.kinds.fleet.placement import indexes, spread
from provisioner.kinds.fleet.readiness.waiting import MINUTE_S, await_ready, foretold_calls_of_waiting
from provisioner.kinds.fleet.settings.differences import AFTER_LAUNCH, after_launch_steps
from provisioner.kinds.fleet.spec import CLOUD_INIT, RUNNING, CapacityOption, Fleet
from provisioner.kinds.instances import Instance, calls_on
from provisioner.kinds.tags import (
    tag_list,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.model import (
    Call,
    CallCount,
    Output,
    Parallel,
    Until,
    Wait,
    count_calls,
)
from provisioner.naming import INDEX_TAG


@dataclass(frozen=True)
class Launched:
    """The members that a launch got, all instances as shown after it, and why there was no room for more."""

    new: tuple[Instance, ...]
    shown: Mapping[str, Instance]
    shortage: AwsError | None


@dataclass(frozen=True)
class ScaleOut:
    """Launch `count` members, give them their names, and wait until they run.

    Each capacity option is tried in all subnets before the next: a subnet that has no room for all of its
    share keeps what it got, and the others take the rest. Where a quota is used up, the next option is tried
    at once.
    `members` and `gone` are what EC2 shows of the fleet, `expected` how many members there may be when all is
    done; `leaving` are members that are to go, and so do not count for the spread.
    """

    launches: LaunchContext
    count: int
    members: tuple[Instance, ...]
    gone: tuple[Instance, ...]
    expected: int
    leaving: frozenset[str] = frozenset()

    @property
    def fleet(self) -> Fleet:
        return self.launches.fleet

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        """Where there may be members."""
        return self.launches.prerequisites.subnets

    @property
    def staying(self) -> tuple[Instance, ...]:
        """The members that new ones are spread around."""
        if not self.leaving:
            return self.members
        return tuple(member for member in self.members if member.id not in self.leaving)

    def calls(self) -> Iterable[CallCount]:
        shares = spread(self.count, self.subnets, self.staying)
        launches = sum(-(-share // MAX_AT_ONCE) for share in shares.values())
        named = CallCount("ec2", "CreateTags", self.count)
        new = [Instance(str(n), "running", "", "", "", "") for n in range(self.count)]
        stops = calls_on("StopInstances", [member.id for member in new])
        return (
            CallCount("ec2", "RunInstances", launches),
            *([named] if self.fleet.is_indexed else ()),
            *count_calls(after_launch_steps(self.fleet, new)),
            *(count_calls(stops) if self.fleet.power == "stopped" else ()),
            # Who has told that it is ready is given a tag.
            *((CallCount("ec2", "CreateTags", 1),) if self.fleet.update.healthy == CLOUD_INIT else ()),
        )

    def foretold(self) -> Iterable[Call]:
        yield from self.launches.foretold(spread(self.count, self.subnets, self.staying))
        yield from foretold_calls_of_waiting(self.fleet)

    def launch(self, context: ExecutionContext, tell: Callable[[str], None] = lambda phase: None) -> Launched:
        """Do it, as far as there is capacity. Raises AwsError, WaitError and ChangedMeanwhile."""
        members = {member.id for member in self.members}
        known = members | {member.id for member in self.gone}
        # What this run has launched before is among the members, though maybe not shown yet. Were the next
        # launch shown first, whoever looks then would launch these again.
        self.launches.wait_for(
            [member for member in self.launches.answered(context) if member.id in members],
            context,
            Until.SHOWN,
        )
        try:
            shortage = self._launch_all(context)
        except AwsError as error:
            launched = sum(member.id not in known for member in self.launches.answered(context))
            if not launched:
                raise
            stay = "was launched before, and stays" if launched == 1 else "were launched before, and stay"
            kept = f"{launched} of {self.count} members {stay}"
            raise error.with_hint(f"{error.hint}; {kept}" if error.hint else kept) from error
        new = [member for member in self.launches.answered(context) if member.id not in known]
        tell(f"{len(new)} of {self.count} launched")
        names = self._name(new, context)
        shown = self._wait_for_all(new, names, context)
        self._look_for_others(shown, members | {member.id for member in new})
        shown = self._set_after_launch(new, context) or shown
        if new and self.fleet.power == "stopped":
            for call in calls_on("StopInstances", [member.id for member in new]):
                context.send(call)
            shown = self.launches.wait_for(new, context, Until.STOPPED)
        return Launched(tuple(new), shown, shortage)

    def _launch_all(self, context: ExecutionContext) -> AwsError | None:
        """Launch what there is room for; why it is not all, if it is not."""
        epoch, numbers = self._next(context)
        present = list(self.staying)
        missing = self.count
        refused: dict[CapacityOption, AwsError] = {}
        for option in self.fleet.capacity_options:
            with_room = list(self.subnets)
            while missing and with_room:
                shares = spread(missing, with_room, present)
                launches = {
                    subnet: self._one_launch(subnet, numbers[subnet], share, option, epoch)
                    for subnet, share in shares.items()
                }
                sent = self._send(list(launches.values()), missing == self.count, context)
                results = dict(zip(launches, sent, strict=True))
                got = [member for result in sent for member in result.members]
                shortages = [result.shortage for result in sent if result.shortage]
                quotas = [shortage for shortage in shortages if shortage.code in INSTANCE_QUOTA_CODES]
                if shortages:
                    refused[option] = (quotas or shortages)[-1]
                numbers |= {subnet: result.number for subnet, result in results.items()}
                full = [at for at, result in results.items() if len(result.members) < launches[at].count]
                # A quota is used up in all zones alike.
                with_room = [] if quotas else [subnet for subnet in with_room if subnet not in full]
                missing -= len(got)
                present += got
                first = self.fleet.capacity_options[0]
                context.took(len(got), self.fleet.told(option), self.fleet.told(first))
                if got and missing:
                    # Were a later launch shown before this one, this one's members would be launched again.
                    self.launches.wait_for(got, context, Until.SHOWN)
        return _no_room(self.launches, self.count, missing, refused) if missing else None

    def _next(self, context: ExecutionContext) -> tuple[str, dict[Subnet, int]]:
        """The epoch, and the number of the next launch in each subnet."""
        epoch = self.launches.epoch
        if isinstance(epoch, Output):
            epoch = context.value_of(epoch)
        visible = (*self.members, *self.gone)
        slots = {subnet: self.launches.slot(subnet) for subnet in self.subnets}
        return epoch, {subnet: next_number(slot, epoch, visible) for subnet, slot in slots.items()}

    def check(self, context: ExecutionContext) -> None:
        """Ask EC2 whether it would launch them as the first choice. Raises AwsError if it would not."""
        epoch, numbers = self._next(context)
        option = self.fleet.capacity_options[0]
        shares = spread(self.count, self.subnets, self.staying)
        context.parallel(
            self._one_launch(subnet, numbers[subnet], share, option, epoch).check
            for subnet, share in shares.items()
            if share
        )

    def _send(
        self, launches: Sequence[NumberedLaunch], is_first: bool, context: ExecutionContext
    ) -> list[LaunchResult]:
        """Send them side by side. EC2 may not know a new profile yet: then one launch finds out for all."""
        alone = 1 if is_first and isinstance(self.launches.epoch, Output) else 0
        return [
            result
            for portion in (launches[:alone], launches[alone:])
            for result in context.parallel(launch.send for launch in portion)
        ]

    def _one_launch(
        self, subnet: Subnet, number: int, share: int, option: CapacityOption, epoch: str
    ) -> NumberedLaunch:
        params = launch_params(self.fleet, self.launches.profile, self.launches.prerequisites, subnet)
        return NumberedLaunch(
            self.launches.slot(subnet), number, min(share, MAX_AT_ONCE), option, epoch, params
        )

    def _name(self, new: Sequence[Instance], context: ExecutionContext) -> Mapping[str, str]:
        """Give new members their numbers where names have one: the names by id.

        Members that were there when this was planned are numbered by the plan, at the same time: what
        they take there is not free, whoever is older. The others are numbered by what is shown of the whole
        fleet once the new members are, so that two who launched them together number them alike.
        """
        if not new or not self.fleet.is_indexed:
            return {}
        shown = self.launches.wait_for(new, context, Until.SHOWN)
        there = {member.id for member in self.members}
        others = [member for member in shown.values() if member.id not in there]
        numbers = indexes([member for member in others if self.launches.is_member(member)], self.members)
        mine = {member.id: numbers[member.id] for member in new if member.id in numbers}
        calls = tuple(name_call(self.fleet, name, index) for name, index in mine.items())
        run_step(Parallel(calls), context)
        return {name: self.fleet.member_name(index) for name, index in mine.items()}

    def _wait_for_all(
        self, new: Sequence[Instance], names: Mapping[str, str], context: ExecutionContext
    ) -> Mapping[str, Instance]:
        ids = tuple(member.id for member in new)
        if not ids:
            return {}
        condition = IsNumbered(frozenset(names))
        scopes = (scope_of(self.launches.environment),)
        shown = context.wait(Wait(ids, Until.RUNNING, scopes, condition=condition))
        renamed = [id_ for id_, name in names.items() if id_ in shown and shown[id_].tag("Name") != name]
        if renamed:
            raise ChangedMeanwhile(f"somebody else has given a name to {', '.join(renamed)}")
        self._look_for_the_same_numbers(shown, names)
        return shown

    def _look_for_the_same_numbers(self, shown: Mapping[str, Instance], names: Collection[str]) -> None:
        """A concurrent apply that saw fewer members numbers others otherwise."""
        live = [member for member in shown.values() if self.launches.is_member(member)]
        others = {member.tag(INDEX_TAG): member.id for member in live if member.id not in names}
        for name in names:
            other = others.get(shown[name].tag(INDEX_TAG)) if name in shown else None
            if other:
                raise ChangedMeanwhile(f"somebody else has given the number of {name} to {other}")

    def _set_after_launch(self, new: Sequence[Instance], context: ExecutionContext) -> Mapping[str, Instance]:
        """Give new members the settings that RunInstances does not take: all instances as shown then.

        A run that is killed before leaves members that differ, which the next plan corrects.
        """
        fleet, ids = self.fleet, tuple(member.id for member in new)
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
        are_set = SettingsAgree(fleet, dict.fromkeys(ids, AFTER_LAUNCH))
        scopes = (scope_of(self.launches.environment),)
        return context.wait(Wait(ids, Until.RUNNING, scopes, condition=are_set))

    def _look_for_others(self, shown: Mapping[str, Instance], expected: Collection[str]) -> None:
        live = {member.id for member in shown.values() if self.launches.is_member(member)}
        others = sorted(live - set(expected))
        if others and len(live) > self.expected:
            raise ChangedMeanwhile(f"somebody else has launched {', '.join(others)} into this fleet")


@run_step.register
def _scale_out(step: ScaleOut, context: ExecutionContext) -> None:
    launched, fleet = step.launch(context, context.tell), step.fleet
    if launched.new and fleet.ready != RUNNING and fleet.power == "running":
        ids = [member.id for member in launched.new]
        scopes = (scope_of(step.launches.environment),)
        await_ready(fleet, ids, scopes, context, MINUTE_S * fleet.update.timeout_minutes)
    shortage = launched.shortage
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
    launches: LaunchContext, count: int, missing: int, refused: Mapping[CapacityOption, AwsError]
) -> AwsError:
    zones = ", ".join(sorted({subnet.zone for subnet in launches.prerequisites.subnets}))
    capacity_options = ", then ".join(str(option) for option in launches.fleet.capacity_options)
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
