"""Problems of many specs, each told once: a file that many of them extend is wrong in all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from provisioner.errors import Problem

TARGET = " --target "
# Of the specs and the targets that a problem is in, so many are named.
MAX_NAMED = 10


class Alike(NamedTuple):
    """A problem, and the specs that have it, as a command line gives them."""

    problem: Problem
    specs: Sequence[str]


def once_each(found: Iterable[tuple[str, Iterable[Problem]]]) -> list[Alike]:
    """The problems of specs, each once, in the order in which they come first.

    What a problem says of another place is left out where the specs differ in it, such as where each of them
    extends the file.
    """
    alike: dict[Problem, list[tuple[str, str]]] = {}
    for spec, problems in found:
        for problem in problems:
            alike.setdefault(replace(problem, related=""), []).append((spec, problem.related))
    told = []
    for problem, places in alike.items():
        related = {place for _, place in places}
        specs = list(dict.fromkeys(spec for spec, _ in places))
        told.append(Alike(replace(problem, related=related.pop() if len(related) == 1 else ""), specs))
    return told


def concerned(specs: Sequence[str], every: Sequence[str] = ()) -> str:
    """Which of the specs a problem is in, in words; empty where it is in the only one of its file: then its
    place says that. `every`: all targets that each file has, where they are known."""
    total, own = _by_file(every), _by_file(specs)
    if len(specs) == 1 and TARGET not in specs[0]:
        return ""
    told = [_of_file(file, targets, total) for file, targets in own.items()]
    more = _more(len(told), "spec")
    return f"in {', '.join(told[:MAX_NAMED])}{more}"


def _of_file(file: str, targets: Sequence[str], total: Mapping[str, Sequence[str]]) -> str:
    if not targets:
        return file
    if len(targets) == len(total.get(file, ())) > 1:
        return f"all {len(targets)} targets of {file}"
    # As a command line takes several, so that no target looks like another spec.
    named = "".join(f"{TARGET}{target}" for target in targets[:MAX_NAMED])
    return f"{file}{named}{_more(len(targets), 'target')}"


def _more(number: int, what: str) -> str:
    """How many are not named, in words."""
    more = number - MAX_NAMED
    return f" and {more} more {what}{'' if more == 1 else 's'}" if more > 0 else ""


def _by_file(specs: Iterable[str]) -> dict[str, list[str]]:
    """The targets of each file; none where it has none."""
    files: dict[str, list[str]] = {}
    for spec in specs:
        file, is_target, target = spec.rpartition(TARGET)
        files.setdefault(file if is_target else spec, []).extend([target] if is_target else [])
    return files
