"""In what AWS is not as the spec says, and which of that somebody has accepted. Values in, values out.

A plan says what to do; this says what is: no newer images, no advice, no waves, no calls.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from provisioner.canonical import jsonable
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Action, Address, Change, FieldChange, Note, NoteKind, Plan, Refusal


class State(StrEnum):
    """How something in AWS is not as the spec says."""

    MISSING = "missing"
    DIFFERENT = "different"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True)
class Difference:
    """One thing, or one field of it, in which AWS is not as the spec says.

    `field` has the value in AWS before, and that of the spec after; None: it is about the whole thing, and
    `message` says what there is to say. Of several things, `size` is how many, counted in `unit`.
    """

    address: Address
    state: State
    field: FieldChange | None = None
    message: str = ""
    size: int = 1
    unit: str = ""
    instances: tuple[str, ...] = ()
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def path(self) -> str | None:
        return self.field.path if self.field else None


@dataclass(frozen=True)
class AnyValue:
    """Stands for a value that an acceptance does not name."""


ANY_VALUE = AnyValue()


@dataclass(frozen=True)
class Acceptance:
    """A difference that somebody has accepted, for a reason and until a day, that day included.

    `path` is the field, or a part of the spec that fields are in; None: all of the address. `value` is what
    AWS may have. `environment`: None is any. `place` is where it is written, as file:line:column.
    """

    address: Address
    reason: str
    until: date
    path: str | None = None
    value: Any = ANY_VALUE
    environment: str | None = None
    place: str = ""

    @property
    def has_value(self) -> bool:
        return not isinstance(self.value, AnyValue)

    def covers(self, difference: Difference) -> bool:
        """Whether it is about this difference, whatever the day is."""
        if self.address != difference.address:
            return False
        path = difference.path
        if self.path is not None and not f"{path or ''}.".startswith(f"{self.path}."):
            return False
        return not self.has_value or (
            difference.field is not None and jsonable(difference.field.before) == jsonable(self.value)
        )

    def __str__(self) -> str:
        return f"{self.address} {self.path}" if self.path else str(self.address)


@dataclass(frozen=True)
class Accepted:
    """A difference, and what accepts it."""

    difference: Difference
    acceptance: Acceptance


@dataclass(frozen=True)
class DriftReport:
    """What is not as the spec says.

    `accepted` is what somebody has accepted, `expired` are acceptances whose day is past, `superfluous` those
    that accept nothing that is there; `not_compared` says of what it is not known.
    """

    environment: str
    region: str
    account_id: str
    differences: tuple[Difference, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    expired: tuple[Acceptance, ...] = ()
    superfluous: tuple[Acceptance, ...] = ()
    not_compared: tuple[tuple[Address, str], ...] = ()


def report(plan: Plan, acceptances: Iterable[Acceptance], today: date) -> DriftReport:
    """The drift that a plan of the whole spec shows, without what is accepted today."""
    ours = [acceptance for acceptance in acceptances if acceptance.environment in (None, plan.environment)]
    valid = [acceptance for acceptance in ours if acceptance.until >= today]
    left, accepted = [], []
    found = tuple(differences(plan))
    for difference in found:
        covering = next((acceptance for acceptance in valid if acceptance.covers(difference)), None)
        if covering:
            accepted.append(Accepted(difference, covering))
        else:
            left.append(difference)
    return DriftReport(
        plan.environment,
        plan.region,
        plan.account_id,
        tuple(left),
        tuple(accepted),
        expired=tuple(acceptance for acceptance in ours if acceptance.until < today),
        superfluous=tuple(acceptance for acceptance in valid if not any(map(acceptance.covers, found))),
        not_compared=tuple(
            (address, _alone(note))
            for note in plan.notes
            if note.kind is NoteKind.NOT_COMPARED
            for address in (note.address, *note.also)
        ),
    )


def differences(plan: Plan) -> Iterator[Difference]:
    """All in which AWS is not as the spec says, in the order of the plan."""
    missing = {change.address for change in plan.changes if _makes_all(change)}
    for change in plan.changes:
        # What a new thing gets in a second step is missing with it.
        if change.action is Action.CREATE or change.instances or change.address not in missing:
            yield from _of_change(change)
    for refusal in plan.refusals:
        for address in (refusal.address, *refusal.also):
            yield Difference(address, State.DIFFERENT, message=_alone(refusal))
    for note in plan.notes:
        if note.kind is NoteKind.DIFFERENCE:
            for address in (note.address, *note.also):
                yield Difference(address, State.DIFFERENT, message=_alone(note))


def _of_change(change: Change) -> Iterator[Difference]:
    def difference(state: State, field: FieldChange | None = None, message: str = "") -> Difference:
        return Difference(
            change.address, state, field, message, change.size, change.unit, change.instances, change.names
        )

    match change.action:
        case Action.CREATE | Action.DELETE:
            state = State.MISSING if change.action is Action.CREATE else State.UNEXPECTED
            # All else is what it is made with.
            counted = [
                field for field in change.fields if field.before is not None and field.after is not None
            ]
            yield from (difference(state, field) for field in counted or (None,))
        case Action.UPDATE | Action.REPLACE:
            other = [field for field in change.fields if not field.is_consequence and _differs(field)]
            yield from (difference(State.DIFFERENT, field) for field in other)
            if not other:
                yield difference(State.DIFFERENT, message=change.reason)


def _differs(field: FieldChange) -> bool:
    return bool(jsonable(field.before) != jsonable(field.after))


def _makes_all(change: Change) -> bool:
    return change.action is Action.CREATE and all(field.before is None for field in change.fields)


def _alone(told: Refusal | Note) -> str:
    """What is said of several addresses in the same words, for one of them."""
    return told.message.partition(" (the same for ")[0] if told.also else told.message
