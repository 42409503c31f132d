"""What EC2 refuses once members were stopped for it: they run again as they were, and that is said."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

import local_aws
from local_aws import Capacity, Faults, Quota, Rule
from tests.support.cloud import Cloud
from tests.support.fixtures import OnEvent
from tests.support.program import Program
from tests.support.setting_cases import BARE, FLEET
from tests.support.specs import having
from tests.support.witness import Witness

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
INVALID = "InvalidInstanceAttributeValue"


def fleet(**fields: Any) -> dict[str, Any]:
    """Four members, two of which may be down at a time."""
    plain = {"count": 4, "update": {"max_unavailable": 2}}
    return having(BARE, **{f"fleets__worker__{name}": value for name, value in (plain | fields).items()})


def refuse(operation: str, code: str, *nth: int, status: int = 400) -> Rule:
    return local_aws.error(operation, code, f"{operation} is refused", status=status, nth=nth)


class Refused(NamedTuple):
    """What the spec asks for, what EC2 refuses of it, with which code, and what the message says besides."""

    change: dict[str, Any]
    faults: dict[str, Any]
    code: str
    says: str


BIGGER = {"instance_type": "t3.small"}
BIGGER_AND_OPTIMIZED = {"instance_type": "t3.small", "ebs_optimized": True}
FIRST = "correct `instance_type` first"

REFUSED: dict[str, Refused] = {
    "the type": Refused(BIGGER, {"rules": (refuse("ModifyInstanceAttribute", INVALID),)}, INVALID, FIRST),
    "the type, as one that is not supported": Refused(
        BIGGER,
        {"rules": (refuse("ModifyInstanceAttribute", "Unsupported"),)},
        "Unsupported",
        "apply again later",
    ),
    "the type of one of two": Refused(
        BIGGER, {"rules": (refuse("ModifyInstanceAttribute", INVALID, 2),)}, INVALID, FIRST
    ),
    "what goes with the type, once that was changed": Refused(
        BIGGER_AND_OPTIMIZED,
        {"rules": (refuse("ModifyInstanceAttribute", INVALID, 3, 4),)},
        INVALID,
        "correct `instance_type` and `ebs_optimized` first",
    ),
    "that of one of two": Refused(
        BIGGER_AND_OPTIMIZED,
        {"rules": (refuse("ModifyInstanceAttribute", INVALID, 4),)},
        INVALID,
        "correct `instance_type` and `ebs_optimized` first",
    ),
    "to change it without a reason of its own": Refused(
        BIGGER,
        {"rules": (refuse("ModifyInstanceAttribute", "InvalidParameterCombination", 1),)},
        "InvalidParameterCombination",
        FIRST,
    ),
    "to let us change it": Refused(
        BIGGER,
        {"rules": (local_aws.denied("ec2:ModifyInstanceAttribute"),)},
        "UnauthorizedOperation",
        "need the permission ec2:ModifyInstanceAttribute",
    ),
    "to start with the new type": Refused(
        BIGGER, {"rules": (refuse("StartInstances", "Unsupported", 1),)}, "Unsupported", "apply again later"
    ),
    "to start with both": Refused(
        BIGGER_AND_OPTIMIZED,
        {"rules": (refuse("StartInstances", "InvalidParameterCombination", 1),)},
        "InvalidParameterCombination",
        "correct `instance_type` and `ebs_optimized` first",
    ),
    "for want of room for the new type": Refused(
        BIGGER, {"capacity": (Capacity(0, "t3.small"),)}, "InsufficientInstanceCapacity", "apply again later"
    ),
    "for want of room for any other type": Refused(
        {"instance_type": ["t3.small", "t3.medium"]},
        {"capacity": (Capacity(0, "t3.small"), Capacity(0, "t3.medium"))},
        "InsufficientInstanceCapacity",
        "apply again later",
    ),
    "for want of room, and the other type does not fit": Refused(
        {"instance_type": ["t3.small", "t3.medium"]},
        {
            "capacity": (Capacity(0, "t3.small"),),
            "rules": (refuse("ModifyInstanceAttribute", INVALID, 3, 4),),
        },
        "InsufficientInstanceCapacity",
        "apply again later",
    ),
    "by a quota": Refused(
        {"instance_type": "t3.2xlarge"},
        {"quotas": (Quota(9),)},
        "VcpuLimitExceeded",
        "a quota of the account",
    ),
    "for lack of permission": Refused(
        BIGGER,
        {"rules": (local_aws.denied("ModifyInstanceAttribute", times=1),)},
        "UnauthorizedOperation",
        "apply again once that is allowed",
    ),
    "to stop them": Refused(
        BIGGER, {"rules": (refuse("StopInstances", "OperationNotPermitted"),)}, "OperationNotPermitted", ""
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_members_run_again_as_they_were_and_no_others_are_stopped(
    case: str, program: Program, cloud: Cloud, witness: Witness
) -> None:
    change, faults, code, says = REFUSED[case]
    assert program.apply(fleet(ebs_optimized=False)).code == 0
    before = {
        member["InstanceId"]: (member["InstanceType"], member["EbsOptimized"])
        for member in cloud.live("probe")
    }
    local_aws.set_faults(cloud.server, Faults(**faults))
    spec = fleet(**{"ebs_optimized": False} | change)
    witness.clear()

    ran = program.apply(spec)

    assert ran.code == 1
    assert code in ran.said
    assert says in ran.words
    assert {
        member["InstanceId"]: (member["InstanceType"], member["EbsOptimized"])
        for member in cloud.live("probe")
    } == before
    assert {cloud.state(instance) for instance in before} == {"running"}
    stopped = set().union(*witness.ids("StopInstances")) if code != "OperationNotPermitted" else set()
    assert len(stopped) in (0, 2)
    for instance in stopped:
        assert instance in ran.words
    if stopped:
        assert "run again as t3.micro" in ran.words

    cloud.mend()
    assert program.apply(spec).code == 0
    assert program.plan(spec).told == set()
    assert set(cloud.ids("probe")) == before.keys()


def test_user_data_that_was_taken_is_kept_and_the_members_run(program: Program, cloud: Cloud) -> None:
    assert program.apply(fleet(user_data="echo 1")).code == 0
    spec = fleet(user_data="echo 2", update={"on_user_data": "restart", "max_unavailable": 2})
    cloud.break_with(refuse("ModifyInstanceAttribute", "InvalidUserData.Malformed", 2))
    ran = program.apply(spec)
    assert ran.code == 1
    assert "correct `user_data` first" in ran.words
    assert {cloud.state(instance) for instance in cloud.ids("probe")} == {"running"}
    cloud.mend()
    assert program.apply(spec).code == 0
    assert program.plan(spec).told == set()


def test_of_a_parked_fleet_they_stay_stopped_with_what_they_had(program: Program, cloud: Cloud) -> None:
    assert program.apply(fleet(power="stopped", ebs_optimized=False)).code == 0
    cloud.break_with(refuse("ModifyInstanceAttribute", INVALID, 5, 6, 7, 8))
    ran = program.apply(fleet(power="stopped", **BIGGER_AND_OPTIMIZED))
    assert ran.code == 1
    assert "are stopped, as `power: stopped` says, with what they had" in ran.words
    members = cloud.live("probe")
    assert {(member["InstanceType"], member["EbsOptimized"]) for member in members} == {("t3.micro", False)}
    assert {member["State"]["Name"] for member in members} == {"stopped"}


def test_what_cannot_be_started_again_is_said_to_be_stopped(program: Program, cloud: Cloud) -> None:
    assert program.apply(fleet()).code == 0
    cloud.break_with(refuse("ModifyInstanceAttribute", INVALID), refuse("StartInstances", "InternalFault"))
    ran = program.apply(fleet(**BIGGER))
    assert ran.code == 1
    assert "are stopped; " in ran.words
    cloud.mend()
    assert program.apply(fleet()).code == 0
    assert {cloud.state(instance) for instance in cloud.ids("probe")} == {"running"}


class Killed(NamedTuple):
    """How a run that was killed left a member, and what EC2 refuses afterwards."""

    type: str
    faults: dict[str, Any]


NO_SMALL = {"capacity": (Capacity(0, "t3.small"),)}
KILLED: dict[str, Killed] = {
    "before the type was changed, which is refused": Killed(
        "t3.micro", {"rules": (refuse("ModifyInstanceAttribute", INVALID),)}
    ),
    "before the type was changed, for which there is no room": Killed("t3.micro", NO_SMALL),
    "once the type was changed, for which there is no room": Killed("t3.small", NO_SMALL),
    "once the type was changed, which does not start": Killed(
        "t3.small", {"rules": (refuse("StartInstances", "InvalidParameterCombination", 1),)}
    ),
}


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("case", KILLED)
def test_what_a_killed_run_has_left_stopped_runs_again(
    case: str, count: int, program: Program, cloud: Cloud
) -> None:
    type_, faults = KILLED[case]
    assert program.apply(fleet(count=count)).code == 0
    left = cloud.ids("probe")[0]
    cloud.ec2.stop_instances(InstanceIds=[left])
    cloud.ec2.modify_instance_attribute(InstanceId=left, InstanceType={"Value": type_})
    local_aws.set_faults(cloud.server, Faults(**faults))

    spec = fleet(count=count, **BIGGER)
    ran = program.apply(spec)

    assert ran.code == 1
    assert f"{left} run" in ran.words
    assert "again as t3.micro" in ran.words
    members = cloud.live("probe")
    assert {(member["InstanceType"], member["State"]["Name"]) for member in members} == {
        ("t3.micro", "running")
    }
    cloud.mend()
    assert program.apply(spec).code == 0
    assert program.plan(spec).told == set()


@pytest.fixture
def starts_once(cloud: Cloud, on_event: OnEvent) -> list[str]:
    """What is started for the first time stops by itself again, as if its disk could not be decrypted."""
    stopped: list[str] = []

    def stop_again(**_: Any) -> None:
        if not stopped:
            stopped.extend(cloud.ids("probe"))
            cloud.ec2.stop_instances(InstanceIds=stopped)

    on_event("after-call.ec2.StartInstances", stop_again)
    return stopped


def test_a_start_that_is_accepted_and_taken_back_is_undone_too(
    program: Program, cloud: Cloud, starts_once: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert program.apply(fleet(count=1)).code == 0
    (only,) = cloud.ids("probe")
    monkeypatch.setattr("provisioner.kinds.fleet.rolling_update.health.MINUTE_S", 0.02)
    spec = fleet(count=1, **BIGGER)
    ran = program.apply(spec)
    assert starts_once == [only]
    assert ran.code == 1
    assert f"{only} runs again as t3.micro" in ran.words
    assert cloud.state(only) == "running"
    assert program.plan(spec).told == {(FLEET, "update", "instance_type")}


ONE_THREAD = {"CoreCount": 1, "ThreadsPerCore": 1}
CPU = {"cpu_options": {"core_count": 1, "threads_per_core": 1}}


def kinds(cloud: Cloud) -> set[tuple[str, str, int, int]]:
    """How members are: the state, the type, the cores and the threads of each."""
    return {
        (
            member["State"]["Name"],
            member["InstanceType"],
            *(member["CpuOptions"][name] for name in ONE_THREAD),
        )
        for member in cloud.live("probe")
    }


class Reset(NamedTuple):
    """Types that the spec asks for, what EC2 refuses, and the type that members run as then."""

    types: list[str]
    faults: dict[str, Any]
    code: int
    type: str
    says: str = ""


RESET: dict[str, Reset] = {
    "another type of the list takes them": Reset(["t3.small", "t3.medium"], NO_SMALL, 0, "t3.medium"),
    "another type of the list has no such cores": Reset(
        ["t3.small", "t3.xlarge"], NO_SMALL, 1, "t3.micro", "t3.xlarge was passed over"
    ),
    "no start as the new type": Reset(
        ["t3.small"], {"rules": (refuse("StartInstances", "Unsupported", 1),)}, 1, "t3.micro"
    ),
    "the new type takes none": Reset(
        ["t3.small"],
        {"rules": (refuse("ModifyInstanceCpuOptions", "InvalidParameterValue", 1),)},
        1,
        "t3.micro",
    ),
}


@pytest.mark.parametrize("case", RESET)
def test_cores_and_threads_are_given_again_with_each_type(case: str, program: Program, cloud: Cloud) -> None:
    types, faults, code, type_, says = RESET[case]
    assert program.apply(fleet(count=1, **CPU)).code == 0
    local_aws.set_faults(cloud.server, Faults(**faults))
    spec = fleet(count=1, instance_type=types, **CPU)
    ran = program.apply(spec)
    assert ran.code == code, ran.said
    assert says in ran.words
    assert kinds(cloud) == {("running", type_, 1, 1)}
    if not code:
        assert program.plan(spec).told == set()


def test_those_that_the_spec_does_not_say_are_given_back_too(program: Program, cloud: Cloud) -> None:
    assert program.apply(fleet(count=1)).code == 0
    (only,) = cloud.ids("probe")
    cloud.ec2.stop_instances(InstanceIds=[only])
    cloud.ec2.modify_instance_cpu_options(InstanceId=only, **ONE_THREAD)
    cloud.ec2.start_instances(InstanceIds=[only])
    cloud.break_with(refuse("StartInstances", "Unsupported", 1))
    assert program.apply(fleet(count=1, **BIGGER)).code == 1
    assert kinds(cloud) == {("running", "t3.micro", 1, 1)}


def test_what_ec2_does_not_give_back_is_said(program: Program, cloud: Cloud) -> None:
    assert program.apply(fleet(count=1, **CPU)).code == 0
    cloud.break_with(
        refuse("StartInstances", "Unsupported", 1), refuse("ModifyInstanceCpuOptions", "Unsupported", 2)
    )
    ran = program.apply(fleet(count=1, **BIGGER, **CPU))
    assert ran.code == 1
    assert "runs again as t3.micro, but without the `cpu_options` that was there before" in ran.words
    assert kinds(cloud) == {("running", "t3.micro", 1, 2)}
