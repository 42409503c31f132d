"""The file beside a spec that says which drift somebody has accepted, why, and until when."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path as File
from typing import Any

import yaml

from provisioner.drift import ANY_VALUE, Acceptance
from provisioner.errors import Problem, SpecError
from provisioner.kinds import schema_folder
from provisioner.model import Address
from provisioner.spec.document import Document, parse
from provisioner.spec.explain import explain, once
from provisioner.spec.files import FileProblem, Missing, locate, read_named
from provisioner.spec.nodes import CORE, Located
from provisioner.spec.schemas import Section
from provisioner.spec.wording import Suggestions, listed, quoted

NAME = "accepted-drift.yaml"
SCHEMA = "accepted-drift.schema.json"
MAX_BYTES = 1024 * 1024
MAX_PROBLEMS = 200


def accepted_path(spec: str) -> str:
    """Where the file of a spec is: beside the spec itself, also where that is given by a link."""
    folder, real = File(spec).parent, File(os.path.realpath(spec)).parent
    return str((folder if os.path.realpath(folder) == str(real) else real) / NAME)


def load_accepted(
    spec: str, kinds: Sequence[Section], root: str | None = None, must_exist: bool = False
) -> tuple[Acceptance, ...]:
    """What is accepted beside a spec; nothing without a file, unless it must exist. Raises SpecError."""
    path = accepted_path(spec)
    try:
        content = read_named(locate(spec, root), NAME, MAX_BYTES)
    except FileProblem as problem:
        # Of a spec that may not be read, that is told when it is loaded.
        if (isinstance(problem, Missing) or not os.path.lexists(path)) and not must_exist:
            return ()
        raise SpecError([Problem(path, 1, 1, "", f"the file {problem}", problem.hint)]) from None
    return read_accepted(path, content, kinds)


def is_plain_text(text: str) -> bool:
    """Whether a text is read as that text where it stands without quotes, as far as its characters allow."""
    tag = yaml.resolver.Resolver().resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return bool(tag == f"{CORE}str" and "\n" not in text)


def read_accepted(path: str, content: bytes, kinds: Sequence[Section]) -> tuple[Acceptance, ...]:
    """What a file of that content accepts. Raises SpecError with all problems at once."""
    document = parse(path, content, dates=True)
    if document.value is None:
        return ()
    wrong = explain(document, schema(), Suggestions(), MAX_PROBLEMS)
    if not wrong:
        wrong = [*_odd_values(document, [kind.name for kind in kinds])]
    if wrong:
        raise SpecError(once(wrong))
    return tuple(_acceptances(document))


def schema() -> dict[str, Any]:
    """The JSON Schema of such a file."""
    content: dict[str, Any] = json.loads((schema_folder() / SCHEMA).read_text(encoding="utf-8"))
    return content


def _acceptances(document: Document) -> Iterator[Acceptance]:
    for index, item in enumerate(document.value):
        place = document.position((index,))
        kind, _, key = item["address"].partition("/")
        yield Acceptance(
            Address(kind, key),
            item["reason"].strip(),
            date.fromisoformat(item["until"]),
            item.get("field"),
            item.get("value", ANY_VALUE),
            item.get("environment"),
            f"{document.file}:{place.line}:{place.column}",
        )


def _odd_values(document: Document, kinds: Iterable[str]) -> Iterator[Located]:
    """What a schema cannot say: kinds that there are none of, days that no month has, the same twice."""
    before: dict[str, int] = {}
    for index, item in enumerate(document.value):
        kind, _, key = item["address"].partition("/")
        known = sorted(kinds)
        if kind not in known:
            meant = Suggestions().near(kind, known)
            hint = f"did you mean {meant}/{key}?" if meant else f"kinds are {listed(known, 'and')}"
            yield document.located((index, "address"), f"there is no kind {quoted(kind)}", hint)
        try:
            date.fromisoformat(item["until"])
        except ValueError:
            yield document.located((index, "until"), f"there is no day {item['until']}", "check the month")
        if "value" in item and "field" not in item:
            yield document.located((index, "value"), "a value without the field that has it", "add `field`")
        same = json.dumps([item.get(name, [name]) for name in ("environment", "address", "field", "value")])
        first = before.setdefault(same, document.position((index,)).line)
        if first != document.position((index,)).line:
            yield document.located((index,), f"accepts the same as in line {first}", "remove one of them")
