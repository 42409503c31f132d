"""A worker that dies in mid-apply has its group done again by another: exactly what the specs say, and once.

With a real scheduler of Dask and three workers, each a process of its own with credentials of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from local_aws import delay
from tests.support.cloud import Cloud
from tests.support.fixtures import Run
from tests.support.program import command
from tests.support.specs import PROBE

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        find_spec("distributed") is None, reason="needs the extra `dask`: pip install distributed"
    ),
    # What Dask and the libraries below it mind is theirs.
    pytest.mark.filterwarnings("default"),
]

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
WORKERS = 3
MEMBERS = 2
LONG_S = 120.0


@pytest.fixture
def scheduler(tmp_path: Path, local_environment: dict[str, str]) -> Iterator[str]:
    """The address of a scheduler with three workers, which have the variables of the local AWS."""
    with ExitStack() as stack:

        def start(module: str, *words: str) -> None:
            log = stack.enter_context((tmp_path / "dask.log").open("ab"))
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *words, "--no-dashboard"],
                env=local_environment,
                stdout=log,
                stderr=log,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)

        where = tmp_path / "scheduler.json"
        start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(where))
        until(where.exists, "no scheduler has come")
        address = str(json.loads(where.read_text())["address"])
        for _ in range(WORKERS):
            start("dask_worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny")
        yield address


def until(is_so: object, why: str) -> None:
    """Wait until something is so."""
    assert callable(is_so)
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < LONG_S, why
        time.sleep(0.05)


def kill_one_that_works(client: Any) -> str:
    """The address of a worker that had a group, and has it no more."""
    pids = client.run(os.getpid)
    busy = [address for address, tasks in client.processing().items() if tasks]
    os.kill(pids[busy[0]], signal.SIGKILL)
    return str(busy[0])


def test_what_a_worker_has_begun_is_ended_by_another(
    tmp_path: Path, cloud: Cloud, local_environment: dict[str, str], run: Run, scheduler: str
) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    for number, region in enumerate(REGIONS * 2):
        spec = json.loads(json.dumps(PROBE)) | {"environment": f"shop-{number}", "region": region}
        (folder / f"{number}.yaml").write_text(json.dumps(spec))
    executor = ("--executor", scheduler.replace("tcp://", "dask://"))

    # Every launch takes long, so that each group is in the middle of its own when a worker is killed.
    cloud.break_with(delay("RunInstances", 6.0))
    cloud.forget_calls()
    applying = subprocess.Popen(
        command(["apply", str(folder), "--yes", "--format", "json", *executor]),
        env=local_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    import distributed

    with distributed.Client(scheduler, set_as_default=False) as client:
        until(lambda: cloud.operations().count("CreateInstanceProfile") >= len(REGIONS), "nothing was begun")
        assert applying.poll() is None
        killed = kill_one_that_works(client)
        out, err = applying.communicate(timeout=LONG_S)
        assert applying.returncode == 0, (out, err)
        assert killed not in client.scheduler_info()["workers"]
    told = json.loads(out)
    assert told["summary"]["changed"] == len(REGIONS) * 2, told["summary"]
    cloud.mend()

    regions = {region: Cloud(cloud.server, region) for region in REGIONS}
    for number, region in enumerate(REGIONS * 2):
        assert len(regions[region].live(f"shop-{number}")) == MEMBERS, number
    again = run("plan", folder, "--detailed-exitcode", *executor)
    assert again.code == 0, again.said
    gone = run("destroy", folder, "--yes", *executor)
    assert gone.code == 0, gone.said
    assert [there.live() for there in regions.values()] == [[], [], []]
    assert cloud.roles("/provisioner/shop-") == []
