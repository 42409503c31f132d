"""Profiles on instances that belong to others: attached and detached, and otherwise left alone."""

from __future__ import annotations

from typing import Any

from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.specs import ATTACHING, IMAGE, having, lacking

BOX = "i-0123456789abcdef0"
OTHER = "i-0aaaaaaaaaaaaaaa1"
THIRD = "i-0aaaaaaaaaaaaaaa2"
PROFILE = "probe-worker"
BY_TAGS = having(
    ATTACHING, attachments={"lab": {"instance_profile": "worker", "select": {"tags": {"room": "lab-3"}}}}
)
DETACHED = lacking(ATTACHING, "attachments")


def but_for_its_profile(cloud: Cloud, instance: str) -> dict[str, Any]:
    picture = cloud.picture_of_instance(cloud.instance(instance))
    return {key: value for key, value in picture.items() if "Profile" not in key}


def test_an_instance_named_by_its_id_gets_the_profile_and_nothing_else(
    program: Program, cloud: Cloud
) -> None:
    cloud.stranger(BOX, {"Name": "lecture"})
    cloud.stranger(OTHER)
    before = but_for_its_profile(cloud, BOX)
    assert program.apply(ATTACHING).code == 0
    assert cloud.profile_on(BOX) == PROFILE
    assert cloud.profile_on(OTHER) is None
    assert but_for_its_profile(cloud, BOX) == before
    assert program.plan(ATTACHING).told == set()


def test_all_instances_with_the_tags_get_the_profile_also_those_that_come_later(
    program: Program, cloud: Cloud
) -> None:
    cloud.stranger(BOX, {"room": "lab-3"})
    cloud.stranger(OTHER, {"room": "lab-4"})
    assert program.apply(BY_TAGS).code == 0
    assert (cloud.profile_on(BOX), cloud.profile_on(OTHER)) == (PROFILE, None)

    cloud.stranger(THIRD, {"room": "lab-3"})
    assert program.plan(BY_TAGS).told == {
        ("attachment/lab", "create", "instance_profile"),
        ("attachment/lab", "create", "select.tags"),
    }
    assert program.apply(BY_TAGS).code == 0
    assert cloud.profile_on(THIRD) == PROFILE


def test_no_instance_with_the_tags_is_worth_a_note_and_no_mistake(program: Program, cloud: Cloud) -> None:
    plan = program.plan(BY_TAGS)
    assert plan.code == 0
    assert [note["address"] for note in plan.data["notes"]] == ["attachment/lab"]


def test_a_profile_that_is_there_already_is_replaced_and_the_plan_says_so(
    program: Program, cloud: Cloud
) -> None:
    cloud.stranger(BOX)
    cloud.make_role("theirs")
    cloud.make_profile("theirs", "theirs")
    cloud.ec2.associate_iam_instance_profile(InstanceId=BOX, IamInstanceProfile={"Name": "theirs"})
    (change,) = [
        change for change in program.plan(ATTACHING).changes if change["address"] == "attachment/box"
    ]
    assert change["fields"] == [{"path": "instance_profile", "before": "theirs", "after": PROFILE}]
    assert "taken off" in change["reason"]
    assert program.apply(ATTACHING).code == 0
    assert cloud.profile_on(BOX) == PROFILE
    assert cloud.profiles("/") == [PROFILE, "theirs"]


def test_a_stopped_instance_gets_the_profile_too(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX)
    cloud.ec2.stop_instances(InstanceIds=[BOX])
    assert program.apply(ATTACHING).code == 0
    assert (cloud.profile_on(BOX), cloud.state(BOX)) == (PROFILE, "stopped")


def test_a_profile_that_was_deleted_and_made_again_is_attached_again(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX)
    program.apply(ATTACHING)
    cloud.drop_profile(PROFILE)
    assert program.apply(ATTACHING).code == 0
    assert cloud.picture_of_instance(cloud.instance(BOX))["BoundToProfileThatExists"]
    assert program.plan(ATTACHING).told == set()


