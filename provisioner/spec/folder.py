"""The folder configuration: `provisioner.yaml` beside a spec, which holds for every spec in the folder."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from provisioner.errors import Problem, SpecError
from provisioner.spec.document import read
from provisioner.spec.explain import explain, once
from provisioner.spec.files import FileProblem, Source, locate, locate_named, read_named
from provisioner.spec.nodes import TOP
from provisioner.spec.reading import LARGEST_FILE, MAX_FOUND
from provisioner.spec.schemas import folder as schemas
from provisioner.spec.wording import Suggestions, quoted, shorten

NAME = "provisioner.yaml"
SCHEMA = "folder.schema.json"
BUILTIN = "builtin:"
# What is read beside the rules, as `conftest --data` does.
DATA_NAMES = ("data.json", "data.yaml", "data.yml")


def is_folder_configuration(path: str) -> bool:
    """Whether a file is no spec, by its name."""
    return Path(path).name == NAME


def folder_policies(spec: str, builtin: Collection[str], root: str | None = None) -> tuple[str, ...]:
    """The guardrails that the configuration of a spec's folder names, as paths; none without one.

    The folder is that of the file that a link leads to, so that a link from elsewhere leaves nothing out.
    `builtin` are the names of those that come with the program. Raises SpecError.
    """
    found = _beside(spec, root)
    return _policies(*found, builtin)[0] if found else ()


def folder_proves(spec: str, builtin: Collection[str], root: str | None = None) -> bool:
    """Whether the configuration of a spec's folder has plans proved. Raises SpecError."""
    found = _beside(spec, root)
    return found is not None and _policies(*found, builtin)[1]


def _beside(spec: str, root: str | None) -> tuple[Path, Source] | None:
    """The configuration of a spec's folder, as people call it, if there is one. Raises SpecError."""
    try:
        source = locate(spec, root)
    except FileProblem:
        return None  # What is wrong with the spec is told when it is read.
    # As people call it, wherever that is the same.
    beside = Path(spec).parent / NAME
    real = source.path.parent / NAME
    path = beside if os.path.realpath(beside.parent) == str(real.parent) else real
    other = path.with_suffix(".yml")
    if os.path.isfile(real.with_suffix(".yml")):  # noqa: PTH113  Path's own raise for what cannot be
        try:
            content = read_named(source, other.name, LARGEST_FILE)
        except FileProblem as problem:
            raise _wrong(str(other), f"the file {problem}", problem.hint) from None
        if re.search(rb"(?m)^(policies|prove)\s*:", content):
            # Whoever wrote it wants its rules to hold.
            raise _wrong(str(other), f"{other.name} is not read", f"call it {NAME}")
    if not os.path.isfile(real) and not os.path.islink(real):  # noqa: PTH113, PTH114
        return None
    try:
        return path, replace(source, path=locate_named(source, NAME))
    except FileProblem as problem:
        raise _wrong(str(path), f"the file {problem}", problem.hint) from None


def check_folder_configuration(path: str, builtin: Collection[str], root: str | None = None) -> None:
    """Raises SpecError with all that is wrong with a folder configuration."""
    try:
        source = locate(path, root)
    except FileProblem as problem:
        raise _wrong(path, f"the file {problem}", problem.hint) from None
    _policies(Path(path), source, builtin)


def _wrong(file: str, message: str, hint: str | None) -> SpecError:
    return SpecError([Problem(file, *TOP, "", message, hint)])


