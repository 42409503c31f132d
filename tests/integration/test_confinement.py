"""With the permissions of one environment nothing of another can be touched, and no way leads out of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import ANYTHING, EC2_TRUST, Cloud, as_list
from tests.support.deployer import Deployer, Deploying, deploying, policies_of
from tests.support.program import Program
from tests.support.specs import IMAGE

BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILg7TAGkmtokT2dHVKZXke5Od3s7kBUSQD0GSAsPC1BP me"
MINE: dict[str, Any] = {
    "environment": "mine",
    "region": "us-east-1",
    "roles": {
        "worker": {"managed_policies": ["AmazonS3ReadOnlyAccess"], "permissions_boundary": BOUNDARY},
    },
    "instance_profiles": {"worker": {"role": "worker"}},
    "security_groups": {"web": {"ingress": [{"port": 443, "cidr": "0.0.0.0/0"}]}},
    "key_pairs": {"me": {"public_key": KEY}},
    "fleets": {
        "worker": {
            "count": 1,
            "instance_profile": "worker",
            "image": IMAGE,
            "instance_type": "t3.micro",
            "root_volume": {"size_gb": 10},
            "security_groups": ["web"],
            "key_name": "me",
        },
    },
    "attachments": {"lab": {"instance_profile": "worker", "select": {"tags": {"room": "lab"}}}},
}
TRUST = json.dumps(EC2_TRUST)


@pytest.fixture
def deploy(cloud: Cloud, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploying]:
    yield from deploying(cloud, tmp_path, home, monkeypatch)


def tags(environment: str, *types: str) -> list[dict[str, Any]]:
    of = as_list({"provisioner:environment": environment, "provisioner:fleet": "worker"})
    return [{"ResourceType": type_, "Tags": of} for type_ in types]


def volume_of(cloud: Cloud, instance: str) -> str:
    return str(cloud.instance(instance)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])


def settle(cloud: Cloud, deployer: Deployer) -> SimpleNamespace:
    """My environment, made by the program; theirs, made by hand; and things of nobody's."""
    ran = deployer.program.apply(MINE)
    assert ran.code == 0, ran.said
    cloud.make_role("theirs-worker", "/provisioner/theirs/")
    cloud.make_profile("theirs-worker", "theirs-worker", "/provisioner/theirs/")
    image = cloud.live("mine")[0]["ImageId"]
    theirs = cloud.ec2.run_instances(
        ImageId=image,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Name": "theirs-worker"},
        TagSpecifications=tags("theirs", "instance", "volume"),
    )["Instances"][0]
    group = cloud.ec2.create_security_group(
        GroupName="theirs", Description="theirs", TagSpecifications=tags("theirs", "security-group")
    )
    key = cloud.ec2.create_key_pair(KeyName="theirs", TagSpecifications=tags("theirs", "key-pair"))
    half = cloud.ec2.create_security_group(
        GroupName="half", Description="half", TagSpecifications=tags("mine", "security-group")
    )
    half_key = cloud.ec2.create_key_pair(KeyName="half", TagSpecifications=tags("mine", "key-pair"))
    mine = cloud.ids("mine")[0]
    return SimpleNamespace(
        mine=mine,
        my_volume=volume_of(cloud, mine),
        theirs=theirs["InstanceId"],
        their_volume=volume_of(cloud, theirs["InstanceId"]),
        their_association=cloud.association(theirs["InstanceId"]),
        my_association=cloud.association(mine),
        stranger=cloud.stranger(),
        in_lab=cloud.stranger("i-0000000000000001a", {"room": "lab", "provisioner:environment": "theirs"}),
        group=group["GroupId"],
        my_group=group_of(cloud),
        my_key=cloud.ec2.describe_key_pairs(KeyNames=["mine-me"])["KeyPairs"][0]["KeyPairId"],
        half=half["GroupId"],
        half_key=half_key["KeyPairId"],
        key=key["KeyPairId"],
        image=image,
        subnet=theirs["SubnetId"],
    )


def group_of(cloud: Cloud) -> str:
    tag = [{"Name": "group-name", "Values": ["mine-web"]}]
    return str(cloud.ec2.describe_security_groups(Filters=tag)["SecurityGroups"][0]["GroupId"])


