"""The files of guardrails: Rego and data, from folders and from the library that comes with the program."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import field, replace
from functools import cache
from pathlib import Path
from typing import Any

from provisioner.errors import UsageError
from provisioner.lazy_dataclass import dataclass
from provisioner.spec import read_data
from provisioner.spec.files import FileProblem, Source, files_of_rules, locate_named, read_source
from provisioner.spec.folder import BUILTIN, builtin_meant, data_files, rego_below, without_rules
from provisioner.spec.wording import Suggestions, quoted

# Tests of rules are for `opa test` and `conftest verify`.
TEST_SUFFIX = "_test.rego"
MAX_BYTES = 1024 * 1024
MAX_FILES = 500


@dataclass(frozen=True)
class RuleFiles:
    """The rules of several folders: the text of each Rego file by its name, and their data."""

    modules: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)


def read_rules(given: Iterable[str]) -> RuleFiles:
    """All that folders, files and names of the library hold, each file once.

    No link in a folder may lead out of its repository, or out of the folder where that is in none.

    Raises UsageError for what holds no rule, and for data that contradicts other data; SpecError for data
    that cannot be read.
    """
    modules: dict[str, str] = {}
    data: dict[str, Any] = {}
    only_data: list[Path] = []
    for source in dict.fromkeys(given):
        if source.startswith(BUILTIN):
            path = _of_library(source.removeprefix(BUILTIN))
            modules[source] = path.read_text(encoding="utf-8")
            continue
        folder = Path(source)
        rules = _rego_files(folder)
        if not rules:
            only_data.append(folder)
        modules |= {str(path): _text(path, _source(folder, path)) for path in rules}
        for path in data_files(folder):
            _merge(data, _data(path, _source(folder, path)), str(path))
    if only_data and not modules:
        raise UsageError(f"{only_data[0]} has no Rego file", without_rules(only_data[0]))
    return RuleFiles(modules, data)


@cache
def library() -> Mapping[str, Path]:
    """The rules that come with the program, by their names."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "library").glob("*.rego"))}


def _of_library(name: str) -> Path:
    known = library()
    if name not in known:
        meant = Suggestions().near(name, known)
        maybe = f"did you mean {BUILTIN}{meant}? " if meant else ""
        raise UsageError(f"no guardrail is called {quoted(name)}", f"{maybe}there are {', '.join(known)}")
    return known[name]


def _rego_files(folder: Path) -> list[Path]:
    """The rules of a folder, none where it has data and no Rego. Raises UsageError where it has neither."""
    # Not Path's own, which raise for names that are too long.
    if folder.suffix == ".rego" and os.path.isfile(folder):  # noqa: PTH113
        return [folder]
    if not os.path.isdir(folder):  # noqa: PTH112
        what = "is no folder and no .rego file" if os.path.lexists(folder) else "does not exist"
        meant = builtin_meant(str(folder), library(), Suggestions())
        raise UsageError(f"{folder} {what}", meant or f"name a folder of .rego files, or {BUILTIN}NAME")
    try:
        found = sorted(rego_below(folder))
    except FileProblem as problem:
        raise UsageError(f"{folder} {problem}") from None
    rules = [path for path in found if not path.name.endswith(TEST_SUFFIX)]
    if not rules and (found or not data_files(folder)):
        also = "; files that end in _test.rego are not loaded" if found else ""
        raise UsageError(f"{folder} has no Rego file{also}", "a folder without rules would allow everything")
    if len(rules) > MAX_FILES:
        raise UsageError(f"{folder} has more than {MAX_FILES} Rego files", "name a smaller folder")
    return rules


def _source(given: Path, path: Path) -> Source:
    """Where a file of what was given really is: it may be that itself. Raises UsageError."""
    folder = given.parent if path == given else given
    source = files_of_rules(str(folder))
    try:
        return replace(source, path=locate_named(source, str(path.relative_to(folder))))
    except FileProblem as problem:
        raise UsageError(f"{path} {problem}", "put the file itself there") from None


def _text(path: Path, source: Source) -> str:
    try:
        content = read_source(source, MAX_BYTES)
    except FileProblem as problem:
        raise UsageError(f"{path} {problem}", problem.hint) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8", "save it as UTF-8") from None


def _data(path: Path, source: Source) -> Mapping[str, Any]:
    value = read_data(str(path), source)
    if not isinstance(value, dict):
        raise UsageError(f"{path} holds no mapping", "data for rules is a mapping: `data.NAME` in Rego")
    return value


def _merge(into: dict[str, Any], more: Mapping[str, Any], file: str, at: str = "data") -> None:
    """Add data to data; what two files say differently is nobody's word."""
    for key, value in more.items():
        there = into.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            _merge(there, value, file, f"{at}.{key}")
        elif key in into and there != value:
            raise UsageError(
                f"{file}: {at}.{key} has another value in an earlier file of data", "say it in one of them"
            )
        else:
            # A document that was read is remembered, and nobody may change it.
            into[key] = deepcopy(value)
