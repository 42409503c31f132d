"""An output that fails stops no apply; what is lost is told where it can be, and by the exit code."""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from local_aws import Rule
from tests.support.cloud import Cloud
from tests.support.program import ROOT, TIMEOUT_S, Program
from tests.support.specs import IMAGE, PROBE, ROLES_ONLY, having

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

FAILING = (Rule("error", "RunInstances", code="UnauthorizedOperation", status=403),)


class Started:
    """The program with outputs as a shell would give it."""

    def __init__(
        self, words: list[str], environment: dict[str, str], outputs: str = "", limit: int = 0
    ) -> None:
        """`outputs`: redirections as a shell writes them; `limit`: the most bytes of a file, if not 0."""

        def prepare() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        # Python would keep what it compiles as a file that the limit cuts off, for all other tests.
        command = f'exec "{sys.executable}" -B -m provisioner "$@" {outputs}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, "bash", *words],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=prepare,
        )

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        for text in (out, err):
            assert "Traceback" not in text
            assert "bug in provisioner" not in text
            assert "Exception ignored" not in text
        return self.process.returncode, out, err


@pytest.fixture
def spec(write: Callable[[Any], Path]) -> str:
    return str(write(PROBE))


GONE = {
    "stdout full": ">/dev/full",
    "stderr full": "2>/dev/full",
    "both full": ">/dev/full 2>&1",
    "stdout closed": ">&-",
    "stderr closed": "2>&-",
    "both closed": ">&- 2>&-",
    "all closed": "<&- >&- 2>&-",
    "stdout for reading": ">&0 0</dev/null",
}


FOR_PROGRAMS = ["--format", "json", "-v"]


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        *((redirection, []) for redirection in GONE.values()),
        *((GONE[case], FOR_PROGRAMS) for case in ("both full", "both closed")),
    ],
)
def test_an_apply_does_all_of_it_and_ends_as_it_deserves(
    outputs: str, words: list[str], spec: str, local_environment: dict[str, str], cloud: Cloud
) -> None:
    code, out, err = Started(["apply", "--yes", *words, spec], local_environment, outputs).end()
    assert code == 0
    assert len(cloud.ids("probe")) == 2
    if "full" in outputs and "2>" not in outputs:
        assert "No space left on device" in err
        assert "3 done" in err
    if outputs == "2>/dev/full" and not words:
        assert "3 done" in out


@pytest.mark.parametrize("outputs", [">/dev/full", "2>/dev/full", "2>&-"])
def test_a_failed_apply_has_failed_and_says_so_where_it_can(
    outputs: str, spec: str, local_environment: dict[str, str], cloud: Cloud
) -> None:
    cloud.break_with(*FAILING)
    code, out, err = Started(["apply", "--yes", spec], local_environment, outputs).end()
    assert code == 1
    assert "UnauthorizedOperation" in out + err


def test_an_apply_outlasts_the_room_that_its_log_may_take(
    spec: str, local_environment: dict[str, str], cloud: Cloud, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    words = ["apply", "--yes", spec]
    code, _, err = Started(words, local_environment, f'>"{log}"', limit=200).end()
    assert code == 0
    assert log.stat().st_size == 200
    assert "File too large" in err
    assert len(cloud.ids("probe")) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "{spec}"],
        ["plan", "--format", "json", "{spec}"],
        ["status", "{spec}"],
        ["status", "--watch", "{spec}"],
        ["list", "--region", "us-east-1", "--format", "json"],
        ["reap", "--region", "us-east-1", "--yes"],
        ["permissions", "{spec}"],
        ["inventory", "{spec}"],
        ["show", "{spec}"],
        ["validate", "{spec}"],
        ["schema"],
    ],
)
@pytest.mark.parametrize("outputs", [">/dev/full", ">&-"])
def test_what_only_prints_has_failed_when_that_is_lost(
    outputs: str, words: list[str], spec: str, local_environment: dict[str, str], cloud: Cloud
) -> None:
    words = [spec if word == "{spec}" else word for word in words]
    code, _, err = Started(words, local_environment, outputs).end()
    assert code == 1
    assert "error: stdout cannot be written" in err


