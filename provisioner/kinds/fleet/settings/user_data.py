"""User data: how it is read, and how a plan tells it without showing what it says."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.settings.remembered import (
    DIGEST,
    Remembered,
    attribute,
    user_data_record,
)
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.fleet.user_data.composing import user_data_in
from provisioner.kinds.instances import Instance
from provisioner.model import UserData

# Where the description of an instance has what was read of it, which DescribeInstances never shows.
_READ = "UserData"


def with_user_data(reader: Reader, instance: Instance) -> Instance:
    """The instance with its user data in its description. Raises AwsError."""
    content = attribute(reader, instance, "userData") or ""
    return replace(instance, described={**instance.described, _READ: content})


def _own(member: Instance) -> bytes:
    """The user's own of the user data that was read."""
    return user_data_in(base64.b64decode(member.described[_READ]))


def _read(reader: Reader, instance: Instance) -> str:
    if _READ not in instance.described:
        instance = with_user_data(reader, instance)
    return user_data_record(_own(instance))


USER_DATA = Remembered("user_data", DIGEST, lambda fleet: user_data_record(fleet.user_data), _read)


def wanted_user_data(fleet: Fleet) -> UserData | None:
    """What the spec asks for, for a plan; None: nothing."""
    return _told(fleet.user_data, fleet.says("user_data.file"))


def observed_user_data(member: Instance) -> UserData | None:
    """What a member has, for a plan: all of it where it was read, else what was written down."""
    if _READ in member.described:
        return _told(_own(member), None)
    record = USER_DATA.of(member)
    return None if record in (None, user_data_record(b"")) else UserData(record or "")


def _told(content: bytes, name: Any) -> UserData | None:
    if not content:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        # Packed, for instance.
        text = None
    return UserData(user_data_record(content), name, len(content), text)
