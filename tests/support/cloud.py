"""The local AWS seen from behind the program's back: clients, what there is, and what was called."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

import local_aws
from local_aws import CallRecord, Faults, LocalAws, Rule

REGION = "us-east-1"
ACCOUNT = "123456789012"
LIVE = ("pending", "running", "stopping", "stopped")
PATH = "/provisioner/"
EC2_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
AWS_POLICY = "arn:aws:iam::aws:policy/"


OF_PRICES = ("GetProducts", "DescribeSpotPriceHistory")
# What is asked beside everything else, and nobody waits for.
ASIDE = (*OF_PRICES, "GetServiceQuota")


def is_reading(operation: str) -> bool:
    """Whether an operation only reads."""
    return operation.startswith(("Describe", "Get", "List"))


def where(name: str, *values: str) -> list[dict[str, Any]]:
    """One filter."""
    return [{"Name": name, "Values": list(values)}]


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """AWS's list of tags as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", ())}


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """A mapping as AWS's list of tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@dataclass(frozen=True)
class Cloud:
    """One local AWS and clients for it that neither retry nor know anything of the program."""

    server: LocalAws
    region: str = REGION
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,  # type: ignore[call-overload]
                region_name=self.region,
                endpoint_url=self.server.endpoint_url,
                aws_access_key_id="somebody",
                aws_secret_access_key="else",
                config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
            )
        return self.clients[service]

    @property
    def ec2(self) -> Any:
        return self.client("ec2")

    @property
    def iam(self) -> Any:
        return self.client("iam")

    # --- what was called

    def forget_calls(self) -> None:
        local_aws.clear_calls(self.server)

    def calls(self) -> list[CallRecord]:
        """What was called, but for prices, which are asked in the background and come when they do."""
        return [record for record in local_aws.calls(self.server) if record.operation not in ASIDE]

    def price_calls(self) -> list[str]:
        """The operations that ask for prices."""
        operations = [record.operation for record in local_aws.calls(self.server)]
        return [operation for operation in operations if operation in OF_PRICES]

    def advice(self) -> Counter[str]:
        """How often that was asked for which only advises: prices, quotas, what types are like."""
        asked = Counter(record.operation for record in local_aws.calls(self.server))
        return Counter({name: asked[name] for name in (*ASIDE, "DescribeInstanceTypes")})

    def operations(self) -> list[str]:
        """The operations called since the last `forget_calls`, in their order."""
        return [record.operation for record in self.calls()]

    def writes(self) -> list[str]:
        """The same, of those that write only."""
        return [operation for operation in self.operations() if not is_reading(operation)]

    # --- what goes wrong, and time

    def break_with(self, *rules: Rule, **switches: Any) -> None:
        """Replaces all faults by these."""
        local_aws.set_faults(self.server, Faults(rules=rules, **switches))

    def mend(self) -> None:
        """Switches every fault off."""
        local_aws.set_faults(self.server, Faults())

    def wait(self, seconds: float) -> None:
        """Lets time pass in the local AWS without waiting for it."""
        local_aws.advance(self.server, seconds)

    # --- instances

    def instances(self, *filters: dict[str, Any]) -> list[dict[str, Any]]:
        """All instances that match, terminated ones too, by id."""
        pages = self.ec2.get_paginator("describe_instances").paginate(Filters=list(filters))
        found = [
            instance for page in pages for group in page["Reservations"] for instance in group["Instances"]
        ]
        return sorted(found, key=lambda instance: str(instance["InstanceId"]))

    def live(self, environment: str | None = None, fleet: str | None = None) -> list[dict[str, Any]]:
        """All instances that live, of one environment or fleet if named."""
        filters = where("instance-state-name", *LIVE)
        if environment:
            filters += where("tag:provisioner:environment", environment)
        if fleet:
            filters += where("tag:provisioner:fleet", fleet)
        return self.instances(*filters)

    def ids(self, environment: str | None = None, fleet: str | None = None) -> list[str]:
        """The ids of the instances that live."""
        return [instance["InstanceId"] for instance in self.live(environment, fleet)]

    def instance(self, instance: str) -> dict[str, Any]:
        (found,) = self.instances(*where("instance-id", instance))
        return found

    def state(self, instance: str) -> str:
        return str(self.instance(instance)["State"]["Name"])

    def profile_on(self, instance: str) -> str | None:
        """The name of the instance profile that an instance is bound to."""
        bound = self.instance(instance).get("IamInstanceProfile")
        return str(bound["Arn"]).rsplit("/", 1)[-1] if bound else None

    def associations(self, *instances: str) -> list[dict[str, Any]]:
        """The profile associations, of some instances if named."""
        filters = where("instance-id", *instances) if instances else []
        pages = self.ec2.get_paginator("describe_iam_instance_profile_associations").paginate(Filters=filters)
        return [association for page in pages for association in page["IamInstanceProfileAssociations"]]

    def association(self, instance: str) -> str:
        """The id of an instance's one association."""
        (found,) = self.associations(instance)
        return str(found["AssociationId"])

    def stranger(
        self, instance_id: str = "i-0123456789abcdef0", tags: Mapping[str, str] | None = None
    ) -> str:
        """Runs an instance that no spec owns."""
        return local_aws.add_instance(self.server, instance_id, tags, self.region)

    # --- roles and profiles

    def roles(self, prefix: str = PATH) -> list[str]:
        """The names of all roles under a path."""
        pages = self.iam.get_paginator("list_roles").paginate(PathPrefix=prefix)
        return sorted(role["RoleName"] for page in pages for role in page["Roles"])

    def role_id(self, name: str) -> str:
        """The unique id of a role."""
        return str(self.iam.get_role(RoleName=name)["Role"]["RoleId"])

    def profiles(self, prefix: str = PATH) -> list[str]:
        """The names of all instance profiles under a path."""
        pages = self.iam.get_paginator("list_instance_profiles").paginate(PathPrefix=prefix)
        return sorted(
            profile["InstanceProfileName"] for page in pages for profile in page["InstanceProfiles"]
        )

    def make_role(self, name: str, path: str = "/", **more: Any) -> str:
        """Makes a role by hand and returns its name."""
        self.iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(EC2_TRUST), **more)
        return name

    def make_profile(self, name: str, role: str | None = None, path: str = "/", **more: Any) -> None:
        """Makes an instance profile by hand."""
        self.iam.create_instance_profile(InstanceProfileName=name, Path=path, **more)
        if role:
            self.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)

    def drop_profile(self, name: str) -> None:
        """Deletes an instance profile by hand, whatever uses it."""
        for role in self.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
            self.iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
        self.iam.delete_instance_profile(InstanceProfileName=name)

    # --- pictures: everything that can be seen of something, to compare before and after

    def picture_of_role(self, name: str) -> dict[str, Any]:
        return self._pictures_of_roles("/")[name]

    def picture_of_profile(self, name: str) -> dict[str, Any]:
        profile = self.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        roles = [role["RoleName"] for role in profile["Roles"]]
        return {"Path": profile["Path"], "Roles": roles, "Tags": tags_of(profile)}

    def picture_of_instance(self, instance: Mapping[str, Any]) -> dict[str, Any]:
        """All of an instance but what makes it this one: id, addresses, times and place."""
        (picture,) = self._pictures_of_instances([instance]).values()
        hidden = {
            "Protected": "disableApiTermination",
            "Shutdown": "instanceInitiatedShutdownBehavior",
            "UserData": "userData",
        }
        return picture | {key: self._attribute(instance, name) for key, name in hidden.items()}

    def picture(self, environment: str) -> dict[str, Any]:
        """Everything of one environment, without what changes when a thing is made again."""
        path = f"{PATH}{environment}/"
        members = self._pictures_of_instances(self.live(environment)).values()
        return {
            "roles": self._pictures_of_roles(path),
            "profiles": {name: self.picture_of_profile(name) for name in self.profiles(path)},
            "instances": sorted(members, key=lambda instance: json.dumps(instance, sort_keys=True)),
        }

    def everything(self) -> dict[str, Any]:
        """Everything in the account, with the ids of the instances."""
        return {
            "roles": self._pictures_of_roles("/"),
            "profiles": {name: self.picture_of_profile(name) for name in self.profiles("/")},
            "instances": self._pictures_of_instances(self.live()),
        }

    def _pictures_of_roles(self, prefix: str) -> dict[str, dict[str, Any]]:
        details = self.iam.get_account_authorization_details(Filter=["Role"], MaxItems=1000)["RoleDetailList"]
        listed = {role["RoleName"]: role for role in self.iam.list_roles(MaxItems=1000)["Roles"]}
        return {
            role["RoleName"]: {
                "Path": role["Path"],
                "Trust": role["AssumeRolePolicyDocument"],
                "Description": listed[role["RoleName"]].get("Description", ""),
                "Seconds": listed[role["RoleName"]]["MaxSessionDuration"],
                "Boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
                "Tags": tags_of(role),
                "Attached": sorted(policy["PolicyArn"] for policy in role["AttachedManagedPolicies"]),
                "Inline": {
                    policy["PolicyName"]: policy["PolicyDocument"] for policy in role["RolePolicyList"]
                },
            }
            for role in details
            if role["Path"].startswith(prefix)
        }

    def _pictures_of_instances(self, instances: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        profiles = self.iam.list_instance_profiles(MaxItems=1000)["InstanceProfiles"]
        ids = {profile["Arn"]: profile["InstanceProfileId"] for profile in profiles}
        return {instance["InstanceId"]: _picture(instance, ids) for instance in instances}

    def _attribute(self, instance: Mapping[str, Any], name: str) -> Any:
        """One attribute that DescribeInstances does not show."""
        identifier = instance["InstanceId"]
        answer = self.ec2.describe_instance_attribute(InstanceId=identifier, Attribute=name)
        return answer[name[0].upper() + name[1:]].get("Value")


def _picture(instance: Mapping[str, Any], profile_ids: Mapping[str, str]) -> dict[str, Any]:
    bound = instance.get("IamInstanceProfile")
    options = instance.get("MetadataOptions", {})
    return {
        "State": instance["State"]["Name"],
        "Type": instance["InstanceType"],
        "Image": instance["ImageId"],
        "Key": instance.get("KeyName"),
        "Profile": bound["Arn"] if bound else None,
        "BoundToProfileThatExists": bound is None or bound["Id"] == profile_ids.get(bound["Arn"]),
        "Groups": sorted(group["GroupName"] for group in instance.get("SecurityGroups", ())),
        "Metadata": {key: value for key, value in sorted(options.items()) if key != "State"},
        "Monitoring": instance["Monitoring"]["State"],
        "Tags": tags_of(instance),
    }


ExternalChange = Callable[[Cloud], object]
