"""Several specs at once, which must not be about the same environment."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence

from provisioner.errors import SpecError
from provisioner.kinds.base import AnyKind
from provisioner.model import Environment
from provisioner.spec.loader import load_with_document
from provisioner.spec.targets import targets_of


def load_all(
    paths: Iterable[str], kinds: Sequence[AnyKind], root: str | None = None
) -> Iterator[tuple[str, Environment | SpecError]]:
    """Each path with its environment, or with what is wrong with it; of a spec with targets each of them,
    with the target behind the path.

    That can be that a spec before it is about the same environment: applying the one would then delete what
    only the other has. A spec without an account may be meant for any. A file given twice is one spec.
    """
    before: list[tuple[str, Environment]] = []
    for path, target in _each(paths, root):
        name = shlex.join([path, "--target", target]) if target else path
        try:
            environment, document = load_with_document(path, kinds, root, target=target)
        except SpecError as error:
            yield name, error
            continue
        same = [
            other
            for other, earlier in before
            if _same(environment, earlier)
            and not (_one_file(path, earlier.source) and target == earlier.target)
        ]
        if same:
            message = f"{same[0]} is about the environment {environment.name} in {environment.region} as well"
            hint = "applying one of them deletes what only the other has; put them together, or rename one"
            yield name, SpecError([document.problem(("environment",), message, hint)])
        else:
            yield name, environment
        before.append((name, environment))


def _each(paths: Iterable[str], root: str | None) -> Iterator[tuple[str, str | None]]:
    """Each path with each of its targets; what cannot be read has none, and is told of when it is loaded."""
    for path in paths:
        try:
            targets: Sequence[str | None] = targets_of(path, root)
        except SpecError:
            targets = ()
        yield from ((path, target) for target in targets or (None,))


def _same(one: Environment, other: Environment) -> bool:
    accounts = {one.account_id, other.account_id} - {None}
    return one.name == other.name and one.region == other.region and len(accounts) < 2


def _one_file(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
