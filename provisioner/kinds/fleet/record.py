"""The launch record: what DescribeInstances does not show of a member, written down at launch in a tag.

Setting by setting, so that a plan can say which of them differs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from provisioner.kinds.fleet.desired import Fleet, Image, Volume, as_fields
from provisioner.kinds.instances import Instance
from provisioner.naming import LAUNCH_TAG


def launch_record(fleet: Fleet) -> dict[str, str]:
    """What DescribeInstances will not show of a member launched now."""
    volumes = [as_fields(volume) for volume in fleet.volumes]
    public = {None: "subnet", True: "yes", False: "no"}[fleet.associate_public_ip]
    return {
        "user_data": user_data_record(fleet.user_data),
        "protection": "on" if fleet.termination_protection else "off",
        "shutdown": fleet.shutdown_behavior,
        "root_volume": root_record(fleet.root_volume),
        "volumes": _digest(json.dumps(volumes, sort_keys=True).encode()) if volumes else "none",
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
    return ",".join(sorted(_root_fields(volume))) or "none"


def _root_fields(volume: Volume | None) -> Iterator[str]:
    """What is said of the root volume, one text for each field; nothing of what is left to AWS."""
    for name, value in as_fields(volume).items() if volume else ():
        if name == "delete_on_termination":
            # The root volume always goes with its instance.
            continue
        yield f"{name}:{_digest(value.encode()) if name == 'kms_key_id' else str(value).lower()}"


def write_record(record: Mapping[str, str]) -> str:
    """A launch record as the value of a tag."""
    return " ".join(f"{name}={value}" for name, value in record.items())


def read_record(instance: Instance) -> Mapping[str, str]:
    """The launch record of a member; empty when it has none."""
    return _parse_record(instance.tag(LAUNCH_TAG) or "")


@lru_cache(maxsize=1024)
def _parse_record(text: str) -> Mapping[str, str]:
    return MappingProxyType(dict(word.split("=", 1) for word in text.split() if "=" in word))


def is_protected(instance: Instance) -> bool:
    """Whether the member was given termination protection by us."""
    return read_record(instance).get("protection") == "on"


def stays_protected(instance: Instance, fleet: Fleet) -> bool:
    """Whether the member is under termination protection, and not to lose it by this very plan."""
    return fleet.termination_protection and is_protected(instance)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
