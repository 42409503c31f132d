"""What the spec names and the account does not have: told once, with what there is instead."""

from __future__ import annotations

from typing import Any

import pytest

import local_aws
from tests.support.cloud import Cloud, where
from tests.support.program import Program
from tests.support.setting_cases import BARE, group, image, subnets
from tests.support.specs import having

# Each starts a program or several: minutes in all.
pytestmark = pytest.mark.long

PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
GONE = "ami-0123456789abcdef0"


def fleet(**fields: Any) -> dict[str, Any]:
    return having(BARE, **{f"fleets__worker__{name}": value for name, value in fields.items()})


def refusals(program: Program, spec: dict[str, Any]) -> list[str]:
    """What a plan refuses, each with its hint."""
    return [f"{refusal['message']}; {refusal['hint']}" for refusal in program.plan(spec).data["refusals"]]


def notes(program: Program, spec: dict[str, Any]) -> list[str]:
    return [note["message"] for note in program.plan(spec).data["notes"]]


@pytest.fixture
def account(cloud: Cloud) -> Cloud:
    """An account with some things that have names."""
    for name in ("prod", "test-key"):
        cloud.ec2.create_key_pair(KeyName=name)
    for name in ("web-servers", "db"):
        group(cloud, name)
    first, second = subnets(cloud, "us-east-1a", "us-east-1b")
    cloud.ec2.create_tags(Resources=[first], Tags=[{"Key": "Tier", "Value": "private"}])
    cloud.ec2.create_tags(Resources=[second], Tags=[{"Key": "Tier", "Value": "public"}])
    for architecture in ("x86_64", "arm64"):
        local_aws.add_image(cloud.server, f"base-{architecture}", "self", architecture)
    return cloud


MISSING: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a key pair": (
        {"key_name": "prodd"},
        ("there is no key pair prodd in this region; did you mean prod?", "there are prod, test-key"),
    ),
    "a key pair unlike any": ({"key_name": "zzz"}, ("there are prod, test-key; check `key_name:`",)),
    "a security group by name": (
        {"security_groups": ["web_servers"]},
        (
            "there is no security group web_servers in vpc-",
            "did you mean web-servers?",
            "there are db, default",
        ),
    ),
    "a security group in other letters": ({"security_groups": ["DB"]}, ("did you mean db?",)),
    "a security group by id": (
        {"security_groups": ["sg-0123456789abcdef0"]},
        ("there is no security group sg-0123456789abcdef0", "there are sg-"),
    ),
    "a subnet": (
        {"subnets": ["subnet-0123456789abcdef0"]},
        ("there is no subnet subnet-0123456789abcdef0 in this region", "in us-east-1a", "check `subnets:`"),
    ),
    "a subnet's tag of that value": (
        {"subnets": {"tags": {"Tier": "privat"}}},
        ("no subnet has the tags", "there are subnets with Tier=private, Tier=public"),
    ),
    "a subnet's tag of that key": (
        {"subnets": {"tags": {"tier": "private"}}},
        ("no subnet has the tags", "the tags of subnets are Tier"),
    ),
    "a zone": (
        {"availability_zones": ["us-east-1z"]},
        ("there is no default subnet in us-east-1z", "there is one in us-east-1a, us-east-1b"),
    ),
    "an instance type": (
        {"instance_type": "t3.mediun"},
        ("the region has no instance type t3.mediun; did you mean t3.medium",),
    ),
    "an SSM parameter": (
        {"image": {"ssm": PARAMETER.replace("kernel", "kernal")}},
        ("there is no SSM parameter", "did you mean", PARAMETER),
    ),
    "an image of that architecture": (
        {"image": {"owner": "self", "name": "base-x86_64", "architecture": "arm64"}},
        ("self has no image named base-x86_64 for arm64; there is one for x86_64",),
    ),
    "an image of that name": (
        {"image": {"owner": "self", "name": "base-x86-64"}},
        ("self has no image named base-x86-64; did you mean base-x86_64",),
    ),
    "an image": ({"image": GONE}, (f"there is no image {GONE} in this region",)),
}


