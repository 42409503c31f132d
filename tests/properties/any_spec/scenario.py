"""One example from beginning to end: apply a spec, disturb what it made, apply another, destroy that."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from provisioner.apply import Executor
from provisioner.kinds import KINDS
from provisioner.model import Action, Change, Environment, Plan, Refusal, Result, foretold_calls
from provisioner.observe import observe
from provisioner.plan import plan as compare
from provisioner.reconcile import ApplyResult, converge
from provisioner.spec import load
from tests.properties.any_spec.connection import Connection, Execute, Time
from tests.properties.any_spec.environments import ENVIRONMENT, STRANGERS, TAKEN, TRUSTS, Spec
from tests.properties.any_spec.external_changes import LEAVING, OUTSIDE, Hand, do
from tests.properties.any_spec.fake_aws import FakeAws
from tests.properties.any_spec.fake_parts import GROUPS, IMAGES, SUBNETS, tags_out
from tests.properties.any_spec.fleets import Tally
from tests.properties.any_spec.oracle import Deferred, bound_to, bound_to_what_is_gone, check, refusals
from tests.properties.any_spec.picture import (
    FLEET,
    KEEP,
    MARK,
    NOTES,
    OWNER,
    Picture,
    is_ours,
    nothing,
    picture,
    settled,
)
from tests.support.inert import check_is_data

ExternalChange = tuple[str, int, int]

FAKE_GROUND = {
    **{f"@group {name}@": group for group, name in GROUPS.items()},
    **{f"@subnet {zone[-1]}@": subnet for subnet, zone in SUBNETS.items()},
    **{f"@image {name}@": image for image, name in IMAGES.items()},
}


def grounded(spec: Spec, ground: Mapping[str, str]) -> Spec:
    """The spec with what is called otherwise in every account by its name in this one."""
    text = json.dumps(spec)
    for placeholder, name in ground.items():
        text = text.replace(placeholder, name)
    found: Spec = json.loads(text)
    return found


def naming_members(spec: Spec, observed: Picture) -> Spec:
    """The spec with members' ids for their places in `protect`; of Spot instances, the rest may not fit."""
    named = {}
    for key, raw in spec.get("fleets", {}).items():
        members = [
            identifier for identifier, one in observed.members(key).items() if one.market == "on_demand"
        ]
        ids = {f"@member {number}@": identifier for number, identifier in enumerate(sorted(members))}
        protected = [
            ids.get(wanted, f"i-{number:017x}") for number, wanted in enumerate(raw.get("protect", ()))
        ]
        named[key] = raw | ({"protect": protected} if protected else {})
    return spec | ({"fleets": named} if named else {})


