"""From the file of a spec to the document of one environment: what it extends, and which of its targets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn

from provisioner.errors import Problem, SpecError
from provisioner.kinds.base import Path
from provisioner.spec.document import Document, read
from provisioner.spec.extending import EXTENDS, Extended, extended, others
from provisioner.spec.files import FileProblem, Source, locate, read_source
from provisioner.spec.merging import TARGETS, Layers
from provisioner.spec.named_files import named_from
from provisioner.spec.nodes import REMOVE, TOP, Located
from provisioner.spec.reading import LARGEST_FILE
from provisioner.spec.schemas import Section
from provisioner.spec.wording import Suggestions, dotted, found, listed, quoted

# As the schema has it for `environment`.
_NAME = re.compile(r"[a-z0-9-]{1,32}")
_ACCOUNT = re.compile(r"arn:[a-z-]+:iam::(\d{12}):role/.+")
MAX_NAMED = 10


class Composed(NamedTuple):
    """The document of one environment, and where the files are that it comes from."""

    document: Document
    source: Source
    others: Mapping[str, Source]
    layers: Layers | None = None


def compose(path: str, root: str | None, target: str | None, suggestions: Suggestions) -> Composed:
    """The document of a spec, with what it extends and with its target laid over it. Raises SpecError."""
    source = _located(path, root)
    document = read(path, source, removes=True)
    if not _is_composed(document):
        if target is not None:
            _stop(document, (), "the spec has no targets", "leave --target out")
        return Composed(document, source, {})
    files = extended(document, source, suggestions)
    laid = _laid(path, files)
    layers = laid.layers
    problems = [*_problems_of(files), *_not_there(layers, files, suggestions)]
    if laid.spec and laid.below:
        spec = laid.spec
        names = _target_names(spec, layers, files)
        if target is None:
            _stop(spec, (TARGETS,), f"the spec has {_in_words(names)}", _which(names), at_key=True)
        if target not in names:
            meant = suggestions.near(target, names)
            hint = f"did you mean {meant}?" if meant else f"there are {', '.join(names[:MAX_NAMED])}"
            _stop(spec, (TARGETS,), f"there is no target {quoted(target)}", hint, at_key=True)
        _check_target(spec, target)
        problems += _same_environment(spec, target, names)
        layers, wrong = _with_target(layers, laid.below.copied(), target)
        problems += [spec.located((TARGETS, target), *wrong, at_key=True)] if wrong else []
        problems += _not_there(layers, files, suggestions)
    elif target is not None:
        _stop(document, (), "the spec has no targets", "leave --target out")
    layers = layers.without(EXTENDS)
    made = layers.document(path, others(files), document.text, files.named)
    own = () if target is None else (at for at, level in layers.levels.items() if level == layers.level)
    made = replace(made, problems=tuple(problems), target=target, of_target=frozenset(own))
    return Composed(made, source, files.sources, layers)


def compose_layers(path: str, root: str | None, target: str | None, kinds: Iterable[Section]) -> Layers:
    """The layers of a spec, laid over each other, with all names of files from the folder of the spec.

    Raises SpecError, also for what is no mapping.
    """
    composed = compose(path, root, target, Suggestions())
    if not isinstance(composed.document.value, dict):
        _stop(composed.document, (), f"expected a mapping, found {found(composed.document.value)}")
    layers = composed.layers or Layers.of(composed.document)
    return named_from(layers, composed.source, composed.others, kinds)


def targets_of(path: str, root: str | None = None) -> tuple[str, ...]:
    """The names of the targets of a spec, in its order; none for a spec that is one environment.

    Raises SpecError for what is no YAML, for what it extends that cannot be read, and for targets that are no
    mapping.
    """
    source = _located(path, root)
    document = read(path, source, removes=True) if _may_be_composed(source) else None
    if document is None or not _is_composed(document):
        return ()
    files = extended(document, source, Suggestions())
    laid = _laid(path, files)
    return tuple(_target_names(laid.spec, laid.layers, files)) if laid.spec else ()


def bases_of(path: str, root: str | None = None) -> tuple[str, ...]:
    """The real paths of the files that a spec extends and that are no environment by themselves.

    Raises SpecError, as `targets_of` does.
    """
    source = _located(path, root)
    document = read(path, source, removes=True) if _may_be_composed(source) else None
    if document is None or not _is_composed(document):
        return ()
    files = extended(document, source, Suggestions())
    return tuple(
        str(files.sources[base.file].path)
        for base in files.documents[:-1]
        if not {"environment", TARGETS} & set(base.value)
    )


def _located(path: str, root: str | None) -> Source:
    try:
        return locate(path, root)
    except FileProblem as problem:
        raise SpecError([Problem(path, *TOP, "", f"the file {problem}", problem.hint)]) from None


def _may_be_composed(source: Source) -> bool:
    """Whether a file has to be read as YAML to know: most have no targets, and are read soon anyway."""
    try:
        content = read_source(source, LARGEST_FILE)
    except FileProblem:
        return True  # What is wrong with it is told when it is read.
    return b"targets" in content or b"extends" in content


def _is_composed(document: Document) -> bool:
    value = document.value
    return isinstance(value, dict) and (document.has_removed or EXTENDS in value or TARGETS in value)


class _Laid(NamedTuple):
    """The files of a spec, and their layers, which nobody may change; of a spec with targets also the
    document with all of them, and what each of them is laid over."""

    path: str
    documents: Sequence[Document]
    layers: Layers
    spec: Document | None = None
    below: Layers | None = None


# What was laid last: it is the same for all targets of a spec, which are asked for one after the other.
_latest: _Laid | None = None


def _laid(path: str, files: Extended) -> _Laid:
    """The files of a spec laid over each other: once for all of its targets, as long as no file changes."""
    global _latest
    latest, documents = _latest, tuple(files.documents)
    # The same content is the same document.
    if latest and latest.path == path and _are(latest.documents, documents):
        return latest
    layers = Layers()
    for file in documents:
        layers.lay(Layers.of(file))
    made = _Laid(path, documents, layers)
    if TARGETS in layers.value:
        spec = layers.document(path, others(files), documents[-1].text, files.named)
        made = made._replace(spec=spec, below=layers.without(TARGETS))
    _latest = made
    return made


def _are(some: Sequence[Document], others: Sequence[Document]) -> bool:
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))


def _with_target(layers: Layers, below: Layers, target: str) -> tuple[Layers, tuple[str, str] | None]:
    """A target laid over what is `below` all of them, and what is wrong with the name of its environment."""
    part, key = layers.part((TARGETS, target)), layers.keys[TARGETS, target]
    below.not_there.clear()
    name, wrong = below.value.get("environment"), None
    if "environment" not in part.value and isinstance(name, str) and _NAME.fullmatch(name):
        made = f"{name}-{target}"
        if _NAME.fullmatch(made):
            part.value = {"environment": made, **part.value}
            part.values["environment",] = part.keys["environment",] = key
        else:
            wrong = (
                f"the environment would be called {made}, which has {len(made)} characters; 32 are allowed",
                "give the target an `environment` of its own",
            )
    below.lay(part)
    # Where something is missing that a target has to have, its name is where to look.
    below.values[()] = key
    return below, wrong


def _check_target(spec: Document, target: str) -> None:
    """Raises SpecError for a target with fields that only the spec itself has."""
    for name in (EXTENDS, TARGETS):
        if name in spec.value[TARGETS][target]:
            path = (TARGETS, target, name)
            _stop(spec, path, f"a target has no {name}", "put it at the top of the spec", at_key=True)


def _target_names(spec: Document, layers: Layers, files: Extended) -> list[str]:
    """The names of the targets of a spec. Raises SpecError where they are no mapping of names to mappings."""
    value = spec.value[TARGETS]
    if value == {}:
        not_there = _not_there(layers, files, Suggestions())
        if gone := [located.problem for located in not_there if located.path[0] == TARGETS]:
            raise SpecError(gone)
        if any(path[0] == TARGETS for path in layers.removed):
            _stop(spec, (TARGETS,), "no target is left", f"`targets: {REMOVE}` makes it one environment")
    if not isinstance(value, dict) or not value:
        text = spec.texts.get((TARGETS,))
        hint = "such as `dev: {region: us-east-1}`"
        _stop(spec, (TARGETS,), f"expected a mapping of names to targets, found {found(value, text)}", hint)
    problems = []
    for name, target in value.items():
        path: Path = (TARGETS, name)
        if not _NAME.fullmatch(name):
            message = "the name has to be 1 to 32 lower-case letters, digits or hyphens"
            problems.append(spec.problem(path, message, at_key=True))
        elif not isinstance(target, dict):
            message = (
                f"expected a mapping of what is different there, found {found(target, spec.texts.get(path))}"
            )
            problems.append(spec.problem(path, message, "write {} where nothing is"))
    if problems:
        raise SpecError(problems)
    return list(value)


def _same_environment(spec: Document, target: str, names: list[str]) -> list[Located]:
    """What is wrong where another target is the same environment: each would delete what the other has."""
    own = _subject(spec.value, target)
    for other in names:
        name, account = _subject(spec.value, other)
        if other != target and name == own[0] and (account == own[1] or None in (account, own[1])):
            place = spec.key_position((TARGETS, other, "environment"))
            where = f"{spec.file_of((TARGETS, other))}:{place.line}:{place.column}"
            message = f"the targets {target} and {other} ({where}) are both the environment {name}"
            if account is None or own[1] is None:
                message += " and may be in one account"
            path: Path = (TARGETS, target, "environment")
            return [spec.located(path, message, "give each a name or an account_id of its own", at_key=True)]
    return []


def _subject(value: Mapping[str, Any], target: str) -> tuple[str, str | None]:
    """The name of a target's environment, and its account."""
    part = value[TARGETS][target]
    name = part.get("environment", f"{value.get('environment')}-{target}")

    def given(field: str) -> str | None:
        it = part.get(field, value.get(field))
        return it if isinstance(it, str) else None

    return str(name), given("account_id") or account_of(given("role_arn"))