def test_a_watch_ends_when_nobody_reads_it_any_more(
    spec: str, local_environment: dict[str, str], cloud: Cloud
) -> None:
    code, _, err = Started(["status", "--watch", spec], local_environment, "> >(true)").end()
    assert (code, err) == (0, "")


@pytest.mark.parametrize("outputs", ["2>/dev/full", "2>&-"])
def test_an_error_is_told_on_stdout_when_stderr_cannot_be_written(
    outputs: str, local_environment: dict[str, str]
) -> None:
    code, out, _ = Started(["validate", "no-such-spec.yaml"], local_environment, outputs).end()
    assert code == 3
    assert "no-such-spec.yaml" in out


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_an_apply_whose_terminal_is_gone_finishes_what_is_in_flight(
    number: int, spec: str, local_environment: dict[str, str], cloud: Cloud
) -> None:
    cloud.break_with(boot_s=3600)
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "provisioner", "apply", "--yes", spec],
        env=local_environment | {"TERM": "xterm"},
        cwd=ROOT,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    shown = b""
    while b"0 of 2 running" not in shown:
        shown += os.read(master, 4096)
    # From here on every write to the terminal fails with EIO.
    os.close(master)
    process.send_signal(number)
    assert process.wait(TIMEOUT_S) == 130
    assert len(cloud.ids("probe")) == 2


def test_whoever_starts_it_with_nohup_has_it_go_on(
    spec: str, local_environment: dict[str, str], cloud: Cloud
) -> None:
    cloud.break_with(boot_s=3.0)
    process = subprocess.Popen(
        [sys.executable, "-m", "provisioner", "apply", "--yes", spec],
        env=local_environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert process.stderr
    assert any("fleet/worker" in line for line in process.stderr)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert len(cloud.ids("probe")) == 2


def interrupted_report(
    words: list[str], is_done: Callable[[str], bool], number: int, environment: dict[str, str]
) -> tuple[str, int]:
    """What is said first to whoever interrupts the report, once so many are done, and the exit code."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b" " * 4096)
    os.set_blocking(writer, True)
    process = subprocess.Popen(
        [sys.executable, "-m", "provisioner", *words, "--yes", "--format", "json"],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert process.stderr
    done = (line for line in process.stderr if is_done(line))
    assert len([next(done) for _ in range(number)]) == number
    # Until nothing is left but the report, which nobody reads.
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    heard = next(line for line in process.stderr if is_said(line))
    with os.fdopen(reader) as opened:
        assert opened.read().endswith("}\n")
    process.communicate(timeout=TIMEOUT_S)
    return heard[:9], process.returncode


def is_said(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("Roles,")


def test_who_interrupts_the_report_of_an_apply_is_not_told_that_nothing_was_changed(
    write: Callable[[Any], Path], local_environment: dict[str, str], cloud: Cloud
) -> None:
    specs = [str(write(having(ROLES_ONLY, environment=name))) for name in ("ant", "bee")]
    said = interrupted_report(
        ["apply", *specs], lambda line: line.startswith("Done in"), 2, local_environment
    )
    assert said == ("stopping:", 0)


def test_nor_is_who_interrupts_that_of_a_reap(
    write: Callable[[Any], Path], local_environment: dict[str, str], program: Program, cloud: Cloud
) -> None:
    before = having(ROLES_ONLY, fleets__worker={"count": 1, "image": IMAGE, "instance_type": "t3.micro"})
    # Launched before there was an end, so that it does not end by itself.
    assert [program.apply(spec).code for spec in (before, having(before, expires="8h"))] == [0, 0]
    cloud.wait(9 * 3600.0)
    said = interrupted_report(
        ["reap", "--region", "us-east-1"],
        lambda line: line.startswith("Terminated"),
        1,
        local_environment,
    )
    assert said == ("stopping:", 0)


def test_a_terminal_that_somebody_switched_to_not_waiting_gets_everything(
    write: Callable[[Any], Path], local_environment: dict[str, str], cloud: Cloud
) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = subprocess.Popen(
        [sys.executable, "-m", "provisioner", "schema"],
        env=local_environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    with os.fdopen(reader) as opened:
        content = opened.read()
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert err == b""
    assert content.rstrip().endswith("}")
