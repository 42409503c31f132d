"""One spec of several environments, from the first plan to the end of one of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.program import Program

BASE = """\
environment: shop
region: us-east-1
tags: {team: data}
fleets:
  web: {count: 1, image: ami-0123456789abcdef0, instance_type: t3.micro}
"""
SPEC = """\
extends: base.yaml
targets:
  dev: {}
  prod:
    account_id: "123456789012"
    fleets: {web: {count: 2}}
"""


@pytest.fixture
def spec(tmp_path: Path, cloud: Cloud) -> Path:
    image = cloud.ec2.describe_images(Filters=[{"Name": "name", "Values": ["al2023-ami-2023*x86_64"]}])
    newest = image["Images"][0]["ImageId"]
    (tmp_path / "base.yaml").write_text(BASE.replace("ami-0123456789abcdef0", newest))
    (tmp_path / "shop.yaml").write_text(SPEC)
    return tmp_path / "shop.yaml"


def test_one_environment_of_a_spec_lives_and_ends_and_the_others_are_left_alone(
    spec: Path, program: Program, cloud: Cloud
) -> None:
    ran = program.run("apply", spec, "--target", "dev", "--yes")
    assert ran.code == 0, ran.said
    # What is to be typed next is about the same target.
    assert f"provisioner destroy {spec} --target dev" in ran.words
    assert len(cloud.live("shop-dev")) == 1
    planned = program.run("plan", spec, "--target", "dev", "--format", "json")
    assert (planned.data["environment"], planned.changes) == ("shop-dev", [])
    (listed,) = program.run("list", spec, "--format", "json").data["environments"]
    assert (listed["environment"], listed["specs"]) == ("shop-dev", [f"{spec} --target dev"])
    (member,) = cloud.live("shop-dev")
    cloud.ec2.create_tags(Resources=[member["InstanceId"]], Tags=[{"Key": "team", "Value": "ops"}])
    assert program.run("drift", spec, "--target", "dev").code == 2
    why = ("--reason", "they try something", "--until", "2999-01-01")
    assert program.run("drift", spec, "--target", "dev", "--accept", "fleet/web tags", *why).code == 0
    assert program.run("drift", spec, "--target", "dev").code == 0
    assert "environment: shop-dev" in (spec.parent / "accepted-drift.yaml").read_text()
    for words in (["extend", "2h"], ["hosts"], ["ssh-config"]):
        wrong = program.run(words[0], spec, *words[1:])
        assert wrong.code == 3
        assert re.search(
            r"shop.yaml:2:1: targets: the spec has 2 targets: dev, prod; .*--target dev", wrong.err
        )
    assert program.run("destroy", spec, "--target", "dev", "--yes").code == 0
    assert cloud.live("shop-dev") == []


def test_the_folder_of_a_spec_with_targets_is_checked(program: Program, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "base.yaml").write_text(BASE)
    (folder / "shop.yaml").write_text(SPEC)
    (folder / "provisioner.yaml").write_text("policies: [nowhere]\n")
    ran = program.run("validate", folder / "shop.yaml")
    assert ran.code == 3
    assert 'there is no folder "nowhere"' in ran.err
    assert "--target prod: valid; environment shop-prod" in ran.out


def test_a_plan_file_is_of_one_target(spec: Path, program: Program, tmp_path: Path) -> None:
    approved = tmp_path / "plan.json"
    ran = program.run("plan", spec, "--target", "dev", "--out", approved)
    assert f"provisioner apply {spec} --target dev" in ran.words
    assert json.loads(approved.read_text())["environment"] == "shop-dev"
    other = program.run("apply", spec, "--target", "prod", "--expect", approved)
    assert other.code == 3
    assert "is a plan for environment shop-dev" in other.words
    markdown = program.run("plan", spec, "--target", "prod", "--format", "markdown").out
    assert f"{spec} --target prod" in markdown
