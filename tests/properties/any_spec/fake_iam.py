"""IAM in memory. Sources: the IAM API Reference of each operation, and "IAM and AWS STS quotas"."""

# Parameters are called as AWS calls them.
# ruff: noqa: N803

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.properties.any_spec.fake_parts import ARN, Fault, check_tags, tags_in, tags_out

AWS_POLICIES = tuple(
    f"arn:aws:iam::aws:policy/{name}"
    for name in (
        "AmazonS3FullAccess",
        "AmazonS3ReadOnlyAccess",
        "AmazonEC2FullAccess",
        "AmazonEC2ReadOnlyAccess",
        "AmazonSSMManagedInstanceCore",
        "CloudWatchAgentServerPolicy",
        "PowerUserAccess",
        "ReadOnlyAccess",
        "AmazonSQSFullAccess",
        "AmazonSNSFullAccess",
        "AmazonDynamoDBFullAccess",
        "service-role/AmazonEC2RoleforSSM",
    )
)
MAX_ATTACHED = 10
LARGEST_INLINE = 10_240


@dataclass
class Role:
    name: str
    path: str
    id: str
    trust: str
    description: str
    duration: int
    boundary: str | None
    tags: dict[str, str]
    attached: set[str] = field(default_factory=set)
    inline: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return f"{ARN}role{self.path}{self.name}"


@dataclass
class Profile:
    name: str
    path: str
    id: str
    tags: dict[str, str]
    role: str | None = None

    @property
    def arn(self) -> str:
        return f"{ARN}instance-profile{self.path}{self.name}"


