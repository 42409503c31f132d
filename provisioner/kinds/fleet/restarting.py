"""Restarting members wave by wave, to change what changes on stopped instances only.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from provisioner.errors import ProvisionerError, WaitError
from provisioner.kinds.fleet.desired import Fleet
from provisioner.kinds.fleet.health import Health
from provisioner.kinds.fleet.record import launch_record, read_record, write_record
from provisioner.kinds.fleet.rollout import may_be_taken
from provisioner.kinds.fleet.seen import scope_of
from provisioner.kinds.fleet.settings import How, differing
from provisioner.kinds.fleet.starting import Start, resize
from provisioner.kinds.iam import tag_list
from provisioner.kinds.instances import MOST_IDS, Instance, chunks
from provisioner.model import Call, CallCount, Hands, Rollout, Step, Until, Wait
from provisioner.naming import ENVIRONMENT_TAG, FLEET_TAG, LAUNCH_TAG


@dataclass(frozen=True)
class Restart:
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
    foreseen: Rollout

    def calls(self) -> Iterable[CallCount]:
        running = {each.id for each in self.members if not each.is_stopped}
        stops = sum(any(each in running for each in wave) for wave in self.foreseen.waves)
        starts = len(self.foreseen.waves) if self.fleet.power == "running" else 0
        counts = {
            "StopInstances": stops,
            "ModifyInstanceAttribute": sum(map(len, self.paths.values())),
            "CreateTags": sum("user_data" in paths for paths in self.paths.values()),
            "StartInstances": starts,
        }
        return tuple(CallCount("ec2", name, count) for name, count in counts.items() if count)

    def run(self, hands: Hands) -> None:
        _Restarting(self, hands).run()


@dataclass
class _Restarting:
    """A restart under way."""

    plan: Restart
    hands: Hands
    shown: Mapping[str, Instance] = field(default_factory=dict)

    def run(self) -> None:
        fleet = self.plan.fleet
        health = Health(fleet, self.plan.unhealthy)
        health.begin_with(self.plan.members, {*self.plan.paths, *self.plan.replaced})
        self.shown = self._wait((), Until.SHOWN)
        left = list(self.plan.paths)
        while left := [each for each in left if self._is_live(each)]:
            done = len(self.plan.paths) - len(left)
            self._tell(done)
            live = [each for each in self.shown.values() if self._is_member(each)]
            healthy = health.healthy(live)
            # Those that were started just before, by this run or by one that was killed.
            waited_for = {each.id for each in live} - self.plan.replaced - set(left) - health.ailing
            starting = tuple(sorted(waited_for - healthy))
            wave = () if starting else self._wave(left, healthy)
            if wave:
                health.no_more(wave)
                self._change(wave)
                left = [each for each in left if each not in wave]
                self._tell(done + len(wave))
            elif not starting:
                raise _nothing_may_go(fleet, len(healthy))
            try:
                self.shown = health.wait_for(wave or starting, self._scopes(), self.hands, self._is_changed)
            except WaitError as error:
                if fleet.update.pause_on_failure:
                    raise _paused(done, len(self.plan.paths), error) from error
                health.give_up(wave or starting)
                self.shown = self._wait((), Until.SHOWN)

    def _wave(self, left: Sequence[str], healthy: Collection[str]) -> tuple[str, ...]:
        """Who is taken next; of a fleet that is stopped, all of them."""
        fleet = self.plan.fleet
        if fleet.power == "stopped":
            return tuple(left)
        return may_be_taken(left, healthy, fleet.count, fleet.update.max_unavailable)

    def _tell(self, done: int) -> None:
        self.hands.tell(f"{done} of {len(self.plan.paths)} restarted")

    def _change(self, wave: Sequence[str]) -> None:
        states = {each: self.shown[each].state for each in wave}
        self._wait(tuple(each for each in wave if states[each] == "pending"), Until.RUNNING)
        running = [each for each in wave if states[each] in ("pending", "running")]
        for part in chunks(running, MOST_IDS):
            self.hands.send(Call("ec2", "StopInstances", {"InstanceIds": list(part)}))
        if any(states[each] != "stopped" for each in wave):
            self._wait(tuple(wave), Until.STOPPED)
        self.hands.together(
            _modify(each, path, self.plan.fleet) for each in wave for path in self.plan.paths[each]
        )
        self.hands.together(self._record(wave))
        if self.plan.fleet.power == "running":
            self._start(wave)

    def _record(self, wave: Sequence[str]) -> Iterable[Step]:
        """Write down what DescribeInstances does not show, once it was changed."""
        digest = launch_record(self.plan.fleet)["user_data"]
        for each in wave:
            if "user_data" in self.plan.paths[each]:
                record = write_record({**read_record(self.shown[each]), "user_data": digest})
                yield Call("ec2", "CreateTags", {"Resources": [each], "Tags": tag_list({LAUNCH_TAG: record})})

    def _start(self, wave: Sequence[str]) -> None:
        before = {each: self.shown[each].type for each in wave}
        wanted = self.plan.fleet.instance_types[0]
        now = {each: wanted if "instance_type" in self.plan.paths[each] else before[each] for each in wave}
        Start(self.plan.fleet, before, now).run(self.hands)

    def _is_changed(self, instance: Instance) -> bool:
        """Whether EC2 shows what was changed; the next plan would change it again otherwise."""
        changed = instance.id in self.plan.paths
        return not changed or not differing(self.plan.fleet, (instance,), How.RESTART)

    def _is_member(self, instance: Instance) -> bool:
        is_tagged = instance.tag(ENVIRONMENT_TAG) == self.plan.environment
        return is_tagged and instance.tag(FLEET_TAG) == self.plan.fleet.key and instance.is_live

    def _is_live(self, name: str) -> bool:
        return name in self.shown and self.shown[name].is_live

    def _wait(self, ids: tuple[str, ...], until: Until) -> Mapping[str, Instance]:
        if not ids and until is not Until.SHOWN:
            return self.shown
        return self.hands.wait(Wait(ids, until, self._scopes()))

    def _scopes(self) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], ...]:
        return (scope_of(self.plan.environment),)


def _modify(instance: str, path: str, fleet: Fleet) -> Step:
    if path == "instance_type":
        return resize(instance, fleet.instance_types[0])
    attributes: dict[str, dict[str, Any]] = {
        "ebs_optimized": {"EbsOptimized": {"Value": fleet.ebs_optimized}},
        "user_data": {"UserData": {"Value": fleet.user_data}},
    }
    return Call("ec2", "ModifyInstanceAttribute", {"InstanceId": instance, **attributes[path]})


def power_steps(members: Sequence[Instance], fleet: Fleet, environment: str) -> tuple[Step, ...]:
    """The steps that stop members or start them, all at once, and wait until they are so."""
    scopes = (scope_of(environment),)
    ids = tuple(member.id for member in members)
    if fleet.power == "stopped":
        pending = tuple(member.id for member in members if member.state == "pending")
        return (
            *([Wait(pending, Until.RUNNING, scopes)] if pending else ()),
            *(Call("ec2", "StopInstances", {"InstanceIds": list(part)}) for part in chunks(ids, MOST_IDS)),
            Wait(ids, Until.STOPPED, scopes),
        )
    stopping = tuple(member.id for member in members if member.state == "stopping")
    types = {member.id: member.type for member in members}
    return (
        *([Wait(stopping, Until.STOPPED, scopes)] if stopping else ()),
        Start(fleet, types, types),
        Wait(ids, Until.STARTED, scopes),
    )


def _paused(done: int, total: int, error: WaitError) -> ProvisionerError:
    return ProvisionerError(
        f"paused after {done} of {total}: {error.message}",
        "the other members go on as they are; look at these, then correct the spec, or apply again to go on",
    )


def _nothing_may_go(fleet: Fleet, healthy: int) -> ProvisionerError:
    return ProvisionerError(
        f"{healthy} of {fleet.count} members are healthy, and at most {fleet.update.max_unavailable} may be "
        "unavailable",
        "apply again, which launches those that are missing first; terminate those that do not recover",
    )
