"""IAM policies for people: a statement as a sentence, and what differs between two policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from provisioner.iam_policy.documents import canonical
from provisioner.iam_policy.wide_rights import grants_wide_rights
from provisioner.render.words import shown_word
from provisioner.secrecy import without_credentials_at


class Difference(NamedTuple):
    """One line of a difference: its sign (`+`, `-`, or `~` for a statement that changed) and its words.

    For `~`, `gone` and `new` are the items that the element named at the end of `words` lost and got.
    `is_wide`: the statement grants wide rights, in the policy that was asked about.
    """

    sign: str
    words: str
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    is_wide: bool = False


def sentence(statement: Any) -> str:
    """`Store: Allow s3:PutObject on arn:aws:s3:::outages/* if Bool aws:SecureTransport is true`."""
    if not isinstance(statement, Mapping):
        return shown_word(statement)
    parts = [f"{shown_word(statement['Sid'])}:"] if statement.get("Sid") else []
    parts += [shown_word(statement["Effect"])] if "Effect" in statement else []
    for element, before in (
        ("Action", ""),
        ("NotAction", "all but "),
        ("Resource", "on "),
        ("NotResource", "on all but "),
        ("Principal", "for "),
        ("NotPrincipal", "for all but "),
    ):
        if element in statement:
            parts.append(before + ", ".join(_items(element, statement[element])))
    if statement.get("Condition"):
        parts.append("if " + " and ".join(_items("Condition", statement["Condition"])))
    return " ".join(parts)


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], wide_before: bool = False
) -> list[Difference]:
    """What differs between two policies, statement by statement; how they are written does not matter.

    What grants wide rights is told of the one after, or with `wide_before` of the one before.
    """
    spelling = _spelling(before) | _spelling(after)
    old, new = (_respelt(canonical(policy), spelling) for policy in (before, after))
    out = [
        Difference("~", element, _scalar(old, element), _scalar(new, element))
        for element in ("Version", "Id")
        if old.get(element) != new.get(element)
    ]
    gone = [statement for statement in statements(old) if statement not in statements(new)]
    added = [statement for statement in statements(new) if statement not in statements(old)]
    for one in list(gone):
        other = next((candidate for candidate in added if _belong_together(one, candidate)), None)
        if other is not None:
            gone.remove(one)
            added.remove(other)
            out.extend(_changed(one, other, wide_before))
    for sign, told, is_asked in (("-", gone, wide_before), ("+", added, not wide_before)):
        out.extend(
            Difference(sign, sentence(statement), is_wide=is_asked and grants_wide_rights(statement))
            for statement in told
        )
    return out


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], wide_before: bool) -> Iterator[Difference]:
    """A line for each element that differs between two statements that belong together.

    Where several do, what stays of one can go with what is new in another, so the whole is told as well.
    """
    differing = _differing(before, after)
    same = {key: value for key, value in before.items() if key not in differing}
    is_wide = grants_wide_rights(before if wide_before else after)
    for element in differing:
        (old, told_old), (new, told_new) = (
            [
                [] if element not in statement else _items(element, statement[element], is_told)
                for is_told in (False, True)
            ]
            for statement in (before, after)
        )
        yield Difference(
            "~",
            f"{sentence(same)}: {element}",
            # What is hidden differs all the same.
            tuple(told for told, item in zip(told_old, old, strict=True) if item not in new),
            tuple(told for told, item in zip(told_new, new, strict=True) if item not in old),
            is_wide,
        )
    if len(differing) > 1:
        yield Difference("~", f"then {sentence(after)}", is_wide=is_wide and not wide_before)


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
    for statement in statements(document):
        if isinstance(statement, Mapping):
            found += [action for key in ("Action", "NotAction") for action in _listed(statement.get(key, []))]
            found += [key for keys in _mappings(statement.get("Condition")) for key in keys]
    return {name.lower(): name for name in found if isinstance(name, str)}


def _respelt(document: Mapping[str, Any], spelling: Mapping[str, str]) -> dict[str, Any]:
    """A canonical policy in the letters of the policies it came from."""

    def respell(value: Any) -> Any:
        if isinstance(value, list):
            return [respell(item) for item in value]
        return spelling.get(value, value) if isinstance(value, str) else value

    respelt: list[Any] = []
    for statement in statements(document):
        if isinstance(statement, Mapping):
            statement = dict(statement)
            for key in statement.keys() & {"Action", "NotAction"}:
                statement[key] = respell(statement[key])
            if isinstance(statement.get("Condition"), Mapping):
                statement["Condition"] = {
                    operator: {respell(key): allowed for key, allowed in keys.items()}
                    if isinstance(keys, Mapping)
                    else keys
                    for operator, keys in statement["Condition"].items()
                }
        respelt.append(statement)
    return {**document, "Statement": respelt}


def _items(element: str, value: Any, is_told: bool = True) -> list[str]:
    """The members of an element as people read them; if they are told, without what is a credential by the
    name of its condition key."""
    if element in ("Principal", "NotPrincipal"):
        members = value.items() if isinstance(value, Mapping) else [("", value)]
        return [_principal(kind, principal) for kind, listed in members for principal in _listed(listed)]
    if element == "Condition" and isinstance(value, Mapping):
        return [
            f"{operator} {key} is {' or '.join(_allowed(key, allowed, is_told))}"
            for operator, keys in value.items()
            if isinstance(keys, Mapping)
            for key, allowed in keys.items()
        ]
    return [shown_word(item) for item in _listed(value)]


def _allowed(key: str, values: Any, is_told: bool) -> Iterator[str]:
    """What a condition key may be, as people read it."""
    for value in map(shown_word, _listed(values)):
        yield without_credentials_at(key, value) if is_told else value


def _scalar(document: Mapping[str, Any], element: str) -> tuple[str, ...]:
    return (shown_word(document[element]),) if element in document else ()


def _principal(kind: str, value: Any) -> str:
    if value == "*":
        return "everybody (*)"
    # The others are told apart by how they are written.
    kinds = {"Federated": "federated ", "CanonicalUser": "canonical user "}
    return f"account {value}" if str(value).isdecimal() else kinds.get(kind, "") + shown_word(value)


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    values = value.values() if isinstance(value, Mapping) else []
    return [mapping for mapping in values if isinstance(mapping, Mapping)]


def statements(document: Mapping[str, Any]) -> list[Any]:
    """The statements of a policy, also where it has a single one."""
    return _listed(document.get("Statement", []))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
