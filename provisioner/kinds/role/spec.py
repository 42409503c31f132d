"""A role as a spec asks for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from provisioner.iam_policy import documents
from provisioner.iam_policy.arns import ec2_principal, partition_problem, principal_problem
from provisioner.iam_policy.grammar import problems
from provisioner.kinds.base import Entry, Path
from provisioner.kinds.iam import (
    Named,
    parse_tags,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address
from provisioner.naming import default_name, iam_path

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html; of the trust policy's length
# and the number of attached policies the largest that an account can be granted: what it has been granted
# is for a plan to find out.
MAX_NAME = 64
LARGEST_TRUST = 8_192
LARGEST_INLINE = 10_240
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
DEFAULT_SESSION_S = 3600


@dataclass(frozen=True)
class Role(Named):
    """A role: policy documents as written, managed policies too (a name or an ARN)."""

    path: str
    description: str
    trust: Mapping[str, Any]
    managed_policies: tuple[str, ...]
    inline_policies: Mapping[str, Mapping[str, Any]]
    permissions_boundary: str | None
    max_session_duration: int
    tags: Mapping[str, str]
    keep: bool | None = None

    @property
    def uses(self) -> frozenset[Address]:
        return frozenset()

    def managed_arns(self, partition: str) -> frozenset[str]:
        """The ARNs of the managed policies."""
        return frozenset(policy_arn(written, partition) for written in self.managed_policies)

    def boundary_arn(self, partition: str) -> str | None:
        """The ARN of the permissions boundary, if there is to be one."""
        return policy_arn(self.permissions_boundary, partition) if self.permissions_boundary else None


def policy_arn(written: str, partition: str) -> str:
    """The ARN of a managed policy given as an ARN, or as the name of one of AWS's own."""
    return written if written.startswith("arn:") else f"arn:{partition}:iam::aws:policy/{written}"


def parse_role(key: str, raw: Mapping[str, Any], entry: Entry) -> Role:
    """The entry as a Role; what a schema cannot say is reported to `entry`."""
    name = raw.get("name", default_name(entry.environment, key))
    if len(name) > MAX_NAME:
        entry.problem(
            ("name",) if "name" in raw else (),
            f"the role would be called {name}, which is {len(name)} characters",
            f"IAM takes at most {MAX_NAME}; give it a shorter `name:`",
        )
    managed = raw.get("managed_policies", ())
    for index, written in enumerate(managed):
        _check_policy(written, ("managed_policies", index), entry)
    if "permissions_boundary" in raw:
        _check_policy(raw["permissions_boundary"], ("permissions_boundary",), entry)
    return Role(
        name=name,
        path=iam_path(entry.environment) + raw.get("path", ""),
        description=raw.get("description", ""),
        trust=_trust(raw.get("trust", ec2_principal(entry.region)), entry),
        managed_policies=tuple(managed),
        inline_policies=_inline(raw.get("inline_policies", {}), entry),
        permissions_boundary=raw.get("permissions_boundary"),
        max_session_duration=raw.get("max_session_duration", DEFAULT_SESSION_S),
        tags=parse_tags(raw, entry),
        keep=raw.get("keep"),
    )


def _check_policy(written: str, path: Path, entry: Entry) -> None:
    """Report a managed policy that no role of the spec can have.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/using-service-linked-roles.html
    """
    if written.startswith("arn:") and (message := partition_problem(written, entry.region)):
        entry.problem(path, message)
    elif re.match(r"(arn:[^:]*:iam::aws:policy/)?aws-service-role/", written):
        message = (
            f"{written} is for service-linked roles, which AWS makes itself; IAM takes it for no other role"
        )
        entry.problem(path, message, "name another policy")


def _trust(written: Any, entry: Entry) -> Mapping[str, Any]:
    if isinstance(written, Mapping):
        return _checked(written, ("trust",), entry, LARGEST_TRUST, trust=True)
    services = [written] if isinstance(written, str) else written
    for index, service in enumerate(services):
        if message := principal_problem("Service", service, entry.region):
            entry.problem(("trust",) if isinstance(written, str) else ("trust", index), message)
    return documents.trust_for(services)


def _inline(written: Mapping[str, Any], entry: Entry) -> Mapping[str, Mapping[str, Any]]:
    read: dict[str, Mapping[str, Any]] = {}
    for name, document in written.items():
        path: Path = ("inline_policies", name)
        if document.keys() != {"file"}:
            read[name] = _checked(document, path, entry, LARGEST_INLINE)
            continue
        file = document["file"]
        content = entry.read_json((*path, "file"), file)
        if content is not None:
            read[name] = _checked(content, (*path, "file"), entry, LARGEST_INLINE)
        elif not entry.needs_contents:
            read[name] = {}
    total = sum(documents.size(document) for document in read.values())
    if len(read) > 1 and total > LARGEST_INLINE and entry.needs_contents:
        entry.problem(
            ("inline_policies",),
            f"together {total} characters; IAM takes {LARGEST_INLINE} for all inline policies of a role",
        )
    return read


def _checked(document: Any, path: Path, entry: Entry, most: int, trust: bool = False) -> Mapping[str, Any]:
    """The document if IAM takes it, else an empty one and its problems reported."""
    entry.check_as_written(path, document)
    found = problems(document, trust=trust, region=entry.region)
    for where, message in found:
        entry.problem((*path, *where), message)
    if found:
        return {}
    size = documents.size(document)
    if size > most:
        entry.problem(path, f"the policy has {size} characters without white space; IAM takes {most}")
    checked: Mapping[str, Any] = document
    return checked
