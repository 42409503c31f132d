"""An instance profile as a spec asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.kinds.base import Entry
from provisioner.kinds.iam import (
    Named,
    parse_tags,
)
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address
from provisioner.naming import default_name, iam_path

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MAX_NAME = 128


@dataclass(frozen=True)
class InstanceProfile(Named):
    """An instance profile; `role` is the role's address."""

    path: str
    role: Address
    tags: Mapping[str, str]
    keep: bool | None = None

    @property
    def uses(self) -> frozenset[Address]:
        return frozenset({self.role})


def parse_profile(key: str, raw: Mapping[str, Any], entry: Entry) -> InstanceProfile:
    """The entry as an InstanceProfile; what a schema cannot say is reported to `entry`."""
    name = raw.get("name", default_name(entry.environment, key))
    if len(name) > MAX_NAME:
        entry.problem(
            ("name",) if "name" in raw else (),
            f"the instance profile would be called {name}, which is {len(name)} characters",
            f"IAM takes at most {MAX_NAME}; give it a shorter `name:`",
        )
    entry.check_reference(("role",), "roles", raw["role"])
    return InstanceProfile(
        name=name,
        path=iam_path(entry.environment),
        role=Address("role", raw["role"]),
        tags=parse_tags(raw, entry),
        keep=raw.get("keep"),
    )
