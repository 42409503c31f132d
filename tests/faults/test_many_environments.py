"""Many environments in one run: what is wrong in one stops no other, and after whatever happens one more run
makes all of them right.

The run is one process, whose requests pass one wire. What a request is about is told by the names in it.
"""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import local_aws
from provisioner.many.executors import POLL_S
from tests.faults.killing import Side, at_number, run_and_kill
from tests.faults.racing import Dawdling
from tests.faults.runs import Nursery
from tests.faults.test_signals import Holding, interrupt, until
from tests.faults.wire import Reply, Request, Send, Wire
from tests.support.cloud import Cloud, tags_of
from tests.support.program import Ran
from tests.support.specs import IMAGE

NAMES = ("ant", "bee", "cat", "dog", "elk")
DENIAL = (
    b'<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>UnauthorizedOperation</Code>'
    b"<Message>You are not authorized</Message></Error></Errors><RequestID>r-1</RequestID></Response>"
)


def spec_of(name: str, count: int = 1, region: str = "us-east-1") -> dict[str, Any]:
    return {
        "environment": name,
        "region": region,
        "roles": {"worker": {}},
        "instance_profiles": {"worker": {"role": "worker"}},
        "fleets": {
            "web": {
                "count": count,
                "image": IMAGE,
                "instance_type": "t3.micro",
                "instance_profile": "worker",
            }
        },
    }


class Denying:
    """Denies some operations that are about one environment, also where others are asked for with it."""

    def __init__(self, name: str, operations: Collection[str]) -> None:
        self._name, self._operations = name, operations

    def __call__(self, request: Request, send: Send) -> Reply:
        told = [*request.params.values()]
        is_about_it = any(re.search(rf"(^|[/-]){self._name}($|[/-])", value) for value in told)
        if request.operation not in self._operations or not is_about_it:
            return send()
        head = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/xml\r\n"
        return Reply(f"{head}Content-Length: {len(DENIAL)}\r\n\r\n", DENIAL)


@dataclass(frozen=True)
class Zoo:
    """A folder with specs, and an account."""

    folder: Path
    cloud: Cloud
    wire: Wire
    nursery: Nursery

    def write(self, name: str, count: int = 1, **fields: Any) -> None:
        (self.folder / f"{name}.yaml").write_text(json.dumps(spec_of(name, count) | fields, indent=1))

    def words(self, command: str, *options: str) -> list[str]:
        cheap = [] if command == "drift" else ["--no-cost"]
        return [command, *options, *cheap, "--endpoint-url", self.wire.url, str(self.folder)]

    def run(self, command: str, *options: str) -> Ran:
        return self.nursery.run(*self.words(command, *options))

    def report(self, command: str, *options: str) -> dict[str, Any]:
        ran = self.run(command, "--format", "json", *options)
        data: dict[str, Any] = ran.data
        assert ran.code == data["exit_code"], ran.err
        return data

    def members(self) -> dict[str, int]:
        """How many members each environment has."""
        found = [tags_of(instance)["provisioner:environment"] for instance in self.cloud.live()]
        return {name: found.count(name) for name in sorted(set(found))}

    def is_right(self, counts: dict[str, int], went: int = 0) -> None:
        """Asserts that each has what its spec says, that there never were more than these and those that
        `went`, and that a plan shows nothing."""
        self.wire.put()
        self.cloud.wait(60.0)
        assert self.members() == counts
        assert len(self.cloud.instances()) == sum(counts.values()) + went
        planned = self.run("plan", "--detailed-exitcode")
        assert planned.code == 0, planned.said


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    """What became of each, in the order of the report."""
    return {
        found["environment"] or Path(found["source"]).stem: found["verdict"]
        for found in report["environments"]
    }


@pytest.fixture
def zoo(aws: Cloud, wire: Wire, nursery: Nursery, tmp_path: Path) -> Zoo:
    wire.put()
    local_aws.control(aws.server, "reset", {})
    aws.mend()
    made = Zoo(tmp_path / "zoo", aws, wire, nursery)
    made.folder.mkdir()
    return made


