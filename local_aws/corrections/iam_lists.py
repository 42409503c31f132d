"""What IAM's lists leave out, by path and page by page.

IAM API Reference, ListInstanceProfiles: PathPrefix, MaxItems and Marker, and "IAM resource-listing operations
return a subset of the available attributes": no tags, which GetInstanceProfile has. GetAccountAuthorization-
Details: MaxItems and Marker; it does not say that the profiles nested there carry tags, so here they do not.
Of all of them: "IAM might return fewer results, even when there are more results available"; see `iam_page`.
moto ignores the prefix, shows tags, and answers in one page.
"""

from __future__ import annotations

import copy
from typing import Any

from moto.core.responses import ActionResult

from local_aws.call import AwsError, Call
from local_aws.corrections.registry import check, handler
from local_aws.world import World

_DETAILS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
_LISTS = (
    "ListRoles",
    "ListInstanceProfiles",
    "ListInstanceProfilesForRole",
    "GetAccountAuthorizationDetails",
)


@check(*(f"iam:{name}" for name in _LISTS))
def page_size(world: World, call: Call) -> None:
    """Pages have 1 to 1000 items."""
    size = call.params.get("MaxItems")
    if size is not None and not 1 <= int(size) <= 1000:
        bound = "greater than or equal to 1" if int(size) < 1 else "less than or equal to 1000"
        text = f"Value '{size}' at 'maxItems' failed to satisfy constraint: Member must have value {bound}"
        raise AwsError("ValidationError", f"1 validation error detected: {text}")


@handler("iam:ListInstanceProfiles", "iam:ListInstanceProfilesForRole")
def list_profiles(world: World, call: Call) -> Any:
    """Profiles under a path, without tags."""
    prefix = call.params.get("PathPrefix") or "/"
    found = [item for item in call.moto().result["InstanceProfiles"] if item.path.startswith(prefix)]
    page, marker = _page([_without_tags(item) for item in found], world, call)
    return ActionResult({"InstanceProfiles": page, "IsTruncated": marker is not None, "Marker": marker})


@handler("iam:GetAccountAuthorizationDetails")
def details(world: World, call: Call) -> Any:
    """Users, groups, roles and policies, at most MaxItems of all together on a page."""
    result = call.moto().result
    rows = [(name, item) for name in _DETAILS for item in result[name]]
    page, marker = _page(rows, world, call)
    answer: dict[str, Any] = {name: [item for kind, item in page if kind == name] for name in _DETAILS}
    answer["RoleDetailList"] = [_detail(world, role) for role in answer["RoleDetailList"]]
    return ActionResult({**answer, "IsTruncated": marker is not None, "Marker": marker})


def _page(rows: list[Any], world: World, call: Call) -> tuple[list[Any], str | None]:
    try:
        start = int(call.params.get("Marker") or 0)
    except ValueError:
        raise AwsError("ValidationError", "Invalid Marker.") from None
    size = int(call.params.get("MaxItems") or 100)
    end = start + min(size, world.faults.iam_page or size)
    return rows[start:end], str(end) if end < len(rows) else None


def _detail(world: World, role: Any) -> dict[str, Any]:
    profiles = [
        item for item in world.iam.instance_profiles.values() if role.name in [r.name for r in item.roles]
    ]
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.create_date,
        "AssumeRolePolicyDocument": role.assume_role_policy_document,
        "InstanceProfileList": [_without_tags(item) for item in profiles],
        "RolePolicyList": [{"PolicyName": k, "PolicyDocument": text} for k, text in role.policies.items()],
        "AttachedManagedPolicies": [
            {"PolicyName": policy.name, "PolicyArn": arn} for arn, policy in role.managed_policies.items()
        ],
        "PermissionsBoundary": role.permissions_boundary or None,
        "Tags": list(role.tags),
        "RoleLastUsed": {},
    }


def _without_tags(profile: Any) -> Any:
    twin = copy.copy(profile)
    twin.tags = None
    twin.roles = [copy.copy(role) for role in profile.roles]
    for role in twin.roles:
        role.tags = None
    return twin
