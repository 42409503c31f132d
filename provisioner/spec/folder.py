"""The folder configuration: `provisioner.yaml` beside a spec, which holds for every spec in the folder."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from provisioner.errors import Problem, SpecError
from provisioner.spec.document import read
from provisioner.spec.explain import explain, once
from provisioner.spec.files import FileProblem, Source, locate
from provisioner.spec.nodes import TOP
from provisioner.spec.reading import MAX_FOUND
from provisioner.spec.schemas import folder as schemas
from provisioner.spec.wording import Suggestions, quoted

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
    path = beside if beside.parent.resolve() == real.parent else real
    other = real.with_suffix(".yml")
    if other.is_file() and re.search(rb"(?m)^(policies|prove)\s*:", other.read_bytes()):
        # Whoever wrote it wants its rules to hold.
        name = str(path.with_suffix(".yml"))
        raise SpecError([Problem(name, *TOP, "", f"{other.name} is not read", f"call it {NAME}")])
    return (path, source) if real.is_file() or real.is_symlink() else None


def check_folder_configuration(path: str, builtin: Collection[str], root: str | None = None) -> None:
    """Raises SpecError with all that is wrong with a folder configuration."""
    try:
        source = locate(path, root)
    except FileProblem as problem:
        raise SpecError([Problem(path, *TOP, "", f"the file {problem}", problem.hint)]) from None
    _policies(Path(path), source, builtin)


def _policies(path: Path, source: Source, builtin: Collection[str]) -> tuple[tuple[str, ...], bool]:
    """The guardrails that a configuration names, and whether it has plans proved. Raises SpecError."""
    document = read(str(path))
    schema: dict[str, Any] = json.loads((schemas() / SCHEMA).read_text(encoding="utf-8"))
    suggestions = Suggestions()
    problems = once(explain(document, schema, suggestions, MAX_FOUND))
    found = []
    names = [] if problems else document.value.get("policies", [])
    are_rules = any(name.startswith(BUILTIN) or _has_rules(path.parent / name, source.root) for name in names)
    for index, name in enumerate(names):
        wrong = _problem(name, path, source, builtin, suggestions, are_rules)
        if wrong:
            problems.append(document.problem(("policies", index), *wrong))
        found.append(name if name.startswith(BUILTIN) else str(path.parent / name))
    if problems:
        raise SpecError(problems)
    return tuple(found), bool(document.value.get("prove", False))


def _problem(
    name: str,
    path: Path,
    source: Source,
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
    policies = (path.parent / name).resolve()
    if not policies.is_relative_to(source.root):
        return f"{quoted(name)} is outside of {source.root}, {source.what}", "move it there"
    if not policies.exists():
        meant = builtin_meant(name, builtin, suggestions)
        return f"there is no folder {quoted(name)}", meant or f"looked for {path.parent / name}"
    if (
        policies.is_dir()
        and not _has_rules(policies, source.root)
        and not (are_rules and data_files(policies))
    ):
        return f"{quoted(name)} has no Rego file", without_rules(policies)
    return None


def builtin_meant(name: str, builtin: Collection[str], suggestions: Suggestions) -> str | None:
    """What to write in place of a name that is no folder, where one in `builtin` is like it."""
    meant = name if name in builtin else suggestions.near(name, builtin)
    return f"did you mean {BUILTIN}{meant}?" if meant else None


def data_files(folder: Path) -> list[Path]:
    """The data of a folder of guardrails."""
    return [folder / name for name in DATA_NAMES if (folder / name).is_file()]


def without_rules(folder: Path) -> str:
    """Why a folder that has no Rego is no guardrail, and what to do about it."""
    if data_files(folder):
        rules = f"name rules as well, your own or one of ours, such as {BUILTIN}tags"
        return f"data alone allows everything: {rules}"
    return "a folder without rules would allow everything"


def _has_rules(path: Path, root: Path) -> bool:
    """Whether there is Rego at a path; what is outside of `root` is not looked at."""
    path = path.resolve()
    if not path.is_relative_to(root):
        return False
    return path.suffix == ".rego" or (path.is_dir() and next(path.rglob("*.rego"), None) is not None)