def run(it: SimpleNamespace, ec2: Any, **more: Any) -> object:
    request = {"ImageId": it.image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    return ec2.run_instances(**request, **more)


def rule(group: str) -> dict[str, Any]:
    peers = [{"CidrIp": "0.0.0.0/0"}]
    return {
        "GroupId": group,
        "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": peers}],
    }


def assume(it: SimpleNamespace, deployer: Deployer) -> object:
    role = "arn:aws:iam::123456789012:role/provisioner/theirs/theirs-worker"
    return deployer.client("sts").assume_role(RoleArn=role, RoleSessionName="break-out")


OWN, THEIRS = {"Name": "mine-worker"}, {"Name": "theirs-worker"}
CLAIM = as_list({"provisioner:environment": "mine"})
GIVE_AWAY = as_list({"provisioner:environment": "theirs"})
Attempt = Callable[[SimpleNamespace, Any], object]

ON_EC2: dict[str, Attempt] = {
    "terminate theirs": lambda it, ec2: ec2.terminate_instances(InstanceIds=[it.theirs]),
    "terminate mine and theirs": lambda it, ec2: ec2.terminate_instances(InstanceIds=[it.mine, it.theirs]),
    "terminate nobody's": lambda it, ec2: ec2.terminate_instances(InstanceIds=[it.stranger]),
    "stop theirs": lambda it, ec2: ec2.stop_instances(InstanceIds=[it.theirs]),
    "unprotect theirs": lambda it, ec2: ec2.modify_instance_attribute(
        InstanceId=it.theirs, DisableApiTermination={"Value": False}
    ),
    "read their user data": lambda it, ec2: ec2.describe_instance_attribute(
        InstanceId=it.theirs, Attribute="userData"
    ),
    "change their metadata options": lambda it, ec2: ec2.modify_instance_metadata_options(
        InstanceId=it.theirs, HttpTokens="optional"
    ),
    "change their volume": lambda it, ec2: ec2.modify_volume(VolumeId=it.their_volume, Size=100),
    "tag theirs": lambda it, ec2: ec2.create_tags(Resources=[it.theirs], Tags=as_list({"x": "y"})),
    "tag their volume": lambda it, ec2: ec2.create_tags(
        Resources=[it.their_volume], Tags=as_list({"x": "y"})
    ),
    "claim theirs": lambda it, ec2: ec2.create_tags(Resources=[it.theirs], Tags=CLAIM),
    "claim nobody's": lambda it, ec2: ec2.create_tags(Resources=[it.stranger], Tags=CLAIM),
    "claim a subnet": lambda it, ec2: ec2.create_tags(Resources=[it.subnet], Tags=CLAIM),
    "untag theirs": lambda it, ec2: ec2.delete_tags(Resources=[it.theirs], Tags=CLAIM),
    "give mine away": lambda it, ec2: ec2.create_tags(Resources=[it.mine], Tags=GIVE_AWAY),
    "give my volume away": lambda it, ec2: ec2.create_tags(Resources=[it.my_volume], Tags=GIVE_AWAY),
    "hide mine": lambda it, ec2: ec2.delete_tags(
        Resources=[it.mine], Tags=[{"Key": "provisioner:environment"}]
    ),
    "hide mine by taking all tags off": lambda it, ec2: ec2.delete_tags(Resources=[it.mine]),
    "hide my volume by taking all tags off": lambda it, ec2: ec2.delete_tags(Resources=[it.my_volume]),
    "take their profile off": lambda it, ec2: ec2.disassociate_iam_instance_profile(
        AssociationId=it.their_association
    ),
    "give theirs my profile": lambda it, ec2: ec2.replace_iam_instance_profile_association(
        AssociationId=it.their_association, IamInstanceProfile=OWN
    ),
    "give mine their profile": lambda it, ec2: ec2.replace_iam_instance_profile_association(
        AssociationId=it.my_association, IamInstanceProfile=THEIRS
    ),
    "give nobody's my profile": lambda it, ec2: ec2.associate_iam_instance_profile(
        InstanceId=it.stranger, IamInstanceProfile=OWN
    ),
    "attach to theirs by its tags": lambda it, ec2: ec2.associate_iam_instance_profile(
        InstanceId=it.in_lab, IamInstanceProfile=OWN
    ),
    "launch without a tag": run,
    "launch for them": lambda it, ec2: run(it, ec2, TagSpecifications=tags("theirs", "instance", "volume")),
    "launch with an untagged volume": lambda it, ec2: run(
        it, ec2, TagSpecifications=tags("mine", "instance")
    ),
    "launch with their role": lambda it, ec2: run(
        it, ec2, TagSpecifications=tags("mine", "instance", "volume"), IamInstanceProfile=THEIRS
    ),
    "launch with another key": lambda it, ec2: run(
        it, ec2, TagSpecifications=tags("mine", "instance", "volume"), KeyName="theirs"
    ),
    "launch with their group": lambda it, ec2: run(
        it, ec2, TagSpecifications=tags("mine", "instance", "volume"), SecurityGroupIds=[it.group]
    ),
    "give mine their group": lambda it, ec2: ec2.modify_instance_attribute(
        InstanceId=it.mine, Groups=[it.group]
    ),
    "launch on Spot": lambda it, ec2: run(
        it,
        ec2,
        TagSpecifications=tags("mine", "instance", "volume"),
        InstanceMarketOptions={"MarketType": "spot"},
    ),
    "open their group": lambda it, ec2: ec2.authorize_security_group_ingress(**rule(it.group)),
    "delete their group": lambda it, ec2: ec2.delete_security_group(GroupId=it.group),
    "claim their group": lambda it, ec2: ec2.create_tags(Resources=[it.group], Tags=CLAIM),
    "give my group away": lambda it, ec2: ec2.create_tags(Resources=[it.my_group], Tags=GIVE_AWAY),
    "make a group without a tag": lambda it, ec2: ec2.create_security_group(GroupName="x", Description="x"),
    "make a group for them": lambda it, ec2: ec2.create_security_group(
        GroupName="x", Description="x", TagSpecifications=tags("theirs", "security-group")
    ),
    "make a group with one of the two tags": lambda it, ec2: ec2.create_security_group(
        GroupName="x", Description="x", TagSpecifications=tags("mine", "security-group")
    ),
    "open a group with one of the two tags": lambda it, ec2: ec2.authorize_security_group_ingress(
        **rule(it.half)
    ),
    "delete a group with one of the two tags": lambda it, ec2: ec2.delete_security_group(GroupId=it.half),
    "launch with a group with one of the two tags": lambda it, ec2: run(
        it, ec2, TagSpecifications=tags("mine", "instance", "volume"), SecurityGroupIds=[it.half]
    ),
    "claim a group with one of the two tags": lambda it, ec2: ec2.create_tags(
        Resources=[it.half], Tags=as_list({"provisioner:security_group": "web"})
    ),
    "take a mark off my group": lambda it, ec2: ec2.delete_tags(
        Resources=[it.my_group], Tags=[{"Key": "provisioner:security_group"}]
    ),
    "take all tags off my group": lambda it, ec2: ec2.delete_tags(Resources=[it.my_group]),
    "take all tags off my key pair": lambda it, ec2: ec2.delete_tags(Resources=[it.my_key]),
    "delete a key pair with one of the two tags": lambda it, ec2: ec2.delete_key_pair(KeyPairId=it.half_key),
    "claim a key pair with one of the two tags": lambda it, ec2: ec2.create_tags(
        Resources=[it.half_key], Tags=as_list({"provisioner:key_pair": "me"})
    ),
    "delete their key pair": lambda it, ec2: ec2.delete_key_pair(KeyName="theirs"),
    "claim their key pair": lambda it, ec2: ec2.create_tags(Resources=[it.key], Tags=CLAIM),
    "import another key pair": lambda it, ec2: ec2.import_key_pair(
        KeyName="other", PublicKeyMaterial=KEY.encode(), TagSpecifications=tags("mine", "key-pair")
    ),
    "make a key pair": lambda it, ec2: ec2.create_key_pair(KeyName="other"),
}

