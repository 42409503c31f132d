"""Compiled rules, and the checks of OPA's compiler that regopy does not make.

What OPA refuses to compile, such as a name that is nothing, regopy takes for undefined; a rule called `deny`
would then never deny. So the compiled rules are gone through: whatever reads a variable that nothing gives a
value, or calls a function that is not there, is an error.
https://www.openpolicyagent.org/docs/latest/ir/
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from provisioner.errors import Problem
from provisioner.guardrails.files import RuleFiles
from provisioner.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from regopy import Interpreter

# What a plan calls for operators, without a name that rules could use.
_OPERATORS = frozenset({"eq"})
_PRINTING = {"internal.print": "print", "trace": "trace"}
MAX_SHOWN = 60


@dataclass(frozen=True)
class Rule:
    """A rule that can speak: `package` as the parts of its path, and the file that it is in."""

    package: tuple[str, ...]
    name: str
    file: str

    @property
    def is_warning(self) -> bool:
        return self.name.startswith("warn")

    @property
    def reference(self) -> str:
        """The rule as Rego refers to it."""
        return "data" + "".join(f"[{json.dumps(part)}]" for part in (*self.package, self.name))

    def __str__(self) -> str:
        return f"{'.'.join(self.package)}.{self.name}"


def rules_in(plan: Mapping[str, Any], files: RuleFiles) -> Iterator[Rule]:
    for function in plan["funcs"]["funcs"]:
        _, *path = function["path"]
        # Functions have parameters besides the input and the data.
        if len(path) > 1 and len(function["params"]) == 2:
            yield Rule(tuple(path[:-1]), path[-1], _file_of(function, plan, files))


def _file_of(function: Mapping[str, Any], plan: Mapping[str, Any], files: RuleFiles) -> str:
    """The file that a rule is in; the first of several."""
    placed = (statement for statement in statements(function["blocks"]) if "file" in statement)
    first = next(placed, {"file": 0})
    return _name(plan, first, files)


def _name(plan: Mapping[str, Any], statement: Mapping[str, Any], files: RuleFiles) -> str:
    number = int(plan["static"]["files"][statement["file"]]["value"])
    return list(files.modules)[number]


def statements(blocks: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """All statements, also those inside of others."""
    for block in blocks:
        for item in block["stmts"]:
            statement = item["stmt"]
            yield statement
            yield from statements(statement.get("blocks") or ())
            if "block" in statement:
                yield from statements([statement["block"]])


def without_value(plan: Mapping[str, Any], files: RuleFiles) -> Iterator[Problem]:
    """Where a variable is read that nothing gives a value: what OPA calls unsafe."""
    for function in plan["funcs"]["funcs"]:
        given = set(function["params"])
        place: Mapping[str, Any] = {}
        for statement in statements(function["blocks"]):
            place = statement if "file" in statement else place
            if any(variable not in given for variable in _read_by(statement)):
                message = "a name here has no value: it is misspelt, or no rule or `some` gives it one"
                yield _problem(plan, place, files, message)
            given |= {statement[name] for name in ("target", "result", "local") if name in statement}
            if _is_scan(statement):
                given |= {statement["key"], statement["value"]}


def _is_scan(statement: Mapping[str, Any]) -> bool:
    return isinstance(statement.get("key"), int) and "block" in statement


def _read_by(statement: Mapping[str, Any]) -> Iterator[int]:
    """The numbers of the variables that a statement reads."""
    if _is_scan(statement):
        yield statement["source"]
    for value in (*statement.values(), *statement.get("args", ())):
        if isinstance(value, dict) and value.get("type") == "local":
            yield value["value"]


def without_function(
    plan: Mapping[str, Any], files: RuleFiles, interpreter: Interpreter
) -> Iterator[Problem]:
    """Where a function is called that is neither in the files nor in regopy, or that prints."""
    ours = {function["name"] for function in plan["funcs"]["funcs"]}
    for function in plan["funcs"]["funcs"]:
        for statement in statements(function["blocks"]):
            name = statement.get("func")
            if not name or name in ours or name in _OPERATORS:
                continue
            if name in _PRINTING:
                message = f"{_PRINTING[name]} would print in the middle of the plan; take it out"
                yield _problem(plan, statement, files, message)
            elif not interpreter.is_builtin(name):
                message = f"there is no function {name}; regopy lacks some of OPA's: see docs/guardrails.md"
                yield _problem(plan, statement, files, message)


def _problem(
    plan: Mapping[str, Any], statement: Mapping[str, Any], files: RuleFiles, message: str
) -> Problem:
    if "file" not in statement:
        return Problem(next(iter(files.modules)), 1, 1, "", message)
    file, line = _name(plan, statement, files), int(statement["row"])
    text = files.modules[file].splitlines()[line : line + 1]
    return Problem(file, line + 1, int(statement["col"]) + 1, "", message, _short_line("".join(text)))


def _short_line(text: str) -> str | None:
    text = text.strip()
    return (text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…") or None