def test_an_instance_that_left_the_spec_is_detached(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX)
    cloud.stranger(OTHER)
    program.apply(having(ATTACHING, attachments__box__instances=[BOX, OTHER]))
    assert cloud.profile_on(OTHER) == PROFILE
    assert program.plan(ATTACHING).told == {("attachment/box", "delete", "instance_profile")}
    assert program.apply(ATTACHING).code == 0
    assert (cloud.profile_on(BOX), cloud.profile_on(OTHER)) == (PROFILE, None)
    assert program.plan(ATTACHING).told == set()


def test_an_instance_that_lost_its_tag_is_detached(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX, {"room": "lab-3"})
    program.apply(BY_TAGS)
    cloud.ec2.delete_tags(Resources=[BOX], Tags=[{"Key": "room"}])
    assert program.apply(BY_TAGS).code == 0
    assert cloud.profile_on(BOX) is None
    assert program.plan(BY_TAGS).told == set()


def test_what_others_bound_to_a_profile_is_in_the_plan_that_first_attaches_it(
    program: Program, cloud: Cloud
) -> None:
    cloud.stranger(BOX)
    cloud.stranger(OTHER)
    program.apply(DETACHED)
    cloud.ec2.associate_iam_instance_profile(InstanceId=OTHER, IamInstanceProfile={"Name": PROFILE})
    (change,) = [change for change in program.plan(ATTACHING).changes if change["action"] == "delete"]
    assert (change["address"], change["instances"]) == ("attachment/box", [OTHER])
    assert change["reason"] == "not in the spec"
    assert program.apply(ATTACHING).code == 0
    assert (cloud.profile_on(BOX), cloud.profile_on(OTHER)) == (PROFILE, None)
    assert program.plan(ATTACHING).told == set()


def test_what_is_bound_to_an_earlier_profile_is_in_the_plan_that_makes_and_attaches_it(
    program: Program, cloud: Cloud
) -> None:
    cloud.stranger(BOX)
    cloud.stranger(OTHER)
    program.apply(DETACHED)
    cloud.ec2.associate_iam_instance_profile(InstanceId=OTHER, IamInstanceProfile={"Name": PROFILE})
    cloud.drop_profile(PROFILE)
    (change,) = [change for change in program.plan(ATTACHING).changes if change["action"] == "delete"]
    assert change["instances"] == [OTHER]
    assert program.apply(ATTACHING).code == 0
    assert (cloud.profile_on(BOX), cloud.profile_on(OTHER)) == (PROFILE, None)
    assert program.plan(ATTACHING).told == set()


def test_looking_for_what_is_left_over_takes_one_call_and_none_without_attachments(
    program: Program, cloud: Cloud
) -> None:
    def asked(spec: dict[str, Any]) -> list[str]:
        cloud.forget_calls()
        program.plan(spec)
        return sorted(cloud.operations())

    cloud.stranger(BOX)
    program.apply(DETACHED)
    without = asked(DETACHED)
    assert without.count("DescribeInstances") == 1
    # One more for the instances of the attachment, and one for those that are left over.
    first = asked(ATTACHING)
    assert first == sorted([*without, *["DescribeInstances"] * 2])
    program.apply(ATTACHING)
    assert asked(ATTACHING) == first


def test_an_attachment_that_left_the_spec_is_taken_back(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX)
    program.apply(ATTACHING)
    (change,) = program.plan(DETACHED).changes
    assert change["action"] == "delete"
    assert change["instances"] == [BOX]
    assert program.apply(DETACHED).code == 0
    assert cloud.profile_on(BOX) is None
    assert cloud.profiles() == [PROFILE]
    assert program.plan(DETACHED).told == set()


def test_an_attachment_that_left_the_spec_after_its_instance_was_terminated_is_forgotten(
    program: Program, cloud: Cloud
) -> None:
    cloud.stranger(BOX)
    program.apply(ATTACHING)
    cloud.ec2.terminate_instances(InstanceIds=[BOX])
    assert program.apply(DETACHED).code == 0
    assert program.plan(DETACHED).told == set()


