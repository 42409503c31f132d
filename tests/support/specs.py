"""Specs to start from, and ways to write others in few words."""

from __future__ import annotations

import copy
from typing import Any

IMAGE = {"ssm": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"}

WRITE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "arn:aws:s3:::results/*"}],
}

# Something in every field that can drift.
PROBE: dict[str, Any] = {
    "environment": "probe",
    "region": "us-east-1",
    "tags": {"team": "data"},
    "roles": {
        "worker": {
            "description": "Works",
            "managed_policies": ["AmazonS3ReadOnlyAccess", "AmazonSSMManagedInstanceCore"],
            "inline_policies": {"write": WRITE},
            "permissions_boundary": "PowerUserAccess",
            "max_session_duration": 7200,
        },
    },
    "instance_profiles": {"worker": {"role": "worker"}},
    "fleets": {
        "worker": {
            "count": 2,
            "instance_profile": "worker",
            "image": IMAGE,
            "instance_type": "t3.micro",
            "security_groups": ["default"],
            "user_data": "#!/bin/sh\n",
        },
    },
}

# No instances, for what concerns IAM only.
ROLES_ONLY: dict[str, Any] = {
    **{key: PROBE[key] for key in ("environment", "region", "tags")},
    "roles": {"worker": {}},
    "instance_profiles": {"worker": {"role": "worker"}},
}

# A profile for instances that belong to others.
ATTACHING: dict[str, Any] = {
    **ROLES_ONLY,
    "attachments": {"box": {"instance_profile": "worker", "instances": ["i-0123456789abcdef0"]}},
}


def having(spec: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A copy of a spec with other values; `fleets__worker__count=3` is fleets.worker.count."""
    changed = copy.deepcopy(spec)
    for path, value in fields.items():
        *parents, last = path.split("__")
        inner = changed
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return changed


def lacking(spec: dict[str, Any], *paths: str) -> dict[str, Any]:
    """A copy of a spec without some of its fields, such as `fleets.worker`."""
    changed = copy.deepcopy(spec)
    for path in paths:
        *parents, last = path.split(".")
        inner = changed
        for parent in parents:
            inner = inner[parent]
        del inner[last]
    return changed


def called(spec: dict[str, Any], environment: str) -> dict[str, Any]:
    """A copy of a spec for another environment."""
    return having(spec, environment=environment)