def _policies(path: Path, source: Source, builtin: Collection[str]) -> tuple[tuple[str, ...], bool]:
    """The guardrails that a configuration names, and whether it has plans proved. Raises SpecError."""
    document = read(str(path), source)
    schema: dict[str, Any] = json.loads((schemas() / SCHEMA).read_text(encoding="utf-8"))
    suggestions = Suggestions()
    problems = once(explain(document, schema, suggestions, MAX_FOUND))
    found = []
    names = [] if problems else document.value.get("policies", [])
    # They are beside the configuration as people call it, which may be a link itself.
    beside = replace(source, path=Path(os.path.realpath(path.parent)) / NAME)
    folders = {name: _located(beside, name) for name in names if not name.startswith(BUILTIN)}
    are_rules = any(name.startswith(BUILTIN) or _has_rules(folders[name]) for name in names)
    for index, name in enumerate(names):
        wrong = _problem(name, path, folders, builtin, suggestions, are_rules)
        if wrong:
            problems.append(document.problem(("policies", index), *wrong))
        found.append(name if name.startswith(BUILTIN) else str(path.parent / name))
    if problems:
        raise SpecError(problems)
    return tuple(found), bool(document.value.get("prove", False))


def _located(source: Source, name: str) -> Path | FileProblem:
    """Where a folder of guardrails really is, or why it may not be there or cannot be looked into."""
    try:
        folder = locate_named(source, name)
        next(rego_below(folder), None)
    except FileProblem as problem:
        return problem
    return folder


def _problem(
    name: str,
    path: Path,
    folders: Mapping[str, Path | FileProblem],
    builtin: Collection[str],
    suggestions: Suggestions,
    are_rules: bool,
) -> tuple[str, str] | None:
    """What is wrong with the name of a guardrail, and what to do; `are_rules`: some name has rules."""
    if name.startswith(BUILTIN):
        if name.removeprefix(BUILTIN) in builtin:
            return None
        meant = suggestions.near(name.removeprefix(BUILTIN), builtin)
        hint = f"did you mean {BUILTIN}{meant}?" if meant else f"there are {', '.join(sorted(builtin))}"
        return f"no guardrail is called {quoted(name)}", hint
    policies = folders[name]
    if isinstance(policies, FileProblem):
        return f"{quoted(name)} {policies}", policies.hint or "name another folder"
    if not os.path.exists(policies):  # noqa: PTH110  Path's own raises for names that are too long
        meant = builtin_meant(name, builtin, suggestions)
        return f"there is no folder {quoted(name)}", meant or f"looked for {path.parent / shorten(name)}"
    if policies.is_dir() and not _has_rules(policies) and not (are_rules and data_files(policies)):
        return f"{quoted(name)} has no Rego file", without_rules(policies)
    return None


def builtin_meant(name: str, builtin: Collection[str], suggestions: Suggestions) -> str | None:
    """What to write in place of a name that is no folder, where one in `builtin` is like it."""
    meant = name if name in builtin else suggestions.near(name, builtin)
    return f"did you mean {BUILTIN}{meant}?" if meant else None


def data_files(folder: Path) -> list[Path]:
    """The data of a folder of guardrails."""
    there = [folder / name for name in DATA_NAMES if os.path.lexists(folder / name)]
    return [path for path in there if not path.is_dir()]


def rego_below(folder: Path) -> Iterator[Path]:
    """The Rego files of a folder, also those that are links and lead nowhere. Raises FileProblem."""

    def refuse(error: OSError) -> None:
        raise FileProblem(f"cannot be read: {error.strerror or error}") from None

    if os.path.isdir(folder):  # noqa: PTH112
        for top, _, names in os.walk(folder, onerror=refuse):
            yield from (Path(top) / name for name in names if name.endswith(".rego"))


def without_rules(folder: Path) -> str:
    """Why a folder that has no Rego is no guardrail, and what to do about it."""
    if data_files(folder):
        rules = f"name rules as well, your own or one of ours, such as {BUILTIN}tags"
        return f"data alone allows everything: {rules}"
    return "a folder without rules would allow everything"


def _has_rules(path: Path | FileProblem) -> bool:
    """Whether there is Rego at a path that may be read."""
    if isinstance(path, FileProblem):
        return False
    return path.suffix == ".rego" or next(rego_below(path), None) is not None
