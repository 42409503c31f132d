"""Specs that are fine: what they become, and what YAML offers beyond the plain."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from provisioner.kinds import KINDS
from provisioner.model import Address
from provisioner.spec import load, schema
from provisioner.spec.document import read
from provisioner.spec.nodes import Position
from provisioner.spec.regions import known_regions
from provisioner.spec.schemas import resolve

SPECS = Path(__file__).parents[3] / "specs"
EXAMPLES = sorted(SPECS.glob("*.yaml"))
WHOLE = schema(KINDS)

# Fields that no example can have, and why.
NOT_SHOWN = {
    "key_pairs.*.ssh": "it is not there for everybody; two-tier.yaml has it as a comment",
    "fleets.*.subnets": "a fresh account knows no ids or tags of subnets; two-tier.yaml has it as a comment",
    "fleets.*.subnets.tags": "as above",
    "fleets.*.placement_group": "a placement group has to be made first",
    "fleets.*.capacity_reservation": "so has a Capacity Reservation, which costs money",
    "fleets.*.ipv6_address_count": "a fresh account has no subnets with IPv6 addresses",
    "security_groups.*.ingress.group_id": "nor ids of groups",
    "security_groups.*.ingress.prefix_list": "nor of prefix lists",
    "security_groups.*.vpc": "a fresh account has a default VPC, and knows no ids or tags of others",
    "security_groups.*.vpc.tags": "as above",
    **dict.fromkeys(
        ("extends", "targets", "profile", "role_arn", "external_id"), "docs/composition.md shows them"
    ),
    "fleets.*.protect": "nobody knows the ids of members before there are any",
}


def spec(tmp_path: Path, text: str) -> str:
    path = tmp_path / "spec.yaml"
    path.write_text("environment: test\nregion: us-east-1\n" + text, encoding="utf-8")
    return str(path)


def test_everything_becomes_an_environment() -> None:
    environment = load(str(SPECS / "two-tier.yaml"), KINDS)
    assert environment.name == "shop-dev"
    assert environment.region == "us-east-1"
    assert environment.account_id == "123456789012"
    assert environment.tags == {"team": "shop", "stage": "dev"}
    assert environment.ignore_tags == ("aws:*", "CostCenter")
    assert environment.source == str(SPECS / "two-tier.yaml")
    assert [str(address) for address in environment.resources] == [
        "role/web",
        "role/batch",
        "role/auditor",
        "instance_profile/web",
        "instance_profile/batch",
        "key_pair/ops",
        "key_pair/deploy",
        "fleet/web",
        "fleet/batch",
        "attachment/build-server",
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_fine_and_say_so_to_editors(path: Path) -> None:
    assert load(str(path), KINDS).resources
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../schemas/environment.schema.json"


def test_every_field_is_in_some_example() -> None:
    shown = {field for path in EXAMPLES for field in given(read(str(path)).value, WHOLE)}
    # Rules of both directions have the same fields.
    every = {field for field in fields(WHOLE) if not field.startswith("security_groups.*.egress.")}
    assert every - shown == set(NOT_SHOWN)


@pytest.mark.parametrize("name", ["outage-collector.sh", "two-tier-batch.sh"])
def test_scripts_are_shell(name: str) -> None:
    subprocess.run(["bash", "-n", str(SPECS / name)], check=True)


def test_smallest(tmp_path: Path) -> None:
    environment = load(spec(tmp_path, ""), KINDS)
    assert (environment.resources, environment.account_id) == ({}, None)


def test_byte_order_mark_and_line_ends_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"\xef\xbb\xbfenvironment: test\r\nregion: us-east-1\r\n")
    assert load(str(path), KINDS).region == "us-east-1"


def test_json_is_yaml(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text('{"environment": "test", "region": "us-east-1", "tags": {"a": "b"}}')
    assert load(str(path), KINDS).tags == {"a": "b"}


def test_aliases_and_merge_keys(tmp_path: Path) -> None:
    path = spec(
        tmp_path,
        """\
