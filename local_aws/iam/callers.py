"""Whose keys signed a call, and the policies that are about them.

Keys that were not made here are those of the account's root user, who may do everything: the local AWS is
used with any keys by those who do not care about permissions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.sts.models import sts_backends

from local_aws.iam.evaluate import Document, Policies
from local_aws.world import World


@dataclass(frozen=True)
class Caller:
    """Who calls: the ARN that AWS names in messages, the principal's own, and the policies about it."""

    arn: str
    principal_arn: str
    id: str
    kind: str
    name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)


def caller_of(world: World, access_key: str) -> Caller | None:
    """The user, or the session of a role, that has this access key; None: the root user."""
    for user in world.iam.users.values():
        if any(key.access_key_id == access_key and key.status == "Active" for key in user.access_keys):
            return _user(world, user)
    for session in sts_backends[world.account][world.partition].assumed_roles:
        if session.access_key_id == access_key:
            return _session(world, session)
    return None


def _user(world: World, user: Any) -> Caller:
    groups = [group for group in world.iam.groups.values() if user in group.users]
    documents = [text for holder in (user, *groups) for text in _documents(holder)]
    policies = Policies(documents)
    return Caller(user.arn, user.arn, user.id, "User", user.name, _tags(user.tags), policies)


def principal(world: World, arn: str) -> Caller | None:
    """The user or the role with this ARN, as far as policies attached to it say; None: there is none."""
    for user in world.iam.users.values():
        if user.arn == arn:
            return _user(world, user)
    for role in world.iam.roles.values():
        if role.arn == arn:
            policies = _of_role(world, role, None)
            return Caller(arn, arn, role.id, "AssumedRole", tags=_tags(role.tags), policies=policies)
    return None


def _session(world: World, session: Any) -> Caller:
    name = session.role_arn.rsplit("/", 1)[-1]
    role = world.iam.roles.get(name) or next(
        (role for role in world.iam.roles.values() if role.name == name), None
    )
    policies = _of_role(world, role, json.loads(session.policy) if session.policy else None)
    tags = _tags(role.tags) if role else {}
    return Caller(session.arn, session.role_arn, session.user_id, "AssumedRole", tags=tags, policies=policies)


def _of_role(world: World, role: Any, session: Document | None) -> Policies:
    documents = list(_documents(role)) if role else []
    boundary = role.permissions_boundary_arn if role else None
    return Policies(documents, _managed(world, boundary) if boundary else None, session)


def _documents(holder: Any) -> Iterator[Document]:
    """The inline and the managed policies of a user, a group or a role."""
    for text in holder.policies.values():
        yield json.loads(text)
    for policy in holder.managed_policies.values():
        yield json.loads(_default_version(policy))


def _managed(world: World, arn: str) -> Document:
    """A managed policy; one that is gone allows nothing."""
    policy = world.iam.managed_policies.get(arn)
    document: Document = json.loads(_default_version(policy)) if policy else {"Statement": []}
    return document


def _default_version(policy: Any) -> str:
    return next(
        str(version.document)
        for version in policy.versions
        if version.version_id == policy.default_version_id
    )


def _tags(tags: Any) -> Mapping[str, str]:
    if isinstance(tags, Mapping):
        return {key: tag["Value"] if isinstance(tag, Mapping) else str(tag) for key, tag in tags.items()}
    rows: Iterable[Any] = tags or ()
    return {tag["Key"]: tag["Value"] for tag in rows}