class Iam:
    """Roles and instance profiles by their names in lower case, as IAM compares them."""

    def __init__(self) -> None:
        self.roles: dict[str, Role] = {}
        self.profiles: dict[str, Profile] = {}
        self._made: dict[str, int] = {}

    def _new_id(self, prefix: str, name: str) -> str:
        """An id that nothing had before, also when something of that name is made again."""
        number = self._made[prefix + name] = self._made.get(prefix + name, 0) + 1
        return f"{prefix}{name.upper()}{number}"

    def role(self, name: str) -> Role:
        if name.lower() not in self.roles:
            raise Fault("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
        return self.roles[name.lower()]

    def profile(self, name: str) -> Profile:
        if name.lower() not in self.profiles:
            raise Fault("NoSuchEntity", f"Instance Profile {name} cannot be found.", 404)
        return self.profiles[name.lower()]

    # --- roles

    def create_role(
        self,
        RoleName: str,
        AssumeRolePolicyDocument: str,
        Path: str = "/",
        Description: str = "",
        MaxSessionDuration: int = 3600,
        PermissionsBoundary: str | None = None,
        Tags: Any = (),
    ) -> dict[str, Any]:
        if RoleName.lower() in self.roles:
            raise Fault("EntityAlreadyExists", f"Role with name {RoleName} already exists.", 409)
        _check_name(RoleName, 64)
        _check_policy(AssumeRolePolicyDocument, trust=True)
        _check_duration(MaxSessionDuration)
        _check_attachable(PermissionsBoundary)
        tags = tags_in(Tags)
        check_tags(tags)
        role = self.roles[RoleName.lower()] = Role(
            RoleName,
            Path,
            self._new_id("AROA", RoleName),
            AssumeRolePolicyDocument,
            Description,
            MaxSessionDuration,
            PermissionsBoundary,
            tags,
        )
        return {"Role": _role_view(role)}

    def get_role(self, RoleName: str) -> dict[str, Any]:
        role = self.role(RoleName)
        return {"Role": _role_view(role) | _boundary_view(role) | {"Tags": tags_out(role.tags)}}

    def list_roles(self, PathPrefix: str) -> dict[str, Any]:
        return {
            "Roles": [_role_view(role) for role in self.roles.values() if role.path.startswith(PathPrefix)]
        }

    def get_account_authorization_details(self, Filter: list[str]) -> dict[str, Any]:
        assert Filter == ["Role"]
        return {"RoleDetailList": [self._role_detail(role) for role in self.roles.values()]}

    def _role_detail(self, role: Role) -> dict[str, Any]:
        inline = [
            {"PolicyName": name, "PolicyDocument": json.loads(text)} for name, text in role.inline.items()
        ]
        view = _role_view(role)
        del view["Description"], view["MaxSessionDuration"]
        return {
            **view,
            **_boundary_view(role),
            "Tags": tags_out(role.tags),
            "RolePolicyList": inline,
            "AttachedManagedPolicies": [{"PolicyArn": arn} for arn in sorted(role.attached)],
            "InstanceProfileList": [
                _profile_view(profile, self)
                for profile in self.profiles.values()
                if profile.role == role.name
            ],
        }

    def update_role(self, RoleName: str, Description: str = "", MaxSessionDuration: int = 3600) -> None:
        role = self.role(RoleName)
        _check_duration(MaxSessionDuration)
        role.description, role.duration = Description, MaxSessionDuration

    def update_assume_role_policy(self, RoleName: str, PolicyDocument: str) -> None:
        role = self.role(RoleName)
        _check_policy(PolicyDocument, trust=True)
        role.trust = PolicyDocument

    def put_role_permissions_boundary(self, RoleName: str, PermissionsBoundary: str) -> None:
        _check_attachable(PermissionsBoundary)
        self.role(RoleName).boundary = PermissionsBoundary

    def delete_role_permissions_boundary(self, RoleName: str) -> None:
        self.role(RoleName).boundary = None

    def attach_role_policy(self, RoleName: str, PolicyArn: str) -> None:
        role = self.role(RoleName)
        _check_attachable(PolicyArn)
        if PolicyArn not in role.attached and len(role.attached) >= MAX_ATTACHED:
            raise Fault("LimitExceeded", f"Cannot exceed quota for PoliciesPerRole: {MAX_ATTACHED}", 409)
        role.attached.add(PolicyArn)

    def detach_role_policy(self, RoleName: str, PolicyArn: str) -> None:
        role = self.role(RoleName)
        if PolicyArn not in role.attached:
            raise Fault("NoSuchEntity", f"Policy {PolicyArn} was not found.", 404)
        role.attached.remove(PolicyArn)

    def put_role_policy(self, RoleName: str, PolicyName: str, PolicyDocument: str) -> None:
        role = self.role(RoleName)
        _check_policy(PolicyDocument, trust=False)
        inline = role.inline | {PolicyName: PolicyDocument}
        if sum(len(re.sub(r"\s", "", text)) for text in inline.values()) > LARGEST_INLINE:
            text = f"Maximum policy size of {LARGEST_INLINE} bytes exceeded for role {RoleName}"
            raise Fault("LimitExceeded", text, 409)
        role.inline = inline

    def delete_role_policy(self, RoleName: str, PolicyName: str) -> None:
        if self.role(RoleName).inline.pop(PolicyName, None) is None:
            raise Fault("NoSuchEntity", f"The role policy with name {PolicyName} cannot be found.", 404)

    def tag_role(self, RoleName: str, Tags: Any) -> None:
        _tag(self.role(RoleName), Tags)

    def untag_role(self, RoleName: str, TagKeys: list[str]) -> None:
        _untag(self.role(RoleName), TagKeys)

    def delete_role(self, RoleName: str) -> None:
        role = self.role(RoleName)
        if role.attached or role.inline:
            raise Fault("DeleteConflict", "Cannot delete entity, must delete policies first.", 409)
        if any(profile.role == role.name for profile in self.profiles.values()):
            text = "Cannot delete entity, must remove roles from instance profile first."
            raise Fault("DeleteConflict", text, 409)
        del self.roles[RoleName.lower()]

    # --- policies

    def get_policy(self, PolicyArn: str) -> dict[str, Any]:
        if PolicyArn not in AWS_POLICIES:
            raise Fault("NoSuchEntity", f"Policy {PolicyArn} does not exist or is not attachable.", 404)
        return {"Policy": {"Arn": PolicyArn, "PolicyName": PolicyArn.rsplit("/", 1)[-1]}}

    def list_policies(self, Scope: str) -> dict[str, Any]:
        assert Scope == "AWS"
        return {"Policies": [self.get_policy(arn)["Policy"] for arn in AWS_POLICIES]}

    # --- instance profiles

    def create_instance_profile(
        self, InstanceProfileName: str, Path: str = "/", Tags: Any = ()
    ) -> dict[str, Any]:
        if InstanceProfileName.lower() in self.profiles:
            text = f"Instance Profile {InstanceProfileName} already exists."
            raise Fault("EntityAlreadyExists", text, 409)
        _check_name(InstanceProfileName, 128)
        tags = tags_in(Tags)
        check_tags(tags)
        profile = self.profiles[InstanceProfileName.lower()] = Profile(
            InstanceProfileName, Path, self._new_id("AIPA", InstanceProfileName), tags
        )
        return {"InstanceProfile": _profile_view(profile, self) | {"Tags": tags_out(tags)}}

    def get_instance_profile(self, InstanceProfileName: str) -> dict[str, Any]:
        profile = self.profile(InstanceProfileName)
        return {"InstanceProfile": _profile_view(profile, self) | {"Tags": tags_out(profile.tags)}}

    def list_instance_profiles(self, PathPrefix: str) -> dict[str, Any]:
        found = [profile for profile in self.profiles.values() if profile.path.startswith(PathPrefix)]
        return {"InstanceProfiles": [_profile_view(profile, self) for profile in found]}

    def list_instance_profiles_for_role(self, RoleName: str, MaxItems: int) -> dict[str, Any]:
        role = self.role(RoleName)
        found = [profile for profile in self.profiles.values() if profile.role == role.name]
        assert len(found) <= MaxItems
        return {"InstanceProfiles": [_profile_view(profile, self) for profile in found]}

    def add_role_to_instance_profile(self, InstanceProfileName: str, RoleName: str) -> None:
        profile, role = self.profile(InstanceProfileName), self.role(RoleName)
        if profile.role:
            raise Fault("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", 409)
        profile.role = role.name

    def remove_role_from_instance_profile(self, InstanceProfileName: str, RoleName: str) -> None:
        profile = self.profile(InstanceProfileName)
        if (profile.role or "").lower() != RoleName.lower():
            text = f"Role {RoleName} cannot be found in instance profile {InstanceProfileName}."
            raise Fault("NoSuchEntity", text, 404)
        profile.role = None

    def tag_instance_profile(self, InstanceProfileName: str, Tags: Any) -> None:
        _tag(self.profile(InstanceProfileName), Tags)

    def untag_instance_profile(self, InstanceProfileName: str, TagKeys: list[str]) -> None:
        _untag(self.profile(InstanceProfileName), TagKeys)

    def delete_instance_profile(self, InstanceProfileName: str) -> None:
        if self.profile(InstanceProfileName).role:
            text = "Cannot delete entity, must remove roles from instance profile first."
            raise Fault("DeleteConflict", text, 409)
        del self.profiles[InstanceProfileName.lower()]


def _role_view(role: Role) -> dict[str, Any]:
    return {
        "RoleName": role.name,
        "Path": role.path,
        "RoleId": role.id,
        "Arn": role.arn,
        "AssumeRolePolicyDocument": json.loads(role.trust),
        "Description": role.description,
        "MaxSessionDuration": role.duration,
    }


def _boundary_view(role: Role) -> dict[str, Any]:
    return {"PermissionsBoundary": {"PermissionsBoundaryArn": role.boundary}} if role.boundary else {}


def _profile_view(profile: Profile, iam: Iam) -> dict[str, Any]:
    roles = [_role_view(iam.role(profile.role))] if profile.role else []
    return {
        "InstanceProfileName": profile.name,
        "Path": profile.path,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn,
        "Roles": roles,
    }


def _tag(thing: Role | Profile, listed: Any) -> None:
    tags = thing.tags | tags_in(listed)
    check_tags(tags)
    thing.tags = tags


def _untag(thing: Role | Profile, keys: list[str]) -> None:
    thing.tags = {key: value for key, value in thing.tags.items() if key not in keys}


def _check_name(name: str, longest: int) -> None:
    if not re.fullmatch(rf"[\w+=,.@-]{{1,{longest}}}", name, re.ASCII):
        raise Fault("ValidationError", f"{name} is no name for IAM")


def _check_duration(seconds: int) -> None:
    if not 3600 <= seconds <= 43_200:
        raise Fault("ValidationError", f"{seconds} is no session duration")


def _check_attachable(arn: str | None) -> None:
    if arn is not None and arn not in AWS_POLICIES:
        raise Fault("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)


def _check_policy(text: str, trust: bool) -> None:
    statements = json.loads(text)["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        if ("Principal" in statement) is not trust:
            raise Fault("MalformedPolicyDocument", "a principal where none belongs, or none where one does")
