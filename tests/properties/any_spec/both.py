"""The same done to the fake and to the local AWS, and what of it has to be the same there and here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Any

import local_aws
from provisioner.aws.client import Target, WritingAws
from tests.properties.any_spec.connection import Connection, Execute, Time, is_reading
from tests.properties.any_spec.environments import STRANGERS
from tests.properties.any_spec.fake_aws import FakeAws
from tests.properties.any_spec.fake_iam import AWS_POLICIES
from tests.properties.any_spec.fake_parts import (
    GROUPS,
    IMAGES,
    KEYS,
    LIVE,
    REGION,
    SUBNETS,
    tags_in,
    tags_out,
)
from tests.properties.any_spec.scenario import FAKE_GROUND, prepare
from tests.support.cloud import Cloud

# What a role is filled with and emptied of side by side, in no order.
SIDE_BY_SIDE = {"AttachRolePolicy", "DetachRolePolicy", "PutRolePolicy", "DeleteRolePolicy"}


class Account:
    """An account to apply specs to: `execute` sends a call, `ground` says what things are called there."""

    def __init__(self, execute: Execute, ground: Mapping[str, str], time: Time) -> None:
        self.execute = execute
        self.ground = ground
        self.time = time
        self._names = {name: placeholder for placeholder, name in ground.items()}

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(self.ground[f"@group {name}@"] for name in GROUPS.values())

    def told(self, connection: Connection) -> tuple[Counter[str], dict[str, list[Any]], set[str]]:
        """All that was sent: the writes, the order of those to each thing, and which reads there were."""
        writes = [(name, params) for name, params in connection.sent if not is_reading(name)]
        counted = Counter(f"{name} {self._plain(params)}" for name, params in writes)
        orders: dict[str, list[str]] = {}
        for name, params in writes:
            thing = params.get("InstanceProfileName") or params.get("RoleName")
            if thing:
                orders.setdefault(thing, []).append(name)
        grouped = {
            thing: [sorted(names) for _, names in groupby(order, lambda name: name in SIDE_BY_SIDE or name)]
            for thing, order in orders.items()
        }
        return counted, grouped, {name for name, _ in connection.sent if is_reading(name)}

    def picture(self) -> dict[str, Any]:
        """Everything there is, without what is called otherwise in every account."""
        details = self.execute("iam", "GetAccountAuthorizationDetails", {"Filter": ["Role"]})
        found = self.execute("iam", "ListInstanceProfiles", {"PathPrefix": "/"})["InstanceProfiles"]
        profiles = {}
        for listed in found:
            name = listed["InstanceProfileName"]
            answer = self.execute("iam", "GetInstanceProfile", {"InstanceProfileName": name})
            profiles[name] = answer["InstanceProfile"]
        roles = {}
        for role in details["RoleDetailList"]:
            read = self.execute("iam", "GetRole", {"RoleName": role["RoleName"]})["Role"]
            roles[role["RoleName"]] = {
                "path": role["Path"],
                "trust": read["AssumeRolePolicyDocument"],
                "description": read.get("Description") or "",
                "duration": read["MaxSessionDuration"],
                "boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
                "tags": tags_in(role.get("Tags")),
                "attached": sorted(policy["PolicyArn"] for policy in role["AttachedManagedPolicies"]),
                "inline": {
                    policy["PolicyName"]: policy["PolicyDocument"] for policy in role["RolePolicyList"]
                },
            }
        ids = {profile["Arn"]: profile["InstanceProfileId"] for profile in profiles.values()}
        filters = {"Filters": [{"Name": "instance-state-name", "Values": list(LIVE)}]}
        machines = [
            self._machine(machine, ids)
            for reservation in self.execute("ec2", "DescribeInstances", filters)["Reservations"]
            for machine in reservation["Instances"]
        ]
        return {
            "roles": roles,
            "profiles": {
                name: (
                    profile["Path"],
                    [role["RoleName"] for role in profile["Roles"]],
                    tags_in(profile.get("Tags")),
                )
                for name, profile in profiles.items()
            },
            "machines": sorted(machines),
        }

    def _machine(self, machine: Mapping[str, Any], ids: Mapping[str, str]) -> str:
        bound = machine.get("IamInstanceProfile")
        options = machine["MetadataOptions"]
        names = ("HttpTokens", "HttpEndpoint", "HttpPutResponseHopLimit", "InstanceMetadataTags")
        is_stranger = machine["InstanceId"] in STRANGERS
        facts = {
            "state": machine["State"]["Name"],
            "profile": (bound["Arn"], bound["Id"] == ids.get(bound["Arn"])) if bound else None,
            "tags": sorted(self._tags(machine).items()),
            "groups": sorted(self._names.get(group["GroupId"], "") for group in machine["SecurityGroups"]),
        }
        if not is_stranger:
            facts |= {
                "type": machine["InstanceType"],
                "market": machine.get("InstanceLifecycle"),
                "image": self._names[machine["ImageId"]],
                "subnet": self._names[machine["SubnetId"]],
                "place": sorted(machine["Placement"].get(key) for key in ("AvailabilityZone", "Tenancy")),
                "options": [options[name] for name in names],
                "monitoring": machine["Monitoring"]["State"],
                "ebs_optimized": machine["EbsOptimized"],
                "key": machine.get("KeyName"),
            }
        return str(facts)

    def _tags(self, machine: Mapping[str, Any]) -> dict[str, str]:
        """Its tags, but for its number: which member has which depends on their ids."""
        tags = tags_in(machine.get("Tags"))
        number = tags.pop("provisioner:index", None)
        if number and tags.get("Name", "").endswith(number):
            tags["Name"] = tags["Name"].removesuffix(number) + "{index}"
        return tags

    def _plain(self, params: Any) -> Any:
        """Parameters with ids as placeholders; members, their numbers, associations and tokens all alike."""
        if isinstance(params, Mapping):
            if params.get("Key") in ("provisioner:index", "Name"):
                return {"Key": params["Key"], "Value": params["Value"].rstrip("0123456789")}
            plain = {
                name: self._plain(value) for name, value in sorted(params.items()) if name != "ClientToken"
            }
            for name in ("AssociationId", "InstanceId", "VolumeId"):
                if plain.get(name) not in STRANGERS and name in plain:
                    plain[name] = "…"
            for name in ("Resources", "InstanceIds"):
                if name in plain:
                    plain[name] = len(plain[name])
            return plain
        if isinstance(params, list | tuple):
            return [self._plain(item) for item in params]
        return self._names.get(params, params) if isinstance(params, str) else params


def fake_account() -> Account:
    aws = FakeAws()
    for identifier, tags in STRANGERS.items():
        aws.ec2.add_stranger(identifier, dict(tags))
    prepare(aws.execute)
    return _tagged(Account(aws.execute, FAKE_GROUND, aws.time))


def local_account(cloud: Cloud) -> Account:
    """The local AWS, emptied, with the same in it as the fake has."""
    local_aws.control(cloud.server, "reset", {})
    target = Target(REGION, endpoint_url=cloud.server.endpoint_url, is_local=True)
    aws = WritingAws(target)

    def execute(service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return aws.send(service, operation, **params)

    for arn in AWS_POLICIES:
        execute("iam", "GetPolicy", {"PolicyArn": arn})
    for key in KEYS:
        execute("ec2", "CreateKeyPair", {"KeyName": key})
    subnets = execute("ec2", "DescribeSubnets", {})["Subnets"]
    vpc = subnets[0]["VpcId"]
    for name in list(GROUPS.values())[1:]:
        execute("ec2", "CreateSecurityGroup", {"GroupName": name, "Description": name, "VpcId": vpc})
    groups = execute("ec2", "DescribeSecurityGroups", {"Filters": [{"Name": "vpc-id", "Values": [vpc]}]})
    images = sorted(
        image["ImageId"]
        for image in execute("ec2", "DescribeImages", {})["Images"]
        if (image["Architecture"], image["VirtualizationType"]) == ("x86_64", "hvm")
    )
    parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    newest = execute("ssm", "GetParameter", {"Name": parameter})["Parameter"]["Value"]
    older = next(image for image in images if image != newest)
    ground = {
        **{f"@group {group['GroupName']}@": group["GroupId"] for group in groups["SecurityGroups"]},
        **{f"@subnet {subnet['AvailabilityZone'][-1]}@": subnet["SubnetId"] for subnet in subnets},
        **dict(zip([f"@image {name}@" for name in IMAGES.values()], [older, newest], strict=True)),
    }
    assert ground.keys() == FAKE_GROUND.keys()
    for identifier, tags in STRANGERS.items():
        local_aws.add_instance(cloud.server, identifier, tags)
    prepare(execute)
    return _tagged(Account(execute, ground, Time()))


def _tagged(account: Account) -> Account:
    tagged = [account.ground[f"@subnet {zone[-1]}@"] for zone in list(SUBNETS.values())[:2]]
    account.execute("ec2", "CreateTags", {"Resources": tagged, "Tags": tags_out({"tier": "one"})})
    return account
