"""`init`: a spec that the loader takes, from any answers; and nothing is overwritten."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from provisioner.cli.app import cli
from provisioner.errors import UsageError
from provisioner.kinds import KINDS
from provisioner.kinds.fleet.spec import Fleet
from provisioner.model import Address, Environment
from provisioner.spec import load
from provisioner.spec.new_spec import Answers, new_spec, this_evening

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUbSMnzStCLmP8sBYExnDW33R8AhRajCmrBQpm5nsQO me\n"
SERVER = Address("fleet", "server")
HERE = timezone(timedelta(hours=1))

Init = Callable[..., Environment]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, and a home with a key that EC2 takes and one that it does not."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "a-work.pub").write_text("ecdsa-sha2-nistp256 AAAA me\n")
    (home / ".ssh" / "id_ed25519.pub").write_text(ED25519)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    (tmp_path / "Data Team").mkdir()
    monkeypatch.chdir(tmp_path / "Data Team")
    return tmp_path / "Data Team"


def init(*words: str) -> None:
    cli.main(["init", *words], prog_name="provisioner", standalone_mode=False)


def written(path: Path) -> Environment:
    return load(str(path), KINDS)


@pytest.mark.parametrize(
    ("name", "count", "type_", "key", "expires"),
    list(
        itertools.product(
            ("crunch", "2026-11", "yes", "a"),
            (0, 50),
            ("t3.micro", "t4g.small", "m7gd.large", "u-6tb1.112xlarge"),
            ("id_ed25519.pub", None),
            ("8h", "2026-11-26T18:00:00+01:00", None),
        ),
    ),
)
def test_every_combination_of_answers_is_a_spec(
    folder: Path, name: str, count: int, type_: str, key: str | None, expires: str | None
) -> None:
    path = folder / "spec.yaml"
    path.write_text(new_spec(Answers(name, "eu-west-1", count, type_, key, expires)))
    made = written(path)
    fleet = made.of(Fleet)[SERVER]
    assert (made.name, made.region, fleet.count, fleet.instance_types) == (name, "eu-west-1", count, (type_,))
    assert (fleet.key_name is not None, made.expires is not None) == (key is not None, expires is not None)
    is_arm = type_.startswith(("t4g", "m7gd"))
    assert (fleet.image.ssm or "").endswith("arm64" if is_arm else "x86_64")


def test_without_questions_it_takes_what_is_there(folder: Path) -> None:
    init("--yes")
    made = written(folder / "data-team.yaml")
    assert (made.name, made.region) == ("data-team", "us-east-1")
    assert 'ssh: "id_ed25519.pub"' in (folder / "data-team.yaml").read_text()
    assert made.expires is not None


def test_options_are_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    init(
        "crunch.yaml",
        "--yes",
        "--count",
        "50",
        "--key",
        "none",
        "--expires",
        "never",
        "--instance-type",
        "t4g.small",
    )
    made = written(folder / "crunch.yaml")
    assert (made.name, made.region, made.expires, made.of(Fleet)[SERVER].count) == (
        "crunch",
        "eu-central-1",
        None,
        50,
    )
    assert "# key_pairs:" in (folder / "crunch.yaml").read_text()


def test_where_there_is_no_key_it_says_how_to_have_one(folder: Path) -> None:
    for key in Path.home().glob(".ssh/*.pub"):
        key.unlink()
    init("--yes", "crunch.yaml")
    assert "ssh-keygen -t ed25519" in (folder / "crunch.yaml").read_text()
    assert written(folder / "crunch.yaml").of(Fleet)[SERVER].key_name is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["there.yaml", "--yes"], "is there already"),
        (["spec.json", "--yes"], "a spec is YAML"),
        (["", "--yes"], "is not the name of a file"),
        (["new.yaml/", "--yes"], "is not the name of a file"),
        (["nowhere/spec.yaml", "--yes"], "there is no folder"),
        (["folder.yaml", "--yes", "--force"], "is not a regular file"),
        (["link.yaml", "--yes", "--force"], "is not a regular file"),
        (
            ["new.yaml", "--yes", "--environment", "Too_Bad"],
            "--environment: expected 1 to 32 lower-case letters",
        ),
        (["new.yaml", "--yes", "--region", "moon"], "--region: expected the name of a region"),
        (["new.yaml", "--yes", "--key", "nobody.pub"], "--key: "),
        (
            ["new.yaml", "--yes", "--expires", "tomorrow"],
            "--expires: 'tomorrow' is neither a time nor a duration",
        ),
        (
            ["new.yaml", "--yes", "--expires", "2020-01-01T18:00:00Z"],
            "--expires: 2020-01-01T18:00:00Z is past",
        ),
        (["new.yaml", "--yes", "--instance-type", "large: 1"], "--instance-type: expected an instance type"),
        (["new.yaml"], "there is no terminal to ask on"),
    ],
)
def test_what_it_refuses_and_then_nothing_is_written(folder: Path, words: list[str], said: str) -> None:
    (folder / "there.yaml").write_text("mine")
    (folder / "folder.yaml").mkdir()
    (folder / "link.yaml").symlink_to(folder / "there.yaml")
    with pytest.raises(UsageError) as refused:
        init(*words)
    assert said in refused.value.message
    assert (folder / "there.yaml").read_text() == "mine"
    assert not (folder / "new.yaml").exists()


def test_a_file_that_is_there_is_replaced_by_force(folder: Path) -> None:
    (folder / "there.yaml").write_text("mine")
    init("there.yaml", "--yes", "--force")
    assert written(folder / "there.yaml").name == "there"


def test_in_a_checkout_editors_are_told_of_the_schema(folder: Path) -> None:
    (folder / "schemas").mkdir()
    (folder / "schemas" / "environment.schema.json").write_text("{}")
    (folder / "specs").mkdir()
    init("specs/crunch.yaml", "--yes")
    first = (folder / "specs" / "crunch.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../schemas/environment.schema.json"


@pytest.mark.parametrize(
    ("hour", "ends"),
    [(9, "2026-11-26T18:00:00+01:00"), (16, "2026-11-26T18:00:00+01:00"), (17, "8h"), (22, "8h")],
)
def test_it_ends_this_evening_where_that_is_still_to_come(hour: int, ends: str) -> None:
    assert this_evening(datetime(2026, 11, 26, hour, tzinfo=HERE)) == ends


class Terminal(io.StringIO):
    """What somebody types."""

    def isatty(self) -> bool:
        return True


def test_it_asks_what_it_is_not_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("shop\nmany\n7\n\nnone\n8h\n"))
    init("crunch.yaml", "--region", "eu-west-1")
    made = written(folder / "crunch.yaml")
    assert (made.name, made.region) == ("shop", "eu-west-1")
    assert (made.of(Fleet)[SERVER].count, made.of(Fleet)[SERVER].key_name) == (7, None)


@pytest.mark.parametrize(("words", "kept"), [((), True), (("--force",), False)])
def test_a_file_that_is_made_while_it_asks_is_replaced_by_force_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], kept: bool
) -> None:
    target = folder / "crunch.yaml"

    class Slow(Terminal):
        def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
            target.write_text("of a colleague")
            return super().readline(size)

    monkeypatch.setattr(sys, "stdin", Slow("shop\neu-west-1\n7\n\nnone\n8h\n"))
    with pytest.raises(UsageError, match="is there already") if kept else nullcontext():
        init("crunch.yaml", *words)
    assert (target.read_text() == "of a colleague") == kept


def test_what_is_wrong_is_asked_again_at_once_and_no_answer_is_lost(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = (
        "Too_Bad\nshop\nus-est-1\neu-west-1\n3\nt3\nt3.small\nmissing.pub\nnone\n2020-01-01T18:00:00Z\n8h\n"
    )
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    init("crunch.yaml")
    made = written(folder / "crunch.yaml")
    assert (made.name, made.region) == ("shop", "eu-west-1")
    assert (made.of(Fleet)[SERVER].count, made.of(Fleet)[SERVER].instance_types) == (3, ("t3.small",))
    assert capsys.readouterr().out.count("Error: ") == 5


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("0", "provisioner plan 'My Data.yaml'\n"),
        ("1", "provisioner plan 'My Data.yaml' --local\n"),
    ],
)
def test_it_ends_with_commands_that_can_be_pasted(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    said: str,
) -> None:
    monkeypatch.setenv("PROVISIONER_LOCAL", variable)
    init("My Data.yaml", "--yes")
    told = capsys.readouterr().out
    assert said in told
    assert ("add --local" in told) == (variable == "0")
    lines = (folder / "My Data.yaml").read_text().splitlines()
    assert [line for line in lines if line.count("#") > 1 and not line.strip().startswith(("#", "- #"))] == []
