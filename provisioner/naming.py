"""Ownership: the names, the IAM path and the tags by which an environment knows its own.

IAM path and tags: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase

PREFIX = "provisioner:"
ENVIRONMENT_TAG = "provisioner:environment"
FLEET_TAG = "provisioner:fleet"
GROUP_TAG = "provisioner:security_group"
KEY_PAIR_TAG = "provisioner:key_pair"
REGION_TAG = "provisioner:region"
LAUNCH_TAG = "provisioner:launch"
ASKED_TAG = "provisioner:asked"
INDEX_TAG = "provisioner:index"
ATTACHED_TAG = "provisioner:attached"
SWAPPED_TAG = "provisioner:swapped"
READY_TAG = "provisioner:ready"
KEEP_TAG = "provisioner:keep"
EXPIRES_TAG = "provisioner:expires"
LIFETIME_TAG = "provisioner:lifetime"
# What EC2's console shows as the name of a thing.
NAME_TAG = "Name"
# What has neither a token nor a path of ours carries one of these besides the environment's tag, by its kind.
MARKS = {"security_group": GROUP_TAG, "key_pair": KEY_PAIR_TAG}


# By the names of their regions; the names of regions in aws itself have three parts, too.
# https://docs.aws.amazon.com/general/latest/gr/aws-arns-and-namespaces.html
_PARTITIONS = (
    ("aws-cn", re.compile(r"cn-[a-z]+-[0-9]+")),
    ("aws-us-gov", re.compile(r"us-gov-[a-z]+-[0-9]+")),
    ("aws-iso", re.compile(r"us-iso-[a-z]+-[0-9]+")),
    ("aws-iso-b", re.compile(r"us-isob-[a-z]+-[0-9]+")),
    ("aws-iso-e", re.compile(r"eu-isoe-[a-z]+-[0-9]+")),
    ("aws-iso-f", re.compile(r"us-isof-[a-z]+-[0-9]+")),
    ("aws-eusc", re.compile(r"eusc-[a-z]+-[a-z]+-[0-9]+")),
    ("aws", re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]+")),
)


def partition_of(region: str) -> str | None:
    """The partition that a region is in; None where its name is of no partition that is known here."""
    return next((name for name, regions in _PARTITIONS if regions.fullmatch(region)), None)


# Where the API of a partition's IAM is: https://docs.aws.amazon.com/general/latest/gr/iam-service.html
_IAM_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def iam_region(region: str) -> str | None:
    """The region in which the IAM is that belongs to a region; None where that is not known here."""
    return _IAM_REGIONS.get(partition_of(region) or "")


def may_be_region(text: str) -> bool:
    """Whether a text has the form of a region's name, also of one that is newer than this program.

    https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
    """
    return re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}", text) is not None


# Under this are the paths of all environments.
IAM_ROOT = "/provisioner/"


def iam_path(environment: str) -> str:
    """The path under which all roles and instance profiles of an environment live."""
    return f"{IAM_ROOT}{environment}/"


def default_name(environment: str, key: str) -> str:
    """What a role, an instance profile or a fleet's members are called where the spec gives no name."""
    return f"{environment}-{key}"


def key_of(name: str, environment: str, taken: Collection[str]) -> str:
    """The key to show for something of ours that the spec no longer has.

    The key it had when its name was the default one; where that is taken, its whole name, marked until it is
    free as well.
    """
    key = name.removeprefix(f"{environment}-")
    if key in taken:
        key = name
    while key in taken:
        key += "'"
    return key


def ownership_tags(environment: str, fleet: str | None = None) -> dict[str, str]:
    """The tags that say whose a thing is."""
    return {ENVIRONMENT_TAG: environment} | ({FLEET_TAG: fleet} if fleet else {})


def owner_of_path(arn: str) -> str | None:
    """The environment under whose path an ARN of IAM is; None: under no environment's.

    A path is given when the thing is made and cannot be changed.
    """
    _, *path = arn.rpartition(":")[2].split("/")
    return path[1] if len(path) > 2 and path[0] == "provisioner" else None


def is_ignored(tag: str, patterns: Collection[str]) -> bool:
    """Whether a tag on our things is none of our business: AWS's own, or named by `ignore_tags`.

    In a pattern `*` stands for any text, and everything else for itself. Our own tags are nobody else's
    business: an end that stayed would have members terminated. Only a pattern that is that very tag
    ignores it.
    """
    if tag.startswith(PREFIX):
        return tag in patterns
    literal = (pattern.replace("[", "[[]").replace("?", "[?]") for pattern in patterns)
    return tag.startswith("aws:") or any(fnmatchcase(tag, pattern) for pattern in literal)


def compared_tags(
    observed: Mapping[str, str], desired: Collection[str], patterns: Collection[str]
) -> dict[str, str]:
    """The tags of a thing that are compared: those that the spec gives it, and all that are not ignored."""
    return {key: value for key, value in observed.items() if key in desired or not is_ignored(key, patterns)}
