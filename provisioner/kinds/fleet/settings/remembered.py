"""How the launch tag has what DescribeInstances does not show: each setting as one short word.

A tag takes 256 characters: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from provisioner.kinds.base import Reader
from provisioner.kinds.fleet.spec import Fleet, Image, Volume, as_fields
from provisioner.kinds.instances import Instance
from provisioner.lazy_dataclass import dataclass
from provisioner.naming import LAUNCH_TAG

# What changes while a volume is attached, and the device, which tells which volume it is.
NOT_FIXED = ("device", "delete_on_termination")
# What stands for volumes, or a key, that were read and are not as the spec says. No launch writes it.
OTHER = "other"
DIGEST = "none|[0-9a-f]{12}"
# Further volumes: what is fixed at launch, and what EBS modifies while they are attached.
TWO_DIGESTS = r"[0-9a-f]{8}\.[0-9a-f]{8}"


@dataclass(frozen=True)
class Remembered:
    """A word of the launch tag.

    `values` is the pattern of what a launch writes: whoever may write tags can write others, which are passed
    over. `text` is what is written for a fleet, None where nothing is. `read` reads what is true of a member
    now, as it would be written; None: nothing tells. `after` is what is written once settings that it covers
    were changed on a member, where that is not `text`; None: nothing.
    """

    word: str
    values: str
    text: Callable[[Fleet], str | None]
    read: Callable[[Reader, Instance], str | None] | None = None
    after: Callable[[Fleet, Instance], str | None] | None = None

    def of(self, instance: Instance) -> str | None:
        """What the launch tag of an instance says of it; None: nothing, or what no launch writes."""
        return self.said_in(instance.tag(LAUNCH_TAG) or "")

    def said_in(self, tag: str) -> str | None:
        """What a launch tag says of it, the same way."""
        return _value_in(tag, self.word, self.values)

    def is_left_out(self, instance: Instance) -> bool:
        """Whether an instance has a launch tag that says nothing of it, right or wrong."""
        return self.is_left_out_of(instance.tag(LAUNCH_TAG) or "")

    def is_left_out_of(self, tag: str) -> bool:
        """Whether a launch tag that says something says nothing of it."""
        names = _names_in(tag)
        return bool(names) and self.word not in names

    def is_possible(self, value: str) -> bool:
        """Whether a launch may have written this."""
        return _is_possible(self.values, value)


# Most members of a fleet have the same tag, which is looked at for each setting and many times.
@lru_cache(maxsize=4096)
def _value_in(tag: str, word: str, values: str) -> str | None:
    parts = (part.partition("=") for part in tag.split())
    return next((value for name, _, value in parts if name == word and _is_possible(values, value)), None)


@lru_cache(maxsize=1024)
def _names_in(tag: str) -> frozenset[str]:
    return frozenset(part.partition("=")[0] for part in tag.split())


def _is_possible(values: str, value: str) -> bool:
    return re.fullmatch(values, value, re.ASCII) is not None


def attribute(reader: Reader, instance: Instance, name: str) -> Any:
    """An attribute that DescribeInstances does not show. Raises AwsError.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceAttribute.html
    """
    answer = reader.call("ec2", "DescribeInstanceAttribute", InstanceId=instance.id, Attribute=name)
    return answer[name[:1].upper() + name[1:]].get("Value")


def switch(word: str, text: Callable[[Fleet], bool | None], name: str) -> Remembered:
    """An attribute of instances that is on or off."""
    words = {True: "on", False: "off", None: None}

    def read(reader: Reader, instance: Instance) -> str:
        return "on" if attribute(reader, instance, name) else "off"

    return Remembered(word, "on|off", lambda fleet: words[text(fleet)], read)


def image_source(image: Image) -> str:
    """What the spec says of where the image comes from, in short; `id` if it is the image itself."""
    source = (image.ssm, image.owner, image.name, image.architecture)
    return _digest(json.dumps(source).encode()) if image.ssm or image.owner else "id"


def user_data_record(user_data: bytes) -> str:
    """How the launch tag has user data."""
    return _digest(user_data) if user_data else "none"


def root_record(volume: Volume | None) -> str:
    """How the launch tag has a root volume, as far as anything is said of it."""
    said = volume_fields(volume) if volume else {}
    if "kms_key_id" in said:
        said["kms_key_id"] = _digest(said["kms_key_id"].encode())
    return write_fields(said)


def volume_fields(volume: Volume) -> dict[str, str]:
    """What is said of a volume that is fixed at launch, as text; nothing of what is left to AWS."""
    fixed = {name: value for name, value in as_fields(volume).items() if name not in NOT_FIXED}
    return {name: value if isinstance(value, str) else str(value).lower() for name, value in fixed.items()}


def write_fields(fields: Mapping[str, str]) -> str:
    """The fields of a root volume as the launch tag has them."""
    return ",".join(sorted(f"{name}:{value}" for name, value in fields.items())) or "none"


def fields_of_root(text: str) -> dict[str, str]:
    """What `write_fields` wrote."""
    return dict(field.split(":", 1) for field in text.split(",") if ":" in field)


def volumes_record(fleet: Fleet) -> str:
    """How the launch tag has the other volumes: `TWO_DIGESTS`, as a change of size is none of a key."""
    fixed, modified = ("device", "encrypted", "kms_key_id"), ("size_gb", "type", "iops", "throughput")
    parts = (
        _of_volumes([{name: getattr(volume, name) for name in names} for volume in fleet.volumes])
        for names in (fixed, modified)
    )
    return ".".join(part[:8] for part in parts) if fleet.volumes else "none"


def fixed_in(record: str) -> str:
    """What is fixed at launch of the volumes that `volumes_record` was made of."""
    return record.partition(".")[0]


def volumes_records_of_before(fleet: Fleet) -> tuple[str, str]:
    """The same as it was written when it was one digest, at first also of `delete_on_termination`."""
    said = [as_fields(volume) for volume in fleet.volumes]
    return _of_volumes([{**volume, "delete_on_termination": True} for volume in said]), _of_volumes(said)


def _of_volumes(volumes: list[dict[str, Any]]) -> str:
    return _digest(json.dumps(volumes, sort_keys=True).encode()) if volumes else "none"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
