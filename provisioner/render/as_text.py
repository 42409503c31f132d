"""Plans and outcomes for people at a terminal. Everything it says, it says without colour too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from provisioner.model import Action, Change, Failure, Note, Outcome, Plan, Refusal, Result
from provisioner.render.fields import INDENT, field_lines
from provisioner.render.layout import Line, Piece, flow, line, padded, words
from provisioner.render.waves import wave_lines
from provisioner.render.words import breakdown, count, duration, printable

SYMBOLS = {Action.CREATE: "+", Action.UPDATE: "~", Action.REPLACE: "±", Action.DELETE: "-"}

# Bright red, because the plain one is hard to read on black in many terminals, and it must be read.
_STYLES = {
    "create": "bold green",
    "update": "bold yellow",
    "replace": "bold magenta",
    "delete": "bold bright_red",
    "gone": "bright_red",
    "name": "cyan",
    "old": "bright_red",
    "new": "green",
    "faint": "dim",
    "title": "bold",
    "local": "bold black on yellow",
    "warning": "bold yellow",
    "alarm": "bold white on red",
    "good": "bold green",
}
_PAST = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
}
_LABEL = 9
_MOST_FIELDS = 3
_WIDEST_ADDRESS = 36
_SHOWN_INSTANCES = 3


def plan_text(plan: Plan, width: int, local: bool = False) -> Text:
    """A plan, laid out for `width` columns; no line is wider. `local` says that it is for the local AWS.

    Print it with `soft_wrap=True`: the lines are broken already.
    """
    lines = [*_heading(plan, local, width), ()]
    column = _column(change.address for change in plan.changes)
    for change in plan.changes:
        lines += _change_lines(change, column, width)
    if plan.changes:
        lines.append(())
    for note in plan.notes:
        lines += _note_lines(note, width)
    for refusal in plan.refusals:
        lines += _refusal_lines(refusal, width)
    if plan.notes or plan.refusals:
        lines.append(())
    lines += _closing_lines(plan, width)
    return _as_text(lines)


def outcomes_text(environment: str, outcomes: Sequence[Outcome], seconds: float, width: int = 100) -> Text:
    """What became of a plan: a line or more for each change, then a line that counts."""
    lines: list[Line] = []
    column = _column(outcome.change.address for outcome in outcomes)
    for result in Result:
        for outcome in outcomes:
            if outcome.result is result:
                lines += _outcome_lines(outcome, column, width)
    if lines:
        lines.append(())
    lines += _outcome_count(environment, outcomes, seconds, width)
    return _as_text(lines)


# --- a plan


def _heading(plan: Plan, local: bool, width: int) -> list[Line]:
    what = "Plan to destroy " if plan.destroy else "Plan for "
    items = [line(f"account {plan.account_id}, {plan.region}", "faint")]
    if local:
        items.append(line("LOCAL", "local"))
    start: Line = (Piece(what), Piece(plan.environment, "title"), Piece("  "))
    return flow(items, width, start, 2)


def _change_lines(change: Change, column: int, width: int) -> list[Line]:
    lines = _title_lines(change, words(change.reason), column, width)
    lines += field_lines(change, width)
    if change.rollout:
        lines += wave_lines(change.rollout, "gone" if _destroys(change) else "faint", width)
    else:
        lines += _instance_lines(change, width)
    if change.deferred is not None:
        start: Line = (Piece(" " * INDENT), Piece("not carried out:", "warning"), Piece(" "))
        lines += flow(words(change.deferred), width, start, INDENT + 2, gap=" ")
    return lines


def _title_lines(change: Change, rest: list[Line], column: int, width: int) -> list[Line]:
    return flow(rest, width, padded(_title(change), column), column, gap=" ")


def _title(change: Change) -> Line:
    return (Piece(f"{SYMBOLS[change.action]} {change.address}", change.action.value), Piece("  "))


def _instance_lines(change: Change, width: int) -> list[Line]:
    """The instances concerned: those that will be gone all of them, of others the first few."""
    ids = change.instances
    if _destroys(change):
        return flow([line(each, "gone") for each in ids], width, indent=INDENT) if ids else []
    few = ids if len(ids) <= _SHOWN_INSTANCES + 1 else ids[:_SHOWN_INSTANCES]
    items = [line(each, "faint") for each in few]
    if len(few) < len(ids):
        items.append(line(f"and {len(ids) - len(few):,} more", "faint"))
    return flow(items, width, indent=INDENT) if ids else []


def _note_lines(note: Note, width: int) -> list[Line]:
    start: Line = (Piece("note", "warning"), Piece(f" {note.address}: "))
    return flow(words(note.message), width, start, INDENT, gap=" ")


def _refusal_lines(refusal: Refusal, width: int) -> list[Line]:
    start: Line = (Piece("REFUSED", "alarm"), Piece(f" {refusal.address}: ", "delete"))
    lines = flow(words(refusal.message, "gone"), width, start, INDENT, gap=" ")
    if refusal.hint:
        lines += flow(words(refusal.hint), width, (Piece(" " * INDENT),), INDENT, gap=" ")
    return lines


def _closing_lines(plan: Plan, width: int) -> list[Line]:
    lines: list[Line] = []
    destroyed = [change for change in plan.changes if _destroys(change)]
    if destroyed:
        start: Line = (Piece("! DESTROYS", "alarm"), Piece(" "))
        lines += flow(words(breakdown(destroyed) + ".", "delete"), width, start, 2, gap=" ")
    if plan.refusals:
        refused = "Refused: nothing of this plan will be carried out."
        lines += flow(words(refused, "delete"), width, indent=0, gap=" ")
    return lines + _count_lines(plan, width)


def _count_lines(plan: Plan, width: int) -> list[Line]:
    if not plan.changes:
        if plan.refusals:
            return []
        if plan.destroy:
            return [line(f"Nothing to destroy. Nothing of {plan.environment} is there.", "good")]
        return [line(f"No changes. {plan.environment} is as the spec says.", "good")]
    items: list[Line] = []
    for action in Action:
        number = plan.summary[action]
        end = "." if action is list(Action)[-1] else ","
        told = breakdown(change for change in plan.changes if change.action is action) if number > 1 else ""
        style = action.value if number else "faint"
        items.append((Piece(f"{number:,} to {action.value}", style), Piece("" if told else end)))
        items += [line(each) for each in f"({told}){end}".replace(", ", ",\n").splitlines()] if told else []
    left = sum(change.size for change in plan.changes if change.deferred is not None)
    if left:
        items.append(line(f"{left:,} of them not carried out.", "warning"))
    calls = sum(call.count for change in plan.changes if change.deferred is None for call in change.calls)
    items.append(line(f"{count(calls, 'API call')} that write."))
    return flow(items, width, (Piece("Plan:", "title"), Piece(" ")), 6, gap=" ")


def _destroys(change: Change) -> bool:
    """Whether carrying out a change leaves less than there was."""
    return change.action in (Action.DELETE, Action.REPLACE) and change.deferred is None


# --- what became of it


def _outcome_lines(outcome: Outcome, column: int, width: int) -> list[Line]:
    change = outcome.change
    style = {Result.DONE: "good", Result.FAILED: "alarm"}.get(outcome.result, "warning")
    label = padded(line(outcome.result.value, style), _LABEL)
    start: Line = (*label, *_title(change))
    details: list[tuple[str, str]] = []
    match outcome.result:
        case Result.DONE:
            told = [*words(_done(change)), line(f"({duration(outcome.seconds)})", "faint")]
        case Result.FAILED:
            summary, details = _failure(outcome.failure)
            told = words(summary, "gone")
        case Result.SKIPPED:
            told = words(outcome.because or change.reason)
        case Result.LEFT:
            told = words(outcome.because or change.deferred or change.reason)
    lines = flow(told, width, padded(start, _LABEL + column), _LABEL + column, gap=" ")
    for text, style in details:
        lines += flow(words(text, style), width, indent=_LABEL + 2, gap=" ")
    return lines


def _done(change: Change) -> str:
    """What was done, and to how many: `updated tags: 2 instances`."""
    fields = list(dict.fromkeys(each.path.partition(".")[0] for each in change.fields))
    told = ", ".join(fields) if len(fields) <= _MOST_FIELDS else f"{len(fields)} fields"
    updated = f" {told}" if change.action is Action.UPDATE and fields else ""
    return _PAST[change.action] + updated + (f": {breakdown([change])}" if change.size > 1 else "")


def _failure(failure: Failure | None) -> tuple[str, list[tuple[str, str]]]:
    """A failure in short, and its details with their styles: what was said, what to do, what to quote."""
    if failure is None:
        return "for an unknown reason", []
    summary = ": ".join(each for each in (failure.operation, failure.code) if each)
    details = [(failure.message, "gone")] if summary else []
    if failure.hint:
        details.append((failure.hint, ""))
    if failure.request_id:
        details.append((f"request {failure.request_id}", "faint"))
    return summary or failure.message, details


def _outcome_count(environment: str, outcomes: Sequence[Outcome], seconds: float, width: int) -> list[Line]:
    if not outcomes:
        return [line(f"There was nothing to do in {environment}.", "good")]
    numbers = {result: sum(each.result is result for each in outcomes) for result in Result}
    told = ", ".join(f"{number} {result.value}" for result, number in numbers.items() if number)
    if numbers[Result.DONE] == len(outcomes):
        start: Line = (Piece("Done", "good"), Piece(f" in {duration(seconds)}. "))
    else:
        start = (Piece("Not finished", "alarm"), Piece(f" after {duration(seconds)}. "))
    return flow(words(f"{environment}: {told}."), width, start, 2, gap=" ")


# --- both


def _column(addresses: Iterable[object]) -> int:
    """Where reasons begin: behind the longest address that is not out of the ordinary."""
    return 2 + min(max((len(str(each)) for each in addresses), default=0), _WIDEST_ADDRESS) + 2


def _as_text(lines: list[Line]) -> Text:
    text = Text()
    for number, pieces in enumerate(lines):
        if number:
            text.append("\n")
        # No space at the end of a line: plans are pasted into pull requests.
        kept = [piece for piece in pieces if piece.text]
        while kept and not kept[-1].text.rstrip():
            kept.pop()
        if kept:
            kept[-1] = kept[-1]._replace(text=kept[-1].text.rstrip())
        for piece in kept:
            text.append(printable(piece.text), _STYLES.get(piece.style))
    return text
