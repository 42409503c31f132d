"""The files of guardrails: Rego and data, from folders and from the library that comes with the program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any

from provisioner.errors import UsageError
from provisioner.lazy_dataclass import dataclass
from provisioner.spec import read_data
from provisioner.spec.folder import BUILTIN, builtin_meant, data_files, without_rules
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

    Raises UsageError for what holds no rule, and for data that contradicts other data; SpecError for data
    that cannot be read.
    """
    modules: dict[str, str] = {}
    data: dict[str, Any] = {}
    only_data: list[Path] = []
    for source in dict.fromkeys(given):
        if source.startswith(BUILTIN):
            path = _of_library(source.removeprefix(BUILTIN))
            modules[source] = _text(path)
            continue
        folder = Path(source)
        rules = _rego_files(folder)
        if not rules:
            only_data.append(folder)
        modules |= {str(path): _text(path) for path in rules}
        for path in data_files(folder):
            _merge(data, _data(path), str(path))
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
    if folder.is_file() and folder.suffix == ".rego":
        return [folder]
    if not folder.is_dir():
        what = "is no folder and no .rego file" if folder.exists() else "does not exist"
        meant = builtin_meant(str(folder), library(), Suggestions())
        raise UsageError(f"{folder} {what}", meant or f"name a folder of .rego files, or {BUILTIN}NAME")
    found = sorted(path for path in folder.rglob("*.rego") if path.is_file())
    rules = [path for path in found if not path.name.endswith(TEST_SUFFIX)]
    if not rules and (found or not data_files(folder)):
        also = "; files that end in _test.rego are not loaded" if found else ""
        raise UsageError(f"{folder} has no Rego file{also}", "a folder without rules would allow everything")
    if len(rules) > MAX_FILES:
        raise UsageError(f"{folder} has more than {MAX_FILES} Rego files", "name a smaller folder")
    return rules


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES // 1024} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8", "save it as UTF-8") from None


def _data(path: Path) -> Mapping[str, Any]:
    value = read_data(str(path))
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
