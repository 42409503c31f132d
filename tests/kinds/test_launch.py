"""The token of a launch: what it stands for, and what is done with EC2's answers to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from provisioner.errors import AwsError
from provisioner.kinds.fleet.launch import Launch, ScaleOut, Slot, launches, token
from provisioner.kinds.fleet.members import spread
from provisioner.model import Call, Step, Until, Wait
from provisioner.naming import ASKED_TAG, FLEET_TAG, INDEX_TAG, LAUNCH_TAG
from tests.kinds.build import AROUND, SUBNETS, environment, fleet_of, member

PLAIN = {"count": 3, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
FLEET = fleet_of(environment(fleets={"web": PLAIN}))
SLOT = Slot("env", "web", "us-east-1a", "subnet-a", ("i-1", "i-2"))


class FakeHands:
    """Answers each RunInstances with the next of `script`: a number of instances, or an error code."""

    def __init__(self, *script: int | str) -> None:
        self.script = list(script)
        self.sent: list[Call] = []
        self.waits: list[Wait] = []
        self.answered: list[tuple[str, dict[str, Any]]] = []
        self.shown: dict[str, Any] = {}
        self.age_s = 0.0

    def send(self, call: Call) -> dict[str, Any]:
        self.sent.append(call)
        if call.operation != "RunInstances":
            return {}
        answer = self.script.pop(0)
        if isinstance(answer, str):
            raise AwsError("ec2", "RunInstances", answer, "no")
        instances = [
            {
                "InstanceId": f"i-{len(self.sent)}{number}",
                "State": {"Name": "pending"},
                "Tags": call.params["TagSpecifications"][0]["Tags"],
                "ClientToken": call.params["ClientToken"],
            }
            for number in range(answer)
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


def launch(*types: str, count: int = 3, epoch: str | None = "") -> Launch:
    params = {"TagSpecifications": [{"ResourceType": "instance", "Tags": []}]}
    return Launch(SLOT, count, types or ("t3.micro",), "env-web", epoch, params)


def tokens(hands: FakeHands) -> list[str]:
    return [call.params["ClientToken"] for call in hands.launches]


@pytest.mark.parametrize(
    "other",
    [
        token(replace(SLOT, environment="other"), "", "t3.micro", 0),
        token(replace(SLOT, fleet="other"), "", "t3.micro", 0),
        token(replace(SLOT, zone="us-east-1b"), "", "t3.micro", 0),
        token(replace(SLOT, subnet="subnet-b"), "", "t3.micro", 0),
        token(replace(SLOT, visible=("i-1",)), "", "t3.micro", 0),
        token(SLOT, "AIPA1", "t3.micro", 0),
        token(SLOT, "", "t3.nano", 0),
        token(SLOT, "", "t3.micro", 1),
    ],
)
def test_a_token_stands_for_all_that_was_observed(other: str) -> None:
    assert token(SLOT, "", "t3.micro", 0) != other


def test_a_token_does_not_depend_on_the_order_of_members_and_fits_into_ec2s_limit() -> None:
    there = token(replace(SLOT, visible=("i-2", "i-1")), "", "t3.micro", 0)
    assert there == token(SLOT, "", "t3.micro", 0)
    assert len(there) == 64


def test_the_count_is_not_in_the_token() -> None:
    three, five = FakeHands(3), FakeHands(5)
    launch(count=3).run(three)
    launch(count=5).run(five)
    assert tokens(three) == tokens(five)


def test_a_token_of_terminated_instances_is_salted_step_by_step() -> None:
    hands = FakeHands("IdempotentInstanceTerminated", "IdempotentInstanceTerminated", 3)
    launch().run(hands)
    assert tokens(hands) == [token(SLOT, "", "t3.micro", salt) for salt in range(3)]


def test_where_capacity_is_short_the_next_type_gets_the_rest() -> None:
    hands = FakeHands("InsufficientInstanceCapacity", 2, 1)
    launch("t3.micro", "t3a.micro", "t2.micro").run(hands)
    asked = [(call.params["InstanceType"], call.params["MaxCount"]) for call in hands.launches]
    assert asked == [("t3.micro", 3), ("t3a.micro", 3), ("t2.micro", 1)]


def test_a_launch_that_got_too_few_keeps_them_and_says_so() -> None:
    with pytest.raises(AwsError, match="2 of 3"):
        launch().run(FakeHands(2))


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


def test_a_launch_names_the_members_of_its_own_zone_only() -> None:
    members = [member(number, FLEET) for number in range(4)]
    first, second = launches(FLEET, "env", None, "", AROUND, spread(2, SUBNETS, members), members)
    assert first.slot.visible == ("i-00", "i-02")
    assert second.slot.visible == ("i-01", "i-03")


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
