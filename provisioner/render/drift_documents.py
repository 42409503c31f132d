"""Drift as a comment or the text of an issue, and as a page."""

from __future__ import annotations

from collections import Counter

from provisioner.drift import DriftReport, State
from provisioner.model import Action, Change
from provisioner.render.as_drift import STATES, as_change, remarks, together, verdict
from provisioner.render.as_markdown import WIDE_LEGEND, forms_of
from provisioner.render.comment import MAX_CHARACTERS, RESERVE, Part, fitted, joined, left_out, length
from provisioner.render.fields import fields_of, has_wide_rights
from provisioner.render.markdown_words import name, sentence
from provisioner.render.page import Label, Page, Tile, listed, page_html
from provisioner.render.verdict import Verdict

_ACTIONS = {State.MISSING: Action.CREATE, State.DIFFERENT: Action.UPDATE, State.UNEXPECTED: Action.DELETE}
_DIFFERENT = "in AWS, but not as the spec says"
_SIDES = "- is in AWS, + is in the spec."


def drift_markdown(drift: DriftReport, given: str = "SPEC", local: bool = False) -> str:
    """Drift as a comment of at most `MAX_CHARACTERS`; `given` follows the command that shows all of it."""
    where = f"account {name(drift.account_id)}, {name(drift.region)}"
    lines = [
        f"### {name(drift.environment)}: {sentence(verdict(drift))}",
        "",
        f"{where}, **LOCAL**" if local else where,
    ]
    states = Counter(difference.state for difference in drift.differences)
    if states:
        rows = [f"| {STATES[state][0]} | {states[state]:,} |" for state in State if states[state]]
        is_wide = any(has_wide_rights(fields_of(change, is_drift=True)) for change in _changes(drift))
        legend = f" {WIDE_LEGEND}" if is_wide else ""
        lines += ["", "| | |", "|---|--:|", *rows, "", sentence(_SIDES) + legend]
    head = "\n".join(lines)
    chosen = fitted(drift_parts(drift), MAX_CHARACTERS - RESERVE - length(head))
    all_of_it = f"All of it: {name(f'provisioner drift {given} --format html')}"
    return joined([head, *(choice.text for choice in chosen), left_out(chosen, "", all_of_it)])


def drift_parts(drift: DriftReport) -> list[Part]:
    """Each difference, and what else is worth knowing."""
    return [
        *(Part("difference", forms_of(change, is_drift=True)) for change in _changes(drift)),
        *(Part("note", (f"**Note** {sentence(remark)}",)) for remark in remarks(drift)),
    ]


def drift_html(drift: DriftReport, local: bool = False) -> str:
    """Drift as a page."""
    return page_html(drift_page(drift, local))


def drift_page(drift: DriftReport, local: bool = False) -> Page:
    """What is on the page of drift."""
    states = Counter(difference.state for difference in drift.differences)
    tiles = [Tile(_ACTIONS[state].value, states[state], STATES[state][1] or _DIFFERENT) for state in State]
    return Page(
        kind="Drift",
        environment=drift.environment,
        account_id=drift.account_id,
        region=drift.region,
        verdict=Verdict("drift" if drift.differences else "nothing", verdict(drift).rstrip(".")),
        labels={_ACTIONS[state].value: Label("", word, word) for state, (word, *_) in STATES.items()},
        local=local,
        tiles=tiles if drift.differences else (),
        aside=_SIDES if drift.differences else "",
        heading="Differences",
        items=listed(_changes(drift), is_drift=True),
        remarks=list(remarks(drift)),
    )


def _changes(drift: DriftReport) -> list[Change]:
    return [as_change(alike) for alike in together(drift.differences)]