roles:
  a: &base
    description: the base
    managed_policies: &policies [AmazonS3FullAccess]
    tags: {one: "1"}
  b:
    <<: *base
    description: not the base
  c:
    managed_policies: *policies
    <<: [{max_session_duration: 7200}, {max_session_duration: 9000, path: c/}]
""",
    )
    document = read(path)
    assert document.problems == ()
    assert document.value["roles"]["b"] == {
        "description": "not the base",
        "managed_policies": ["AmazonS3FullAccess"],
        "tags": {"one": "1"},
    }
    assert document.value["roles"]["c"] == {
        "managed_policies": ["AmazonS3FullAccess"],
        "max_session_duration": 7200,
        "path": "c/",
    }
    # What is merged in is where it is written.
    assert document.key_position(("roles", "b", "tags")) == Position(7, 5)
    assert set(load(path, KINDS).resources) == {Address("role", key) for key in "abc"}


def test_positions(tmp_path: Path) -> None:
    document = read(spec(tmp_path, "roles:\n  web:\n    managed_policies: [A, B]\n"))
    assert document.position(("roles", "web", "managed_policies", 1)) == Position(5, 27)
    assert document.key_position(("roles", "web", "managed_policies")) == Position(5, 5)
    assert document.position(("roles", "web", "absent", "deeper")) == Position(4, 3)
    assert document.position(()) == Position(1, 1)


def test_scalars_are_what_yaml_says(tmp_path: Path) -> None:
    text = "tags: {a: '010', b: !!str 7, c: \"on\", d: ==, e: '<<'}\nx: [1, -2, 0, 1.5, true, no, ~, .5, =]\n"
    document = read(spec(tmp_path, text))
    assert document.problems == ()
    assert document.value["tags"] == {"a": "010", "b": "7", "c": "on", "d": "==", "e": "<<"}
    assert document.value["x"] == [1, -2, 0, 1.5, True, False, None, 0.5, "="]


def test_numbers_and_booleans_in_policies(tmp_path: Path) -> None:
    text = """\
roles:
  web:
    inline_policies:
      read:
        Version: "2012-10-17"
        Statement:
          Effect: Allow
          Action: s3:GetObject
          Resource: "*"
          Condition: {NumericLessThan: {"aws:MultiFactorAuthAge": 3600}, Bool: {"aws:SecureTransport": true}}
