"""Volumes of members: their tags follow, what somebody has made of them is told, and what stays is named.

No volume is ever deleted, and no member destroyed for what was done to its volumes by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import local_aws
from tests.support.cloud import Cloud, as_list, tags_of, where
from tests.support.program import Program, Ran
from tests.support.setting_cases import BARE, FLEET, modified
from tests.support.specs import having, lacking

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

OURS = {"provisioner:environment": "probe", "provisioner:fleet": "worker"}
DATA = {"device": "/dev/sdf", "size_gb": 5}
KEPT = {**DATA, "delete_on_termination": False}


def fleet(**fields: Any) -> dict[str, Any]:
    return having(BARE, **{f"fleets__worker__{name}": value for name, value in fields.items()})


def attached(cloud: Cloud, device: str | None = None) -> dict[str, dict[str, Any]]:
    """The volumes on the members by instance: the root, or the one at a device."""
    found = {}
    for member in cloud.live("probe"):
        mappings = {
            mapping["DeviceName"]: mapping["Ebs"]["VolumeId"] for mapping in member["BlockDeviceMappings"]
        }
        name = mappings[device or member["RootDeviceName"]]
        (found[member["InstanceId"]],) = cloud.ec2.describe_volumes(VolumeIds=[name])["Volumes"]
    return found


def volumes(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """All volumes that carry our tags, by id."""
    tagged = where("tag:provisioner:environment", "probe")
    return {volume["VolumeId"]: volume for volume in cloud.ec2.describe_volumes(Filters=tagged)["Volumes"]}


def new_volume(cloud: Cloud, zone: str, **tags: str) -> str:
    """A volume that nobody's launch has made."""
    named = [{"ResourceType": "volume", "Tags": as_list(tags)}] if tags else []
    made = cloud.ec2.create_volume(AvailabilityZone=zone, Size=1, TagSpecifications=named)
    return str(made["VolumeId"])


def notes(ran: Ran) -> str:
    return " ".join(f"{note['address']}: {note['message']}" for note in ran.data["notes"])


def commands(ran: Ran) -> str:
    return "\n".join(line for note in ran.data["notes"] for line in note.get("commands", ()))


def destroyed(ran: Ran) -> list[str]:
    return [change["address"] for change in ran.changes if change["action"] in ("replace", "delete")]


