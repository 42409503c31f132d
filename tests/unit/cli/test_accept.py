"""Accepting drift writes what differs now into the file beside the spec, and keeps what is in it."""

from __future__ import annotations

import stat
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from provisioner.cli.accept import write_accepted
from provisioner.drift import ANY_VALUE, report
from provisioner.errors import UsageError
from provisioner.kinds import KINDS
from provisioner.model import Action, Address, Change, FieldChange, Plan
from provisioner.spec.accepted_drift import NAME, load_accepted

UNTIL = date(2027, 1, 31)
FLEET = Address("fleet", "web")
LENT = {"Condition": {"StringEquals": {"aws:RequestTag/access_token": ["hunter2abc", "other"]}}}
CHANGES = (
    Change(
        Address("role", "web"),
        Action.UPDATE,
        "",
        (
            FieldChange("description", "by hand", "Works"),
            FieldChange("managed_policies", ("a", "b"), ("a",)),
            FieldChange("max_session_duration", 3600, 7200),
        ),
    ),
    Change(FLEET, Action.UPDATE, "", (FieldChange("tags.team", "x", "data"),), ("i-1",)),
    Change(FLEET, Action.UPDATE, "", (FieldChange("tags.team", "2027-01-01", "data"),), ("i-2",)),
    Change(
        FLEET, Action.UPDATE, "", (FieldChange("tags.url", "https://me:hunter2@x.example", None),), ("i-3",)
    ),
    Change(FLEET, Action.UPDATE, "", (FieldChange("tags.access_token", "hunter2abc", None),), ("i-3",)),
    Change(Address("role", "lent"), Action.UPDATE, "", (FieldChange("trust", LENT, None),)),
    Change(Address("role", "gone"), Action.DELETE, ""),
)
FOUND = report(Plan("dev", "us-east-1", "123456789012", CHANGES), (), UNTIL)
HEAD = "- environment: dev\n"


def accept(folder: Path, text: str, reason: str = "because", until: date = UNTIL) -> list[str]:
    return list(write_accepted(str(folder / "spec.yaml"), FOUND, text, reason, until))


def written(folder: Path) -> str:
    return (folder / NAME).read_text()


TAGS = [
    {"path": "tags.team", "value": "x"},
    {"path": "tags.team", "value": "2027-01-01"},
    {"path": "tags.url"},
    {"path": "tags.access_token"},
]
WRITTEN: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "a field with its value": ("role/web description", [{"path": "description", "value": "by hand"}]),
    "a list": ("role/web managed_policies", [{"path": "managed_policies", "value": ["a", "b"]}]),
    "a number": ("role/web  max_session_duration", [{"path": "max_session_duration", "value": 3600}]),
    "each value that members have": (
        "fleet/web tags.team",
        [{"path": "tags.team", "value": "x"}, {"path": "tags.team", "value": "2027-01-01"}],
    ),
    "each field of a section with its value": ("fleet/web tags", TAGS),
    "each field at an address with its value": ("fleet/web", TAGS),
    "no secret": ("fleet/web tags.url", [{"path": "tags.url"}]),
    "no list of secrets": ("role/lent trust", [{"path": "trust"}]),
    "a whole thing": ("role/gone", [{}]),
}


