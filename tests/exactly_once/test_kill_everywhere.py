"""Kill it anywhere, run it again: exactly what the spec says, nothing twice, nothing left, nothing foreign.

The program runs as a process of its own and is really killed, at every request that it makes: once before
the request is sent, once when it was executed and the reply is on its way.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..whole.cloud import Cloud
from ..whole.program import ROOT
from .conftest import SPEED
from .killing import Killing, Side, run_and_kill
from .runs import Nursery, Running
from .sweep import NUMBERED, PLAIN, Account
from .wire import Request, Wire

# In the life of the program; for the local AWS it is as much shorter as the program's own pauses are.
LAG_S = 5.0
# No run makes as many requests, however often it has to look again.
MORE_THAN_ANY = 500

BOTH_SIDES = pytest.mark.parametrize("side", Side, ids=lambda side: side.name.lower())
AT_ONCE = pytest.param({}, id="shown-at-once")
LAGGING = pytest.param({"lag_s": LAG_S / SPEED}, id="shown-late")
ALL_LATE = pytest.param({"lag_s": LAG_S / SPEED, "iam_lag_s": LAG_S / SPEED}, id="shown-late-by-iam-too")
EVERY_LAG = pytest.mark.parametrize("lag", [AT_ONCE, LAGGING, ALL_LATE])


class Case:
    """One run that is killed, and what has to be true after one more."""

    def __init__(self, cloud: Cloud, wire: Wire, nursery: Nursery, folder: Path) -> None:
        self._cloud = cloud
        self._wire = wire
        self._nursery = nursery
        self._folder = folder

    def apply(self, side: Side, at: Callable[[Request], bool], **lag: float) -> Request | None:
        """An apply from nothing is killed, and run again."""
        account = Account.prepared(self._cloud, self._folder)
        self._cloud.break_with(**lag)
        killed_at = self._killed("apply", account, side, at)
        if killed_at:
            self._runs(0, "apply", "--yes", account)
        self._all_is_shown()
        self._runs(0, "plan", "--detailed-exitcode", account)
        account.is_as_the_spec_says()
        assert account.launched() == NUMBERED + PLAIN
        return killed_at

    def destroy(self, side: Side, at: Callable[[Request], bool], **lag: float) -> Request | None:
        """A destroy of everything is killed, and run again."""
        account = Account.prepared(self._cloud, self._folder)
        self._runs(0, "apply", "--yes", account)
        self._cloud.break_with(**lag)
        killed_at = self._killed("destroy", account, side, at)
        if killed_at:
            self._runs(0, "destroy", "--yes", account)
        self._all_is_shown()
        self._runs(0, "plan", "--destroy", "--detailed-exitcode", account)
        account.is_untouched()
        assert account.launched() == NUMBERED + PLAIN
        return killed_at

    def _killed(
        self, command: str, account: Account, side: Side, at: Callable[[Request], bool]
    ) -> Request | None:
        args = (command, "--yes", "--endpoint-url", self._wire.url, str(account.spec))
        return run_and_kill(self._nursery, self._wire, side, at, *args)

    def _runs(self, code: int, *args: str | Account) -> None:
        words = [str(each.spec) if isinstance(each, Account) else each for each in args]
        ran = self._nursery.run(*words, "--endpoint-url", self._wire.url)
        assert ran.code == code, ran.said

    def _all_is_shown(self) -> None:
        self._wire.settle()
        self._cloud.mend()


@pytest.fixture
def case(aws: Cloud, wire: Wire, nursery: Nursery, tmp_path: Path) -> Case:
    return Case(aws, wire, nursery, tmp_path)


def first(operation: str, nth: int = 1) -> Callable[[Request], bool]:
    """Whether a request is the first, or another one, of an operation."""
    return lambda request: (request.operation, request.nth) == (operation, nth)


@BOTH_SIDES
class TestTheCallsThatMatterMost:
    @pytest.mark.parametrize(
        "at",
        [
            first("CreateInstanceProfile"),
            first("RunInstances"),
            first("RunInstances", 4),
            first("CreateTags", 2),
            first("AssociateIamInstanceProfile"),
        ],
        ids=["CreateInstanceProfile", "RunInstances-1", "RunInstances-4", "CreateTags-2", "Associate"],
    )
    def test_an_apply(self, case: Case, side: Side, at: Callable[[Request], bool]) -> None:
        assert case.apply(side, at)

    def test_a_launch_that_is_shown_late(self, case: Case, side: Side) -> None:
        assert case.apply(side, first("RunInstances"), lag_s=LAG_S / SPEED)

    @pytest.mark.parametrize(
        "at", [first("TerminateInstances"), first("DeleteRole")], ids=["TerminateInstances", "DeleteRole"]
    )
    def test_a_destroy(self, case: Case, side: Side, at: Callable[[Request], bool]) -> None:
        assert case.destroy(side, at)


@pytest.mark.long
@pytest.mark.parametrize("command", ["apply", "destroy"])
@BOTH_SIDES
@EVERY_LAG
def test_every_single_call(case: Case, command: str, side: Side, lag: dict[str, float]) -> None:
    wrong = []
    calls = 0
    for number in range(1, MORE_THAN_ANY):
        try:
            killed_at = getattr(case, command)(side, lambda request, n=number: request.number == n, **lag)
        except AssertionError as error:
            wrong.append(f"killed at request {number}: {error}")
            continue
        if killed_at is None:
            break
        calls += 1
    assert not wrong, "\n\n".join([f"{len(wrong)} cases", *wrong])
    assert calls >= {"apply": 30, "destroy": 20}[command]


@BOTH_SIDES
def test_a_program_that_was_not_forked(
    aws: Cloud, wire: Wire, credentials: dict[str, str], tmp_path: Path, side: Side
) -> None:
    account = Account.prepared(aws, tmp_path)
    words = ["apply", "--yes", "--endpoint-url", wire.url, str(account.spec)]
    command = [sys.executable, "-m", "provisioner", *words]
    killing = Killing(side, first("RunInstances", 2))
    wire.watch(killing)
    with subprocess.Popen(command, env=credentials, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        killing.victim.set_result(Running(process.pid, tmp_path))
    assert process.returncode == -signal.SIGKILL
    wire.watch()
    again = subprocess.run(command, env=credentials, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    assert again.returncode == 0
    account.is_as_the_spec_says()
    assert account.launched() == NUMBERED + PLAIN
