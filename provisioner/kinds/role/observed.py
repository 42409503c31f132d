"""Roles as IAM describes them.

GetAccountAuthorizationDetails carries everything but description and session duration, which ListRoles
has, so that two paged calls read any number of roles:
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import partial
from operator import itemgetter
from typing import Any

from provisioner.errors import AwsError, IncompleteAnswer
from provisioner.kinds.base import Reader, both
from provisioner.kinds.iam import (
    Named,
)
from provisioner.kinds.shared_reads import Listing
from provisioner.kinds.tags import (
    as_tags,
    text,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address
from provisioner.naming import iam_path

# How many policies a message suggests at most.
MAX_SUGGESTED = 3


@dataclass(frozen=True)
class FoundRole(Named):
    """A role that exists: policy documents as IAM keeps them.

    `profiles` are the names of those that hold it, each with its path.
    """

    arn: str
    path: str
    description: str
    trust: Mapping[str, Any]
    managed_policies: frozenset[str]
    inline_policies: Mapping[str, Mapping[str, Any]]
    permissions_boundary: str | None
    max_session_duration: int
    tags: Mapping[str, str]
    profiles: Mapping[str, str]
    id: str = ""


@dataclass(frozen=True)
class ObservedRole:
    """What was seen at one role's address.

    `unknown`: policies that do not exist, each with a hint; `own`: the ARNs of those that the spec names and
    that are the account's own. Of those whom the role is to trust, `absent` are who do not exist, each with
    what is wrong and a hint, and `unchecked` who could not be looked for, and why. `quotas`: IAM's, if it
    takes them to tell what fits.
    """

    role: FoundRole | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unchecked: Mapping[str, str] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)

    @property
    def uses(self) -> frozenset[Address]:
        return frozenset()

    @property
    def arn(self) -> str | None:
        return self.role.arn if self.role else None

    @property
    def tags(self) -> Mapping[str, str]:
        return self.role.tags if self.role else {}


def find_roles(reader: Reader, environment: str, wanted: Iterable[str]) -> list[FoundRole]:
    """All roles under the environment's path, and whoever has the names `wanted`, whatever their case."""
    written = {name.lower(): name for name in wanted}
    path = iam_path(environment)
    details, listed = both(
        reader,
        lambda: _authorization_details(reader),
        lambda: {
            role["RoleName"]: role for role in reader.pages("iam", "ListRoles", "Roles", PathPrefix=path)
        },
    )
    if details is None:
        return _one_by_one(reader, (written | {name.lower(): name for name in listed}).values())
    relevant = {detail["RoleName"]: detail for detail in details.of(environment, written)}
    found = [_role(detail, listed.get(name, {})) for name, detail in relevant.items()]
    unlisted = {
        name for name, detail in relevant.items() if detail["Path"].startswith(path) and name not in listed
    }
    lagging = unlisted | (listed.keys() - relevant.keys())
    if not lagging:
        return found
    return [role for role in found if role.name not in lagging] + _one_by_one(reader, lagging)


def _authorization_details(reader: Reader) -> Listing | None:
    name, path = itemgetter("RoleName"), itemgetter("Path")
    try:
        return Listing.shared(
            reader, "GetAccountAuthorizationDetails", "RoleDetailList", name, path, Filter=["Role"]
        )
    except AwsError as error:
        if error.code == "AccessDenied":
            return None
        raise


def _one_by_one(reader: Reader, names: Iterable[str]) -> list[FoundRole]:
    roles = reader.parallel(*(partial(_read_role, reader, name) for name in sorted(names)))
    return [role for role in roles if role]


def _read_role(reader: Reader, name: str) -> FoundRole | None:
    """One role read by itself: where GetAccountAuthorizationDetails is not allowed, or lags behind."""
    try:
        role = reader.call("iam", "GetRole", RoleName=name)["Role"]
        inline = {
            policy_name: reader.call("iam", "GetRolePolicy", RoleName=name, PolicyName=policy_name)
            for policy_name in reader.pages("iam", "ListRolePolicies", "PolicyNames", RoleName=name)
        }
        detail = role | {
            "RolePolicyList": list(inline.values()),
            "AttachedManagedPolicies": list(
                reader.pages("iam", "ListAttachedRolePolicies", "AttachedPolicies", RoleName=name)
            ),
            "InstanceProfileList": list(
                reader.pages("iam", "ListInstanceProfilesForRole", "InstanceProfiles", RoleName=name)
            ),
        }
    except AwsError as error:
        if error.code == "NoSuchEntity":
            return None
        raise
    return _role(detail, role)


def _role(detail: Mapping[str, Any], listed: Mapping[str, Any]) -> FoundRole:
    boundary = detail.get("PermissionsBoundary")
    return FoundRole(
        name=text(detail, "RoleName"),
        arn=text(detail, "Arn"),
        path=text(detail, "Path"),
        description=listed.get("Description", ""),
        trust=_document(detail, "AssumeRolePolicyDocument"),
        managed_policies=frozenset(
            text(attached, "PolicyArn") for attached in detail["AttachedManagedPolicies"]
        ),
        inline_policies={
            text(inline, "PolicyName"): _document(inline, "PolicyDocument")
            for inline in detail["RolePolicyList"]
        },
        permissions_boundary=text(boundary, "PermissionsBoundaryArn") if boundary else None,
        max_session_duration=listed.get("MaxSessionDuration", 3600),
        tags=as_tags(detail.get("Tags")),
        profiles={
            text(profile, "InstanceProfileName"): text(profile, "Path")
            for profile in detail["InstanceProfileList"]
        },
        id=text(detail, "RoleId"),
    )


def _document(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A policy. Raises LookupError and IncompleteAnswer for what is none, which IAM does not keep."""
    document = answer[name]
    if not isinstance(document, dict) or not document:
        raise IncompleteAnswer(f"{name} is {document!r:.100}")
    return document


def suggestion(written: str, names: Mapping[str, str]) -> str:
    """What may have been meant by a policy that does not exist; `names` are of those that do, by path."""
    last = written.rsplit("/", 1)[-1].lower()
    lower = {name.lower(): path for path, name in names.items()}
    # Of those that have all that was written, the shortest add least to it.
    longer = sorted((path for path in names if last in path.lower()), key=lambda path: (len(path), path))
    near = [path for path, name in names.items() if name.lower() == last]
    near = near or [path for path in longer if names[path].lower().startswith(last)]
    near = near or longer
    near = near or [lower[name] for name in difflib.get_close_matches(last, lower, n=1, cutoff=0.75)]
    if not near:
        return "see `aws iam list-policies` for the policies there are"
    return f"did you mean {' or '.join(near[:MAX_SUGGESTED])}?"