@pytest.mark.parametrize(("text", "entries"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_written_is_accepted(text: str, entries: list[dict[str, Any]], tmp_path: Path) -> None:
    told = accept(tmp_path, text)
    accepted = load_accepted(str(tmp_path / "spec.yaml"), KINDS)
    assert [
        ({"path": entry.path} if entry.path else {}) | ({"value": entry.value} if entry.has_value else {})
        for entry in accepted
    ] == entries
    assert {(entry.environment, entry.reason, entry.until) for entry in accepted} == {
        ("dev", "because", UNTIL)
    }
    assert len(told) == len(entries)
    assert "hunter2" not in written(tmp_path)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o644
    after = report(Plan("dev", "us-east-1", "123456789012", CHANGES), accepted, UNTIL)
    assert after.accepted
    assert after.superfluous == ()


@pytest.mark.parametrize("text", ["role/web", "role/web description"])
def test_another_value_is_drift_again(text: str, tmp_path: Path) -> None:
    accept(tmp_path, text)
    accepted = load_accepted(str(tmp_path / "spec.yaml"), KINDS)
    other = Change(Address("role", "web"), Action.UPDATE, "", (FieldChange("description", "third", "Works"),))
    after = report(Plan("dev", "us-east-1", "123456789012", (other,)), accepted, UNTIL)
    assert [difference.path for difference in after.differences] == ["description"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("role/web description", "role/web description is accepted with the value it has now until"),
        (
            "fleet/web tags.url",
            "fleet/web tags.url is accepted with any value, as it could be a secret, until",
        ),
        ("role/gone", "role/gone is accepted with all that differs there until"),
    ],
)
def test_it_is_said_which_values_are_accepted(text: str, told: str, tmp_path: Path) -> None:
    assert told in accept(tmp_path, text)[0]


MINE = """\
# These we live with.

-   reason: "The audit."     # until they are gone
    address: role/web
    field: description
    until: 2026-12-31
    # the others
-   {address: fleet/web, field: 'tags.team', reason: x, until: 2026-12-31, environment: dev, value: x}
"""


def test_comments_quotes_and_indentation_stay(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(MINE)
    (tmp_path / NAME).chmod(0o600)
    accept(tmp_path, "role/gone")
    added = "-   environment: dev\n    address: role/gone\n    reason: because\n    until: 2027-01-31\n"
    assert written(tmp_path) == MINE + added
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600


def test_what_is_accepted_already_gets_the_new_reason_and_day(tmp_path: Path) -> None:
    accept(tmp_path, "role/web description", "first", date(2026, 12, 1))
    accept(tmp_path, "role/web description", "second")
    (only,) = load_accepted(str(tmp_path / "spec.yaml"), KINDS)
    assert (only.reason, only.until) == ("second", UNTIL)


ENTRY = "- {{address: {}, field: {}, value: {}, environment: dev, reason: x, until: 2026-12-31}}\n"


@pytest.mark.parametrize("other", ["'3600'", "3600.0", "true"])
def test_an_entry_of_another_value_stays_beside_it(other: str, tmp_path: Path) -> None:
    """The text "3600" is another value than the number, for whoever compares them with what AWS has."""
    (tmp_path / NAME).write_text(ENTRY.format("role/web", "max_session_duration", other))
    accept(tmp_path, "role/web max_session_duration")
    old, new = load_accepted(str(tmp_path / "spec.yaml"), KINDS)
    assert (old.reason, new.reason, new.value) == ("x", "because", 3600)


def test_an_entry_with_the_value_none_as_a_text_is_not_one_with_any_value(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(ENTRY.format("fleet/web", "tags.access_token", "None"))
    accept(tmp_path, "fleet/web tags.access_token")
    old, new = load_accepted(str(tmp_path / "spec.yaml"), KINDS)
    assert (old.value, new.value) == ("None", ANY_VALUE)


@pytest.mark.parametrize(
    "before", ["", "# only this\n", "# no end", "[]\n", "[{address: role/x, reason: x, until: 2027-01-01}]"]
)
def test_any_file_that_can_be_read_can_be_added_to(before: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(before)
    number = len(load_accepted(str(tmp_path / "spec.yaml"), KINDS))
    accept(tmp_path, "role/gone")
    assert len(load_accepted(str(tmp_path / "spec.yaml"), KINDS)) == number + 1
    assert before.partition("\n")[0].strip("[]") in written(tmp_path)


@pytest.mark.parametrize(
    "text", ["role/web nothing", "role/other", "role/web desc", "role", "", "role/web description more"]
)
def test_what_does_not_differ_is_not_accepted(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing differs there") as error:
        accept(tmp_path, text)
    assert "role/web description" in (error.value.hint or "")
    assert not (tmp_path / NAME).exists()


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("")
    (tmp_path / NAME).symlink_to(tmp_path / "other.yaml")
    with pytest.raises(UsageError, match="is a link"):
        accept(tmp_path, "role/gone")


def test_a_reason_stays_a_text(tmp_path: Path) -> None:
    for reason in ("yes", "5", "# no", "a: b", "- x", "line\nbreak", "\u202e", "'", "*x"):
        accept(tmp_path, "role/gone", reason)
        (only,) = load_accepted(str(tmp_path / "spec.yaml"), KINDS)
        assert only.reason == reason


def test_without_the_library_that_keeps_comments_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ruamel.yaml", None)
    with pytest.raises(UsageError) as error:
        accept(tmp_path, "role/gone")
    assert f"{sys.executable} -m pip install 'ruamel-yaml" in (error.value.hint or "")
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize(
    "text", ["null\n", "~", "# a comment\nnull", "- address: role/a\n  reason: x\n...\n", "... # x"]
)
def test_a_file_that_no_entry_can_be_added_to_is_an_error_and_stays(text: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(UsageError, match=r"has no list of entries|a line `\.\.\.` ends"):
        accept(tmp_path, "role/web description")
    assert written(tmp_path) == text