class TestTags:
    def test_follow_those_of_the_members(self, program: Program, cloud: Cloud) -> None:
        program.apply(fleet(tags={"team": "data", "old": "x"}, volumes=[DATA]))
        changed = fleet(tags={"team": "ops", "stage": "dev"}, volumes=[DATA])
        (change,) = program.plan(changed).changes
        assert "and their volumes" in change["reason"]
        assert program.apply(changed).code == 0
        for device in (None, "/dev/sdf"):
            for volume in attached(cloud, device).values():
                assert tags_of(volume) == {**OURS, "team": "ops", "stage": "dev"}
        assert program.plan(changed, "--deep").changes == []

    def test_of_others_on_volumes_stay(self, program: Program, cloud: Cloud) -> None:
        program.apply(fleet(tags={"team": "data"}))
        ids = [volume["VolumeId"] for volume in attached(cloud).values()]
        cloud.ec2.create_tags(Resources=ids, Tags=as_list({"backup": "daily"}))
        assert program.apply(fleet(tags={"team": "ops"})).code == 0
        for volume in attached(cloud).values():
            assert tags_of(volume) == {**OURS, "team": "ops", "backup": "daily"}

    def test_changed_on_a_volume_alone_are_put_right_where_a_deep_plan_sees_it(
        self, program: Program, cloud: Cloud
    ) -> None:
        spec = fleet(tags={"team": "data"})
        program.apply(spec)
        odd, volume = next(iter(attached(cloud).items()))
        cloud.ec2.create_tags(Resources=[volume["VolumeId"]], Tags=as_list({"team": "ops"}))
        assert program.plan(spec).changes == []
        deep = program.plan(spec, "--deep")
        assert deep.told == {(FLEET, "update", "volumes.tags.team")}
        assert deep.changes[0]["instances"] == [odd]
        assert program.apply(spec, "--deep").code == 0
        assert tags_of(attached(cloud)[odd])["team"] == "data"
        assert program.plan(spec, "--deep").changes == []

    def test_go_to_no_volume_that_is_somebody_elses(self, program: Program, cloud: Cloud) -> None:
        """Neither to one on a member without our tags, nor to one with our tags that is on no member."""
        program.apply(fleet(tags={"team": "data"}))
        member = cloud.live("probe")[0]
        zone = member["Placement"]["AvailabilityZone"]
        on_member, forged = new_volume(cloud, zone), new_volume(cloud, zone, **OURS, team="data")
        cloud.ec2.attach_volume(VolumeId=on_member, InstanceId=member["InstanceId"], Device="/dev/sdp")
        box = cloud.stranger()
        on_stranger = new_volume(cloud, zone, **OURS, team="data")
        cloud.ec2.attach_volume(VolumeId=on_stranger, InstanceId=box, Device="/dev/sdp")
        theirs = [on_member, forged, on_stranger]
        before = [tags_of(volume) for volume in cloud.ec2.describe_volumes(VolumeIds=theirs)["Volumes"]]
        assert program.apply(fleet(tags={"team": "ops"})).code == 0
        assert [
            tags_of(volume) for volume in cloud.ec2.describe_volumes(VolumeIds=theirs)["Volumes"]
        ] == before
        assert {tags_of(volume)["team"] for volume in attached(cloud).values()} == {"ops"}
        assert program.destroy(fleet(tags={"team": "ops"})).code == 0
        assert {forged, on_stranger} <= volumes(cloud).keys()
        assert "DeleteVolume" not in cloud.operations()

    def test_are_written_on_members_where_volumes_may_not_be_read(
        self, program: Program, cloud: Cloud
    ) -> None:
        program.apply(fleet(tags={"team": "data"}))
        denied = local_aws.error("DescribeVolumes", "UnauthorizedOperation", "You may not.", status=403)
        cloud.break_with(denied)
        changed = fleet(tags={"team": "ops"})
        assert "volumes of members were not read" in notes(program.plan(changed))
        assert program.apply(changed).code == 0
        assert {tags_of(member)["team"] for member in cloud.live("probe")} == {"ops"}


ROOT = {"size_gb": 20, "type": "gp3"}


def grow(cloud: Cloud, device: str | None, size: int) -> None:
    for volume in attached(cloud, device).values():
        cloud.ec2.modify_volume(VolumeId=volume["VolumeId"], Size=size)


def detach(cloud: Cloud) -> None:
    for member, volume in attached(cloud, "/dev/sdf").items():
        cloud.ec2.detach_volume(VolumeId=volume["VolumeId"], InstanceId=member, Device="/dev/sdf")


