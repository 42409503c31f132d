"""Plans for people at a terminal. Everything it says, it says without colour too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from provisioner.model import Action, Change, Note, Plan, Refusal
from provisioner.render.as_json import digest_of
from provisioner.render.cost_words import cost_sentences
from provisioner.render.field_lines import LEAST_ROOM, WIDE, field_lines
from provisioner.render.fields import Field, fields_of, has_wide_rights
from provisioner.render.layout import INDENT, Line, Piece, flow, line, padded, width_of, words
from provisioner.render.proof_words import proof_lines
from provisioner.render.styled import styled
from provisioner.render.verdict import (
    as_it_is,
    deferred,
    destroyed,
    destroying_words,
    destroys,
    ending,
    writing_calls,
)
from provisioner.render.waves import id_lines, member_lines, wave_lines
from provisioner.render.words import breakdown

if TYPE_CHECKING:
    from rich.text import Text

SYMBOLS = {Action.CREATE: "+", Action.UPDATE: "~", Action.REPLACE: "±", Action.DELETE: "-"}
# What the symbols mean, told before they first occur.
MEANINGS = {
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.REPLACE: "replace (terminate, launch anew)",
    Action.DELETE: "delete",
}

_WIDEST_ADDRESS = 36


def plan_text(
    plan: Plan, width: int, local: bool = False, ids: bool = False, user_data: bool = False
) -> Text:
    """The lines of a plan in their colours. Print it with `soft_wrap=True`: the lines are broken already."""
    return styled(plan_lines(plan, width, local, ids, user_data))


def plan_lines(
    plan: Plan,
    width: int,
    local: bool = False,
    ids: bool = False,
    user_data: bool = False,
    digest: str | None = None,
) -> list[Line]:
    """A plan, laid out for `width` columns; no line is wider. `local` says that it is for the local AWS.

    `ids` tells all instances by id, also those that stay, and `user_data` what user data says. `digest`: that
    of the plan, where it is known already.
    """
    fields = [fields_of(change, user_data) for change in plan.changes]
    lines = [*_beside(_heading(plan, local, width), _legend(plan, fields, width), width), ()]
    warnings = [note for note in plan.notes if note.is_warning]
    for note in warnings:
        lines += _note_lines(note, width)
    if warnings:
        lines.append(())
    column = column_of(change.address for change in plan.changes)
    for change, told in zip(plan.changes, fields, strict=True):
        lines += _change_lines(change, told, column, width, ids)
    if plan.changes:
        lines.append(())
    notes = [note for note in plan.notes if not note.is_warning]
    for note in notes:
        lines += _note_lines(note, width)
    for refusal in plan.refusals:
        lines += _refusal_lines(refusal, width)
    if notes or plan.refusals:
        lines.append(())
    if plan.proof and plan.proof.verdicts:
        lines += [*proof_lines(plan.proof, width), ()]
    lines += _closing_lines(plan, width, digest)
    return lines


def column_of(addresses: Iterable[object]) -> int:
    """Where reasons begin: behind the longest address that is not out of the ordinary."""
    return 2 + min(max((len(str(address)) for address in addresses), default=0), _WIDEST_ADDRESS) + 2


def title(change: Change) -> Line:
    """What is done to what, in a sign and a name, with space after it."""
    return (Piece(f"{SYMBOLS[change.action]} {change.address}", change.action.value), Piece("  "))


# --- a plan


def _heading(plan: Plan, local: bool, width: int) -> list[Line]:
    what = "Plan to destroy " if plan.destroy else "Plan for "
    items = [line(f"account {plan.account_id}, {plan.region}", "faint")]
    if local:
        items.append(line("LOCAL", "local"))
    start: Line = (Piece(what), Piece(plan.environment, "title"), Piece("  "))
    return flow(items, width, start, 2)


def _beside(above: list[Line], below: list[Line], width: int) -> list[Line]:
    """Two lines as one where there is room for it."""
    if len(above) == len(below) == 1 and width_of(above[0]) + width_of(below[0]) + 4 <= width:
        return [(*above[0], Piece(" " * 4), *below[0])]
    return above + below


def _legend(plan: Plan, fields: Sequence[Sequence[Field]], width: int) -> list[Line]:
    """What the signs of this plan mean; nothing where there are none."""
    actions = {change.action for change in plan.changes}
    items: list[Line] = [
        (Piece(SYMBOLS[action], action.value), Piece(f" {MEANINGS[action]}", "faint"))
        for action in Action
        if action in actions
    ]
    if any(map(has_wide_rights, fields)):
        items.append((Piece(WIDE, "alarm"), Piece(" grants wide rights", "faint")))
    return flow(items, width) if items else []


def _change_lines(change: Change, fields: Sequence[Field], column: int, width: int, ids: bool) -> list[Line]:
    lines = _title_lines(change, words(change.reason), column, width)
    lines += field_lines(fields, change.action, width)
    # What will be gone, and what is others', is named, all of it.
    style = "gone" if destroys(change) else "faint"
    is_named = ids or change.exact or destroys(change)
    if change.rollout:
        lines += wave_lines(change.rollout, style, width, change.names, is_named)
    elif is_named:
        lines += id_lines(change.instances, change.names, style, width)
    else:
        lines += member_lines(change.instances, change.names, width)
    if change.deferred is not None:
        start: Line = (Piece(" " * INDENT), Piece("deferred:", "warning"), Piece(" "))
        lines += flow(words(change.deferred), width, start, INDENT + 2, gap=" ")
    return lines


def _title_lines(change: Change, rest: list[Line], column: int, width: int) -> list[Line]:
    if width - column < LEAST_ROOM:
        return flow(rest, width, title(change), INDENT, gap=" ")
    return flow(rest, width, padded(title(change), column), column, gap=" ")


def _note_lines(note: Note, width: int) -> list[Line]:
    word = Piece("WARNING", "alarm") if note.is_warning else Piece("note", "warning")
    start: Line = (word, Piece(f" {note.address}: "))
    # Commands are there to be pasted, and so are not broken.
    commands = [(Piece(" " * INDENT), Piece(command)) for command in note.commands]
    return [*flow(words(note.message), width, start, INDENT, gap=" "), *commands]


def _refusal_lines(refusal: Refusal, width: int) -> list[Line]:
    start: Line = (Piece("REFUSED", "alarm"), Piece(f" {refusal.address}: ", "delete"))
    lines = flow(words(refusal.message, "gone"), width, start, INDENT, gap=" ")
    if refusal.hint:
        lines += flow(words(refusal.hint), width, (Piece(" " * INDENT),), INDENT, gap=" ")
    return lines


def _closing_lines(plan: Plan, width: int, digest: str | None) -> list[Line]:
    lines: list[Line] = []
    gone = destroyed(plan)
    if gone:
        start: Line = (Piece(f"! {destroying_words(plan).upper()}", "alarm"), Piece(" "))
        lines += flow(words(breakdown(gone) + ".", "delete"), width, start, 2, gap=" ")
    if ends := ending(plan):
        start = (Piece("! WOULD END" if plan.refusals else "! ENDS", "alarm"), Piece(" "))
        told = f"{ends}: they shut themselves down and are terminated, as their new end is past."
        lines += flow(words(told, "delete"), width, start, 2, gap=" ")
    if plan.refusals:
        refused = "Refused: nothing of this plan will be carried out."
        return lines + flow(words(refused, "delete"), width, indent=0, gap=" ")
    return lines + _count_lines(plan, width, digest)


def _cost_lines(plan: Plan, width: int) -> list[Line]:
    """What it costs by the hour, of a plan that changes that."""
    if plan.cost is None or not plan.cost.changes:
        return []
    total, parts = cost_sentences(plan.cost)
    start: Line = (Piece("Cost:", "title"), Piece(" "))
    return [
        *flow(words(f"{total}:"), width, start, 6, gap=" "),
        *flow(words(parts), width, indent=6, gap=" "),
    ]


def _count_lines(plan: Plan, width: int, digest: str | None) -> list[Line]:
    if not plan.changes:
        if plan.destroy:
            is_all = "" if plan.notes else f" Nothing of {plan.environment} is there."
            return flow(words(f"Nothing to destroy.{is_all}", "good"), width, gap=" ")
        nothing = f"No changes. {as_it_is(plan)}."
        return flow(words(nothing, "good"), width, gap=" ")
    items: list[Line] = []
    for action in Action:
        number = plan.summary[action]
        end = "." if action is list(Action)[-1] else ","
        told = breakdown(change for change in plan.changes if change.action is action) if number > 1 else ""
        style = action.value if number else "faint"
        items.append((Piece(f"{number:,} to {action.value}", style), Piece("" if told else end)))
        items += [line(part) for part in f"({told}){end}".replace(", ", ",\n").splitlines()] if told else []
    later = deferred(plan)
    if later:
        items.append(line(f"{later:,} of them deferred.", "warning"))
    items.append(line(f"{writing_calls(plan.changes)}."))
    counts = flow(items, width, (Piece("Plan:", "title"), Piece(" ")), 6, gap=" ")
    # There to be pasted, and so not broken.
    return [
        *counts,
        *_cost_lines(plan, width),
        (Piece("Digest: "), Piece(digest or digest_of(plan), "faint")),
    ]