def account_of(role_arn: object) -> str | None:
    """The account that a role is in, by its ARN; None where this is none, whatever a spec has there."""
    match = _ACCOUNT.fullmatch(role_arn) if isinstance(role_arn, str) else None
    return match[1] if match else None


def _problems_of(files: Extended) -> list[Located]:
    """What is wrong in each file by itself."""
    told: list[Located] = []
    for document in files.documents:
        related = _inherited_by(document.file, files)
        told += [Located(path, replace(problem, related=related)) for path, problem in document.problems]
    return told


def _not_there(layers: Layers, files: Extended, suggestions: Suggestions) -> list[Located]:
    """What would be removed and is not there."""
    problems = []
    for path, place in layers.not_there.items():
        above: Any = layers.value
        for step in path[:-1]:
            above = above.get(step, {}) if isinstance(above, dict) else {}
        keys = [key for key in above if above[key] is not REMOVE] if isinstance(above, dict) else []
        meant = suggestions.near(str(path[-1]), keys)
        hint = f"did you mean {meant}?" if meant else "remove the line"
        message = "there is nothing to remove: nothing that this is laid over has it"
        problem = Problem(place.file, place.line, place.column, dotted(path), message, hint)
        problems.append(Located(path, replace(problem, related=_inherited_by(place.file, files))))
    return problems


def _inherited_by(file: str, files: Extended) -> str:
    return f"inherited by {files.named[file]}" if file in files.named else ""


def _in_words(names: list[str]) -> str:
    some = names[:MAX_NAMED]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"{len(names)} target{'' if len(names) == 1 else 's'}: {', '.join(some)}{more}"


def _which(names: list[str]) -> str:
    return f"say which is meant: {listed([f'--target {name}' for name in names[:3]])}"


def _stop(
    document: Document, path: Path, message: str, hint: str | None = None, at_key: bool = False
) -> NoReturn:
    raise SpecError([document.problem(path, message, hint, at_key)])
