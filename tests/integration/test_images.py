"""Which image members get: the fleet's own, until somebody asks for a newer one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import local_aws
from provisioner.kinds.launch_token import Slot, launch_token
from tests.support.cloud import Cloud
from tests.support.program import Program
from tests.support.setting_cases import volumes_of
from tests.support.specs import having

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

PARAMETER = "/team/image"
PATTERN = "team-base-*"


@pytest.fixture
def images(cloud: Cloud) -> tuple[str, str]:
    """Two images of the account, of which the first is the one to use for now."""
    older, newer = (
        local_aws.add_image(
            cloud.server, f"team-base-{year}", "self", created=datetime(year, 1, 1, tzinfo=UTC)
        )
        for year in (2024, 2025)
    )
    local_aws.set_parameter(cloud.server, PARAMETER, older)
    return older, newer


def spec(image: Any, count: int = 2, **fleet: Any) -> dict[str, Any]:
    web = {"count": count, "image": image, "instance_type": "t3.micro", **fleet}
    return {"environment": "pictured", "region": "us-east-1", "fleets": {"web": web}}


def used(cloud: Cloud) -> list[str]:
    return [str(member["ImageId"]) for member in cloud.live("pictured")]


def apply(program: Program, wanted: dict[str, Any], *options: str) -> None:
    ran = program.run("apply", "--yes", *options, program.write(wanted))
    assert ran.code == 0, ran.said
    assert program.plan(wanted, *options).changes == []


class TestFromAParameterThatMovesOn:
    WANTED = spec({"ssm": PARAMETER})

    @pytest.fixture(autouse=True)
    def _moved_on(self, program: Program, cloud: Cloud, images: tuple[str, str]) -> None:
        apply(program, self.WANTED)
        local_aws.set_parameter(cloud.server, PARAMETER, images[1])

    def test_members_stay_and_a_note_tells_of_the_newer_one(
        self, program: Program, cloud: Cloud, images: tuple[str, str]
    ) -> None:
        (note,) = program.plan(self.WANTED).data["notes"]
        assert note["message"] == (
            f"there is a newer image, {images[1]}; the fleet stays with {images[0]}. "
            "`apply --refresh-image web` replaces the members"
        )
        apply(program, self.WANTED)
        assert used(cloud) == [images[0]] * 2

    def test_new_members_get_the_fleets_image(
        self, program: Program, cloud: Cloud, images: tuple[str, str]
    ) -> None:
        apply(program, having(self.WANTED, fleets__web__count=4))
        assert used(cloud) == [images[0]] * 4

    def test_members_are_replaced_when_asked_for(
        self, program: Program, cloud: Cloud, images: tuple[str, str]
    ) -> None:
        (change,) = program.plan(self.WANTED, "--refresh-image", "web").changes
        assert change["action"] == "replace"
        assert change["fields"] == [{"path": "image", "before": images[0], "after": images[1]}]
        apply(program, self.WANTED, "--refresh-image", "web")
        assert used(cloud) == [images[1]] * 2
        assert program.plan(self.WANTED).data["notes"] == []

    def test_members_are_replaced_where_the_spec_follows_it(
        self, program: Program, cloud: Cloud, images: tuple[str, str]
    ) -> None:
        apply(program, spec({"ssm": PARAMETER, "update": "roll"}))
        assert used(cloud) == [images[1]] * 2

    def test_a_fleet_with_two_images_is_told(
        self, program: Program, cloud: Cloud, images: tuple[str, str]
    ) -> None:
        member = cloud.live("pictured")[0]
        slot = Slot("pictured", "web", member["Placement"]["AvailabilityZone"], member["SubnetId"])
        cloud.ec2.run_instances(
            ImageId=images[1],
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            SubnetId=member["SubnetId"],
            ClientToken=launch_token(slot, "", "t3.micro", 90),
            TagSpecifications=[{"ResourceType": "instance", "Tags": member["Tags"]}],
        )
        notes = program.plan(having(self.WANTED, fleets__web__count=3)).data["notes"]
        assert "members have 2 images" in notes[0]["message"]


class TestByAnOwnerAndAName:
    def test_the_newest_is_taken(self, program: Program, cloud: Cloud, images: tuple[str, str]) -> None:
        apply(program, spec({"owner": "self", "name": PATTERN}))
        assert used(cloud) == [images[1]] * 2

    def test_the_architecture_matters(self, program: Program, cloud: Cloud, images: tuple[str, str]) -> None:
        local_aws.add_image(cloud.server, "team-base-2026", "self", architecture="arm64")
        apply(program, spec({"owner": "self", "name": PATTERN, "architecture": "x86_64"}))
        assert used(cloud) == [images[1]] * 2

    def test_where_there_is_none_the_plan_is_refused(self, program: Program, images: tuple[str, str]) -> None:
        ran = program.plan(spec({"owner": "self", "name": PATTERN, "architecture": "arm64"}))
        assert ran.code == 1
        assert "self has no image named team-base-* for arm64" in ran.said


@pytest.mark.parametrize("is_there", [False, True], ids=["to be launched", "already there"])
def test_an_image_that_is_deprecated_is_told(
    program: Program, cloud: Cloud, images: tuple[str, str], is_there: bool
) -> None:
    if is_there:
        apply(program, spec(images[0]))
    local_aws.deprecate_image(cloud.server, images[0], datetime(2025, 3, 4, tzinfo=UTC))
    (note,) = program.plan(spec(images[0])).data["notes"]
    assert note["message"].startswith(f"the image {images[0]} is deprecated since 2025-03-04")


class TestTheSpecNamesAnotherSource:
    @pytest.fixture
    def other(self, cloud: Cloud) -> str:
        made = datetime(2026, 1, 1, tzinfo=UTC)
        return local_aws.add_image(cloud.server, "other-base", "self", created=made)

    def test_and_the_members_are_replaced_by_its_image(
        self, program: Program, cloud: Cloud, images: tuple[str, str], other: str
    ) -> None:
        apply(program, spec({"ssm": PARAMETER}))
        wanted = spec({"owner": "self", "name": "other-*"})
        (change,) = program.plan(wanted).changes
        assert change["fields"] == [{"path": "image", "before": images[0], "after": other}]
        apply(program, wanted)
        assert used(cloud) == [other] * 2
        local_aws.add_image(cloud.server, "other-newer", "self", created=datetime(2026, 2, 1, tzinfo=UTC))
        assert program.plan(wanted).changes == []

    def test_and_nothing_is_replaced_where_it_gives_the_same_image(
        self, program: Program, cloud: Cloud, images: tuple[str, str]
    ) -> None:
        apply(program, spec({"ssm": PARAMETER}))
        before = cloud.ids("pictured")
        apply(program, spec({"owner": "self", "name": "team-base-2024"}))
        apply(program, spec(images[0]))
        assert cloud.ids("pictured") == before

    def test_and_a_rollout_that_was_cut_short_stays_with_the_image_it_began_with(
        self, program: Program, cloud: Cloud, images: tuple[str, str], other: str
    ) -> None:
        before = spec({"ssm": PARAMETER}, update={"order": "terminate_first"})
        apply(program, before)
        wanted = spec({"owner": "self", "name": "other-*"}, update={"order": "terminate_first"})
        cloud.break_with(
            local_aws.Rule("error", "TerminateInstances", nth=(2,), code="AccessDenied", status=403)
        )
        assert program.apply(wanted).code == 1
        cloud.mend()
        local_aws.add_image(cloud.server, "other-newer", "self", created=datetime(2026, 2, 1, tzinfo=UTC))
        apply(program, wanted)
        assert used(cloud) == [other] * 2

    def test_that_does_not_exist_and_the_plan_is_refused(
        self, program: Program, cloud: Cloud, images: tuple[str, str]
    ) -> None:
        apply(program, spec({"ssm": PARAMETER}))
        ran = program.plan(spec({"owner": "self", "name": "nothing-*"}))
        assert ran.code == 1
        assert "self has no image named nothing-*" in ran.said


def test_a_fleet_that_is_even_needs_no_image_to_stay_so(
    program: Program, cloud: Cloud, images: tuple[str, str]
) -> None:
    wanted = spec({"owner": "self", "name": PATTERN}, rebalance=True)
    apply(program, wanted)
    local_aws.remove_image(cloud.server, images[1])
    assert program.plan(wanted).changes == []


def test_a_refresh_that_was_cut_short_says_how_to_go_on(
    program: Program, cloud: Cloud, images: tuple[str, str]
) -> None:
    wanted = spec({"ssm": PARAMETER})
    apply(program, wanted)
    local_aws.set_parameter(cloud.server, PARAMETER, images[1])
    cloud.break_with(local_aws.Rule("error", "TerminateInstances", code="AccessDenied", status=403))
    ran = program.run("apply", "--yes", "--refresh-image", "web", program.write(wanted))
    assert ran.code == 1
    assert "apply again with --refresh-image web to go on" in ran.said


def test_a_fleet_whose_image_is_gone_keeps_its_members_and_launches_no_more(
    program: Program, cloud: Cloud, images: tuple[str, str]
) -> None:
    wanted = spec({"ssm": PARAMETER})
    apply(program, wanted)
    local_aws.remove_image(cloud.server, images[0])
    assert program.plan(wanted).changes == []
    ran = program.plan(having(wanted, fleets__web__count=3))
    assert ran.code == 1
    assert images[0] in ran.said
    assert "`apply --refresh-image web` replaces the members by newer ones" in ran.words


@pytest.mark.parametrize(
    ("image", "key", "said"),
    [
        ({"ssm": PARAMETER}, "db", "has no fleet db"),
        ("ami-0123456789abcdef0", "web", "fleet web is given its image by id"),
    ],
)
def test_what_cannot_be_refreshed_is_said_before_anything_is_sent(
    program: Program, cloud: Cloud, image: Any, key: str, said: str
) -> None:
    cloud.forget_calls()
    ran = program.plan_or_error(spec(image), "--refresh-image", key)
    assert ran.code == 3
    assert said in ran.said
    assert cloud.operations() == []


@pytest.mark.parametrize("update", ["pin", "roll"])
@pytest.mark.parametrize("source", [{"ssm": PARAMETER}, {"owner": "self", "name": PATTERN}])
def test_the_root_volume_is_as_the_spec_says_wherever_the_image_comes_from(
    program: Program, cloud: Cloud, images: tuple[str, str], source: dict[str, str], update: str
) -> None:
    wanted = spec({**source, "update": update}, root_volume={"size_gb": 30})
    for one in (wanted, having(wanted, fleets__web__count=3)):
        apply(program, one)
    sizes = [
        volume["Size"] for member in cloud.live("pictured") for volume in volumes_of(cloud, member).values()
    ]
    assert sizes == [30] * 3