def loaded(spec: Spec) -> Environment:
    """The spec as the program reads it. JSON is YAML."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(spec, file)
        file.flush()
        return load(file.name, KINDS)


@dataclass(frozen=True)
class Run:
    """One run of the program: its plan, what came of it (None: it was refused), and all that it sent."""

    plan: Plan
    carried: ApplyResult | None
    connection: Connection


def run(environment: Environment, execute: Execute, time: Time, destroying: bool = False) -> Run:
    """What `apply` and `destroy` do, without the printing."""
    connection = Connection(execute)

    def planned() -> Plan:
        made = compare(observe(environment, connection, KINDS, destroying), KINDS)
        check_is_data(made)
        return made

    plan = planned()
    if plan.refusals:
        return Run(plan, None, connection)
    executor = Executor(connection, stop=time, clock=time)
    return Run(plan, converge(plan, planned, executor.execute, time, time), connection)


def prepare(execute: Execute) -> None:
    """What other people and another environment have in the account, under names that a spec may want too."""
    hand = Hand(execute, ())
    other = {OWNER: "any-2"}
    for name, path in ((OUTSIDE, "/"), (TAKEN, "/"), ("any-2-r0", "/provisioner/any-2/")):
        params = {"RoleName": name, "Path": path, "AssumeRolePolicyDocument": json.dumps(TRUSTS[2])}
        hand.call("iam", "CreateRole", **params)
    hand.make_profile(OUTSIDE, OUTSIDE, "/", {})
    hand.make_profile(TAKEN, "any-2-r0", "/provisioner/any-2/", other)
    hand.bind(list(STRANGERS)[3], OUTSIDE)


class Scenario:
    """A fake account, and everything that is done to it one after the other, each checked."""

    def __init__(self, slow: float = 0.0) -> None:
        self.aws = FakeAws()
        self._loaded: dict[str, Environment] = {}
        for identifier, tags in STRANGERS.items():
            self.aws.ec2.add_stranger(identifier, dict(tags))
        for subnet in list(SUBNETS)[:2]:
            self.aws.ec2.subnet_tags[subnet] = {"tier": "one"}
        prepare(self.aws.execute)
        self.aws.ec2.slow = slow

    def apply(self, spec: Spec) -> bool:
        """Applies the spec; False when that is refused, and has to be."""
        return self._run(self._grounded(spec), destroying=False)

    def destroy(self, spec: Spec) -> None:
        """Destroys the environment; with the way clear once more where it is refused or leaves something."""
        spec = self._grounded(spec)
        if not self._run(spec, destroying=True) or self._program(spec, destroying=True).plan.changes:
            self._clear_the_way()
            assert self._run(spec, destroying=True)
        assert self._program(spec, destroying=True).plan.changes == ()

    def disturb(self, external_changes: Sequence[ExternalChange]) -> None:
        for external_change, first, second in external_changes:
            do(external_change, Hand(self.aws.execute, tuple(GROUPS), first, second))
        self._name_every_fleet()

    def _name_every_fleet(self) -> None:
        """Puts a tag back without which nothing would name the fleet of a member any more.

        A token tells whether a fleet has launched an instance, and not which one has.
        """
        ours = [
            machine
            for machine in self.aws.ec2.machines.values()
            if machine.is_live and machine.tags.get(OWNER) == ENVIRONMENT
        ]
        named = {machine.tags.get(FLEET) for machine in ours}
        for machine in ours:
            if machine.launched_for and machine.launched_for not in named:
                machine.tags[FLEET] = machine.launched_for

    def let_pass(self) -> None:
        """Time passes, so that what was terminated is forgotten and what was launched is no news."""
        self._settle()
        self.aws.ec2.let_pass(hours=1)

    def _settle(self) -> None:
        self.aws.time.wait(3600.0)
        self.aws.ec2.settle()

    def _grounded(self, spec: Spec) -> Spec:
        return naming_members(grounded(spec, FAKE_GROUND), picture(self.aws))

    def _program(self, spec: Spec, destroying: bool, tally: Tally | None = None) -> Run:
        text = json.dumps(spec)
        if text not in self._loaded:
            self._loaded[text] = loaded(spec)

        def execute(service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
            with self.aws.lock:
                answer = self.aws.execute(service, operation, params)
                if tally:
                    tally.look(self.aws.ec2.machines.values())
                return answer

        return run(self._loaded[text], execute, self.aws.time, destroying)

    def _run(self, spec: Spec, destroying: bool) -> bool:
        wanted = nothing(spec) if destroying else spec
        before = picture(self.aws)
        tally = Tally(wanted, before)
        self.aws.ec2.today += timedelta(minutes=1)
        ran = self._program(spec, destroying, tally)
        refused = refusals(wanted, before)
        # Attachments that are refused may ask for two profiles on one instance.
        is_torn = any(refusal.address.kind == "attachment" for refusal in ran.plan.refusals)
        bindings = () if is_torn else _bindings(ran.plan.changes)
        assert max(Counter(bindings).values(), default=0) < 2, "bound or freed twice"
        told = {address for refusal in ran.plan.refusals for address in _told_of(refusal)}
        assert Counter(kind for kind, _ in told) == Counter(name.split()[0] for name in refused), (
            f"refused: {ran.plan.refusals}, and should have been: {refused}"
        )
        if ran.carried is None:
            assert ran.connection.writes == []
            assert settled(picture(self.aws)) == settled(before)
            return False
        self._settle()
        assert ran.carried.obstacle is None, ran.carried.obstacle
        left = [outcome.change for outcome in ran.carried.outcomes if outcome.result is Result.DEFERRED]
        failed = [
            outcome
            for outcome in ran.carried.outcomes
            if outcome.result not in (Result.DONE, Result.DEFERRED)
        ]
        assert not failed, [
            (str(outcome.change.address), outcome.change.reason, outcome.failure or outcome.because)
            for outcome in failed
        ]
        tally.check()
        freed = bound_to_what_is_gone(spec, before) if destroying else ()
        deferred = check(wanted, before, picture(self.aws), freed)
        again = self._program(spec, destroying)
        for put_off in (_told(again.plan.changes), _told(left)):
            assert put_off == deferred, f"put off: {put_off}, and should have been: {deferred}"
        assert again.connection.writes == []
        return True

    def _clear_the_way(self) -> None:
        """What the hints of the refusals say, done by hand."""
        now = picture(self.aws)
        hand = Hand(self.aws.execute, ())
        for role in now.roles.values():
            users = [
                profile.name
                for profile in now.profiles.values()
                if profile.role == role.name and not is_ours(profile)
            ]
            if is_ours(role):
                hand.call("iam", "TagRole", RoleName=role.name, Tags=tags_out({OWNER: "any"}))
                for user in users:
                    inside = {"InstanceProfileName": user, "RoleName": role.name}
                    hand.call("iam", "RemoveRoleFromInstanceProfile", **inside)
        for profile in now.profiles.values():
            if is_ours(profile):
                owner = tags_out({OWNER: "any"})
                hand.call("iam", "TagInstanceProfile", InstanceProfileName=profile.name, Tags=owner)
                for stranger in () if MARK in profile.tags else bound_to(profile, now.strangers()):
                    hand.bind(stranger, None)
        for role in self.aws.iam.roles.values():
            role.tags.pop(KEEP, None)
        for profile in self.aws.iam.profiles.values():
            profile.tags.pop(KEEP, None)
        for machine in self.aws.ec2.machines.values():
            machine.protected = False
            machine.tags.pop(KEEP, None)
            if NOTES[0] in machine.tags:
                machine.tags[NOTES[0]] = machine.tags[NOTES[0]].replace("protection=on", "protection=off")


def _told_of(refusal: Refusal) -> Iterator[tuple[str, str]]:
    """The addresses of a refusal: what several entries are refused for in the same words is told once."""
    yield refusal.address.kind, refusal.address.key
    _, _, others = refusal.message.partition("(the same for ")
    yield from re.findall(r"([a-z_]+)/([\w-]+)", others)


def _bindings(changes: Iterable[Change]) -> Iterator[tuple[str, str]]:
    """The associations that a plan ends or replaces, and the instances for which it makes new ones."""
    for call in foretold_calls(step for change in changes for step in change.steps):
        if "AssociationId" in call.params:
            yield "end", call.params["AssociationId"]
        elif call.operation == "AssociateIamInstanceProfile":
            yield "begin", call.params["InstanceId"]


def _told(changes: Sequence[Change]) -> Deferred:
    """Changes that are put off, by address and field, with the instances that they are about."""
    told: dict[tuple[str, str], frozenset[str]] = {}
    for change in changes:
        assert change.deferred, f"{change.address}: {change.reason} is still to be done"
        # What stays is put off as a whole; its fields only tell what it is.
        for field in () if change.action is Action.DELETE else change.fields:
            key = str(change.address), field.path
            told[key] = told.get(key, frozenset()) | frozenset(change.instances)
    return told


def play(
    first: Spec,
    external_changes: Sequence[ExternalChange],
    later: bool,
    second: Spec,
    slow: float = 0.0,
) -> None:
    """The whole scenario of one example.

    `later`: time passes in between. `slow`: how long an instance takes to start, stop and end.
    """
    scenario = Scenario(slow)
    scenario.apply(first)
    scenario.disturb(external_changes)
    # A launch of which fewer members show than it asked for is waited for as long as it is news.
    if later or any(external_change in LEAVING for external_change, *_ in external_changes):
        scenario.let_pass()
    scenario.apply(second)
    scenario.apply(first)
    scenario.destroy(first)
    if later:
        scenario.let_pass()
    scenario.apply(second)
