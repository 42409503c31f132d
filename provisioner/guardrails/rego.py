"""Rego, evaluated in process by `regopy`, and the checks of OPA's compiler that it does not make.

What OPA refuses to compile, such as a name that is nothing, regopy takes for undefined; a rule called `deny`
would then never deny. So the compiled rules are gone through: whatever reads a variable that nothing gives a
value, or calls a function that is not there, is an error.
https://www.openpolicyagent.org/docs/latest/ir/
"""

from __future__ import annotations

import base64
import json
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner.errors import Problem, SpecError, UsageError
from provisioner.guardrails.files import RuleFiles

if TYPE_CHECKING:
    from regopy import Interpreter

# As in conftest: https://www.conftest.dev/#evaluating-policies
_RULE = re.compile(r"(?P<what>deny|violation|warn)(_[a-zA-Z0-9]+)*")
# An error in rego-cpp's words: the length of a file's name, the name, the place in bytes, the message.
_ERROR = re.compile(r"\(error \d+:(?P<file>[0-9]*)\|(?P<at>\d+)\|\d+\s+\(errormsg \d+:(?P<text>[^\n]*)\)")
_ESCAPED = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)|\"", re.DOTALL)
# What a plan calls for operators, without a name that rules could use.
_OPERATORS = frozenset({"eq"})
_PRINTING = {"internal.print": "print", "trace": "trace"}
MAX_SHOWN = 60
# Of one rule. Nobody reads more, and each is a refusal or a warning that is shown.
MAX_MESSAGES = 1000
# The package of the rules that are asked, beside those of the user.
QUESTIONS = "provisioner_questions"


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


@dataclass(frozen=True)
class Verdict:
    """What a rule says of an input; `is_failure`: it could not be evaluated, and `message` says why."""

    rule: Rule
    message: str
    is_failure: bool = False

    @property
    def denies(self) -> bool:
        return self.is_failure or not self.rule.is_warning


class Rules:
    """Rules, compiled; each input is judged on its own."""

    def __init__(
        self, interpreter: Interpreter, rules: Sequence[Rule], excepting: Collection[tuple[str, ...]]
    ) -> None:
        self._interpreter = interpreter
        self._rules = rules
        self._excepting = excepting

    def __len__(self) -> int:
        return len(self._rules)

    def judge(self, document: Mapping[str, Any]) -> Iterator[Verdict]:
        """What the rules say of a JSON document, rule by rule. What cannot be evaluated denies."""
        # As a term, so that quotes and control characters in it stay what they are.
        self._interpreter.set_input_term(json.dumps(document, ensure_ascii=False))
        try:
            # All at once takes as long as one alone.
            answers: Mapping[str, Any] | None = self._ask() or {}
        except _NotEvaluated:
            answers = None
        for number, rule in enumerate(self._rules):
            try:
                messages = self._messages(number, rule, answers)
            except _NotEvaluated as error:
                yield Verdict(rule, str(error), is_failure=True)
                continue
            yield from (Verdict(rule, message) for message in messages[:MAX_MESSAGES])
            if len(messages) > MAX_MESSAGES:
                more = len(messages) - MAX_MESSAGES
                yield Verdict(rule, f"and {more:,} more messages, of {len(messages):,}")

    def _messages(self, number: int, rule: Rule, answers: Mapping[str, Any] | None) -> list[str]:
        """What a rule says, of answers to all questions if there are any. Raises _NotEvaluated."""

        def answer_to(name: str) -> Any:
            return self._ask(name) if answers is None else answers.get(name)

        if rule.package in self._excepting and answer_to(f"excepted_{number}"):
            return []
        answer = answer_to(f"answer_{number}")
        if answer is None:
            return []
        # In the first version of Rego `deny[msg] { ... }` is a set; in this one, an object of true.
        of_kind = {"set": "items", "array": "items", "object": "keys"}
        if answer["kind"] not in of_kind:
            raise _NotEvaluated(
                f"its value is a {answer['kind']}, no set of messages: write `{rule.name} contains msg if`"
            )
        encoded = answer[of_kind[answer["kind"]]]
        if None in encoded or (answer["kind"] == "object" and answer["true"] < len(encoded)):
            raise _NotEvaluated("it gives something that is neither a text nor an object with `msg`")
        return sorted(map(_plain, encoded))

    def _ask(self, name: str = "") -> Any:
        """The value of one of the rules of `_questions`, or of all; None: none. Raises _NotEvaluated."""
        query = f"data.{QUESTIONS}.{name}".removesuffix(".")
        try:
            # regopy answers a query that it cannot compile with what it said last.
            self._interpreter.query(json.dumps(query))
            output = self._interpreter.query(query)
        except ValueError as error:
            # What regopy could not read as JSON: an error in rego-cpp's words.
            told = _ERROR.search(getattr(error, "doc", ""))
            raise _NotEvaluated(f"it fails: {told['text']}" if told else "its value is no JSON") from None
        expressions = output.results[0].expressions if output.results else []
        if not output.ok() or expressions == [query]:
            raise _NotEvaluated("it fails: a function got what it does not take, or a rule has two values")
        return expressions[0] if expressions else None


