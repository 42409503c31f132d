"""How single things are put into words: values, counts, kinds, durations."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from provisioner.canonical import jsonable
from provisioner.model import Change, how_many
from provisioner.visible import presentable

_AWS_MANAGED = ":iam::aws:policy/"


def count(number: int, noun: str) -> str:
    """`1 role`, `50 instances`, `1,000 API calls`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def breakdown(changes: Iterable[Change]) -> str:
    """What changes concern, the most numerous first: `50 instances, 1 role, 1 instance profile`."""
    counted: Counter[str] = Counter()
    for (address, unit), number in how_many(changes).items():
        counted[unit or address.kind.replace("_", " ")] += number
    return ", ".join(count(number, each) for each, number in counted.most_common() if number)


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 5 s`; less than can be told is `under 0.1 s`."""
    if seconds < 0.05:
        return "under 0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def shown(value: Any) -> str:
    """A value of a field, on one line."""
    value = jsonable(value)
    match value:
        case None:
            return "nothing"
        case str():
            return _text(value)
        case list():
            return ", ".join(map(shown, value)) or "none"
        case {}:
            return ", ".join(f"{key} {shown(each)}" for key, each in value.items()) or "none"
        case _:
            return json.dumps(value)


def brief(value: Any, items: int) -> str:
    """A value told rather than shown: of a long list the first items, of several lines the first."""
    value = jsonable(value)
    if isinstance(value, list) and len(value) > items + 1:
        return f"{shown(value[:items])} and {len(value) - items} more"
    if isinstance(value, str) and len(lines := value.splitlines()) > 1:
        return f"{shown(lines[0])} … ({len(lines)} lines)"
    return shown(value)


def shortened(text: str, room: int) -> str:
    """A text that fits, its end cut off where it does not."""
    return text if len(text) <= room else text[: max(room - 1, 1)] + "…"


def shortened_pair(before: str, after: str, room: int) -> tuple[str, str]:
    """Two texts that each fit, cut such that what differs between them is still to be seen."""
    same = next(
        (at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other),
        min(len(before), len(after)),
    )
    # Some of what is the same stays, so that people find their way.
    start = max(same - room // 3, 0)
    if start == 0 or max(len(before), len(after)) <= room:
        return shortened(before, room), shortened(after, room)
    return shortened("…" + before[start:], room), shortened("…" + after[start:], room)


def labelled(ids: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Ids with what people call them: the Name beside its id, or once in front where all have the same."""
    distinct = {names.get(each) for each in ids}
    if len(distinct) > 1 or len(ids) == 1:
        return [f"{each} ({names[each]})" if each in names else each for each in ids]
    return [*(f"{name}:" for name in distinct if name), *ids]


def is_policy(value: Any) -> bool:
    """Whether a value is an IAM policy document."""
    return isinstance(value, Mapping) and "Statement" in value


def _text(text: str) -> str:
    if not text:
        return '""'
    if text.startswith("arn:") and _AWS_MANAGED in text:
        return text.partition(_AWS_MANAGED)[2]
    return presentable(text)
