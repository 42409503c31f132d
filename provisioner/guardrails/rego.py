"""Rego, evaluated in process by `regopy`: what rules say of a plan, with OPA's checks and in OPA's order."""

from __future__ import annotations

import base64
import json
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner.errors import Problem, SpecError, UsageError
from provisioner.extras import install_command
from provisioner.guardrails.compiled import Rule, rules_in, without_function, without_value
from provisioner.guardrails.files import RuleFiles
from provisioner.guardrails.order import PACKAGE as ORDER
from provisioner.guardrails.order import compares, order_module, put_in_order
from provisioner.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from regopy import Bundle, Interpreter

# As in conftest: https://www.conftest.dev/#evaluating-policies
_RULE = re.compile(r"(?P<what>deny|violation|warn)(_[a-zA-Z0-9]+)*")
# An error in rego-cpp's words: the length of a file's name, the name, the place in bytes, the message.
_ERROR = re.compile(r"\(error \d+:(?P<file>[0-9]*)\|(?P<at>\d+)\|\d+\s+\(errormsg \d+:(?P<text>[^\n]*)\)")
_ESCAPED = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)|\"", re.DOTALL)
# Of one rule. Nobody reads more, and each is a refusal or a warning that is shown.
MAX_MESSAGES = 1000
# The package of the rules that are asked, beside those of the user.
QUESTIONS = "provisioner_questions"
# The file of a bundle that its rules are in.
PLAN = "plan.json"


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
        self,
        interpreter: Interpreter,
        bundle: Bundle,
        rules: Sequence[Rule],
        excepting: Collection[tuple[str, ...]],
    ) -> None:
        self._interpreter = interpreter
        self._bundle = bundle
        self._rules = rules
        self._excepting = excepting
        # Whether what they say may depend on prices, so that it is worth waiting for them.
        self.reads_cost = False

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
        try:
            if name:
                output = self._interpreter.query_bundle_entrypoint(self._bundle, f"{QUESTIONS}/{name}")
            else:
                output = self._interpreter.query_bundle(self._bundle)
        except ValueError as error:
            # What regopy could not read as JSON: an error in rego-cpp's words.
            told = _ERROR.search(getattr(error, "doc", ""))
            raise _NotEvaluated(f"it fails: {told['text']}" if told else "its value is no JSON") from None
        expressions = output.results[0].expressions if output.results else []
        if not output.ok():
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
    with tempfile.TemporaryDirectory() as folder:
        plan = _compiled(interpreter, files, Path(folder) / "rules", "data")
    wrong = [*without_value(plan, files), *without_function(plan, files, interpreter)]
    if wrong:
        raise SpecError(list(dict.fromkeys(wrong)))
    every = sorted(rules_in(plan, files), key=str)
    rules = [rule for rule in every if _RULE.fullmatch(rule.name)]
    if not rules:
        raise UsageError(
            f"{', '.join(files.modules)}: no rule is called deny, warn or violation",
            "without one, everything would be allowed: write `deny contains msg if { ... }`",
        )
    excepting = {rule.package for rule in every if rule.name == "exception"}
    made = (_asking_in_order if compares(plan) else _asking)(files, rules, excepting)
    made.reads_cost = any("cost" in text for text in files.modules.values())
    return made


def _asking(files: RuleFiles, rules: Sequence[Rule], excepting: Collection[tuple[str, ...]]) -> Rules:
    """The rules with what they are asked."""
    files = RuleFiles({**files.modules, QUESTIONS: _questions(rules, excepting)}, files.data)
    interpreter = _interpreter(files)
    return Rules(interpreter, interpreter.build(*_asked(rules, excepting)), rules, excepting)


def _asking_in_order(
    files: RuleFiles, rules: Sequence[Rule], excepting: Collection[tuple[str, ...]]
) -> Rules:
    """The same, comparing as OPA does."""
    questions = _questions(rules, excepting)
    files = RuleFiles({**files.modules, QUESTIONS: questions, ORDER: order_module()}, files.data)
    interpreter = _new_interpreter()
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "rules"
        plan = _compiled(_interpreter(files), files, bundle, *_asked(rules, excepting))
        put_in_order(plan)
        (bundle / PLAN).write_text(json.dumps(plan, ensure_ascii=False), encoding="utf-8")
        return Rules(interpreter, interpreter.load_bundle(str(bundle)), rules, excepting)


def _asked(rules: Sequence[Rule], excepting: Collection[tuple[str, ...]]) -> tuple[str, list[str]]:
    """The query for all questions, and the entrypoint of each."""
    names = [f"answer_{number}" for number in range(len(rules))]
    names += [f"excepted_{number}" for number, rule in enumerate(rules) if rule.package in excepting]
    return f"data.{QUESTIONS}", [f"{QUESTIONS}/{name}" for name in names]


def _interpreter(files: RuleFiles) -> Interpreter:
    """What has read the files. Raises UsageError and SpecError."""
    interpreter = _new_interpreter()
    import regopy

    for number, text in enumerate(files.modules.values()):
        try:
            # By its number: regopy leaves the folder out of a name.
            interpreter.add_module(str(number), text)
        except (regopy.RegoError, ValueError) as error:
            raise SpecError(_problems(str(error), files, number)) from None
    if files.data:
        interpreter.add_data(dict(files.data))
    return interpreter


def _new_interpreter() -> Interpreter:
    try:
        import regopy
    except ImportError:
        hint = f"install it: {install_command('policy')}"
        raise UsageError("guardrails are evaluated by regopy, which is not installed", hint) from None
    interpreter = regopy.Interpreter()
    interpreter.log_level = regopy.LogLevel.NONE
    # A function that fails would otherwise be undefined, and a rule that calls it never deny.
    interpreter.strict_built_in_errors = True
    return interpreter


def _compiled(
    interpreter: Interpreter, files: RuleFiles, bundle: Path, query: str, entrypoints: Sequence[str] = ()
) -> dict[str, Any]:
    """All modules as OPA's intermediate representation, which is also in the folder. Raises SpecError."""
    import regopy

    try:
        interpreter.save_bundle(str(bundle), interpreter.build(query, entrypoints))
        text = (bundle / PLAN).read_text(encoding="utf-8")
    except (regopy.RegoError, ValueError, OSError) as error:
        raise SpecError(_problems(str(error), files)) from None
    plan: dict[str, Any] = json.loads(text, strict=False)
    return plan


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
