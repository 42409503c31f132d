"""The words everything else is said in: addresses, calls, steps, changes, plans and outcomes.

All of it is frozen data. Showing, checking and executing a plan are independent readers of these values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from provisioner.errors import Problem
from provisioner.expiry.times import Expiry, stamp
from provisioner.lazy_dataclass import dataclass
from provisioner.visible import as_typed, path_as_typed

if TYPE_CHECKING:
    from provisioner.costs.cost import PlanCost
    from provisioner.kinds.instances import Instance
    from provisioner.proof.verdicts import Proof

T = TypeVar("T")


@dataclass(frozen=True, order=True)
class Address:
    """The name of a thing in a spec: its kind and its key, written `fleet/collector`."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}"


@dataclass(frozen=True)
class Identity:
    """Whose AWS it is: the account, and the partition that its ARNs name."""

    account_id: str
    partition: str

    @staticmethod
    def of_arn(arn: str) -> Identity:
        """The account and partition that the ARN of something in the account names.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
        """
        _, partition, _, _, account_id, _ = arn.split(":", 5)
        return Identity(account_id, partition)


class Desired(Protocol):
    """What a spec asks for at one address."""

    @property
    def uses(self) -> frozenset[Address]:
        """What has to be there before this can be."""


class Observed(Protocol):
    """What AWS describes at one address, normalised so that comparing is `==`."""

    @property
    def uses(self) -> frozenset[Address]:
        """What must not be deleted before this is gone or has let go of it."""

    @property
    def arn(self) -> str | None:
        """The ARN that AWS names it by; None for what has none, or is not there."""


# What `--skip-region` says for all regions but the environment's own.
EVERY_REGION = "all"


class TagIndex(StrEnum):
    """Whether AWS's index of tags, which has many in one answer and lags behind, may spare reading things.

    Whoever writes never asks it. Whoever only looks does for many things, or always, where one answer is for
    many environments.
    """

    NEVER = "never"
    FOR_MANY = "for many"
    ALWAYS = "always"


@dataclass(frozen=True)
class Login:
    """With which credentials an environment is reached: those of a named profile of the AWS configuration, or
    of a role that is assumed with them, or with those that there are. Hashable: who has the same shares it.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """

    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None


@dataclass(frozen=True)
class Environment:
    """A whole spec, checked: everything that should exist in one account and one region.

    `skipped_regions` are not asked for instances that use what is to be deleted. `suspects` are the places of
    what looks like a secret, in the spec and in the files that it names, and of what else is to be warned of.
    `expires` is when all of it ends. `target` is which of the spec's targets it is, None where the spec has
    none. `login`: None is whatever credentials there are. `tag_index` says whether tags may be taken from an
    index that lags behind. `prove`: whether its plans are proved, None where the spec does not say.
    """

    name: str
    region: str
    account_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    ignore_tags: tuple[str, ...] = ()
    resources: Mapping[Address, Desired] = field(default_factory=dict)
    source: str = ""
    skipped_regions: tuple[str, ...] = ()
    suspects: tuple[Problem, ...] = ()
    expires: Expiry | None = None
    target: str | None = None
    login: Login | None = None
    tag_index: TagIndex = TagIndex.NEVER
    prove: bool | None = None

    @property
    def argument(self) -> str:
        """The spec as it is given to a command, with the target."""
        target = ["--target", self.target] if self.target else []
        return as_typed([path_as_typed(self.source), *target])

    def of(self, type_: type[T]) -> Mapping[Address, T]:
        """All of one type that the spec asks for."""
        return _of_type(self.resources, type_, self._by_type)

    @cached_property
    def _by_type(self) -> dict[type, Mapping[Address, Any]]:
        return {}


@dataclass(frozen=True)
class Observation:
    """Everything of one environment that AWS describes."""

    identity: Identity
    resources: Mapping[Address, Observed]

    def of(self, type_: type[T]) -> Mapping[Address, T]:
        """All of one type that was observed."""
        return _of_type(self.resources, type_, self._by_type)

    @cached_property
    def _by_type(self) -> dict[type, Mapping[Address, Any]]:
        return {}


def _of_type(
    resources: Mapping[Address, Any], type_: type[T], known: dict[type, Mapping[Address, Any]]
) -> Mapping[Address, T]:
    """What is of one type, and is `known` from then on: each of hundreds of fleets asks for all."""
    if type_ not in known:
        known[type_] = {at: thing for at, thing in resources.items() if isinstance(thing, type_)}
    return known[type_]


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


@dataclass(frozen=True)
class FieldChange:
    """One field, `path` as in the spec, before and after; None is absent.

    `is_default`: the spec says nothing of it, and `after` is what its absence means. `is_consequence`: it
    changes only because the whole thing is made anew, and does not differ from the spec.
    """

    path: str
    before: Any
    after: Any
    is_default: bool = False
    is_consequence: bool = False


@dataclass(frozen=True)
class UserData:
    """User data as a plan tells it: the first digits of its SHA-256, the name of its file, its size in bytes.

    Of what an instance has, only the first may be known. `content` is what it says, for who asks to see that;
    None: not at hand, or no text.
    """

    digest: str
    name: str | None = None
    size: int | None = None
    content: str | None = field(default=None, repr=False)


