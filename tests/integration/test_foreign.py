"""Others who write our tags, run in other regions, or attach what is ours: neither harmed nor harming.

Each is tried with the program as it is run, against instances that nothing of it launched.
"""

from __future__ import annotations

from typing import Any

import pytest

from local_aws import Rule
from tests.support.cloud import REGION, Cloud, as_list, tags_of
from tests.support.program import Program
from tests.support.specs import ATTACHING, IMAGE, PROBE, ROLES_ONLY, called, having, lacking

BOX = "i-0123456789abcdef0"
MEMBER_TAGS = {"provisioner:environment": "probe", "provisioner:fleet": "worker", "Name": "their database"}
ELSEWHERE = "eu-west-1"
EMPTY = lacking(ROLES_ONLY, "roles", "instance_profiles")


def their_picture(cloud: Cloud, box: str = BOX) -> dict[str, Any]:
    found = cloud.instance(box)
    kept = ("State", "InstanceType", "IamInstanceProfile", "Tags", "SecurityGroups")
    return {key: found.get(key) for key in kept}


# What else the foreign instance copies of a member, and what is done with the spec.
COPIED: dict[str, dict[str, str]] = {
    "the two tags": {},
    "all tags": {"provisioner:launch": "user_data=none protection=off", "provisioner:asked": "2"},
    "tags of a launch that never ends": {"provisioner:asked": "4000", "provisioner:index": "1"},
    "another fleet's": {"provisioner:fleet": "nobody"},
    "no fleet's": {"provisioner:fleet": ""},
}
LATER: dict[str, dict[str, Any]] = {
    "applied again": PROBE,
    "with more members": having(PROBE, fleets__worker__count=3),
    "with fewer members": having(PROBE, fleets__worker__count=1),
    "with no members": having(PROBE, fleets__worker__count=0),
    "with other settings": having(PROBE, fleets__worker__user_data="#!/bin/bash\n", tags__team="ops"),
    "without the fleet": lacking(PROBE, "fleets"),
}


# All of them at once; in the long form also each by itself.
EACH = [pytest.param([copied], id=copied, marks=pytest.mark.long) for copied in COPIED]


@pytest.mark.parametrize("copied", [pytest.param(list(COPIED), id="all at once"), *EACH])
def test_who_copies_our_tags_is_never_counted_bound_corrected_or_terminated(
    copied: list[str], program: Program, cloud: Cloud
) -> None:
    assert program.apply(PROBE).code == 0
    boxes = [f"{BOX[:-1]}{number}" for number in range(len(copied))]
    for box, what in zip(boxes, copied, strict=True):
        cloud.stranger(box, MEMBER_TAGS | COPIED[what])
    before = [their_picture(cloud, box) for box in boxes]
    for spec in LATER.values():
        notes = program.plan(spec).data["notes"]
        for box in boxes:
            assert any(box in note["message"] and note["warning"] for note in notes)
        assert any("their database" in note["message"] for note in notes)
        assert program.apply(spec).code == 0
        wanted = spec.get("fleets", {}).get("worker", {}).get("count", 0)
        assert len(cloud.ids("probe")) == wanted + len(boxes)
        assert [their_picture(cloud, box) for box in boxes] == before
    (status,) = (resource for at, resource in program.status(PROBE).items() if at == "fleet/(foreign)")
    assert sorted(member["id"] for member in status["members"]) == boxes
    assert program.destroy(PROBE).code == 0
    assert sorted(cloud.ids("probe")) == boxes
    assert [their_picture(cloud, box) for box in boxes] == before


@pytest.mark.parametrize("launched_with", ["a token of their own", "our token in another place"])
@pytest.mark.sampled
def test_who_launches_with_our_tags_is_foreign_too(
    launched_with: str, program: Program, cloud: Cloud
) -> None:
    program.apply(PROBE)
    ours = cloud.live("probe")
    zone = {"AvailabilityZone": "us-east-1f"}
    token = ours[0]["ClientToken"] if launched_with.startswith("our") else "launch-more-like-this"
    theirs = cloud.ec2.run_instances(
        ImageId=ours[0]["ImageId"],
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        Placement=zone,
        ClientToken=token,
        TagSpecifications=[{"ResourceType": "instance", "Tags": as_list(MEMBER_TAGS)}],
    )["Instances"][0]["InstanceId"]
    assert program.plan(PROBE).changes == []
    assert program.destroy(PROBE).code == 0
    assert cloud.ids() == [theirs]
    assert cloud.profile_on(theirs) is None


