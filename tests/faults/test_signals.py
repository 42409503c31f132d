"""Interrupted: what is in flight is finished, nothing new is begun, and what is done and what not is told."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_aws import error
from provisioner.naming import EXPIRES_TAG
from tests.faults.killing import At, at
from tests.faults.runs import Nursery, Running
from tests.faults.sweep import NAME, NUMBERED, PLAIN
from tests.faults.trial import Trial
from tests.faults.wire import Reply, Request, Send, Wire
from tests.support.cloud import Cloud, as_list
from tests.support.program import Ran

INTERRUPTED = 130
RESULTS = ("done", "failed", "stopped", "skipped")
# How long a run may take to end once it was told to.
AT_ONCE_S = 15.0


class Holding:
    """Executes requests, and holds the replies back until they are let go."""

    def __init__(self, at: At) -> None:
        self._at = at
        self.arrived = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, request: Request, send: Send) -> Reply:
        reply = send()
        if self._at(request):
            self.arrived.set()
            assert self.let_go.wait(30)
        return reply


def until(happened: Callable[[], bool]) -> None:
    """Waits for something that takes a moment."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def interrupt(running: Running, number: int = signal.SIGINT) -> None:
    """Sends a signal, and waits until the program says that it has heard it."""
    running.signal(number)
    until(lambda: "stopping:" in (running.folder / "err").read_text())


def ends_at_once(running: Running) -> Ran:
    """What it left behind; asserts that it did not go on for long."""
    since = time.monotonic()
    ran = running.end()
    assert time.monotonic() - since < AT_ONCE_S
    return ran


def told(ran: Ran) -> dict[str, set[str]]:
    """The addresses that a run says are done, failed, stopped and skipped."""
    data: dict[str, Any] = json.loads(ran.out)
    return {result: {change["address"] for change in data[result]} for result in RESULTS}


@pytest.fixture
def trial(aws: Cloud, wire: Wire, nursery: Nursery, tmp_path: Path) -> Trial:
    return Trial.of("apply", aws, wire, nursery, tmp_path)


def begin(trial: Trial) -> Running:
    """Starts an apply, at its own pace."""
    words = trial.words("apply", "--yes", "--format", "json")
    return trial.nursery.start(*words, in_real_time=True)


