"""Every broken spec under broken/ is answered with exactly the text beside it.

`broken/<what>.yaml` is a spec with one sort of mistake, `broken/<what>.expected` what is said about it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.spec import load

HERE = Path(__file__).parent
BROKEN = sorted(path.stem for path in (HERE / "broken").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages name the file as it was given: from here, so that they are the same everywhere."""
    monkeypatch.chdir(HERE)


def told(path: str) -> str:
    """What a user is told about a spec."""
    with pytest.raises(SpecError) as caught:
        load(path, KINDS)
    return str(caught.value) + "\n"


@pytest.mark.parametrize("what", BROKEN)
def test_told(what: str) -> None:
    expected = Path(f"broken/{what}.expected").read_text(encoding="utf-8")
    # Lists of lines: pytest shows which lines differ, and where.
    assert told(f"broken/{what}.yaml").splitlines() == expected.splitlines()


def test_each_has_an_expectation_and_there_are_enough() -> None:
    expected = sorted(path.stem for path in Path("broken").glob("*.expected"))
    assert expected == BROKEN
    assert len(BROKEN) >= 50


def test_missing_file() -> None:
    assert told("broken/emty.yaml") == (
        "broken/emty.yaml:1:1: the file does not exist; did you mean broken/empty.yaml?\n"
    )


SPEC = "environment: {}\nregion: us-east-1\n"
# What is there, what is given in place of a file, and what is said of it.
NEARBY: dict[str, tuple[dict[str, str], str, str]] = {
    "the name of a spec": ({"mine.yaml": "x"}, "mine", "did you mean mine.yaml?"),
    "the name of a spec in a folder": ({"specs/mine.yaml": "x"}, "mine", "did you mean specs/mine.yaml?"),
    "a spec in a folder": ({"specs/mine.yaml": "x"}, "mine.yaml", "did you mean specs/mine.yaml?"),
    "the name of an environment": (
        {"web.yaml": SPEC.format("test"), "specs/a.yml": SPEC.format("'prod'  # eu")},
        "prod",
        "did you mean specs/a.yml?",
    ),
    "nothing like it": (
        {"web.yaml": "x", "specs/a.yml": "x", "specs/provisioner.yaml": "x", ".hidden/b.yaml": "x"},
        "prod",
        "specs are files, such as web.yaml or specs/a.yml",
    ),
    "no spec": ({"notes.txt": "x"}, "prod", "specs are files, such as prod.yaml"),
    "a slip": ({"specs/a.yaml": "x", "mine.yaml": "x"}, "mime.yaml", "did you mean mine.yaml?"),
}


@pytest.mark.parametrize("what", NEARBY)
def test_no_file_of_that_name(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, given, hint = NEARBY[what]
    monkeypatch.chdir(tmp_path)
    for name, text in there.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    assert told(given) == f"{given}:1:1: the file does not exist; {hint}\n"


def test_missing_folder() -> None:
    assert told("nowhere/spec.yaml") == "nowhere/spec.yaml:1:1: the file does not exist\n"


def test_folder() -> None:
    assert told("broken") == "broken:1:1: the file is a folder, not a file\n"


def test_not_a_file_name() -> None:
    assert told("a\0b") == "a\0b:1:1: the file is not the name of a file\n"


def test_unreadable_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert told("broken/empty.yaml") == "broken/empty.yaml:1:1: the file may not be read by you\n"


def test_too_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("large.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    assert told("large.yaml") == "large.yaml:1:1: the file is larger than 1024 KiB\n"


USER_DATA = """\
environment: test
region: us-east-1
fleets:
  web: {{count: 1, image: ami-0123456789abcdef0, instance_type: t3.micro, user_data: {{file: "{}"}}}}
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "missing.sh",
            "the file missing.sh does not exist; looked in the folder that you are in: the names "
            "of files are relative to the folder of the spec",
        ),
        (
            "sub/missing.sh",
            "the file sub/missing.sh does not exist; looked in sub: the names of files are "
            "relative to the folder of the spec",
        ),
        ("large.sh", "the file large.sh is larger than 1024 KiB"),
        ("a\\0b", "the file a\0b is not the name of a file"),
    ],
)
def test_file_that_a_spec_names(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("large.sh").write_bytes(b"#" * (1024 * 1024 + 1))
    Path("spec.yaml").write_text(USER_DATA.format(name))
    assert told("spec.yaml") == f"spec.yaml:4:92: fleets.web.user_data.file: {message}\n"


@pytest.mark.parametrize("where", ["wrong-place", "list"])
def test_secrets_are_not_told_at_length(where: str) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY!"
    assert secret in Path(f"broken/secret-in-{where}.yaml").read_text()
    assert secret not in told(f"broken/secret-in-{where}.yaml")
