"""Policies in JSON files: read as strictly as YAML, each problem at its place in the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.spec import load

SPEC = """\
environment: test
region: us-east-1
roles:
  web:
    inline_policies:
      read: {file: read.json}
"""
FIELD = "roles.web.inline_policies.read.file"
POLICY = """\
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
      "Condition": {"StringLike": {"aws:PrincipalTag/x": %s}}
    }
  ]
}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text(SPEC)


def told(content: str | bytes) -> str:
    """What is said of a policy; empty if it is taken."""
    Path("read.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        role = next(iter(load("spec.yaml", KINDS).resources.values()))
    except SpecError as error:
        return str(error)
    assert role.inline_policies["read"]["Statement"]  # type: ignore[attr-defined]
    return ""


@pytest.mark.parametrize(
    "value", ['"a"', '["a", "b"]', "true", "5", "-1", "1.5", '"\\u00e9\\ud83d\\ude00"', "[]"]
)
def test_what_is_taken(value: str) -> None:
    assert told(POLICY % value) == ""
    assert told("\ufeff" + (POLICY % value).replace("\n", "\r\n\t")) == ""


@pytest.mark.parametrize(
    ("content", "line", "column", "said"),
    [
        # What JSON is not.
        ("", 1, 1, "the file is empty; a policy belongs in it"),
        (" \n ", 1, 1, "the file is empty; a policy belongs in it"),
        ('{"a": 1,}', 1, 8, "this is not JSON: a comma before }, where JSON takes none; remove it"),
        ("[1,\n2,\n]", 2, 2, "this is not JSON: a comma before ], where JSON takes none; remove it"),
        ("[1 2]", 1, 4, "this is not JSON: 2 where a comma or ] belongs; what line 1 opens ends with ]"),
        (
            '{\n"a": 1\n"b": 2}',
            3,
            1,
            'this is not JSON: " where a comma or } belongs; what line 1 opens ends with }',
        ),
        (
            "{'a': 1}",
            1,
            2,
            "this is not JSON: 'a' where a key in double quotes belongs; JSON takes double quotes only",
        ),
        ('{"a" 1}', 1, 6, 'this is not JSON: 1 where a colon belongs, after the key "a"'),
        ('{"a": }', 1, 7, "this is not JSON: } where a value belongs; a text needs double quotes"),
        ('{"a": ', 1, 7, "this is not JSON: the file ends where a value belongs; is it cut off?"),
        ("// x\n{}", 1, 1, "this is not JSON: // where a value belongs; a text needs double quotes"),
        (
            "{} {}",
            1,
            4,
            "this is not JSON: there is more after the end of the document; remove it",
        ),
        ('{"a": "x\n"}', 1, 7, None),
        ('{"a": "\\d"}', 1, 7, None),
        # Numbers.
        ('{"a": NaN}', 1, 7, "this is not JSON: NaN where a value belongs; a text needs double quotes"),
        ('{"a": -Infinity}', 1, 7, None),
        ('{"a": 01}', 1, 7, "this is not JSON: 01 where a value belongs; a text needs double quotes"),
        ('{"a": +1}', 1, 7, None),
        ('{"a": 1.}', 1, 7, None),
        # Encodings.
        (b'{"a": "\xff"}', 1, 8, "the file is not UTF-8 from here on; save it as UTF-8"),
        ('{"a": 1}'.encode("utf-16"), 1, 1, "the file is not UTF-8 from here on; save it as UTF-8"),
        ('{"a": 1}'.encode("utf-32-le"), 1, 2, None),
        # Without an end.
        ("[" * 100_000, 1, 52, "this is not JSON: values are nested more than 50 deep; split the policy"),
        (
            '{"a":' * 100_000,
            1,
            256,
            "this is not JSON: values are nested more than 50 deep; split the policy",
        ),
        (f"[{'1,' * 20_000}1]", 1, 29984, None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_not_json(content: str | bytes, line: int, column: int, said: str | None) -> None:
    answer = told(content)
    assert answer.startswith(f"read.json:{line}:{column}: {FIELD}: ")
    assert said is None or answer == f"read.json:{line}:{column}: {FIELD}: {said}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '{"Version": "2012-10-17", "Statement": {"Effect": "Deny",\n  "Effect": "Allow"}}',
            f"read.json:2:3: {FIELD}.Statement.Effect: the key is given twice; it is already in line 1",
        ),
        (
            '{"Version": "2012-10-17", "Statement": [], "\\u0053tatement": []}',
            f"read.json:1:44: {FIELD}.Statement: the key is given twice; it is already in line 1",
        ),
        ('{"Version": 1e999}', f"read.json:1:13: {FIELD}.Version: 1e999 is not a number that can be used; "),
        ('{"a": "\\ud800"}', f"read.json:1:7: {FIELD}.a: a text with half of a character; remove the escape"),
        ("null", f"read.json:1:1: {FIELD}: the file read.json holds null, which is nothing"),
        ("[]", f"read.json:1:1: {FIELD}: a policy document is a mapping"),
        ('{"Version": null}', f"read.json:1:1: {FIELD}: a policy document needs a Statement"),
    ],
)
def test_what_json_lets_pass(content: str, said: str) -> None:
    assert told(content).startswith(said)


@pytest.mark.parametrize(
    ("value", "sent"),
    [("1.10", "1.1"), ("1e3", "1000.0"), ("1E3", "1000.0"), ("-0", "0"), ("0.10", "0.1")],
)
def test_what_would_not_be_sent_as_it_is_written(value: str, sent: str) -> None:
    assert told(POLICY % value) == (
        f'read.json:6:58: {FIELD}.Statement[0].Condition.StringLike["aws:PrincipalTag/x"]: '
        f"{value} is read as {sent}, and would not be sent as it is written; "
        f'write "{value}" for the text, or {sent}'
    )


def test_null_within_it() -> None:
    assert told(POLICY % "null").endswith(
        ': null stands for nothing, which cannot be sent; write "null" for the text'
    )


def test_a_problem_of_the_policy_is_told_at_its_place_in_the_file() -> None:
    assert told(POLICY.replace("Allow", "Alow") % '"a"') == (
        f'read.json:5:17: {FIELD}.Statement[0].Effect: must be Allow or Deny, found "Alow"'
    )


SECRETS = ["hunter2", "AKIAIOSFODNN7EXAMPLE", "-----BEGIN KEY-----", "  \n t0k3n = 5"]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_file_that_is_no_json_from_its_start_is_not_quoted(secret: str) -> None:
    text = told(secret)
    assert "this is not JSON: something else where a value belongs" in text
    assert not any(word in text for word in re.findall(r"[A-Za-z0-9]{4,}", secret))
