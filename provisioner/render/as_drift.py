"""Drift for people at a terminal, and as data. `schemas/drift.schema.json` describes the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from provisioner.canonical import jsonable
from provisioner.drift import Acceptance, Accepted, Difference, DriftReport, State
from provisioner.model import Action, Change
from provisioner.render.field_lines import WIDE, field_lines
from provisioner.render.fields import fields_of, has_wide_rights, wide_rights
from provisioner.render.layout import INDENT, Line, Piece, flow, line, words
from provisioner.render.styled import styled
from provisioner.render.waves import id_lines, member_lines
from provisioner.render.words import count
from provisioner.secrecy import without_credentials_at, without_listed_credentials

FORMAT_VERSION = 1
STATES = {
    State.MISSING: ("missing", "in the spec, and not in AWS", "create"),
    State.DIFFERENT: ("different", "", "update"),
    State.UNEXPECTED: ("unexpected", "in AWS, and not in the spec", "delete"),
}
_LEGEND: tuple[Line, ...] = (
    (Piece("-", "old"), Piece(" in AWS", "faint")),
    (Piece("+", "new"), Piece(" in the spec", "faint")),
    line("AWS → spec", "faint"),
)
_WIDE_LEGEND: Line = (Piece(WIDE, "alarm"), Piece(" grants wide rights", "faint"))
# Acceptances are told in one line, so a few of many.
MAX_NAMED = 3


def drift_text(drift: DriftReport, width: int, local: bool = False, ids: bool = False) -> Text:
    """The drift in its colours; print it with `soft_wrap=True`."""
    return styled(drift_lines(drift, width, local, ids))


def drift_lines(drift: DriftReport, width: int, local: bool = False, ids: bool = False) -> list[Line]:
    """The drift, laid out for `width` columns. `ids` tells all instances."""
    items = [line(f"account {drift.account_id}, {drift.region}", "faint")]
    start: Line = (Piece("Drift of "), Piece(drift.environment, "title"), Piece("  "))
    found = together(drift.differences)
    lines = flow([*items, line("LOCAL", "local")] if local else items, width, start, 2)
    if any(difference.field for difference in drift.differences):
        fields = [field for alike in found for field in fields_of(as_change(alike), is_drift=True)]
        lines += flow([*_LEGEND, *([_WIDE_LEGEND] if has_wide_rights(fields) else [])], width)
    lines.append(())
    for alike in found:
        lines += _difference_lines(alike, width, ids)
    if drift.differences:
        lines.append(())
    for text in remarks(drift):
        lines += flow(words(text), width, (Piece("note", "warning"), Piece(" ")), INDENT, gap=" ")
    if any(True for _ in remarks(drift)):
        lines.append(())
    return [*lines, *flow(words(verdict(drift), "delete" if drift.differences else "good"), width, gap=" ")]


def together(differences: Iterable[Difference]) -> list[list[Difference]]:
    """Differences in groups: those of the same things, in the same state."""
    return [
        list(alike)
        for _, alike in groupby(
            differences,
            lambda difference: (
                difference.address,
                difference.state,
                difference.instances,
                difference.message,
            ),
        )
    ]


def heading(difference: Difference) -> str:
    """What is the matter with the things that a difference is about, in a few words."""
    word, meaning, _ = STATES[difference.state]
    if difference.message:
        return f"{word}: {difference.message}"
    counted = count(difference.size, difference.unit) if difference.unit else ""
    told = f"{counted} {word}" if counted and difference.state is not State.DIFFERENT else word
    if difference.state is State.DIFFERENT and counted:
        told += f" on {counted}"
    return f"{told}: {meaning}" if meaning else told


def as_change(alike: Sequence[Difference]) -> Change:
    """Differences of the same things as the change that would correct them, for who shows changes."""
    first = alike[0]
    action = {State.MISSING: Action.CREATE, State.UNEXPECTED: Action.DELETE}.get(first.state, Action.UPDATE)
    fields = tuple(difference.field for difference in alike if difference.field)
    return Change(
        first.address,
        action,
        heading(first),
        fields,
        first.instances,
        first.size,
        unit=first.unit,
        names=first.names,
    )


def remarks(drift: DriftReport) -> Iterable[str]:
    """What is worth knowing besides: what is accepted, what is no longer, and what was not compared."""
    if drift.accepted:
        yield accepted_words(drift.accepted)
    for acceptance in drift.expired:
        yield f"{acceptance.place}: {acceptance} was accepted until {acceptance.until}, which is past"
    for acceptance in drift.superfluous:
        why = _why_superfluous(acceptance, drift.environment)
        yield f"{acceptance.place}: {acceptance} is accepted, and {why}"
    for address, message in drift.not_compared:
        yield f"{address}: {message}"


def accepted_words(accepted: Sequence[Accepted]) -> str:
    """How many differences are accepted, which, and until when."""
    entries = list({id(pair.acceptance): pair.acceptance for pair in accepted}.values())
    named = [
        f"{acceptance}{_how_much(acceptance)} until {acceptance.until} ({acceptance.reason})"
        for acceptance in entries[:MAX_NAMED]
    ]
    more = [f"{len(entries) - MAX_NAMED} more"] if len(entries) > MAX_NAMED else []
    return f"{count(len(accepted), 'difference')} accepted: {'; '.join([*named, *more])}"


def _how_much(acceptance: Acceptance) -> str:
    if acceptance.has_value:
        return ""
    return " with any value" if acceptance.path else " with all that differs there"


def _why_superfluous(acceptance: Acceptance, environment: str) -> str:
    why = "AWS does not have that value" if acceptance.has_value else "nothing differs"
    # What counts for every spec of the folder, another one may need.
    return f"{why} there; remove it" if acceptance.environment else f"{why} in {environment}"


def verdict(drift: DriftReport) -> str:
    """All of it in one sentence."""
    if not drift.differences:
        accepted = f" but for {count(len(drift.accepted), 'accepted difference')}" if drift.accepted else ""
        return f"No drift. {drift.environment} is as the spec says{accepted}."
    states = Counter(difference.state for difference in drift.differences)
    told = ", ".join(f"{states[state]} {STATES[state][0]}" for state in State if states[state])
    places = len({difference.address for difference in drift.differences})
    where = "1 address" if places == 1 else f"{places:,} addresses"
    return f"Drift: {count(len(drift.differences), 'difference')} at {where} ({told})."


def drift_data(drift: DriftReport) -> dict[str, Any]:
    """The drift as one JSON object."""
    return {
        "format_version": FORMAT_VERSION,
        "environment": drift.environment,
        "region": drift.region,
        "account_id": drift.account_id,
        "drift": [_difference(difference) for difference in drift.differences],
        "accepted": [
            _difference(accepted.difference)
            | {"reason": accepted.acceptance.reason, "until": str(accepted.acceptance.until)}
            for accepted in drift.accepted
        ],
        "expired": [_acceptance(acceptance) for acceptance in drift.expired],
        "superfluous": [_acceptance(acceptance) for acceptance in drift.superfluous],
        "not_compared": [{"address": str(address), "message": text} for address, text in drift.not_compared],
    }


def _difference(difference: Difference) -> dict[str, Any]:
    field = difference.field
    wide = wide_rights(field, is_drift=True) if field else []
    return {
        "address": str(difference.address),
        "state": difference.state.value,
        "field": field.path if field else None,
        "aws": _shown(field.path, field.before) if field else None,
        "spec": _shown(field.path, field.after) if field else None,
        "message": difference.message or None,
        "size": difference.size,
        "instances": list(difference.instances),
        "names": dict(difference.names),
    } | ({"wide_rights": wide} if wide else {})


def _shown(path: str, value: Any) -> Any:
    """A side of a difference without credentials."""
    return without_listed_credentials(without_credentials_at(path, jsonable(value)), path)


def _acceptance(acceptance: Acceptance) -> dict[str, Any]:
    return {
        "address": str(acceptance.address),
        "field": acceptance.path,
        "reason": acceptance.reason,
        "until": str(acceptance.until),
        "place": acceptance.place,
    }


def _difference_lines(alike: Sequence[Difference], width: int, ids: bool) -> list[Line]:
    first = alike[0]
    change = as_change(alike)
    start: Line = (Piece(str(first.address), STATES[first.state][2]), Piece("  "))
    lines = flow(words(heading(first)), width, start, INDENT, gap=" ")
    # Fields are told as what differs, also where something is missing.
    lines += field_lines(fields_of(change, is_drift=True), Action.UPDATE, width)
    is_named = ids or first.state is State.UNEXPECTED
    if is_named:
        return lines + id_lines(first.instances, first.names, "faint", width)
    return lines + member_lines(first.instances, first.names, width)