ON_IAM: dict[str, Attempt] = {
    "make a role outside": lambda it, iam: iam.create_role(
        RoleName="x", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=BOUNDARY
    ),
    "make a role for them": lambda it, iam: iam.create_role(
        RoleName="x",
        Path="/provisioner/theirs/",
        AssumeRolePolicyDocument=TRUST,
        PermissionsBoundary=BOUNDARY,
    ),
    "make a role without the boundary": lambda it, iam: iam.create_role(
        RoleName="x", Path="/provisioner/mine/", AssumeRolePolicyDocument=TRUST
    ),
    "take the boundary off": lambda it, iam: iam.delete_role_permissions_boundary(RoleName="mine-worker"),
    "take another boundary": lambda it, iam: iam.put_role_permissions_boundary(
        RoleName="mine-worker", PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"
    ),
    "attach another policy": lambda it, iam: iam.attach_role_policy(
        RoleName="mine-worker", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    ),
    "write a policy where the spec has none": lambda it, iam: iam.put_role_policy(
        RoleName="mine-worker", PolicyName="x", PolicyDocument=json.dumps(ANYTHING)
    ),
    "change their trust": lambda it, iam: iam.update_assume_role_policy(
        RoleName="theirs-worker", PolicyDocument=TRUST
    ),
    "delete their role": lambda it, iam: iam.delete_role(RoleName="theirs-worker"),
    "tag their role": lambda it, iam: iam.tag_role(RoleName="theirs-worker", Tags=CLAIM),
    "strip their role": lambda it, iam: iam.detach_role_policy(RoleName="theirs-worker", PolicyArn=BOUNDARY),
    "put their role into my profile": lambda it, iam: iam.add_role_to_instance_profile(
        InstanceProfileName="mine-worker", RoleName="theirs-worker"
    ),
    "empty their profile": lambda it, iam: iam.remove_role_from_instance_profile(
        InstanceProfileName="theirs-worker", RoleName="theirs-worker"
    ),
    "delete their profile": lambda it, iam: iam.delete_instance_profile(InstanceProfileName="theirs-worker"),
    "change myself": lambda it, iam: iam.put_role_policy(
        RoleName="deployer", PolicyName="x", PolicyDocument=json.dumps(ANYTHING)
    ),
    "make a user": lambda it, iam: iam.create_user(UserName="x"),
    "make a policy": lambda it, iam: iam.create_policy(PolicyName="x", PolicyDocument=json.dumps(ANYTHING)),
    "make a service-linked role": lambda it, iam: iam.create_service_linked_role(
        AWSServiceName="spot.amazonaws.com"
    ),
}


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "was done"


