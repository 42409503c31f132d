"""The token of a launch: what it stands for, and what is done with EC2's answers to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from provisioner.errors import AwsError, ChangedMeanwhile, LaunchNotVisible
from provisioner.execution import ExecutionContext, run_step
from provisioner.kinds.fleet.launching.launch import MAX_MISMATCH_S, NumberedLaunch, next_number
from provisioner.kinds.fleet.launching.launch_context import LaunchContext
from provisioner.kinds.fleet.launching.scale_out import ScaleOut
from provisioner.kinds.fleet.observed import MAX_AT_ONCE, PartlyObserved
from provisioner.kinds.fleet.spec import CapacityOption
from provisioner.kinds.instance_profile.binding import id_of_created
from provisioner.kinds.instances import Instance, as_instance
from provisioner.kinds.launch_token import Slot, launch_token
from provisioner.model import Call, Output, Until, Wait
from provisioner.naming import ASKED_TAG, ENVIRONMENT_TAG, FLEET_TAG, INDEX_TAG, LAUNCH_TAG
from tests.support.build import (
    AROUND,
    BARE_INSTANCE,
    PROFILE,
    SUBNETS,
    environment,
    fleet_of,
    member,
    observed_fleet,
    planned,
)
from tests.support.build import FLEET as AT

T = TypeVar("T")

PLAIN = {"count": 3, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
FLEET = fleet_of(environment(fleets={"web": PLAIN}))
SLOT = Slot("env", "web", "us-east-1a", "subnet-a")
LAUNCHED = datetime(2026, 1, 2, tzinfo=UTC)
TAGS = [{"Key": ENVIRONMENT_TAG, "Value": "env"}, {"Key": FLEET_TAG, "Value": "web"}]


def token(slot: Slot, epoch: str, choice: object, number: int) -> str:
    return launch_token(slot, epoch, str(choice), number)


class FakeContext:
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
                **BARE_INSTANCE,
                "InstanceId": f"i-{len(self.sent)}{number}",
                "State": {"Name": state},
                "Tags": tags,
                "ClientToken": call.params["ClientToken"],
                "LaunchTime": LAUNCHED,
            }
            for number, state in enumerate(states)
        ]
        self.answered.append((call.operation, {"Instances": instances}))
        return {"Instances": instances}

    def parallel(self, actions: Iterable[Callable[[ExecutionContext], T]]) -> list[T]:
        return [action(self) for action in actions]

    def wait(self, wait: Wait) -> dict[str, Any]:
        self.waits.append(wait)
        return self.shown

    def pause(self, seconds: float) -> None:
        raise AssertionError("nothing here pauses")

    def tell(self, phase: str) -> None:
        pass

    def took(self, number: int, option: str, wanted: str) -> None:
        pass

    def check(self) -> None:
        pass

    def to_the_end(self) -> FakeContext:
        return self

    def seconds_since(self, what: str) -> float:
        return self.age_s

    def value_of(self, output: Output) -> str:
        return f"{output.path[-1]} of {output.address}"

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return [answer for name, answer in self.answered if name == operation]

    @property
    def launches(self) -> list[Call]:
        return [call for call in self.sent if call.operation == "RunInstances"]


class ShowingContext(FakeContext):
    """Shows at once what was launched and how it was tagged, but for the members in `renamed`.

    `later` is what is shown of others once a member was tagged.
    """

    def __init__(self, *script: int | str | list[str], renamed: str = "") -> None:
        super().__init__(*script)
        self.renamed = renamed
        self.later: dict[str, Instance] = {}

    def wait(self, wait: Wait) -> dict[str, Any]:
        super().wait(wait)
        raws = [raw for _, answer in self.answered for raw in answer["Instances"]]
        shown = self.shown | {raw["InstanceId"]: as_instance(raw) for raw in raws}
        for call in self.sent:
            if call.operation == "CreateTags":
                (name,) = call.params["Resources"]
                tags = {tag["Key"]: tag["Value"] for tag in call.params["Tags"]}
                if name == self.renamed:
                    tags |= {"Name": "other", INDEX_TAG: "9"}
                shown[name] = replace(shown[name], tags={**shown[name].tags, **tags})
                shown |= self.later
        return shown


MICRO, NANO = CapacityOption("t3.micro"), CapacityOption("t3.nano")


def launch(count: int = 3, number: int = 0) -> NumberedLaunch:
    params = {"TagSpecifications": [{"ResourceType": "instance", "Tags": TAGS}]}
    return NumberedLaunch(SLOT, number, count, MICRO, "", params)


def scale_out(
    count: int = 3,
    members: Iterable[Instance] = (),
    gone: Iterable[Instance] = (),
    epoch: str | Output = "",
    subnets: int = 1,
    **fleet: Any,
) -> ScaleOut:
    """Launch `count` more members of a fleet in the first so many subnets."""
    wanted = fleet_of(environment(fleets={"web": PLAIN | fleet}))
    around = replace(AROUND, subnets=SUBNETS[:subnets])
    launches = LaunchContext(wanted, "env", "env-web" if epoch else None, epoch, around)
    members = tuple(members)
    return ScaleOut(launches, count, members, tuple(gone), len(members) + count)


def named(context: FakeContext) -> dict[str, str]:
    """Which member was given which name."""
    calls = [call.params for call in context.sent if call.operation == "CreateTags"]
    return {params["Resources"][0]: params["Tags"][0]["Value"] for params in calls}


def asked(context: FakeContext) -> list[tuple[str, str, int]]:
    """What was asked for: the last letter of the zone, the type, how many."""
    return [
        (
            call.params["Placement"]["AvailabilityZone"][-1],
            call.params["InstanceType"],
            call.params["MaxCount"],
        )
        for call in context.launches
    ]


def tokens(context: FakeContext) -> list[str]:
    return [call.params["ClientToken"] for call in context.launches]


def numbers(context: FakeContext) -> list[int]:
    return [int(name.rsplit("-", 1)[1]) for name in tokens(context)]


@pytest.mark.parametrize(
    "other",
    [
        token(replace(SLOT, environment="other"), "", MICRO, 0),
        token(replace(SLOT, fleet="other"), "", MICRO, 0),
        token(replace(SLOT, zone="us-east-1b"), "", MICRO, 0),
        token(replace(SLOT, subnet="subnet-b"), "", MICRO, 0),
        token(SLOT, "AIPA1", MICRO, 0),
        token(SLOT, "", NANO, 0),
        token(SLOT, "", MICRO, 1),
    ],
)
def test_a_token_stands_for_one_launch_in_one_place(other: str) -> None:
    assert token(SLOT, "", MICRO, 0) != other


def test_a_token_fits_into_ec2s_limit() -> None:
    assert len(token(SLOT, "AIPA1", CapacityOption("u7in-32tb.224xlarge", "spot"), 10**8)) <= 64


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ([], 0),
        ([("", MICRO, 0)], 1),
        ([("", "t3.micro", 9), ("", "t3.nano", 10), ("", "t3.micro", 2)], 11),
        ([("AIPA1", "t3.micro", 4)], 0),
        ([("", "t3.micro", 4), ("", "t3.micro", 999_999_999)], 5),
    ],
    ids=["nothing visible", "one", "the highest, of any type", "of an earlier profile", "beyond any of ours"],
)
def test_the_next_launch_has_the_number_after_the_highest_that_is_visible(
    visible: list[tuple[str, CapacityOption, int]], expected: int
) -> None:
    members = [member(number, FLEET, token=token(SLOT, *launched)) for number, launched in enumerate(visible)]
    by_hand = member(8, FLEET, token="made-by-hand-77")
    assert next_number(SLOT, "", [*members, by_hand, member(9, FLEET)]) == expected


def test_terminated_members_count_for_the_number_and_those_of_other_subnets_do_not() -> None:
    slot = Slot("env", "web", SUBNETS[0].zone, SUBNETS[0].id)
    gone = member(0, FLEET, token=token(slot, "", MICRO, 3), state="terminated", subnet=None)
    context = FakeContext(1, 1)
    run_step(scale_out(2, gone=[gone], subnets=2), context)
    assert numbers(context) == [4, 0]


def test_the_count_is_not_in_the_token() -> None:
    three, five = FakeContext(3), FakeContext(5)
    launch(count=3).send(three)
    launch(count=5).send(five)
    assert tokens(three) == tokens(five)


@pytest.mark.parametrize(
    "used_up", ["IdempotentInstanceTerminated", ["terminated", "terminated"], ["shutting-down"]]
)
def test_where_the_members_of_a_token_are_gone_the_next_number_is_taken(used_up: str | list[str]) -> None:
    context = FakeContext(used_up, used_up, 3)
    launch(number=7).send(context)
    assert numbers(context) == [7, 8, 9]


def test_where_our_tags_were_taken_off_the_members_of_a_token_the_next_number_is_taken() -> None:
    context = FakeContext(3, 3)
    context.tags = [[{"Key": "kept-for", "Value": "debugging"}]]
    launch().send(context)
    assert numbers(context) == [0, 1]


def test_where_some_members_of_a_token_are_gone_everything_is_looked_at_again() -> None:
    with pytest.raises(ChangedMeanwhile):
        launch().send(FakeContext(["running", "terminated", "running"]))


def test_a_mismatch_is_believed_until_the_other_launch_must_have_shown() -> None:
    context = FakeContext("IdempotentParameterMismatch")
    context.age_s = MAX_MISMATCH_S - 1
    with pytest.raises(AwsError, match="Mismatch"):
        launch().send(context)
    assert len(context.sent) == 1


def test_a_mismatch_with_a_launch_of_long_ago_leads_to_the_next_number() -> None:
    context = FakeContext("IdempotentParameterMismatch", 3)
    context.age_s = MAX_MISMATCH_S
    launch().send(context)
    assert numbers(context) == [0, 1]
    (asked,) = [call for call in context.sent if call.operation == "DescribeInstances"]
    assert asked.params == {"Filters": [{"Name": "client-token", "Values": [tokens(context)[0]]}]}


def test_a_mismatch_with_members_that_live_is_never_passed_over() -> None:
    context = FakeContext("IdempotentParameterMismatch")
    context.age_s = 10 * MAX_MISMATCH_S
    context.of_the_token = [{**BARE_INSTANCE, "Tags": TAGS}]
    with pytest.raises(AwsError, match="Mismatch"):
        launch().send(context)


SHORT = "InsufficientInstanceCapacity"


@pytest.mark.parametrize(
    ("types", "subnets", "count", "answers", "expected"),
    [
        ("t3.micro", 2, 4, (2, 2), [("a", "t3.micro", 2), ("b", "t3.micro", 2)]),
        ("t3.micro", 2, 4, (SHORT, 2, 2), [("a", "t3.micro", 2), ("b", "t3.micro", 2), ("b", "t3.micro", 2)]),
        (
            ["t3.micro", "t3.nano"],
            2,
            4,
            (SHORT, 1, 2, 1),
            [("a", "t3.micro", 2), ("b", "t3.micro", 2), ("a", "t3.nano", 2), ("b", "t3.nano", 1)],
        ),
        (
            ["t3.micro", "t3.nano"],
            1,
            3,
            (SHORT, 3),
            [("a", "t3.micro", 3), ("a", "t3.nano", 3)],
        ),
    ],
    ids=["room everywhere", "another zone takes over", "each type in all zones first", "one zone"],
)
def test_where_capacity_is_short_other_zones_are_tried_and_then_the_next_type(
    types: Any, subnets: int, count: int, answers: tuple[int | str, ...], expected: list[Any]
) -> None:
    context = FakeContext(*answers)
    run_step(scale_out(count, subnets=subnets, instance_type=types), context)
    assert asked(context) == expected


def test_what_was_launched_is_shown_before_more_is_launched_in_its_place() -> None:
    context = FakeContext(2, 1, 1)
    run_step(scale_out(4, subnets=2), context)
    assert asked(context) == [("a", "t3.micro", 2), ("b", "t3.micro", 2), ("a", "t3.micro", 1)]
    assert numbers(context) == [0, 0, 1]
    assert [(wait.until, len(wait.instances)) for wait in context.waits] == [
        (Until.SHOWN, 3),
        (Until.RUNNING, 4),
    ]


def test_spot_instances_are_tried_first_and_then_bought_on_demand() -> None:
    context = FakeContext("SpotMaxPriceTooLow", 3)
    run_step(scale_out(3, market="spot", max_price="0.01", fallback="on_demand"), context)
    first, second = (call.params for call in context.launches)
    assert first["InstanceMarketOptions"]["MarketType"] == "spot"
    assert first["InstanceMarketOptions"]["SpotOptions"]["MaxPrice"] == "0.01"
    assert "InstanceMarketOptions" not in second
    assert first["ClientToken"] != second["ClientToken"]


def test_a_large_launch_is_broken_up_and_each_part_is_shown_before_the_next_is_sent() -> None:
    context = FakeContext(MAX_AT_ONCE, MAX_AT_ONCE, 1)
    large = scale_out(2 * MAX_AT_ONCE + 1)
    run_step(large, context)
    assert [call.params["MaxCount"] for call in context.launches] == [MAX_AT_ONCE, MAX_AT_ONCE, 1]
    assert numbers(context) == [0, 1, 2]
    assert [len(wait.instances) for wait in context.waits if wait.until is Until.SHOWN] == [MAX_AT_ONCE] * 2
    assert [call.count for call in large.calls()] == [3]


@pytest.mark.parametrize("types", ["t3.micro", ["t3.micro", "t3.nano"]])
def test_a_launch_that_got_too_few_keeps_them_and_says_so(types: Any) -> None:
    answers = (2, SHORT) if isinstance(types, list) else (2,)
    with pytest.raises(AwsError, match=r"no room for 1 of 3 members.*2 were launched, and stay"):
        run_step(scale_out(3, instance_type=types), FakeContext(*answers))


@pytest.mark.parametrize(
    "code", ["UnauthorizedOperation", "VolumeLimitExceeded", "IdempotentParameterMismatch"]
)
def test_any_other_error_ends_the_launch(code: str) -> None:
    context = FakeContext(code)
    with pytest.raises(AwsError, match=code):
        run_step(scale_out(3, instance_type=["t3.micro", "t3.nano"]), context)
    assert len(context.launches) == 1


def test_what_was_launched_beside_a_launch_that_was_refused_is_said_to_be_kept() -> None:
    with pytest.raises(AwsError) as caught:
        run_step(scale_out(4, subnets=2), FakeContext(2, "InvalidParameterValue"))
    assert caught.value.hint == "2 of 4 members were launched before, and stay"


def test_a_quota_is_said_to_be_one() -> None:
    with pytest.raises(AwsError) as caught:
        run_step(scale_out(3), FakeContext("VcpuLimitExceeded"))
    assert "quota" in (caught.value.hint or "")


def test_one_launch_finds_out_whether_ec2_knows_a_new_profile_before_the_others_are_sent() -> None:
    context = FakeContext("InvalidParameterValue", 2)
    with pytest.raises(AwsError):
        run_step(scale_out(4, epoch=id_of_created(PROFILE), subnets=2), context)
    assert len(context.launches) == 1


def test_the_epoch_is_the_id_of_the_profile_that_this_run_has_made() -> None:
    context = FakeContext(3)
    run_step(scale_out(3, epoch=id_of_created(PROFILE)), context)
    slot = Slot("env", "web", SUBNETS[0].zone, SUBNETS[0].id)
    assert tokens(context) == [token(slot, "InstanceProfileId of instance_profile/web", MICRO, 0)]


def test_ownership_and_the_number_asked_for_are_set_with_the_launch() -> None:
    context = FakeContext(3)
    run_step(scale_out(3), context)
    tags = {tag["Key"]: tag["Value"] for tag in context.sent[0].params["TagSpecifications"][0]["Tags"]}
    assert tags[FLEET_TAG] == "web"
    assert tags[ASKED_TAG] == "3"
    assert "protection=off" in tags[LAUNCH_TAG]
    assert tags["Name"] == "env-web"


def test_new_members_get_the_numbers_that_are_free_and_are_waited_for() -> None:
    fleet = fleet_of(environment(fleets={"web": PLAIN | {"name": "web-{index:02d}"}}))
    there = [member(1, fleet, tags={INDEX_TAG: "2"})]
    context = ShowingContext(2)
    context.shown = {instance.id: instance for instance in there}
    run_step(scale_out(2, there, subnets=2, name="web-{index:02d}"), context)
    assert list(named(context).values()) == ["web-01", "web-03"]
    assert [(wait.until, len(wait.instances)) for wait in context.waits] == [
        (Until.SHOWN, 2),
        (Until.RUNNING, 2),
    ]


@pytest.mark.parametrize(
    "launched", ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"], ids=["before", "in the same second"]
)
@pytest.mark.parametrize("there", [("i-02", "i-03"), ("i-98", "i-99"), ("i-02", "i-99")], ids=", ".join)
def test_new_members_get_no_number_that_members_without_one_are_getting_at_the_same_time(
    there: tuple[str, str], launched: str
) -> None:
    # What a killed run has launched is given its numbers by the plan of the next one, while that launches.
    # LaunchTime tells seconds, so whoever is older may come after in the order by time and id.
    desired = environment(fleets={"web": PLAIN | {"count": 4, "name": "web-{index}"}})
    members = [member(2, fleet_of(desired), id=name, launched=launched) for name in there]
    corrected, scaled_out = planned(desired, {AT: observed_fleet(members)}).changes
    context = ShowingContext(2)
    context.shown = {instance.id: instance for instance in members}
    for change in (scaled_out, corrected):
        for step in change.steps:
            run_step(step, context)
    assert named(context) == {"i-10": "web-3", "i-11": "web-4", there[0]: "web-1", there[1]: "web-2"}


def test_a_number_that_somebody_else_has_given_to_another_meanwhile_is_looked_at_again() -> None:
    fleet = fleet_of(environment(fleets={"web": PLAIN | {"name": "web-{index}"}}))
    context = ShowingContext(1)
    context.shown = {"i-02": member(2, fleet)}
    context.later = {"i-02": member(2, fleet, tags={INDEX_TAG: "2"})}
    with pytest.raises(ChangedMeanwhile, match="somebody else has given the number of i-10 to i-02"):
        run_step(replace(scale_out(1, name="web-{index}"), expected=2), context)


def test_numbers_are_made_of_all_that_is_shown_so_that_two_who_launch_the_same_members_agree() -> None:
    fleet = fleet_of(environment(fleets={"web": PLAIN | {"name": "web-{index}"}}))
    context = ShowingContext(1)
    context.shown = {"i-02": member(2, fleet)}
    step = scale_out(1, name="web-{index}")
    run_step(replace(step, expected=2), context)
    assert named(context) == {"i-10": "web-2"}


def test_a_name_that_somebody_else_has_given_is_not_waited_for_to_change() -> None:
    with pytest.raises(ChangedMeanwhile, match="somebody else has given a name to i-10"):
        run_step(scale_out(1, name="web-{index}"), ShowingContext(1, renamed="i-10"))


def test_a_launch_that_got_fewer_than_it_asked_for_says_so_on_its_members() -> None:
    context = FakeContext(2)
    launch(count=3).send(context)
    (noted,) = [call for call in context.sent if call.operation == "CreateTags"]
    assert noted.params == {"Resources": ["i-10", "i-11"], "Tags": [{"Key": ASKED_TAG, "Value": "2"}]}


def test_too_many_members_of_others_are_noticed() -> None:
    context = ShowingContext(1)
    context.shown = {instance.id: instance for instance in (member(7, FLEET), member(8, FLEET))}
    with pytest.raises(ChangedMeanwhile, match="somebody else has launched i-07, i-08"):
        run_step(scale_out(1), context)


def test_what_this_run_launched_before_is_shown_before_it_launches_more() -> None:
    context = FakeContext(2, 1)
    launch(count=2).send(context)
    there = [member(7, FLEET), member(1, FLEET, id="i-10"), member(1, FLEET, id="i-11")]
    run_step(scale_out(1, there), context)
    assert [wait.instances for wait in context.waits] == [("i-10", "i-11"), ("i-20",)]


def test_new_members_are_spread_around_those_that_stay() -> None:
    staying = [member(1, FLEET), member(3, FLEET)]
    leaving = [member(2, FLEET), member(4, FLEET)]
    step = replace(scale_out(2, [*staying, *leaving], subnets=2), leaving=frozenset({"i-02", "i-04"}))
    assert {instance.zone for instance in staying} == {"us-east-1b"}
    context = FakeContext(2)
    run_step(step, context)
    assert asked(context) == [("a", "t3.micro", 2)]


@pytest.mark.parametrize(("destroying", "error"), [(True, LaunchNotVisible), (False, AwsError)])
def test_whoever_destroys_need_not_launch_to_wait_for_a_launch_that_is_shown_in_part(
    destroying: bool, error: type[Exception]
) -> None:
    there = member(1, FLEET)
    observed = observed_fleet([there], partly_observed=(PartlyObserved("token", 3, (there,)),))
    desired = environment(fleets={"web": PLAIN})
    (change,) = planned(desired, {AT: observed}, destroying).changes
    context = FakeContext("UnauthorizedOperation")
    with pytest.raises(error):
        run_step(change.steps[0], context)
    assert [call.params["ClientToken"] for call in context.launches] == ["token"]
