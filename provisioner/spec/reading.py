"""What is known and found while a spec is read: the whole of it, and one entry while its kind parses it."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path as File
from typing import Any

from provisioner.errors import Problem, SpecError
from provisioner.kinds.base import Path
from provisioner.spec.document import Document
from provisioner.spec.files import FileProblem, Missing, Source, called, files_beside, read_named
from provisioner.spec.json_document import read_json
from provisioner.spec.nodes import MAX_VALUES, Allowance
from provisioner.spec.suspects import MAX_SUSPECTS, suspects
from provisioner.spec.tags import texts
from provisioner.spec.wording import Suggestions, dotted, is_hidden, quoted, shorten

LARGEST_FILE = 1024 * 1024
LARGEST_TOGETHER = 4 * LARGEST_FILE
# Who has more problems is told of the first ones; finding all would take too long.
MAX_FOUND = 1_000
MAX_MESSAGE = 500
MAX_KEYS_SHOWN = 8


class Enough(Exception):
    """More problems than anybody needs have been found."""


class Reading:
    """What is known and found while one spec is read, with an end to the work."""

    def __init__(
        self,
        document: Document,
        source: Source,
        needs_contents: bool = True,
        others: Mapping[str, Source] | None = None,
        suggestions: Suggestions | None = None,
    ) -> None:
        """`others`: the files that the spec extends, by name."""
        self.document = document
        self.needs_contents = needs_contents
        self.spec: Mapping[str, Any] = document.value if isinstance(document.value, dict) else {}
        self.problems: list[Problem] = []
        self.suggestions = suggestions or Suggestions()
        self.allowance = Allowance(MAX_VALUES - len(document.values))
        self._sources = {document.file: source, **(others or {})}
        # By what people call them, which is one file's name only; and these names, by who says which.
        self._files: dict[str, bytes | FileProblem] = {}
        self._called: dict[tuple[str, str], str] = {}
        self._json: dict[str, Document | list[Problem]] = {}
        self._bytes_left = LARGEST_TOGETHER - sum(map(len, document.others.values()))

    def report(self, problem: Problem) -> None:
        """Keep a problem. Raises Enough when there are too many."""
        if len(problem.message) > MAX_MESSAGE:
            problem = replace(problem, message=f"{problem.message[:MAX_MESSAGE]}…")
        self.problems.append(problem)
        if len(self.problems) >= MAX_FOUND:
            raise Enough

    def beside(self, path: Path, name: str) -> str:
        """The file that is called `name` at a path of the spec: it is relative to whatever file says so."""
        file = self.document.file_of(path)
        if (file, name) not in self._called:
            beside = str(File(file).parent / name)
            self._called[file, name] = called(self._sources[file], beside, name)
        return self._called[file, name]

    def file(self, path: Path, name: str) -> bytes | FileProblem:
        """A file that the spec names at a path, or why it cannot be read; it is read once however often it is
        named."""
        beside = self.beside(path, name)
        if beside not in self._files:
            try:
                if self._bytes_left <= 0:
                    raise FileProblem("comes after others of more than 4 MiB together", "split the spec")
                source = self._sources[self.document.file_of(path)]
                content = read_named(source, name, LARGEST_FILE)
                self._bytes_left -= len(content)
                self._files[beside] = content
            except FileProblem as problem:
                # Its frames hold what was read.
                self._files[beside] = problem.with_traceback(None)
        return self._files[beside]

    def json(self, beside: str, content: bytes) -> Document | list[Problem]:
        """The document in the content of a JSON file, or what is wrong with it."""
        if isinstance(known := self._json.get(beside), Document):
            # Whoever names it goes through it again.
            self.allowance.take(len(known.values))
        if beside not in self._json:
            try:
                document = read_json(beside, content, self.allowance)
                problems = [located.problem for located in document.problems]
                self._json[beside] = problems or document
            except SpecError as error:
                self._json[beside] = list(error.problems)
        return self._json[beside]

    def suspects(self) -> tuple[Problem, ...]:
        """What looks like a secret in the spec, in what it extends, and in the files that they name."""
        files = {
            name: content.decode("utf-8", "replace")
            for name, content in self._files.items()
            if isinstance(content, bytes)
        }
        texts = {self.document.file: self.document.text, **self.document.others, **files}
        found = (suspect for file, text in texts.items() for suspect in suspects(file, text))
        return tuple(islice(found, MAX_SUSPECTS))


def missing(
    problem: Missing,
    name: str,
    beside: str,
    suggestions: Suggestions,
    is_inherited: bool = False,
    but: Collection[File] = (),
) -> str:
    """What to do about a file that is missing; `beside` is it from where the command was typed.

    `is_inherited`: it is not the spec that names it, but what that extends. `but`: what cannot be meant,
    by real paths.
    """
    files = files_beside(problem.path) if suggestions.left else []
    files = [file for file in files if problem.path.with_name(file) not in but]
    meant = suggestions.near(problem.path.name, files)
    if meant:
        return f"did you mean {File(name).with_name(meant)}?"
    # What is no name at all may be a key that was pasted into the wrong place.
    is_name = name.isprintable() and len(name) <= MAX_MESSAGE
    if not is_name:
        return "give the name of a file"
    folder = File(beside).parent
    where = "the folder that you are in" if folder == File() else str(folder)
    whose = "the file that names them" if is_inherited else "the spec"
    return f"looked in {where}: the names of files are relative to the folder of {whose}"


class SpecEntry:
    """One entry of a spec while its kind parses it; what it is told joins the problems of the reading."""

    def __init__(self, reading: Reading, path: Path, environment: str) -> None:
        self._reading = reading
        self._path = path
        # Files that have been read as JSON, by the path at which they are named; places that were misread.
        self._files: dict[Path, Document] = {}
        self._misread: set[Path] = set()
        self._named: set[Path] = set()
        spec = reading.spec
        self.needs_contents = reading.needs_contents
        self.environment = environment
        self.region: str = spec["region"] if isinstance(spec.get("region"), str) else ""
        self.tags: Mapping[str, str] = texts(spec.get("tags"))
        self.expires: str | None = spec["expires"] if isinstance(spec.get("expires"), str) else None

    def problem(self, path: Path, message: str, hint: str | None = None) -> None:
        """Report something wrong at `path`, which is relative to the entry."""
        if path in self._misread or (not self.needs_contents and self._is_of_file(path)):
            return
        document, inside = self._document_at(path)
        problem = document.problem(inside, message, hint, at_key=not path)
        self._reading.report(replace(problem, field=dotted((*self._path, *path))))

    def common_tag_problem(self, key: str, message: str, hint: str | None = None) -> None:
        """Report something wrong with a tag of the environment, however many entries find it."""
        problem = self._reading.document.problem(("tags", key), message, hint, at_key=True)
        if problem not in self._reading.problems:
            self._reading.report(problem)

    def read_file(self, path: Path, name: str) -> bytes | None:
        """The content of a file beside the spec; None when it cannot be read, which is then reported."""
        reading, place = self._reading, (*self._path, *path)
        content = reading.file(place, name)
        self._named.add(path)
        if isinstance(content, bytes):
            return content
        if not self.needs_contents:
            return None
        hint = content.hint
        if isinstance(content, Missing):
            is_inherited = reading.document.file_of(place) != reading.document.file
            beside = reading.beside(place, name)
            hint = missing(content, name, beside, reading.suggestions, is_inherited)
        self.problem(path, f"the file {shorten(name)} {content}", hint)
        return None

    def read_json(self, path: Path, name: str) -> Any:
        """The value in a JSON file beside the spec; None when there is none, which is then reported."""
        content = self.read_file(path, name)
        if content is None:
            return None
        document = self._reading.json(self._reading.beside((*self._path, *path), name), content)
        if isinstance(document, list):
            for problem in document if self.needs_contents else ():
                field = dotted((*self._path, *path)) + (f".{problem.field}" if problem.field else "")
                self._reading.report(replace(problem, field=field))
            return None
        if self._reading.allowance.left < 0:
            self.problem(path, f"with this file, there are more than {MAX_VALUES} values", "split the spec")
            return None
        self._files[path] = document
        if document.value is None:
            self.problem(path, f"the file {shorten(name)} holds null, which is nothing")
        return document.value

    def beside(self, path: Path, name: str) -> str:
        """The file that the spec names at `path`, relative to the folder of the spec."""
        document = self._reading.document
        if document.file_of((*self._path, *path)) == document.file:
            return name
        return os.path.relpath(self._reading.beside((*self._path, *path), name), File(document.file).parent)

    def check_as_written(self, path: Path, value: Any) -> None:
        """Report what is no text and would not be sent as it was written, such as `NO` and `1.10`."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self.check_as_written((*path, key), inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self.check_as_written((*path, index), inner)
        elif not isinstance(value, str):
            document, inside = self._document_at(path)
            text, sent = document.texts.get(inside, ""), json.dumps(value)
            if text and text != sent and is_hidden((*self._path, *path)):
                self.problem(path, "it would not be sent as it is written", "write it in quotes")
                self._misread.add(path)
            elif text and (text != sent or value is None):
                message = f"{shorten(text)} is read as {sent}, and would not be sent as it is written"
                hint = f"write {quoted(text)} for the text, or {sent}"
                if value is None:
                    message = f"{shorten(text)} stands for nothing, which cannot be sent"
                    hint = f"write {quoted(text)} for the text"
                self.problem(path, message, hint)
                self._misread.add(path)

    def has(self, section: str, key: str) -> bool:
        """Whether a section of the spec has this key."""
        entries = self._reading.spec.get(section)
        return isinstance(entries, dict) and key in entries

    def check_reference(self, path: Path, section: str, key: str) -> None:
        """Report a key that a section of the spec does not have."""
        if self.has(section, key):
            return
        entries = self._reading.spec.get(section)
        keys: Mapping[str, Any] = entries if isinstance(entries, dict) else {}
        meant = self._reading.suggestions.near(key, keys)
        shown = [shorten(key) for key in islice(keys, MAX_KEYS_SHOWN)]
        more = f" and {len(keys) - len(shown)} more" if len(keys) > len(shown) else ""
        others = f"{section} has {', '.join(shown)}{more}" if keys else f"the spec has no {section}"
        if removed := self._reading.document.removed.get((section, key)):
            others, meant = f"it is removed in {removed}", None
        self.problem(path, f"{section} has no {quoted(key)}", f"did you mean {meant}?" if meant else others)

    def _is_of_file(self, path: Path) -> bool:
        """Whether what is at `path` is in a file that the spec names, or its name."""
        return any(path[:length] in self._named for length in range(len(path), 0, -1))

    def _document_at(self, path: Path) -> tuple[Document, Path]:
        """The document that has what is at `path`, a file that is named there or the spec; its path in it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._files:
                return self._files[path[:length]], path[length:]
        return self._reading.document, (*self._path, *path)