def test_who_is_tagged_while_a_destroy_waits_is_not_terminated_in_its_second_round(
    program: Program, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tags are written after the plan was shown and before anything is done."""
    program.apply(PROBE)
    cloud.stranger(BOX, {"Name": "their database"})

    def tag_it(*_: Any, **__: Any) -> None:
        cloud.ec2.create_tags(Resources=[BOX], Tags=as_list(MEMBER_TAGS))

    # AWS answers as if a member were gone already, so the destroy looks again.
    lost = Rule("error", "TerminateInstances", nth=(1,), code="InvalidInstanceID.NotFound", status=400)
    cloud.break_with(lost)
    monkeypatch.setattr("provisioner.cli.change.show_plan", tag_it)
    cloud.forget_calls()
    destroyed = program.destroy(PROBE)
    assert cloud.operations().count("TerminateInstances") == 2
    assert destroyed.code == 0
    assert cloud.ids() == [BOX]
    assert cloud.state(BOX) == "running"
    assert cloud.profile_on(BOX) is None


def test_our_profile_stays_where_a_foreign_instance_with_our_tags_uses_it(
    program: Program, cloud: Cloud
) -> None:
    program.apply(ROLES_ONLY)
    cloud.stranger(BOX, MEMBER_TAGS)
    cloud.ec2.associate_iam_instance_profile(InstanceId=BOX, IamInstanceProfile={"Name": "probe-worker"})
    destroyed = program.destroy(ROLES_ONLY)
    assert destroyed.code != 0
    assert BOX in destroyed.words
    assert "their database" in destroyed.words
    assert cloud.profiles() == cloud.roles() == ["probe-worker"]


def test_a_member_whose_fleet_tag_was_changed_is_put_right_and_not_launched_anew(
    program: Program, cloud: Cloud
) -> None:
    program.apply(PROBE)
    before = cloud.ids("probe")
    cloud.ec2.create_tags(Resources=before[:1], Tags=as_list({"provisioner:fleet": "somebody's"}))
    assert program.plan(PROBE).told == {("fleet/worker", "update", "tags.provisioner:fleet")}
    assert program.apply(PROBE).code == 0
    assert cloud.ids("probe", "worker") == before


# --- regions


@pytest.fixture
def far(cloud: Cloud) -> Cloud:
    """The same account in another region."""
    return Cloud(cloud.server, ELSEWHERE)


def moved(spec: dict[str, Any]) -> dict[str, Any]:
    return having(spec, region=ELSEWHERE)


def test_roles_and_profiles_say_which_region_they_are_for(program: Program, cloud: Cloud) -> None:
    program.apply(ROLES_ONLY)
    assert cloud.picture_of_role("probe-worker")["Tags"]["provisioner:region"] == REGION
    assert cloud.picture_of_profile("probe-worker")["Tags"]["provisioner:region"] == REGION


@pytest.mark.parametrize("spec", [PROBE, EMPTY], ids=["the same", "an emptier one"])
@pytest.mark.sampled
def test_a_spec_that_moves_to_another_region_is_refused_and_nothing_is_changed(
    spec: dict[str, Any], program: Program, cloud: Cloud
) -> None:
    program.apply(PROBE)
    before = cloud.everything()
    cloud.forget_calls()
    for refused in (program.plan(moved(spec)), program.apply(moved(spec)), program.destroy(moved(spec))):
        assert refused.code == 4
        assert (
            f"belongs to the environment probe in {REGION}, and this spec says {ELSEWHERE}" in refused.words
        )
    assert cloud.writes() == []
    assert cloud.everything() == before


def test_what_an_earlier_version_made_gets_its_region_at_the_next_apply(
    program: Program, cloud: Cloud
) -> None:
    program.apply(ROLES_ONLY)
    keys = {"TagKeys": ["provisioner:region"]}
    cloud.iam.untag_role(RoleName="probe-worker", **keys)
    cloud.iam.untag_instance_profile(InstanceProfileName="probe-worker", **keys)
    field = "tags.provisioner:region"
    assert program.plan(ROLES_ONLY).told == {
        ("role/worker", "update", field),
        ("instance_profile/worker", "update", field),
    }
    assert program.apply(ROLES_ONLY).code == 0
    assert program.plan(ROLES_ONLY).changes == []


@pytest.mark.parametrize("how", ["destroy", "taken out of the spec"])
@pytest.mark.sampled
def test_a_profile_that_an_instance_of_another_region_uses_is_not_deleted(
    how: str, program: Program, cloud: Cloud, far: Cloud
) -> None:
    program.apply(ROLES_ONLY)
    far.stranger(BOX, {"Name": "far away"})
    far.ec2.associate_iam_instance_profile(InstanceId=BOX, IamInstanceProfile={"Name": "probe-worker"})
    cloud.forget_calls()
    left = program.destroy(ROLES_ONLY) if how == "destroy" else program.apply(EMPTY)
    assert left.code == 1
    assert left.became("deferred") == ["instance_profile/worker", "role/worker"]
    assert f"{BOX} (far away) in {ELSEWHERE}" in left.words
    assert cloud.writes() == []
    assert cloud.profiles() == cloud.roles() == ["probe-worker"]

    far.ec2.terminate_instances(InstanceIds=[BOX])
    assert program.destroy(ROLES_ONLY).code == 0


def test_a_role_stays_where_an_instance_of_another_region_uses_its_profile(
    program: Program, cloud: Cloud, far: Cloud
) -> None:
    program.apply(ROLES_ONLY)
    far.stranger(BOX, {"Name": "far away"})
    far.ec2.associate_iam_instance_profile(InstanceId=BOX, IamInstanceProfile={"Name": "probe-worker"})
    other = having(lacking(ROLES_ONLY, "roles"), roles={"other": {}}, instance_profiles__worker__role="other")
    cloud.forget_calls()
    for _ in range(2):
        left = program.apply(other)
        assert left.code == 1
        assert left.became("deferred") == ["role/worker"]
        assert f"instance profile probe-worker is used by {BOX} (far away)" in left.words
        assert cloud.roles() == ["probe-other", "probe-worker"]

    far.ec2.terminate_instances(InstanceIds=[BOX])
    assert program.apply(other).code == 0
    assert cloud.roles() == ["probe-other"]


def test_a_role_that_others_put_into_a_profile_while_the_plan_is_read_keeps_its_policies(
    program: Program, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IAM would refuse to delete it only when its policies are gone."""
    program.apply(having(ROLES_ONLY, roles__worker__managed_policies=["AmazonS3ReadOnlyAccess"]))
    before = cloud.picture_of_role("probe-worker")

    def taken_meanwhile(*_: Any, **__: Any) -> None:
        cloud.make_profile("theirs", "probe-worker")

    monkeypatch.setattr("provisioner.cli.change.show_plan", taken_meanwhile)
    left = program.apply(EMPTY)
    assert left.became("deferred") == ["role/worker"]
    assert "instance profile theirs, which is not of this environment" in left.words
    assert cloud.picture_of_role("probe-worker") == before


def test_each_region_is_asked_once_and_only_where_a_profile_goes(program: Program, cloud: Cloud) -> None:
    program.apply(ROLES_ONLY)
    cloud.forget_calls()
    program.plan(ROLES_ONLY)
    assert "DescribeRegions" not in cloud.operations()
    cloud.forget_calls()
    program.destroy(ROLES_ONLY)
    asked = [call.region for call in cloud.calls() if call.operation == "DescribeInstances"]
    assert len([region for region in asked if region != REGION]) == len(set(asked) - {REGION}) == 16


def test_a_profile_stays_where_the_regions_cannot_be_asked_until_somebody_vouches_for_them(
    program: Program, cloud: Cloud
) -> None:
    program.apply(ROLES_ONLY)
    denied = Rule("error", "DescribeRegions", code="UnauthorizedOperation", status=403)
    cloud.break_with(denied)
    left = program.destroy(ROLES_ONLY)
    assert left.code == 1
    assert "could not be asked" in left.words
    assert "--skip-region all" in left.words
    assert cloud.profiles() == ["probe-worker"]
    assert program.run("destroy", "--yes", "--skip-region", "all", program.write(ROLES_ONLY)).code == 0
    assert cloud.profiles() == []


# --- names that change hands


@pytest.mark.parametrize("what", ["role", "profile"])
def test_what_was_made_again_under_its_name_while_a_destroy_waits_is_not_deleted(
    what: str, program: Program, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "probe-worker"
    program.apply(ROLES_ONLY)

    def change_hands(*_: Any, **__: Any) -> None:
        cloud.drop_profile(name)
        if what == "role":
            cloud.iam.delete_role(RoleName=name)
            cloud.make_role(name)
        else:
            cloud.make_profile(name)

    monkeypatch.setattr("provisioner.cli.change.show_plan", change_hands)
    program.destroy(ROLES_ONLY)
    theirs = cloud.roles("/") if what == "role" else cloud.profiles("/")
    assert theirs == [name]


# --- attachments


def test_a_forged_tag_on_one_instance_does_not_switch_off_the_refusal_for_another(
    program: Program, cloud: Cloud
) -> None:
    """Both have the profile that another environment has attached, and the first looks like its member."""
    boxes = [cloud.stranger(BOX, {"provisioner:environment": "probe"}), cloud.stranger("i-0fedcba9876543210")]
    both = having(ATTACHING, attachments__box__instances=boxes[1:])
    program.apply(called(both, "theirs"))
    named = {"Name": cloud.profile_on(boxes[1])}
    cloud.ec2.associate_iam_instance_profile(InstanceId=BOX, IamInstanceProfile=named)
    refused = program.plan_or_error(having(ATTACHING, attachments__box__instances=boxes))
    assert refused.code == 4
    assert f"{boxes[1]} with an instance profile that environment theirs has attached" in refused.words


def test_a_destroy_says_what_becomes_of_a_foreign_instance_that_is_bound_to_a_profile_that_goes(
    program: Program, cloud: Cloud
) -> None:
    """A profile of an attachment is taken off all that has it. No fleet touches what it has not launched."""
    cloud.stranger(BOX)
    program.apply(ATTACHING)
    theirs = cloud.stranger("i-0fedcba9876543210", MEMBER_TAGS)
    cloud.ec2.associate_iam_instance_profile(InstanceId=theirs, IamInstanceProfile={"Name": "probe-worker"})
    shown = program.plan(ATTACHING, "--destroy")
    assert theirs in {id_ for change in shown.changes for id_ in change["instances"]}
    assert "foreign, and no fleet changes or ends it" in shown.words
    assert "left as it is" not in shown.words
    assert program.destroy(ATTACHING).code == 0
    assert cloud.profile_on(theirs) is None
    assert sorted(cloud.ids()) == sorted([BOX, theirs])
    assert cloud.profiles() == []


def test_a_foreign_instance_counts_as_attached_only_with_the_profile(program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX, MEMBER_TAGS)
    program.apply(ATTACHING)
    assert program.status(ATTACHING)["attachment/box"]["state"] == "0 of 1 attached"
    cloud.ec2.associate_iam_instance_profile(InstanceId=BOX, IamInstanceProfile={"Name": "probe-worker"})
    assert program.status(ATTACHING)["attachment/box"]["state"] == "1 of 1 attached"


def test_an_instance_that_another_environment_has_attached_is_not_taken_over(
    program: Program, cloud: Cloud
) -> None:
    cloud.stranger(BOX)
    assert program.apply(called(ATTACHING, "theirs")).code == 0
    before = their_picture(cloud)
    refused = program.apply(ATTACHING)
    assert refused.code == 4
    assert "theirs" in refused.words
    assert their_picture(cloud) == before
    assert program.plan(called(ATTACHING, "theirs")).changes == []


def test_an_instance_with_our_tags_that_we_have_not_launched_is_not_attached_to_and_stops_nothing_else(
    program: Program, cloud: Cloud
) -> None:
    cloud.stranger(BOX, MEMBER_TAGS)
    applied = program.apply(ATTACHING)
    assert applied.code == 0
    assert "their database" in applied.words
    assert cloud.roles() == ["probe-worker"]
    assert cloud.profile_on(BOX) is None
    assert program.plan(ATTACHING).changes == []


@pytest.mark.parametrize("value", ["*", "data-?", "data*", "\\*", "d[a]ta-1"])
@pytest.mark.sampled
def test_what_an_attachment_selects_by_is_literal(value: str, program: Program, cloud: Cloud) -> None:
    cloud.stranger(BOX, {"course": "data-1"})
    meant = cloud.stranger("i-0123456789abcdef1", {"course": value})
    selecting = having(
        ROLES_ONLY, attachments={"box": {"instance_profile": "worker", "select": {"tags": {"course": value}}}}
    )
    assert program.apply(selecting).code == 0
    assert cloud.profile_on(BOX) is None
    assert cloud.profile_on(meant) == "probe-worker"
    assert program.plan(selecting).changes == []


@pytest.mark.parametrize("value", ["*", "blue?"])
def test_what_subnets_are_chosen_by_is_literal(value: str, program: Program, cloud: Cloud) -> None:
    subnets = [subnet["SubnetId"] for subnet in cloud.ec2.describe_subnets()["Subnets"]]
    cloud.ec2.create_tags(Resources=subnets[:1], Tags=as_list({"tier": "blue1"}))
    cloud.ec2.create_tags(Resources=subnets[1:2], Tags=as_list({"tier": value}))
    fleet = {"count": 1, "image": IMAGE, "instance_type": "t3.micro", "subnets": {"tags": {"tier": value}}}
    assert program.apply(having(EMPTY, fleets={"worker": fleet})).code == 0
    assert [member["SubnetId"] for member in cloud.live("probe")] == subnets[1:2]


@pytest.mark.parametrize("value", ["*", "blue?"])
def test_what_a_vpc_is_chosen_by_is_literal(value: str, program: Program, cloud: Cloud) -> None:
    theirs, meant = (
        cloud.ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"] for block in ("10.8.0.0/16", "10.9.0.0/16")
    )
    cloud.ec2.create_tags(Resources=[theirs], Tags=as_list({"tier": "blue1"}))
    spec = having(EMPTY, security_groups={"web": {"vpc": {"tags": {"tier": value}}}})
    assert program.apply(spec).code == 1
    cloud.ec2.create_tags(Resources=[meant], Tags=as_list({"tier": value}))
    assert program.apply(spec).code == 0
    groups = cloud.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["probe-web"]}])
    assert [group["VpcId"] for group in groups["SecurityGroups"]] == [meant]


