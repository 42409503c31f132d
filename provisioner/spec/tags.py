"""What a schema cannot say about tags: what the environment's and an entry's make together, and who takes it.

EC2 takes any character and tells keys apart by case; IAM takes fewer and ignores case:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from provisioner.kinds.base import AnyKind, Path
from provisioner.spec.document import Document
from provisioner.spec.nodes import Located
from provisioner.spec.wording import quoted

# AWS takes 50 on a thing; some of them are our own.
MAX_TAGS = 40
# https://www.w3.org/TR/xml/#charsets
# Compiled where it is needed, as that takes longer than to read a spec: all of these are not printable.
NOT_IN_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
IAM_TAKES = "IAM takes letters, digits, spaces and _.:/=+-@ only"


def tag_problems(document: Document, spec: Mapping[str, Any], kinds: Sequence[AnyKind]) -> Iterator[Located]:
    """The problems of the tags of a whole spec, each told once, where it can be put right."""
    common = texts(spec.get("tags"))
    if len(common) > MAX_TAGS:
        return
    told: set[tuple[Path, str]] = set()
    for kind in kinds:
        section = spec.get(kind.section)
        for key, raw in section.items() if isinstance(section, dict) else ():
            if not isinstance(raw, dict):
                continue
            place: Path = (kind.section, key, "tags")
            own = texts(raw.get("tags"))
            in_all = len({**common, **own})
            if in_all > MAX_TAGS >= max(len(common), len(own)):
                message = f"with those of the environment {in_all} tags, and {MAX_TAGS} are allowed"
                yield document.located(place, message, at_key=True)
            refused = _refused_by_iam if kind.is_of_iam else _refused_by_ec2
            for tag, message in refused(common, own):
                path = (*place, tag) if tag in own else ("tags", tag)
                whose = "" if tag in own else f", and {kind.section}.{key} has this tag too"
                if (path, message) not in told:
                    told.add((path, message))
                    yield document.located(path, message + whose, at_key=True)


def texts(tags: Any) -> dict[str, str]:
    """The tags among anything that a spec may have in their place."""
    if not isinstance(tags, dict):
        return {}
    return {key: value for key, value in tags.items() if isinstance(key, str) and isinstance(value, str)}


def _refused_by_ec2(common: Mapping[str, str], own: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The keys of the tags that EC2 refuses, and why: it takes any character that its answers can hold."""
    for key, value in {**common, **own}.items():
        for part, text in (("key", key), ("value", value)):
            if not text.isprintable() and (found := re.search(NOT_IN_XML, text)):
                yield key, f"the {part} has the character U+{ord(found[0]):04X}, which AWS does not take"


def _refused_by_iam(common: Mapping[str, str], own: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The keys of the tags that IAM refuses on one thing, and why; those of the entry win over the common."""
    first: dict[str, str] = {}
    for key, value in {**common, **own}.items():
        other = first.setdefault(key.lower(), key)
        if other != key:
            message = f"differs only in case from the tag {quoted(other)}, which is the same tag for IAM"
            # An entry's own is told of, also where the key of the environment stands after it.
            yield (key if key in own or other not in own else other), message
        if odd := _odd(key):
            yield key, f"the key has the character {quoted(odd)}; {IAM_TAKES}"
        if odd := _odd(value):
            yield key, f"the value has the character {quoted(odd)}; {IAM_TAKES}"


@cache  # The tags of the environment are those of every entry.
def _odd(text: str) -> str:
    """The first character that IAM does not take in a tag, if there is one."""
    odd = (char for char in text if char not in "_.:/=+-@" and unicodedata.category(char)[0] not in "LZN")
    return next(odd, "")
