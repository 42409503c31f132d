"""Kill it anywhere, run it again: exactly what the spec says, nothing twice, nothing left, nothing foreign.

The program runs as a process of its own and is really killed, at every request that it makes: once before
the request is sent and, where it changes something, once when it was executed and the reply is on its way.
After one that only reads, AWS is as it was before.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.killing import At, Killing, Side, at, at_number, at_write, run_and_kill
from tests.faults.runs import Nursery, Running
from tests.faults.sweep import NUMBERED, PLAIN, Account
from tests.faults.trial import Trial
from tests.faults.wire import Request, Wire
from tests.support.cloud import Cloud
from tests.support.program import ROOT

LAG_S = 5.0
SLOW_DAY = {
    "lag_s": LAG_S,
    "iam_lag_s": LAG_S,
    "propagation_s": 10.0,
    "boot_s": 20.0,
    "terminate_s": 20.0,
    "associate_s": 5.0,
}
# No run makes as many requests, however often it has to look again.
MORE_THAN_ANY = 500

Killed = Callable[..., Request | None]

BOTH_SIDES = pytest.mark.parametrize("side", Side, ids=lambda side: side.name.lower())
# What is shown late is so on a slow day, too.
EVERY_LAG = pytest.mark.parametrize("lag", [{}, SLOW_DAY], ids=["shown-at-once", "slow-day"])


@pytest.fixture
def killed(aws: Cloud, wire: Wire, nursery: Nursery, tmp_path: Path) -> Killed:
    """A command is killed at a request, and run again; says which request it was."""

    def killed(command: str, side: Side, at: At, **lag: float) -> Request | None:
        trial = Trial.of(command, aws, wire, nursery, tmp_path)
        aws.break_with(**lag)
        aws.wait(LAG_S)
        killed_at = run_and_kill(nursery, wire, side, at, *trial.words(command, "--yes"))
        if killed_at:
            trial.runs_right()
        trial.is_right()
        return killed_at

    return killed


def killed_at(first: str, *others: str) -> pytest.MarkDecorator:
    """Killed around the first of these operations, and after the others, where something was done and
    nobody knows of it; in the long form before those, too."""
    rows = [(first, Side.AFTER), (first, Side.BEFORE), *((other, Side.AFTER) for other in others)]
    more = [(other, Side.BEFORE) for other in others]
    return pytest.mark.parametrize(
        ("operation", "side"),
        [
            *(pytest.param(*row, id=f"{row[0]}-{row[1].name.lower()}") for row in rows),
            *(pytest.param(*row, id=f"{row[0]}-before", marks=pytest.mark.long) for row in more),
        ],
    )


class TestTheCallsThatMatterMost:
    @killed_at(
        "RunInstances",
        "RunInstances 4",
        "AddRoleToInstanceProfile",
        "CreateTags 2",
        "AssociateIamInstanceProfile",
    )
    @pytest.mark.sampled
    def test_an_apply(self, killed: Killed, side: Side, operation: str) -> None:
        name, _, nth = operation.partition(" ")
        assert killed("apply", side, at(name, int(nth or 1)))

    @killed_at("RunInstances", "CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "ImportKeyPair")
    @pytest.mark.sampled
    def test_an_apply_of_what_is_shown_late(self, killed: Killed, side: Side, operation: str) -> None:
        assert killed("apply", side, at(operation), lag_s=LAG_S)

    @killed_at("DeleteSecurityGroup", "DeleteKeyPair")
    @pytest.mark.sampled
    def test_a_destroy_of_what_is_shown_late(self, killed: Killed, side: Side, operation: str) -> None:
        assert killed("destroy", side, at(operation), lag_s=LAG_S)

    @killed_at("TerminateInstances", "DeleteRole")
    @pytest.mark.sampled
    def test_a_destroy(self, killed: Killed, side: Side, operation: str) -> None:
        assert killed("destroy", side, at(operation))


@pytest.mark.long
@EVERY_LAG
@BOTH_SIDES
@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_every_single_call(killed: Killed, command: str, side: Side, lag: dict[str, float]) -> None:
    wrong = []
    chosen = at_number if side is Side.BEFORE else at_write
    for number in range(1, MORE_THAN_ANY):
        try:
            if not killed(command, side, chosen(number), **lag):
                break
        except AssertionError as error:
            wrong.append(f"killed at request {number}: {error}")
    assert not wrong, "\n\n".join([f"{len(wrong)} cases", *wrong])
    print(f"{command}: killed at {number - 1} requests")  # noqa: T201
    least = {"apply": 50, "destroy": 60} if side is Side.BEFORE else {"apply": 20, "destroy": 15}
    assert number > least[command]


@pytest.mark.parametrize("side", [Side.AFTER])
def test_a_program_that_was_not_forked(
    aws: Cloud, wire: Wire, credentials: dict[str, str], tmp_path: Path, side: Side
) -> None:
    account = Account.prepared(aws, tmp_path)
    words = ["apply", "--yes", "--endpoint-url", wire.url, str(account.spec)]
    command = [sys.executable, "-m", "provisioner", *words]
    killing = Killing(side, at("RunInstances", 2))
    wire.put(killing)
    with subprocess.Popen(command, env=credentials, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        killing.victim.set_result(Running(process.pid, tmp_path))
    assert process.returncode == -signal.SIGKILL
    wire.put()
    again = subprocess.run(command, env=credentials, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    account.is_as_the_spec_says()
    assert account.launched() == NUMBERED + PLAIN
