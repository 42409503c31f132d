"""Plans as a comment on a pull request, in the Markdown that GitHub and GitLab read.

What is destroyed is never left out, and never folded. All else is folded; where that is too long, told in a
line each; and where that is too long as well, counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from provisioner.model import Change, Note, Plan, Refusal
from provisioner.render.as_json import digest_of
from provisioner.render.as_text import SYMBOLS
from provisioner.render.comment import MAX_CHARACTERS, RESERVE, Part, fitted, joined, left_out, length
from provisioner.render.cost_words import cost_sentences
from provisioner.render.field_lines import WIDE, field_lines
from provisioner.render.fields import fields_of, has_wide_rights
from provisioner.render.layout import INDENT, Line, Piece, flow, line, words
from provisioner.render.markdown_words import fence, name, sentence
from provisioner.render.proof_words import sentences
from provisioner.render.verdict import (
    counted,
    deferred,
    destroyed,
    destroying_words,
    destroys,
    verdict,
    writing_calls,
)
from provisioner.render.waves import id_lines, member_lines, wave_lines, wave_words
from provisioner.render.words import breakdown

WIDE_LEGEND = f"**{WIDE}** grants wide rights."
# What GitHub shows of a line without scrolling.
_WIDTH = 92


def plan_markdown(plan: Plan, given: str = "SPEC", local: bool = False, user_data: bool = False) -> str:
    """A plan as a comment of at most `MAX_CHARACTERS`; `given` follows its commands.

    `user_data` shows what user data says.

    A plan that destroys more than one comment can name says so, and gives no command to apply it.
    """
    head, tail = _head(plan, local), _how_to_apply(plan, given)
    before, after = warning_parts(plan), change_parts(plan, user_data)
    for gone in destroyed_forms(plan, user_data):
        room = MAX_CHARACTERS - RESERVE - sum(map(length, (head, gone, tail)))
        if room >= 0:
            chosen = fitted([*before, *after], room)
            texts = [choice.text for choice in chosen]
            missing = left_out(
                chosen, f"What it {destroying_words(plan)} is all named. ", _where_all_is(plan, given)
            )
            return joined([head, *texts[: len(before)], gone, *texts[len(before) :], missing, tail])
    return joined([head, _too_many(plan, given)])


# --- the parts


def warning_parts(plan: Plan) -> list[Part]:
    """What is told before all else: why it is refused, and what to be warned of."""
    return [
        *(Part("refusal", (_refusal(refusal),)) for refusal in plan.refusals),
        *(Part("warning", (_note(note),)) for note in plan.notes if note.is_warning),
    ]


def change_parts(plan: Plan, user_data: bool = False) -> list[Part]:
    """All that leaves no less than there was, and what else is worth knowing."""
    return [
        *(
            Part("change", forms_of(change, user_data=user_data))
            for change in plan.changes
            if not destroys(change)
        ),
        *(Part("note", (_note(note),)) for note in plan.notes if not note.is_warning),
    ]


def _head(plan: Plan, local: bool) -> str:
    """The verdict, and the table of counts."""
    what = "Plan to destroy" if plan.destroy else "Plan for"
    where = f"account {name(plan.account_id)}, {name(plan.region)}"
    lines = [
        f"### {what} {name(plan.environment)}: {sentence(verdict(plan).words)}",
        "",
        f"{where}, **LOCAL**" if local else where,
    ]
    rows = [
        f"| {name(SYMBOLS[row.action])} | {row.number:,} to {row.action} | {sentence(row.told)} |"
        for row in counted(plan)
    ]
    if rows:
        number = deferred(plan)
        later = f"{number:,} of them deferred. " if number else ""
        cost = plan.cost if plan.cost and plan.cost.changes and not plan.refusals else None
        calls = "" if plan.refusals else f"{writing_calls(plan.changes)}."
        is_wide = any(has_wide_rights(fields_of(change)) for change in plan.changes)
        legend = f" {WIDE_LEGEND}" if is_wide else ""
        lines += ["", "| | | |", "|---|---|---|", *rows, "", later + calls + legend]
        lines += ["", f"**Cost**: {sentence(': '.join(cost_sentences(cost)))}"] if cost else []
        if plan.proof and plan.proof.verdicts:
            summary, *open_ = map(sentence, sentences(plan.proof))
            lines += ["", f"**Proof**: {summary}", *(["", *(f"- {told}" for told in open_)] if open_ else [])]
    return "\n".join(lines)


def _refusal(refusal: Refusal) -> str:
    hint = [">", f"> {sentence(refusal.hint)}"] if refusal.hint else []
    told = f"> **Refused** {name(str(refusal.address))}: {sentence(refusal.message)}"
    return "\n".join(["> [!CAUTION]", told, *hint])


def _note(note: Note) -> str:
    told = f"{name(str(note.address))}: {sentence(note.message)}"
    lines = ["> [!WARNING]", f"> {told}"] if note.is_warning else [f"**Note** {told}"]
    return "\n".join([*lines, "", *fence(note.commands, "sh")] if note.commands else lines)


def destroyed_forms(plan: Plan, user_data: bool = False) -> Iterator[str]:
    """What will be gone, all of it: with what differs, then without, then without what people call it."""
    gone = destroyed(plan)
    if not gone:
        yield ""
        return
    word = destroying_words(plan).capitalize()
    heading = ["> [!CAUTION]", f"> **{word}** {sentence(breakdown(gone))}. All of it is named here.", ""]
    for has_fields, has_names in ((True, True), (False, True), (False, False)):
        lines: list[str] = []
        for change in gone:
            lines += _texts(flow(words(change.reason), _WIDTH, _title(change), INDENT, gap=" "))
            lines += _texts(_fields(change, user_data)) if has_fields else []
            lines += _gone(change, change.names if has_names else {})
        yield "\n".join([*heading, *fence(lines, "diff")])


def _gone(change: Change, names: Mapping[str, str]) -> list[str]:
    """Every instance that a change destroys, each line with a `-`; wave by wave where there are waves."""
    if not change.rollout:
        return _texts(id_lines(change.instances, names, "", _WIDTH, INDENT, line("-   ")), "-")
    lines = _texts(flow(words(wave_words(change.rollout)), _WIDTH, indent=INDENT, gap=" "))
    places = len(str(len(change.rollout.waves)))
    for number, wave in enumerate(change.rollout.waves, 1):
        start = line(f"-   {number:>{places}}  ")
        lines += _texts(id_lines(wave, names, "", _WIDTH, INDENT + places + 2, start), "-")
    return lines


def forms_of(change: Change, user_data: bool = False, is_drift: bool = False) -> tuple[str, ...]:
    """A change in a line, then without the ids of members, then with everything.

    It is folded; drift is not, and has no sign of what is to be done.
    """
    fields = fields_of(change, user_data, is_drift)
    sign = "" if is_drift else f"{SYMBOLS[change.action]} "
    told = f"{name(f'{sign}{change.address}')} {sentence(change.reason)}"
    # Also folded it tells that there is something to look at.
    told += f" <strong>{WIDE}</strong>" if has_wide_rights(fields) else ""
    forms = [f"- {told}"]
    for has_ids in (change.exact, True):
        body = field_lines(fields, change.action, _WIDTH)
        if change.rollout:
            body += wave_lines(change.rollout, "", _WIDTH, change.names, has_ids)
        elif has_ids:
            body += id_lines(change.instances, change.names, "", _WIDTH)
        else:
            body += member_lines(change.instances, change.names, _WIDTH)
        if change.deferred is not None:
            start: Line = (Piece(" " * INDENT), Piece("deferred: "))
            body += flow(words(change.deferred), _WIDTH, start, INDENT + 2, " ")
        if body:
            inner = fence(_texts(body))
            start_tag = "<details open>" if is_drift else "<details>"
            forms.append("\n".join([start_tag, f"<summary>{told}</summary>", "", *inner, "", "</details>"]))
    return tuple(dict.fromkeys(forms))


def _fields(change: Change, user_data: bool) -> list[Line]:
    return field_lines(fields_of(change, user_data), change.action, _WIDTH)


def _how_to_apply(plan: Plan, given: str) -> str:
    """The command that applies what was shown, and nothing else."""
    if plan.is_refused or not plan.changes:
        return ""
    command = f"provisioner {'destroy' if plan.destroy else 'apply'} {given}"
    command += f" --expect {digest_of(plan)}"
    return "\n".join(["To apply exactly this and nothing else:", "", *fence([command], "sh")])


# --- when there is not room for all of it


def _too_many(plan: Plan, given: str) -> str:
    """Said in place of the rest: whoever approves has to see what will be gone, and cannot here."""
    gone = destroyed(plan)
    return "\n".join(
        [
            "> [!CAUTION]",
            f"> **Do not approve this plan by this comment.** It {destroying_words(plan)} "
            f"{sentence(breakdown(gone))}: more than one comment can name, so none of it is named here. "
            f"{_where_all_is(plan, given)}",
        ]
    )


def _where_all_is(plan: Plan, given: str) -> str:
    command = f"provisioner plan {given}{' --destroy' if plan.destroy else ''} --format html"
    return f"All of it: {name(command)}"


def _title(change: Change) -> Line:
    return (Piece(f"{SYMBOLS[change.action]} {change.address}"), Piece("  "))


def _texts(lines: Iterable[Line], sign: str = "") -> list[str]:
    """Lines as text; a sign takes the place of the space at the beginning of each."""
    texts = ["".join(piece.text for piece in pieces).rstrip() for pieces in lines]
    return [sign + text[len(sign) :] for text in texts]
