"""Waiting until members are ready: the only place that asks for console output, one call a member and round.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html. Who was heard of is
remembered in a tag, one call for up to 1000 members; so plans ask nobody.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from provisioner.errors import AwsError, WaitError
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.observed import scope_of
from provisioner.kinds.fleet.readiness.console import Result, last_lines, result_in
from provisioner.kinds.fleet.readiness.members import HAS_FAILED, has_told, not_ready
from provisioner.kinds.fleet.spec import CLOUD_INIT, STATUS_OK, Fleet
from provisioner.kinds.instances import MAX_IDS, Instance, chunks, named
from provisioner.kinds.tags import tag_list
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Call, CallCount, Condition, Scope, Until, Wait
from provisioner.naming import READY_TAG
from provisioner.retry import is_withheld

MINUTE_S = 60.0
# Seconds before each round after the first; the last one again and again.
ROUNDS = (3.0, 5.0, 10.0)
_SHOWN_S = 120.0
_REGION = re.compile(r"[a-z]+(?:-[a-z]+)+-[0-9]+")


@dataclass(frozen=True)
class AwaitReady:
    """Wait until members of an environment are ready."""

    fleet: Fleet
    environment: str
    ids: tuple[str, ...]

    def calls(self) -> Iterable[CallCount]:
        return (CallCount("ec2", "CreateTags", -(-len(self.ids) // MAX_IDS)),)

    def foretold(self) -> Iterable[Call]:
        return foretold_calls_of_waiting(self.fleet)


def foretold_calls_of_waiting(fleet: Fleet) -> tuple[Call, ...]:
    """The calls of waiting for new members of a fleet, without their ids."""
    if fleet.ready != CLOUD_INIT or fleet.power != "running":
        return ()
    return Call("ec2", "GetConsoleOutput"), Call("ec2", "CreateTags", {"Tags": _tags()})


@run_step.register
def _await_ready(step: AwaitReady, context: ExecutionContext) -> None:
    timeout_s = MINUTE_S * step.fleet.update.timeout_minutes
    await_ready(step.fleet, step.ids, (scope_of(step.environment),), context, timeout_s)


def await_ready(
    fleet: Fleet,
    ids: Collection[str],
    scopes: tuple[Scope, ...],
    context: ExecutionContext,
    timeout_s: float,
    condition: Condition | None = None,
) -> Mapping[str, Instance]:
    """Wait until these run and are ready, and a condition holds: all instances that are shown then.

    Those that do not tell, because they have done so before or were not launched for it, are ready when their
    status checks are passed. Raises WaitError, AwsError.
    """
    until = Until.HEALTHY if fleet.update.healthy == STATUS_OK else Until.STARTED
    shown = context.wait(Wait(tuple(ids), until, scopes, timeout_s=timeout_s, condition=condition))
    if fleet.update.healthy != CLOUD_INIT:
        return shown
    telling = not_ready(fleet, [shown[name] for name in ids if name in shown])
    others = tuple(name for name in ids if name not in {member.id for member in telling})
    if others:
        shown = context.wait(Wait(others, Until.HEALTHY, scopes, timeout_s=timeout_s, condition=condition))
    if telling:
        _Listening(fleet, scopes, telling, context, timeout_s).run()
        told = tuple(member.id for member in telling)
        shown = context.wait(Wait(told, Until.SHOWN, scopes, timeout_s=_SHOWN_S, condition=HasTold()))
    return shown


@dataclass(frozen=True)
class HasTold:
    """A member has told that user data has finished, and EC2 shows the tag that says so."""

    def holds(self, instance: Instance) -> bool:
        return has_told(instance)


class _Listening:
    """Listening to members until all have told that user data has finished."""

    def __init__(
        self,
        fleet: Fleet,
        scopes: tuple[Scope, ...],
        members: Iterable[Instance],
        context: ExecutionContext,
        timeout_s: float,
    ) -> None:
        self.fleet = fleet
        self.scopes = scopes
        self.pending = {member.id: member for member in members}
        self.total = len(self.pending)
        self.context = context
        self.timeout_s = timeout_s
        self.since = f"user data of {', '.join(self.pending)}"

    def run(self) -> None:
        """Raises WaitError for members whose user data has failed, that ended, or that take too long."""
        self.context.seconds_since(self.since)
        for number in itertools.count():
            outputs = dict(
                zip(
                    self.pending,
                    self.context.parallel(partial(_output, name) for name in self.pending),
                    strict=True,
                )
            )
            results = {name: result_in(output, name) for name, output in outputs.items()}
            self._remember([name for name, result in results.items() if result and result.failed is None])
            self.context.tell(f"user data has finished on {self.total - len(self.pending)} of {self.total}")
            self._look_for_failures(results, outputs)
            if not self.pending:
                return
            if self.context.seconds_since(self.since) > self.timeout_s:
                raise self._too_late(outputs)
            self.context.pause(ROUNDS[min(number, len(ROUNDS) - 1)])
            self._look_for_ends()

    def _remember(self, finished: list[str]) -> None:
        for part in chunks(finished, MAX_IDS):
            self._tag(part, _tags())
        for name in finished:
            del self.pending[name]

    def _look_for_failures(self, results: Mapping[str, Result | None], outputs: Mapping[str, str]) -> None:
        failed = [name for name, result in results.items() if result and result.failed is not None]
        if failed:
            # So that plans know; why it has failed is told all the same where nobody may tag.
            with suppress(AwsError):
                for part in chunks(failed, MAX_IDS):
                    self._tag(part, tag_list({READY_TAG: HAS_FAILED}))
            result = results[failed[0]]
            why = f": {result.failed}" if result and result.failed else ""
            raise self._error(f"user data has failed on {self._names(failed)}{why}", failed, outputs)

    def _tag(self, names: Sequence[str], tags: list[dict[str, str]]) -> None:
        self.context.send(Call("ec2", "CreateTags", {"Resources": list(names), "Tags": tags}))

    def _look_for_ends(self) -> None:
        shown = self.context.wait(Wait((), Until.SHOWN, self.scopes))
        # One that was launched may not be shown yet.
        ended = [name for name in self.pending if name in shown and shown[name].state != "running"]
        if ended:
            is_ = "is" if len(ended) == 1 else "are"
            states = ", ".join(sorted({shown[name].state for name in ended}))
            text = f"{self._names(ended)} {is_} {states}, and user data had not finished"
            raise WaitError(text, "look at why, with `status` and in their logs; then apply again")

    def _too_late(self, outputs: Mapping[str, str]) -> WaitError:
        late = list(self.pending)
        minutes = round(self.timeout_s / 60)
        text = f"user data has not finished on {self._names(late)} after {minutes} minutes"
        error = self._error(text, late, outputs)
        return error.with_hint(
            f"apply again to wait once more, or set `update: {{timeout_minutes: ...}}`; {error.hint}"
        )

    def _error(self, text: str, names: Sequence[str], outputs: Mapping[str, str]) -> WaitError:
        """An error about members, with what the console of the first of them said last."""
        name = names[0]
        error = WaitError(text, _what_to_do([self.pending[member_id] for member_id in names]))
        lines = last_lines(outputs[name], self.fleet.user_data)
        said = f"the console of {name} says last:" if lines else f"the console of {name} says nothing yet"
        error.lines = (said, *(f"| {line}" for line in lines))
        return error

    def _names(self, names: Collection[str]) -> str:
        """Some of them by name, and how many others."""
        first = ", ".join(named(self.pending[name]) for name in list(names)[:3])
        return first if len(names) <= 3 else f"{first} and {len(names) - 3} others"


def _what_to_do(members: Sequence[Instance]) -> str:
    zone = _REGION.match(members[0].zone)
    region = f" --region {zone[0]}" if zone else ""
    them, they = ("it", "it is") if len(members) == 1 else ("them", "they are")
    return (
        f"correct `user_data` and apply again, which replaces {them}; or to take {them} as {they}, "
        f"aws ec2 create-tags{region} --resources {' '.join(sorted(member.id for member in members))} "
        f"--tags Key={READY_TAG},Value={CLOUD_INIT}"
    )


def _output(instance: str, context: ExecutionContext) -> str:
    """What the console of an instance shows now; empty: nothing yet. Raises AwsError.

    Types that are not built on Nitro only have what was posted shortly after they were started.
    """
    call = Call("ec2", "GetConsoleOutput", {"InstanceId": instance, "Latest": True})
    try:
        try:
            answer = context.send(call)
        except AwsError as error:
            if error.code not in ("UnsupportedOperation", "InvalidParameterCombination"):
                raise
            answer = context.send(Call("ec2", "GetConsoleOutput", {"InstanceId": instance}))
    except AwsError as error:
        if error.code == "InvalidInstanceID.NotFound":
            # Not shown yet, or gone; whoever looks at the states tells which.
            return ""
        if is_withheld(error):
            hint = "allow it ec2:GetConsoleOutput, or set `ready: status_ok`"
            raise error.with_hint(hint) from error
        raise
    return str(answer.get("Output") or "")


def _tags() -> list[dict[str, str]]:
    return tag_list({READY_TAG: CLOUD_INIT})
