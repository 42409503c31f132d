"""IAM policies for people: a statement as a sentence, and what differs between two policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from provisioner.iam_policy.documents import canonical
from provisioner.render.words import shown


class Difference(NamedTuple):
    """One line of a difference: its sign (`+`, `-`, or `~` for a statement that changed) and its words.

    For `~`, `gone` and `new` are the items that the element named at the end of `words` lost and got.
    """

    sign: str
    words: str
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()


def sentences(document: Mapping[str, Any], most: int | None = None) -> list[str]:
    """The statements of a policy as sentences; of long lists the first `most` items only."""
    return [sentence(each, most) for each in _statements(document)]


def sentence(statement: Any, most: int | None = None) -> str:
    """`Store: Allow s3:PutObject on arn:aws:s3:::outages/* if Bool aws:SecureTransport is true`."""
    if not isinstance(statement, Mapping):
        return shown(statement)
    parts = [f"{shown(statement['Sid'])}:"] if statement.get("Sid") else []
    parts += [shown(statement["Effect"])] if "Effect" in statement else []
    for element, before in (
        ("Action", ""),
        ("NotAction", "all but "),
        ("Resource", "on "),
        ("NotResource", "on all but "),
        ("Principal", "for "),
        ("NotPrincipal", "for all but "),
    ):
        if element in statement:
            parts.append(before + _some(_items(element, statement[element]), most))
    if statement.get("Condition"):
        parts.append("if " + " and ".join(_items("Condition", statement["Condition"])))
    return " ".join(parts)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """What differs between two policies, statement by statement; how they are written does not matter."""
    spelling = _spelling(before) | _spelling(after)
    old, new = (_respelt(canonical(each), spelling) for each in (before, after))
    out = [
        Difference(
            "~", element, *(((shown(each[element]),) if element in each else ()) for each in (old, new))
        )
        for element in ("Version", "Id")
        if old.get(element) != new.get(element)
    ]
    gone = [each for each in _statements(old) if each not in _statements(new)]
    added = [each for each in _statements(new) if each not in _statements(old)]
    for one in list(gone):
        other = next((each for each in added if _belong_together(one, each)), None)
        if other is not None:
            gone.remove(one)
            added.remove(other)
            out.extend(_changed(one, other))
    out.extend(Difference("-", sentence(each)) for each in gone)
    out.extend(Difference("+", sentence(each)) for each in added)
    return out


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    """A line for each element that differs between two statements that belong together."""
    differing = _differing(before, after)
    same = {key: value for key, value in before.items() if key not in differing}
    name = shown(after["Sid"]) if after.get("Sid") else sentence(same, most=2)
    for element in differing:
        old, new = ([] if element not in each else _items(element, each[element]) for each in (before, after))
        yield Difference(
            "~",
            f"{name}: {element}",
            tuple(each for each in old if each not in new),
            tuple(each for each in new if each not in old),
        )


def _belong_together(one: Any, other: Any) -> bool:
    """Whether a statement is another one changed: the same Sid, or a difference in one element only."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return False
    if one.get("Sid") or other.get("Sid"):
        return one.get("Sid") == other.get("Sid")
    return len(_differing(one, other)) == 1


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [key for key in dict.fromkeys([*one, *other]) if one.get(key) != other.get(key)]


def _spelling(document: Mapping[str, Any]) -> dict[str, str]:
    """How a policy spells what IAM reads in any case: its actions and condition keys."""
    found: list[Any] = []
    for statement in _statements(document):
        if isinstance(statement, Mapping):
            found += [each for key in ("Action", "NotAction") for each in _listed(statement.get(key, []))]
            found += [key for keys in _mappings(statement.get("Condition")) for key in keys]
    return {each.lower(): each for each in found if isinstance(each, str)}


def _respelt(document: Mapping[str, Any], spelling: Mapping[str, str]) -> dict[str, Any]:
    """A canonical policy in the letters of the policies it came from."""

    def respell(value: Any) -> Any:
        if isinstance(value, list):
            return [respell(each) for each in value]
        return spelling.get(value, value) if isinstance(value, str) else value

    statements: list[Any] = []
    for statement in _statements(document):
        if isinstance(statement, Mapping):
            statement = dict(statement)
            for key in statement.keys() & {"Action", "NotAction"}:
                statement[key] = respell(statement[key])
            if isinstance(statement.get("Condition"), Mapping):
                statement["Condition"] = {
                    operator: {respell(key): each for key, each in keys.items()}
                    if isinstance(keys, Mapping)
                    else keys
                    for operator, keys in statement["Condition"].items()
                }
        statements.append(statement)
    return {**document, "Statement": statements}


def _items(element: str, value: Any) -> list[str]:
    """The members of an element as people read them."""
    if element in ("Principal", "NotPrincipal"):
        members = (
            [each for listed in value.values() for each in _listed(listed)]
            if isinstance(value, Mapping)
            else [value]
        )
        return [_principal(each) for each in members]
    if element == "Condition" and isinstance(value, Mapping):
        return [
            f"{operator} {key} is {' or '.join(map(shown, _listed(allowed)))}"
            for operator, keys in value.items()
            if isinstance(keys, Mapping)
            for key, allowed in keys.items()
        ]
    return [shown(each) for each in _listed(value)]


def _principal(value: Any) -> str:
    if value == "*":
        return "everybody"
    return f"account {value}" if str(value).isdecimal() else shown(value)


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    values = value.values() if isinstance(value, Mapping) else []
    return [each for each in values if isinstance(each, Mapping)]


def _statements(document: Mapping[str, Any]) -> list[Any]:
    return _listed(document.get("Statement", []))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _some(items: list[str], most: int | None) -> str:
    if most is None or len(items) <= most + 1:
        return ", ".join(items)
    return ", ".join(items[:most]) + f" and {len(items) - most} more"
