"""What moto knows of AWS's instance types."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def instance_types() -> dict[str, dict[str, Any]]:
    """What DescribeInstanceTypes shows, by type.

    Not imported when tests are collected, as all processes do: with this comes moto, which takes a second.
    """
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    found: dict[str, dict[str, Any]] = INSTANCE_TYPES
    return found
