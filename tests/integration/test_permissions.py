"""The permissions that the program prints are enough for a spec, are all needed, and confine to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import local_aws
from tests.support import second_engine
from tests.support.authorization import problems
from tests.support.cloud import ANYTHING, Cloud, is_reading
from tests.support.deployer import Deployer, Deploying, deploying, policies_of, refused, without_each
from tests.support.program import SPECS, Program, Ran
from tests.support.specs import PROBE, having, lacking
from tests.support.tampering import attachable, tamper, tamper_with_attached

ALL_SPECS = sorted(path.name for path in SPECS.glob("*.yaml"))

# What is asked for in rare cases only: each is proved by a test of its own below.
RARE = frozenset(
    {
        "iam:ListPolicies in ListIam",
        "iam:GetRolePolicy in ReadRoles",
        "iam:ListAttachedRolePolicies in ReadRoles",
        "iam:ListInstanceProfilesForRole in ReadRoles",
        "iam:ListRolePolicies in ReadRoles",
        "ec2:DescribeInstanceTypes in ReadEc2",
    }
)


@pytest.fixture
def deploy(cloud: Cloud, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploying]:
    yield from deploying(cloud, tmp_path, home, monkeypatch)


def larger(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with every volume a GiB larger."""
    fleets = {}
    for key, fleet in spec.get("fleets", {}).items():
        root = fleet.get("root_volume", {})
        volumes = [{**volume, "size_gb": volume["size_gb"] + 1} for volume in fleet.get("volumes", ())]
        root = {**root, "size_gb": root["size_gb"] + 1} if "size_gb" in root else root
        fleets[key] = {**fleet, **({"root_volume": root} if root else {})}
        fleets[key] |= {"volumes": volumes} if volumes else {}
    return {**spec, "fleets": fleets} if fleets else {**spec}


# --- a whole life


def done(ran: Ran) -> None:
    assert ran.code == 0, ran.said


def live_through(deployer: Deployer, path: Path, spec: dict[str, Any]) -> None:
    """All that happens to an environment: made, looked at, put right, and destroyed."""
    program, cloud, name = deployer.program, deployer.cloud, spec["environment"]
    attached = attachable(cloud, spec)
    done(program.apply(path))
    again = program.plan(path, "--deep")
    assert (again.code, again.changes) == (0, []), again.said
    program.status(path)
    for round_ in range(4):
        tamper(cloud, name, round_)
        tamper_with_attached(cloud, attached, round_)
        done(program.apply(path, "--deep"))
    again = program.plan(path)
    assert (again.code, again.changes) == (0, []), again.said
    if attached:
        # What is not chosen any more is freed.
        cloud.ec2.delete_tags(Resources=attached)
    changed = path.with_name(f"{path.stem}-larger.yaml")
    changed.write_text(yaml.safe_dump(larger(spec)))
    done(program.apply(changed))
    done(program.destroy(changed))
    assert (cloud.live(name), cloud.roles(f"/provisioner/{name}/")) == ([], [])


@pytest.mark.long
@pytest.mark.parametrize("name", ALL_SPECS)
def test_the_permissions_of_a_spec_are_enough_and_least(name: str, deploy: Deploying, tmp_path: Path) -> None:
    shutil.copytree(SPECS, tmp_path / "specs")
    path = tmp_path / "specs" / name
    policies = policies_of(Program(tmp_path), path)
    deployer = deploy(policies)
    live_through(deployer, path, yaml.safe_load(path.read_text()))
    asked = deployer.asked()
    assert [item for item in asked if not item.allowed] == []
    assert {found for item in asked for found in problems(item.action, item.resource, item.context)} == set()
    assert [
        which for which, less in without_each(policies) if which not in RARE and not refused(asked, less)
    ] == []


# --- what is needed in rare cases only


def rare(deploy: Deploying, program: Program, cloud: Cloud, spec: dict[str, Any], *denied: str) -> set[str]:
    """The actions that are asked for when this spec is applied and planned again, and all is allowed."""
    deployer = deploy(policies_of(program, spec))
    if denied:
        cloud.break_with(*(local_aws.denied(operation) for operation in denied), enforce_iam=True)
    done(deployer.program.apply(spec))
    again = deployer.program.plan(spec)
    assert (again.code, again.changes) == (0, []), again.said
    assert [item for item in deployer.asked() if not item.allowed] == []
    return {item.action for item in deployer.asked()}


