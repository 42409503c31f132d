"""What is wrong with a spec, told to people: where, what was found, what is allowed, what was meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

import jsonschema
from jsonschema import validators
from jsonschema.exceptions import ValidationError

from provisioner.errors import Problem
from provisioner.kinds.base import Path
from provisioner.secrecy import HIDDEN
from provisioner.spec.document import Document
from provisioner.spec.hints import Hints
from provisioner.spec.nodes import Located, is_plain
from provisioner.spec.schemas import inlined, resolve
from provisioner.spec.synonyms import field_meant
from provisioner.spec.wording import Suggestions, allowed, dotted, found, is_hidden, listed, shorten

# Entries are two keys deep: the section's and their own.
ENTRY_DEPTH = 2
# How much like the name of a section its singular is, at least: `role`.
AS_SINGULAR = 0.85
# What a target cannot have.
OF_SPEC = ("extends", "targets")
# How a list of the fields that are allowed begins.
FIELDS = "allowed: "


def explain(
    document: Document, schema: Mapping[str, Any], suggestions: Suggestions, most: int
) -> list[Located]:
    """All problems of a document with a combined schema, those that kept it from being read rightly first.

    Several may be about the same place: see `once`. The search ends when `most` have been found.
    """
    explainer = _Explainer(document, schema, suggestions)
    # The validator goes through some mappings in no particular order.
    order = {path: number for number, path in enumerate(document.values)}
    wrong = sorted(
        islice(explainer.all(explainer.errors()), most),
        key=lambda problem: order.get(problem.path, order.get(problem.path[:-1], 0)),
    )
    return [*document.problems, *_listed_once(wrong), *_odd_numbers(document)]


def _listed_once(problems: Iterable[Located]) -> Iterator[Located]:
    """The problems, with each list of allowed fields told the first time only."""
    lines: dict[tuple[str, str], int] = {}
    for path, problem in problems:
        if problem.hint and problem.hint.startswith(FIELDS):
            line = lines.setdefault((problem.file, problem.hint), problem.line)
            if line != problem.line:
                problem = replace(problem, hint=f"{FIELDS}the same as in line {line}")
        yield Located(path, problem)


def once(found: Iterable[Located]) -> list[Problem]:
    """The problems to tell: one for each path, and for each place where it is about the same field.

    An alias brings one mistake to many paths. What YAML misread breaks the schema, too.
    """
    paths: set[Path] = set()
    places: set[tuple[str, int, int, str]] = set()
    told = []
    for path, problem in found:
        place = (problem.file, problem.line, problem.column, str(path[-1:]))
        if path not in paths and place not in places:
            told.append(problem)
        paths.add(path)
        places.add(place)
    return told


def _odd_numbers(document: Document) -> Iterator[Located]:
    """Numbers that are not what they look like, where a number is allowed."""
    for path, text in document.texts.items():
        value = _at(document.value, path)
        if isinstance(value, int | float) and not isinstance(value, bool) and not is_plain(text):
            message = f"YAML reads {shorten(text)} as the number {shorten(str(value))}"
            if is_hidden(path):
                message = "YAML reads this as another number"
            yield document.located(path, message, "write the number plainly, or put a text in quotes")


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


class _Explainer:
    """Turns the errors of the validator, which are all of type Any here, into problems of one document.

    Their declared types allow for values that are not set, which errors of a validator always are.
    """

    def __init__(self, document: Document, schema: Mapping[str, Any], suggestions: Suggestions) -> None:
        self.document = document
        self.near = suggestions.near
        self.schema = schema
        self.validator = _validator(_Same(schema))
        self.hints = Hints(schema, self.takes, suggestions)

    def errors(self) -> Iterable[Any]:
        """What the validator has to say."""
        return self.validator.iter_errors(self.document.value)  # type: ignore[no-any-return]

    def takes(self, part: Any, value: Any) -> bool:
        """Whether a part of the schema takes a value."""
        return bool(self.validator.evolve(schema=inlined(part, self.schema)).is_valid(value))

    def all(self, errors: Iterable[Any]) -> Iterator[Located]:
        for error in errors:
            yield from self._one(error)

    def _one(self, error: Any) -> Iterator[Located]:
        path: Path = tuple(error.absolute_path)
        if "propertyNames" in error.relative_schema_path:
            message = f"the key has to be {self._allowed(error)}"
            hint = self.hints.hint(error.instance, None, error.schema)
            yield self.document.located((*path, error.instance), message, hint, at_key=True)
            return
        match error.validator:
            case "oneOf" | "not" if not isinstance(error.instance, dict):
                # These are about fields; that it has none because it is no mapping is told by itself.
                return
            case "additionalProperties":
                yield from self._unknown(path, error)
            case "required":
                yield from self._missing(path, error)
            case "anyOf":
                yield from self._of_branches(path, error)
            case "oneOf":
                yield self._exactly_one(path, error)
            case "not":
                names = error.validator_value["required"]
                message = f"{listed(names, 'and')} cannot be given together"
                yield self.document.located(path, message, self._together(path, names), at_key=True)
            case "maxLength":
                message = (
                    f"at most {error.validator_value} characters are allowed, found {len(error.instance)}"
                )
                yield self.document.located(path, message)
            case "minItems" | "maxItems" | "minProperties" | "maxProperties":
                yield self._size(path, error)
            case "uniqueItems":
                yield self._repeated(path, error)
            case _:
                yield self._value(path, error)

    def _allowed(self, error: Any) -> str:
        return allowed(error.schema, self.schema) if isinstance(error.schema, Mapping) else "absent"

    def _unknown(self, path: Path, error: Any) -> Iterator[Located]:
        known = list(error.schema["properties"])
        for key in error.instance:
            if key not in known:
                is_of_target = (*path, key) in self.document.of_target
                fields = [field for field in known if path or not is_of_target or field not in OF_SPEC]
                meant = self._meant_field(key, error)
                hint = f"did you mean {meant}?" if meant else f"{FIELDS}{', '.join(fields)}"
                if error.parent and (removes := self._inherited((*path, key))):
                    # Of another form than what is laid over it has.
                    others = [name for name in error.instance if (*path, name) not in self.document.inherited]
                    message = f"the inherited {key} does not go with {listed(others, 'and')}"
                    yield self.document.located(path, message, removes, at_key=True)
                    continue
                if meant and meant not in fields:
                    hint = f"a target has no {meant}: put it at the top of the spec"
                elif not path:
                    hint = self._at_the_top(key, error.instance[key], fields) or hint
                unknown = self.document.located((*path, key), "unknown field", hint, at_key=True)
                if is_of_target:
                    field = dotted(("targets", self.document.target or "", *path, key))
                    unknown = unknown._replace(problem=replace(unknown.problem, field=field))
                yield unknown

    def _at_the_top(self, key: str, value: Any, fields: list[str]) -> str | None:
        """What was meant by a key beside the sections: one of them, or what belongs into an entry of one."""
        absent = [field for field in fields if field not in self.document.value]
        meant = self.near(key, fields, AS_SINGULAR) or field_meant(key, absent)
        if "targets" in fields and isinstance(value, dict) and field_meant(key, ("targets",)):
            return f"did you mean {'targets' if 'targets' in absent else meant}?"
        if meant and meant not in self.document.value:
            return f"did you mean {meant}?"
        if meant and isinstance(value, dict):
            return f"{meant} is there already: put its entries there"
        if section := self._section_with(key):
            return f"it is a field of the entries of {section}: indent it below one of them"
        return None

    def _section_with(self, key: str) -> str | None:
        """The first section whose entries have a field."""
        for section, part in self.schema["properties"].items():
            entry = part.get("additionalProperties")
            if isinstance(entry, Mapping) and key in resolve(entry, self.schema).get("properties", {}):
                return str(section)
        return None

    def _missing(self, path: Path, error: Any) -> Iterator[Located]:
        misspelt = {self._meant_field(key, error) for key in error.instance}
        for key in error.validator_value:
            if key not in error.instance and key not in misspelt:
                takes = allowed(error.schema["properties"][key], self.schema)
                message = f"is missing; it takes {takes}"
                yield self.document.located((*path, key), message, self._entry_meant(path), at_key=True)

    def _entry_meant(self, path: Path) -> str | None:
        """The inherited entry that one which is not whole was meant to be laid over, if any is like it."""
        if len(path) != ENTRY_DEPTH or path in self.document.inherited or path in self.document.related:
            return None
        beside = _at(self.document.value, path[:-1])
        inherited = [key for key in beside if (*path[:-1], key) in self.document.inherited]
        meant = self.near(str(path[-1]), inherited)
        return f"did you mean the inherited {meant}?" if meant else None

    def _exactly_one(self, path: Path, error: Any) -> Located:
        names = [branch["required"][0] for branch in error.validator_value]
        given = [name for name in names if name in error.instance]
        message = f"needs exactly one of {listed(names, 'and')}, found {listed(given, 'and') or 'none'}"
        return self.document.located(path, message, self._together(path, given), at_key=True)

    def _together(self, path: Path, names: list[str]) -> str | None:
        """What to do where fields that exclude each other come from several layers."""
        told = (self._inherited((*path, name)) for name in names)
        return next(filter(None, told), None) if len(names) > 1 else None

    def _inherited(self, path: Path) -> str | None:
        """What to do about a key that does not go with what is laid over it."""
        place = self.document.inherited.get(path)
        return f"`{path[-1]}: !remove` deletes the one inherited from {place}" if place and path[1:] else None

    def _size(self, path: Path, error: Any) -> Located:
        side = "at least" if error.validator.startswith("min") else "at most"
        items = "items" if error.validator.endswith("Items") else "keys"
        noun = items[:-1] if error.validator_value == 1 else items
        message = f"{side} {error.validator_value} {noun} are allowed, found {len(error.instance)}"
        if side == "at least":
            message = f"needs {side} {error.validator_value} {noun}, found {found(error.instance)}"
        return self.document.located(path, message)

    def _repeated(self, path: Path, error: Any) -> Located:
        index = next(_repeated(error.instance))
        message = f"{HIDDEN if is_hidden(path) else found(error.instance[index])} is given twice"
        return self.document.located((*path, index), message)

    def _value(self, path: Path, error: Any) -> Located:
        """A value of the wrong type, form or size."""
        return self._expected(path, error.instance, error.schema)

    def _expected(self, path: Path, value: Any, part: Any) -> Located:
        if is_hidden(path) and value is not None:
            is_scalar = isinstance(value, str | int | float)
            message = f"expected {allowed(part, self.schema)}, found {HIDDEN if is_scalar else found(value)}"
            return self.document.located(path, message, "a text is written in quotes" if is_scalar else None)
        text = self.document.texts.get(path)
        message = f"expected {allowed(part, self.schema)}, found {found(value, text)}"
        hint = self._misplaced(path, value, part) or self.hints.hint(value, text, part)
        if value is None and path in self.document.related:
            hint = f"give it a value, or delete what is inherited with `{path[-1]}: !remove`"
        return self.document.located(path, message, hint)

    def _misplaced(self, path: Path, value: Any, part: Any) -> str | None:
        """A field that stands where the key of an entry belongs, or an entry that its fields stand beside."""
        fields = part.get("properties", {}) if isinstance(part, Mapping) and len(path) == ENTRY_DEPTH else {}
        if path and path[-1] in fields and not isinstance(value, dict):
            return f"{path[-1]} is a field of an entry: indent it by more than the key of its entry"
        if value is None and fields:
            beside = _at(self.document.value, path[:-1])
            if any(key in fields for key in beside):
                return "its fields stand beside it: indent them by more than its key"
        return None

    def _of_branches(self, path: Path, error: Any) -> Iterator[Located]:
        """The problems with the branch that was evidently meant, or with none if that is not evident."""
        branches = [resolve(branch, self.schema) for branch in error.validator_value]
        meant = self._meant(error.instance, branches)
        if meant is None:
            yield self._expected(path, error.instance, error.schema)
        else:
            yield from self.all(
                [inner for inner in error.context or () if inner.relative_schema_path[0] == meant]
            )

    def _meant(self, value: Any, branches: list[Mapping[str, Any]]) -> int | None:
        of_type = [
            index
            for index, branch in enumerate(branches)
            if "type" not in branch or self.validator.is_type(value, branch["type"])
        ]
        if len(of_type) == 1:
            return of_type[0]
        if not isinstance(value, dict):
            return None
        alike = {index: self._alike(value, branches[index]) for index in of_type}
        best = [index for index, score in alike.items() if score and score == max(alike.values())]
        return best[0] if len(best) == 1 else None

    def _alike(self, value: dict[str, Any], branch: Mapping[str, Any]) -> int:
        """How many keys of a mapping a branch knows, those with a slip of the pen included."""
        fields = list(branch.get("properties", ()))
        return sum(2 if key in fields else 1 for key in value if key in fields or self.near(key, fields))

    def _meant_field(self, key: str, error: Any) -> str | None:
        """The field that a key which is none was meant to be, among those that are not there."""
        fields = error.schema["properties"]
        if key in fields:
            return None
        path = tuple(error.absolute_path)
        # What is inherited may be what was meant to be changed.
        absent = [
            field
            for field in fields
            if field not in error.instance or (*path, field) in self.document.inherited
        ]
        return field_meant(key, absent) or self.near(key, absent)


def _whole_pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Iterator[ValidationError]:
    """`pattern`, where `$` is the very end: in Python's own reading a line feed may follow it."""
    match = re.fullmatch if pattern.endswith("$") else re.search
    if validator.is_type(instance, "string") and not match(pattern, instance):
        yield ValidationError("has another form")


def _unique(validator: Any, wanted: bool, instance: Any, _: Any) -> Iterator[ValidationError]:
    """`uniqueItems`, in time that grows with the list and not with its square."""
    if wanted and validator.is_type(instance, "array") and any(True for _ in _repeated(instance)):
        yield ValidationError("has repeated items")


def _repeated(items: list[Any]) -> Iterator[int]:
    """The places of items that have been there before."""
    before = set()
    for index, item in enumerate(items):
        key = json.dumps(item, sort_keys=True)
        if key in before:
            yield index
        before.add(key)


def _is_integer(_: Any, value: Any) -> bool:
    """Whole numbers only: 5.0 is none, whatever JSON Schema says, and AWS would not take it either."""
    return isinstance(value, int) and not isinstance(value, bool)


_VALIDATOR: Any = validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {"pattern": _whole_pattern, "uniqueItems": _unique},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


class _Same:
    """A schema that is known by which it is, and not by what it says: that would take long to compare."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.schema is self.schema

    def __hash__(self) -> int:
        return id(self.schema)


@lru_cache(maxsize=4)
def _validator(of: _Same) -> Any:
    """What checks with a schema; made once for many specs."""
    return _VALIDATOR(inlined(of.schema, of.schema))
