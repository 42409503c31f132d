"""The launch tag: what DescribeInstances does not show of a member, written down when it is launched.

Word by word, one for each row of table.py that is remembered, so that a plan can say which of them
differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from provisioner.kinds.fleet.settings.remembered import (
    Remembered,
    fields_of_root,
    image_source,
    write_fields,
)
from provisioner.kinds.fleet.settings.setting import NOT_COMPARED, Setting
from provisioner.kinds.fleet.settings.table import SETTINGS
from provisioner.kinds.fleet.settings.volume_drift import ROOT_WORD
from provisioner.kinds.fleet.spec import Fleet
from provisioner.kinds.fleet.user_data.parts import part_names
from provisioner.kinds.instances import Instance
from provisioner.naming import LAUNCH_TAG

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
MAX_LENGTH = 256
# As what each member was launched, which is added when the launch is sent; the longest is such as this.
_TYPE = Remembered("type", "[a-z0-9]+[a-z0-9.-]*", lambda fleet: None)
_LONGEST_TYPE = "u7inh-32tb.480xlarge"
# What a record that is too long leaves out of its root volume, in this order: plans read the volume then.
_LEFT_OUT = ("iops", "throughput", "type")
# The parts of ours that its user data has, which are compared with nothing.
PARTS = Remembered("parts", "[a-z]+(,[a-z]+)*", lambda fleet: ",".join(part_names(fleet)) or None)
_WORDS: Mapping[str, Remembered] = {
    remembered.word: remembered
    for remembered in (*(setting.remembered for setting in SETTINGS), PARTS, _TYPE)
    if remembered
}
# What keeps a member from being terminated, as its words; protection against stopping does too.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-stop-protection.html
_PROTECTING = {
    setting.remembered.word: setting for setting in SETTINGS if setting.protects and setting.remembered
}


def launch_record(fleet: Fleet) -> dict[str, str]:
    """What DescribeInstances will not show of a member launched now."""
    texts = {word: remembered.text(fleet) for word, remembered in _WORDS.items()}
    return fitted({word: text for word, text in texts.items() if text is not None})


def fitted(record: Mapping[str, str]) -> dict[str, str]:
    """A launch record that a tag has room for, whichever type is added."""
    record = dict(record)
    root = fields_of_root(record.get(ROOT_WORD.word, ""))
    for name in _LEFT_OUT:
        length = len(write_record({**record, _TYPE.word: _LONGEST_TYPE}))
        if length > MAX_LENGTH and name in root:
            del root[name]
            record[ROOT_WORD.word] = write_fields(root)
    return record


def last_of_same_source(fleet: Fleet, members: Sequence[Instance]) -> Instance | None:
    """The last of the members whose image came from what the spec names now."""
    source = image_source(fleet.image)
    return next((m for m in reversed(members) if read_record(m).get("image", source) == source), None)


def write_record(record: Mapping[str, str]) -> str:
    """A launch record as the value of a tag."""
    return " ".join(f"{name}={value}" for name, value in record.items())


def read_record(instance: Instance) -> Mapping[str, str]:
    """The launch record of a member; empty when it has none."""
    return _parse_record(instance.tag(LAUNCH_TAG) or "")


@lru_cache(maxsize=1024)
def _parse_record(text: str) -> Mapping[str, str]:
    return MappingProxyType(dict(word.split("=", 1) for word in text.split() if _is_possible(word)))


def has_part(instance: Instance, name: str) -> bool:
    """Whether a member was launched with a part of ours, by its name, in its user data."""
    return name in (PARTS.of(instance) or "").split(",")


def impossible_words(instance: Instance) -> tuple[str, ...]:
    """What is in a launch record and cannot have been written there by a launch."""
    return _impossible_in(instance.tag(LAUNCH_TAG) or "")


@lru_cache(maxsize=1024)
def _impossible_in(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split() if not _is_possible(word))


def _is_possible(word: str) -> bool:
    name, _, value = word.partition("=")
    return name in _WORDS and _WORDS[name].is_possible(value)


def is_protected(instance: Instance) -> bool:
    """Whether the member was given protection from termination by us."""
    return _protects(instance.tag(LAUNCH_TAG) or "")


@lru_cache(maxsize=1024)
def _protects(tag: str) -> bool:
    record = _parse_record(tag)
    return any(record.get(word) == "on" for word in _PROTECTING)


def protections(members: Iterable[Instance], fleet: Fleet | None = None) -> list[str]:
    """The settings by which some of the members are protected from termination.

    With a `fleet`: not those that its spec takes away.
    """
    words = {word for member in members for word, value in read_record(member).items() if value == "on"}
    return [
        setting.path
        for word, setting in _PROTECTING.items()
        if word in words and (fleet is None or _is_lasting(setting, fleet))
    ]


def _is_lasting(setting: Setting, fleet: Fleet) -> bool:
    return fleet.ignores(setting.path) or setting.desired(fleet) in ("on", NOT_COMPARED)


def stays_protected(instance: Instance, fleet: Fleet) -> bool:
    """Whether the member is under protection from termination, and not to lose it by this very plan."""
    record = read_record(instance)
    return any(
        record.get(word) == "on" and _is_lasting(setting, fleet) for word, setting in _PROTECTING.items()
    )


def stays_unstoppable(instance: Instance, fleet: Fleet) -> bool:
    """Whether EC2 will refuse to stop the member once it is as the spec says."""
    desired = fleet.says("stop_protection")
    return bool(desired) or (desired is None and read_record(instance).get("stop") == "on")