@dataclass(frozen=True, order=True)
class CallCount:
    """How often one operation of one service will be called."""

    service: str
    operation: str
    count: int


@dataclass(frozen=True)
class Output:
    """What AWS has yet to assign, in a step that needs it: an id of what another change of the plan makes.

    It is the part at `path` of the answer to an `operation` that is sent for the change at `address`.
    """

    address: Address
    operation: str
    path: tuple[str, ...]


class SentAt(str):
    """A text with times in it that begin when it is first sent; until then it is `words` that say so.

    `form` has {start} in place of when this run first sent something, and {end} of that time `after` it.
    """

    _form: str
    _after: timedelta

    def __new__(cls, words: str, form: str, after: timedelta) -> SentAt:
        made = super().__new__(cls, words)
        made._form, made._after = form, after
        return made

    def __getnewargs__(self) -> tuple[str, str, timedelta]:  # type: ignore[override]
        """A plan is data, which can be copied and sent elsewhere."""
        return str(self), self._form, self._after

    def sent(self, start: datetime) -> str:
        """What is sent by a run that began to send at `start`."""
        return self._form.format(start=stamp(start), end=stamp(start + self._after))


@runtime_checkable
class Foretold(Protocol):
    """A step that can say with which parameters it will call AWS."""

    def foretold(self) -> Iterable[Call]:
        """Its calls as far as they are known before it runs: without tokens, and without times of day."""


class Step(Protocol):
    """A piece of a change, as a value: what it does is `run_step` in provisioner/execution.py."""

    def calls(self) -> Iterable[CallCount]:
        """The calls it will make when nothing goes wrong, waiting not included."""


@dataclass(frozen=True)
class Call:
    """One request to AWS, ready to be sent."""

    service: str
    operation: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def calls(self) -> Iterable[CallCount]:
        return (CallCount(self.service, self.operation, 1),)

    def foretold(self) -> Iterable[Call]:
        return (self,)


@dataclass(frozen=True)
class Parallel:
    """Steps that do not wait for each other."""

    steps: tuple[Step, ...]

    def calls(self) -> Iterable[CallCount]:
        return count_calls(self.steps)

    def foretold(self) -> Iterable[Call]:
        return foretold_calls(self.steps)


@dataclass(frozen=True)
class Whole:
    """Steps, one after the other, of which all are carried out once the first is begun."""

    steps: tuple[Step, ...]

    def calls(self) -> Iterable[CallCount]:
        return count_calls(self.steps)

    def foretold(self) -> Iterable[Call]:
        return foretold_calls(self.steps)


class Until(StrEnum):
    """What instances can be waited for to be."""

    RUNNING = "running"
    HEALTHY = "healthy"
    STOPPED = "stopped"
    STARTED = "running again"
    SHOWN = "shown"
    LEAVING = "shutting down"
    TERMINATED = "terminated"
    PROFILE = "bound to the instance profile"
    NO_PROFILE = "free of an instance profile"


Scope = tuple[tuple[str, tuple[str, ...]], ...]


class Condition(Protocol):
    """Something that can be true of an instance: frozen data, like the steps that it is part of."""

    def holds(self, instance: Instance) -> bool:
        """Whether it is true of the instance as it is described."""


@dataclass(frozen=True)
class Wait:
    """Wait for instances to be as `until` says.

    `scopes` are DescribeInstances filters that show them all; waits share one call per scope and round.
    A wait for a profile ends when it has `profile_arn` and not one of the ids in `stale_profiles`.
    `condition` is what has to be true of an instance as it is described besides.
    """

    instances: tuple[str, ...]
    until: Until
    scopes: tuple[Scope, ...]
    profile_arn: str | None = None
    stale_profiles: tuple[str, ...] = ()
    timeout_s: float = 600.0
    condition: Condition | None = None

    def calls(self) -> Iterable[CallCount]:
        return ()


@dataclass(frozen=True)
class Rollout:
    """How a change goes through the members of a fleet: wave by wave, each the ids that it takes.

    `healthy` of `count` members is the least that there are at any time, if all goes well. If not, it goes on
    to the next wave unless there is a `pause_on_failure`.
    """

    order: str
    waves: tuple[tuple[str, ...], ...]
    healthy: int
    count: int
    pause_on_failure: bool = True


