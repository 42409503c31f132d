"""What others do behind the program's back, in plain API calls, to whatever there is when they do it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from provisioner.errors import AwsError
from tests.properties.any_spec.connection import Execute
from tests.properties.any_spec.environments import DOCUMENTS, ENVIRONMENT, STRANGERS, TRUSTS
from tests.properties.any_spec.fake_iam import AWS_POLICIES
from tests.properties.any_spec.fake_parts import LIVE, TYPES, tags_in, tags_out

PATH = f"/provisioner/{ENVIRONMENT}/"
OUTSIDE = "outside"


class Hand:
    """Somebody with access to the account. `first` and `second` choose among what there is."""

    def __init__(self, execute: Execute, groups: Sequence[str], first: int = 0, second: int = 0) -> None:
        self._execute = execute
        self.groups = groups
        self.first = first
        self.second = second

    def call(self, service: str, operation: str, **params: Any) -> Mapping[str, Any]:
        return self._execute(service, operation, params)

    def one(self, of: Sequence[Any]) -> Any:
        """One of several; raises Idle when there is none."""
        if not of:
            raise Idle
        return of[self.first % len(of)]

    def other(self, of: Sequence[Any]) -> Any:
        return of[self.second % len(of)]

    def role(self) -> dict[str, Any]:
        """One of the roles under the environment's path."""
        roles = self.call("iam", "ListRoles", PathPrefix=PATH)["Roles"]
        return dict(self.one(sorted(roles, key=lambda role: str(role["RoleName"]))))

    def profile(self) -> dict[str, Any]:
        """One of the instance profiles under the environment's path."""
        found = self.call("iam", "ListInstanceProfiles", PathPrefix=PATH)["InstanceProfiles"]
        names = sorted(profile["InstanceProfileName"] for profile in found)
        answer = self.call("iam", "GetInstanceProfile", InstanceProfileName=self.one(names))
        return dict(answer["InstanceProfile"])

    def instances(self, *filters: dict[str, Any]) -> list[dict[str, Any]]:
        live = {"Name": "instance-state-name", "Values": list(LIVE)}
        found = self.call("ec2", "DescribeInstances", Filters=[*filters, live])["Reservations"]
        machines = [dict(machine) for reservation in found for machine in reservation["Instances"]]
        return sorted(machines, key=_order)

    def member(self) -> dict[str, Any]:
        """One of the environment's instances."""
        return dict(
            self.one(self.instances({"Name": "tag:provisioner:environment", "Values": [ENVIRONMENT]}))
        )

    def stranger(self) -> dict[str, Any]:
        """One of those that are nobody's."""
        return dict(self.one(self.instances({"Name": "instance-id", "Values": list(STRANGERS)})))

    def association(self, instance: str) -> str | None:
        filters = [
            {"Name": "instance-id", "Values": [instance]},
            {"Name": "state", "Values": ["associating", "associated"]},
        ]
        found = self.call("ec2", "DescribeIamInstanceProfileAssociations", Filters=filters)
        ids = [str(row["AssociationId"]) for row in found["IamInstanceProfileAssociations"]]
        return ids[0] if ids else None

    def bind(self, instance: str, profile: str | None) -> None:
        """Gives an instance another profile, or none."""
        association = self.association(instance)
        if association:
            self.call("ec2", "DisassociateIamInstanceProfile", AssociationId=association)
        if profile:
            name = {"Name": profile}
            self.call("ec2", "AssociateIamInstanceProfile", InstanceId=instance, IamInstanceProfile=name)

    def make_profile(self, name: str, role: str | None, path: str, tags: Mapping[str, str]) -> None:
        params = {"InstanceProfileName": name, "Path": path, "Tags": tags_out(tags)}
        self.call("iam", "CreateInstanceProfile", **params)
        if role:
            self.call("iam", "AddRoleToInstanceProfile", InstanceProfileName=name, RoleName=role)

    def drop_profile(self) -> dict[str, Any]:
        """Deletes an instance profile, whatever uses it; returns what it was."""
        profile = self.profile()
        name = profile["InstanceProfileName"]
        for role in profile["Roles"]:
            self.call(
                "iam", "RemoveRoleFromInstanceProfile", InstanceProfileName=name, RoleName=role["RoleName"]
            )
        self.call("iam", "DeleteInstanceProfile", InstanceProfileName=name)
        return profile


