"""From a file to an Environment, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as File
from typing import Any

from provisioner.errors import Problem, SpecError
from provisioner.kinds.base import Kind, Path
from provisioner.model import Address, Desired, Environment
from provisioner.spec.document import Document, read
from provisioner.spec.explain import explain, once
from provisioner.spec.files import FileProblem, Missing, is_special, near_file, read_bytes
from provisioner.spec.schemas import schema
from provisioner.spec.tags import tag_problems, texts
from provisioner.spec.wording import near, quoted, shorten

LARGEST_FILE = 1024 * 1024


def load(path: str, kinds: Sequence[Kind]) -> Environment:
    """The environment that a spec describes.

    Raises SpecError with all problems at once. What cannot be read as YAML is told alone; an entry that its
    schema refuses is not looked at further, the others are; entries are compared with each other when each
    of them is fine.
    """
    document = read(path)
    found = explain(document, schema(kinds))
    problems = once(found)
    spec = document.value if isinstance(document.value, dict) else {}
    bad = {path[:2] for path, _ in found}
    problems += [problem for _, problem in tag_problems(document, spec, kinds)]
    # A name that is refused must not show up in further problems, such as names made from it being too long.
    named_wrongly = any(path == ("environment",) for path, _ in found)
    name = "" if named_wrongly else spec.get("environment", "")
    resources: dict[Address, Desired] = {}
    for kind in kinds:
        for key, raw in _entries(spec, kind):
            if (kind.section, key) not in bad:
                entry = SpecEntry(document, spec, (kind.section, key), name, problems)
                resources[Address(kind.name, key)] = kind.parse(key, raw, entry)
    if not problems:
        problems += _between(document, kinds, resources)
    if problems:
        raise SpecError(problems)
    return Environment(
        name=spec["environment"],
        region=spec["region"],
        account_id=spec.get("account_id"),
        tags=dict(spec.get("tags", {})),
        ignore_tags=tuple(spec.get("ignore_tags", ())),
        resources=resources,
        source=path,
    )


class SpecEntry:
    """One entry of a spec while its kind parses it; what it is told ends up in `problems`."""

    def __init__(
        self,
        document: Document,
        spec: Mapping[str, Any],
        path: Path,
        environment: str,
        problems: list[Problem],
    ) -> None:
        self._document = document
        self._spec = spec
        self._path = path
        self._problems = problems
        self.environment = environment
        self.region: str = spec["region"] if isinstance(spec.get("region"), str) else ""
        self.tags: Mapping[str, str] = texts(spec.get("tags"))

    def problem(self, path: Path, message: str, hint: str | None = None) -> None:
        """Report something wrong at `path`, which is relative to the entry."""
        self._problems.append(self._document.problem((*self._path, *path), message, hint, at_key=not path))

    def common_tag_problem(self, key: str, message: str, hint: str | None = None) -> None:
        """Report something wrong with a tag of the environment, however many entries find it."""
        problem = self._document.problem(("tags", key), message, hint, at_key=True)
        if problem not in self._problems:
            self._problems.append(problem)

    def read_file(self, path: Path, name: str) -> bytes | None:
        """The content of a file beside the spec; None when it cannot be read, which is then reported."""
        file = File(self._document.file).parent / name
        try:
            if is_special(file):
                raise FileProblem("is not a regular file")
            return read_bytes(file, LARGEST_FILE)
        except FileProblem as problem:
            hint = None
            if isinstance(problem, Missing):
                meant = near_file(file)
                hint = f"did you mean {File(name).with_name(meant)}?" if meant else f"looked for {file}"
            self.problem(path, f"the file {shorten(name)} {problem}", hint)
            return None

    def check_reference(self, path: Path, section: str, key: str) -> None:
        """Report a key that a section of the spec does not have."""
        entries = self._spec.get(section)
        keys = [each for each in entries if isinstance(each, str)] if isinstance(entries, dict) else []
        if key in keys:
            return
        meant = near(key, keys)
        others = f"{section} has {', '.join(keys)}" if keys else f"the spec has no {section}"
        self.problem(path, f"{section} has no {quoted(key)}", f"did you mean {meant}?" if meant else others)


def _entries(spec: Mapping[str, Any], kind: Kind) -> list[tuple[str, Mapping[str, Any]]]:
    section = spec.get(kind.section)
    if not isinstance(section, dict):
        return []
    return [(key, raw) for key, raw in section.items() if isinstance(raw, dict)]


def _between(
    document: Document, kinds: Sequence[Kind], resources: Mapping[Address, Desired]
) -> list[Problem]:
    sections = {kind.name: kind.section for kind in kinds}
    return [
        document.problem((sections[address.kind], address.key, *path), message, at_key=not path)
        for kind in kinds
        for address, path, message in kind.check(resources)
    ]
