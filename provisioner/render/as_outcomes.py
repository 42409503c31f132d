"""What became of a plan, for people: each end once, as soon as it is one, and in the end how many of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.text import Text

from provisioner.model import Action, Change, Failure, Outcome, Replan, Result
from provisioner.render.as_text import column_of, title
from provisioner.render.layout import Line, Piece, flow, line, padded, words
from provisioner.render.styled import styled
from provisioner.render.words import breakdown, duration

_PAST = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
}
# What a plan leaves undone, as it has said.
_COUNTED = {Result.DEFERRED: "left as it was"}
_LABEL = 9
_MOST_FIELDS = 3
# What took less took no time that anybody wants to know.
SHORTEST_S = 0.05

Told = tuple[object, ...]


def is_final(outcome: Outcome) -> bool:
    """Whether no later round can make another end of it."""
    failure = outcome.failure
    failed = outcome.result is Result.FAILED and (failure is None or failure.replan is Replan.NO)
    return outcome.result is Result.DONE or failed


def told(outcome: Outcome) -> Told:
    """What an outcome says; one that says the same is not told again."""
    change = outcome.change
    paths = tuple(field.path for field in change.fields)
    return change.address, change.action, paths, change.instances, outcome.result


def outcome_text(outcome: Outcome, column: int, width: int) -> Text:
    """What became of one change; what follows its address begins at `column`."""
    return styled(_outcome_lines(outcome, column, width))


def outcomes_text(
    environment: str,
    outcomes: Sequence[Outcome],
    seconds: float,
    width: int = 100,
    already: Collection[Told] = (),
) -> Text:
    """What became of a plan: a line or more for each change not told `already`, then how many of each."""
    lines: list[Line] = []
    column = column_of(outcome.change.address for outcome in outcomes)
    for result in Result:
        for outcome in outcomes:
            if outcome.result is result and told(outcome) not in already:
                lines += _outcome_lines(outcome, column, width)
    if lines or already:
        lines.append(())
    lines += _outcome_count(environment, outcomes, seconds, width)
    return styled(lines)


def _outcome_lines(outcome: Outcome, column: int, width: int) -> list[Line]:
    change = outcome.change
    style = {Result.DONE: "good", Result.FAILED: "alarm"}.get(outcome.result, "warning")
    label = padded(line(outcome.result.value, style), _LABEL)
    start: Line = (*label, *title(change))
    details: list[tuple[str, str]] = []
    match outcome.result:
        case Result.DONE:
            took = [line(f"({duration(outcome.seconds)})", "faint")] if outcome.seconds >= SHORTEST_S else []
            rest = [*words(_done(change)), *took]
        case Result.FAILED:
            summary, details = _failure(outcome.failure)
            rest = words(summary, "gone")
        case Result.STOPPED | Result.SKIPPED | Result.DEFERRED:
            rest = words(outcome.because or change.deferred or change.reason)
    details += [(note, "warning") for note in outcome.notes]
    lines = flow(rest, width, padded(start, _LABEL + column), _LABEL + column, gap=" ")
    for text, style in details:
        lines += flow(words(text, style), width, indent=_LABEL + 2, gap=" ")
    return lines


def _done(change: Change) -> str:
    """What was done, and to how many: `updated tags: 2 instances`."""
    fields = list(dict.fromkeys(field.path.partition(".")[0] for field in change.fields))
    named = ", ".join(fields) if len(fields) <= _MOST_FIELDS else f"{len(fields)} fields"
    updated = f" {named}" if change.action is Action.UPDATE and fields else ""
    # A part of a thing is told apart from the thing.
    is_counted = change.size > 1 or change.unit not in ("", "instance")
    return _PAST[change.action] + updated + (f": {breakdown([change])}" if is_counted else "")


def _failure(failure: Failure | None) -> tuple[str, list[tuple[str, str]]]:
    """A failure in short, and its details with their styles: what was said, what to do, what to quote."""
    if failure is None:
        return "for an unknown reason", []
    summary = ": ".join(detail for detail in (failure.operation, failure.code) if detail)
    details = [(failure.message, "gone")] if summary else []
    details += [(text, "faint") for text in failure.lines]
    if failure.hint:
        details.append((failure.hint, ""))
    if failure.request_id:
        details.append((f"request {failure.request_id}", "faint"))
    return summary or failure.message, details


def _outcome_count(environment: str, outcomes: Sequence[Outcome], seconds: float, width: int) -> list[Line]:
    if not outcomes:
        return [line(f"There was nothing to do in {environment}.", "good")]
    numbers = {
        result: len({outcome.change.address for outcome in outcomes if outcome.result is result})
        for result in Result
    }
    counted = ", ".join(
        f"{number} {_COUNTED.get(result, result.value)}" for result, number in numbers.items() if number
    )
    if all(outcome.result is Result.DONE for outcome in outcomes):
        start: Line = (Piece("Done", "good"), Piece(f" in {duration(seconds)}. "))
    else:
        start = (Piece("Not finished", "alarm"), Piece(f" after {duration(seconds)}. "))
    return flow(words(f"{environment}: {counted}."), width, start, 2, gap=" ")
