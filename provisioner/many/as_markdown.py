"""A report as a comment on a pull request: the table, and below it each environment with something to say.

What is destroyed is never left out. All else is folded, then told in a line each, and where that is too long
as well, counted: as in the comment on one plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provisioner.many.outcome import Outcome, Trouble, in_order
from provisioner.many.table import Row, counts, rows, total_cost
from provisioner.render.as_markdown import change_parts, destroyed_forms, warning_parts
from provisioner.render.comment import MAX_CHARACTERS, RESERVE, Part, fitted, joined, left_out, length
from provisioner.render.drift_documents import drift_parts
from provisioner.render.markdown_words import fence, name, sentence
from provisioner.render.words import count

BEGINNING = "<!-- provisioner report -->"
_WHERE = f"All of it is in the report as HTML: {name('--report report.html')}"
# So many lines of what is wrong with one environment are told.
MAX_LINES = 20


def report_markdown(
    report: Mapping[str, Any],
    outcomes: Sequence[Outcome],
    local: bool = False,
    missing: tuple[str, str] | None = None,
) -> str:
    """A report as a comment of at most `MAX_CHARACTERS`. `missing`: what is not in it, and what to do.

    One that destroys more than a comment can name says so, and gives no digest to apply it by. So does one of
    whose environments some have no outcome, such as a merged report, if these destroy anything.
    """
    ordered = in_order(outcomes)
    troubles = [_trouble(outcome) for outcome in ordered if outcome.trouble]
    unnamed = _unnamed(report, outcomes)
    cautions = [*([_missing(*missing)] if missing else []), *([unnamed] if unnamed else [])]
    tail = "" if cautions else _how_to_apply(report)
    for head in _heads(report, local, cautions):
        for level in range(3):
            texts = [_destroyed(outcome, level) for outcome in ordered]
            room = MAX_CHARACTERS - RESERVE - sum(map(length, (head, *texts, tail)))
            if room < 0:
                continue
            parts = [_parts(outcome, bool(gone)) for outcome, gone in zip(ordered, texts, strict=True)]
            chosen = fitted([*troubles, *(part for of_one in parts for part in of_one)], room)
            bodies = iter(chosen)
            told = [next(bodies).text for _ in troubles]
            for of_one, gone in zip(parts, texts, strict=True):
                told += [gone, *(next(bodies).text for _ in of_one)]
            return joined([head, *told, left_out(chosen, "", _WHERE), tail])
    return joined([*list(_heads(report, local, cautions))[-1:], _too_many(report)])


def _heads(report: Mapping[str, Any], local: bool, cautions: Sequence[str]) -> Iterator[str]:
    """The heading, the cautions and the table: of all environments, then of those that are not as they should
    be, then no table at all."""
    cost = total_cost(report)
    where = ", **LOCAL**" if local else ""
    start = [
        BEGINNING,
        f"### {report['command'].capitalize()} of {sentence(counts(report).rstrip('.'))}{where}",
    ]
    start += [text for caution in cautions for text in ("", caution)]
    end = ["", f"**Cost of all**: {sentence(cost)}"] if cost else []
    table = rows(report)
    busy = [row for row in table if row.verdict != "ok"]
    for shown in (table, busy, []):
        lines = _table(shown)
        left = len(table) - len(shown)
        if left:
            lines += ["", f"{left:,} of the environments are not in this table."]
        yield "\n".join([*start, *lines, *end])


def _table(shown: Sequence[Row]) -> list[str]:
    if not shown:
        return []
    lines = ["", "| Environment | Account | Region | Cost/h | Result |", "|---|---|---|--:|---|"]
    for row in shown:
        words = f"**{row.label}** {sentence(row.words)}" if row.label else sentence(row.words)
        cells = (
            name(row.name),
            name(row.account) if row.account else "",
            name(row.region) if row.region else "",
            sentence(row.cost),
            words,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _trouble(outcome: Outcome) -> Part:
    """What is wrong with one environment: in a line, then with what to do, then with all its places."""
    trouble = outcome.trouble or Trouble(outcome.words)
    told = f"{name(outcome.name)}: {sentence(trouble.message)}"
    box = ["> [!CAUTION]", f"> {told}"] + ([">", f"> {sentence(trouble.hint)}"] if trouble.hint else [])
    more = len(trouble.lines) - MAX_LINES
    shown = [*trouble.lines[:MAX_LINES], *([f"and {more} more"] if more > 0 else [])]
    places = ["", *fence(shown)] if shown else []
    forms = (f"- **{outcome.verdict.value}** {told}", "\n".join(box), "\n".join([*box, *places]))
    return Part("problem", tuple(dict.fromkeys(forms)))


def _destroyed(outcome: Outcome, level: int) -> str:
    """What will be gone of one environment, named in full; with less beside it at each level."""
    if outcome.plan is None:
        return ""
    forms = list(destroyed_forms(outcome.plan))
    text = forms[min(level, len(forms) - 1)]
    return f"{_heading(outcome)}\n\n{text}" if text else ""


def _parts(outcome: Outcome, is_named: bool) -> list[Part]:
    """All else that there is to say of one environment; the first has its name, unless that is told."""
    plan = outcome.plan
    if plan is not None:
        parts = [*warning_parts(plan), *change_parts(plan)]
    elif "drift" in outcome.data:
        parts = drift_parts(outcome.subject)
    else:
        parts = []
    if not parts or is_named:
        return parts
    first, *rest = parts
    forms = tuple(f"{_heading(outcome)}\n\n{form}" for form in first.forms)
    return [first._replace(forms=forms), *rest]


def _heading(outcome: Outcome) -> str:
    where = f"account {name(outcome.account_id or '')}, {name(outcome.region or '')}"
    return f"#### {name(outcome.name)}\n\n{where}"


def _missing(told: str, hint: str) -> str:
    return "\n".join(["> [!CAUTION]", f"> {sentence(told)}", ">", f"> {sentence(hint)}"])


def _unnamed(report: Mapping[str, Any], outcomes: Sequence[Outcome]) -> str:
    """The caution about what is destroyed in environments whose plans are not here; empty: nothing is."""
    named = {outcome.place for outcome in outcomes if outcome.plan}
    environments = zip(rows(report), report["environments"], strict=True)
    number = sum(told["destroys"] and row.place not in named for row, told in environments)
    if report["command"] != "plan" or not number:
        return ""
    return "\n".join(
        [
            "> [!CAUTION]",
            f"> **Do not approve this by this comment.** What it destroys in {count(number, 'environment')} "
            f"is not named here. It is in the report as JSON: {name('--report report.json')}",
        ]
    )


def _how_to_apply(report: Mapping[str, Any]) -> str:
    if report["command"] != "plan" or not report["summary"]["changes"] or not report["digest"]:
        return ""
    command = f"--expect {report['digest']}"
    told = "To apply exactly this and nothing else, give `apply` or `destroy` the same specs and"
    return "\n".join([f"{told}:", "", *fence([command], "sh")])


def _too_many(report: Mapping[str, Any]) -> str:
    return "\n".join(
        [
            "> [!CAUTION]",
            "> **Do not approve this by this comment.** It destroys more than one comment can name, so none "
            f"of it is named here. {_WHERE}",
        ]
    )
