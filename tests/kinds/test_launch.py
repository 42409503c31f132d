"""The token of a launch: what it stands for, and what is done with EC2's answers to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from provisioner.errors import AwsError, ChangedMeanwhile
from provisioner.kinds.fleet.launch import (
    LONGEST_MISMATCH_S,
    MOST_AT_ONCE,
    Launch,
    ScaleOut,
    Slot,
    launches,
    next_number,
    token,
)
from provisioner.model import Call, Step, Until, Wait
from provisioner.naming import ASKED_TAG, ENVIRONMENT_TAG, FLEET_TAG, INDEX_TAG, LAUNCH_TAG
from tests.kinds.build import AROUND, SUBNETS, environment, fleet_of, member

PLAIN = {"count": 3, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
FLEET = fleet_of(environment(fleets={"web": PLAIN}))
SLOT = Slot("env", "web", "us-east-1a", "subnet-a")
TAGS = [{"Key": ENVIRONMENT_TAG, "Value": "env"}, {"Key": FLEET_TAG, "Value": "web"}]


class FakeHands:
    """Answers each RunInstances with the next of `script`: a number of instances, their states, an error."""

    def __init__(self, *script: int | str | list[str]) -> None:
        self.script = list(script)
        self.sent: list[Call] = []
        self.waits: list[Wait] = []
        self.answered: list[tuple[str, dict[str, Any]]] = []
        self.shown: dict[str, Any] = {}
        self.of_the_token: list[dict[str, Any]] = []
        self.tags: list[list[dict[str, str]]] = []
        self.age_s = 0.0

    def send(self, call: Call) -> dict[str, Any]:
        self.sent.append(call)
        if call.operation == "DescribeInstances":
            return {"Reservations": [{"Instances": self.of_the_token}]}
        if call.operation != "RunInstances":
            return {}
        answer = self.script.pop(0)
        if isinstance(answer, str):
            raise AwsError("ec2", "RunInstances", answer, "no")
        states = ["pending"] * answer if isinstance(answer, int) else answer
        tags = self.tags.pop(0) if self.tags else call.params["TagSpecifications"][0]["Tags"]
        instances = [
            {
                "InstanceId": f"i-{len(self.sent)}{number}",
                "State": {"Name": state},
                "Tags": tags,
                "ClientToken": call.params["ClientToken"],
            }
            for number, state in enumerate(states)
        ]
        self.answered.append((call.operation, {"Instances": instances}))
        return {"Instances": instances}

    def together(self, steps: Iterable[Step]) -> None:
        for step in steps:
            step.run(self)

    def wait(self, wait: Wait) -> dict[str, Any]:
        self.waits.append(wait)
        return self.shown

    def seconds_since(self, what: str) -> float:
        return self.age_s

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return [answer for name, answer in self.answered if name == operation]

    @property
    def launches(self) -> list[Call]:
        return [call for call in self.sent if call.operation == "RunInstances"]


def launch(*types: str, count: int = 3, epoch: str | None = "", number: int = 0) -> Launch:
    params = {"TagSpecifications": [{"ResourceType": "instance", "Tags": TAGS}]}
    return Launch(SLOT, number, count, types or ("t3.micro",), "env-web", epoch, params)


def tokens(hands: FakeHands) -> list[str]:
    return [call.params["ClientToken"] for call in hands.launches]


def numbers(hands: FakeHands) -> list[int]:
    return [int(name.rsplit("-", 1)[1]) for name in tokens(hands)]


@pytest.mark.parametrize(
    "other",
    [
        token(replace(SLOT, environment="other"), "", "t3.micro", 0),
        token(replace(SLOT, fleet="other"), "", "t3.micro", 0),
        token(replace(SLOT, zone="us-east-1b"), "", "t3.micro", 0),
        token(replace(SLOT, subnet="subnet-b"), "", "t3.micro", 0),
        token(SLOT, "AIPA1", "t3.micro", 0),
        token(SLOT, "", "t3.nano", 0),
        token(SLOT, "", "t3.micro", 1),
    ],
)
def test_a_token_stands_for_one_launch_in_one_place(other: str) -> None:
    assert token(SLOT, "", "t3.micro", 0) != other


def test_a_token_fits_into_ec2s_limit() -> None:
    assert len(token(SLOT, "AIPA1", "u7in-32tb.224xlarge", 10**12)) <= 64


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ([], 0),
        ([("", "t3.micro", 0)], 1),
        ([("", "t3.micro", 9), ("", "t3.nano", 10), ("", "t3.micro", 2)], 11),
        ([("AIPA1", "t3.micro", 4)], 0),
    ],
    ids=["nothing visible", "one", "the highest, of any type", "of an earlier profile"],
)
def test_the_next_launch_has_the_number_after_the_highest_that_is_visible(
    visible: list[tuple[str, str, int]], expected: int
) -> None:
    members = [member(number, FLEET, token=token(SLOT, *each)) for number, each in enumerate(visible)]
    by_hand = member(8, FLEET, token="made-by-hand-77")
    assert next_number(SLOT, "", [*members, by_hand, member(9, FLEET)]) == expected


def test_terminated_members_count_for_the_number_and_those_of_other_subnets_do_not() -> None:
    slot = Slot("env", "web", SUBNETS[0].zone, SUBNETS[0].id)
    gone = member(0, FLEET, token=token(slot, "", "t3.micro", 3), state="terminated", subnet=None)
    first, second = launches(FLEET, "env", None, "", AROUND, {SUBNETS[0]: 1, SUBNETS[1]: 1}, [gone])
    assert (first.number, second.number) == (4, 0)


def test_the_count_is_not_in_the_token() -> None:
    three, five = FakeHands(3), FakeHands(5)
    launch(count=3).run(three)
    launch(count=5).run(five)
    assert tokens(three) == tokens(five)


@pytest.mark.parametrize(
    "used_up", ["IdempotentInstanceTerminated", ["terminated", "terminated"], ["shutting-down"]]
)
def test_where_the_members_of_a_token_are_gone_the_next_number_is_taken(used_up: str | list[str]) -> None:
    hands = FakeHands(used_up, used_up, 3)
    launch(number=7).run(hands)
    assert numbers(hands) == [7, 8, 9]


def test_where_our_tags_were_taken_off_the_members_of_a_token_the_next_number_is_taken() -> None:
    hands = FakeHands(3, 3)
    hands.tags = [[{"Key": "kept-for", "Value": "debugging"}]]
    launch().run(hands)
    assert numbers(hands) == [0, 1]


def test_where_some_members_of_a_token_are_gone_everything_is_looked_at_again() -> None:
    with pytest.raises(ChangedMeanwhile):
        launch().run(FakeHands(["running", "terminated", "running"]))


def test_a_mismatch_is_believed_until_the_other_launch_must_have_shown() -> None:
    hands = FakeHands("IdempotentParameterMismatch")
    hands.age_s = LONGEST_MISMATCH_S - 1
    with pytest.raises(AwsError, match="Mismatch"):
        launch().run(hands)
    assert len(hands.sent) == 1


def test_a_mismatch_with_a_launch_of_long_ago_leads_to_the_next_number() -> None:
    hands = FakeHands("IdempotentParameterMismatch", 3)
    hands.age_s = LONGEST_MISMATCH_S
    launch().run(hands)
    assert numbers(hands) == [0, 1]
    (asked,) = [call for call in hands.sent if call.operation == "DescribeInstances"]
    assert asked.params == {"Filters": [{"Name": "client-token", "Values": [tokens(hands)[0]]}]}


def test_a_mismatch_with_members_that_live_is_never_passed_over() -> None:
    hands = FakeHands("IdempotentParameterMismatch")
    hands.age_s = 10 * LONGEST_MISMATCH_S
    hands.of_the_token = [{"InstanceId": "i-1", "State": {"Name": "running"}, "Tags": TAGS}]
    with pytest.raises(AwsError, match="Mismatch"):
        launch().run(hands)


def test_where_capacity_is_short_the_next_type_gets_the_rest_once_the_first_members_are_shown() -> None:
    hands = FakeHands("InsufficientInstanceCapacity", 2, 1)
    launch("t3.micro", "t3a.micro", "t2.micro").run(hands)
    asked = [(call.params["InstanceType"], call.params["MaxCount"]) for call in hands.launches]
    assert asked == [("t3.micro", 3), ("t3a.micro", 3), ("t2.micro", 1)]
    assert numbers(hands) == [0, 0, 1]
    assert [(wait.until, len(wait.instances)) for wait in hands.waits] == [(Until.RUNNING, 2)]


def test_a_large_launch_is_broken_up_and_each_part_is_shown_before_the_next_is_sent() -> None:
    hands = FakeHands(MOST_AT_ONCE, MOST_AT_ONCE, 1)
    large = launch(count=2 * MOST_AT_ONCE + 1)
    large.run(hands)
    assert [call.params["MaxCount"] for call in hands.launches] == [MOST_AT_ONCE, MOST_AT_ONCE, 1]
    assert numbers(hands) == [0, 1, 2]
    assert [len(wait.instances) for wait in hands.waits] == [MOST_AT_ONCE, MOST_AT_ONCE]
    assert [call.count for call in large.calls()] == [3]


@pytest.mark.parametrize("answers", [(2,), (2, "InsufficientInstanceCapacity")])
def test_a_launch_that_got_too_few_keeps_them_and_says_so(answers: tuple[int | str, ...]) -> None:
    types = ("t3.micro", "t3.nano")[: len(answers)]
    with pytest.raises(AwsError, match="2 of 3"):
        launch(*types).run(FakeHands(*answers))


@pytest.mark.parametrize(
    "code", ["UnauthorizedOperation", "VcpuLimitExceeded", "IdempotentParameterMismatch"]
)
def test_any_other_error_ends_the_launch(code: str) -> None:
    hands = FakeHands(code)
    with pytest.raises(AwsError, match=code):
        launch("t3.micro", "t3.nano").run(hands)
    assert len(hands.launches) == 1


def test_the_epoch_is_the_id_of_the_profile_that_this_run_has_made() -> None:
    hands = FakeHands(3)
    made = {"InstanceProfile": {"InstanceProfileName": "env-web", "InstanceProfileId": "AIPA7"}}
    hands.answered.append(("CreateInstanceProfile", made))
    launch(epoch=None).run(hands)
    assert tokens(hands) == [token(SLOT, "AIPA7", "t3.micro", 0)]


def test_ownership_and_the_number_asked_for_are_set_with_the_launch() -> None:
    hands = FakeHands(3)
    (one,) = launches(FLEET, "env", None, "", AROUND, {SUBNETS[0]: 3}, ())
    one.run(hands)
    tags = {tag["Key"]: tag["Value"] for tag in hands.sent[0].params["TagSpecifications"][0]["Tags"]}
    assert tags[FLEET_TAG] == "web"
    assert tags[ASKED_TAG] == "3"
    assert "protection=off" in tags[LAUNCH_TAG]
    assert tags["Name"] == "env-web"


def test_new_members_get_the_numbers_that_are_free_and_are_waited_for() -> None:
    fleet = fleet_of(environment(fleets={"web": PLAIN | {"name": "web-{index:02d}"}}))
    there = [member(1, fleet, tags={INDEX_TAG: "2"})]
    hands = FakeHands(1, 1)
    started = launches(fleet, "env", None, "", AROUND, {SUBNETS[0]: 1, SUBNETS[1]: 1}, there)
    ScaleOut(started, fleet, "env", tuple(there)).run(hands)
    named = [call.params["Tags"][0]["Value"] for call in hands.sent if call.operation == "CreateTags"]
    assert named == ["web-01", "web-03"]
    assert [(wait.until, len(wait.instances)) for wait in hands.waits] == [(Until.RUNNING, 2)]


def test_new_members_get_no_number_that_members_without_one_are_getting_at_the_same_time() -> None:
    fleet = fleet_of(environment(fleets={"web": PLAIN | {"name": "web-{index}"}}))
    hands = FakeHands(1)
    started = launches(fleet, "env", None, "", AROUND, {SUBNETS[0]: 1}, [member(2, fleet)])
    ScaleOut(started, fleet, "env", (member(2, fleet),)).run(hands)
    named = [call.params["Tags"][0]["Value"] for call in hands.sent if call.operation == "CreateTags"]
    assert named == ["web-2"]


def test_what_this_run_launched_before_is_shown_before_it_launches_more() -> None:
    hands = FakeHands(2, 1)
    launch(count=2).run(hands)
    there = [member(7, FLEET), member(1, FLEET, id="i-10"), member(1, FLEET, id="i-11")]
    started = launches(FLEET, "env", None, "", AROUND, {SUBNETS[0]: 1}, there)
    ScaleOut(started, FLEET, "env", tuple(there)).run(hands)
    assert [wait.instances for wait in hands.waits] == [("i-10", "i-11"), ("i-20",)]
