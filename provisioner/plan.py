"""Comparing what is desired with what was observed. Two values in, a plan out; no connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import TypeVar

from provisioner.errors import Problem
from provisioner.kinds.base import AnyKind, World
from provisioner.model import Action, Address, Change, Findings, Note, Plan, Refusal

Told = TypeVar("Told", Refusal, Note)

# How many addresses are named that have the same problem.
MAX_NAMED = 10


def plan(world: World, kinds: Sequence[AnyKind]) -> Plan:
    """Everything to do, in the order in which apply does it.

    What is made or changed comes first, in the order of the kinds; what is deleted comes last, in the
    opposite order, so that nothing is deleted that something else still uses.
    """
    findings = {
        address: kind.compare(address, world.desired(address), world.observed(address), world)
        for kind in kinds
        for address in _addresses(kind, world)
    }
    environment = world.environment
    return Plan(
        environment=environment.name,
        region=environment.region,
        account_id=world.identity.account_id,
        changes=tuple(_with_needs(_in_order(findings.values(), kinds), world)),
        refusals=_each_once(refusal for found in findings.values() for refusal in found.refusals),
        notes=(
            *([] if world.destroying else _suspected(environment.suspects)),
            *_each_once(note for found in findings.values() for note in found.notes),
        ),
        destroy=world.destroying,
        uses={
            address: thing.uses
            for address in findings
            if (thing := world.desired(address) or world.observed(address))
        },
        desired={
            address: kind.describe(desired, world.observed(address), world)
            for kind in kinds
            for address in _addresses(kind, world)
            if (desired := world.desired(address))
        },
    )


def _suspected(suspects: Sequence[Problem]) -> Iterator[Note]:
    """What looks like a secret and would be sent, by its place; `validate` lists all of it."""
    for suspect in suspects[:MAX_NAMED]:
        at = Address("spec", f"{PurePath(suspect.file).name}:{suspect.line}")
        yield Note(at, f"{suspect.message}; {suspect.hint}", is_warning=True)
    if len(suspects) > MAX_NAMED:
        at = Address("spec", PurePath(suspects[-1].file).name)
        message = f"{len(suspects) - MAX_NAMED} more places look like secrets: see `provisioner validate`"
        yield Note(at, message, is_warning=True)


def _each_once(told: Iterable[Told]) -> tuple[Told, ...]:
    """What is said of several things of a kind in the same words is said once, at the first of them."""
    addresses: dict[Told, list[Address]] = {}
    for statement in told:
        somewhere = replace(statement, address=Address(statement.address.kind, ""))
        addresses.setdefault(somewhere, []).append(statement.address)
    return tuple(
        replace(
            statement,
            address=first,
            message=f"{statement.message} (the same for {_some(others)})",
            also=tuple(others),
        )
        if others
        else replace(statement, address=first)
        for statement, (first, *others) in addresses.items()
    )


def _some(addresses: Sequence[Address]) -> str:
    more = f" and {len(addresses) - MAX_NAMED} more" if len(addresses) > MAX_NAMED else ""
    return ", ".join(map(str, addresses[:MAX_NAMED])) + more


def _addresses(kind: AnyKind, world: World) -> list[Address]:
    every = world.environment.resources.keys() | world.observation.resources.keys()
    return sorted(address for address in every if address.kind == kind.name)


def _in_order(findings: Iterable[Findings], kinds: Sequence[AnyKind]) -> list[Change]:
    rank = {kind.name: index for index, kind in enumerate(kinds)}
    changes = [change for found in findings for change in found.changes]
    kept = [change for change in changes if change.action is not Action.DELETE]
    deleted = [change for change in changes if change.action is Action.DELETE]
    return [
        *sorted(kept, key=lambda change: (rank[change.address.kind], change.order)),
        *sorted(deleted, key=lambda change: (-rank[change.address.kind], change.order)),
    ]


def _with_needs(changes: Sequence[Change], world: World) -> Iterable[Change]:
    """Each change with the addresses whose changes have to be done before it.

    A thing needs what it will use; deleting a thing needs all that use it now to have let go.
    """
    users: dict[Address, set[Address]] = {}
    for address, thing in world.observation.resources.items():
        for used in thing.uses:
            users.setdefault(used, set()).add(address)
    for change in changes:
        if change.action is Action.DELETE:
            needs = frozenset(users.get(change.address, ()))
        else:
            desired = world.desired(change.address)
            needs = desired.uses if desired else frozenset()
        yield replace(change, needs=change.needs | needs)