"""
    assert load(spec(tmp_path, text), KINDS).resources


def fleet(fields: str = "name: w", image: str = "ami-0123456789abcdef0") -> str:
    return f"fleets: {{web: {{count: 1, image: {image}, instance_type: t3.micro, {fields}}}}}\n"


def volume(fields: str) -> str:
    return fleet(f"volumes: [{{device: /dev/sdf, {fields}}}]")


# Spec: what AWS takes, and a check must not refuse.
TAKEN = {
    "a fleet's tag with any characters": fleet("tags: {'a*b%': '50 % of 8; <i> \\ \" 日本 🙂'}"),
    "the environment's, where there are only fleets": "tags: {'a*b%': '50 %'}\n" + fleet(),
    "keys that differ in case, on a fleet": fleet("tags: {Team: a, team: b}"),
    "keys that differ in case, of the environment": "tags: {Team: a, team: b}\n" + fleet(),
    "an odd tag of the environment that each role overrides": (
        "tags: {note: '50 %'}\nroles: {web: {tags: {note: half}}}\n"
    ),
    "tags in the metadata": fleet(
        "metadata: {instance_tags: enabled}, tags: {'a:b+-=.,_@': 'any/thing at all'}"
    ),
    "a policy of the account by its name": "roles: {web: {managed_policies: [my-policy, team/mine]}}\n",
    "a policy of the account by its ARN": (
        "roles: {web: {managed_policies: ['arn:aws:iam::123456789012:policy/team/mine']}}\n"
    ),
    "the smallest gp3, with the least iops": volume("size_gb: 1, iops: 3000"),
    "the largest gp3": volume("size_gb: 65536, iops: 80000, throughput: 2000"),
    "the most throughput at the usual iops": volume("size_gb: 100, throughput: 750"),
    "the largest io2": volume("size_gb: 65536, type: io2, iops: 256000"),
    "the smallest st1": volume("size_gb: 125, type: st1"),
    "a key of the region": volume(
        'size_gb: 8, encrypted: true, kms_key_id: "arn:aws:kms:us-east-1:123456789012:alias/mine"'
    ),
    "devices that look alike": fleet(
        "volumes: [{device: /dev/sdf, size_gb: 8}, {device: /dev/xvdf, size_gb: 8}]"
    ),
    "an image out of a backup": fleet(image="{owner: aws-backup-vault, name: x}"),
    "six security groups": fleet("security_groups: [a, b, c, d, e, f]"),
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_what_aws_takes(text: str, tmp_path: Path) -> None:
    assert load(spec(tmp_path, text), KINDS).resources


def test_regions_of_partitions_that_are_not_known_take_arns_of_any(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    arn = "arn:aws-moon:iam::aws:policy/ReadOnlyAccess"
    path.write_text(
        "environment: test\nregion: moon-base-1\nskip_region_validation: true\n"
        f"roles: {{web: {{managed_policies: ['{arn}']}}}}\n"
    )
    assert load(str(path), KINDS).resources


@pytest.mark.parametrize("key", ["Köln 1", "a.b:c/d=e+f-g@h", "k" * 128])
def test_tags_of_every_sort(key: str, tmp_path: Path) -> None:
    assert load(spec(tmp_path, f"tags: {{'{key}': ''}}\n"), KINDS).tags == {key: ""}


@pytest.mark.parametrize(
    "region",
    ["us-east-1", "us-gov-west-1", "cn-north-1", "ap-southeast-4", "us-iso-east-1", "eusc-de-east-1"],
)
def test_regions(region: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(f"environment: test\nregion: {region}\n")
    assert load(str(path), KINDS).region == region


def test_a_region_that_is_newer_is_taken_where_the_spec_says_so(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("environment: test\nregion: eu-moon-1\nskip_region_validation: true\n")
    assert load(str(path), KINDS).region == "eu-moon-1"


def test_every_region_that_boto3_knows_is_taken() -> None:
    import boto3

    session = boto3.session.Session()
    partitions = session.get_available_partitions()
    theirs = {name for partition in partitions for name in session.get_available_regions("ec2", partition)}
    assert len(theirs) > 30
    assert theirs <= known_regions()


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "import sys; from provisioner.spec import load; from provisioner.kinds import KINDS\n"
        f"load({str(SPECS / 'two-tier.yaml')!r}, KINDS)\n"
        "print(*{'boto3', 'botocore', 'rich', 'click', 'tenacity', 'moto'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def forms(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    part = resolve(part, WHOLE)
    return [resolve(form, WHOLE) for form in part["anyOf"]] if "anyOf" in part else [part]


def fields(part: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The dotted paths of all fields of a schema; keys of maps are `*`. Policies are not looked into."""
    for form in forms(part):
        if "policy document" in form.get("x-allowed", ""):
            continue
        for name, value in form.get("properties", {}).items():
            yield f"{path}{name}"
            yield from fields(value, f"{path}{name}.")
        if isinstance(form.get("additionalProperties"), dict):
            yield from fields(form["additionalProperties"], f"{path}*.")
        if "items" in form:
            yield from fields(form["items"], path)


def given(value: Any, part: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The dotted paths of the fields that a spec gives, written as by `fields`."""
    if isinstance(value, list):
        for items in [form["items"] for form in forms(part) if "items" in form]:
            for item in value:
                yield from given(item, items, path)
    if isinstance(value, dict):
        for key, inner in value.items():
            for form in forms(part):
                if key in form.get("properties", {}):
                    yield f"{path}{key}"
                    yield from given(inner, form["properties"][key], f"{path}{key}.")
                elif isinstance(form.get("additionalProperties"), dict):
                    yield from given(inner, form["additionalProperties"], f"{path}*.")
