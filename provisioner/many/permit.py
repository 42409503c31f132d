"""What an approval permits: the plan that was shown, what is left of it, and nothing else.

Before the first write to an environment it is planned afresh. That plan may have less to do, as AWS shows
late what was done, or only the rest of what was to be made, where a worker died in mid-apply and another one
goes on. This tells it from a plan that was not approved. To workers a permit is sent with nothing but what
that needs: no step, no user data, and no value of a field but as a digest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from provisioner.canonical import digest, jsonable
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Action, Address, Change, Plan
from provisioner.naming import EXPIRES_TAG, LIFETIME_TAG
from provisioner.reconcile import beyond

Field = tuple[Address, str, str]
_MAKING = frozenset({Action.CREATE, Action.REPLACE})
# What a spec names and AWS answers with, and may answer otherwise a moment later.
LOOKED_UP = frozenset({"image"})
MAX_NAMED = 10


@dataclass(frozen=True)
class Permit:
    """What may be done. `plan` has its changes without steps and fields, `fields` the digest of what each
    field becomes, and `desired` is the digest of all that the spec asks for."""

    plan: Plan
    fields: frozenset[Field]
    desired: str


def permit_of(plan: Plan) -> Permit:
    """The permit that approving a plan gives."""
    changes = tuple(replace(change, steps=(), fields=(), reason="") for change in plan.changes)
    bare = Plan(plan.environment, plan.region, plan.account_id, changes=changes, destroy=plan.destroy)
    return Permit(bare, frozenset(_fields(plan.changes)), _desired(plan))


def not_permitted(permit: Permit, plan: Plan) -> str | None:
    """What of a plan was not approved, in words; None: it is the approved plan, or what is left of it."""
    subject = (permit.plan.environment, permit.plan.region, permit.plan.account_id, permit.plan.destroy)
    if (plan.environment, plan.region, plan.account_id, plan.destroy) != subject:
        return f"it is {plan.environment} in account {plan.account_id}, {plan.region} there"
    if _desired(plan) != permit.desired:
        return "the spec is another one there than the one that was approved"
    if plan.refusals:
        return f"{plan.refusals[0].address}: {plan.refusals[0].message}"
    taken_away = beyond(permit.plan, plan)
    if taken_away:
        return taken_away
    to_do = [change for change in plan.changes if change.deferred is None]
    for address in dict.fromkeys(change.address for change in to_do):
        approved, now = (
            [change for change in changes if change.address == address and change.deferred is None]
            for changes in (permit.plan.changes, to_do)
        )
        if not approved:
            return f"{address} would be changed as well"
        making = [change for change in now if change.action in _MAKING]
        more = _more(permit, approved, now) or _looked_up_otherwise(permit, making)
        if more:
            return more
    return None


def _looked_up_otherwise(permit: Permit, makes: Iterable[Change]) -> str | None:
    """What would be made with something else that AWS says than was shown, such as another image."""
    approved = {(address, path) for address, path, _ in permit.fields}
    for address, path, value in sorted(_fields(makes)):
        is_known = (address, path) in approved
        if path in LOOKED_UP and is_known and (address, path, value) not in permit.fields:
            return f"{path} of {address} would be another one"
    return None


def _more(permit: Permit, approved: Sequence[Change], now: Sequence[Change]) -> str | None:
    """What more is made or changed at an address than was approved, in words."""
    address = now[0].address
    made, makes = _size(approved, _MAKING), _size(now, _MAKING)
    if makes > made:
        return f"{makes} of {address} would be made, and not {made}"
    updates = [change for change in now if change.action is Action.UPDATE]
    known = {name for change in approved if change.action is Action.UPDATE for name in _things(change)}
    otherwise = [change for change in updates if not _fields([change]) <= permit.fields]
    unknown = {name for change in updates for name in _things(change)} - known
    unknown.update(name for change in otherwise for name in _things(change))
    # What was begun to be made may lack some of what it would have been made with.
    if len(unknown) <= made - makes:
        return None
    if otherwise and not made:
        path = min(path for _, path, _ in _fields(otherwise) - permit.fields)
        return f"{path} of {address} would be changed as well"
    told = "" if unknown == {str(address)} else f"{_in_words(sorted(unknown))} of "
    return f"{told}{address} would be changed as well"


def _things(change: Change) -> tuple[str, ...]:
    """What a change is about: instances, or the one thing at its address."""
    return change.instances or (str(change.address),)


def _in_words(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"{', '.join(names[:MAX_NAMED])}{more}"


def _size(changes: Iterable[Change], actions: Collection[Action]) -> int:
    """How many things changes make at most."""
    return sum(change.size for change in changes if change.action in actions)


def _fields(changes: Iterable[Change]) -> set[Field]:
    return {
        (change.address, field.path, digest(jsonable(field.after)))
        for change in changes
        if change.deferred is None
        for field in change.fields
        if not _is_of_an_end(field.path.removeprefix("tags."))
    }


def _desired(plan: Plan) -> str:
    return digest({str(address): _as_said(desired) for address, desired in plan.desired.items()})


def _as_said(desired: Any) -> Any:
    """What a spec asks for, with ends as they are said: when a duration has begun is known after a launch."""
    data = jsonable(desired)
    tags = data.get("tags")
    if not isinstance(tags, Mapping):
        return data
    said = {
        key: str(value).partition(" from ")[0].rpartition(" ")[2] if _is_of_an_end(key) else value
        for key, value in tags.items()
        if key != EXPIRES_TAG or LIFETIME_TAG not in tags
    }
    return {**data, "tags": said}


def _is_of_an_end(tag: str) -> bool:
    return tag.partition(f"{EXPIRES_TAG}:")[0] == "" or tag in (EXPIRES_TAG, LIFETIME_TAG)
