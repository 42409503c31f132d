"""Which roles the trust policies of a spec name, and in which order roles are made for that.

IAM takes a trust policy only if every principal in it exists, and keeps a role in it by its unique id: of one
that is deleted it goes on to show the id, which a new role of the same name does not have.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

from provisioner.iam_policy import documents
from provisioner.kinds.base import World
from provisioner.kinds.iam import (
    name_in,
)
from provisioner.kinds.role.observed import FoundRole, ObservedRole
from provisioner.kinds.role.spec import Role
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address, Refusal
from provisioner.naming import iam_path

# The trust of a role that cannot have its own yet. Nobody can assume it.
CLOSED: Mapping[str, Any] = {
    "Version": documents.VERSION,
    "Statement": [{"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}

_SESSION = re.compile(r"(arn:[^:]+):sts::(\d{12}):assumed-role/([^/]+)(/.+)")
_ROLE = re.compile(r"arn:[^:]+:iam::\d{12}:role/(?:.*/)?([^/]+)")


def principals(document: Mapping[str, Any]) -> Iterator[str]:
    """The AWS principals that a policy document names, as they are written. Conditions name none."""
    for statement in _listed(document.get("Statement", ())):
        for element in ("Principal", "NotPrincipal") if isinstance(statement, Mapping) else ():
            if isinstance(statement.get(element), Mapping):
                yield from _listed(statement[element].get("AWS", ()))


def with_principals(document: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The document with each AWS principal changed."""

    def statement(written: Any) -> Any:
        if not isinstance(written, Mapping):
            return written
        return {
            element: _principal(value, change) if element in ("Principal", "NotPrincipal") else value
            for element, value in written.items()
        }

    return {**document, "Statement": _each(document.get("Statement", []), statement)}


def _principal(value: Any, change: Callable[[str], str]) -> Any:
    if not isinstance(value, Mapping) or "AWS" not in value:
        return value
    return {**value, "AWS": _each(value["AWS"], change)}


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """One value or each of a list of them, changed."""
    return [change(item) for item in value] if isinstance(value, list | tuple) else change(value)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


