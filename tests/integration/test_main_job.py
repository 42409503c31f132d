"""The main job, whole: fifty servers up, left alone, and gone; and every spec that comes with the program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.fixtures import Run
from tests.support.program import SPECS, Program, Ran

FIFTY = SPECS / "fifty-servers.yaml"
MAX_CALLS_OF_A_PLAN = 8


class TestFiftyServers:
    def test_are_running_and_bound_to_their_profile_after_one_apply(self, run: Run, cloud: Cloud) -> None:
        assert run("apply", "--yes", FIFTY).code == 0
        instances = cloud.instances()
        assert Counter(instance["State"]["Name"] for instance in instances) == {"running": 50}
        associations = cloud.associations()
        assert Counter(association["State"] for association in associations) == {"associated": 50}
        assert {association["InstanceId"] for association in associations} == {
            instance["InstanceId"] for instance in instances
        }
        assert {association["IamInstanceProfile"]["Arn"] for association in associations} == {
            "arn:aws:iam::123456789012:instance-profile/provisioner/crunch/crunch-worker"
        }

    def test_are_launched_with_one_call_a_subnet_and_spread_evenly(
        self, program: Program, cloud: Cloud
    ) -> None:
        assert program.apply(FIFTY).code == 0
        servers = cloud.live()
        assert cloud.operations().count("RunInstances") == len({server["SubnetId"] for server in servers}) > 1
        zones = Counter(server["Placement"]["AvailabilityZone"] for server in servers)
        assert max(zones.values()) - min(zones.values()) <= 1

    def test_need_no_call_that_writes_the_second_time(self, program: Program, run: Run, cloud: Cloud) -> None:
        program.apply(FIFTY)
        cloud.forget_calls()
        again = run("apply", "--yes", FIFTY)
        assert again.code == 0
        assert "No changes" in again.out
        assert cloud.operations()
        assert cloud.writes() == []

    def test_are_planned_with_a_handful_of_calls_none_of_which_writes(
        self, program: Program, run: Run, cloud: Cloud
    ) -> None:
        program.apply(FIFTY)
        cloud.forget_calls()
        assert run("plan", FIFTY, "--detailed-exitcode").code == 0
        assert cloud.writes() == []
        assert 0 < len(cloud.operations()) <= MAX_CALLS_OF_A_PLAN

    def test_fit_on_one_screen_when_planned(self, run: Run) -> None:
        planned = run("plan", FIFTY, "--detailed-exitcode")
        assert planned.code == 2
        assert len(planned.out.splitlines()) <= 26
        assert "50 instances" in planned.out

    def test_leave_nothing_behind_when_destroyed_once_or_twice(
        self, program: Program, run: Run, cloud: Cloud
    ) -> None:
        program.apply(FIFTY)
        assert run("destroy", "--yes", FIFTY).code == 0
        assert cloud.live() == []
        assert cloud.roles() == cloud.profiles() == []
        assert cloud.associations() == []

        cloud.forget_calls()
        again = run("destroy", "--yes", FIFTY)
        assert again.code == 0
        assert "Nothing to destroy" in again.out
        assert cloud.writes() == []

    def test_are_exactly_fifty_again_after_some_were_lost(self, program: Program, cloud: Cloud) -> None:
        program.apply(FIFTY)
        cloud.ec2.terminate_instances(InstanceIds=cloud.ids()[::7])
        assert len(cloud.ids()) == 42
        assert program.apply(FIFTY).code == 0
        assert len(cloud.ids()) == 50


@pytest.fixture
def prepare(cloud: Cloud) -> Callable[[Path], None]:
    """Makes what a spec takes for granted."""

    def preparing(spec: Path) -> None:
        if spec.name == "attach-existing.yaml":
            cloud.stranger("i-0123456789abcdef0")
            cloud.stranger("i-0aaaaaaaaaaaaaaa1", {"course": "data-101", "room": "lab-3"})

    return preparing


def timeless(plan: Ran) -> dict[str, Any]:
    """A plan without the time of day until which it costs what it does, where that begins with the launch."""
    cost = plan.data["cost"]
    return {**plan.data, "cost": cost and {**cost, "until": None}}


@pytest.mark.parametrize("spec", sorted(SPECS.glob("*.yaml")), ids=lambda spec: spec.stem)
class TestEverySpecThatComesWithTheProgram:
    @pytest.mark.sampled
    def test_is_made_as_its_plan_announced_and_leaves_nothing_once_destroyed(
        self, spec: Path, prepare: Callable[[Path], None], run: Run, program: Program, cloud: Cloud
    ) -> None:
        prepare(spec)
        before = cloud.everything()
        first = program.plan(spec, "--detailed-exitcode")
        assert first.code == 2
        for _ in range(2):
            assert timeless(program.plan(spec)) == timeless(first)

        cloud.forget_calls()
        applied = program.apply(spec)
        assert applied.code == 0, applied.said
        assert Counter(cloud.writes()) == first.calls
        assert cloud.everything() != before

        cloud.forget_calls()
        planned = run("plan", spec, "--detailed-exitcode")
        assert planned.code == 0, planned.out
        assert "No changes" in planned.out
        assert cloud.writes() == []

        assert program.destroy(spec).code == 0
        assert cloud.everything() == before
        again = program.plan(spec)
        assert again.data["digest"] == first.data["digest"]
        assert timeless(again) == timeless(first)