class Idle(Exception):
    """There is nothing to do it to."""


def _order(machine: Mapping[str, Any]) -> tuple[str, ...]:
    """An order that does not ask for ids, which differ from one account to another."""
    tags = tags_in(machine.get("Tags"))
    place = machine.get("Placement", {}).get("AvailabilityZone", "")
    return tags.get("provisioner:fleet", ""), str(place), tags.get("Name", ""), str(machine["InstanceId"])


# --- roles


def on_role(operation: str, **params: Any) -> Callable[[Hand], object]:
    return lambda hand: hand.call("iam", operation, RoleName=hand.role()["RoleName"], **params)


def attach_policy(hand: Hand) -> None:
    hand.call("iam", "AttachRolePolicy", RoleName=hand.role()["RoleName"], PolicyArn=hand.other(AWS_POLICIES))


def detach_policy(hand: Hand) -> None:
    hand.call("iam", "DetachRolePolicy", RoleName=hand.role()["RoleName"], PolicyArn=hand.other(AWS_POLICIES))


def put_policy(hand: Hand) -> None:
    name, document = f"i{hand.second % 4}", json.dumps(hand.other(DOCUMENTS))
    hand.call(
        "iam", "PutRolePolicy", RoleName=hand.role()["RoleName"], PolicyName=name, PolicyDocument=document
    )


def remove_policy(hand: Hand) -> None:
    name = f"i{hand.second % 3}"
    hand.call("iam", "DeleteRolePolicy", RoleName=hand.role()["RoleName"], PolicyName=name)


