"""How a plan differs from the one that was approved: change by change, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from provisioner.lazy_dataclass import dataclass
from provisioner.model import Action, Address, Change, FieldChange
from provisioner.render.as_json import is_same_done
from provisioner.render.field_lines import field_lines
from provisioner.render.fields import fields_of
from provisioner.render.layout import INDENT, Line, Piece, flow, line, words
from provisioner.render.styled import styled
from provisioner.render.waves import id_lines
from provisioner.secrecy import without_credentials_at

Data = Mapping[str, Any]

SAYS = {
    "+": "is not in the approved plan",
    "-": "is in the approved plan only",
    "~": "differs from the approved plan (approved → now)",
}
STYLES = {"+": "new", "-": "old", "~": "update"}
# What of a change is compared besides its fields and calls, and how people call it.
REST = {
    "size": "how many",
    "instances": "instances",
    "names": "names of instances",
    "rollout": "waves",
    "unique_id": "unique id",
    "whole": "all that shows later too",
}


@dataclass(frozen=True)
class Difference:
    """One change that only one of two plans has (`+` the present one, `-` the approved one), or that is
    another in each (`~`). `fields` are its own, and of `~` those of the two plans, approved and now."""

    sign: str
    change: Change
    fields: tuple[FieldChange, ...]


def differences(approved: Data, present: Data) -> list[Difference]:
    """What the changes of two plans differ in, given as JSON data; those of the present plan first."""
    left = list(approved["changes"])
    new = []
    for change in present["changes"]:
        same = next((other for other in left if is_same_done(other, change)), None)
        if same is None:
            new.append(change)
        else:
            left.remove(same)
    found = []
    for change in new:
        meant = _meant(change, left)
        if meant is None:
            found.append(Difference("+", as_change(change), as_change(change).fields))
        else:
            left.remove(meant)
            found.append(Difference("~", as_change(change), tuple(_between(meant, change))))
    return found + [Difference("-", as_change(change), as_change(change).fields) for change in left]


def as_change(data: Data) -> Change:
    """A change of JSON data as a value, without what only an apply needs."""
    kind, _, key = data["address"].partition("/")
    return Change(
        Address(kind, key),
        Action(data["action"]),
        data["reason"],
        tuple(FieldChange(field["path"], field["before"], field["after"]) for field in data["fields"]),
        tuple(data["instances"]),
        data["size"],
        deferred=data["deferred"],
        names=data["names"],
    )


def difference_text(approved: Data, present: Data, width: int) -> Text:
    """What differs from the approved plan, laid out for `width` columns; print it with `soft_wrap=True`."""
    lines: list[Line] = [(), line("Differences from the approved plan:", "title"), ()]
    found = differences(approved, present)
    for difference in found:
        lines += _lines(difference, width)
    refusals = [_refusals(document) for document in (approved, present)]
    for sign, told in (("+", refusals[1] - refusals[0]), ("-", refusals[0] - refusals[1])):
        for address, message in sorted(told):
            start: Line = (Piece(f"{sign} REFUSED {address}: ", STYLES[sign]),)
            lines += flow(words(message), width, start, INDENT, gap=" ")
    if len(lines) == 3:
        lines.append(line("The same changes, in another order."))
    return styled(lines)


def _refusals(data: Data) -> set[tuple[str, str]]:
    return {(refusal["address"], refusal["message"]) for refusal in data["refusals"]}


def _meant(change: Data, others: Sequence[Data]) -> Data | None:
    """The change of another plan that is most likely the same one: at its address, with its fields if so."""
    alike = [other for other in others if _place(other) == _place(change)]
    return next(
        (candidate for candidate in alike if _paths(candidate) == _paths(change)), alike[0] if alike else None
    )


def _place(change: Data) -> tuple[str, str]:
    return change["address"], change["action"]


def _paths(change: Data) -> set[str]:
    return {field["path"] for field in change["fields"]}


def _between(approved: Data, present: Data) -> Iterator[FieldChange]:
    """What two changes differ in, each as the value approved and that of now."""
    nothing = {"before": None, "after": None}
    before, after = ({field["path"]: field for field in one["fields"]} for one in (approved, present))
    for path in dict.fromkeys((*before, *after)):
        for side, words_of in (("before", "in AWS"), ("after", "in the spec")):
            values = (before.get(path, nothing)[side], after.get(path, nothing)[side])
            if values[0] != values[1]:
                shown = (without_credentials_at(path, value) for value in values)
                yield FieldChange(f"{path} {words_of}", *shown)
    for name, called in REST.items():
        one, other = (_besides(name, plan, approved, present) for plan in (approved, present))
        if one != other:
            yield FieldChange(called, one, other)
    if (approved["deferred"] is None) != (present["deferred"] is None):
        yield FieldChange("deferred", approved["deferred"], present["deferred"])
    yield from _between_calls(approved, present)


def _besides(name: str, change: Data, approved: Data, present: Data) -> Any:
    """What a change has under that name, without what the members or the count tell already."""
    has_other_members = approved["instances"] != present["instances"]
    match name:
        case "size":
            counts = [
                [(field["before"], field["after"]) for field in one["fields"] if field["path"] == "count"]
                for one in (approved, present)
            ]
            return None if has_other_members or counts[0] != counts[1] else change[name]
        case "names":
            stay = set(approved["instances"]) & set(present["instances"])
            return {
                id_: called for id_, called in change[name].items() if not has_other_members or id_ in stay
            }
        case "rollout" if has_other_members and change[name] is not None:
            return {key: value for key, value in change[name].items() if key != "waves"}
    return change[name]


def _between_calls(approved: Data, present: Data) -> Iterator[FieldChange]:
    before, after = (
        {(call["service"], call["operation"]): call for call in one["calls"]} for one in (approved, present)
    )
    for service, operation in dict.fromkeys((*before, *after)):
        one, other = (calls.get((service, operation), {}) for calls in (before, after))
        if one.get("count") != other.get("count"):
            yield FieldChange(f"calls of {operation}", one.get("count", 0), other.get("count", 0))
        elif one.get("parameters") != other.get("parameters"):
            yield FieldChange(f"calls of {operation}", "as approved", "with other parameters")


def _lines(difference: Difference, width: int) -> list[Line]:
    change, style = difference.change, STYLES[difference.sign]
    start: Line = (Piece(f"{difference.sign} {change.action} {change.address}: ", style),)
    lines = flow(words(SAYS[difference.sign]), width, start, INDENT, gap=" ")
    is_between = difference.sign == "~"
    shown = Change(change.address, Action.UPDATE if is_between else change.action, "", difference.fields)
    lines += field_lines(fields_of(shown), shown.action, width)
    return lines if is_between else lines + id_lines(change.instances, change.names, "faint", width)
