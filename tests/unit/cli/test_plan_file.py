"""A file of a plan is written whole and for its owner only; what is no plan is one clear error."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioner.cli.expect import read_expected
from provisioner.cli.plan_file import MAX_MIB, check_target, read_plan, write_plan
from provisioner.errors import ProvisionerError, UsageError
from provisioner.model import Action, Address, Change, FieldChange, Plan
from provisioner.render.as_json import plan_data, plan_digest

TAG = FieldChange("tags.ключ\n", "https://me:hunter2@example.com", "\x1b[2J\u2028")
DATA = plan_data(
    Plan("dev", "us-east-1", "123456789012", (Change(Address("role", "x"), Action.UPDATE, "", (TAG,)),))
)
GARBAGE = "the file is not a plan"


def with_digest(**changed: Any) -> str:
    data = {**DATA, **changed}
    return json.dumps(data | {"digest": plan_digest(data)})


def put(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- written and read


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(str(path), DATA)
    assert read_plan(str(path)) == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "hunter2" not in path.read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["plan.json"]


def test_a_plan_is_replaced_by_a_plan_whatever_its_mode_was(tmp_path: Path) -> None:
    path = put(tmp_path / "plan.json", json.dumps(DATA))
    path.chmod(0o644)
    check_target(str(path), is_forced=False)
    write_plan(str(path), DATA)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_plan_that_names_a_file_which_is_not_utf_8_is_written_with_its_name_escaped(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    note = {"address": "fleet/x", "message": "see specs/\udcff.yaml", "warning": False}
    write_plan(str(path), {**DATA, "notes": [note]})
    assert "\\udcff" in path.read_text(encoding="utf-8")
    assert read_plan(str(path))["notes"] == [note]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = put(tmp_path / "plan.json", "before")
    blocked = tmp_path / "not-there" / "plan.json"
    with pytest.raises(ProvisionerError, match="No such file or directory"):
        write_plan(str(blocked), DATA)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["plan.json"]


TARGETS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file of others": (lambda path: put(path, "precious"), "there is a file that is not a plan"),
    "a spec": (lambda path: put(path, "environment: dev\n"), "there is a file that is not a plan"),
    "other JSON": (lambda path: put(path, "{}"), "there is a file that is not a plan"),
    "a folder": (lambda path: path.mkdir(), "is not a regular file"),
    "a link": (lambda path: path.symlink_to("/etc/passwd"), "is not a regular file"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "is not a regular file"),
    "a pipe": (lambda path: os.mkfifo(path), "is not a regular file"),
}


@pytest.mark.parametrize(("make", "message"), TARGETS.values(), ids=TARGETS)
def test_what_is_no_plan_is_not_written_over(
    make: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "there"
    make(path)
    with pytest.raises(UsageError, match=message):
        check_target(str(path), is_forced=False)


def test_by_force_a_file_is_written_over_and_nothing_else_is(tmp_path: Path) -> None:
    check_target(str(put(tmp_path / "file", "precious")), is_forced=True)
    with pytest.raises(UsageError, match="is not a regular file"):
        check_target(str(tmp_path), is_forced=True)


@pytest.mark.parametrize(
    "name", ["missing/plan.json", "x" * 5000, "a\x00b", "/dev/stdout", "/dev/null", "", "file/x"]
)
def test_names_at_which_nothing_can_be_written(name: str, tmp_path: Path) -> None:
    put(tmp_path / "file", "")
    with pytest.raises(UsageError):
        check_target(str(tmp_path / name) if name else name, is_forced=True)


@pytest.mark.parametrize(
    ("name", "form"),
    [("page.html", "html"), ("PAGE.HTM", "html"), ("note.md", "markdown"), ("plan.txt", "text")],
)
def test_a_file_for_people_is_not_what_is_written(name: str, form: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="writes JSON, for --expect") as error:
        check_target(str(tmp_path / name), is_forced=True)
    assert f"`plan SPEC --format {form} > {tmp_path / name}`" in (error.value.hint or "")


def test_a_name_that_expect_takes_for_a_digest_is_no_name_of_a_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("0123456789" * 4, "ABCDEF6789" * 4):
        with pytest.raises(UsageError, match="would take this for a digest"):
            check_target(name, is_forced=True)
        check_target(f"./{name}", is_forced=False)
    check_target("0123456789", is_forced=False)


@pytest.mark.parametrize("name", ["plan.json/", "plan.json/.", "folder/.."])
def test_the_name_of_a_folder_is_not_that_of_a_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is the name of a folder"):
        check_target(f"{tmp_path}/{name}", is_forced=True)


# --- what is no plan

UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda path: None, "the file does not exist"),
    "a folder": (lambda path: path.mkdir(), "the file is a folder, not a file"),
    "a link": (lambda path: path.symlink_to(put(path.parent / "real", json.dumps(DATA))), "is a link"),
    "a pipe": (lambda path: os.mkfifo(path), "the file is not a regular file"),
    "too large": (
        lambda path: os.truncate(put(path, ""), MAX_MIB * 1024 * 1024 + 1),
        f"the file is larger than {MAX_MIB * 1024} KiB",
    ),
    "not UTF-8": (lambda path: put(path, b"\xff\xfe{}"), "the file is not UTF-8"),
    "empty": (lambda path: put(path, ""), "1:1: this is not JSON"),
    "a spec": (lambda path: put(path, "environment: dev\n"), "1:1: this is not JSON"),
    "cut off": (lambda path: put(path, json.dumps(DATA)[:-10]), "this is not JSON"),
    "nested without end": (lambda path: put(path, "[" * 200_000), GARBAGE),
    "an endless number": (lambda path: put(path, "9" * 5000), GARBAGE),
    "no number": (lambda path: put(path, '{"format_version": NaN}'), GARBAGE),
    "a list": (lambda path: put(path, "[]"), GARBAGE),
    "another object": (lambda path: put(path, '{"format_version": 1, "changes": []}'), GARBAGE),
    "another version": (lambda path: put(path, with_digest(format_version=2)), "the plan has format 2"),
    "an odd field": (
        lambda path: put(path, json.dumps({**DATA, "changes": [{**DATA["changes"][0], "size": "x"}]})),
        r"the file is not a plan of this version of provisioner, at changes\[0\].size",
    ),
    "changed by hand": (
        lambda path: put(path, json.dumps({**DATA, "environment": "prod"})),
        "the plan was changed after it was made",
    ),
}


@pytest.mark.parametrize(("make", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_plan(make: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    make(path)
    with pytest.raises(UsageError, match=message) as error:
        read_plan(str(path))
    assert error.value.message.startswith(str(path))
    assert error.value.hint
    assert error.value.exit_code == 3


def test_notes_and_reasons_may_be_changed_as_nothing_depends_on_them(tmp_path: Path) -> None:
    put(tmp_path / "plan.json", json.dumps({**DATA, "notes": []}))
    assert read_plan(str(tmp_path / "plan.json"))["digest"] == DATA["digest"]


# --- what --expect takes


def test_a_digest_in_whatever_case() -> None:
    assert read_expected(None) is None
    for text in (DATA["digest"], DATA["digest"].upper()):
        approved = read_expected(text)
        assert approved
        assert (approved.digest, approved.plan) == (DATA["digest"], None)


@pytest.mark.parametrize("text", ["abc", "0" * 39, "0" * 41, "0" * 64])
def test_a_part_of_a_digest_is_none(text: str) -> None:
    with pytest.raises(UsageError, match=f"a digest has 40 characters, and this has {len(text)}"):
        read_expected(text)


def test_a_file(tmp_path: Path) -> None:
    approved = read_expected(str(put(tmp_path / "plan.json", json.dumps(DATA))))
    assert approved
    assert (approved.digest, approved.plan) == (DATA["digest"], DATA)


@pytest.mark.parametrize("text", ["", "plan.jsn", "-", "sha256:" + "0" * 40])
def test_what_is_neither(text: str) -> None:
    with pytest.raises(UsageError):
        read_expected(text)
