"""Several specs at once, which must not be about the same environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from provisioner.errors import SpecError
from provisioner.kinds.base import AnyKind
from provisioner.model import Environment
from provisioner.spec.loader import load_with_document
from provisioner.spec.targets import targets_of
from provisioner.visible import as_typed


def load_all(
    paths: Iterable[str], kinds: Sequence[AnyKind], root: str | None = None
) -> Iterator[tuple[str, Environment | SpecError]]:
    """Each path with its environment, or with what is wrong with it; of a spec with targets each of them,
    with the target behind the path.

    That can be that a spec before it is about the same environment: applying the one would then delete what
    only the other has. Where only AWS can tell, it is among the environment's suspects. A file given twice is
    one spec.
    """
    before: list[tuple[str, Environment]] = []
    for path, target in _each(paths, root):
        name = as_typed([path, "--target", target]) if target else path
        try:
            environment, document = load_with_document(path, kinds, root, target=target)
        except SpecError as error:
            yield name, error
            continue
        alike = [
            (other, earlier)
            for other, earlier in before
            if may_be_same(environment, earlier)
            and not (_one_file(path, earlier.source) and target == earlier.target)
        ]
        what = f"about the environment {environment.name} in {environment.region} as well"
        same = [other for other, earlier in alike if are_same(environment, earlier)]
        if same:
            hint = "applying one of them deletes what only the other has; put them together, or rename one"
            yield name, SpecError([document.problem(("environment",), f"{same[0]} is {what}", hint)])
        elif alike:
            hint = "say the `account_id` of both, if they are in different accounts"
            suspect = document.problem(("environment",), f"{alike[0][0]} may be {what}", hint)
            yield name, replace(environment, suspects=(*environment.suspects, suspect))
        else:
            yield name, environment
        before.append((name, environment))


def may_be_same(one: Environment, other: Environment) -> bool:
    """Whether two specs can be about one environment. Without an account, a spec may be meant for any."""
    accounts = {one.account_id, other.account_id} - {None}
    return one.name == other.name and one.region == other.region and len(accounts) < 2


def are_same(one: Environment, other: Environment) -> bool:
    """Whether they are, as far as the specs tell: of different logins, only AWS knows the accounts."""
    has_accounts = bool(one.account_id and other.account_id)
    return may_be_same(one, other) and (has_accounts or one.login == other.login)


def _each(paths: Iterable[str], root: str | None) -> Iterator[tuple[str, str | None]]:
    """Each path with each of its targets; what cannot be read has none, and is told of when it is loaded."""
    for path in paths:
        try:
            targets: Sequence[str | None] = targets_of(path, root)
        except SpecError:
            targets = ()
        yield from ((path, target) for target in targets or (None,))


def _one_file(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
