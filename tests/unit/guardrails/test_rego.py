"""Rego as conftest takes it: what rules say, and that no mistake of theirs allows anything."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from provisioner.errors import SpecError, UsageError
from provisioner.guardrails.files import RuleFiles
from provisioner.guardrails.rego import Verdict, compile_rules

INPUT = {"n": 3, "list": ["a", "b"], "hostile": 'q"\n\\ é\u2028\x1b', "statement": {"Action": "*"}}


def verdicts(text: str, data: dict[str, Any] | None = None, **more: str) -> list[Verdict]:
    modules = {"a.rego": f"package main\n{text}\n"} | {
        f"{name}.rego": module for name, module in more.items()
    }
    return list(compile_rules(RuleFiles(modules, data or {})).judge(INPUT))


def told(text: str, data: dict[str, Any] | None = None, **more: str) -> list[str]:
    return [
        f"{'deny' if verdict.denies else 'warn'} {verdict.rule}: {verdict.message}"
        for verdict in verdicts(text, data, **more)
    ]


SAID = {
    "deny": ('deny contains "m" if input.n == 3', ["deny main.deny: m"]),
    "nothing to say": ('deny contains "m" if input.n == 4', []),
    "several": ("deny contains m if some m in input.list", ["deny main.deny: a", "deny main.deny: b"]),
    "a name": ('deny_some_thing contains "m" if true', ["deny main.deny_some_thing: m"]),
    "violation": ('violation contains {"msg": "m", "details": {"x": 1}} if true', ["deny main.violation: m"]),
    "warn": (
        'warn contains "m" if true\nwarn_x contains "n" if true',
        ["warn main.warn: m", "warn main.warn_x: n"],
    ),
    "other names say nothing": ('denial contains "m" if true\ndeny contains "n" if false', []),
    "imports": ('import rego.v1\nimport future.keywords\ndeny contains "m" if true', ["deny main.deny: m"]),
    "rego before 1.0": ('deny[msg] { input.n == 3; msg := "m" }', ["deny main.deny: m"]),
    "objects before 1.0": ('deny[{"msg": "m \\"q\\""}] { true }', ['deny main.deny: m "q"']),
    "text of others": ("deny contains input.hostile if true", [f"deny main.deny: {INPUT['hostile']}"]),
    "is compared as it is": (
        'deny contains "m" if { input.hostile != "q"; contains(input.hostile, "\\"\\n") }',
        ["deny main.deny: m"],
    ),
    "a text of texts": (
        'deny contains m if { m := sprintf("x %s", [concat(", ", input.list)]) }',
        ["deny main.deny: x a, b"],
    ),
    "an exception before 1.0": (
        'deny_a[m] { m := "m" }\nexception[rules] { rules := ["a", "b"] }',
        [],
    ),
    "an exception": (
        'deny_a contains "m" if true\ndeny_b contains "n" if true\nexception contains ["a"] if true',
        ["deny main.deny_b: n"],
    ),
    "an exception for deny": ('deny contains "m" if true\nexception contains [""] if true', []),
}


@pytest.mark.parametrize("what", SAID)
def test_what_rules_say(what: str) -> None:
    text, expected = SAID[what]
    assert told(text) == expected


def test_data_and_packages() -> None:
    lib = "package lib.rights\n\nwide(statement) if statement.Action == data.parameters.wide\n"
    other = 'package other["a-b"]\n\ndeny contains "o" if input.n == 3\n'
    text = 'import data.lib.rights\ndeny contains "m" if rights.wide(input.statement)'
    assert told(text, {"parameters": {"wide": "*"}}, lib=lib, other=other) == [
        "deny main.deny: m",
        "deny other.a-b.deny: o",
    ]
    assert told(text, {"parameters": {"wide": "x"}}, lib=lib) == []


# What OPA refuses to compile, or regopy cannot: the place, and a part of the message.
WRONG = {
    "no end": ('deny contains "m" if {', "a.rego:2:22: this is not Rego: "),
    "no Rego": ("deny deny deny", "a.rego:2:"),
    "a misspelt variable": ("deny contains m if { m := mm }", "a.rego:2:22: a name here has no value"),
    "a rule that is not there": (
        'deny contains "m" if { not helper }',
        "a.rego:2:24: a name here has no value",
    ),
    "a rule for a function": (
        'deny contains "m" if { count(chnages) > 1 }',
        "a.rego:2:24: a name here has no",
    ),
    "nothing to go through": (
        'deny contains "m" if { some x in ll }',
        "a.rego:2:24: a name here has no value",
    ),
    "nothing in a message": ("deny contains m if true", "a.rego:2:20: a name here has no value"),
    "before it has a value": (
        'deny contains "m" if { not f(y); y := 1 }\nf(x) if x == 1',
        "a.rego:2:28: a name here has no value",
    ),
    "a function that is not there": ('deny contains "m" if { f(1) }', "a.rego:2:24: there is no function f;"),
    "a function that regopy lacks": (
        'deny contains "m" if { net.cidr_contains("10.0.0.0/8", "10.0.0.1") }',
        "a.rego:2:24: there is no function net.cidr_contains;",
    ),
    "a function that sends": (
        'deny contains "m" if { http.send({}).body }',
        "a.rego:2:24: there is no function http.send;",
    ),
    "a function that prints": (
        'deny contains "m" if { print(input); true }',
        "a.rego:2:24: print would print",
    ),
    "_ in a function": (
        'deny contains "m" if { startswith(input.list[_], "a") }',
        "a.rego:2:46: this is not Rego: Invalid bracket argument; bind `_` first",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_rules(what: str) -> None:
    text, expected = WRONG[what]
    with pytest.raises(SpecError) as caught:
        verdicts(text)
    assert expected in str(caught.value)


# What fails when it is evaluated denies, whatever it is called.
FAILING = {
    "a function that fails": 'warn contains "m" if to_number("x") == 1',
    "a division": 'deny contains "m" if 1 / (input.n - 3) == 1',
    "a wrong pattern": 'deny contains "m" if regex.match("(", "a")',
    "two values": 'deny := "m" if input.n == 3\ndeny := "n" if input.n == 3',
    "no set": "deny if input.n == 3",
    "a text": 'deny := "m"',
    "a message that is none": "deny contains input.n if true",
    "an object without msg": 'deny contains {"message": "m"} if true',
}


@pytest.mark.parametrize("what", FAILING)
def test_a_rule_that_fails_denies(what: str) -> None:
    (verdict,) = verdicts(FAILING[what])
    assert verdict.is_failure
    assert verdict.denies


def test_a_rule_that_fails_silences_no_other() -> None:
    found = verdicts('deny contains "m" if true\nwarn contains "x" if to_number("x") == 1\ndeny_b := 1')
    assert [(verdict.rule.name, verdict.is_failure) for verdict in found] == [
        ("deny", False),
        ("deny_b", True),
        ("warn", True),
    ]


def test_rules_that_cannot_speak_are_an_error() -> None:
    with pytest.raises(UsageError, match="no rule is called deny, warn or violation"):
        verdicts('allow if input.n == 3\nhelper contains "m" if true')


def test_without_regopy_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "regopy", None)
    with pytest.raises(UsageError, match="regopy, which is not installed") as caught:
        verdicts('deny contains "m" if true')
    assert (caught.value.hint or "").startswith(f"install it: {sys.executable} -m pip install 'regopy")


def test_each_input_is_judged_on_its_own() -> None:
    rules = compile_rules(RuleFiles({"a.rego": 'package main\ndeny contains "m" if input.n == 3\n'}))
    assert [len(list(rules.judge({"n": n}))) for n in (3, 4, 3)] == [1, 0, 1]


@pytest.mark.parametrize(
    ("rule", "messages", "told_of"),
    [("deny", 1000, 1000), ("deny", 1001, 1001), ("deny", 1300, 1001), ("warn", 1300, 1001)],
)
@pytest.mark.sampled
def test_of_very_many_messages_a_thousand_are_told_and_how_many_more(
    rule: str, messages: int, told_of: int
) -> None:
    text = f'{rule} contains m if {{ some i in numbers.range(1, {messages}); m := sprintf("%d", [i]) }}'
    said = told(text)
    assert len(said) == told_of
    more = f"and {messages - 1000} more messages, of {messages:,}"
    assert (said[-1] == f"{rule} main.{rule}: {more}") is (messages > 1000)
