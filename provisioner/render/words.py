"""How single things are put into words: values, counts, kinds, durations."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from provisioner.canonical import jsonable
from provisioner.model import Address, Change, UserData, how_many
from provisioner.visible import ASCII_FORMS, presentable

_AWS_MANAGED = ":iam::aws:policy/"
# A name, and the last number in it.
_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})([^0-9]*)", re.DOTALL)
# How many digits of a SHA-256 tell user data apart.
SHOWN_DIGITS = 12
# What stands between things on a line, and between items of a list or a mapping.
_OF_LINES = tuple(f" {mark} " for sign in "→·" for mark in (sign, ASCII_FORMS[sign]))
_OF_LISTS = (", ", "=", "[", "{")


def count(number: int, noun: str) -> str:
    """`1 role`, `50 instances`, `1,000 API calls`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def breakdown(changes: Iterable[Change]) -> str:
    """What changes concern, the most numerous first: `50 instances, 1 role, 1 instance profile`."""
    counted: Counter[str] = Counter()
    for (address, unit), number in how_many(changes).items():
        counted[unit or address.kind.replace("_", " ")] += number
    return ", ".join(count(number, noun) for noun, number in counted.most_common() if number)


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 5 s`; less than can be told is `under 0.1 s`."""
    if seconds < 0.05:
        return "under 0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def shown(value: Any) -> str:
    """A value of a field, whole and on one line."""
    match value:
        case UserData():
            return _user_data(value)
        case str() | Address() | Enum():
            return _text(str(jsonable(value)))
    value = jsonable(value)
    match value:
        case None:
            return "nothing"
        case list():
            return ", ".join(map(shown_item, value)) or "none"
        case dict():
            return ", ".join(f"{shown_item(key)}={shown_item(item)}" for key, item in value.items()) or "none"
        case _:
            return json.dumps(value)


def shown_item(value: Any) -> str:
    """A value within another, such that it can be told from those beside it."""
    value = jsonable(value)
    match value:
        case str():
            return _text(value, (*_OF_LINES, *_OF_LISTS))
        case list() | dict():
            return _text(json.dumps(value, ensure_ascii=False), ())
        case _:
            return shown(value)


def labelled(ids: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Ids with what people call them: the Name beside its id, or once in front where all have the same."""
    distinct = {names.get(instance_id) for instance_id in ids}
    if len(distinct) > 1 or len(ids) == 1:
        return [
            f"{instance_id} ({names[instance_id]})" if instance_id in names else instance_id
            for instance_id in ids
        ]
    return [*(f"{name}:" for name in distinct if name), *ids]


def called(names: Iterable[str]) -> list[str]:
    """Names by their patterns, in order: `web`, `web-[01-03, 07]`."""
    counted = Counter(names)
    patterns: dict[tuple[str, str], list[str]] = {}
    for name in counted:
        found = _NUMBERED.fullmatch(name)
        start, number, end = found.groups() if found else (name, "", "")
        patterns.setdefault((start, end), []).append(number)
    told = []
    for (start, end), numbers in patterns.items():
        several = [number for number in numbers if number]
        if len(several) < 2 or len(several) < len(numbers):
            told += [presentable(f"{start}{number}{end}") for number in numbers]
        else:
            told.append(presentable(f"{start}[{', '.join(_ranges(several))}]{end}"))
    return told


def _ranges(numbers: Iterable[str]) -> list[str]:
    """Numbers as they are written, those that follow each other as a range: `01-03`, `7`."""
    ordered = sorted(numbers, key=lambda number: (len(number), number))
    runs: list[list[str]] = []
    for number in ordered:
        follows = runs and int(number) == int(runs[-1][-1]) + 1
        runs[-1].append(number) if follows else runs.append([number])
    return [run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


def is_policy(value: Any) -> bool:
    """Whether a value is an IAM policy document."""
    return isinstance(value, Mapping) and "Statement" in value


def shown_word(value: Any) -> str:
    """A value in a sentence: in quotes where it could be taken for more than one word of it."""
    value = jsonable(value)
    return _text(value, (" ", ",")) if isinstance(value, str) else shown_item(value)


def _user_data(value: UserData) -> str:
    name = [shown_item(value.name)] if value.name else []
    size = [] if value.size is None else [count(value.size, "byte")]
    return ", ".join([*name, *size, f"sha256 {value.digest[:SHOWN_DIGITS]}"])


def _text(text: str, taken: Sequence[str] = _OF_LINES) -> str:
    """A text as it is; in quotes where it could be taken for something else, or its spaces would be lost."""
    if text.startswith("arn:") and _AWS_MANAGED in text:
        return presentable(text.partition(_AWS_MANAGED)[2])
    is_kept = text and text == text.strip(" ") and "  " not in text
    is_plain = is_kept and not text.startswith('"') and not any(mark in text for mark in taken)
    return presentable(text if is_plain else json.dumps(text, ensure_ascii=False))
