"""Restarting members wave by wave, to change what changes on stopped instances only.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from functools import partial

from provisioner.errors import AwsError, Interrupted, ProvisionerError, WaitError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.conditions import SettingsAgree
from provisioner.kinds.fleet.rolling_update.loop import RollingUpdate
from provisioner.kinds.fleet.rolling_update.rollout import (
    PARKED,
    RESTART,
    Launch,
    Restart,
    RolloutState,
    Terminate,
)
from provisioner.kinds.fleet.rolling_update.starting import RESET, Start, ran_as
from provisioner.kinds.fleet.settings.launch_tag import (
    PARTS,
    fitted,
    launch_record,
    read_record,
    write_record,
)
from provisioner.kinds.fleet.settings.setting import NOT_COMPARED, Setting, Target
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.settings.user_data import USER_DATA
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.instances import Instance, calls_on
from provisioner.kinds.tags import (
    tag_list,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, CallCount, Parallel, Rollout, Step, Until, Wait
from provisioner.naming import LAUNCH_TAG

WITH_THE_TYPE = ("instance_type", *(setting.path for setting in RESET))


def restart_order(fleet: Fleet) -> str:
    """How members are restarted: wave by wave, or all at once while the fleet is stopped."""
    return PARKED if fleet.power == "stopped" else RESTART


@dataclass(frozen=True)
class RollingRestart:
    """Stop members, change them and start them again.

    `paths` are the settings to change, by member, in the order in which they are taken; `members` all that
    there were when it was planned, `replaced` those that are about to be replaced, and so not waited for.
    """

    fleet: Fleet
    environment: str
    members: tuple[Instance, ...]
    paths: Mapping[str, tuple[str, ...]]
    unhealthy: frozenset[str]
    replaced: frozenset[str]
    predicted: Rollout

    def calls(self) -> Iterable[CallCount]:
        running = {member.id for member in self.members if not member.is_stopped}
        stops = sum(any(name in running for name in wave) for wave in self.predicted.waves)
        starts = len(self.predicted.waves) if self.fleet.power == "running" else 0
        changed = Counter(call.operation for call in self.foretold())
        remembered = {setting.path for setting in SETTINGS if setting.remembered}
        counts = {
            "StopInstances": stops,
            **changed,
            "CreateTags": sum(bool(remembered & {*paths}) for paths in self.paths.values()),
            "StartInstances": starts,
        }
        return tuple(CallCount("ec2", name, count) for name, count in counts.items() if count)

    def foretold(self) -> Iterator[Call]:
        members = {member.id: member for member in self.members}
        for setting in SETTINGS:
            for name, paths in self.paths.items():
                if setting.path in paths:
                    yield from _change(setting, members[name], self.fleet)


@run_step.register
def _restart(step: RollingRestart, context: ExecutionContext) -> None:
    _Restarting(step, context).run()


class _Restarting(RollingUpdate):
    """A rolling restart under way."""

    def __init__(self, plan: RollingRestart, context: ExecutionContext) -> None:
        super().__init__(plan.fleet, plan.environment, plan.unhealthy, context)
        self.plan = plan
        self.left = tuple(plan.paths)
        self.wave = _Wave({})
        # The next plan would change it again otherwise.
        self.condition = SettingsAgree(plan.fleet, plan.paths)

    def run(self) -> None:
        self.roll(self.plan.members, {*self.plan.paths, *self.plan.replaced})

    def state(self) -> RolloutState:
        live = self.live()
        going = self._going()
        down = self.health.down
        # Those that were started just before, by this run or by one that was killed, are waited for; once all
        # were taken, only these.
        others = {member.id for member in live} - {*going, *down} if going else set()
        return RolloutState(
            self.fleet.count,
            restart_order(self.fleet),
            self.fleet.update.max_unavailable,
            going,
            (*sorted(others), *down),
            self.health.healthy(live),
            self.health.unhealthy | self.plan.replaced,
        )

    def _going(self) -> tuple[str, ...]:
        return tuple(name for name in self.left if name in self.shown and self.shown[name].is_live)

    def progress(self) -> str:
        return f"{len(self.plan.paths) - len(self._going())} of {len(self.plan.paths)} restarted"

    def make(self, move: Launch | Terminate | Restart) -> None:
        if not isinstance(move, Restart):
            raise TypeError(f"a rolling restart has no {move}")
        self.wave = _Wave({name: self.shown[name] for name in move.ids})
        self.health.take_down(move.ids)
        self._change(self.wave)
        self.left = tuple(name for name in self.left if name not in move.ids)

    def put_back(self, error: WaitError) -> str:
        """EC2 may accept a start, and stop the instance again."""
        if not self.health.down:
            return ""
        return self._to_start(self.wave).put_back(error, self.context.to_the_end()).told

    def paused(self, error: WaitError, told: str) -> ProvisionerError:
        total = len(self.plan.paths)
        done = total - len(self._going()) - len(self.health.down)
        return ProvisionerError(
            f"paused after {done} of {total}: {error.message}",
            "the other members go on as they are; look at these, then correct the spec, or apply again to go "
            f"on{f'; {told}' if told else ''}",
        )

    def given_up(self, ids: Iterable[str]) -> Iterable[str]:
        return ids

    def _change(self, wave: _Wave) -> None:
        """Stop, change and start members; what EC2 refuses is put back. Raises ProvisionerError.

        What was stopped is started again, also after an interruption.
        """
        is_running = self.plan.fleet.power == "running"
        uninterrupted = self.context.to_the_end()
        try:
            self._stop(wave)
            # One setting after the other: what goes with the new type may not go with the old one.
            for setting in self._changed(wave):
                self.context.parallel(
                    partial(self._modify, wave, wave.before[name], setting)
                    for name in self._with(setting, wave)
                )
            run_step(Parallel(tuple(self._record(wave))), self.context)
        except Interrupted as interrupted:
            if wave.stopped and is_running:
                self._start_again(wave, interrupted, uninterrupted)
            raise
        except (AwsError, WaitError) as error:
            raise self._to_start(wave).put_back(error, uninterrupted).refused from None
        if is_running:
            run_step(self._to_start(wave), uninterrupted)

    def _modify(self, wave: _Wave, member: Instance, setting: Setting, context: ExecutionContext) -> None:
        """Change one setting of a stopped member. What EC2 did not refuse counts as changed."""
        changed = (member.id, setting.path)
        try:
            for call in _change(setting, member, self.fleet):
                context.send(call)
        except AwsError as error:
            if 400 <= error.status < 500:
                raise
            wave.changed.append(changed)
            raise
        wave.changed.append(changed)

    def _start_again(self, wave: _Wave, interrupted: Interrupted, uninterrupted: ExecutionContext) -> None:
        """Only what is stopped can be started, and what is stopping cannot be kept from it."""
        try:
            uninterrupted.wait(Wait(tuple(wave.stopped), Until.STOPPED, self.scopes))
            told = self._to_start(wave).put_back(interrupted, uninterrupted).told
        except (AwsError, WaitError) as error:
            told = f"{', '.join(wave.stopped)} could not be started again ({error.message})"
        self.context.tell(f"{self.progress()}; {told}" if told else self.progress())

    def _stop(self, wave: _Wave) -> None:
        states = {name: instance.state for name, instance in wave.before.items()}
        pending = tuple(name for name, state in states.items() if state == "pending")
        if pending:
            self.wait(pending, Until.RUNNING)
        running = [name for name in states if states[name] in ("pending", "running")]
        for call in calls_on("StopInstances", running):
            self.context.send(call)
            wave.stopped.extend(call.params["InstanceIds"])
        if any(state != "stopped" for state in states.values()):
            self.wait(tuple(states), Until.STOPPED)

    def _changed(self, wave: _Wave) -> list[Setting]:
        return [setting for setting in SETTINGS if self._with(setting, wave)]

    def _with(self, setting: Setting, wave: _Wave) -> list[str]:
        return [name for name in wave.before if setting.path in self.plan.paths[name]]

    def _record(self, wave: _Wave) -> Iterable[Step]:
        """Write down what DescribeInstances does not show, once it was changed."""
        texts = launch_record(self.plan.fleet)
        changed: dict[str, dict[str, str]] = {}
        for setting in self._changed(wave):
            if setting.remembered and setting.remembered.word in texts:
                word = setting.remembered.word
                for name in self._with(setting, wave):
                    changed.setdefault(name, {})[word] = texts[word]
        for name, words in changed.items():
            before = dict(read_record(self.shown[name]))
            if USER_DATA.word in words:
                # Parts of ours are beside the user data, as new members have them.
                before.pop(PARTS.word, None)
                words |= {PARTS.word: texts[PARTS.word]} if PARTS.word in texts else {}
            record = write_record(fitted({**before, **words}))
            yield Call("ec2", "CreateTags", {"Resources": [name], "Tags": tag_list({LAUNCH_TAG: record})})

    def _to_start(self, wave: _Wave) -> Start:
        """What starts a wave as it was changed by now, and knows what it had."""
        fleet = self.plan.fleet
        before = {name: instance.type for name, instance in wave.before.items()}
        now = {
            name: fleet.instance_types[0] if (name, "instance_type") in wave.changed else type_
            for name, type_ in before.items()
        }
        others = [member for member in self.live() if member.id not in before]
        return Start(
            fleet,
            self.plan.environment,
            before,
            now,
            ran_as(wave.before.values(), fleet, others),
            tuple(_undone(wave, fleet)),
            tuple(setting.path for setting in self._changed(wave)),
            wave.before,
            frozenset(name for name, path in wave.changed if path in WITH_THE_TYPE),
        )


@dataclass(frozen=True)
class _Wave:
    """Members that are changed together, as they were before, and what was done to them by now.

    `stopped` are those that were told to stop, `changed` the settings that were changed.
    """

    before: Mapping[str, Instance]
    changed: list[tuple[str, str]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)


def _change(setting: Setting, member: Instance, fleet: Fleet) -> tuple[Call, ...]:
    """The calls that give a stopped member the fleet's value."""
    return setting.change(Target(fleet, member, setting.desired(fleet))) if setting.change else ()


def _undone(wave: _Wave, fleet: Fleet) -> Iterator[Call]:
    """The calls that give members back what they had, but for what is chosen with the type when they start.

    What only the launch tag tells is not known, and stays as it was changed.
    """
    for setting in SETTINGS:
        for name, path in wave.changed:
            if (
                path == setting.path
                and path not in WITH_THE_TYPE
                and not setting.remembered
                and setting.change
            ):
                member = wave.before[name]
                before = setting.observed(member)
                yield from () if before is NOT_COMPARED else setting.change(Target(fleet, member, before))
