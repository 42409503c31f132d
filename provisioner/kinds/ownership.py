"""Whose a security group or a key pair is: it has neither a token nor a path, so two tags say it.

Both are set by the call that makes it, and one alone is easily copied. What has lost one of them, and what
has only been given one, look the same, and are foreign.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from provisioner.kinds.instances import chunks
from provisioner.model import Address, Note
from provisioner.naming import ENVIRONMENT_TAG, MARKS, key_of

MAX_IDS_OF_A_COMMAND = 20
MAX_TOLD = 10
# Where foreign things are told; no key in a spec can look like it.
FOREIGN = "(foreign)"


class Foreign(NamedTuple):
    """Something that carries the environment's tag without the other one."""

    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.id} ({self.name})"


def is_ours(kind: str, tags: Mapping[str, str], environment: str) -> bool:
    """Whether something of a kind is the environment's, as far as its tags say it."""
    return tags.get(ENVIRONMENT_TAG) == environment and has_mark(kind, tags)


def has_mark(kind: str, tags: Mapping[str, str]) -> bool:
    """Whether something has the tag that all of its kind get here, besides the environment's."""
    return kind not in MARKS or MARKS[kind] in tags


def whose(kind: str, tags: Mapping[str, str], environment: str) -> str:
    """Whose something is that is not the environment's, in words."""
    owner, mark = tags.get(ENVIRONMENT_TAG), MARKS[kind]
    if owner == environment:
        return f"it carries {ENVIRONMENT_TAG}, but not {mark}, as all that this environment makes: foreign"
    if owner:
        return f"environment {owner} has it"
    if mark in tags:
        return f"it carries {mark}, but not {ENVIRONMENT_TAG}, as all that an environment makes: foreign"
    return "it is not this environment's"


def way_back(at: Address, id_: str, tags: Mapping[str, str], environment: str, region: str) -> str:
    """What to type where somebody took one of the two tags off what is ours, and a semicolon; or nothing."""
    owner = tags.get(ENVIRONMENT_TAG)
    if owner == environment:
        tag = f"Key={MARKS[at.kind]},Value={at.key}"
    elif owner is None and MARKS[at.kind] in tags:
        tag = f"Key={ENVIRONMENT_TAG},Value={environment}"
    else:
        return ""
    command = _command("create", region, [id_], tag)
    return f"if it was made for this environment, put the tag back: `{command}`; else "


def foreign_text(kind: str, foreign: Sequence[Foreign]) -> str:
    """What is foreign, and why."""
    return (
        f"{', '.join(map(str, foreign))} with the tag {ENVIRONMENT_TAG} of this environment and without "
        f"{MARKS[kind]}, which all that it makes has: foreign, and left alone"
    )


def foreign_notes(kind: str, foreign: Sequence[Foreign], environment: str, region: str) -> Iterable[Note]:
    """The warning about what is foreign, with how to take its tag off, and how to put the other one back."""
    if not foreign:
        return
    at = Address(kind, FOREIGN)
    taking_off = tuple(
        _command("delete", region, part, f"Key={ENVIRONMENT_TAG}")
        for part in chunks([each.id for each in foreign], MAX_IDS_OF_A_COMMAND)
    )
    yield Note(at, f"{foreign_text(kind, foreign)}. To take the tag off:", taking_off, is_warning=True)
    told = foreign[:MAX_TOLD]
    putting_back = tuple(
        _command("create", region, [each.id], f"Key={MARKS[kind]},Value={_key(each, environment)}")
        for each in told
    )
    text = f"What of these was made for this environment, and has lost {MARKS[kind]}, is back with:"
    yield Note(at, text, putting_back)


def _key(foreign: Foreign, environment: str) -> str:
    """The key that something had, as far as its name tells it; others choose names, and people run this."""
    key = key_of(foreign.name, environment, ())
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key, re.ASCII) else "KEY"


def _command(verb: str, region: str, ids: Iterable[str], tag: str) -> str:
    return f"aws ec2 {verb}-tags --region {region} --resources {' '.join(ids)} --tags {tag}"