# What a fleet was launched with, what is done to volumes by hand, what the spec says then, and what a plan
# tells; none of them destroys anything.
BY_HAND: dict[str, tuple[dict[str, Any], Callable[[Cloud], None], dict[str, Any], tuple[str, ...], str]] = {
    "a root volume is grown": (
        {"root_volume": ROOT},
        lambda cloud: grow(cloud, None, 40),
        {"root_volume": ROOT},
        ("--deep",),
        "root_volume.size_gb is 40, and the spec says 20",
    ),
    "a root volume is grown, and nobody looks": (
        {"root_volume": ROOT},
        lambda cloud: grow(cloud, None, 40),
        {"root_volume": ROOT},
        (),
        "",
    ),
    "a root volume is grown, and then the spec says so": (
        {"root_volume": ROOT},
        lambda cloud: grow(cloud, None, 40),
        {"root_volume": {**ROOT, "size_gb": 40}},
        (),
        "",
    ),
    "a root volume is grown, and the spec asks for more than it was": (
        {"root_volume": ROOT},
        lambda cloud: grow(cloud, None, 40),
        {"root_volume": {**ROOT, "size_gb": 30}},
        (),
        "root_volume.size_gb is 40, and the spec says 30",
    ),
    "a root volume that the spec left to the image is grown": (
        {},
        lambda cloud: grow(cloud, None, 40),
        {"root_volume": {"size_gb": 20}},
        (),
        "root_volume.size_gb is 40, and the spec says 20",
    ),
    "a root volume is what the spec says now": (
        {},
        lambda cloud: None,
        {"root_volume": {"size_gb": 8, "type": "gp3"}},
        (),
        "",
    ),
    "a volume is grown": (
        {"volumes": [DATA]},
        lambda cloud: grow(cloud, "/dev/sdf", 9),
        {"volumes": [DATA]},
        ("--deep",),
        "volumes./dev/sdf.size_gb is 9, and the spec says 5",
    ),
    "a volume is grown, and then the spec says so": (
        {"volumes": [DATA]},
        lambda cloud: grow(cloud, "/dev/sdf", 9),
        {"volumes": [{**DATA, "size_gb": 9}]},
        (),
        "",
    ),
    "a volume is grown, and the spec asks for less": (
        {"volumes": [DATA]},
        lambda cloud: grow(cloud, "/dev/sdf", 9),
        {"volumes": [{**DATA, "size_gb": 6}]},
        (),
        "volumes./dev/sdf.size_gb is 9, and the spec says 6",
    ),
    "a volume is taken off": (
        {"volumes": [DATA]},
        detach,
        {"volumes": [DATA]},
        ("--deep",),
        "volumes./dev/sdf is not attached on 2 members",
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_what_somebody_has_made_of_a_volume_is_told_and_destroys_nothing(
    case: str, program: Program, cloud: Cloud
) -> None:
    launched, by_hand, wanted, options, told = BY_HAND[case]
    assert program.apply(fleet(**launched)).code == 0
    before = cloud.ids("probe")
    by_hand(cloud)
    plan = program.plan(fleet(**wanted), *options)
    assert (plan.code, plan.changes) == (0, [])
    assert told in notes(plan)
    assert ("left alone" in notes(plan)) is bool(told)
    assert program.apply(fleet(**wanted), *options).code == 0
    assert cloud.ids("probe") == before


def test_a_volume_that_the_spec_lists_no_more_is_told_and_stays(program: Program, cloud: Cloud) -> None:
    """New members get none of it, and somebody's data is on it."""
    one = fleet(volumes=[DATA])
    assert program.apply(fleet(volumes=[DATA, {"device": "/dev/sdg", "size_gb": 5}])).code == 0
    before = cloud.ids("probe")
    for _ in range(2):
        plan = program.plan(one)
        assert plan.changes == []
        assert "volume /dev/sdg is not in `volumes:`, on 2 members" in notes(plan)
        assert program.apply(one).code == 0
    assert cloud.ids("probe") == before
    for member, volume in attached(cloud, "/dev/sdg").items():
        cloud.ec2.detach_volume(VolumeId=volume["VolumeId"], InstanceId=member, Device="/dev/sdg")
    assert "is not in `volumes:`" not in notes(program.plan(one))


def test_volumes_that_may_not_be_read_are_not_called_different(program: Program, cloud: Cloud) -> None:
    program.apply(fleet(root_volume=ROOT))
    denied = local_aws.error("DescribeVolumes", "UnauthorizedOperation", "You may not.", status=403)
    cloud.break_with(denied)
    plan = program.plan(fleet(root_volume={**ROOT, "size_gb": 40}))
    assert plan.changes == []
    assert "not read" in notes(plan)


def test_volumes_are_not_read_where_nothing_about_them_can_differ(program: Program, cloud: Cloud) -> None:
    spec = fleet(root_volume=ROOT, volumes=[KEPT])
    program.apply(spec)
    cloud.forget_calls()
    assert program.plan(spec).changes == []
    assert "DescribeVolumes" not in cloud.operations()


TWENTY = fleet(count=20, root_volume=ROOT)
LARGER = fleet(count=20, root_volume={**ROOT, "size_gb": 40, "iops": 4000})


class TestModified:
    """What EBS modifies while a volume is in use: nobody is replaced for it."""

    def test_twenty_members_take_a_call_a_volume_and_one_look_for_all(
        self, program: Program, cloud: Cloud
    ) -> None:
        program.apply(TWENTY)
        before = cloud.ids("probe")
        cloud.forget_calls()
        plan = program.plan(LARGER)
        assert plan.told == {(FLEET, "update", "root_volume.size_gb"), (FLEET, "update", "root_volume.iops")}
        assert plan.calls == {"ModifyVolume": 20, "CreateTags": 1}
        assert cloud.operations().count("DescribeVolumes") == 1
        # Seven, and what groups and key pairs there are.
        assert len(cloud.operations()) <= 9
        cloud.forget_calls()
        applied = program.apply(LARGER)
        assert applied.code == 0, applied.said
        assert sorted(cloud.writes()) == ["CreateTags", *["ModifyVolume"] * 20]
        assert cloud.operations().count("DescribeVolumesModifications") == 1
        assert cloud.ids("probe") == before
        assert {(volume["Size"], volume["Iops"]) for volume in attached(cloud).values()} == {(40, 4000)}
        cloud.forget_calls()
        assert program.plan(LARGER).changes == []
        assert "DescribeVolumes" not in cloud.operations()
        assert program.plan(LARGER, "--deep").changes == []

    def test_volumes_are_waited_for_until_they_are_optimizing(self, program: Program, cloud: Cloud) -> None:
        program.apply(fleet(root_volume=ROOT))
        cloud.break_with(modify_s=2, optimize_s=20_000)
        changed = fleet(root_volume={**ROOT, "size_gb": 40})
        assert program.apply(changed).code == 0
        assert {volume["Size"] for volume in attached(cloud).values()} == {40}
        assert program.plan(changed).changes == []
        assert program.plan(changed, "--deep").changes == []

    def test_another_change_is_told_while_ebs_takes_none(self, program: Program, cloud: Cloud) -> None:
        program.apply(fleet(root_volume=ROOT))
        cloud.break_with(optimize_s=20_000)
        assert program.apply(fleet(root_volume={**ROOT, "size_gb": 40})).code == 0
        third = program.apply(fleet(root_volume={**ROOT, "size_gb": 50}))
        assert third.code == 1
        assert "IncorrectModificationState" in third.said
        assert "four within 24 hours" in third.said
        cloud.wait(20_001)
        assert program.apply(fleet(root_volume={**ROOT, "size_gb": 50})).code == 0
        assert {volume["Size"] for volume in attached(cloud).values()} == {50}

    def test_a_modification_that_fails_is_told_and_made_again(self, program: Program, cloud: Cloud) -> None:
        program.apply(fleet(root_volume=ROOT))
        cloud.break_with(modification_failure_share=1.0)
        changed = fleet(root_volume={**ROOT, "size_gb": 40})
        ran = program.apply(changed)
        assert ran.code == 1
        assert "the modification of vol-" in ran.said
        cloud.mend()
        assert program.apply(changed).code == 0
        assert {volume["Size"] for volume in attached(cloud).values()} == {40}
        assert program.plan(changed).changes == []

    def test_one_change_has_all_that_the_launch_record_shows(self, program: Program, cloud: Cloud) -> None:
        """Two could undo what the other has written there."""
        program.apply(fleet(root_volume=ROOT))
        changed = fleet(root_volume={**ROOT, "size_gb": 40}, termination_protection=True)
        (change,) = program.plan(changed).changes
        assert {field["path"] for field in change["fields"]} == {
            "root_volume.size_gb",
            "termination_protection",
        }
        assert program.apply(changed).code == 0
        assert program.plan(changed).changes == []
        assert program.plan(changed, "--deep").changes == []

    @pytest.mark.parametrize("lost", ["ModifyVolume", "DescribeVolumesModifications", "CreateTags"])
    def test_an_apply_that_ended_in_between_goes_on(self, lost: str, program: Program, cloud: Cloud) -> None:
        """After some or all volumes were modified, and before that was written down."""
        program.apply(fleet(count=3, root_volume=ROOT))
        before = cloud.ids("probe")
        denied = local_aws.error(lost, "UnauthorizedOperation", "You may not.", status=403, nth=(2, 3, 4, 5))
        all_of = local_aws.error(lost, "UnauthorizedOperation", "You may not.", status=403)
        cloud.break_with(denied if lost == "ModifyVolume" else all_of, modify_s=30)
        changed = fleet(count=3, root_volume={**ROOT, "size_gb": 40})
        assert program.apply(changed).code == 1
        cloud.break_with(modify_s=30)
        again = program.apply(changed)
        assert again.code == 0, again.said
        assert cloud.ids("probe") == before
        cloud.wait(31)
        assert {volume["Size"] for volume in attached(cloud).values()} == {40}
        cloud.mend()
        for options in ((), ("--deep",)):
            assert program.plan(changed, *options).changes == []

    def test_a_spec_that_asks_for_less_than_it_did_replaces_members(
        self, program: Program, cloud: Cloud
    ) -> None:
        """Also after EBS has made them larger, as that is written down."""
        program.apply(fleet(root_volume=ROOT))
        program.apply(fleet(root_volume={**ROOT, "size_gb": 40}))
        smaller = fleet(root_volume={**ROOT, "size_gb": 30})
        assert program.plan(smaller).told == {(FLEET, "replace", "root_volume")}
        assert program.apply(smaller).code == 0
        assert {volume["Size"] for volume in attached(cloud).values()} == {30}
        assert program.plan(smaller).changes == []

    def test_volumes_of_spot_instances_are_modified_like_others(self, program: Program, cloud: Cloud) -> None:
        program.apply(fleet(market="spot", root_volume=ROOT))
        before = cloud.ids("probe")
        changed = fleet(market="spot", root_volume={**ROOT, "size_gb": 40})
        assert program.apply(changed).code == 0
        assert {volume["Size"] for volume in attached(cloud).values()} == {40}
        assert cloud.ids("probe") == before
        assert program.plan(changed).changes == []

    def test_a_volume_of_others_in_place_of_ours_is_left_alone(self, program: Program, cloud: Cloud) -> None:
        program.apply(fleet(count=1, volumes=[DATA]))
        detach(cloud)
        (member,) = cloud.live("probe")
        theirs = new_volume(cloud, member["Placement"]["AvailabilityZone"])
        cloud.ec2.attach_volume(VolumeId=theirs, InstanceId=member["InstanceId"], Device="/dev/sdf")
        larger = fleet(count=1, volumes=[{**DATA, "size_gb": 9}])
        plan = program.plan(larger)
        assert plan.changes == []
        assert f"{theirs} on 1 member" in notes(plan)
        assert program.apply(larger).code == 0
        assert program.destroy(larger).code == 0
        assert "ModifyVolume" not in cloud.operations()
        (left,) = cloud.ec2.describe_volumes(VolumeIds=[theirs])["Volumes"]
        assert (left["Size"], left["State"]) == (1, "available")


# What is left to others, a setting as it is launched and as somebody makes it, the same in the spec, and how
# the spec's own change of it would be made.
IGNORED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "a live setting": ("monitoring", {"monitoring": False}, {"monitoring": True}),
    "a group of settings": ("metadata", {}, {"metadata": {"hop_limit": 2, "http_tokens": "optional"}}),
    "one that only the launch record shows": (
        "termination_protection",
        {},
        {"termination_protection": True},
    ),
    "one that takes a restart": ("instance_type", {}, {"instance_type": "t3.small"}),
    "one that takes a replacement": ("user_data", {}, {"user_data": "#!/bin/sh\n"}),
    "the size of a volume": (
        "root_volume.size_gb",
        {"root_volume": ROOT},
        {"root_volume": {**ROOT, "size_gb": 40}},
    ),
    "a root volume": ("root_volume", {"root_volume": ROOT}, {"root_volume": {**ROOT, "encrypted": True}}),
    "whether a volume goes": ("volumes.delete_on_termination", {"volumes": [DATA]}, {"volumes": [KEPT]}),
}


@pytest.mark.parametrize("case", IGNORED)
def test_what_is_left_to_others_is_no_change_and_new_members_get_it(
    case: str, program: Program, cloud: Cloud
) -> None:
    path, first, second = IGNORED[case]
    assert program.apply(fleet(count=1, **first)).code == 0
    before = cloud.ids("probe")
    # Without it there is something to do.
    assert program.plan(fleet(count=1, **second)).changes
    changed = fleet(count=1, **second, ignore_changes=[path])
    for options in ((), ("--deep",)):
        plan = program.plan(changed, *options)
        assert plan.changes == []
        assert notes(plan).count(f"{path} is left to others by `ignore_changes`") == 1
    cloud.forget_calls()
    assert program.apply(changed).code == 0
    assert cloud.writes() == []
    more = fleet(count=2, **second, ignore_changes=[path])
    assert program.apply(more).code == 0
    assert set(before) < set(cloud.ids("probe"))
    # The new one has what the spec says, and the old one is as it was.
    without = program.plan(fleet(count=2, **second))
    assert {tuple(change["instances"]) for change in without.changes} == {tuple(before)}


def test_a_volume_that_others_grow_is_no_drift(program: Program, cloud: Cloud) -> None:
    spec = fleet(root_volume=ROOT, ignore_changes=["root_volume.size_gb", "user_data"])
    program.apply(spec)
    grow(cloud, None, 40)
    plan = program.plan(spec, "--deep")
    assert plan.changes == []
    assert notes(plan).count("root_volume.size_gb, user_data are left to others") == 1
    assert "40" not in notes(plan)


class TestWhetherAVolumeGoes:
    @pytest.mark.parametrize(("first", "second"), [(DATA, KEPT), (KEPT, DATA)])
    def test_is_changed_while_members_run(
        self, first: dict[str, Any], second: dict[str, Any], program: Program, cloud: Cloud
    ) -> None:
        program.apply(fleet(volumes=[first]))
        before = cloud.ids("probe")
        changed = fleet(volumes=[second])
        assert program.plan(changed).told == {
            (FLEET, "update", "volumes./dev/sdf.delete_on_termination"),
        }
        assert program.apply(changed).code == 0
        assert cloud.ids("probe") == before
        goes = second.get("delete_on_termination", True)
        for volume in attached(cloud, "/dev/sdf").values():
            assert volume["Attachments"][0]["DeleteOnTermination"] is goes
        assert program.plan(changed).changes == []

    @pytest.mark.parametrize("how", ["scale in", "replace", "destroy"])
    def test_is_as_the_spec_says_also_of_those_that_go_at_once(
        self, how: str, program: Program, cloud: Cloud
    ) -> None:
        program.apply(fleet(volumes=[DATA], root_volume=ROOT))
        at_first = {volume["VolumeId"] for volume in attached(cloud, "/dev/sdf").values()}
        changed = {
            "scale in": fleet(volumes=[KEPT], root_volume=ROOT, count=1),
            "replace": fleet(volumes=[KEPT], root_volume=ROOT, user_data="#!/bin/sh\n"),
            "destroy": fleet(volumes=[KEPT], root_volume=ROOT),
        }[how]
        plan = program.plan(changed, *(["--destroy"] if how == "destroy" else []))
        assert "when " in notes(plan)
        ran = program.destroy(changed) if how == "destroy" else program.apply(changed)
        assert ran.code == 0, ran.said
        assert at_first <= volumes(cloud).keys()

    def test_of_the_root_is_said_at_launch_whatever_the_image_says(
        self, program: Program, cloud: Cloud
    ) -> None:
        mapping = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "DeleteOnTermination": False}}
        made = cloud.ec2.register_image(
            Name="stays",
            Architecture="x86_64",
            VirtualizationType="hvm",
            EnaSupport=True,
            RootDeviceName="/dev/xvda",
            BlockDeviceMappings=[mapping],
        )["ImageId"]
        local_aws.set_parameter(cloud.server, "/team/image", made)
        for image in (made, {"ssm": "/team/image"}):
            assert program.apply(fleet(image=image)).code == 0
            for volume in attached(cloud).values():
                assert volume["Attachments"][0]["DeleteOnTermination"] is True
            assert program.destroy(fleet(image=image)).code == 0
        assert volumes(cloud) == {}


