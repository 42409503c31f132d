"""The file of accepted drift: what it says, and every problem in it at its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from provisioner.drift import ANY_VALUE
from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.spec.accepted_drift import NAME, accepted_path, load_accepted, read_accepted, schema

GOOD = """\
# What we live with.
- address: role/web   # the auditors' policy
  field: managed_policies
  value: [a, b]
  environment: dev
  reason: The audit of autumn.
  until: 2027-01-31
- {address: fleet/web, reason: moving, until: "2027-02-28"}
"""


def test_what_it_says() -> None:
    one, other = read_accepted(NAME, GOOD.encode(), KINDS)
    assert (str(one.address), one.path, one.value, one.environment) == (
        "role/web",
        "managed_policies",
        ["a", "b"],
        "dev",
    )
    assert (one.reason, one.until, one.place) == ("The audit of autumn.", date(2027, 1, 31), f"{NAME}:2:3")
    assert (other.path, other.value, other.environment, other.until) == (
        None,
        ANY_VALUE,
        None,
        date(2027, 2, 28),
    )


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "[]", "null"])
def test_a_file_that_accepts_nothing(content: str) -> None:
    assert read_accepted(NAME, content.encode(), KINDS) == ()


ENTRY = "address: role/web, reason: x, until: 2027-01-31"
WRONG: dict[str, tuple[str, str]] = {
    "a mapping": (
        f"{{{ENTRY}}}",
        "1:1: expected a list of what is accepted, found a mapping with address, reason, until",
    ),
    "a text in the list": (
        "- role/web",
        '1:3: [0]: expected a mapping with address, reason and until, found "role/web"',
    ),
    "no reason": (
        "- {address: role/web, until: 2027-01-31}",
        "1:3: [0].reason: is missing; it takes a sentence",
    ),
    "an empty reason": (
        f"- {{{ENTRY.replace('x', chr(34) * 2)}}}",
        "1:31: [0].reason: expected a sentence, found an empty text",
    ),
    "no last day": (
        "- {address: role/web, reason: x}",
        "1:3: [0].until: is missing; it takes a date such as 2027-01-31",
    ),
    "a day in words": (
        f"- {{{ENTRY.replace('2027-01-31', 'tomorrow')}}}",
        '1:41: [0].until: expected a date such as 2027-01-31, found "tomorrow"',
    ),
    "a moment": (
        f"- {{{ENTRY.replace('31', '31T10:00:00Z')}}}",
        '1:41: [0].until: expected a date such as 2027-01-31, found "2027-01-31T10:00:00Z"',
    ),
    "a day that no month has": (
        f"- {{{ENTRY.replace('01-31', '02-31')}}}",
        "1:41: [0].until: there is no day 2027-02-31; check the month",
    ),
    "a section for a kind": (
        f"- {{{ENTRY.replace('role', 'roles')}}}",
        '1:13: [0].address: there is no kind "roles"; did you mean role/web?',
    ),
    "no key": (
        f"- {{{ENTRY.replace('role/web', 'role')}}}",
        '1:13: [0].address: expected a kind and a key, such as fleet/worker, found "role"',
    ),
    "a slip in a name": (f"- {{{ENTRY}, feild: x}}", "1:53: [0].feild: unknown field; did you mean field?"),
    "a value of nothing": (
        f"- {{{ENTRY}, value: x}}",
        "1:60: [0].value: a value without the field that has it; add `field`",
    ),
    "the same twice": (
        f"- {{{ENTRY}}}\n- {{{ENTRY}}}",
        "2:3: [1]: accepts the same as in line 1; remove one of them",
    ),
    "no YAML": ("- a: [", "1:7: <stream end> where a value belongs"),
    "two documents": (f"- {{{ENTRY}}}\n---\n- {{{ENTRY}}}", "2:1: a second document"),
}


@pytest.mark.parametrize(("content", "problem"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(content: str, problem: str) -> None:
    with pytest.raises(SpecError) as error:
        read_accepted(NAME, content.encode(), KINDS)
    assert problem in str(error.value)
    assert str(error.value).startswith(f"{NAME}:")


def test_what_is_not_utf_8() -> None:
    with pytest.raises(SpecError, match=f"{NAME}:1:1: the file is not UTF-8"):
        read_accepted(NAME, b"\xff", KINDS)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SpecError) as error:
        read_accepted(NAME, b"- {address: x}\n- {reason: 5}\n", KINDS)
    assert len(error.value.problems) >= 5


def test_it_is_beside_the_spec_also_where_that_is_given_by_a_link(tmp_path: Path) -> None:
    specs, links = tmp_path / "specs", tmp_path / "links"
    specs.mkdir()
    links.mkdir()
    (specs / "a.yaml").write_text("")
    (links / "a.yaml").symlink_to(specs / "a.yaml")
    assert load_accepted(str(specs / "a.yaml"), KINDS) == ()
    (specs / NAME).write_text(GOOD)
    for folder in (specs, links):
        assert accepted_path(str(folder / "a.yaml")) == str(specs / NAME)
        assert len(load_accepted(str(folder / "a.yaml"), KINDS)) == 2


def test_a_link_to_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "secret.yaml").write_text(GOOD)
    (tmp_path / "specs" / NAME).symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(SpecError, match="is outside of"):
        load_accepted(str(tmp_path / "specs" / "a.yaml"), KINDS)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())
