"""Fleets: what the spec says, what EC2 has, and the changes between them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from provisioner.kinds import KINDS
from provisioner.kinds.fleet.diff.interrupting_changes import ready_change
from provisioner.kinds.fleet.observed import PartlyObserved, Problem
from provisioner.kinds.fleet.settings.setting import How
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.instances import Binding, Instance
from provisioner.model import Action, Address, Call, Environment, Plan, foretold_calls
from provisioner.naming import EXPIRES_TAG, INDEX_TAG, LAUNCH_TAG
from provisioner.plan import plan
from tests.support.build import (
    FLEET,
    PROFILE,
    PROFILE_ARN,
    ROLE,
    calls,
    environment,
    fleet_of,
    found_profile,
    member,
    observed_fleet,
    observed_role,
    planned,
    told,
    world,
)

IAM = {"roles": {"web": {}}, "instance_profiles": {"web": {"role": "web"}}}
BOUND = {"instance_profile": "web"}


def spec(**fleet: Any) -> Environment:
    plain = {"count": 2, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
    return environment(**IAM, ignore_tags=["CostCenter"], fleets={"web": plain | fleet})


def plan_of(desired: Environment, *members: Any, **observed: Any) -> Plan:
    there: dict[Address, Any] = {
        ROLE: observed_role(),
        PROFILE: found_profile(),
        FLEET: observed_fleet(members, **observed),
    }
    return planned(desired, there)


def members(desired: Environment, *differing: dict[str, Any]) -> list[Any]:
    fleet = fleet_of(desired)
    return [member(number, fleet, **fields) for number, fields in enumerate(differing, start=1)]


REPLACED = ["RunInstances", "TerminateInstances"]

# What the spec has beyond the plain fleet, how the first of two members differs, and what is planned.
DRIFT: dict[str, tuple[dict[str, Any], dict[str, Any], list[str], list[str]]] = {
    "as it should be": (BOUND, {}, [], []),
    "no profile": (
        BOUND,
        {"profile": None},
        ["update fleet/web instance_profile i-01"],
        ["AssociateIamInstanceProfile"],
    ),
    "another profile": (
        BOUND,
        {"profile": Binding("arn:aws:iam::123456789012:instance-profile/theirs", "AIPA9")},
        ["update fleet/web instance_profile i-01"],
        ["ReplaceIamInstanceProfileAssociation"],
    ),
    "a profile that was deleted and made again": (
        BOUND,
        {"profile": Binding(PROFILE_ARN, "AIPA0")},
        ["update fleet/web instance_profile i-01"],
        ["ReplaceIamInstanceProfileAssociation"],
    ),
    "another profile on a stopped member": (
        BOUND,
        {"state": "stopped", "profile": Binding(PROFILE_ARN, "AIPA0")},
        ["update fleet/web instance_profile i-01", "update fleet/web power i-01"],
        ["DisassociateIamInstanceProfile", "AssociateIamInstanceProfile", "StartInstances"],
    ),
    "no profile on a stopped member": (
        BOUND,
        {"state": "stopped", "profile": None},
        ["update fleet/web instance_profile i-01", "update fleet/web power i-01"],
        ["AssociateIamInstanceProfile", "StartInstances"],
    ),
    "a profile where none should be": (
        {},
        {"profile": Binding(PROFILE_ARN, "AIPA1")},
        ["update fleet/web instance_profile i-01"],
        ["DisassociateIamInstanceProfile"],
    ),
    "a tag changed": (
        {"tags": {"team": "data"}},
        {"tags": {"team": "ops"}},
        ["update fleet/web tags.team i-01"],
        ["CreateTags"],
    ),
    "a tag removed": (
        {"tags": {"team": "data"}},
        {"tags": {"team": None}},
        ["update fleet/web tags.team i-01"],
        ["CreateTags"],
    ),
    "a tag added": ({}, {"tags": {"extra": "x"}}, ["update fleet/web tags.extra i-01"], ["DeleteTags"]),
    "an ignored tag added": ({}, {"tags": {"CostCenter": "7", "aws:x": "y"}}, [], []),
    "a name changed": ({}, {"tags": {"Name": "mine"}}, ["update fleet/web name i-01"], ["CreateTags"]),
    "tokens optional": (
        {},
        {"http_tokens": "optional"},
        ["update fleet/web metadata.http_tokens i-01"],
        ["ModifyInstanceMetadataOptions"],
    ),
    "monitoring on": ({}, {"monitoring": True}, ["update fleet/web monitoring i-01"], ["UnmonitorInstances"]),
    "monitoring wanted": (
        {"monitoring": True},
        {"monitoring": False},
        ["update fleet/web monitoring i-01,i-02"],
        ["MonitorInstances"],
    ),
    "other security groups": (
        {"security_groups": ["default"]},
        {"groups": {"sg-00000000000000002": "db"}},
        ["update fleet/web security_groups i-01"],
        ["ModifyInstanceAttribute"],
    ),
    "security groups by id": ({"security_groups": ["sg-00000000000000001"]}, {}, [], []),
    "a security group by id and by name": (
        {"security_groups": ["default", "sg-00000000000000001"]},
        {},
        [],
        [],
    ),
    "security groups by id and by name, and one of them missing": (
        {"security_groups": ["default", "sg-00000000000000001", "db"]},
        {"groups": {"sg-00000000000000001": "default", "sg-00000000000000002": "db"}},
        ["update fleet/web security_groups i-02"],
        ["ModifyInstanceAttribute"],
    ),
    "one security group more than by id and by name": (
        {"security_groups": ["default", "sg-00000000000000001"]},
        {"groups": {"sg-00000000000000001": "default", "sg-00000000000000002": "db"}},
        ["update fleet/web security_groups i-01"],
        ["ModifyInstanceAttribute"],
    ),
    "other security groups on the first of two interfaces": (
        {"security_groups": ["default"]},
        {"groups": {"sg-00000000000000002": "db"}, "interfaces": ("eni-1", "eni-2")},
        ["update fleet/web security_groups i-01"],
        ["ModifyNetworkInterfaceAttribute"],
    ),
    "another tenancy, as the VPC has it": ({}, {"tenancy": "dedicated"}, [], []),
    "another tenancy than is wanted": (
        {"tenancy": "default"},
        {"tenancy": "dedicated"},
        ["replace fleet/web tenancy i-01"],
        REPLACED,
    ),
    "security groups are not compared when none are given": (
        {},
        {"groups": {"sg-00000000000000009": "x"}},
        [],
        [],
    ),
    "protection recorded as on": (
        {},
        {"tags": {LAUNCH_TAG: "protection=on shutdown=stop"}},
        ["update fleet/web termination_protection i-01"],
        ["ModifyInstanceAttribute", "CreateTags"],
    ),
    "shutdown behaviour wanted": (
        {"shutdown_behavior": "terminate"},
        {"tags": {LAUNCH_TAG: "protection=off shutdown=stop"}},
        ["update fleet/web shutdown_behavior i-01"],
        ["ModifyInstanceAttribute", "CreateTags"],
    ),
    "the launch record removed": ({"user_data": "x"}, {"tags": {LAUNCH_TAG: None}}, [], []),
    "another type": (
        {},
        {"type": "t3.nano"},
        ["update fleet/web instance_type i-01"],
        ["StopInstances", "ModifyInstanceAttribute", "StartInstances"],
    ),
    "another type, to be replaced": (
        {"update": {"on_restart": "replace"}},
        {"type": "t3.nano"},
        ["replace fleet/web instance_type i-01"],
        REPLACED,
    ),
    "another type, to be left": ({"update": {"on_restart": "never"}}, {"type": "t3.nano"}, [], []),
    "another type on a stopped member": (
        {},
        {"type": "t3.nano", "state": "stopped"},
        ["update fleet/web instance_type i-01"],
        ["ModifyInstanceAttribute", "StartInstances"],
    ),
    "another type where members are parked": (
        {"power": "stopped"},
        {"type": "t3.nano", "state": "stopped"},
        ["update fleet/web power i-02", "update fleet/web instance_type i-01"],
        ["StopInstances", "ModifyInstanceAttribute"],
    ),
    "stopped by hand": ({}, {"state": "stopped"}, ["update fleet/web power i-01"], ["StartInstances"]),
    "stopping": ({}, {"state": "stopping"}, ["update fleet/web power i-01"], ["StartInstances"]),
    "running where members are parked": (
        {"power": "stopped"},
        {},
        ["update fleet/web power i-01,i-02"],
        ["StopInstances"],
    ),
    "on demand where Spot is wanted": (
        {"market": "spot"},
        {"market": "on_demand"},
        ["replace fleet/web market i-02,i-01"],
        ["RunInstances x2", "TerminateInstances x2"],
    ),
    "on demand where that is the fallback": (
        {"market": "spot", "fallback": "on_demand"},
        {"market": "on_demand"},
        [],
        [],
    ),
    "a type further down the list": ({"instance_type": ["t3.micro", "t3.nano"]}, {"type": "t3.nano"}, [], []),
    "another image": ({}, {"image": "ami-00000000000000002"}, ["replace fleet/web image i-01"], REPLACED),
    "an image from a parameter is not compared": (
        {"image": {"ssm": "/x"}},
        {"image": "ami-00000000000000002"},
        [],
        [],
    ),
    "another subnet": (
        {"subnets": ["subnet-0000000000000000a", "subnet-0000000000000000b"]},
        {"subnet": "subnet-0000000000000000c"},
        ["replace fleet/web subnets i-01"],
        REPLACED,
    ),
    "another zone": (
        {"availability_zones": ["us-east-1a", "us-east-1b"]},
        {"zone": "us-east-1c"},
        ["replace fleet/web availability_zones i-01"],
        REPLACED,
    ),
    "another key": ({"key_name": "me"}, {"key_name": "you"}, ["replace fleet/web key_name i-01"], REPLACED),
    "other user data": (
        {"user_data": "x"},
        {"tags": {LAUNCH_TAG: "user_data=none protection=off shutdown=stop"}},
        ["replace fleet/web user_data i-01"],
        REPLACED,
    ),
    "other user data, to be given by a restart": (
        {"user_data": "x", "update": {"on_user_data": "restart"}},
        {"tags": {LAUNCH_TAG: "user_data=none protection=off shutdown=stop"}},
        ["update fleet/web user_data i-01"],
        ["StopInstances", "ModifyInstanceAttribute", "CreateTags", "StartInstances"],
    ),
    "other user data, to be ignored": (
        {"user_data": "x", "update": {"on_user_data": "ignore"}},
        {"tags": {LAUNCH_TAG: "user_data=none protection=off shutdown=stop"}},
        [],
        [],
    ),
    "a protected member with another image": (
        {"protect": ["i-0123456789abcdef0"]},
        {"id": "i-0123456789abcdef0", "image": "ami-00000000000000002"},
        [],
        [],
    ),
    "less said of the root volume than when it was launched": (
        {"root_volume": {"size_gb": 20}},
        {"tags": {LAUNCH_TAG: "protection=off shutdown=stop root_volume=size_gb:20,type:gp3"}},
        [],
        [],
    ),
    "another size of the root volume, which was not read": (
        {"root_volume": {"size_gb": 20}},
        {"tags": {LAUNCH_TAG: "root_volume=size_gb:10,type:gp3"}},
        [],
        [],
    ),
    "what differs is left to others": (
        {
            "ignore_changes": ["monitoring", "metadata", "instance_type", "image", "security_groups"],
            "security_groups": ["db"],
        },
        {
            "monitoring": True,
            "http_tokens": "optional",
            "hop_limit": 2,
            "type": "t3.small",
            "image": "ami-00000000000000002",
        },
        [],
        [],
    ),
    "something else differs than what is left to others": (
        {"ignore_changes": ["metadata.hop_limit", "user_data"]},
        {"http_tokens": "optional", "hop_limit": 2},
        ["update fleet/web metadata.http_tokens i-01"],
        ["ModifyInstanceMetadataOptions"],
    ),
}


@pytest.mark.parametrize("case", DRIFT)
def test_a_member_that_differs_is_corrected_or_named(case: str) -> None:
    wanted, differing, lines, operations = DRIFT[case]
    desired = spec(**wanted)
    like_the_spec: dict[str, Any] = {"key_name": wanted.get("key_name")}
    first, second = like_the_spec | differing, dict(like_the_spec)
    if "key_name" in differing:
        first["key_name"] = differing["key_name"]
    both = members(desired, first, second)
    if case == "monitoring wanted":
        both = members(desired, differing, differing)
    elif wanted.get("monitoring"):
        both = members(desired, first | {"monitoring": True}, second | {"monitoring": True})
    associations = {instance.id: f"assoc-{instance.id}" for instance in both if instance.profile}
    plan = plan_of(desired, *both, associations=associations)
    assert [told(change) for change in plan.changes] == lines
    assert [operation for change in plan.changes for operation in calls(change)] == operations


# `name:` of the fleet, `ignore_tags`, the tags that somebody has changed on the first of two members,
# the fields of the plan, and the tags that it writes.
NAMES: dict[str, tuple[str, list[str], dict[str, Any], list[str], dict[str, str]]] = {
    "renamed": ("web", [], {"Name": "mine"}, ["name"], {"Name": "web"}),
    "renamed, and names are left alone": ("web", ["Name"], {"Name": "mine"}, [], {}),
    "renamed, and all is left alone": ("web", ["*"], {"Name": "mine"}, [], {}),
    "renamed, and a letter is not a pattern": (
        "web",
        ["N?me", "[N]ame"],
        {"Name": "mine"},
        ["name"],
        {"Name": "web"},
    ),
    "unnamed, and names are left alone": ("web", ["Na*"], {"Name": None}, [], {}),
    "numbered and renamed": (
        "web-{index}",
        [],
        {"Name": "x", INDEX_TAG: "1"},
        ["name"],
        {"Name": "web-1", INDEX_TAG: "1"},
    ),
    "numbered and renamed, and names are left alone": (
        "web-{index}",
        ["Name"],
        {"Name": "x", INDEX_TAG: "1"},
        [],
        {},
    ),
    "the number lost, and names are left alone": (
        "web-{index}",
        ["Name"],
        {"Name": "x", INDEX_TAG: None},
        ["name"],
        {INDEX_TAG: "1"},
    ),
    "a wish of ours is compared whatever a pattern says": (
        "web",
        ["*"],
        {"team": "ops"},
        ["tags.team"],
        {"team": "data"},
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_are_given_by_the_spec_or_left_alone_but_never_both(case: str) -> None:
    name, ignored, changed, paths, put = NAMES[case]
    plain = {"count": 2, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
    desired = environment(tags={"team": "data"}, ignore_tags=ignored, fleets={"web": {**plain, "name": name}})
    number = {INDEX_TAG: "2", "Name": "web-2"} if "{" in name else {}
    plan = planned(desired, {FLEET: observed_fleet(members(desired, {"tags": changed}, {"tags": number}))})
    assert [field.path for change in plan.changes for field in change.fields] == paths
    written = [
        tag
        for change in plan.changes
        for step in change.steps
        for call in getattr(step, "steps", (step,))
        if isinstance(call, Call)
        for tag in call.params["Tags"]
    ]
    assert {tag["Key"]: tag["Value"] for tag in written} == put


@pytest.mark.parametrize("pattern", ["*", "provisioner:*", "provisioner:exp*"])
def test_no_pattern_has_an_end_stay_that_the_spec_took_away(pattern: str) -> None:
    plain = {"count": 1, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
    desired = environment(ignore_tags=[pattern], fleets={"web": plain})
    ended = members(desired, {"tags": {EXPIRES_TAG: "2026-11-27T18:00:00Z"}})
    changes = planned(desired, {FLEET: observed_fleet(ended)}).changes
    assert f"tags.{EXPIRES_TAG}" in [field.path for change in changes for field in change.fields]


@pytest.mark.parametrize(("is_over", "awaited"), [(False, [("i-01",)]), (True, [])])
def test_members_whose_end_has_come_are_not_waited_for(is_over: bool, awaited: list[Any]) -> None:
    desired = spec(ready="cloud_init")
    fleet = replace(fleet_of(desired), is_over=is_over)
    assert [
        change.instances for change in ready_change(FLEET, fleet, members(desired, {}), world(desired, {}))
    ] == awaited


def test_a_name_among_the_tags_of_the_environment_is_for_those_that_have_none_of_their_own() -> None:
    plain = {"count": 1, "image": "ami-00000000000000001", "instance_type": "t3.micro", "name": "mine"}
    desired = environment(tags={"Name": "all", "team": "data"}, roles={"web": {}}, fleets={"web": plain})
    assert "Name" not in fleet_of(desired).tags
    assert desired.resources[ROLE].tags["Name"] == "all"  # type: ignore[attr-defined]
    assert planned(desired, {FLEET: observed_fleet(members(desired, {}))}).summary[Action.UPDATE] == 0


@pytest.mark.parametrize(
    "setting",
    [setting for setting in SETTINGS if setting.how is not How.LIVE],
    ids=lambda setting: setting.path,
)
def test_what_cannot_change_live_is_left_with_a_reason(setting: Any) -> None:
    assert setting.why
    assert setting.source.startswith("https://docs.aws.amazon.com/")


def test_a_restart_and_a_replacement_say_why_and_come_one_after_the_other() -> None:
    desired = spec()
    plan = plan_of(desired, *members(desired, {"type": "t3.nano"}, {"image": "ami-00000000000000002"}))
    replacement, restart = plan.changes
    assert (restart.action, replacement.action) == (Action.UPDATE, Action.REPLACE)
    assert "stopped" in restart.reason
    assert "fixed at launch" in replacement.reason
    assert 0 < replacement.phase < restart.phase


def test_what_is_stopped_is_restarted_before_others_are_replaced() -> None:
    desired = spec()
    stopped = {"type": "t3.nano", "state": "stopped"}
    plan = plan_of(desired, *members(desired, stopped, {"image": "ami-00000000000000002"}))
    assert [change.action for change in plan.changes] == [Action.UPDATE, Action.REPLACE]


def test_an_uneven_fleet_that_gets_smaller_too_is_moved_to_where_there_is_room() -> None:
    desired = spec(count=3, rebalance=True)
    here, elsewhere = [
        {"subnet": f"subnet-0000000000000000{zone}", "zone": f"us-east-1{zone}"} for zone in "ac"
    ]
    (change,) = plan_of(desired, *members(desired, here, here, elsewhere, elsewhere)).changes
    assert told(change) == "replace fleet/web count i-04,i-02"
    (launch,) = [call for call in foretold_calls(change.steps) if call.operation == "RunInstances"]
    assert launch.params["Placement"] == {"AvailabilityZone": "us-east-1b"}


def test_fifty_members_from_nothing_are_one_call_a_subnet() -> None:
    (change,) = planned(
        spec(count=50, **BOUND), {ROLE: observed_role(), PROFILE: found_profile(), FLEET: observed_fleet(())}
    ).changes
    assert told(change) == "create fleet/web count instance_type image instance_profile spread"
    assert change.size == 50
    assert calls(change) == ["RunInstances x2"]
    assert change.needs == {PROFILE}


def test_numbered_members_are_named_once_they_have_ids() -> None:
    (change,) = planned(
        spec(count=3, name="web-{index}"),
        {ROLE: observed_role(), PROFILE: found_profile(), FLEET: observed_fleet(())},
    ).changes
    assert calls(change) == ["RunInstances x2", "CreateTags x3"]


def test_a_fleet_that_lost_a_member_gets_one() -> None:
    desired = spec(count=3)
    (change,) = plan_of(desired, *members(desired, {}, {})).changes
    assert told(change).startswith("create fleet/web count")
    assert change.size == 1


def test_a_smaller_fleet_loses_members_and_nothing_else() -> None:
    desired = spec(count=1)
    (change,) = plan_of(desired, *members(desired, {}, {"type": "t3.nano"}, {})).changes
    assert told(change) == "delete fleet/web count i-02,i-03"
    assert calls(change) == ["TerminateInstances"]


def test_one_change_for_the_same_difference_on_all_members() -> None:
    desired = spec(count=50, tags={"team": "data"})
    fifty = [member(number, fleet_of(desired), tags={"team": "ops"}) for number in range(50)]
    (change,) = plan_of(desired, *fifty).changes
    assert len(change.instances) == change.size == 50
    assert calls(change) == ["CreateTags"]


def test_a_thousand_and_one_ids_take_two_calls() -> None:
    desired = spec(count=1001, tags={"team": "data"})
    many = [member(number, fleet_of(desired), tags={"team": "ops"}) for number in range(1001)]
    (change,) = plan_of(desired, *many).changes
    assert calls(change) == ["CreateTags x2"]


def test_numbers_are_kept_and_the_lowest_free_one_is_given() -> None:
    desired = spec(count=3, name="web-{index}")
    three = members(
        desired,
        {"tags": {INDEX_TAG: "3", "Name": "web-3"}},
        {"tags": {INDEX_TAG: None, "Name": None}},
        {"tags": {INDEX_TAG: "1", "Name": "web-1"}},
    )
    (change,) = plan_of(desired, *three).changes
    assert told(change) == "update fleet/web name i-02"
    assert {"Key": INDEX_TAG, "Value": "2"} in change.steps[0].steps[0].params["Tags"]  # type: ignore[attr-defined]


def test_protected_members_are_not_terminated() -> None:
    desired = spec(count=1, termination_protection=True)
    plan = plan_of(desired, *members(desired, {}, {}))
    assert not plan.changes
    assert [refusal.exit_code for refusal in plan.refusals] == [4]


def test_a_fleet_that_left_the_spec_is_terminated() -> None:
    desired = environment()
    gone = members(spec(), {}, {})
    (change,) = planned(desired, {FLEET: observed_fleet(gone)}).changes
    assert told(change) == "delete fleet/web i-01,i-02"


def test_what_the_spec_names_and_the_account_lacks_is_refused() -> None:
    lacking = (Problem("there is no image ami-00000000000000001", "check `image:`"),)
    plan = planned(spec(), {FLEET: observed_fleet((), problems=lacking)})
    assert not [change for change in plan.changes if change.address == FLEET]
    assert plan.refusals[0].message == "there is no image ami-00000000000000001"
    assert plan.refusals[0].hint == "check `image:`"


@pytest.mark.parametrize(
    ("where", "its", "is_told"),
    [
        ({"subnets": {"tags": {"tier": "web"}}}, "subnet-0000000000000000c", True),
        ({"subnets": {"tags": {"tier": "web"}}}, "subnet-0000000000000000b", False),
        ({}, "subnet-0000000000000000c", False),
    ],
)
def test_a_member_that_the_tags_of_subnets_would_not_put_there_stays_and_is_told(
    where: dict[str, Any], its: str, is_told: bool
) -> None:
    desired = spec(**where)
    plan = plan_of(desired, *members(desired, {"subnet": its}))
    assert [told(change) for change in plan.changes if change.instances] == []
    notes = [note.message for note in plan.notes if "tags move nobody" in note.message]
    assert [its in note for note in notes] == [True] * is_told


def test_a_stopped_member_and_one_without_its_launch_record_are_told() -> None:
    desired = spec()
    plan = plan_of(desired, *members(desired, {"state": "stopped"}, {"tags": {LAUNCH_TAG: None}}))
    assert [told(change) for change in plan.changes] == ["update fleet/web power i-01"]
    assert [note.message[:25] for note in plan.notes] == ["i-02 without the tag prov"]


def test_destroying_lets_go_of_the_profile_before_deleting_it() -> None:
    desired = spec(**BOUND)
    there: dict[Address, Any] = {
        ROLE: observed_role(),
        PROFILE: found_profile(),
        FLEET: observed_fleet(members(desired, {}, {}), uses=frozenset({PROFILE})),
    }
    plan = planned(desired, there, destroying=True)
    assert [told(change) for change in plan.changes] == [
        "delete fleet/web i-01,i-02",
        "delete instance_profile/web",
        "delete role/web",
    ]
    assert [sorted(map(str, change.needs)) for change in plan.changes] == [
        [],
        ["fleet/web"],
        ["instance_profile/web"],
    ]


def partly(desired: Environment, asked: int) -> PartlyObserved:
    return PartlyObserved("token", asked, (member(1, fleet_of(desired)),))


def test_a_launch_that_is_shown_in_part_is_asked_for_before_more_are_launched() -> None:
    desired = spec(count=4)
    (change,) = plan_of(desired, *members(desired, {}, {}), partly_observed=(partly(desired, 2),)).changes
    assert told(change) == "create fleet/web count"
    assert "not shown by EC2 yet" in change.reason
    assert not change.whole


def test_a_rollout_asks_for_it_too_and_is_approved_with_all_that_it_replaces() -> None:
    desired = spec()
    old = {"image": "ami-00000000000000002"}
    there = members(desired, old, {})
    (change,) = plan_of(desired, *there, partly_observed=(partly(desired, 2),)).changes
    assert told(change) == "replace fleet/web image i-01"
    assert "not shown by EC2 yet" in change.reason
    assert not change.whole
    confirming, rolling = plan_of(spec(count=3), *there, partly_observed=(partly(desired, 2),)).changes
    assert (confirming.action, rolling.action) == (Action.CREATE, Action.REPLACE)
    assert confirming.phase < rolling.phase


def test_nothing_is_asked_for_where_nothing_is_launched() -> None:
    desired = spec()
    assert plan_of(desired, *members(desired, {}, {}), partly_observed=(partly(desired, 2),)).changes == ()


def test_old_tags_go_first_where_there_is_no_room_for_both() -> None:
    own = {"count": 1, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
    desired = environment(fleets={"web": {**own, "tags": {f"new{number}": "x" for number in range(30)}}})
    without = fleet_of(environment(fleets={"web": own}))
    for number, operations in ((30, ["DeleteTags", "CreateTags"]), (1, ["CreateTags", "DeleteTags"])):
        there = member(1, without, tags={f"old{index}": "x" for index in range(number)})
        (change,) = planned(desired, {FLEET: observed_fleet([there])}).changes
        assert calls(change)[:2] == operations


class Alone(Instance):
    """An instance that cannot be compared with another as a whole."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("of thousands of members, comparing each with each takes minutes")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "differing",
    [{"state": "stopped"}, {"state": "stopped", "type": "t3.nano"}],
    ids=["started", "restarted"],
)
def test_members_are_told_apart_by_their_ids(differing: dict[str, Any]) -> None:
    desired = spec(count=4, update={"on_restart": "restart"})
    four = members(desired, differing, {}, differing, {})
    alone = [
        Alone(**{field.name: getattr(member, field.name) for field in fields(member)}) for member in four
    ]
    there: dict[Address, Any] = {
        ROLE: observed_role(),
        PROFILE: found_profile(),
        FLEET: observed_fleet(alone),
    }
    (change,) = plan(world(desired, there), KINDS).changes
    assert change.instances == (four[0].id, four[2].id)
