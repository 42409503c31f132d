"""Whose is it? What is not this environment's is neither taken over nor changed nor deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cloud import Cloud, as_list, where
from tests.support.program import Program
from tests.support.specs import IMAGE, PROBE, ROLES_ONLY, called, having, lacking

NAME = "probe-worker"
OURS = "/provisioner/probe/"
THEIR_TAG = as_list({"provisioner:environment": "theirs"})
BARE_FLEET = having(
    lacking(ROLES_ONLY, "roles", "instance_profiles"),
    fleets={"worker": {"count": 1, "image": IMAGE, "instance_type": "t3.micro"}},
)


@pytest.mark.parametrize(
    ("path", "tags"),
    [("/", []), ("/team/", []), ("/provisioner/theirs/", THEIR_TAG), (OURS, THEIR_TAG)],
    ids=["at no path", "at another path", "of another environment", "at our path with another's tag"],
)
@pytest.mark.parametrize("what", ["role", "profile", "role in other letters"])
@pytest.mark.sampled
def test_a_name_that_somebody_else_has_is_refused_and_nothing_is_changed(
    what: str, path: str, tags: list[dict[str, str]], program: Program, cloud: Cloud
) -> None:
    if what == "profile":
        cloud.make_profile(NAME, path=path, Tags=tags)
    else:
        cloud.make_role(NAME if what == "role" else NAME.upper(), path, Tags=tags)
    before = cloud.everything()
    cloud.forget_calls()

    assert program.plan(PROBE).code == 1
    refused = program.apply(PROBE)
    assert refused.code == 1
    assert NAME in refused.words.lower()
    assert path in refused.words
    assert program.destroy(PROBE).code == 0
    assert cloud.writes() == []
    assert cloud.everything() == before


@pytest.mark.parametrize("what", ["role", "profile"])
def test_a_name_that_is_taken_between_plan_and_apply_is_refused_then(
    what: str, program: Program, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(*_: Any, **__: Any) -> None:
        if what == "role":
            cloud.make_role(NAME)
        else:
            cloud.make_profile(NAME)

    monkeypatch.setattr("provisioner.cli.change.show_plan", taken)
    applied = program.apply(ROLES_ONLY)
    assert applied.code == 1
    assert "exists already" in applied.words
    assert cloud.picture_of_role(NAME)["Path"] == ("/" if what == "role" else OURS)
    if what == "profile":
        assert cloud.picture_of_profile(NAME) == {"Path": "/", "Roles": [], "Tags": {}}


def test_our_role_in_a_foreign_profile_is_not_deleted_and_all_else_is(program: Program, cloud: Cloud) -> None:
    program.apply(PROBE)
    cloud.make_profile("theirs", NAME)
    before = cloud.picture_of_role(NAME)
    left = program.destroy(PROBE)
    assert left.code == 1
    assert left.became("deferred") == ["role/worker"]
    assert "theirs" in left.words
    assert cloud.live() == []
    assert cloud.profiles() == []
    assert cloud.picture_of_role(NAME) == before

    cloud.drop_profile("theirs")
    assert program.destroy(ROLES_ONLY).code == 0
    assert cloud.roles() == []


@pytest.mark.parametrize("how", ["destroy", "out of the spec"])
@pytest.mark.sampled
def test_what_an_instance_of_others_uses_is_not_deleted_and_all_else_is(
    how: str, program: Program, cloud: Cloud
) -> None:
    spec = having(PROBE, roles__second={}, instance_profiles__second={"role": "second"})
    bare = lacking(spec, "fleets", "instance_profiles", "roles")
    program.apply(spec)
    box = cloud.stranger()
    cloud.ec2.associate_iam_instance_profile(InstanceId=box, IamInstanceProfile={"Name": NAME})
    before = cloud.picture_of_role(NAME), cloud.picture_of_profile(NAME), cloud.association(box)

    for _ in range(2):
        left = program.destroy(spec) if how == "destroy" else program.apply(bare)
        assert left.code == 1
        assert left.became("deferred") == ["instance_profile/worker", "role/worker"]
        assert box in left.words
        assert cloud.ids("probe") == []
        assert cloud.roles() == cloud.profiles() == [NAME]
        assert before == (cloud.picture_of_role(NAME), cloud.picture_of_profile(NAME), cloud.association(box))

    cloud.ec2.disassociate_iam_instance_profile(AssociationId=cloud.association(box))
    assert program.destroy(spec).code == 0
    assert cloud.profiles() + cloud.roles() == []


def test_a_plan_to_destroy_says_what_stays_and_why(program: Program, cloud: Cloud) -> None:
    program.apply(PROBE)
    box = cloud.stranger()
    cloud.ec2.associate_iam_instance_profile(InstanceId=box, IamInstanceProfile={"Name": NAME})
    cloud.forget_calls()
    said = program.run("plan", "--destroy", program.write(PROBE))
    assert f"deferred: {box}, not of this environment, still uses it" in said.words
    assert f"deferred: it is in instance profile {NAME}, which stays" in said.words
    assert "DESTROYS 2 instances." in said.words
    assert cloud.writes() == []


@pytest.mark.parametrize("what", ["role", "profile"])
@pytest.mark.sampled
def test_what_lies_at_our_path_without_our_tag_is_not_deleted(
    what: str, program: Program, cloud: Cloud
) -> None:
    if what == "role":
        cloud.make_role("probe-found", OURS)
    else:
        cloud.make_profile("probe-found", path=OURS)
    before = cloud.everything()
    for left in (program.destroy(ROLES_ONLY), program.apply(ROLES_ONLY), program.destroy(ROLES_ONLY)):
        assert left.code == 1
        assert left.became("deferred") == ["role/found" if what == "role" else "instance_profile/found"]
        assert "lacks the tag" in left.words
    assert cloud.everything() == before


def test_protected_members_are_not_terminated_until_the_spec_says_so(program: Program, cloud: Cloud) -> None:
    spec = having(PROBE, fleets__worker__termination_protection=True)
    program.apply(spec)
    before = cloud.everything()
    cloud.forget_calls()
    refused = program.destroy(spec)
    assert refused.code == 4
    assert "protection" in refused.words
    assert program.apply(having(spec, fleets__worker__count=1)).code == 4
    assert program.apply(lacking(spec, "fleets")).code == 4
    assert cloud.writes() == []
    assert cloud.everything() == before

    assert program.apply(PROBE).code == 0
    assert program.destroy(PROBE).code == 0
    assert cloud.live() == []


def test_members_that_were_protected_by_hand_are_left_and_the_profile_with_them(
    program: Program, cloud: Cloud
) -> None:
    program.apply(PROBE)
    for instance in cloud.ids("probe"):
        cloud.ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
    destroyed = program.destroy(PROBE)
    assert destroyed.code == 1
    assert destroyed.became("failed") == ["fleet/worker"]
    assert set(destroyed.became("skipped")) == {"instance_profile/worker", "role/worker"}
    assert len(cloud.ids("probe")) == 2
    assert cloud.profiles() == cloud.roles() == [NAME]


def test_a_termination_that_ec2_refuses_in_part_says_which_members_went(
    program: Program, cloud: Cloud
) -> None:
    wanted = having(PROBE, fleets__worker__availability_zones=["us-east-1a", "us-east-1b"])
    program.apply(wanted)
    (kept, _), (gone, _) = sorted(
        ((member["InstanceId"], member["Placement"]["AvailabilityZone"]) for member in cloud.live("probe")),
        key=lambda found: found[1],
    )
    cloud.ec2.modify_instance_attribute(InstanceId=kept, DisableApiTermination={"Value": True})
    destroyed = program.destroy(wanted)
    assert destroyed.code == 1
    (failed,) = destroyed.data["failed"]
    assert failed["failure"]["message"].endswith(f"1 of 2 are terminated all the same, but not {kept}")
    assert cloud.ids("probe") == [kept]
    assert gone != kept


def test_a_member_without_the_tag_of_its_fleet_is_not_left_running_by_a_destroy_that_says_it_is_done(
    program: Program, cloud: Cloud
) -> None:
    program.apply(PROBE)
    lost = cloud.ids("probe")[0]
    cloud.ec2.delete_tags(Resources=[lost], Tags=[{"Key": "provisioner:fleet"}])
    destroyed = program.destroy(PROBE)
    assert destroyed.code != 0 or not cloud.ids("probe")
    # Whatever is left of the environment still has its role.
    assert all(cloud.profiles() == [NAME] for _ in cloud.ids("probe"))


def test_a_member_without_the_tag_of_the_environment_keeps_its_role(program: Program, cloud: Cloud) -> None:
    program.apply(PROBE)
    lost = cloud.ids("probe")[0]
    cloud.ec2.delete_tags(Resources=[lost], Tags=[{"Key": "provisioner:environment"}])
    left = program.destroy(PROBE)
    assert left.code == 1
    assert lost in left.words
    assert cloud.ids() == [lost]
    assert cloud.profiles() == cloud.roles() == [NAME]


def test_two_environments_in_one_account_do_not_touch_each_other(program: Program, cloud: Cloud) -> None:
    mine, yours = called(PROBE, "mine"), called(PROBE, "yours")
    assert program.apply(mine).code == 0
    before = cloud.everything()
    assert program.apply(yours).code == 0
    assert program.plan(mine).told == set()
    assert program.plan(yours).told == set()
    assert program.destroy(yours).code == 0
    assert cloud.everything() == before
    assert program.plan(mine).told == set()


def test_an_environment_whose_name_begins_with_that_of_another_is_another(
    program: Program, cloud: Cloud
) -> None:
    short, long = called(PROBE, "shop"), called(PROBE, "shop-worker")
    program.apply(long)
    before = cloud.everything()
    assert program.apply(short).code == 0
    assert program.destroy(short).code == 0
    assert cloud.everything() == before


def test_what_belongs_to_others_is_the_same_after_apply_and_destroy(program: Program, cloud: Cloud) -> None:
    cloud.make_role("theirs", "/team/", Tags=as_list({"team": "data"}))
    cloud.make_role("worker", "/provisioner/", Tags=as_list({"provisioner:environment": "probe"}))
    cloud.make_profile("theirs", "theirs", Tags=as_list({"team": "data"}))
    cloud.make_profile("worker", "worker", "/provisioner/probe-too/")
    box = cloud.stranger(tags={"team": "data", "Name": NAME, "provisioner:fleet": "worker"})
    cloud.ec2.associate_iam_instance_profile(InstanceId=box, IamInstanceProfile={"Name": "theirs"})
    before = cloud.everything()

    assert program.apply(PROBE).code == 0
    after = cloud.everything()
    for kind, things in before.items():
        assert {name: after[kind][name] for name in things} == things
    assert program.destroy(PROBE).code == 0
    assert cloud.everything() == before


def test_an_attachment_does_not_take_over_members_of_another_environment(
    program: Program, cloud: Cloud
) -> None:
    program.apply(called(PROBE, "theirs"))
    before = cloud.picture("theirs")
    spec = having(
        ROLES_ONLY, attachments={"all": {"instance_profile": "worker", "select": {"tags": {"team": "data"}}}}
    )
    refused = program.apply(spec)
    assert refused.code == 4
    assert cloud.picture("theirs") == before


def test_terminated_members_are_not_counted(program: Program, cloud: Cloud) -> None:
    program.apply(BARE_FLEET)
    program.destroy(BARE_FLEET)
    assert len(cloud.instances(*where("instance-state-name", "terminated"))) == 1
    assert program.apply(BARE_FLEET).code == 0
    assert len(cloud.ids("probe")) == 1


OTHER_LETTERS = {
    "Role": having(ROLES_ONLY, roles__worker__name="PROBE-Worker"),
    "profile": having(ROLES_ONLY, instance_profiles__worker__name="PROBE-Worker"),
}


@pytest.mark.parametrize("what", OTHER_LETTERS)
@pytest.mark.sampled
def test_what_is_ours_in_other_letters_is_used_as_it_is(what: str, program: Program, cloud: Cloud) -> None:
    fleets = {
        "worker": {"count": 1, "image": IMAGE, "instance_type": "t3.micro", "instance_profile": "worker"}
    }
    assert program.apply(having(ROLES_ONLY, tags={"team": "data"}, fleets=fleets)).code == 0
    before = cloud.picture("probe")
    cloud.drop_profile(NAME)
    spec = having(OTHER_LETTERS[what], fleets=fleets)
    applied = program.apply(spec)
    assert applied.code == 0, applied.said
    assert program.plan(spec).told == set()
    name = NAME if what == "Role" else "PROBE-Worker"
    assert cloud.profiles() == [name]
    assert cloud.roles() == [NAME]
    assert {cloud.profile_on(instance) for instance in cloud.ids("probe")} == {name}
    assert cloud.picture("probe")["roles"] == before["roles"]
    assert program.destroy(spec).code == 0
    assert cloud.roles() + cloud.profiles() == []


def test_the_case_of_a_tags_key_is_followed(program: Program, cloud: Cloud) -> None:
    for tags in ({"Team": "data"}, {"team": "data"}, {"TEAM": "ops"}):
        spec = having(ROLES_ONLY, tags=tags)
        assert program.apply(spec).code == 0
        assert program.plan(spec).told == set()
        for picture in (cloud.picture_of_role(NAME), cloud.picture_of_profile(NAME)):
            assert tags.items() <= picture["Tags"].items()
            assert [key.lower() for key in picture["Tags"]].count("team") == 1
