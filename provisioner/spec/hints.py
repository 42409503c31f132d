"""What to write in place of a value that a schema refuses: ready to be typed, and taken by the schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from provisioner.spec.schemas import resolve
from provisioner.spec.wording import LONGEST, Suggestions, flow, listed, quoted

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
_ID_PATTERN = re.compile(r"\^\(?([a-z]+-)\(\[0-9a-f\]\{8\}\|\[0-9a-f\]\{17\}\)")
MAX_ITEMS = 20
MAX_PAIRS = 4


class Hints:
    """Makes hints for values; `takes(part, value)` says whether a part of the schema takes a value."""

    def __init__(
        self, schema: Mapping[str, Any], takes: Callable[[Any, Any], bool], suggestions: Suggestions
    ) -> None:
        self._schema = schema
        self._takes = takes
        self._near = suggestions.near

    def hint(self, value: Any, text: str | None, part: Any) -> str | None:
        """What to write; `text` is how the value was written if it is no string."""
        if value is None and (text is None or text.lower() != "null"):
            return "give it a value or remove the line"
        if text is not None and self._takes(part, text):
            return f"write {quoted(text)}"
        forms = list(self._forms(part))
        if instead := _instead(text if text is not None else value, forms):
            return f"write `{instead}`"
        for other in (self._as_list, self._as_item, self._as_value, self._as_mapping):
            if hint := next(filter(None, (other(value, form) for form in forms)), None):
                return hint
        return self._for_text(value, part, forms) if isinstance(value, str) else None

    def _forms(self, part: Any) -> Iterator[Mapping[str, Any]]:
        """The schemas of which any is enough."""
        part = resolve(part, self._schema)
        yield part
        for branch in part.get("anyOf", ()):
            yield from self._forms(branch)

    def _as_list(self, value: Any, form: Mapping[str, Any]) -> str | None:
        """For one thing, or several in one text, where a list belongs."""
        if form.get("type") != "array" or isinstance(value, list):
            return None
        if self._takes(form, [value]):
            if isinstance(value, dict):
                return "it is an item of a list: put a hyphen and a space in front of its first line"
            return f"write [{flow(value)}]" if _is_short(value) else "put [ ] around it"
        items = re.split(r"[,\s]+", value.strip("[]() ,")) if isinstance(value, str) else []
        if 1 < len(items) <= MAX_ITEMS and all(map(_is_short, items)) and self._takes(form, items):
            return f"write [{', '.join(map(flow, items))}]"
        return None

    def _as_item(self, value: Any, form: Mapping[str, Any]) -> str | None:
        """For a list where one thing belongs."""
        if not isinstance(value, list) or form.get("type") in ("array", "object") or not value:
            return None
        if isinstance(value[0], dict | list) or not self._takes(form, value[0]):
            return None
        if len(value) == 1 and _is_short(value[0]):
            return f"write {flow(value[0])}"
        return "one of them belongs here, and not as an item of a list"

    def _as_value(self, value: Any, form: Mapping[str, Any]) -> str | None:
        """For a mapping of one key where its value alone belongs: `{id: ami-...}`."""
        inner = next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else None
        if inner is None or isinstance(inner, dict | list) or not _is_short(inner):
            return None
        if form.get("type") in ("array", "object") or not self._takes(form, inner):
            return None
        return f"write {flow(inner)}"

    def _as_mapping(self, value: Any, form: Mapping[str, Any]) -> str | None:
        """For pairs in another form where a mapping belongs: AWS's list of Key and Value, key=value."""
        if form.get("type") != "object" or isinstance(value, dict):
            return None
        made: dict[str, Any] = {}
        for item in value[:MAX_ITEMS] if isinstance(value, list) else [value]:
            made.update(_pairs(item))
        if not made or not self._takes(form, made):
            return None
        if len(made) > MAX_PAIRS or not all(_is_short(text) for pair in made.items() for text in pair):
            return "write a mapping, without hyphens"
        return f"write {{{', '.join(f'{flow(key)}: {flow(inner)}' for key, inner in made.items())}}}"

    def _for_text(self, value: str, part: Any, forms: list[Mapping[str, Any]]) -> str | None:
        unquoted = _unquoted(value)
        if unquoted is not None and self._takes(part, unquoted):
            return f"write {value} without quotes"
        repaired = [text for text in _repaired(value) if self._takes(part, text)]
        known = [text for form in forms for text in (*form.get("enum", ()), *form.get("x-known", ()))]
        meant = self._near(value, (text for text in known if isinstance(text, str)))
        prefixes = [match[1] for form in forms if (match := _ID_PATTERN.match(form.get("pattern", "")))]
        for prefix in prefixes:
            if not meant and value.startswith(prefix):
                return f"after {prefix} come 8 or 17 hexadecimal digits (0-9, a-f), {_digits(value, prefix)}"
        if meant := meant or next(iter(repaired), None):
            return f"did you mean {quoted(meant)}?"
        written = [spelling for form in forms for spelling in form.get("x-forms", ())]
        return f"write {listed(written)}" if written else None


def _instead(written: Any, forms: list[Mapping[str, Any]]) -> str | None:
    """What stands for a text that another field takes, or nearly this one: `x-instead` has it by patterns."""
    if not isinstance(written, str) or not _is_short(written):
        return None
    for pattern, template in (pair for form in forms for pair in form.get("x-instead", {}).items()):
        if match := re.fullmatch(pattern, written):
            return match.expand(template)
    return None


def _is_short(value: Any) -> bool:
    """Whether a value can be shown as it is: long ones may be secrets."""
    return not isinstance(value, dict | list) and len(str(value)) <= LONGEST


def _pairs(item: Any) -> dict[str, Any]:
    """The pairs that somebody meant by an item of a list, or by a text."""
    if isinstance(item, dict):
        lower = {key.lower(): value for key, value in item.items()}
        if lower.keys() == {"key", "value"} and isinstance(lower["key"], str):
            return {lower["key"]: lower["value"]}
        return item
    if isinstance(item, str) and len(item) <= 4 * LONGEST:
        matches = (re.fullmatch(r"\s*([^=:\s]+)\s*[=:]\s*(\S+)\s*", pair) for pair in item.split(","))
        return {match[1]: match[2] for match in matches if match}
    return {}


def _digits(value: str, prefix: str) -> str:
    """What is wrong with what follows the prefix of an id."""
    rest = value.removeprefix(prefix)
    odd = re.search(r"[^0-9a-f]", rest)
    return f"and {quoted(odd[0])} is none" if odd else f"here {len(rest)}"


def _unquoted(value: str) -> int | bool | None:
    """The number or boolean that a text spells."""
    if re.fullmatch(r"0|[1-9][0-9]{0,9}", value):
        return int(value)
    return {"true": True, "false": False}.get(value)


def _repaired(value: str) -> Iterator[str]:
    """What may have been meant by a text that is nearly right; of a long one, nothing."""
    if len(value) <= LONGEST:
        hyphens = re.sub(r"[\s_]+", "-", value.strip())
        yield from (value.strip(), value.lower(), hyphens, hyphens.lower(), re.sub(r"[\s-]+", "", value))