@pytest.mark.long
def test_five_of_which_one_is_broken_and_one_denied(zoo: Zoo) -> None:
    zoo.write("ant")
    zoo.write("bee", 2)
    applied = zoo.report("apply", "--yes")
    assert (verdicts(applied), applied["exit_code"]) == ({"ant": "changed", "bee": "changed"}, 0)
    after = {found["environment"]: found["result"]["next"] for found in applied["environments"]}
    assert {name: len(steps["fleets"]["web"]) for name, steps in after.items()} == {"ant": 1, "bee": 2}
    zoo.write("bee", 1)
    zoo.write("cat")
    zoo.write("dog", cuont=3)
    zoo.write("elk")
    zoo.wire.put(Denying("elk", {"DescribeInstances"}))

    planned = zoo.report("plan", "--detailed-exitcode")
    assert list(verdicts(planned).items()) == [
        ("bee", "changes"),
        ("cat", "changes"),
        ("elk", "failed"),
        ("dog", "wrong"),
        ("ant", "ok"),
    ]
    assert planned["exit_code"] == 1
    assert [request.operation for request in zoo.wire.writes] == []
    told = {found["environment"]: found["problem"] for found in planned["environments"]}
    assert told["elk"]["code"] == "UnauthorizedOperation"
    assert "cuont" in told[None]["lines"][0]

    ran = zoo.run("apply", "--yes")
    assert ran.code == 1
    assert zoo.members() == {"ant": 1, "bee": 1, "cat": 1}
    # Where members are and what to type next, as after an apply of one.
    assert f"provisioner status {zoo.folder / 'cat.yaml'}" in ran.words
    assert f"provisioner status {zoo.folder / 'elk.yaml'}" not in ran.words
    # One after the other, and the table last, the changed first.
    table = ran.out[ran.out.rindex("Environment ") :]
    rows = [line.split()[0] for line in table.splitlines()[1:] if line and not line.startswith(" ")]
    assert rows[:5] == ["bee", "cat", "elk", str(zoo.folder / "dog.yaml"), "ant"]
    assert "5 environments: 2 changed, 1 failed, 1 with a wrong spec, 1 without changes." in ran.words
    zoo.wire.put()
    zoo.write("dog")
    assert zoo.report("apply", "--yes")["exit_code"] == 0
    zoo.is_right(dict.fromkeys(NAMES, 1), went=1)
    assert zoo.report("destroy", "--yes")["exit_code"] == 0
    assert zoo.members() == {}


def test_two_specs_of_one_environment_send_nothing(zoo: Zoo) -> None:
    zoo.write("ant")
    (zoo.folder / "twin.yaml").write_text(json.dumps(spec_of("ant", 3)))
    for command in ("plan", "drift", "status"):
        ran = zoo.run(command)
        assert ran.code == 3
        assert "both describe ant in us-east-1; nothing was sent" in ran.words
    assert zoo.run("apply", "--yes").code == 3
    assert zoo.wire.requests == []


def test_what_was_approved_is_applied_and_nothing_else(zoo: Zoo, tmp_path: Path) -> None:
    for name in NAMES[:2]:
        zoo.write(name)
    report = tmp_path / "report.json"
    digest = json.loads(zoo.run("plan", "--format", "json", "--report", str(report)).out)["digest"]
    zoo.write("bee", 2)
    refused = zoo.run("apply", "--expect", str(report))
    assert refused.code == 4
    assert "what differs: bee." in refused.words
    assert zoo.run("apply", "--expect", digest).code == 4
    assert zoo.members() == {}
    zoo.write("bee", 1)
    assert zoo.run("apply", "--expect", digest).code == 0
    assert zoo.members() == {"ant": 1, "bee": 1}


def test_what_changes_between_the_plan_and_its_apply_is_left_alone(zoo: Zoo) -> None:
    zoo.write("bee")
    assert zoo.run("apply", "--yes").code == 0
    zoo.write("bee", 2)
    zoo.write("ant")

    def meddle(request: Request, send: Send) -> Reply:
        told = request.params.values()
        # Whoever looks at bee alone does so after all plans were shown.
        is_fresh = request.operation == "DescribeInstances" and "bee" in told and "ant" not in told
        if is_fresh and zoo.cloud.live("bee"):
            zoo.cloud.ec2.terminate_instances(InstanceIds=zoo.cloud.ids("bee"))
        return send()

    zoo.wire.put(meddle)
    ran = zoo.run("apply", "--yes")
    assert ran.code == 4, ran.said
    told = "bee: AWS is not as it was when the plan was shown: now 2 of fleet/web would be made, and not 1"
    assert told in ran.words
    assert "bee account 123456789012, us-east-1 AWS is not" in ran.words
    assert zoo.members() == {"ant": 1}


