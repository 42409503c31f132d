"""What of an approved plan is sent to whoever applies it elsewhere, and whether what is left to do is that.

A group whose worker died in mid-apply is done again by another one. The plan that it makes is then not the
one that was approved, but what is left of it; this tells the two apart. Nothing is sent but what that needs:
no step, no user data, and no value of a field but as a digest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from provisioner.canonical import digest, jsonable
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Action, Address, Change, Plan
from provisioner.reconcile import beyond

Field = tuple[Address, str, str]


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
    # What was begun to be made may lack some of what it would have been made with.
    begun = {change.address for change in permit.plan.changes if change.action is not Action.UPDATE}
    to_do = [change for change in plan.changes if change.deferred is None]
    for address in dict.fromkeys(change.address for change in to_do):
        approved, now = (_size(changes, address) for changes in (permit.plan.changes, to_do))
        if not approved:
            return f"{address} would be changed as well"
        if now > approved and address not in begun:
            return f"{now} of {address} would be changed, and not {approved}"
    for address, path, _ in sorted(_fields(to_do) - permit.fields):
        if address not in begun:
            return f"{path} of {address} would be changed as well"
    return _made_beyond(permit.plan.changes, to_do)


def _made_beyond(approved: Iterable[Change], to_do: Iterable[Change]) -> str | None:
    """Where more would be made than was approved, in words."""
    makes = (Action.CREATE, Action.REPLACE)
    before, now = ([change for change in changes if change.action in makes] for changes in (approved, to_do))
    for address in dict.fromkeys(change.address for change in now):
        if _size(now, address) > _size(before, address):
            return f"{_size(now, address)} of {address} would be made, and not {_size(before, address)}"
    return None


def _size(changes: Iterable[Change], address: Address) -> int:
    """How many things at an address are made or changed at most."""
    return sum(change.size for change in changes if change.address == address and change.deferred is None)


def _fields(changes: Iterable[Change]) -> set[Field]:
    return {
        (change.address, field.path, digest(jsonable(field.after)))
        for change in changes
        if change.deferred is None
        for field in change.fields
    }


def _desired(plan: Plan) -> str:
    return digest({str(address): jsonable(desired) for address, desired in plan.desired.items()})
