"""The launch record: what DescribeInstances does not show of a member, written down at launch in a tag.

Setting by setting, so that a plan can say which of them differs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from provisioner.kinds.fleet.spec import Fleet, Image, Volume, as_fields
from provisioner.kinds.instances import Instance
from provisioner.naming import LAUNCH_TAG

# What changes while a volume is attached, and the device, which tells which volume it is.
NOT_FIXED = ("device", "delete_on_termination")
# What stands for volumes, or a key, that were read and are not as the spec says. No launch writes it.
OTHER = "other"
_DIGEST = re.compile(r"none|[0-9a-f]{12}")
# Whoever may write tags can write others. What cannot be a launch's is passed over, and decides nothing.
_VALUES: Mapping[str, re.Pattern[str]] = {
    "user_data": _DIGEST,
    "protection": re.compile("on|off"),
    "shutdown": re.compile("stop|terminate"),
    "root_volume": re.compile(r"none|[a-z_]+:[\w.-]+(,[a-z_]+:[\w.-]+)*", re.ASCII),
    "volumes": re.compile(f"{_DIGEST.pattern}|{OTHER}"),
    "public_ip": re.compile("subnet|yes|no"),
    "image": re.compile(r"id|[0-9a-f]{12}"),
    "type": re.compile(r"[a-z0-9]+[a-z0-9.-]*"),
}


def launch_record(fleet: Fleet) -> dict[str, str]:
    """What DescribeInstances will not show of a member launched now."""
    public = {None: "subnet", True: "yes", False: "no"}[fleet.associate_public_ip]
    return {
        "user_data": user_data_record(fleet.user_data),
        "protection": "on" if fleet.termination_protection else "off",
        "shutdown": fleet.shutdown_behavior,
        "root_volume": root_record(fleet.root_volume),
        "volumes": volumes_record(fleet),
        "public_ip": public,
        "image": image_source(fleet.image),
    }


def image_source(image: Image) -> str:
    """What the spec says of where the image comes from, in short; `id` if it is the image itself."""
    source = (image.ssm, image.owner, image.name, image.architecture)
    return _digest(json.dumps(source).encode()) if image.ssm or image.owner else "id"


def of_same_source(fleet: Fleet, members: Iterable[Instance]) -> list[Instance]:
    """The members whose image came from what the spec names now."""
    source = image_source(fleet.image)
    return [each for each in members if read_record(each).get("image", source) == source]


def user_data_record(user_data: bytes) -> str:
    """How the launch record has user data."""
    return _digest(user_data) if user_data else "none"


def root_record(volume: Volume | None) -> str:
    """How the launch record has a root volume, as far as anything is said of it."""
    said = volume_fields(volume) if volume else {}
    if "kms_key_id" in said:
        said["kms_key_id"] = _digest(said["kms_key_id"].encode())
    return write_fields(said)


def volume_fields(volume: Volume) -> dict[str, str]:
    """What is said of a volume that is fixed at launch, as text; nothing of what is left to AWS."""
    fixed = {name: value for name, value in as_fields(volume).items() if name not in NOT_FIXED}
    return {name: value if isinstance(value, str) else str(value).lower() for name, value in fixed.items()}


def write_fields(fields: Mapping[str, str]) -> str:
    """The fields of a root volume as the launch record has them."""
    return ",".join(sorted(f"{name}:{value}" for name, value in fields.items())) or "none"


def fields_of_root(text: str) -> dict[str, str]:
    """What `write_fields` wrote."""
    return dict(each.split(":", 1) for each in text.split(",") if ":" in each)


def volumes_record(fleet: Fleet) -> str:
    """How the launch record has the other volumes: what cannot be changed while they are attached."""
    return _of_volumes([{**as_fields(each), "delete_on_termination": True} for each in fleet.volumes])


def volumes_record_of_before(fleet: Fleet) -> str:
    """The same as it was written when it covered `delete_on_termination`."""
    return _of_volumes([as_fields(each) for each in fleet.volumes])


def _of_volumes(volumes: list[dict[str, Any]]) -> str:
    return _digest(json.dumps(volumes, sort_keys=True).encode()) if volumes else "none"


def write_record(record: Mapping[str, str]) -> str:
    """A launch record as the value of a tag."""
    return " ".join(f"{name}={value}" for name, value in record.items())


def read_record(instance: Instance) -> Mapping[str, str]:
    """The launch record of a member; empty when it has none."""
    return _parse_record(instance.tag(LAUNCH_TAG) or "")


@lru_cache(maxsize=1024)
def _parse_record(text: str) -> Mapping[str, str]:
    return MappingProxyType(dict(word.split("=", 1) for word in text.split() if _is_possible(word)))


def impossible_words(instance: Instance) -> list[str]:
    """What is in a launch record and cannot have been written there by a launch."""
    return [word for word in (instance.tag(LAUNCH_TAG) or "").split() if not _is_possible(word)]


def _is_possible(word: str) -> bool:
    name, _, value = word.partition("=")
    return name in _VALUES and _VALUES[name].fullmatch(value) is not None


def is_protected(instance: Instance) -> bool:
    """Whether the member was given termination protection by us."""
    return read_record(instance).get("protection") == "on"


def stays_protected(instance: Instance, fleet: Fleet) -> bool:
    """Whether the member is under termination protection, and not to lose it by this very plan."""
    return fleet.termination_protection and is_protected(instance)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