# --- what is shown


def test_the_name_stands_beside_every_id_that_is_destroyed_replaced_or_detached(
    program: Program, cloud: Cloud
) -> None:
    cloud.stranger(BOX, {"Name": "their box"})
    numbered = having(PROBE, fleets__worker__name="probe-{index}")
    spec = having(numbered, attachments=ATTACHING["attachments"])
    assert program.apply(spec).code == 0
    names = {member["InstanceId"]: f"probe-{number}" for number, member in enumerate(cloud.live("probe"), 1)}

    def shown(*arguments: Any) -> str:
        return program.run(*arguments).words

    destroy = shown("plan", "--destroy", program.write(spec))
    replace = shown("plan", program.write(having(spec, fleets__worker__user_data="#!/bin/bash\n")))
    fewer = shown("plan", program.write(having(spec, fleets__worker__count=0)))
    detach = shown("plan", program.write(lacking(spec, "attachments")))
    for member in names:
        name = next(tag["Value"] for tag in cloud.instance(member)["Tags"] if tag["Key"] == "Name")
        for text in (destroy, replace, fewer):
            assert f"{member} ({name})" in text
    assert f"{BOX} (their box)" in detach
    assert f"{BOX} (their box)" in destroy


# --- groups and key pairs, which have no token: two tags say whose they are

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUbSMnzStCLmP8sBYExnDW33R8AhRajCmrBQpm5nsQO"
ENVIRONMENT, GROUP, PAIR = (f"provisioner:{of}" for of in ("environment", "security_group", "key_pair"))
NETWORK: dict[str, Any] = having(
    EMPTY,
    security_groups={"ssh": {"ingress": [{"port": 22, "cidr": "10.0.0.0/8"}]}},
    key_pairs={"me": {"public_key": KEY}},
)