@pytest.mark.parametrize(
    ("number", "more"),
    [(signal.SIGINT, ()), (signal.SIGTERM, ("--executor", "processes:2"))],
    ids=["here", "in processes of a pool"],
)
@pytest.mark.sampled
def test_an_interruption_tells_what_was_done_and_what_not(zoo: Zoo, number: int, more: Sequence[str]) -> None:
    for name in NAMES:
        zoo.write(name)
    holding = Holding(lambda request: request.operation == "CreateRole")
    zoo.wire.put(holding)
    running = zoo.nursery.start(*zoo.words("apply", "--yes", "--format", "json", *more), in_real_time=True)
    until(lambda: holding.arrived.is_set())
    interrupt(running, number)
    # Processes of a pool are told a little later.
    time.sleep(2 * POLL_S)
    holding.let_go.set()
    ran = running.end()
    assert ran.code == 130
    found = verdicts(ran.data)
    assert set(found) == set(NAMES)
    assert set(found.values()) == {"interrupted"}
    assert {one["account_id"] for one in ran.data["environments"]} == {"123456789012"}
    assert not zoo.members()
    zoo.wire.put()
    assert zoo.report("apply", "--yes")["exit_code"] == 0
    zoo.is_right(dict.fromkeys(NAMES, 1))


def test_a_burst_of_signals_while_planning_ends_with_words_and_the_code_of_an_interruption(zoo: Zoo) -> None:
    for name in NAMES[:2]:
        zoo.write(name)
    holding = Holding(lambda request: request.operation == "DescribeInstances")
    zoo.wire.put(holding)
    running = zoo.nursery.start(*zoo.words("apply", "--yes"), in_real_time=True)
    until(lambda: holding.arrived.is_set())
    interrupt(running, signal.SIGTERM)
    holding.let_go.set()
    while not running.code.done():
        with suppress(ProcessLookupError):
            running.signal(signal.SIGTERM)
        time.sleep(0.001)
    ran = running.end()
    assert ran.code == 130
    assert "interrupted; nothing was changed" in ran.words
    assert not zoo.members()


# --- sweeps

# Every so many requests a run is killed; a prime, so that other ones are met with each of five environments.
EACH = 11


@pytest.mark.long
@pytest.mark.parametrize("side", Side, ids=lambda side: side.name.lower())
@pytest.mark.parametrize("lag_s", [0.0, 5.0])
def test_killed_anywhere_one_more_run_makes_all_right(zoo: Zoo, side: Side, lag_s: float) -> None:
    for name in NAMES:
        zoo.write(name, 2)
    number = EACH
    while True:
        local_aws.control(zoo.cloud.server, "reset", {})
        zoo.cloud.break_with(lag_s=lag_s, iam_lag_s=lag_s)
        killed_at = run_and_kill(zoo.nursery, zoo.wire, side, at_number(number), *zoo.words("apply", "--yes"))
        if killed_at:
            again = zoo.run("apply", "--yes")
            if lag_s and again.code == 4:
                # What AWS shows only after the plan was made is in no plan that was approved: left alone.
                assert "AWS is not as it was when the plan was shown" in again.words, again.said
                again = zoo.run("apply", "--yes")
            assert again.code == 0, again.said
        zoo.cloud.wait(60.0)
        zoo.cloud.mend()
        zoo.is_right(dict.fromkeys(NAMES, 2))
        if not killed_at:
            break
        number += EACH
    assert number > 3 * EACH


@pytest.mark.long
@pytest.mark.parametrize(
    "operation", ["CreateRole", "AddRoleToInstanceProfile", "RunInstances", "GetInstanceProfile", "ListRoles"]
)
def test_a_failing_environment_stops_no_other(zoo: Zoo, operation: str) -> None:
    for name in NAMES:
        zoo.write(name)
    denying = Denying("cat", {operation})
    zoo.wire.put(denying)
    report = zoo.report("apply", "--yes")
    others = {name: verdict for name, verdict in verdicts(report).items() if name != "cat"}
    assert set(others.values()) == {"changed"}, report
    zoo.wire.put()
    assert zoo.report("apply", "--yes")["exit_code"] == 0
    zoo.is_right(dict.fromkeys(NAMES, 1))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_two_runs_at_once_are_put_right_by_one_more(zoo: Zoo, seed: int) -> None:
    for name in NAMES:
        zoo.write(name, 2)
    zoo.wire.put(Dawdling(str(seed)))
    running = [zoo.nursery.start(*zoo.words("apply", "--yes")) for _ in range(2)]
    for ran in (process.end() for process in running):
        assert ran.code in (0, 1, 4), ran.said
    zoo.wire.put()
    zoo.cloud.wait(10.0)
    again = zoo.run("apply", "--yes")
    assert again.code == 0, again.said
    zoo.is_right(dict.fromkeys(NAMES, 2))
