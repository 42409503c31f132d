"""Whose is it? Instances are known by the token that launched them; tags can be written by others."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from provisioner.kinds.attachment.observed import ObservedAttachment
from provisioner.kinds.fleet.launching.params import launch_params, run_instances
from provisioner.kinds.fleet.observed import FOREIGN, ObservedFleet, find_fleets, is_member
from provisioner.kinds.fleet.placement import indexes
from provisioner.kinds.fleet.settings.launch_tag import impossible_words, launch_record, read_record
from provisioner.kinds.instance_profile.observed import ObservedProfile
from provisioner.kinds.instances import Binding, Instance, as_filters
from provisioner.kinds.launch_token import Launches, Slot, is_earlier, launch_token
from provisioner.kinds.regions import Elsewhere
from provisioner.model import Action, Address, Change, Plan
from provisioner.naming import (
    ASKED_TAG,
    ENVIRONMENT_TAG,
    FLEET_TAG,
    INDEX_TAG,
    LAUNCH_TAG,
    REGION_TAG,
    owner_of_path,
)
from provisioner.reconcile import beyond
from tests.support.build import (
    AROUND,
    BARE_INSTANCE,
    FLEET,
    ME,
    OURS,
    PROFILE,
    ROLE,
    SUBNETS,
    environment,
    fleet_of,
    found_profile,
    launched_in,
    member,
    observed_fleet,
    observed_role,
    planned,
    told,
)

WEB = {"count": 2, "image": "ami-00000000000000001", "instance_type": "t3.micro"}
SPEC = environment(fleets={"web": WEB})
THE_FLEET = fleet_of(SPEC)


def earlier_token(epoch: str, environment_name: str = "env") -> str:
    """A token as they were before whose it is could be told from it."""
    place = "\n".join((environment_name, "web", epoch, SUBNETS[1].zone, SUBNETS[1].id))
    return f"{hashlib.sha256(place.encode()).hexdigest()[:40]}-01234567-3"


# How an instance with the tags of the fleet differs from a member that the fleet launched, and whose it is.
WHOSE: dict[str, tuple[dict[str, Any], str | None]] = {
    "launched by the fleet": ({}, "web"),
    "and its fleet's tag taken off": ({"tags": {FLEET_TAG: None}}, "web"),
    "and its fleet's tag changed to another's": ({"tags": {FLEET_TAG: "db"}}, "web"),
    "launched with another type, epoch and number": (
        {"token": launch_token(Slot("env", "web", SUBNETS[1].zone, SUBNETS[1].id), "AIPA7", "t3.nano", 41)},
        "web",
    ),
    "terminated, and so without a subnet": ({"subnet": None, "state": "terminated"}, "web"),
    "no token": ({"token": None}, None),
    "a token made by hand": ({"token": "launch-more-like-this"}, None),
    "an empty token": ({"token": ""}, None),
    "launched by the same fleet of another environment": (
        {"token": launch_token(Slot("other", "web", SUBNETS[1].zone, SUBNETS[1].id), "", "t3.micro", 0)},
        None,
    ),
    "launched by a fleet that nothing names": ({"token": launched_in("gone", SUBNETS[1])}, None),
    "our token in another subnet": ({"token": launched_in("web", SUBNETS[0])}, None),
    "our token with more behind it": ({"token": f"{launched_in('web', SUBNETS[1])}x"}, None),
    "our token with a number that never ends": (
        {"token": f"{launched_in('web', SUBNETS[1])}{'9' * 20}"},
        None,
    ),
    "launched by an earlier version without a profile": ({"token": earlier_token("")}, "web"),
    "launched by an earlier version with the profile it has": (
        {"token": earlier_token("AIPA1"), "profile": Binding("arn:x", "AIPA1")},
        "web",
    ),
    "launched by an earlier version with a profile that it has no more": (
        {"token": earlier_token("AIPA1")},
        None,
    ),
    "launched by an earlier version for others": ({"token": earlier_token("", "other")}, None),
}


@pytest.mark.parametrize("case", WHOSE)
def test_whose_an_instance_is_that_has_our_tags(case: str) -> None:
    differing, fleet = WHOSE[case]
    instance = member(1, THE_FLEET, **differing)
    assert Launches("env", ("web", "db")).fleet_of(instance) == fleet
    assert is_member(instance, "env", "web") == (fleet == "web" and instance.is_live)


def test_who_was_taken_out_of_the_environment_is_no_member() -> None:
    assert not is_member(member(1, THE_FLEET, tags={ENVIRONMENT_TAG: None}), "env", "web")
    assert not is_member(member(1, THE_FLEET, tags={ENVIRONMENT_TAG: "other"}), "env", "web")


class Shown:
    """A reader to which EC2 shows these instances."""

    def __init__(self, *instances: Instance) -> None:
        self.instances = instances

    def answers(self, operation: str) -> list[dict[str, Any]]:
        return []

    def pages(self, *_: Any, **__: Any) -> Any:
        yield {
            "Instances": [
                {
                    **BARE_INSTANCE,
                    "InstanceId": instance.id,
                    "State": {"Name": instance.state},
                    "Placement": {"AvailabilityZone": instance.zone},
                    "SubnetId": instance.subnet,
                    "ClientToken": instance.token,
                    "LaunchTime": datetime(2026, 1, 1, tzinfo=UTC),
                    "Tags": [{"Key": key, "Value": value} for key, value in (instance.tags or {}).items()],
                }
                for instance in self.instances
            ]
        }


def found(*instances: Instance) -> dict[str, ObservedFleet]:
    return find_fleets(Shown(*instances), "env", ("web",), datetime(2026, 1, 2, tzinfo=UTC))  # type: ignore[arg-type]


def test_a_foreign_instance_with_our_tags_is_no_member_of_anything() -> None:
    fleets = found(member(1, THE_FLEET), member(2, THE_FLEET, token=None), member(3, THE_FLEET, token="x"))
    assert [instance.id for instance in fleets["web"].members] == ["i-01"]
    assert [instance.id for instance in fleets[FOREIGN].foreign] == ["i-02", "i-03"]
    assert fleets[FOREIGN].members == ()


def test_a_foreign_instance_that_is_gone_is_not_worth_a_word() -> None:
    assert FOREIGN not in found(member(1, THE_FLEET, token=None, state="terminated"))


FOREIGNER = member(9, THE_FLEET, token=None, tags={"Name": "somebody's database"})
WITH_FOREIGN = {
    FLEET: observed_fleet([member(1, THE_FLEET), member(2, THE_FLEET)]),
    Address("fleet", FOREIGN): ObservedFleet(foreign=(FOREIGNER,)),
}


@pytest.mark.parametrize("destroying", [False, True], ids=["apply", "destroy"])
def test_a_foreign_instance_is_told_by_id_and_name_with_the_way_out_and_not_touched(destroying: bool) -> None:
    plan = planned(SPEC, WITH_FOREIGN, destroying)
    assert not plan.refusals
    assert all("i-09" not in change.instances for change in plan.changes)
    (warning,) = [note for note in plan.notes if note.is_warning]
    assert "i-09 (somebody's database)" in warning.message
    (command,) = warning.commands
    assert command.startswith("aws ec2 delete-tags --region us-east-1 --resources i-09 --tags Key=prov")


def test_a_foreign_instance_is_not_counted() -> None:
    plan = planned(SPEC, {**WITH_FOREIGN, FLEET: observed_fleet([member(1, THE_FLEET)])})
    assert [change.size for change in plan.changes] == [1]


# What is deleted in a later round of an approved destroy, and whether that may be.
SHOWN_ROLE = Address("role", "shown")
KEPT = Change(
    Address("instance_profile", "kept"), Action.DELETE, "", deferred="an instance of others uses it"
)
SHOWN_CHANGES = (KEPT, Change(SHOWN_ROLE, Action.DELETE, ""))
DESTROY = Plan("env", "us-east-1", ME.account_id, changes=SHOWN_CHANGES, destroy=True)
LATER: dict[str, tuple[Change, bool]] = {
    "a fleet that was launched meanwhile": (
        Change(FLEET, Action.DELETE, "", instances=("i-1",), whole=True),
        True,
    ),
    "a role that was made meanwhile under the environment's path": (Change(ROLE, Action.DELETE, ""), False),
    "a profile that was made meanwhile under it": (Change(PROFILE, Action.DELETE, ""), False),
    "a profile that was to stay, as the plan said": (Change(KEPT.address, Action.DELETE, ""), False),
    "what was shown": (Change(SHOWN_ROLE, Action.DELETE, ""), True),
    "an instance that somebody has attached our profile to": (
        Change(Address("attachment", "box"), Action.DELETE, "", instances=("i-1",)),
        False,
    ),
}


@pytest.mark.parametrize("case", LATER)
def test_what_a_later_round_deletes_beyond_what_was_shown(case: str) -> None:
    change, is_allowed = LATER[case]
    assert (beyond(DESTROY, replace(DESTROY, changes=(change,))) is None) == is_allowed


@pytest.mark.parametrize("binding", [None, Binding("arn:x/theirs", "AIPA9")], ids=["no profile", "a profile"])
def test_a_later_round_attaches_nothing_to_instances_that_were_not_shown(binding: Binding | None) -> None:
    spec = environment(
        roles={"web": {}},
        instance_profiles={"web": {"role": "web"}},
        attachments={"box": {"instance_profile": "web", "select": {"tags": {"group": "box"}}}},
    )
    shown, tagged_later = (
        Instance(instance_id, "running", "us-east-1a", "t3.micro", "ami-1", "", profile=binding)
        for instance_id in ("i-1", "i-2")
    )
    first, later = (
        planned(spec, {Address("attachment", "box"): ObservedAttachment(chosen=chosen)})
        for chosen in ((shown,), (shown, tagged_later))
    )
    assert beyond(first, first) is None
    assert beyond(first, later) == "i-2 of attachment/box would be changed"


# --- another region

HERE = {**OURS, REGION_TAG: "us-east-1"}
THERE = {**OURS, REGION_TAG: "eu-west-1"}
WITH_IAM = environment(roles={"web": {}}, instance_profiles={"web": {"role": "web"}})


@pytest.mark.parametrize("desired", [WITH_IAM, environment()], ids=["in the spec", "no longer in the spec"])
@pytest.mark.parametrize("destroying", [False, True], ids=["apply", "destroy"])
def test_what_the_environment_has_in_another_region_is_refused(desired: Any, destroying: bool) -> None:
    observed: dict[Address, Any] = {ROLE: observed_role(tags=THERE), PROFILE: found_profile(tags=THERE)}
    plan = planned(desired, observed, destroying)
    assert plan.changes == ()
    assert [str(refusal.address) for refusal in plan.refusals] == ["role/web", "instance_profile/web"]
    assert all(
        "env in eu-west-1, and this spec says us-east-1" in refusal.message for refusal in plan.refusals
    )
    assert all("set `region: eu-west-1`" in refusal.hint for refusal in plan.refusals)


def test_what_was_made_before_there_was_a_tag_for_the_region_gets_it() -> None:
    old = {ENVIRONMENT_TAG: "env"}
    plan = planned(WITH_IAM, {ROLE: observed_role(tags=old), PROFILE: found_profile(tags=old)})
    assert [told(change) for change in plan.changes] == [
        f"update role/web tags.{REGION_TAG}",
        f"update instance_profile/web tags.{REGION_TAG}",
    ]


@pytest.mark.parametrize("value", ["", "banana", "us-east-1 ", "US-EAST-1", "eu-west-1\u202e"])
def test_a_region_that_cannot_be_one_is_put_right_and_refuses_nothing(value: str) -> None:
    tags = {**OURS, REGION_TAG: value}
    observed: dict[Address, Any] = {ROLE: observed_role(tags=tags), PROFILE: found_profile(tags=tags)}
    assert [told(change) for change in planned(WITH_IAM, observed).changes] == [
        f"update role/web tags.{REGION_TAG}",
        f"update instance_profile/web tags.{REGION_TAG}",
    ]
    destroyed = planned(WITH_IAM, observed, destroying=True)
    assert not destroyed.refusals
    assert {change.address for change in destroyed.changes} == {ROLE, PROFILE}


def leaving(elsewhere: Elsewhere) -> list[str]:
    profile: ObservedProfile = replace(found_profile(tags=HERE), elsewhere=elsewhere)
    plan = planned(environment(), {ROLE: observed_role(tags=HERE), PROFILE: profile})
    return [change.deferred for change in plan.changes if change.deferred and change.address == PROFILE]


def test_a_profile_that_nobody_uses_elsewhere_may_go() -> None:
    assert leaving(Elsewhere()) == []


def test_a_profile_that_an_instance_of_another_region_uses_stays() -> None:
    (refusal,) = leaving(Elsewhere({found_profile().arn: ("i-1 (db) in eu-west-1",)}))
    assert "is used by i-1 (db) in eu-west-1" in refusal


def test_a_profile_stays_while_it_is_not_known_who_uses_it() -> None:
    denied = {"ap-east-1": "UnauthorizedOperation: no", "me-south-1": "UnauthorizedOperation: no"}
    (refusal,) = leaving(Elsewhere(unread=denied))
    assert "ap-east-1, me-south-1, which could not be asked: UnauthorizedOperation: no;" in refusal
    assert "`--skip-region ap-east-1,me-south-1`" in refusal


# --- values of ours that somebody else has written

IMPOSSIBLE: dict[str, tuple[str, str]] = {
    "more than any launch asks for": (ASKED_TAG, "4000"),
    "none at all": (ASKED_TAG, "0"),
    "no number": (ASKED_TAG, "many"),
    "digits of another script": (ASKED_TAG, "٣"),
    "a number that no fleet comes to": (INDEX_TAG, "4000000"),
    "a number below one": (INDEX_TAG, "-1"),
    "a launch record of nothing": (LAUNCH_TAG, "whatever"),
    "a digest that is none": (LAUNCH_TAG, "user_data=ffff"),
    "a protection that is none": (LAUNCH_TAG, "protection=maybe"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_value_is_told_and_decides_nothing(case: str) -> None:
    key, value = IMPOSSIBLE[case]
    forged = member(1, THE_FLEET, tags={key: value, "Name": "env-web"})
    plan = planned(SPEC, {FLEET: observed_fleet([forged, member(2, THE_FLEET)])})
    assert plan.changes == ()
    assert any(value.split("=")[-1] in note.message and key in note.message for note in plan.notes)
    (fleet,) = found(forged).values()
    assert fleet.partly_observed == ()


def test_a_number_of_somebody_elses_does_not_become_a_name() -> None:
    assert indexes([member(1, THE_FLEET, tags={INDEX_TAG: "4000000"})]) == {"i-01": 1}


RECORDED: dict[str, dict[str, Any]] = {
    "plain": {},
    "all that can be said": {
        "user_data": "#!/bin/sh",
        "termination_protection": True,
        "shutdown_behavior": "terminate",
        "associate_public_ip": True,
        "root_volume": {"size_gb": 20, "type": "gp3", "iops": 4000, "throughput": 200, "encrypted": True},
        "volumes": [{"device": "/dev/sdf", "size_gb": 5, "delete_on_termination": False}],
    },
    "an image by parameter": {"image": {"ssm": "/aws/service/x"}},
    "an image by name": {"image": {"owner": "amazon", "name": "al2023-*", "architecture": "arm64"}},
    "a key of KMS": {"root_volume": {"size_gb": 20, "encrypted": True, "kms_key_id": "alias/mine"}},
}


@pytest.mark.parametrize("case", RECORDED)
def test_all_that_a_launch_writes_is_possible(case: str) -> None:
    fleet = fleet_of(environment(fleets={"web": WEB | RECORDED[case]}))
    sent = run_instances(
        launch_params(fleet, None, AROUND, SUBNETS[0]), fleet.capacity_options[0], 1, "token"
    ).params
    (tags,) = (
        specification["Tags"]
        for specification in sent["TagSpecifications"]
        if specification["ResourceType"] == "instance"
    )
    launched = member(1, fleet, tags={tag["Key"]: tag["Value"] for tag in tags})
    assert impossible_words(launched) == ()
    assert read_record(launched) == {**launch_record(fleet), "type": "t3.micro"}


def test_an_earlier_token_is_told() -> None:
    old = member(1, THE_FLEET, token=earlier_token(""))
    assert is_earlier(old)
    plan = planned(SPEC, {FLEET: observed_fleet([old, member(2, THE_FLEET)])})
    assert any("earlier version" in note.message for note in plan.notes)


# --- literal filters and paths


def test_the_values_of_a_filter_are_not_wildcards() -> None:
    scope = (("tag:course", (r"data-*", r"what?", r"back\slash")),)
    assert as_filters(scope)[0]["Values"] == [r"data-\*", r"what\?", r"back\\slash"]


@pytest.mark.parametrize(
    ("arn", "owner"),
    [
        ("arn:aws:iam::123456789012:instance-profile/provisioner/theirs/theirs-web", "theirs"),
        ("arn:aws-cn:iam::123456789012:instance-profile/provisioner/theirs/more/web", "theirs"),
        ("arn:aws:iam::123456789012:instance-profile/provisioner", None),
        ("arn:aws:iam::123456789012:instance-profile/team/provisioner/x/web", None),
        ("arn:aws:iam::123456789012:instance-profile/web", None),
    ],
)
def test_the_path_of_a_profile_names_its_owner(arn: str, owner: str | None) -> None:
    assert owner_of_path(arn) == owner