def test_no_way_leads_out_of_an_environment(deploy: Deploying, cloud: Cloud, tmp_path: Path) -> None:
    deployer = deploy(policies_of(Program(tmp_path), MINE))
    it = settle(cloud, deployer)
    ec2, iam = deployer.client("ec2"), deployer.client("iam")
    before = cloud.everything()
    done = {name: outcome(partial(tried, it, ec2)) for name, tried in ON_EC2.items()}
    done |= {name: outcome(partial(tried, it, iam)) for name, tried in ON_IAM.items()}
    done["become their role"] = outcome(lambda: assume(it, deployer))
    elsewhere = deployer.client("ec2", "eu-west-1")
    done["look at another region's images"] = outcome(lambda: elsewhere.describe_images(Owners=["self"]))
    refusals = ("UnauthorizedOperation", "AccessDenied")
    assert {name: code for name, code in done.items() if code not in refusals} == {}
    assert cloud.everything() == before


def test_what_is_mine_can_be_changed(deploy: Deploying, cloud: Cloud, tmp_path: Path) -> None:
    """The attempts above are refused for whose things they are on, and not because nothing is allowed."""
    deployer = deploy(policies_of(Program(tmp_path), MINE))
    it = settle(cloud, deployer)
    ec2 = deployer.client("ec2")
    ec2.create_tags(Resources=[it.mine, it.my_volume, it.my_group], Tags=as_list({"x": "y"}))
    ec2.delete_tags(Resources=[it.mine, it.my_volume, it.my_group], Tags=[{"Key": "x"}])
    ec2.authorize_security_group_ingress(**rule(it.my_group))
    ec2.terminate_instances(InstanceIds=[it.mine])
