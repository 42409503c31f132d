"""`--report` replaces no file of anybody else, and `--expect` takes a report only as it was made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provisioner.cli.expect import read_expected, read_expected_report
from provisioner.cli.report_file import check_target, read_report, report_path, write_report
from provisioner.errors import Refused, UsageError
from provisioner.many.outcome import Outcome, Trouble, Verdict
from provisioner.many.report import report_data
from provisioner.many.shards import Shard
from tests.unit.many.test_plans import outcomes


def written(folder: Path, name: str = "report.json") -> tuple[Path, dict[str, Any]]:
    made = outcomes("ant", "bee")
    path = folder / name
    report = report_data("plan", made)
    check_target(str(path))
    write_report(str(path), report, made, local=True)
    return path, report


@pytest.mark.parametrize("name", ["report.json", "report.md", "report.html"])
def test_a_report_may_replace_a_report_and_nothing_else(tmp_path: Path, name: str) -> None:
    path, _ = written(tmp_path, name)
    assert path.stat().st_mode & 0o777 == 0o600
    check_target(str(path))
    path.write_text("# What somebody wrote\n")
    with pytest.raises(UsageError, match="is not a report"):
        check_target(str(path))


@pytest.mark.parametrize(
    "name", ["report", "report.yaml", "nowhere/report.json", "folder.json", "r.json/", "r.json/.", "."]
)
def test_some_names_are_refused_before_anything_is_sent(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UsageError):
        check_target(f"{tmp_path}/{name}")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that takes no file of anybody")
def test_a_folder_that_takes_no_file_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match="nothing can be written to /proc/self: "):
        check_target("/proc/self/report.json")


@pytest.mark.parametrize("name", ["reports/", "reports/.", "there"])
def test_the_folder_for_the_reports_of_shards_is_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "there").mkdir()
    for number in (1, 2):
        path = report_path(f"{tmp_path}/{name}", "plan", Shard(number, 2))
        check_target(path)
        assert Path(path).name == f"plan-{number}-of-2.json"


def test_no_folder_is_made_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"--report .*file/: "):
        report_path(f"{tmp_path}/file/", "plan", Shard(1, 2))


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path, report = written(tmp_path)
    assert read_report(str(path)) == report
    approved = read_expected_report(str(path))
    assert approved is not None
    approved.require(report)
    with pytest.raises(Refused) as raised:
        approved.require(report_data("plan", outcomes("ant", "cat")))
    assert "what differs: bee, cat" in (raised.value.hint or "")


@pytest.mark.parametrize("name", ["report.json", "report.md", "report.html"])
def test_a_spec_whose_name_is_not_utf_8_is_told_with_its_name_escaped(tmp_path: Path, name: str) -> None:
    made = [replace(outcome, source="specs/\udcff.yaml") for outcome in outcomes("ant")]
    wrong = Outcome("specs/\udcfe.yaml", Verdict.WRONG, 3, "wrong", trouble=Trouble("specs/\udcfe.yaml: bad"))
    report = report_data("plan", [*made, wrong])
    path = tmp_path / name
    write_report(str(path), report, [*made, wrong], local=True)
    assert "udcfe" in path.read_text(encoding="utf-8")
    if name == "report.json":
        assert read_report(str(path)) == report


def test_a_report_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    path, report = written(tmp_path)
    report["environments"][0]["plan"]["changes"] = []
    path.write_text(json.dumps(report))
    with pytest.raises(UsageError, match="was changed after it was made"):
        read_report(str(path))


@pytest.mark.parametrize("text", ["", "abc123", "nowhere.json"])
def test_what_is_neither_a_digest_nor_a_report_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        read_expected_report(str(tmp_path / text) if text.endswith(".json") else text)


def test_a_digest_is_taken_in_capitals_and_with_spaces() -> None:
    approved = read_expected_report(f" {'AB' * 20}\n")
    assert approved is not None
    assert approved.digest == "ab" * 20


def test_the_plan_of_one_spec_is_no_report_and_the_other_way_round(tmp_path: Path) -> None:
    path, report = written(tmp_path)
    with pytest.raises(UsageError, match="the file is a report of many specs, not a plan"):
        read_expected(str(path))
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(report["environments"][0]["plan"]))
    with pytest.raises(UsageError, match="the file is the plan of one spec, not a report"):
        read_expected_report(str(plan))
