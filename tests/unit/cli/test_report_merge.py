"""`report merge` loses no report: neither where it writes nor where it removes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from provisioner.cli.output import Gate
from provisioner.cli.report import merge
from provisioner.errors import UsageError
from provisioner.many.merge import merge_reports
from provisioner.many.report import report_data
from provisioner.many.shards import Shard
from tests.unit.many.test_merge import outcome, reports, sized
from tests.unit.many.test_plans import outcomes

NAMES = ("apply-1-of-3.json", "apply-2-of-3.json", "apply-3-of-3.json")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reports of three shards, which are what is in this folder."""
    monkeypatch.chdir(tmp_path)
    for name, (_, report) in zip(NAMES, reports([0] * 6, 3, "apply"), strict=True):
        put(name, report)
    return tmp_path


def put(name: str, report: dict[str, Any]) -> None:
    Path(name).write_text(json.dumps(report, indent=2))


def put_team(name: str, *numbers: int) -> None:
    put(name, report_data("drift", [outcome(number, 0) for number in numbers]))


def merged(*files: str, report: str | None = None, remove: bool = False, form: str = "text") -> int:
    assert merge.callback
    code = merge.callback(files=files, output_format=form, report=report, remove=remove)
    return int(code or 0)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_merged_whole_is_removed(folder: Path) -> None:
    assert merged(".", report="all.json", remove=True) == 0
    assert [path.name for path in folder.iterdir()] == ["all.json"]


def test_nothing_is_removed_where_a_shard_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(NAMES[1]).unlink()
    assert merged(".", report="all.json", remove=True) == 1
    assert sorted(contents(folder)) == ["all.json", NAMES[0], NAMES[2]]
    assert "--remove: nothing was removed, as a shard is missing" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_nothing_is_removed_where_the_merged_report_is_not_printed(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    with open("/dev/full", "w") as full, redirect_stdout(Gate(full, "stdout")):  # noqa: PTH123
        assert merged(".", remove=True, form=form) == 1
    assert sorted(contents(folder)) == list(NAMES)
    assert "--remove: nothing was removed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("form", "name"), [("text", "all.html"), ("markdown", "all.md"), ("html", "all.html")]
)
def test_people_are_told_of_a_missing_shard_and_given_no_digest(
    capsys: pytest.CaptureFixture[str], form: str, name: str
) -> None:
    made = outcomes("ant", "bee", "cat")
    shards = [Shard(number, 3).of(sized(made)) for number in (1, 2, 3)]
    parts = [report_data("plan", [told], shard) for told, shard in zip(made, shards, strict=True)]
    for number, part in enumerate(parts):
        put(f"plan-{number}.json", part)

    def told(*numbers: int) -> tuple[str, str, str]:
        files = [f"plan-{number}.json" for number in numbers]
        merged(*files, report=name, form=form)
        return capsys.readouterr().out, Path(name).read_text(), merge_reports_of(files)["digest"]

    printed, written, digest = told(0, 1, 2)
    assert digest in printed
    assert digest in written
    assert "is missing" not in printed + written
    printed, written, digest = told(0, 2)
    assert digest not in printed + written
    assert "1 of 3 shards is missing" in written
    assert "1 of 3 shards is missing" in printed or form == "text"
    assert 'class="verdict refused"' in written or name == "all.md"


def merge_reports_of(files: Sequence[str]) -> dict[str, Any]:
    return merge_reports([(file, json.loads(Path(file).read_text())) for file in files])


@pytest.mark.parametrize("files", [[NAMES[0], NAMES[1]], NAMES, ["."], ["apply-*.json"], NAMES[1:]])
def test_the_report_of_a_shard_is_not_replaced(folder: Path, files: Sequence[str]) -> None:
    before = contents(folder)
    with pytest.raises(UsageError, match="is the report of shard 1/3, which would be lost"):
        merged(*files, report=NAMES[0])
    assert contents(folder) == before


def test_nor_is_one_of_another_command(folder: Path) -> None:
    put("plan-1-of-3.json", reports([0] * 6, 3, "plan")[0][1])
    before = contents(folder)
    with pytest.raises(UsageError, match="which would be lost"):
        merged(*NAMES, report="plan-1-of-3.json")
    assert contents(folder) == before


def test_nor_is_a_merged_report_whose_shards_are_nowhere_else(folder: Path) -> None:
    merged(NAMES[0], NAMES[2], report="all.json")
    before = contents(folder)
    with pytest.raises(UsageError, match="is the report of shards 1/3, 3/3, which would be lost"):
        merged("all.json", NAMES[1], report="all.json")
    assert contents(folder) == before


def test_nor_is_the_report_of_a_run_without_shards(folder: Path) -> None:
    put_team("ant.json", 1, 2)
    put_team("bee.json", 3)
    before = contents(folder)
    with pytest.raises(UsageError, match="the report of a run of its own, which would be lost"):
        merged("ant.json", "bee.json", report="ant.json")
    assert contents(folder) == before


@pytest.mark.parametrize("first", [NAMES, NAMES[:1], NAMES[:2]])
def test_what_an_earlier_merge_has_made_is_left_out_and_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str], first: Sequence[str]
) -> None:
    merged(*first, report="all.json")
    capsys.readouterr()
    assert merged(".", report="all.json") == 0
    assert json.loads(Path("all.json").read_text())["shards"]["numbers"] == [1, 2, 3]
    assert "note all.json is left out, as it is the file to be written" in capsys.readouterr().err


def test_so_is_that_of_shards_of_other_specs(folder: Path) -> None:
    old = reports([0] * 4, 3, "apply")
    put("all.json", merge_reports(old))
    assert merged(".", report="all.json") == 0
    assert json.loads(Path("all.json").read_text())["summary"]["environments"] == 6


def test_so_is_that_of_runs_without_shards() -> None:
    put_team("ant.json", 1)
    put_team("bee.json", 2)
    put_team("both.json", 1, 2, 3)
    assert merged("ant.json", "bee.json", "both.json", report="both.json") == 0
    assert json.loads(Path("both.json").read_text())["summary"]["environments"] == 2


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (NAMES[1:2], "run it again with --shard 2/3, which is safe, and merge again"),
        (NAMES[1:], "run each again, with --shard 2/3, --shard 3/3, which is safe, and merge again"),
    ],
)
def test_all_that_is_missing_is_told_as_it_is_typed(
    capsys: pytest.CaptureFixture[str], missing: Sequence[str], words: str
) -> None:
    for name in missing:
        Path(name).unlink()
    assert merged(".") == 1
    assert words in capsys.readouterr().err
