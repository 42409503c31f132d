"""Interrupted half-way through a change of what runs: no member is left less able to serve than it was."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

import local_aws
from tests.faults.killing import At, at
from tests.faults.runs import Nursery, Running
from tests.faults.test_signals import INTERRUPTED, Holding, interrupt
from tests.faults.wire import Request, Wire
from tests.support.cloud import REGION, Cloud
from tests.support.specs import IMAGE

COUNT = 2


class Site:
    """A fleet with a profile, and the program to change it with."""

    def __init__(self, cloud: Cloud, wire: Wire, nursery: Nursery, folder: Path) -> None:
        self.cloud, self.wire, self.nursery = cloud, wire, nursery
        self.spec = folder / "site.yaml"
        self.write()
        assert nursery.run(*self.words).code == 0

    @property
    def words(self) -> tuple[str, ...]:
        return ("apply", "--yes", "--endpoint-url", self.wire.url, str(self.spec))

    def write(self, type_: str = "t3.micro", role: str = "first", **more: Any) -> None:
        fleet = {"count": COUNT, "image": IMAGE, "instance_type": type_, "instance_profile": "web", **more}
        fleet["update"] = {"max_unavailable": COUNT}
        spec = {"environment": "site", "region": REGION, "fleets": {"web": fleet}, "roles": {role: {}}}
        spec["instance_profiles"] = {"web": {"role": role}}
        self.spec.write_text(yaml.safe_dump(spec))

    def interrupted(self, at: At) -> Running:
        """An apply that is interrupted while it waits for the reply to a request; the reply comes then."""
        holding = Holding(at)
        self.wire.put(holding)
        running = self.nursery.start(*self.words, in_real_time=True)
        assert holding.arrived.wait(30)
        interrupt(running)
        holding.let_go.set()
        return running

    @property
    def members(self) -> set[tuple[str, str]]:
        """How they are, and as what they run."""
        return {(member["State"]["Name"], member["InstanceType"]) for member in self.cloud.live("site")}


@pytest.fixture
def site(aws: Cloud, wire: Wire, nursery: Nursery, tmp_path: Path) -> Site:
    wire.put()
    local_aws.control(aws.server, "reset", {})
    return Site(aws, wire, nursery, tmp_path)


class FirstAfter:
    """Whether a request is of one operation and came after one of another."""

    def __init__(self, before: str, wanted: str) -> None:
        self.before, self.wanted = before, wanted
        self.is_after = False

    def __call__(self, request: Request) -> bool:
        self.is_after = self.is_after or request.operation == self.before
        return self.is_after and request.operation == self.wanted


# Where it is interrupted, and as what the members run then.
RESTARTS: dict[str, tuple[At, str]] = {
    "while they stop": (at("StopInstances"), "t3.micro"),
    "while it waits for them to stop": (FirstAfter("StopInstances", "DescribeInstances"), "t3.micro"),
    "between two settings": (at("ModifyInstanceAttribute"), "t3.micro"),
    "while they start": (at("StartInstances"), "t3.small"),
}


@pytest.mark.parametrize("where", RESTARTS)
@pytest.mark.sampled
def test_what_was_stopped_to_be_changed_is_started_again(where: str, site: Site) -> None:
    when, type_ = RESTARTS[where]
    site.cloud.break_with(stop_s=1.0)
    site.write("t3.small", ebs_optimized=True)
    ran = site.interrupted(when).end()
    assert ran.code == INTERRUPTED
    site.wire.settle()
    assert site.members == {("running", type_)}
    if type_ == "t3.micro":
        assert "run again as t3.micro; apply again to go on" in ran.words
    site.wire.put()
    assert site.nursery.run(*site.words).code == 0
    assert site.members == {("running", "t3.small")}


def test_cores_and_threads_are_given_back_with_the_type(site: Site) -> None:
    cpu: dict[str, Any] = {"cpu_options": {"core_count": 1, "threads_per_core": 1}}
    site.write(**cpu)
    assert site.nursery.run(*site.words).code == 0
    site.write("t3.small", **cpu)
    assert site.interrupted(at("ModifyInstanceAttribute")).end().code == INTERRUPTED
    site.wire.settle()
    assert site.members == {("running", "t3.micro")}
    assert {member["CpuOptions"]["ThreadsPerCore"] for member in site.cloud.live("site")} == {1}


def test_a_second_interrupt_does_not_wait_for_that(site: Site) -> None:
    site.cloud.break_with(stop_s=600.0)
    site.write("t3.small")
    running = site.interrupted(at("StopInstances"))
    running.signal(signal.SIGINT)
    ran = running.end()
    assert ran.code == INTERRUPTED
    assert "stopped at once" in ran.err
    site.cloud.wait(601.0)
    site.wire.put()
    assert site.nursery.run(*site.words).code == 0
    assert site.members == {("running", "t3.small")}


SWAPS = {
    "with no role in the profile": at("RemoveRoleFromInstanceProfile"),
    "with no profile on a member": at("DisassociateIamInstanceProfile"),
}


@pytest.mark.parametrize("where", SWAPS)
@pytest.mark.sampled
def test_who_has_credentials_keeps_some(where: str, site: Site) -> None:
    site.write(role="second")
    ran = site.interrupted(SWAPS[where]).end()
    assert ran.code == INTERRUPTED
    site.wire.settle()
    profile = site.cloud.iam.get_instance_profile(InstanceProfileName="site-web")["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["site-second"]
    assert {site.cloud.profile_on(instance) for instance in site.cloud.ids("site")} == {"site-web"}
    site.wire.put()
    assert site.nursery.run(*site.words).code == 0
    assert site.cloud.roles() == ["site-second"]
