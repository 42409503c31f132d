"""Parts of many environments by several machines, one report of them, and work done by other processes."""

from __future__ import annotations

import json
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from provisioner.aws.connect import Options
from provisioner.cli.elsewhere import Elsewhere, Task, do_task
from provisioner.cli.plan_many import Planning
from provisioner.errors import UsageError
from provisioner.many.executors import Pool
from provisioner.many.jobs import load_jobs
from provisioner.many.runner import grouped
from provisioner.many.spec_file import SpecFile
from tests.support.cloud import Cloud
from tests.support.fixtures import Run
from tests.support.program import Program, Ran
from tests.support.specs import ROLES_ONLY

REGIONS = ("us-east-1", "us-east-1", "us-west-2", "us-west-2", "eu-west-1")


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """Five specs in three regions, and one that is wrong."""
    folder = tmp_path / "specs"
    folder.mkdir()
    for number, region in enumerate(REGIONS):
        spec = {**ROLES_ONLY, "environment": f"shop-{number}", "region": region}
        (folder / f"{number}.yaml").write_text(json.dumps(spec))
    (folder / "wrong.yaml").write_text("region: us-east-1\n")
    return folder


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    return folder


def shards(program: Program, specs: Path, reports: Path, count: int) -> list[Ran]:
    """A plan by each of several machines."""
    return [
        program.run("plan", specs, "--shard", f"{number}/{count}", "--report", f"{reports}/")
        for number in range(1, count + 1)
    ]


def test_the_reports_of_all_shards_are_merged_into_that_of_one_machine(
    program: Program, cloud: Cloud, specs: Path, reports: Path, tmp_path: Path
) -> None:
    told = [ran.err.splitlines()[0] for ran in shards(program, specs, reports, 3)]
    numbers = [int(line.split()[2]) for line in told]
    assert sum(numbers) == 6
    assert [line.partition(": ")[2] for line in told] == [f"{number} of 6 environments" for number in numbers]
    assert sorted(path.name for path in reports.iterdir()) == [
        f"plan-{number}-of-3.json" for number in (1, 2, 3)
    ]
    whole = program.run("plan", specs, "--format", "json").data
    merged = program.run("report", "merge", reports, "--format", "json", "--report", tmp_path / "all.json")
    assert merged.code == whole["exit_code"] == 3
    assert merged.data | {"shards": None} == whole
    assert json.loads((tmp_path / "all.json").read_text()) == merged.data


def test_a_missing_shard_is_told_and_what_is_merged_whole_can_be_removed(
    program: Program, cloud: Cloud, specs: Path, reports: Path
) -> None:
    shards(program, specs, reports, 3)
    second = reports / "plan-2-of-3.json"
    content = second.read_bytes()
    second.unlink()
    page = reports / "plan.html"
    ran = program.run("report", "merge", f"{reports}/plan-*-of-*.json", "--remove", "--report", page)
    assert ran.code == 1
    assert "1 of 3 shards is missing: 2/3; 1 of 6 environments are not in this report" in ran.err
    assert "run it again with --shard 2/3" in ran.err
    second.write_bytes(content)
    assert (
        program.run("report", "merge", f"{reports}/plan-*-of-*.json", "--remove", "--report", page).code == 3
    )
    assert list(reports.iterdir()) == [page]
    again = program.run("report", "merge", f"{reports}/plan-*-of-*.json")
    assert (again.code, "matches no report" in again.err) == (3, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "x.json"),
        ("{", "this is not JSON"),
        ("[]", "the file is not a report"),
        ('{"format_version": 1}', "the file is not a report"),
        ('{"format_version": 2}', "format 2"),
    ],
)
def test_what_is_no_report_is_told(
    program: Program, tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    ran = program.run("report", "merge", path)
    assert ran.code == 3, ran.said
    assert message in ran.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "0/3"], "'0/3' is no shard"),
        (
            ["--shard", "auto"],
            "none of AWS_BATCH_JOB_ARRAY_INDEX, JOB_COMPLETION_INDEX, CI_NODE_INDEX is set",
        ),
        (["--executor", "threads"], "there is no such executor"),
        (["--report", "nowhere/"], "--report nowhere/"),
        (["--shard", "1/2", "--report", "nowhere/deeper/"], "there is no folder nowhere/deeper"),
        (["--report", ""], "--report: is empty"),
        (["--report", "r.json/"], "--report r.json/: is the name of a folder"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_sent(
    program: Program, cloud: Cloud, specs: Path, options: list[str], message: str
) -> None:
    cloud.forget_calls()
    ran = program.run("plan", specs, *options)
    assert ran.code == 3, ran.said
    assert message in ran.err
    assert cloud.calls() == []


@pytest.mark.long
def test_an_apply_by_processes_is_the_same_as_by_this_one(run: Run, cloud: Cloud, specs: Path) -> None:
    paths = [specs / f"{number}.yaml" for number in (0, 1, 2)]
    ran = run("apply", *paths, "--yes", "--executor", "processes:2", "--format", "json")
    assert ran.code == 0, ran.said
    assert ran.data["summary"]["changed"] == len(paths)
    assert {part["address"] for told in ran.data["environments"] for part in told["result"]["done"]} == {
        "role/worker",
        "instance_profile/worker",
    }
    assert len(cloud.roles("/provisioner/shop-")) == len(paths)


def test_a_worker_of_another_version_does_nothing(program: Program, cloud: Cloud, specs: Path) -> None:
    planning = Planning(Options(local=True))
    task = Task(
        "0.0.1",
        (SpecFile(os.fspath(specs / "0.yaml")),),
        planning.load,
        planning.work,
        planning.options,
        True,
    )
    cloud.forget_calls()
    with pytest.raises(UsageError, match=r"a worker has version .* of provisioner, and this is 0\.0\.1"):
        do_task(task)
    assert cloud.calls() == []


def test_credentials_are_never_sent(
    program: Program, cloud: Cloud, specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "mine-alone")
    sent = []

    class Recording(ThreadPoolExecutor):
        def submit(self, do: Callable[..., Any], /, *values: Any, **named: Any) -> Future[Any]:
            sent.append(pickle.dumps((do, values)))
            there, what = pickle.loads(sent[-1])
            return super().submit(there, *what)

    @contextmanager
    def opened() -> Iterator[Pool]:
        with Recording(1) as executor:
            yield Pool(executor, lambda: 1)

    planning = Planning(Options(local=True))
    elsewhere = Elsewhere(opened, planning.load, planning.options)
    jobs, _ = load_jobs([SpecFile(os.fspath(specs / f"{number}.yaml")) for number in range(5)], planning.load)
    planned = list(elsewhere.outcomes(grouped(jobs), lambda _: planning.work, threading.Event()))
    by_place = {outcome.place: outcome for outcome in planned}
    applied = list(elsewhere.applied(jobs, planning, by_place, threading.Event()))
    assert [outcome.exit_code for outcome in applied] == [0] * 5, applied
    assert len(sent) == 6
    assert not any(b"mine-alone" in text for text in sent)
