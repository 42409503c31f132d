"""From arguments to specs: files, folders, globs, and every target of a spec that has targets."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from provisioner.errors import UsageError
from provisioner.many.spec_file import SpecFile, check_name

SUFFIXES = (".yaml", ".yml")
# What lies beside specs and is none: the folder configuration, and what of drift is accepted.
NO_SPECS = ("provisioner.yaml", "accepted-drift.yaml")

# The names of the targets that a spec has; none where it has none, or cannot be read.
TargetsOf = Callable[[SpecFile], Sequence[str]]
# The files that a spec extends, and that are no environment by themselves.
BasesOf = Callable[[SpecFile], Sequence[str]]


def _none(spec: SpecFile) -> Sequence[str]:
    return ()


def find_specs(
    arguments: Sequence[str],
    root: str | None = None,
    targets: Sequence[str] = (),
    targets_of: TargetsOf = _none,
    bases_of: BasesOf = _none,
) -> tuple[SpecFile, ...]:
    """The specs that the arguments mean, each once, in their order: files, folders and globs.

    Of a folder, and of a glob (`**` is any folders), every `.yaml` and `.yml` counts that is not hidden. What
    lies beside specs and is none is left out, and so is what another one of them extends and is no
    environment by itself, unless it is named alone. A spec with targets stands for all of them, or for
    `targets`.

    Raises UsageError for a folder or a glob in which there is no spec, and for an empty name.
    """
    paths = _each_once(path for argument in arguments for path in _paths_of(argument))
    if len(paths) > 1:
        paths = [path for path in paths if Path(path).name not in NO_SPECS] or paths
        bases = {os.path.realpath(base) for path in paths for base in bases_of(SpecFile(path, root))}
        paths = [path for path in paths if os.path.realpath(path) not in bases] or paths
    specs = [SpecFile(path, root) for path in paths]
    return tuple(one for spec in specs for one in _targeted(spec, targets or targets_of(spec)))


def _targeted(spec: SpecFile, targets: Sequence[str]) -> list[SpecFile]:
    return [spec._replace(target=target) for target in dict.fromkeys(targets)] or [spec]


def _paths_of(argument: str) -> list[str]:
    """The files that an argument means; what is neither a folder nor a glob is a file, there or not."""
    check_name(argument)
    if os.path.isdir(argument):  # noqa: PTH112  Path.is_dir raises for names that are too long
        found = _in_folder(argument)
        if not found:
            below = next(Path(argument).rglob("*.yaml"), None)
            deeper = f"; for those in folders below: '{os.path.join(argument, '**', '*.yaml')}'"  # noqa: PTH118
            raise UsageError(
                f"{argument}: there is no spec in this folder",
                f"a spec is called *.yaml or *.yml{deeper if below else ''}",
            )
        return found
    if not glob.has_magic(argument) or os.path.lexists(argument):
        return [argument]
    matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207  as it was typed, `./` and all
    found = [path for match in matches for path in _in_match(match)]
    if not found:
        raise UsageError(f"{argument}: matches no spec", "a spec is called *.yaml or *.yml")
    return found


def _in_match(match: str) -> list[str]:
    if os.path.isdir(match):  # noqa: PTH112
        # With `**` the files in it are matches themselves.
        return _in_folder(match)
    return [match] if _is_named_as_spec(match) else []


def _in_folder(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror}", "name the specs") from None
    paths = [os.path.join(folder, name) for name in names if _is_named_as_spec(name)]  # noqa: PTH118
    return [path for path in paths if not os.path.isdir(path)]  # noqa: PTH112


def _is_named_as_spec(path: str) -> bool:
    name = os.path.basename(path)  # noqa: PTH119
    return name.endswith(SUFFIXES) and not name.startswith(".") and name not in NO_SPECS


def _each_once(paths: Iterator[str]) -> list[str]:
    """Each file once, by the name under which it came first."""
    found: dict[str, str] = {}
    for path in paths:
        try:
            found.setdefault(os.path.realpath(path), path)
        except (OSError, ValueError):
            # What is no name of a file is told by who reads it.
            found.setdefault(path, path)
    return list(found.values())