def theirs(cloud: Cloud, name: str) -> dict[str, str]:
    """A group and a key pair that somebody gives the environment's tag, by the types that tags have."""
    group = cloud.ec2.create_security_group(GroupName=name, Description="theirs")["GroupId"]
    pair = cloud.ec2.import_key_pair(KeyName=name, PublicKeyMaterial=KEY.encode())["KeyPairId"]
    cloud.ec2.create_tags(Resources=[group, pair], Tags=as_list({ENVIRONMENT: "probe"}))
    return {"security_group": group, "key_pair": pair}


def network(cloud: Cloud) -> dict[str, Any]:
    """All groups and key pairs that there are, but for the VPC's own, with their rules and tags, by id."""
    groups = cloud.ec2.describe_security_groups()["SecurityGroups"]
    pairs = cloud.ec2.describe_key_pairs()["KeyPairs"]
    ours = [*(group for group in groups if group["GroupName"] != "default"), *pairs]
    return {each.get("GroupId") or each["KeyPairId"]: {**each, "Tags": tags_of(each)} for each in ours}


def test_a_group_or_key_with_the_environments_tag_alone_is_told_and_left_alone(
    program: Program, cloud: Cloud
) -> None:
    ids = theirs(cloud, "it; reboot")
    before = {id_: network(cloud)[id_] for id_ in ids.values()}
    assert program.apply(NETWORK).code == 0
    planned = program.plan(EMPTY)
    assert {change["address"] for change in planned.changes} == {"security_group/ssh", "key_pair/me"}
    warnings = {note["address"]: note for note in planned.data["notes"] if note["warning"]}
    for kind, id_ in ids.items():
        note = warnings[f"{kind}/(foreign)"]
        assert f"{id_} (it; reboot)" in note["message"]
        assert note["commands"] == [
            f"aws ec2 delete-tags --region us-east-1 --resources {id_} --tags Key={ENVIRONMENT}"
        ]
        # A name that others choose is in no command.
        (back,) = (
            command
            for note in planned.data["notes"]
            for command in note["commands"]
            if f"create-tags --region us-east-1 --resources {id_} " in command
        )
        assert back.endswith(",Value=KEY")
        assert "foreign, and left alone" in program.status(NETWORK)[f"{kind}/(foreign)"]["state"]
    assert program.plan(NETWORK).changes == []
    listed = program.run("list", "--region", "us-east-1", "--format", "json", "--no-cost").data
    (found,) = listed["environments"]
    assert (sorted(found["foreign"]), len(found["others"])) == (sorted(ids.values()), 2)
    assert program.apply(EMPTY).code == 0
    destroyed = program.destroy(NETWORK)
    assert destroyed.code == 0
    assert (
        f"security group {ids['security_group']} (it; reboot), which only carries its tag" in destroyed.words
    )
    assert {id_: network(cloud)[id_] for id_ in ids.values()} == before


