"""Whom to log in as: the user that an image comes with, by what EC2 says of the image.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/managing-users.html#ami-default-user-names, and of each
distribution what it says itself. An image that says nothing of these is somebody's own: its user is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

WINDOWS = "Administrator"
# The first that fits; who packs software for a distribution before the distribution.
_FAMILIES = (
    ("bitnami", r"bitnami"),
    ("ec2-user", r"bottlerocket"),
    ("core", r"flatcar|coreos"),
    ("ubuntu", r"ubuntu"),
    ("admin", r"debian"),
    ("rocky", r"rocky"),
    ("ec2-user", r"alma ?linux"),
    # https://www.centos.org/download/aws-images/
    ("ec2-user", r"centos[ -]stream[ -](?:9|\d{2})"),
    ("centos", r"centos"),
    ("fedora", r"fedora"),
    ("kali", r"kali"),
    ("arch", r"arch[ -]?linux"),
    ("alpine", r"alpine"),
    ("root", r"nixos"),
    ("ec2-user", r"freebsd"),
    ("ec2-user", r"rhel|red ?hat"),
    ("ec2-user", r"(?:open)?suse|sles"),
    ("ec2-user", r"oracle[ -]?linux|ol[789]"),
    ("ec2-user", r"amazon[ -]?linux|amazon-eks|amzn|al20\d{2}"),
    ("ec2-user", r"macos"),
)
_PATTERNS = tuple(
    (user, re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])|(?<![a-z])(?:{pattern})(?=linux|os|server|[-_\d])"))
    for user, pattern in _FAMILIES
)
_SAYING = ("Name", "ImageLocation", "Description", "PlatformDetails")


def user_of(image: Mapping[str, Any]) -> str | None:
    """The user of an image as DescribeImages shows it; None: not known."""
    if str(image.get("Platform") or "").lower() == "windows":
        return WINDOWS
    for field in _SAYING:
        said = str(image.get(field) or "").lower()
        for user, pattern in _PATTERNS:
            if pattern.search(said):
                return user
    return None
