"""Which specs arguments mean: files, folders, globs, and targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from provisioner.errors import UsageError
from provisioner.many.finding import find_specs
from provisioner.many.spec_file import SpecFile
from tests.support.program import Program

FILES = (
    "dev.yaml",
    "prod.yml",
    "base.yaml",
    "provisioner.yaml",
    "accepted-drift.yaml",
    ".hidden.yaml",
    "readme.md",
    "eu/shop.yaml",
    "eu/deep/batch.yaml",
    "empty/readme.md",
)
TARGETS = {"prod.yml": ["eu", "us"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("environment: x\n")
    (tmp_path / "link.yaml").symlink_to("dev.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _targets(spec: SpecFile) -> Sequence[str]:
    return TARGETS.get(spec.path.removeprefix("./"), [])


def _bases(spec: SpecFile) -> Sequence[str]:
    return ["base.yaml"] if Path(spec.path).name == "dev.yaml" else []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # A file is meant as it is typed, also where it is not there.
        (["prod.yml"], ["prod.yml eu", "prod.yml us"]),
        (["nowhere.yaml"], ["nowhere.yaml"]),
        (["readme.md"], ["readme.md"]),
        (["base.yaml"], ["base.yaml"]),
        (["provisioner.yaml"], ["provisioner.yaml"]),
        # Each once, by its first name.
        (["dev.yaml", "./dev.yaml", "link.yaml", "eu/../dev.yaml"], ["dev.yaml"]),
        # What another one extends, and what only lies beside specs, is none.
        (["dev.yaml", "base.yaml"], ["dev.yaml"]),
        (["dev.yaml", "provisioner.yaml", "accepted-drift.yaml"], ["dev.yaml"]),
        (["."], ["./dev.yaml", "./prod.yml eu", "./prod.yml us"]),
        # Not what is in the folders in it.
        (["eu"], ["eu/shop.yaml"]),
        (["eu/"], ["eu/shop.yaml"]),
        (["*.y*ml"], ["dev.yaml", "prod.yml eu", "prod.yml us"]),
        (["eu/**/*.yaml"], ["eu/deep/batch.yaml", "eu/shop.yaml"]),
        # A glob may mean folders.
        (["e[u]"], ["eu/shop.yaml"]),
        (["*.md", "dev.yaml"], None),
        (["nothing*"], None),
        (["empty"], None),
        ([], []),
    ],
)
def test_specs_are_found(folder: Path, arguments: list[str], expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(UsageError):
            find_specs(arguments, targets_of=_targets, bases_of=_bases)
        return
    found = find_specs(arguments, targets_of=_targets, bases_of=_bases)
    assert [" ".join(filter(None, (spec.path, spec.target))) for spec in found] == expected


@pytest.mark.parametrize("given", [["us"], ["us", "eu"], ["us", "nowhere", "us"]])
def test_targets_that_are_given_are_the_only_ones(folder: Path, given: list[str]) -> None:
    # One that is not there is told of when the spec is loaded.
    expected = tuple(SpecFile("prod.yml", None, target) for target in dict.fromkeys(given))
    assert find_specs(["prod.yml"], None, given, _targets) == expected


def test_a_file_whose_name_is_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "a[1].yaml").write_text("environment: x\n")
    assert find_specs(["a[1].yaml"]) == (SpecFile("a[1].yaml"),)


@pytest.mark.parametrize("argument", ["empty", ".."])
def test_a_folder_without_specs_is_told_with_what_to_type(folder: Path, argument: str) -> None:
    with pytest.raises(UsageError) as raised:
        find_specs([argument])
    assert "no spec in this folder" in raised.value.message
    assert ("'../**/*.yaml'" in (raised.value.hint or "")) == (argument == "..")


@pytest.mark.parametrize("name", ["", " "])
def test_a_name_that_is_empty_is_told(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="a name of a spec is empty"):
        find_specs(["dev.yaml", name])


@pytest.mark.parametrize("command", ["show", "hosts", "inventory", "ssh-config", "extend"])
def test_an_empty_name_is_told_by_commands_on_one_spec(tmp_path: Path, command: str) -> None:
    ran = Program(tmp_path).run(command, "")
    assert (ran.code, "error: a name of a spec is empty" in ran.err) == (3, True), ran.err