def test_where_it_has_a_name_that_the_spec_wants_nothing_is_taken_over(
    program: Program, cloud: Cloud
) -> None:
    theirs(cloud, "probe-ssh")
    theirs(cloud, "probe-me")
    before = network(cloud)
    ran = program.apply(NETWORK)
    assert ran.code == 1
    for kind, tag, key in (("group", GROUP, "ssh"), ("key pair", PAIR, "me")):
        assert f"{kind} probe-{key} exists already" in ran.words
        assert f"it carries {ENVIRONMENT}, but not {tag}" in ran.words
    assert network(cloud) == before


@pytest.mark.parametrize("lost", ["the environment's tag", "the other tag"])
@pytest.mark.sampled
def test_ours_that_lost_a_tag_is_foreign_until_it_is_put_back(
    lost: str, program: Program, cloud: Cloud
) -> None:
    assert program.apply(NETWORK).code == 0
    made = network(cloud)
    for id_ in made:
        at, tag, key = (
            ("key_pair", PAIR, "me") if id_.startswith("key-") else ("security_group", GROUP, "ssh")
        )
        gone, value = (ENVIRONMENT, "probe") if lost == "the environment's tag" else (tag, key)
        cloud.ec2.delete_tags(Resources=[id_], Tags=[{"Key": gone}])
        ran = program.plan(NETWORK)
        assert ran.code == 1
        told = f"aws ec2 create-tags --region us-east-1 --resources {id_} --tags Key={gone},Value={value}"
        assert f"if it was made for this environment, put the tag back: `{told}`" in ran.words
        assert at not in {change["address"].split("/")[0] for change in program.plan(EMPTY).changes}
        cloud.ec2.create_tags(Resources=[id_], Tags=as_list({gone: value}))
    assert network(cloud) == made
    assert program.plan(NETWORK).changes == []
