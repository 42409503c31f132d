"""Plans as a comment on a pull request, in the Markdown that GitHub and GitLab read.

What is destroyed is never left out, and never folded. All else is folded; where that is too long, told in a
line each; and where that is too long as well, counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from provisioner.model import Change, Note, Plan, Refusal
from provisioner.render.as_json import plan_data
from provisioner.render.as_text import SYMBOLS
from provisioner.render.field_lines import field_lines
from provisioner.render.fields import fields_of
from provisioner.render.layout import INDENT, Line, Piece, flow, line, words
from provisioner.render.markdown_words import fence, name, sentence
from provisioner.render.verdict import counted, deferred, destroyed, destroys, verdict, writing_calls
from provisioner.render.waves import id_lines, member_lines, wave_lines, wave_words
from provisioner.render.words import breakdown, count

# GitHub takes 65,536 in one comment. The rest is for a line of whoever posts it; GitLab takes more.
MAX_CHARACTERS = 65_000
# Kept free for the sentence that counts what was left out.
_RESERVE = 600
# What GitHub shows of a line without scrolling.
_WIDTH = 92
_BETWEEN = "\n\n"


class Part(NamedTuple):
    """A piece of the comment: what it is, and its `forms`, the shortest first."""

    noun: str
    forms: tuple[str, ...]


class Chosen(NamedTuple):
    """A piece in the form that there is room for; `text` is empty where there is room for none."""

    part: Part
    text: str

    @property
    def shortness(self) -> str:
        """How it is shorter than it could be; empty where it is not."""
        forms = self.part.forms
        if self.text == forms[-1]:
            return ""
        return "not at all" if not self.text else "in one line" if self.text == forms[0] else "without ids"


def plan_markdown(plan: Plan, given: str = "SPEC", local: bool = False) -> str:
    """A plan as a comment of at most `MAX_CHARACTERS`; `given` follows its commands.

    A plan that destroys more than one comment can name says so, and gives no command to apply it.
    """
    head, tail = _head(plan, local), _how_to_apply(plan, given)
    before = [
        *(Part("refusal", (_refusal(each),)) for each in plan.refusals),
        *(Part("warning", (_note(each),)) for each in plan.notes if each.is_warning),
    ]
    after = [
        *(Part("change", _forms(each)) for each in plan.changes if not destroys(each)),
        *(Part("note", (_note(each),)) for each in plan.notes if not each.is_warning),
    ]
    for gone in _destroyed_forms(plan):
        room = MAX_CHARACTERS - _RESERVE - sum(map(_length, (head, gone, tail)))
        if room >= 0:
            chosen = _fitted([*before, *after], room)
            texts = [each.text for each in chosen]
            left_out = _left_out(chosen, plan, given)
            return _joined([head, *texts[: len(before)], gone, *texts[len(before) :], left_out, tail])
    return _joined([head, _too_many(plan, given)])


# --- the parts


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
        calls = "" if plan.refusals else f"{writing_calls(plan.changes)}."
        lines += ["", "| | | |", "|---|---|---|", *rows, "", later + calls]
    return "\n".join(lines)


def _refusal(refusal: Refusal) -> str:
    hint = [">", f"> {sentence(refusal.hint)}"] if refusal.hint else []
    told = f"> **Refused** {name(str(refusal.address))}: {sentence(refusal.message)}"
    return "\n".join(["> [!CAUTION]", told, *hint])


def _note(note: Note) -> str:
    told = f"{name(str(note.address))}: {sentence(note.message)}"
    lines = ["> [!WARNING]", f"> {told}"] if note.is_warning else [f"**Note** {told}"]
    return "\n".join([*lines, "", *fence(note.commands, "sh")] if note.commands else lines)


def _destroyed_forms(plan: Plan) -> Iterator[str]:
    """What will be gone, all of it: with what differs, then without, then without what people call it."""
    gone = destroyed(plan)
    if not gone:
        yield ""
        return
    heading = ["> [!CAUTION]", f"> **Destroys** {sentence(breakdown(gone))}. All of it is named here.", ""]
    for has_fields, has_names in ((True, True), (False, True), (False, False)):
        lines: list[str] = []
        for change in gone:
            lines += _texts(flow(words(change.reason), _WIDTH, _title(change), INDENT, gap=" "))
            lines += _texts(_fields(change)) if has_fields else []
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


def _forms(change: Change) -> tuple[str, ...]:
    """A change that destroys nothing: in a line, folded with its members counted, and with everything."""
    told = f"{name(f'{SYMBOLS[change.action]} {change.address}')} {sentence(change.reason)}"
    forms = [f"- {told}"]
    for has_ids in (change.exact, True):
        body = _fields(change)
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
            forms.append("\n".join(["<details>", f"<summary>{told}</summary>", "", *inner, "", "</details>"]))
    return tuple(dict.fromkeys(forms))


def _fields(change: Change) -> list[Line]:
    return field_lines(fields_of(change), change.action, _WIDTH)


def _how_to_apply(plan: Plan, given: str) -> str:
    """The command that applies what was shown, and nothing else."""
    if plan.refusals or not plan.changes:
        return ""
    command = f"provisioner {'destroy' if plan.destroy else 'apply'} {given}"
    command += f" --expect {plan_data(plan)['digest']}"
    return "\n".join(["To apply exactly this and nothing else:", "", *fence([command], "sh")])


# --- when there is not room for all of it


def _left_out(chosen: Iterable[Chosen], plan: Plan, given: str) -> str:
    """What is not told whole, and where it is."""
    shorter = Counter((each.part.noun, each.shortness) for each in chosen if each.shortness)
    if not shorter:
        return ""
    told = ", ".join(f"{count(number, noun)} {how}" for (noun, how), number in sorted(shorter.items()))
    lines = [
        "> [!IMPORTANT]",
        f"> This plan has more than one comment can hold. Here are: {told}. What it destroys is all named. "
        f"{_where_all_is(plan, given)}",
    ]
    return "\n".join(lines)


def _too_many(plan: Plan, given: str) -> str:
    """Said in place of the rest: whoever approves has to see what will be gone, and cannot here."""
    gone = destroyed(plan)
    return "\n".join(
        [
            "> [!CAUTION]",
            f"> **Do not approve this plan by this comment.** It destroys {sentence(breakdown(gone))}: more "
            f"than one comment can name, so none of it is named here. {_where_all_is(plan, given)}",
        ]
    )


def _where_all_is(plan: Plan, given: str) -> str:
    command = f"provisioner plan {given}{' --destroy' if plan.destroy else ''} --format html"
    return f"All of it: {name(command)}"


def _fitted(parts: Iterable[Part], room: int) -> list[Chosen]:
    """Each part in a form that there is room for; all get a short one before any gets a fuller one."""
    chosen = [Chosen(part, "") for part in parts]
    for level in range(max((len(each.part.forms) for each in chosen), default=0)):
        for at, (part, text) in enumerate(chosen):
            form = part.forms[min(level, len(part.forms) - 1)]
            more = _length(form) - _length(text)
            if more <= room:
                chosen[at] = Chosen(part, form)
                room -= more
    return chosen


def _length(text: str) -> int:
    """How many characters a part takes, counted as GitHub may do it: those beyond 16 bits are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 + len(_BETWEEN) if text else 0


def _joined(parts: Iterable[str]) -> str:
    return _BETWEEN.join(each for each in parts if each) + "\n"


def _title(change: Change) -> Line:
    return (Piece(f"{SYMBOLS[change.action]} {change.address}"), Piece("  "))


def _texts(lines: Iterable[Line], sign: str = "") -> list[str]:
    """Lines as text; a sign takes the place of the space at the beginning of each."""
    texts = ["".join(piece.text for piece in pieces).rstrip() for pieces in lines]
    return [sign + text[len(sign) :] for text in texts]
