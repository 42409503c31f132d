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
from tests.support.cloud import ANYTHING, Cloud, as_list, is_reading, tags_of
from tests.support.deployer import Deployer, Deploying, deploying, policies_of, refused, without_each
from tests.support.program import SPECS, Program, Ran
from tests.support.specs import PROBE, having, lacking

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


# --- what somebody else changes, and an apply puts right


def tamper(cloud: Cloud, environment: str, round_: int) -> None:
    """All roles, profiles and key pairs, and one instance of each fleet, in another way each time."""
    path = f"/provisioner/{environment}/"
    for role in cloud.iam.list_roles(PathPrefix=path)["Roles"]:
        tamper_with_role(cloud, role["RoleName"])
    for profile in cloud.iam.list_instance_profiles(PathPrefix=path)["InstanceProfiles"]:
        name = profile["InstanceProfileName"]
        tags = as_list({"extra": "x", "provisioner:region": "none"})
        cloud.iam.tag_instance_profile(InstanceProfileName=name, Tags=tags)
    tag = [{"Name": "tag:provisioner:environment", "Values": [environment]}]
    for pair in cloud.ec2.describe_key_pairs(Filters=tag)["KeyPairs"]:
        cloud.ec2.create_tags(Resources=[pair["KeyPairId"]], Tags=as_list({"extra": "x", "team": "other"}))
    for group in cloud.ec2.describe_security_groups(Filters=tag)["SecurityGroups"]:
        tamper_with_group(cloud, group, round_)
    fleets = {tags_of(found)["provisioner:fleet"]: found for found in cloud.live(environment)}
    for instance in fleets.values():
        tamper_with_instance(cloud, instance, round_)