def delete_role(hand: Hand) -> None:
    name = hand.role()["RoleName"]
    details = hand.call("iam", "GetAccountAuthorizationDetails", Filter=["Role"])["RoleDetailList"]
    (detail,) = [role for role in details if role["RoleName"] == name]
    for profile in detail["InstanceProfileList"]:
        inside = {"InstanceProfileName": profile["InstanceProfileName"], "RoleName": name}
        hand.call("iam", "RemoveRoleFromInstanceProfile", **inside)
    for policy in detail["AttachedManagedPolicies"]:
        hand.call("iam", "DetachRolePolicy", RoleName=name, PolicyArn=policy["PolicyArn"])
    for policy in detail["RolePolicyList"]:
        hand.call("iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy["PolicyName"])
    hand.call("iam", "DeleteRole", RoleName=name)


def make_role(hand: Hand, **tags: str) -> None:
    """A role under the environment's path that no spec asks for, or that the next one will."""
    name = hand.other(("any-stray", "any-r2"))
    params = {"RoleName": name, "Path": PATH, "Tags": tags_out(tags)}
    hand.call("iam", "CreateRole", AssumeRolePolicyDocument=json.dumps(TRUSTS[2]), **params)


def use_role_elsewhere(hand: Hand) -> None:
    hand.make_profile("elsewhere", hand.role()["RoleName"], "/", {})


# --- instance profiles


def on_profile(operation: str, **params: Any) -> Callable[[Hand], object]:
    return lambda hand: hand.call(
        "iam", operation, InstanceProfileName=hand.profile()["InstanceProfileName"], **params
    )


def empty_profile(hand: Hand) -> dict[str, Any]:
    profile = hand.profile()
    for role in profile["Roles"]:
        inside = {"InstanceProfileName": profile["InstanceProfileName"], "RoleName": role["RoleName"]}
        hand.call("iam", "RemoveRoleFromInstanceProfile", **inside)
    return profile


def swap_role(hand: Hand) -> None:
    profile = empty_profile(hand)
    others = hand.call("iam", "ListRoles", PathPrefix="/")["Roles"]
    role = hand.other(sorted(other["RoleName"] for other in others))
    inside = {"InstanceProfileName": profile["InstanceProfileName"], "RoleName": role}
    hand.call("iam", "AddRoleToInstanceProfile", **inside)


def remake_profile(hand: Hand) -> None:
    """Deleted and made again just as it was: the same name, another id."""
    old = hand.drop_profile()
    roles = [role["RoleName"] for role in old["Roles"]]
    hand.make_profile(
        old["InstanceProfileName"], roles[0] if roles else None, old["Path"], tags_in(old.get("Tags"))
    )


def usurp_profile(hand: Hand) -> None:
    """Deleted, and the name taken by somebody else."""
    hand.make_profile(hand.drop_profile()["InstanceProfileName"], OUTSIDE, "/", {})


# --- instances


def on_member(operation: str, **params: Any) -> Callable[[Hand], object]:
    return lambda hand: hand.call("ec2", operation, InstanceId=hand.member()["InstanceId"], **params)


def on_members(operation: str, **params: Any) -> Callable[[Hand], object]:
    return lambda hand: hand.call("ec2", operation, InstanceIds=[hand.member()["InstanceId"]], **params)


def tag_member(**tags: str) -> Callable[[Hand], object]:
    listed = tags_out({key.replace("__", ":"): value for key, value in tags.items()})
    return lambda hand: hand.call("ec2", "CreateTags", Resources=[hand.member()["InstanceId"]], Tags=listed)


def untag_member(key: str) -> Callable[[Hand], object]:
    return lambda hand: hand.call(
        "ec2", "DeleteTags", Resources=[hand.member()["InstanceId"]], Tags=[{"Key": key}]
    )


def regroup(hand: Hand) -> None:
    hand.call(
        "ec2",
        "ModifyInstanceAttribute",
        InstanceId=hand.member()["InstanceId"],
        Groups=[hand.other(hand.groups)],
    )


def switch_members(operation: str) -> Callable[[Hand], None]:
    """All of one fleet, as far as they can."""

    def switch(hand: Hand) -> None:
        fleet = tags_in(hand.member()["Tags"]).get("provisioner:fleet", "")
        filters = {"Name": "tag:provisioner:fleet", "Values": [fleet]}
        for member in hand.instances(filters):
            with contextlib.suppress(AwsError):
                hand.call("ec2", operation, InstanceIds=[member["InstanceId"]])

    return switch


def resize(hand: Hand) -> None:
    """Stopped, given another type, and started; left stopped where that takes long."""
    name = hand.member()["InstanceId"]
    hand.call("ec2", "StopInstances", InstanceIds=[name])
    kind = {"Value": hand.other(TYPES)}
    hand.call("ec2", "ModifyInstanceAttribute", InstanceId=name, InstanceType=kind)
    hand.call("ec2", "StartInstances", InstanceIds=[name])


def bind_member(hand: Hand) -> None:
    profile = hand.other([OUTSIDE, hand.profile()["InstanceProfileName"]])
    hand.bind(hand.member()["InstanceId"], profile)


def bind_stranger(hand: Hand) -> None:
    hand.bind(hand.stranger()["InstanceId"], hand.profile()["InstanceProfileName"])


# What the console copies with "Launch more like this".
DRESS = {"provisioner:environment": ENVIRONMENT, "provisioner:fleet": "f0"}

EXTERNAL_CHANGES: dict[str, Callable[[Hand], object]] = {
    "a policy is attached": attach_policy,
    "a policy is detached": detach_policy,
    "an inline policy is put": put_policy,
    "an inline policy is removed": remove_policy,
    "the trust is edited": on_role("UpdateAssumeRolePolicy", PolicyDocument=json.dumps(TRUSTS[3])),
    "the description is changed": on_role("UpdateRole", Description="By hand"),
    "the duration is changed": on_role("UpdateRole", Description="", MaxSessionDuration=10_000),
    "a boundary is set": on_role("PutRolePermissionsBoundary", PermissionsBoundary=AWS_POLICIES[7]),
    "the boundary is removed": on_role("DeleteRolePermissionsBoundary"),
    "a role is tagged": on_role("TagRole", Tags=tags_out({"team": "hand", "CostCenter": "1", "x": "y"})),
    "a role is untagged": on_role("UntagRole", TagKeys=["team", "stage"]),
    "a role is disowned": on_role("UntagRole", TagKeys=["provisioner:environment"]),
    "a role is given away": on_role("TagRole", Tags=tags_out({"provisioner:environment": "other"})),
    "a role is deleted": delete_role,
    "a role is made": lambda hand: make_role(hand),
    "a role of ours is made": lambda hand: make_role(hand, **{"provisioner:environment": ENVIRONMENT}),
    "a role is used elsewhere": use_role_elsewhere,
    "a profile is emptied": empty_profile,
    "a profile gets another role": swap_role,
    "a profile is deleted": Hand.drop_profile,
    "a profile is made again": remake_profile,
    "a profile's name is taken": usurp_profile,
    "a profile is tagged": on_profile(
        "TagInstanceProfile", Tags=tags_out({"team": "hand", "CostCenter": "1"})
    ),
    "a profile is untagged": on_profile("UntagInstanceProfile", TagKeys=["team", "Owner"]),
    "a profile is disowned": on_profile("UntagInstanceProfile", TagKeys=["provisioner:environment"]),
    "a mark is removed": on_profile("UntagInstanceProfile", TagKeys=["provisioner:attached"]),
    "a member is terminated": on_members("TerminateInstances"),
    "a member is stopped": on_members("StopInstances"),
    "a member is started": on_members("StartInstances"),
    "a fleet is stopped": switch_members("StopInstances"),
    "a fleet is started": switch_members("StartInstances"),
    "a member is resized": resize,
    "a member is watched": on_members("MonitorInstances"),
    "a member is not watched": on_members("UnmonitorInstances"),
    "metadata is opened": on_member(
        "ModifyInstanceMetadataOptions", HttpTokens="optional", HttpPutResponseHopLimit=9
    ),
    "metadata is closed": on_member("ModifyInstanceMetadataOptions", HttpEndpoint="disabled"),
    "groups are changed": regroup,
    "a member is tagged": tag_member(team="hand", CostCenter="1", x="y"),
    "a member is called otherwise": tag_member(Name="by hand"),
    "a member is numbered otherwise": tag_member(provisioner__index="1"),
    "a member is untagged": untag_member("team"),
    "a name is removed": untag_member("Name"),
    "a member leaves its fleet": untag_member("provisioner:fleet"),
    "a member is disowned": untag_member("provisioner:environment"),
    "a member joins another fleet": tag_member(provisioner__fleet="f1"),
    "a member gets another profile": bind_member,
    "a member loses its profile": lambda hand: hand.bind(hand.member()["InstanceId"], None),
    "a stranger gets our profile": bind_stranger,
    "a stranger loses its profile": lambda hand: hand.bind(hand.stranger()["InstanceId"], None),
    "a stranger is stopped": lambda hand: hand.call(
        "ec2", "StopInstances", InstanceIds=[hand.stranger()["InstanceId"]]
    ),
    "a stranger is terminated": lambda hand: hand.call(
        "ec2", "TerminateInstances", InstanceIds=[hand.stranger()["InstanceId"]]
    ),
    "a stranger is dressed as a member": lambda hand: hand.call(
        "ec2", "CreateTags", Resources=[hand.stranger()["InstanceId"]], Tags=tags_out(DRESS)
    ),
    "a stranger is labelled": lambda hand: hand.call(
        "ec2", "CreateTags", Resources=[hand.stranger()["InstanceId"]], Tags=tags_out({"box": "build"})
    ),
}

# After these, a member is no longer counted among those that it was launched with.
LEAVING = ("a member is disowned",)

# After these, a plan may well have to be refused, and then nothing else of an example is seen.
NASTY = (
    "a role is disowned",
    "a role is given away",
    "a role is made",
    "a role is used elsewhere",
    "a profile's name is taken",
    "a profile is disowned",
    "a mark is removed",
    "a stranger gets our profile",
    "a stranger is dressed as a member",
    "a stranger is terminated",
)


def do(external_change: str, hand: Hand) -> bool:
    """Does it; False when there was nothing to do it to, or AWS did not let it happen."""
    try:
        EXTERNAL_CHANGES[external_change](hand)
    except (Idle, AwsError):
        return False
    return True
