"""Which specs are given: what the arguments mean, and whether it is one alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from provisioner.errors import SpecError
from provisioner.many.finding import NO_SPECS, find_specs
from provisioner.many.spec_file import SpecFile


class Spread(NamedTuple):
    """How the work on many is spread out: the file of the report, the shard that is meant, and what the work
    is done by, each as on the command line."""

    report: str | None = None
    shard: str | None = None
    executor: str | None = None


def given_specs(
    arguments: Sequence[str], root: str | None, targets: Sequence[str] = ()
) -> tuple[SpecFile, ...]:
    """The specs that arguments mean. Raises UsageError for a folder or a glob without any."""
    return find_specs(arguments, root, targets, _targets_of, _bases_of)


def given_paths(arguments: Sequence[str], root: str | None) -> list[str]:
    """The files that arguments mean, for whoever reads all targets of a spec by himself, with what lies
    beside specs where that is named. Raises UsageError."""
    beside = [path for path in arguments if Path(path).name in NO_SPECS]
    rest = [path for path in arguments if path not in beside]
    found = find_specs(rest, root, bases_of=_bases_of) if rest else ()
    return [*beside, *(spec.path for spec in found)]


def alone(specs: Sequence[SpecFile], spread: Spread) -> SpecFile | None:
    """The spec where it is one alone, which is then worked on as ever; None: they are many."""
    return specs[0] if len(specs) == 1 and spread == Spread() else None


def _targets_of(spec: SpecFile) -> Sequence[str]:
    from provisioner.spec import targets_of

    # What is wrong with the spec is told when it is loaded.
    with suppress(SpecError):
        return targets_of(spec.path, spec.root)
    return ()


def _bases_of(spec: SpecFile) -> Sequence[str]:
    from provisioner.spec import bases_of

    with suppress(SpecError):
        return bases_of(spec.path, spec.root)
    return ()
