"""What a spec extends: the files below it, in the order in which they are laid over each other.

Each file counts once, below whatever extends it: of `extends: [a.yaml, b.yaml]`, b.yaml is laid over a.yaml,
and a file that both extend is below both.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field, replace
from functools import lru_cache
from pathlib import Path as File
from typing import Any, NoReturn

from provisioner.errors import Problem, SpecError
from provisioner.kinds.base import Path
from provisioner.lazy_dataclass import dataclass
from provisioner.spec.document import Document, parse
from provisioner.spec.files import FileProblem, Missing, Source, called, locate_named, read_source
from provisioner.spec.merging import Place
from provisioner.spec.nodes import MAX_VALUES, REMOVE
from provisioner.spec.reading import LARGEST_FILE, LARGEST_TOGETHER, missing
from provisioner.spec.wording import Suggestions, found, shorten

EXTENDS = "extends"
# Nobody can follow more; each file is read once, so more would not take long.
MAX_FILES = 30
MAX_DEPTH = 10


@dataclass
class Extended:
    """All files of a spec, the lowest first and the spec itself last; `sources` and `named` are where each of
    the others really is, and where it is named first."""

    documents: list[Document] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    named: dict[str, Place] = field(default_factory=dict)


def extended(document: Document, source: Source, suggestions: Suggestions) -> Extended:
    """The files that a spec extends, and itself. Raises SpecError."""
    walk = _Walk(suggestions)
    walk.visit(document, source, (source.path,))
    return walk.found


class _Walk:
    def __init__(self, suggestions: Suggestions) -> None:
        self.found = Extended()
        self._suggestions = suggestions
        # By their real paths: all that are done, with what they are called.
        self._done: dict[File, str] = {}
        self._names: dict[File, str] = {}
        self._characters = 0
        self._values = 0

    def visit(self, document: Document, source: Source, chain: tuple[File, ...]) -> None:
        """The files below a document, and then the document; `chain`: the real paths from the spec to it."""
        self._values += len(document.values)
        self._names[source.path] = document.file
        # What is listed before, and what that brings along.
        given: dict[File, str] = {}
        brought: dict[File, str] = {}
        for path, name in _names(document):
            real = self._located(document, path, name, source, chain)
            if message := _repeated(name, given.get(real), brought.get(real)):
                _stop(document, path, message, "remove it here: each file counts once")
            before = set(self._done)
            file = called(source, os.path.normpath(File(document.file).parent / name), name)
            self._go_down(document, path, name, file, replace(source, path=real), chain)
            given[real] = name
            brought |= {other: name for other in self._done if other not in before and other != real}
        self.found.documents.append(document)

    def _go_down(
        self,
        document: Document,
        path: Path,
        name: str,
        file: str,
        source: Source,
        chain: tuple[File, ...],
    ) -> None:
        """`file`: what people call what is named, which is really `source`."""
        if source.path in chain:
            if source.path == chain[-1]:
                _stop(document, path, "the file extends itself", "remove the line")
            circle = " → ".join(self._names[real] for real in chain[chain.index(source.path) :])
            hint = "a third file, which both extend, can hold what they share"
            first = self._names[source.path]
            _stop(document, path, f"the files extend each other: {circle} → {first}", hint)
        if source.path in self._done:
            return
        if len(chain) > MAX_DEPTH:
            _stop(document, path, f"files extend each other more than {MAX_DEPTH} deep", "put some together")
        if len(self._done) >= MAX_FILES:
            _stop(document, path, f"more than {MAX_FILES} files are extended", "put some together")
        position = document.position(path)
        place = Place(document.file, *position)
        try:
            content = read_source(source, LARGEST_FILE)
            self._characters += len(content)
            if self._characters > LARGEST_TOGETHER:
                _stop(
                    document,
                    path,
                    "the files that are extended have more than 4 MiB together",
                    "split the spec",
                )
            other = _parsed(file, content)
        except FileProblem as problem:
            self._refuse(document, path, name, file, problem, chain)
        except SpecError as error:
            raise _inherited(error, place) from None
        if not isinstance(other.value, dict):
            if wrong := [located.problem for located in other.problems]:
                raise _inherited(SpecError(wrong), place)
            what = "is empty" if other.value is None else f"holds {found(other.value)}, and no mapping"
            _stop(document, path, f"the file {shorten(name)} {what}", "what is extended has fields of a spec")
        if self._values + len(other.values) > MAX_VALUES:
            message = f"with this file, there are more than {MAX_VALUES} values"
            _stop(document, path, message, "split the spec")
        self.found.sources[file] = source
        self.found.named[file] = place
        self.visit(other, source, (*chain, source.path))
        self._done[source.path] = file

    def _located(
        self, document: Document, path: Path, name: str, source: Source, chain: tuple[File, ...]
    ) -> File:
        try:
            return locate_named(source, name)
        except FileProblem as problem:
            self._refuse(document, path, name, name, problem, chain)

    def _refuse(
        self,
        document: Document,
        path: Path,
        name: str,
        file: str,
        problem: FileProblem,
        chain: tuple[File, ...],
    ) -> NoReturn:
        hint = problem.hint
        if isinstance(problem, Missing):
            is_inherited = document.file in self.found.named
            hint = missing(problem, name, file, self._suggestions, is_inherited, chain)
        if "://" in name:
            hint = "only files are extended, and nothing is fetched"
        _stop(document, path, f"the file {shorten(name)} {problem}", hint)


def _repeated(name: str, given: str | None, by: str | None) -> str | None:
    """What is wrong with a file that is listed where it is already there, `given` by a name or extended `by`
    another."""
    if given == name:
        return f"{shorten(name)} is given twice"
    if given:
        return f"{shorten(name)} is {shorten(given)}, which is given already"
    return f"{shorten(by)} extends {shorten(name)}" if by else None


def _names(document: Document) -> list[tuple[Path, str]]:
    """The names of the files that a document extends, with their paths. Raises SpecError."""
    value: Any = document.value.get(EXTENDS) if isinstance(document.value, dict) else None
    if value is None and EXTENDS not in (document.value or ()):
        return []
    # Such as a tag that lists and texts cannot have.
    if wrong := [problem for at, problem in document.problems if at[:1] == (EXTENDS,)]:
        raise SpecError(wrong)
    if value is REMOVE:
        hint = "remove the line: what a file extends is not inherited"
        _stop(document, (EXTENDS,), f"expected the name of a file, or a list of them, found {value}", hint)
    items = value if isinstance(value, list) else [value]
    paths: list[Path] = [
        (EXTENDS, index) if isinstance(value, list) else (EXTENDS,) for index in range(len(items))
    ]
    for path, name in zip(paths, items, strict=True):
        if not isinstance(name, str) or not name:
            given = found(name, document.texts.get(path))
            message = f"expected the name of a file, or a list of them, found {given}"
            _stop(document, path, message, "such as `extends: base.yaml`")
    if not items:
        _stop(document, (EXTENDS,), "needs at least 1 file, found an empty list", "remove the line")
    return list(zip(paths, items, strict=True))


# A spec with many targets is read once for each of them.
@lru_cache(maxsize=16)
def _parsed(file: str, content: bytes) -> Document:
    return parse(file, content, removes=True)


def _stop(document: Document, path: Path, message: str, hint: str | None = None) -> NoReturn:
    raise SpecError([document.problem(path, message, hint)])


def _inherited(error: SpecError, place: Place) -> SpecError:
    """The same problems, with where their file is named."""

    def told(problem: Problem) -> Problem:
        return problem if problem.related else replace(problem, related=f"inherited by {place}")

    return SpecError([told(problem) for problem in error.problems])


def others(found: Extended) -> Mapping[str, str]:
    """The texts of all files but the spec itself, by name."""
    return {document.file: document.text for document in found.documents[:-1]}