# A message in base64, for regopy gives back some texts as JSON that is none; null: it is none.
_MESSAGE = """
message(item) := base64.encode(item) if is_string(item)
message(item) := base64.encode(item.msg) if is_string(item.msg)
message(item) := null if { not is_string(item); not is_string(item.msg) }
"""


def _questions(rules: Sequence[Rule], excepting: Collection[tuple[str, ...]]) -> str:
    """A module that says of each rule, by its number, what its value is made of.

    `excepting` are the packages with `exception`: https://www.conftest.dev/exceptions/
    """
    lines = [f"package {QUESTIONS}", _MESSAGE]
    for number, rule in enumerate(rules):
        lines.append(
            f"answer_{number} := answer if {{\n"
            f"  value := {rule.reference}\n"
            "  items := [message(item) | not is_object(value); some item in value]\n"
            "  keys := [message(key) | is_object(value); some key; value[key]]\n"
            "  yes := [1 | is_object(value); some item in value; item == true]\n"
            '  answer := {"kind": type_name(value), "items": items, "keys": keys, "true": count(yes)}\n'
            "}"
        )
        if rule.package in excepting:
            value = Rule(rule.package, "exception", rule.file).reference
            named = f"some x in names; {json.dumps(rule.name.partition('_')[2])} in x"
            lines += [
                f"excepted_{number} if {{ is_set({value}); names := {value}; {named} }}",
                f"excepted_{number} if {{ is_object({value}); names := object.keys({value}); {named} }}",
            ]
    return "\n".join([*lines, ""])


class _NotEvaluated(Exception):
    """A rule that gave no answer."""


def compile_rules(files: RuleFiles) -> Rules:
    """The rules of files, ready to judge.

    Raises UsageError where regopy is not installed or no file has a rule, and SpecError with what is wrong in
    the files.
    """
    interpreter = _interpreter(files)
    plan = _compiled(interpreter, files)
    wrong = [*_without_value(plan, files), *_without_function(plan, files, interpreter)]
    if wrong:
        raise SpecError(list(dict.fromkeys(wrong)))
    every = sorted(_rules(plan, files), key=str)
    rules = [rule for rule in every if _RULE.fullmatch(rule.name)]
    if not rules:
        raise UsageError(
            f"{', '.join(files.modules)}: no rule is called deny, warn or violation",
            "without one, everything would be allowed: write `deny contains msg if { ... }`",
        )
    excepting = {rule.package for rule in every if rule.name == "exception"}
    asking = RuleFiles({**files.modules, QUESTIONS: _questions(rules, excepting)}, files.data)
    return Rules(_interpreter(asking), rules, excepting)


def _interpreter(files: RuleFiles) -> Interpreter:
    try:
        import regopy
    except ImportError:
        hint = "install it: pip install 'provisioner[policy]'"
        raise UsageError("guardrails are evaluated by regopy, which is not installed", hint) from None
    interpreter = regopy.Interpreter()
    interpreter.log_level = regopy.LogLevel.NONE
    # A function that fails would otherwise be undefined, and a rule that calls it never deny.
    interpreter.strict_built_in_errors = True
    for number, text in enumerate(files.modules.values()):
        try:
            # By its number: regopy leaves the folder out of a name.
            interpreter.add_module(str(number), text)
        except (regopy.RegoError, ValueError) as error:
            raise SpecError(_problems(str(error), files, number)) from None
    if files.data:
        interpreter.add_data(dict(files.data))
    return interpreter