@dataclass(frozen=True)
class Trusts:
    """The trust policies of all roles of one spec, in one world."""

    world: World

    def wanted(self, role: Role) -> dict[str, Any]:
        """A role's trust policy with every role of the spec as IAM spells it."""
        return with_principals(role.trust, lambda written: self._named(written)[0])

    def absent(self, role: Role) -> frozenset[Address]:
        """The roles that a role trusts and that are still to be made."""
        trusted = self._trusted(role)
        return trusted.intersection(self._absent)

    def in_two_steps(self, address: Address) -> bool:
        """Whether an absent role trusts itself, or a role that cannot be made before it."""
        return bool(self.absent(self._roles[address])) and address in self._circular

    def order(self, role: Role) -> int:
        """How many roles have to be made one after the other before a role's trust policy is taken."""
        return max((self._made_at[trusted] + 1 for trusted in self.absent(role)), default=0)

    def who_let_go(self, found: FoundRole) -> frozenset[Address]:
        """The roles of the spec whose trust policy names a role now that is to be deleted."""
        return frozenset(
            at
            for at in self._roles
            if (there := self._observed.get(at)) and found.arn in principals(there.trust)
        )

    def refusals(self, address: Address, role: Role) -> Iterator[Refusal]:
        """Roles that IAM would not find: not there, not at that path, or deleted by this plan."""
        for written in sorted(set(principals(role.trust))):
            problem = self._problem(written)
            if problem:
                yield Refusal(address, f"trust: {problem[0]}", problem[1], exit_code=1)

    def of_others(self, role: Role) -> set[str]:
        """The roles and users of the account that a role trusts, and that are not of the environment."""
        return {
            written
            for written in principals(role.trust)
            if written.startswith((f"{self._prefix}:role/", f"{self._prefix}:user/"))
            and not written.startswith(f"{self._prefix}:role{iam_path(self.world.environment.name)}")
            and not self._problem(written)
            and not self._named(written)[1]
        }

    def _problem(self, written: str) -> tuple[str, str] | None:
        match = _ROLE.fullmatch(written)
        identity, environment = self.world.identity, self.world.environment
        if not match or not written.startswith(f"{self._prefix}:role/") or self._named(written)[1]:
            return None
        named = next((at for at, role in self._roles.items() if role.name.lower() == match[1].lower()), None)
        if named:
            return f"there is no role {written}: {named} has a path", f"write {self._arn(named)}"
        if not written.startswith(f"{self._prefix}:role{iam_path(environment.name)}"):
            return None
        if any(there.arn == written for there in self._observed.values()):
            return (
                f"{written} is no longer in the spec and would be deleted",
                "keep that role in the spec, or take it out of this trust policy",
            )
        near = difflib.get_close_matches(written, [self._arn(at) for at in self._roles], n=1)
        hint = f"did you mean {near[0]}?" if near else "add that role to the spec, or correct the ARN"
        return f"there is no role {written} in account {identity.account_id}", hint

    @property
    def _prefix(self) -> str:
        identity = self.world.identity
        return f"arn:{identity.partition}:iam::{identity.account_id}"

    @cached_property
    def _roles(self) -> dict[Address, Role]:
        return dict(self.world.desired_of(Role))

    @cached_property
    def _observed(self) -> dict[Address, FoundRole]:
        return {at: there.role for at, there in self.world.observed_of(ObservedRole).items() if there.role}

    def _arn(self, address: Address) -> str:
        """The ARN that a role of the spec has, or will have."""
        if address in self._observed:
            return self._observed[address].arn
        role = self._roles[address]
        return f"{self._prefix}:role{role.path}{role.name}"

    @cached_property
    def _addresses(self) -> dict[str, Address]:
        """The roles of the spec by what a principal may call them, in lower case where IAM ignores case."""
        known: dict[str, Address] = {}
        for at, role in self._roles.items():
            known[f"{self._prefix}:role{role.path}{role.name}".lower()] = at
            known[self._arn(at).lower()] = at
            if at in self._observed and self._observed[at].id:
                known[self._observed[at].id.lower()] = at
        return known

    def _named(self, written: str) -> tuple[str, Address | None]:
        """A principal as IAM spells it, and the role of the spec that it is, or a session of."""
        at = self._addresses.get(written.lower())
        if at:
            return self._arn(at), at
        session = _SESSION.fullmatch(written)
        if session and written.startswith(self._prefix.replace(":iam:", ":sts:")):
            for at, role in self._roles.items():
                if role.name.lower() == session[3].lower():
                    name = name_in(self._arn(at))
                    return f"{session[1]}:sts::{session[2]}:assumed-role/{name}{session[4]}", at
        return written, None

    def _trusted(self, role: Role) -> frozenset[Address]:
        return frozenset(at for written in principals(role.trust) if (at := self._named(written)[1]))

    @cached_property
    def _absent(self) -> dict[Address, frozenset[Address]]:
        """The roles that are to be made, each with those of them that it trusts."""
        absent = self._roles.keys() - self._observed.keys()
        return {at: self._trusted(self._roles[at]) & absent for at in absent}

    @cached_property
    def _circular(self) -> frozenset[Address]:
        """The absent roles that trust themselves, or a role that trusts them, however many lie between."""
        return frozenset(at for at in self._absent if at in self._reachable(at))

    def _reachable(self, start: Address) -> set[Address]:
        reached: set[Address] = set()
        ahead = list(self._absent[start])
        while ahead:
            at = ahead.pop()
            if at not in reached:
                reached.add(at)
                ahead += self._absent[at]
        return reached

    @cached_property
    def _made_at(self) -> dict[Address, int]:
        """For each absent role, how many have to be made one after the other before it can be."""
        before = {at: () if at in self._circular else others for at, others in self._absent.items()}
        made_at: dict[Address, int] = {}
        for at in TopologicalSorter(before).static_order():
            made_at[at] = max((made_at[earlier] + 1 for earlier in before[at]), default=0)
        return made_at
