"""Ownership: the names, the IAM path and the tags by which an environment knows its own.

IAM path and tags: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

PREFIX = "provisioner:"
ENVIRONMENT_TAG = "provisioner:environment"
FLEET_TAG = "provisioner:fleet"
LAUNCH_TAG = "provisioner:launch"
ASKED_TAG = "provisioner:asked"
INDEX_TAG = "provisioner:index"
ATTACHED_TAG = "provisioner:attached"


def iam_path(environment: str) -> str:
    """The path under which all roles and instance profiles of an environment live."""
    return f"/provisioner/{environment}/"


def default_name(environment: str, key: str) -> str:
    """What a role, an instance profile or a fleet's members are called where the spec gives no name."""
    return f"{environment}-{key}"


def key_of(name: str, environment: str, taken: Iterable[str]) -> str:
    """The key to show for something of ours that the spec no longer has.

    The key it had when its name was the default one, else (or when the spec gives that key to something
    else) its whole name.
    """
    key = name.removeprefix(f"{environment}-")
    return name if key in set(taken) else key


def ownership_tags(environment: str, fleet: str | None = None) -> dict[str, str]:
    """The tags that say whose a thing is."""
    return {ENVIRONMENT_TAG: environment} | ({FLEET_TAG: fleet} if fleet else {})


def is_ignored(tag: str, patterns: Iterable[str]) -> bool:
    """Whether a tag on our things is none of our business: AWS's own, or named by `ignore_tags`."""
    return tag.startswith("aws:") or any(fnmatchcase(tag, pattern) for pattern in patterns)


def without_ignored(tags: Mapping[str, str], patterns: Iterable[str]) -> dict[str, str]:
    """The tags that are compared."""
    patterns = tuple(patterns)
    return {key: value for key, value in tags.items() if not is_ignored(key, patterns)}