@dataclass(frozen=True)
class Change:
    """One thing to do at one address.

    `size` is how many things it makes, changes or removes, counted in `unit` (empty: the kind's own name).
    `deferred` says why apply leaves it undone; None: it is carried out. `needs` are addresses whose changes
    have to be done before, and of those at its own address that come before it in the plan the ones of an
    earlier `phase` have to be; what waits for this one is skipped if it fails, unless `blocks` is false.
    `whole`: everything at the address goes, also what shows only later. `exact`: the instances are others',
    so no later round changes further ones. `rollout`: how it is done in waves,
    if it is. `order`: of the changes to one kind, those with a smaller one come first. `names`: what people
    call the instances, by id. `unique_id`: what tells a thing of IAM from another of the same name.
    """

    address: Address
    action: Action
    reason: str
    fields: tuple[FieldChange, ...] = ()
    instances: tuple[str, ...] = ()
    size: int = 1
    steps: tuple[Step, ...] = ()
    deferred: str | None = None
    needs: frozenset[Address] = frozenset()
    phase: int = 0
    blocks: bool = True
    whole: bool = False
    exact: bool = False
    unit: str = ""
    rollout: Rollout | None = None
    order: int = 0
    names: Mapping[str, str] = field(default_factory=dict)
    unique_id: str = ""

    @property
    def calls(self) -> tuple[CallCount, ...]:
        return count_calls(self.steps)


def how_many(changes: Iterable[Change]) -> Counter[tuple[Address, str]]:
    """How many things changes concern, by address and unit; what several of them concern counts once."""
    named: dict[tuple[Address, str], set[str]] = {}
    counted: Counter[tuple[Address, str]] = Counter()
    for change in changes:
        key = change.address, change.unit
        named.setdefault(key, set()).update(change.instances)
        if not change.instances:
            counted[key] = max(counted[key], change.size)
    counted.update({key: len(ids) for key, ids in named.items()})
    return counted


@dataclass(frozen=True)
class Refusal:
    """Why nothing of a plan may be carried out. `exit_code` as in the README's table.

    `also` are further addresses of which the same is true.
    """

    address: Address
    message: str
    hint: str
    exit_code: int = 4
    also: tuple[Address, ...] = ()


class NoteKind(StrEnum):
    """What a note is about: a difference from the spec that no change corrects, something of which it is not
    known whether it differs, something that has expired and is not made any more, instances that will end
    themselves because of what is changed, or anything else."""

    ADVICE = "advice"
    DIFFERENCE = "difference"
    NOT_COMPARED = "not compared"
    EXPIRED = "expired"
    ENDING = "ending"


@dataclass(frozen=True)
class Note:
    """Something worth reading that is no change; `commands` are what to type about it, a line each.

    `is_warning`: it comes before everything else. `also` are further addresses of which the same is true.
    `instances` are those that will end themselves.
    """

    address: Address
    message: str
    commands: tuple[str, ...] = ()
    is_warning: bool = False
    also: tuple[Address, ...] = ()
    kind: NoteKind = NoteKind.ADVICE
    instances: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """What comparing one address gave."""

    changes: tuple[Change, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Everything that apply would do, in the order in which it would.

    `uses` has everything that the spec asks for or AWS has, with what it uses, also what does not change.
    `desired` is all that the spec asks for, changed or not, as data: what rules look at. `cost` is what all
    that costs by the hour, and `proof` whether AWS would do it; None: that was not asked.
    """

    environment: str
    region: str
    account_id: str
    changes: tuple[Change, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[Note, ...] = ()
    destroy: bool = False
    uses: Mapping[Address, frozenset[Address]] = field(default_factory=dict)
    desired: Mapping[Address, Mapping[str, Any]] = field(default_factory=dict)
    cost: PlanCost | None = None
    proof: Proof | None = None

    @property
    def summary(self) -> dict[Action, int]:
        """How many things each action concerns."""
        changes = {
            action: [change for change in self.changes if change.action is action] for action in Action
        }
        return {action: how_many(alike).total() for action, alike in changes.items()}

    @property
    def is_refused(self) -> bool:
        """Whether nothing of it is done: it is refused, or AWS says that it would refuse a call of it."""
        return bool(self.refusals) or (self.proof is not None and self.proof.is_refused)


class Result(StrEnum):
    """How a change can end. `stopped`: it was begun, and interrupted; `skipped`: it was not begun."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    SKIPPED = "skipped"
    DEFERRED = "deferred"


class Replan(StrEnum):
    """Whether observing and planning again may put a failure right."""

    NO = "no"
    SOON = "soon"
    PATIENTLY = "patiently"


@dataclass(frozen=True)
class Failure:
    """Why a change failed, in AWS's words where AWS spoke; `lines` are what an instance said."""

    message: str
    operation: str | None = None
    code: str | None = None
    request_id: str | None = None
    hint: str | None = None
    replan: Replan = Replan.NO
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one change; `notes` are what is worth knowing of how it was done."""

    change: Change
    result: Result
    seconds: float = 0.0
    failure: Failure | None = None
    because: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        return self.result is Result.DONE


def count_calls(steps: Iterable[Step]) -> tuple[CallCount, ...]:
    """The calls of several steps, added up, in the order in which they first occur."""
    counted: Counter[tuple[str, str]] = Counter()
    for step in steps:
        for call in step.calls():
            counted[call.service, call.operation] += call.count
    return tuple(CallCount(service, operation, count) for (service, operation), count in counted.items())


def foretold_calls(steps: Iterable[Step]) -> tuple[Call, ...]:
    """The calls of several steps whose parameters are known before they run, in their order."""
    return tuple(call for step in steps if isinstance(step, Foretold) for call in step.foretold())