def tamper_with_role(cloud: Cloud, name: str) -> None:
    iam, role = cloud.iam, {"RoleName": name}
    iam.tag_role(**role, Tags=as_list({"extra": "x", "provisioner:region": "none"}))
    iam.update_role(**role, Description="tampered", MaxSessionDuration=4000)
    principal = {"Service": "lambda.amazonaws.com"}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.update_assume_role_policy(**role, PolicyDocument=document)
    for policy in (*iam.list_role_policies(**role)["PolicyNames"], "extra"):
        iam.put_role_policy(**role, PolicyName=policy, PolicyDocument=json.dumps(ANYTHING))
    for attached in iam.list_attached_role_policies(**role)["AttachedPolicies"]:
        iam.detach_role_policy(**role, PolicyArn=attached["PolicyArn"])
    iam.attach_role_policy(**role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    if iam.get_role(**role)["Role"].get("PermissionsBoundary"):
        iam.delete_role_permissions_boundary(**role)
    else:
        boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
        iam.put_role_permissions_boundary(**role, PermissionsBoundary=boundary)


def tamper_with_group(cloud: Cloud, group: Mapping[str, Any], round_: int) -> None:
    ec2, name = cloud.ec2, group["GroupId"]
    ec2.create_tags(Resources=[name], Tags=as_list({"extra": "x", "tier": "other"}))
    inward, outward = group["IpPermissions"], group["IpPermissionsEgress"]
    if round_ == 0:
        if inward:
            ec2.revoke_security_group_ingress(GroupId=name, IpPermissions=inward)
        if outward:
            ec2.revoke_security_group_egress(GroupId=name, IpPermissions=outward)
        other = [{"IpProtocol": "tcp", "FromPort": 9, "ToPort": 9, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}]
        ec2.authorize_security_group_ingress(GroupId=name, IpPermissions=other)
        ec2.authorize_security_group_egress(GroupId=name, IpPermissions=other)
        return
    for rules, change in (
        (inward, ec2.update_security_group_rule_descriptions_ingress),
        (outward, ec2.update_security_group_rule_descriptions_egress),
    ):
        for rule in rules:
            for peers in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs"):
                for peer in rule.get(peers, ()):
                    peer["Description"] = "other"
        if rules:
            change(GroupId=name, IpPermissions=rules)


def tamper_with_instance(cloud: Cloud, instance: Mapping[str, Any], round_: int) -> None:
    ec2, name = cloud.ec2, instance["InstanceId"]
    if round_ == 0:
        change_live(cloud, instance)
    elif round_ == 1:
        # A stopped one, with somebody else's profile.
        give_profile(cloud, name, "other")
        toggle(cloud, instance)
    elif round_ == 2:
        give_profile(cloud, name, "other")
        if instance.get("InstanceLifecycle") == "spot":
            return
        ec2.stop_instances(InstanceIds=[name])
        ec2.modify_instance_attribute(InstanceId=name, InstanceType={"Value": "t3.nano"})
        if instance["State"]["Name"] == "running":
            ec2.start_instances(InstanceIds=[name])
    else:
        if instance.get("IamInstanceProfile"):
            ec2.disassociate_iam_instance_profile(AssociationId=cloud.association(name))
        group = ec2.create_security_group(GroupName=name, Description="other", VpcId=instance["VpcId"])
        ec2.modify_instance_attribute(InstanceId=name, Groups=[group["GroupId"]])


def toggle(cloud: Cloud, instance: Mapping[str, Any]) -> None:
    """One that runs is stopped, and the other way round."""
    if instance.get("InstanceLifecycle") == "spot":
        return
    change = cloud.ec2.stop_instances
    if instance["State"]["Name"] == "stopped":
        change = cloud.ec2.start_instances
    change(InstanceIds=[instance["InstanceId"]])


def give_profile(cloud: Cloud, instance: str, name: str) -> None:
    if name not in cloud.profiles("/"):
        cloud.make_profile(name, cloud.make_role(name))
    for association in cloud.associations(instance):
        cloud.ec2.disassociate_iam_instance_profile(AssociationId=association["AssociationId"])
    cloud.ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": name})


def change_live(cloud: Cloud, instance: Mapping[str, Any]) -> None:
    ec2, name = cloud.ec2, instance["InstanceId"]
    volumes = [device["Ebs"]["VolumeId"] for device in instance["BlockDeviceMappings"]]
    tags = {"extra": "x", "team": "other"}
    ec2.create_tags(Resources=[name], Tags=as_list({**tags, "Name": "other"}))
    ec2.create_tags(Resources=volumes, Tags=as_list(tags))
    ec2.modify_instance_metadata_options(InstanceId=name, HttpTokens="optional", HttpProtocolIpv6="enabled")
    is_monitored = instance["Monitoring"]["State"] == "enabled"
    (ec2.unmonitor_instances if is_monitored else ec2.monitor_instances)(InstanceIds=[name])
    if instance.get("InstanceLifecycle") == "spot":
        return
    ec2.modify_instance_attribute(InstanceId=name, SourceDestCheck={"Value": False})
    ec2.modify_instance_maintenance_options(InstanceId=name, AutoRecovery="default")
    ec2.modify_private_dns_name_options(InstanceId=name, EnableResourceNameDnsARecord=False)
    if instance["State"]["Name"] == "stopped":
        ec2.modify_instance_cpu_options(InstanceId=name, CoreCount=1, ThreadsPerCore=2)
    credits = [{"InstanceId": name, "CpuCredits": "unlimited"}]
    if instance["InstanceType"].startswith("t"):
        ec2.modify_instance_credit_specification(InstanceCreditSpecifications=credits)
    for volume in volumes:
        ec2.modify_volume(VolumeId=volume, VolumeType="gp2")


def attachable(cloud: Cloud, spec: Mapping[str, Any]) -> list[str]:
    """The instances that the attachments of a spec choose."""
    found = []
    for number, attachment in enumerate(spec.get("attachments", {}).values()):
        found += [cloud.stranger(instance) for instance in attachment.get("instances", ())]
        if tags := attachment.get("select", {}).get("tags"):
            found.append(cloud.stranger(f"i-00000000000000{number}a1", tags))
    return found


def tamper_with_attached(cloud: Cloud, instances: list[str], round_: int) -> None:
    for instance in instances:
        if round_ < 3:
            give_profile(cloud, instance, "other")
        if round_ == 1:
            cloud.ec2.stop_instances(InstanceIds=[instance])
        elif round_ == 2:
            cloud.ec2.start_instances(InstanceIds=[instance])


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
def test_less_is_enough_for_less(wanted: str, deploy: Deploying, program: Program, cloud: Cloud) -> None:
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