@pytest.mark.long
def test_a_policy_of_the_account_given_by_name_is_looked_up(
    deploy: Deploying, cloud: Cloud, tmp_path: Path
) -> None:
    cloud.iam.create_policy(PolicyName="ours", Path="/team/", PolicyDocument=json.dumps(ANYTHING))
    spec = having(PROBE, roles__worker__managed_policies=["ours"])
    assert "iam:ListPolicies" in rare(deploy, Program(tmp_path), cloud, spec)


@pytest.mark.long
def test_roles_are_read_one_by_one_where_the_whole_account_may_not_be_read(
    deploy: Deploying, cloud: Cloud, tmp_path: Path
) -> None:
    spec = lacking(PROBE, "fleets")
    one_by_one = {which.split()[0] for which in RARE if which.endswith("ReadRoles")}
    asked = rare(deploy, Program(tmp_path), cloud, spec, "GetAccountAuthorizationDetails")
    assert one_by_one <= asked


def test_the_tags_of_many_profiles_are_read_at_once(deploy: Deploying, cloud: Cloud, tmp_path: Path) -> None:
    keys = ("a", "b", "c", "d", "e")
    spec = having(
        lacking(PROBE, "fleets"), **{f"instance_profiles__{key}": {"role": "worker"} for key in keys}
    )
    spec = having(spec, **{f"roles__{key}": {} for key in keys})
    assert "tag:GetResources" in rare(deploy, Program(tmp_path), cloud, spec)


@pytest.mark.long
def test_what_types_can_do_is_looked_up_where_their_names_do_not_tell(
    deploy: Deploying, cloud: Cloud, tmp_path: Path
) -> None:
    spec = having(PROBE, fleets__worker__ebs_optimized=True)
    assert "ec2:DescribeInstanceTypes" in rare(deploy, Program(tmp_path), cloud, spec)


@pytest.mark.parametrize("wanted", ["plan", "destroy"])
def test_less_is_enough_for_less(wanted: str, deploy: Deploying, cloud: Cloud, tmp_path: Path) -> None:
    program = Program(tmp_path)
    policies = policies_of(program, PROBE, wanted)
    written = {
        action
        for policy in policies
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if not is_reading(action.partition(":")[2])
    }
    assert not any(action.endswith(("CreateRole", "RunInstances", "CreateTags")) for action in written)
    if wanted == "plan":
        assert written == set()
    deployer = deploy(policies_of(program, PROBE))
    done(deployer.program.apply(PROBE))
    allowed = deployer.asked()
    local_aws.clear_authorizations(cloud.server)
    done(deployer.program.destroy(PROBE) if wanted == "destroy" else deployer.program.plan(PROBE))
    assert allowed
    assert refused(deployer.asked(), policies) == []


def test_what_is_missing_is_named_although_another_call_was_refused(
    deploy: Deploying, tmp_path: Path
) -> None:
    policies = policies_of(Program(tmp_path), PROBE)
    (less,) = (less for which, less in without_each(policies) if which == "iam:PassRole in PassRoles")
    ran = deploy(less).program.apply(PROBE)
    assert ran.code == 1
    assert "need the permission iam:PassRole; `provisioner permissions SPEC` prints all" in ran.words


# --- a second engine, for a sample of real decisions


@pytest.mark.long
def test_a_second_engine_decides_alike(deploy: Deploying, tmp_path: Path) -> None:
    engine = second_engine.install(tmp_path)
    policies = policies_of(Program(tmp_path), PROBE)
    deployer = deploy(policies)
    done(deployer.program.apply(PROBE))
    done(deployer.program.destroy(PROBE))
    # It knows no parameters without an account, which those of AWS are.
    known = [item for item in deployer.asked() if "ssm" not in item.action]
    asked = list({(item.action, item.resource): item for item in known}.values())
    halves = [policies, [{**policy, "Statement": policy["Statement"][::2]} for policy in policies]]
    simulations = [
        second_engine.simulation(item.action, item.resource, dict(item.context), half)
        for half in halves
        for item in asked
    ]
    answers = second_engine.decide(engine, simulations)
    broken = zip(simulations, answers, strict=True)
    assert [(asked["request"], answer["errors"]) for asked, answer in broken if answer["errors"]] == []
    ours = [not refused([item], half) for half in halves for item in asked]
    theirs = [answer["allowed"] for answer in answers]
    assert True in ours
    assert False in ours
    differing = [
        (simulation["request"]["action"], simulation["request"]["resource"])
        for simulation, one, other in zip(simulations, ours, theirs, strict=True)
        if one != other
    ]
    assert differing == []