def test_an_attachment_profile_and_role_that_left_the_spec_together_all_go(
    program: Program, cloud: Cloud
) -> None:
    cloud.stranger(BOX)
    program.apply(ATTACHING)
    assert program.apply(lacking(DETACHED, "roles", "instance_profiles")).code == 0
    assert cloud.profile_on(BOX) is None
    assert cloud.profiles() == cloud.roles() == []


def test_an_attachment_that_takes_another_profile_changes_over(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX)
    program.apply(ATTACHING)
    spec = having(
        ATTACHING,
        instance_profiles__second={"role": "worker"},
        attachments__box__instance_profile="second",
    )
    assert program.apply(spec).code == 0
    assert cloud.profile_on(BOX) == "probe-second"
    assert program.plan(spec).told == set()


def test_two_attachments_of_one_profile_may_name_the_same_instance(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX, {"room": "lab-3"})
    spec = having(ATTACHING, attachments__lab=BY_TAGS["attachments"]["lab"])
    assert program.apply(spec).code == 0
    assert cloud.profile_on(BOX) == PROFILE
    assert program.plan(spec).told == set()


def test_destroying_detaches_and_leaves_the_instance_alone(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX, {"Name": "lecture"})
    before = cloud.everything()
    program.apply(ATTACHING)
    planned = program.plan(ATTACHING, "--destroy")
    assert "attachment/box" in {change["address"] for change in planned.changes}
    assert program.destroy(ATTACHING).code == 0
    assert cloud.everything() == before
    assert "TerminateInstances" not in cloud.writes()


def test_destroying_detaches_what_left_the_spec_only_now(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX)
    program.apply(ATTACHING)
    assert program.destroy(DETACHED).code == 0
    assert cloud.profile_on(BOX) is None
    assert cloud.profiles() == []


def test_an_instance_that_is_not_there_fails_and_changes_nothing(program: Program, cloud: Cloud) -> None:
    applied = program.apply(ATTACHING)
    assert applied.code == 1
    assert BOX in applied.words
    assert cloud.writes() == []


def test_a_terminated_instance_is_not_there(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX)
    cloud.ec2.terminate_instances(InstanceIds=[BOX])
    cloud.forget_calls()
    assert program.apply(ATTACHING).code == 1
    assert cloud.writes() == []


def test_members_of_our_own_fleets_cannot_be_attached_to(program: Program, cloud: Cloud) -> None:
    fleet = {"count": 1, "image": IMAGE, "instance_type": "t3.micro", "tags": {"room": "lab-3"}}
    program.apply(having(BY_TAGS, fleets__mine=fleet))
    cloud.forget_calls()
    again = program.apply(having(BY_TAGS, fleets__mine=fleet))
    assert again.code == 4
    assert "fleet of this environment" in again.words
    assert cloud.writes() == []


def test_one_instance_cannot_be_given_two_profiles(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX, {"room": "lab-3"})
    spec = having(
        ATTACHING,
        instance_profiles__second={"role": "worker"},
        attachments__lab={"instance_profile": "second", "select": {"tags": {"room": "lab-3"}}},
    )
    refused = program.apply(spec)
    assert refused.code == 4
    assert BOX in refused.words
    assert cloud.writes() == []


def test_instances_of_another_environment_are_refused_once_with_their_number(
    program: Program, cloud: Cloud
) -> None:
    for number in range(7):
        cloud.stranger(f"i-0000000000000000{number}", {"room": "lab-3", "provisioner:environment": "theirs"})
    spec = having(
        ATTACHING, attachments__box={"instance_profile": "worker", "select": {"tags": {"room": "lab-3"}}}
    )
    (refusal,) = program.plan(spec).data["refusals"]
    assert refusal["message"].endswith(" and 2 more belong to the environment theirs")
