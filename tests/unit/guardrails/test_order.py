"""Rules compare values in the order of OPA, and not in that of regopy."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from provisioner.guardrails.files import RuleFiles
from provisioner.guardrails.rego import Verdict, compile_rules

# From the least to the greatest, as OPA says: see the last test.
TEXTS = [
    *(
        "",
        "\n",
        " a",
        "!",
        '"',
        "10",
        "2",
        "B",
        "a",
        "a\t",
        "a\n",
        "a ",
        "a b",
        "a!",
        'a"',
        "a\\",
        "a\\n",
        "ab",
        "b",
    ),
    *("\u00e9", "\u2028", "\uffff", "\U0001f600"),
]
ASCENDING: list[Any] = [
    *(None, False, True, -10, -1, 0, 1e-9, 1, 1.5, 2, 10, 20, 9007199254740993, 1e30),
    *TEXTS,
]
OPERATORS = ("<", "<=", ">", ">=")
# Each says what is not in the order of `input.order`.
COMPARED = "\n".join(
    f"""
deny contains msg if {{
    some i, x in input.order
    some j, y in input.order
    is_so := x {operator} y
    is_right := i {operator} j
    is_so != is_right
    msg := sprintf("{operator} %d %d", [i, j])
}}
"""
    for operator in OPERATORS
)
SORTED = """
deny_sort contains msg if {
    some i, x in sort(input.values)
    x != input.order[i]
    msg := sprintf("%d", [i])
}
deny_min contains "m" if min(input.values) != input.order[0]
deny_max contains "m" if max({value | some value in input.values}) != input.order[count(input.order) - 1]
deny_set contains "m" if sort({value | some value in input.values}) != input.order
"""


def judged(text: str, document: dict[str, Any]) -> list[Verdict]:
    rules = compile_rules(RuleFiles({"a.rego": f"package main\nimport rego.v1\n{text}\n"}))
    return list(rules.judge(document))


def told(text: str, document: dict[str, Any]) -> list[str]:
    verdicts = judged(text, document)
    assert not [verdict for verdict in verdicts if verdict.is_failure]
    return sorted(verdict.message for verdict in verdicts)


def test_values_are_compared_in_the_order_of_opa() -> None:
    assert told(COMPARED, {"order": ASCENDING}) == []


@pytest.mark.parametrize("word", TEXTS)
def test_literals_are_compared_as_input_is(word: str) -> None:
    literal = json.dumps(word, ensure_ascii=False)
    text = f'deny contains "m" if {{ input.v >= {literal}; input.v <= {literal}; input.v == {literal} }}'
    assert told(text, {"v": word}) == ["m"]


@pytest.mark.parametrize(
    "of", [ASCENDING, TEXTS, ["10", "2", "a", "ab"], [9, 20, 100]], ids=["all", "texts", "words", "numbers"]
)
def test_values_are_sorted_in_the_order_of_opa(of: list[Any]) -> None:
    shuffled = random.Random(0).sample(of, len(of))
    assert told(SORTED, {"values": shuffled, "order": of}) == []


@pytest.mark.parametrize("size_gb", [None, True, False, 8])
def test_what_is_left_to_aws_is_less_than_any_number(size_gb: Any) -> None:
    text = 'deny contains "small" if { some volume in input.volumes; volume.size_gb < 20 }'
    assert told(text, {"volumes": [{"size_gb": size_gb}]}) == ["small"]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("values", [([1], [2]), ({"a": 1}, {"a": 2})], ids=["arrays", "objects"])
def test_two_lists_and_two_mappings_are_refused(values: tuple[Any, Any], operator: str) -> None:
    one, other = values
    text = f'warn contains "m" if input.one {operator} input.other'
    (verdict,) = judged(text, {"one": one, "other": other})
    assert verdict.is_failure


@pytest.mark.skipif(not shutil.which("opa"), reason="asks OPA itself, and there is no `opa` on the PATH")
@pytest.mark.parametrize("text", [COMPARED, SORTED], ids=["compared", "sorted"])
def test_opa_says_the_same(text: str, tmp_path: Path) -> None:
    document = {"values": [*ASCENDING[7:], *ASCENDING[:7]], "order": ASCENDING}
    (tmp_path / "a.rego").write_text(f"package main\nimport rego.v1\n{text}\n", encoding="utf-8")
    (tmp_path / "input.json").write_text(json.dumps(document), encoding="utf-8")
    files = ["--data", str(tmp_path / "a.rego"), "--input", str(tmp_path / "input.json")]
    ran = subprocess.run(
        ["opa", "eval", "--format", "raw", *files, "data.main"], capture_output=True, text=True, check=True
    )
    answer = json.loads(ran.stdout)
    assert [message for messages in answer.values() for message in messages] == []