ROLES_AND_PROFILES = {
    f"{kind}/{key}" for kind in ("role", "instance_profile") for key in ("reader", "writer")
}
GROUPS = {"security_group/front", "security_group/back"}
KEYS = {"key_pair/admin"}
# What waits for nothing else; of groups that name each other, one is the first.
FIRST_WRITES = ["CreateRole"] * 2 + ["CreateSecurityGroup", "ImportKeyPair"]
REST = {"fleet/numbered", "fleet/plain", "attachment/box"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.sampled
def test_what_is_in_flight_is_finished_and_nothing_new_begun(trial: Trial, number: int) -> None:
    holding = Holding(lambda request: not request.is_reading and request.operation != "AttachRolePolicy")
    trial.wire.put(holding)
    running = begin(trial)
    until(lambda: len(trial.wire.writes) == len(FIRST_WRITES))
    interrupt(running, number)
    holding.let_go.set()
    ran = ends_at_once(running)
    assert ran.code == INTERRUPTED
    assert sorted(request.operation for request in trial.wire.writes) == FIRST_WRITES
    begun = {"role/reader", "role/writer", "security_group/back", *KEYS}
    rest = ROLES_AND_PROFILES - begun | GROUPS | REST
    assert told(ran) == {"done": set(), "failed": set(), "stopped": begun, "skipped": rest}
    assert "interrupted" in ran.out
    assert trial.account.cloud.roles(f"/provisioner/{NAME}/") == [f"{NAME}-reader", f"{NAME}-writer"]
    trial.wire.put()
    trial.runs_right()
    trial.is_right()


def test_a_launch_in_flight_is_not_lost(trial: Trial) -> None:
    holding = Holding(lambda request: request.operation in ("RunInstances", "AssociateIamInstanceProfile"))
    trial.wire.put(holding)
    running = begin(trial)
    until(lambda: {"RunInstances 2", "Associate"} <= _launching(trial.wire))
    interrupt(running)
    holding.let_go.set()
    ran = ends_at_once(running)
    assert ran.code == INTERRUPTED
    done = ROLES_AND_PROFILES | GROUPS | KEYS
    assert told(ran) == {"done": done, "failed": set(), "stopped": REST, "skipped": set()}
    assert "CreateTags" not in {request.operation for request in trial.wire.writes}
    # Each fleet has sent the launch in its first subnet, which finds out whether the new profile is known.
    assert trial.account.launched() == NUMBERED - 1 + PLAIN - 1
    trial.wire.put()
    trial.runs_right()
    trial.is_right()


def _launching(wire: Wire) -> set[str]:
    known = {"RunInstances": "RunInstances {}", "AssociateIamInstanceProfile": "Associate"}
    return {known.get(request.operation, "").format(request.nth) for request in wire.requests}


def test_a_second_interrupt_stops_at_once(trial: Trial) -> None:
    holding = Holding(at("RunInstances"))
    trial.wire.put(holding)
    running = begin(trial)
    assert holding.arrived.wait(30)
    interrupt(running)
    running.signal(signal.SIGINT)
    assert ends_at_once(running).code == INTERRUPTED
    assert not holding.let_go.is_set()
    holding.let_go.set()
    trial.wire.put()
    trial.runs_right()
    trial.is_right()


@pytest.mark.long
def test_nobody_waits_for_instances_that_start(trial: Trial) -> None:
    trial.account.cloud.break_with(boot_s=600.0)
    running = begin(trial)
    until(lambda: sum(request.operation == "CreateTags" for request in trial.wire.requests) == NUMBERED)
    until(lambda: trial.wire.requests[-1].operation == "DescribeInstances")
    interrupt(running)
    ran = ends_at_once(running)
    assert ran.code == INTERRUPTED
    assert {"fleet/numbered", "fleet/plain"} <= told(ran)["stopped"]
    assert f"{NUMBERED} of {NUMBERED} launched; apply again to go on" in ran.out
    trial.account.cloud.wait(600.0)
    trial.runs_right()
    trial.is_right()


@pytest.mark.long
def test_nobody_waits_for_a_service_that_is_busy(trial: Trial) -> None:
    trial.account.cloud.break_with(error("RunInstances", "RequestLimitExceeded", "Rate exceeded", status=503))
    running = begin(trial)
    until(lambda: sum(request.operation == "RunInstances" for request in trial.wire.requests) > 4)
    interrupt(running)
    ran = ends_at_once(running)
    assert ran.code == INTERRUPTED
    assert {"fleet/numbered", "fleet/plain"} <= told(ran)["failed"] | told(ran)["stopped"]
    assert "RequestLimitExceeded" in ran.out
    trial.account.cloud.mend()
    trial.runs_right()
    trial.is_right()


def test_a_reap_does_not_ask_again_once_it_is_interrupted(trial: Trial) -> None:
    # Without an end, so that they do not end by themselves once their tag says so.
    spec = yaml.safe_load(trial.account.spec.read_text())
    trial.account.spec.write_text(yaml.safe_dump({key: spec[key] for key in spec if key != "expires"}))
    trial.runs_right()
    cloud = trial.account.cloud
    # By then everything is shown.
    cloud.wait(60.0)
    cloud.ec2.create_tags(Resources=cloud.ids(), Tags=as_list({EXPIRES_TAG: "2026-01-01T00:00:00Z"}))
    there = cloud.ids()
    cloud.break_with(error("TerminateInstances", "RequestLimitExceeded", "Rate exceeded", status=503))
    words = ("reap", "--region", "us-east-1", "--yes", "--endpoint-url", trial.wire.url)
    running = trial.nursery.start(*words, in_real_time=True)
    until(lambda: sum(request.operation == "TerminateInstances" for request in trial.wire.requests) > 2)
    interrupt(running)
    cloud.mend()
    ran = ends_at_once(running)
    assert ran.code == INTERRUPTED
    assert cloud.ids() == there
    assert "RequestLimitExceeded" in ran.out


def test_while_it_still_reads_nothing_has_happened(trial: Trial) -> None:
    trial.account.cloud.break_with(error("DescribeInstances", "RequestLimitExceeded", "slow", status=503))
    running = begin(trial)
    until(lambda: sum(request.operation == "DescribeInstances" for request in trial.wire.requests) > 2)
    running.signal(signal.SIGINT)
    ran = ends_at_once(running)
    assert ran.code == INTERRUPTED
    assert "nothing was changed" in ran.err
    assert trial.wire.writes == []
    trial.account.cloud.mend()
    trial.account.is_untouched()