@pytest.mark.parametrize("case", MISSING)
def test_it_is_told_once_with_what_there_is(case: str, program: Program, account: Cloud) -> None:
    change, words = MISSING[case]
    (told,) = refusals(program, fleet(**change))
    for word in words:
        assert word in told
    assert "`" in told


@pytest.mark.parametrize("case", MISSING)
def test_once_for_all_fleets_that_have_it(case: str, program: Program, account: Cloud) -> None:
    change, _ = MISSING[case]
    spec = fleet(**change)
    spec["fleets"] |= {"second": spec["fleets"]["worker"], "third": spec["fleets"]["worker"]}
    (told,) = program.plan(spec).data["refusals"]
    assert told["address"] == "fleet/second"
    assert told["message"].endswith("(the same for fleet/third, fleet/worker)")
    assert told["also"] == ["fleet/third", "fleet/worker"]


def test_of_two_subnets_the_one_that_is_missing_is_told(program: Program, account: Cloud) -> None:
    (there,) = subnets(account, "us-east-1a")
    (told,) = refusals(program, fleet(subnets=[there, "subnet-0123456789abcdef0"]))
    assert told.startswith("there is no subnet subnet-0123456789abcdef0 in this region")


def test_where_nothing_may_be_listed_the_problem_is_told_all_the_same(
    program: Program, account: Cloud
) -> None:
    # Those of the environment itself, and the one that is named, come before it.
    account.break_with(local_aws.error("DescribeKeyPairs", "UnauthorizedOperation", "No.", status=403, nth=3))
    (told,) = refusals(program, fleet(key_name="prodd"))
    assert told == "there is no key pair prodd in this region; check `key_name:`"


def test_where_there_is_none_that_is_said(program: Program, cloud: Cloud) -> None:
    (told,) = refusals(program, fleet(key_name="prod"))
    assert told == "there is no key pair prod in this region; there is none; check `key_name:`"


class TestAnImageIsGoneWhileMembersRun:
    """Somebody deregisters the image of a fleet that runs."""

    def gone(self, cloud: Cloud, wanted: str) -> None:
        local_aws.remove_image(cloud.server, wanted)

    def test_and_nothing_is_launched_which_is_a_note(self, program: Program, cloud: Cloud) -> None:
        wanted = image(cloud, 0)
        assert program.apply(fleet(image=wanted)).code == 0
        self.gone(cloud, wanted)
        planned = program.plan(fleet(image=wanted))
        assert planned.changes == []
        (note,) = [note for note in notes(program, fleet(image=wanted)) if wanted in note]
        assert f"there is no image {wanted}" in note
        assert "nothing can be launched" in note

    def test_and_more_are_wanted_which_is_refused_once_with_advice_that_works(
        self, program: Program, cloud: Cloud
    ) -> None:
        wanted = image(cloud, 0)
        assert program.apply(fleet(image=wanted)).code == 0
        self.gone(cloud, wanted)
        (told,) = refusals(program, fleet(image=wanted, count=3))
        assert told.startswith(f"there is no image {wanted} in this region")
        assert "check `image:`" in told
        assert "refresh" not in told

    def test_and_the_image_came_from_a_parameter_that_has_moved_on(
        self, program: Program, cloud: Cloud
    ) -> None:
        assert program.apply(fleet()).code == 0
        (first, *_) = cloud.live("probe")
        local_aws.set_parameter(cloud.server, PARAMETER, other_than(cloud, first["ImageId"]))
        self.gone(cloud, first["ImageId"])
        (told,) = refusals(program, fleet(count=3))
        assert "; `apply --refresh-image worker` replaces the members" in told

    def test_and_the_parameter_still_names_it(self, program: Program, cloud: Cloud) -> None:
        assert program.apply(fleet()).code == 0
        (first, *_) = cloud.live("probe")
        self.gone(cloud, first["ImageId"])
        (told,) = refusals(program, fleet(count=3))
        assert f"there is no image {first['ImageId']}" in told
        assert "once `image:` gives another one" in told


def other_than(cloud: Cloud, gone: str) -> str:
    found = cloud.ec2.describe_images(
        Filters=where("architecture", "x86_64") + where("root-device-type", "ebs")
    )
    return next(str(other["ImageId"]) for other in found["Images"] if other["ImageId"] != gone)
