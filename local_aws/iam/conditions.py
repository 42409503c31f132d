"""The Condition element of a policy: operators, quantifiers and policy variables.

IAM User Guide (https://docs.aws.amazon.com/IAM/latest/UserGuide/): "Condition operators"
(reference_policies_elements_condition_operators.html), "Multiple context keys or values"
(reference_policies_condition-logic-multiple-context-keys-or-values.html), "Variables and tags"
(reference_policies_variables.html).
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

# Condition keys and their values, a tuple for a key that can have several. Case is no matter in a key.
Context = Mapping[str, str | tuple[str, ...]]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
# What stands for itself in a pattern: written as `${*}` and so on.
_LITERAL = {"*": "\ue000", "?": "\ue001", "$": "\ue002"}


def holds(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Whether all conditions of a statement hold."""
    return all(
        _one(name, key, wanted, context) for name, keys in conditions.items() for key, wanted in keys.items()
    )


def _one(name: str, key: str, wanted: Any, context: Context) -> bool:
    values = _values(key, context)
    wanted = [
        text for text in (filled(_as_text(item), context) for item in _as_list(wanted)) if text is not None
    ]
    if name == "Null":
        return any((not values) == (text.lower() == "true") for text in wanted)
    quantifier, _, plain = name.rpartition(":")
    if plain.endswith("IfExists"):
        if values is None:
            return True
        plain = plain.removesuffix("IfExists")
    matches, is_negated = _OPERATORS[plain], "Not" in plain

    def agrees(value: str) -> bool:
        found = any(matches(value, text) for text in wanted)
        return not found if is_negated else found

    if quantifier == "ForAllValues":
        return all(agrees(value) for value in values or ())
    if quantifier == "ForAnyValue":
        return any(agrees(value) for value in values or ())
    if values is None:
        return is_negated
    return all(agrees(value) for value in values) if is_negated else any(agrees(value) for value in values)


def _values(key: str, context: Context) -> tuple[str, ...] | None:
    folded = key.lower()
    for name, value in context.items():
        if name.lower() == folded:
            return (value,) if isinstance(value, str) else tuple(value)
    return None


def filled(text: str, context: Context) -> str | None:
    """A text with its variables filled in; None where one of them has no value and no default."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = match[1].partition(",")
        if name in _LITERAL:
            return _LITERAL[name]
        found = _values(name.strip(), context)
        if found and len(found) == 1:
            return "".join(_LITERAL.get(character, character) for character in found[0])
        if default:
            return default.strip().strip("'")
        missing = True
        return ""

    text = _VARIABLE.sub(value, text)
    return None if missing else text


@lru_cache(maxsize=16384)
def _pattern(text: str) -> re.Pattern[str]:
    back = {mark: character for character, mark in _LITERAL.items()}
    signs = {"*": ".*", "?": "."}
    return re.compile(
        "".join(signs.get(character) or re.escape(back.get(character, character)) for character in text),
        re.DOTALL,
    )


def is_like(pattern: str, text: str) -> bool:
    """Whether a text is as a pattern with `*` and `?` says."""
    return _pattern(pattern).fullmatch(text) is not None


def arn_matches(pattern: str, arn: str) -> bool:
    """Whether an ARN is as a pattern says, each of its six parts by itself."""
    parts, there = pattern.split(":", 5), arn.split(":", 5)
    return len(parts) == len(there) == 6 and all(map(is_like, parts, there))


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(text: str) -> str:
    for character, mark in _LITERAL.items():
        text = text.replace(mark, character)
    return text


def _number(compare: Callable[[Any, Any], bool]) -> Callable[[str, str], bool]:
    def matches(value: str, wanted: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return matches


def _date(compare: Callable[[Any, Any], bool]) -> Callable[[str, str], bool]:
    def matches(value: str, wanted: str) -> bool:
        try:
            return compare(_moment(value), _moment(wanted))
        except ValueError:
            return False

    return matches


def _moment(text: str) -> datetime:
    if text.isdecimal():
        return datetime.fromtimestamp(int(text), UTC)
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _address(value: str, wanted: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _equal(value: str, wanted: str) -> bool:
    return value == _plain(wanted)


def _equal_ignoring_case(value: str, wanted: str) -> bool:
    return value.lower() == _plain(wanted).lower()


def _like(value: str, wanted: str) -> bool:
    return is_like(wanted, value)


def _arn(value: str, wanted: str) -> bool:
    return arn_matches(wanted, value)


def _boolean(value: str, wanted: str) -> bool:
    return value.lower() == wanted.lower()


# The negated ones match as their opposites do; `_one` turns that round.
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": _equal,
    "StringNotEquals": _equal,
    "StringEqualsIgnoreCase": _equal_ignoring_case,
    "StringNotEqualsIgnoreCase": _equal_ignoring_case,
    "StringLike": _like,
    "StringNotLike": _like,
    "ArnEquals": _arn,
    "ArnLike": _arn,
    "ArnNotEquals": _arn,
    "ArnNotLike": _arn,
    "Bool": _boolean,
    "BinaryEquals": _equal,
    "IpAddress": _address,
    "NotIpAddress": _address,
    "NumericEquals": _number(operator.eq),
    "NumericNotEquals": _number(operator.eq),
    "NumericLessThan": _number(operator.lt),
    "NumericLessThanEquals": _number(operator.le),
    "NumericGreaterThan": _number(operator.gt),
    "NumericGreaterThanEquals": _number(operator.ge),
    "DateEquals": _date(operator.eq),
    "DateNotEquals": _date(operator.eq),
    "DateLessThan": _date(operator.lt),
    "DateLessThanEquals": _date(operator.le),
    "DateGreaterThan": _date(operator.gt),
    "DateGreaterThanEquals": _date(operator.ge),
}
