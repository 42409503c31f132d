"""What `permissions` prints: how it depends on a spec, that AWS knows it, and that it is what is called."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from provisioner.kinds import KINDS
from provisioner.permissions import MAX_CHARACTERS, documents, permissions
from provisioner.rights import Place, Statement
from provisioner.spec import load
from tests.support.authorization import problems
from tests.support.program import ROOT, SPECS, Program
from tests.support.specs import PROBE, ROLES_ONLY, having, lacking

SERVICES = ("ec2", "iam", "ssm", "pricing", "service-quotas", "resourcegroupstaggingapi")
# What policies call a service that botocore calls otherwise.
PREFIXES = {"service-quotas": "servicequotas", "resourcegroupstaggingapi": "tag"}
ALL_SPECS = sorted(SPECS.glob("*.yaml"))
# The names that are put together in `kinds/iam.py`.
NOT_SPELT_OUT = {"iam:TagRole", "iam:UntagRole", "iam:TagInstanceProfile", "iam:UntagInstanceProfile"}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html, and what EC2 does by itself.
NO_CALLS = {"iam:PassRole", "iam:CreateServiceLinkedRole"}
# What is called and nobody is given, and why.
NOT_GIVEN = {
    "ec2:ModifyNetworkInterfaceAttribute": "only of members with a second interface, which no tag limits",
    "ssm:GetParametersByPath": "only to suggest another name than one that does not exist",
}
EVERYTHING: dict[str, Any] = having(
    PROBE,
    roles__worker__trust={
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com", "AWS": "arn:aws:iam::123456789012:user/ann"},
                "Action": "sts:AssumeRole",
            }
        ],
    },
    instance_profiles={
        "worker": {"role": "worker"},
        **{f"p{number}": {"role": "worker"} for number in range(4)},
    },
    roles__many={"managed_policies": [f"arn:aws:iam::123456789012:policy/p{n}" for n in range(11)]},
    fleets__worker__ipv6_address_count=1,
    fleets__worker__placement_group="near",
    fleets__worker__capacity_reservation="cr-0123456789abcdef0",
    fleets__worker__cpu_options={"core_count": 1, "threads_per_core": 1},
    fleets__worker__credit_specification="standard",
    fleets__worker__private_dns={"a_record": True},
    fleets__worker__maintenance={"auto_recovery": "disabled"},
    fleets__worker__root_volume={"size_gb": 10},
    fleets__worker__key_name="me",
    fleets__worker__security_groups=[f"sg-0123456789abcde{n}" for n in range(10, 16)],
    fleets__worker__tenancy="default",
    fleets__worker__ready="cloud_init",
    fleets__worker__user_data="#!/bin/sh\n",
    fleets__spot={
        "count": 1,
        "image": "ami-0123456789abcdef0",
        "instance_type": "t3.micro",
        "market": "spot",
        "monitoring": True,
    },
    attachments__lab={"instance_profile": "worker", "select": {"tags": {"room": "lab"}}},
    security_groups__web={"ingress": [{"port": 443, "prefix_list": "pl-0123456789abcdef0"}]},
    key_pairs__other={
        "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILg7TAGkmtokT2dHVKZXke5Od3s7kBUSQD0GSAsPC1BP me"
    },
)


def statements(spec: Path, wanted: str = "all", region: str | None = None) -> tuple[Statement, ...]:
    environment = load(str(spec), KINDS)
    partition = {None: "aws", "cn-north-1": "aws-cn"}[region]
    place = Place(environment.name, region or environment.region, "123456789012", partition)
    return permissions(environment, KINDS, place, wanted)


def actions(found: tuple[Statement, ...]) -> set[str]:
    return {action for statement in found for action in statement.actions}


def of(tmp_path: Path, spec: dict[str, Any], wanted: str = "all") -> tuple[Statement, ...]:
    return statements(Program(tmp_path).write(spec), wanted)


@cache
def called() -> frozenset[str]:
    """All operations of AWS that the code of kinds and costs has the names of, as actions of a policy."""
    session = botocore.session.get_session()
    service_of = {
        name: PREFIXES.get(service, service)
        for service in SERVICES
        for name in session.get_service_model(service).operation_names
    }
    spelt = (
        f"{service_of[node.value]}:{node.value}"
        for folder in ("kinds", "costs")
        for path in (ROOT / "provisioner" / folder).rglob("*.py")
        if path.name != "permissions.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in service_of
    )
    return frozenset(spelt) | NOT_SPELT_OUT


def test_all_that_the_code_calls_is_given_to_who_needs_everything(tmp_path: Path) -> None:
    given = actions(of(tmp_path, EVERYTHING))
    assert called() - given == NOT_GIVEN.keys()
    assert given - called() == NO_CALLS


# --- what AWS knows of it


@pytest.mark.parametrize("path", ALL_SPECS, ids=lambda path: path.stem)
@pytest.mark.parametrize("wanted", ["plan", "apply", "destroy", "all"])
def test_every_statement_is_one_that_aws_understands(path: Path, wanted: str) -> None:
    found = statements(path, wanted)
    check_statements(found)


def test_so_is_each_of_everything(tmp_path: Path) -> None:
    check_statements(of(tmp_path, EVERYTHING))


def check_statements(found: tuple[Statement, ...]) -> None:
    """Each action on a type that it is authorised on, under conditions whose keys it has there."""
    unknown = [
        problem
        for statement in found
        for action in statement.actions
        for resource in statement.resources
        for problem in problems(
            action, resource, [key for keys in statement.conditions.values() for key in keys]
        )
    ]
    assert unknown == []
    sids = [statement.sid for statement in found]
    assert len(sids) == len(set(sids))
    assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)
    for policy in documents(found):
        assert len(re.sub(r"\s", "", json.dumps(policy))) <= MAX_CHARACTERS


# --- what it depends on

DATA = {"device": "/dev/sdf", "size_gb": 8}
PLAIN_SPOT = having(lacking(PROBE, "fleets.worker.security_groups"), fleets__worker__market="spot")
CASES: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "no Spot": (PROBE, (), ("iam:CreateServiceLinkedRole", "ec2:DescribeSpotPriceHistory")),
    "Spot": (
        having(PROBE, fleets__worker__market="spot"),
        ("iam:CreateServiceLinkedRole", "ec2:DescribeSpotPriceHistory"),
        ("ec2:StopInstances", "ec2:StartInstances"),
    ),
    "no inline policies": (lacking(PROBE, "roles.worker.inline_policies"), (), ("iam:PutRolePolicy",)),
    "inline policies": (PROBE, ("iam:PutRolePolicy",), ()),
    "no managed policies": (lacking(PROBE, "roles.worker.managed_policies"), (), ("iam:AttachRolePolicy",)),
    "a boundary for all": (
        PROBE,
        ("iam:PutRolePermissionsBoundary",),
        ("iam:DeleteRolePermissionsBoundary",),
    ),
    "no boundary": (
        lacking(PROBE, "roles.worker.permissions_boundary"),
        ("iam:DeleteRolePermissionsBoundary",),
        ("iam:PutRolePermissionsBoundary",),
    ),
    "policies by their ARNs": (
        having(
            PROBE,
            roles__worker__managed_policies=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
            roles__worker__permissions_boundary="arn:aws:iam::aws:policy/ReadOnlyAccess",
        ),
        ("iam:GetPolicy",),
        ("iam:ListPolicies",),
    ),
    "no volumes": (PROBE, (), ("ec2:ModifyVolume", "ec2:DescribeVolumesModifications")),
    "a volume": (having(PROBE, fleets__worker__root_volume={"size_gb": 9}), ("ec2:ModifyVolume",), ()),
    "a volume of Spot Instances, which may be told to stay": (
        having(PLAIN_SPOT, fleets__worker__volumes=[DATA]),
        ("ec2:ModifyInstanceAttribute",),
        (),
    ),
    "no volume of Spot Instances": (PLAIN_SPOT, (), ("ec2:ModifyInstanceAttribute",)),
    "no groups or keys of its own": (
        PROBE,
        (),
        ("ec2:CreateSecurityGroup", "ec2:AuthorizeSecurityGroupIngress", "ec2:ImportKeyPair"),
    ),
    "no roles": (
        lacking(PROBE, "roles", "instance_profiles", "fleets.worker.instance_profile"),
        (),
        ("iam:CreateRole", "iam:PassRole", "ec2:AssociateIamInstanceProfile", "ec2:DescribeRegions"),
    ),
    "new members instead of stopped ones": (
        having(PROBE, fleets__worker__update={"on_restart": "replace"}),
        ("ec2:StartInstances",),
        (),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_only_what_the_spec_can_need_is_given(case: str, tmp_path: Path) -> None:
    spec, given, withheld = CASES[case]
    found = actions(of(tmp_path, spec))
    assert set(given) <= found
    assert found.isdisjoint(withheld)


@pytest.mark.parametrize(("goes", "is_given"), [(True, False), (False, True)])
def test_whoever_destroys_may_keep_the_volumes_that_are_to_stay(
    goes: bool, is_given: bool, tmp_path: Path
) -> None:
    spec = having(PROBE, fleets__worker__volumes=[{**DATA, "delete_on_termination": goes}])
    given = actions(of(tmp_path, spec, "destroy"))
    assert ("ec2:ModifyInstanceAttribute" in given) is is_given


RESERVED = "arn:aws:resource-groups:us-east-1:123456789012:group/reserved"
NARROWED: dict[str, tuple[dict[str, Any], str, str]] = {
    "subnets": ({"subnets": ["subnet-0123456789abcdef0"]}, "subnet/subnet-0123456789abcdef0", "subnet/*"),
    "groups": (
        {"security_groups": ["sg-0123456789abcdef0"]},
        "security-group/sg-0123456789abcdef0",
        "security-group/*",
    ),
    "a key": ({"key_name": "me"}, "key-pair/me", "key-pair/*"),
    "an image": ({"image": "ami-0123456789abcdef0"}, "image/ami-0123456789abcdef0", "image/*"),
    "a reservation": (
        {"capacity_reservation": "cr-0123456789abcdef0"},
        "capacity-reservation/cr-0123456789abcdef0",
        "capacity-reservation/*",
    ),
    "a group of reservations": ({"capacity_reservation": RESERVED}, "group/reserved", "group/*"),
}


@pytest.mark.parametrize("case", NARROWED)
def test_a_launch_may_use_what_the_spec_names_and_nothing_else(case: str, tmp_path: Path) -> None:
    fields, named, every = NARROWED[case]
    spec = having(PROBE, **{f"fleets__worker__{name}": value for name, value in fields.items()})
    launching = [
        resource.rpartition(":")[2]
        for statement in of(tmp_path, spec, "apply")
        if "ec2:RunInstances" in statement.actions
        for resource in statement.resources
    ]
    assert named in launching
    assert every not in launching
    check_statements(of(tmp_path, spec))


@pytest.mark.parametrize(
    ("image", "owners"),
    [
        ({"owner": "amazon", "name": "al2023-*"}, ["amazon"]),
        ({"owner": "self", "name": "base-*"}, ["123456789012"]),
        ({"owner": "123456789012", "name": "base-*"}, ["123456789012"]),
        # Whether an account has an alias, and which, is not known before.
        ({"owner": "137112412989", "name": "al2023-*"}, ["137112412989", "amazon", "aws-marketplace"]),
        ({"ssm": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"}, ["amazon"]),
    ],
    ids=str,
)
def test_images_are_those_of_their_owner_by_its_number_or_its_alias(
    image: dict[str, str], owners: list[str], tmp_path: Path
) -> None:
    found = of(tmp_path, having(PROBE, fleets__worker__image=image), "apply")
    (using,) = (statement for statement in found if statement.sid == "UseImagesOfOwners")
    assert using.conditions == {"StringEquals": {"ec2:Owner": owners}}


def test_to_plan_is_to_read(tmp_path: Path) -> None:
    verbs = {
        re.match(r"[a-z0-9]+:([A-Z][a-z]+)", action)[1]  # type: ignore[index]
        for action in actions(of(tmp_path, EVERYTHING, "plan"))
    }
    assert verbs == {"Describe", "Get", "List"}


def test_arns_and_services_are_those_of_the_partition() -> None:
    found = statements(SPECS / "outage-collector.yaml", region="cn-north-1")
    arns = {name for statement in found for name in statement.resources} - {"*"}
    assert {arn.split(":")[1] for arn in arns} == {"aws-cn"}
    (passing,) = (statement for statement in found if statement.sid == "PassRoles")
    assert passing.conditions == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com.cn"}}


# --- the command


def test_with_an_account_id_no_aws_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROVISIONER_LOCAL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    program = Program(tmp_path)
    ran = program.run("permissions", SPECS / "two-tier.yaml", "--for", "destroy", "--format", "json")
    assert ran.code == 0, ran.said
    assert ran.data["Version"] == "2012-10-17"
    several = program.run("permissions", SPECS / "two-tier.yaml", "--format", "json")
    policies = json.loads(several.out)
    assert len(policies) > 1
    sids = [statement["Sid"] for policy in policies for statement in policy["Statement"]]
    assert len(sids) == len(set(sids))


def test_people_get_a_table_with_what_each_is_for(tmp_path: Path) -> None:
    ran = Program(tmp_path).run("permissions", SPECS / "two-tier.yaml", "--for", "apply")
    assert ran.code == 0, ran.said
    assert "Permissions of shop-dev to apply" in ran.out
    assert "PassRoles  to give instances the roles of the environment, by their profiles" in ran.out
    assert "if iam:PassedToService is ec2.amazonaws.com" in ran.out


@pytest.mark.parametrize(
    ("says", "options", "has_it"), [(False, [], False), (False, ["--prove"], True), (True, [], True)]
)
def test_what_a_proof_needs_is_given_to_who_has_plans_proved(
    says: bool, options: list[str], has_it: bool, tmp_path: Path
) -> None:
    spec = {**ROLES_ONLY, "account_id": "123456789012", "prove": says}
    program = Program(tmp_path)
    ran = program.run("permissions", program.write(spec), "--format", "json", *options)
    assert ("SimulatePolicies" in {one["Sid"] for one in ran.data["Statement"]}) is has_it
