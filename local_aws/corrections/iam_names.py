"""Names, paths and tags in IAM.

IAM User Guide, "IAM and AWS STS quotas: names, lengths" (64 for roles, 128 for profiles and policies, no
distinction of case, unique whatever the path); API Reference, CreateRole, CreateInstanceProfile,
CreatePolicy, data type Tag. User Guide, "Tagging IAM resources: Case sensitivity"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html): keys on roles ignore case, and the last
one written is kept; keys on instance profiles do not. moto takes names of any length with any characters,
the same name in another case, and finds nothing by it; it keeps two tags of a role that differ in case only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import check, handler
from local_aws.world import World

_LENGTHS = {"RoleName": 64, "InstanceProfileName": 128, "PolicyName": 128}
_NAME = r"[\w+=,.@-]+"
_PATH = re.compile(r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)")
_NAMED = (
    "CreateRole",
    "GetRole",
    "UpdateRole",
    "UpdateRoleDescription",
    "DeleteRole",
    "TagRole",
    "UntagRole",
    "ListRoleTags",
    "ListRolePolicies",
    "ListAttachedRolePolicies",
    "ListInstanceProfilesForRole",
    "UpdateAssumeRolePolicy",
    "PutRolePolicy",
    "GetRolePolicy",
    "DeleteRolePolicy",
    "AttachRolePolicy",
    "DetachRolePolicy",
    "PutRolePermissionsBoundary",
    "DeleteRolePermissionsBoundary",
    "CreateInstanceProfile",
    "GetInstanceProfile",
    "DeleteInstanceProfile",
    "AddRoleToInstanceProfile",
    "RemoveRoleFromInstanceProfile",
    "TagInstanceProfile",
    "UntagInstanceProfile",
    "ListInstanceProfileTags",
    "CreatePolicy",
)
MAX_TAGS = 50


@check(
    *(
        f"iam:{name}"
        for name in _NAMED
        if name not in ("CreateRole", "CreateInstanceProfile", "CreatePolicy")
    ),
    first=True,
)
def exist(world: World, call: Call) -> None:
    """Roles and profiles that are named have to be there; in whatever case, the call is about that one."""
    if role := call.params.get("RoleName"):
        found = _spelled(role, world.iam.roles.values())
        if found is None:
            raise AwsError("NoSuchEntity", f"The role with name {role} cannot be found.", 404)
        _rename(call, "RoleName", found)
    if profile := call.params.get("InstanceProfileName"):
        found = _spelled(profile, world.iam.instance_profiles.values())
        if found is None:
            raise AwsError("NoSuchEntity", f"Instance Profile {profile} cannot be found.", 404)
        _rename(call, "InstanceProfileName", found)


@check(*(f"iam:{name}" for name in _NAMED), first=True)
def names(world: World, call: Call) -> None:
    """Names are of the length and characters allowed."""
    for field, most in _LENGTHS.items():
        value = call.params.get(field)
        if value is None:
            continue
        if not 1 <= len(value) <= most:
            bound = f"less than or equal to {most}" if value else "greater than or equal to 1"
            raise _invalid(value, field, f"Member must have length {bound}")
        if not re.fullmatch(_NAME, value, re.ASCII):
            raise _invalid(value, field, "Member must satisfy regular expression pattern: [\\w+=,.@-]+")


@check(
    "iam:CreateRole",
    "iam:CreateInstanceProfile",
    "iam:CreatePolicy",
    "iam:ListRoles",
    "iam:ListInstanceProfiles",
)
def paths(world: World, call: Call) -> None:
    """A path begins and ends with a slash."""
    path = call.params.get("Path")
    if path is None:
        return
    if len(path) > 512:
        raise _invalid(path, "path", "Member must have length less than or equal to 512")
    if not _PATH.fullmatch(path):
        text = (
            "The specified value for path is invalid. It must begin and end with / and contain only "
            "alphanumeric characters and/or / characters."
        )
        raise AwsError("ValidationError", text)


@check("iam:CreateRole")
def role_is_new(world: World, call: Call) -> None:
    """No role has the name, in whatever case and under whatever path."""
    name = call.params["RoleName"]
    if _spelled(name, world.iam.roles.values()):
        raise AwsError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)


@check("iam:CreateInstanceProfile")
def profile_is_new(world: World, call: Call) -> None:
    """No profile has the name, in whatever case and under whatever path."""
    name = call.params["InstanceProfileName"]
    if _spelled(name, world.iam.instance_profiles.values()):
        raise AwsError("EntityAlreadyExists", f"Instance Profile {name} already exists.", 409)


@check("iam:CreatePolicy")
def policy_is_new(world: World, call: Call) -> None:
    """No policy of the account has the name, in whatever case and under whatever path."""
    name = call.params["PolicyName"]
    own = [item for arn, item in world.iam.managed_policies.items() if f":{world.account}:" in arn]
    if _spelled(name, own):
        text = f"A policy called {name} already exists. Duplicate names are not allowed."
        raise AwsError("EntityAlreadyExists", text, 409)


@check("iam:CreateRole", "iam:TagRole", "iam:CreateInstanceProfile", "iam:TagInstanceProfile")
def tags(world: World, call: Call) -> None:
    """Allowed characters and lengths, no reserved keys, and at most 50 with those that are there."""
    given = call.params.get("Tags") or []
    for tag in given:
        world.iam._tag_verification([tag])
    if any(tag["Key"].lower().startswith("aws:") for tag in given):
        text = "aws: prefixed tag key names are not allowed for external use."
        raise AwsError("InvalidInput", text)
    kind = "Role" if call.operation.endswith("Role") else "InstanceProfile"
    keys = [_key_of(kind, tag["Key"]) for tag in given]
    if len(keys) != len(set(keys)):
        text = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        raise AwsError("InvalidInput", text)
    there = _named(world, call, kind).tags if call.operation.startswith("Tag") else []
    if len({_key_of(kind, tag["Key"]) for tag in there} | set(keys)) > MAX_TAGS:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for TagsPer{kind}: {MAX_TAGS}", 409)


@handler("iam:TagRole")
def tag_role(world: World, call: Call) -> dict[str, Any]:
    """A tag replaces the one whose key differs in case only, and its key is kept as it is written now."""
    role = world.iam.get_role(call.params["RoleName"])
    given = call.params.get("Tags") or []
    replaced = {_key_of("Role", tag["Key"]) for tag in given}
    role.tags = [*(tag for tag in role.tags if _key_of("Role", tag["Key"]) not in replaced), *given]
    return {}


@handler("iam:UntagRole")
def untag_role(world: World, call: Call) -> dict[str, Any]:
    """Removes the tags with these keys, in whatever case."""
    role = world.iam.get_role(call.params["RoleName"])
    gone = {_key_of("Role", key) for key in call.params.get("TagKeys") or []}
    role.tags = [tag for tag in role.tags if _key_of("Role", tag["Key"]) not in gone]
    return {}


def _spelled(name: str, things: Iterable[Any]) -> str | None:
    """The name of the thing that has this name in whatever case."""
    return next((item.name for item in things if item.name.lower() == name.lower()), None)


def _rename(call: Call, field: str, name: str) -> None:
    """Lets the call, also as moto reads it, name a thing as it is spelled."""
    call.params[field] = call.response.params[field] = name


def _key_of(kind: str, key: str) -> str:
    """What two keys have in common that stand for one tag."""
    return key.lower() if kind == "Role" else key


@check("iam:CreateRole", "iam:UpdateRole")
def role_settings(world: World, call: Call) -> None:
    """Sessions last from one to twelve hours; descriptions have up to 1000 characters."""
    seconds = call.params.get("MaxSessionDuration")
    if seconds is not None and not 3600 <= int(seconds) <= 43200:
        bound = "less than or equal to 43200" if int(seconds) > 43200 else "greater than or equal to 3600"
        raise _invalid(seconds, "maxSessionDuration", f"Member must have value {bound}")
    description = call.params.get("Description") or ""
    if len(description) > 1000:
        raise _invalid(description, "description", "Member must have length less than or equal to 1000")
    if not re.fullmatch(r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*", description):
        pattern = r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*"
        raise _invalid(
            description, "description", f"Member must satisfy regular expression pattern: {pattern}"
        )


def _named(world: World, call: Call, kind: str) -> Any:
    if kind == "Role":
        return world.iam.get_role(call.params["RoleName"])
    return world.iam.get_instance_profile(call.params["InstanceProfileName"])


def _invalid(value: Any, field: str, constraint: str) -> AwsError:
    name = field[0].lower() + field[1:]
    text = (
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"
    )
    return AwsError("ValidationError", text)