def _compiled(interpreter: Interpreter, files: RuleFiles) -> Mapping[str, Any]:
    """All modules as OPA's intermediate representation. Raises SpecError."""
    import regopy

    with tempfile.TemporaryDirectory() as folder:
        try:
            bundle = interpreter.build("data")
            interpreter.save_bundle(str(Path(folder) / "bundle"), bundle)
            text = (Path(folder) / "bundle" / "plan.json").read_text(encoding="utf-8")
        except (regopy.RegoError, ValueError, OSError) as error:
            raise SpecError(_problems(str(error), files)) from None
    plan: Mapping[str, Any] = json.loads(text, strict=False)
    return plan


def _rules(plan: Mapping[str, Any], files: RuleFiles) -> Iterator[Rule]:
    for function in plan["funcs"]["funcs"]:
        _, *path = function["path"]
        # Functions have parameters besides the input and the data.
        if len(path) > 1 and len(function["params"]) == 2:
            yield Rule(tuple(path[:-1]), path[-1], _file_of(function, plan, files))


def _file_of(function: Mapping[str, Any], plan: Mapping[str, Any], files: RuleFiles) -> str:
    """The file that a rule is in; the first of several."""
    placed = (statement for statement in _statements(function["blocks"]) if "file" in statement)
    first = next(placed, {"file": 0})
    return _name(plan, first, files)


def _name(plan: Mapping[str, Any], statement: Mapping[str, Any], files: RuleFiles) -> str:
    number = int(plan["static"]["files"][statement["file"]]["value"])
    return list(files.modules)[number]


def _statements(blocks: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """All statements, also those inside of others."""
    for block in blocks:
        for item in block["stmts"]:
            statement = item["stmt"]
            yield statement
            yield from _statements(statement.get("blocks") or ())
            if "block" in statement:
                yield from _statements([statement["block"]])


def _without_value(plan: Mapping[str, Any], files: RuleFiles) -> Iterator[Problem]:
    """Where a variable is read that nothing gives a value: what OPA calls unsafe."""
    for function in plan["funcs"]["funcs"]:
        given = set(function["params"])
        place: Mapping[str, Any] = {}
        for statement in _statements(function["blocks"]):
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


def _without_function(
    plan: Mapping[str, Any], files: RuleFiles, interpreter: Interpreter
) -> Iterator[Problem]:
    """Where a function is called that is neither in the files nor in regopy, or that prints."""
    ours = {function["name"] for function in plan["funcs"]["funcs"]}
    for function in plan["funcs"]["funcs"]:
        for statement in _statements(function["blocks"]):
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


def _problems(errors: str, files: RuleFiles, number: int = 0) -> list[Problem]:
    """Errors of rego-cpp, each with its line; those without a file are of the one with this number."""
    names = list(files.modules)
    found = []
    for match in _ERROR.finditer(errors):
        name = names[int(match["file"] or number)]
        before = files.modules[name].encode()[: int(match["at"])].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        message = f"this is not Rego: {match['text']}"
        hint = "bind `_` first: `some x in ...`" if "bracket argument" in message else None
        found.append(Problem(name, line, column, "", message, hint))
    unknown = f"this is not Rego: {errors.strip()[:200]}"
    return list(dict.fromkeys(found)) or [Problem(names[number], 1, 1, "", unknown)]


def _plain(encoded: str) -> str:
    """A text from base64: in JSON's escapes, with quotes around what some functions gave to sprintf."""
    text = re.sub(_ESCAPED, _unescaped, base64.b64decode(encoded).decode("utf-8", "replace"))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescaped(match: re.Match[str]) -> str:
    try:
        return "" if match[0] == '"' else str(json.loads(f'"{match[0]}"'))
    except ValueError:
        return match[0]