class TestWhatStays:
    SPEC = fleet(volumes=[KEPT])

    def told(self, ran: Ran, ids: set[str]) -> None:
        """Every volume is named, with the command that deletes it."""
        assert ids
        for volume_id in ids:
            assert volume_id in notes(ran)
            assert volume_id in commands(ran)
        assert "aws ec2 delete-volume --region us-east-1 --volume-id" in commands(ran)

    @pytest.mark.parametrize("how", ["scale in", "replace", "no longer in the spec"])
    def test_is_in_the_plan_that_takes_members_away(self, how: str, program: Program, cloud: Cloud) -> None:
        program.apply(self.SPEC)
        changed = {
            "scale in": having(self.SPEC, fleets__worker__count=0),
            "replace": having(self.SPEC, fleets__worker__user_data="#!/bin/sh\n"),
            "no longer in the spec": lacking(self.SPEC, "fleets.worker"),
        }[how]
        ids = {volume["VolumeId"] for volume in attached(cloud, "/dev/sdf").values()}
        plan = program.plan(changed)
        assert destroyed(plan) == [FLEET]
        self.told(plan, ids)
        assert program.apply(changed).code == 0
        assert ids <= volumes(cloud).keys()

    def test_is_in_the_plan_of_a_destroy_and_found_again_by_its_tags(
        self, program: Program, cloud: Cloud
    ) -> None:
        program.apply(self.SPEC)
        # As members are whose image had their root stay.
        rooted = cloud.ids("probe")[0]
        root = attached(cloud)[rooted]["VolumeId"]
        device = cloud.instance(rooted)["RootDeviceName"]
        mapping = {"DeviceName": device, "Ebs": {"DeleteOnTermination": False}}
        modified(cloud, rooted, BlockDeviceMappings=[mapping])
        ids = {root, *(volume["VolumeId"] for volume in attached(cloud, "/dev/sdf").values())}
        assert program.status(self.SPEC)[FLEET]["volumes_on_no_member"] == []

        self.told(program.plan(self.SPEC, "--destroy"), ids)
        assert program.destroy(self.SPEC).code == 0
        assert volumes(cloud).keys() == ids

        again = program.plan(self.SPEC, "--destroy")
        assert (again.code, again.changes) == (0, [])
        self.told(again, ids)
        said = program.run("destroy", "--yes", program.write(self.SPEC))
        assert "Nothing to destroy." in said.words
        assert "Nothing of probe is there" not in said.words
        assert volumes(cloud).keys() == ids
        found = program.status(self.SPEC)[FLEET]["volumes_on_no_member"]
        assert {volume["id"] for volume in found} == ids
        assert {volume["state"] for volume in found} == {"available"}
        text = program.run("status", program.write(self.SPEC)).words
        assert all(volume_id in text for volume_id in ids)

    def test_is_found_of_a_fleet_that_nothing_else_is_known_of(self, program: Program, cloud: Cloud) -> None:
        program.apply(self.SPEC)
        empty = lacking(self.SPEC, "fleets")
        assert program.apply(empty).code == 0
        left = set(volumes(cloud))
        assert len(left) == 2
        self.told(program.plan(empty, "--destroy"), left)
        assert {volume["id"] for volume in program.status(empty)[FLEET]["volumes_on_no_member"]} == left

    def test_and_is_in_use_elsewhere_is_not_told_to_be_deleted(self, program: Program, cloud: Cloud) -> None:
        program.apply(having(self.SPEC, fleets__worker__count=1))
        (volume,) = attached(cloud, "/dev/sdf").values()
        assert program.destroy(self.SPEC).code == 0
        box = cloud.stranger()
        cloud.ec2.attach_volume(VolumeId=volume["VolumeId"], InstanceId=box, Device="/dev/sdp")
        plan = program.plan(self.SPEC, "--destroy")
        assert f"{volume['VolumeId']} (5 GiB gp3" in notes(plan)
        assert f"on {box}" in notes(plan)
        assert commands(plan) == ""

    @pytest.mark.parametrize("command", ["status", "plan --destroy"])
    def test_may_not_be_looked_for_and_that_is_said(
        self, command: str, program: Program, cloud: Cloud
    ) -> None:
        program.apply(self.SPEC)
        denied = local_aws.error("DescribeVolumes", "UnauthorizedOperation", "You may not.", status=403)
        cloud.break_with(denied)
        ran = program.run(*command.split(), program.write(self.SPEC))
        assert ran.code == 0
        assert "not looked for: ec2:DescribeVolumes: UnauthorizedOperation" in ran.words
