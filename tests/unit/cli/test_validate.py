"""`validate`: what it takes for specs, and a report that says what the exit code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import Program

SPEC = "environment: {}\nregion: us-east-1\nroles: {{w: {{}}}}\n"
BESIDE = {
    "a folder configuration": ("provisioner.yaml", "policies: [nowhere]\n"),
    "what is accepted as drift": ("accepted-drift.yaml", "- address: role/web\n"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("specs", "others"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.yaml").write_text(SPEC.format(name))
    return tmp_path


def report(folder: Path, code: int, *words: str) -> dict[str, Any]:
    ran = Program(folder).run("validate", *words, "--report", "r.json")
    assert (ran.code, "error: this is a bug" in ran.err) == (code, False)
    made: dict[str, Any] = json.loads((folder / "r.json").read_text())
    return made


@pytest.mark.parametrize("what", BESIDE)
def test_what_is_wrong_beside_specs_is_in_the_report(what: str, folder: Path) -> None:
    """CI reads that one, and what it calls valid would be refused by a plan."""
    name, text = BESIDE[what]
    (folder / "specs" / name).write_text(text)
    made = report(folder, 3, "specs", "others")
    assert made["exit_code"] == 3
    found = {one["source"]: one for one in made["environments"]}
    assert {source: one["exit_code"] for source, one in found.items()} == {
        "specs/shop.yaml": 3,
        "others/shop.yaml": 0,
    }
    assert f"specs/{name}:1:" in str(found["specs/shop.yaml"]["problem"]["lines"])


@pytest.mark.parametrize("what", BESIDE)
def test_what_lies_beside_specs_given_by_itself(what: str, folder: Path) -> None:
    name, text = BESIDE[what]
    (folder / "specs" / name).write_text(text)
    made = report(folder, 3, f"specs/{name}", "others")
    assert {one["source"]: one["exit_code"] for one in made["environments"]} == {
        f"specs/{name}": 3,
        "others/shop.yaml": 0,
    }
    assert made["exit_code"] == 3


def test_what_others_extend_is_no_environment_also_with_a_root(folder: Path) -> None:
    """Without the root, the folder above cannot be read, and base.yaml counted as a spec of its own."""
    (folder / "base.yaml").write_text("extends: common.yaml\nregion: us-east-1\n")
    (folder / "common.yaml").write_text("tags: {a: b}\n")
    (folder / "specs/shop.yaml").write_text("extends: [../base.yaml, own.yaml]\nenvironment: shop\n")
    (folder / "specs/own.yaml").write_text("roles: {w: {}}\n")
    made = report(folder, 0, "specs", "--root", ".")
    assert [one["source"] for one in made["environments"]] == ["specs/shop.yaml"]
